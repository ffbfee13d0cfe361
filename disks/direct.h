/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads and writes past the host's cache (O_DIRECT), which the kernel takes only with offsets,
 * lengths and memory that are aligned: what is not goes through memory of our own, and where a
 * write covers a block only in part, the rest is read first.
 *
 * Thread: any number at once.
 */
#ifndef DISKS_DIRECT_H
#define DISKS_DIRECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct direct;

/* fd is open with O_DIRECT and stays the caller's. */
struct direct *direct_new(int fd);
void direct_free(struct direct *direct); /* NULL is fine */

/* As preadv(2) and pwritev(2), with a negative errno; they may move less than asked. */
ssize_t direct_read(struct direct *direct, const struct iovec *iov, unsigned count,
                    uint64_t offset);
ssize_t direct_write(struct direct *direct, const struct iovec *iov, unsigned count,
                     uint64_t offset);

/* Whether the kernel takes the request as it is. */
bool direct_fits(const struct direct *direct, const struct iovec *iov, unsigned count,
                 uint64_t offset);
/* Around a write that fits and is done elsewhere. false: use direct_write(), since a write of parts
 * of blocks is going on, or no other write is: one alone is quicker where somebody waits for it, as
 * the kernel else has a thread of its own end it. */
bool direct_try_begin(struct direct *direct);
void direct_end(struct direct *direct);
/* As truncate of struct file_ops, beside writes. */
int direct_truncate(struct direct *direct, uint64_t size);

#endif
