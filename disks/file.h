/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an image format stands on: an open file, behind ops so that tests can put memory and
 * faults in its place.
 *
 * Thread: the calls wait for the disk, so they are made on threads of an I/O context, or by the
 * owner for work that takes its time; any number at once. read_now and submit do not wait. open and
 * close: the owner's thread.
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

enum file_op { FILE_OP_READ, FILE_OP_WRITE, FILE_OP_FLUSH };

/* Owned by the submitter, which keeps it and the memory alive until done is called. */
struct file_request {
    enum file_op op;
    const struct iovec *iov; /* read and write; at most FILE_MAX_IOV */
    unsigned iov_count;
    uint64_t offset;
    /* error: 0 when all of iov was moved, or a negative errno, -EIO where the file ends. On a
     * thread of the file's; must not wait. */
    void (*done)(struct file_request *request, int error);
    void *opaque;
    void *file_private; /* the file's while in flight */
};

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
    /* What it adds reads as zeros. */
    int (*truncate)(struct file *file, uint64_t size);
    void (*close)(struct file *file); /* frees it */

    /* The rest may be NULL. */

    /* The range, inside the file, reads as zeros and is not stored where that can be. -EOPNOTSUPP:
     * write them. */
    int (*write_zeroes)(struct file *file, uint64_t offset, uint64_t length);
    /* Room for the range is there, and what it adds to the file reads as zeros. -EOPNOTSUPP: write
     * to it. */
    int (*allocate)(struct file *file, uint64_t offset, uint64_t length);
    /* Whether offset, inside the file, has data, or reads as zeros for not being stored; and how
     * far from there it is so, at least 1. */
    int (*extent)(struct file *file, uint64_t offset, bool *ret_data, uint64_t *ret_length);
    /* As read, of what is at hand without the disk, as in the host's cache: fewer bytes or -EAGAIN
     * where it ends. */
    ssize_t (*read_now)(struct file *file, const struct iovec *iov, unsigned count,
                        uint64_t offset);
    /* Starts a request. false: it cannot now; use the calls that wait. */
    bool (*submit)(struct file *file, struct file_request *request);
};

/* Embed it as the first member. */
struct file {
    const struct file_ops *ops;
    char *path; /* names it in messages; owned by the implementation */
    bool read_only;
    bool direct;     /* past the host's cache */
    bool fixed_size; /* truncate cannot make it longer */
};

struct file_options {
    bool read_only;
    bool direct;      /* O_DIRECT; what is not aligned is made so inside */
    bool threads;     /* submit always leaves requests to the calls that wait: no io_uring */
    const char *name; /* file.path, of what is to be moved there; NULL: as it is opened */
};

/* A regular file or a block device, which may be in use by several readers or by one writer: also
 * between vmdesk and QEMU's programs. */
struct file *file_open(const char *path, const struct file_options *options, GError **err);
/* A new, empty, writable file, which must not exist. name: as in struct file_options. */
struct file *file_create(const char *path, const char *name, GError **err);
void file_close(struct file *file); /* NULL is fine */

/* All of iov, at most FILE_MAX_IOV elements, or a negative errno: -EIO where the file ends. */
int file_read_all(struct file *file, const struct iovec *iov, unsigned count, uint64_t offset);
int file_write_all(struct file *file, const struct iovec *iov, unsigned count, uint64_t offset);
/* All of iov, without waiting. false: use the calls that wait, which also tell of errors; some of
 * iov may have been read. */
bool file_read_now(struct file *file, const struct iovec *iov, unsigned count, uint64_t offset);
/* The same with one buffer. */
int file_read_buffer(struct file *file, void *buffer, size_t size, uint64_t offset);
int file_write_buffer(struct file *file, const void *buffer, size_t size, uint64_t offset);

/* The optional calls, or what comes closest: zeros are written, room is made by writing zeros past
 * the end of the file, everything is data. */
int file_write_zeroes(struct file *file, uint64_t offset, uint64_t length);
int file_write_zero_bytes(struct file *file, uint64_t offset, uint64_t length); /* always */
int file_allocate(struct file *file, uint64_t offset, uint64_t length);
int file_extent(struct file *file, uint64_t offset, bool *ret_data, uint64_t *ret_length);

#endif
