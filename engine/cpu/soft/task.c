/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/task.h"

#include "engine/cpu/soft/debug.h"
#include "engine/cpu/soft/paging.h"

/* Where a TSS keeps things. */
struct layout {
    unsigned size; /* of a register */
    unsigned cr3, eip, eflags, gpr, segment, segment_step, segments, ldt, trap, minimum;
};

static const struct layout tss16 = {2, 0, 14, 16, 18, 34, 2, 4, 42, 0, 43};
static const struct layout tss32 = {4, 28, 32, 36, 40, 72, 4, 6, 96, 100, 103};

static const struct layout *layout_of(uint32_t attributes)
{
    return attributes & 8 ? &tss32 : &tss16;
}

static void save(struct soft_cpu *cpu, const struct layout *l, uint64_t flags)
{
    uint64_t at = cpu->tr.base;

    soft_store_system(cpu, at + l->eip, cpu->rip, l->size);
    soft_store_system(cpu, at + l->eflags, flags, l->size);
    for (unsigned i = 0; i < 8; i++)
        soft_store_system(cpu, at + l->gpr + i * l->size, cpu->gpr[i], l->size);
    for (unsigned i = 0; i < l->segments; i++)
        soft_store_system(cpu, at + l->segment + i * l->segment_step, cpu->segment[i].selector, 2);
}

/* What the new task's TSS holds, read before anything changes. */
struct task {
    uint32_t cr3, eip, eflags, gpr[8];
    uint16_t segment[X86_SEGMENTS], ldt;
    bool trap; /* #DB before its first instruction */
};

static struct task read_task(struct soft_cpu *cpu, const struct layout *l, uint64_t at)
{
    struct task t = {0};

    if (l->cr3 != 0)
        t.cr3 = soft_load_system(cpu, at + l->cr3, 4);
    t.eip = soft_load_system(cpu, at + l->eip, l->size);
    t.eflags = soft_load_system(cpu, at + l->eflags, l->size);
    for (unsigned i = 0; i < 8; i++) {
        t.gpr[i] = soft_load_system(cpu, at + l->gpr + i * l->size, l->size);
        if (l->size == 2)
            t.gpr[i] |= 0xffff0000;
    }
    for (unsigned i = 0; i < l->segments; i++)
        t.segment[i] = soft_load_system(cpu, at + l->segment + i * l->segment_step, 2);
    t.ldt = soft_load_system(cpu, at + l->ldt, 2);
    if (l->trap != 0)
        t.trap = soft_load_system(cpu, at + l->trap, 1) & 1;
    return t;
}

static void set_busy(struct soft_cpu *cpu, unsigned selector, bool busy)
{
    uint64_t at = cpu->gdt.base + (selector & 0xfff8) + 5;
    uint8_t type = soft_load_system(cpu, at, 1);

    soft_store_system(cpu, at, busy ? type | 2 : type & ~2, 1);
}

static void load_ldt(struct soft_cpu *cpu, unsigned selector)
{
    struct soft_descriptor d;

    cpu->ldtr = (struct soft_segment){.selector = selector};
    if (SELECTOR_IS_NULL(selector))
        return;
    if (selector & SELECTOR_TI || !soft_read_descriptor(cpu, selector, &d) ||
        (d.attributes & (SEG_S | SEG_TYPE)) != SYSTEM_LDT || !(d.attributes & SEG_P))
        soft_raise_selector(cpu, X86_TS, selector);
    cpu->ldtr.base = d.base;
    cpu->ldtr.limit = d.limit;
    cpu->ldtr.attributes = d.attributes;
}

static void load_code(struct soft_cpu *cpu, unsigned selector)
{
    struct soft_descriptor d = soft_need_descriptor(cpu, selector, X86_TS);
    uint32_t a = d.attributes;
    unsigned rpl = SELECTOR_RPL(selector);

    if ((a & (SEG_S | SEG_CODE)) != (SEG_S | SEG_CODE) ||
        (a & SEG_CONFORMING ? soft_dpl(a) > rpl : soft_dpl(a) != rpl))
        soft_raise_selector(cpu, X86_TS, selector);
    if (!(a & SEG_P))
        soft_raise_selector(cpu, X86_NP, selector);
    soft_set_accessed(cpu, &d);
    soft_set_segment(cpu, X86_CS, selector, &d);
}

/* Segment registers fault as #TS here, where a MOV would raise #GP. */
static void load_data(struct soft_cpu *cpu, unsigned segment, unsigned selector)
{
    struct soft_descriptor d;
    uint32_t a;
    bool stack = segment == X86_SS, conforming;

    if (SELECTOR_IS_NULL(selector) && !stack)
        return;
    d = soft_need_descriptor(cpu, selector, X86_TS);
    a = d.attributes;
    conforming = (a & (SEG_CODE | SEG_CONFORMING)) == (SEG_CODE | SEG_CONFORMING);
    if (stack ? (a & (SEG_S | SEG_CODE | SEG_WRITABLE)) != (SEG_S | SEG_WRITABLE) ||
                    soft_dpl(a) != cpu->cpl || SELECTOR_RPL(selector) != cpu->cpl
              : !(a & SEG_S) || (a & SEG_CODE && !(a & SEG_READABLE)) ||
                    (!conforming && MAX(SELECTOR_RPL(selector), cpu->cpl) > soft_dpl(a)))
        soft_raise_selector(cpu, X86_TS, selector);
    if (!(a & SEG_P))
        soft_raise_selector(cpu, stack ? X86_SS_FAULT : X86_NP, selector);
    soft_set_accessed(cpu, &d);
    soft_set_segment(cpu, segment, selector, &d);
}

/* The new task runs from here on: faults are its own. */
static void load_task(struct soft_cpu *cpu, const struct task *t)
{
    static const uint8_t order[] = {X86_SS, X86_DS, X86_ES, X86_FS, X86_GS};

    load_ldt(cpu, t->ldt);
    if (t->eflags & X86_FLAG_VM) {
        cpu->cpl = 3;
        for (unsigned i = 0; i < X86_SEGMENTS; i++)
            soft_set_segment_real(cpu, i, t->segment[i]);
        return;
    }
    cpu->cpl = SELECTOR_RPL(t->segment[X86_CS]);
    load_code(cpu, t->segment[X86_CS]);
    for (unsigned i = 0; i < G_N_ELEMENTS(order); i++)
        load_data(cpu, order[i], t->segment[order[i]]);
    if (cpu->rip > cpu->code_last)
        soft_raise_gp0(cpu);
}

void soft_task_switch(struct soft_cpu *cpu, unsigned selector, struct soft_descriptor *tss,
                      enum soft_task_kind kind)
{
    const struct layout *to = layout_of(tss->attributes);
    uint64_t flags = soft_rflags(cpu);
    struct task task;

    if (tss->limit < to->minimum)
        soft_raise_selector(cpu, X86_TS, selector);
    task = read_task(cpu, to, tss->base);
    if (task.trap)
        soft_need_single(cpu);
    if (kind == SOFT_TASK_RETURN)
        flags &= ~X86_FLAG_NT;
    save(cpu, layout_of(cpu->tr.attributes), flags);
    if (kind != SOFT_TASK_CALL)
        set_busy(cpu, cpu->tr.selector, false);
    if (kind != SOFT_TASK_RETURN)
        set_busy(cpu, selector, true);
    if (kind == SOFT_TASK_CALL) {
        soft_store_system(cpu, tss->base, cpu->tr.selector, 2);
        task.eflags |= X86_FLAG_NT;
    }
    cpu->tr = (struct soft_segment){.base = tss->base,
                                    .limit = tss->limit,
                                    .attributes = tss->attributes | 2,
                                    .selector = selector};
    cpu->cr0 |= CR0_TS;
    cpu->dr[7] &= ~UINT64_C(0x155);
    if (to->cr3 != 0 && cpu->cr0 & CR0_PG) {
        soft_pdpte_load(cpu, cpu->cr0, task.cr3, cpu->cr4);
        cpu->cr3 = task.cr3;
        soft_tlb_flush_local(cpu);
    }
    cpu->rip = task.eip;
    cpu->current = NULL;
    for (unsigned i = 0; i < 8; i++)
        cpu->gpr[i] = task.gpr[i];
    soft_set_rflags(cpu, task.eflags, 0x3f7fd5);
    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        soft_set_segment_null(cpu, i, task.segment[i]);
    load_task(cpu, &task);
    if (task.trap)
        cpu->trap_hits |= DR6_BT;
}

static struct soft_descriptor need_tss(struct soft_cpu *cpu, unsigned selector, unsigned vector,
                                       bool busy)
{
    struct soft_descriptor d;
    unsigned type;

    if (selector & SELECTOR_TI)
        soft_raise_selector(cpu, vector, selector);
    d = soft_need_descriptor(cpu, selector, vector);
    type = d.attributes & (SEG_S | SEG_TYPE);
    if (type != (busy ? SYSTEM_TSS16_BUSY : SYSTEM_TSS16) &&
        type != (busy ? SYSTEM_TSS32_BUSY : SYSTEM_TSS32))
        soft_raise_selector(cpu, vector, selector);
    if (!(d.attributes & SEG_P))
        soft_raise_selector(cpu, X86_NP, selector);
    return d;
}

void soft_task_gate(struct soft_cpu *cpu, unsigned selector, enum soft_task_kind kind)
{
    struct soft_descriptor tss = need_tss(cpu, selector, X86_GP, false);

    soft_task_switch(cpu, selector, &tss, kind);
}

void soft_task_interrupt(struct soft_cpu *cpu, unsigned selector, bool has_error, uint32_t error)
{
    soft_task_gate(cpu, selector, SOFT_TASK_CALL);
    if (has_error)
        soft_push(cpu, error, cpu->tr.attributes & 8 ? 4 : 2);
}

void soft_task_return(struct soft_cpu *cpu)
{
    unsigned selector = soft_load_system(cpu, cpu->tr.base, 2);
    struct soft_descriptor tss = need_tss(cpu, selector, X86_TS, true);

    soft_task_switch(cpu, selector, &tss, SOFT_TASK_RETURN);
}
