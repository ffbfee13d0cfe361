/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Measures how fast an image serves requests. On the owner's thread, which waits. */
#ifndef DISKS_IMAGE_BENCH_H
#define DISKS_IMAGE_BENCH_H

#include "disks/image.h"

#define IMAGE_BENCH_MAX_DEPTH 1024

struct image_bench {
    bool write;           /* which overwrites the contents */
    bool random;          /* anywhere, at multiples of the block; else in order, from the start */
    uint64_t block;       /* bytes of a request, a multiple of 512; the image is at least as long */
    uint64_t step;        /* in order: bytes from one to the next, past the end from the start
                           * again; a multiple of the block, 0: the block */
    unsigned depth;       /* requests in flight, 1 to IMAGE_BENCH_MAX_DEPTH */
    unsigned count;       /* requests in all, at least 1 */
    unsigned flush_after; /* a flush follows so many writes; 0: none does */
};

/* *ret_seconds: from the first request to the end of the last. */
bool image_bench(struct image *image, const struct image_bench *bench, double *ret_seconds,
                 const struct image_progress *progress, GError **err);

#endif
