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
    {&soft_operation_mov, NULL, false},       {&soft_operation_lea, NULL, false},
    {&soft_operation_add, &add_forms, true},  {&soft_operation_sub, &sub_forms, true},
    {&soft_operation_and, &and_forms, true},  {&soft_operation_or, &or_forms, true},
    {&soft_operation_xor, &xor_forms, true},  {&soft_operation_cmp, NULL, true},
    {&soft_operation_test, NULL, true},       {&soft_operation_movzx8, NULL, false},
    {&soft_operation_movzx16, NULL, false},   {&soft_operation_movsxd, NULL, false},
    {&soft_operation_shl, &shl_forms, false}, {&soft_operation_shr, &shr_forms, false},
    {&soft_operation_rol, &rol_forms, false},
};

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
        if (unseen && operations[n].forms != NULL)
            quiet = soft_decoder_form(d, operations[n].forms, mode, &insns[i]);
        if (quiet != NULL)
            insns[i].handler = quiet;
        unseen |= operations[n].sets;
    }
}
