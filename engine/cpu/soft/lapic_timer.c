/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC's timer: Intel SDM volume 3, 10.5.4. It counts at 1 GHz over the divider, so in
 * nanoseconds of guest time.
 *
 * The deadline is a number beside the registers. A sleeping vCPU waits until then and polls; for a
 * busy one a timer of the main loop polls. That one is set only when the new deadline is before
 * what it is set to already, and looks again when it has run: a guest that moves its deadline on
 * with each tick hardly ever pays for the board's lock.
 */
#include "engine/cpu/soft/lapic_internal.h"

/* A periodic timer is no faster: else it would keep the main loop busy. In ns. */
#define MIN_PERIOD 100000

static uint64_t now_of(const struct soft_lapic *l)
{
    return clock_now(l->bus->board->clock);
}

static bool is_tsc_deadline(const struct soft_lapic *l)
{
    return (l->state.lvt[LVT_TIMER] & LVT_TIMER_MODE) == LVT_TIMER_TSC_DEADLINE;
}

static bool is_periodic(const struct soft_lapic *l)
{
    return (l->state.lvt[LVT_TIMER] & LVT_TIMER_MODE) == LVT_TIMER_PERIODIC;
}

/* Bits 0, 1 and 3: 2, 4, ... 128, 1 (SDM figure 10-10). */
static uint32_t divisor(const struct soft_lapic *l)
{
    uint32_t n = (l->state.divide & 3) | (l->state.divide >> 1 & 4);

    return n == 7 ? 1 : 2u << n;
}

static uint64_t period(const struct soft_lapic *l)
{
    return MAX((uint64_t)l->state.initial_count * divisor(l), MIN_PERIOD);
}

static void set_deadline(struct soft_lapic *l, uint64_t deadline)
{
    __atomic_store_n(&l->deadline, deadline, __ATOMIC_SEQ_CST);
}

void soft_lapic_stop_timer_locked(struct soft_lapic *l)
{
    l->state.tsc_deadline = 0;
    set_deadline(l, LAPIC_NO_DEADLINE);
}

uint32_t soft_lapic_current_count_locked(struct soft_lapic *l)
{
    uint64_t now = now_of(l), left;

    if (l->deadline == LAPIC_NO_DEADLINE || is_tsc_deadline(l))
        return 0;
    if (now < l->deadline)
        left = l->deadline - now;
    else if (is_periodic(l))
        left = period(l) - (now - l->deadline) % period(l);
    else
        return 0;
    return MIN(left / divisor(l), l->state.initial_count);
}

void soft_lapic_set_divide_locked(struct soft_lapic *l, uint32_t value)
{
    uint32_t left = soft_lapic_current_count_locked(l);

    l->state.divide = value & 0xb;
    if (l->deadline != LAPIC_NO_DEADLINE && !is_tsc_deadline(l))
        set_deadline(l, now_of(l) + (uint64_t)left * divisor(l));
}

/* Going to or from the TSC deadline disarms (SDM 10.5.4.1). */
void soft_lapic_set_timer_lvt_locked(struct soft_lapic *l, uint32_t value)
{
    bool was_tsc_deadline = is_tsc_deadline(l);

    l->state.lvt[LVT_TIMER] = value;
    if (is_tsc_deadline(l) != was_tsc_deadline) {
        l->state.initial_count = 0;
        soft_lapic_stop_timer_locked(l);
    }
}

void soft_lapic_set_initial_count_locked(struct soft_lapic *l, uint32_t value)
{
    if (is_tsc_deadline(l))
        return;
    l->state.initial_count = value;
    if (value == 0)
        soft_lapic_stop_timer_locked(l);
    else
        set_deadline(l, now_of(l) + (is_periodic(l) ? period(l) : (uint64_t)value * divisor(l)));
}

/* The guest time when the TSC reaches the deadline. */
static uint64_t time_of_tsc(const struct soft_lapic *l, uint64_t tsc)
{
    __int128 ticks = (__int128)tsc - l->state.tsc_offset;
    unsigned __int128 ns;

    if (ticks <= 0)
        return 0;
    ns = ((unsigned __int128)ticks * NSEC_PER_SEC + l->bus->tsc_hz - 1) / l->bus->tsc_hz;
    return MIN(ns, LAPIC_NO_DEADLINE - 1);
}

void soft_lapic_set_tsc_deadline_locked(struct soft_lapic *l, uint64_t value)
{
    if (!is_tsc_deadline(l))
        return;
    l->state.tsc_deadline = value;
    set_deadline(l, value != 0 ? time_of_tsc(l, value) : LAPIC_NO_DEADLINE);
}

void soft_lapic_resume_timer_locked(struct soft_lapic *l, uint32_t current_count, bool done)
{
    uint64_t left = (uint64_t)current_count * divisor(l);

    if (is_tsc_deadline(l)) {
        soft_lapic_set_tsc_deadline_locked(l, l->state.tsc_deadline);
        return;
    }
    l->state.tsc_deadline = 0;
    if (l->state.initial_count == 0 || (done && !is_periodic(l) && current_count == 0))
        set_deadline(l, LAPIC_NO_DEADLINE);
    else
        set_deadline(l, now_of(l) + (left == 0 && is_periodic(l) ? period(l) : left));
}

/* Raises the interrupt when it is due. Periods that were missed count as one. */
static void poll_timer(struct soft_lapic *l)
{
    uint64_t deadline = soft_lapic_deadline(l), now;
    bool notify = false;

    if (deadline == LAPIC_NO_DEADLINE)
        return;
    now = now_of(l);
    if (now < deadline)
        return;
    g_mutex_lock(&l->lock);
    if (now >= l->deadline) {
        if (is_periodic(l))
            set_deadline(l, l->deadline + ((now - l->deadline) / period(l) + 1) * period(l));
        else
            soft_lapic_stop_timer_locked(l);
        soft_lapic_deliver_lvt_locked(l, LVT_TIMER);
        notify = soft_lapic_update_locked(l);
    }
    g_mutex_unlock(&l->lock);
    if (notify)
        l->bus->ops->notify(l->bus->opaque, l->index);
}

/* Under the board's lock. Whoever moves the deadline forward looks at armed_for afterwards. */
static void arm(struct soft_lapic *l)
{
    uint64_t deadline = soft_lapic_deadline(l);

    if (deadline >= l->armed_for)
        return;
    __atomic_store_n(&l->armed_for, deadline, __ATOMIC_SEQ_CST);
    vm_timer_set(&l->timer, deadline);
}

static void on_timer(void *opaque)
{
    struct soft_lapic *l = opaque;

    __atomic_store_n(&l->armed_for, LAPIC_NO_DEADLINE, __ATOMIC_SEQ_CST);
    poll_timer(l);
    arm(l);
}

void soft_lapic_poll(struct soft_lapic *l)
{
    poll_timer(l);
    if (soft_lapic_deadline(l) >= __atomic_load_n(&l->armed_for, __ATOMIC_SEQ_CST))
        return;
    g_mutex_lock(&l->bus->board->lock);
    arm(l);
    g_mutex_unlock(&l->bus->board->lock);
}

void soft_lapic_set_tsc_offset(struct soft_lapic *l, int64_t offset)
{
    g_mutex_lock(&l->lock);
    l->state.tsc_offset = offset;
    soft_lapic_set_tsc_deadline_locked(l, l->state.tsc_deadline);
    g_mutex_unlock(&l->lock);
    soft_lapic_poll(l);
}

void soft_lapic_timer_init(struct soft_lapic *l)
{
    vm_timer_init(&l->timer, l->bus->board->clock, on_timer, l);
}
