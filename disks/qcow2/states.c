/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The states of a disk, and how they share L2 tables. */
#include <errno.h>
#include <inttypes.h>

#include "core/error.h"
#include "disks/qcow2/fill.h"

#define MAX_L1_BYTES (256 * 1024 * 1024) /* of all snapshots */

static bool check_snapshot(struct qcow2 *q, const struct qcow2_snapshot *snapshot, GError **err)
{
    uint64_t bytes = (uint64_t)snapshot->l1_size * 8, clusters = qcow2_clusters(q, bytes);
    int result = 0;
    bool good;

    if (snapshot->l1_size < qcow2_l1_entries(q, snapshot->disk_size))
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The snapshot \"%s\" of the image %s has too short a table for what it "
                           "reads from the backing file: delete it, or apply it and make it anew.",
                           snapshot->name, q->file->path);
    g_mutex_lock(&q->lock);
    good = !qcow2_is_main_table(q, snapshot->l1_offset, bytes);
    for (uint64_t i = 0; i < clusters && result == 0 && good; i++) {
        uint64_t refcount;

        result = qcow2_refcount_get(q, (snapshot->l1_offset >> q->cluster_bits) + i, &refcount);
        good = result == 0 && refcount == 1;
    }
    g_mutex_unlock(&q->lock);
    if (result < 0)
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot read the tables of the image %s",
                                       q->file->path);
    return good || vmdesk_fail(err, VMDESK_ERROR_INVALID,
                               "The table of the snapshot \"%s\" of the image %s is counted as "
                               "something else too: check the image, and repair it.",
                               snapshot->name, q->file->path);
}

bool qcow2_states_check(struct qcow2 *q, GError **err)
{
    uint64_t bytes = 0;

    if (q->data_file != q->file)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The image %s has an external data file, which no snapshot can share, "
                           "and yet it has snapshots: delete them first.",
                           q->file->path);
    for (guint i = 0; i < q->snapshots->len; i++)
        bytes += (uint64_t)((const struct qcow2_snapshot *)q->snapshots->pdata[i])->l1_size * 8;
    if (bytes > MAX_L1_BYTES)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The image %s has snapshots with %" PRIu64 " bytes of L1 tables, which "
                           "are more than %d: delete some of them first.",
                           q->file->path, bytes, MAX_L1_BYTES);
    for (guint i = 0; i < q->snapshots->len; i++)
        if (!check_snapshot(q, q->snapshots->pdata[i], err))
            return false;
    return true;
}

int qcow2_states_load(struct qcow2 *q, struct qcow2_states *ret_states)
{
    struct qcow2_states states = {.q = q, .count = q->snapshots->len + 1, .size = q->header.size};
    int result = 0;

    states.all = g_new0(struct qcow2_state, states.count);
    states.all[states.count - 1].size = q->header.size;
    for (guint i = 0; i < q->snapshots->len && result == 0; i++) {
        const struct qcow2_snapshot *snapshot = q->snapshots->pdata[i];
        struct qcow2_state *state = &states.all[i];

        *state = (struct qcow2_state){
            .size = snapshot->disk_size,
            .l1 = g_try_new(uint64_t, MAX(snapshot->l1_size, 1)),
            .l1_size = snapshot->l1_size,
            .l1_offset = snapshot->l1_offset,
        };
        states.size = MAX(states.size, state->size);
        result = state->l1 == NULL
                     ? -ENOMEM
                     : qcow2_table_read(q, state->l1_offset, state->l1, state->l1_size);
    }
    if (result < 0)
        qcow2_states_clear(&states);
    else
        *ret_states = states;
    return result;
}

void qcow2_states_clear(struct qcow2_states *states)
{
    for (unsigned i = 0; i < states->count; i++)
        g_free(states->all[i].l1);
    g_free(states->all);
}

void qcow2_group_init(struct qcow2_group *group)
{
    *group = (struct qcow2_group){
        .index = UINT64_MAX,
        .members = g_array_new(FALSE, FALSE, sizeof(struct qcow2_member)),
        .sharers = g_array_new(FALSE, FALSE, sizeof(struct qcow2_sharers)),
    };
}

void qcow2_group_clear(struct qcow2_group *group)
{
    g_array_unref(group->members);
    g_array_unref(group->sharers);
}

static uint64_t table_at(const struct qcow2_states *states, unsigned number, uint64_t index)
{
    const struct qcow2_state *state = &states->all[number];
    const uint64_t *l1 = state->l1 != NULL ? state->l1 : states->q->l1;
    uint32_t l1_size = state->l1 != NULL ? state->l1_size : states->q->header.l1_size;

    return index < l1_size ? l1[index] & QCOW2_OFFSET_MASK : 0;
}

/* opaque: the active state's table. */
static int by_table(const void *a, const void *b, void *opaque)
{
    const struct qcow2_member *one = a, *two = b;
    const uint64_t *active = opaque;
    int order = (one->table == *active) - (two->table == *active);

    if (order == 0)
        order = (one->table > two->table) - (one->table < two->table);
    return order != 0 ? order : (one->state > two->state) - (one->state < two->state);
}

void qcow2_group_load(struct qcow2_group *group, const struct qcow2_states *states, uint64_t index)
{
    struct qcow2 *q = states->q;
    uint64_t start = index << (q->l2_bits + q->cluster_bits);
    uint64_t active = table_at(states, states->count - 1, index);
    struct qcow2_sharers *sharers = NULL;

    group->index = index;
    g_array_set_size(group->members, 0);
    g_array_set_size(group->sharers, 0);
    for (unsigned i = 0; i < states->count; i++) {
        struct qcow2_member member = {table_at(states, i, index), i};

        if (member.table != 0 || states->all[i].size > start)
            g_array_append_val(group->members, member);
    }
    g_array_sort_with_data(group->members, by_table, &active);
    for (unsigned i = 0; i < group->members->len; i++) {
        const struct qcow2_member *member = &g_array_index(group->members, struct qcow2_member, i);
        /* A table that they are yet to get cannot be counted more often. */
        bool full = sharers != NULL && sharers->table == 0 && sharers->count >= q->max_refcount;

        if (sharers == NULL || sharers->table != member->table || full) {
            struct qcow2_sharers next = {.table = member->table, .first = i};

            g_array_append_val(group->sharers, next);
            sharers = &g_array_index(group->sharers, struct qcow2_sharers, group->sharers->len - 1);
        }
        sharers->count++;
        sharers->reach = MAX(sharers->reach, states->all[member->state].size);
        sharers->active |= member->state == states->count - 1;
    }
}

uint64_t qcow2_entry_missing(const struct qcow2 *q, struct qcow2_entry entry)
{
    uint64_t missing = 0;

    for (unsigned i = 0; i < q->subclusters; i++)
        if (qcow2_entry_kind(q, entry, i) == QCOW2_UNALLOCATED)
            missing |= 1ULL << i;
    return missing;
}

int qcow2_sharers_get(struct qcow2 *q, const struct qcow2_sharers *sharers, uint64_t cluster,
                      struct qcow2_slice **ret_slice, unsigned *ret_index)
{
    uint64_t index = cluster & ((1ULL << q->l2_bits) - 1);
    int result;

    if (sharers->table % q->cluster_size != 0)
        return qcow2_corrupt(q, "an L2 table is not aligned to clusters", sharers->table);
    *ret_index = index % qcow2_slice_entries(q);
    do
        result = qcow2_cache_get(q, QCOW2_L2,
                                 sharers->table + index / qcow2_slice_entries(q) * q->slice_size,
                                 ret_slice);
    while (result == -EAGAIN);
    return result;
}
