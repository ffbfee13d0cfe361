/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gives all states of a disk, which are the active one and the snapshots, what they read from the
 * backing image: between the files that do it.
 *
 * A cluster of the backing image is copied once, and every L2 table that lacks it gets it. A table
 * that several states share changes in its place, for all of them: an entry that comes to lead to
 * what the backing image has reads as before, whoever uses it. Copies are made while requests run;
 * the tables change, for many copies at once, while none does.
 */
#ifndef DISKS_QCOW2_FILL_H
#define DISKS_QCOW2_FILL_H

#include "disks/qcow2/qcow2.h"

/* The L1 table of one state. */
struct qcow2_state {
    uint64_t size; /* bytes of the disk then */
    uint64_t *l1; /* as it is in the file, in host order; of the active state NULL: that is q->l1 */
    uint32_t l1_size;
    uint64_t l1_offset;
};

/* They stay as they are while image->manage is held. */
struct qcow2_states {
    struct qcow2 *q;
    struct qcow2_state *all;
    unsigned count; /* the active state is the last */
    uint64_t size;  /* bytes of the largest */
};

/* States whose L1 tables have the same L2 table at an index, or all have none. */
struct qcow2_sharers {
    uint64_t table;        /* 0: none */
    unsigned first, count; /* of the group's members */
    uint64_t reach;        /* bytes: the end of the largest of their disks */
    bool active;           /* the active state is one of them */
    bool own;              /* nothing else leads to the table */
};

/* How the states share tables at one index of their L1 tables. */
struct qcow2_group {
    uint64_t index;
    GArray *members; /* of struct qcow2_member */
    GArray *sharers; /* of struct qcow2_sharers; the active state's are the last */
};

struct qcow2_member {
    uint64_t table;
    unsigned state; /* its number */
};

/* A copy of a guest cluster that nothing in the file refers to yet. */
struct qcow2_fill_piece {
    uint64_t cluster;       /* guest cluster */
    struct qcow2_entry old; /* what had a part of it, without its flag; or zeros: nothing */
    uint64_t host;
    uint64_t uses; /* by states, once it is entered */
};

/* states.c */
/* Fails with a reason that names the image. */
bool qcow2_states_check(struct qcow2 *q, GError **err);
int qcow2_states_load(struct qcow2 *q, struct qcow2_states *ret_states);
void qcow2_states_clear(struct qcow2_states *states);
void qcow2_group_init(struct qcow2_group *group);
void qcow2_group_clear(struct qcow2_group *group);
/* With the lock held. Those that have no table and end before the index are left out. */
void qcow2_group_load(struct qcow2_group *group, const struct qcow2_states *states, uint64_t index);
/* Which subclusters the entry leaves to the backing image. */
uint64_t qcow2_entry_missing(const struct qcow2 *q, struct qcow2_entry entry);
/* The slice with a guest cluster's entry in the table. With the lock held, which it may let go. */
int qcow2_sharers_get(struct qcow2 *q, const struct qcow2_sharers *sharers, uint64_t cluster,
                      struct qcow2_slice **ret_slice, unsigned *ret_index);

/* fill_enter.c: without the lock. Enters the pieces, which come ordered by guest cluster, in all
 * tables that lack them, on the disk too; what no table lacked is freed. On failure some may be. */
int qcow2_fill_enter(struct qcow2_states *states, GArray *pieces);

/* fill.c: without the lock. What the states read differently from the backing image and from
 * target, which may be NULL, they have themselves then; the active state apart, for what it has a
 * part of in a place of its own, and for what is written meanwhile. */
int qcow2_fill(struct qcow2 *q, struct image *target, const struct image_progress *progress);

/* chain.c: without the lock. For how many bytes from there both the backing image and target read
 * as zeros without being read; 0: there is data. target may be NULL. */
int qcow2_zeros_below(struct qcow2 *q, struct image *target, uint64_t offset, uint64_t length,
                      uint64_t *ret_zeros);
/* Whether the range reads differently from the two. buffers: room for it twice. */
int qcow2_must_copy(struct qcow2 *q, struct image *target, uint64_t offset, uint64_t length,
                    uint8_t *buffers, bool *ret_copy);

#endif
