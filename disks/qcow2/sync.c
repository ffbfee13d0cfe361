/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Brings the tables to the disk, in the order that qcow2.h shows. */
#include <errno.h>

#include "core/log.h"
#include "disks/bytes.h"
#include "disks/io_context.h"
#include "disks/qcow2/qcow2.h"

#define TABLE_SECTOR 512 /* bytes of the L1 and refcount tables that are written together */
#define SECTOR_ENTRIES (TABLE_SECTOR / 8)

/* A piece of a table as it was when the sync began. */
struct piece {
    uint64_t offset;
    uint8_t *data;
    size_t size;
    struct qcow2_slice *slice; /* pinned; NULL: not of the cache */
    uint64_t sector;           /* of the L1 or refcount table */
};

struct pieces {
    GArray *refcounts, *reftable, *l2, *l1;
    uint64_t reftable_offset; /* its new place; 0: it stays */
    uint64_t reftable_clusters;
    uint64_t old_reftable, old_reftable_clusters;
};

static void take_slices(struct qcow2 *q, enum qcow2_table table, GArray *out)
{
    while (q->cache.dirty[table].head != NULL) {
        struct qcow2_slice *slice = q->cache.dirty[table].head->data;
        struct piece piece = {
            .offset = slice->offset,
            .data = g_memdup2(slice->data, q->slice_size),
            .size = q->slice_size,
            .slice = slice,
        };

        slice->pins++;
        qcow2_cache_clean(q, slice);
        g_array_append_val(out, piece);
    }
}

static void take_sectors(GHashTable *dirty, const uint64_t *table, uint64_t entries,
                         uint64_t offset, GArray *out)
{
    GHashTableIter iter;
    void *key;

    g_hash_table_iter_init(&iter, dirty);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        uint64_t sector = GPOINTER_TO_SIZE(key), first = sector * SECTOR_ENTRIES;
        uint64_t count = first < entries ? MIN(entries - first, SECTOR_ENTRIES) : 0;
        /* The whole sector, which a crash leaves either as it was or as it becomes. */
        struct piece piece = {.offset = offset + sector * TABLE_SECTOR,
                              .data = g_malloc0(TABLE_SECTOR),
                              .size = TABLE_SECTOR,
                              .sector = sector};

        for (uint64_t i = 0; i < count; i++)
            put_be64(piece.data + i * 8, table[first + i]);
        g_array_append_val(out, piece);
    }
    g_hash_table_remove_all(dirty);
}

static int by_offset(const void *a, const void *b)
{
    const struct piece *one = a, *two = b;

    return one->offset < two->offset ? -1 : one->offset > two->offset;
}

/* Neighbours go out together. */
static int write_pieces(struct qcow2 *q, GArray *pieces)
{
    int result = 0;

    g_array_sort(pieces, by_offset);
    for (guint at = 0, count; at < pieces->len && result == 0; at += count) {
        struct iovec iov[64];
        uint64_t end;

        for (count = 0; count < G_N_ELEMENTS(iov) && at + count < pieces->len; count++) {
            struct piece *piece = &g_array_index(pieces, struct piece, at + count);

            if (count > 0 && piece->offset != end)
                break;
            iov[count] = (struct iovec){piece->data, piece->size};
            end = piece->offset + piece->size;
        }
        result =
            file_write_all(q->file, iov, count, g_array_index(pieces, struct piece, at).offset);
    }
    return result;
}

static void drop_pieces(struct qcow2 *q, GArray *pieces, GHashTable *dirty, bool failed)
{
    for (guint i = 0; i < pieces->len; i++) {
        struct piece *piece = &g_array_index(pieces, struct piece, i);

        if (piece->slice != NULL) {
            if (failed)
                qcow2_cache_dirty(q, piece->slice);
            qcow2_cache_put(q, piece->slice);
        } else if (failed)
            g_hash_table_add(dirty, GSIZE_TO_POINTER(piece->sector));
        g_free(piece->data);
    }
    g_array_unref(pieces);
}

/* The refcount table gets a new place when it has outgrown its own. */
static int place_reftable(struct qcow2 *q, struct pieces *pieces)
{
    uint64_t offset, clusters;
    int result;

    while (q->reftable_move) {
        clusters = q->reftable_entries * 8 >> q->cluster_bits;
        q->reftable_placing = true;
        result = qcow2_alloc_table(q, clusters, &offset);
        q->reftable_placing = false;
        if (result < 0)
            return result;
        if (clusters != q->reftable_entries * 8 >> q->cluster_bits) {
            /* To place it took so many blocks that it grew again. */
            result = qcow2_unalloc(q, offset, clusters);
            if (result < 0)
                return result;
            continue;
        }
        pieces->reftable_offset = offset;
        pieces->reftable_clusters = clusters;
        for (uint64_t i = 0; i < q->reftable_entries / SECTOR_ENTRIES; i++)
            g_hash_table_add(q->reftable_dirty, GSIZE_TO_POINTER(i));
        q->reftable_move = false;
    }
    return 0;
}

static int flush(struct qcow2 *q)
{
    int result = q->file->ops->flush(q->file);

    if (result == 0 && q->data_file != q->file)
        result = q->data_file->ops->flush(q->data_file);
    return result;
}

int qcow2_header_switch(struct qcow2 *q, const struct qcow2_header *header, bool *ret_unknown)
{
    int result = qcow2_header_write_fields(q->file, header);

    *ret_unknown = false;
    if (result == 0)
        result = q->file->ops->flush(q->file);
    if (result < 0) {
        *ret_unknown =
            qcow2_header_write_fields(q->file, &q->header) < 0 || q->file->ops->flush(q->file) < 0;
        return result;
    }
    g_mutex_lock(&q->lock);
    q->header = *header;
    g_mutex_unlock(&q->lock);
    return 0;
}

/* The header names the new place of the refcount table. */
static int switch_reftable(struct qcow2 *q, struct pieces *pieces)
{
    struct qcow2_header header;
    bool unknown;
    int result;

    g_mutex_lock(&q->lock);
    header = q->header;
    g_mutex_unlock(&q->lock);
    header.reftable_offset = pieces->reftable_offset;
    header.reftable_clusters = pieces->reftable_clusters;
    pieces->old_reftable = q->header.reftable_offset;
    pieces->old_reftable_clusters = q->header.reftable_clusters;
    result = qcow2_header_switch(q, &header, &unknown);
    if (result < 0)
        pieces->old_reftable = 0;
    return result;
}

static int write_all(struct qcow2 *q, struct pieces *pieces)
{
    int result = write_pieces(q, pieces->refcounts);

    if (result == 0)
        result = flush(q);
    if (result == 0 && pieces->reftable->len > 0) {
        result = write_pieces(q, pieces->reftable);
        if (result == 0)
            result = flush(q);
        if (result == 0 && pieces->reftable_offset != 0)
            result = switch_reftable(q, pieces);
    }
    if (result == 0 && pieces->l2->len > 0) {
        result = write_pieces(q, pieces->l2);
        if (result == 0)
            result = flush(q);
    }
    if (result == 0 && pieces->l1->len > 0) {
        result = write_pieces(q, pieces->l1);
        if (result == 0)
            result = flush(q);
    }
    return result;
}

/* What was freed before the sync is referred to by nothing on the disk now. */
static void frees_done(struct qcow2 *q, GQueue *frees, const struct pieces *pieces)
{
    while (frees->head != NULL)
        g_queue_push_tail(&q->ready_frees, g_queue_pop_head(frees));
    if (pieces->old_reftable != 0) {
        struct qcow2_free_run *run = g_new(struct qcow2_free_run, 1);

        *run = (struct qcow2_free_run){
            .offset = pieces->old_reftable,
            .count = pieces->old_reftable_clusters,
        };
        g_queue_push_tail(&q->ready_frees, run);
    }
}

/* With the lock held, and syncing set. */
static int sync_once(struct qcow2 *q, enum qcow2_sync how)
{
    struct pieces pieces = {
        .refcounts = g_array_new(FALSE, FALSE, sizeof(struct piece)),
        .reftable = g_array_new(FALSE, FALSE, sizeof(struct piece)),
        .l2 = g_array_new(FALSE, FALSE, sizeof(struct piece)),
        .l1 = g_array_new(FALSE, FALSE, sizeof(struct piece)),
    };
    bool refcounts = !q->lazy || how == QCOW2_SYNC_REFCOUNTS;
    GQueue frees = G_QUEUE_INIT;
    int result = refcounts ? place_reftable(q, &pieces) : 0;

    if (result == 0) {
        if (refcounts) {
            take_slices(q, QCOW2_REFCOUNTS, pieces.refcounts);
            take_sectors(q->reftable_dirty, q->reftable, q->reftable_entries,
                         pieces.reftable_offset != 0 ? pieces.reftable_offset
                                                     : q->header.reftable_offset,
                         pieces.reftable);
        }
        take_slices(q, QCOW2_L2, pieces.l2);
        take_sectors(q->l1_dirty, q->l1, q->header.l1_size, q->header.l1_offset, pieces.l1);
        frees = q->frees;
        g_queue_init(&q->frees);
        g_mutex_unlock(&q->lock);
        result = write_all(q, &pieces);
        g_mutex_lock(&q->lock);
    }
    if (result < 0) {
        while (frees.tail != NULL)
            g_queue_push_head(&q->frees, g_queue_pop_tail(&frees));
        if (pieces.reftable_offset != 0 && pieces.old_reftable == 0)
            q->reftable_move = true; /* to yet another place; this one leaks */
    } else
        frees_done(q, &frees, &pieces);
    drop_pieces(q, pieces.refcounts, NULL, result < 0);
    drop_pieces(q, pieces.reftable, q->reftable_dirty, result < 0);
    drop_pieces(q, pieces.l2, NULL, result < 0);
    drop_pieces(q, pieces.l1, q->l1_dirty, result < 0);
    return result == 0 ? qcow2_frees_apply(q) : result;
}

int qcow2_sync_locked(struct qcow2 *q, enum qcow2_sync how)
{
    /* One that begins after this call has all that it is asked for. */
    uint64_t needed = q->syncs_begun + 1;
    int result = 0;

    while (q->syncs_done < needed) {
        if (q->syncing) {
            g_cond_wait(&q->changed, &q->lock);
            continue;
        }
        q->syncing = true;
        q->syncs_begun++;
        result = sync_once(q, how);
        q->sync_error = result;
        q->syncs_done = q->syncs_begun;
        q->syncing = false;
        g_cond_broadcast(&q->changed);
        return result;
    }
    return q->sync_error;
}

int qcow2_sync(struct qcow2 *q, enum qcow2_sync how)
{
    int result;

    g_mutex_lock(&q->lock);
    result = qcow2_sync_locked(q, how);
    g_mutex_unlock(&q->lock);
    return result;
}

int qcow2_settle(struct qcow2 *q)
{
    int result;

    /* What is freed makes refcounts change, which may be written in turn. */
    do {
        result = qcow2_sync(q, QCOW2_SYNC_REFCOUNTS);
    } while (result == 0 && (q->frees.length > 0 || q->ready_frees.length > 0 ||
                             q->cache.dirty[QCOW2_REFCOUNTS].length > 0));
    return result;
}

int qcow2_prepare_change(struct qcow2 *q)
{
    struct qcow2_header header;
    int result;

    if (q->header.incompatible & QCOW2_INCOMPATIBLE_CORRUPT)
        return -EIO;
    while (!q->changed_header && q->syncing)
        g_cond_wait(&q->changed, &q->lock);
    if (q->changed_header)
        return 0;
    header = q->header;
    header.autoclear &= q->raw_data ? QCOW2_AUTOCLEAR_RAW_DATA : 0;
    if (q->lazy)
        header.incompatible |= QCOW2_INCOMPATIBLE_DIRTY;
    if (header.autoclear != q->header.autoclear || header.incompatible != q->header.incompatible) {
        /* With the lock held: it is done once. */
        result = qcow2_header_write_fields(q->file, &header);
        if (result == 0)
            result = q->file->ops->flush(q->file);
        if (result < 0)
            return result;
        q->header.autoclear = header.autoclear;
        q->header.incompatible = header.incompatible;
    }
    q->changed_header = true;
    return 0;
}

void qcow2_l1_set(struct qcow2 *q, uint64_t index, uint64_t entry)
{
    q->l1[index] = entry;
    g_hash_table_add(q->l1_dirty, GSIZE_TO_POINTER(index / SECTOR_ENTRIES));
}

void qcow2_reftable_set(struct qcow2 *q, uint64_t index, uint64_t entry)
{
    q->reftable[index] = entry;
    g_hash_table_add(q->reftable_dirty, GSIZE_TO_POINTER(index / SECTOR_ENTRIES));
}

int qcow2_corrupt(struct qcow2 *q, const char *what, uint64_t offset)
{
    struct qcow2_header header = q->header;

    log_guest("disks", "%s is corrupt: %s, at 0x%" G_GINT64_MODIFIER "x: check it", q->file->path,
              what, offset);
    if (q->image->read_only || q->header.version < 3 ||
        q->header.incompatible & QCOW2_INCOMPATIBLE_CORRUPT)
        return -EIO;
    q->header.incompatible |= QCOW2_INCOMPATIBLE_CORRUPT;
    header.incompatible |= QCOW2_INCOMPATIBLE_CORRUPT;
    qcow2_header_write_fields(q->file, &header);
    return -EIO;
}

void qcow2_pause(struct qcow2 *q)
{
    g_mutex_lock(&q->lock);
    g_atomic_int_inc(&q->paused);
    while (qcow2_has_users(q))
        g_cond_wait(&q->changed, &q->lock);
    g_mutex_unlock(&q->lock);
}

int qcow2_settle_for_change(struct qcow2 *q)
{
    int result;

    g_mutex_lock(&q->lock);
    result = qcow2_prepare_change(q);
    g_mutex_unlock(&q->lock);
    return result < 0 ? result : qcow2_settle(q);
}

int qcow2_pause_for_change(struct qcow2 *q)
{
    bool changed;

    g_mutex_lock(&q->lock);
    changed = q->changed_header;
    g_mutex_unlock(&q->lock);
    /* Most of it while requests still run. What fails here fails again below. */
    if (changed)
        qcow2_sync(q, QCOW2_SYNC_REFCOUNTS);
    qcow2_pause(q);
    return qcow2_settle_for_change(q);
}

void qcow2_resume(struct qcow2 *q)
{
    GQueue held = G_QUEUE_INIT;

    g_mutex_lock(&q->lock);
    if (g_atomic_int_dec_and_test(&q->paused)) {
        held = q->held;
        g_queue_init(&q->held);
    }
    g_mutex_unlock(&q->lock);
    while (held.head != NULL)
        qcow2_run_again(q, g_queue_pop_head(&held));
}
