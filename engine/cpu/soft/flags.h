/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lazy arithmetic flags: how struct soft_flags is set and read. */
#ifndef ENGINE_CPU_SOFT_FLAGS_H
#define ENGINE_CPU_SOFT_FLAGS_H

#include "engine/cpu/soft/cpu.h"

/*
 * Flags that no addition or subtraction gives, as bits of soft_flags.left. ZF is still result == 0;
 * SF is the result's, flipped by SOFT_AUX_SF; PF is the parity of the result's low byte xor the one
 * from SOFT_AUX_PF_SHIFT on.
 */
#define SOFT_AUX_CF (UINT64_C(1) << 63)
#define SOFT_AUX_OVERFLOW (UINT64_C(1) << 62) /* OF != CF */
#define SOFT_AUX_PF_SHIFT 8
#define SOFT_AUX_AF (UINT64_C(1) << 3)
#define SOFT_AUX_SF (UINT64_C(1) << 0)

static inline void soft_set_flags_aux(struct soft_cpu *cpu, uint64_t result, uint64_t aux)
{
    cpu->flags.result = result;
    cpu->flags.left = aux;
    cpu->flags.kind = SOFT_FLAGS_AUX;
}

static inline bool soft_cf(const struct soft_cpu *cpu)
{
    const struct soft_flags *f = &cpu->flags;

    switch (f->kind) {
    case SOFT_FLAGS_ADD:
        return f->result < f->left;
    case SOFT_FLAGS_SUB:
        return f->left < f->right;
    case SOFT_FLAGS_AUX:
        return f->left >> 63;
    case SOFT_FLAGS_LOGIC:
        break;
    }
    return false;
}

static inline bool soft_zf(const struct soft_cpu *cpu)
{
    return cpu->flags.result == 0;
}

static inline bool soft_sf(const struct soft_cpu *cpu)
{
    const struct soft_flags *f = &cpu->flags;

    return (f->result >> 63) ^ (f->kind == SOFT_FLAGS_AUX ? f->left & SOFT_AUX_SF : 0);
}

static inline bool soft_of(const struct soft_cpu *cpu)
{
    const struct soft_flags *f = &cpu->flags;

    switch (f->kind) {
    case SOFT_FLAGS_ADD:
        return ((f->left ^ f->result) & (f->right ^ f->result)) >> 63;
    case SOFT_FLAGS_SUB:
        return ((f->left ^ f->right) & (f->left ^ f->result)) >> 63;
    case SOFT_FLAGS_AUX:
        return (f->left ^ f->left << 1) >> 63;
    case SOFT_FLAGS_LOGIC:
        break;
    }
    return false;
}

static inline bool soft_af(const struct soft_cpu *cpu)
{
    const struct soft_flags *f = &cpu->flags;

    switch (f->kind) {
    case SOFT_FLAGS_ADD:
    case SOFT_FLAGS_SUB:
        return (f->left ^ f->right ^ f->result) >> 4 & 1;
    case SOFT_FLAGS_AUX:
        return f->left & SOFT_AUX_AF;
    case SOFT_FLAGS_LOGIC:
        break;
    }
    return false;
}

static inline bool soft_pf(const struct soft_cpu *cpu)
{
    const struct soft_flags *f = &cpu->flags;
    uint64_t flip = f->kind == SOFT_FLAGS_AUX ? f->left >> SOFT_AUX_PF_SHIFT : 0;

    return !__builtin_parity((f->result ^ flip) & 0xff);
}

/* CF or ZF; SF != OF; either of these or ZF: what CMP is for needs no flag of its own. */
static inline bool soft_below_equal(const struct soft_cpu *cpu)
{
    const struct soft_flags *f = &cpu->flags;

    return f->kind == SOFT_FLAGS_SUB ? f->left <= f->right : soft_cf(cpu) || soft_zf(cpu);
}

static inline bool soft_less(const struct soft_cpu *cpu)
{
    const struct soft_flags *f = &cpu->flags;

    return f->kind == SOFT_FLAGS_SUB ? (int64_t)f->left < (int64_t)f->right
                                     : soft_sf(cpu) != soft_of(cpu);
}

static inline bool soft_less_equal(const struct soft_cpu *cpu)
{
    const struct soft_flags *f = &cpu->flags;

    return f->kind == SOFT_FLAGS_SUB ? (int64_t)f->left <= (int64_t)f->right
                                     : soft_zf(cpu) || soft_sf(cpu) != soft_of(cpu);
}

/* Sets CF and OF and leaves the others. */
static inline void soft_set_cf_of(struct soft_cpu *cpu, bool cf, bool of)
{
    uint64_t kept = cpu->flags.kind == SOFT_FLAGS_AUX
                        ? cpu->flags.left & ~(SOFT_AUX_CF | SOFT_AUX_OVERFLOW)
                    : soft_af(cpu) ? SOFT_AUX_AF
                                   : 0;

    soft_set_flags_aux(cpu, cpu->flags.result,
                       kept | (cf ? SOFT_AUX_CF : 0) | (cf != of ? SOFT_AUX_OVERFLOW : 0));
}

/* Their bits as in RFLAGS. */
static inline uint64_t soft_arithmetic_flags(const struct soft_cpu *cpu)
{
    return (soft_cf(cpu) ? X86_FLAG_CF : 0) | (soft_pf(cpu) ? X86_FLAG_PF : 0) |
           (soft_af(cpu) ? X86_FLAG_AF : 0) | (soft_zf(cpu) ? X86_FLAG_ZF : 0) |
           (soft_sf(cpu) ? X86_FLAG_SF : 0) | (soft_of(cpu) ? X86_FLAG_OF : 0);
}

/* Sets all six from their bits in RFLAGS. */
static inline void soft_set_arithmetic_flags(struct soft_cpu *cpu, uint64_t flags)
{
    bool cf = flags & X86_FLAG_CF, of = flags & X86_FLAG_OF;

    soft_set_flags_aux(cpu, flags & X86_FLAG_ZF ? 0 : 0x100,
                       (cf ? SOFT_AUX_CF : 0) | (cf != of ? SOFT_AUX_OVERFLOW : 0) |
                           (flags & X86_FLAG_AF ? SOFT_AUX_AF : 0) |
                           (flags & X86_FLAG_SF ? SOFT_AUX_SF : 0) |
                           (flags & X86_FLAG_PF ? 0 : UINT64_C(1) << SOFT_AUX_PF_SHIFT));
}

#endif
