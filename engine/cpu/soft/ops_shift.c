/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shifts and rotates. The count is cut to 5 bits, 6 for 64-bit operands; 0 changes nothing. */
#include "engine/cpu/soft/alu.h"
#include "engine/cpu/soft/exec.h"
#include "engine/cpu/soft/forms.h"
#include "engine/cpu/soft/stack.h"

/* CF and OF as given, the rest by the result; AF is undefined. */
static inline void set_shifted(struct soft_cpu *cpu, int64_t result, bool cf, bool of)
{
    soft_set_flags_aux(cpu, result, (cf ? SOFT_AUX_CF : 0) | (cf != of ? SOFT_AUX_OVERFLOW : 0));
}

#define SHIFT_COUNT(BITS, COUNT) ((COUNT) & (BITS == 64 ? 63 : 31))

#define DEFINE_SHIFTS(BITS)                                                                   \
    static inline uint##BITS##_t do_shl##BITS(struct soft_cpu *cpu, uint##BITS##_t a,         \
                                              unsigned count)                                 \
    {                                                                                         \
        uint##BITS##_t r;                                                                     \
        bool cf;                                                                              \
                                                                                              \
        count = SHIFT_COUNT(BITS, count);                                                     \
        if (count == 0)                                                                       \
            return a;                                                                         \
        cf = count <= BITS && (a >> (BITS - count) & 1);                                      \
        r = count < BITS ? a << count : 0;                                                    \
        set_shifted(cpu, (int##BITS##_t)r, cf, cf != (r >> (BITS - 1)));                      \
        return r;                                                                             \
    }                                                                                         \
                                                                                              \
    static inline uint##BITS##_t do_shr##BITS(struct soft_cpu *cpu, uint##BITS##_t a,         \
                                              unsigned count)                                 \
    {                                                                                         \
        uint##BITS##_t r;                                                                     \
        bool cf;                                                                              \
                                                                                              \
        count = SHIFT_COUNT(BITS, count);                                                     \
        if (count == 0)                                                                       \
            return a;                                                                         \
        cf = count <= BITS && (a >> (count - 1) & 1);                                         \
        r = count < BITS ? a >> count : 0;                                                    \
        set_shifted(cpu, (int##BITS##_t)r, cf, ((r << 1) ^ r) >> (BITS - 1) & 1);             \
        return r;                                                                             \
    }                                                                                         \
                                                                                              \
    static inline uint##BITS##_t do_sar##BITS(struct soft_cpu *cpu, uint##BITS##_t a,         \
                                              unsigned count)                                 \
    {                                                                                         \
        int64_t wide = (int##BITS##_t)a;                                                      \
        uint##BITS##_t r;                                                                     \
                                                                                              \
        count = SHIFT_COUNT(BITS, count);                                                     \
        if (count == 0)                                                                       \
            return a;                                                                         \
        r = wide >> count;                                                                    \
        set_shifted(cpu, (int##BITS##_t)r, wide >> (count - 1) & 1, false);                   \
        return r;                                                                             \
    }                                                                                         \
                                                                                              \
    static inline uint##BITS##_t do_rol##BITS(struct soft_cpu *cpu, uint##BITS##_t a,         \
                                              unsigned count)                                 \
    {                                                                                         \
        unsigned n = SHIFT_COUNT(BITS, count) % BITS;                                         \
        uint##BITS##_t r = n != 0 ? (uint##BITS##_t)(a << n | a >> (BITS - n)) : a;           \
                                                                                              \
        if (SHIFT_COUNT(BITS, count) != 0)                                                    \
            soft_set_cf_of(cpu, r & 1, (r & 1) != (r >> (BITS - 1)));                         \
        return r;                                                                             \
    }                                                                                         \
                                                                                              \
    static inline uint##BITS##_t do_ror##BITS(struct soft_cpu *cpu, uint##BITS##_t a,         \
                                              unsigned count)                                 \
    {                                                                                         \
        unsigned n = SHIFT_COUNT(BITS, count) % BITS;                                         \
        uint##BITS##_t r = n != 0 ? (uint##BITS##_t)(a >> n | a << (BITS - n)) : a;           \
                                                                                              \
        if (SHIFT_COUNT(BITS, count) != 0)                                                    \
            soft_set_cf_of(cpu, r >> (BITS - 1), (r >> (BITS - 1)) != (r >> (BITS - 2) & 1)); \
        return r;                                                                             \
    }                                                                                         \
                                                                                              \
    static inline uint##BITS##_t do_rcl##BITS(struct soft_cpu *cpu, uint##BITS##_t a,         \
                                              unsigned count)                                 \
    {                                                                                         \
        unsigned n = SHIFT_COUNT(BITS, count) % (BITS + 1);                                   \
        bool cf = soft_cf(cpu);                                                               \
                                                                                              \
        if (SHIFT_COUNT(BITS, count) == 0)                                                    \
            return a;                                                                         \
        for (; n > 0; n--) {                                                                  \
            bool out = a >> (BITS - 1);                                                       \
                                                                                              \
            a = (uint##BITS##_t)(a << 1) | cf;                                                \
            cf = out;                                                                         \
        }                                                                                     \
        soft_set_cf_of(cpu, cf, cf != (a >> (BITS - 1)));                                     \
        return a;                                                                             \
    }                                                                                         \
                                                                                              \
    static inline uint##BITS##_t do_rcr##BITS(struct soft_cpu *cpu, uint##BITS##_t a,         \
                                              unsigned count)                                 \
    {                                                                                         \
        unsigned n = SHIFT_COUNT(BITS, count) % (BITS + 1);                                   \
        bool cf = soft_cf(cpu);                                                               \
                                                                                              \
        if (SHIFT_COUNT(BITS, count) == 0)                                                    \
            return a;                                                                         \
        for (; n > 0; n--) {                                                                  \
            bool out = a & 1;                                                                 \
                                                                                              \
            a = a >> 1 | (uint##BITS##_t)cf << (BITS - 1);                                    \
            cf = out;                                                                         \
        }                                                                                     \
        soft_set_cf_of(cpu, cf, (a >> (BITS - 1)) != (a >> (BITS - 2) & 1));                  \
        return a;                                                                             \
    }

DEFINE_SHIFTS(8)
DEFINE_SHIFTS(16)
DEFINE_SHIFTS(32)
DEFINE_SHIFTS(64)

#define SHIFT_FORM_SIZE(NAME, COMPUTE, COUNT, BITS)                                              \
    FORM_HANDLER(NAME##_ri_##BITS)                                                               \
    {                                                                                            \
        soft_set##BITS(cpu, insn->rm, COMPUTE##BITS(cpu, soft_get##BITS(cpu, insn->rm), COUNT)); \
        SOFT_NEXT;                                                                               \
    }                                                                                            \
    FORM_MODIFIES(NAME##_mi, BITS, COMPUTE, COUNT)

#define SHIFT_FORMS(NAME, COMPUTE, COUNT)             \
    SHIFT_FORM_SIZE(NAME, COMPUTE, COUNT, 8)          \
    SHIFT_FORM_SIZE(NAME, COMPUTE, COUNT, 16)         \
    SHIFT_FORM_SIZE(NAME, COMPUTE, COUNT, 32)         \
    SHIFT_FORM_SIZE(NAME, COMPUTE, COUNT, 64)         \
    static const struct soft_forms NAME##_forms = {   \
        .ri = FORM_LIST(NAME##_ri_),                  \
        .mi = FORM_LIST_KINDS(FORM_LIST, NAME##_mi_), \
    };                                                \
    FORMS_OPERATION(NAME, NULL)

#define SHIFT(NAME)                                  \
    SHIFT_FORMS(NAME, do_##NAME, (uint8_t)insn->imm) \
    SHIFT_FORMS(NAME##_cl, do_##NAME, (uint8_t)cpu->gpr[X86_RCX])

SHIFT(shl)
SHIFT(shr)
SHIFT(sar)
SHIFT(rol)
SHIFT(ror)
SHIFT(rcl)
SHIFT(rcr)

/* SHLD, and SHRD: `from` is shifted in. With 16 bits, counts above 16 go on with the operand
 * itself, as processors do. */
static void double_shift(struct soft_cpu *cpu, const struct soft_insn *insn, unsigned count,
                         bool left)
{
    unsigned size = insn->size, bits = size * 8;
    uint64_t linear = 0, a, from = soft_get_reg(cpu, insn->reg, size), r;
    uint64_t mask = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    unsigned __int128 wide;
    bool cf, memory = insn->flags & SOFT_INSN_MEM;

    count &= bits == 64 ? 63 : 31;
    if (memory) {
        linear = soft_linear(cpu, insn, size, SOFT_WRITE);
        a = soft_load_for_store(cpu, linear, size);
    } else {
        a = soft_get_reg(cpu, insn->rm, size);
    }
    if (count == 0) {
        if (!memory)
            soft_set_reg(cpu, insn->rm, size, a); /* clears the upper half of 32 bits */
        return;
    }
    if (left) {
        wide = (unsigned __int128)a << bits | from;
        if (bits == 16)
            wide = wide << 16 | a;
        r = (uint64_t)(wide >> (bits == 16 ? 32 - count : bits - count)) & mask;
        cf = count <= bits ? a >> (bits - count) & 1 : from >> (2 * bits - count) & 1;
    } else {
        wide = (unsigned __int128)from << bits | a;
        if (bits == 16)
            wide |= (unsigned __int128)a << 32;
        r = (uint64_t)(wide >> count) & mask;
        cf = (uint64_t)(wide >> (count - 1)) & 1;
    }
    if (memory)
        soft_store_sized(cpu, linear, r, size);
    else
        soft_set_reg(cpu, insn->rm, size, r);
    set_shifted(cpu, (int64_t)(r << (64 - bits)) >> (64 - bits), cf, (r ^ a) >> (bits - 1) & 1);
}

SOFT_OPERATION(shld)
{
    double_shift(cpu, insn, (uint8_t)insn->imm, true);
}

SOFT_OPERATION(shld_cl)
{
    double_shift(cpu, insn, (uint8_t)cpu->gpr[X86_RCX], true);
}

SOFT_OPERATION(shrd)
{
    double_shift(cpu, insn, (uint8_t)insn->imm, false);
}

SOFT_OPERATION(shrd_cl)
{
    double_shift(cpu, insn, (uint8_t)cpu->gpr[X86_RCX], false);
}
