/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arithmetic with lazy flags, for each operand size. Each function gives the result and sets the
 * flags; flags.h says what flags_result and flags_aux mean.
 */
#ifndef ENGINE_CPU_SOFT_ALU_H
#define ENGINE_CPU_SOFT_ALU_H

#include "engine/cpu/soft/flags.h"

#define ALU_AUX_KEPT (SOFT_AUX_CF | SOFT_AUX_OVERFLOW | SOFT_AUX_AF)

/* carry: bit n is the carry (or borrow) out of bit n of the operation. */
static inline uint64_t alu_aux(uint64_t carry, unsigned bits)
{
    return ((carry << (64 - bits)) & (SOFT_AUX_CF | SOFT_AUX_OVERFLOW)) | (carry & SOFT_AUX_AF);
}

#define ALU_DEFINE(BITS)                                                                 \
    static inline void alu_flags##BITS(struct soft_cpu *cpu, uint##BITS##_t result,      \
                                       uint64_t carry)                                   \
    {                                                                                    \
        cpu->flags_result = (int64_t)(int##BITS##_t)result;                              \
        cpu->flags_aux = alu_aux(carry, BITS);                                           \
    }                                                                                    \
                                                                                         \
    static inline uint##BITS##_t alu_add##BITS(struct soft_cpu *cpu, uint##BITS##_t a,   \
                                               uint##BITS##_t b)                         \
    {                                                                                    \
        uint##BITS##_t r = a + b;                                                        \
                                                                                         \
        alu_flags##BITS(cpu, r, (a & b) | ((a | b) & ~r));                               \
        return r;                                                                        \
    }                                                                                    \
                                                                                         \
    static inline uint##BITS##_t alu_sub##BITS(struct soft_cpu *cpu, uint##BITS##_t a,   \
                                               uint##BITS##_t b)                         \
    {                                                                                    \
        uint##BITS##_t r = a - b;                                                        \
                                                                                         \
        alu_flags##BITS(cpu, r, (~a & b) | (~(a ^ b) & r));                              \
        return r;                                                                        \
    }                                                                                    \
                                                                                         \
    static inline uint##BITS##_t alu_adc##BITS(struct soft_cpu *cpu, uint##BITS##_t a,   \
                                               uint##BITS##_t b)                         \
    {                                                                                    \
        uint##BITS##_t r = a + b + soft_cf(cpu);                                         \
                                                                                         \
        alu_flags##BITS(cpu, r, (a & b) | ((a | b) & ~r));                               \
        return r;                                                                        \
    }                                                                                    \
                                                                                         \
    static inline uint##BITS##_t alu_sbb##BITS(struct soft_cpu *cpu, uint##BITS##_t a,   \
                                               uint##BITS##_t b)                         \
    {                                                                                    \
        uint##BITS##_t r = a - b - soft_cf(cpu);                                         \
                                                                                         \
        alu_flags##BITS(cpu, r, (~a & b) | (~(a ^ b) & r));                              \
        return r;                                                                        \
    }                                                                                    \
                                                                                         \
    static inline uint##BITS##_t alu_logic##BITS(struct soft_cpu *cpu, uint##BITS##_t r) \
    {                                                                                    \
        cpu->flags_result = (int64_t)(int##BITS##_t)r;                                   \
        cpu->flags_aux = 0;                                                              \
        return r;                                                                        \
    }                                                                                    \
                                                                                         \
    static inline uint##BITS##_t alu_and##BITS(struct soft_cpu *cpu, uint##BITS##_t a,   \
                                               uint##BITS##_t b)                         \
    {                                                                                    \
        return alu_logic##BITS(cpu, a & b);                                              \
    }                                                                                    \
                                                                                         \
    static inline uint##BITS##_t alu_or##BITS(struct soft_cpu *cpu, uint##BITS##_t a,    \
                                              uint##BITS##_t b)                          \
    {                                                                                    \
        return alu_logic##BITS(cpu, a | b);                                              \
    }                                                                                    \
                                                                                         \
    static inline uint##BITS##_t alu_xor##BITS(struct soft_cpu *cpu, uint##BITS##_t a,   \
                                               uint##BITS##_t b)                         \
    {                                                                                    \
        return alu_logic##BITS(cpu, a ^ b);                                              \
    }                                                                                    \
                                                                                         \
    /* INC and DEC keep CF; bit 62 tells OF relative to it. */                           \
    static inline uint##BITS##_t alu_inc##BITS(struct soft_cpu *cpu, uint##BITS##_t a)   \
    {                                                                                    \
        bool cf = soft_cf(cpu);                                                          \
        uint##BITS##_t r = alu_add##BITS(cpu, a, 1);                                     \
                                                                                         \
        if (soft_cf(cpu) != cf)                                                          \
            cpu->flags_aux ^= SOFT_AUX_CF | SOFT_AUX_OVERFLOW;                           \
        return r;                                                                        \
    }                                                                                    \
                                                                                         \
    static inline uint##BITS##_t alu_dec##BITS(struct soft_cpu *cpu, uint##BITS##_t a)   \
    {                                                                                    \
        bool cf = soft_cf(cpu);                                                          \
        uint##BITS##_t r = alu_sub##BITS(cpu, a, 1);                                     \
                                                                                         \
        if (soft_cf(cpu) != cf)                                                          \
            cpu->flags_aux ^= SOFT_AUX_CF | SOFT_AUX_OVERFLOW;                           \
        return r;                                                                        \
    }                                                                                    \
                                                                                         \
    static inline uint##BITS##_t alu_neg##BITS(struct soft_cpu *cpu, uint##BITS##_t a)   \
    {                                                                                    \
        return alu_sub##BITS(cpu, 0, a);                                                 \
    }                                                                                    \
                                                                                         \
    static inline uint##BITS##_t alu_not##BITS(struct soft_cpu *cpu, uint##BITS##_t a)   \
    {                                                                                    \
        return ~a;                                                                       \
    }

ALU_DEFINE(8)
ALU_DEFINE(16)
ALU_DEFINE(32)
ALU_DEFINE(64)

#endif
