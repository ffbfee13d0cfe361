/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to a qcow2 image whose file gives what is at hand without waiting, or does not. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "disks/image_format.h"
#include "disks/io_context.h"
#include "tests/fakes/memory_file.h"
#include "tests/suite.h"

#define SIZE ((uint64_t)4 << 20)
#define CLUSTER 4096
#define LENGTH 512
#define TABLE_SPAN ((uint64_t)2 << 20) /* what one L2 table, of one slice, is for */

static const struct image_create_options created = {.format = "qcow2",
                                                    .size = SIZE,
                                                    .cluster_size = CLUSTER};

/* What read_now answers. */
enum answer { AT_HAND, WAITS, REFUSES, SHORT, AT_END, FAILS, ANSWERS };

static struct io_context *io;
static struct memory_file *memory;
static struct file_ops ops; /* the memory's, with more */
static struct image *image;
static enum answer answer;
static unsigned asked, submitted; /* calls of read_now and submit */
static bool takes;                /* submit does */
static void (*meanwhile)(void);   /* run once by read_now, before it answers */

static ssize_t read_now(struct file *file, const struct iovec *iov, unsigned count, uint64_t offset)
{
    void (*call)(void) = meanwhile;

    asked++;
    meanwhile = NULL;
    if (call != NULL)
        call();
    switch (answer) {
    case WAITS:
        return -EAGAIN;
    case REFUSES:
        return -EOPNOTSUPP;
    case FAILS:
        return -EIO;
    case AT_END:
        return 0;
    case SHORT:
        memset(iov[0].iov_base, 0xff, iov[0].iov_len);
        return iov[0].iov_len / 2;
    default:
        g_mutex_lock(&memory->lock);
        memcpy(iov[0].iov_base, memory->data + offset, iov[0].iov_len);
        g_mutex_unlock(&memory->lock);
        return iov[0].iov_len;
    }
}

static void run_submitted(void *opaque)
{
    struct file_request *request = opaque;
    struct file *file = &memory->file;

    request->done(request, file_read_all(file, request->iov, request->iov_count, request->offset));
}

static bool submit(struct file *file, struct file_request *request)
{
    submitted++;
    if (takes)
        io_context_run(io, run_submitted, request);
    return takes;
}

static void fill(uint8_t *buffer, uint64_t offset)
{
    for (unsigned i = 0; i < LENGTH; i++)
        buffer[i] = offset / LENGTH * 7 + offset / TABLE_SPAN + i;
}

static void reopen(bool read_only)
{
    const struct image_options options = {.format = "qcow2", .read_only = read_only};
    g_autoptr(GError) error = NULL;

    image_close(image);
    image = image_open_file(&memory->file, &options, io, &error);
    ck_assert_msg(image != NULL, "%s", error != NULL ? error->message : "");
    asked = submitted = 0;
    memset(memory->calls, 0, sizeof(memory->calls));
}

static void setup(void)
{
    const struct image_options writable = {.format = "qcow2"};
    g_autoptr(GError) error = NULL;
    uint8_t buffer[LENGTH];

    io = io_context_new(4);
    memory = memory_file_new(0);
    ck_assert(image_qcow2.create(&memory->file, memory->file.path, &created, NULL, &error));
    image = image_open_file(&memory->file, &writable, io, &error);
    ck_assert_ptr_nonnull(image);
    for (uint64_t at = 0; at < SIZE; at += TABLE_SPAN / 4) {
        fill(buffer, at);
        ck_assert_int_eq(image_write(image, buffer, at, LENGTH), 0);
    }
    image_close(image);
    image = NULL;
    ops = *memory->file.ops;
    ops.read_now = read_now;
    ops.submit = submit;
    memory->file.ops = &ops;
    takes = true;
    answer = AT_HAND;
    meanwhile = NULL;
    reopen(true);
}

static void teardown(void)
{
    image_close(image);
    io_context_free(io);
    memory_file_free(memory);
}

static void assert_reads(uint64_t offset)
{
    uint8_t buffer[LENGTH] = {0}, expected[LENGTH];

    fill(expected, offset);
    ck_assert_int_eq(image_read(image, buffer, offset, LENGTH), 0);
    ck_assert_mem_eq(buffer, expected, LENGTH);
}

START_TEST(a_table_at_hand_is_read_at_once)
{
    assert_reads(0);
    ck_assert_uint_eq(asked, 1);
    ck_assert_uint_eq(submitted, 1);
    ck_assert_uint_eq(memory->calls[FILE_READ], 1); /* the data */
    /* Another part of the same table, then another table. */
    assert_reads(TABLE_SPAN / 4);
    ck_assert_uint_eq(asked, 1);
    assert_reads(TABLE_SPAN);
    ck_assert_uint_eq(asked, 2);
    ck_assert_uint_eq(submitted, 3);
    ck_assert_uint_eq(memory->calls[FILE_READ], 3);
}
END_TEST

START_TEST(a_table_that_is_not_is_left_to_a_thread)
{
    answer = _i;
    assert_reads(0);
    ck_assert_uint_eq(asked, 1);
    ck_assert_uint_eq(submitted, 0);
    ck_assert_uint_eq(memory->calls[FILE_READ], 2); /* the table and the data */
    /* It is there then. */
    assert_reads(TABLE_SPAN / 4);
    ck_assert_uint_eq(asked, 1);
    ck_assert_uint_eq(submitted, 1);
    ck_assert_uint_eq(memory->calls[FILE_READ], 3);
}
END_TEST

START_TEST(an_error_of_the_table_reaches_the_request)
{
    uint8_t buffer[LENGTH];

    answer = WAITS;
    memory->fail_call[FILE_READ] = 1;
    memory->fail_errno = EIO;
    ck_assert_int_eq(image_read(image, buffer, 0, LENGTH), EIO);
    assert_reads(0);
}
END_TEST

START_TEST(a_file_that_takes_no_request)
{
    takes = false;
    assert_reads(0);
    ck_assert_uint_eq(asked, 1);
    ck_assert_uint_eq(submitted, 1);
    ck_assert_uint_eq(memory->calls[FILE_READ], 1);
}
END_TEST

/* A second request that needs the table while the first one has it read. */
struct second {
    struct block_request request;
    struct iovec iov;
    uint8_t buffer[LENGTH];
    GMutex lock;
    GCond changed;
    int error; /* -1: it is not done */
};
static struct second second;

static void second_done(struct block_request *request, int error)
{
    g_mutex_lock(&second.lock);
    second.error = error;
    g_cond_signal(&second.changed);
    g_mutex_unlock(&second.lock);
}

static void start_second(void)
{
    second = (struct second){.error = -1};
    g_mutex_init(&second.lock);
    g_cond_init(&second.changed);
    second.iov = (struct iovec){second.buffer, LENGTH};
    second.request = (struct block_request){.op = BLOCK_READ,
                                            .offset = TABLE_SPAN / 4,
                                            .length = LENGTH,
                                            .iov = &second.iov,
                                            .iov_count = 1,
                                            .done = second_done};
    image_submit(image, &second.request);
    /* Time enough for its thread to find the table on its way. */
    g_usleep(20 * 1000);
}

START_TEST(others_wait_for_the_table)
{
    uint8_t expected[LENGTH];

    answer = _i;
    meanwhile = start_second;
    assert_reads(0);
    g_mutex_lock(&second.lock);
    while (second.error < 0)
        g_cond_wait(&second.changed, &second.lock);
    g_mutex_unlock(&second.lock);
    fill(expected, TABLE_SPAN / 4);
    ck_assert_int_eq(second.error, 0);
    ck_assert_mem_eq(second.buffer, expected, LENGTH);
    ck_assert_uint_eq(asked, 1);
    g_mutex_clear(&second.lock);
    g_cond_clear(&second.changed);
}
END_TEST

/* A snapshot made while a table is read. */
static GThread *snapshot_thread;
static int snapshot_made; /* atomic */

static void *make_snapshot(void *opaque)
{
    const struct image_snapshot description = {.name = (char *)"s"};

    ck_assert(image_snapshot_create(image, &description, NULL));
    g_atomic_int_set(&snapshot_made, 1);
    return NULL;
}

static void start_snapshot(void)
{
    snapshot_made = 0;
    snapshot_thread = g_thread_new("snapshot", make_snapshot, NULL);
    g_usleep(20 * 1000);
    ck_assert(!g_atomic_int_get(&snapshot_made));
}

START_TEST(a_snapshot_waits_for_the_table)
{
    uint8_t buffer[LENGTH];

    answer = _i;
    reopen(false);
    meanwhile = start_snapshot;
    assert_reads(0);
    g_thread_join(snapshot_thread);
    ck_assert(g_atomic_int_get(&snapshot_made));
    /* What is in memory of the table is what the snapshot made of it. */
    fill(buffer, TABLE_SPAN);
    ck_assert_int_eq(image_write(image, buffer, 0, LENGTH), 0);
    ck_assert_int_eq(image_write(image, buffer, TABLE_SPAN, LENGTH), 0);
    ck_assert(image_snapshot_apply(image, "s", NULL));
    assert_reads(0);
    assert_reads(TABLE_SPAN / 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("qcow2 submit");
    TCase *tc = tcase_create("submit");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_table_at_hand_is_read_at_once);
    tcase_add_loop_test(tc, a_table_that_is_not_is_left_to_a_thread, WAITS, ANSWERS);
    tcase_add_test(tc, an_error_of_the_table_reaches_the_request);
    tcase_add_test(tc, a_file_that_takes_no_request);
    tcase_add_loop_test(tc, others_wait_for_the_table, AT_HAND, ANSWERS);
    tcase_add_loop_test(tc, a_snapshot_waits_for_the_table, AT_HAND, ANSWERS);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
