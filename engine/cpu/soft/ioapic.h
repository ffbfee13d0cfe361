/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The I/O APIC: Intel 82093AA, order number 290566; 24 pins. It announces version 0x11, so it has
 * no EOI register: the end of a level-triggered interrupt comes as a broadcast.
 *
 * A line's level says whether it is asserted, so that a guest that is mistaken about its polarity
 * is served as KVM serves it: the polarity bit is only kept.
 *
 * Thread: whoever holds the lock of the interrupt chip.
 */
#ifndef ENGINE_CPU_SOFT_IOAPIC_H
#define ENGINE_CPU_SOFT_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/cpu/irqchip_state.h"
#include "engine/cpu/soft/apic_message.h"

#define IOAPIC_ADDRESS 0xfec00000u
#define IOAPIC_SIZE 0x1000
#define IOAPIC_PINS 24

struct soft_ioapic {
    /* True: a local APIC accepted it. */
    bool (*deliver)(void *opaque, const struct soft_apic_message *message);
    void *opaque;

    uint32_t lines; /* asserted pins */
    uint32_t id;
    uint8_t selected; /* IOREGSEL */
    uint64_t entries[IOAPIC_PINS];
};

/* Power-on: registers start again; the lines' levels are kept. */
void soft_ioapic_reset(struct soft_ioapic *ioapic);
void soft_ioapic_set_pin(struct soft_ioapic *ioapic, unsigned pin, bool level);
/* A local APIC ended the level-triggered interrupt of this vector. */
void soft_ioapic_eoi(struct soft_ioapic *ioapic, uint8_t vector);

void soft_ioapic_get_state(const struct soft_ioapic *ioapic, struct irqchip_ioapic *ret);
void soft_ioapic_set_state(struct soft_ioapic *ioapic, const struct irqchip_ioapic *state);

/* An access to the register page. */
uint32_t soft_ioapic_read(struct soft_ioapic *ioapic, unsigned offset);
void soft_ioapic_write(struct soft_ioapic *ioapic, unsigned offset, uint32_t value);

#endif
