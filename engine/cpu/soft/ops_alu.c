/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addition, subtraction, logic and comparison. */
#include "engine/cpu/soft/alu.h"
#include "engine/cpu/soft/atomic.h"
#include "engine/cpu/soft/exec.h"
#include "engine/cpu/soft/forms.h"

/* The source of a locked instruction: a register, or the immediate. */
static uint64_t locked_source(const struct soft_cpu *cpu, const struct soft_insn *insn)
{
    const struct soft_row *row = soft_decoder_row(cpu->accel->decoder, insn->row);

    if (strchr(row->operands, 'I') != NULL)
        return insn->imm;
    return insn->size == 1 ? soft_get8(cpu, insn->reg) : soft_get_reg(cpu, insn->reg, insn->size);
}

static void run_locked(struct soft_cpu *cpu, const struct soft_insn *insn, soft_modify_fn *modify)
{
    soft_locked_modify(cpu, insn, soft_linear(cpu, insn, insn->size, SOFT_WRITE), modify);
}

/* What `run` of an operation with these forms does: LOCK with memory. */
#define LOCKED(NAME, COMPUTE, ...)                                                    \
    static uint64_t NAME##_modify(struct soft_cpu *cpu, const struct soft_insn *insn, \
                                  uint64_t old)                                       \
    {                                                                                 \
        switch (insn->size) {                                                         \
        case 1:                                                                       \
            return COMPUTE##8(cpu, old, ##__VA_ARGS__);                               \
        case 2:                                                                       \
            return COMPUTE##16(cpu, old, ##__VA_ARGS__);                              \
        case 4:                                                                       \
            return COMPUTE##32(cpu, old, ##__VA_ARGS__);                              \
        }                                                                             \
        return COMPUTE##64(cpu, old, ##__VA_ARGS__);                                  \
    }                                                                                 \
                                                                                      \
    static void NAME##_locked(struct soft_cpu *cpu, const struct soft_insn *insn)     \
    {                                                                                 \
        run_locked(cpu, insn, NAME##_modify);                                         \
    }

#define BINARY(NAME)                                   \
    FORMS_BINARY(NAME, alu_##NAME)                     \
    LOCKED(NAME, alu_##NAME, locked_source(cpu, insn)) \
    FORMS_OPERATION(NAME, NAME##_locked)

#define UNARY(NAME)               \
    FORMS_UNARY(NAME, alu_##NAME) \
    LOCKED(NAME, alu_##NAME)      \
    FORMS_OPERATION(NAME, NAME##_locked)

BINARY(add)
BINARY(or)
BINARY(adc)
BINARY(sbb)
BINARY(and)
BINARY(sub)
BINARY(xor)
FORMS_COMPARE(cmp, alu_sub)
FORMS_OPERATION(cmp, NULL)
FORMS_COMPARE(test, alu_and)
FORMS_OPERATION(test, NULL)
UNARY(inc)
UNARY(dec)
UNARY(neg)
UNARY(not )
