/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an image is, and where its data lies. */
#include <errno.h>
#include <inttypes.h>

#include "disks/qcow2/qcow2.h"

static const char *yes_no(bool yes)
{
    return yes ? "yes" : "no";
}

bool qcow2_get_info(struct image *image, struct image_info *info, GError **err)
{
    struct qcow2 *q = image->state;
    const struct qcow2_header *header = &q->header;

    g_mutex_lock(&q->lock);
    info->cluster_size = q->cluster_size;
    info->backing_name = g_strdup(header->backing_name);
    info->backing_format = g_strdup(header->backing_format);
    if (header->backing_name != NULL)
        info->backing_path = image_resolve_name(q->file->path, header->backing_name);
    info->dirty = header->incompatible & QCOW2_INCOMPATIBLE_DIRTY;
    info->corrupt = header->incompatible & QCOW2_INCOMPATIBLE_CORRUPT;
    info->snapshots = q->snapshots->len;
    image_info_add_detail(info, "compat", "%s", header->version >= 3 ? "1.1" : "0.10");
    image_info_add_detail(info, "refcount-bits", "%u", 1U << q->refcount_order);
    image_info_add_detail(info, "compression-type", "%s",
                          header->compression == QCOW2_ZSTD ? "zstd" : "zlib");
    image_info_add_detail(info, "lazy-refcounts", "%s", yes_no(q->lazy));
    image_info_add_detail(info, "extended-l2", "%s", yes_no(q->subclusters > 1));
    if (header->incompatible & QCOW2_INCOMPATIBLE_DATA_FILE) {
        image_info_add_detail(info, "data-file", "%s", header->data_file_name);
        image_info_add_detail(info, "data-file-raw", "%s", yes_no(q->raw_data));
    }
    if (header->has_bitmaps && (header->autoclear & QCOW2_AUTOCLEAR_BITMAPS))
        image_info_add_detail(info, "bitmaps", "%" PRIu32, header->bitmap_count);
    g_mutex_unlock(&q->lock);
    return true;
}

int qcow2_status(struct image *image, uint64_t offset, uint64_t length, struct block_status *status)
{
    struct qcow2 *q = image->state;
    struct qcow2_extent extent;
    int result;

    g_mutex_lock(&q->lock);
    do
        result = qcow2_lookup(q, offset, length, &extent);
    while (result == -EAGAIN);
    g_mutex_unlock(&q->lock);
    if (result < 0)
        return result;
    status->length = extent.length;
    switch (extent.kind) {
    case QCOW2_UNALLOCATED:
        status->state = BLOCK_UNALLOCATED;
        break;
    case QCOW2_DEFLATED:
        status->state = BLOCK_COMPRESSED;
        break;
    case QCOW2_DATA:
    case QCOW2_ZEROS_KEPT:
        status->has_host_offset = true;
        status->host_offset = extent.host;
        status->host_path = q->data_file->path;
        status->state = extent.kind == QCOW2_DATA ? BLOCK_DATA : BLOCK_ZERO;
        break;
    case QCOW2_ZEROS:
        status->state = BLOCK_ZERO;
        break;
    }
    return 0;
}
