/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All that an L1 table leads to, at once: for snapshots. No request runs meanwhile, and the tables
 * on the disk are those in memory; qcow2_tree_free() apart. */
#include <errno.h>

#include "disks/bytes.h"
#include "disks/qcow2/qcow2.h"

int qcow2_table_read(struct qcow2 *q, uint64_t offset, uint64_t *ret_table, uint64_t entries)
{
    int result = entries > 0 ? file_read_buffer(q->file, ret_table, entries * 8, offset) : 0;

    for (uint64_t i = 0; i < entries && result == 0; i++)
        ret_table[i] = GUINT64_FROM_BE(ret_table[i]);
    return result;
}

int qcow2_table_write(struct qcow2 *q, uint64_t offset, const uint64_t *table, uint64_t entries)
{
    g_autofree uint8_t *raw = g_try_malloc(MAX(entries, 1) * 8);

    if (raw == NULL)
        return -ENOMEM;
    for (uint64_t i = 0; i < entries; i++)
        put_be64(raw + i * 8, table[i]);
    return entries > 0 ? file_write_buffer(q->file, raw, entries * 8, offset) : 0;
}

/* Clusters in a row change together. A failure leaves all as it was: those that were counted are
 * remembered, to be taken back, and those to be freed are only freed in the end. */
struct run {
    uint64_t first, count;
};

struct walk {
    struct qcow2 *q;
    int delta;
    struct run run;
    GArray *done; /* struct run */
};

static int run_end(struct walk *walk)
{
    struct qcow2 *q = walk->q;
    int result = 0;

    if (walk->run.count == 0)
        return 0;
    if (walk->delta > 0) {
        g_mutex_lock(&q->lock);
        result = qcow2_refcount_add(q, walk->run.first, walk->run.count, 1);
        g_mutex_unlock(&q->lock);
    }
    if (result == 0)
        g_array_append_val(walk->done, walk->run);
    walk->run.count = 0;
    return result;
}

static int run_add(struct walk *walk, uint64_t first, uint64_t count)
{
    int result;

    if (walk->run.count > 0 && walk->run.first + walk->run.count == first) {
        walk->run.count += count;
        return 0;
    }
    result = run_end(walk);
    walk->run = (struct run){first, count};
    return result;
}

static void finish(struct walk *walk, bool failed)
{
    struct qcow2 *q = walk->q;

    g_mutex_lock(&q->lock);
    for (guint i = 0; i < walk->done->len; i++) {
        struct run *run = &g_array_index(walk->done, struct run, i);

        if (failed && walk->delta > 0)
            qcow2_refcount_add(q, run->first, run->count, -1);
        else if (!failed && walk->delta < 0)
            qcow2_free(q, run->first << q->cluster_bits, run->count, true);
    }
    g_mutex_unlock(&q->lock);
}

static int add_entry(struct walk *walk, struct qcow2_entry entry)
{
    struct qcow2 *q = walk->q;
    uint64_t host = entry.word & QCOW2_OFFSET_MASK, size;

    if (entry.word & QCOW2_COMPRESSED) {
        qcow2_compressed_place(q, entry.word, &host, &size);
        return run_add(walk, host >> q->cluster_bits,
                       qcow2_clusters(q, (host & (q->cluster_size - 1)) + size));
    }
    if (host == 0 || q->data_file != q->file)
        return 0;
    return host % q->cluster_size == 0 ? run_add(walk, host >> q->cluster_bits, 1) : -EIO;
}

static int walk_tables(struct walk *walk, const uint64_t *l1, uint32_t l1_size, uint8_t *table)
{
    struct qcow2 *q = walk->q;
    int result = 0;

    for (uint32_t i = 0; i < l1_size && result == 0; i++) {
        uint64_t offset = l1[i] & QCOW2_OFFSET_MASK;

        if (offset == 0)
            continue;
        result = offset % q->cluster_size == 0
                     ? file_read_buffer(q->file, table, q->cluster_size, offset)
                     : -EIO;
        for (unsigned n = 0; n < 1U << q->l2_bits && result == 0; n++)
            result = add_entry(walk, qcow2_entry_load(q, table, n));
        if (result == 0)
            result = run_add(walk, offset >> q->cluster_bits, 1);
    }
    return result < 0 ? result : run_end(walk);
}

int qcow2_tree_add(struct qcow2 *q, const uint64_t *l1, uint32_t l1_size, int delta)
{
    g_autofree uint8_t *table = g_try_malloc(q->cluster_size);
    struct walk walk = {.q = q, .delta = delta};
    int result = -ENOMEM;

    if (table == NULL)
        return result;
    walk.done = g_array_new(FALSE, FALSE, sizeof(struct run));
    result = walk_tables(&walk, l1, l1_size, table);
    finish(&walk, result < 0);
    g_array_unref(walk.done);
    return result;
}

/* Of what is freed at once: under the lock, and with one call to the host, for which it lets other
 * calls wait. */
#define STEP_CLUSTERS 4096
#define STEP_BYTES (16 * 1024 * 1024)

static int free_runs(struct qcow2 *q, GArray *runs)
{
    uint64_t step = MIN(STEP_CLUSTERS, STEP_BYTES >> q->cluster_bits);
    int result = 0;

    G_STATIC_ASSERT(STEP_BYTES >> QCOW2_MAX_CLUSTER_BITS > 0);
    for (guint i = 0; i < runs->len && result == 0; i++) {
        const struct run *run = &g_array_index(runs, struct run, i);

        for (uint64_t done = 0, count; done < run->count && result == 0; done += count) {
            count = MIN(run->count - done, step);
            g_mutex_lock(&q->lock);
            result = qcow2_free_now(q, (run->first + done) << q->cluster_bits, count);
            g_mutex_unlock(&q->lock);
        }
    }
    g_array_set_size(runs, 0);
    return result;
}

int qcow2_tree_free(struct qcow2 *q, const uint64_t *l1, uint32_t l1_size)
{
    g_autofree uint8_t *table = g_try_malloc(q->cluster_size);
    struct walk walk = {.q = q, .delta = -1};
    int result = table != NULL ? 0 : -ENOMEM;

    walk.done = g_array_new(FALSE, FALSE, sizeof(struct run));
    for (uint32_t i = 0; i < l1_size && result == 0; i++) {
        result = walk_tables(&walk, l1 + i, 1, table);
        if (result == 0)
            result = free_runs(q, walk.done);
    }
    g_array_unref(walk.done);
    /* Once for what else was freed, and once more for the refcounts of that. */
    for (unsigned i = 0; i < 2 && result == 0; i++)
        result = qcow2_sync(q, QCOW2_SYNC_REFCOUNTS);
    return result;
}

struct flags {
    struct qcow2 *q;
    bool shared; /* without looking */
    struct qcow2_slice *slice;
};

/* With the lock held. */
static int set_flag(struct flags *flags, uint64_t *word, bool *changed)
{
    struct qcow2 *q = flags->q;
    uint64_t before = *word;
    bool own = false;
    int result = 0;

    if (!flags->shared)
        result = qcow2_refcount_is_one(q, (before & QCOW2_OFFSET_MASK) >> q->cluster_bits,
                                       &flags->slice, &own);
    if (result < 0)
        return result;
    *word = own ? before | QCOW2_COPIED : before & ~QCOW2_COPIED;
    *changed |= *word != before;
    return 0;
}

/* *ret_first and *ret_last: the bytes of the table that changed, if last is not 0. */
static int set_entries(struct flags *flags, uint8_t *table, uint64_t *ret_first, uint64_t *ret_last)
{
    struct qcow2 *q = flags->q;
    int result = 0;

    *ret_first = *ret_last = 0;
    g_mutex_lock(&q->lock);
    for (unsigned n = 0; n < 1U << q->l2_bits && result == 0; n++) {
        struct qcow2_entry entry = qcow2_entry_load(q, table, n);
        bool changed = false;

        if ((entry.word & QCOW2_COMPRESSED) || (entry.word & QCOW2_OFFSET_MASK) == 0)
            continue;
        result = set_flag(flags, &entry.word, &changed);
        if (!changed)
            continue;
        qcow2_entry_store(q, table, n, entry);
        if (*ret_last == 0)
            *ret_first = (uint64_t)n * q->l2_entry_size;
        *ret_last = (uint64_t)(n + 1) * q->l2_entry_size;
    }
    g_mutex_unlock(&q->lock);
    return result;
}

static int set_table(struct flags *flags, uint8_t *table, uint64_t offset)
{
    struct qcow2 *q = flags->q;
    uint64_t first = 0, last = 0;
    int result = file_read_buffer(q->file, table, q->cluster_size, offset);

    if (result == 0)
        result = set_entries(flags, table, &first, &last);
    if (result < 0 || last == 0)
        return result;
    /* Whole sectors: a crash leaves each as it was, or as it becomes. */
    first = first / IMAGE_SECTOR_SIZE * IMAGE_SECTOR_SIZE;
    last = (last + IMAGE_SECTOR_SIZE - 1) / IMAGE_SECTOR_SIZE * IMAGE_SECTOR_SIZE;
    return file_write_buffer(q->file, table + first, last - first, offset + first);
}

static int set_tables(struct flags *flags, uint8_t *table)
{
    struct qcow2 *q = flags->q;
    int result = 0;

    for (uint32_t i = 0; i < q->header.l1_size && result == 0; i++) {
        uint64_t offset = q->l1[i] & QCOW2_OFFSET_MASK, word = q->l1[i];
        bool changed = false;

        if (offset == 0)
            continue;
        if (offset % q->cluster_size != 0)
            return -EIO;
        result = set_table(flags, table, offset);
        g_mutex_lock(&q->lock);
        if (result == 0)
            result = set_flag(flags, &word, &changed);
        if (changed)
            qcow2_l1_set(q, i, word);
        g_mutex_unlock(&q->lock);
    }
    return result;
}

int qcow2_tree_set_copied(struct qcow2 *q, bool shared)
{
    g_autofree uint8_t *table = g_try_malloc(q->cluster_size);
    struct flags flags = {.q = q, .shared = shared};
    int result;

    if (table == NULL)
        return -ENOMEM;
    g_mutex_lock(&q->lock);
    qcow2_cache_drop_tables(q);
    g_mutex_unlock(&q->lock);
    result = set_tables(&flags, table);
    g_mutex_lock(&q->lock);
    if (flags.slice != NULL)
        qcow2_cache_put(q, flags.slice);
    g_mutex_unlock(&q->lock);
    return result;
}
