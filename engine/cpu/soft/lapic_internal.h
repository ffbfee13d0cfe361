/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the parts of the local APICs and the chip that they belong to. */
#ifndef ENGINE_CPU_SOFT_LAPIC_INTERNAL_H
#define ENGINE_CPU_SOFT_LAPIC_INTERNAL_H

#include "engine/bus/board.h"
#include "engine/cpu/soft/apic_message.h"
#include "engine/cpu/soft/lapic.h"

#define LAPIC_NO_DEADLINE UINT64_MAX

/* Registers by their offset / 16, which is their MSR - 0x800 as well (SDM tables 10-1 and 10-6). */
enum {
    REG_ID = 0x02,
    REG_VERSION = 0x03,
    REG_TPR = 0x08,
    REG_APR = 0x09,
    REG_PPR = 0x0a,
    REG_EOI = 0x0b,
    REG_RRD = 0x0c,
    REG_LDR = 0x0d,
    REG_DFR = 0x0e,
    REG_SVR = 0x0f,
    REG_ISR = 0x10,
    REG_TMR = 0x18,
    REG_IRR = 0x20,
    REG_ESR = 0x28,
    REG_ICR = 0x30,
    REG_ICR_HIGH = 0x31,
    REG_LVT = 0x32,
    REG_INITIAL_COUNT = 0x38,
    REG_CURRENT_COUNT = 0x39,
    REG_DIVIDE = 0x3e,
    REG_SELF_IPI = 0x3f,
};

#define LAPIC_VERSION_VALUE (0x14 | (LAPIC_LVT_COUNT - 1) << 16)

/* Indices into soft_lapic_state.lvt. */
enum {
    LVT_TIMER,
    LVT_THERMAL,
    LVT_PERFORMANCE,
    LVT_LINT0,
    LVT_LINT1,
    LVT_ERROR,
};

#define LVT_VECTOR(lvt) ((uint8_t)(lvt))
#define LVT_MODE(lvt) ((lvt) >> 8 & 7)
#define LVT_MASKED 0x10000u
#define LVT_TIMER_MODE 0x60000u
#define LVT_TIMER_PERIODIC 0x20000u
#define LVT_TIMER_TSC_DEADLINE 0x40000u

/* IA32_APIC_BASE after power-on, but for the boot processor's bit. */
#define SOFT_LAPIC_BASE_RESET (UINT64_C(0xfee00000) | SOFT_LAPIC_BASE_ENABLE)

#define SVR_ENABLE 0x100u

/* ICR. */
#define ICR_VECTOR(icr) ((uint8_t)(icr))
#define ICR_MODE(icr) ((icr) >> 8 & 7)
#define ICR_LOGICAL 0x800u
#define ICR_ASSERT 0x4000u
#define ICR_LEVEL 0x8000u
#define ICR_SHORTHAND(icr) ((icr) >> 18 & 3)

/* What local APICs need of the rest of the chip. No APIC's lock is held; the board's and the chip's
 * may be when `notify` is called, and are not for the others. */
struct soft_lapic_bus_ops {
    void (*notify)(void *opaque, unsigned cpu);
    void (*eoi)(void *opaque, uint8_t vector);
    int (*acknowledge)(void *opaque); /* the PIC's cycle: a vector */
};

struct soft_lapic_bus {
    struct soft_lapic lapic[SOFT_LAPIC_MAX];
    unsigned count;
    struct board *board;
    uint64_t tsc_hz;
    const struct soft_lapic_bus_ops *ops;
    void *opaque;
};

/* lapic_bus.c. board, tsc_hz, ops, opaque and count are the caller's to set before. */
void soft_lapic_bus_init(struct soft_lapic_bus *bus);
void soft_lapic_bus_finish(struct soft_lapic_bus *bus);
/* Power-on state; under the board's lock. */
void soft_lapic_bus_reset(struct soft_lapic_bus *bus);
/* The PIC's INTR, which all LINT0 pins share. Any thread. */
void soft_lapic_bus_set_intr(struct soft_lapic_bus *bus, bool level);
/* True: somebody accepted it. Any thread; locks the APICs one by one. */
bool soft_lapic_bus_deliver(struct soft_lapic_bus *bus, const struct soft_apic_message *message);
/* What a write of ICR asks for. */
void soft_lapic_bus_send(struct soft_lapic *sender, uint64_t icr, bool wide);

/* lapic.c. Those ending in _locked: under the APIC's lock. */
static inline bool soft_lapic_is_x2apic(const struct soft_lapic *lapic)
{
    return __atomic_load_n(&lapic->base, __ATOMIC_RELAXED) & SOFT_LAPIC_BASE_X2APIC;
}
/* Registers after power-on and INIT. */
void soft_lapic_clear_locked(struct soft_lapic *lapic);
uint8_t soft_lapic_priority_locked(const struct soft_lapic *lapic); /* PPR */
bool soft_lapic_accept_locked(struct soft_lapic *lapic, const struct soft_apic_message *message);
void soft_lapic_deliver_lvt_locked(struct soft_lapic *lapic, unsigned index);
/* Brings `pending` up to date. True: a bit of it has become set, so notify without the lock. */
bool soft_lapic_update_locked(struct soft_lapic *lapic);

/* lapic_timer.c. After a change, and without locks, soft_lapic_poll() sees to the deadline. */
void soft_lapic_timer_init(struct soft_lapic *lapic);
uint32_t soft_lapic_current_count_locked(struct soft_lapic *lapic);
void soft_lapic_set_divide_locked(struct soft_lapic *lapic, uint32_t value);
void soft_lapic_set_timer_lvt_locked(struct soft_lapic *lapic, uint32_t value);
void soft_lapic_set_initial_count_locked(struct soft_lapic *lapic, uint32_t value);
void soft_lapic_set_tsc_deadline_locked(struct soft_lapic *lapic, uint64_t value);
void soft_lapic_stop_timer_locked(struct soft_lapic *lapic);
/* The timer as another APIC left it, registers being in place. */
void soft_lapic_resume_timer_locked(struct soft_lapic *lapic, uint32_t current_count, bool done);

#endif
