/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Section "Cluster mapping": from guest offsets to offsets in the file. */
#include <errno.h>

#include "disks/bytes.h"
#include "disks/qcow2/qcow2.h"

struct qcow2_entry qcow2_entry_load(const struct qcow2 *q, const uint8_t *table, unsigned index)
{
    const uint8_t *at = table + index * q->l2_entry_size;
    struct qcow2_entry entry = {get_be64(at), 0};

    if (q->subclusters > 1)
        entry.bitmap = get_be64(at + 8);
    return entry;
}

void qcow2_entry_store(const struct qcow2 *q, uint8_t *table, unsigned index,
                       struct qcow2_entry entry)
{
    uint8_t *at = table + index * q->l2_entry_size;

    put_be64(at, entry.word);
    if (q->subclusters > 1)
        put_be64(at + 8, entry.bitmap);
}

enum qcow2_kind qcow2_entry_kind(const struct qcow2 *q, struct qcow2_entry entry,
                                 unsigned subcluster)
{
    bool placed = (entry.word & QCOW2_OFFSET_MASK) != 0, zero;

    if (entry.word & QCOW2_COMPRESSED)
        return QCOW2_DEFLATED;
    /* In an external file the first cluster is at 0. */
    if (!placed && q->data_file != q->file)
        placed = (entry.word & QCOW2_COPIED) != 0;
    if (q->subclusters > 1) {
        zero = entry.bitmap >> (32 + subcluster) & 1;
        if (!zero && (!placed || !(entry.bitmap >> subcluster & 1)))
            return QCOW2_UNALLOCATED;
    } else {
        zero = q->header.version >= 3 && (entry.word & QCOW2_ZERO);
        if (!zero && !placed)
            return QCOW2_UNALLOCATED;
    }
    if (zero)
        return placed ? QCOW2_ZEROS_KEPT : QCOW2_ZEROS;
    return QCOW2_DATA;
}

void qcow2_compressed_place(const struct qcow2 *q, uint64_t entry, uint64_t *ret_offset,
                            uint64_t *ret_size)
{
    unsigned shift = 62 - (q->cluster_bits - 8);
    uint64_t sectors = (entry & (QCOW2_COMPRESSED - 1)) >> shift;

    *ret_offset = entry & ((1ULL << shift) - 1);
    *ret_size = (sectors + 1) * IMAGE_SECTOR_SIZE - *ret_offset % IMAGE_SECTOR_SIZE;
}

void qcow2_entry_release(struct qcow2 *q, struct qcow2_entry entry, bool discard)
{
    enum qcow2_kind kind = qcow2_entry_kind(q, entry, 0);
    uint64_t host = entry.word & QCOW2_OFFSET_MASK;

    if (kind == QCOW2_DEFLATED)
        qcow2_free_compressed(q, entry.word);
    else if (host != 0 && q->data_file == q->file)
        qcow2_free(q, host, 1, discard); /* an external file's clusters are not counted */
}

/* The L2 table of a guest cluster; 0: there is none. */
static uint64_t table_of(const struct qcow2 *q, uint64_t guest_cluster)
{
    uint64_t l1_index = guest_cluster >> q->l2_bits;

    return l1_index < q->header.l1_size ? q->l1[l1_index] & QCOW2_OFFSET_MASK : 0;
}

/* Where in its table the slice with the cluster's entry begins. */
static uint64_t slice_of(const struct qcow2 *q, uint64_t guest_cluster)
{
    uint64_t index = guest_cluster & ((1ULL << q->l2_bits) - 1);

    return index / qcow2_slice_entries(q) * q->slice_size;
}

typedef int slice_getter(struct qcow2 *q, enum qcow2_table table, uint64_t offset,
                         struct qcow2_slice **ret_slice);

static inline int get(struct qcow2 *q, uint64_t guest_cluster, slice_getter *get_slice,
                      struct qcow2_slice **ret_slice, unsigned *ret_index)
{
    uint64_t table = table_of(q, guest_cluster);

    *ret_slice = NULL;
    *ret_index = guest_cluster % qcow2_slice_entries(q);
    if (table == 0)
        return 0;
    if (table % q->cluster_size != 0)
        return qcow2_corrupt(q, "an L2 table is not aligned to clusters", table);
    return get_slice(q, QCOW2_L2, table + slice_of(q, guest_cluster), ret_slice);
}

int qcow2_l2_get(struct qcow2 *q, uint64_t guest_cluster, struct qcow2_slice **ret_slice,
                 unsigned *ret_index)
{
    return get(q, guest_cluster, qcow2_cache_get, ret_slice, ret_index);
}

/* A new table for a guest range that has none. */
static int make_table(struct qcow2 *q, uint64_t l1_index)
{
    uint64_t before = q->l1[l1_index], offset, count;
    bool fresh;
    int result = qcow2_alloc(q, 1, &offset, &count, &fresh);

    if (result < 0)
        return result;
    if (q->l1[l1_index] != before)
        return qcow2_unalloc(q, offset, 1); /* somebody else was faster */
    /* What is fresh reads as zeros already. */
    for (uint64_t at = 0; at < q->cluster_size && !fresh; at += q->slice_size)
        qcow2_cache_put(q, qcow2_cache_new(q, QCOW2_L2, offset + at));
    qcow2_l1_set(q, l1_index, offset | QCOW2_COPIED);
    return 0;
}

/* A copy of a table that a snapshot has too. Nobody changes such a table, so that it is on the
 * disk as it is. */
static int copy_table(struct qcow2 *q, uint64_t l1_index)
{
    uint64_t before = q->l1[l1_index], old = before & QCOW2_OFFSET_MASK, offset, count;
    uint8_t *table;
    bool fresh;
    int result = old % q->cluster_size == 0
                     ? 0
                     : qcow2_corrupt(q, "an L2 table is not aligned to clusters", old);

    if (result == 0)
        result = qcow2_alloc(q, 1, &offset, &count, &fresh);
    if (result < 0)
        return result;
    table = g_malloc(q->cluster_size);
    g_mutex_unlock(&q->lock);
    result = file_read_buffer(q->file, table, q->cluster_size, old);
    g_mutex_lock(&q->lock);
    if (result < 0 || q->l1[l1_index] != before) {
        int undone = qcow2_unalloc(q, offset, 1);

        g_free(table);
        return result < 0 ? result : undone;
    }
    for (uint64_t at = 0; at < q->cluster_size; at += q->slice_size) {
        struct qcow2_slice *slice = qcow2_cache_new(q, QCOW2_L2, offset + at);

        memcpy(slice->data, table + at, q->slice_size);
        qcow2_cache_put(q, slice);
    }
    g_free(table);
    qcow2_l1_set(q, l1_index, offset | QCOW2_COPIED);
    qcow2_free(q, old, 1, false);
    return 0;
}

int qcow2_l2_get_for_change(struct qcow2 *q, uint64_t guest_cluster, struct qcow2_slice **ret_slice,
                            unsigned *ret_index)
{
    uint64_t l1_index = guest_cluster >> q->l2_bits;
    int result = 0;

    if (l1_index >= q->header.l1_size)
        return -EINVAL;
    while (result == 0 || result == -EAGAIN) {
        uint64_t entry = q->l1[l1_index];

        if ((entry & QCOW2_OFFSET_MASK) == 0) {
            result = make_table(q, l1_index);
        } else if (!(entry & QCOW2_COPIED)) {
            result = copy_table(q, l1_index);
        } else {
            result = qcow2_l2_get(q, guest_cluster, ret_slice, ret_index);
            if (result == 0)
                return 0;
        }
    }
    return result;
}

/* The entry's extent from `offset` on, inside its (sub)cluster. */
static int describe(struct qcow2 *q, struct qcow2_entry entry, uint64_t offset,
                    struct qcow2_extent *extent)
{
    uint64_t inside = offset & (q->cluster_size - 1), host = entry.word & QCOW2_OFFSET_MASK;
    enum qcow2_kind kind = qcow2_entry_kind(q, entry, inside / q->subcluster_size);

    *extent = (struct qcow2_extent){
        .kind = kind,
        .length = q->subcluster_size - (offset & (q->subcluster_size - 1)),
        .copied = entry.word & QCOW2_COPIED,
    };
    if (kind == QCOW2_DEFLATED) {
        extent->length = q->cluster_size - inside;
        extent->host = entry.word;
        extent->copied = false;
        return q->data_file == q->file
                   ? 0
                   : qcow2_corrupt(q, "compressed data with an external data file", offset);
    }
    extent->has_host = host != 0 || (q->data_file != q->file && extent->copied);
    if (!extent->has_host)
        return 0;
    if (host % q->cluster_size != 0)
        return qcow2_corrupt(q, "a cluster is not aligned", host);
    extent->cluster_host = host;
    extent->host = host + inside;
    return 0;
}

static bool follows(const struct qcow2_extent *extent, const struct qcow2_extent *next)
{
    if (extent->kind != next->kind || extent->kind == QCOW2_DEFLATED ||
        extent->copied != next->copied || extent->has_host != next->has_host)
        return false;
    return !extent->has_host || next->host == extent->host + extent->length;
}

static inline int lookup(struct qcow2 *q, uint64_t offset, uint64_t length, slice_getter *get_slice,
                         struct qcow2_extent *ret_extent)
{
    uint64_t guest_cluster = offset >> q->cluster_bits, at;
    struct qcow2_extent extent, next;
    struct qcow2_slice *slice;
    unsigned index;
    int result = get(q, guest_cluster, get_slice, &slice, &index);

    if (result < 0)
        return result;
    if (slice == NULL) {
        uint64_t span = 1ULL << (q->l2_bits + q->cluster_bits);

        *ret_extent = (struct qcow2_extent){.kind = QCOW2_UNALLOCATED,
                                            .length = MIN(length, span - (offset & (span - 1)))};
        return 0;
    }
    result = describe(q, qcow2_entry_load(q, slice->data, index), offset, &extent);
    while (result == 0 && extent.length < length) {
        at = offset + extent.length;
        index += (at >> q->cluster_bits) - guest_cluster;
        guest_cluster = at >> q->cluster_bits;
        if (index >= qcow2_slice_entries(q))
            break;
        result = describe(q, qcow2_entry_load(q, slice->data, index), at, &next);
        if (result < 0 || !follows(&extent, &next))
            break;
        extent.length += next.length;
    }
    qcow2_cache_put(q, slice);
    extent.length = MIN(extent.length, length);
    *ret_extent = extent;
    return result;
}

int qcow2_lookup(struct qcow2 *q, uint64_t offset, uint64_t length, struct qcow2_extent *ret_extent)
{
    return lookup(q, offset, length, qcow2_cache_get, ret_extent);
}

int qcow2_lookup_now(struct qcow2 *q, uint64_t offset, uint64_t length,
                     struct qcow2_extent *ret_extent)
{
    int result;

    do
        result = lookup(q, offset, length, qcow2_cache_get_now, ret_extent);
    while (result == -EAGAIN);
    return result;
}
