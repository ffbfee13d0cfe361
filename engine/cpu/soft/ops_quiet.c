/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions whose flags nobody can see: another one sets all of them before anything reads them,
 * faults or leaves the block. Only registers are concerned, since memory may fault.
 */
#include "engine/cpu/soft/ops_quiet.h"

#include "engine/cpu/soft/forms.h"

#define QUIET(NAME, FORM, BITS, OPERATOR, SOURCE)                                      \
    FORM_HANDLER(NAME##_##FORM##_##BITS)                                               \
    {                                                                                  \
        soft_set##BITS(cpu, insn->rm, soft_get##BITS(cpu, insn->rm) OPERATOR(SOURCE)); \
        SOFT_NEXT;                                                                     \
    }

/* No handlers for 8 and 16 bits. */
#define QUIET_LIST(PREFIX)                 \
    {                                      \
        NULL, NULL, PREFIX##32, PREFIX##64 \
    }

#define QUIET_BINARY(NAME, OPERATOR)                          \
    QUIET(NAME, rr, 32, OPERATOR, soft_get32(cpu, insn->reg)) \
    QUIET(NAME, rr, 64, OPERATOR, soft_get64(cpu, insn->reg)) \
    QUIET(NAME, ri, 32, OPERATOR, insn->imm)                  \
    QUIET(NAME, ri, 64, OPERATOR, insn->imm)                  \
    static const struct soft_forms NAME##_forms = {           \
        .rr = QUIET_LIST(NAME##_rr_),                         \
        .ri = QUIET_LIST(NAME##_ri_),                         \
    };

#define QUIET_SHIFT(NAME, OPERATOR)                 \
    QUIET(NAME, ri, 32, OPERATOR, insn->imm & 31)   \
    QUIET(NAME, ri, 64, OPERATOR, insn->imm & 63)   \
    static const struct soft_forms NAME##_forms = { \
        .ri = QUIET_LIST(NAME##_ri_),               \
    };

#define QUIET_ROTATE(BITS)                                                \
    FORM_HANDLER(rol_ri_##BITS)                                           \
    {                                                                     \
        uint##BITS##_t value = soft_get##BITS(cpu, insn->rm);             \
        unsigned n = insn->imm % BITS;                                    \
                                                                          \
        soft_set##BITS(cpu, insn->rm, value << n | value >> (-n % BITS)); \
        SOFT_NEXT;                                                        \
    }

QUIET_ROTATE(32)
QUIET_ROTATE(64)
static const struct soft_forms rol_forms = {.ri = QUIET_LIST(rol_ri_)};

QUIET_BINARY(add, +)
QUIET_BINARY(sub, -)
QUIET_BINARY(and, &)
QUIET_BINARY(or, |)
QUIET_BINARY(xor, ^)
QUIET_SHIFT(shl, <<)
QUIET_SHIFT(shr, >>)

/*
 * The same by the numbers of both registers. What a handler knows of them it need not load, and the
 * host's processor can pass a value from a store to a load of the same fixed place without delay,
 * where a chain of guest instructions would otherwise wait for each. Two lists, since a macro does
 * not expand within itself.
 */
/* clang-format off */
#define EACH_RM(DO, ...)                                                            \
    DO(0, __VA_ARGS__)  DO(1, __VA_ARGS__)  DO(2, __VA_ARGS__)  DO(3, __VA_ARGS__)  \
    DO(4, __VA_ARGS__)  DO(5, __VA_ARGS__)  DO(6, __VA_ARGS__)  DO(7, __VA_ARGS__)  \
    DO(8, __VA_ARGS__)  DO(9, __VA_ARGS__)  DO(10, __VA_ARGS__) DO(11, __VA_ARGS__) \
    DO(12, __VA_ARGS__) DO(13, __VA_ARGS__) DO(14, __VA_ARGS__) DO(15, __VA_ARGS__)
#define EACH_REG(DO, ...)                                                           \
    DO(0, __VA_ARGS__)  DO(1, __VA_ARGS__)  DO(2, __VA_ARGS__)  DO(3, __VA_ARGS__)  \
    DO(4, __VA_ARGS__)  DO(5, __VA_ARGS__)  DO(6, __VA_ARGS__)  DO(7, __VA_ARGS__)  \
    DO(8, __VA_ARGS__)  DO(9, __VA_ARGS__)  DO(10, __VA_ARGS__) DO(11, __VA_ARGS__) \
    DO(12, __VA_ARGS__) DO(13, __VA_ARGS__) DO(14, __VA_ARGS__) DO(15, __VA_ARGS__)
/* clang-format on */

#define KEEP_FIRST(A, OPERATOR, B) A OPERATOR B
#define TAKE_SECOND(A, OPERATOR, B) B

#define PAIR_HANDLER(REG, RM, NAME, BITS, WHICH, OPERATOR)                                  \
    FORM_HANDLER(NAME##_##BITS##_##RM##_##REG)                                              \
    {                                                                                       \
        soft_set##BITS(cpu, RM,                                                             \
                       WHICH(soft_get##BITS(cpu, RM), OPERATOR, soft_get##BITS(cpu, REG))); \
        SOFT_NEXT;                                                                          \
    }
#define PAIR_HANDLERS(RM, ...) EACH_REG(PAIR_HANDLER, RM, __VA_ARGS__)
#define PAIR_ENTRY(REG, RM, NAME, BITS) NAME##_##BITS##_##RM##_##REG,
#define PAIR_ROW(RM, ...) {EACH_REG(PAIR_ENTRY, RM, __VA_ARGS__)},
#define PAIR_SIZE(NAME, BITS, WHICH, OPERATOR)          \
    EACH_RM(PAIR_HANDLERS, NAME, BITS, WHICH, OPERATOR) \
    static soft_op *const NAME##_pairs_##BITS[16][16] = {EACH_RM(PAIR_ROW, NAME, BITS)};
#define PAIRS(NAME, WHICH, OPERATOR)     \
    PAIR_SIZE(NAME, 32, WHICH, OPERATOR) \
    PAIR_SIZE(NAME, 64, WHICH, OPERATOR)

PAIRS(add, KEEP_FIRST, +)
PAIRS(sub, KEEP_FIRST, -)
PAIRS(and, KEEP_FIRST, &)
PAIRS(or, KEEP_FIRST, |)
PAIRS(xor, KEEP_FIRST, ^)
PAIRS(mov, TAKE_SECOND, +)

#define QUIET_MOVE(BITS)                                               \
    FORM_HANDLER(mov_rr_##BITS)                                        \
    {                                                                  \
        soft_set##BITS(cpu, insn->rm, soft_get##BITS(cpu, insn->reg)); \
        SOFT_NEXT;                                                     \
    }
QUIET_MOVE(32)
QUIET_MOVE(64)
static const struct soft_forms mov_forms = {.rr = QUIET_LIST(mov_rr_)};

#define ONE_HANDLER(RM, NAME, BITS, OPERATOR, MASK)                                 \
    FORM_HANDLER(NAME##_##BITS##_##RM)                                              \
    {                                                                               \
        soft_set##BITS(cpu, RM, soft_get##BITS(cpu, RM) OPERATOR(insn->imm &MASK)); \
        SOFT_NEXT;                                                                  \
    }
#define ONE_ENTRY(RM, NAME, BITS) NAME##_##BITS##_##RM,
#define ONE_SIZE(NAME, BITS, OPERATOR, MASK)         \
    EACH_RM(ONE_HANDLER, NAME, BITS, OPERATOR, MASK) \
    static soft_op *const NAME##_ones_##BITS[16] = {EACH_RM(ONE_ENTRY, NAME, BITS)};
ONE_SIZE(shl, 32, <<, 31)
ONE_SIZE(shl, 64, <<, 63)
ONE_SIZE(shr, 32, >>, 31)
ONE_SIZE(shr, 64, >>, 63)

extern const struct soft_operation soft_operation_add, soft_operation_sub, soft_operation_and,
    soft_operation_or, soft_operation_xor, soft_operation_shl, soft_operation_shr,
    soft_operation_rol, soft_operation_cmp, soft_operation_test, soft_operation_mov,
    soft_operation_lea, soft_operation_movzx8, soft_operation_movzx16, soft_operation_movsxd;

/* What does with registers and immediates no more than its result and flags. */
static const struct {
    const struct soft_operation *operation;
    const struct soft_forms *forms; /* without flags; NULL: it stays as it is */
    bool sets; /* all flags, without reading any; otherwise it leaves some or all as they are */
} operations[] = {
    {&soft_operation_mov, &mov_forms, false}, {&soft_operation_lea, NULL, false},
    {&soft_operation_add, &add_forms, true},  {&soft_operation_sub, &sub_forms, true},
    {&soft_operation_and, &and_forms, true},  {&soft_operation_or, &or_forms, true},
    {&soft_operation_xor, &xor_forms, true},  {&soft_operation_cmp, NULL, true},
    {&soft_operation_test, NULL, true},       {&soft_operation_movzx8, NULL, false},
    {&soft_operation_movzx16, NULL, false},   {&soft_operation_movsxd, NULL, false},
    {&soft_operation_shl, &shl_forms, false}, {&soft_operation_shr, &shr_forms, false},
    {&soft_operation_rol, &rol_forms, false},
};

static soft_op *by_registers(soft_op *handler, const struct soft_insn *insn)
{
    static const struct {
        soft_op *general;
        soft_op *const (*pairs)[16], *const *ones;
    } table[] = {
        {add_rr_32, add_pairs_32, NULL}, {add_rr_64, add_pairs_64, NULL},
        {sub_rr_32, sub_pairs_32, NULL}, {sub_rr_64, sub_pairs_64, NULL},
        {and_rr_32, and_pairs_32, NULL}, {and_rr_64, and_pairs_64, NULL},
        {or_rr_32, or_pairs_32, NULL},   {or_rr_64, or_pairs_64, NULL},
        {xor_rr_32, xor_pairs_32, NULL}, {xor_rr_64, xor_pairs_64, NULL},
        {mov_rr_32, mov_pairs_32, NULL}, {mov_rr_64, mov_pairs_64, NULL},
        {shl_ri_32, NULL, shl_ones_32},  {shl_ri_64, NULL, shl_ones_64},
        {shr_ri_32, NULL, shr_ones_32},  {shr_ri_64, NULL, shr_ones_64},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
        if (table[i].general == handler)
            return table[i].pairs != NULL ? table[i].pairs[insn->rm][insn->reg]
                                          : table[i].ones[insn->rm];
    }
    return handler;
}

static int find(const struct soft_decoder *d, const struct soft_insn *insn)
{
    const struct soft_row *row = soft_decoder_row(d, insn->row);

    if (row == NULL || (insn->flags & SOFT_INSN_MEM && row->operation != &soft_operation_lea))
        return -1;
    for (unsigned i = 0; i < G_N_ELEMENTS(operations); i++) {
        if (operations[i].operation == row->operation)
            return i;
    }
    return -1;
}

void soft_quiet(const struct soft_decoder *d, uint32_t mode, struct soft_insn *insns,
                unsigned count)
{
    bool unseen = false; /* the flags as they are behind the instruction */

    for (unsigned i = count; i-- > 0;) {
        int n = find(d, &insns[i]);
        soft_op *quiet = NULL;

        if (n < 0) {
            unseen = false;
            continue;
        }
        if (operations[n].forms != NULL && (unseen || operations[n].forms == &mov_forms))
            quiet = soft_decoder_form(d, operations[n].forms, mode, &insns[i]);
        if (quiet != NULL)
            insns[i].handler = by_registers(quiet, &insns[i]);
        unseen |= operations[n].sets;
    }
}
