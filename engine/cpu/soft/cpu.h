/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of one software vCPU, and what its parts call of each other.
 * Intel SDM volumes 1 to 3; chapters are named where something follows them closely.
 *
 * Thread: the vCPU's own, but for soft_cpu_request() and the fields marked atomic.
 *
 * Exceptions leave an operation by soft_raise(), which does not return: it unwinds to the dispatch
 * loop (siglongjmp-like), which delivers the exception with the RIP of the current instruction. An
 * operation therefore changes no guest state before its last access that can fault, and holds
 * nothing that needs freeing.
 */
#ifndef ENGINE_CPU_SOFT_CPU_H
#define ENGINE_CPU_SOFT_CPU_H

#include <glib.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/cpu/soft/fpu.h"
#include "engine/cpu/soft/jumps.h"
#include "engine/cpu/soft/tlb.h"
#include "engine/cpu/soft/x86.h"
#include "engine/cpu/x86_state.h"

struct soft_accel;
struct soft_block;
struct soft_blocks;
struct soft_insn;
struct soft_lapic;
struct vcpu;

/* Two more slots behind the sixteen registers make effective addresses free of branches. */
#define SOFT_REG_ZERO 16  /* always 0: "no base", "no index" */
#define SOFT_REG_BLOCK 17 /* RIP of the running block's first instruction */
#define SOFT_REGS 18

/* Which instruction the arithmetic flags follow from. */
enum soft_flags_kind {
    SOFT_FLAGS_LOGIC, /* CF, OF and AF are 0 */
    SOFT_FLAGS_ADD,   /* result = left + right */
    SOFT_FLAGS_SUB,   /* result = left - right */
    SOFT_FLAGS_AUX,   /* left is SOFT_AUX_* */
};

/*
 * What the arithmetic flags are computed from when somebody asks. All values are sign-extended from
 * the operand size to 64 bits, which keeps their order, signed and unsigned: no size is needed.
 */
struct soft_flags {
    uint64_t result, left, right;
    enum soft_flags_kind kind;
};

/* A segment register with its hidden part. */
struct soft_segment {
    uint64_t base;
    /* An access of offset + size <= these needs no further check (see soft_segment_check()). */
    uint64_t read_end, write_end;
    uint32_t limit;      /* in bytes */
    uint32_t attributes; /* as in struct x86_segment */
    uint16_t selector;
};

/* What decoding and address computation depend on; part of a block's key. */
enum {
    SOFT_MODE_CODE64 = 1 << 0, /* 64-bit code segment; implies SOFT_MODE_FLAT */
    SOFT_MODE_CODE32 = 1 << 1, /* default operand and address size is 32 */
    SOFT_MODE_STACK32 = 1 << 2,
    SOFT_MODE_FLAT = 1 << 3, /* ES, CS, SS and DS reach all linear addresses from 0 */
    SOFT_MODE_PROTECTED = 1 << 4,
    SOFT_MODE_V86 = 1 << 5,
    SOFT_MODE_USER = 1 << 6, /* CPL 3 */
    SOFT_MODE_X87 = 1 << 7,  /* x87 and MMX raise neither #UD nor #NM */
    SOFT_MODE_SSE = 1 << 8,  /* nor does SSE */
};

/* Bits of soft_cpu.requests: what the vCPU has to look at before its next block. */
enum {
    SOFT_REQUEST_INTERRUPT = 1 << 0, /* soft_lapic_pending() */
    SOFT_REQUEST_KICK = 1 << 1,      /* leave run() */
    SOFT_REQUEST_MAP = 1 << 2,       /* the memory map changed */
    SOFT_REQUEST_PAGES = 1 << 3,     /* page_queue */
    SOFT_REQUEST_DIRTY = 1 << 4,     /* dirty pages were fetched */
    SOFT_REQUEST_SELF = 1 << 5, /* its own: HLT, a shadow, TF: no further block before a look */
};

/* Pages of host memory that others tell the vCPU about. */
#define SOFT_PAGE_QUEUE 64

enum soft_page_news {
    SOFT_PAGE_HAS_CODE, /* code was translated: stores must take the slow path */
    SOFT_PAGE_WRITTEN,  /* translated code is stale */
};

struct soft_page_item {
    const uint8_t *host_page;
    enum soft_page_news news;
};

struct soft_page_queue {
    GMutex lock;
    unsigned count; /* more than SOFT_PAGE_QUEUE: some were lost, take it as all */
    struct soft_page_item items[SOFT_PAGE_QUEUE];
};

enum soft_activity {
    SOFT_RUNNING,
    SOFT_HALTED,
    SOFT_WAIT_FOR_START, /* after INIT, until a start-up IPI */
    SOFT_SHUTDOWN,       /* a triple fault */
};

struct soft_cpu {
    uint64_t gpr[SOFT_REGS]; /* in encoding order */

    struct soft_flags flags; /* the arithmetic ones, lazily: flags.h */
    uint64_t rflags;         /* all but the arithmetic flags, which are 0 here */

    uint64_t rip; /* of the next block; an operation that branches sets it */
    const struct soft_insn *current;

    struct soft_tlb_entry *tlb_read, *tlb_write; /* of the current privilege */

    struct soft_block *block;     /* that runs */
    struct soft_block *link_from; /* ended with a branch that the dispatch loop may link */
    unsigned link_which;
    uint64_t code_last; /* the last RIP that the code segment allows */

    uint32_t mode;     /* SOFT_MODE_* */
    uint32_t requests; /* atomic; SOFT_REQUEST_* */
    unsigned cpl;
    bool single;           /* the running block has one instruction: device accesses are allowed */
    bool interrupt_shadow; /* after STI or a load of SS: none before the next instruction */
    bool nmi_blocked;
    bool keep_rf;                /* IRET loaded RF for the next instruction */
    enum soft_activity activity; /* written by its thread, read by others: atomic */

    struct soft_segment segment[X86_SEGMENTS], ldtr, tr;
    struct x86_table gdt, idt;
    uint64_t cr0, cr2, cr3, cr4, xcr0;
    uint64_t pdpte[4]; /* PAE paging: as they were when CR3 was loaded */
    uint64_t dr[8];
    uint64_t efer, star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat, misc_enable, tsc_aux, tsc_adjust, spec_ctrl;
    int64_t tsc_offset; /* guest TSC = ticks of guest time + this */
    uint64_t mtrr_def_type, mtrr_fixed[11], mtrr_base[8], mtrr_mask[8];

    struct soft_fpu fpu; /* fpu.h */

    /* What another accelerator had and this one only keeps: see x86_state.h. */
    uint8_t xsave_rest[X86_XSAVE_SIZE - X86_XSAVE_LEGACY_SIZE];
    struct x86_msr other_msr[X86_OTHER_MSRS];
    unsigned other_msrs;

    struct soft_tlb tlb;
    struct soft_jumps jumps;
    struct soft_blocks *blocks;
    struct soft_map *map; /* as the vCPU knows it: SOFT_REQUEST_MAP brings the next one */
    struct soft_page_queue page_queue;

    jmp_buf unwind;
    struct {
        unsigned vector;
        uint32_t error;
    } exception; /* what soft_raise() hands to the dispatch loop */
    struct {
        bool active;   /* an exception's delivery is under way: another may make a double fault */
        bool external; /* EXT bit of error codes */
        unsigned vector;
    } delivery;
    struct x86_event event; /* to be delivered before the next instruction */
    bool trap_step;         /* single-step trap after this instruction */
    unsigned trap_hits;     /* data breakpoints that it met, a task that traps: bits of DR6 */
    uint64_t scratch;       /* of an operation; means nothing between two */
    bool locks_memory;      /* holds accel->locked: what leaves an operation gives it back */
    struct {
        GMutex lock;
        GCond changed;
        bool sleeping; /* atomic */
    } wait;

    /* Of a core that is lent (core.h): why and when the run ends. */
    unsigned lent_end, lent_steps;
    bool lent, lent_endless;
    bool lent_shadow; /* interrupt_shadow in front of the current instruction */

    struct soft_accel *accel;
    struct vcpu *vcpu;        /* its face to the machine */
    struct soft_lapic *lapic; /* NULL: the core is lent */
    unsigned index;
};

/*
 * Exceptions: fault with the state as it is, RIP being the current instruction's. The vector
 * decides whether an error code is pushed (x86.h names vectors).
 */
void soft_raise(struct soft_cpu *cpu, unsigned vector, uint32_t error) G_GNUC_NORETURN;

static inline void soft_raise_ud(struct soft_cpu *cpu) G_GNUC_NORETURN;
static inline void soft_raise_ud(struct soft_cpu *cpu)
{
    soft_raise(cpu, X86_UD, 0);
}

static inline void soft_raise_gp0(struct soft_cpu *cpu) G_GNUC_NORETURN;
static inline void soft_raise_gp0(struct soft_cpu *cpu)
{
    soft_raise(cpu, X86_GP, 0);
}

/* Leaves the operation, to run it again as a block of its own; nothing if it is one already. */
void soft_need_single(struct soft_cpu *cpu);

/* Ends the run of a core that is lent in front of the current instruction. */
void soft_leave(struct soft_cpu *cpu) G_GNUC_NORETURN;

/* For what only a machine's own processor can do: CPUID, MSRs, time, HLT, control registers. */
static inline void soft_leave_if_lent(struct soft_cpu *cpu)
{
    if (G_UNLIKELY(cpu->lent))
        soft_leave(cpu);
}

/* Any thread: the vCPU looks at `bits` before its next block, and wakes when it sleeps. */
void soft_cpu_request(struct soft_cpu *cpu, uint32_t bits);

#endif
