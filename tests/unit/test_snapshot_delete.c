/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deleting a snapshot of an image that is in use: its clusters are freed beside requests. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "disks/image_format.h"
#include "disks/io_context.h"
#include "tests/fakes/disk_writer.h"
#include "tests/fakes/memory_file.h"
#include "tests/suite.h"

#define SIZE ((uint64_t)4 << 20)
#define WRITERS 3
#define ROUNDS 6

static const struct image_create_options kinds[] = {
    {.format = "qcow2", .size = SIZE, .cluster_size = 512},
    {.format = "qcow2", .size = SIZE, .cluster_size = 4096, .lazy_refcounts = true},
    {.format = "qcow2", .size = SIZE, .cluster_size = 65536, .extended_l2 = true},
    {.format = "qcow2", .size = SIZE, .cluster_size = 4096, .version = 2},
};

static struct io_context *io;
static struct memory_file *memory;
static const struct file_ops *memory_ops;
static struct file_ops ops; /* the same, but for discard */
static struct image *image;
static uint8_t *model;
static GThread *owner;       /* who deletes */
static unsigned freed;       /* times that it has given space back */
static void (*beside)(void); /* run in each of them; NULL: nothing */

static struct disk_writer all;

static int discard(struct file *file, uint64_t offset, uint64_t length)
{
    if (g_thread_self() == owner) {
        freed++;
        if (beside != NULL)
            beside();
    }
    return memory_ops->discard(file, offset, length);
}

static void must(bool done, const GError *error)
{
    ck_assert_msg(done, "%s", error != NULL ? error->message : "it failed");
}

static void setup(void)
{
    io = io_context_new(4);
    memory = memory_file_new(0);
    memory->fail_errno = EIO;
    model = g_malloc0(SIZE);
    owner = g_thread_self();
    freed = 0;
    beside = NULL;
}

static void teardown(void)
{
    image_close(image);
    image = NULL;
    io_context_free(io);
    memory_file_free(memory);
    disk_writer_finish(&all);
    g_free(model);
}

static void write_range(uint64_t offset, uint64_t length, uint8_t with)
{
    memset(model + offset, with, length);
    ck_assert_int_eq(image_write(image, model + offset, offset, length), 0);
}

static void assert_findings(unsigned flags, bool leaks)
{
    struct image_check_result result;
    GError *error = NULL;

    must(image_check(image, flags, &result, NULL, &error), error);
    ck_assert_uint_eq(result.corruptions + result.errors, 0);
    ck_assert_int_eq(result.leaks > 0, leaks);
    image_check_result_clear(&result);
}

static unsigned count_snapshots(void)
{
    GPtrArray *list = image_snapshots(image, NULL);
    unsigned count = list->len;

    g_ptr_array_unref(list);
    return count;
}

static void create(const char *name)
{
    const struct image_snapshot description = {.name = (char *)name};
    GError *error = NULL;

    must(image_snapshot_create(image, &description, &error), error);
}

/* An image full of data; its snapshot has some of it alone, and shares the rest. */
static void make(unsigned kind)
{
    const struct image_options options = {.format = "qcow2", .table_cache_size = 1};
    GError *error = NULL;

    must(image_qcow2.create(&memory->file, memory->file.path, &kinds[kind], NULL, &error), error);
    memory_ops = memory->file.ops;
    ops = *memory_ops;
    ops.discard = discard;
    memory->file.ops = &ops;
    image = image_open_file(&memory->file, &options, io, &error);
    must(image != NULL, error);
    disk_writer_init(&all, image, model, SIZE, 1);
    all.only_writes = true;
    write_range(0, SIZE, 1);
    create("old");
    for (uint64_t at = 0; at < SIZE; at += SIZE / 8)
        write_range(at, SIZE / 16, 2);
}

/* They would wait for ever if they were held. */
static void use(void)
{
    ck_assert_uint_eq(count_snapshots(), 0);
    disk_writer_change(&all);
    disk_assert_reads(image, model, SIZE);
    ck_assert_int_eq(image_flush(image), 0);
}

START_TEST(requests_complete_while_clusters_are_freed)
{
    GError *error = NULL;

    make(_i);
    beside = use;
    must(image_snapshot_delete(image, "old", &error), error);
    ck_assert_uint_ge(freed, 8);
    disk_assert_reads(image, model, SIZE);
    assert_findings(0, false);
}
END_TEST

/* What was shared is written to in its place again, so that the file does not grow. */
START_TEST(what_was_shared_is_its_own_again)
{
    uint64_t size;
    GError *error = NULL;

    make(_i);
    must(image_snapshot_delete(image, "old", &error), error);
    ck_assert_int_eq(image_flush(image), 0);
    size = memory->size;
    write_range(0, SIZE, 3);
    ck_assert_int_eq(image_flush(image), 0);
    ck_assert_uint_eq(memory->size, size);
    assert_findings(0, false);
}
END_TEST

/* Two snapshots at a time, one of which goes: what they share stays shared. */
START_TEST(threads_write_meanwhile)
{
    struct disk_writer writers[WRITERS];
    GError *error = NULL;

    make(_i);
    disk_writers_start(writers, WRITERS, &all, SIZE, 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        g_autofree char *name = g_strdup_printf("round %u", round);
        g_autofree char *before = g_strdup_printf("round %u", round - 1);

        create(name);
        must(image_snapshot_delete(image, round == 0 ? "old" : before, &error), error);
    }
    disk_writers_stop(writers, WRITERS);
    disk_assert_reads(image, model, SIZE);
    assert_findings(0, false);
    ck_assert_uint_eq(count_snapshots(), 1);
}
END_TEST

static int created; /* atomic */
static GThread *creator;

static void *create_next(void *opaque)
{
    create("next");
    g_atomic_int_set(&created, true);
    return NULL;
}

static void begin_next(void)
{
    if (creator == NULL)
        creator = g_thread_new("creator", create_next, NULL);
    g_thread_yield();
    ck_assert(!g_atomic_int_get(&created));
}

START_TEST(other_work_on_the_image_waits)
{
    GError *error = NULL;

    make(_i);
    beside = begin_next;
    must(image_snapshot_delete(image, "old", &error), error);
    ck_assert_uint_ge(freed, 2);
    g_thread_join(g_steal_pointer(&creator));
    ck_assert(g_atomic_int_get(&created));
    ck_assert_uint_eq(count_snapshots(), 1);
    disk_assert_reads(image, model, SIZE);
    assert_findings(0, false);
}
END_TEST

static void fail_next_read(void)
{
    memory->fail_call[FILE_READ] = memory->calls[FILE_READ] + 1;
    beside = NULL;
}

START_TEST(a_failure_leaks_at_worst)
{
    GError *error = NULL;

    make(_i);
    beside = fail_next_read;
    ck_assert(!image_snapshot_delete(image, "old", &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_IO));
    g_clear_error(&error);
    ck_assert_uint_eq(count_snapshots(), 0);
    assert_findings(0, true);
    disk_writer_change(&all);
    disk_assert_reads(image, model, SIZE);
    assert_findings(IMAGE_REPAIR_LEAKS, false);
    assert_findings(0, false);
    disk_assert_reads(image, model, SIZE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("snapshot delete");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, requests_complete_while_clusters_are_freed, 0, G_N_ELEMENTS(kinds));
    tcase_add_loop_test(tcase, what_was_shared_is_its_own_again, 0, G_N_ELEMENTS(kinds));
    tcase_add_loop_test(tcase, threads_write_meanwhile, 0, G_N_ELEMENTS(kinds));
    tcase_add_loop_test(tcase, other_work_on_the_image_waits, 0, G_N_ELEMENTS(kinds));
    tcase_add_loop_test(tcase, a_failure_leaks_at_worst, 0, 2);
    return run_suite(suite);
}
