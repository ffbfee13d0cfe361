/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pushing and popping, on the stack in use and on one that is about to be. */
#ifndef ENGINE_CPU_SOFT_STACK_H
#define ENGINE_CPU_SOFT_STACK_H

#include "engine/cpu/soft/flags.h"
#include "engine/cpu/soft/segment.h"

static inline uint64_t soft_stack_mask(const struct soft_cpu *cpu)
{
    return cpu->mode & SOFT_MODE_CODE64    ? UINT64_MAX
           : cpu->mode & SOFT_MODE_STACK32 ? 0xffffffff
                                           : 0xffff;
}

/* Bits of RSP that the stack does not use stay, but for the upper half of a 32-bit one. */
static inline void soft_set_sp(struct soft_cpu *cpu, uint64_t sp)
{
    if (cpu->mode & SOFT_MODE_CODE64)
        cpu->gpr[X86_RSP] = sp;
    else if (cpu->mode & SOFT_MODE_STACK32)
        cpu->gpr[X86_RSP] = (uint32_t)sp;
    else
        soft_set16(cpu, X86_RSP, sp);
}

static inline uint64_t soft_load_sized(struct soft_cpu *cpu, uint64_t linear, unsigned size)
{
    switch (size) {
    case 1:
        return soft_load8(cpu, linear);
    case 2:
        return soft_load16(cpu, linear);
    case 4:
        return soft_load32(cpu, linear);
    }
    return soft_load64(cpu, linear);
}

static inline void soft_store_sized(struct soft_cpu *cpu, uint64_t linear, uint64_t value,
                                    unsigned size)
{
    switch (size) {
    case 1:
        soft_store8(cpu, linear, value);
        break;
    case 2:
        soft_store16(cpu, linear, value);
        break;
    case 4:
        soft_store32(cpu, linear, value);
        break;
    default:
        soft_store64(cpu, linear, value);
    }
}

/* The item at an offset from the top; the stack pointer stays. */
static inline uint64_t soft_peek(struct soft_cpu *cpu, unsigned offset, unsigned size)
{
    uint64_t sp = (cpu->gpr[X86_RSP] + offset) & soft_stack_mask(cpu);

    return soft_load_sized(cpu, soft_linear_at(cpu, X86_SS, sp, size, SOFT_READ), size);
}

/* Stores an item `offset` bytes under the top; the stack pointer stays. */
static inline void soft_poke_below(struct soft_cpu *cpu, unsigned offset, uint64_t value,
                                   unsigned size)
{
    uint64_t sp = (cpu->gpr[X86_RSP] - offset) & soft_stack_mask(cpu);

    soft_store_sized(cpu, soft_linear_at(cpu, X86_SS, sp, size, SOFT_WRITE), value, size);
}

static inline void soft_push(struct soft_cpu *cpu, uint64_t value, unsigned size)
{
    soft_poke_below(cpu, size, value, size);
    soft_set_sp(cpu, cpu->gpr[X86_RSP] - size);
}

static inline uint64_t soft_pop(struct soft_cpu *cpu, unsigned size)
{
    uint64_t value = soft_peek(cpu, 0, size);

    soft_set_sp(cpu, cpu->gpr[X86_RSP] + size);
    return value;
}

/* A stack that an interrupt or call goes on with: nothing changes until it is committed. */
struct soft_frame {
    struct soft_descriptor ss;
    unsigned selector;
    unsigned cpl; /* whose stack it is */
    bool change;  /* SS is loaded too; otherwise the one in use goes on */
    uint64_t sp, mask;
};

/* The stack in use. */
struct soft_frame soft_frame_current(struct soft_cpu *cpu);
/* The one that the TSS has for an inner privilege level; raises #TS and #SS. */
struct soft_frame soft_frame_inner(struct soft_cpu *cpu, unsigned cpl);
void soft_frame_push(struct soft_cpu *cpu, struct soft_frame *frame, uint64_t value, unsigned size);
void soft_frame_commit(struct soft_cpu *cpu, const struct soft_frame *frame);

static inline uint64_t soft_rflags(const struct soft_cpu *cpu)
{
    return cpu->rflags | soft_arithmetic_flags(cpu) | X86_FLAG_1;
}

/* Sets the flags that mask names, and what follows from them. */
void soft_set_rflags(struct soft_cpu *cpu, uint64_t flags, uint64_t mask);

#endif
