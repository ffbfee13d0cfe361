/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arithmetic with lazy flags, for each operand size. Each function gives the result and sets the
 * flags as flags.h says.
 */
#ifndef ENGINE_CPU_SOFT_ALU_H
#define ENGINE_CPU_SOFT_ALU_H

#include "engine/cpu/soft/flags.h"

/* carry: bit n is the carry (or borrow) out of bit n of the operation. */
static inline uint64_t alu_aux(uint64_t carry, unsigned bits)
{
    return ((carry << (64 - bits)) & (SOFT_AUX_CF | SOFT_AUX_OVERFLOW)) | (carry & SOFT_AUX_AF);
}

static inline void alu_set_flags(struct soft_cpu *cpu, enum soft_flags_kind kind, int64_t left,
                                 int64_t right, int64_t result)
{
    cpu->flags.result = result;
    cpu->flags.left = left;
    cpu->flags.right = right;
    cpu->flags.kind = kind;
}

/* INC and DEC keep CF. */
static inline void alu_set_counted(struct soft_cpu *cpu, int64_t result, bool af, bool of)
{
    bool cf = soft_cf(cpu);

    soft_set_flags_aux(cpu, result,
                       (cf ? SOFT_AUX_CF : 0) | (cf != of ? SOFT_AUX_OVERFLOW : 0) |
                           (af ? SOFT_AUX_AF : 0));
}

#define ALU_DEFINE(BITS)                                                                          \
    static inline uint##BITS##_t alu_add##BITS(struct soft_cpu *cpu, uint##BITS##_t a,            \
                                               uint##BITS##_t b)                                  \
    {                                                                                             \
        uint##BITS##_t r = a + b;                                                                 \
                                                                                                  \
        alu_set_flags(cpu, SOFT_FLAGS_ADD, (int##BITS##_t)a, (int##BITS##_t)b, (int##BITS##_t)r); \
        return r;                                                                                 \
    }                                                                                             \
                                                                                                  \
    static inline uint##BITS##_t alu_sub##BITS(struct soft_cpu *cpu, uint##BITS##_t a,            \
                                               uint##BITS##_t b)                                  \
    {                                                                                             \
        uint##BITS##_t r = a - b;                                                                 \
                                                                                                  \
        alu_set_flags(cpu, SOFT_FLAGS_SUB, (int##BITS##_t)a, (int##BITS##_t)b, (int##BITS##_t)r); \
        return r;                                                                                 \
    }                                                                                             \
                                                                                                  \
    static inline uint##BITS##_t alu_adc##BITS(struct soft_cpu *cpu, uint##BITS##_t a,            \
                                               uint##BITS##_t b)                                  \
    {                                                                                             \
        uint##BITS##_t r = a + b + soft_cf(cpu);                                                  \
                                                                                                  \
        soft_set_flags_aux(cpu, (int##BITS##_t)r, alu_aux((a & b) | ((a | b) & ~r), BITS));       \
        return r;                                                                                 \
    }                                                                                             \
                                                                                                  \
    static inline uint##BITS##_t alu_sbb##BITS(struct soft_cpu *cpu, uint##BITS##_t a,            \
                                               uint##BITS##_t b)                                  \
    {                                                                                             \
        uint##BITS##_t r = a - b - soft_cf(cpu);                                                  \
                                                                                                  \
        soft_set_flags_aux(cpu, (int##BITS##_t)r, alu_aux((~a & b) | (~(a ^ b) & r), BITS));      \
        return r;                                                                                 \
    }                                                                                             \
                                                                                                  \
    static inline uint##BITS##_t alu_logic##BITS(struct soft_cpu *cpu, uint##BITS##_t r)          \
    {                                                                                             \
        cpu->flags.result = (int64_t)(int##BITS##_t)r;                                            \
        cpu->flags.kind = SOFT_FLAGS_LOGIC;                                                       \
        return r;                                                                                 \
    }                                                                                             \
                                                                                                  \
    static inline uint##BITS##_t alu_and##BITS(struct soft_cpu *cpu, uint##BITS##_t a,            \
                                               uint##BITS##_t b)                                  \
    {                                                                                             \
        return alu_logic##BITS(cpu, a & b);                                                       \
    }                                                                                             \
                                                                                                  \
    static inline uint##BITS##_t alu_or##BITS(struct soft_cpu *cpu, uint##BITS##_t a,             \
                                              uint##BITS##_t b)                                   \
    {                                                                                             \
        return alu_logic##BITS(cpu, a | b);                                                       \
    }                                                                                             \
                                                                                                  \
    static inline uint##BITS##_t alu_xor##BITS(struct soft_cpu *cpu, uint##BITS##_t a,            \
                                               uint##BITS##_t b)                                  \
    {                                                                                             \
        return alu_logic##BITS(cpu, a ^ b);                                                       \
    }                                                                                             \
                                                                                                  \
    static inline uint##BITS##_t alu_inc##BITS(struct soft_cpu *cpu, uint##BITS##_t a)            \
    {                                                                                             \
        uint##BITS##_t r = a + 1;                                                                 \
                                                                                                  \
        alu_set_counted(cpu, (int##BITS##_t)r, (r & 15) == 0, a == UINT##BITS##_MAX / 2);         \
        return r;                                                                                 \
    }                                                                                             \
                                                                                                  \
    static inline uint##BITS##_t alu_dec##BITS(struct soft_cpu *cpu, uint##BITS##_t a)            \
    {                                                                                             \
        uint##BITS##_t r = a - 1;                                                                 \
                                                                                                  \
        alu_set_counted(cpu, (int##BITS##_t)r, (r & 15) == 15, r == UINT##BITS##_MAX / 2);        \
        return r;                                                                                 \
    }                                                                                             \
                                                                                                  \
    static inline uint##BITS##_t alu_neg##BITS(struct soft_cpu *cpu, uint##BITS##_t a)            \
    {                                                                                             \
        return alu_sub##BITS(cpu, 0, a);                                                          \
    }                                                                                             \
                                                                                                  \
    static inline uint##BITS##_t alu_not##BITS(struct soft_cpu *cpu, uint##BITS##_t a)            \
    {                                                                                             \
        return ~a;                                                                                \
    }

ALU_DEFINE(8)
ALU_DEFINE(16)
ALU_DEFINE(32)
ALU_DEFINE(64)

#endif
