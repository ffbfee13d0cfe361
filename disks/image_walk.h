/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work on all of an image, piece by piece, on several threads, while the caller's thread waits and
 * tells how far it is.
 */
#ifndef DISKS_IMAGE_WALK_H
#define DISKS_IMAGE_WALK_H

#include "disks/image.h"

#define IMAGE_WALK_THREADS 4

struct image_walk {
    uint64_t size; /* bytes to go through */
    uint64_t
        step; /* bytes of a piece, which starts at a multiple of it or after what was skipped */
    /* How much from offset on, at most length, needs no work, in *ret_skip; one thread at a time.
     * NULL: nothing. */
    bool (*skip)(void *opaque, uint64_t offset, uint64_t length, uint64_t *ret_skip, GError **err);
    /* One piece; buffer is the thread's own, of buffer_size bytes. Fails for good with *err. */
    bool (*work)(void *opaque, uint64_t offset, uint64_t length, void *buffer, GError **err);
    size_t buffer_size;
    void *opaque;
};

/* Fails with the first error of any of the work, or VMDESK_ERROR_CANCELLED; it all has ended. */
bool image_walk(const struct image_walk *walk, const struct image_progress *progress, GError **err);

#endif
