/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interrupt controllers and the timer of a machine whose processors are software: a PIC pair,
 * an I/O APIC, an 8254 and one local APIC a vCPU (lapic.h), wired as a PC has them.
 *
 * Locks, in the order they are taken: the board's; the chip's own (PIC and I/O APIC); one local
 * APIC's. No two local APICs are ever locked at once, and none of them while another is told
 * something. The notification is made under any of the first two.
 *
 * State is in plain structs: pic.h, ioapic.h, pit.h, lapic.h.
 */
#ifndef ENGINE_CPU_SOFT_IRQCHIP_H
#define ENGINE_CPU_SOFT_IRQCHIP_H

#include "engine/bus/board.h"
#include "engine/cpu/irqchip_state.h"
#include "engine/cpu/soft/lapic.h"

struct soft_irqchip;

/* soft_lapic_pending() of vCPU number `cpu` may have become other than 0: it has to leave its fast
 * loop, or wake, and look. Any thread, the vCPU's own too; perhaps under the board's lock and the
 * chip's: it may take neither, nor call the chip. */
typedef void soft_irqchip_notify_fn(void *opaque, unsigned cpu);

/*
 * Maps the ports and the I/O APIC on the board, which must stay until the chip is freed or be gone
 * before it. Called as devices are made: before the machine runs, or under the board's lock.
 * cpus: at most SOFT_LAPIC_MAX. tsc_hz: how fast the guest's TSC counts while guest time runs.
 */
struct soft_irqchip *soft_irqchip_new(struct board *board, unsigned cpus, uint64_t tsc_hz,
                                      soft_irqchip_notify_fn *notify, void *opaque);
/* vCPUs have stopped for good, and the board is gone or will not be used again. NULL is fine. */
void soft_irqchip_free(struct soft_irqchip *chip);

/* To the power-on state, all local APICs included; the levels of the lines stay their devices'.
 * vCPUs stand still; takes the board's lock. */
void soft_irqchip_reset(struct soft_irqchip *chip);

/* All but the local APICs. vCPUs stand still; takes the board's lock. */
void soft_irqchip_get_state(struct soft_irqchip *chip, struct irqchip_state *ret);
void soft_irqchip_set_state(struct soft_irqchip *chip, const struct irqchip_state *state);

/* Any thread, with or without the board's lock. GSI 0 to 15 reach the PIC and the I/O APIC (0 on
 * its pin 2), 16 to 23 the I/O APIC; others, and 2 (the cascade), nothing. */
void soft_irqchip_set_irq(struct soft_irqchip *chip, unsigned gsi, bool level);
/* A write to 0xfeexxxxx (SDM volume 3, 10.11); other addresses are logged and dropped. */
void soft_irqchip_send_msi(struct soft_irqchip *chip, uint64_t address, uint32_t data);

struct soft_lapic *soft_irqchip_lapic(struct soft_irqchip *chip, unsigned cpu);

#endif
