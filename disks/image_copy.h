/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What needs to look at all of an image: copying it to a new one of any format, comparing it with
 * another, telling how large a copy would be, and cutting it where it is empty. All on the owner's
 * thread, which waits; the images' I/O context works.
 */
#ifndef DISKS_IMAGE_COPY_H
#define DISKS_IMAGE_COPY_H

#include "disks/image.h"

/* What reads as zeros is not looked for in less than that. */
#define IMAGE_COPY_GRAIN 4096

/* A new image at path, as `options` says but for its size and backing file, that holds what the
 * source does. It must not exist, and gets its name when it is complete: whatever fails leaves
 * nothing. compress: clusters are packed, as far as the format can. */
bool image_convert(struct image *source, const char *path,
                   const struct image_create_options *options, bool compress, struct io_context *io,
                   const struct image_progress *progress, GError **err);

/* Whether both hold the same; a longer one is zeros past the other's end. *ret_offset: the first
 * sector that differs. */
bool image_compare(struct image *image, struct image *other, bool *ret_same, uint64_t *ret_offset,
                   const struct image_progress *progress, GError **err);

/* As image_resize(); it shrinks where only zeros are cut off. */
bool image_resize_keeping(struct image *image, uint64_t size,
                          enum image_preallocation preallocation,
                          const struct image_progress *progress, GError **err);

struct image_measure {
    uint64_t required;        /* bytes of the file when all is copied */
    uint64_t fully_allocated; /* when every cluster has been written */
};

/* How large an image of these options becomes: with the source's contents, or with NULL empty and
 * of options->size. Formats that can be made only. */
bool image_measure(struct image *source, const struct image_create_options *options,
                   struct image_measure *ret_measure, GError **err);

#endif
