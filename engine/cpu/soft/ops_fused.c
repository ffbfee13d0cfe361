/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pairs: what sets flags, with the conditional jump behind it, as one handler of 64-bit mode. The
 * condition is then a comparison of values at hand. Flags are set all the same: whoever reads them
 * at the target finds them.
 */
#include "engine/cpu/soft/ops_fused.h"

#include "engine/cpu/soft/alu.h"
#include "engine/cpu/soft/condition.h"
#include "engine/cpu/soft/forms.h"

/* The first of the pair as it is alone: what the TLB does not have. */
static G_GNUC_NO_INLINE void alone(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return soft_decoder_handler(cpu->accel->decoder, cpu->mode, insn)(cpu, insn);
}

#define FUSED_JUMP(CC)                                                         \
    if (soft_condition_##CC(cpu))                                              \
        return soft_go_linked(cpu, cpu->gpr[SOFT_REG_BLOCK] + insn[1].imm, 0); \
    return soft_go_linked(cpu, cpu->gpr[SOFT_REG_BLOCK] + insn[1].offset + insn[1].length, 1);

/* ... : the destination's and the source's value. KEEP: what becomes of the result. */
#define FUSED_REGISTER(NAME, COMPUTE, CC, BITS, KEEP, ...) \
    FORM_HANDLER(NAME##_##CC##_##BITS)                     \
    {                                                      \
        KEEP(BITS, COMPUTE##BITS(cpu, __VA_ARGS__));       \
        FUSED_JUMP(CC)                                     \
    }

#define FUSED_LOAD(NAME, COMPUTE, CC, BITS, KIND, ...)                            \
    FORM_HANDLER(NAME##_##CC##_##KIND##_##BITS)                                   \
    {                                                                             \
        uint64_t linear = soft_form_linear(cpu, insn, BITS / 8, SOFT_READ, KIND); \
        uint##BITS##_t value;                                                     \
        uint8_t *host;                                                            \
                                                                                  \
        if (!soft_tlb_hit(cpu->tlb_read, linear, BITS / 8, &host))                \
            return alone(cpu, insn);                                              \
        memcpy(&value, host, BITS / 8);                                           \
        COMPUTE##BITS(cpu, __VA_ARGS__);                                          \
        FUSED_JUMP(CC)                                                            \
    }

#define FUSED_DROP(BITS, RESULT) RESULT
#define FUSED_KEEP(BITS, RESULT) soft_set##BITS(cpu, insn->rm, RESULT)

#define RM(BITS) soft_get##BITS(cpu, insn->rm)
#define REG(BITS) soft_get##BITS(cpu, insn->reg)

#define FUSED_REGISTERS(NAME, COMPUTE, CC, BITS, KEEP)                      \
    FUSED_REGISTER(NAME##_rr, COMPUTE, CC, BITS, KEEP, RM(BITS), REG(BITS)) \
    FUSED_REGISTER(NAME##_ri, COMPUTE, CC, BITS, KEEP, RM(BITS), insn->imm)

#define FUSED_LOADS(NAME, COMPUTE, CC, BITS, KIND)                   \
    FUSED_LOAD(NAME##_rm, COMPUTE, CC, BITS, KIND, REG(BITS), value) \
    FUSED_LOAD(NAME##_mr, COMPUTE, CC, BITS, KIND, value, REG(BITS)) \
    FUSED_LOAD(NAME##_mi, COMPUTE, CC, BITS, KIND, value, insn->imm)

#define FUSED_COMPARE_SIZE(NAME, COMPUTE, CC, BITS)      \
    FUSED_REGISTERS(NAME, COMPUTE, CC, BITS, FUSED_DROP) \
    FUSED_LOADS(NAME, COMPUTE, CC, BITS, 1)              \
    FUSED_LOADS(NAME, COMPUTE, CC, BITS, 2)

/* No pairs with 16 bits, nor with segments that need checks. */
#define FUSED_LIST(PREFIX)                      \
    {                                           \
        PREFIX##8, NULL, PREFIX##32, PREFIX##64 \
    }
#define FUSED_LIST_KINDS(PREFIX)                               \
    {                                                          \
        {NULL}, FUSED_LIST(PREFIX##1_), FUSED_LIST(PREFIX##2_) \
    }

#define FUSED_COMPARE(NAME, COMPUTE, CC)           \
    FUSED_COMPARE_SIZE(NAME, COMPUTE, CC, 8)       \
    FUSED_COMPARE_SIZE(NAME, COMPUTE, CC, 32)      \
    FUSED_COMPARE_SIZE(NAME, COMPUTE, CC, 64)      \
    static const struct soft_forms NAME##_##CC = { \
        .rr = FUSED_LIST(NAME##_rr_##CC##_),       \
        .ri = FUSED_LIST(NAME##_ri_##CC##_),       \
        .rm = FUSED_LIST_KINDS(NAME##_rm_##CC##_), \
        .mr = FUSED_LIST_KINDS(NAME##_mr_##CC##_), \
        .mi = FUSED_LIST_KINDS(NAME##_mi_##CC##_), \
    };

#define FUSED_BINARY(NAME, COMPUTE, CC)                \
    FUSED_REGISTERS(NAME, COMPUTE, CC, 8, FUSED_KEEP)  \
    FUSED_REGISTERS(NAME, COMPUTE, CC, 32, FUSED_KEEP) \
    FUSED_REGISTERS(NAME, COMPUTE, CC, 64, FUSED_KEEP) \
    static const struct soft_forms NAME##_##CC = {     \
        .rr = FUSED_LIST(NAME##_rr_##CC##_),           \
        .ri = FUSED_LIST(NAME##_ri_##CC##_),           \
    };

#define FUSED_UNARY(NAME, COMPUTE, CC)                             \
    FUSED_REGISTER(NAME##_ri, COMPUTE, CC, 8, FUSED_KEEP, RM(8))   \
    FUSED_REGISTER(NAME##_ri, COMPUTE, CC, 32, FUSED_KEEP, RM(32)) \
    FUSED_REGISTER(NAME##_ri, COMPUTE, CC, 64, FUSED_KEEP, RM(64)) \
    static const struct soft_forms NAME##_##CC = {                 \
        .ri = FUSED_LIST(NAME##_ri_##CC##_),                       \
    };

FUSED_COMPARE(cmp, alu_sub, z)
FUSED_COMPARE(cmp, alu_sub, nz)
FUSED_COMPARE(cmp, alu_sub, b)
FUSED_COMPARE(cmp, alu_sub, nb)
FUSED_COMPARE(cmp, alu_sub, be)
FUSED_COMPARE(cmp, alu_sub, nbe)
FUSED_COMPARE(cmp, alu_sub, l)
FUSED_COMPARE(cmp, alu_sub, nl)
FUSED_COMPARE(cmp, alu_sub, le)
FUSED_COMPARE(cmp, alu_sub, nle)
FUSED_COMPARE(test, alu_and, z)
FUSED_COMPARE(test, alu_and, nz)
FUSED_COMPARE(test, alu_and, s)
FUSED_COMPARE(test, alu_and, ns)
FUSED_COMPARE(test, alu_and, le)
FUSED_COMPARE(test, alu_and, nle)
FUSED_BINARY(add, alu_add, z)
FUSED_BINARY(add, alu_add, nz)
FUSED_BINARY(sub, alu_sub, z)
FUSED_BINARY(sub, alu_sub, nz)
FUSED_BINARY(and, alu_and, z)
FUSED_BINARY(and, alu_and, nz)
FUSED_UNARY(inc, alu_inc, nz)
FUSED_UNARY(dec, alu_dec, z)
FUSED_UNARY(dec, alu_dec, nz)

/* Conditions by number, as opcodes have it. */
enum { Z = 4, NZ, B = 2, NB, BE = 6, NBE, S, NS, L = 12, NL, LE, NLE };

extern const struct soft_operation soft_operation_cmp, soft_operation_test, soft_operation_add,
    soft_operation_sub, soft_operation_and, soft_operation_inc, soft_operation_dec;

static const struct {
    const struct soft_operation *operation;
    const struct soft_forms *forms[16]; /* by condition */
} pairs[] = {
    {&soft_operation_cmp,
     {[Z] = &cmp_z,
      [NZ] = &cmp_nz,
      [B] = &cmp_b,
      [NB] = &cmp_nb,
      [BE] = &cmp_be,
      [NBE] = &cmp_nbe,
      [L] = &cmp_l,
      [NL] = &cmp_nl,
      [LE] = &cmp_le,
      [NLE] = &cmp_nle}},
    {&soft_operation_test,
     {[Z] = &test_z,
      [NZ] = &test_nz,
      [S] = &test_s,
      [NS] = &test_ns,
      [LE] = &test_le,
      [NLE] = &test_nle}},
    {&soft_operation_add, {[Z] = &add_z, [NZ] = &add_nz}},
    {&soft_operation_sub, {[Z] = &sub_z, [NZ] = &sub_nz}},
    {&soft_operation_and, {[Z] = &and_z, [NZ] = &and_nz}},
    {&soft_operation_inc, {[NZ] = &inc_nz}},
    {&soft_operation_dec, {[Z] = &dec_z, [NZ] = &dec_nz}},
};

static bool is_conditional_jump(const struct soft_row *row)
{
    return (row->map == MAP_ONE && row->opcode >> 4 == 0x7) ||
           (row->map == MAP_0F && row->opcode >> 4 == 0x8);
}

soft_op *soft_fused_handler(const struct soft_decoder *d, uint32_t mode,
                            const struct soft_insn *insn)
{
    const struct soft_row *row = soft_decoder_row(d, insn->row);
    const struct soft_row *jump = soft_decoder_row(d, insn[1].row);

    if (!SOFT_CHAINING || !(mode & SOFT_MODE_CODE64) || row == NULL || jump == NULL ||
        !is_conditional_jump(jump) || insn->flags & SOFT_INSN_LOCK)
        return NULL;
    for (unsigned i = 0; i < G_N_ELEMENTS(pairs); i++) {
        const struct soft_forms *forms = pairs[i].forms[jump->opcode & 15];

        if (pairs[i].operation == row->operation)
            return forms != NULL ? soft_decoder_form(d, forms, mode, insn) : NULL;
    }
    return NULL;
}
