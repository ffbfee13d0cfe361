/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copied flags for what the active tables alone have again, while requests run. Nothing becomes
 * shared meanwhile: flags are only set, and whoever has the only reference to a cluster keeps it
 * until it refers to something else. On the disk refcounts go before tables, and so before flags.
 */
#include <errno.h>

#include "disks/qcow2/qcow2.h"

struct claim {
    struct qcow2 *q;
    struct qcow2_slice *refcounts; /* what qcow2_refcount_is_one() left */
    bool changed;
};

/* Whether the entry of a table gets the flag. Lets the lock go, so that it may be another after. */
static int look(struct claim *claim, uint64_t word, bool *ret_own)
{
    uint64_t host = word & QCOW2_OFFSET_MASK;

    *ret_own = false;
    if ((word & (QCOW2_COPIED | QCOW2_COMPRESSED)) || host == 0)
        return 0;
    return qcow2_refcount_is_one(claim->q, host >> claim->q->cluster_bits, &claim->refcounts,
                                 ret_own);
}

static int claim_entries(struct claim *claim, struct qcow2_slice *slice)
{
    struct qcow2 *q = claim->q;
    int result = 0;

    for (unsigned i = 0; i < qcow2_slice_entries(q) && result == 0; i++) {
        struct qcow2_entry entry = qcow2_entry_load(q, slice->data, i);
        uint64_t before = entry.word;
        bool own;

        result = look(claim, before, &own);
        entry = qcow2_entry_load(q, slice->data, i);
        /* What was changed meanwhile has the flag that it needs. */
        if (result < 0 || !own || entry.word != before)
            continue;
        entry.word |= QCOW2_COPIED;
        qcow2_entry_store(q, slice->data, i, entry);
        qcow2_cache_dirty(q, slice);
        claim->changed = true;
    }
    return result;
}

static int claim_slice(struct claim *claim, uint64_t guest_cluster)
{
    struct qcow2 *q = claim->q;
    struct qcow2_slice *slice;
    unsigned index;
    int result;

    do
        result = qcow2_l2_get(q, guest_cluster, &slice, &index);
    while (result == -EAGAIN);
    if (result < 0 || slice == NULL)
        return result;
    result = claim_entries(claim, slice);
    qcow2_cache_put(q, slice);
    return result;
}

/* The table's own flag, without which it must not be changed. *ret_own: it has it. */
static int claim_table(struct claim *claim, uint32_t l1_index, bool *ret_own)
{
    struct qcow2 *q = claim->q;
    uint64_t before = q->l1[l1_index];
    int result = look(claim, before, ret_own);

    if (result == 0 && *ret_own && q->l1[l1_index] == before) {
        qcow2_l1_set(q, l1_index, before | QCOW2_COPIED);
        claim->changed = true;
    }
    *ret_own = q->l1[l1_index] & QCOW2_COPIED;
    return result;
}

static int claim_all(struct claim *claim)
{
    struct qcow2 *q = claim->q;
    int result = 0;

    for (uint32_t i = 0; i < q->header.l1_size && result == 0; i++) {
        uint64_t first = (uint64_t)i << q->l2_bits, end = first + (1ULL << q->l2_bits);
        bool own;

        result = claim_table(claim, i, &own);
        for (; own && first < end && result == 0; first += qcow2_slice_entries(q)) {
            result = claim_slice(claim, first);
            /* Requests come in between. */
            g_mutex_unlock(&q->lock);
            g_mutex_lock(&q->lock);
        }
    }
    return result;
}

int qcow2_claim(struct qcow2 *q)
{
    struct claim claim = {.q = q};
    int result;

    g_mutex_lock(&q->lock);
    result = claim_all(&claim);
    if (claim.refcounts != NULL)
        qcow2_cache_put(q, claim.refcounts);
    g_mutex_unlock(&q->lock);
    return result == 0 && claim.changed ? qcow2_sync(q, QCOW2_SYNC_REFCOUNTS) : result;
}
