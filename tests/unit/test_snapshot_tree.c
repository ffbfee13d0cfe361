/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which snapshot descends from which. */
#include <check.h>
#include <string.h>
#include <sys/stat.h>

#include "disks/snapshot_tree.h"
#include "tests/fakes/temp_folder.h"
#include "tests/suite.h"

static char *folder;
/* The snapshots that the image has; "6\xff" is what no other program would call one. */
static const struct snapshot_key keys[] = {{"1", 100}, {"2", 200}, {"3", 300},
                                           {"4", 400}, {"5", 500}, {"6\xff", 600}};

static void setup(void)
{
    folder = temp_folder_new();
}

static void teardown(void)
{
    temp_folder_remove(folder);
}

static struct snapshot_tree *load(const char *disk, size_t count)
{
    g_autoptr(GError) error = NULL;
    struct snapshot_tree *tree = snapshot_tree_load(folder, disk, keys, count, &error);

    ck_assert_msg(tree != NULL, "%s", error != NULL ? error->message : "");
    return tree;
}

static void save_and_free(struct snapshot_tree *tree)
{
    g_autoptr(GError) error = NULL;

    ck_assert_msg(snapshot_tree_save(tree, &error), "%s", error != NULL ? error->message : "");
    snapshot_tree_free(tree);
}

static void assert_parents(const struct snapshot_tree *tree, const char *const parents[],
                           size_t count, const char *current)
{
    for (size_t i = 0; i < count; i++)
        ck_assert_pstr_eq(snapshot_tree_parent(tree, keys[i].id), parents[i]);
    ck_assert_pstr_eq(snapshot_tree_current(tree), current);
}

/* 1 - 2 - 3
 *   \ 4 - 5 - 6   and back on 2 */
static struct snapshot_tree *grow(const char *disk)
{
    struct snapshot_tree *tree = load(disk, 0);

    for (int i = 0; i < 3; i++)
        snapshot_tree_created(tree, &keys[i]);
    snapshot_tree_applied(tree, &keys[0]);
    for (int i = 3; i < 6; i++)
        snapshot_tree_created(tree, &keys[i]);
    snapshot_tree_applied(tree, &keys[1]);
    return tree;
}

START_TEST(test_branches_are_kept)
{
    static const char *const parents[] = {NULL, "1", "2", "1", "4", "5"};
    struct snapshot_tree *tree = grow("disk0.qcow2");

    assert_parents(tree, parents, 6, "2");
    save_and_free(tree);
    tree = load("disk0.qcow2", 6);
    assert_parents(tree, parents, 6, "2");
    snapshot_tree_free(tree);
}
END_TEST

START_TEST(test_delete_joins)
{
    static const char *const parents[] = {NULL, NULL, "1", "1", NULL, "4"};
    struct snapshot_tree *tree = grow("d");

    snapshot_tree_deleted(tree, "2");
    snapshot_tree_deleted(tree, "5");
    snapshot_tree_deleted(tree, "none");
    assert_parents(tree, parents, 6, "1");
    ck_assert_pstr_eq(snapshot_tree_parent(tree, "2"), NULL);
    snapshot_tree_deleted(tree, "1");
    ck_assert_pstr_eq(snapshot_tree_parent(tree, "3"), NULL);
    ck_assert_pstr_eq(snapshot_tree_current(tree), NULL);
    snapshot_tree_free(tree);
}
END_TEST

START_TEST(test_disks_apart)
{
    struct snapshot_tree *tree = grow("a [1]\n\xff");

    save_and_free(tree);
    save_and_free(load("b", 0));
    tree = load("b", 6);
    ck_assert_pstr_eq(snapshot_tree_current(tree), NULL);
    snapshot_tree_created(tree, &keys[0]);
    save_and_free(tree);
    tree = load("a [1]\n\xff", 6);
    ck_assert_pstr_eq(snapshot_tree_parent(tree, "3"), "2");
    snapshot_tree_free(tree);
}
END_TEST

/* Other programs delete snapshots, and give their ids away. */
START_TEST(test_others_change_the_image)
{
    const struct snapshot_key now[] = {{"1", 100}, {"2", 999}, {"3", 300}, {"7", 700}};
    struct snapshot_tree *tree = grow("d");

    save_and_free(tree);
    tree = snapshot_tree_load(folder, "d", now, G_N_ELEMENTS(now), NULL);
    ck_assert_ptr_nonnull(tree);
    ck_assert_pstr_eq(snapshot_tree_current(tree), NULL);
    ck_assert_pstr_eq(snapshot_tree_parent(tree, "2"), NULL);
    ck_assert_pstr_eq(snapshot_tree_parent(tree, "3"), NULL);
    snapshot_tree_applied(tree, &now[3]);
    snapshot_tree_created(tree, &(struct snapshot_key){"8", 800});
    ck_assert_pstr_eq(snapshot_tree_parent(tree, "8"), "7");
    snapshot_tree_free(tree);
}
END_TEST

START_TEST(test_circles_are_cut)
{
    struct snapshot_tree *tree;
    unsigned steps = 0, roots = 0;

    temp_folder_write(folder, SNAPSHOT_TREE_FILE,
                      "[d]\ncurrent=id-3\nid-1=100;id-3\nid-2=200;id-1\nid-3=300;id-2\n"
                      "id-4=400;id-4\nid-5=500;id-1\nid-6=x;id-1\n");
    tree = load("d", 6);
    for (int i = 0; i < 5; i++) {
        const char *id = keys[i].id;

        roots += snapshot_tree_parent(tree, id) == NULL;
        while ((id = snapshot_tree_parent(tree, id)) != NULL)
            ck_assert_uint_lt(++steps, 100);
    }
    ck_assert_uint_eq(roots, 2);
    ck_assert_pstr_eq(snapshot_tree_parent(tree, "5"), "1");
    snapshot_tree_free(tree);
}
END_TEST

START_TEST(test_broken_file)
{
    g_autoptr(GError) error = NULL;
    struct snapshot_tree *tree = load("d", 0);

    temp_folder_write(folder, SNAPSHOT_TREE_FILE, "what is this\n");
    ck_assert_ptr_null(snapshot_tree_load(folder, "d", NULL, 0, &error));
    ck_assert_msg(strstr(error->message, SNAPSHOT_TREE_FILE) != NULL, "%s", error->message);
    ck_assert(!snapshot_tree_save(tree, NULL));
    snapshot_tree_free(tree);
}
END_TEST

/* To open a FIFO would wait for somebody to write to it. */
START_TEST(test_no_file)
{
    g_autofree char *path = g_build_filename(folder, SNAPSHOT_TREE_FILE, NULL);
    g_autoptr(GError) error = NULL;

    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_ptr_null(snapshot_tree_load(folder, "d", NULL, 0, &error));
    ck_assert_msg(strstr(error->message, path) != NULL, "%s", error->message);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("snapshot tree");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_branches_are_kept);
    tcase_add_test(tcase, test_delete_joins);
    tcase_add_test(tcase, test_disks_apart);
    tcase_add_test(tcase, test_others_change_the_image);
    tcase_add_test(tcase, test_circles_are_cut);
    tcase_add_test(tcase, test_broken_file);
    tcase_add_test(tcase, test_no_file);
    return run_suite(suite);
}
