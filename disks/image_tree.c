/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/image_tree.h"

#include "core/log.h"

struct snapshot_tree *image_tree_load(struct image *image, const GPtrArray *snapshots, GError **err)
{
    g_autofree char *folder = g_path_get_dirname(image_path(image));
    g_autofree char *name = g_path_get_basename(image_path(image));
    g_autofree struct snapshot_key *keys = g_new0(struct snapshot_key, snapshots->len + 1);

    for (guint i = 0; i < snapshots->len; i++) {
        const struct image_snapshot *snapshot = snapshots->pdata[i];

        keys[i] = (struct snapshot_key){snapshot->id, snapshot->date_sec};
    }
    return snapshot_tree_load(folder, name, keys, snapshots->len, err);
}

/* An id goes before a name, as in image.h. */
static const struct image_snapshot *find(const GPtrArray *snapshots, const char *wanted)
{
    const struct image_snapshot *named = NULL;

    for (guint i = 0; i < snapshots->len; i++) {
        const struct image_snapshot *snapshot = snapshots->pdata[i];

        if (g_strcmp0(snapshot->id, wanted) == 0)
            return snapshot;
        if (named == NULL && g_strcmp0(snapshot->name, wanted) == 0)
            named = snapshot;
    }
    return named;
}

/* Takes tree, and error if there is one. */
static void save(struct image *image, struct snapshot_tree *tree, GError *error)
{
    if (error == NULL)
        snapshot_tree_save(tree, &error);
    if (error != NULL)
        log_warning("disks", "The tree of the snapshots of %s is not kept: %s", image_path(image),
                    error->message);
    g_clear_error(&error);
    snapshot_tree_free(tree);
}

bool image_tree_create(struct image *image, const struct image_snapshot *description, GError **err)
{
    g_autoptr(GPtrArray) before = image_snapshots(image, err), after = NULL;
    struct snapshot_tree *tree;
    GError *error = NULL;

    if (before == NULL || !image_snapshot_create(image, description, err))
        return false;
    tree = image_tree_load(image, before, &error);
    after = image_snapshots(image, error == NULL ? &error : NULL);
    for (guint i = 0; error == NULL && i < after->len; i++) {
        const struct image_snapshot *snapshot = after->pdata[i];
        const struct image_snapshot *old = find(before, snapshot->id);

        if (old == NULL || g_strcmp0(old->id, snapshot->id) != 0)
            snapshot_tree_created(tree, &(struct snapshot_key){snapshot->id, snapshot->date_sec});
    }
    save(image, tree, error);
    return true;
}

bool image_tree_apply(struct image *image, const char *snapshot, GError **err)
{
    g_autoptr(GPtrArray) snapshots = image_snapshots(image, err);
    const struct image_snapshot *applied;
    struct snapshot_tree *tree;
    GError *error = NULL;

    if (snapshots == NULL || !image_snapshot_apply(image, snapshot, err))
        return false;
    applied = find(snapshots, snapshot);
    tree = image_tree_load(image, snapshots, &error);
    if (tree != NULL && applied != NULL)
        snapshot_tree_applied(tree, &(struct snapshot_key){applied->id, applied->date_sec});
    save(image, tree, error);
    return true;
}

bool image_tree_delete(struct image *image, const char *snapshot, GError **err)
{
    g_autoptr(GPtrArray) snapshots = image_snapshots(image, err);
    const struct image_snapshot *deleted;
    struct snapshot_tree *tree;
    GError *error = NULL;

    if (snapshots == NULL || !image_snapshot_delete(image, snapshot, err))
        return false;
    deleted = find(snapshots, snapshot);
    tree = image_tree_load(image, snapshots, &error);
    if (tree != NULL && deleted != NULL)
        snapshot_tree_deleted(tree, deleted->id);
    save(image, tree, error);
    return true;
}
