/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Branches inside a segment. */
#include "engine/cpu/soft/condition.h"
#include "engine/cpu/soft/exec.h"
#include "engine/cpu/soft/stack.h"

/* A direct branch's target; beyond the code segment's limit the branch itself faults. */
static inline uint64_t direct_target(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    uint64_t target = (cpu->gpr[SOFT_REG_BLOCK] + insn->imm) & insn->address_mask;

    if (G_UNLIKELY(target > cpu->code_last)) {
        cpu->current = insn;
        soft_raise_gp0(cpu);
    }
    return target;
}

static inline uint64_t behind(const struct soft_cpu *cpu, const struct soft_insn *insn)
{
    uint64_t rip = cpu->gpr[SOFT_REG_BLOCK] + insn->offset + insn->length;

    return cpu->mode & SOFT_MODE_CODE64 ? rip : (uint32_t)rip;
}

#define HANDLER_OPERATION(NAME, HANDLER) \
    const struct soft_operation soft_operation_##NAME = {.name = #NAME, .handler = HANDLER};

#define JUMP_IF(NAME)                                                                 \
    static void j##NAME##_handler(struct soft_cpu *cpu, const struct soft_insn *insn) \
    {                                                                                 \
        if (soft_condition_##NAME(cpu))                                               \
            return soft_go_linked(cpu, direct_target(cpu, insn), 0);                  \
        return soft_go_linked(cpu, behind(cpu, insn), 1);                             \
    }                                                                                 \
    HANDLER_OPERATION(j##NAME, j##NAME##_handler)

SOFT_CONDITIONS(JUMP_IF)

static void jump(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return soft_go_linked(cpu, direct_target(cpu, insn), 0);
}

HANDLER_OPERATION(jmp, jump)

static void call(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    uint64_t target = direct_target(cpu, insn);

    cpu->current = insn;
    if (cpu->mode & SOFT_MODE_CODE64) {
        uint64_t sp = cpu->gpr[X86_RSP] - 8;

        soft_store64(cpu, sp, behind(cpu, insn));
        cpu->gpr[X86_RSP] = sp;
    } else {
        soft_push(cpu, behind(cpu, insn), insn->size);
    }
    return soft_go_linked(cpu, target, 0);
}

HANDLER_OPERATION(call, call)

static void check_target(struct soft_cpu *cpu, uint64_t target)
{
    if (cpu->mode & SOFT_MODE_CODE64 ? (uint64_t)((int64_t)(target << 16) >> 16) != target
                                     : target > cpu->code_last)
        soft_raise_gp0(cpu);
}

static uint64_t indirect_target(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    uint64_t target;

    if (insn->flags & SOFT_INSN_MEM)
        target = soft_load_sized(cpu, soft_linear(cpu, insn, insn->size, SOFT_READ), insn->size);
    else
        target = soft_get_reg(cpu, insn->rm, insn->size);
    check_target(cpu, target);
    return target;
}

static void jump_indirect(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    cpu->current = insn;
    return soft_go(cpu, indirect_target(cpu, insn));
}

HANDLER_OPERATION(jmp_indirect, jump_indirect)

static void call_indirect(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    uint64_t target;

    cpu->current = insn;
    target = indirect_target(cpu, insn);
    soft_push(cpu, behind(cpu, insn), insn->size);
    return soft_go(cpu, target);
}

HANDLER_OPERATION(call_indirect, call_indirect)

static void ret(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    uint64_t target;

    cpu->current = insn;
    target = soft_peek(cpu, 0, insn->size);
    check_target(cpu, target);
    soft_set_sp(cpu, cpu->gpr[X86_RSP] + insn->size + insn->imm);
    return soft_go(cpu, target);
}

HANDLER_OPERATION(ret, ret)

/* LOOP and JCXZ count in CX, ECX or RCX by the address size. */
static inline uint64_t counter(const struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return soft_get_reg(cpu, X86_RCX, insn->address_size);
}

static inline void loop_if(struct soft_cpu *cpu, const struct soft_insn *insn, bool condition)
{
    uint64_t count = counter(cpu, insn) - 1;
    bool taken = condition && count != 0;
    uint64_t target = taken ? direct_target(cpu, insn) : behind(cpu, insn);

    soft_set_reg(cpu, X86_RCX, insn->address_size, count);
    return soft_go_linked(cpu, target, taken ? 0 : 1);
}

static void loopnz(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return loop_if(cpu, insn, !soft_zf(cpu));
}

static void loopz(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return loop_if(cpu, insn, soft_zf(cpu));
}

static void loop(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return loop_if(cpu, insn, true);
}

static void jcxz(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    if (counter(cpu, insn) == 0)
        return soft_go_linked(cpu, direct_target(cpu, insn), 0);
    return soft_go_linked(cpu, behind(cpu, insn), 1);
}

HANDLER_OPERATION(loopnz, loopnz)
HANDLER_OPERATION(loopz, loopz)
HANDLER_OPERATION(loop, loop)
HANDLER_OPERATION(jcxz, jcxz)
