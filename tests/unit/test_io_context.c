/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <stdbool.h>
#include <string.h>

#include "disks/io_context.h"
#include "tests/suite.h"

/* Work that counts, and that can be made to wait. */
struct gate {
    GMutex lock;
    GCond changed;
    bool open;
    unsigned waiting, most_waiting, done;
    GHashTable *threads; /* the GThreads seen */
};

static struct gate gate;

static void setup(void)
{
    gate = (struct gate){.open = true, .threads = g_hash_table_new(NULL, NULL)};
    g_mutex_init(&gate.lock);
    g_cond_init(&gate.changed);
}

static void teardown(void)
{
    g_hash_table_destroy(gate.threads);
    g_mutex_clear(&gate.lock);
    g_cond_clear(&gate.changed);
}

static void pass(void *opaque)
{
    struct gate *g = opaque;

    g_mutex_lock(&g->lock);
    g_hash_table_add(g->threads, g_thread_self());
    g->waiting++;
    g->most_waiting = MAX(g->most_waiting, g->waiting);
    g_cond_broadcast(&g->changed);
    while (!g->open)
        g_cond_wait(&g->changed, &g->lock);
    g->waiting--;
    g->done++;
    g_cond_broadcast(&g->changed);
    g_mutex_unlock(&g->lock);
}

static void set_open(bool open)
{
    g_mutex_lock(&gate.lock);
    gate.open = open;
    g_cond_broadcast(&gate.changed);
    g_mutex_unlock(&gate.lock);
}

static void wait_for(const unsigned *counter, unsigned value)
{
    g_mutex_lock(&gate.lock);
    while (*counter < value)
        g_cond_wait(&gate.changed, &gate.lock);
    g_mutex_unlock(&gate.lock);
}

/* The sanitizers have threads of their own: only those named "disk" count. */
static unsigned disk_threads(void)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/task", 0, NULL);
    const char *name;
    unsigned count = 0;

    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename("/proc/self/task", name, "comm", NULL);
        g_autofree char *comm = NULL;

        if (g_file_get_contents(path, &comm, NULL, NULL) && strcmp(comm, "disk\n") == 0)
            count++;
    }
    return count;
}

START_TEST(no_thread_without_work)
{
    struct io_context *io = io_context_new(4);

    ck_assert_uint_eq(disk_threads(), 0);
    io_context_free(io);
    io_context_free(NULL);
}
END_TEST

START_TEST(work_runs_side_by_side_up_to_the_limit)
{
    struct io_context *io = io_context_new(3);

    set_open(false);
    for (int i = 0; i < 10; i++)
        io_context_run(io, pass, &gate);
    wait_for(&gate.waiting, 3);
    ck_assert_uint_eq(disk_threads(), 3);
    set_open(true);
    wait_for(&gate.done, 10);
    ck_assert_uint_eq(gate.most_waiting, 3);
    io_context_free(io);
}
END_TEST

START_TEST(one_after_the_other_needs_one_thread)
{
    struct io_context *io = io_context_new(8);

    for (unsigned i = 1; i <= 50; i++) {
        io_context_run(io, pass, &gate);
        wait_for(&gate.done, i);
        g_usleep(1000);
    }
    ck_assert_uint_le(g_hash_table_size(gate.threads), 3);
    io_context_free(io);
}
END_TEST

/* Each gives rise to the next. */
static void pass_on(void *opaque)
{
    struct io_context *io = opaque;
    bool more;

    g_mutex_lock(&gate.lock);
    g_hash_table_add(gate.threads, g_thread_self());
    more = ++gate.done < 1000;
    g_cond_broadcast(&gate.changed);
    g_mutex_unlock(&gate.lock);
    if (more)
        io_context_run(io, pass_on, io);
}

START_TEST(what_follows_stays_on_its_thread)
{
    struct io_context *io = io_context_new(8);

    io_context_run(io, pass_on, io);
    wait_for(&gate.done, 1000);
    ck_assert_uint_eq(g_hash_table_size(gate.threads), 1);
    io_context_free(io);
}
END_TEST

/* One thread begins many. */
static void begin_many(void *opaque)
{
    for (int i = 0; i < 10; i++)
        io_context_run(opaque, pass, &gate);
}

START_TEST(what_one_begins_runs_side_by_side)
{
    struct io_context *io = io_context_new(3);

    set_open(false);
    io_context_run(io, begin_many, io);
    wait_for(&gate.waiting, 3);
    set_open(true);
    wait_for(&gate.done, 10);
    io_context_free(io);
}
END_TEST

START_TEST(free_waits_for_the_work)
{
    struct io_context *io = io_context_new(2);

    for (int i = 0; i < 1000; i++)
        io_context_run(io, pass, &gate);
    io_context_free(io);
    ck_assert_uint_eq(gate.done, 1000);
}
END_TEST

START_TEST(idle_threads_end)
{
    struct io_context *io = io_context_new(4);

    for (int i = 0; i < 20; i++)
        io_context_run(io, pass, &gate);
    wait_for(&gate.done, 20);
    for (int i = 0; i < 100 && disk_threads() > 0; i++)
        g_usleep(100 * 1000);
    ck_assert_uint_eq(disk_threads(), 0);
    io_context_run(io, pass, &gate);
    wait_for(&gate.done, 21);
    io_context_free(io);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("io_context");
    TCase *tc = tcase_create("io_context");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, no_thread_without_work);
    tcase_add_test(tc, work_runs_side_by_side_up_to_the_limit);
    tcase_add_test(tc, one_after_the_other_needs_one_thread);
    tcase_add_test(tc, what_follows_stays_on_its_thread);
    tcase_add_test(tc, what_one_begins_runs_side_by_side);
    tcase_add_test(tc, free_waits_for_the_work);
    tcase_add_test(tc, idle_threads_end);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
