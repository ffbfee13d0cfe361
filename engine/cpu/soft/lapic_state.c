/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A local APIC in neutral form: its register page, and what stands behind it. */
#include <string.h>

#include "engine/cpu/soft/lapic_internal.h"

G_STATIC_ASSERT(REG_SELF_IPI < X86_LAPIC_REGISTERS);

/* An x2APIC shows its ID, and its LDR, in another form than the page. */
void soft_lapic_get_state(struct soft_lapic *l, struct x86_lapic *ret)
{
    const struct soft_lapic_state *s = &l->state;

    soft_lapic_poll(l);
    *ret = (struct x86_lapic){0};
    g_mutex_lock(&l->lock);
    ret->base = l->base;
    ret->reg[REG_ID] = (uint32_t)l->index << 24;
    ret->reg[REG_VERSION] = LAPIC_VERSION_VALUE;
    ret->reg[REG_TPR] = s->tpr;
    ret->reg[REG_PPR] = soft_lapic_priority_locked(l);
    ret->reg[REG_LDR] = s->ldr;
    ret->reg[REG_DFR] = s->dfr;
    ret->reg[REG_SVR] = s->svr;
    memcpy(&ret->reg[REG_ISR], s->isr, sizeof(s->isr));
    memcpy(&ret->reg[REG_TMR], s->tmr, sizeof(s->tmr));
    memcpy(&ret->reg[REG_IRR], s->irr, sizeof(s->irr));
    ret->reg[REG_ESR] = s->error_status;
    ret->reg[REG_ICR] = s->icr;
    ret->reg[REG_ICR_HIGH] = s->icr >> 32;
    memcpy(&ret->reg[REG_LVT], s->lvt, sizeof(s->lvt));
    ret->reg[REG_INITIAL_COUNT] = s->initial_count;
    ret->reg[REG_CURRENT_COUNT] = soft_lapic_current_count_locked(l);
    ret->reg[REG_DIVIDE] = s->divide;
    ret->tsc_deadline = s->tsc_deadline;
    ret->errors = s->errors;
    ret->extint_pending = s->external;
    ret->timer_done = l->deadline == LAPIC_NO_DEADLINE;
    g_mutex_unlock(&l->lock);
}

void soft_lapic_set_state(struct soft_lapic *l, const struct x86_lapic *state, int64_t tsc_offset,
                          bool nmi_pending)
{
    struct soft_lapic_state *s = &l->state;
    bool notify;

    g_mutex_lock(&l->lock);
    __atomic_store_n(&l->base, state->base, __ATOMIC_RELAXED);
    *s = (struct soft_lapic_state){
        .tpr = state->reg[REG_TPR] & 0xff,
        .ldr = state->reg[REG_LDR],
        .dfr = state->reg[REG_DFR],
        .svr = state->reg[REG_SVR],
        .errors = state->errors,
        .error_status = state->reg[REG_ESR],
        .icr = state->reg[REG_ICR] | (uint64_t)state->reg[REG_ICR_HIGH] << 32,
        .initial_count = state->reg[REG_INITIAL_COUNT],
        .divide = state->reg[REG_DIVIDE] & 0xb,
        .tsc_deadline = state->tsc_deadline,
        .tsc_offset = tsc_offset,
        .lint0 = s->lint0,
        .external = state->extint_pending,
        .events = nmi_pending ? SOFT_PENDING_NMI : 0,
    };
    memcpy(s->isr, &state->reg[REG_ISR], sizeof(s->isr));
    memcpy(s->tmr, &state->reg[REG_TMR], sizeof(s->tmr));
    memcpy(s->irr, &state->reg[REG_IRR], sizeof(s->irr));
    memcpy(s->lvt, &state->reg[REG_LVT], sizeof(s->lvt));
    soft_lapic_resume_timer_locked(l, state->reg[REG_CURRENT_COUNT], state->timer_done);
    notify = soft_lapic_update_locked(l);
    g_mutex_unlock(&l->lock);
    if (notify)
        l->bus->ops->notify(l->bus->opaque, l->index);
    soft_lapic_poll(l);
}
