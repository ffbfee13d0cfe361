/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that does to the interrupt controllers and timers of the software CPU whatever the input
 * says, with devices that do the same to their lines. A vector that a local APIC gives is a legal
 * one, and one that is there to take is given.
 */
#include <stdlib.h>

#include "tests/fakes/irq_machine.h"
#include "tests/fuzz/fuzz.h"

#define CPUS 3
#define MAX_STEPS 256
#define MAX_ADVANCE_NS (1 << 22)
#define IOAPIC 0xfec00000u

enum step {
    STEP_OUT,
    STEP_IN,
    STEP_IOAPIC,
    STEP_IOAPIC_READ,
    STEP_LAPIC,
    STEP_LAPIC_READ,
    STEP_WRITE_MSR,
    STEP_READ_MSR,
    STEP_LINE,
    STEP_MSI,
    STEP_TAKE,
    STEP_EVENTS,
    STEP_TIME,
    STEP_TSC,
    STEP_CR8,
    STEP_RESET,
    STEPS,
};

struct input {
    const uint8_t *data;
    size_t left;
};

/* The next bytes as a number; 0 past the end. */
static uint64_t take(struct input *in, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size && in->left > 0; i++, in->left--)
        value |= (uint64_t)*in->data++ << 8 * i;
    return value;
}

static uint16_t take_port(struct input *in)
{
    static const uint16_t ports[] = {0x20, 0x21, 0xa0, 0xa1,  0x40,  0x41,
                                     0x42, 0x43, 0x61, 0x4d0, 0x4d1, 0x20};

    return ports[take(in, 1) % G_N_ELEMENTS(ports)];
}

static uint32_t take_msr(struct input *in)
{
    uint8_t n = take(in, 1);

    return n == 0 ? MSR_APIC_BASE : n == 0xff ? MSR_TSC_DEADLINE : 0x800u + n;
}

static void acknowledge(struct soft_lapic *lapic)
{
    bool waits = soft_lapic_pending(lapic) & SOFT_PENDING_INTERRUPT;
    int vector = soft_lapic_acknowledge(lapic);

    if (waits != (vector >= 0) || vector > 0xff)
        abort();
}

static void take_events(struct soft_lapic *lapic)
{
    uint32_t pending = soft_lapic_pending(lapic);

    if (soft_lapic_take_nmi(lapic) != !!(pending & SOFT_PENDING_NMI) ||
        soft_lapic_take_init(lapic) != !!(pending & SOFT_PENDING_INIT) ||
        (soft_lapic_take_start(lapic) >= 0) != !!(pending & SOFT_PENDING_START) ||
        (soft_lapic_pending(lapic) & ~SOFT_PENDING_INTERRUPT))
        abort();
}

static void run_step(struct irq_machine *m, struct input *in)
{
    struct soft_lapic *lapic;
    uint64_t value;
    unsigned at;

    at = take(in, 1);
    lapic = irq_machine_lapic(m, at / STEPS % CPUS);
    switch (at % STEPS) {
    case STEP_OUT:
        at = take_port(in);
        fake_out8(&m->fake, at, take(in, 1));
        break;
    case STEP_IN:
        fake_in8(&m->fake, take_port(in));
        break;
    case STEP_IOAPIC:
        fake_store(&m->fake, IOAPIC, take(in, 1), 1);
        fake_store(&m->fake, IOAPIC + 0x10, take(in, 4), 4);
        break;
    case STEP_IOAPIC_READ:
        at = take(in, 2) & 0xfff;
        fake_load(&m->fake, IOAPIC + at % 0x40, 1 << (at >> 8 & 3));
        break;
    case STEP_LAPIC:
        at = take(in, 1);
        soft_lapic_write(lapic, at << 4, take(in, 4), 4);
        break;
    case STEP_LAPIC_READ:
        at = take(in, 2);
        soft_lapic_read(lapic, at & 0xfff, 1 << (at >> 12 & 3));
        break;
    case STEP_WRITE_MSR:
        at = take_msr(in);
        soft_lapic_write_msr(lapic, at, take(in, 8));
        break;
    case STEP_READ_MSR:
        soft_lapic_read_msr(lapic, take_msr(in), &value);
        break;
    case STEP_LINE:
        at = take(in, 1);
        soft_irqchip_set_irq(m->chip, at & 0x1f, at & 0x80);
        break;
    case STEP_MSI:
        at = take(in, 3);
        soft_irqchip_send_msi(m->chip, 0xfee00000 | (at & 0xfffff), take(in, 2));
        break;
    case STEP_TAKE:
        acknowledge(lapic);
        break;
    case STEP_EVENTS:
        take_events(lapic);
        break;
    case STEP_TIME:
        fake_board_advance(&m->fake, take(in, 3) % MAX_ADVANCE_NS);
        soft_lapic_poll(lapic);
        break;
    case STEP_TSC:
        soft_lapic_set_tsc_offset(lapic, take(in, 8));
        break;
    case STEP_CR8:
        soft_lapic_set_cr8(lapic, take(in, 1) & 0xf);
        break;
    case STEP_RESET:
        soft_irqchip_reset(m->chip);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct irq_machine m;

    irq_machine_init(&m, CPUS);
    irq_machine_start_pic(&m);
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        irq_machine_enable_lapic(&m, cpu);
    for (unsigned i = 0; i < MAX_STEPS && in.left > 0; i++)
        run_step(&m, &in);
    irq_machine_finish(&m);
    return 0;
}
