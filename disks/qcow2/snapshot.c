/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Internal snapshots. Each is an L1 table of its own, which shares L2 tables and clusters with the
 * others by their refcounts. No request runs meanwhile, but while the clusters of a deleted one are
 * freed. At every moment the file is a good image, with the snapshot or without: at the worst some
 * clusters are counted too often.
 */
#include <errno.h>
#include <inttypes.h>

#include "core/error.h"
#include "disks/qcow2/qcow2.h"

static bool failed(struct qcow2 *q, int result, const char *what, GError **err)
{
    if (result == 0)
        return true;
    if (result == -EOVERFLOW)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The image %s cannot hold one more snapshot: its refcounts have %u "
                           "bits. Delete a snapshot, or convert the image to one with more.",
                           q->file->path, 1U << q->refcount_order);
    return vmdesk_error_from_errno(err, -result, NULL, "Cannot %s of the image %s", what,
                                   q->file->path);
}

static struct qcow2_snapshot *find(struct qcow2 *q, const char *wanted, guint *ret_index,
                                   GError **err)
{
    for (unsigned by_name = 0; by_name < 2; by_name++)
        for (guint i = 0; i < q->snapshots->len; i++) {
            struct qcow2_snapshot *snapshot = q->snapshots->pdata[i];

            if (g_strcmp0(by_name ? snapshot->name : snapshot->id, wanted) == 0) {
                *ret_index = i;
                return snapshot;
            }
        }
    vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                "The image %s has no snapshot \"%s\": list them first.", q->file->path, wanted);
    return NULL;
}

static bool check_name(struct qcow2 *q, const char *name, GError **err)
{
    if (name == NULL || name[0] == '\0' || strlen(name) > UINT16_MAX ||
        !g_utf8_validate(name, -1, NULL))
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "A snapshot of the image %s needs a name of 1 to %u bytes.",
                           q->file->path, UINT16_MAX);
    for (guint i = 0; i < q->snapshots->len; i++) {
        struct qcow2_snapshot *snapshot = q->snapshots->pdata[i];

        if (strcmp(snapshot->name, name) == 0)
            return vmdesk_fail(err, VMDESK_ERROR_EXISTS,
                               "The image %s has a snapshot \"%s\" already: choose another name, "
                               "or delete that one first.",
                               q->file->path, name);
    }
    return true;
}

/* One more than the highest there is. */
static char *new_id(struct qcow2 *q)
{
    uint64_t highest = 0;

    for (guint i = 0; i < q->snapshots->len; i++) {
        struct qcow2_snapshot *snapshot = q->snapshots->pdata[i];

        highest = MAX(highest, g_ascii_strtoull(snapshot->id, NULL, 10));
    }
    return g_strdup_printf("%" PRIu64, MIN(highest, UINT64_MAX - 1) + 1);
}

GPtrArray *qcow2_snapshots(struct image *image, GError **err)
{
    struct qcow2 *q = image->state;
    GPtrArray *list = g_ptr_array_new();

    g_mutex_lock(&q->lock);
    for (guint i = 0; i < q->snapshots->len; i++) {
        const struct qcow2_snapshot *from = q->snapshots->pdata[i];
        struct image_snapshot *to = g_new0(struct image_snapshot, 1);

        *to = (struct image_snapshot){
            .id = g_strdup(from->id),
            .name = g_strdup(from->name),
            .virtual_size = from->disk_size,
            .vm_state_size = from->vm_state_size,
            .date_sec = from->date_sec,
            .date_nsec = from->date_nsec,
            .vm_clock_nsec = from->vm_clock_nsec,
            .icount = from->icount,
        };
        g_ptr_array_add(list, to);
    }
    g_mutex_unlock(&q->lock);
    return list;
}

static struct qcow2_snapshot *describe(struct qcow2 *q, const struct image_snapshot *description)
{
    struct qcow2_snapshot *snapshot = g_new0(struct qcow2_snapshot, 1);
    gint64 now = g_get_real_time();

    *snapshot = (struct qcow2_snapshot){
        .l1_size = q->header.l1_size,
        .id = new_id(q),
        .name = g_strdup(description->name),
        .date_sec = description->date_sec,
        .date_nsec = description->date_nsec,
        .vm_clock_nsec = description->vm_clock_nsec,
        .vm_state_size = description->vm_state_size,
        .disk_size = q->header.size,
        .icount = description->icount != 0 ? description->icount : UINT64_MAX,
    };
    if (description->date_sec == 0) {
        snapshot->date_sec = now / G_USEC_PER_SEC;
        snapshot->date_nsec = now % G_USEC_PER_SEC * 1000;
    }
    return snapshot;
}

/* A copy of the active L1 table, without the flags that are the active one's. */
static int copy_l1(struct qcow2 *q, struct qcow2_snapshot *snapshot)
{
    g_autofree uint64_t *l1 = g_try_new(uint64_t, MAX(q->header.l1_size, 1));
    uint64_t clusters = qcow2_clusters(q, (uint64_t)q->header.l1_size * 8);
    int result;

    if (clusters == 0)
        return 0; /* of a disk without a byte */
    if (l1 == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < q->header.l1_size; i++)
        l1[i] = q->l1[i] & QCOW2_OFFSET_MASK;
    g_mutex_lock(&q->lock);
    result = qcow2_alloc_table(q, clusters, &snapshot->l1_offset);
    g_mutex_unlock(&q->lock);
    if (result < 0)
        return result;
    result = qcow2_table_write(q, snapshot->l1_offset, l1, q->header.l1_size);
    if (result < 0) {
        g_mutex_lock(&q->lock);
        qcow2_unalloc(q, snapshot->l1_offset, clusters);
        g_mutex_unlock(&q->lock);
    }
    return result;
}

static void drop_l1(struct qcow2 *q, const struct qcow2_snapshot *snapshot)
{
    g_mutex_lock(&q->lock);
    if (snapshot->l1_size > 0)
        qcow2_free(q, snapshot->l1_offset, qcow2_clusters(q, (uint64_t)snapshot->l1_size * 8),
                   false);
    g_mutex_unlock(&q->lock);
}

/* The shared clusters are counted before the flags say so, and these before the snapshot is. */
static int add_snapshot(struct qcow2 *q, struct qcow2_snapshot *snapshot)
{
    bool unknown = false;
    int result = copy_l1(q, snapshot);

    if (result < 0)
        return result;
    result = qcow2_tree_add(q, q->l1, q->header.l1_size, 1);
    if (result < 0) {
        drop_l1(q, snapshot);
        return result;
    }
    result = qcow2_sync(q, QCOW2_SYNC_REFCOUNTS);
    if (result == 0)
        result = qcow2_tree_set_copied(q, true);
    if (result == 0)
        result = qcow2_sync(q, QCOW2_SYNC_REFCOUNTS);
    if (result == 0) {
        g_mutex_lock(&q->lock);
        g_ptr_array_add(q->snapshots, snapshot);
        g_mutex_unlock(&q->lock);
        result = qcow2_snapshots_write(q, &unknown);
    }
    if (result < 0) {
        g_mutex_lock(&q->lock);
        if (q->snapshots->len > 0 && q->snapshots->pdata[q->snapshots->len - 1] == snapshot)
            g_ptr_array_steal_index(q->snapshots, q->snapshots->len - 1);
        g_mutex_unlock(&q->lock);
        if (!unknown) {
            qcow2_tree_add(q, q->l1, q->header.l1_size, -1);
            drop_l1(q, snapshot);
        }
    }
    return result;
}

static bool can_have(struct qcow2 *q, GError **err)
{
    if (q->data_file != q->file)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The image %s has an external data file, which no snapshot can hold: "
                           "convert it first.",
                           q->file->path);
    return q->snapshots->len < QCOW2_MAX_SNAPSHOTS ||
           vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                       "The image %s has %u snapshots and can have no more: delete one first.",
                       q->file->path, q->snapshots->len);
}

bool qcow2_snapshot_create(struct image *image, const struct image_snapshot *description,
                           GError **err)
{
    struct qcow2 *q = image->state;
    struct qcow2_snapshot *snapshot;
    int result;

    if (!can_have(q, err) || !check_name(q, description->name, err))
        return false;
    result = qcow2_pause_for_change(q);
    snapshot = describe(q, description);
    if (result == 0)
        result = add_snapshot(q, snapshot);
    if (result < 0) {
        qcow2_settle(q);
        qcow2_tree_set_copied(q, false);
        qcow2_snapshot_free(snapshot);
    }
    if (result == 0)
        result = qcow2_settle(q);
    qcow2_resume(q);
    return failed(q, result, "make a snapshot", err);
}

static int read_l1(struct qcow2 *q, const struct qcow2_snapshot *snapshot, uint32_t entries,
                   uint64_t **ret_l1)
{
    uint64_t *l1 = g_try_new0(uint64_t, MAX(entries, 1));
    int result =
        l1 != NULL ? qcow2_table_read(q, snapshot->l1_offset, l1, snapshot->l1_size) : -ENOMEM;

    for (uint32_t i = 0; i < snapshot->l1_size && result == 0; i++)
        l1[i] &= QCOW2_OFFSET_MASK;
    if (result < 0)
        g_clear_pointer(&l1, g_free);
    *ret_l1 = l1;
    return result;
}

/* Counts the snapshot's clusters once more, makes a copy of its L1 table the active one, and then
 * takes the former away. */
static int apply(struct qcow2 *q, const struct qcow2_snapshot *snapshot)
{
    uint32_t entries = MAX(snapshot->l1_size, qcow2_l1_entries(q, snapshot->disk_size));
    uint32_t old_entries = q->header.l1_size;
    g_autofree uint64_t *old = g_memdup2(q->l1, (gsize)old_entries * 8);
    bool unknown;
    uint64_t *l1;
    int result = read_l1(q, snapshot, entries, &l1);

    if (result < 0)
        return result;
    result = qcow2_tree_add(q, l1, snapshot->l1_size, 1);
    if (result < 0) {
        g_free(l1);
        return result;
    }
    result = qcow2_switch_l1(q, l1, entries, snapshot->disk_size, &unknown);
    if (result < 0) {
        if (!unknown)
            qcow2_tree_add(q, l1, snapshot->l1_size, -1);
        g_free(l1);
        return result;
    }
    result = qcow2_tree_add(q, old, old_entries, -1);
    if (result == 0)
        result = qcow2_settle(q);
    if (result == 0)
        result = qcow2_tree_set_copied(q, false);
    return result;
}

bool qcow2_snapshot_apply(struct image *image, const char *name, GError **err)
{
    struct qcow2 *q = image->state;
    guint index;
    struct qcow2_snapshot *snapshot = find(q, name, &index, err);
    int result;

    if (snapshot == NULL)
        return false;
    result = qcow2_pause_for_change(q);
    if (result == 0)
        result = apply(q, snapshot);
    if (result == 0)
        result = qcow2_settle(q);
    qcow2_resume(q);
    return failed(q, result, "apply a snapshot", err);
}

/* Nothing names the snapshot any longer; *ret_snapshot and *ret_l1 are what it was. */
static int take_out(struct qcow2 *q, guint index, struct qcow2_snapshot **ret_snapshot,
                    uint64_t **ret_l1)
{
    struct qcow2_snapshot *snapshot = q->snapshots->pdata[index];
    bool unknown;
    int result = read_l1(q, snapshot, snapshot->l1_size, ret_l1);

    if (result < 0)
        return result;
    g_mutex_lock(&q->lock);
    g_ptr_array_steal_index(q->snapshots, index);
    g_mutex_unlock(&q->lock);
    result = qcow2_snapshots_write(q, &unknown);
    if (result < 0) {
        g_mutex_lock(&q->lock);
        g_ptr_array_insert(q->snapshots, index, snapshot);
        g_mutex_unlock(&q->lock);
        g_clear_pointer(ret_l1, g_free);
    } else
        *ret_snapshot = snapshot;
    return result;
}

/* While requests run. What cannot be freed leaks. */
static int free_taken(struct qcow2 *q, struct qcow2_snapshot *snapshot, uint64_t *l1)
{
    int result, claimed;

    drop_l1(q, snapshot);
    result = qcow2_tree_free(q, l1, snapshot->l1_size);
    claimed = qcow2_claim(q);
    qcow2_snapshot_free(snapshot);
    g_free(l1);
    return result < 0 ? result : claimed;
}

bool qcow2_snapshot_delete(struct image *image, const char *name, GError **err)
{
    struct qcow2 *q = image->state;
    struct qcow2_snapshot *snapshot;
    uint64_t *l1 = NULL;
    guint index;
    int result;

    if (find(q, name, &index, err) == NULL)
        return false;
    result = qcow2_pause_for_change(q);
    if (result == 0)
        result = take_out(q, index, &snapshot, &l1);
    qcow2_resume(q);
    if (result == 0)
        result = free_taken(q, snapshot, l1);
    return failed(q, result, "delete a snapshot", err);
}

/* Returns the name that it had. */
static char *set_name(struct qcow2 *q, struct qcow2_snapshot *snapshot, char *name)
{
    char *old;

    g_mutex_lock(&q->lock);
    old = snapshot->name;
    snapshot->name = name;
    g_mutex_unlock(&q->lock);
    return old;
}

bool qcow2_snapshot_rename(struct image *image, const char *name, const char *new_name,
                           GError **err)
{
    struct qcow2 *q = image->state;
    guint index;
    struct qcow2_snapshot *snapshot = find(q, name, &index, err);
    bool unknown;
    char *old;
    int result;

    if (snapshot == NULL || !check_name(q, new_name, err))
        return false;
    result = qcow2_pause_for_change(q);
    if (result == 0) {
        old = set_name(q, snapshot, g_strdup(new_name));
        result = qcow2_snapshots_write(q, &unknown);
        g_free(result < 0 ? set_name(q, snapshot, old) : old);
    }
    if (result == 0)
        result = qcow2_settle(q);
    qcow2_resume(q);
    return failed(q, result, "rename a snapshot", err);
}
