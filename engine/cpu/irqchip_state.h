/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interrupt controllers and the timer that an accelerator brings, in no accelerator's own form:
 * Intel 8259A, 82093AA and 8254, and the clock that guests are told of. Local APICs belong to their
 * vCPUs (x86_state.h).
 */
#ifndef ENGINE_CPU_IRQCHIP_STATE_H
#define ENGINE_CPU_IRQCHIP_STATE_H

#include <stdbool.h>
#include <stdint.h>

#define IRQCHIP_PINS 24
#define IRQCHIP_PIT_CHANNELS 3
#define IRQCHIP_PIT_HZ 1193182

struct irqchip_pic {
    uint8_t lines;   /* levels of the inputs */
    uint8_t edges;   /* rises of edge-triggered inputs that were not acknowledged */
    uint8_t mask;    /* IMR */
    uint8_t service; /* ISR */
    uint8_t elcr;
    uint8_t vector_base;
    uint8_t lowest; /* the input of lowest priority */
    uint8_t step;   /* the initialization word that comes next: 0 none, 2 to 4 */
    bool has_icw4, read_service, poll;
    bool special_mask, special_nested, auto_eoi, rotate_auto_eoi;
};

struct irqchip_ioapic {
    uint32_t id;
    uint8_t selected; /* IOREGSEL */
    uint32_t lines;   /* asserted pins */
    uint64_t entries[IRQCHIP_PINS];
};

/* An accelerator that cannot set how far a channel has counted begins its count anew. */
struct irqchip_pit_channel {
    bool programmed; /* a control word came since power-on */
    uint8_t mode;    /* 0 to 5 */
    uint8_t access;  /* 1 low, 2 high, 3 both */
    bool bcd, gate;
    bool loaded;      /* a count came since the control word */
    bool counting;    /* and the gate, or a trigger, lets it count */
    uint32_t count;   /* 1 to 65536 */
    uint64_t elapsed; /* ticks since the count began */
    bool write_high_next, read_high_next;
    uint8_t low_written;
    bool count_latched, status_latched;
    uint16_t latched_count;
    uint8_t latched_status;
};

struct irqchip_state {
    struct irqchip_pic pic[2]; /* master, slave */
    struct irqchip_ioapic ioapic;
    struct irqchip_pit_channel pit[IRQCHIP_PIT_CHANNELS];
    uint8_t pit_control; /* the writable bits of port 0x61 */
    uint64_t clock_ns;   /* a paravirtual clock; 0: none */
};

#endif
