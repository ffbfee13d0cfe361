/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Enters copies of the backing image's clusters in the tables of all states that lack them; fill.h
 * has the whole. No request runs meanwhile. The order on the disk is that of qcow2_sync(), with the
 * L1 tables of the snapshots written last; and what these no longer lead to is freed after that. At
 * every moment the file is a good image: at the worst some clusters are counted too often.
 */
#include <errno.h>

#include "disks/qcow2/fill.h"

#define SECTOR_ENTRIES (IMAGE_SECTOR_SIZE / 8)

struct enter {
    struct qcow2 *q;
    struct qcow2_states *states;
    struct qcow2_group group;
    GArray *sectors; /* struct sector: of L1 tables that have changed */
    GArray *drops;   /* struct drop */
    uint8_t *buffer; /* a cluster */
};

struct sector {
    unsigned state;
    uint64_t number;
};

/* A cluster that so many states do not lead to any longer. */
struct drop {
    uint64_t host;
    uint64_t times;
};

static void add_drop(struct enter *enter, uint64_t host, uint64_t times)
{
    const struct drop drop = {host, times};

    g_array_append_val(enter->drops, drop);
}

/* With the lock held, which it lets go: a cluster with what another has; 0: with zeros. */
static int duplicate(struct enter *enter, uint64_t from, uint64_t *ret_host)
{
    struct qcow2 *q = enter->q;
    const struct iovec iov = {enter->buffer, q->cluster_size};
    uint64_t host, count;
    bool fresh;
    int result = qcow2_alloc(q, 1, &host, &count, &fresh);

    if (result < 0)
        return result;
    g_mutex_unlock(&q->lock);
    memset(enter->buffer, 0, q->cluster_size);
    if (from != 0)
        result = qcow2_read_place(q, &iov, 1, from, q->cluster_size);
    if (result == 0)
        result = file_write_all(q->file, &iov, 1, host);
    g_mutex_lock(&q->lock);
    if (result < 0)
        qcow2_unalloc(q, host, 1);
    else
        *ret_host = host;
    return result;
}

/* The entry of the L1 tables becomes the sharers' new table. */
static void set_l1(struct enter *enter, const struct qcow2_sharers *sharers)
{
    uint64_t index = enter->group.index;

    for (unsigned i = 0; i < sharers->count; i++) {
        struct qcow2_member *member =
            &g_array_index(enter->group.members, struct qcow2_member, sharers->first + i);
        struct qcow2_state *state = &enter->states->all[member->state];
        struct sector sector = {member->state, index / SECTOR_ENTRIES};

        member->table = sharers->table;
        if (state->l1 == NULL) {
            qcow2_l1_set(enter->q, index,
                         sharers->table | (sharers->count == 1 ? QCOW2_COPIED : 0));
            continue;
        }
        state->l1[index] = sharers->table;
        g_array_append_val(enter->sectors, sector);
    }
}

/* The sharers get a table if they have none; and another if theirs is counted as something else
 * too, so that it cannot change. With the lock held, which it lets go. */
static int own_table(struct enter *enter, struct qcow2_sharers *sharers)
{
    struct qcow2 *q = enter->q;
    uint64_t old = sharers->table, refcount = 0, table;
    int result = 0;

    if (sharers->own)
        return 0;
    if (old != 0)
        result = qcow2_refcount_get(q, old >> q->cluster_bits, &refcount);
    if (result == 0 && old != 0 && refcount < sharers->count)
        result = qcow2_corrupt(q, "an L2 table is counted too seldom", old);
    if (result < 0)
        return result;
    sharers->own = old != 0 && refcount == sharers->count;
    if (sharers->own)
        return 0;
    result = duplicate(enter, old, &table);
    if (result < 0)
        return result;
    result = qcow2_refcount_add(q, table >> q->cluster_bits, 1, sharers->count - 1);
    if (result < 0) {
        qcow2_unalloc(q, table, 1);
        return result;
    }
    sharers->table = table;
    sharers->own = true;
    set_l1(enter, sharers);
    if (old != 0)
        add_drop(enter, old, sharers->count);
    return 0;
}

/* Whether the entry lacks just what the piece has. */
static bool wants(const struct qcow2 *q, const struct qcow2_sharers *sharers,
                  struct qcow2_entry entry, const struct qcow2_fill_piece *piece)
{
    uint64_t host = entry.word & QCOW2_OFFSET_MASK;

    if (qcow2_entry_missing(q, entry) == 0 || host != piece->old.word)
        return false;
    if (host == 0)
        return true;
    /* What belongs to the active state alone may be written to by now. */
    return entry.bitmap == piece->old.bitmap && !(sharers->active && (entry.word & QCOW2_COPIED));
}

static int load_entry(struct qcow2 *q, const struct qcow2_sharers *sharers, uint64_t cluster,
                      struct qcow2_entry *ret_entry)
{
    struct qcow2_slice *slice;
    unsigned index;
    int result;

    *ret_entry = (struct qcow2_entry){0, 0};
    if (sharers->table == 0)
        return 0;
    result = qcow2_sharers_get(q, sharers, cluster, &slice, &index);
    if (result < 0)
        return result;
    *ret_entry = qcow2_entry_load(q, slice->data, index);
    qcow2_cache_put(q, slice);
    return 0;
}

/* The piece is counted for the sharers too; where it cannot be, they get another one. */
static int count_piece(struct enter *enter, struct qcow2_fill_piece *piece, uint64_t count)
{
    struct qcow2 *q = enter->q;
    int result = 0;

    if (piece->uses > q->max_refcount - count) {
        result = duplicate(enter, piece->host, &piece->host);
        if (result < 0)
            return result;
        piece->uses = 0;
    }
    /* It is counted once from the start. */
    result = qcow2_refcount_add(q, piece->host >> q->cluster_bits, 1,
                                piece->uses > 0 ? count : count - 1);
    if (result == 0)
        piece->uses += count;
    return result;
}

static int enter_in(struct enter *enter, struct qcow2_sharers *sharers,
                    struct qcow2_fill_piece *piece)
{
    struct qcow2 *q = enter->q;
    struct qcow2_entry entry, next;
    struct qcow2_slice *slice;
    unsigned index;
    int result;

    if (piece->cluster << q->cluster_bits >= sharers->reach)
        return 0;
    result = load_entry(q, sharers, piece->cluster, &entry);
    if (result < 0 || !wants(q, sharers, entry, piece))
        return result;
    result = own_table(enter, sharers);
    if (result == 0)
        result = qcow2_sharers_get(q, sharers, piece->cluster, &slice, &index);
    if (result < 0)
        return result;
    result = count_piece(enter, piece, sharers->count);
    if (result == 0) {
        next = (struct qcow2_entry){piece->host, 0};
        /* The active state comes last, so that the count is what it stays. */
        if (sharers->active && piece->uses == 1)
            next.word |= QCOW2_COPIED;
        if (q->subclusters > 1)
            next.bitmap = entry.bitmap | qcow2_entry_missing(q, entry);
        qcow2_entry_store(q, slice->data, index, next);
        qcow2_cache_dirty(q, slice);
        if (piece->old.word != 0)
            add_drop(enter, piece->old.word, sharers->count);
    }
    qcow2_cache_put(q, slice);
    return result;
}

static int enter_piece(struct enter *enter, struct qcow2_fill_piece *piece)
{
    struct qcow2 *q = enter->q;
    uint64_t index = piece->cluster >> q->l2_bits;
    int result = 0;

    if (enter->group.index != index)
        qcow2_group_load(&enter->group, enter->states, index);
    for (guint i = 0; i < enter->group.sharers->len && result == 0; i++)
        result =
            enter_in(enter, &g_array_index(enter->group.sharers, struct qcow2_sharers, i), piece);
    return result;
}

static int by_state(const void *a, const void *b)
{
    const struct sector *one = a, *two = b;

    if (one->state != two->state)
        return one->state < two->state ? -1 : 1;
    return (one->number > two->number) - (one->number < two->number);
}

static int write_sectors(struct enter *enter)
{
    struct qcow2 *q = enter->q;
    int result = 0;

    g_array_sort(enter->sectors, by_state);
    for (guint i = 0; i < enter->sectors->len && result == 0; i++) {
        const struct sector *sector = &g_array_index(enter->sectors, struct sector, i);
        const struct qcow2_state *state = &enter->states->all[sector->state];
        uint64_t first = sector->number * SECTOR_ENTRIES;

        /* Once for all that have changed in it. */
        if (i > 0 && by_state(sector - 1, sector) == 0)
            continue;
        result = qcow2_table_write(q, state->l1_offset + first * 8, state->l1 + first,
                                   MIN(state->l1_size - first, SECTOR_ENTRIES));
    }
    return result < 0 || enter->sectors->len == 0 ? result : q->file->ops->flush(q->file);
}

/* Brings it all to the disk. */
static int finish(struct enter *enter)
{
    struct qcow2 *q = enter->q;
    int result = qcow2_sync(q, QCOW2_SYNC_REFCOUNTS);

    if (result == 0)
        result = write_sectors(enter);
    g_mutex_lock(&q->lock);
    for (guint i = 0; i < enter->drops->len && result == 0; i++) {
        const struct drop *drop = &g_array_index(enter->drops, struct drop, i);

        for (uint64_t n = 0; n < drop->times; n++)
            qcow2_free(q, drop->host, 1, false);
    }
    g_mutex_unlock(&q->lock);
    return result;
}

static int enter_all(struct enter *enter, GArray *pieces)
{
    struct qcow2 *q = enter->q;
    int result = 0, finished;

    g_mutex_lock(&q->lock);
    for (guint i = 0; i < pieces->len && result == 0; i++)
        result = enter_piece(enter, &g_array_index(pieces, struct qcow2_fill_piece, i));
    g_mutex_unlock(&q->lock);
    /* What was entered before a failure is as good as all. */
    finished = finish(enter);
    return result < 0 ? result : finished;
}

int qcow2_fill_enter(struct qcow2_states *states, GArray *pieces)
{
    struct qcow2 *q = states->q;
    struct enter enter = {.q = q, .states = states};
    int result;

    enter.buffer = g_try_malloc(q->cluster_size);
    enter.sectors = g_array_new(FALSE, FALSE, sizeof(struct sector));
    enter.drops = g_array_new(FALSE, FALSE, sizeof(struct drop));
    qcow2_group_init(&enter.group);
    result = qcow2_pause_for_change(q);
    if (result == 0 && enter.buffer == NULL)
        result = -ENOMEM;
    if (result == 0)
        result = enter_all(&enter, pieces);
    g_mutex_lock(&q->lock);
    for (guint i = 0; i < pieces->len; i++) {
        const struct qcow2_fill_piece *piece = &g_array_index(pieces, struct qcow2_fill_piece, i);

        if (piece->uses == 0)
            qcow2_unalloc(q, piece->host, 1);
    }
    g_mutex_unlock(&q->lock);
    qcow2_resume(q);
    qcow2_group_clear(&enter.group);
    g_array_unref(enter.drops);
    g_array_unref(enter.sectors);
    g_free(enter.buffer);
    return result;
}
