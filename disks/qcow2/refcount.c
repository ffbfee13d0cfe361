/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Section "Host cluster management": refcounts, and the blocks and the table that hold them. */
#include <errno.h>

#include "disks/bytes.h"
#include "disks/qcow2/qcow2.h"

uint64_t qcow2_refcount_load(const struct qcow2 *q, const uint8_t *table, uint64_t index)
{
    unsigned bits = 1U << q->refcount_order, shift;

    switch (q->refcount_order) {
    case 3:
        return table[index];
    case 4:
        return get_be16(table + index * 2);
    case 5:
        return get_be32(table + index * 4);
    case 6:
        return get_be64(table + index * 8);
    default:
        shift = index * bits % 8;
        return table[index * bits / 8] >> shift & ((1U << bits) - 1);
    }
}

void qcow2_refcount_store(const struct qcow2 *q, uint8_t *table, uint64_t index, uint64_t value)
{
    unsigned bits = 1U << q->refcount_order, shift;
    uint8_t *byte;

    switch (q->refcount_order) {
    case 3:
        table[index] = value;
        break;
    case 4:
        put_be16(table + index * 2, value);
        break;
    case 5:
        put_be32(table + index * 4, value);
        break;
    case 6:
        put_be64(table + index * 8, value);
        break;
    default:
        shift = index * bits % 8;
        byte = &table[index * bits / 8];
        *byte = (*byte & ~(((1U << bits) - 1) << shift)) | value << shift;
    }
}

static uint64_t block_of(const struct qcow2 *q, uint64_t cluster)
{
    uint64_t block = cluster >> q->block_bits;

    return block < q->reftable_entries ? q->reftable[block] & QCOW2_REFTABLE_MASK : 0;
}

/* The slice with the refcount of a cluster, pinned; NULL: there is no block. */
static int get_slice(struct qcow2 *q, uint64_t cluster, struct qcow2_slice **ret_slice,
                     uint64_t *ret_index)
{
    uint64_t index = cluster & ((1ULL << q->block_bits) - 1);
    uint64_t byte = (index << q->refcount_order) / 8, first;
    uint64_t block = block_of(q, cluster);
    uint64_t slice_offset = byte / q->slice_size * q->slice_size;

    *ret_slice = NULL;
    first = (slice_offset * 8) >> q->refcount_order;
    *ret_index = index - first;
    if (block == 0)
        return 0;
    if (block % q->cluster_size != 0)
        return qcow2_corrupt(q, "a refcount block is not aligned to clusters", block);
    return qcow2_cache_get(q, QCOW2_REFCOUNTS, block + slice_offset, ret_slice);
}

int qcow2_refcount_get(struct qcow2 *q, uint64_t cluster, uint64_t *ret_refcount)
{
    struct qcow2_slice *slice;
    uint64_t index;
    int result;

    do
        result = get_slice(q, cluster, &slice, &index);
    while (result == -EAGAIN);
    if (result < 0)
        return result;
    *ret_refcount = 0;
    if (slice != NULL) {
        *ret_refcount = qcow2_refcount_load(q, slice->data, index);
        qcow2_cache_put(q, slice);
    }
    return 0;
}

int qcow2_refcount_find_free(struct qcow2 *q, uint64_t cluster, uint64_t *ret_free)
{
    uint64_t per_slice = ((uint64_t)q->slice_size * 8) >> q->refcount_order, index;
    struct qcow2_slice *slice;
    int result;

    do
        result = get_slice(q, cluster, &slice, &index);
    while (result == -EAGAIN);
    if (result < 0)
        return result;
    if (slice != NULL) {
        for (; index < per_slice && qcow2_refcount_load(q, slice->data, index) != 0; index++)
            cluster++;
        qcow2_cache_put(q, slice);
    }
    *ret_free = cluster;
    return 0;
}

uint64_t qcow2_reftable_room(const struct qcow2 *q, uint64_t entries)
{
    uint64_t clusters = entries * 8 >> q->cluster_bits;

    /* And the blocks that count it. */
    return clusters + (clusters >> q->block_bits) + 2;
}

static int reserve_entry(struct qcow2 *q, uint64_t block)
{
    uint64_t entries = q->reftable_entries;
    uint64_t *table;

    if (block < entries)
        return 0;
    /* Half as many again, so that it seldom moves. */
    entries = MAX(block + 1, entries + entries / 2);
    entries = (entries * 8 + q->cluster_size - 1) / q->cluster_size * q->cluster_size / 8;
    if (block >= QCOW2_MAX_REFTABLE_BYTES / 8)
        return -EFBIG;
    entries = MIN(entries, QCOW2_MAX_REFTABLE_BYTES / 8);
    if (q->file->fixed_size &&
        (q->high_water + 1 + qcow2_reftable_room(q, entries)) << q->cluster_bits > q->file_length)
        return -ENOSPC;
    table = g_try_realloc_n(q->reftable, entries, sizeof(*table));
    if (table == NULL)
        return -ENOMEM;
    memset(table + q->reftable_entries, 0, (entries - q->reftable_entries) * sizeof(*table));
    q->reftable = table;
    q->reftable_entries = entries;
    q->reftable_move = true;
    return 0;
}

/* A block for the region at the high water mark: it holds its own refcount, or that is in a block
 * there is already. */
static int add_block(struct qcow2 *q, uint64_t block)
{
    uint64_t per_block = 1ULL << q->block_bits, home = q->high_water;
    bool own = home >> q->block_bits == block;
    struct qcow2_slice *slice = NULL, *part;
    uint64_t index, offset = home << q->cluster_bits;
    int result = reserve_entry(q, block);

    if (result == 0)
        result = qcow2_extend_file(q, home + 1);
    if (result < 0)
        return result;
    if (home != q->high_water)
        return -EAGAIN;
    if (!own) {
        result = get_slice(q, home, &slice, &index);
        if (result < 0)
            return result;
        if (slice == NULL)
            return -EIO; /* the caller has seen to it */
        qcow2_refcount_store(q, slice->data, index, 1);
        qcow2_cache_dirty(q, slice);
        qcow2_cache_put(q, slice);
    }
    q->high_water++;
    for (uint64_t at = 0; at < q->cluster_size; at += q->slice_size) {
        part = qcow2_cache_new(q, QCOW2_REFCOUNTS, offset + at);
        index = home & (per_block - 1);
        if (own && (index << q->refcount_order) / 8 / q->slice_size == at / q->slice_size)
            qcow2_refcount_store(q, part->data, index - (at * 8 >> q->refcount_order), 1);
        qcow2_cache_put(q, part);
    }
    qcow2_reftable_set(q, block, offset);
    return 0;
}

int qcow2_refcount_cover(struct qcow2 *q, uint64_t cluster)
{
    int result = 0;

    while (result == 0 || result == -EAGAIN) {
        uint64_t home = q->high_water >> q->block_bits, block = cluster >> q->block_bits;

        if (block_of(q, cluster) != 0)
            return 0;
        if (home != block && block_of(q, q->high_water) == 0)
            block = home;
        result = add_block(q, block);
    }
    return result;
}

/* It is nobody's now. */
static void cluster_is_free(struct qcow2 *q, uint64_t cluster)
{
    q->free_hint = MIN(q->free_hint, cluster);
    if (q->compressed_end >> q->cluster_bits == cluster)
        q->compressed_end = 0;
}

int qcow2_refcount_set(struct qcow2 *q, uint64_t cluster, uint64_t refcount)
{
    struct qcow2_slice *slice;
    uint64_t index;
    int result;

    if (refcount > q->max_refcount)
        return -EOVERFLOW;
    do {
        result = refcount > 0 ? qcow2_refcount_cover(q, cluster) : 0;
        if (result == 0)
            result = get_slice(q, cluster, &slice, &index);
    } while (result == -EAGAIN);
    if (result < 0 || slice == NULL)
        return result;
    qcow2_refcount_store(q, slice->data, index, refcount);
    qcow2_cache_dirty(q, slice);
    qcow2_cache_put(q, slice);
    if (refcount == 0)
        cluster_is_free(q, cluster);
    else
        q->high_water = MAX(q->high_water, cluster + 1);
    return 0;
}

/* Changes the refcounts of up to `count` clusters that lie in one slice. *ret_done: how many were,
 * also on failure. */
static int add_in_slice(struct qcow2 *q, uint64_t cluster, uint64_t count, int64_t delta,
                        uint64_t *ret_done)
{
    uint64_t per_slice = ((uint64_t)q->slice_size * 8) >> q->refcount_order, index, done = 0;
    struct qcow2_slice *slice;
    int result;

    *ret_done = 0;
    do {
        result = delta > 0 ? qcow2_refcount_cover(q, cluster) : 0;
        if (result == 0)
            result = get_slice(q, cluster, &slice, &index);
    } while (result == -EAGAIN);
    if (result < 0)
        return result;
    if (slice == NULL)
        return qcow2_corrupt(q, "a cluster in use has no refcount", cluster << q->cluster_bits);
    count = MIN(count, per_slice - index);
    for (; done < count && result == 0; done++) {
        uint64_t refcount = qcow2_refcount_load(q, slice->data, index + done);

        if (delta < 0 && refcount < (uint64_t)-delta)
            result = qcow2_corrupt(q, "a cluster is in use but counted as free",
                                   (cluster + done) << q->cluster_bits);
        else if (delta > 0 && refcount > q->max_refcount - delta)
            result = -EOVERFLOW;
        if (result < 0)
            break;
        qcow2_refcount_store(q, slice->data, index + done, refcount + delta);
        if (refcount + delta == 0)
            cluster_is_free(q, cluster + done);
    }
    if (done > 0)
        qcow2_cache_dirty(q, slice);
    qcow2_cache_put(q, slice);
    *ret_done = done;
    return result;
}

static int add_range(struct qcow2 *q, uint64_t cluster, uint64_t count, int64_t delta,
                     uint64_t *ret_done)
{
    uint64_t done = 0, step;
    int result = 0;

    while (done < count && result == 0) {
        result = add_in_slice(q, cluster + done, count - done, delta, &step);
        done += step;
    }
    *ret_done = done;
    return result;
}

int qcow2_refcount_add(struct qcow2 *q, uint64_t cluster, uint64_t count, int64_t delta)
{
    uint64_t done, undone;
    int result = add_range(q, cluster, count, delta, &done);

    /* As if nothing had been done. */
    if (result < 0)
        add_range(q, cluster, done, -delta, &undone);
    return result;
}

int qcow2_refcount_is_one(struct qcow2 *q, uint64_t cluster, struct qcow2_slice **slice,
                          bool *ret_one)
{
    uint64_t index = cluster & ((1ULL << q->block_bits) - 1);
    uint64_t slice_offset = (index << q->refcount_order) / 8 / q->slice_size * q->slice_size;
    uint64_t block = block_of(q, cluster);
    int result = 0;

    if (*slice == NULL || (*slice)->offset != block + slice_offset) {
        if (*slice != NULL)
            qcow2_cache_put(q, *slice);
        do
            result = get_slice(q, cluster, slice, &index);
        while (result == -EAGAIN);
        if (result < 0)
            *slice = NULL;
    } else
        index -= (slice_offset * 8) >> q->refcount_order;
    *ret_one = *slice != NULL && qcow2_refcount_load(q, (*slice)->data, index) == 1;
    return result;
}
