/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks an image: counts all references, and compares with the refcounts. Repairs in an order in
 * which nothing gets worse: refcounts go up, then flags are set, then refcounts go down.
 */
#include <errno.h>
#include <inttypes.h>

#include "core/error.h"
#include "disks/qcow2/check.h"

void qcow2_check_corrupt(struct qcow2_checker *checker, const char *message, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    checker->result->corruptions++;
    va_start(ap, message);
    text = g_strdup_vprintf(message, ap);
    va_end(ap);
    image_check_add_message(checker->result, "%s", text);
}

struct comparison {
    bool report, raise, lower; /* raise and lower: which differences are repaired now */
};

static int differs(struct qcow2_checker *checker, uint64_t cluster, uint64_t expected,
                   uint64_t stored, const struct comparison *what)
{
    struct qcow2 *q = checker->q;
    struct image_check_result *found = checker->result;
    bool low = stored < expected, repair = low ? what->raise : what->lower;
    int result = 0;

    if (what->report && low)
        qcow2_check_corrupt(checker,
                            "Cluster %" PRIu64 " is referred to %" PRIu64
                            " times, but counted %" PRIu64 " times.",
                            cluster, expected, stored);
    else if (what->report) {
        found->leaks++;
        image_check_add_message(found,
                                "Cluster %" PRIu64 " is counted %" PRIu64
                                " times, but referred to %" PRIu64 " times.",
                                cluster, stored, expected);
    }
    if (!repair)
        return 0;
    g_mutex_lock(&q->lock);
    result = qcow2_refcount_set(q, cluster, expected);
    g_mutex_unlock(&q->lock);
    if (result < 0)
        return result;
    if (low) {
        found->corruptions--;
        found->corruptions_fixed++;
    } else {
        found->leaks--;
        found->leaks_fixed++;
    }
    return 0;
}

/* The clusters of one refcount block; buffer has room for it. */
static int compare_block(struct qcow2_checker *checker, uint64_t block, uint8_t *buffer,
                         const struct comparison *what)
{
    struct qcow2 *q = checker->q;
    uint64_t first = block << q->block_bits, count = 1ULL << q->block_bits;
    uint64_t offset = block < q->reftable_entries ? q->reftable[block] & QCOW2_REFTABLE_MASK : 0;
    int result = 0;

    if (offset != 0)
        result = file_read_buffer(q->file, buffer, q->cluster_size, offset);
    else if (first < checker->file_clusters)
        count = MIN(count, checker->file_clusters - first);
    else
        count = 0;
    for (uint64_t i = 0; i < count && result == 0; i++) {
        uint64_t expected, stored;

        if (offset == 0)
            i = qcow2_count_next(checker, first + i, first + count) - first;
        if (i == count)
            break;
        expected = qcow2_counted(checker, first + i);
        stored = offset != 0 ? qcow2_refcount_load(q, buffer, i) : 0;
        if (stored != expected)
            result = differs(checker, first + i, expected, stored, what);
    }
    return result;
}

/* All clusters that have a refcount block, or are referred to. What memory has is on the disk. */
static int compare(struct qcow2_checker *checker, struct comparison what)
{
    struct qcow2 *q = checker->q;
    uint64_t per_block = 1ULL << q->block_bits;
    uint64_t blocks =
        MAX(q->reftable_entries, (checker->file_clusters + per_block - 1) >> q->block_bits);
    g_autofree uint8_t *buffer = g_try_malloc(q->cluster_size);
    int result = buffer != NULL ? 0 : -ENOMEM;

    for (uint64_t block = 0; block < blocks && result == 0; block++) {
        result = compare_block(checker, block, buffer, &what);
        if (block % 64 == 0 && !image_step(checker->progress, block, blocks, NULL))
            return -ECANCELED;
    }
    return result;
}

/* New refcount blocks and a new table, behind everything else. */
static int rebuild(struct qcow2_checker *checker)
{
    struct qcow2 *q = checker->q;
    uint64_t cluster = 0, end = checker->file_clusters;
    int result = 0;

    g_mutex_lock(&q->lock);
    while (q->cache.dirty[QCOW2_REFCOUNTS].head != NULL)
        qcow2_cache_clean(q, q->cache.dirty[QCOW2_REFCOUNTS].head->data);
    qcow2_cache_drop_clean(q);
    memset(q->reftable, 0, q->reftable_entries * sizeof(*q->reftable));
    g_hash_table_remove_all(q->reftable_dirty);
    q->reftable_move = true;
    q->free_hint = 0;
    q->high_water = MAX(q->high_water, end);
    while ((cluster = qcow2_count_next(checker, cluster, end)) < end && result == 0) {
        uint64_t expected = qcow2_counted(checker, cluster);

        if (expected > 0)
            result = qcow2_refcount_set(q, cluster, expected);
        cluster++;
    }
    /* The old table is counted nowhere any more. */
    q->header.reftable_clusters = 0;
    g_mutex_unlock(&q->lock);
    if (result == 0)
        result = qcow2_settle(q);
    return result;
}

/* Counts again without the refcount tables, whose corruptions are found->corruptions, and puts new
 * ones in their place. */
static int make_anew(struct qcow2_checker *checker)
{
    struct image_check_result *found = checker->result;
    uint64_t bad = found->corruptions;
    guint messages = found->messages->len;
    int result;

    qcow2_count_finish(checker);
    qcow2_count_init(checker);
    found->corruptions = 0;
    found->allocated_clusters = found->compressed_clusters = found->fragmented_clusters = 0;
    result = qcow2_check_walk(checker);
    /* They are there already. */
    g_ptr_array_set_size(found->messages, messages);
    if (result == 0)
        result = rebuild(checker);
    if (result < 0)
        return result;
    found->corruptions_fixed += bad;
    found->image_end = checker->counted_end << checker->q->cluster_bits;
    return qcow2_check_copied(checker);
}

/* Raising refcounts may have taken blocks that were not there to be counted. */
static void count_new_blocks(struct qcow2_checker *checker)
{
    struct qcow2 *q = checker->q;

    checker->file_clusters = MAX(checker->file_clusters, q->high_water);
    for (uint64_t i = 0; i < q->reftable_entries; i++) {
        uint64_t block = q->reftable[i] & QCOW2_REFTABLE_MASK;

        if (block != 0 && qcow2_counted(checker, block >> q->cluster_bits) == 0)
            qcow2_count(checker, block, q->cluster_size, 1);
    }
    if (qcow2_counted(checker, q->header.reftable_offset >> q->cluster_bits) == 0)
        qcow2_count(checker, q->header.reftable_offset,
                    (uint64_t)q->header.reftable_clusters << q->cluster_bits, 1);
}

static int run(struct qcow2_checker *checker)
{
    struct qcow2 *q = checker->q;
    bool errors = checker->flags & IMAGE_REPAIR_ERRORS;
    bool leaks = checker->flags & IMAGE_REPAIR_LEAKS;
    int result = qcow2_check_walk(checker);
    uint64_t walked = checker->result->corruptions;

    if (result < 0)
        return result;
    if (checker->result->errors > 0)
        errors = leaks = false; /* what was not seen must not count as free */
    result = qcow2_check_refcount_tables(checker);
    if (checker->bad_refcounts) {
        if (!errors)
            return 0;
        checker->result->corruptions -= walked;
        return make_anew(checker);
    }
    if (result == 0)
        result = compare(checker, (struct comparison){.report = true, .raise = errors});
    if (result == 0 && errors) {
        result = qcow2_settle(q);
        count_new_blocks(checker);
    }
    if (result == 0)
        result = qcow2_check_copied(checker);
    if (result == 0 && (errors || leaks))
        result = q->file->ops->flush(q->file);
    if (result == 0 && leaks)
        result = compare(checker, (struct comparison){.lower = true});
    if (result == 0 && leaks)
        result = qcow2_settle(q);
    checker->result->image_end = checker->counted_end << q->cluster_bits;
    return result;
}

/* What was marked as dirty or corrupt is no more. */
static int clear_marks(struct qcow2_checker *checker)
{
    struct qcow2 *q = checker->q;
    struct qcow2_header header = q->header;
    const struct image_check_result *found = checker->result;
    int result;

    if (!(checker->flags & IMAGE_REPAIR_ERRORS) || found->corruptions > 0 || found->errors > 0)
        return 0;
    header.incompatible &= ~(QCOW2_INCOMPATIBLE_DIRTY | QCOW2_INCOMPATIBLE_CORRUPT);
    if (header.incompatible == q->header.incompatible)
        return 0;
    result = q->file->ops->flush(q->file);
    if (result == 0)
        result = qcow2_header_write_fields(q->file, &header);
    if (result == 0)
        result = q->file->ops->flush(q->file);
    if (result == 0) {
        q->header.incompatible = header.incompatible;
        q->changed_header = false;
    }
    return result;
}

static int begin(struct qcow2 *q, unsigned flags)
{
    int result = 0;

    if (q->image->read_only)
        return 0;
    if (!(q->header.incompatible & (QCOW2_INCOMPATIBLE_CORRUPT | QCOW2_INCOMPATIBLE_DIRTY)) ||
        q->changed_header)
        result = q->changed_header ? qcow2_settle(q) : 0;
    if (result == 0 && flags != 0) {
        g_mutex_lock(&q->lock);
        qcow2_cache_drop_clean(q);
        g_mutex_unlock(&q->lock);
    }
    return result;
}

bool qcow2_check(struct image *image, unsigned flags, struct image_check_result *ret_result,
                 const struct image_progress *progress, GError **err)
{
    struct qcow2 *q = image->state;
    struct qcow2_checker checker = {.q = q,
                                    .flags = flags,
                                    .result = ret_result,
                                    .progress = progress};
    uint64_t size;
    int result;

    qcow2_pause(q);
    result = begin(q, flags);
    if (result == 0)
        result = q->file->ops->size(q->file, &size);
    if (result == 0) {
        checker.file_clusters = qcow2_clusters(q, size);
        ret_result->total_clusters = qcow2_clusters(q, image->size);
        qcow2_count_init(&checker);
        result = run(&checker);
        qcow2_count_finish(&checker);
        if (result == 0 && checker.out_of_memory)
            result = -ENOMEM;
    }
    if (result == 0)
        result = clear_marks(&checker);
    if (flags != 0) {
        g_mutex_lock(&q->lock);
        qcow2_cache_drop_clean(q);
        q->free_hint = 0;
        g_mutex_unlock(&q->lock);
    }
    qcow2_resume(q);
    if (result == -ECANCELED)
        return vmdesk_fail(err, VMDESK_ERROR_CANCELLED, "Stopped as asked.");
    if (result < 0)
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot check the image %s",
                                       image->file->path);
    return true;
}
