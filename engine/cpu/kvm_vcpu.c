/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running a vCPU: the KVM_RUN loop and what comes out of it. */
#include "engine/cpu/kvm_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/error.h"
#include "core/log.h"
#include "engine/cpu/soft/core.h"

#define MAX_INSTRUCTION 15

/* The signal has to interrupt KVM_RUN, and when a timer sent it, the software CPU. */
static void on_kick(int number, siginfo_t *info, void *context)
{
    if (info->si_code == SI_TIMER)
        soft_core_kick(info->si_value.sival_ptr);
}

static void install_kick_handler(void)
{
    struct sigaction action = {.sa_sigaction = on_kick, .sa_flags = SA_SIGINFO};

    sigemptyset(&action.sa_mask);
    sigaction(KVM_KICK_SIGNAL, &action, NULL);
}

/* A string instruction arrives as count items in the shared page. */
static void serve_pio(struct kvm_vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    struct board *board = vcpu->kvm->accel.board;

    for (unsigned i = 0; i < run->io.count; i++, data += run->io.size) {
        uint32_t value = 0;

        if (run->io.direction == KVM_EXIT_IO_OUT) {
            memcpy(&value, data, run->io.size);
            accel_pio_write(board, run->io.port, value, run->io.size);
        } else {
            value = accel_pio_read(board, run->io.port, run->io.size);
            memcpy(data, &value, run->io.size);
        }
    }
}

static void serve_mmio(struct kvm_vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;
    struct board *board = vcpu->kvm->accel.board;
    uint64_t value = 0;

    if (run->mmio.is_write) {
        memcpy(&value, run->mmio.data, run->mmio.len);
        accel_mmio_write(board, run->mmio.phys_addr, value, run->mmio.len);
    } else {
        value = accel_mmio_read(board, run->mmio.phys_addr, run->mmio.len);
        memcpy(run->mmio.data, &value, run->mmio.len);
    }
}

/* "at CS:RIP (linear address, mode)", for the sentence that explains a failure. */
static char *describe_place(struct kvm_vcpu *vcpu)
{
    struct x86_state state;

    if (!kvm_vcpu_get_state(&vcpu->vcpu, &state))
        return g_strdup("at an unknown address");
    return g_strdup_printf("at address 0x%" PRIx64 " (%04x:%" PRIx64 ", %s)",
                           state.segment[X86_CS].base + state.rip, state.segment[X86_CS].selector,
                           state.rip, x86_state_mode(&state));
}

/* KVM met an instruction that it has to emulate and cannot. */
static char *describe_emulation_failure(struct kvm_vcpu *vcpu)
{
    const struct kvm_run *run = vcpu->run;
    g_autofree char *place = describe_place(vcpu);
    g_autoptr(GString) bytes = g_string_new(NULL);

    if (run->emulation_failure.ndata >= 1 &&
        (run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES)) {
        unsigned size = MIN(run->emulation_failure.insn_size, MAX_INSTRUCTION);

        for (unsigned i = 0; i < size; i++)
            g_string_append_printf(bytes, " %02x", run->emulation_failure.insn_bytes[i]);
    }
    return g_strdup_printf("the host's KVM could not run this instruction:%s %s",
                           bytes->len > 0 ? bytes->str : " (bytes unknown)", place);
}

static char *describe_failure(struct kvm_vcpu *vcpu)
{
    const struct kvm_run *run = vcpu->run;
    g_autofree char *place = NULL;

    if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR &&
        run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION)
        return describe_emulation_failure(vcpu);
    place = describe_place(vcpu);
    if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
        return g_strdup_printf("the host's KVM failed inside (internal error %u) %s",
                               run->internal.suberror, place);
    if (run->exit_reason == KVM_EXIT_FAIL_ENTRY)
        return g_strdup_printf("the host's processor refused the vCPU's state (reason %#llx) %s",
                               run->fail_entry.hardware_entry_failure_reason, place);
    return g_strdup_printf("the host's KVM stopped for a reason unknown here (%u) %s",
                           run->exit_reason, place);
}

/* Completes the access that is open, and runs nothing. A kick meanwhile is not lost: it sets both,
 * kicked first. */
static void complete_access(struct kvm_vcpu *vcpu)
{
    __atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    (void)ioctl(vcpu->fd, KVM_RUN, NULL);
    __atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&vcpu->kicked, __ATOMIC_SEQ_CST))
        __atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
}

/* What KVM_RUN came back with. True: go on. */
static bool serve_exit(struct kvm_vcpu *vcpu, enum vcpu_stop *ret_stop, char **reason)
{
    enum kvm_handoff_end end;

    switch (vcpu->run->exit_reason) {
    case KVM_EXIT_IO:
        vcpu_count_exit(&vcpu->vcpu, VCPU_EXIT_PIO);
        serve_pio(vcpu);
        return true;
    case KVM_EXIT_MMIO:
        vcpu_count_exit(&vcpu->vcpu, VCPU_EXIT_MMIO);
        serve_mmio(vcpu);
        return true;
    case KVM_EXIT_HLT:
        vcpu_count_exit(&vcpu->vcpu, VCPU_EXIT_HALT);
        return true;
    case KVM_EXIT_INTR:
        vcpu_count_exit(&vcpu->vcpu, VCPU_EXIT_INTERRUPTED);
        return true;
    case KVM_EXIT_SHUTDOWN:
        vcpu_count_exit(&vcpu->vcpu, VCPU_EXIT_SHUTDOWN);
        *ret_stop = VCPU_TRIPLE_FAULT;
        return false;
    case KVM_EXIT_INTERNAL_ERROR:
        if (vcpu->run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION)
            break;
        end = kvm_handoff_failure(vcpu);
        if (end == KVM_HANDOFF_DONE)
            return true;
        *ret_stop = VCPU_TRIPLE_FAULT;
        if (end == KVM_HANDOFF_SHUTDOWN)
            return false;
    }
    vcpu_count_exit(&vcpu->vcpu, VCPU_EXIT_OTHER);
    *reason = describe_failure(vcpu);
    *ret_stop = VCPU_FAILED;
    return false;
}

/* True: go on. */
static bool run_once(struct kvm_vcpu *vcpu, enum vcpu_stop *ret_stop, char **reason)
{
    if (ioctl(vcpu->fd, KVM_RUN, NULL) == 0)
        return serve_exit(vcpu, ret_stop, reason);
    if (errno != EINTR && errno != EAGAIN) {
        *reason = g_strdup_printf("KVM_RUN failed: %s", g_strerror(errno));
        *ret_stop = VCPU_FAILED;
        return false;
    }
    vcpu_count_exit(&vcpu->vcpu, VCPU_EXIT_INTERRUPTED);
    /* Whatever access was open is complete now: see KVM_RUN's immediate_exit. */
    *ret_stop = VCPU_KICKED;
    return !__atomic_load_n(&vcpu->run->immediate_exit, __ATOMIC_ACQUIRE);
}

static bool let_software_go_on(struct kvm_vcpu *vcpu, enum vcpu_stop *ret_stop, char **reason)
{
    enum kvm_handoff_end end;

    complete_access(vcpu);
    end = kvm_handoff_continue(vcpu);
    if (end == KVM_HANDOFF_DONE)
        return true;
    *ret_stop = end == KVM_HANDOFF_SHUTDOWN ? VCPU_TRIPLE_FAULT : VCPU_FAILED;
    if (end == KVM_HANDOFF_FAILED)
        *reason = g_strdup("the host's KVM did not accept the vCPU's state");
    return false;
}

static enum vcpu_stop run(struct vcpu *base, char **reason)
{
    struct kvm_vcpu *vcpu = kvm_of_vcpu(base);
    enum vcpu_stop stop = VCPU_KICKED;

    g_atomic_int_set(&vcpu->thread, gettid());
    while (run_once(vcpu, &stop, reason)) {
        if (kvm_handoff_keeps(vcpu) && !let_software_go_on(vcpu, &stop, reason))
            break;
    }
    kvm_handoff_pause(vcpu);
    return stop;
}

static void kick(struct vcpu *base)
{
    struct kvm_vcpu *vcpu = kvm_of_vcpu(base);
    pid_t thread;

    __atomic_store_n(&vcpu->kicked, true, __ATOMIC_SEQ_CST);
    __atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    kvm_handoff_kick(vcpu);
    thread = g_atomic_int_get(&vcpu->thread);
    if (thread != 0)
        syscall(SYS_tgkill, getpid(), thread, KVM_KICK_SIGNAL);
}

static void unkick(struct vcpu *base)
{
    struct kvm_vcpu *vcpu = kvm_of_vcpu(base);

    __atomic_store_n(&vcpu->kicked, false, __ATOMIC_SEQ_CST);
    __atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
}

static void free_vcpu(struct vcpu *base)
{
    struct kvm_vcpu *vcpu = kvm_of_vcpu(base);

    kvm_handoff_free(vcpu);
    g_free(vcpu->initial);
    if (vcpu->run != NULL)
        munmap(vcpu->run, vcpu->kvm->run_size);
    if (vcpu->fd >= 0)
        close(vcpu->fd);
    g_free(vcpu);
}

static const struct vcpu_ops kvm_vcpu_ops = {
    .run = run,
    .kick = kick,
    .unkick = unkick,
    .reset = kvm_vcpu_reset,
    .get_state = kvm_vcpu_get_state,
    .set_state = kvm_vcpu_set_state,
    .free = free_vcpu,
};

static bool open_vcpu(struct kvm_vcpu *vcpu, GError **err)
{
    struct kvm_accel *kvm = vcpu->kvm;
    void *run_page;

    vcpu->fd = ioctl(kvm->vm_fd, KVM_CREATE_VCPU, (unsigned long)vcpu->vcpu.index);
    if (vcpu->fd < 0)
        return vmdesk_error_from_errno(err, errno, "Give the machine fewer CPUs",
                                       "Creating vCPU %u", vcpu->vcpu.index);
    run_page = mmap(NULL, kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
    if (run_page == MAP_FAILED)
        return vmdesk_error_from_errno(err, errno, NULL, "Mapping vCPU %u", vcpu->vcpu.index);
    vcpu->run = run_page;
    return kvm_cpuid_apply(vcpu, kvm->accel.cpus, err);
}

static bool take_initial(struct kvm_vcpu *vcpu, GError **err)
{
    vcpu->initial = g_new0(struct x86_state, 1);
    if (!kvm_vcpu_get_state(&vcpu->vcpu, vcpu->initial))
        return vmdesk_error_from_errno(err, errno, NULL, "Reading the state of vCPU %u",
                                       vcpu->vcpu.index);
    return true;
}

struct vcpu *kvm_vcpu_new(struct accel *accel, unsigned index, GError **err)
{
    struct kvm_accel *kvm = kvm_of_accel(accel);
    struct kvm_vcpu *vcpu = g_new0(struct kvm_vcpu, 1);

    install_kick_handler();
    vcpu->vcpu = (struct vcpu){.ops = &kvm_vcpu_ops, .accel = accel, .index = index};
    vcpu->kvm = kvm;
    vcpu->fd = -1;
    if (!kvm_create_irqchip(kvm, err) || !open_vcpu(vcpu, err) || !take_initial(vcpu, err)) {
        free_vcpu(&vcpu->vcpu);
        return NULL;
    }
    return &vcpu->vcpu;
}
