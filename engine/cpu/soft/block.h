/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decoded blocks: the instructions from one address up to a branch, a page's end or
 * SOFT_BLOCK_MAX. A block is known by the host address of its first byte (so every alias of a page
 * finds it, and a write through any of them kills it) and the mode it was decoded in. Each vCPU
 * has its own.
 *
 * Memory comes from one arena of fixed size; when it is used up, everything is forgotten. A block
 * that died keeps its memory until then, so links to it may be followed to find that out.
 */
#ifndef ENGINE_CPU_SOFT_BLOCK_H
#define ENGINE_CPU_SOFT_BLOCK_H

#include "engine/cpu/soft/decode.h"

#define SOFT_BLOCK_MAX 48 /* instructions */

struct soft_block {
    const uint8_t *host; /* NULL: dead */
    uint32_t mode;
    uint16_t length; /* bytes */
    uint16_t count;  /* instructions; one more stands behind them and leads on */
    /* Where a direct branch [0] and falling through [1] lead, when that is in the same page. */
    struct soft_block *link[2];
    struct soft_block *next_in_bucket, *next_in_page;
    struct soft_insn insns[];
};

struct soft_blocks *soft_blocks_new(size_t arena_size);
void soft_blocks_free(struct soft_blocks *blocks); /* NULL is fine */

/* The block at cpu->rip in cpu->mode, decoded when it is new. Fetching may raise an exception. The
 * result is good until the next call. With `single`, of one instruction and not kept. */
struct soft_block *soft_block_find(struct soft_cpu *cpu, bool single);

/* Forgets the blocks of a page of host memory. */
void soft_blocks_drop_page(struct soft_cpu *cpu, const uint8_t *host_page);
void soft_blocks_drop_all(struct soft_cpu *cpu);

/* A run of handlers in one C stack frame needs the compiler to make jumps of calls; where it does
 * not, each block returns to the dispatch loop. */
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define SOFT_CHAINING 1
#else
#define SOFT_CHAINING 0
#endif

/* Goes on with a block at cpu->rip that is known to be the right one. */
static inline void soft_enter(struct soft_cpu *cpu, struct soft_block *block)
{
    cpu->block = block;
    cpu->gpr[SOFT_REG_BLOCK] = cpu->rip;
    return block->insns[0].handler(cpu, block->insns);
}

/* The end of a block: on at rip, by the jump cache. */
static inline void soft_go(struct soft_cpu *cpu, uint64_t rip)
{
    cpu->rip = rip;
    if (SOFT_CHAINING) {
        uint64_t linear = cpu->segment[X86_CS].base + rip;
        const struct soft_jump *jump =
            soft_jump_slot(&cpu->jumps, cpu->mode & SOFT_MODE_USER, linear);

        if (jump->linear == linear && jump->block != NULL && jump->block->host != NULL &&
            jump->block->mode == cpu->mode && !cpu->single &&
            __atomic_load_n(&cpu->requests, __ATOMIC_RELAXED) == 0)
            return soft_enter(cpu, jump->block);
    }
}

/* The same to a place that is always the same distance away. */
static inline void soft_go_linked(struct soft_cpu *cpu, uint64_t rip, unsigned which)
{
    if (SOFT_CHAINING) {
        struct soft_block *next = cpu->block->link[which];

        if (next != NULL && next->host != NULL && !cpu->single &&
            __atomic_load_n(&cpu->requests, __ATOMIC_RELAXED) == 0) {
            cpu->rip = rip;
            return soft_enter(cpu, next);
        }
        /* In the same page the dispatch loop makes the link. */
        if (((rip ^ cpu->gpr[SOFT_REG_BLOCK]) & SOFT_PAGE_MASK) == 0 && cpu->block->host != NULL) {
            cpu->link_from = cpu->block;
            cpu->link_which = which;
            cpu->rip = rip;
            return;
        }
    }
    return soft_go(cpu, rip);
}

/* Handlers for operations that have none of their own. _end: for rows with ROW_ENDS; checked: for
 * rows that need CPL 0, the FPU or SSE. */
soft_op soft_handler_plain, soft_handler_end, soft_handler_checked, soft_handler_checked_end;
/* Stands behind a block's last instruction. */
soft_op soft_handler_fall_through;

#endif
