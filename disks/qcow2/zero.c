/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Zeroes and discards: whole clusters by their entries, parts of them by writing. */
#include <errno.h>

#include "disks/qcow2/write.h"

#define ZERO_BLOCK (64 * 1024)

static const uint8_t zeros[ZERO_BLOCK];

/* Whether what this image does not have would not be read as zeros. */
static bool backing_reaches(const struct qcow2 *q, uint64_t offset)
{
    return q->image->backing != NULL && offset < q->image->backing->size;
}

/* Writes zeros into a part of a cluster. false: the request waits. */
static bool write_zeros(struct qcow2 *q, uint64_t offset, uint64_t length,
                        struct block_request *request, int *ret_result)
{
    unsigned count = (length + ZERO_BLOCK - 1) / ZERO_BLOCK;
    g_autofree struct iovec *iov = g_new(struct iovec, count);
    struct qcow2_piece piece = {.iov = iov, .iov_count = count, .offset = offset, .length = length};
    bool already;

    for (unsigned i = 0; i < count; i++)
        iov[i] = (struct iovec){(void *)zeros, MIN(ZERO_BLOCK, length - (uint64_t)i * ZERO_BLOCK)};
    g_mutex_unlock(&q->lock);
    *ret_result = qcow2_reads_as_zeros(q, offset, length, &already);
    g_mutex_lock(&q->lock);
    if (*ret_result < 0 || already)
        return true;
    return qcow2_write_piece(q, &piece, request, ret_result);
}

/* A whole cluster becomes zeros, and its place free. */
static int zero_cluster(struct qcow2 *q, uint64_t cluster)
{
    bool backed = backing_reaches(q, cluster << q->cluster_bits);
    struct qcow2_entry entry = {0, 0}, old;
    struct qcow2_change change;
    struct qcow2_slice *slice;
    unsigned index;
    int result;

    if (backed && q->subclusters > 1)
        entry.bitmap = QCOW2_ALL_ZERO;
    else if (backed)
        entry.word = QCOW2_ZERO;
    qcow2_change_begin(q, &change, cluster, 1);
    result = qcow2_l2_get_for_change(q, cluster, &slice, &index);
    if (result == 0) {
        old = qcow2_entry_load(q, slice->data, index);
        qcow2_entry_store(q, slice->data, index, entry);
        qcow2_cache_dirty(q, slice);
        qcow2_cache_put(q, slice);
        qcow2_entry_release(q, old, true);
    }
    if (result == 0 && q->data_file != q->file && qcow2_entry_kind(q, old, 0) == QCOW2_DATA) {
        /* Now, since the next write goes to the same place. Not being able to is no failure. */
        g_mutex_unlock(&q->lock);
        q->data_file->ops->discard(q->data_file, cluster << q->cluster_bits, q->cluster_size);
        g_mutex_lock(&q->lock);
    }
    qcow2_change_end(q, &change);
    return result;
}

/* A raw external file must hold the zeros itself. */
static bool zero_raw(struct qcow2 *q, const struct qcow2_extent *extent, uint64_t offset,
                     struct block_request *request, int *ret_result)
{
    if (extent->kind != QCOW2_DATA)
        return request->op == BLOCK_DISCARD ||
               write_zeros(q, offset, extent->length, request, ret_result);
    g_mutex_unlock(&q->lock);
    *ret_result = file_write_zeroes(q->data_file, extent->host, extent->length);
    g_mutex_lock(&q->lock);
    return true;
}

/* What begins the range; *length is shortened to what was done. */
static bool zero_step(struct qcow2 *q, uint64_t offset, uint64_t *length,
                      struct block_request *request, int *ret_result)
{
    uint64_t inside = offset & (q->cluster_size - 1);
    uint64_t cluster = offset >> q->cluster_bits, end = offset + *length;
    struct qcow2_change *change;
    struct qcow2_extent extent;
    bool whole;

    *ret_result = qcow2_lookup(q, offset, *length, &extent);
    if (*ret_result < 0)
        return true;
    if (extent.kind == QCOW2_ZEROS ||
        (extent.kind == QCOW2_UNALLOCATED && !backing_reaches(q, offset))) {
        change = qcow2_change_find(q, cluster, qcow2_clusters(q, inside + extent.length));
        if (change == NULL) {
            *length = extent.length;
            return true;
        }
    }
    change = qcow2_change_find(q, cluster, 1);
    if (change != NULL) {
        g_queue_push_tail(&change->waiting, request);
        return false;
    }
    if (q->raw_data) {
        *length = extent.length;
        return zero_raw(q, &extent, offset, request, ret_result);
    }
    *length = MIN(*length, q->cluster_size - inside);
    /* The disk may end inside its last cluster. */
    whole = inside == 0 && (*length == q->cluster_size || end == q->image->size);
    if (whole && (q->header.version >= 3 || !backing_reaches(q, offset))) {
        *ret_result = zero_cluster(q, cluster);
        return true;
    }
    if (request->op == BLOCK_DISCARD)
        return true;
    return write_zeros(q, offset, *length, request, ret_result);
}

bool qcow2_zero(struct qcow2 *q, struct block_request *request, int *ret_result)
{
    uint64_t done = 0;
    bool going_on = true;
    int result = qcow2_prepare_change(q);

    while (done < request->length && result == 0 && going_on) {
        uint64_t length = request->length - done;

        going_on = zero_step(q, request->offset + done, &length, request, &result);
        if (result == -EAGAIN)
            result = 0;
        else
            done += length;
    }
    *ret_result = result;
    return going_on;
}
