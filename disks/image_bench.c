/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/image_bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "disks/image_format.h"

#define TELL_USEC (100 * 1000)
#define MEMORY_ALIGNMENT 4096
#define PATTERN 0x5a

struct benching {
    struct image *image;
    const struct image_bench *bench;
    GMutex lock; /* guards all below */
    GCond changed;
    GQueue idle; /* struct slot */
    int error;   /* a positive errno; the first */
};

struct slot {
    struct block_request request;
    struct iovec iov;
    struct benching *benching;
};

static void slot_done(struct block_request *request, int error)
{
    struct slot *slot = request->opaque;
    struct benching *benching = slot->benching;

    g_mutex_lock(&benching->lock);
    if (error != 0 && benching->error == 0)
        benching->error = error;
    g_queue_push_tail(&benching->idle, slot);
    g_cond_signal(&benching->changed);
    g_mutex_unlock(&benching->lock);
}

/* Waits until so many slots are idle; the lock is held. */
static void wait_idle(struct benching *benching, unsigned count)
{
    while (g_queue_get_length(&benching->idle) < count)
        g_cond_wait(&benching->changed, &benching->lock);
}

static void submit(struct benching *benching, struct slot *slot, enum block_op op, uint64_t offset)
{
    bool moves = op != BLOCK_FLUSH;

    slot->request = (struct block_request){
        .op = op,
        .offset = offset,
        .length = moves ? benching->bench->block : 0,
        .iov = moves ? &slot->iov : NULL,
        .iov_count = moves,
        .done = slot_done,
        .opaque = slot,
    };
    image_submit(benching->image, &slot->request);
}

/* All that was written is stable: what is in flight ends first. */
static int flush_all(struct benching *benching)
{
    g_mutex_lock(&benching->lock);
    wait_idle(benching, benching->bench->depth);
    g_mutex_unlock(&benching->lock);
    return image_flush(benching->image);
}

static bool run(struct benching *benching, const struct image_progress *progress, GError **err)
{
    const struct image_bench *bench = benching->bench;
    uint64_t blocks = image_size(benching->image) / bench->block, at = 0;
    uint64_t step = MAX(bench->step / bench->block, 1) % blocks;
    enum block_op op = bench->write ? BLOCK_WRITE : BLOCK_READ;
    gint64 told = g_get_monotonic_time();
    GRand *rand = g_rand_new_with_seed(1);
    bool go_on = true;
    int error = 0;

    for (unsigned i = 0; i < bench->count && go_on && error == 0; i++) {
        uint64_t random = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
        struct slot *slot;

        if (bench->flush_after > 0 && i > 0 && i % bench->flush_after == 0)
            error = flush_all(benching);
        g_mutex_lock(&benching->lock);
        wait_idle(benching, 1);
        slot = g_queue_pop_head(&benching->idle);
        error = error != 0 ? error : benching->error;
        g_mutex_unlock(&benching->lock);
        submit(benching, slot, op, (bench->random ? random % blocks : at) * bench->block);
        at = (at + step) % blocks;
        if (i % 64 == 0 && g_get_monotonic_time() - told >= TELL_USEC) {
            go_on = image_step(progress, i, bench->count, err);
            told = g_get_monotonic_time();
        }
    }
    g_rand_free(rand);
    g_mutex_lock(&benching->lock);
    wait_idle(benching, bench->depth);
    error = error != 0 ? error : benching->error;
    g_mutex_unlock(&benching->lock);
    if (go_on && error != 0)
        vmdesk_error_from_errno(err, error, NULL, "Cannot use the image %s",
                                benching->image->file->path);
    return go_on && error == 0;
}

bool image_bench(struct image *image, const struct image_bench *bench, double *ret_seconds,
                 const struct image_progress *progress, GError **err)
{
    struct benching benching = {.image = image, .bench = bench};
    g_autofree struct slot *slots = g_new0(struct slot, bench->depth);
    size_t stride = (bench->block + MEMORY_ALIGNMENT - 1) / MEMORY_ALIGNMENT * MEMORY_ALIGNMENT;
    uint8_t *memory;
    gint64 start;
    bool done;

    if (image->size < bench->block)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The image %s is shorter than one request: take smaller ones.",
                           image->file->path);
    memory = aligned_alloc(MEMORY_ALIGNMENT, stride * bench->depth);
    if (memory == NULL)
        return vmdesk_fail(err, VMDESK_ERROR_NO_SPACE,
                           "There is not enough memory for %u requests at once: take fewer.",
                           bench->depth);
    memset(memory, PATTERN, stride * bench->depth);
    g_mutex_init(&benching.lock);
    g_cond_init(&benching.changed);
    for (unsigned i = 0; i < bench->depth; i++) {
        slots[i].benching = &benching;
        slots[i].iov = (struct iovec){memory + i * stride, bench->block};
        g_queue_push_tail(&benching.idle, &slots[i]);
    }
    start = g_get_monotonic_time();
    done = run(&benching, progress, err);
    *ret_seconds = MAX(g_get_monotonic_time() - start, 1) / 1e6;
    g_queue_clear(&benching.idle);
    g_mutex_clear(&benching.lock);
    g_cond_clear(&benching.changed);
    free(memory);
    return done;
}
