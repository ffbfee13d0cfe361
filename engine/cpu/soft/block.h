/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decoded blocks: the instructions from one address up to a branch, a page's end or
 * SOFT_BLOCK_MAX. A block is known by the host address of its first byte (so every alias of a page
 * finds it, and a write through any of them kills it) and the mode it was decoded in. Each vCPU
 * has its own. An instruction that goes on in the next page is no block's: it is kept with its
 * bytes, which are fetched and compared each time.
 *
 * Memory comes from one arena of fixed size; when it is used up, everything is forgotten. A block
 * that died keeps its memory until then, so links to it may be followed to find that out.
 */
#ifndef ENGINE_CPU_SOFT_BLOCK_H
#define ENGINE_CPU_SOFT_BLOCK_H

#include "engine/cpu/soft/decode.h"

#define SOFT_BLOCK_MAX 48 /* instructions */

struct soft_block {
    const uint8_t *host; /* NULL: dead, or of one instruction alone */
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

/* Nobody asked for attention. */
static inline bool soft_may_go_on(const struct soft_cpu *cpu)
{
    return SOFT_CHAINING && __atomic_load_n(&cpu->requests, __ATOMIC_RELAXED) == 0;
}

/* Executes a block that is known to be the right one for rip. */
static inline G_ALWAYS_INLINE void soft_enter(struct soft_cpu *cpu, struct soft_block *block,
                                              uint64_t rip)
{
    cpu->block = block;
    cpu->gpr[SOFT_REG_BLOCK] = rip;
    return block->insns[0].handler(cpu, block->insns);
}

/* The block at a linear address by the jump cache; NULL: it is not known, or not to be run now. */
static inline struct soft_block *soft_next_block(struct soft_cpu *cpu, uint64_t linear)
{
    const struct soft_jump *jump = soft_jump_slot(&cpu->jumps, cpu->mode & SOFT_MODE_USER, linear);
    struct soft_block *block = jump->block;

    return jump->linear == linear && block != NULL && block->mode == cpu->mode && !cpu->single &&
                   soft_may_go_on(cpu)
               ? block
               : NULL;
}

/* The end of a block: on at rip, by the jump cache. */
static inline void soft_go(struct soft_cpu *cpu, uint64_t rip)
{
    struct soft_block *next = soft_next_block(cpu, cpu->segment[X86_CS].base + rip);

    if (next != NULL)
        return soft_enter(cpu, next, rip);
    cpu->rip = rip;
}

/* The same to a place that is always the same distance away. Blocks of one instruction alone have
 * no links. */
void soft_go_unlinked(struct soft_cpu *cpu, uint64_t rip, unsigned which);

static inline G_ALWAYS_INLINE void soft_go_linked(struct soft_cpu *cpu, uint64_t rip,
                                                  unsigned which)
{
    struct soft_block *next = cpu->block->link[which];

    if (next != NULL && soft_may_go_on(cpu))
        return soft_enter(cpu, next, rip);
    return soft_go_unlinked(cpu, rip, which);
}

/* Handlers for operations that have none of their own. _end: for rows with ROW_ENDS; checked: for
 * rows that need CPL 0, and for the FPU and SSE where the mode does not allow them. */
soft_op soft_handler_plain, soft_handler_end, soft_handler_checked, soft_handler_checked_end;
/* Stands behind a block's last instruction. */
soft_op soft_handler_fall_through;
/* In place of a dead block's first one: links may still lead there. */
soft_op soft_handler_dead;

#endif
