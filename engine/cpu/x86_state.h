/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of an x86 processor and of its local APIC, in no accelerator's own form: all that a
 * vCPU needs to go on under another accelerator. Intel SDM volume 1, chapter 13 (XSAVE), volume 3,
 * chapters 2, 3 and 10.
 *
 * What CPUID says is no part of it. A vCPU of which the state is taken stands between two
 * instructions; INITs and start-up IPIs that wait for it take effect first.
 */
#ifndef ENGINE_CPU_X86_STATE_H
#define ENGINE_CPU_X86_STATE_H

#include <stdbool.h>
#include <stdint.h>

enum { X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSP, X86_RBP, X86_RSI, X86_RDI, X86_R8 };
enum { X86_ES, X86_CS, X86_SS, X86_DS, X86_FS, X86_GS, X86_SEGMENTS };

#define X86_CR0_PE UINT64_C(1)
#define X86_CR0_PG (UINT64_C(1) << 31)
#define X86_CR4_PAE (UINT64_C(1) << 5)
#define X86_EFER_LMA (UINT64_C(1) << 10)
#define X86_RFLAGS_IF (UINT64_C(1) << 9)
#define X86_RFLAGS_VM (UINT64_C(1) << 17)

#define X86_XSAVE_SIZE 4096       /* all components but AMX's */
#define X86_XSAVE_LEGACY_SIZE 512 /* x87 and SSE, as FXSAVE64 has them */
#define X86_LAPIC_REGISTERS 64
#define X86_FIXED_MTRRS 11
#define X86_VARIABLE_MTRRS 8
#define X86_OTHER_MSRS 256

struct x86_segment {
    uint64_t base;
    uint32_t limit;      /* in bytes */
    uint32_t attributes; /* descriptor bits 8 to 23: type, S, DPL, P, AVL, L, D, G */
    uint16_t selector;
};

struct x86_table {
    uint64_t base;
    uint16_t limit;
};

struct x86_msr {
    uint32_t number;
    uint64_t value;
};

enum x86_activity {
    X86_RUNNING,
    X86_HALTED,
    X86_WAIT_FOR_START, /* after INIT, until a start-up IPI */
    X86_SHUTDOWN,       /* a triple fault */
};

enum x86_event_kind { X86_NO_EVENT, X86_EVENT_EXCEPTION, X86_EVENT_INTERRUPT, X86_EVENT_NMI };

/* What is on its way: its delivery comes before the next instruction. */
struct x86_event {
    enum x86_event_kind kind;
    uint8_t vector;
    bool has_error;
    uint32_t error;
};

struct x86_lapic {
    uint64_t base;                     /* IA32_APIC_BASE: address, on, x2APIC */
    uint32_t reg[X86_LAPIC_REGISTERS]; /* at its offset in the page / 16; the ID in bits 31 to 24 */
    uint64_t tsc_deadline;             /* 0: disarmed */
    uint32_t errors;                   /* that the next write of ESR brings up */
    bool extint_pending;               /* a message of that kind waits for its acknowledge cycle */
    bool timer_done; /* the one-shot timer has fired. Without that, one at 0 is about to. */
};

struct x86_state {
    uint64_t gpr[16]; /* in encoding order */
    uint64_t rip, rflags;
    struct x86_segment segment[X86_SEGMENTS], tr, ldtr;
    struct x86_table gdt, idt;
    uint64_t cr0, cr2, cr3, cr4, xcr0, efer;
    uint64_t pdpte[4]; /* what PAE paging loaded with CR3 */
    bool has_pdpte;    /* false: they are what memory has at CR3 */
    uint64_t dr[8];    /* 0 to 3, 6 and 7 */
    /* XSAVE's standard form. XSTATE_BV of its header tells which components are not initial. */
    uint8_t xsave[X86_XSAVE_SIZE];

    uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat, misc_enable, spec_ctrl;
    uint64_t tsc, tsc_adjust, tsc_aux;
    uint64_t mtrr_def_type, mtrr_fixed[X86_FIXED_MTRRS];
    uint64_t mtrr_base[X86_VARIABLE_MTRRS], mtrr_mask[X86_VARIABLE_MTRRS];
    /* Those that some accelerator keeps and that are none of the above. */
    struct x86_msr other_msr[X86_OTHER_MSRS];
    unsigned other_msrs;

    enum x86_activity activity;
    struct x86_event event;
    bool interrupt_shadow; /* none before the next instruction: after STI or a load of SS */
    bool nmi_pending, nmi_blocked;
    uint16_t fpu_cs, fpu_ds; /* of the last x87 instruction: what FXSAVE64 leaves out */
    struct x86_lapic lapic;
};

/* The MSRs that have fields of their own, but for those of the TSC, local APIC and EFER. */
struct x86_msr_field {
    uint32_t number;
    uint32_t offset; /* in struct x86_state */
};

extern const struct x86_msr_field x86_msr_fields[];
extern const unsigned x86_msr_field_count;

static inline uint64_t *x86_msr_field(struct x86_state *state, const struct x86_msr_field *f)
{
    return (uint64_t *)((char *)state + f->offset);
}

/* Whether linear addresses go by PAE paging, with its page-directory-pointer registers. */
static inline bool x86_state_is_pae(const struct x86_state *state)
{
    return state->cr0 & X86_CR0_PG && state->cr4 & X86_CR4_PAE && !(state->efer & X86_EFER_LMA);
}

/* "real mode", "64-bit mode", ...; static. */
const char *x86_state_mode(const struct x86_state *state);

#endif
