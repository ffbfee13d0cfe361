/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest time and timers. Guest time is in nanoseconds, starts at 0 and stands still while the
 * machine is paused.
 *
 * A timer's callback runs on the engine's main loop under the board's lock. All calls are made
 * under that lock, except new/free and clock_now(), which any thread may call.
 */
#ifndef ENGINE_BUS_CLOCK_H
#define ENGINE_BUS_CLOCK_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define NSEC_PER_SEC UINT64_C(1000000000)

struct clock;

struct vm_timer {
    void (*expired)(void *opaque);
    void *opaque;
    /* Kept by the clock. */
    struct clock *clock;
    bool armed;
    uint64_t deadline;
};

/* lock is the board's. With a NULL context the clock is manual: only clock_advance() moves it, and
 * starting and stopping have no effect. */
struct clock *clock_new(GMutex *lock, GMainContext *context);
void clock_free(struct clock *clock);

uint64_t clock_now(struct clock *clock);
/* A new clock stands still: the machine starts it when it first runs. */
void clock_start(struct clock *clock);
void clock_stop(struct clock *clock);
/* Manual clocks only: moves time on and runs what expired, in order. Takes the lock itself. */
void clock_advance(struct clock *clock, uint64_t ns);

void vm_timer_init(struct vm_timer *timer, struct clock *clock, void (*expired)(void *opaque),
                   void *opaque);
/* Arms for the deadline (guest time; the past is fine: it expires at once). */
void vm_timer_set(struct vm_timer *timer, uint64_t deadline);
void vm_timer_cancel(struct vm_timer *timer);

#endif
