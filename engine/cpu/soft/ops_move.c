/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moves, conversions, exchanges of registers, conditional moves and SETcc. */
#include "engine/cpu/soft/condition.h"
#include "engine/cpu/soft/exec.h"
#include "engine/cpu/soft/forms.h"
#include "engine/cpu/soft/stack.h"

#define MOV_SIZE(BITS)                                                     \
    FORM_HANDLER(mov_rr_##BITS)                                            \
    {                                                                      \
        soft_set##BITS(cpu, insn->rm, soft_get##BITS(cpu, insn->reg));     \
        SOFT_NEXT;                                                         \
    }                                                                      \
    FORM_HANDLER(mov_ri_##BITS)                                            \
    {                                                                      \
        soft_set##BITS(cpu, insn->rm, insn->imm);                          \
        SOFT_NEXT;                                                         \
    }                                                                      \
    FORM_LOADS(mov_rm, BITS, BITS, soft_set##BITS(cpu, insn->reg, value);) \
    FORM_STORES(mov_mr, BITS, soft_get##BITS(cpu, insn->reg))              \
    FORM_STORES(mov_mi, BITS, insn->imm)

MOV_SIZE(8)
MOV_SIZE(16)
MOV_SIZE(32)
MOV_SIZE(64)
FORMS_TABLE(mov)
FORMS_OPERATION(mov, NULL)

/* Extensions: name, then signed or not, and the size that is extended. */
#define EXTEND(NAME, FROM, TYPE)                      \
    EXTEND_SIZE(NAME, FROM, TYPE, 16)                 \
    EXTEND_SIZE(NAME, FROM, TYPE, 32)                 \
    EXTEND_SIZE(NAME, FROM, TYPE, 64)                 \
    FORMS_LOADING(NAME, NAME##_to_, FROM, FROM, FROM) \
    FORMS_OPERATION(NAME, NULL)

#define EXTEND_SIZE(NAME, FROM, TYPE, BITS)                                        \
    static inline uint##BITS##_t NAME##_to_##BITS(struct soft_cpu *cpu,            \
                                                  const struct soft_insn *insn,    \
                                                  uint##BITS##_t old, TYPE source) \
    {                                                                              \
        return (int64_t)source;                                                    \
    }

EXTEND(movzx8, 8, uint8_t)
EXTEND(movzx16, 16, uint16_t)
EXTEND(movsx8, 8, int8_t)
EXTEND(movsx16, 16, int16_t)

/* To 16 bits it is a move of 16. */
EXTEND_SIZE(movsxd, 32, int32_t, 16)
EXTEND_SIZE(movsxd, 32, int32_t, 32)
EXTEND_SIZE(movsxd, 32, int32_t, 64)
FORMS_LOADING(movsxd, movsxd_to_, 16, 32, 32)
FORMS_OPERATION(movsxd, NULL)

#define CMOV_SIZE(NAME, BITS)                                                                    \
    static inline uint##BITS##_t cmov##NAME##_pick##BITS(struct soft_cpu *cpu,                   \
                                                         const struct soft_insn *insn,           \
                                                         uint##BITS##_t old, uint##BITS##_t new) \
    {                                                                                            \
        return soft_condition_##NAME(cpu) ? new : old;                                           \
    }

#define CONDITIONAL(NAME)                                                         \
    CMOV_SIZE(NAME, 16)                                                           \
    CMOV_SIZE(NAME, 32)                                                           \
    CMOV_SIZE(NAME, 64)                                                           \
    FORMS_LOADING(cmov##NAME, cmov##NAME##_pick, 16, 32, 64)                      \
    FORMS_OPERATION(cmov##NAME, NULL)                                             \
                                                                                  \
    FORM_HANDLER(set##NAME##_ri_8)                                                \
    {                                                                             \
        soft_set8(cpu, insn->rm, soft_condition_##NAME(cpu));                     \
        SOFT_NEXT;                                                                \
    }                                                                             \
    FORM_STORES(set##NAME##_mi, 8, soft_condition_##NAME(cpu))                    \
    static const struct soft_forms set##NAME##_forms = {                          \
        .ri = {set##NAME##_ri_8},                                                 \
        .mi = {{set##NAME##_mi_0_8}, {set##NAME##_mi_1_8}, {set##NAME##_mi_2_8}}, \
    };                                                                            \
    FORMS_OPERATION(set##NAME, NULL)

SOFT_CONDITIONS(CONDITIONAL)

#define LEA_SIZE(BITS)                                                     \
    FORM_HANDLER(lea_rm_1_##BITS)                                          \
    {                                                                      \
        soft_set##BITS(cpu, insn->reg, soft_effective(cpu, insn));         \
        SOFT_NEXT;                                                         \
    }                                                                      \
    FORM_HANDLER(lea_rm_2_##BITS)                                          \
    {                                                                      \
        soft_set##BITS(cpu, insn->reg, cpu->gpr[insn->base] + insn->disp); \
        SOFT_NEXT;                                                         \
    }

LEA_SIZE(16)
LEA_SIZE(32)
LEA_SIZE(64)

static const struct soft_forms lea_forms = {
    .rm = {FORM_LIST_WIDE(lea_rm_1_), FORM_LIST_WIDE(lea_rm_1_), FORM_LIST_WIDE(lea_rm_2_)},
};
FORMS_OPERATION(lea, NULL)

static void nop_run(struct soft_cpu *cpu, const struct soft_insn *insn)
{
}

static void nop(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    SOFT_NEXT;
}

const struct soft_operation soft_operation_nop = {.name = "nop", .run = nop_run, .handler = nop};

/* There are no caches, but it faults as a load does. */
SOFT_OPERATION(clflush)
{
    soft_load8(cpu, soft_linear(cpu, insn, 1, SOFT_READ));
}

SOFT_OPERATION(mfence)
{
    __builtin_ia32_mfence();
}

SOFT_OPERATION(xchg_acc)
{
    uint64_t old = soft_get_reg(cpu, X86_RAX, insn->size);

    soft_set_reg(cpu, X86_RAX, insn->size, soft_get_reg(cpu, insn->rm, insn->size));
    soft_set_reg(cpu, insn->rm, insn->size, old);
}

/* 0x90 is XCHG of RAX with itself, which does not even clear the upper half of RAX. */
SOFT_OPERATION(nop_xchg)
{
    if (insn->rm != X86_RAX)
        xchg_acc_run(cpu, insn);
}

SOFT_OPERATION(cbw)
{
    if (insn->size == 2)
        soft_set16(cpu, X86_RAX, (int8_t)cpu->gpr[X86_RAX]);
    else if (insn->size == 4)
        soft_set32(cpu, X86_RAX, (int16_t)cpu->gpr[X86_RAX]);
    else
        cpu->gpr[X86_RAX] = (int32_t)cpu->gpr[X86_RAX];
}

SOFT_OPERATION(cwd)
{
    int64_t value = cpu->gpr[X86_RAX] << (64 - insn->size * 8);

    soft_set_reg(cpu, X86_RDX, insn->size, value < 0 ? UINT64_MAX : 0);
}

SOFT_OPERATION(sahf)
{
    soft_set_arithmetic_flags(cpu, (soft_get8(cpu, 1) & ~X86_FLAG_OF) |
                                       (soft_of(cpu) ? X86_FLAG_OF : 0));
}

SOFT_OPERATION(lahf)
{
    soft_set8(cpu, 1, soft_arithmetic_flags(cpu) | X86_FLAG_1);
}

SOFT_OPERATION(xlat)
{
    uint64_t offset = (cpu->gpr[X86_RBX] + (uint8_t)cpu->gpr[X86_RAX]) & insn->address_mask;

    soft_set8(cpu, 0, soft_load8(cpu, soft_linear_at(cpu, insn->segment, offset, 1, SOFT_READ)));
}

static uint64_t swap_bytes(uint64_t value, unsigned size)
{
    return __builtin_bswap64(value) >> (64 - size * 8);
}

SOFT_OPERATION(bswap)
{
    /* Of 16 bits: undefined; processors give 0. */
    soft_set_reg(cpu, insn->rm, insn->size,
                 insn->size == 2 ? 0 : swap_bytes(cpu->gpr[insn->rm], insn->size));
}

SOFT_OPERATION(movbe_load)
{
    uint64_t value =
        soft_load_sized(cpu, soft_linear(cpu, insn, insn->size, SOFT_READ), insn->size);

    soft_set_reg(cpu, insn->reg, insn->size, swap_bytes(value, insn->size));
}

SOFT_OPERATION(movbe_store)
{
    soft_store_sized(cpu, soft_linear(cpu, insn, insn->size, SOFT_WRITE),
                     swap_bytes(cpu->gpr[insn->reg], insn->size), insn->size);
}

SOFT_OPERATION(cmc)
{
    soft_set_arithmetic_flags(cpu, soft_arithmetic_flags(cpu) ^ X86_FLAG_CF);
}

SOFT_OPERATION(clc)
{
    soft_set_arithmetic_flags(cpu, soft_arithmetic_flags(cpu) & ~X86_FLAG_CF);
}

SOFT_OPERATION(stc)
{
    soft_set_arithmetic_flags(cpu, soft_arithmetic_flags(cpu) | X86_FLAG_CF);
}

SOFT_OPERATION(cld)
{
    cpu->rflags &= ~X86_FLAG_DF;
}

SOFT_OPERATION(std)
{
    cpu->rflags |= X86_FLAG_DF;
}
