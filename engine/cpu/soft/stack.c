/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/stack.h"

struct soft_frame soft_frame_current(struct soft_cpu *cpu)
{
    return (struct soft_frame){
        .cpl = cpu->cpl,
        .sp = cpu->gpr[X86_RSP],
        .mask = soft_stack_mask(cpu),
    };
}

static struct soft_frame inner_long(struct soft_cpu *cpu, unsigned cpl)
{
    struct soft_frame f = {.cpl = cpl, .change = true, .mask = UINT64_MAX, .selector = cpl};

    if (4 + cpl * 8 + 7 > cpu->tr.limit)
        soft_raise_selector(cpu, X86_TS, cpu->tr.selector);
    f.sp = soft_load_system(cpu, cpu->tr.base + 4 + cpl * 8, 8);
    return f;
}

struct soft_frame soft_frame_inner(struct soft_cpu *cpu, unsigned cpl)
{
    bool wide = cpu->tr.attributes & 8;
    unsigned offset = wide ? 4 + cpl * 8 : 2 + cpl * 4, size = wide ? 4 : 2;
    struct soft_frame f = {.cpl = cpl, .change = true};

    if (soft_is_long(cpu))
        return inner_long(cpu, cpl);
    if (offset + size + 1 > cpu->tr.limit)
        soft_raise_selector(cpu, X86_TS, cpu->tr.selector);
    f.sp = soft_load_system(cpu, cpu->tr.base + offset, size);
    f.selector = soft_load_system(cpu, cpu->tr.base + offset + size, 2);
    f.ss = soft_need_descriptor(cpu, f.selector, X86_TS);
    if (SELECTOR_RPL(f.selector) != cpl || soft_dpl(f.ss.attributes) != cpl ||
        (f.ss.attributes & (SEG_S | SEG_CODE | SEG_WRITABLE)) != (SEG_S | SEG_WRITABLE))
        soft_raise_selector(cpu, X86_TS, f.selector);
    if (!(f.ss.attributes & SEG_P))
        soft_raise_selector(cpu, X86_SS_FAULT, f.selector);
    soft_set_accessed(cpu, &f.ss);
    f.mask = f.ss.attributes & SEG_DB ? 0xffffffff : 0xffff;
    return f;
}

static void check_new_limit(struct soft_cpu *cpu, const struct soft_frame *f, uint64_t offset,
                            unsigned size)
{
    bool down = f->ss.attributes & SEG_EXPAND_DOWN;
    uint64_t top = f->ss.attributes & SEG_DB ? UINT64_C(0x100000000) : 0x10000;
    bool fits = down ? offset > f->ss.limit && offset + size <= top
                     : offset + size <= (uint64_t)f->ss.limit + 1;

    if (!fits)
        soft_raise_selector(cpu, X86_SS_FAULT, f->selector);
}

void soft_frame_push(struct soft_cpu *cpu, struct soft_frame *f, uint64_t value, unsigned size)
{
    uint64_t offset = (f->sp - size) & f->mask, linear;

    if (f->mask == UINT64_MAX) {
        if ((uint64_t)((int64_t)(offset << 16) >> 16) != offset)
            soft_raise(cpu, X86_SS_FAULT, cpu->delivery.external ? 1 : 0);
        linear = offset;
    } else if (!f->change) {
        linear = soft_linear_at(cpu, X86_SS, offset, size, SOFT_WRITE);
    } else {
        check_new_limit(cpu, f, offset, size);
        linear = (uint32_t)(f->ss.base + offset);
    }
    if (f->cpl == cpu->cpl)
        soft_store_sized(cpu, linear, value, size);
    else
        soft_store_system(cpu, linear, value, size);
    f->sp = (f->sp & ~f->mask) | offset;
}

void soft_frame_commit(struct soft_cpu *cpu, const struct soft_frame *f)
{
    if (f->change && f->mask == UINT64_MAX)
        soft_set_segment_null(cpu, X86_SS, f->selector);
    else if (f->change)
        soft_set_segment(cpu, X86_SS, f->selector, &f->ss);
    if (f->mask == UINT64_MAX)
        cpu->gpr[X86_RSP] = f->sp;
    else if (f->mask == 0xffffffff)
        cpu->gpr[X86_RSP] = (uint32_t)f->sp;
    else
        soft_set16(cpu, X86_RSP, f->sp);
}

void soft_set_rflags(struct soft_cpu *cpu, uint64_t flags, uint64_t mask)
{
    uint64_t old = cpu->rflags, all = (soft_rflags(cpu) & ~mask) | (flags & mask);

    soft_set_arithmetic_flags(cpu, all);
    cpu->rflags = (all & ~X86_FLAGS_ARITHMETIC) | X86_FLAG_1;
    if ((old ^ cpu->rflags) & (X86_FLAG_VM | X86_FLAG_AC))
        soft_mode_changed(cpu);
    if (cpu->rflags & (X86_FLAG_TF | X86_FLAG_RF))
        soft_attention(cpu);
    if (cpu->rflags & ~old & X86_FLAG_IF)
        __atomic_fetch_or(&cpu->requests, SOFT_REQUEST_INTERRUPT, __ATOMIC_RELAXED);
}
