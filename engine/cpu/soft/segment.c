/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/segment.h"

#define REAL_DATA (SEG_P | SEG_S | SEG_WRITABLE | SEG_ACCESSED)
#define DPL3 (3u << SEG_DPL_SHIFT)

void soft_raise_selector(struct soft_cpu *cpu, unsigned vector, unsigned selector)
{
    soft_raise(cpu, vector, (selector & 0xfffc) | (cpu->delivery.external ? 1 : 0));
}

void soft_segment_changed(struct soft_cpu *cpu, unsigned number)
{
    struct soft_segment *s = &cpu->segment[number];
    uint32_t a = s->attributes;

    s->read_end = s->write_end = 0;
    if (cpu->mode & SOFT_MODE_CODE64) {
        s->read_end = s->write_end = UINT64_MAX;
        return;
    }
    if (!(a & SEG_P) || (!(a & SEG_CODE) && a & SEG_EXPAND_DOWN))
        return; /* soft_segment_fault_check() looks closer */
    if (!(a & SEG_CODE) || a & SEG_READABLE)
        s->read_end = (uint64_t)s->limit + 1;
    if ((!(a & SEG_CODE) && a & SEG_WRITABLE) || soft_is_real(cpu))
        s->write_end = (uint64_t)s->limit + 1;
}

static bool is_flat(const struct soft_segment *s, bool code)
{
    return s->base == 0 && s->read_end == UINT64_C(0x100000000) &&
           (code || s->write_end == UINT64_C(0x100000000));
}

void soft_mode_changed(struct soft_cpu *cpu)
{
    uint32_t cs = cpu->segment[X86_CS].attributes, mode = 0;
    enum soft_privilege privilege;

    if (cpu->cr0 & CR0_PE)
        mode |= SOFT_MODE_PROTECTED;
    if (cpu->rflags & X86_FLAG_VM)
        mode |= SOFT_MODE_V86;
    if (cpu->efer & EFER_LMA && cs & SEG_L)
        mode |= SOFT_MODE_CODE64 | SOFT_MODE_FLAT;
    else if (cs & SEG_DB)
        mode |= SOFT_MODE_CODE32;
    if (cpu->segment[X86_SS].attributes & SEG_DB)
        mode |= SOFT_MODE_STACK32;
    if (cpu->cpl == 3)
        mode |= SOFT_MODE_USER;
    if (!(cpu->cr0 & (CR0_EM | CR0_TS)))
        mode |= SOFT_MODE_X87 | (cpu->cr4 & CR4_OSFXSR ? SOFT_MODE_SSE : 0);
    cpu->mode = mode;
    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        soft_segment_changed(cpu, i);
    if (is_flat(&cpu->segment[X86_ES], false) && is_flat(&cpu->segment[X86_CS], true) &&
        is_flat(&cpu->segment[X86_SS], false) && is_flat(&cpu->segment[X86_DS], false))
        cpu->mode |= SOFT_MODE_FLAT;
    cpu->code_last = mode & SOFT_MODE_CODE64 ? UINT64_MAX : cpu->segment[X86_CS].limit;
    privilege = cpu->cpl == 3               ? SOFT_USER
                : cpu->rflags & X86_FLAG_AC ? SOFT_SUPERVISOR_AC
                                            : SOFT_SUPERVISOR;
    cpu->tlb_read = cpu->tlb.entries[privilege][SOFT_READ];
    cpu->tlb_write = cpu->tlb.entries[privilege][SOFT_WRITE];
}

void soft_segment_fault_check(struct soft_cpu *cpu, unsigned number, uint64_t offset, unsigned size,
                              enum soft_access access)
{
    const struct soft_segment *s = &cpu->segment[number];
    uint32_t a = s->attributes;
    uint64_t top = a & SEG_DB ? UINT64_C(0x100000000) : 0x10000;

    if (cpu->mode & SOFT_MODE_CODE64)
        return;
    if (a & SEG_P && !(a & SEG_CODE) && a & SEG_EXPAND_DOWN &&
        (access == SOFT_READ || a & SEG_WRITABLE) && offset > s->limit && offset + size <= top)
        return;
    soft_raise(cpu, number == X86_SS ? X86_SS_FAULT : X86_GP, 0);
}

static void parse(struct soft_descriptor *d)
{
    d->base = d->low >> 16 | (d->high & 0xff) << 16 | (d->high & 0xff000000);
    d->limit = (d->low & 0xffff) | (d->high & 0xf0000);
    d->attributes = d->high >> 8 & 0xf0ff;
    if (d->attributes & SEG_G)
        d->limit = d->limit << 12 | 0xfff;
}

bool soft_read_descriptor(struct soft_cpu *cpu, unsigned selector, struct soft_descriptor *ret)
{
    uint64_t base = cpu->gdt.base, raw;
    uint32_t limit = cpu->gdt.limit;

    if (SELECTOR_IS_NULL(selector))
        return false;
    if (selector & SELECTOR_TI) {
        base = cpu->ldtr.base;
        limit = cpu->ldtr.attributes & SEG_P ? cpu->ldtr.limit : 0;
    }
    if ((selector | 7) > limit)
        return false;
    ret->address = base + (selector & 0xfff8);
    if (!soft_is_long(cpu))
        ret->address = (uint32_t)ret->address;
    raw = soft_load_system(cpu, ret->address, 8);
    ret->low = raw;
    ret->high = raw >> 32;
    parse(ret);
    return true;
}

struct soft_descriptor soft_need_descriptor(struct soft_cpu *cpu, unsigned selector,
                                            unsigned vector)
{
    struct soft_descriptor d;

    if (!soft_read_descriptor(cpu, selector, &d))
        soft_raise_selector(cpu, vector, selector);
    return d;
}

void soft_set_accessed(struct soft_cpu *cpu, struct soft_descriptor *d)
{
    if (d->attributes & SEG_ACCESSED)
        return;
    d->attributes |= SEG_ACCESSED;
    d->high |= SEG_ACCESSED << 8;
    soft_store_system(cpu, d->address + 5, d->high >> 8 & 0xff, 1);
}

static void set_hidden(struct soft_cpu *cpu, unsigned segment, unsigned selector, uint64_t base,
                       uint32_t limit, uint32_t attributes)
{
    struct soft_segment *s = &cpu->segment[segment];

    s->selector = selector;
    s->base = base;
    s->limit = limit;
    s->attributes = attributes;
    soft_mode_changed(cpu);
}

void soft_set_segment(struct soft_cpu *cpu, unsigned segment, unsigned selector,
                      const struct soft_descriptor *d)
{
    uint64_t base = d->base;

    if (segment == X86_CS && soft_is_long(cpu) && d->attributes & SEG_L)
        base = 0;
    set_hidden(cpu, segment, selector, base, d->limit, d->attributes);
}

void soft_set_segment_real(struct soft_cpu *cpu, unsigned segment, unsigned selector)
{
    bool v86 = cpu->rflags & X86_FLAG_VM;

    /* Real mode leaves the limit alone ("unreal mode"), but for what a reset or V86 sets. */
    set_hidden(cpu, segment, selector, (uint64_t)selector << 4,
               v86 ? 0xffff : cpu->segment[segment].limit,
               v86                 ? REAL_DATA | DPL3
               : segment == X86_CS ? REAL_DATA | (cpu->segment[X86_CS].attributes & SEG_DB)
                                   : REAL_DATA | (cpu->segment[segment].attributes & SEG_DB));
}

void soft_set_segment_null(struct soft_cpu *cpu, unsigned segment, unsigned selector)
{
    /* A null SS of 64-bit mode keeps its privilege. */
    uint32_t attributes = segment == X86_SS ? SELECTOR_RPL(selector) << SEG_DPL_SHIFT : 0;

    set_hidden(cpu, segment, selector, 0, 0, attributes);
}

static void load_stack_segment(struct soft_cpu *cpu, unsigned selector)
{
    struct soft_descriptor d;

    if (SELECTOR_IS_NULL(selector)) {
        if (!(cpu->mode & SOFT_MODE_CODE64) || cpu->cpl == 3 || SELECTOR_RPL(selector) != cpu->cpl)
            soft_raise_gp0(cpu);
        soft_set_segment_null(cpu, X86_SS, selector);
        return;
    }
    d = soft_need_descriptor(cpu, selector, X86_GP);
    if (SELECTOR_RPL(selector) != cpu->cpl || soft_dpl(d.attributes) != cpu->cpl ||
        (d.attributes & (SEG_S | SEG_CODE | SEG_WRITABLE)) != (SEG_S | SEG_WRITABLE))
        soft_raise_selector(cpu, X86_GP, selector);
    if (!(d.attributes & SEG_P))
        soft_raise_selector(cpu, X86_SS_FAULT, selector);
    soft_set_accessed(cpu, &d);
    soft_set_segment(cpu, X86_SS, selector, &d);
}

void soft_load_segment(struct soft_cpu *cpu, unsigned segment, unsigned selector)
{
    struct soft_descriptor d;
    uint32_t a;

    if (soft_is_real(cpu)) {
        soft_set_segment_real(cpu, segment, selector);
        return;
    }
    if (segment == X86_SS) {
        load_stack_segment(cpu, selector);
        return;
    }
    if (SELECTOR_IS_NULL(selector)) {
        soft_set_segment_null(cpu, segment, selector);
        return;
    }
    d = soft_need_descriptor(cpu, selector, X86_GP);
    a = d.attributes;
    if (!(a & SEG_S) || (a & SEG_CODE && !(a & SEG_READABLE)))
        soft_raise_selector(cpu, X86_GP, selector);
    if ((a & (SEG_CODE | SEG_CONFORMING)) != (SEG_CODE | SEG_CONFORMING) &&
        MAX(SELECTOR_RPL(selector), cpu->cpl) > soft_dpl(a))
        soft_raise_selector(cpu, X86_GP, selector);
    if (!(a & SEG_P))
        soft_raise_selector(cpu, X86_NP, selector);
    soft_set_accessed(cpu, &d);
    soft_set_segment(cpu, segment, selector, &d);
}
