/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single bits, and counting them. */
#include "engine/cpu/soft/atomic.h"
#include "engine/cpu/soft/exec.h"
#include "engine/cpu/soft/forms.h"
#include "engine/cpu/soft/stack.h"

/* BT and its kin change CF alone. */
static void set_cf(struct soft_cpu *cpu, bool cf)
{
    soft_set_cf_of(cpu, cf, soft_of(cpu));
}

enum change { TEST, SET, RESET, COMPLEMENT };

static uint64_t changed(uint64_t value, unsigned bit, enum change change)
{
    uint64_t mask = UINT64_C(1) << bit;

    switch (change) {
    case SET:
        return value | mask;
    case RESET:
        return value & ~mask;
    case COMPLEMENT:
        return value ^ mask;
    case TEST:
        break;
    }
    return value;
}

static bool has_immediate(const struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return soft_decoder_row(cpu->accel->decoder, insn->row)->opcode == 0xba;
}

static unsigned bit_number(const struct soft_cpu *cpu, const struct soft_insn *insn)
{
    uint64_t number = has_immediate(cpu, insn) ? insn->imm : cpu->gpr[insn->reg];

    return number & (insn->size * 8 - 1);
}

/* A register's bit number reaches beyond the operand in memory, both ways. */
static uint64_t bit_linear(struct soft_cpu *cpu, const struct soft_insn *insn,
                           enum soft_access access)
{
    unsigned size = insn->size, bits = size * 8;
    uint64_t offset = soft_effective(cpu, insn);

    if (!has_immediate(cpu, insn)) {
        int64_t number = (int64_t)(cpu->gpr[insn->reg] << (64 - bits)) >> (64 - bits);

        offset += (number >> (size == 8 ? 6 : size == 4 ? 5 : 4)) * size;
    }
    return soft_linear_at(cpu, insn->segment, offset & insn->address_mask, size, access);
}

/* Bits in memory. */
static void bit_operation(struct soft_cpu *cpu, const struct soft_insn *insn, enum change change,
                          soft_modify_fn *locked)
{
    unsigned size = insn->size, bit = bit_number(cpu, insn);
    uint64_t value, linear;

    if (change == TEST) {
        value = soft_load_sized(cpu, bit_linear(cpu, insn, SOFT_READ), size);
    } else if (insn->flags & SOFT_INSN_LOCK) {
        soft_locked_modify(cpu, insn, bit_linear(cpu, insn, SOFT_WRITE), locked);
        return;
    } else {
        linear = bit_linear(cpu, insn, SOFT_WRITE);
        value = soft_load_for_store(cpu, linear, size);
        soft_store_sized(cpu, linear, changed(value, bit, change), size);
    }
    set_cf(cpu, value >> bit & 1);
}

/* Bits of registers. */
#define BIT_REGISTER(NAME, CHANGE, BITS)                                                       \
    static inline void NAME##_in_register##BITS(struct soft_cpu *cpu,                          \
                                                const struct soft_insn *insn, uint64_t number) \
    {                                                                                          \
        uint64_t value = soft_get##BITS(cpu, insn->rm);                                        \
        unsigned bit = number % BITS;                                                          \
                                                                                               \
        if (CHANGE != TEST)                                                                    \
            soft_set##BITS(cpu, insn->rm, changed(value, bit, CHANGE));                        \
        set_cf(cpu, value >> bit & 1);                                                         \
    }                                                                                          \
    FORM_HANDLER(NAME##_rr_##BITS)                                                             \
    {                                                                                          \
        NAME##_in_register##BITS(cpu, insn, cpu->gpr[insn->reg]);                              \
        SOFT_NEXT;                                                                             \
    }                                                                                          \
    FORM_HANDLER(NAME##_ri_##BITS)                                                             \
    {                                                                                          \
        NAME##_in_register##BITS(cpu, insn, insn->imm);                                        \
        SOFT_NEXT;                                                                             \
    }

#define BIT_OPERATION(NAME, CHANGE)                                                   \
    static uint64_t NAME##_modify(struct soft_cpu *cpu, const struct soft_insn *insn, \
                                  uint64_t old)                                       \
    {                                                                                 \
        set_cf(cpu, old >> bit_number(cpu, insn) & 1);                                \
        return changed(old, bit_number(cpu, insn), CHANGE);                           \
    }                                                                                 \
                                                                                      \
    static void NAME##_run(struct soft_cpu *cpu, const struct soft_insn *insn)        \
    {                                                                                 \
        bit_operation(cpu, insn, CHANGE, NAME##_modify);                              \
    }                                                                                 \
                                                                                      \
    BIT_REGISTER(NAME, CHANGE, 16)                                                    \
    BIT_REGISTER(NAME, CHANGE, 32)                                                    \
    BIT_REGISTER(NAME, CHANGE, 64)                                                    \
    static const struct soft_forms NAME##_forms = {                                   \
        .rr = FORM_LIST_WIDE(NAME##_rr_),                                             \
        .ri = FORM_LIST_WIDE(NAME##_ri_),                                             \
    };                                                                                \
    FORMS_OPERATION(NAME, NAME##_run)

BIT_OPERATION(bt, TEST)
BIT_OPERATION(bts, SET)
BIT_OPERATION(btr, RESET)
BIT_OPERATION(btc, COMPLEMENT)

static uint64_t source(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    if (insn->flags & SOFT_INSN_MEM)
        return soft_load_sized(cpu, soft_linear(cpu, insn, insn->size, SOFT_READ), insn->size);
    return soft_get_reg(cpu, insn->rm, insn->size);
}

/* Of 0, BSF and BSR leave the destination as it was. */
SOFT_OPERATION(bsf)
{
    uint64_t value = source(cpu, insn);

    if (value != 0)
        soft_set_reg(cpu, insn->reg, insn->size, __builtin_ctzll(value));
    soft_set_flags_aux(cpu, value != 0, 0);
}

SOFT_OPERATION(bsr)
{
    uint64_t value = source(cpu, insn);

    if (value != 0)
        soft_set_reg(cpu, insn->reg, insn->size, 63 - __builtin_clzll(value));
    soft_set_flags_aux(cpu, value != 0, 0);
}

SOFT_OPERATION(popcnt)
{
    uint64_t value = source(cpu, insn);

    soft_set_reg(cpu, insn->reg, insn->size, __builtin_popcountll(value));
    soft_set_arithmetic_flags(cpu, value == 0 ? X86_FLAG_ZF : 0);
}
