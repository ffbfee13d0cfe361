/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between image.c and the formats.
 *
 * A format turns a request into reads and writes of image->file, on threads of image->io. It may
 * split a request, and finish the parts in any order on several threads; it calls
 * image_complete() once, when all is done.
 */
#ifndef DISKS_IMAGE_FORMAT_H
#define DISKS_IMAGE_FORMAT_H

#include "disks/file.h"
#include "disks/image.h"

struct image_ops {
    const char *name; /* in struct image_options */
    /* Reads what it needs of image->file; sets size and state. */
    bool (*open)(struct image *image, GError **err);
    /* Brings its own data to image->file, which is then flushed, and frees state. May be NULL. */
    void (*close)(struct image *image);
    /* Takes a request that lies inside the image and keeps all limits of image.h. Does not wait. */
    void (*submit)(struct image *image, struct block_request *request);
};

struct image {
    const struct image_ops *ops;
    struct file *file;
    struct io_context *io;
    uint64_t size; /* bytes, as the guest sees it */
    bool read_only;
    void *state; /* the format's */
    int refs;    /* atomic: the owner, and each request in flight */
};

extern const struct image_ops image_raw;

/* The end of a request; on a thread of the I/O context. */
void image_complete(struct block_request *request, int error);

/* As image_open(), on a file that is open already. Takes the file, also when it fails. */
struct image *image_open_file(struct file *file, const struct image_options *options,
                              struct io_context *io, GError **err);

#endif
