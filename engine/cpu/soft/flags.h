/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lazy arithmetic flags: how soft_cpu.flags_result and flags_aux are set and read. */
#ifndef ENGINE_CPU_SOFT_FLAGS_H
#define ENGINE_CPU_SOFT_FLAGS_H

#include "engine/cpu/soft/cpu.h"

#define SOFT_AUX_CF (UINT64_C(1) << 63)
#define SOFT_AUX_OVERFLOW (UINT64_C(1) << 62) /* OF != CF */
#define SOFT_AUX_PF_SHIFT 8
#define SOFT_AUX_AF (UINT64_C(1) << 3)
#define SOFT_AUX_SF (UINT64_C(1) << 0)

static inline bool soft_cf(const struct soft_cpu *cpu)
{
    return cpu->flags_aux >> 63;
}

static inline bool soft_zf(const struct soft_cpu *cpu)
{
    return cpu->flags_result == 0;
}

static inline bool soft_sf(const struct soft_cpu *cpu)
{
    return (cpu->flags_result >> 63) ^ (cpu->flags_aux & SOFT_AUX_SF);
}

static inline bool soft_of(const struct soft_cpu *cpu)
{
    return (cpu->flags_aux ^ cpu->flags_aux << 1) >> 63;
}

static inline bool soft_af(const struct soft_cpu *cpu)
{
    return cpu->flags_aux >> 3 & 1;
}

static inline bool soft_pf(const struct soft_cpu *cpu)
{
    return !__builtin_parity((cpu->flags_result ^ cpu->flags_aux >> SOFT_AUX_PF_SHIFT) & 0xff);
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

    cpu->flags_result = flags & X86_FLAG_ZF ? 0 : 0x100;
    cpu->flags_aux = (cf ? SOFT_AUX_CF : 0) | (cf != of ? SOFT_AUX_OVERFLOW : 0) |
                     (flags & X86_FLAG_AF ? SOFT_AUX_AF : 0) |
                     (flags & X86_FLAG_SF ? SOFT_AUX_SF : 0) |
                     (flags & X86_FLAG_PF ? 0 : UINT64_C(1) << SOFT_AUX_PF_SHIFT);
}

#endif
