/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copy on write: new clusters get what the request does not give from what the guest saw there.
 * What is zero and falls on zeros is neither read nor written. */
#include <errno.h>

#include "disks/qcow2/write.h"

int qcow2_reads_as_zeros(struct qcow2 *q, uint64_t offset, uint64_t length, bool *ret_zeros)
{
    bool data = false;
    int result = 0;

    for (uint64_t done = 0; done < length && result == 0 && !data;) {
        struct qcow2_extent extent;
        uint64_t known;

        g_mutex_lock(&q->lock);
        do
            result = qcow2_lookup(q, offset + done, length - done, &extent);
        while (result == -EAGAIN);
        g_mutex_unlock(&q->lock);
        if (result < 0)
            return result;
        known = extent.length;
        data = extent.kind == QCOW2_DATA || extent.kind == QCOW2_DEFLATED;
        if (extent.kind == QCOW2_UNALLOCATED && q->image->backing != NULL)
            result = image_backing_status(q->image, offset + done, known, &data, &known);
        done += known;
    }
    *ret_zeros = !data;
    return result;
}

/* The guest bytes from start to end, or nothing where zeros need not be written. */
static int fill(struct qcow2 *q, const struct qcow2_copy *copy, uint64_t start, uint64_t end,
                struct iovec *ret_iov)
{
    struct iovec iov = {NULL, end - start};
    bool zeros;
    int result;

    *ret_iov = (struct iovec){NULL, 0};
    if (start == end)
        return 0;
    result = qcow2_reads_as_zeros(q, start, end - start, &zeros);
    if (result < 0 || (zeros && copy->fresh))
        return result;
    iov.iov_base = zeros ? g_try_malloc0(end - start) : g_try_malloc(end - start);
    if (iov.iov_base == NULL)
        return -ENOMEM;
    result = zeros ? 0 : qcow2_read_range(q, &iov, 1, start);
    if (result < 0)
        g_free(iov.iov_base);
    else
        *ret_iov = iov;
    return result;
}

static int write_part(struct qcow2 *q, const struct iovec *iov, unsigned count, uint64_t host)
{
    return count > 0 ? file_write_all(q->data_file, iov, count, host) : 0;
}

/* One write if it can be. */
static int write_copy(struct qcow2 *q, const struct qcow2_copy *copy, const struct iovec *head,
                      const struct iovec *data, unsigned data_count, const struct iovec *tail)
{
    uint64_t host = copy->host + (copy->data_start - (copy->first << q->cluster_bits));
    uint64_t head_host = host - head->iov_len, tail_host;
    unsigned heads = head->iov_len > 0, tails = tail->iov_len > 0;
    int result;

    if (data_count + 2 <= FILE_MAX_IOV) {
        struct iovec all[FILE_MAX_IOV];

        all[0] = *head;
        memcpy(all + heads, data, data_count * sizeof(*data));
        all[heads + data_count] = *tail;
        return write_part(q, all, heads + data_count + tails, head_host);
    }
    tail_host = host + (copy->data_end - copy->data_start);
    result = write_part(q, head, heads, head_host);
    if (result == 0)
        result = write_part(q, data, data_count, host);
    return result < 0 ? result : write_part(q, tail, tails, tail_host);
}

int qcow2_copy_run(struct qcow2 *q, const struct qcow2_copy *copy, const struct qcow2_piece *piece)
{
    struct iovec data[FILE_MAX_IOV], head = {NULL, 0}, tail = {NULL, 0};
    uint64_t length = copy->data_end - copy->data_start, end = copy->end;
    unsigned count = 0;
    int result = fill(q, copy, copy->start, copy->data_start, &head);

    /* The disk may end inside its last cluster. */
    if (result == 0)
        result = fill(q, copy, copy->data_end, end, &tail);
    if (result == 0) {
        if (length > 0)
            count = qcow2_iov_part(piece->iov, piece->iov_count, piece->skip, length, data);
        result = write_copy(q, copy, &head, data, count, &tail);
    }
    g_free(head.iov_base);
    g_free(tail.iov_base);
    return result;
}
