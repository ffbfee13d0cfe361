/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One local APIC: registers, acceptance and priorities. Intel SDM volume 3, chapter 10. */
#include "engine/cpu/soft/lapic_internal.h"

#define ESR_SEND_ILLEGAL_VECTOR 0x20u
#define ESR_RECEIVED_ILLEGAL_VECTOR 0x40u
#define ESR_ILLEGAL_REGISTER 0x80u

#define FIRST_VECTOR 16 /* those below are illegal */
#define NO_VECTOR (-1)

#define SVR_WRITABLE 0x3ffu
#define ICR_WRITABLE 0xccfffu
#define X2APIC_ICR_RESERVED 0xfff33000u
#define DFR_ONES 0x0fffffffu
#define SELF_SHORTHAND 0x40000u

/* The physical addresses are as wide as CPUID says. */
#define BASE_WRITABLE                                                                 \
    (((UINT64_C(1) << 40) - 4096) | SOFT_LAPIC_BASE_ENABLE | SOFT_LAPIC_BASE_X2APIC | \
     SOFT_LAPIC_BASE_BSP)

static const uint32_t lvt_writable[LAPIC_LVT_COUNT] = {
    [LVT_TIMER] = 0x700ff, [LVT_THERMAL] = 0x107ff, [LVT_PERFORMANCE] = 0x107ff,
    [LVT_LINT0] = 0x1a7ff, [LVT_LINT1] = 0x1a7ff,   [LVT_ERROR] = 0x100ff,
};

/* What a register access has to do once the lock is given back. */
struct aftermath {
    bool send;
    bool timer; /* it may be due earlier */
    int eoi;    /* a vector to broadcast, or NO_VECTOR */
};

static bool test_bit(const uint32_t *set, unsigned n)
{
    return set[n / 32] >> n % 32 & 1;
}

static void set_bit(uint32_t *set, unsigned n)
{
    set[n / 32] |= UINT32_C(1) << n % 32;
}

static void clear_bit(uint32_t *set, unsigned n)
{
    set[n / 32] &= ~(UINT32_C(1) << n % 32);
}

static int highest(const uint32_t *set)
{
    for (int i = 7; i >= 0; i--) {
        if (set[i] != 0)
            return i * 32 + 31 - __builtin_clz(set[i]);
    }
    return NO_VECTOR;
}

uint8_t soft_lapic_priority_locked(const struct soft_lapic *l)
{
    int in_service = highest(l->state.isr);
    unsigned service_class = in_service == NO_VECTOR ? 0 : in_service & 0xf0;

    return (l->state.tpr & 0xf0) >= service_class ? l->state.tpr : service_class;
}

/* The vector that would be dispensed now. */
static int deliverable(const struct soft_lapic *l)
{
    int vector = highest(l->state.irr);

    if (vector == NO_VECTOR || vector >> 4 <= soft_lapic_priority_locked(l) >> 4)
        return NO_VECTOR;
    return vector;
}

/* Whether the PIC's turn has come: an APIC that is globally disabled leaves its LINT0 pin to be the
 * processor's INTR (SDM 10.4.3). */
static bool external_waits(const struct soft_lapic *l)
{
    uint32_t lint0 = l->state.lvt[LVT_LINT0];

    if (!soft_lapic_enabled(l))
        return l->state.lint0;
    return l->state.external ||
           (l->state.lint0 && !(lint0 & LVT_MASKED) && LVT_MODE(lint0) == APIC_EXTINT);
}

bool soft_lapic_update_locked(struct soft_lapic *l)
{
    uint32_t old = l->pending, new = l->state.events;

    if (external_waits(l) || deliverable(l) != NO_VECTOR)
        new |= SOFT_PENDING_INTERRUPT;
    __atomic_store_n(&l->pending, new, __ATOMIC_RELEASE);
    return new & ~old;
}

static void found_error(struct soft_lapic *l, uint32_t error);

/* True: accepted. */
static bool accept_vector(struct soft_lapic *l, uint8_t vector, bool level)
{
    if (!(l->state.svr & SVR_ENABLE))
        return false;
    if (vector < FIRST_VECTOR) {
        found_error(l, ESR_RECEIVED_ILLEGAL_VECTOR);
        return false;
    }
    set_bit(l->state.irr, vector);
    if (level)
        set_bit(l->state.tmr, vector);
    else
        clear_bit(l->state.tmr, vector);
    return true;
}

static void found_error(struct soft_lapic *l, uint32_t error)
{
    uint32_t lvt = l->state.lvt[LVT_ERROR];

    l->state.errors |= error;
    if (!(lvt & LVT_MASKED) && LVT_VECTOR(lvt) >= FIRST_VECTOR)
        accept_vector(l, LVT_VECTOR(lvt), false);
}

bool soft_lapic_accept_locked(struct soft_lapic *l, const struct soft_apic_message *m)
{
    if (!soft_lapic_enabled(l))
        return false;
    switch (m->mode) {
    case APIC_FIXED:
    case APIC_LOWEST_PRIORITY:
        return accept_vector(l, m->vector, m->level);
    case APIC_NMI:
        l->state.events |= SOFT_PENDING_NMI;
        return true;
    case APIC_INIT:
        l->state.events &= ~SOFT_PENDING_START;
        l->state.events |= SOFT_PENDING_INIT;
        return true;
    case APIC_START_UP:
        l->state.start_vector = m->vector;
        l->state.events |= SOFT_PENDING_START;
        return true;
    case APIC_EXTINT:
        l->state.external = true;
        return true;
    default: /* no SMM here */
        return false;
    }
}

/* The pins are edge-triggered whatever their LVT entry says: INTR, in ExtINT mode a level, is the
 * only thing that drives one. */
void soft_lapic_deliver_lvt_locked(struct soft_lapic *l, unsigned index)
{
    uint32_t lvt = l->state.lvt[index];
    const struct soft_apic_message message = {
        .mode = index == LVT_TIMER ? APIC_FIXED : LVT_MODE(lvt),
        .vector = LVT_VECTOR(lvt),
    };

    if (!(lvt & LVT_MASKED) && (message.mode == APIC_FIXED || message.mode == APIC_NMI))
        soft_lapic_accept_locked(l, &message);
}

/* x2APIC: cluster and bit follow from the ID (SDM 10.12.10.2). */
static uint32_t x2apic_ldr(const struct soft_lapic *l)
{
    return l->index >> 4 << 16 | UINT32_C(1) << (l->index & 15);
}

/* SDM 10.4.7.1 and 10.4.7.3. The boot processor is in virtual wire mode at once (MultiProcessor
 * Specification, 3.6.2.2), where firmware is expected to bring it before it needs the PIC. */
void soft_lapic_clear_locked(struct soft_lapic *l)
{
    struct soft_lapic_state old = l->state;

    l->state = (struct soft_lapic_state){
        .dfr = UINT32_MAX,
        .svr = 0xff,
        .ldr = soft_lapic_is_x2apic(l) ? x2apic_ldr(l) : 0,
        .tsc_offset = old.tsc_offset,
        .lint0 = old.lint0,
        .events = old.events,
        .start_vector = old.start_vector,
    };
    for (unsigned i = 0; i < LAPIC_LVT_COUNT; i++)
        l->state.lvt[i] = LVT_MASKED;
    if (l->index == 0)
        l->state.lvt[LVT_LINT0] = APIC_EXTINT << 8;
    soft_lapic_stop_timer_locked(l);
}

static bool exists(const struct soft_lapic *l, unsigned reg)
{
    bool x2apic = soft_lapic_is_x2apic(l);

    switch (reg) {
    case REG_APR:
    case REG_RRD:
    case REG_DFR:
    case REG_ICR_HIGH:
        return !x2apic;
    case REG_SELF_IPI:
        return x2apic;
    case REG_ID:
    case REG_VERSION:
    case REG_TPR:
    case REG_PPR:
    case REG_EOI:
    case REG_LDR:
    case REG_SVR:
    case REG_ESR:
    case REG_ICR:
    case REG_INITIAL_COUNT:
    case REG_CURRENT_COUNT:
    case REG_DIVIDE:
        return true;
    default:
        return (reg >= REG_ISR && reg < REG_ESR) ||
               (reg >= REG_LVT && reg < REG_LVT + LAPIC_LVT_COUNT);
    }
}

static bool is_read_only(unsigned reg)
{
    return reg == REG_ID || reg == REG_VERSION || reg == REG_APR || reg == REG_PPR ||
           reg == REG_RRD || (reg >= REG_ISR && reg < REG_ESR) || reg == REG_CURRENT_COUNT;
}

/* A register that exists. */
static uint32_t get(struct soft_lapic *l, unsigned reg)
{
    const struct soft_lapic_state *s = &l->state;

    switch (reg) {
    case REG_ID:
        return soft_lapic_is_x2apic(l) ? l->index : l->index << 24;
    case REG_VERSION:
        return LAPIC_VERSION_VALUE;
    case REG_TPR:
        return s->tpr;
    case REG_PPR:
        return soft_lapic_priority_locked(l);
    case REG_LDR:
        return s->ldr;
    case REG_DFR:
        return s->dfr;
    case REG_SVR:
        return s->svr;
    case REG_ESR:
        return s->error_status;
    case REG_ICR:
        return s->icr;
    case REG_ICR_HIGH:
        return s->icr >> 32;
    case REG_INITIAL_COUNT:
        return s->initial_count;
    case REG_CURRENT_COUNT:
        return soft_lapic_current_count_locked(l);
    case REG_DIVIDE:
        return s->divide;
    }
    if (reg >= REG_LVT && reg < REG_LVT + LAPIC_LVT_COUNT)
        return s->lvt[reg - REG_LVT];
    if (reg >= REG_ISR && reg < REG_TMR)
        return s->isr[reg - REG_ISR];
    if (reg >= REG_TMR && reg < REG_IRR)
        return s->tmr[reg - REG_TMR];
    if (reg >= REG_IRR && reg < REG_ESR)
        return s->irr[reg - REG_IRR];
    return 0; /* EOI, APR, RRD, self IPI */
}

static void end_of_interrupt(struct soft_lapic *l, struct aftermath *after)
{
    int vector = highest(l->state.isr);

    if (vector == NO_VECTOR)
        return;
    clear_bit(l->state.isr, vector);
    if (test_bit(l->state.tmr, vector))
        after->eoi = vector;
}

static void write_lvt(struct soft_lapic *l, unsigned index, uint32_t value)
{
    value &= lvt_writable[index];
    if (!(l->state.svr & SVR_ENABLE)) /* SDM 10.4.7.2 */
        value |= LVT_MASKED;
    if (index == LVT_TIMER)
        soft_lapic_set_timer_lvt_locked(l, value);
    else
        l->state.lvt[index] = value;
}

static void write_svr(struct soft_lapic *l, uint32_t value)
{
    l->state.svr = value & SVR_WRITABLE;
    if (value & SVR_ENABLE)
        return;
    for (unsigned i = 0; i < LAPIC_LVT_COUNT; i++)
        l->state.lvt[i] |= LVT_MASKED;
}

/* Whether ICR's message goes out. INIT's de-assertion means nothing to these processors. */
static bool check_icr(struct soft_lapic *l, uint64_t icr)
{
    switch (ICR_MODE(icr)) {
    case APIC_FIXED:
    case APIC_LOWEST_PRIORITY:
        if (ICR_VECTOR(icr) >= FIRST_VECTOR)
            return true;
        found_error(l, ESR_SEND_ILLEGAL_VECTOR);
        return false;
    case APIC_INIT:
        return !(icr & ICR_LEVEL) || (icr & ICR_ASSERT);
    case APIC_NMI:
    case APIC_START_UP:
        return true;
    default:
        return false;
    }
}

/* A register that exists and is not read-only. */
static void set(struct soft_lapic *l, unsigned reg, uint32_t value, struct aftermath *after)
{
    struct soft_lapic_state *s = &l->state;

    switch (reg) {
    case REG_TPR:
        s->tpr = value & 0xff;
        break;
    case REG_EOI:
        end_of_interrupt(l, after);
        break;
    case REG_LDR:
        s->ldr = value & 0xff000000;
        break;
    case REG_DFR:
        s->dfr = value | DFR_ONES;
        break;
    case REG_SVR:
        write_svr(l, value);
        break;
    case REG_ESR: /* SDM 10.5.3: a write brings up what was found since the last one */
        s->error_status = s->errors;
        s->errors = 0;
        break;
    case REG_ICR:
        s->icr = (s->icr & ~UINT64_C(0xffffffff)) | (value & ICR_WRITABLE);
        after->send = check_icr(l, s->icr);
        break;
    case REG_ICR_HIGH:
        s->icr = (s->icr & 0xffffffff) | (uint64_t)(value & 0xff000000) << 32;
        break;
    case REG_INITIAL_COUNT:
        soft_lapic_set_initial_count_locked(l, value);
        after->timer = true;
        break;
    case REG_DIVIDE:
        soft_lapic_set_divide_locked(l, value);
        after->timer = true;
        break;
    default:
        write_lvt(l, reg - REG_LVT, value);
    }
}

/* Gives the lock back and does what must not be done under it. */
static void leave(struct soft_lapic *l, const struct aftermath *after)
{
    uint64_t icr = l->state.icr;
    bool wide = soft_lapic_is_x2apic(l), notify = soft_lapic_update_locked(l);

    g_mutex_unlock(&l->lock);
    if (notify)
        l->bus->ops->notify(l->bus->opaque, l->index);
    if (after->eoi != NO_VECTOR)
        l->bus->ops->eoi(l->bus->opaque, after->eoi);
    if (after->send)
        soft_lapic_bus_send(l, icr, wide);
    if (after->timer)
        soft_lapic_poll(l);
}

/* Whether the registers are in memory at all. */
static bool has_page(const struct soft_lapic *l)
{
    return soft_lapic_enabled(l) && !soft_lapic_is_x2apic(l);
}

uint64_t soft_lapic_read(struct soft_lapic *l, unsigned offset, unsigned size)
{
    unsigned reg = offset / 16 % 256, within = offset % 16;
    struct aftermath after = {.eoi = NO_VECTOR};
    uint64_t value = 0;

    if (!has_page(l))
        return 0;
    g_mutex_lock(&l->lock);
    if (exists(l, reg))
        value = get(l, reg);
    else
        found_error(l, ESR_ILLEGAL_REGISTER);
    leave(l, &after);
    value = within < 4 ? value >> 8 * within : 0;
    return size < 8 ? value & ((UINT64_C(1) << 8 * size) - 1) : value;
}

void soft_lapic_write(struct soft_lapic *l, unsigned offset, uint64_t value, unsigned size)
{
    unsigned reg = offset / 16 % 256;
    struct aftermath after = {.eoi = NO_VECTOR};

    if (offset % 16 != 0 || size < 4 || !has_page(l))
        return;
    g_mutex_lock(&l->lock);
    if (!exists(l, reg))
        found_error(l, ESR_ILLEGAL_REGISTER);
    else if (!is_read_only(reg))
        set(l, reg, value, &after);
    leave(l, &after);
}

/* Under the lock, as what follows: an x2APIC register. False: #GP. */
static bool read_x2apic(struct soft_lapic *l, unsigned reg, uint64_t *ret_value)
{
    if (!soft_lapic_is_x2apic(l) || !exists(l, reg) || reg == REG_EOI || reg == REG_SELF_IPI)
        return false;
    *ret_value = reg == REG_ICR ? l->state.icr : get(l, reg);
    return true;
}

/* Reserved bits, by SDM table 10-6 and the registers' figures. */
static bool is_reserved(unsigned reg, uint64_t value)
{
    switch (reg) {
    case REG_ICR:
        return value & X2APIC_ICR_RESERVED;
    case REG_EOI:
    case REG_ESR:
        return value != 0;
    case REG_TPR:
    case REG_SELF_IPI:
        return value > 0xff;
    case REG_SVR:
        return value & ~(uint64_t)SVR_WRITABLE;
    case REG_DIVIDE:
        return value & ~UINT64_C(0xb);
    case REG_INITIAL_COUNT:
        return value > UINT32_MAX;
    default: /* the remote IRR and delivery status of LVT entries are read-only, not reserved */
        return value & ~((uint64_t)lvt_writable[reg - REG_LVT] | 0x5000);
    }
}

static bool write_x2apic(struct soft_lapic *l, unsigned reg, uint64_t value,
                         struct aftermath *after)
{
    if (!soft_lapic_is_x2apic(l) || !exists(l, reg) || is_read_only(reg) || reg == REG_LDR ||
        is_reserved(reg, value))
        return false;
    switch (reg) {
    case REG_ICR:
        l->state.icr = value;
        after->send = check_icr(l, value);
        break;
    case REG_SELF_IPI:
        l->state.icr = value | SELF_SHORTHAND;
        after->send = check_icr(l, l->state.icr);
        break;
    default:
        set(l, reg, value, after);
    }
    return true;
}

/* SDM 10.12.5: which changes of mode there are. */
static bool write_base(struct soft_lapic *l, uint64_t value)
{
    uint64_t modes = SOFT_LAPIC_BASE_ENABLE | SOFT_LAPIC_BASE_X2APIC;
    uint64_t old = l->base & modes, new = value &modes;

    if ((value & ~BASE_WRITABLE) || new == SOFT_LAPIC_BASE_X2APIC || (old == 0 && new == modes) ||
        (old == modes && new == SOFT_LAPIC_BASE_ENABLE))
        return false;
    __atomic_store_n(&l->base, value, __ATOMIC_RELAXED);
    if (old != 0 && new == 0)
        soft_lapic_clear_locked(l);
    if (old != modes && new == modes)
        l->state.ldr = x2apic_ldr(l);
    return true;
}

bool soft_lapic_read_msr(struct soft_lapic *l, uint32_t msr, uint64_t *ret_value)
{
    bool ok = true;

    g_mutex_lock(&l->lock);
    if (msr == MSR_APIC_BASE)
        *ret_value = l->base;
    else if (msr == MSR_TSC_DEADLINE)
        *ret_value = l->state.tsc_deadline;
    else
        ok = read_x2apic(l, msr - MSR_X2APIC_FIRST, ret_value);
    g_mutex_unlock(&l->lock);
    return ok;
}

bool soft_lapic_write_msr(struct soft_lapic *l, uint32_t msr, uint64_t value)
{
    struct aftermath after = {.eoi = NO_VECTOR, .timer = msr == MSR_TSC_DEADLINE};
    bool ok = true;

    g_mutex_lock(&l->lock);
    if (msr == MSR_APIC_BASE)
        ok = write_base(l, value);
    else if (msr == MSR_TSC_DEADLINE)
        soft_lapic_set_tsc_deadline_locked(l, value);
    else
        ok = write_x2apic(l, msr - MSR_X2APIC_FIRST, value, &after);
    leave(l, &after);
    return ok;
}

unsigned soft_lapic_cr8(struct soft_lapic *l)
{
    unsigned cr8;

    g_mutex_lock(&l->lock);
    cr8 = l->state.tpr >> 4;
    g_mutex_unlock(&l->lock);
    return cr8;
}

void soft_lapic_set_cr8(struct soft_lapic *l, unsigned cr8)
{
    struct aftermath after = {.eoi = NO_VECTOR};

    g_mutex_lock(&l->lock);
    l->state.tpr = cr8 << 4 & 0xf0;
    leave(l, &after);
}

int soft_lapic_acknowledge(struct soft_lapic *l)
{
    int vector = NO_VECTOR;
    bool external;

    g_mutex_lock(&l->lock);
    external = external_waits(l);
    if (external) {
        l->state.external = false;
    } else {
        vector = deliverable(l);
        if (vector != NO_VECTOR) {
            clear_bit(l->state.irr, vector);
            set_bit(l->state.isr, vector);
        }
    }
    soft_lapic_update_locked(l);
    g_mutex_unlock(&l->lock);
    return external ? l->bus->ops->acknowledge(l->bus->opaque) : vector;
}

/* Forgets an event; whether there was one. */
static bool take_locked(struct soft_lapic *l, uint32_t event)
{
    bool was_set = l->state.events & event;

    l->state.events &= ~event;
    soft_lapic_update_locked(l);
    return was_set;
}

bool soft_lapic_take_nmi(struct soft_lapic *l)
{
    bool taken;

    g_mutex_lock(&l->lock);
    taken = take_locked(l, SOFT_PENDING_NMI);
    g_mutex_unlock(&l->lock);
    return taken;
}

bool soft_lapic_take_init(struct soft_lapic *l)
{
    bool taken;

    g_mutex_lock(&l->lock);
    if (l->state.events & SOFT_PENDING_INIT) {
        soft_lapic_clear_locked(l);
        l->state.events &= ~SOFT_PENDING_NMI;
    }
    taken = take_locked(l, SOFT_PENDING_INIT);
    g_mutex_unlock(&l->lock);
    return taken;
}

int soft_lapic_take_start(struct soft_lapic *l)
{
    int page = -1;

    g_mutex_lock(&l->lock);
    if (take_locked(l, SOFT_PENDING_START))
        page = l->state.start_vector;
    g_mutex_unlock(&l->lock);
    return page;
}
