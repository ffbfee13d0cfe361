/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to one file through io_uring(7): many in flight without a thread for each. While too
 * many are, those that continue each other are merged.
 *
 * Thread: any. Completions run on a thread of the ring, which is there while there is work and some
 * seconds longer. What follows from a completion needs the ring only if it waits for the disk.
 */
#ifndef DISKS_URING_H
#define DISKS_URING_H

#include "disks/file.h"

#define URING_MAX_IN_FLIGHT 64

struct uring;

/* NULL: the kernel has no io_uring, or does not let us use it. fd stays the caller's. */
struct uring *uring_new(int fd);
/* Waits for what is in flight; the last completion may call it, too. NULL is fine. */
void uring_free(struct uring *ring);

/* A read or a write. */
void uring_submit(struct uring *ring, struct file_request *request);

/* Whether the caller is a completion on the ring's thread. */
bool uring_completes(const struct uring *ring);
/* Then: a request that is done already. Its completion comes after the caller's. */
void uring_done(struct uring *ring, struct file_request *request);

#endif
