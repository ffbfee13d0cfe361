/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Branches to other segments and back: far JMP, CALL and RET, gates, IRET, SYSCALL, SYSENTER. */
#include "engine/cpu/soft/interrupt.h"
#include "engine/cpu/soft/task.h"
#include "engine/cpu/soft/vme.h"

static bool is_canonical(uint64_t linear)
{
    return (uint64_t)((int64_t)(linear << 16) >> 16) == linear;
}

static void check_target(struct soft_cpu *cpu, const struct soft_descriptor *cs, uint64_t rip)
{
    bool code64 = soft_is_long(cpu) && cs->attributes & SEG_L;

    if (code64 ? !is_canonical(rip) : rip > cs->limit)
        soft_raise_gp0(cpu);
}

/* A code segment for a direct far JMP or CALL; the CPL stays. */
static void check_code(struct soft_cpu *cpu, unsigned selector, struct soft_descriptor *cs)
{
    uint32_t a = cs->attributes;

    if (a & SEG_CONFORMING ? soft_dpl(a) > cpu->cpl
                           : SELECTOR_RPL(selector) > cpu->cpl || soft_dpl(a) != cpu->cpl)
        soft_raise_selector(cpu, X86_GP, selector);
    if (!(a & SEG_P))
        soft_raise_selector(cpu, X86_NP, selector);
    if (soft_is_long(cpu) && (a & (SEG_L | SEG_DB)) == (SEG_L | SEG_DB))
        soft_raise_selector(cpu, X86_GP, selector);
}

static void enter_code(struct soft_cpu *cpu, unsigned selector, struct soft_descriptor *cs,
                       uint64_t rip)
{
    soft_set_segment(cpu, X86_CS, (selector & 0xfffc) | cpu->cpl, cs);
    cpu->rip = rip;
}

struct call_gate {
    unsigned selector, parameters, size;
    uint64_t offset;
};

static struct call_gate read_call_gate(struct soft_cpu *cpu, const struct soft_descriptor *d)
{
    bool wide = d->attributes & 8;
    struct call_gate g = {
        .selector = d->low >> 16,
        .parameters = d->high & 31,
        .size = soft_is_long(cpu) ? 8
                : wide            ? 4
                                  : 2,
        .offset = (d->low & 0xffff) | (wide ? d->high & 0xffff0000 : 0),
    };

    if (soft_is_long(cpu))
        g.offset |= soft_load_system(cpu, d->address + 8, 4) << 32;
    return g;
}

static struct soft_descriptor gate_code(struct soft_cpu *cpu, const struct call_gate *g)
{
    struct soft_descriptor cs;
    uint32_t a;

    if (SELECTOR_IS_NULL(g->selector))
        soft_raise_gp0(cpu);
    cs = soft_need_descriptor(cpu, g->selector, X86_GP);
    a = cs.attributes;
    if ((a & (SEG_S | SEG_CODE)) != (SEG_S | SEG_CODE) || soft_dpl(a) > cpu->cpl ||
        (soft_is_long(cpu) && (a & (SEG_L | SEG_DB)) != SEG_L))
        soft_raise_selector(cpu, X86_GP, g->selector);
    if (!(a & SEG_P))
        soft_raise_selector(cpu, X86_NP, g->selector);
    check_target(cpu, &cs, g->offset);
    soft_set_accessed(cpu, &cs);
    return cs;
}

static void call_inner(struct soft_cpu *cpu, const struct call_gate *g, struct soft_descriptor *cs)
{
    unsigned cpl = soft_dpl(cs->attributes);
    struct soft_frame f = soft_frame_inner(cpu, cpl);

    soft_frame_push(cpu, &f, cpu->segment[X86_SS].selector, g->size);
    soft_frame_push(cpu, &f, cpu->gpr[X86_RSP], g->size);
    for (unsigned i = g->parameters; g->size != 8 && i-- > 0;)
        soft_frame_push(cpu, &f, soft_peek(cpu, i * g->size, g->size), g->size);
    soft_frame_push(cpu, &f, cpu->segment[X86_CS].selector, g->size);
    soft_frame_push(cpu, &f, cpu->rip, g->size);
    cpu->cpl = cpl;
    enter_code(cpu, g->selector, cs, g->offset);
    soft_frame_commit(cpu, &f);
}

static void push_return(struct soft_cpu *cpu, unsigned size)
{
    soft_poke_below(cpu, size, cpu->segment[X86_CS].selector, size);
    soft_poke_below(cpu, size * 2, cpu->rip, size);
}

static void through_call_gate(struct soft_cpu *cpu, const struct soft_descriptor *d, bool call)
{
    struct call_gate g = read_call_gate(cpu, d);
    struct soft_descriptor cs = gate_code(cpu, &g);
    bool conforming = cs.attributes & SEG_CONFORMING;

    if (call && !conforming && soft_dpl(cs.attributes) < cpu->cpl) {
        call_inner(cpu, &g, &cs);
        return;
    }
    if (!conforming && soft_dpl(cs.attributes) != cpu->cpl)
        soft_raise_selector(cpu, X86_GP, g.selector);
    if (call) {
        push_return(cpu, g.size);
        soft_set_sp(cpu, cpu->gpr[X86_RSP] - 2 * g.size);
    }
    enter_code(cpu, g.selector, &cs, g.offset);
}

/* A gate or TSS. */
static void through_system(struct soft_cpu *cpu, unsigned selector, struct soft_descriptor *d,
                           bool call)
{
    enum soft_task_kind kind = call ? SOFT_TASK_CALL : SOFT_TASK_JUMP;
    unsigned type = d->attributes & SEG_TYPE;

    if (soft_dpl(d->attributes) < MAX(cpu->cpl, SELECTOR_RPL(selector)) ||
        (soft_is_long(cpu) && type != SYSTEM_CALL32))
        soft_raise_selector(cpu, X86_GP, selector);
    if (type != SYSTEM_CALL16 && type != SYSTEM_CALL32 && type != SYSTEM_TASK_GATE &&
        type != SYSTEM_TSS16 && type != SYSTEM_TSS32)
        soft_raise_selector(cpu, X86_GP, selector);
    if (!(d->attributes & SEG_P))
        soft_raise_selector(cpu, X86_NP, selector);
    if (type == SYSTEM_CALL16 || type == SYSTEM_CALL32)
        through_call_gate(cpu, d, call);
    else if (type == SYSTEM_TASK_GATE)
        soft_task_gate(cpu, d->low >> 16, kind);
    else
        soft_task_switch(cpu, selector, d, kind);
}

static void far_branch(struct soft_cpu *cpu, unsigned selector, uint64_t rip, unsigned size,
                       bool call)
{
    struct soft_descriptor d;

    if (soft_is_real(cpu)) {
        if (rip > cpu->segment[X86_CS].limit)
            soft_raise_gp0(cpu);
        if (call) {
            push_return(cpu, size);
            soft_set_sp(cpu, cpu->gpr[X86_RSP] - 2 * size);
        }
        soft_set_segment_real(cpu, X86_CS, selector);
        cpu->rip = rip;
        return;
    }
    if (SELECTOR_IS_NULL(selector))
        soft_raise_gp0(cpu);
    d = soft_need_descriptor(cpu, selector, X86_GP);
    if (!(d.attributes & SEG_S)) {
        through_system(cpu, selector, &d, call);
        return;
    }
    if (!(d.attributes & SEG_CODE))
        soft_raise_selector(cpu, X86_GP, selector);
    check_code(cpu, selector, &d);
    check_target(cpu, &d, rip);
    soft_set_accessed(cpu, &d);
    if (call) {
        push_return(cpu, size);
        soft_set_sp(cpu, cpu->gpr[X86_RSP] - 2 * size);
    }
    enter_code(cpu, selector, &d, rip);
}

SOFT_OPERATION(jmp_far)
{
    far_branch(cpu, insn->imm >> 32, (uint32_t)insn->imm, insn->size, false);
}

SOFT_OPERATION(call_far)
{
    far_branch(cpu, insn->imm >> 32, (uint32_t)insn->imm, insn->size, true);
}

static void far_indirect(struct soft_cpu *cpu, const struct soft_insn *insn, bool call)
{
    uint64_t linear = soft_linear(cpu, insn, insn->size + 2, SOFT_READ);
    uint64_t rip = soft_load_sized(cpu, linear, insn->size);

    far_branch(cpu, soft_load16(cpu, linear + insn->size), rip, insn->size, call);
}

SOFT_OPERATION(jmp_far_indirect)
{
    far_indirect(cpu, insn, false);
}

SOFT_OPERATION(call_far_indirect)
{
    far_indirect(cpu, insn, true);
}

/* Data segments that the outer privilege level may not use become null; null ones lose their RPL,
 * but keep the bases of 64-bit mode. */
static void drop_inner_segments(struct soft_cpu *cpu)
{
    static const uint8_t data_segments[] = {X86_ES, X86_DS, X86_FS, X86_GS};

    for (unsigned i = 0; i < G_N_ELEMENTS(data_segments); i++) {
        struct soft_segment *s = &cpu->segment[data_segments[i]];
        bool conforming =
            (s->attributes & (SEG_CODE | SEG_CONFORMING)) == (SEG_CODE | SEG_CONFORMING);

        if (s->attributes & SEG_P && soft_dpl(s->attributes) < cpu->cpl && !conforming)
            soft_set_segment_null(cpu, data_segments[i], 0);
        else if (SELECTOR_IS_NULL(s->selector))
            s->selector = 0;
    }
}

/* The code segment that a RET or IRET names. */
static struct soft_descriptor return_code(struct soft_cpu *cpu, unsigned selector)
{
    struct soft_descriptor cs;
    unsigned rpl = SELECTOR_RPL(selector);
    uint32_t a;

    if (SELECTOR_IS_NULL(selector))
        soft_raise_gp0(cpu);
    cs = soft_need_descriptor(cpu, selector, X86_GP);
    a = cs.attributes;
    if ((a & (SEG_S | SEG_CODE)) != (SEG_S | SEG_CODE) || rpl < cpu->cpl ||
        (a & SEG_CONFORMING ? soft_dpl(a) > rpl : soft_dpl(a) != rpl) ||
        (soft_is_long(cpu) && (a & (SEG_L | SEG_DB)) == (SEG_L | SEG_DB)))
        soft_raise_selector(cpu, X86_GP, selector);
    if (!(a & SEG_P))
        soft_raise_selector(cpu, X86_NP, selector);
    return cs;
}

/* The stack of an outer level, checked; a null one is fine where it returns to 64-bit code. */
static struct soft_frame outer_stack(struct soft_cpu *cpu, unsigned selector, uint64_t sp,
                                     unsigned rpl, bool to64)
{
    struct soft_frame f = {.selector = selector, .cpl = rpl, .change = true, .sp = sp};
    uint32_t a;

    if (SELECTOR_IS_NULL(selector)) {
        if (!to64 || rpl == 3)
            soft_raise_gp0(cpu);
        f.mask = UINT64_MAX;
        return f;
    }
    f.ss = soft_need_descriptor(cpu, selector, X86_GP);
    a = f.ss.attributes;
    if (SELECTOR_RPL(selector) != rpl || soft_dpl(a) != rpl ||
        (a & (SEG_S | SEG_CODE | SEG_WRITABLE)) != (SEG_S | SEG_WRITABLE))
        soft_raise_selector(cpu, X86_GP, selector);
    if (!(a & SEG_P))
        soft_raise_selector(cpu, X86_SS_FAULT, selector);
    f.mask = a & SEG_DB ? 0xffffffff : 0xffff;
    return f;
}

/* Goes to the code and stack of a return. */
static void finish_return(struct soft_cpu *cpu, unsigned selector, struct soft_descriptor *cs,
                          uint64_t rip, struct soft_frame *stack)
{
    bool outward = SELECTOR_RPL(selector) > cpu->cpl;

    soft_set_accessed(cpu, cs);
    if (stack->change && !SELECTOR_IS_NULL(stack->selector))
        soft_set_accessed(cpu, &stack->ss);
    cpu->cpl = SELECTOR_RPL(selector);
    soft_set_segment(cpu, X86_CS, selector, cs);
    if (stack->change && SELECTOR_IS_NULL(stack->selector))
        soft_set_segment_null(cpu, X86_SS, stack->selector);
    else if (stack->change)
        soft_set_segment(cpu, X86_SS, stack->selector, &stack->ss);
    soft_set_sp(cpu, stack->sp);
    cpu->rip = rip;
    if (outward)
        drop_inner_segments(cpu);
}

SOFT_OPERATION(ret_far)
{
    unsigned size = insn->size;
    uint64_t rip = soft_peek(cpu, 0, size);
    unsigned selector = soft_peek(cpu, size, 2), above = 2 * size + insn->imm;
    struct soft_frame stack = soft_frame_current(cpu);
    struct soft_descriptor cs;

    if (soft_is_real(cpu)) {
        if (rip > cpu->segment[X86_CS].limit)
            soft_raise_gp0(cpu);
        soft_set_segment_real(cpu, X86_CS, selector);
        soft_set_sp(cpu, cpu->gpr[X86_RSP] + above);
        cpu->rip = rip;
        return;
    }
    cs = return_code(cpu, selector);
    check_target(cpu, &cs, rip);
    stack.sp += above;
    if (SELECTOR_RPL(selector) > cpu->cpl)
        stack = outer_stack(cpu, soft_peek(cpu, above + size, size) & 0xffff,
                            soft_peek(cpu, above, size) + insn->imm, SELECTOR_RPL(selector),
                            soft_is_long(cpu) && cs.attributes & SEG_L);
    finish_return(cpu, selector, &cs, rip, &stack);
}

/* Flags that IRET may change at this privilege level. */
static uint64_t iret_flags(const struct soft_cpu *cpu, unsigned size)
{
    uint64_t mask = X86_FLAGS_ARITHMETIC | X86_FLAG_TF | X86_FLAG_DF | X86_FLAG_NT;

    if (size > 2)
        mask |= X86_FLAG_RF | X86_FLAG_AC | X86_FLAG_ID;
    if (cpu->cpl <= soft_iopl(cpu))
        mask |= X86_FLAG_IF;
    if (cpu->cpl == 0)
        mask |= X86_FLAG_IOPL | (size > 2 ? X86_FLAG_VIF | X86_FLAG_VIP : 0);
    return mask;
}

static void load_iret_flags(struct soft_cpu *cpu, uint64_t flags, uint64_t mask)
{
    soft_set_rflags(cpu, flags, mask);
    cpu->keep_rf = cpu->rflags & X86_FLAG_RF;
    if (cpu->nmi_blocked) {
        cpu->nmi_blocked = false;
        __atomic_fetch_or(&cpu->requests, SOFT_REQUEST_INTERRUPT, __ATOMIC_RELAXED);
    }
}

static void iret_real(struct soft_cpu *cpu, unsigned size)
{
    uint64_t rip = soft_peek(cpu, 0, size), flags = soft_peek(cpu, 2 * size, size), mask;
    unsigned selector = soft_peek(cpu, size, size);
    bool v86 = cpu->rflags & X86_FLAG_VM;

    if (soft_vme_flags_are_virtual(cpu, size)) {
        flags = soft_vme_popped_flags(cpu, flags);
        mask = SOFT_VME_FLAGS;
    } else {
        mask = iret_flags(cpu, size) & ~(v86 ? X86_FLAG_IOPL : 0);
    }
    if (rip > 0xffff && rip > cpu->segment[X86_CS].limit)
        soft_raise_gp0(cpu);
    soft_set_sp(cpu, cpu->gpr[X86_RSP] + 3 * size);
    soft_set_segment_real(cpu, X86_CS, selector);
    cpu->rip = rip;
    load_iret_flags(cpu, flags, mask);
}

static void iret_to_v86(struct soft_cpu *cpu, uint64_t rip, unsigned cs, uint64_t flags)
{
    static const uint8_t order[] = {X86_ES, X86_DS, X86_FS, X86_GS};
    uint16_t selectors[G_N_ELEMENTS(order)];
    uint64_t sp = soft_peek(cpu, 12, 4);
    unsigned ss = soft_peek(cpu, 16, 4);

    for (unsigned i = 0; i < G_N_ELEMENTS(order); i++)
        selectors[i] = soft_peek(cpu, 20 + i * 4, 4);
    load_iret_flags(cpu, flags, iret_flags(cpu, 4) | X86_FLAG_VM);
    cpu->cpl = 3;
    for (unsigned i = 0; i < G_N_ELEMENTS(order); i++)
        soft_set_segment_real(cpu, order[i], selectors[i]);
    soft_set_segment_real(cpu, X86_SS, ss);
    soft_set_segment_real(cpu, X86_CS, cs);
    cpu->gpr[X86_RSP] = (uint32_t)sp;
    cpu->rip = rip & 0xffff;
}

SOFT_OPERATION(iret)
{
    unsigned size = insn->size, selector;
    uint64_t rip, flags, mask;
    struct soft_descriptor cs;
    struct soft_frame stack;

    if (soft_is_real(cpu)) {
        iret_real(cpu, size);
        return;
    }
    if (cpu->rflags & X86_FLAG_NT) {
        if (soft_is_long(cpu))
            soft_raise_gp0(cpu);
        soft_task_return(cpu);
        return;
    }
    rip = soft_peek(cpu, 0, size);
    selector = soft_peek(cpu, size, size) & 0xffff;
    flags = soft_peek(cpu, 2 * size, size);
    if (flags & X86_FLAG_VM && cpu->cpl == 0 && size == 4 && !soft_is_long(cpu)) {
        iret_to_v86(cpu, rip, selector, flags);
        return;
    }
    cs = return_code(cpu, selector);
    check_target(cpu, &cs, rip);
    stack = soft_frame_current(cpu);
    stack.sp += 3 * size;
    if (SELECTOR_RPL(selector) > cpu->cpl || cpu->mode & SOFT_MODE_CODE64)
        stack = outer_stack(cpu, soft_peek(cpu, 4 * size, size) & 0xffff,
                            soft_peek(cpu, 3 * size, size), SELECTOR_RPL(selector),
                            soft_is_long(cpu) && cs.attributes & SEG_L);
    mask = iret_flags(cpu, size);
    finish_return(cpu, selector, &cs, rip, &stack);
    load_iret_flags(cpu, flags, mask);
}

SOFT_OPERATION(int3)
{
    soft_interrupt_software(cpu, X86_BP);
}

SOFT_OPERATION(int)
{
    if (!soft_vme_redirect(cpu, (uint8_t)insn->imm))
        soft_interrupt_software(cpu, (uint8_t)insn->imm);
}

SOFT_OPERATION(into)
{
    if (soft_of(cpu))
        soft_interrupt_software(cpu, X86_OF);
}

SOFT_OPERATION(icebp)
{
    soft_interrupt_icebp(cpu);
}

/* The flat segments that SYSCALL, SYSENTER and their returns load without reading a table. */
static void load_flat(struct soft_cpu *cpu, unsigned code, unsigned stack, bool code64)
{
    unsigned cpl = SELECTOR_RPL(code);
    uint32_t common = SEG_P | SEG_S | SEG_G | SEG_ACCESSED | cpl << SEG_DPL_SHIFT;
    struct soft_descriptor cs = {.limit = UINT32_MAX,
                                 .attributes =
                                     common | SEG_CODE | SEG_READABLE | (code64 ? SEG_L : SEG_DB)};
    struct soft_descriptor ss = {.limit = UINT32_MAX, .attributes = common | SEG_WRITABLE | SEG_DB};

    cpu->cpl = cpl;
    soft_set_segment(cpu, X86_CS, code, &cs);
    soft_set_segment(cpu, X86_SS, stack, &ss);
}

SOFT_OPERATION(syscall)
{
    unsigned selector = cpu->star >> 32 & 0xfffc;

    if (!(cpu->efer & EFER_SCE) || !(cpu->mode & SOFT_MODE_CODE64))
        soft_raise_ud(cpu);
    cpu->gpr[X86_RCX] = cpu->rip;
    cpu->gpr[X86_R8 + 3] = soft_rflags(cpu) & ~X86_FLAG_RF;
    cpu->rip = cpu->lstar;
    load_flat(cpu, selector, selector + 8, true);
    soft_set_rflags(cpu, 0, (cpu->sfmask & UINT32_MAX) | X86_FLAG_RF);
}

SOFT_OPERATION(sysret)
{
    bool wide = insn->flags & SOFT_INSN_REX_W;
    unsigned selector = (cpu->star >> 48 & 0xffff) | 3;
    uint64_t rip = cpu->gpr[X86_RCX];

    if (!(cpu->efer & EFER_SCE) || !(cpu->mode & SOFT_MODE_CODE64))
        soft_raise_ud(cpu);
    if (cpu->cpl != 0 || (wide && !is_canonical(rip)))
        soft_raise_gp0(cpu);
    soft_set_rflags(cpu, cpu->gpr[X86_R8 + 3] & 0x3c7fd7, ~X86_FLAG_VM);
    load_flat(cpu, wide ? (selector + 16) | 3 : selector, (selector + 8) | 3, wide);
    cpu->rip = wide ? rip : (uint32_t)rip;
}

SOFT_OPERATION(sysenter)
{
    unsigned selector = cpu->sysenter_cs & 0xfffc;

    if (selector == 0)
        soft_raise_gp0(cpu);
    soft_set_rflags(cpu, 0, X86_FLAG_VM | X86_FLAG_IF | X86_FLAG_RF);
    load_flat(cpu, selector, selector + 8, soft_is_long(cpu));
    cpu->rip = soft_is_long(cpu) ? cpu->sysenter_eip : (uint32_t)cpu->sysenter_eip;
    cpu->gpr[X86_RSP] = soft_is_long(cpu) ? cpu->sysenter_esp : (uint32_t)cpu->sysenter_esp;
}

SOFT_OPERATION(sysexit)
{
    bool wide = insn->flags & SOFT_INSN_REX_W;
    unsigned selector = cpu->sysenter_cs & 0xfffc;

    if (selector == 0 || cpu->cpl != 0 ||
        (wide && !(is_canonical(cpu->gpr[X86_RDX]) && is_canonical(cpu->gpr[X86_RCX]))))
        soft_raise_gp0(cpu);
    load_flat(cpu, (selector + (wide ? 32 : 16)) | 3, (selector + (wide ? 40 : 24)) | 3, wide);
    cpu->rip = wide ? cpu->gpr[X86_RDX] : (uint32_t)cpu->gpr[X86_RDX];
    cpu->gpr[X86_RSP] = wide ? cpu->gpr[X86_RCX] : (uint32_t)cpu->gpr[X86_RCX];
}
