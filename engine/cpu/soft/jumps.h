/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The quick way from a branch to a block: blocks by linear address. Pages have groups of their own,
 * so that one page can be forgotten, and user code has other groups than the supervisor's, so that
 * they do not push each other out. An entry stands for a translation of its page, which a processor
 * may keep until it is told to forget it.
 */
#ifndef ENGINE_CPU_SOFT_JUMPS_H
#define ENGINE_CPU_SOFT_JUMPS_H

#include "engine/cpu/soft/tlb.h"

struct soft_block;
struct soft_cpu;

#define SOFT_JUMP_PAGES 64 /* of each privilege */
#define SOFT_JUMPS_OF_PAGE 256

struct soft_jump {
    uint64_t linear;
    struct soft_block *block; /* NULL: empty */
};

/* What is known of a group; as with the TLB. */
enum soft_jumps_mark { SOFT_JUMPS_USED, SOFT_JUMPS_LOCAL, SOFT_JUMPS_LARGE, SOFT_JUMPS_MARKS };

/* The parts [0] are the supervisor's, [1] the user's. */
struct soft_jumps {
    struct soft_jump slots[2][SOFT_JUMP_PAGES][SOFT_JUMPS_OF_PAGE];
    uint64_t marks[2][SOFT_JUMPS_MARKS]; /* a bit a group */
    struct {
        uint64_t first, last;
    } large[2]; /* where the linear addresses in large pages are */
};

static inline struct soft_jump *soft_jump_slot(struct soft_jumps *jumps, bool user, uint64_t linear)
{
    return &jumps->slots[user][linear / SOFT_PAGE_SIZE % SOFT_JUMP_PAGES]
                        [(linear ^ linear >> 4) % SOFT_JUMPS_OF_PAGE];
}

/* The block is where cpu is about to execute, from a page that is in the TLB. */
void soft_jumps_add(struct soft_cpu *cpu, struct soft_block *block);

/* Forgets the groups with a mark, or what may be in the page of a linear address. */
void soft_jumps_forget(struct soft_cpu *cpu, enum soft_jumps_mark mark);
void soft_jumps_forget_page(struct soft_cpu *cpu, uint64_t linear);

#endif
