/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/irq_machine.h"

#define IOAPIC 0xfec00000u

static void on_notify(void *opaque, unsigned cpu)
{
    ((struct irq_machine *)opaque)->notified[cpu]++;
}

void irq_machine_init(struct irq_machine *m, unsigned cpus)
{
    *m = (struct irq_machine){0};
    fake_board_init(&m->fake, 0);
    m->chip = soft_irqchip_new(&m->fake.board, cpus, IRQ_MACHINE_TSC_HZ, on_notify, m);
}

void irq_machine_finish(struct irq_machine *m)
{
    fake_board_finish(&m->fake);
    soft_irqchip_free(m->chip);
}

void irq_machine_start_pic(struct irq_machine *m)
{
    static const uint8_t words[][2] = {{0x20, 0x11}, {0x21, 0x20}, {0x21, 0x04}, {0x21, 0x01},
                                       {0xa0, 0x11}, {0xa1, 0x28}, {0xa1, 0x02}, {0xa1, 0x01},
                                       {0x21, 0xfb}, {0xa1, 0xff}};

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
        fake_out8(&m->fake, words[i][0], words[i][1]);
}

void irq_machine_enable_lapic(struct irq_machine *m, unsigned cpu)
{
    lapic_set(m, cpu, LAPIC_SVR, 0x1ff);
}

uint32_t lapic_get(struct irq_machine *m, unsigned cpu, unsigned offset)
{
    return soft_lapic_read(irq_machine_lapic(m, cpu), offset, 4);
}

void lapic_set(struct irq_machine *m, unsigned cpu, unsigned offset, uint32_t value)
{
    soft_lapic_write(irq_machine_lapic(m, cpu), offset, value, 4);
}

void ioapic_set_entry(struct irq_machine *m, unsigned pin, uint64_t entry)
{
    fake_store(&m->fake, IOAPIC, 0x11 + 2 * pin, 4);
    fake_store(&m->fake, IOAPIC + 0x10, entry >> 32, 4);
    fake_store(&m->fake, IOAPIC, 0x10 + 2 * pin, 4);
    fake_store(&m->fake, IOAPIC + 0x10, (uint32_t)entry, 4);
}

uint64_t ioapic_get_entry(struct irq_machine *m, unsigned pin)
{
    uint64_t high;

    fake_store(&m->fake, IOAPIC, 0x11 + 2 * pin, 4);
    high = fake_load(&m->fake, IOAPIC + 0x10, 4);
    fake_store(&m->fake, IOAPIC, 0x10 + 2 * pin, 4);
    return high << 32 | (uint32_t)fake_load(&m->fake, IOAPIC + 0x10, 4);
}

int irq_machine_take(struct irq_machine *m, unsigned cpu)
{
    struct soft_lapic *lapic = irq_machine_lapic(m, cpu);

    if (!(soft_lapic_pending(lapic) & SOFT_PENDING_INTERRUPT))
        return -1;
    return soft_lapic_acknowledge(lapic);
}
