/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk image as the guest's disk sees it: sectors of 512 bytes, read and written by requests
 * that complete later. Formats (raw today; copy-on-write formats stand behind the same ops) turn
 * guest offsets into offsets of files; files are reached through struct file_ops only.
 *
 * Thread: image_open/close on the owner's thread; image_submit() from any thread. Completions run
 * on a thread of the image's I/O context with no lock held; they must not wait.
 */
#ifndef DISKS_IMAGE_H
#define DISKS_IMAGE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define IMAGE_SECTOR_SIZE 512
#define IMAGE_REQUEST_MAX_IOV 1024

struct image;
struct io_context; /* the worker threads; see io_context.h */

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD };

/* Owned by the submitter, which keeps it and the memory alive until done is called. */
struct block_request {
    enum block_op op;
    uint64_t offset;         /* bytes, a multiple of 512; flush: 0 */
    uint64_t length;         /* bytes, a multiple of 512; the sum of iov for read and write */
    const struct iovec *iov; /* read and write */
    unsigned iov_count;
    /* error: 0, or a positive errno (EIO, ENOSPC, EROFS, EINVAL for a range past the end). A write
     * is stable once a flush submitted after its completion has completed. */
    void (*done)(struct block_request *request, int error);
    void *opaque;
    void *image_private; /* the image's while in flight */
};

struct image_options {
    const char *format; /* "raw"; never guessed from the contents */
    bool read_only;
};

/* Fails with a reason that names the file: missing, empty, size not a multiple of 512, no
 * permission, in use by another writer, unknown format. */
struct image *image_open(const char *path, const struct image_options *options,
                         struct io_context *io, GError **err);
/* Flushes. With requests in flight the image is closed on an I/O thread with the last of them;
 * otherwise on return. NULL is fine. */
void image_close(struct image *image);

uint64_t image_size(const struct image *image); /* bytes */
bool image_read_only(const struct image *image);
const char *image_path(const struct image *image);

/* Never blocks on the disk; a refused request completes with an error like any other. */
void image_submit(struct image *image, struct block_request *request);

#endif
