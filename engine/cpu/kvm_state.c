/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of a vCPU: all of it as KVM's own structures for a reset, and as x86_state. */
#include "engine/cpu/kvm_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "core/error.h"

#define MSR_TSC 0x10

/* Byte counts: KVM_SET_XSAVE takes 4 KiB where KVM_GET_XSAVE gives as much. */
struct kvm_vcpu_snapshot {
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct kvm_xsave xsave;
    struct kvm_xcrs xcrs;
    struct kvm_debugregs debug;
    struct kvm_lapic_state lapic;
    struct kvm_vcpu_events events;
    struct kvm_mp_state mp;
    struct kvm_msrs *msrs;
};

/* Reads the MSRs that KVM lists, leaving out those it cannot read on this host. */
static struct kvm_msrs *read_msrs(struct kvm_vcpu *vcpu)
{
    const struct kvm_msr_list *list = vcpu->kvm->msr_list;
    struct kvm_msrs *all = g_malloc0(sizeof(*all) + list->nmsrs * sizeof(struct kvm_msr_entry));
    struct {
        struct kvm_msrs header;
        struct kvm_msr_entry entry;
    } one;

    for (unsigned i = 0; i < list->nmsrs; i++) {
        one.header = (struct kvm_msrs){.nmsrs = 1};
        one.entry = (struct kvm_msr_entry){.index = list->indices[i]};
        /* Time goes on over a reset, as on real machines. */
        if (list->indices[i] == MSR_TSC || ioctl(vcpu->fd, KVM_GET_MSRS, &one) != 1)
            continue;
        all->entries[all->nmsrs++] = one.entry;
    }
    return all;
}

static void write_msrs(struct kvm_vcpu *vcpu, const struct kvm_msrs *all)
{
    struct {
        struct kvm_msrs header;
        struct kvm_msr_entry entry;
    } one;

    /* One by one: KVM stops at the first that it refuses, such as a read-only one. */
    for (unsigned i = 0; i < all->nmsrs; i++) {
        one.header = (struct kvm_msrs){.nmsrs = 1};
        one.entry = all->entries[i];
        (void)ioctl(vcpu->fd, KVM_SET_MSRS, &one);
    }
}

/* The parts that one ioctl reads and another writes. XSAVE and XCRS may be absent. */
struct part {
    unsigned long get, set;
    size_t offset;
    bool optional;
};

static const struct part parts[] = {
    {KVM_GET_SREGS, KVM_SET_SREGS, offsetof(struct kvm_vcpu_snapshot, sregs), false},
    {KVM_GET_REGS, KVM_SET_REGS, offsetof(struct kvm_vcpu_snapshot, regs), false},
    {KVM_GET_XCRS, KVM_SET_XCRS, offsetof(struct kvm_vcpu_snapshot, xcrs), true},
    {KVM_GET_XSAVE, KVM_SET_XSAVE, offsetof(struct kvm_vcpu_snapshot, xsave), true},
    {KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, offsetof(struct kvm_vcpu_snapshot, debug), true},
    {KVM_GET_LAPIC, KVM_SET_LAPIC, offsetof(struct kvm_vcpu_snapshot, lapic), false},
    {KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, offsetof(struct kvm_vcpu_snapshot, events), false},
    {KVM_GET_MP_STATE, KVM_SET_MP_STATE, offsetof(struct kvm_vcpu_snapshot, mp), false},
};

struct kvm_vcpu_snapshot *kvm_vcpu_snapshot_take(struct kvm_vcpu *vcpu, GError **err)
{
    struct kvm_vcpu_snapshot *s = g_new0(struct kvm_vcpu_snapshot, 1);

    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (ioctl(vcpu->fd, parts[i].get, (char *)s + parts[i].offset) != 0 && !parts[i].optional) {
            vmdesk_error_from_errno(err, errno, NULL, "Reading the state of vCPU %u",
                                    vcpu->vcpu.index);
            kvm_vcpu_snapshot_free(s);
            return NULL;
        }
    }
    s->msrs = read_msrs(vcpu);
    return s;
}

void kvm_vcpu_snapshot_restore(struct kvm_vcpu *vcpu, const struct kvm_vcpu_snapshot *s)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++)
        (void)ioctl(vcpu->fd, parts[i].set, (const char *)s + parts[i].offset);
    write_msrs(vcpu, s->msrs);
}

void kvm_vcpu_snapshot_free(struct kvm_vcpu_snapshot *s)
{
    if (s == NULL)
        return;
    g_free(s->msrs);
    g_free(s);
}

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

static void segment_to_kvm(struct kvm_segment *k, const struct x86_segment *s)
{
    *k = (struct kvm_segment){
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

/* The segments of struct kvm_sregs in the order of x86_state. */
static struct kvm_segment *sregs_segment(struct kvm_sregs *s, unsigned number)
{
    struct kvm_segment *all[X86_SEGMENTS] = {&s->es, &s->cs, &s->ss, &s->ds, &s->fs, &s->gs};

    return all[number];
}

bool kvm_vcpu_get_state(struct vcpu *vcpu, struct x86_state *ret)
{
    int fd = kvm_of_vcpu(vcpu)->fd;
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    __u64 *gpr[16];

    if (ioctl(fd, KVM_GET_REGS, &regs) != 0 || ioctl(fd, KVM_GET_SREGS, &sregs) != 0)
        return false;
    regs_by_number(&regs, gpr);
    for (unsigned i = 0; i < 16; i++)
        ret->gpr[i] = *gpr[i];
    ret->rip = regs.rip;
    ret->rflags = regs.rflags;
    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        ret->segment[i] = segment_from_kvm(sregs_segment(&sregs, i));
    ret->tr = segment_from_kvm(&sregs.tr);
    ret->ldtr = segment_from_kvm(&sregs.ldt);
    ret->gdt = (struct x86_table){sregs.gdt.base, sregs.gdt.limit};
    ret->idt = (struct x86_table){sregs.idt.base, sregs.idt.limit};
    ret->cr0 = sregs.cr0;
    ret->cr2 = sregs.cr2;
    ret->cr3 = sregs.cr3;
    ret->cr4 = sregs.cr4;
    ret->cr8 = sregs.cr8;
    ret->efer = sregs.efer;
    return true;
}

bool kvm_vcpu_set_state(struct vcpu *vcpu, const struct x86_state *state)
{
    int fd = kvm_of_vcpu(vcpu)->fd;
    struct kvm_regs regs = {.rip = state->rip, .rflags = state->rflags};
    struct kvm_sregs sregs;
    __u64 *gpr[16];

    if (ioctl(fd, KVM_GET_SREGS, &sregs) != 0)
        return false;
    regs_by_number(&regs, gpr);
    for (unsigned i = 0; i < 16; i++)
        *gpr[i] = state->gpr[i];
    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        segment_to_kvm(sregs_segment(&sregs, i), &state->segment[i]);
    segment_to_kvm(&sregs.tr, &state->tr);
    segment_to_kvm(&sregs.ldt, &state->ldtr);
    sregs.gdt = (struct kvm_dtable){.base = state->gdt.base, .limit = state->gdt.limit};
    sregs.idt = (struct kvm_dtable){.base = state->idt.base, .limit = state->idt.limit};
    sregs.cr0 = state->cr0;
    sregs.cr2 = state->cr2;
    sregs.cr3 = state->cr3;
    sregs.cr4 = state->cr4;
    sregs.cr8 = state->cr8;
    sregs.efer = state->efer;
    return ioctl(fd, KVM_SET_SREGS, &sregs) == 0 && ioctl(fd, KVM_SET_REGS, &regs) == 0;
}
