/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images with snapshots that are made independent of what they lie on, or put on another image. */
#include <check.h>
#include <string.h>

#include "core/error.h"
#include "disks/bytes.h"
#include "disks/image.h"
#include "disks/io_context.h"
#include "tests/fakes/disk_writer.h"
#include "tests/fakes/temp_folder.h"
#include "tests/suite.h"

#define SIZE ((uint64_t)6 << 20)
#define BASE_SIZE (SIZE - (1 << 20))
#define LARGEST (2 * SIZE)
#define WRITERS 3
#define MAX_SNAPSHOTS 8
#define COPIED (1ULL << 63)
#define KIB ((uint64_t)1024)

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
    {.base_format = "raw",
     .overlay = {.format = "qcow2",
                 .size = SIZE,
                 .extended_l2 = true,
                 .cluster_size = 16384,
                 .lazy_refcounts = true}},
    /* So few states can share a cluster that there are several copies of some. */
    {.base_format = "raw",
     .overlay = {.format = "qcow2", .size = SIZE, .cluster_size = 16384, .refcount_bits = 2}},
    /* So many clusters that they are entered in several steps. */
    {.base_format = "raw", .overlay = {.format = "qcow2", .size = SIZE, .cluster_size = 512}},
};

static struct io_context *io;
static char *folder, *base_path, *path, *copy_path;
static struct image *image;
static enum image_cache cache;
static uint8_t *model; /* LARGEST bytes */
static uint64_t size;  /* of the disk */

static struct {
    char *name;
    uint8_t *data;
    uint64_t size;
} snapshots[MAX_SNAPSHOTS];
static unsigned snapshot_count;

static void must(bool done, const GError *error)
{
    ck_assert_msg(done, "%s", error != NULL ? error->message : "it failed");
}

static void write_at(uint64_t offset, uint64_t length, int byte)
{
    memset(model + offset, byte, length);
    ck_assert_int_eq(image_write(image, model + offset, offset, length), 0);
}

static struct image *open_at(const char *at)
{
    struct image_options options = {.format = "qcow2", .cache = cache};
    struct image *opened = image_open(at, &options, io, NULL);
    GError *error = NULL;

    /* Not every file system does direct I/O. */
    options.cache = IMAGE_CACHE_WRITE_BACK;
    if (opened == NULL)
        opened = image_open(at, &options, io, &error);
    must(opened != NULL, error);
    return opened;
}

static void take_snapshot(void)
{
    struct image_snapshot description = {.name = NULL};
    GError *error = NULL;

    ck_assert_uint_lt(snapshot_count, MAX_SNAPSHOTS);
    description.name = g_strdup_printf("number %u", snapshot_count);
    must(image_snapshot_create(image, &description, &error), error);
    snapshots[snapshot_count].name = description.name;
    snapshots[snapshot_count].data = g_memdup2(model, size);
    snapshots[snapshot_count].size = size;
    snapshot_count++;
}

static void resize(uint64_t to)
{
    GError *error = NULL;

    must(image_resize(image, to, IMAGE_RESIZE_SHRINK, IMAGE_PREALLOCATION_OFF, NULL, &error),
         error);
    if (to < size)
        memset(model + to, 0, size - to);
    size = to;
}

/* A base, each sector of which reads differently, and an overlay without anything. */
static void make_chain(const char *base_format, const struct image_create_options *options)
{
    const struct image_create_options base = {.format = base_format, .size = BASE_SIZE};
    const struct image_options open = {.format = base_format};
    struct image_create_options overlay = *options;
    GError *error = NULL;

    overlay.backing = "base";
    overlay.backing_format = base_format;
    must(image_create(base_path, &base, NULL, &error), error);
    for (uint64_t at = 0; at < BASE_SIZE; at += 4)
        put_be32(model + at, (uint32_t)(at / IMAGE_SECTOR_SIZE) + 1);
    /* With a hole. */
    memset(model + BASE_SIZE / 2, 0, BASE_SIZE / 16);
    image = image_open(base_path, &open, io, &error);
    must(image != NULL, error);
    ck_assert_int_eq(image_write(image, model, 0, BASE_SIZE / 2), 0);
    ck_assert_int_eq(image_write(image, model + BASE_SIZE / 16 * 9, BASE_SIZE / 16 * 9,
                                 BASE_SIZE - BASE_SIZE / 16 * 9),
                     0);
    image_close(image);
    must(image_create(path, &overlay, NULL, &error), error);
    image = open_at(path);
    size = image_size(image);
}

/* Snapshots of nothing, of something, and of another size. */
static void make(unsigned kind)
{
    struct disk_writer fill;

    cache = kinds[kind].cache;
    make_chain(kinds[kind].base_format, &kinds[kind].overlay);
    disk_writer_init(&fill, image, model, SIZE, kind);
    take_snapshot();
    for (unsigned i = 0; i < 12; i++)
        disk_writer_change(&fill);
    take_snapshot();
    resize(SIZE / 2);
    fill.end = size;
    for (unsigned i = 0; i < 6; i++)
        disk_writer_change(&fill);
    take_snapshot();
    resize(SIZE);
    fill.end = size;
    for (unsigned i = 0; i < 6; i++)
        disk_writer_change(&fill);
    disk_writer_finish(&fill);
}

static void assert_sound(struct image *of, uint64_t leaks)
{
    struct image_check_result result;
    GError *error = NULL;

    must(image_check(of, 0, &result, NULL, &error), error);
    ck_assert_msg(result.corruptions + result.errors == 0, "%s",
                  result.messages->len > 0 ? (char *)result.messages->pdata[0] : "?");
    ck_assert_uint_eq(result.leaks, leaks);
    image_check_result_clear(&result);
}

/* A copy of the closed image in which a snapshot is the active state. */
static struct image *open_snapshot(unsigned number)
{
    g_autofree char *bytes = NULL;
    GError *error = NULL;
    struct image *copy;
    gsize length;

    must(g_file_get_contents(path, &bytes, &length, &error), error);
    must(g_file_set_contents(copy_path, bytes, length, &error), error);
    copy = open_at(copy_path);
    /* The others go, since with small refcounts there is no room for one use more. */
    for (unsigned i = 0; i < snapshot_count; i++)
        if (i != number)
            must(image_snapshot_delete(copy, snapshots[i].name, &error), error);
    must(image_snapshot_apply(copy, snapshots[number].name, &error), error);
    return copy;
}

/* All states read as they should. leaks: of the image. */
static void assert_states(uint64_t leaks)
{
    disk_assert_reads(image, model, size);
    assert_sound(image, leaks);
    image_close(image);
    for (unsigned i = 0; i < snapshot_count; i++) {
        struct image *copy = open_snapshot(i);

        disk_assert_reads(copy, snapshots[i].data, snapshots[i].size);
        assert_sound(copy, leaks);
        image_close(copy);
    }
    image = open_at(path);
}

static void assert_flat(uint64_t leaks)
{
    GError *error = NULL;

    ck_assert_ptr_null(image_backing(image));
    /* Without the base there is no way to be right by chance. */
    must(g_file_set_contents(base_path, "", 0, &error), error);
    assert_states(leaks);
}

static void flatten(void)
{
    GError *error = NULL;

    must(image_flatten(image, NULL, &error), error);
}

static void setup(void)
{
    folder = temp_folder_new();
    base_path = g_build_filename(folder, "base", NULL);
    path = g_build_filename(folder, "overlay", NULL);
    copy_path = g_build_filename(folder, "copy", NULL);
    io = io_context_new(4);
    model = g_aligned_alloc0(1, LARGEST, 4096);
    cache = IMAGE_CACHE_WRITE_BACK;
    snapshot_count = 0;
}

static void teardown(void)
{
    image_close(image);
    io_context_free(io);
    g_aligned_free(model);
    for (unsigned i = 0; i < snapshot_count; i++) {
        g_free(snapshots[i].name);
        g_free(snapshots[i].data);
    }
    g_free(base_path);
    g_free(path);
    g_free(copy_path);
    temp_folder_remove(folder);
}

START_TEST(test_alone)
{
    make(_i);
    flatten();
    assert_flat(0);
}
END_TEST

/* Where a guest byte is in the file; 0: it has no place. */
static uint64_t place_of(struct image *of, uint64_t offset)
{
    struct block_status status;
    GError *error = NULL;

    must(image_status_here(of, offset, IMAGE_SECTOR_SIZE, &status, &error), error);
    return status.has_host_offset ? status.host_offset : 0;
}

/* One copy of each cluster, however many read it, and none of the hole. */
START_TEST(test_shared)
{
    const uint64_t cluster = 64 * KIB;
    const struct image_create_options options = {.format = "qcow2", .size = SIZE};
    struct image *first, *second;
    uint64_t place;

    make_chain("raw", &options);
    take_snapshot();
    write_at(1 * cluster, cluster, 1);
    take_snapshot();
    write_at(2 * cluster, cluster, 2);
    flatten();
    place = place_of(image, 0);
    ck_assert_uint_eq(place_of(image, BASE_SIZE / 2 + cluster), 0);
    ck_assert_uint_eq(place_of(image, BASE_SIZE), 0);
    image_close(image);
    first = open_snapshot(0);
    ck_assert_uint_eq(place_of(first, 0), place);
    ck_assert_uint_eq(place_of(first, BASE_SIZE / 2 + cluster), 0);
    place = place_of(first, 2 * cluster);
    image_close(first);
    second = open_snapshot(1);
    ck_assert_uint_eq(place_of(second, 2 * cluster), place);
    image_close(second);
    image = open_at(path);
    ck_assert_uint_ne(place_of(image, 2 * cluster), place);
    /* The copies are everybody's: what is written now is the active state's alone. */
    write_at(0, 3 * cluster, 3);
    assert_flat(0);
}
END_TEST

/* Snapshots of larger and smaller disks, with bounds inside clusters, and a base shorter than all.
 * What a disk had when it was smaller does not come back when it grows. */
START_TEST(test_sizes)
{
    static const struct image_create_options options[] = {
        {.format = "qcow2", .size = SIZE},
        {.format = "qcow2", .size = SIZE, .cluster_size = 512},
        {.format = "qcow2", .size = SIZE, .extended_l2 = true},
        {.format = "qcow2", .size = SIZE, .version = 2, .cluster_size = 4096},
    };

    make_chain("raw", &options[_i]);
    write_at(3 * KIB, 70 * KIB, 1);
    resize(LARGEST);
    write_at(LARGEST - 3 * KIB, 3 * KIB, 2);
    take_snapshot();
    resize(100 * KIB + 512);
    take_snapshot();
    resize(BASE_SIZE - 512);
    take_snapshot();
    resize(1 * KIB);
    flatten();
    assert_flat(0);
    resize(LARGEST);
    assert_states(0);
}
END_TEST

/* The active state gets its table with the snapshots, or alone. */
START_TEST(test_without_tables)
{
    const struct image_create_options options = {.format = "qcow2", .size = SIZE};

    make_chain("raw", &options);
    if (_i == 1)
        write_at(0, KIB, 1);
    take_snapshot();
    if (_i == 1) {
        resize(512);
        resize(SIZE);
    }
    flatten();
    write_at(5 * KIB, KIB, 3);
    assert_flat(0);
}
END_TEST

/* Changes the closed image's file by hand. */
struct patch {
    uint8_t *bytes;
    gsize length;
};

static struct patch patch_begin(void)
{
    GError *error = NULL;
    struct patch patch;
    char *bytes;

    image_close(image);
    must(g_file_get_contents(path, &bytes, &patch.length, &error), error);
    patch.bytes = (uint8_t *)bytes;
    return patch;
}

static void patch_end(struct patch *patch)
{
    GError *error = NULL;

    must(g_file_set_contents(path, (char *)patch->bytes, (gssize)patch->length, &error), error);
    g_free(patch->bytes);
    image = open_at(path);
}

/* The active L1 table, and the 16-bit refcount of a cluster of the first block. */
static uint8_t *l1_of(const struct patch *patch)
{
    return patch->bytes + get_be64(patch->bytes + 40);
}

static uint8_t *table_of(const struct patch *patch, unsigned index)
{
    return patch->bytes + (get_be64(l1_of(patch) + index * 8) & (COPIED - 1));
}

static void add_refcount(const struct patch *patch, uint64_t host, int delta)
{
    unsigned cluster_bits = get_be32(patch->bytes + 20);
    uint8_t *reftable = patch->bytes + get_be64(patch->bytes + 48);
    uint64_t cluster = host >> cluster_bits, entries = 1ULL << (cluster_bits - 1);
    uint8_t *block = patch->bytes + get_be64(reftable + cluster / entries * 8);
    uint8_t *at = block + cluster % entries * 2;

    put_be16(at, get_be16(at) + delta);
}

/* A table that is counted once too often may be somebody else's too: it stays as it is. */
START_TEST(test_counted_too_often)
{
    const struct image_create_options options = {.format = "qcow2",
                                                 .size = SIZE,
                                                 .cluster_size = 4096};
    struct patch patch;

    make_chain("raw", &options);
    write_at(0, KIB, 1);
    take_snapshot();
    patch = patch_begin();
    add_refcount(&patch, table_of(&patch, 0) - patch.bytes, 1);
    patch_end(&patch);
    assert_states(1);
    flatten();
    assert_flat(1);
}
END_TEST

/* One table for two ranges of the guest, which the format permits: a copy for one is not the
 * other's. */
START_TEST(test_table_of_two_ranges)
{
    const struct image_create_options options = {.format = "qcow2",
                                                 .size = SIZE,
                                                 .cluster_size = 512};
    const uint64_t span = 512 / 8 * 512;
    struct patch patch;
    uint64_t table;

    make_chain("raw", &options);
    write_at(3 * KIB, KIB, 1);
    take_snapshot();
    patch = patch_begin();
    table = table_of(&patch, 0) - patch.bytes;
    put_be64(l1_of(&patch) + 8, table);
    add_refcount(&patch, table, 1);
    for (unsigned i = 0; i < 64; i++) {
        uint64_t host = get_be64(patch.bytes + table + i * 8) & (COPIED - 1);

        if (host != 0)
            add_refcount(&patch, host, 1);
    }
    patch_end(&patch);
    memcpy(model + span + 3 * KIB, model + 3 * KIB, KIB);
    assert_states(0);
    flatten();
    assert_flat(0);
}
END_TEST

/* Of one place in the file the snapshot has one part and the active state has another: what one
 * lacks may be what the other has. */
START_TEST(test_parts_that_differ)
{
    const uint64_t subcluster = 2 * KIB;
    const struct image_create_options options = {.format = "qcow2",
                                                 .size = SIZE,
                                                 .cluster_size = 64 * KIB,
                                                 .extended_l2 = true};
    struct patch patch;
    uint8_t *entry;

    make_chain("raw", &options);
    write_at(3 * subcluster, 4 * subcluster, 1);
    take_snapshot();
    write_at(64 * KIB, KIB, 2); /* so that the tables are two */
    patch = patch_begin();
    entry = table_of(&patch, 0);
    ck_assert_uint_eq(get_be64(entry + 8), 0x78);
    /* It lacks the first part and reads zeros in the second. */
    put_be64(entry + 8, 0x60 | (uint64_t)0x10 << 32);
    patch_end(&patch);
    for (uint64_t at = 3 * subcluster; at < 4 * subcluster; at += 4)
        put_be32(model + at, (uint32_t)(at / IMAGE_SECTOR_SIZE) + 1);
    memset(model + 4 * subcluster, 0, subcluster);
    assert_states(0);
    flatten();
    assert_flat(0);
}
END_TEST

static void refused(const char *why)
{
    GError *error = NULL;

    ck_assert(!image_flatten(image, NULL, &error));
    ck_assert_msg(strstr(error->message, why) != NULL, "%s", error->message);
    ck_assert(image_backing(image) != NULL);
    g_clear_error(&error);
}

/* Tables of snapshots that cannot be changed safely. */
START_TEST(test_refused)
{
    const struct image_create_options options = {.format = "qcow2",
                                                 .size = SIZE,
                                                 .cluster_size = 4096};
    struct patch patch;
    uint8_t *snapshot;
    uint64_t l1;

    make_chain("raw", &options);
    write_at(0, KIB, 1);
    take_snapshot();
    patch = patch_begin();
    snapshot = patch.bytes + get_be64(patch.bytes + 64);
    l1 = get_be64(snapshot);
    add_refcount(&patch, l1, 1);
    patch_end(&patch);
    refused("counted as something else");
    patch = patch_begin();
    add_refcount(&patch, l1, -1);
    put_be64(snapshot = patch.bytes + get_be64(patch.bytes + 64), 0);
    patch_end(&patch);
    refused("counted as something else");
    patch = patch_begin();
    snapshot = patch.bytes + get_be64(patch.bytes + 64);
    put_be64(snapshot, l1);
    put_be32(snapshot + 8, 1);
    patch_end(&patch);
    refused("too short a table");
    patch = patch_begin();
    put_be32(patch.bytes + get_be64(patch.bytes + 64) + 8, 3);
    patch_end(&patch);
    flatten();
    assert_flat(0);
}
END_TEST

START_TEST(test_written_in_steps)
{
    struct disk_writer writer;
    const struct image_progress progress = {disk_writer_step, &writer};
    GError *error = NULL;

    make(_i);
    disk_writer_init(&writer, image, model, SIZE, 7);
    must(image_flatten(image, &progress, &error), error);
    assert_flat(0);
    disk_writer_finish(&writer);
}
END_TEST

/* What only the active state lacks, and gets by a write before the copy is entered: that is
 * nobody's then. */
START_TEST(test_copied_for_nobody)
{
    const struct image_create_options options = {.format = "qcow2",
                                                 .size = SIZE,
                                                 .cluster_size = 4096};
    struct disk_writer writer;
    const struct image_progress progress = {disk_writer_step, &writer};
    GError *error = NULL;

    make_chain("raw", &options);
    take_snapshot();
    resize(512);
    take_snapshot();
    must(image_snapshot_apply(image, snapshots[0].name, &error), error);
    must(image_snapshot_delete(image, snapshots[0].name, &error), error);
    size = snapshots[0].size;
    memcpy(model, snapshots[0].data, size);
    g_free(snapshots[0].name);
    g_free(snapshots[0].data);
    snapshots[0] = snapshots[--snapshot_count];
    disk_writer_init(&writer, image, model, SIZE, 9);
    must(image_flatten(image, &progress, &error), error);
    assert_flat(0);
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
    ck_assert(!image_flatten(image, &progress, &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_CANCELLED));
    g_clear_error(&error);
    ck_assert_ptr_nonnull(image_backing(image));
    assert_states(0);
    ck_assert_ptr_nonnull(image_backing(image));
    flatten();
    assert_flat(0);
    disk_writer_finish(&writer);
}
END_TEST

/* Writers, and somebody who makes and deletes snapshots, beside the work. */
START_TEST(test_written_by_threads)
{
    const struct image_snapshot description = {.name = (char *)"beside"};
    struct disk_writer like, writers[WRITERS];
    GError *error = NULL;

    make(_i);
    like = (struct disk_writer){.image = image, .model = model};
    disk_writers_start(writers, WRITERS, &like, SIZE, 0);
    /* Of what the writers have made by then; with small refcounts there is room for no more. */
    if (kinds[_i].overlay.refcount_bits == 0)
        must(image_snapshot_create(image, &description, &error), error);
    must(image_flatten(image, NULL, &error), error);
    if (kinds[_i].overlay.refcount_bits == 0)
        must(image_snapshot_delete(image, "beside", &error), error);
    disk_writers_stop(writers, WRITERS);
    assert_flat(0);
}
END_TEST

/* On a base that reads otherwise, and is longer. */
START_TEST(test_rebased)
{
    const struct image_create_options options = {.format = "raw", .size = LARGEST};
    const struct image_options open = {.format = "raw"};
    g_autofree char *other_path = g_build_filename(folder, "other", NULL);
    g_autofree uint8_t *data = g_malloc(LARGEST);
    GError *error = NULL;
    struct image *other;

    make(_i);
    must(image_create(other_path, &options, NULL, &error), error);
    other = image_open(other_path, &open, io, &error);
    must(other != NULL, error);
    memset(data, 0xa5, LARGEST);
    memcpy(data, model, SIZE / 3);
    ck_assert_int_eq(image_write(other, data, 0, LARGEST), 0);
    image_close(other);
    must(image_rebase(image, "other", "raw", true, NULL, &error), error);
    ck_assert_ptr_nonnull(image_backing(image));
    must(g_file_set_contents(base_path, "", 0, &error), error);
    assert_states(0);
    flatten();
    g_free(base_path);
    base_path = g_steal_pointer(&other_path);
    assert_flat(0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image flatten");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, test_alone, 0, G_N_ELEMENTS(kinds));
    tcase_add_test(tcase, test_shared);
    tcase_add_loop_test(tcase, test_sizes, 0, 4);
    tcase_add_loop_test(tcase, test_without_tables, 0, 2);
    tcase_add_test(tcase, test_counted_too_often);
    tcase_add_test(tcase, test_table_of_two_ranges);
    tcase_add_test(tcase, test_parts_that_differ);
    tcase_add_test(tcase, test_refused);
    tcase_add_loop_test(tcase, test_written_in_steps, 0, G_N_ELEMENTS(kinds));
    tcase_add_test(tcase, test_copied_for_nobody);
    tcase_add_loop_test(tcase, test_cancelled, 0, G_N_ELEMENTS(kinds));
    tcase_add_loop_test(tcase, test_written_by_threads, 0, G_N_ELEMENTS(kinds));
    tcase_add_loop_test(tcase, test_rebased, 0, G_N_ELEMENTS(kinds));
    return run_suite(suite);
}
