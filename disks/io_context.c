/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GThreadPool would do but for its spawner thread, which never ends, and for sharing its threads
 * with everything else in the process, so that they could not be confined by what they do.
 */
#include "disks/io_context.h"

#include <stdbool.h>

#include "core/log.h"

#define IDLE_USEC (5 * G_USEC_PER_SEC)

/* The context whose work runs on this thread. */
static GPrivate current_context;

struct io_work {
    void (*work)(void *opaque);
    void *opaque;
    GList link;
};

struct io_context {
    GMutex lock;
    GCond changed; /* work was queued, or the context is closing */
    GCond thread_ended;
    GQueue queue; /* struct io_work */
    unsigned max_threads;
    unsigned threads, idle;
    bool closing;
    GThread *ended; /* the last thread that ended, to be joined; it has joined the one before */
};

struct io_context *io_context_new(unsigned max_threads)
{
    struct io_context *io = g_new0(struct io_context, 1);

    g_mutex_init(&io->lock);
    g_cond_init(&io->changed);
    g_cond_init(&io->thread_ended);
    io->max_threads = MAX(max_threads, 1);
    return io;
}

/* The next piece of work; NULL: there was none for a while, or never will be. */
static struct io_work *next_work(struct io_context *io)
{
    GList *link = g_queue_pop_head_link(&io->queue);
    bool waiting = true;
    gint64 end;

    if (link != NULL)
        return link->data;
    end = g_get_monotonic_time() + IDLE_USEC;
    io->idle++;
    while (g_queue_is_empty(&io->queue) && !io->closing && waiting)
        waiting = g_cond_wait_until(&io->changed, &io->lock, end);
    io->idle--;
    link = g_queue_pop_head_link(&io->queue);
    return link != NULL ? link->data : NULL;
}

static void *io_thread(void *opaque)
{
    struct io_context *io = opaque;
    struct io_work *work;
    GThread *before;

    g_private_set(&current_context, io);
    g_mutex_lock(&io->lock);
    while ((work = next_work(io)) != NULL) {
        g_mutex_unlock(&io->lock);
        work->work(work->opaque);
        g_free(work);
        g_mutex_lock(&io->lock);
    }
    io->threads--;
    before = io->ended;
    io->ended = g_thread_self();
    g_cond_signal(&io->thread_ended);
    g_mutex_unlock(&io->lock);
    if (before != NULL)
        g_thread_join(before);
    return NULL;
}

/* Without a single thread the work waits for the next call, which tries again. */
static void start_thread(struct io_context *io)
{
    g_autoptr(GError) error = NULL;
    GThread *thread = g_thread_try_new("disk", io_thread, io, &error);

    if (thread == NULL) {
        log_error("disks", "Cannot start a thread for disk requests: %s", error->message);
        return;
    }
    /* io_thread() keeps it through g_thread_self(). */
    io->threads++;
}

void io_context_run(struct io_context *io, void (*work)(void *opaque), void *opaque)
{
    struct io_work *item = g_new(struct io_work, 1);
    bool follows = g_private_get(&current_context) == io;

    *item = (struct io_work){work, opaque, {.data = item}};
    g_mutex_lock(&io->lock);
    g_queue_push_tail_link(&io->queue, &item->link);
    /* One that a completion gives rise to is taken by this thread, which has just finished another:
     * to wake a thread for it takes longer than most of them do. */
    if (!follows || g_queue_get_length(&io->queue) > 1) {
        /* An idle thread that was woken but has not run yet still counts as idle. */
        if (g_queue_get_length(&io->queue) > io->idle && io->threads < io->max_threads)
            start_thread(io);
        if (io->idle > 0)
            g_cond_signal(&io->changed);
    }
    g_mutex_unlock(&io->lock);
}

void io_context_free(struct io_context *io)
{
    if (io == NULL)
        return;
    g_mutex_lock(&io->lock);
    io->closing = true;
    g_cond_broadcast(&io->changed);
    while (io->threads > 0)
        g_cond_wait(&io->thread_ended, &io->lock);
    g_mutex_unlock(&io->lock);
    if (io->ended != NULL)
        g_thread_join(io->ended);
    g_cond_clear(&io->thread_ended);
    g_cond_clear(&io->changed);
    g_mutex_clear(&io->lock);
    g_free(io);
}
