/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Multiplication and division. */
#include "engine/cpu/soft/exec.h"
#include "engine/cpu/soft/forms.h"
#include "engine/cpu/soft/stack.h"

/* CF and OF tell whether the upper half counts; the others, undefined, are those of the result. */
static inline void set_multiplied(struct soft_cpu *cpu, int64_t result, bool overflow)
{
    soft_set_flags_aux(cpu, result, overflow ? SOFT_AUX_CF : 0);
}

#define IMUL_SIZE(BITS)                                                                         \
    static inline uint##BITS##_t imul_to_##BITS(struct soft_cpu *cpu,                           \
                                                const struct soft_insn *insn, uint##BITS##_t a, \
                                                uint##BITS##_t b)                               \
    {                                                                                           \
        int##BITS##_t r;                                                                        \
        bool overflow = __builtin_mul_overflow((int##BITS##_t)a, (int##BITS##_t)b, &r);         \
                                                                                                \
        set_multiplied(cpu, r, overflow);                                                       \
        return r;                                                                               \
    }                                                                                           \
                                                                                                \
    static inline uint##BITS##_t imul_imm_to_##BITS(struct soft_cpu *cpu,                       \
                                                    const struct soft_insn *insn,               \
                                                    uint##BITS##_t old, uint##BITS##_t b)       \
    {                                                                                           \
        return imul_to_##BITS(cpu, insn, insn->imm, b);                                         \
    }

IMUL_SIZE(16)
IMUL_SIZE(32)
IMUL_SIZE(64)
FORMS_LOADING(imul, imul_to_, 16, 32, 64)
FORMS_OPERATION(imul, NULL)
FORMS_LOADING(imul_imm, imul_imm_to_, 16, 32, 64)
FORMS_OPERATION(imul_imm, NULL)

static uint64_t operand(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    if (insn->flags & SOFT_INSN_MEM)
        return soft_load_sized(cpu, soft_linear(cpu, insn, insn->size, SOFT_READ), insn->size);
    return insn->size == 1 ? soft_get8(cpu, insn->rm) : soft_get_reg(cpu, insn->rm, insn->size);
}

static int64_t extend(uint64_t value, unsigned size)
{
    return (int64_t)(value << (64 - size * 8)) >> (64 - size * 8);
}

/* The two halves of a result: AX for bytes, otherwise the accumulator and DX. */
static void set_halves(struct soft_cpu *cpu, unsigned size, uint64_t low, uint64_t high)
{
    if (size == 1) {
        soft_set8(cpu, 0, low);
        soft_set8(cpu, 1, high);
        return;
    }
    soft_set_reg(cpu, X86_RAX, size, low);
    soft_set_reg(cpu, X86_RDX, size, high);
}

SOFT_OPERATION(mul)
{
    unsigned size = insn->size, bits = size * 8;
    uint64_t b = operand(cpu, insn);
    uint64_t a = size == 1 ? soft_get8(cpu, 0) : soft_get_reg(cpu, X86_RAX, size);
    unsigned __int128 r = (unsigned __int128)a * b;

    set_halves(cpu, size, r, r >> bits);
    set_multiplied(cpu, extend(r, size), r >> bits != 0);
}

SOFT_OPERATION(imul_wide)
{
    unsigned size = insn->size, bits = size * 8;
    int64_t b = extend(operand(cpu, insn), size), a = extend(cpu->gpr[X86_RAX], size);
    __int128 r = (__int128)a * b;

    set_halves(cpu, size, r, r >> bits);
    set_multiplied(cpu, extend(r, size), r != extend(r, size));
}

/* The dividend of twice the operand's size. */
static unsigned __int128 dividend(const struct soft_cpu *cpu, unsigned size)
{
    if (size == 1)
        return soft_get16(cpu, X86_RAX);
    return (unsigned __int128)soft_get_reg(cpu, X86_RDX, size) << size * 8 |
           soft_get_reg(cpu, X86_RAX, size);
}

SOFT_OPERATION(div)
{
    unsigned size = insn->size;
    uint64_t divisor = operand(cpu, insn);
    unsigned __int128 a = dividend(cpu, size), quotient;

    if (divisor == 0)
        soft_raise(cpu, X86_DE, 0);
    if (a >> 64 == 0)
        quotient = (uint64_t)a / divisor;
    else
        quotient = a / divisor;
    if (quotient >> size * 8 != 0)
        soft_raise(cpu, X86_DE, 0);
    set_halves(cpu, size, quotient, a - quotient * divisor);
}

SOFT_OPERATION(idiv)
{
    unsigned size = insn->size, shift = 128 - size * 16;
    int64_t divisor = extend(operand(cpu, insn), size);
    __int128 a = (__int128)(dividend(cpu, size) << shift) >> shift, quotient;

    /* The least dividend by -1 overflows even here. */
    if (divisor == 0 || (divisor == -1 && (unsigned __int128)a == (unsigned __int128)1 << 127))
        soft_raise(cpu, X86_DE, 0);
    quotient = a / divisor;
    if (quotient != extend(quotient, size))
        soft_raise(cpu, X86_DE, 0);
    set_halves(cpu, size, quotient, a % divisor);
}
