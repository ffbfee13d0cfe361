/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshots of a qcow2 image and the tree that is kept of them. */
#include <check.h>
#include <glib/gstdio.h>
#include <string.h>

#include "disks/image_tree.h"
#include "disks/io_context.h"
#include "tests/fakes/temp_folder.h"
#include "tests/suite.h"

static char *folder, *path;
static struct io_context *io;
static struct image *image;

static void setup(void)
{
    const struct image_create_options create = {.format = "qcow2", .size = 1 << 20};
    const struct image_options options = {.format = "qcow2"};
    g_autoptr(GError) error = NULL;

    folder = temp_folder_new();
    path = g_build_filename(folder, "disk.qcow2", NULL);
    io = io_context_new(2);
    ck_assert_msg(image_create(path, &create, NULL, &error), "%s",
                  error != NULL ? error->message : "");
    image = image_open(path, &options, io, &error);
    ck_assert_msg(image != NULL, "%s", error != NULL ? error->message : "");
}

static void teardown(void)
{
    image_close(image);
    io_context_free(io);
    temp_folder_remove(folder);
    g_free(path);
}

static void create(const char *name)
{
    const struct image_snapshot description = {.name = (char *)name, .icount = UINT64_MAX};
    g_autoptr(GError) error = NULL;

    ck_assert_msg(image_tree_create(image, &description, &error), "%s",
                  error != NULL ? error->message : "");
}

static const char *name_of(const GPtrArray *snapshots, const char *id)
{
    for (guint i = 0; id != NULL && i < snapshots->len; i++) {
        const struct image_snapshot *snapshot = snapshots->pdata[i];

        if (strcmp(snapshot->id, id) == 0)
            return snapshot->name;
    }
    return "-";
}

/* "name<parent name ... @current" in stored order. */
static void assert_tree(const char *expected)
{
    g_autoptr(GPtrArray) snapshots = image_snapshots(image, NULL);
    struct snapshot_tree *tree = image_tree_load(image, snapshots, NULL);
    g_autoptr(GString) text = g_string_new(NULL);

    ck_assert_ptr_nonnull(tree);
    for (guint i = 0; i < snapshots->len; i++) {
        const struct image_snapshot *snapshot = snapshots->pdata[i];
        const char *parent = snapshot_tree_parent(tree, snapshot->id);

        g_string_append_printf(text, "%s<%s ", snapshot->name, name_of(snapshots, parent));
    }
    g_string_append_printf(text, "@%s", name_of(snapshots, snapshot_tree_current(tree)));
    ck_assert_str_eq(text->str, expected);
    snapshot_tree_free(tree);
}

START_TEST(test_tree_follows)
{
    assert_tree("@-");
    create("a");
    create("b");
    ck_assert(image_tree_apply(image, "a", NULL));
    create("c");
    assert_tree("a<- b<a c<a @c");
    ck_assert(image_tree_apply(image, "b", NULL));
    create("d");
    ck_assert(image_tree_delete(image, "b", NULL));
    assert_tree("a<- c<a d<a @d");
    ck_assert(image_tree_delete(image, "d", NULL));
    ck_assert(image_tree_delete(image, "a", NULL));
    assert_tree("c<- @-");
}
END_TEST

/* The image decides; the tree only notes. */
START_TEST(test_failures_leave_the_tree)
{
    const struct image_snapshot again = {.name = (char *)"a", .icount = UINT64_MAX};
    g_autoptr(GError) error = NULL;

    create("a");
    create("b");
    ck_assert(!image_tree_create(image, &again, &error));
    ck_assert(!image_tree_apply(image, "none", NULL));
    ck_assert(!image_tree_delete(image, "none", NULL));
    assert_tree("a<- b<a @b");
}
END_TEST

START_TEST(test_without_a_tree_file)
{
    g_autofree char *file = g_build_filename(folder, SNAPSHOT_TREE_FILE, NULL);

    create("a");
    temp_folder_write(folder, SNAPSHOT_TREE_FILE, "broken");
    create("b");
    ck_assert(image_tree_apply(image, "a", NULL));
    ck_assert(image_tree_delete(image, "b", NULL));
    g_unlink(file);
    assert_tree("a<- @-");
    create("c");
    create("d");
    assert_tree("a<- c<- d<c @d");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image tree");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_tree_follows);
    tcase_add_test(tcase, test_failures_leave_the_tree);
    tcase_add_test(tcase, test_without_a_tree_file);
    return run_suite(suite);
}
