/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an image format stands on: an open file, behind ops so that tests can put memory and
 * faults in its place.
 *
 * Thread: the calls wait for the disk, so they are made on threads of an I/O context; any number
 * at once. open and close: the owner's thread.
 */
#ifndef DISKS_FILE_H
#define DISKS_FILE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define FILE_MAX_IOV 1024 /* Linux: UIO_MAXIOV */

struct file;

/* Each returns a negative errno on failure. */
struct file_ops {
    /* As preadv(2) and pwritev(2): the bytes moved, which may be fewer than asked; 0 at the end. */
    ssize_t (*read)(struct file *file, const struct iovec *iov, unsigned count, uint64_t offset);
    ssize_t (*write)(struct file *file, const struct iovec *iov, unsigned count, uint64_t offset);
    /* What was written before is on stable storage. Having failed once it keeps failing: the
     * system may have dropped the data meanwhile. */
    int (*flush)(struct file *file);
    /* The range need not be stored any longer, and may read as zeros. Not being able to is no
     * failure. */
    int (*discard)(struct file *file, uint64_t offset, uint64_t length);
    int (*size)(struct file *file, uint64_t *ret_size);
    int (*truncate)(struct file *file, uint64_t size);
    void (*close)(struct file *file); /* frees it */
};

/* Embed it as the first member. */
struct file {
    const struct file_ops *ops;
    char *path; /* names it in messages; owned by the implementation */
    bool read_only;
};

/* A regular file or a block device, which may be in use by several readers or by one writer: also
 * between vmdesk and QEMU's programs. */
struct file *file_open(const char *path, bool read_only, GError **err);
void file_close(struct file *file); /* NULL is fine */

/* All of iov, at most FILE_MAX_IOV elements, or a negative errno: -EIO where the file ends. */
int file_read_all(struct file *file, const struct iovec *iov, unsigned count, uint64_t offset);
int file_write_all(struct file *file, const struct iovec *iov, unsigned count, uint64_t offset);

#endif
