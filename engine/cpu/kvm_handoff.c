/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What KVM cannot execute, the software CPU does: KVM_RUN comes back with an emulation failure, the
 * vCPU's state goes to a core of the software CPU, and comes back after some instructions.
 *
 * How many? Where the processor runs the guest, failures are rare, and one instruction is wanted;
 * those that follow closely on each other (a loop that copies to a device by x87) double the number
 * each time. Where KVM interprets all of the guest, it is a hundred times slower than the software
 * CPU, which then keeps the vCPU and lends it to KVM at short intervals for its interrupts.
 *
 * Such a KVM, or one without nested paging, has shadows of page tables for code of 64-bit users,
 * which only its own stores keep right. So once there may be users it is one instruction at a time.
 */
#include "engine/cpu/kvm_internal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "engine/cpu/soft/core.h"

#define CLUSTER_US 1000 /* failures closer than this belong together */
#define CLUSTER_MAX 256 /* instructions */
#define SOFT_SLICE_NS 2000000
#define KVM_SLICE_NS 100000
#define HALTED_SLICE_NS 10000000 /* a sleeping vCPU is looked at so often */

#define EFER_SCE UINT64_C(1)
#define CR4_LA57 (UINT64_C(1) << 12)
#define VECTOR_UD 6

struct kvm_handoff {
    struct soft_core *core;
    struct x86_state before, state;
    bool keeps; /* the software CPU goes on after each of KVM's slices */
    unsigned instructions;
    gint64 last_us;
    timer_t timer;
    bool has_timer;
};

/* The devices that the kernel emulates. */
static bool has_port(uint16_t port)
{
    return (port & ~0x81) == 0x20 || (port & ~3) == 0x40 || port == 0x61 || (port & ~1) == 0x4d0;
}

static bool has_address(uint64_t gpa)
{
    return gpa >> 12 == 0xfec00 || gpa >> 12 == 0xfee00;
}

static const struct soft_owner owner = {has_port, has_address};

/* The memory as it is now goes to the new cores; kvm_memory.c passes on what changes. */
static struct soft_cores *cores_of(struct kvm_accel *kvm)
{
    struct memory_map *map = kvm->accel.board->memory;
    const struct memory_section *section;

    g_mutex_lock(&kvm->accel.board->lock);
    if (kvm->cores == NULL) {
        log_info("kvm", "the software CPU executes what KVM cannot");
        kvm->cores = soft_cores_new(kvm->accel.board, kvm->accel.cpus, &owner);
        kvm->cores_listener = soft_cores_listener(kvm->cores, &kvm->cores_opaque);
        for (size_t i = 0; (section = memory_map_section(map, i)) != NULL; i++) {
            if (section->region->host != NULL && (section->base | section->size) % 4096 == 0)
                kvm->cores_listener->add(kvm->cores_opaque, section);
        }
    }
    g_mutex_unlock(&kvm->accel.board->lock);
    return kvm->cores;
}

static void create_timer(struct kvm_handoff *h)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID,
                             .sigev_signo = KVM_KICK_SIGNAL,
                             .sigev_value.sival_ptr = h->core};

    event._sigev_un._tid = gettid();
    h->has_timer = timer_create(CLOCK_MONOTONIC, &event, &h->timer) == 0;
}

/* By the vCPU's own thread. */
static struct kvm_handoff *handoff_of(struct kvm_vcpu *vcpu)
{
    struct kvm_handoff *h = vcpu->handoff;
    g_autoptr(GError) error = NULL;

    if (h != NULL)
        return h;
    h = g_new0(struct kvm_handoff, 1);
    h->core = soft_core_new(cores_of(vcpu->kvm), &vcpu->vcpu, &error);
    if (h->core == NULL) {
        log_error("kvm", "%s", error->message);
        g_free(h);
        return NULL;
    }
    if (vcpu->kvm->interprets)
        create_timer(h);
    __atomic_store_n(&vcpu->handoff, h, __ATOMIC_RELEASE);
    return h;
}

void kvm_handoff_free(struct kvm_vcpu *vcpu)
{
    struct kvm_handoff *h = vcpu->handoff;

    if (h == NULL)
        return;
    if (h->has_timer)
        timer_delete(h->timer);
    soft_core_free(h->core);
    g_free(h);
    vcpu->handoff = NULL;
}

void kvm_handoff_kick(struct kvm_vcpu *vcpu)
{
    struct kvm_handoff *h = __atomic_load_n(&vcpu->handoff, __ATOMIC_ACQUIRE);

    if (h != NULL)
        soft_core_kick(h->core);
}

/* The first tick may come before what it is to interrupt has begun: there is another one. */
static void set_timer(struct kvm_handoff *h, long ns)
{
    struct itimerspec when = {.it_value.tv_nsec = ns, .it_interval.tv_nsec = ns};

    timer_settime(h->timer, 0, &when, NULL);
}

/* Users in 64-bit mode need a way into the kernel: SYSCALL, or a TSS with its stack. */
static bool may_have_users(const struct x86_state *state)
{
    return state->efer & X86_EFER_LMA && (state->efer & EFER_SCE || state->tr.selector != 0);
}

static void choose_instructions(struct kvm_vcpu *vcpu, struct kvm_handoff *h)
{
    bool close = g_get_monotonic_time() - h->last_us < CLUSTER_US;

    if (!close || (may_have_users(&h->state) && !vcpu->kvm->nested_paging))
        h->instructions = 1;
    else
        h->instructions = MIN(h->instructions * 2, CLUSTER_MAX);
}

/* UD0, UD1 and UD2 are meant to raise #UD. */
static bool is_meant_undefined(const struct kvm_run *run)
{
    const uint8_t *bytes = run->emulation_failure.insn_bytes;

    return run->emulation_failure.ndata >= 1 &&
           run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES &&
           run->emulation_failure.insn_size >= 2 && bytes[0] == 0x0f &&
           (bytes[1] == 0x0b || bytes[1] == 0xb9 || bytes[1] == 0xff);
}

static bool give_back(struct kvm_vcpu *vcpu, struct kvm_handoff *h)
{
    h->last_us = g_get_monotonic_time();
    return kvm_vcpu_take_back_state(vcpu, &h->before, &h->state);
}

/* Whoever runs it must be able to go on: users get what their processor would say. */
static enum kvm_handoff_end refuse(struct kvm_vcpu *vcpu, struct kvm_handoff *h)
{
    bool user = h->before.segment[X86_SS].attributes >> 5 & 3;

    if (!user && !is_meant_undefined(vcpu->run))
        return KVM_HANDOFF_FAILED;
    h->state = h->before;
    h->state.event = (struct x86_event){.kind = X86_EVENT_EXCEPTION, .vector = VECTOR_UD};
    return give_back(vcpu, h) ? KVM_HANDOFF_DONE : KVM_HANDOFF_FAILED;
}

/* From h->state on, until the slice ends or something is KVM's to do. */
static enum soft_core_end run_slice(struct kvm_vcpu *vcpu, struct kvm_handoff *h)
{
    enum soft_core_end end;

    set_timer(h, SOFT_SLICE_NS);
    /* A tick of KVM's slice is over; a kick of the vCPU is not, which sets kicked first. */
    soft_core_unkick(h->core);
    if (__atomic_load_n(&vcpu->kicked, __ATOMIC_SEQ_CST))
        return SOFT_CORE_RAN;
    end = soft_core_run(h->core, &h->state, 0);
    set_timer(h, KVM_SLICE_NS);
    return end;
}

enum kvm_handoff_end kvm_handoff_failure(struct kvm_vcpu *vcpu)
{
    struct kvm_handoff *h = handoff_of(vcpu);
    enum soft_core_end end;

    if (h == NULL || !kvm_vcpu_lend_state(vcpu, &h->state) || h->state.cr4 & CR4_LA57)
        return KVM_HANDOFF_FAILED;
    /* With the failure KVM may have queued an exception for the guest. */
    if (h->state.event.kind == X86_EVENT_EXCEPTION && h->state.event.vector == VECTOR_UD)
        h->state.event.kind = X86_NO_EVENT;
    h->before = h->state;
    choose_instructions(vcpu, h);
    h->keeps = h->has_timer && !may_have_users(&h->state);
    soft_core_unkick(h->core);
    end = soft_core_run(h->core, &h->state, 1);
    if (end == SOFT_CORE_LEFT || end == SOFT_CORE_UNKNOWN)
        return refuse(vcpu, h);
    if (end == SOFT_CORE_RAN && h->keeps)
        end = run_slice(vcpu, h);
    else if (end == SOFT_CORE_RAN && h->instructions > 1)
        end = soft_core_run(h->core, &h->state, h->instructions - 1);
    vcpu_count_exit(&vcpu->vcpu, VCPU_EXIT_HANDED_OFF);
    if (end == SOFT_CORE_SHUTDOWN)
        return KVM_HANDOFF_SHUTDOWN;
    return give_back(vcpu, h) ? KVM_HANDOFF_DONE : KVM_HANDOFF_FAILED;
}

/* Until its interrupt a halted vCPU is KVM's. */
static bool is_halted(struct kvm_vcpu *vcpu)
{
    struct kvm_mp_state mp;

    return ioctl(vcpu->fd, KVM_GET_MP_STATE, &mp) != 0 || mp.mp_state != KVM_MP_STATE_RUNNABLE;
}

bool kvm_handoff_keeps(const struct kvm_vcpu *vcpu)
{
    return vcpu->handoff != NULL && vcpu->handoff->keeps;
}

enum kvm_handoff_end kvm_handoff_continue(struct kvm_vcpu *vcpu)
{
    struct kvm_handoff *h = vcpu->handoff;

    if (is_halted(vcpu)) {
        set_timer(h, HALTED_SLICE_NS);
        return KVM_HANDOFF_DONE;
    }
    if (!kvm_vcpu_lend_state(vcpu, &h->state))
        return KVM_HANDOFF_FAILED;
    if (may_have_users(&h->state)) {
        h->keeps = false;
        set_timer(h, 0);
        return KVM_HANDOFF_DONE;
    }
    h->before = h->state;
    vcpu_count_exit(&vcpu->vcpu, VCPU_EXIT_HANDED_OFF);
    if (run_slice(vcpu, h) == SOFT_CORE_SHUTDOWN)
        return KVM_HANDOFF_SHUTDOWN;
    return give_back(vcpu, h) ? KVM_HANDOFF_DONE : KVM_HANDOFF_FAILED;
}

void kvm_handoff_pause(struct kvm_vcpu *vcpu)
{
    if (kvm_handoff_keeps(vcpu))
        set_timer(vcpu->handoff, 0);
}
