/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A board with the software CPU's interrupt controllers and no processor: the test is the guest and
 * takes the interrupts. The clock is manual.
 */
#ifndef TESTS_FAKES_IRQ_MACHINE_H
#define TESTS_FAKES_IRQ_MACHINE_H

#include "engine/cpu/soft/irqchip.h"
#include "tests/fakes/fake_board.h"

#define IRQ_MACHINE_TSC_HZ UINT64_C(2500000000)

/* Registers by their offset in the page; the MSR is 0x800 + offset / 16. */
enum {
    LAPIC_ID = 0x20,
    LAPIC_VERSION = 0x30,
    LAPIC_TPR = 0x80,
    LAPIC_PPR = 0xa0,
    LAPIC_EOI = 0xb0,
    LAPIC_LDR = 0xd0,
    LAPIC_DFR = 0xe0,
    LAPIC_SVR = 0xf0,
    LAPIC_ISR = 0x100,
    LAPIC_TMR = 0x180,
    LAPIC_IRR = 0x200,
    LAPIC_ESR = 0x280,
    LAPIC_ICR = 0x300,
    LAPIC_ICR_HIGH = 0x310,
    LAPIC_TIMER = 0x320,
    LAPIC_LINT0 = 0x350,
    LAPIC_ERROR = 0x370,
    LAPIC_INITIAL = 0x380,
    LAPIC_CURRENT = 0x390,
    LAPIC_DIVIDE = 0x3e0,
    LAPIC_SELF_IPI = 0x3f0,
};

struct irq_machine {
    struct fake_board fake;
    struct soft_irqchip *chip;
    unsigned notified[SOFT_LAPIC_MAX];
};

void irq_machine_init(struct irq_machine *m, unsigned cpus);
void irq_machine_finish(struct irq_machine *m);

/* Both PICs initialized for an 8086 at vectors 0x20 and 0x28, all lines but the cascade masked. */
void irq_machine_start_pic(struct irq_machine *m);
/* A local APIC enabled by software, its spurious vector 0xff. */
void irq_machine_enable_lapic(struct irq_machine *m, unsigned cpu);

uint32_t lapic_get(struct irq_machine *m, unsigned cpu, unsigned offset);
void lapic_set(struct irq_machine *m, unsigned cpu, unsigned offset, uint32_t value);
void ioapic_set_entry(struct irq_machine *m, unsigned pin, uint64_t entry);
uint64_t ioapic_get_entry(struct irq_machine *m, unsigned pin);
/* The vector that the vCPU gets; -1 when none is pending. */
int irq_machine_take(struct irq_machine *m, unsigned cpu);

static inline struct soft_lapic *irq_machine_lapic(struct irq_machine *m, unsigned cpu)
{
    return soft_irqchip_lapic(m->chip, cpu);
}

#endif
