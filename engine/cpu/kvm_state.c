/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of a vCPU between KVM's structures and x86_state: registers, APIC and events. */
#include "engine/cpu/kvm_internal.h"

#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#define LAPIC_TPR 8 /* its number in struct x86_lapic */
#define VECTOR_BP 3
#define VECTOR_OF 4

G_STATIC_ASSERT(sizeof(struct kvm_xsave) == X86_XSAVE_SIZE);

union part_data {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct kvm_sregs2 sregs2;
    struct kvm_xsave xsave;
    struct kvm_xcrs xcrs;
    struct kvm_debugregs debug;
    struct kvm_lapic_state lapic;
    struct kvm_vcpu_events events;
    struct kvm_mp_state mp;
};

/* What one ioctl reads and another one writes. */
struct part {
    unsigned long get, set;
    void (*from_kvm)(struct x86_state *state, const union part_data *data);
    void (*to_kvm)(union part_data *data, const struct x86_state *state);
    bool optional; /* absent from some hosts */
};

static struct x86_segment segment_from_kvm(const struct kvm_segment *k)
{
    return (struct x86_segment){
        .base = k->base,
        .limit = k->limit,
        .selector = k->selector,
        .attributes = k->type | (uint32_t)k->s << 4 | (uint32_t)k->dpl << 5 |
                      (uint32_t)k->present << 7 | (uint32_t)k->avl << 12 | (uint32_t)k->l << 13 |
                      (uint32_t)k->db << 14 | (uint32_t)k->g << 15,
    };
}

static struct kvm_segment segment_to_kvm(const struct x86_segment *s)
{
    return (struct kvm_segment){
        .base = s->base,
        .limit = s->limit,
        .selector = s->selector,
        .type = s->attributes & 0xf,
        .s = s->attributes >> 4 & 1,
        .dpl = s->attributes >> 5 & 3,
        .present = s->attributes >> 7 & 1,
        .avl = s->attributes >> 12 & 1,
        .l = s->attributes >> 13 & 1,
        .db = s->attributes >> 14 & 1,
        .g = s->attributes >> 15 & 1,
        .unusable = !(s->attributes >> 7 & 1),
    };
}

/* The general registers of struct kvm_regs in encoding order. */
static void regs_by_number(struct kvm_regs *regs, __u64 *ret_by_number[16])
{
    __u64 *all[16] = {&regs->rax, &regs->rcx, &regs->rdx, &regs->rbx, &regs->rsp, &regs->rbp,
                      &regs->rsi, &regs->rdi, &regs->r8,  &regs->r9,  &regs->r10, &regs->r11,
                      &regs->r12, &regs->r13, &regs->r14, &regs->r15};

    memcpy(ret_by_number, all, sizeof(all));
}

static void regs_from_kvm(struct x86_state *state, const union part_data *data)
{
    struct kvm_regs regs = data->regs;
    __u64 *gpr[16];

    regs_by_number(&regs, gpr);
    for (unsigned i = 0; i < 16; i++)
        state->gpr[i] = *gpr[i];
    state->rip = regs.rip;
    state->rflags = regs.rflags;
}

static void regs_to_kvm(union part_data *data, const struct x86_state *state)
{
    __u64 *gpr[16];

    data->regs = (struct kvm_regs){.rip = state->rip, .rflags = state->rflags};
    regs_by_number(&data->regs, gpr);
    for (unsigned i = 0; i < 16; i++)
        *gpr[i] = state->gpr[i];
}

/* The segments of struct kvm_sregs in the order of x86_state. */
static void segments_by_number(struct kvm_sregs *s, struct kvm_segment *ret[X86_SEGMENTS])
{
    struct kvm_segment *all[X86_SEGMENTS] = {&s->es, &s->cs, &s->ss, &s->ds, &s->fs, &s->gs};

    memcpy(ret, all, sizeof(all));
}

static void sregs_from_kvm(struct x86_state *state, const union part_data *data)
{
    struct kvm_sregs sregs = data->sregs;
    struct kvm_segment *segment[X86_SEGMENTS];

    segments_by_number(&sregs, segment);
    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        state->segment[i] = segment_from_kvm(segment[i]);
    state->tr = segment_from_kvm(&sregs.tr);
    state->ldtr = segment_from_kvm(&sregs.ldt);
    state->gdt = (struct x86_table){sregs.gdt.base, sregs.gdt.limit};
    state->idt = (struct x86_table){sregs.idt.base, sregs.idt.limit};
    state->cr0 = sregs.cr0;
    state->cr2 = sregs.cr2;
    state->cr3 = sregs.cr3;
    state->cr4 = sregs.cr4;
    state->efer = sregs.efer;
    state->lapic.base = sregs.apic_base;
    state->has_pdpte = false;
}

static void sregs_to_kvm(union part_data *data, const struct x86_state *state)
{
    struct kvm_sregs *sregs = &data->sregs;
    struct kvm_segment *segment[X86_SEGMENTS];

    *sregs = (struct kvm_sregs){
        .tr = segment_to_kvm(&state->tr),
        .ldt = segment_to_kvm(&state->ldtr),
        .gdt = {.base = state->gdt.base, .limit = state->gdt.limit},
        .idt = {.base = state->idt.base, .limit = state->idt.limit},
        .cr0 = state->cr0,
        .cr2 = state->cr2,
        .cr3 = state->cr3,
        .cr4 = state->cr4,
        .cr8 = state->lapic.reg[LAPIC_TPR] >> 4 & 15,
        .efer = state->efer,
        .apic_base = state->lapic.base,
    };
    segments_by_number(sregs, segment);
    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        *segment[i] = segment_to_kvm(&state->segment[i]);
}

static void xcrs_from_kvm(struct x86_state *state, const union part_data *data)
{
    state->xcr0 = 1;
    for (unsigned i = 0; i < data->xcrs.nr_xcrs && i < KVM_MAX_XCRS; i++) {
        if (data->xcrs.xcrs[i].xcr == 0)
            state->xcr0 = data->xcrs.xcrs[i].value;
    }
}

static void xcrs_to_kvm(union part_data *data, const struct x86_state *state)
{
    data->xcrs = (struct kvm_xcrs){.nr_xcrs = 1, .xcrs[0] = {.xcr = 0, .value = state->xcr0}};
}

static void xsave_from_kvm(struct x86_state *state, const union part_data *data)
{
    memcpy(state->xsave, &data->xsave, X86_XSAVE_SIZE);
}

static void xsave_to_kvm(union part_data *data, const struct x86_state *state)
{
    memcpy(&data->xsave, state->xsave, X86_XSAVE_SIZE);
}

static void debug_from_kvm(struct x86_state *state, const union part_data *data)
{
    for (unsigned i = 0; i < 4; i++)
        state->dr[i] = data->debug.db[i];
    state->dr[6] = data->debug.dr6;
    state->dr[7] = data->debug.dr7;
}

static void debug_to_kvm(union part_data *data, const struct x86_state *state)
{
    data->debug = (struct kvm_debugregs){.dr6 = state->dr[6], .dr7 = state->dr[7]};
    for (unsigned i = 0; i < 4; i++)
        data->debug.db[i] = state->dr[i];
}

static void lapic_from_kvm(struct x86_state *state, const union part_data *data)
{
    for (unsigned i = 0; i < X86_LAPIC_REGISTERS; i++)
        memcpy(&state->lapic.reg[i], &data->lapic.regs[i * 16], 4);
    state->lapic.errors = 0;
    state->lapic.extint_pending = state->lapic.timer_done = false;
}

static void lapic_to_kvm(union part_data *data, const struct x86_state *state)
{
    memset(&data->lapic, 0, sizeof(data->lapic));
    for (unsigned i = 0; i < X86_LAPIC_REGISTERS; i++)
        memcpy(&data->lapic.regs[i * 16], &state->lapic.reg[i], 4);
}

/* INT n, INT3 and INTO under way are none: RIP is still theirs, and they are executed again. */
static void events_from_kvm(struct x86_state *state, const union part_data *data)
{
    const struct kvm_vcpu_events *e = &data->events;

    state->event = (struct x86_event){0};
    if (e->exception.injected && e->exception.nr != VECTOR_BP && e->exception.nr != VECTOR_OF)
        state->event = (struct x86_event){.kind = X86_EVENT_EXCEPTION,
                                          .vector = e->exception.nr,
                                          .has_error = e->exception.has_error_code,
                                          .error = e->exception.error_code};
    else if (e->nmi.injected)
        state->event = (struct x86_event){.kind = X86_EVENT_NMI, .vector = 2};
    else if (e->interrupt.injected && !e->interrupt.soft)
        state->event = (struct x86_event){.kind = X86_EVENT_INTERRUPT, .vector = e->interrupt.nr};
    state->interrupt_shadow = e->interrupt.shadow != 0;
    state->nmi_pending = e->nmi.pending;
    state->nmi_blocked = e->nmi.masked;
}

static void events_to_kvm(union part_data *data, const struct x86_state *state)
{
    struct kvm_vcpu_events *e = &data->events;
    const struct x86_event *event = &state->event;

    *e = (struct kvm_vcpu_events){
        .flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW,
        .nmi = {.injected = event->kind == X86_EVENT_NMI,
                .pending = state->nmi_pending,
                .masked = state->nmi_blocked},
    };
    if (event->kind == X86_EVENT_EXCEPTION) {
        e->exception.injected = 1;
        e->exception.nr = event->vector;
        e->exception.has_error_code = event->has_error;
        e->exception.error_code = event->error;
    } else if (event->kind == X86_EVENT_INTERRUPT) {
        e->interrupt.injected = 1;
        e->interrupt.nr = event->vector;
    }
    /* With IF clear the processor refuses STI's shadow. */
    if (state->interrupt_shadow)
        e->interrupt.shadow =
            state->rflags & X86_RFLAGS_IF ? KVM_X86_SHADOW_INT_STI : KVM_X86_SHADOW_INT_MOV_SS;
}

static void mp_from_kvm(struct x86_state *state, const union part_data *data)
{
    switch (data->mp.mp_state) {
    case KVM_MP_STATE_UNINITIALIZED:
    case KVM_MP_STATE_INIT_RECEIVED:
        state->activity = X86_WAIT_FOR_START;
        break;
    case KVM_MP_STATE_HALTED:
        state->activity = X86_HALTED;
        break;
    default:
        state->activity = X86_RUNNING;
    }
}

static void mp_to_kvm(union part_data *data, const struct x86_state *state)
{
    data->mp.mp_state = state->activity == X86_WAIT_FOR_START ? KVM_MP_STATE_INIT_RECEIVED
                        : state->activity == X86_HALTED       ? KVM_MP_STATE_HALTED
                                                              : KVM_MP_STATE_RUNNABLE;
}

/* The same registers and PAE's; struct kvm_sregs2 begins as kvm_sregs does. */
G_STATIC_ASSERT(offsetof(struct kvm_sregs2, flags) == offsetof(struct kvm_sregs, interrupt_bitmap));

static void sregs2_from_kvm(struct x86_state *state, const union part_data *data)
{
    sregs_from_kvm(state, data);
    state->has_pdpte = data->sregs2.flags & KVM_SREGS2_FLAGS_PDPTRS_VALID;
    for (unsigned i = 0; i < G_N_ELEMENTS(state->pdpte); i++)
        state->pdpte[i] = state->has_pdpte ? data->sregs2.pdptrs[i] : 0;
}

static void sregs2_to_kvm(union part_data *data, const struct x86_state *state)
{
    memset(&data->sregs2, 0, sizeof(data->sregs2));
    sregs_to_kvm(data, state);
    data->sregs2.flags = 0;
    if (!state->has_pdpte || !x86_state_is_pae(state))
        return;
    data->sregs2.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
    for (unsigned i = 0; i < G_N_ELEMENTS(state->pdpte); i++)
        data->sregs2.pdptrs[i] = state->pdpte[i];
}

/* In the order of writing: the APIC's mode, which SREGS has, comes before its registers. */
enum { PART_SREGS, PART_REGS, PART_XCRS, PART_XSAVE, PART_DEBUG, PART_LAPIC, PART_MP, PART_EVENTS };

static const struct part parts[] = {
    [PART_SREGS] = {KVM_GET_SREGS, KVM_SET_SREGS, sregs_from_kvm, sregs_to_kvm, false},
    [PART_REGS] = {KVM_GET_REGS, KVM_SET_REGS, regs_from_kvm, regs_to_kvm, false},
    [PART_XCRS] = {KVM_GET_XCRS, KVM_SET_XCRS, xcrs_from_kvm, xcrs_to_kvm, true},
    [PART_XSAVE] = {KVM_GET_XSAVE, KVM_SET_XSAVE, xsave_from_kvm, xsave_to_kvm, false},
    [PART_DEBUG] = {KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, debug_from_kvm, debug_to_kvm, true},
    [PART_LAPIC] = {KVM_GET_LAPIC, KVM_SET_LAPIC, lapic_from_kvm, lapic_to_kvm, false},
    [PART_MP] = {KVM_GET_MP_STATE, KVM_SET_MP_STATE, mp_from_kvm, mp_to_kvm, false},
    [PART_EVENTS] = {KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, events_from_kvm, events_to_kvm,
                     false},
};

static const struct part sregs2_part = {KVM_GET_SREGS2, KVM_SET_SREGS2, sregs2_from_kvm,
                                        sregs2_to_kvm, false};

static const struct part *part_of(const struct kvm_vcpu *vcpu, unsigned number)
{
    return number == PART_SREGS && vcpu->kvm->has_sregs2 ? &sregs2_part : &parts[number];
}

static bool get_part(struct kvm_vcpu *vcpu, unsigned number, struct x86_state *state)
{
    const struct part *part = part_of(vcpu, number);
    union part_data data;

    memset(&data, 0, sizeof(data));
    if (ioctl(vcpu->fd, part->get, &data) != 0 && !part->optional)
        return false;
    part->from_kvm(state, &data);
    return true;
}

static bool set_part(struct kvm_vcpu *vcpu, unsigned number, const struct x86_state *state)
{
    const struct part *part = part_of(vcpu, number);
    union part_data data;

    memset(&data, 0, sizeof(data));
    part->to_kvm(&data, state);
    return ioctl(vcpu->fd, part->set, &data) == 0 || part->optional;
}

bool kvm_vcpu_get_state(struct vcpu *base, struct x86_state *ret)
{
    struct kvm_vcpu *vcpu = kvm_of_vcpu(base);

    memset(ret, 0, sizeof(*ret));
    /* First: asking for it lets INITs and start-up IPIs take effect. */
    if (!get_part(vcpu, PART_MP, ret))
        return false;
    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (!get_part(vcpu, i, ret))
            return false;
    }
    kvm_msrs_get(vcpu, ret);
    return true;
}

/* The deadline needs the timer's mode and the TSC; shadows and events need all else in place. */
static bool load_state(struct kvm_vcpu *vcpu, const struct x86_state *state, bool with_tsc)
{
    bool ok = true;

    for (unsigned i = 0; i < PART_LAPIC; i++)
        ok &= set_part(vcpu, i, state);
    kvm_msrs_set(vcpu, state, with_tsc);
    for (unsigned i = PART_LAPIC; i < G_N_ELEMENTS(parts); i++)
        ok &= set_part(vcpu, i, state);
    kvm_msrs_set_deadline(vcpu, state);
    return ok;
}

bool kvm_vcpu_set_state(struct vcpu *base, const struct x86_state *state)
{
    return load_state(kvm_of_vcpu(base), state, true);
}

void kvm_vcpu_reset(struct vcpu *base)
{
    struct kvm_vcpu *vcpu = kvm_of_vcpu(base);

    /* Time goes on over a reset, as on real machines. */
    load_state(vcpu, vcpu->initial, false);
}

/* What the software CPU works on when it takes over for some instructions. */
static const unsigned lent_parts[] = {PART_SREGS, PART_REGS,  PART_XCRS,
                                      PART_XSAVE, PART_DEBUG, PART_EVENTS};

bool kvm_vcpu_lend_state(struct kvm_vcpu *vcpu, struct x86_state *ret)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(lent_parts); i++) {
        if (!get_part(vcpu, lent_parts[i], ret))
            return false;
    }
    kvm_msrs_lend(vcpu, ret);
    return true;
}

bool kvm_vcpu_take_back_state(struct kvm_vcpu *vcpu, const struct x86_state *before,
                              const struct x86_state *after)
{
    bool ok = true;

    for (unsigned i = 0; i < G_N_ELEMENTS(lent_parts); i++) {
        const struct part *part = part_of(vcpu, lent_parts[i]);
        union part_data old, new;

        memset(&old, 0, sizeof(old));
        memset(&new, 0, sizeof(new));
        part->to_kvm(&old, before);
        part->to_kvm(&new, after);
        if (lent_parts[i] == PART_EVENTS || memcmp(&old, &new, sizeof(new)) != 0)
            ok &= ioctl(vcpu->fd, part->set, &new) == 0 || part->optional;
    }
    kvm_msrs_take_back(vcpu, before, after);
    return ok;
}
