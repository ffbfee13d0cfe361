/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files with x87, MMX and SSE operations. */
#ifndef ENGINE_CPU_SOFT_FPU_INTERNAL_H
#define ENGINE_CPU_SOFT_FPU_INTERNAL_H

#include "engine/cpu/soft/access.h"

/* Status and control after either was written: summary and reserved bits as hardware has them. */
void soft_x87_settle(struct soft_fpu *fpu);

/* FNINIT */
void soft_x87_init(struct soft_fpu *fpu);

/* Delivers an error that an earlier instruction left pending: #MF, or FERR# and on. */
static inline void soft_x87_check_pending(struct soft_cpu *cpu)
{
    if (G_LIKELY(!(cpu->fpu.status & X87_SUMMARY)))
        return;
    if (cpu->cr0 & CR0_NE)
        soft_raise(cpu, X86_MF, 0);
    if (cpu->fpu.ferr != NULL)
        cpu->fpu.ferr(cpu->fpu.ferr_opaque);
}

static inline unsigned soft_x87_top(const struct soft_fpu *fpu)
{
    return fpu->status >> X87_TOP_SHIFT & 7;
}

/* Renumbers the registers so that TOP is `top`: each stays in its physical place. */
static inline void soft_x87_rotate(struct soft_fpu *fpu, unsigned top)
{
    unsigned shift = (top - soft_x87_top(fpu)) & 7;

    if (shift != 0) {
        union soft_xmm old[8];

        memcpy(old, fpu->st, sizeof(old));
        for (unsigned i = 0; i < 8; i++)
            fpu->st[i] = old[(i + shift) & 7];
        fpu->status = (fpu->status & ~X87_TOP) | top << X87_TOP_SHIFT;
    }
}

/* What every MMX instruction but EMMS leaves of x87. Behind the last access that may fault. */
static inline void soft_mmx_touch(struct soft_cpu *cpu)
{
    soft_x87_rotate(&cpu->fpu, 0);
    cpu->fpu.tags = 0xff;
}

static inline uint64_t soft_mmx_get(const struct soft_cpu *cpu, unsigned reg)
{
    return cpu->fpu.st[(reg - soft_x87_top(&cpu->fpu)) & 7].u64[0];
}

/* Call soft_mmx_touch() first. */
static inline void soft_mmx_set(struct soft_cpu *cpu, unsigned reg, uint64_t value)
{
    cpu->fpu.st[reg].u64[0] = value;
    cpu->fpu.st[reg].u64[1] = 0xffff;
}

/* 16 bytes at a linear address. */
static inline void soft_load128(struct soft_cpu *cpu, uint64_t linear, union soft_xmm *ret)
{
    const uint8_t *host = soft_tlb_find(cpu->tlb_read, linear, 16);

    if (G_UNLIKELY(host == NULL))
        soft_load_bytes(cpu, linear, ret, 16);
    else
        memcpy(ret, host, 16);
}

static inline void soft_store128(struct soft_cpu *cpu, uint64_t linear, const union soft_xmm *value)
{
    uint8_t *host = soft_tlb_find(cpu->tlb_write, linear, 16);

    if (G_UNLIKELY(host == NULL))
        soft_store_bytes(cpu, linear, value, 16);
    else
        memcpy(host, value, 16);
}

/* The memory operand's address, which must be a multiple of `alignment`. */
static inline uint64_t soft_linear_aligned(struct soft_cpu *cpu, const struct soft_insn *insn,
                                           unsigned size, unsigned alignment,
                                           enum soft_access access)
{
    uint64_t linear = soft_linear(cpu, insn, size, access);

    if (G_UNLIKELY(linear % alignment != 0))
        soft_raise_gp0(cpu);
    return linear;
}

/* Stores those bytes whose mask has the top bit, at an offset in a segment. All of the place must
 * be writable if there is any. */
void soft_store_masked(struct soft_cpu *cpu, unsigned segment, uint64_t offset, const void *bytes,
                       const void *mask, unsigned size);

/* For instructions that not every host has; a literal name of __builtin_cpu_supports(). */
#define SOFT_NEED_HOST(CPU, FEATURE)                      \
    do {                                                  \
        if (G_UNLIKELY(!__builtin_cpu_supports(FEATURE))) \
            soft_raise_ud(CPU);                           \
    } while (0)

#endif
