/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/msr.h"

#include <inttypes.h>
#include <stddef.h>

#include "core/log.h"
#include "engine/cpu/soft/lapic.h"

enum {
    MSR_TSC = 0x10,
    MSR_TSC_ADJUST = 0x3b,
    MSR_PLATFORM_ID = 0x17,
    MSR_FEATURE_CONTROL = 0x3a,
    MSR_SPEC_CTRL = 0x48,
    MSR_PRED_CMD = 0x49,
    MSR_UCODE_REV = 0x8b,
    MSR_MTRR_CAP = 0xfe,
    MSR_ARCH_CAPABILITIES = 0x10a,
    MSR_SYSENTER_CS = 0x174,
    MSR_SYSENTER_ESP = 0x175,
    MSR_SYSENTER_EIP = 0x176,
    MSR_MCG_CAP = 0x179,
    MSR_MCG_STATUS = 0x17a,
    MSR_PERF_STATUS = 0x198,
    MSR_MISC_ENABLE = 0x1a0,
    MSR_MTRR_PHYS_BASE0 = 0x200,
    MSR_PAT = 0x277,
    MSR_MTRR_DEF_TYPE = 0x2ff,
};

#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_SFMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX 0xc0000103u

#define VARIABLE_MTRRS 8
#define FIXED_MTRRS 11
#define MTRR_CAP (VARIABLE_MTRRS | 1 << 8 | 1 << 10) /* fixed ranges, write combining */
#define MEMORY_TYPES 0x73                            /* the ones that exist: UC, WC, WT, WP, WB */

/*
 * Nothing is executed speculatively, so no guest needs to defend itself against that: with page
 * tables of its own for the kernel, each system call would empty the TLB twice. IBRS_ALL says that
 * IBRS, once set, costs nothing; so does BHI_DIS_S. Intel SDM volume 4, table 2-2.
 */
#define ARCH_CAPABILITIES                                                                        \
    (0x1 /* RDCL_NO */ | 0x2 /* IBRS_ALL */ | 0x8 /* SKIP_L1DFL_VMENTRY */ | 0x10 /* SSB_NO */ | \
     0x20 /* MDS_NO */ | 0x40 /* IF_PSCHANGE_MC_NO */ | 0x100 /* TAA_NO */ |                     \
     0x2000 /* SBDR_SSDP_NO */ | 0x4000 /* FBSDP_NO */ | 0x8000 /* PSDP_NO */ |                  \
     0x100000 /* BHI_NO */ | 0x1000000 /* PBRSB_NO */ | 0x4000000 /* GDS_NO */ |                 \
     0x8000000 /* RFDS_NO */ | UINT64_C(1) << 62 /* ITS_NO */)
#define SPEC_CTRL_KNOWN (0x1 /* IBRS */ | 0x400 /* BHI_DIS_S */)
#define PRED_CMD_IBPB 1

/* Those that are only kept. */
struct plain {
    uint32_t number;
    size_t offset;
    uint64_t mask; /* bits that may be set; others are #GP */
    bool canonical;
};

#define FIELD(name) offsetof(struct soft_cpu, name)

static const struct plain plains[] = {
    {MSR_SPEC_CTRL, FIELD(spec_ctrl), SPEC_CTRL_KNOWN, false},
    {MSR_SYSENTER_CS, FIELD(sysenter_cs), UINT32_MAX, false},
    {MSR_SYSENTER_ESP, FIELD(sysenter_esp), UINT64_MAX, true},
    {MSR_SYSENTER_EIP, FIELD(sysenter_eip), UINT64_MAX, true},
    {MSR_MISC_ENABLE, FIELD(misc_enable), UINT64_MAX, false},
    {MSR_STAR, FIELD(star), UINT64_MAX, false},
    {MSR_LSTAR, FIELD(lstar), UINT64_MAX, true},
    {MSR_CSTAR, FIELD(cstar), UINT64_MAX, true},
    {MSR_SFMASK, FIELD(sfmask), UINT32_MAX, false},
    {MSR_FS_BASE, FIELD(segment[X86_FS].base), UINT64_MAX, true},
    {MSR_GS_BASE, FIELD(segment[X86_GS].base), UINT64_MAX, true},
    {MSR_KERNEL_GS_BASE, FIELD(kernel_gs_base), UINT64_MAX, true},
    {MSR_TSC_AUX, FIELD(tsc_aux), UINT32_MAX, false},
    {MSR_MTRR_DEF_TYPE, FIELD(mtrr_def_type), 0xcff, false},
};

/* Read-only facts of a processor without these features. */
static const struct {
    uint32_t number;
    uint64_t value;
} facts[] = {
    {MSR_PLATFORM_ID, 0},
    {MSR_FEATURE_CONTROL, 1},
    {MSR_UCODE_REV, UINT64_C(1) << 32},
    {MSR_MTRR_CAP, MTRR_CAP},
    {MSR_MCG_CAP, 0},
    {MSR_MCG_STATUS, 0},
    {MSR_PERF_STATUS, 0},
    {MSR_ARCH_CAPABILITIES, ARCH_CAPABILITIES},
};

static uint64_t *plain_field(struct soft_cpu *cpu, const struct plain *p)
{
    return (uint64_t *)((char *)cpu + p->offset);
}

static const struct plain *find_plain(uint32_t number)
{
    for (size_t i = 0; i < G_N_ELEMENTS(plains); i++) {
        if (plains[i].number == number)
            return &plains[i];
    }
    return NULL;
}

/* The register of a memory type range; NULL: the number is none's. */
static uint64_t *mtrr(struct soft_cpu *cpu, uint32_t number)
{
    static const uint16_t fixed[FIXED_MTRRS] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                                0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
    uint32_t n = number - MSR_MTRR_PHYS_BASE0;

    if (n < 2 * VARIABLE_MTRRS)
        return n % 2 == 0 ? &cpu->mtrr_base[n / 2] : &cpu->mtrr_mask[n / 2];
    for (unsigned i = 0; i < FIXED_MTRRS; i++) {
        if (fixed[i] == number)
            return &cpu->mtrr_fixed[i];
    }
    return NULL;
}

static bool valid_types(uint64_t value, unsigned mask)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned type = value >> i * 8 & 0xff;

        if (type > 7 || !(mask >> type & 1))
            return false;
    }
    return true;
}

uint64_t soft_tsc(struct soft_cpu *cpu)
{
    return soft_guest_time(cpu) + cpu->tsc_offset;
}

/* IA32_TSC_ADJUST follows every change of the TSC (SDM volume 3, 17.17.3). */
static void adjust_tsc(struct soft_cpu *cpu, uint64_t difference)
{
    cpu->tsc_adjust += difference;
    cpu->tsc_offset += difference;
    soft_lapic_set_tsc_offset(cpu->lapic, cpu->tsc_offset);
}

static bool is_lapic(uint32_t number)
{
    return number == MSR_APIC_BASE || number == MSR_TSC_DEADLINE ||
           (number >= MSR_X2APIC_FIRST && number <= MSR_X2APIC_LAST);
}

static bool unknown(const char *what, uint32_t number)
{
    log_guest("cpu", "%s of MSR %#" PRIx32 ", which does not exist", what, number);
    return false;
}

bool soft_msr_read(struct soft_cpu *cpu, uint32_t number, uint64_t *ret)
{
    const struct plain *p = find_plain(number);
    const uint64_t *range = mtrr(cpu, number);

    if (p != NULL || range != NULL) {
        *ret = p != NULL ? *plain_field(cpu, p) : *range;
        return true;
    }
    if (is_lapic(number))
        return soft_lapic_read_msr(cpu->lapic, number, ret);
    switch (number) {
    case MSR_TSC:
        *ret = soft_tsc(cpu);
        return true;
    case MSR_TSC_ADJUST:
        *ret = cpu->tsc_adjust;
        return true;
    case MSR_PAT:
        *ret = cpu->pat;
        return true;
    case MSR_EFER:
        *ret = cpu->efer;
        return true;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(facts); i++) {
        if (facts[i].number == number) {
            *ret = facts[i].value;
            return true;
        }
    }
    return unknown("read", number);
}

static bool write_efer(struct soft_cpu *cpu, uint64_t value)
{
    if (value & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE) ||
        ((value ^ cpu->efer) & EFER_LME && cpu->cr0 & CR0_PG))
        return false;
    cpu->efer = (value & ~EFER_LMA) | (cpu->efer & EFER_LMA);
    soft_tlb_flush(cpu);
    return true;
}

static bool write_mtrr(uint64_t *range, uint32_t number, uint64_t value)
{
    bool base = number < MSR_MTRR_PHYS_BASE0 + 2 * VARIABLE_MTRRS && number % 2 == 0;
    bool fixed = number >= MSR_MTRR_PHYS_BASE0 + 2 * VARIABLE_MTRRS;

    if ((fixed && !valid_types(value, MEMORY_TYPES)) ||
        (base && (value & 0xf00 || !(MEMORY_TYPES >> (value & 7) & 1))) ||
        (!fixed && value >> SOFT_PHYSICAL_BITS != 0))
        return false;
    *range = value;
    return true;
}

bool soft_msr_write(struct soft_cpu *cpu, uint32_t number, uint64_t value)
{
    const struct plain *p = find_plain(number);
    uint64_t *range = mtrr(cpu, number);

    if (p != NULL) {
        if (value & ~p->mask || (p->canonical && (uint64_t)((int64_t)(value << 16) >> 16) != value))
            return false;
        *plain_field(cpu, p) = value;
        return true;
    }
    if (range != NULL)
        return write_mtrr(range, number, value);
    if (is_lapic(number))
        return soft_lapic_write_msr(cpu->lapic, number, value);
    switch (number) {
    case MSR_TSC:
        adjust_tsc(cpu, value - soft_tsc(cpu));
        return true;
    case MSR_TSC_ADJUST:
        adjust_tsc(cpu, value - cpu->tsc_adjust);
        return true;
    case MSR_PAT:
        if (!valid_types(value, 0xf3))
            return false;
        cpu->pat = value;
        return true;
    case MSR_EFER:
        return write_efer(cpu, value);
    case MSR_PRED_CMD: /* there is no predictor to empty */
        return !(value & ~(uint64_t)PRED_CMD_IBPB);
    case MSR_UCODE_REV: /* an update that brings nothing */
    case MSR_MCG_STATUS:
        return true;
    }
    return unknown("write", number);
}
