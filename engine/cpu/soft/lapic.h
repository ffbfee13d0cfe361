/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC of one vCPU: xAPIC and x2APIC. Intel SDM volume 3, chapter 10.
 *
 * Thread: the vCPU's own, holding neither the board's lock nor the interrupt chip's, unless
 * something else is said. Reading and writing registers takes the APIC's own lock; only a timer
 * that is due before all earlier ones, and the EOI of a level-triggered interrupt, take more.
 */
#ifndef ENGINE_CPU_SOFT_LAPIC_H
#define ENGINE_CPU_SOFT_LAPIC_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/config.h"
#include "engine/bus/clock.h"
#include "engine/cpu/x86_state.h"

#define SOFT_LAPIC_MAX MACHINE_MAX_CPUS

#define SOFT_LAPIC_PAGE_SIZE 4096

#define MSR_APIC_BASE 0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC_FIRST 0x800
#define MSR_X2APIC_LAST 0x8ff

/* What waits for the vCPU. */
enum {
    SOFT_PENDING_INTERRUPT = 1 << 0, /* deliverable but for RFLAGS.IF */
    SOFT_PENDING_NMI = 1 << 1,
    SOFT_PENDING_INIT = 1 << 2,
    SOFT_PENDING_START = 1 << 3, /* a start-up IPI */
};

struct soft_lapic_bus;

#define LAPIC_LVT_COUNT 6 /* timer, thermal, performance, LINT0, LINT1, error */

/* Registers and what stands behind them; the APIC's lock. */
struct soft_lapic_state {
    uint32_t tpr, ldr, dfr, svr;
    uint32_t errors;         /* found since ESR was last written */
    uint32_t error_status;   /* ESR as it reads */
    uint32_t irr[8], isr[8]; /* bit n of word m: vector 32 m + n */
    uint32_t tmr[8];
    uint64_t icr;
    uint32_t lvt[LAPIC_LVT_COUNT];
    uint32_t initial_count, divide;
    uint64_t tsc_deadline; /* MSR; 0: disarmed */
    int64_t tsc_offset;
    bool lint0;      /* level of the pin */
    bool external;   /* an ExtINT message came and waits for its acknowledge cycle */
    uint32_t events; /* SOFT_PENDING_NMI, INIT and START */
    uint8_t start_vector;
};

/* Leave the fields to lapic*.c; here so that a look at them needs no call. */
struct soft_lapic {
    uint32_t pending;  /* atomic; written under the lock */
    uint64_t base;     /* IA32_APIC_BASE; atomic, written under the lock */
    uint64_t deadline; /* guest time when the timer is due; atomic, written under the lock */
    GMutex lock;
    struct soft_lapic_state state;
    struct soft_lapic_bus *bus;
    unsigned index; /* the APIC ID too */
    struct vm_timer timer;
    uint64_t armed_for; /* what timer is set to; atomic, written under the board's lock */
};

#define SOFT_LAPIC_BASE_BSP (UINT64_C(1) << 8)
#define SOFT_LAPIC_BASE_X2APIC (UINT64_C(1) << 10)
#define SOFT_LAPIC_BASE_ENABLE (UINT64_C(1) << 11)
#define SOFT_LAPIC_BASE_PAGE(base) ((base) & ~UINT64_C(0xfff))

/* SOFT_PENDING_*: one atomic load. Any thread. */
static inline uint32_t soft_lapic_pending(const struct soft_lapic *lapic)
{
    return __atomic_load_n(&lapic->pending, __ATOMIC_ACQUIRE);
}

/* Bit 9 of CPUID.1:EDX follows this. Any thread. */
static inline bool soft_lapic_enabled(const struct soft_lapic *lapic)
{
    return __atomic_load_n(&lapic->base, __ATOMIC_RELAXED) & SOFT_LAPIC_BASE_ENABLE;
}

/* Whether a physical address is in the register page of this vCPU. RAM there hides it. */
static inline bool soft_lapic_covers(const struct soft_lapic *lapic, uint64_t gpa)
{
    uint64_t base = __atomic_load_n(&lapic->base, __ATOMIC_RELAXED);

    return SOFT_LAPIC_BASE_PAGE(gpa) == SOFT_LAPIC_BASE_PAGE(base) &&
           (base & (SOFT_LAPIC_BASE_ENABLE | SOFT_LAPIC_BASE_X2APIC)) == SOFT_LAPIC_BASE_ENABLE;
}

/* An access to the register page (soft_lapic_covers()); any size and alignment. Registers are 32
 * bits wide and 16 bytes apart: what is between them reads 0, and only whole ones are written. */
uint64_t soft_lapic_read(struct soft_lapic *lapic, unsigned offset, unsigned size);
void soft_lapic_write(struct soft_lapic *lapic, unsigned offset, uint64_t value, unsigned size);

/* IA32_APIC_BASE, IA32_TSC_DEADLINE and the x2APIC's MSRs. False: #GP(0). */
bool soft_lapic_read_msr(struct soft_lapic *lapic, uint32_t msr, uint64_t *ret_value);
bool soft_lapic_write_msr(struct soft_lapic *lapic, uint32_t msr, uint64_t value);

/* The task priority as CR8 shows it: 0 to 15. */
unsigned soft_lapic_cr8(struct soft_lapic *lapic);
void soft_lapic_set_cr8(struct soft_lapic *lapic, unsigned cr8);

/*
 * Taking what is pending; each clears its bit when nothing else of its kind waits.
 *
 * Interrupt: the acknowledge cycle, of the PIC when it is its turn. The vector, or -1 when it went
 * away meanwhile.
 */
int soft_lapic_acknowledge(struct soft_lapic *lapic);
/* True: an NMI was pending and is now the vCPU's to deliver. */
bool soft_lapic_take_nmi(struct soft_lapic *lapic);
/* True: an INIT was pending; the local APIC is already in its state after INIT (SDM 10.4.7.3).
 * Taken before a start-up IPI. */
bool soft_lapic_take_init(struct soft_lapic *lapic);
/* The page number where to start, or -1. A vCPU that is not waiting for it takes and ignores it. */
int soft_lapic_take_start(struct soft_lapic *lapic);

/*
 * The timer. It is accurate to about a millisecond by itself (the main loop runs it). A vCPU that
 * sleeps does better: it waits at most until the deadline and then polls, which raises the
 * interrupt when it is due. Guest time, in ns; UINT64_MAX: no timer runs. Any thread, no APIC lock.
 */
static inline uint64_t soft_lapic_deadline(const struct soft_lapic *lapic)
{
    return __atomic_load_n(&lapic->deadline, __ATOMIC_SEQ_CST);
}
void soft_lapic_poll(struct soft_lapic *lapic);

/* All of it in neutral form; the vCPU stands still. A guest's TSC and what waits as an NMI belong
 * to it too. */
void soft_lapic_get_state(struct soft_lapic *lapic, struct x86_lapic *ret);
void soft_lapic_set_state(struct soft_lapic *lapic, const struct x86_lapic *state,
                          int64_t tsc_offset, bool nmi_pending);

/* Guest TSC = guest time in TSC ticks + offset: tell after each change, for the deadline mode. */
void soft_lapic_set_tsc_offset(struct soft_lapic *lapic, int64_t offset);

#endif
