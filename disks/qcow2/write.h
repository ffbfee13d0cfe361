/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files that write. */
#ifndef DISKS_QCOW2_WRITE_H
#define DISKS_QCOW2_WRITE_H

#include "disks/qcow2/qcow2.h"

/* Data for a guest range. */
struct qcow2_piece {
    const struct iovec *iov; /* NULL: zeros */
    unsigned iov_count;
    uint64_t skip; /* bytes of iov before it */
    uint64_t offset, length;
    uint64_t fill_end; /* how far what the guest saw is copied even without data; 0: not at all */
};

/* Guest clusters that get data at another place. */
struct qcow2_copy {
    uint64_t first, count; /* guest clusters */
    uint64_t host;
    bool fresh;                    /* the place reads as zeros */
    bool own;                      /* the guest cluster has that place already */
    uint64_t start, end;           /* guest bytes that are stored there then */
    uint64_t data_start, data_end; /* of these what the request gives */
};

/* With the lock held, which they let go. */
/* Writes what begins the piece to new places. -EAGAIN: look again. */
int qcow2_write_new(struct qcow2 *q, const struct qcow2_piece *piece, uint64_t *ret_done);
/* The copy becomes what the guest sees. */
int qcow2_install(struct qcow2 *q, const struct qcow2_copy *copy);
/* false: the request waits for a change. */
bool qcow2_write_piece(struct qcow2 *q, const struct qcow2_piece *piece,
                       struct block_request *request, int *ret_result);

/* Whether a range of the file is where its header, L1 or refcount table lies. With the lock
 * held. */
bool qcow2_is_table(const struct qcow2 *q, uint64_t host, uint64_t length);

/* cow.c. Without the lock. */
int qcow2_copy_run(struct qcow2 *q, const struct qcow2_copy *copy, const struct qcow2_piece *piece);
/* Whether a guest range reads as zeros without its being read. */
int qcow2_reads_as_zeros(struct qcow2 *q, uint64_t offset, uint64_t length, bool *ret_zeros);

#endif
