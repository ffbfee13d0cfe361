/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptor tables, control and debug registers, flags of the system, HLT, CPUID, MSRs. */
#include "engine/cpu/soft/cpuid.h"
#include "engine/cpu/soft/debug.h"
#include "engine/cpu/soft/lapic.h"
#include "engine/cpu/soft/msr.h"
#include "engine/cpu/soft/paging.h"
#include "engine/cpu/soft/vme.h"

#define CR4_KNOWN                                                                             \
    (CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | \
     CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_FSGSBASE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP)

/* Ew, whatever size the other operand has. */
static unsigned word_operand(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    if (insn->flags & SOFT_INSN_MEM)
        return soft_load16(cpu, soft_linear(cpu, insn, 2, SOFT_READ));
    return soft_get16(cpu, insn->rm);
}

/* A selector or the like: 2 bytes to memory, the operand size to a register. */
static void store_word(struct soft_cpu *cpu, const struct soft_insn *insn, uint64_t value)
{
    if (insn->flags & SOFT_INSN_MEM)
        soft_write_mem16(cpu, insn, value);
    else
        soft_set_reg(cpu, insn->rm, insn->size, value);
}

static void check_umip(struct soft_cpu *cpu)
{
    if (cpu->cr4 & CR4_UMIP && cpu->cpl != 0)
        soft_raise_gp0(cpu);
}

SOFT_OPERATION(mov_from_segment)
{
    if (insn->reg >= X86_SEGMENTS)
        soft_raise_ud(cpu);
    store_word(cpu, insn, cpu->segment[insn->reg].selector);
}

static void shadow_of_stack_segment(struct soft_cpu *cpu, unsigned segment)
{
    if (segment != X86_SS)
        return;
    cpu->interrupt_shadow = true;
    soft_attention(cpu);
}

SOFT_OPERATION(mov_to_segment)
{
    if (insn->reg >= X86_SEGMENTS || insn->reg == X86_CS)
        soft_raise_ud(cpu);
    soft_load_segment(cpu, insn->reg, word_operand(cpu, insn));
    shadow_of_stack_segment(cpu, insn->reg);
}

/* Of 32 bits on the stack the upper half stays as it is. */
static void push_segment(struct soft_cpu *cpu, const struct soft_insn *insn, unsigned segment)
{
    unsigned size = insn->size;

    soft_poke_below(cpu, size, cpu->segment[segment].selector, size == 4 ? 2 : size);
    soft_set_sp(cpu, cpu->gpr[X86_RSP] - size);
}

/* Nothing but the selector is read. */
static void pop_segment(struct soft_cpu *cpu, const struct soft_insn *insn, unsigned segment)
{
    uint64_t selector = soft_peek(cpu, 0, 2), sp = cpu->gpr[X86_RSP] + insn->size;
    uint64_t mask = soft_stack_mask(cpu);

    soft_load_segment(cpu, segment, selector);
    /* By the size of the stack it came from, should that have been SS. */
    cpu->gpr[X86_RSP] = mask == 0xffff ? (cpu->gpr[X86_RSP] & ~mask) | (sp & mask) : sp & mask;
    shadow_of_stack_segment(cpu, segment);
}

#define PUSH_SEGMENT(NAME, SEGMENT)       \
    SOFT_OPERATION(push_##NAME)           \
    {                                     \
        push_segment(cpu, insn, SEGMENT); \
    }
#define POP_SEGMENT(NAME, SEGMENT)       \
    SOFT_OPERATION(pop_##NAME)           \
    {                                    \
        pop_segment(cpu, insn, SEGMENT); \
    }
#define LOAD_FAR(NAME, SEGMENT)       \
    SOFT_OPERATION(NAME)              \
    {                                 \
        load_far(cpu, insn, SEGMENT); \
    }

PUSH_SEGMENT(es, X86_ES)
PUSH_SEGMENT(cs, X86_CS)
PUSH_SEGMENT(ss, X86_SS)
PUSH_SEGMENT(ds, X86_DS)
PUSH_SEGMENT(fs, X86_FS)
PUSH_SEGMENT(gs, X86_GS)
POP_SEGMENT(es, X86_ES)
POP_SEGMENT(ss, X86_SS)
POP_SEGMENT(ds, X86_DS)
POP_SEGMENT(fs, X86_FS)
POP_SEGMENT(gs, X86_GS)

static void load_far(struct soft_cpu *cpu, const struct soft_insn *insn, unsigned segment)
{
    uint64_t linear = soft_linear(cpu, insn, insn->size + 2, SOFT_READ);
    uint64_t offset = soft_load_sized(cpu, linear, insn->size);

    soft_load_segment(cpu, segment, soft_load16(cpu, linear + insn->size));
    soft_set_reg(cpu, insn->reg, insn->size, offset);
    shadow_of_stack_segment(cpu, segment);
}

LOAD_FAR(les, X86_ES)
LOAD_FAR(lds, X86_DS)
LOAD_FAR(lss, X86_SS)
LOAD_FAR(lfs, X86_FS)
LOAD_FAR(lgs, X86_GS)

SOFT_OPERATION(pushf)
{
    bool virtual = soft_vme_flags_are_virtual(cpu, insn->size);
    uint64_t flags = virtual ? soft_vme_pushed_flags(cpu) : soft_rflags(cpu);

    soft_push(cpu, flags & ~(X86_FLAG_RF | X86_FLAG_VM), insn->size);
}

SOFT_OPERATION(popf)
{
    uint64_t mask = X86_FLAGS_ARITHMETIC | X86_FLAG_TF | X86_FLAG_DF | X86_FLAG_NT, flags;

    if (soft_vme_flags_are_virtual(cpu, insn->size)) {
        flags = soft_vme_popped_flags(cpu, soft_peek(cpu, 0, insn->size));
        soft_set_sp(cpu, cpu->gpr[X86_RSP] + insn->size);
        soft_set_rflags(cpu, flags, SOFT_VME_FLAGS);
        return;
    }
    if (insn->size > 2)
        mask |= X86_FLAG_AC | X86_FLAG_ID | X86_FLAG_RF;
    if (cpu->cpl <= soft_iopl(cpu))
        mask |= X86_FLAG_IF;
    if (cpu->cpl == 0)
        mask |= X86_FLAG_IOPL;
    flags = soft_pop(cpu, insn->size) & ~X86_FLAG_RF;
    soft_set_rflags(cpu, flags, mask);
}

/* Whether CLI and STI change VIF; #GP(0) if neither that nor IF. */
static bool changes_vif(struct soft_cpu *cpu)
{
    if (cpu->cpl <= soft_iopl(cpu))
        return false;
    if (cpu->cpl != 3 || !(cpu->cr4 & (cpu->rflags & X86_FLAG_VM ? CR4_VME : CR4_PVI)))
        soft_raise_gp0(cpu);
    return true;
}

SOFT_OPERATION(cli)
{
    cpu->rflags &= changes_vif(cpu) ? ~X86_FLAG_VIF : ~X86_FLAG_IF;
}

SOFT_OPERATION(sti)
{
    if (changes_vif(cpu)) {
        if (cpu->rflags & X86_FLAG_VIP)
            soft_raise_gp0(cpu);
        cpu->rflags |= X86_FLAG_VIF;
        return;
    }
    if (cpu->rflags & X86_FLAG_IF)
        return;
    soft_set_rflags(cpu, X86_FLAG_IF, X86_FLAG_IF);
    cpu->interrupt_shadow = true;
    soft_attention(cpu);
}

SOFT_OPERATION(clac)
{
    if (cpu->cpl != 0)
        soft_raise_ud(cpu);
    soft_set_rflags(cpu, 0, X86_FLAG_AC);
}

SOFT_OPERATION(stac)
{
    if (cpu->cpl != 0)
        soft_raise_ud(cpu);
    soft_set_rflags(cpu, X86_FLAG_AC, X86_FLAG_AC);
}

/* INVD too: there are no caches. */
SOFT_OPERATION(wbinvd)
{
}

SOFT_OPERATION(sldt)
{
    check_umip(cpu);
    store_word(cpu, insn, cpu->ldtr.selector);
}

SOFT_OPERATION(str)
{
    check_umip(cpu);
    store_word(cpu, insn, cpu->tr.selector);
}

/* A system descriptor's upper half of the base, in long mode. */
static void load_system_segment(struct soft_cpu *cpu, struct soft_segment *s, unsigned selector,
                                struct soft_descriptor *d)
{
    uint64_t base = d->base;

    if (soft_is_long(cpu))
        base |= soft_load_system(cpu, d->address + 8, 4) << 32;
    *s = (struct soft_segment){.base = base,
                               .limit = d->limit,
                               .attributes = d->attributes,
                               .selector = selector};
}

SOFT_OPERATION(lldt)
{
    unsigned selector = word_operand(cpu, insn);
    struct soft_descriptor d;

    if (SELECTOR_IS_NULL(selector)) {
        cpu->ldtr = (struct soft_segment){.selector = selector};
        return;
    }
    if (selector & SELECTOR_TI)
        soft_raise_selector(cpu, X86_GP, selector);
    d = soft_need_descriptor(cpu, selector, X86_GP);
    if ((d.attributes & (SEG_S | SEG_TYPE)) != SYSTEM_LDT)
        soft_raise_selector(cpu, X86_GP, selector);
    if (!(d.attributes & SEG_P))
        soft_raise_selector(cpu, X86_NP, selector);
    load_system_segment(cpu, &cpu->ldtr, selector, &d);
}

SOFT_OPERATION(ltr)
{
    unsigned selector = word_operand(cpu, insn), type;
    struct soft_descriptor d;

    if (SELECTOR_IS_NULL(selector))
        soft_raise_gp0(cpu);
    if (selector & SELECTOR_TI)
        soft_raise_selector(cpu, X86_GP, selector);
    d = soft_need_descriptor(cpu, selector, X86_GP);
    type = d.attributes & (SEG_S | SEG_TYPE);
    if (type != SYSTEM_TSS32 && (type != SYSTEM_TSS16 || soft_is_long(cpu)))
        soft_raise_selector(cpu, X86_GP, selector);
    if (!(d.attributes & SEG_P))
        soft_raise_selector(cpu, X86_NP, selector);
    load_system_segment(cpu, &cpu->tr, selector, &d);
    cpu->tr.attributes |= 2;
    soft_store_system(cpu, d.address + 5, (d.high >> 8 & 0xff) | 2, 1);
}

static void set_zf(struct soft_cpu *cpu, bool zf)
{
    soft_set_rflags(cpu, zf ? X86_FLAG_ZF : 0, X86_FLAG_ZF);
}

/* Whether the selector may be seen from here; conforming code always may. */
static bool is_visible(struct soft_cpu *cpu, unsigned selector, struct soft_descriptor *ret)
{
    if (!soft_read_descriptor(cpu, selector, ret))
        return false;
    if ((ret->attributes & (SEG_S | SEG_CODE | SEG_CONFORMING)) ==
        (SEG_S | SEG_CODE | SEG_CONFORMING))
        return true;
    return soft_dpl(ret->attributes) >= MAX(cpu->cpl, SELECTOR_RPL(selector));
}

SOFT_OPERATION(verr)
{
    struct soft_descriptor d;
    bool ok = is_visible(cpu, word_operand(cpu, insn), &d);

    set_zf(cpu, ok && d.attributes & SEG_S &&
                    (!(d.attributes & SEG_CODE) || d.attributes & SEG_READABLE));
}

SOFT_OPERATION(verw)
{
    struct soft_descriptor d;
    bool ok = is_visible(cpu, word_operand(cpu, insn), &d);

    set_zf(cpu, ok && (d.attributes & (SEG_S | SEG_CODE | SEG_WRITABLE)) == (SEG_S | SEG_WRITABLE));
}

static bool has_system_type(const struct soft_cpu *cpu, uint32_t attributes, uint32_t types,
                            uint32_t long_types)
{
    return attributes & SEG_S ||
           (soft_is_long(cpu) ? long_types : types) >> (attributes & SEG_TYPE) & 1;
}

SOFT_OPERATION(lar)
{
    struct soft_descriptor d;
    bool ok = is_visible(cpu, word_operand(cpu, insn), &d) &&
              has_system_type(cpu, d.attributes, 0x1a3e, 0x1a04);

    if (ok)
        soft_set_reg(cpu, insn->reg, insn->size, d.high & 0xffff00);
    set_zf(cpu, ok);
}

SOFT_OPERATION(lsl)
{
    struct soft_descriptor d;
    bool ok = is_visible(cpu, word_operand(cpu, insn), &d) &&
              has_system_type(cpu, d.attributes, 0x0a0e, 0x0a04);

    if (ok)
        soft_set_reg(cpu, insn->reg, insn->size, d.limit);
    set_zf(cpu, ok);
}

SOFT_OPERATION(arpl)
{
    uint16_t selector = word_operand(cpu, insn), rpl = cpu->gpr[insn->reg] & 3;
    bool raised = SELECTOR_RPL(selector) < rpl;

    if (raised)
        store_word(cpu, insn, (selector & ~3) | rpl);
    set_zf(cpu, raised);
}

static void store_table(struct soft_cpu *cpu, const struct soft_insn *insn,
                        const struct x86_table *table)
{
    unsigned size = cpu->mode & SOFT_MODE_CODE64 ? 8 : 4;
    uint8_t bytes[10];

    check_umip(cpu);
    memcpy(bytes, &table->limit, 2);
    memcpy(bytes + 2, &table->base, 8);
    soft_write_mem(cpu, insn, bytes, 2 + size);
}

SOFT_OPERATION(sgdt)
{
    store_table(cpu, insn, &cpu->gdt);
}

SOFT_OPERATION(sidt)
{
    store_table(cpu, insn, &cpu->idt);
}

static void load_table(struct soft_cpu *cpu, const struct soft_insn *insn, struct x86_table *table)
{
    unsigned size = cpu->mode & SOFT_MODE_CODE64 ? 8 : 4;
    uint8_t bytes[10] = {0};
    struct x86_table new = {0};

    soft_read_mem(cpu, insn, bytes, 2 + size);
    memcpy(&new.limit, bytes, 2);
    memcpy(&new.base, bytes + 2, 8);
    if (size == 4 && insn->size == 2)
        new.base &= 0xffffff;
    *table = new;
}

SOFT_OPERATION(lgdt)
{
    load_table(cpu, insn, &cpu->gdt);
}

SOFT_OPERATION(lidt)
{
    load_table(cpu, insn, &cpu->idt);
}

static void set_cr0(struct soft_cpu *cpu, uint64_t value)
{
    uint64_t old = cpu->cr0;
    bool code_l = cpu->segment[X86_CS].attributes & SEG_L;

    if ((value & CR0_PG && !(value & CR0_PE)) || (value & CR0_NW && !(value & CR0_CD)) ||
        value >> 32 != 0)
        soft_raise_gp0(cpu);
    if ((old ^ value) & (CR0_PG | CR0_CD | CR0_NW))
        soft_pdpte_load(cpu, value, cpu->cr3, cpu->cr4);
    if (value & ~old & CR0_PG && cpu->efer & EFER_LME) {
        if (!(cpu->cr4 & CR4_PAE) || code_l)
            soft_raise_gp0(cpu);
        cpu->efer |= EFER_LMA;
    }
    if (old & ~value & CR0_PG) {
        if (cpu->mode & SOFT_MODE_CODE64)
            soft_raise_gp0(cpu);
        cpu->efer &= ~EFER_LMA;
    }
    cpu->cr0 = value | CR0_ET;
    if ((old ^ value) & (CR0_PG | CR0_WP | CR0_PE))
        soft_tlb_flush(cpu);
    soft_mode_changed(cpu);
}

static void set_cr4(struct soft_cpu *cpu, uint64_t value)
{
    uint64_t old = cpu->cr4;

    if (value & ~CR4_KNOWN || (old & ~value & CR4_PAE && soft_is_long(cpu)))
        soft_raise_gp0(cpu);
    if ((old ^ value) & (CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP))
        soft_pdpte_load(cpu, cpu->cr0, cpu->cr3, value);
    cpu->cr4 = value;
    if ((old ^ value) & (CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP | CR4_SMAP))
        soft_tlb_flush(cpu);
    soft_mode_changed(cpu);
}

static void set_cr3(struct soft_cpu *cpu, uint64_t value)
{
    if (soft_is_long(cpu) && value >> 52 != 0)
        soft_raise_gp0(cpu);
    soft_pdpte_load(cpu, cpu->cr0, value, cpu->cr4);
    cpu->cr3 = value;
    soft_tlb_flush_local(cpu);
}

static void need_level_0(struct soft_cpu *cpu)
{
    if (cpu->cpl != 0)
        soft_raise_gp0(cpu);
}

/* A register that there is not is #UD at each level. */
static void check_cr(struct soft_cpu *cpu, unsigned number)
{
    if (number == 1 || (number > 4 && number != 8))
        soft_raise_ud(cpu);
    need_level_0(cpu);
}

SOFT_OPERATION(mov_from_cr)
{
    uint64_t value;

    check_cr(cpu, insn->reg);
    switch (insn->reg) {
    case 0:
        value = cpu->cr0;
        break;
    case 2:
        value = cpu->cr2;
        break;
    case 3:
        value = cpu->cr3;
        break;
    case 4:
        value = cpu->cr4;
        break;
    default:
        soft_leave_if_lent(cpu);
        value = soft_lapic_cr8(cpu->lapic);
    }
    soft_set_reg(cpu, insn->rm, insn->size, value);
}

SOFT_OPERATION(mov_to_cr)
{
    uint64_t value = soft_get_reg(cpu, insn->rm, insn->size);

    check_cr(cpu, insn->reg);
    soft_leave_if_lent(cpu);
    switch (insn->reg) {
    case 0:
        set_cr0(cpu, value);
        break;
    case 2:
        cpu->cr2 = value;
        break;
    case 3:
        set_cr3(cpu, value);
        break;
    case 4:
        set_cr4(cpu, value);
        break;
    default:
        if (value > 15)
            soft_raise_gp0(cpu);
        soft_lapic_set_cr8(cpu->lapic, value);
    }
}

/* DR4 and DR5 are DR6 and DR7 unless CR4.DE is set. */
static unsigned debug_register(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    if (insn->reg > 7)
        soft_raise_ud(cpu);
    need_level_0(cpu);
    if ((insn->reg == 4 || insn->reg == 5) && cpu->cr4 & CR4_DE)
        soft_raise_ud(cpu);
    if (cpu->dr[7] & DR7_GD) {
        cpu->dr[6] |= DR6_BD;
        soft_raise(cpu, X86_DB, 0);
    }
    return insn->reg == 4 || insn->reg == 5 ? insn->reg + 2 : insn->reg;
}

SOFT_OPERATION(mov_from_dr)
{
    soft_set_reg(cpu, insn->rm, insn->size, cpu->dr[debug_register(cpu, insn)]);
}

SOFT_OPERATION(mov_to_dr)
{
    unsigned number = debug_register(cpu, insn);
    uint64_t value = soft_get_reg(cpu, insn->rm, insn->size);

    if (number >= 6 && value >> 32 != 0)
        soft_raise_gp0(cpu);
    if (number == 6)
        value = (value & 0xe00f) | DR6_FIXED;
    else if (number == 7)
        value = (value & 0xffff2bff) | DR7_FIXED;
    cpu->dr[number] = value;
    /* Pages with data breakpoints take the slow path. */
    soft_tlb_flush(cpu);
    soft_attention(cpu);
}

SOFT_OPERATION(smsw)
{
    check_umip(cpu);
    store_word(cpu, insn, cpu->cr0);
}

SOFT_OPERATION(lmsw)
{
    uint64_t value = word_operand(cpu, insn);

    soft_leave_if_lent(cpu);
    /* It can set PE, but not clear it. */
    set_cr0(cpu, (cpu->cr0 & ~UINT64_C(0xe)) | (value & 0xf));
}

SOFT_OPERATION(clts)
{
    cpu->cr0 &= ~CR0_TS;
    soft_mode_changed(cpu);
}

SOFT_OPERATION(invlpg)
{
    uint64_t linear = soft_effective(cpu, insn);

    if (!(cpu->mode & SOFT_MODE_CODE64))
        linear = (uint32_t)(linear + cpu->segment[insn->segment].base);
    else if (insn->segment >= X86_FS)
        linear += cpu->segment[insn->segment].base;
    soft_tlb_flush_page(cpu, linear);
}

SOFT_OPERATION(swapgs)
{
    uint64_t base = cpu->segment[X86_GS].base;

    cpu->segment[X86_GS].base = cpu->kernel_gs_base;
    cpu->kernel_gs_base = base;
}

static void check_fsgsbase(struct soft_cpu *cpu)
{
    if (!(cpu->cr4 & CR4_FSGSBASE))
        soft_raise_ud(cpu);
}

static void write_base(struct soft_cpu *cpu, const struct soft_insn *insn, unsigned segment)
{
    uint64_t base = soft_get_reg(cpu, insn->rm, insn->size);

    check_fsgsbase(cpu);
    if ((uint64_t)((int64_t)(base << 16) >> 16) != base)
        soft_raise_gp0(cpu);
    cpu->segment[segment].base = base;
}

SOFT_OPERATION(rdfsbase)
{
    check_fsgsbase(cpu);
    soft_set_reg(cpu, insn->rm, insn->size, cpu->segment[X86_FS].base);
}

SOFT_OPERATION(rdgsbase)
{
    check_fsgsbase(cpu);
    soft_set_reg(cpu, insn->rm, insn->size, cpu->segment[X86_GS].base);
}

SOFT_OPERATION(wrfsbase)
{
    write_base(cpu, insn, X86_FS);
}

SOFT_OPERATION(wrgsbase)
{
    write_base(cpu, insn, X86_GS);
}

SOFT_OPERATION(hlt)
{
    soft_leave_if_lent(cpu);
    cpu->activity = SOFT_HALTED;
    /* An interrupt that waits already wakes it at once. */
    __atomic_fetch_or(&cpu->requests, SOFT_REQUEST_SELF | SOFT_REQUEST_INTERRUPT, __ATOMIC_RELAXED);
}

static void set_edx_eax(struct soft_cpu *cpu, uint64_t value)
{
    cpu->gpr[X86_RAX] = (uint32_t)value;
    cpu->gpr[X86_RDX] = value >> 32;
}

SOFT_OPERATION(cpuid)
{
    uint32_t registers[4];

    soft_leave_if_lent(cpu);
    soft_cpuid(cpu, cpu->gpr[X86_RAX], cpu->gpr[X86_RCX], registers);
    cpu->gpr[X86_RAX] = registers[0];
    cpu->gpr[X86_RBX] = registers[1];
    cpu->gpr[X86_RCX] = registers[2];
    cpu->gpr[X86_RDX] = registers[3];
}

SOFT_OPERATION(rdmsr)
{
    uint64_t value;

    soft_leave_if_lent(cpu);
    if (!soft_msr_read(cpu, cpu->gpr[X86_RCX], &value))
        soft_raise_gp0(cpu);
    set_edx_eax(cpu, value);
}

SOFT_OPERATION(wrmsr)
{
    uint64_t value = (uint32_t)cpu->gpr[X86_RAX] | cpu->gpr[X86_RDX] << 32;

    soft_leave_if_lent(cpu);
    if (!soft_msr_write(cpu, cpu->gpr[X86_RCX], value))
        soft_raise_gp0(cpu);
}

static void check_tsd(struct soft_cpu *cpu)
{
    if (cpu->cr4 & CR4_TSD && cpu->cpl != 0)
        soft_raise_gp0(cpu);
}

SOFT_OPERATION(rdtsc)
{
    soft_leave_if_lent(cpu);
    check_tsd(cpu);
    set_edx_eax(cpu, soft_tsc(cpu));
}

SOFT_OPERATION(rdtscp)
{
    soft_leave_if_lent(cpu);
    check_tsd(cpu);
    set_edx_eax(cpu, soft_tsc(cpu));
    cpu->gpr[X86_RCX] = (uint32_t)cpu->tsc_aux;
}

/* No performance counters. */
SOFT_OPERATION(rdpmc)
{
    soft_leave_if_lent(cpu);
    soft_raise_gp0(cpu);
}
