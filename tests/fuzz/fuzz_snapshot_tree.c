/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a machine's snapshots.conf: walking up ends, and what is written reads the same. */
#include <glib.h>
#include <glib/gstdio.h>

#include "disks/snapshot_tree.h"
#include "tests/fuzz/fuzz.h"

static const struct snapshot_key keys[] = {{"1", 100}, {"2", 200}, {"3", 300}, {"4", 400}};

static void check_walks(const struct snapshot_tree *tree)
{
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        const char *id = keys[i].id;

        for (size_t steps = 0; id != NULL; steps++) {
            g_assert_cmpuint(steps, <=, G_N_ELEMENTS(keys));
            id = snapshot_tree_parent(tree, id);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *folder = g_dir_make_tmp("vmdesk-fuzz-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, SNAPSHOT_TREE_FILE, NULL);
    struct snapshot_tree *tree, *again;

    g_assert_true(g_file_set_contents(path, (const char *)data, size, NULL));
    tree = snapshot_tree_load(folder, "d", keys, G_N_ELEMENTS(keys), NULL);
    if (tree != NULL) {
        check_walks(tree);
        g_assert_true(snapshot_tree_save(tree, NULL));
        again = snapshot_tree_load(folder, "d", keys, G_N_ELEMENTS(keys), NULL);
        g_assert_nonnull(again);
        g_assert_cmpstr(snapshot_tree_current(tree), ==, snapshot_tree_current(again));
        for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
            g_assert_cmpstr(snapshot_tree_parent(tree, keys[i].id), ==,
                            snapshot_tree_parent(again, keys[i].id));
        snapshot_tree_free(again);
        snapshot_tree_free(tree);
    }
    g_unlink(path);
    g_rmdir(folder);
    return 0;
}
