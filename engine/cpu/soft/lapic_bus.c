/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All local APICs together: who a message is for. Intel SDM volume 3, 10.6.2. */
#include "engine/cpu/soft/lapic_internal.h"

#define DFR_MODEL(dfr) ((dfr) >> 28)
#define DFR_FLAT 0xf

enum shorthand { TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS };

static bool matches_logical(const struct soft_lapic *l, uint32_t destination)
{
    uint32_t ldr = l->state.ldr;

    if (soft_lapic_is_x2apic(l))
        return destination >> 16 == ldr >> 16 && (destination & ldr & 0xffff);
    ldr >>= 24;
    if (DFR_MODEL(l->state.dfr) == DFR_FLAT)
        return destination <= 0xff && (destination & ldr);
    return (destination >> 4 == ldr >> 4 || destination >> 4 == 0xf) && (destination & ldr & 0xf);
}

/* 8 bits of ones are everybody for the I/O APIC and MSIs, whatever mode the processors are in. */
static bool matches(const struct soft_lapic *l, const struct soft_apic_message *m)
{
    if (m->destination == (m->wide ? UINT32_MAX : 0xff))
        return true;
    return m->logical ? matches_logical(l, m->destination) : m->destination == l->index;
}

static bool can_arbitrate(const struct soft_lapic *l)
{
    return soft_lapic_enabled(l) && (l->state.svr & SVR_ENABLE);
}

/* The addressed processor of lowest priority, or NULL. */
static struct soft_lapic *arbitrate(struct soft_lapic_bus *bus, const struct soft_apic_message *m)
{
    struct soft_lapic *lowest = NULL;
    unsigned lowest_priority = 0;

    for (unsigned i = 0; i < bus->count; i++) {
        struct soft_lapic *l = &bus->lapic[i];
        unsigned priority;
        bool candidate;

        g_mutex_lock(&l->lock);
        priority = soft_lapic_priority_locked(l);
        candidate = can_arbitrate(l) && matches(l, m);
        g_mutex_unlock(&l->lock);
        if (candidate && (lowest == NULL || priority < lowest_priority)) {
            lowest = l;
            lowest_priority = priority;
        }
    }
    return lowest;
}

/* `addressed`: somebody decided already that it is for this one. */
static bool deliver_to(struct soft_lapic *l, const struct soft_apic_message *m, bool addressed)
{
    bool accepted, notify;

    g_mutex_lock(&l->lock);
    accepted = (addressed || matches(l, m)) && soft_lapic_accept_locked(l, m);
    notify = soft_lapic_update_locked(l);
    g_mutex_unlock(&l->lock);
    if (notify)
        l->bus->ops->notify(l->bus->opaque, l->index);
    return accepted;
}

bool soft_lapic_bus_deliver(struct soft_lapic_bus *bus, const struct soft_apic_message *m)
{
    bool accepted = false;

    if (m->mode == APIC_LOWEST_PRIORITY) {
        struct soft_lapic *l = arbitrate(bus, m);

        return l != NULL && deliver_to(l, m, true);
    }
    for (unsigned i = 0; i < bus->count; i++)
        accepted |= deliver_to(&bus->lapic[i], m, false);
    return accepted;
}

void soft_lapic_bus_send(struct soft_lapic *sender, uint64_t icr, bool wide)
{
    struct soft_lapic_bus *bus = sender->bus;
    /* IPIs are edge-triggered; the level bits only tell INIT's de-assertion (SDM 10.6.1). */
    const struct soft_apic_message message = {
        .destination = wide ? icr >> 32 : icr >> 56,
        .logical = icr & ICR_LOGICAL,
        .wide = wide,
        .mode = ICR_MODE(icr),
        .vector = ICR_VECTOR(icr),
    };

    switch (ICR_SHORTHAND(icr)) {
    case TO_DESTINATION:
        soft_lapic_bus_deliver(bus, &message);
        return;
    case TO_SELF:
        deliver_to(sender, &message, true);
        return;
    default:
        for (unsigned i = 0; i < bus->count; i++) {
            if (ICR_SHORTHAND(icr) == TO_ALL || i != sender->index)
                deliver_to(&bus->lapic[i], &message, true);
        }
    }
}

void soft_lapic_bus_set_intr(struct soft_lapic_bus *bus, bool level)
{
    for (unsigned i = 0; i < bus->count; i++) {
        struct soft_lapic *l = &bus->lapic[i];
        bool notify;

        g_mutex_lock(&l->lock);
        if (level && !l->state.lint0 && soft_lapic_enabled(l))
            soft_lapic_deliver_lvt_locked(l, LVT_LINT0);
        l->state.lint0 = level;
        notify = soft_lapic_update_locked(l);
        g_mutex_unlock(&l->lock);
        if (notify)
            bus->ops->notify(bus->opaque, i);
    }
}

void soft_lapic_bus_reset(struct soft_lapic_bus *bus)
{
    for (unsigned i = 0; i < bus->count; i++) {
        struct soft_lapic *l = &bus->lapic[i];

        g_mutex_lock(&l->lock);
        __atomic_store_n(&l->base, SOFT_LAPIC_BASE_RESET | (i == 0 ? SOFT_LAPIC_BASE_BSP : 0),
                         __ATOMIC_RELAXED);
        soft_lapic_clear_locked(l);
        l->state.tsc_offset = 0;
        l->state.events = 0;
        soft_lapic_update_locked(l);
        g_mutex_unlock(&l->lock);
        vm_timer_cancel(&l->timer);
        __atomic_store_n(&l->armed_for, LAPIC_NO_DEADLINE, __ATOMIC_SEQ_CST);
    }
}

void soft_lapic_bus_init(struct soft_lapic_bus *bus)
{
    for (unsigned i = 0; i < bus->count; i++) {
        struct soft_lapic *l = &bus->lapic[i];

        l->bus = bus;
        l->index = i;
        g_mutex_init(&l->lock);
        soft_lapic_timer_init(l);
    }
    soft_lapic_bus_reset(bus);
}

void soft_lapic_bus_finish(struct soft_lapic_bus *bus)
{
    for (unsigned i = 0; i < bus->count; i++)
        g_mutex_clear(&bus->lapic[i].lock);
}
