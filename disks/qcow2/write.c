/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes. What is there and belongs to this image alone is written in place. Else clusters are
 * allocated, as many in a row as the request needs; what the request does not cover of them is
 * copied; and when all is in the file the L2 entries change in memory.
 */
#include <errno.h>

#include "disks/qcow2/qcow2.h"
#include "disks/qcow2/write.h"

/* How many guest clusters of the range, from its first, need new places, for which one look at one
 * slice is enough. 0: none. *ret_own: the first has its own place, which only lacks the data. */
static int count_new(struct qcow2 *q, uint64_t first, uint64_t wanted, uint64_t *ret_count,
                     struct qcow2_entry *ret_old)
{
    struct qcow2_slice *slice;
    unsigned index;
    uint64_t count = 0;
    int result = qcow2_l2_get(q, first, &slice, &index);

    if (result < 0)
        return result;
    *ret_old = (struct qcow2_entry){0, 0};
    if (slice == NULL) {
        uint64_t left = qcow2_slice_entries(q) - index;

        wanted = MIN(wanted, left);
        for (; count < wanted && qcow2_change_find(q, first + count, 1) == NULL; count++)
            ;
        *ret_count = count;
        return 0;
    }
    *ret_old = qcow2_entry_load(q, slice->data, index);
    for (; count < wanted && index + count < qcow2_slice_entries(q); count++) {
        struct qcow2_entry entry = qcow2_entry_load(q, slice->data, index + count);
        bool own = (entry.word & QCOW2_COPIED) && !(entry.word & QCOW2_COMPRESSED);

        if (qcow2_change_find(q, first + count, 1) != NULL)
            break;
        if (own && count == 0)
            wanted = 1;
        else if (own)
            break;
        /* Only whole clusters are alike with subclusters. */
        if (q->subclusters > 1 && (entry.word != 0 || entry.bitmap != 0)) {
            if (count > 0)
                break;
            wanted = 1;
        }
    }
    qcow2_cache_put(q, slice);
    *ret_count = count;
    return 0;
}

bool qcow2_is_table(const struct qcow2 *q, uint64_t host, uint64_t length)
{
    return q->data_file == q->file && qcow2_is_main_table(q, host, length);
}

/* The file's clusters must not be those of its own tables. */
static int check_place(struct qcow2 *q, uint64_t host, uint64_t length)
{
    return qcow2_is_table(q, host, length) ? qcow2_corrupt(q, "data lies where a table is", host)
                                           : 0;
}

static int place_new(struct qcow2 *q, struct qcow2_copy *copy)
{
    if (q->data_file == q->file)
        return qcow2_alloc(q, copy->count, &copy->host, &copy->count, &copy->fresh);
    copy->host = copy->first << q->cluster_bits;
    return 0;
}

/* The entry of one cluster of the copy, as it becomes. */
static struct qcow2_entry new_entry(const struct qcow2 *q, const struct qcow2_copy *copy,
                                    uint64_t cluster, struct qcow2_entry old)
{
    uint64_t host = copy->host + ((cluster - copy->first) << q->cluster_bits);
    struct qcow2_entry entry = {host | QCOW2_COPIED, 0};
    uint64_t start = cluster << q->cluster_bits, end = start + q->cluster_size;
    uint64_t data = 0;

    if (q->subclusters == 1)
        return entry;
    for (unsigned i = 0; i < q->subclusters; i++) {
        uint64_t at = start + i * q->subcluster_size;

        if (at >= copy->start && at < MIN(copy->end, end))
            data |= 1ULL << i;
    }
    entry.bitmap = old.word & QCOW2_COMPRESSED ? 0 : old.bitmap;
    entry.bitmap = (entry.bitmap & ~(data << 32)) | data;
    return entry;
}

/* With the lock held, which it lets go: the copy becomes what the guest sees. */
int qcow2_install(struct qcow2 *q, const struct qcow2_copy *copy)
{
    int result = 0;
    uint64_t done = 0;

    for (; done < copy->count && result == 0; done++) {
        struct qcow2_slice *slice;
        struct qcow2_entry old;
        unsigned index;

        result = qcow2_l2_get_for_change(q, copy->first + done, &slice, &index);
        if (result < 0)
            break;
        old = qcow2_entry_load(q, slice->data, index);
        qcow2_entry_store(q, slice->data, index, new_entry(q, copy, copy->first + done, old));
        qcow2_cache_dirty(q, slice);
        qcow2_cache_put(q, slice);
        if (!copy->own)
            qcow2_entry_release(q, old, false);
    }
    if (result < 0 && !copy->own && q->data_file == q->file)
        qcow2_unalloc(q, copy->host + (done << q->cluster_bits), copy->count - done);
    return result;
}

/* Where copying begins and ends: the clusters, or of one with subclusters those that are touched,
 * if the others can stay as they are. */
static void set_bounds(const struct qcow2 *q, struct qcow2_copy *copy,
                       const struct qcow2_piece *piece, struct qcow2_entry old)
{
    uint64_t unit = q->cluster_size;
    uint64_t clusters_end = (copy->first + copy->count) << q->cluster_bits;

    copy->data_start = piece->offset;
    copy->data_end = MIN(piece->offset + piece->length, clusters_end);

    if (q->subclusters > 1 && !(old.word & QCOW2_COMPRESSED) &&
        (copy->own || (old.bitmap & QCOW2_ALL_DATA) == 0))
        unit = q->subcluster_size;
    copy->start = copy->data_start & ~(unit - 1);
    copy->end = MAX(copy->data_end, MIN(piece->fill_end, clusters_end));
    copy->end = (copy->end + unit - 1) & ~(unit - 1);
}

int qcow2_write_new(struct qcow2 *q, const struct qcow2_piece *piece, uint64_t *ret_done)
{
    uint64_t first = piece->offset >> q->cluster_bits;
    uint64_t last = (piece->offset + MAX(piece->length, 1) - 1) >> q->cluster_bits;
    struct qcow2_copy copy = {.first = first};
    struct qcow2_change change;
    struct qcow2_entry old;
    int result = count_new(q, first, last - first + 1, &copy.count, &old);

    if (result < 0)
        return result;
    copy.own = (old.word & QCOW2_COPIED) && !(old.word & QCOW2_COMPRESSED);
    qcow2_change_begin(q, &change, first, copy.count);
    if (copy.own) {
        copy.host = old.word & QCOW2_OFFSET_MASK;
        result = check_place(q, copy.host, q->cluster_size);
    } else
        result = place_new(q, &copy);
    if (result == 0) {
        change.count = copy.count;
        set_bounds(q, &copy, piece, old);
        g_mutex_unlock(&q->lock);
        result = qcow2_copy_run(q, &copy, piece);
        g_mutex_lock(&q->lock);
        if (result == 0)
            result = qcow2_install(q, &copy);
        else if (!copy.own && q->data_file == q->file)
            qcow2_unalloc(q, copy.host, copy.count);
        *ret_done = copy.data_end - copy.data_start;
    }
    qcow2_change_end(q, &change);
    return result;
}

/* One extent that can be written where it is. */
static int write_in_place(struct qcow2 *q, const struct qcow2_extent *extent,
                          const struct qcow2_piece *piece, uint64_t done)
{
    struct iovec part[IMAGE_REQUEST_MAX_IOV];
    int result = check_place(q, extent->host, extent->length);
    unsigned parts;

    if (result < 0)
        return result;
    g_mutex_unlock(&q->lock);
    if (extent->length == piece->length) {
        result = file_write_all(q->data_file, piece->iov, piece->iov_count, extent->host);
    } else {
        parts = qcow2_iov_part(piece->iov, piece->iov_count, done, extent->length, part);
        result = file_write_all(q->data_file, part, parts, extent->host);
    }
    g_mutex_lock(&q->lock);
    return result;
}

bool qcow2_write_piece(struct qcow2 *q, const struct qcow2_piece *piece,
                       struct block_request *request, int *ret_result)
{
    uint64_t done = 0;
    int result = 0;

    while (done < piece->length && result == 0) {
        uint64_t offset = piece->offset + done, moved = 0;
        struct qcow2_change *change = qcow2_change_find(q, offset >> q->cluster_bits, 1);
        struct qcow2_extent extent;

        if (change != NULL) {
            g_queue_push_tail(&change->waiting, request);
            return false;
        }
        result = qcow2_lookup(q, offset, piece->length - done, &extent);
        if (result == 0 && extent.kind == QCOW2_DATA && extent.copied) {
            result = write_in_place(q, &extent, piece, done);
            moved = extent.length;
        } else if (result == 0) {
            struct qcow2_piece rest = *piece;

            rest.offset += done;
            rest.length -= done;
            rest.skip += done;
            result = qcow2_write_new(q, &rest, &moved);
        }
        if (result == -EAGAIN)
            result = 0;
        else
            done += moved;
    }
    *ret_result = result;
    return true;
}

bool qcow2_write(struct qcow2 *q, struct block_request *request, int *ret_result)
{
    const struct qcow2_piece piece = {
        .iov = request->iov,
        .iov_count = request->iov_count,
        .offset = request->offset,
        .length = request->length,
    };

    *ret_result = qcow2_prepare_change(q);
    return *ret_result < 0 || qcow2_write_piece(q, &piece, request, ret_result);
}
