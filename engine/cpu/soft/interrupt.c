/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/interrupt.h"

#include "engine/cpu/soft/debug.h"
#include "engine/cpu/soft/task.h"

#define CLEARED (X86_FLAG_TF | X86_FLAG_NT | X86_FLAG_RF | X86_FLAG_VM)

/* An event on its way to its handler. */
struct event {
    unsigned vector;
    bool software; /* INT n */
    bool has_error;
    uint32_t error;
    uint64_t flags; /* as they are pushed */
};

struct gate {
    unsigned type, dpl, selector, ist;
    bool present;
    uint64_t offset;
};

static void raise_gate(struct soft_cpu *cpu, unsigned fault, const struct event *e) G_GNUC_NORETURN;
static void raise_gate(struct soft_cpu *cpu, unsigned fault, const struct event *e)
{
    soft_raise(cpu, fault, e->vector * 8 + 2 + (cpu->delivery.external ? 1 : 0));
}

static void deliver_real(struct soft_cpu *cpu, const struct event *e)
{
    struct soft_frame f = soft_frame_current(cpu);
    uint32_t far;

    if (e->vector * 4 + 3 > cpu->idt.limit)
        raise_gate(cpu, X86_GP, e);
    far = soft_load_system(cpu, cpu->idt.base + e->vector * 4, 4);
    soft_frame_push(cpu, &f, e->flags, 2);
    soft_frame_push(cpu, &f, cpu->segment[X86_CS].selector, 2);
    soft_frame_push(cpu, &f, cpu->rip, 2);
    soft_frame_commit(cpu, &f);
    soft_set_segment_real(cpu, X86_CS, far >> 16);
    cpu->rip = far & 0xffff;
    soft_set_rflags(cpu, 0, X86_FLAG_IF | X86_FLAG_TF | X86_FLAG_AC | X86_FLAG_RF);
}

static struct gate read_gate(struct soft_cpu *cpu, const struct event *e)
{
    unsigned size = soft_is_long(cpu) ? 16 : 8;
    uint64_t at = cpu->idt.base + e->vector * size, raw;
    struct gate g;

    if (e->vector * size + size - 1 > cpu->idt.limit)
        raise_gate(cpu, X86_GP, e);
    raw = soft_load_system(cpu, at, 8);
    g.type = raw >> 40 & 0x1f;
    g.dpl = raw >> 45 & 3;
    g.present = raw >> 47 & 1;
    g.selector = raw >> 16 & 0xffff;
    g.ist = raw >> 32 & 7;
    g.offset = (raw & 0xffff) | (raw >> 32 & 0xffff0000);
    if (soft_is_long(cpu))
        g.offset |= soft_load_system(cpu, at + 8, 4) << 32;
    if (g.type == SYSTEM_INTERRUPT16 || g.type == SYSTEM_TRAP16)
        g.offset &= 0xffff;
    return g;
}

static bool gate_type_fits(const struct soft_cpu *cpu, const struct gate *g)
{
    if (g->type == SYSTEM_INTERRUPT32 || g->type == SYSTEM_TRAP32)
        return true;
    return !soft_is_long(cpu) && (g->type == SYSTEM_INTERRUPT16 || g->type == SYSTEM_TRAP16 ||
                                  g->type == SYSTEM_TASK_GATE);
}

/* The handler's code segment, and with it the privilege it runs at. */
static struct soft_descriptor handler_segment(struct soft_cpu *cpu, const struct gate *g,
                                              unsigned *ret_cpl)
{
    struct soft_descriptor cs;
    uint32_t a;

    if (SELECTOR_IS_NULL(g->selector))
        soft_raise_selector(cpu, X86_GP, 0);
    cs = soft_need_descriptor(cpu, g->selector, X86_GP);
    a = cs.attributes;
    if ((a & (SEG_S | SEG_CODE)) != (SEG_S | SEG_CODE) || soft_dpl(a) > cpu->cpl)
        soft_raise_selector(cpu, X86_GP, g->selector);
    if (!(a & SEG_P))
        soft_raise_selector(cpu, X86_NP, g->selector);
    if (soft_is_long(cpu) && (a & (SEG_L | SEG_DB)) != SEG_L)
        soft_raise_selector(cpu, X86_GP, g->selector);
    *ret_cpl = a & SEG_CONFORMING ? cpu->cpl : soft_dpl(a);
    if (cpu->rflags & X86_FLAG_VM && *ret_cpl != 0)
        soft_raise_selector(cpu, X86_GP, g->selector);
    soft_set_accessed(cpu, &cs);
    return cs;
}

static void enter_handler(struct soft_cpu *cpu, const struct gate *g, struct soft_descriptor *cs,
                          unsigned cpl)
{
    uint64_t cleared = CLEARED;

    if (g->type == SYSTEM_INTERRUPT16 || g->type == SYSTEM_INTERRUPT32)
        cleared |= X86_FLAG_IF;
    cpu->cpl = cpl;
    soft_set_segment(cpu, X86_CS, (g->selector & 0xfffc) | cpl, cs);
    cpu->rip = g->offset;
    soft_set_rflags(cpu, 0, cleared);
}

static void deliver_long(struct soft_cpu *cpu, const struct event *e, const struct gate *g)
{
    unsigned cpl;
    struct soft_descriptor cs = handler_segment(cpu, g, &cpl);
    struct soft_frame f = soft_frame_current(cpu);

    f.mask = UINT64_MAX;
    if (cpl != cpu->cpl)
        f = soft_frame_inner(cpu, cpl);
    if (g->ist != 0) {
        if (0x24 + g->ist * 8 - 1 > cpu->tr.limit)
            soft_raise_selector(cpu, X86_TS, cpu->tr.selector);
        f.sp = soft_load_system(cpu, cpu->tr.base + 0x1c + g->ist * 8, 8);
    }
    f.sp &= ~UINT64_C(15);
    soft_frame_push(cpu, &f, cpu->segment[X86_SS].selector, 8);
    soft_frame_push(cpu, &f, cpu->gpr[X86_RSP], 8);
    soft_frame_push(cpu, &f, e->flags, 8);
    soft_frame_push(cpu, &f, cpu->segment[X86_CS].selector, 8);
    soft_frame_push(cpu, &f, cpu->rip, 8);
    if (e->has_error)
        soft_frame_push(cpu, &f, e->error, 8);
    enter_handler(cpu, g, &cs, cpl);
    soft_frame_commit(cpu, &f);
}

static void deliver_protected(struct soft_cpu *cpu, const struct event *e, const struct gate *g)
{
    static const uint8_t data_segments[] = {X86_GS, X86_FS, X86_DS, X86_ES};
    unsigned size = g->type >= SYSTEM_INTERRUPT32 ? 4 : 2, cpl;
    struct soft_descriptor cs = handler_segment(cpu, g, &cpl);
    struct soft_frame f = soft_frame_current(cpu);
    bool v86 = cpu->rflags & X86_FLAG_VM;

    if (g->offset > cs.limit)
        soft_raise(cpu, X86_GP, cpu->delivery.external ? 1 : 0);
    if (cpl != cpu->cpl)
        f = soft_frame_inner(cpu, cpl);
    for (unsigned i = 0; v86 && i < G_N_ELEMENTS(data_segments); i++)
        soft_frame_push(cpu, &f, cpu->segment[data_segments[i]].selector, size);
    if (f.change) {
        soft_frame_push(cpu, &f, cpu->segment[X86_SS].selector, size);
        soft_frame_push(cpu, &f, cpu->gpr[X86_RSP], size);
    }
    soft_frame_push(cpu, &f, e->flags, size);
    soft_frame_push(cpu, &f, cpu->segment[X86_CS].selector, size);
    soft_frame_push(cpu, &f, cpu->rip, size);
    if (e->has_error)
        soft_frame_push(cpu, &f, e->error, size);
    enter_handler(cpu, g, &cs, cpl);
    soft_frame_commit(cpu, &f);
    for (unsigned i = 0; v86 && i < G_N_ELEMENTS(data_segments); i++)
        soft_set_segment_null(cpu, data_segments[i], 0);
}

static void deliver(struct soft_cpu *cpu, const struct event *e)
{
    struct gate g;

    if (!(cpu->cr0 & CR0_PE)) {
        deliver_real(cpu, e);
        return;
    }
    g = read_gate(cpu, e);
    if (!gate_type_fits(cpu, &g) || (e->software && g.dpl < cpu->cpl))
        raise_gate(cpu, X86_GP, e);
    if (!g.present)
        raise_gate(cpu, X86_NP, e);
    if (g.type == SYSTEM_TASK_GATE)
        soft_task_interrupt(cpu, g.selector, e->has_error, e->error);
    else if (soft_is_long(cpu))
        deliver_long(cpu, e, &g);
    else
        deliver_protected(cpu, e, &g);
}

/* No block runs, so that a stack in device memory, or where there is translated code, needs no
 * second try. */
static void deliver_between(struct soft_cpu *cpu, const struct event *e)
{
    cpu->single = true;
    deliver(cpu, e);
    cpu->single = false;
}

/* Behind a task switch; other traps are of the instruction that came before. */
static void trap_task(struct soft_cpu *cpu)
{
    if (G_UNLIKELY(cpu->trap_hits & DR6_BT))
        soft_debug_trap(cpu);
}

static bool has_error_code(unsigned vector)
{
    return vector == X86_DF || (vector >= X86_TS && vector <= X86_PF) || vector == X86_AC;
}

static bool is_contributory(unsigned vector)
{
    return vector == X86_DE || (vector >= X86_TS && vector <= X86_GP);
}

/* SDM volume 3, table 6-5. */
static bool doubles(unsigned first, unsigned second)
{
    if (first == X86_PF)
        return second == X86_PF || is_contributory(second);
    return is_contributory(first) && is_contributory(second);
}

void soft_interrupt_exception(struct soft_cpu *cpu)
{
    struct event e = {.vector = cpu->exception.vector, .error = cpu->exception.error};

    if (cpu->delivery.active && cpu->delivery.vector == X86_DF) {
        cpu->delivery.active = false;
        cpu->activity = SOFT_SHUTDOWN;
        return;
    }
    if (cpu->delivery.active && doubles(cpu->delivery.vector, e.vector)) {
        e.vector = X86_DF;
        e.error = 0;
    }
    cpu->delivery.active = cpu->delivery.external = true;
    cpu->delivery.vector = e.vector;
    e.has_error = (cpu->cr0 & CR0_PE) && has_error_code(e.vector);
    /* A fault's handler returns to an instruction that has met its breakpoint already. */
    e.flags = soft_rflags(cpu) |
              (e.vector != X86_DB && e.vector != X86_BP && e.vector != X86_OF ? X86_FLAG_RF : 0);
    if (e.vector == X86_DB)
        cpu->dr[7] &= ~DR7_GD;
    deliver_between(cpu, &e);
    cpu->delivery.active = cpu->delivery.external = false;
    trap_task(cpu);
}

void soft_interrupt_external(struct soft_cpu *cpu, unsigned vector)
{
    struct event e = {.vector = vector, .flags = soft_rflags(cpu)};

    cpu->current = NULL;
    cpu->delivery.external = true;
    deliver_between(cpu, &e);
    cpu->delivery.external = false;
    trap_task(cpu);
}

void soft_interrupt_software(struct soft_cpu *cpu, unsigned vector)
{
    struct event e = {.vector = vector, .software = true, .flags = soft_rflags(cpu)};

    cpu->trap_step = false;
    deliver(cpu, &e);
}

void soft_interrupt_icebp(struct soft_cpu *cpu)
{
    struct event e = {.vector = X86_DB, .flags = soft_rflags(cpu)};

    cpu->trap_step = false;
    deliver(cpu, &e);
}
