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

/* In 64-bit mode no direct target needs a check, and RIP is never cut. */
static inline uint64_t direct_target64(const struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return cpu->gpr[SOFT_REG_BLOCK] + insn->imm;
}

static inline uint64_t behind64(const struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return cpu->gpr[SOFT_REG_BLOCK] + insn->offset + insn->length;
}

#define HANDLER_OPERATION(NAME, HANDLER, HANDLER64)                          \
    const struct soft_operation soft_operation_##NAME = {.name = #NAME,      \
                                                         .handler = HANDLER, \
                                                         .handler64 = HANDLER64};

#define JUMP_IF(NAME)                                                                   \
    static void j##NAME##_handler(struct soft_cpu *cpu, const struct soft_insn *insn)   \
    {                                                                                   \
        if (soft_condition_##NAME(cpu))                                                 \
            return soft_go_linked(cpu, direct_target(cpu, insn), 0);                    \
        return soft_go_linked(cpu, behind(cpu, insn), 1);                               \
    }                                                                                   \
    static void j##NAME##_handler64(struct soft_cpu *cpu, const struct soft_insn *insn) \
    {                                                                                   \
        if (soft_condition_##NAME(cpu))                                                 \
            return soft_go_linked(cpu, direct_target64(cpu, insn), 0);                  \
        return soft_go_linked(cpu, behind64(cpu, insn), 1);                             \
    }                                                                                   \
    HANDLER_OPERATION(j##NAME, j##NAME##_handler, j##NAME##_handler64)

SOFT_CONDITIONS(JUMP_IF)

static void jump(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return soft_go_linked(cpu, direct_target(cpu, insn), 0);
}

static void jump64(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return soft_go_linked(cpu, direct_target64(cpu, insn), 0);
}

HANDLER_OPERATION(jmp, jump, jump64)

static void call(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    uint64_t target = direct_target(cpu, insn);

    cpu->current = insn;
    soft_push(cpu, behind(cpu, insn), insn->size);
    return soft_go_linked(cpu, target, 0);
}

static void call64(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    uint64_t sp = cpu->gpr[X86_RSP] - 8, next = behind64(cpu, insn);
    uint8_t *host;

    if (!soft_tlb_hit(cpu->tlb_write, sp, 8, &host))
        return call(cpu, insn);
    memcpy(host, &next, 8);
    cpu->gpr[X86_RSP] = sp;
    return soft_go_linked(cpu, direct_target64(cpu, insn), 0);
}

HANDLER_OPERATION(call, call, call64)

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

static void call_indirect(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    uint64_t target;

    cpu->current = insn;
    target = indirect_target(cpu, insn);
    soft_push(cpu, behind(cpu, insn), insn->size);
    return soft_go(cpu, target);
}

static void ret(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    uint64_t target;

    cpu->current = insn;
    target = soft_peek(cpu, 0, insn->size);
    check_target(cpu, target);
    soft_set_sp(cpu, cpu->gpr[X86_RSP] + insn->size + insn->imm);
    return soft_go(cpu, target);
}

/* In 64-bit mode, what the jump cache knows is a target that needs no check. */

static void jump_indirect64(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    struct soft_block *next = NULL;
    uint64_t target = cpu->gpr[insn->rm];

    if (!(insn->flags & SOFT_INSN_MEM))
        next = soft_next_block(cpu, target);
    return next != NULL ? soft_enter(cpu, next, target) : jump_indirect(cpu, insn);
}

static void ret64(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    uint64_t sp = cpu->gpr[X86_RSP], target;
    struct soft_block *next;
    uint8_t *host;

    if (!soft_tlb_hit(cpu->tlb_read, sp, 8, &host))
        return ret(cpu, insn);
    memcpy(&target, host, 8);
    next = soft_next_block(cpu, target);
    if (next == NULL)
        return ret(cpu, insn);
    cpu->gpr[X86_RSP] = sp + 8 + insn->imm;
    return soft_enter(cpu, next, target);
}

HANDLER_OPERATION(jmp_indirect, jump_indirect, jump_indirect64)
HANDLER_OPERATION(call_indirect, call_indirect, NULL)
HANDLER_OPERATION(ret, ret, ret64)

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

HANDLER_OPERATION(loopnz, loopnz, NULL)
HANDLER_OPERATION(loopz, loopz, NULL)
HANDLER_OPERATION(loop, loop, NULL)
HANDLER_OPERATION(jcxz, jcxz, NULL)
