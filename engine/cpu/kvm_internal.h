/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the parts of the KVM accelerator. */
#ifndef ENGINE_CPU_KVM_INTERNAL_H
#define ENGINE_CPU_KVM_INTERNAL_H

#include <linux/kvm.h>

#include "engine/cpu/kvm.h"

/* A memory slot in use, or free for the next section (size 0). */
struct kvm_slot {
    uint64_t base, size;
};

/* Interrupts KVM_RUN; from a timer, with the struct soft_core to kick. */
#define KVM_KICK_SIGNAL SIGUSR1

struct kvm_handoff;
struct memory_listener;
struct soft_cores;

struct kvm_accel {
    struct accel accel;
    int device_fd, vm_fd;
    unsigned run_size; /* bytes of struct kvm_run and what follows */
    GArray *slots;     /* struct kvm_slot; the board's lock */
    unsigned max_slots;
    struct kvm_cpuid2 *cpuid;
    struct kvm_msr_list *msr_list;
    bool has_sregs2; /* KVM_GET_SREGS2: PAE's registers too */
    bool has_irqchip;
    struct kvm_irqchip irqchip[3]; /* as they were when new */
    struct kvm_pit_state2 pit;
    uint32_t gsi_levels;         /* as the devices set them; atomic */
    struct kvm_clock_data clock; /* guest-visible time at the last pause */
    bool clock_taken;
    /* For what KVM cannot execute; NULL before the first such instruction. The board's lock. */
    struct soft_cores *cores;
    const struct memory_listener *cores_listener;
    void *cores_opaque;
    bool interprets;    /* KVM does not run guests natively */
    bool nested_paging; /* it has no page tables of its own for them */
};

struct kvm_vcpu {
    struct vcpu vcpu;
    struct kvm_accel *kvm;
    int fd;
    struct kvm_run *run;
    gint thread;                 /* the one that runs it, 0: none; atomic */
    bool kicked;                 /* atomic; run->immediate_exit may be set for other reasons */
    struct kvm_handoff *handoff; /* NULL: never needed yet; atomic */
    struct x86_state *initial;   /* as it was when new: loading it is a reset */
};

/* The parent object of an embedded one. */
static inline struct kvm_accel *kvm_of_accel(struct accel *accel)
{
    return (struct kvm_accel *)accel;
}

static inline struct kvm_vcpu *kvm_of_vcpu(struct vcpu *vcpu)
{
    return (struct kvm_vcpu *)vcpu;
}

/* kvm.c */
/* Interrupt controllers and timer; once made, no effect. Before the first vCPU, but after the
 * board's memory: once they exist, the kernel takes milliseconds for the next memory slot. */
bool kvm_create_irqchip(struct kvm_accel *kvm, GError **err);

/* kvm_irqchip.c */
bool kvm_irqchip_get_state(struct accel *accel, struct irqchip_state *ret_state);
bool kvm_irqchip_set_state(struct accel *accel, const struct irqchip_state *state);

/* kvm_memory.c */
extern const struct memory_listener kvm_memory_listener; /* opaque: struct kvm_accel */

/* kvm_vcpu.c */
struct vcpu *kvm_vcpu_new(struct accel *accel, unsigned index, GError **err);

/* kvm_cpuid.c */
bool kvm_cpuid_query(struct kvm_accel *kvm, GError **err);
/* Leaves the features that KVM or the software CPU executes: for a KVM that interprets, and so fails
 * at the instructions of others. */
void kvm_cpuid_limit(struct kvm_cpuid2 *cpuid);
bool kvm_cpuid_apply(struct kvm_vcpu *vcpu, unsigned cpus, GError **err);

/* kvm_state.c */
bool kvm_vcpu_get_state(struct vcpu *vcpu, struct x86_state *ret_state);
bool kvm_vcpu_set_state(struct vcpu *vcpu, const struct x86_state *state);
void kvm_vcpu_reset(struct vcpu *vcpu);
/* What the software CPU needs for some instructions, and what they changed of it: all but local
 * APIC, activity and the MSRs that only RDMSR and WRMSR reach. */
bool kvm_vcpu_lend_state(struct kvm_vcpu *vcpu, struct x86_state *ret_state);
bool kvm_vcpu_take_back_state(struct kvm_vcpu *vcpu, const struct x86_state *before,
                              const struct x86_state *after);

/* kvm_handoff.c. On the vCPU's thread, but for the kick. */
enum kvm_handoff_end {
    KVM_HANDOFF_DONE,     /* KVM_RUN goes on */
    KVM_HANDOFF_SHUTDOWN, /* a triple fault */
    KVM_HANDOFF_FAILED,   /* nobody can execute it; the state is as it was */
};
/* KVM_RUN came back with an emulation failure. */
enum kvm_handoff_end kvm_handoff_failure(struct kvm_vcpu *vcpu);
/* Whether the vCPU goes to the software CPU after each of KVM's exits, and that. */
bool kvm_handoff_keeps(const struct kvm_vcpu *vcpu);
enum kvm_handoff_end kvm_handoff_continue(struct kvm_vcpu *vcpu);
void kvm_handoff_pause(struct kvm_vcpu *vcpu); /* the vCPU is about to stand still */
void kvm_handoff_kick(struct kvm_vcpu *vcpu);  /* any thread */
void kvm_handoff_free(struct kvm_vcpu *vcpu);

/* kvm_msrs.c. Those that KVM refuses stay as they are. */
void kvm_msrs_get(struct kvm_vcpu *vcpu, struct x86_state *state);
void kvm_msrs_set(struct kvm_vcpu *vcpu, const struct x86_state *state, bool with_tsc);
void kvm_msrs_set_deadline(struct kvm_vcpu *vcpu, const struct x86_state *state);
void kvm_msrs_lend(struct kvm_vcpu *vcpu, struct x86_state *state);
void kvm_msrs_take_back(struct kvm_vcpu *vcpu, const struct x86_state *before,
                        const struct x86_state *after);

#endif
