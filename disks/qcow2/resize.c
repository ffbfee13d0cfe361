/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Another size for the disk, and room set aside beforehand. */
#include <errno.h>
#include <inttypes.h>

#include "core/error.h"
#include "disks/qcow2/write.h"

#define STEP_BYTES (64 * 1024 * 1024)

int qcow2_switch_l1(struct qcow2 *q, uint64_t *l1, uint32_t entries, uint64_t size,
                    bool *ret_unknown)
{
    uint64_t old_offset = q->header.l1_offset;
    struct qcow2_header header;
    uint64_t offset = 0, old_clusters = qcow2_clusters(q, (uint64_t)q->header.l1_size * 8);
    uint64_t clusters = qcow2_clusters(q, (uint64_t)entries * 8);
    int result = (uint64_t)entries * 8 <= QCOW2_MAX_L1_BYTES ? 0 : -EFBIG;

    *ret_unknown = false;
    g_mutex_lock(&q->lock);
    if (result == 0 && clusters > 0)
        result = qcow2_alloc_table(q, clusters, &offset);
    g_mutex_unlock(&q->lock);
    if (result < 0)
        return result;
    result = qcow2_table_write(q, offset, l1, entries);
    if (result == 0)
        result = qcow2_sync(q, QCOW2_SYNC_REFCOUNTS);
    header = q->header;
    header.l1_offset = offset;
    header.l1_size = entries;
    header.size = size;
    if (result == 0)
        result = qcow2_header_switch(q, &header, ret_unknown);
    g_mutex_lock(&q->lock);
    if (result < 0) {
        if (!*ret_unknown)
            qcow2_unalloc(q, offset, clusters);
    } else {
        qcow2_free(q, old_offset, old_clusters, false);
        image_set_size(q->image, size);
        g_free(q->l1);
        q->l1 = l1;
        g_hash_table_remove_all(q->l1_dirty);
    }
    g_mutex_unlock(&q->lock);
    return result;
}

static int grow_l1(struct qcow2 *q, uint64_t size)
{
    uint64_t entries = qcow2_l1_entries(q, size);
    uint64_t *l1;
    bool unknown;
    int result;

    if (entries <= q->header.l1_size)
        return 0;
    if (entries > QCOW2_MAX_L1_BYTES / 8)
        return -EFBIG;
    l1 = g_try_new0(uint64_t, entries);
    if (l1 == NULL)
        return -ENOMEM;
    if (q->header.l1_size > 0)
        memcpy(l1, q->l1, (size_t)q->header.l1_size * 8);
    result = qcow2_switch_l1(q, l1, entries, q->header.size, &unknown);
    if (result < 0)
        g_free(l1);
    return result;
}

/* The size in the header, by one write. */
static int write_size(struct qcow2 *q, uint64_t size)
{
    struct qcow2_header header = q->header;
    bool unknown;
    int result;

    header.size = size;
    result = qcow2_header_switch(q, &header, &unknown);
    g_mutex_lock(&q->lock);
    if (result == 0)
        image_set_size(q->image, size);
    g_mutex_unlock(&q->lock);
    return result;
}

int qcow2_set_size(struct qcow2 *q, uint64_t size)
{
    int result = grow_l1(q, size);

    return result < 0 ? result : write_size(q, size);
}

/* What lies past the old end may be the rest of a cluster that was cut, what a shrinking that
 * failed did not come to, or the backing image's. */
static int zero_new(struct qcow2 *q, uint64_t from, uint64_t to)
{
    struct block_request request = {.op = BLOCK_WRITE_ZEROES, .offset = from, .length = to - from};
    int result = 0;

    if (request.length == 0)
        return 0;
    g_mutex_lock(&q->lock);
    /* Nobody else changes anything, so that it never waits. */
    qcow2_zero(q, &request, &result);
    g_mutex_unlock(&q->lock);
    return result;
}

static int grow(struct qcow2 *q, uint64_t size)
{
    int result = grow_l1(q, size);

    if (result == 0)
        result = zero_new(q, q->header.size, size);
    if (result == 0)
        result = qcow2_settle(q);
    return result < 0 ? result : write_size(q, size);
}

/* Whole L2 tables go with all that they lead to; of the one that is cut, entries. */
static int drop_after(struct qcow2 *q, uint64_t size)
{
    uint64_t cluster = qcow2_clusters(q, size), keep = qcow2_l1_entries(q, size);
    uint32_t rest = q->header.l1_size > keep ? q->header.l1_size - keep : 0;
    int result = rest > 0 ? qcow2_tree_add(q, q->l1 + keep, rest, -1) : 0;

    g_mutex_lock(&q->lock);
    for (uint32_t i = 0; i < rest && result == 0; i++)
        if (q->l1[keep + i] != 0)
            qcow2_l1_set(q, keep + i, 0);
    for (; cluster < keep << q->l2_bits && result == 0; cluster++) {
        struct qcow2_slice *slice;
        struct qcow2_entry entry;
        unsigned index;

        if ((q->l1[cluster >> q->l2_bits] & QCOW2_OFFSET_MASK) == 0)
            break;
        result = qcow2_l2_get_for_change(q, cluster, &slice, &index);
        if (result < 0)
            break;
        entry = qcow2_entry_load(q, slice->data, index);
        if (entry.word != 0 || entry.bitmap != 0) {
            qcow2_entry_store(q, slice->data, index, (struct qcow2_entry){0, 0});
            qcow2_cache_dirty(q, slice);
            qcow2_entry_release(q, entry, true);
        }
        qcow2_cache_put(q, slice);
    }
    g_mutex_unlock(&q->lock);
    return result;
}

static int shrink(struct qcow2 *q, uint64_t size)
{
    int result = write_size(q, size);

    if (result == 0)
        result = drop_after(q, size);
    if (result == 0)
        result = qcow2_settle(q);
    return result == 0 && q->raw_data ? q->data_file->ops->truncate(q->data_file, size) : result;
}

static struct qcow2_copy preallocated(const struct qcow2 *q, uint64_t first, uint64_t count)
{
    /* With subclusters nothing is stored yet: start and end are the same. */
    uint64_t start = first << q->cluster_bits;
    uint64_t end = q->subclusters > 1 ? start : (first + count) << q->cluster_bits;

    return (struct qcow2_copy){
        .first = first, .count = count, .start = start, .end = end, .host = start};
}

/* What was set aside, in the data file. */
struct place {
    uint64_t offset, length; /* bytes */
};

static void note_place(GArray *places, uint64_t offset, uint64_t length)
{
    struct place *last =
        places->len > 0 ? &g_array_index(places, struct place, places->len - 1) : NULL;

    if (last != NULL && last->offset + last->length == offset)
        last->length += length;
    else
        g_array_append_val(places, ((struct place){offset, length}));
}

/* So that there is room for the tables. All of it reads as zeros, and still does. */
static void give_back(struct qcow2 *q, const GArray *places)
{
    for (guint i = 0; i < places->len; i++) {
        const struct place *place = &g_array_index(places, struct place, i);

        q->data_file->ops->discard(q->data_file, place->offset, place->length);
    }
}

/* Places for guest clusters that have none. */
static int preallocate_run(struct qcow2 *q, uint64_t first, uint64_t wanted,
                           enum image_preallocation preallocation, GArray *places,
                           uint64_t *ret_done)
{
    struct qcow2_copy copy = preallocated(q, first, wanted);
    uint64_t offset = first << q->cluster_bits, length;
    struct qcow2_extent extent;
    int result;

    do
        result = qcow2_lookup(q, offset, wanted << q->cluster_bits, &extent);
    while (result == -EAGAIN);
    if (result < 0)
        return result;
    *ret_done = qcow2_clusters(q, extent.length);
    if (extent.has_host || extent.kind == QCOW2_DEFLATED)
        return 0;
    copy.count = *ret_done;
    if (q->data_file == q->file)
        result = qcow2_alloc(q, copy.count, &copy.host, &copy.count, &copy.fresh);
    if (result < 0)
        return result;
    *ret_done = copy.count;
    copy = (struct qcow2_copy){.first = first,
                               .count = copy.count,
                               .host = copy.host,
                               .fresh = copy.fresh,
                               .start = copy.start,
                               .end = MIN(copy.end, (first + copy.count) << q->cluster_bits)};
    length = copy.count << q->cluster_bits;
    note_place(places, copy.host, length);
    g_mutex_unlock(&q->lock);
    if (preallocation == IMAGE_PREALLOCATION_FULL)
        result = file_write_zero_bytes(q->data_file, copy.host, length);
    else if (!copy.fresh)
        result = file_write_zeroes(q->data_file, copy.host, length);
    if (result == 0 && preallocation == IMAGE_PREALLOCATION_FALLOC)
        result = file_allocate(q->data_file, copy.host, length);
    g_mutex_lock(&q->lock);
    if (result < 0 && q->data_file == q->file)
        qcow2_unalloc(q, copy.host, copy.count);
    return result < 0 ? result : qcow2_install(q, &copy);
}

bool qcow2_preallocate(struct image *image, uint64_t offset, uint64_t length,
                       enum image_preallocation preallocation,
                       const struct image_progress *progress, GError **err)
{
    struct qcow2 *q = image->state;
    uint64_t cluster = offset >> q->cluster_bits, start = cluster, done;
    uint64_t end = qcow2_clusters(q, offset + length), step = STEP_BYTES >> q->cluster_bits;
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(struct place));
    uint64_t size;
    int result = 0;

    if (q->data_file != q->file) {
        result = q->data_file->ops->size(q->data_file, &size);
        if (result == 0 && size < offset + length)
            result = q->data_file->ops->truncate(q->data_file, offset + length);
    }
    while (cluster < end && result == 0) {
        if (!image_step(progress, cluster - start, end - start, err)) {
            give_back(q, places);
            return false;
        }
        g_mutex_lock(&q->lock);
        result = qcow2_prepare_change(q);
        if (result == 0)
            result =
                preallocate_run(q, cluster, MIN(step, end - cluster), preallocation, places, &done);
        g_mutex_unlock(&q->lock);
        cluster += done;
    }
    if (result == 0)
        result = qcow2_settle(q);
    if (result < 0)
        give_back(q, places);
    return result == 0 ||
           vmdesk_error_from_errno(err, -result, "Choose a smaller size, or make room",
                                   "Cannot set room aside in the image %s", image->file->path);
}

static bool can_preallocate(struct qcow2 *q, enum image_preallocation preallocation, GError **err)
{
    if (preallocation == IMAGE_PREALLOCATION_OFF || q->subclusters > 1 ||
        q->header.backing_name == NULL)
        return true;
    return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                       "The image %s lies on another, which room set aside would hide: choose no "
                       "preallocation, or extended L2 entries.",
                       q->file->path);
}

bool qcow2_resize(struct image *image, uint64_t size, unsigned flags,
                  enum image_preallocation preallocation, const struct image_progress *progress,
                  GError **err)
{
    struct qcow2 *q = image->state;
    uint64_t old = image->size;
    bool done = true;
    int result;

    if (!can_preallocate(q, preallocation, err))
        return false;
    /* What is raw has everything in its place. */
    if (q->raw_data)
        preallocation = MAX(preallocation, IMAGE_PREALLOCATION_METADATA);
    result = qcow2_pause_for_change(q);
    if (result == 0)
        result = size > old ? grow(q, size) : shrink(q, size);
    if (result == -EFBIG)
        done = vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The image %s cannot have %" PRIu64 " bytes with clusters of %" PRIu64
                           " bytes: convert it to one with larger clusters.",
                           image->file->path, size, q->cluster_size);
    else if (result < 0)
        done = vmdesk_error_from_errno(err, -result, NULL, "Cannot resize the image %s",
                                       image->file->path);
    else if (size > old && preallocation != IMAGE_PREALLOCATION_OFF) {
        done = qcow2_preallocate(image, old, size - old, preallocation, progress, err);
        /* What is on the disk leads to all that was set aside. */
        if (!done && qcow2_settle(q) == 0)
            shrink(q, old);
    }
    qcow2_resume(q);
    return done;
}
