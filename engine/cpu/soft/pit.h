/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interval timer of a PC: Intel 8254, order number 231164, and the port 0x61 beside it (ICH9
 * datasheet, NMI_SC). Channel 0 interrupts, channel 2 is gated by port 0x61.
 *
 * Counting is computed from guest time; only the next rising edge of channel 0's output has a
 * timer, so that a one-shot that has ended costs nothing. Edges that come too late are made up for,
 * at most twice as fast as they should have come and not faster than PIT_MIN_SPACING, up to
 * PIT_CATCH_UP: a guest that counts ticks keeps its time over a busy host, and none can make the
 * main loop spin.
 *
 * Thread: under the board's lock.
 */
#ifndef ENGINE_CPU_SOFT_PIT_H
#define ENGINE_CPU_SOFT_PIT_H

#include "engine/bus/clock.h"
#include "engine/cpu/irqchip_state.h"

#define PIT_PORT 0x40 /* to 0x43 */
#define PIT_CONTROL_PORT 0x61
#define PIT_CHANNELS 3
#define PIT_HZ 1193182

/* In ticks. */
#define PIT_MIN_SPACING (PIT_HZ / 10000)
#define PIT_CATCH_UP PIT_HZ

enum soft_pit_access { PIT_ACCESS_LOW = 1, PIT_ACCESS_HIGH, PIT_ACCESS_BOTH };

/* Times are ticks of PIT_HZ since guest time 0. */
struct soft_pit_channel {
    uint8_t mode; /* 0 to 5 */
    enum soft_pit_access access;
    bool bcd;
    bool gate;

    bool programmed; /* a control word came since power-on */
    bool loaded;     /* a count came since the control word */
    bool counting;   /* and the gate, or a trigger, lets it count */
    uint32_t count;
    uint64_t origin;  /* counting: when it started, but for pauses */
    uint64_t elapsed; /* not counting: how long it did */

    /* A count written meanwhile takes over at `switch_at` and counts as if begun at `next_origin`.
     */
    bool has_next;
    uint32_t next_count;
    uint64_t switch_at, next_origin;

    bool write_high_next, read_high_next;
    uint8_t low_written;
    bool count_latched, status_latched;
    uint16_t latched_count;
    uint8_t latched_status;
};

struct soft_pit {
    struct clock *clock;
    void (*set_output)(void *opaque, bool level); /* of channel 0 */
    void *opaque;

    struct soft_pit_channel channel[PIT_CHANNELS];
    uint8_t control; /* the writable bits of port 0x61 */
    uint64_t edge;   /* when channel 0's output rises next */
    struct vm_timer timer;
};

/* The clock must outlive its use. */
void soft_pit_init(struct soft_pit *pit, struct clock *clock,
                   void (*set_output)(void *opaque, bool level), void *opaque);
void soft_pit_reset(struct soft_pit *pit);

/* A count that waits for the running one to end takes over at once. */
void soft_pit_get_state(struct soft_pit *pit, struct irqchip_state *ret);
void soft_pit_set_state(struct soft_pit *pit, const struct irqchip_state *state);

/* A byte from or to one of the ports 0x40 to 0x43 and 0x61. */
uint8_t soft_pit_read(struct soft_pit *pit, uint16_t port);
void soft_pit_write(struct soft_pit *pit, uint16_t port, uint8_t value);

#endif
