/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/image_walk.h"

#include "core/error.h"
#include "disks/image_format.h"

#define TELL_USEC (100 * 1000)
#define BUFFER_ALIGNMENT 4096

struct walking {
    const struct image_walk *walk;
    GMutex finding; /* held by the thread that looks for its next piece */
    GMutex lock;    /* guards all below; held for moments */
    GCond ended;
    uint64_t at, done;
    unsigned threads;
    bool stop;
    GError *error; /* the first */
};

static void stop(struct walking *walking, GError *error)
{
    walking->stop = true;
    if (walking->error == NULL)
        walking->error = error;
    else
        g_error_free(error);
}

/* What is not skipped at the place where the walk is; false: it has come to its end. *ret_length is
 * 0 after something was skipped. */
static bool look(struct walking *walking, uint64_t *ret_offset, uint64_t *ret_length)
{
    const struct image_walk *walk = walking->walk;
    uint64_t at, left, skip = 0;
    GError *error = NULL;
    bool go_on;

    g_mutex_lock(&walking->lock);
    at = walking->at;
    go_on = !walking->stop && at < walk->size;
    g_mutex_unlock(&walking->lock);
    if (!go_on)
        return false;
    left = walk->size - at;
    if (walk->skip != NULL)
        go_on = walk->skip(walk->opaque, at, left, &skip, &error);
    *ret_offset = at;
    *ret_length = skip == 0 ? MIN(walk->step - at % walk->step, left) : 0;
    g_mutex_lock(&walking->lock);
    walking->at += skip == 0 ? *ret_length : MIN(skip, left);
    walking->done += MIN(skip, left);
    if (!go_on)
        stop(walking, error);
    g_mutex_unlock(&walking->lock);
    return go_on;
}

static bool next_piece(struct walking *walking, uint64_t *ret_offset, uint64_t *ret_length)
{
    bool found;

    g_mutex_lock(&walking->finding);
    do
        found = look(walking, ret_offset, ret_length);
    while (found && *ret_length == 0);
    g_mutex_unlock(&walking->finding);
    return found;
}

static void *walk_thread(void *opaque)
{
    struct walking *walking = opaque;
    const struct image_walk *walk = walking->walk;
    g_autofree uint8_t *memory = g_malloc(walk->buffer_size + BUFFER_ALIGNMENT);
    uint8_t *buffer =
        memory + (BUFFER_ALIGNMENT - (uintptr_t)memory % BUFFER_ALIGNMENT) % BUFFER_ALIGNMENT;
    uint64_t offset, length;

    while (next_piece(walking, &offset, &length)) {
        GError *error = NULL;

        walk->work(walk->opaque, offset, length, buffer, &error);
        g_mutex_lock(&walking->lock);
        walking->done += length;
        if (error != NULL)
            stop(walking, error);
        g_mutex_unlock(&walking->lock);
    }
    g_mutex_lock(&walking->lock);
    walking->threads--;
    g_cond_signal(&walking->ended);
    g_mutex_unlock(&walking->lock);
    return NULL;
}

/* Until all threads have ended. The lock is held, but while progress is told. */
static void tell(struct walking *walking, const struct image_progress *progress)
{
    while (walking->threads > 0) {
        g_cond_wait_until(&walking->ended, &walking->lock, g_get_monotonic_time() + TELL_USEC);
        if (progress != NULL && !walking->stop) {
            uint64_t done = walking->done;
            bool go_on;

            g_mutex_unlock(&walking->lock);
            go_on = progress->step(progress->opaque, done, walking->walk->size);
            g_mutex_lock(&walking->lock);
            if (!go_on)
                stop(walking, g_error_new_literal(VMDESK_ERROR, VMDESK_ERROR_CANCELLED,
                                                  "Stopped as asked."));
        }
    }
}

bool image_walk(const struct image_walk *walk, const struct image_progress *progress, GError **err)
{
    struct walking walking = {.walk = walk};
    GThread *threads[IMAGE_WALK_THREADS];
    unsigned count = 0;

    g_mutex_init(&walking.finding);
    g_mutex_init(&walking.lock);
    g_cond_init(&walking.ended);
    g_mutex_lock(&walking.lock);
    while (count < IMAGE_WALK_THREADS) {
        GThread *thread = g_thread_try_new("disk walk", walk_thread, &walking,
                                           count == 0 ? &walking.error : NULL);

        if (thread == NULL)
            break;
        threads[count++] = thread;
        walking.threads++;
    }
    tell(&walking, progress);
    g_mutex_unlock(&walking.lock);
    for (unsigned i = 0; i < count; i++)
        g_thread_join(threads[i]);
    g_mutex_clear(&walking.finding);
    g_mutex_clear(&walking.lock);
    g_cond_clear(&walking.ended);
    if (walking.error == NULL)
        return true;
    g_propagate_error(err, walking.error);
    return false;
}
