/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Work on an image on a thread of its own. */
#include <check.h>

#include "core/error.h"
#include "disks/image_job.h"
#include "disks/io_context.h"
#include "tests/fakes/temp_folder.h"
#include "tests/suite.h"

#define STEPS 1000

static GMainContext *context;
static struct io_context *io;
static struct image *image;
static char *folder;

/* What the work and done have seen. */
static struct {
    GMutex lock;
    GCond changed;
    bool hold, entered; /* under lock: the work waits while hold is set */
    bool fail;
    unsigned ended;
    int code; /* of the error that done got; -1: none */
} seen;

static bool work(struct image *of, const struct image_progress *progress, void *opaque,
                 GError **err)
{
    ck_assert_ptr_eq(of, image);
    ck_assert_ptr_eq(opaque, &seen);
    g_mutex_lock(&seen.lock);
    seen.entered = true;
    g_cond_signal(&seen.changed);
    while (seen.hold)
        g_cond_wait(&seen.changed, &seen.lock);
    g_mutex_unlock(&seen.lock);
    if (seen.fail)
        return vmdesk_fail(err, VMDESK_ERROR_IO, "it failed");
    for (unsigned i = 0; i < STEPS; i++) {
        if (!progress->step(progress->opaque, i + 1, STEPS))
            return vmdesk_fail(err, VMDESK_ERROR_CANCELLED, "cancelled");
    }
    return true;
}

static void on_done(struct image_job *job, const GError *error, void *opaque)
{
    ck_assert_ptr_eq(opaque, &seen);
    seen.ended++;
    seen.code = error != NULL ? error->code : -1;
}

static void hold(bool on)
{
    g_mutex_lock(&seen.lock);
    seen.hold = on;
    g_cond_signal(&seen.changed);
    g_mutex_unlock(&seen.lock);
}

static void wait_entered(void)
{
    g_mutex_lock(&seen.lock);
    while (!seen.entered)
        g_cond_wait(&seen.changed, &seen.lock);
    g_mutex_unlock(&seen.lock);
}

static struct image_job *start(void)
{
    const struct image_job_options options = {image, work, context, on_done, &seen};
    g_autoptr(GError) error = NULL;
    struct image_job *job = image_job_new(&options, &error);

    ck_assert_msg(job != NULL, "%s", error != NULL ? error->message : "");
    return job;
}

static void wait_end(void)
{
    while (seen.ended == 0)
        g_main_context_iteration(context, TRUE);
}

static void setup(void)
{
    const struct image_options options = {.format = "raw"};
    g_autofree char *path = NULL;

    folder = temp_folder_new();
    path = g_build_filename(folder, "disk", NULL);
    ck_assert(g_file_set_contents(path, (char[512]){0}, 512, NULL));
    context = g_main_context_new();
    io = io_context_new(1);
    image = image_open(path, &options, io, NULL);
    ck_assert_ptr_nonnull(image);
}

static void teardown(void)
{
    image_close(image);
    io_context_free(io);
    g_main_context_unref(context);
    temp_folder_remove(folder);
}

START_TEST(test_ends_well)
{
    struct image_job *job = start();
    uint64_t done, total;

    wait_end();
    ck_assert_int_eq(seen.code, -1);
    image_job_progress(job, &done, &total);
    ck_assert_uint_eq(done, STEPS);
    ck_assert_uint_eq(total, STEPS);
    image_job_free(job);
    ck_assert_uint_eq(seen.ended, 1);
}
END_TEST

START_TEST(test_fails)
{
    struct image_job *job;

    seen.fail = true;
    job = start();
    wait_end();
    ck_assert_int_eq(seen.code, VMDESK_ERROR_IO);
    image_job_free(job);
}
END_TEST

START_TEST(test_cancelled)
{
    struct image_job *job;

    hold(true);
    job = start();
    wait_entered();
    image_job_cancel(job);
    hold(false);
    wait_end();
    ck_assert_int_eq(seen.code, VMDESK_ERROR_CANCELLED);
    image_job_free(job);
}
END_TEST

/* Whoever frees it under way hears nothing more of it. */
START_TEST(test_freed_under_way)
{
    struct image_job *job;

    hold(true);
    job = start();
    wait_entered();
    hold(false);
    image_job_free(job);
    while (g_main_context_iteration(context, FALSE))
        ;
    ck_assert_uint_eq(seen.ended, 0);
    image_job_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image job");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_ends_well);
    tcase_add_test(tcase, test_fails);
    tcase_add_test(tcase, test_cancelled);
    tcase_add_test(tcase, test_freed_under_way);
    return run_suite(suite);
}
