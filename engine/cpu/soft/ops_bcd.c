/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decimal arithmetic, BOUND and SALC: not in 64-bit mode. */
#include "engine/cpu/soft/exec.h"
#include "engine/cpu/soft/stack.h"

/* SF, ZF and PF of AL, with CF and AF. */
static void set_decimal(struct soft_cpu *cpu, uint8_t al, bool cf, bool af)
{
    soft_set_flags_aux(cpu, (int8_t)al,
                       (cf ? SOFT_AUX_CF | SOFT_AUX_OVERFLOW : 0) | (af ? SOFT_AUX_AF : 0));
}

static void adjust(struct soft_cpu *cpu, int sign)
{
    uint8_t old = cpu->gpr[X86_RAX], al = old;
    bool cf = soft_cf(cpu), af = soft_af(cpu), carry = cf;

    if ((al & 0xf) > 9 || af) {
        carry = cf || (sign > 0 ? al > 0xff - 6 : al < 6);
        al += sign * 6;
        af = true;
    }
    if (old > 0x99 || cf) {
        al += sign * 0x60;
        carry = true;
    } else if (sign > 0) {
        carry = false;
    }
    soft_set8(cpu, 0, al);
    set_decimal(cpu, al, carry, af);
}

SOFT_OPERATION(daa)
{
    adjust(cpu, 1);
}

SOFT_OPERATION(das)
{
    adjust(cpu, -1);
}

static void ascii_adjust(struct soft_cpu *cpu, int sign)
{
    uint16_t ax = cpu->gpr[X86_RAX];
    bool carry = (ax & 0xf) > 9 || soft_af(cpu);

    if (carry)
        ax += sign * 0x106;
    soft_set16(cpu, X86_RAX, ax & 0xff0f);
    set_decimal(cpu, ax & 0xf, carry, carry);
}

SOFT_OPERATION(aaa)
{
    ascii_adjust(cpu, 1);
}

SOFT_OPERATION(aas)
{
    ascii_adjust(cpu, -1);
}

SOFT_OPERATION(aam)
{
    uint8_t al = cpu->gpr[X86_RAX], base = insn->imm;

    if (base == 0)
        soft_raise(cpu, X86_DE, 0);
    soft_set8(cpu, 1, al / base);
    soft_set8(cpu, 0, al % base);
    set_decimal(cpu, al % base, false, false);
}

SOFT_OPERATION(aad)
{
    uint8_t al = (uint8_t)cpu->gpr[X86_RAX] + soft_get8(cpu, 1) * (uint8_t)insn->imm;

    soft_set16(cpu, X86_RAX, al);
    set_decimal(cpu, al, false, false);
}

SOFT_OPERATION(salc)
{
    soft_set8(cpu, 0, soft_cf(cpu) ? 0xff : 0);
}

SOFT_OPERATION(bound)
{
    unsigned size = insn->size, shift = 64 - size * 8;
    uint64_t linear = soft_linear(cpu, insn, 2 * size, SOFT_READ);
    int64_t low = (int64_t)(soft_load_sized(cpu, linear, size) << shift) >> shift;
    int64_t high = (int64_t)(soft_load_sized(cpu, linear + size, size) << shift) >> shift;
    int64_t index = (int64_t)(cpu->gpr[insn->reg] << shift) >> shift;

    if (index < low || index > high)
        soft_raise(cpu, X86_BR, 0);
}
