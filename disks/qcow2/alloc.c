/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which clusters of the file are given to whom. In memory alone: sync.c brings it to the
 * disk.
 */
#include <errno.h>

#include "disks/bytes.h"
#include "disks/qcow2/qcow2.h"

#define EXTEND_MIN (1024 * 1024)
#define EXTEND_MAX (64 * 1024 * 1024)

/* In steps, so that the file system seldom has to. What is left over is cut off when the image is
 * closed. */
int qcow2_extend_file(struct qcow2 *q, uint64_t cluster)
{
    uint64_t end = cluster << q->cluster_bits, kept = 0, length, step;
    int result = 0;

    if (cluster > (uint64_t)INT64_MAX >> q->cluster_bits)
        return -EFBIG;
    if (q->file->fixed_size && q->reftable_move && !q->reftable_placing)
        kept = qcow2_reftable_room(q, q->reftable_entries) << q->cluster_bits;
    if (end + kept <= q->file_length)
        return 0;
    if (q->file->fixed_size)
        return -ENOSPC;
    step = CLAMP(q->file_length / 4, EXTEND_MIN, EXTEND_MAX);
    length = (end + step - 1) / step * step;
    result = q->file->ops->truncate(q->file, length);
    if (result < 0 && length > end) {
        length = end;
        result = q->file->ops->truncate(q->file, length);
    }
    if (result == 0)
        q->file_length = length;
    return result;
}

/* The run of free clusters that begins at `first`, in the slice that has its refcount. */
static int take_run(struct qcow2 *q, uint64_t first, uint64_t wanted, uint64_t *ret_taken)
{
    uint64_t taken = 0;
    int result = qcow2_refcount_cover(q, first);

    while (result == 0 && taken < wanted) {
        uint64_t refcount;

        /* Past the first one only as long as nothing has to be read for it. */
        if (taken > 0 && (first + taken) % (q->slice_size * 8 >> q->refcount_order) == 0)
            break;
        result = qcow2_refcount_get(q, first + taken, &refcount);
        if (result < 0 || refcount != 0)
            break;
        result = qcow2_refcount_set(q, first + taken, 1);
        if (result == 0)
            taken++;
    }
    *ret_taken = taken;
    return taken > 0 ? 0 : result;
}

static bool meets(uint64_t offset, uint64_t length, uint64_t table, uint64_t table_length)
{
    return table_length > 0 && table < offset + length && offset < table + table_length;
}

bool qcow2_is_main_table(const struct qcow2 *q, uint64_t offset, uint64_t length)
{
    const struct qcow2_header *header = &q->header;

    return meets(offset, length, 0, q->cluster_size) ||
           meets(offset, length, header->l1_offset, (uint64_t)header->l1_size * 8) ||
           meets(offset, length, header->reftable_offset,
                 (uint64_t)header->reftable_clusters << q->cluster_bits);
}

/* The same for the tables of snapshots, and those that the main ones lead to. */
static bool is_other_table(const struct qcow2 *q, uint64_t offset, uint64_t length)
{
    /* What there is of the file, whatever room its refcount table has. */
    uint64_t blocks = MIN(q->reftable_entries, (q->high_water >> q->block_bits) + 1);

    if (meets(offset, length, q->header.snapshots_offset, q->snapshots_stored))
        return true;
    for (guint i = 0; i < q->snapshots->len; i++) {
        const struct qcow2_snapshot *snapshot = q->snapshots->pdata[i];

        if (meets(offset, length, snapshot->l1_offset, (uint64_t)snapshot->l1_size * 8))
            return true;
    }
    /* They have a cluster each; no entry means the one at 0. */
    for (uint64_t i = 0; i < blocks; i++)
        if ((q->reftable[i] & QCOW2_REFTABLE_MASK) - offset < length)
            return true;
    for (uint32_t i = 0; i < q->header.l1_size; i++)
        if ((q->l1[i] & QCOW2_OFFSET_MASK) - offset < length)
            return true;
    return false;
}

/* What lies before the end of the file may be counted as free and be in use. */
static int check_taken(struct qcow2 *q, uint64_t first, uint64_t taken)
{
    uint64_t offset = first << q->cluster_bits, length = taken << q->cluster_bits;

    if (!qcow2_is_main_table(q, offset, length) && !is_other_table(q, offset, length))
        return 0;
    qcow2_unalloc(q, offset, taken);
    return qcow2_corrupt(q, "a table is counted as free", offset);
}

int qcow2_alloc(struct qcow2 *q, uint64_t wanted, uint64_t *ret_offset, uint64_t *ret_count,
                bool *ret_fresh)
{
    for (;;) {
        uint64_t hint = q->free_hint, first = hint, taken = 0, high_water = q->high_water;
        bool fresh = first >= high_water;
        int result;

        if (fresh) {
            first = high_water;
            result = qcow2_refcount_cover(q, first);
            if (result == 0 && q->high_water != high_water)
                continue; /* a refcount block went there */
            if (result == 0)
                result = qcow2_extend_file(q, first + wanted);
            if (result < 0 && wanted > 1)
                result = qcow2_extend_file(q, first + (wanted = 1));
        } else {
            result = qcow2_refcount_find_free(q, first, &first);
            if (result == 0 && first != hint) {
                if (q->free_hint == hint)
                    q->free_hint = first;
                continue;
            }
            wanted = MIN(wanted, high_water - first);
        }
        if (result == 0)
            result = take_run(q, first, wanted, &taken);
        if (result < 0)
            return result;
        if (taken == 0) {
            /* Counted past the end of the file, or taken while something was read. */
            if (fresh)
                q->high_water = MAX(q->high_water, first + 1);
            if (q->free_hint == hint)
                q->free_hint = MAX(hint, first + 1);
            continue;
        }
        /* What was freed meanwhile lies before it, and must be found again. */
        if (q->free_hint == hint)
            q->free_hint = first + taken;
        *ret_offset = first << q->cluster_bits;
        *ret_count = taken;
        *ret_fresh = fresh && !q->file->fixed_size;
        return *ret_fresh ? 0 : check_taken(q, first, taken);
    }
}

int qcow2_alloc_table(struct qcow2 *q, uint64_t count, uint64_t *ret_offset)
{
    uint64_t first, done = 0;
    int result = 0;

    do {
        first = q->high_water;
        for (uint64_t at = 0; at < count && result == 0 && q->high_water == first;
             at += 1ULL << q->block_bits)
            result = qcow2_refcount_cover(q, first + at);
        if (result == 0 && q->high_water == first)
            result = qcow2_refcount_cover(q, first + count - 1);
    } while (result == 0 && q->high_water != first);
    if (result == 0)
        result = qcow2_extend_file(q, first + count);
    if (result < 0)
        return result;
    for (; done < count && result == 0; done++)
        result = qcow2_refcount_set(q, first + done, 1);
    if (result < 0) {
        while (done-- > 0)
            qcow2_refcount_set(q, first + done, 0);
        return result;
    }
    *ret_offset = first << q->cluster_bits;
    return 0;
}

void qcow2_free(struct qcow2 *q, uint64_t offset, uint64_t count, bool discard)
{
    struct qcow2_free_run *run = q->frees.tail != NULL ? q->frees.tail->data : NULL;

    if (run != NULL && run->offset + (run->count << q->cluster_bits) == offset &&
        run->epoch == q->epoch && run->discard == discard) {
        run->count += count;
        return;
    }
    run = g_new(struct qcow2_free_run, 1);
    *run = (struct qcow2_free_run){offset, count, q->epoch, discard};
    g_queue_push_tail(&q->frees, run);
}

void qcow2_free_compressed(struct qcow2 *q, uint64_t entry)
{
    uint64_t offset, size, first;

    qcow2_compressed_place(q, entry, &offset, &size);
    first = offset & ~(q->cluster_size - 1);
    qcow2_free(q, first, qcow2_clusters(q, offset + size - first), false);
}

int qcow2_unalloc(struct qcow2 *q, uint64_t offset, uint64_t count)
{
    return qcow2_refcount_add(q, offset >> q->cluster_bits, count, -1);
}

/* Gives the space of a run back before the clusters can be had again. Not being able to is no
 * failure. */
static void discard_run(struct qcow2 *q, const struct qcow2_free_run *run)
{
    uint64_t cluster = run->offset >> q->cluster_bits;
    struct qcow2_slice *slice = NULL;
    int result = 0;

    for (uint64_t done = 0, count; done < run->count && result == 0; done += MAX(count, 1)) {
        bool last_user = true;

        for (count = 0; done + count < run->count; count++) {
            result = qcow2_refcount_is_one(q, cluster + done + count, &slice, &last_user);
            if (result < 0 || !last_user)
                break;
        }
        if (count == 0)
            continue;
        g_mutex_unlock(&q->lock);
        q->file->ops->discard(q->file, run->offset + (done << q->cluster_bits),
                              count << q->cluster_bits);
        g_mutex_lock(&q->lock);
    }
    if (slice != NULL)
        qcow2_cache_put(q, slice);
}

static int free_run(struct qcow2 *q, const struct qcow2_free_run *run)
{
    if (run->discard)
        discard_run(q, run);
    qcow2_cache_forget(q, run->offset, run->count << q->cluster_bits);
    return qcow2_refcount_add(q, run->offset >> q->cluster_bits, run->count, -1);
}

int qcow2_free_now(struct qcow2 *q, uint64_t offset, uint64_t count)
{
    return free_run(q, &(struct qcow2_free_run){offset, count, 0, true});
}

int qcow2_frees_apply(struct qcow2 *q)
{
    int result = 0;

    while (q->ready_frees.head != NULL && result == 0) {
        struct qcow2_free_run *run = q->ready_frees.head->data;

        if (!qcow2_users_ended(q, run->epoch))
            break;
        g_queue_pop_head(&q->ready_frees);
        result = free_run(q, run);
        g_free(run);
    }
    return result;
}
