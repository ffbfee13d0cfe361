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

/* A request that ends is followed by the next one from its completion, as a device's queue would
 * be: the thread that waits is not woken for each. */
struct benching {
    struct image *image;
    const struct image_bench *bench;
    uint64_t blocks, step; /* of the image, and from one request to the next in order */
    GMutex lock;           /* guards all below */
    GCond changed;
    GRand *rand;
    uint64_t at;     /* block of the next request in order */
    unsigned begun;  /* requests */
    unsigned until;  /* so many may begin */
    unsigned flying; /* slots in flight */
    int error;       /* a positive errno; the first */
};

struct slot {
    struct block_request request;
    struct iovec iov;
    struct benching *benching;
};

/* Prepares the slot's next request; false: it gets none. The lock is held. */
static bool next_request(struct slot *slot)
{
    struct benching *benching = slot->benching;
    const struct image_bench *bench = benching->bench;
    uint64_t random, block = benching->at;

    if (benching->begun >= benching->until || benching->error != 0)
        return false;
    if (bench->random) {
        random = (uint64_t)g_rand_int(benching->rand) << 32;
        block = (random | g_rand_int(benching->rand)) % benching->blocks;
    }
    benching->at = (benching->at + benching->step) % benching->blocks;
    benching->begun++;
    slot->request.offset = block * bench->block;
    return true;
}

static void slot_done(struct block_request *request, int error)
{
    struct slot *slot = request->opaque;
    struct benching *benching = slot->benching;
    bool more;

    g_mutex_lock(&benching->lock);
    if (error != 0 && benching->error == 0)
        benching->error = error;
    more = next_request(slot);
    if (!more && --benching->flying == 0)
        g_cond_signal(&benching->changed);
    g_mutex_unlock(&benching->lock);
    if (more)
        image_submit(benching->image, request);
}

/* Until nothing is in flight; false: it was cancelled. The lock is held, but while progress is
 * told. */
static bool wait_for_all(struct benching *benching, const struct image_progress *progress,
                         GError **err)
{
    bool go_on = true;

    while (benching->flying > 0) {
        unsigned begun = benching->begun;

        if (g_cond_wait_until(&benching->changed, &benching->lock,
                              g_get_monotonic_time() + TELL_USEC) ||
            !go_on)
            continue;
        g_mutex_unlock(&benching->lock);
        go_on = image_step(progress, begun, benching->bench->count, err);
        g_mutex_lock(&benching->lock);
        if (!go_on)
            benching->until = 0;
    }
    return go_on;
}

/* The requests up to `until`, on all slots. *ret_error: a positive errno. */
static bool run_some(struct benching *benching, struct slot *slots, unsigned until,
                     const struct image_progress *progress, int *ret_error, GError **err)
{
    bool more = true, go_on;

    g_mutex_lock(&benching->lock);
    benching->until = until;
    for (unsigned i = 0; i < benching->bench->depth && more; i++) {
        more = next_request(&slots[i]);
        if (!more)
            break;
        benching->flying++;
        g_mutex_unlock(&benching->lock);
        image_submit(benching->image, &slots[i].request);
        g_mutex_lock(&benching->lock);
    }
    go_on = wait_for_all(benching, progress, err);
    *ret_error = benching->error;
    g_mutex_unlock(&benching->lock);
    return go_on;
}

static bool run(struct benching *benching, struct slot *slots,
                const struct image_progress *progress, GError **err)
{
    const struct image_bench *bench = benching->bench;
    unsigned each = bench->flush_after > 0 ? bench->flush_after : bench->count;
    bool go_on = true;
    int error = 0;

    for (unsigned at = 0; at < bench->count && go_on && error == 0;) {
        if (at > 0)
            error = image_flush(benching->image);
        at += MIN(each, bench->count - at);
        if (error == 0)
            go_on = run_some(benching, slots, at, progress, &error, err);
    }
    if (go_on && error != 0)
        vmdesk_error_from_errno(err, error, NULL, "Cannot use the image %s",
                                benching->image->file->path);
    return go_on && error == 0;
}

bool image_bench(struct image *image, const struct image_bench *bench, double *ret_seconds,
                 const struct image_progress *progress, GError **err)
{
    struct benching benching = {.image = image,
                                .bench = bench,
                                .blocks = image->size / bench->block};
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
    benching.rand = g_rand_new_with_seed(1);
    benching.step = MAX(bench->step / bench->block, 1) % benching.blocks;
    for (unsigned i = 0; i < bench->depth; i++) {
        slots[i].benching = &benching;
        slots[i].iov = (struct iovec){memory + i * stride, bench->block};
        slots[i].request = (struct block_request){
            .op = bench->write ? BLOCK_WRITE : BLOCK_READ,
            .length = bench->block,
            .iov = &slots[i].iov,
            .iov_count = 1,
            .done = slot_done,
            .opaque = &slots[i],
        };
    }
    start = g_get_monotonic_time();
    done = run(&benching, slots, progress, err);
    *ret_seconds = MAX(g_get_monotonic_time() - start, 1) / 1e6;
    g_rand_free(benching.rand);
    g_mutex_clear(&benching.lock);
    g_cond_clear(&benching.changed);
    free(memory);
    return done;
}
