/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Section "Snapshots": the table of them. */
#include <errno.h>
#include <inttypes.h>

#include "core/error.h"
#include "disks/bytes.h"
#include "disks/qcow2/qcow2.h"

#define ENTRY_FIXED 40
#define EXTRA_KNOWN 24 /* VM state size, disk size, icount */

void qcow2_snapshot_free(void *opaque)
{
    struct qcow2_snapshot *snapshot = opaque;

    g_free(snapshot->id);
    g_free(snapshot->name);
    if (snapshot->extra != NULL)
        g_byte_array_unref(snapshot->extra);
    g_free(snapshot);
}

static bool malformed(struct qcow2 *q, GError **err, const char *what)
{
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "The image %s is no good qcow2 image: %s. Get it again, or restore it from "
                       "a copy.",
                       q->file->path, what);
}

static struct qcow2_snapshot *decode(struct qcow2 *q, const uint8_t *fixed, const uint8_t *rest,
                                     uint32_t extra_size)
{
    struct qcow2_snapshot *snapshot = g_new0(struct qcow2_snapshot, 1);
    uint16_t id_size = get_be16(fixed + 12), name_size = get_be16(fixed + 14);

    *snapshot = (struct qcow2_snapshot){
        .l1_offset = get_be64(fixed),
        .l1_size = get_be32(fixed + 8),
        .date_sec = get_be32(fixed + 16),
        .date_nsec = get_be32(fixed + 20),
        .vm_clock_nsec = get_be64(fixed + 24),
        .vm_state_size = get_be32(fixed + 32),
        .disk_size = q->header.size,
        .icount = UINT64_MAX,
        .extra_size = extra_size,
    };
    if (extra_size >= 8)
        snapshot->vm_state_size = get_be64(rest);
    if (extra_size >= 16)
        snapshot->disk_size = get_be64(rest + 8);
    if (extra_size >= 24)
        snapshot->icount = get_be64(rest + 16);
    if (extra_size > EXTRA_KNOWN) {
        snapshot->extra = g_byte_array_new();
        g_byte_array_append(snapshot->extra, rest + EXTRA_KNOWN, extra_size - EXTRA_KNOWN);
    }
    snapshot->id = g_strndup((const char *)rest + extra_size, id_size);
    snapshot->name = g_strndup((const char *)rest + extra_size + id_size, name_size);
    return snapshot;
}

/* *at is the offset in the file, and moves on. */
static bool read_one(struct qcow2 *q, uint64_t *at, GError **err)
{
    uint8_t fixed[ENTRY_FIXED];
    g_autofree uint8_t *rest = NULL;
    struct qcow2_snapshot *snapshot;
    uint32_t extra_size = 0;
    size_t size = 0;
    int result = file_read_buffer(q->file, fixed, sizeof(fixed), *at);

    if (result == 0) {
        extra_size = get_be32(fixed + 36);
        if (extra_size > QCOW2_MAX_SNAPSHOT_EXTRA)
            return malformed(q, err, "a snapshot has more extra data than makes sense");
        size = extra_size + get_be16(fixed + 12) + get_be16(fixed + 14);
        rest = g_malloc(size + 1);
        result = size > 0 ? file_read_buffer(q->file, rest, size, *at + ENTRY_FIXED) : 0;
    }
    if (result < 0)
        return vmdesk_error_from_errno(err, -result, NULL,
                                       "Cannot read the snapshots of the image %s", q->file->path);
    snapshot = decode(q, fixed, rest, extra_size);
    g_ptr_array_add(q->snapshots, snapshot);
    *at = (*at + ENTRY_FIXED + size + 7) & ~7ULL;
    if (snapshot->l1_size > QCOW2_MAX_L1_BYTES / 8 || snapshot->l1_offset % q->cluster_size != 0 ||
        snapshot->l1_offset > INT64_MAX)
        return malformed(q, err, "the table of a snapshot is too large, or misplaced");
    if (snapshot->disk_size > IMAGE_MAX_SIZE || snapshot->disk_size % IMAGE_SECTOR_SIZE != 0)
        return malformed(q, err, "a snapshot has no valid size");
    return true;
}

bool qcow2_snapshots_read(struct qcow2 *q, GError **err)
{
    uint64_t start = q->header.snapshots_offset, at = start;

    q->snapshots = g_ptr_array_new_with_free_func(qcow2_snapshot_free);
    if (q->header.snapshot_count == 0)
        return true;
    if (q->header.snapshot_count > QCOW2_MAX_SNAPSHOTS)
        return malformed(q, err, "it has more snapshots than can be");
    if (start % q->cluster_size != 0 || start == 0 || start > INT64_MAX)
        return malformed(q, err, "its table of snapshots is misplaced");
    for (uint32_t i = 0; i < q->header.snapshot_count; i++) {
        if (!read_one(q, &at, err))
            return false;
        if (at - start > QCOW2_MAX_SNAPSHOT_BYTES)
            return malformed(q, err, "its table of snapshots is larger than can be");
        /* As QEMU does: the last one is padded when another follows. */
        q->snapshots_stored = at - start;
    }
    return true;
}

static uint32_t extra_written(const struct qcow2_snapshot *snapshot)
{
    return EXTRA_KNOWN + (snapshot->extra != NULL ? snapshot->extra->len : 0);
}

static uint64_t entry_size(const struct qcow2_snapshot *snapshot)
{
    uint64_t size =
        ENTRY_FIXED + extra_written(snapshot) + strlen(snapshot->id) + strlen(snapshot->name);

    return (size + 7) & ~7ULL;
}

uint64_t qcow2_snapshots_size(const GPtrArray *snapshots)
{
    uint64_t size = 0;

    for (guint i = 0; i < snapshots->len; i++)
        size += entry_size(snapshots->pdata[i]);
    return size;
}

static void encode(const struct qcow2_snapshot *snapshot, uint8_t *to)
{
    size_t id_size = strlen(snapshot->id), name_size = strlen(snapshot->name);
    uint8_t *rest = to + ENTRY_FIXED;

    put_be64(to, snapshot->l1_offset);
    put_be32(to + 8, snapshot->l1_size);
    put_be16(to + 12, id_size);
    put_be16(to + 14, name_size);
    put_be32(to + 16, snapshot->date_sec);
    put_be32(to + 20, snapshot->date_nsec);
    put_be64(to + 24, snapshot->vm_clock_nsec);
    put_be32(to + 32, snapshot->vm_state_size <= UINT32_MAX ? snapshot->vm_state_size : 0);
    put_be32(to + 36, extra_written(snapshot));
    put_be64(rest, snapshot->vm_state_size);
    put_be64(rest + 8, snapshot->disk_size);
    put_be64(rest + 16, snapshot->icount);
    rest += EXTRA_KNOWN;
    if (snapshot->extra != NULL) {
        memcpy(rest, snapshot->extra->data, snapshot->extra->len);
        rest += snapshot->extra->len;
    }
    memcpy(rest, snapshot->id, id_size);
    memcpy(rest + id_size, snapshot->name, name_size);
}

static int write_table(struct qcow2 *q, uint64_t offset, uint64_t size)
{
    g_autofree uint8_t *table = g_try_malloc0(size);
    uint8_t *at = table;

    if (table == NULL)
        return -ENOMEM;
    for (guint i = 0; i < q->snapshots->len; i++) {
        encode(q->snapshots->pdata[i], at);
        at += entry_size(q->snapshots->pdata[i]);
    }
    return file_write_buffer(q->file, table, size, offset);
}

int qcow2_snapshots_write(struct qcow2 *q, bool *ret_unknown)
{
    uint64_t size = qcow2_snapshots_size(q->snapshots), offset = 0;
    uint64_t old_offset = q->header.snapshots_offset;
    struct qcow2_header header;
    int result = size <= QCOW2_MAX_SNAPSHOT_BYTES ? 0 : -EFBIG;

    *ret_unknown = false;
    g_mutex_lock(&q->lock);
    if (result == 0 && size > 0)
        result = qcow2_alloc_table(q, qcow2_clusters(q, size), &offset);
    g_mutex_unlock(&q->lock);
    if (result < 0)
        return result;
    if (size > 0)
        result = write_table(q, offset, size);
    /* The refcounts are on the disk before the header, and all before the old table goes. */
    if (result == 0)
        result = qcow2_sync(q, QCOW2_SYNC_REFCOUNTS);
    header = q->header;
    header.snapshots_offset = offset;
    header.snapshot_count = q->snapshots->len;
    if (result == 0)
        result = qcow2_header_switch(q, &header, ret_unknown);
    g_mutex_lock(&q->lock);
    if (result < 0) {
        if (size > 0 && !*ret_unknown)
            qcow2_unalloc(q, offset, qcow2_clusters(q, size));
    } else {
        if (q->snapshots_stored > 0)
            qcow2_free(q, old_offset, qcow2_clusters(q, q->snapshots_stored), false);
        q->snapshots_stored = size;
    }
    g_mutex_unlock(&q->lock);
    return result;
}
