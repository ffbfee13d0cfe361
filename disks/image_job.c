/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/image_job.h"

#include "core/error.h"

struct image_job {
    struct image_job_options options;
    GThread *thread;
    GSource *ended; /* made ready by the thread as the last thing that it does */
    GError *error;  /* written before that */
    gint cancelled; /* atomic */
    GMutex lock;
    uint64_t done, total; /* under lock */
};

static bool step(void *opaque, uint64_t done, uint64_t total)
{
    struct image_job *job = opaque;

    g_mutex_lock(&job->lock);
    job->done = done;
    job->total = total;
    g_mutex_unlock(&job->lock);
    return !g_atomic_int_get(&job->cancelled);
}

static void *run(void *opaque)
{
    struct image_job *job = opaque;
    const struct image_progress progress = {.step = step, .opaque = job};

    job->options.work(job->options.image, &progress, job->options.opaque, &job->error);
    g_source_set_ready_time(job->ended, 0);
    return NULL;
}

static gboolean on_ended(GSource *source, GSourceFunc callback, void *opaque)
{
    struct image_job *job = opaque;

    g_thread_join(g_steal_pointer(&job->thread));
    job->options.done(job, job->error, job->options.opaque);
    return G_SOURCE_REMOVE;
}

static GSourceFuncs ended_funcs = {.dispatch = on_ended};

struct image_job *image_job_new(const struct image_job_options *options, GError **err)
{
    struct image_job *job = g_new0(struct image_job, 1);
    g_autoptr(GError) error = NULL;

    job->options = *options;
    g_mutex_init(&job->lock);
    job->ended = g_source_new(&ended_funcs, sizeof(GSource));
    g_source_set_callback(job->ended, NULL, job, NULL);
    g_source_attach(job->ended, options->context);
    job->thread = g_thread_try_new("image job", run, job, &error);
    if (job->thread != NULL)
        return job;
    vmdesk_fail(err, VMDESK_ERROR_IO,
                "There is no thread for work on %s: %s. Close other programs and try again.",
                image_path(options->image), error->message);
    image_job_free(job);
    return NULL;
}

void image_job_cancel(struct image_job *job)
{
    g_atomic_int_set(&job->cancelled, true);
}

void image_job_progress(struct image_job *job, uint64_t *ret_done, uint64_t *ret_total)
{
    g_mutex_lock(&job->lock);
    *ret_done = job->done;
    *ret_total = job->total;
    g_mutex_unlock(&job->lock);
}

void image_job_free(struct image_job *job)
{
    if (job == NULL)
        return;
    image_job_cancel(job);
    if (job->thread != NULL)
        g_thread_join(job->thread);
    g_source_destroy(job->ended);
    g_source_unref(job->ended);
    g_mutex_clear(&job->lock);
    g_clear_error(&job->error);
    g_free(job);
}
