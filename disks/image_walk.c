/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/image_walk.h"

#include "core/error.h"
#include "disks/image_format.h"

#define TELL_USEC (100 * 1000)
#define BUFFER_ALIGNMENT 4096

struct walking {
    const struct image_walk *walk;
    GMutex lock; /* guards all below */
    GCond ended;
    uint64_t at, done;
    unsigned threads;
    bool stop;
    GError *error; /* the first */
};

/* The next piece. The lock is held. */
static bool next_piece(struct walking *walking, uint64_t *ret_offset, uint64_t *ret_length)
{
    const struct image_walk *walk = walking->walk;

    while (!walking->stop && walking->at < walk->size) {
        uint64_t left = walk->size - walking->at, skip = 0;

        if (walk->skip != NULL &&
            !walk->skip(walk->opaque, walking->at, left, &skip, &walking->error)) {
            walking->stop = true;
            return false;
        }
        if (skip == 0) {
            *ret_offset = walking->at;
            *ret_length = MIN(walk->step - walking->at % walk->step, left);
            walking->at += *ret_length;
            return true;
        }
        walking->at += MIN(skip, left);
        walking->done += MIN(skip, left);
    }
    return false;
}

static void *walk_thread(void *opaque)
{
    struct walking *walking = opaque;
    const struct image_walk *walk = walking->walk;
    g_autofree uint8_t *memory = g_malloc(walk->buffer_size + BUFFER_ALIGNMENT);
    uint8_t *buffer =
        memory + (BUFFER_ALIGNMENT - (uintptr_t)memory % BUFFER_ALIGNMENT) % BUFFER_ALIGNMENT;
    uint64_t offset, length;

    g_mutex_lock(&walking->lock);
    while (next_piece(walking, &offset, &length)) {
        g_autoptr(GError) error = NULL;

        g_mutex_unlock(&walking->lock);
        walk->work(walk->opaque, offset, length, buffer, &error);
        g_mutex_lock(&walking->lock);
        walking->done += length;
        if (error != NULL && walking->error == NULL)
            walking->error = g_steal_pointer(&error);
        walking->stop = walking->stop || walking->error != NULL;
    }
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
            walking->stop = walking->stop || !go_on;
            if (!go_on && walking->error == NULL)
                vmdesk_fail(&walking->error, VMDESK_ERROR_CANCELLED, "Stopped as asked.");
        }
    }
}

bool image_walk(const struct image_walk *walk, const struct image_progress *progress, GError **err)
{
    struct walking walking = {.walk = walk};
    GThread *threads[IMAGE_WALK_THREADS];
    unsigned count = 0;

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
    g_mutex_clear(&walking.lock);
    g_cond_clear(&walking.ended);
    if (walking.error == NULL)
        return true;
    g_propagate_error(err, walking.error);
    return false;
}
