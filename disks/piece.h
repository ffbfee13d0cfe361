/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the formats that are only read have in common: a range of the disk is found, piece by piece,
 * in files, and read from there.
 */
#ifndef DISKS_PIECE_H
#define DISKS_PIECE_H

#include "disks/image_format.h"

/* Pieces that piece_status() puts together at most, each a table entry or more. */
#define PIECE_MAX_STEPS 4096
/* Compressed pieces are at most so long. */
#define PIECE_MAX_PACKED (2 * 1024 * 1024)

/* The start of a range of the disk. */
struct piece {
    enum block_state state;
    uint64_t length;   /* bytes for which it is so, not 0 and at most what was asked for */
    struct file *file; /* data and compressed: where it is */
    uint64_t offset;   /* in the file; compressed: of what has to be unpacked */
    uint64_t skip;     /* compressed: bytes of the unpacked that come before the piece */
};

struct piece_ops {
    /* Finds what is at offset; the range is inside the image. 0 or a negative errno. */
    int (*locate)(struct image *image, uint64_t offset, uint64_t length, struct piece *piece);
    /* Unpacks a compressed piece. NULL: the format has none. */
    int (*unpack)(struct image *image, const struct piece *piece, void *buffer);
};

/* image_ops.read and image_ops.status of a format with these ops. */
int piece_read(struct image *image, const struct piece_ops *ops, const struct iovec *iov,
               unsigned count, uint64_t offset);
int piece_status(struct image *image, const struct piece_ops *ops, uint64_t offset, uint64_t length,
                 struct block_status *status);

#endif
