/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Committing an image into the one that it lies on, while it is written to. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "disks/image.h"
#include "disks/io_context.h"
#include "tests/fakes/disk_writer.h"
#include "tests/fakes/temp_folder.h"
#include "tests/suite.h"

#define SIZE ((uint64_t)6 << 20)
#define BASE_SIZE (SIZE - (1 << 20)) /* it grows */
#define WRITERS 3
#define ROUNDS 2

static const struct {
    const char *base_format;
    struct image_create_options overlay;
    enum image_cache cache;
} kinds[] = {
    {.base_format = "raw", .overlay = {.format = "qcow2", .size = SIZE}},
    {.base_format = "qcow2",
     .overlay = {.format = "qcow2", .size = SIZE, .cluster_size = 4096},
     .cache = IMAGE_CACHE_DIRECT},
    {.base_format = "qcow2", .overlay = {.format = "qcow2", .size = SIZE, .extended_l2 = true}},
    {.base_format = "raw",
     .overlay = {.format = "qcow2", .size = SIZE, .version = 2, .cluster_size = 8192}},
    /* So many clusters that they are freed in several steps. */
    {.base_format = "raw", .overlay = {.format = "qcow2", .size = SIZE, .cluster_size = 512}},
};

static struct io_context *io;
static char *folder, *base_path, *path;
static struct image *image;
static const char *base_format;
static enum image_cache cache;
static uint8_t *model;

static void must(bool done, const GError *error)
{
    ck_assert_msg(done, "%s", error != NULL ? error->message : "it failed");
}

static void open_image(void)
{
    struct image_options options = {.format = "qcow2", .cache = cache};
    GError *error = NULL;

    image = image_open(path, &options, io, NULL);
    /* Not every file system does direct I/O. */
    options.cache = IMAGE_CACHE_WRITE_BACK;
    if (image == NULL)
        image = image_open(path, &options, io, &error);
    must(image != NULL, error);
}

static void make(unsigned kind)
{
    const struct image_create_options base = {.format = kinds[kind].base_format, .size = BASE_SIZE};
    struct image_create_options overlay = kinds[kind].overlay;
    struct disk_writer fill;
    const struct image_options options = {.format = base.format};
    GError *error = NULL;

    base_format = base.format;
    cache = kinds[kind].cache;
    overlay.backing = "base";
    overlay.backing_format = base.format;
    must(image_create(base_path, &base, NULL, &error), error);
    image = image_open(base_path, &options, io, &error);
    must(image != NULL, error);
    disk_writer_init(&fill, image, model, BASE_SIZE, kind);
    for (unsigned i = 0; i < 50; i++)
        disk_writer_change(&fill);
    image_close(image);
    must(image_create(path, &overlay, NULL, &error), error);
    open_image();
    fill.image = image;
    fill.end = SIZE;
    for (unsigned i = 0; i < 100; i++)
        disk_writer_change(&fill);
    disk_writer_finish(&fill);
}

/* All is in the base: nothing in the image itself, and both are good. */
static void assert_committed(void)
{
    const struct image_options options = {.format = base_format, .read_only = true};
    struct image_check_result result;
    struct block_status status;
    GError *error = NULL;
    struct image *base;

    disk_assert_reads(image, model, SIZE);
    for (uint64_t at = 0; at < SIZE; at += status.length) {
        must(image_status_here(image, at, SIZE - at, &status, &error), error);
        ck_assert_int_eq(status.state, BLOCK_UNALLOCATED);
    }
    must(image_check(image, 0, &result, NULL, &error), error);
    ck_assert_uint_eq(result.leaks + result.corruptions + result.errors, 0);
    image_check_result_clear(&result);
    base = image_open(base_path, &options, io, &error);
    must(base != NULL, error);
    disk_assert_reads(base, model, SIZE);
    image_close(base);
}

static void setup(void)
{
    folder = temp_folder_new();
    base_path = g_build_filename(folder, "base", NULL);
    path = g_build_filename(folder, "overlay", NULL);
    io = io_context_new(4);
    model = g_aligned_alloc0(1, SIZE, 4096);
}

static void teardown(void)
{
    image_close(image);
    io_context_free(io);
    g_aligned_free(model);
    g_free(base_path);
    g_free(path);
    temp_folder_remove(folder);
}

START_TEST(test_written_in_steps)
{
    struct disk_writer writer;
    const struct image_progress progress = {disk_writer_step, &writer};
    GError *error = NULL;

    make(_i);
    disk_writer_init(&writer, image, model, SIZE, 7);
    must(image_commit(image, &progress, &error), error);
    assert_committed();
    disk_writer_finish(&writer);
}
END_TEST

START_TEST(test_cancelled)
{
    struct disk_writer writer;
    const struct image_progress progress = {disk_writer_step, &writer};
    GError *error = NULL;

    make(_i);
    disk_writer_init(&writer, image, model, SIZE, 8);
    writer.cancels = true;
    ck_assert(!image_commit(image, &progress, &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_CANCELLED));
    g_clear_error(&error);
    disk_writer_change(&writer);
    disk_assert_reads(image, model, SIZE);
    image_close(image);
    open_image();
    disk_assert_reads(image, model, SIZE);
    must(image_commit(image, NULL, &error), error);
    assert_committed();
    disk_writer_finish(&writer);
}
END_TEST

START_TEST(test_written_by_threads)
{
    struct disk_writer like, writers[WRITERS];
    GError *error = NULL;

    make(_i);
    like = (struct disk_writer){.image = image, .model = model};
    for (unsigned round = 0; round < ROUNDS; round++) {
        disk_writers_start(writers, WRITERS, &like, SIZE, round * WRITERS);
        must(image_commit(image, NULL, &error), error);
        disk_writers_stop(writers, WRITERS);
        disk_assert_reads(image, model, SIZE);
    }
    must(image_commit(image, NULL, &error), error);
    assert_committed();
}
END_TEST

/* The backing file goes away, and comes back. */
START_TEST(test_without_backing_file)
{
    g_autofree char *elsewhere = g_strconcat(base_path, ".elsewhere", NULL);
    uint8_t sector[IMAGE_SECTOR_SIZE];
    struct block_status status;
    GError *error = NULL;

    make(0);
    for (uint64_t at = 0; at < BASE_SIZE; at += status.length) {
        must(image_status_here(image, at, BASE_SIZE - at, &status, &error), error);
        if (status.state != BLOCK_UNALLOCATED)
            continue;
        ck_assert_int_eq(rename(base_path, elsewhere), 0);
        ck_assert(!image_commit(image, NULL, NULL));
        ck_assert_int_eq(image_read(image, sector, at, sizeof(sector)), EIO);
        ck_assert_int_eq(rename(elsewhere, base_path), 0);
        must(image_commit(image, NULL, &error), error);
        assert_committed();
        return;
    }
    ck_abort_msg("the overlay has all of the disk");
}
END_TEST

/* What is committed leaves the snapshots of the base as they were. Those of the image itself would
 * change. */
START_TEST(test_snapshots)
{
    const struct image_snapshot description = {.name = (char *)"before"};
    const struct image_options options = {.format = "qcow2"};
    struct disk_writer writer;
    g_autofree uint8_t *before = g_malloc(BASE_SIZE), *seen = g_malloc(BASE_SIZE);
    struct image_check_result result;
    GError *error = NULL;
    struct image *base;

    make(_i);
    image_close(image);
    base = image_open(base_path, &options, io, &error);
    must(base != NULL, error);
    ck_assert_int_eq(image_read(base, before, 0, BASE_SIZE), 0);
    must(image_snapshot_create(base, &description, &error), error);
    image_close(base);
    open_image();
    must(image_snapshot_create(image, &description, &error), error);
    disk_writer_init(&writer, image, model, SIZE, 9);
    disk_writer_change(&writer);
    ck_assert(!image_commit(image, NULL, &error));
    ck_assert_msg(strstr(error->message, "flatten the image") != NULL, "%s", error->message);
    g_clear_error(&error);
    disk_assert_reads(image, model, SIZE);
    must(image_snapshot_delete(image, "before", &error), error);
    must(image_commit(image, NULL, &error), error);
    assert_committed();
    image_close(image);
    base = image_open(base_path, &options, io, &error);
    must(base != NULL, error);
    must(image_snapshot_apply(base, "before", &error), error);
    ck_assert_uint_eq(image_size(base), BASE_SIZE);
    ck_assert_int_eq(image_read(base, seen, 0, BASE_SIZE), 0);
    ck_assert_mem_eq(seen, before, BASE_SIZE);
    must(image_check(base, 0, &result, NULL, &error), error);
    ck_assert_uint_eq(result.leaks + result.corruptions + result.errors, 0);
    image_check_result_clear(&result);
    image = base;
    disk_writer_finish(&writer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image commit");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, test_written_in_steps, 0, G_N_ELEMENTS(kinds));
    tcase_add_test(tcase, test_without_backing_file);
    tcase_add_loop_test(tcase, test_cancelled, 0, G_N_ELEMENTS(kinds));
    tcase_add_loop_test(tcase, test_snapshots, 1, 3); /* whose bases are qcow2 */
    /* The last takes them long. */
    tcase_add_loop_test(tcase, test_written_by_threads, 0, G_N_ELEMENTS(kinds) - 1);
    return run_suite(suite);
}
