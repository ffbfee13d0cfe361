/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writers to an image that keep what it has to read. Each has a part of the disk of its own, so
 * that they need not agree. What fails fails the test. */
#ifndef TESTS_FAKES_DISK_WRITER_H
#define TESTS_FAKES_DISK_WRITER_H

#include "disks/image.h"

#define DISK_WRITER_MAX (96 * 1024) /* bytes changed at once */

struct disk_writer {
    struct image *image;
    uint8_t *model; /* what the disk reads; not its own */
    GRand *random;
    uint64_t start, end; /* bytes */
    bool only_writes;    /* no discards and zeros */
    bool cancels;        /* disk_writer_step(), in the middle */
    uint64_t written;    /* how far disk_writer_step() has come */
    int stop;            /* atomic */
    GThread *thread;
};

void disk_writer_init(struct disk_writer *writer, struct image *image, uint8_t *model, uint64_t end,
                      uint32_t seed);
void disk_writer_finish(struct disk_writer *writer);
/* Something at random in its part. */
void disk_writer_change(struct disk_writer *writer);
/* step of struct image_progress, for work on all of the disk, of which the writer has all: writes
 * from within the work would wait for ever if it kept them waiting. */
bool disk_writer_step(void *opaque, uint64_t done, uint64_t total);

/* Threads that write until they are stopped, each to its part of `size` bytes. */
void disk_writers_start(struct disk_writer *writers, unsigned count, const struct disk_writer *like,
                        uint64_t size, uint32_t seed);
void disk_writers_stop(struct disk_writer *writers, unsigned count);

/* The image has this size and reads so. */
void disk_assert_reads(struct image *image, const uint8_t *model, uint64_t size);

#endif
