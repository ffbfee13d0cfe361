/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Refcount blocks and L2 tables in memory, in slices. The lock is not held while one is read: the
 * slice is in the cache already, marked as loading, and whoever else wants it waits for it alone.
 */
#include <errno.h>
#include <string.h>

#include "disks/qcow2/qcow2.h"

#define MIN_SLICES 32

static void *key_of(uint64_t offset)
{
    return GSIZE_TO_POINTER(offset >> QCOW2_MIN_CLUSTER_BITS);
}

void qcow2_cache_init(struct qcow2 *q, uint64_t bytes)
{
    q->cache.slices = g_hash_table_new(g_direct_hash, g_direct_equal);
    q->cache.max_slices = MAX(MIN_SLICES, bytes / q->slice_size);
}

static void remove_slice(struct qcow2 *q, struct qcow2_slice *slice)
{
    g_hash_table_remove(q->cache.slices, key_of(slice->offset));
    g_queue_unlink(&q->cache.clock, &slice->clock_link);
    if (slice->dirty)
        g_queue_unlink(&q->cache.dirty[slice->table], &slice->dirty_link);
    g_free(slice->data);
    g_free(slice);
}

void qcow2_cache_finish(struct qcow2 *q)
{
    while (q->cache.clock.head != NULL)
        remove_slice(q, q->cache.clock.head->data);
    g_clear_pointer(&q->cache.slices, g_hash_table_unref);
}

static struct qcow2_slice *find_slice(struct qcow2 *q, uint64_t offset)
{
    return g_hash_table_lookup(q->cache.slices, key_of(offset));
}

static struct qcow2_slice *add_slice(struct qcow2 *q, enum qcow2_table table, uint64_t offset)
{
    struct qcow2_slice *slice = g_new0(struct qcow2_slice, 1);

    slice->offset = offset;
    slice->table = table;
    slice->data = g_malloc0(q->slice_size);
    slice->clock_link.data = slice;
    slice->dirty_link.data = slice;
    g_hash_table_insert(q->cache.slices, key_of(offset), slice);
    g_queue_push_head_link(&q->cache.clock, &slice->clock_link);
    return slice;
}

static bool is_full(const struct qcow2 *q)
{
    return g_hash_table_size(q->cache.slices) >= q->cache.max_slices;
}

static bool too_many_dirty(const struct qcow2 *q)
{
    unsigned dirty = q->cache.dirty[QCOW2_L2].length + q->cache.dirty[QCOW2_REFCOUNTS].length;

    return dirty > q->cache.max_slices / 2;
}

/* The clock algorithm: the oldest slice that was not used since the hand last passed it. */
static void evict(struct qcow2 *q)
{
    for (unsigned left = 2 * q->cache.clock.length; left > 0; left--) {
        GList *link = g_queue_pop_tail_link(&q->cache.clock);
        struct qcow2_slice *slice = link->data;

        g_queue_push_head_link(&q->cache.clock, link);
        if (!slice->used && slice->pins == 0 && !slice->dirty && !slice->loading) {
            remove_slice(q, slice);
            break;
        }
        slice->used = false;
    }
}

/* Makes room for one more. Where too many are dirty they are first brought to the disk, for which
 * the lock is let go: -EAGAIN. Who brings tables to the disk may need a slice for that itself: it
 * gets one beyond the limit. */
static int make_room(struct qcow2 *q)
{
    if (!is_full(q))
        return 0;
    if (too_many_dirty(q) && !q->syncing) {
        int result = qcow2_sync_locked(q, QCOW2_SYNC_REFCOUNTS);

        return result < 0 ? result : -EAGAIN;
    }
    evict(q);
    return 0;
}

static int read_now(struct qcow2 *q, struct qcow2_slice *slice)
{
    const struct iovec iov = {slice->data, q->slice_size};

    return file_read_now(q->file, &iov, 1, slice->offset) ? 0 : -EAGAIN;
}

static int read_slice(struct qcow2 *q, struct qcow2_slice *slice)
{
    return file_read_buffer(q->file, slice->data, q->slice_size, slice->offset);
}

/* Fills a new slice, for which the lock is let go. Having failed it is gone. */
static int load(struct qcow2 *q, struct qcow2_slice *slice,
                int (*read)(struct qcow2 *q, struct qcow2_slice *slice))
{
    int result;

    slice->loading = true;
    slice->pins++;
    g_mutex_unlock(&q->lock);
    result = read(q, slice);
    g_mutex_lock(&q->lock);
    slice->loading = false;
    slice->pins--;
    if (slice->awaited)
        g_cond_broadcast(&q->changed);
    slice->awaited = false;
    /* Others that wait for it look it up again, and find it gone. */
    if (result < 0)
        remove_slice(q, slice);
    return result;
}

static int pin(struct qcow2 *q, struct qcow2_slice *slice, enum qcow2_table table,
               struct qcow2_slice **ret_slice)
{
    if (slice->table != table)
        return qcow2_corrupt(q, "a table is in use as two kinds", slice->offset);
    slice->used = true;
    slice->pins++;
    *ret_slice = slice;
    return 0;
}

int qcow2_cache_get(struct qcow2 *q, enum qcow2_table table, uint64_t offset,
                    struct qcow2_slice **ret_slice)
{
    struct qcow2_slice *slice = find_slice(q, offset);
    int result;

    if (slice == NULL) {
        result = make_room(q);
        if (result == 0)
            result = load(q, add_slice(q, table, offset), read_slice);
        return result < 0 ? result : -EAGAIN;
    }
    if (slice->loading) {
        slice->awaited = true;
        g_cond_wait(&q->changed, &q->lock);
        return -EAGAIN;
    }
    return pin(q, slice, table, ret_slice);
}

int qcow2_cache_get_now(struct qcow2 *q, enum qcow2_table table, uint64_t offset,
                        struct qcow2_slice **ret_slice)
{
    struct qcow2_slice *slice = find_slice(q, offset);

    if (slice != NULL)
        return slice->loading ? -EBUSY : pin(q, slice, table, ret_slice);
    if (q->file->ops->read_now == NULL || (is_full(q) && too_many_dirty(q)))
        return -EBUSY;
    if (is_full(q))
        evict(q);
    return load(q, add_slice(q, table, offset), read_now) < 0 ? -EBUSY : -EAGAIN;
}

struct qcow2_slice *qcow2_cache_new(struct qcow2 *q, enum qcow2_table table, uint64_t offset)
{
    struct qcow2_slice *slice = find_slice(q, offset);

    if (slice == NULL) {
        slice = add_slice(q, table, offset);
    } else {
        if (slice->dirty)
            qcow2_cache_clean(q, slice);
        memset(slice->data, 0, q->slice_size);
        slice->table = table;
    }
    slice->pins++;
    qcow2_cache_dirty(q, slice);
    return slice;
}

void qcow2_cache_put(struct qcow2 *q, struct qcow2_slice *slice)
{
    slice->pins--;
}

void qcow2_cache_dirty(struct qcow2 *q, struct qcow2_slice *slice)
{
    if (slice->dirty)
        return;
    slice->dirty = true;
    g_queue_push_tail_link(&q->cache.dirty[slice->table], &slice->dirty_link);
}

void qcow2_cache_clean(struct qcow2 *q, struct qcow2_slice *slice)
{
    slice->dirty = false;
    g_queue_unlink(&q->cache.dirty[slice->table], &slice->dirty_link);
}

void qcow2_cache_forget(struct qcow2 *q, uint64_t offset, uint64_t length)
{
    /* Whichever is less: all slices of the range, or all that there are. */
    if (length / q->slice_size <= g_hash_table_size(q->cache.slices)) {
        for (uint64_t at = offset; at < offset + length; at += q->slice_size) {
            struct qcow2_slice *slice = find_slice(q, at);

            if (slice != NULL && slice->pins == 0)
                remove_slice(q, slice);
        }
        return;
    }
    for (GList *link = q->cache.clock.head; link != NULL;) {
        struct qcow2_slice *slice = link->data;

        link = link->next;
        if (slice->pins == 0 && slice->offset >= offset && slice->offset < offset + length)
            remove_slice(q, slice);
    }
}

static void drop(struct qcow2 *q, bool l2_only)
{
    for (GList *link = q->cache.clock.head; link != NULL;) {
        struct qcow2_slice *slice = link->data;

        link = link->next;
        if (slice->pins == 0 && !slice->dirty && !slice->loading &&
            (!l2_only || slice->table == QCOW2_L2))
            remove_slice(q, slice);
    }
}

void qcow2_cache_drop_clean(struct qcow2 *q)
{
    drop(q, false);
}

void qcow2_cache_drop_tables(struct qcow2 *q)
{
    drop(q, true);
}
