/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MSRs of a vCPU. */
#include <string.h>
#include <sys/ioctl.h>

#include "core/log.h"
#include "engine/cpu/kvm_internal.h"

#define MSR_TSC 0x10
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_SMBASE 0x9e /* there is no SMM here */
#define MSR_KERNEL_GS_BASE 0xc0000102u

#define BATCH_MAX 64

struct batch {
    struct kvm_msrs header;
    struct kvm_msr_entry entries[BATCH_MAX];
};

static bool get_one(struct kvm_vcpu *vcpu, uint32_t number, uint64_t *ret)
{
    struct batch b = {.header.nmsrs = 1, .entries[0].index = number};

    if (ioctl(vcpu->fd, KVM_GET_MSRS, &b) != 1)
        return false;
    *ret = b.entries[0].data;
    return true;
}

static void set_one(struct kvm_vcpu *vcpu, uint32_t number, uint64_t value)
{
    struct batch b = {.header.nmsrs = 1, .entries[0] = {.index = number, .data = value}};

    if (ioctl(vcpu->fd, KVM_SET_MSRS, &b) != 1)
        log_debug("kvm", "MSR %#x stays as it is", number);
}

static bool has_field(uint32_t number)
{
    for (unsigned i = 0; i < x86_msr_field_count; i++) {
        if (x86_msr_fields[i].number == number)
            return true;
    }
    return number == MSR_TSC || number == MSR_TSC_DEADLINE || number == MSR_SMBASE;
}

/* One by one: KVM stops at the first that it refuses, and which those are depends on the host. */
void kvm_msrs_get(struct kvm_vcpu *vcpu, struct x86_state *state)
{
    const struct kvm_msr_list *list = vcpu->kvm->msr_list;

    for (unsigned i = 0; i < x86_msr_field_count; i++)
        get_one(vcpu, x86_msr_fields[i].number, x86_msr_field(state, &x86_msr_fields[i]));
    get_one(vcpu, MSR_TSC, &state->tsc);
    get_one(vcpu, MSR_TSC_DEADLINE, &state->lapic.tsc_deadline);
    state->other_msrs = 0;
    for (unsigned i = 0; i < list->nmsrs && state->other_msrs < X86_OTHER_MSRS; i++) {
        struct x86_msr *msr = &state->other_msr[state->other_msrs];

        if (has_field(list->indices[i]) || !get_one(vcpu, list->indices[i], &msr->value))
            continue;
        msr->number = list->indices[i];
        state->other_msrs++;
    }
}

void kvm_msrs_set(struct kvm_vcpu *vcpu, const struct x86_state *state, bool with_tsc)
{
    struct x86_state *s = (struct x86_state *)state; /* for reading */

    if (with_tsc)
        set_one(vcpu, MSR_TSC, state->tsc);
    for (unsigned i = 0; i < x86_msr_field_count; i++)
        set_one(vcpu, x86_msr_fields[i].number, *x86_msr_field(s, &x86_msr_fields[i]));
    for (unsigned i = 0; i < state->other_msrs && i < X86_OTHER_MSRS; i++)
        set_one(vcpu, state->other_msr[i].number, state->other_msr[i].value);
}

void kvm_msrs_set_deadline(struct kvm_vcpu *vcpu, const struct x86_state *state)
{
    set_one(vcpu, MSR_TSC_DEADLINE, state->lapic.tsc_deadline);
}

/* Those that instructions other than RDMSR and WRMSR use. */
static bool is_lent(const struct x86_msr_field *f)
{
    return f->number >= 0xc0000081u || (f->number >= 0x174 && f->number <= 0x176);
}

void kvm_msrs_lend(struct kvm_vcpu *vcpu, struct x86_state *state)
{
    struct batch b = {0};
    uint64_t *field[BATCH_MAX];

    for (unsigned i = 0; i < x86_msr_field_count; i++) {
        if (!is_lent(&x86_msr_fields[i]))
            continue;
        field[b.header.nmsrs] = x86_msr_field(state, &x86_msr_fields[i]);
        b.entries[b.header.nmsrs++].index = x86_msr_fields[i].number;
    }
    /* The last is TSC_AUX, which not every host has. */
    if (ioctl(vcpu->fd, KVM_GET_MSRS, &b) < 0)
        return;
    for (unsigned i = 0; i < b.header.nmsrs; i++)
        *field[i] = b.entries[i].data;
}

void kvm_msrs_take_back(struct kvm_vcpu *vcpu, const struct x86_state *before,
                        const struct x86_state *after)
{
    if (after->kernel_gs_base != before->kernel_gs_base) /* SWAPGS */
        set_one(vcpu, MSR_KERNEL_GS_BASE, after->kernel_gs_base);
}
