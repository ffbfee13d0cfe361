/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether this host's KVM lets the processor run a guest's ring 0 natively. Some interpret it, a
 * thousand times slower: then the software CPU serves a guest better.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/error.h"
#include "engine/cpu/kvm_internal.h"

/* Few enough that measuring costs an interpreting host some milliseconds, and a native one, where
 * the way into the guest and back takes longest, none. */
#define LOOPS 1000
#define INSTRUCTIONS (2 * LOOPS)
#define RUNS 5
#define NATIVE_MAX_US 200 /* as slow as 10 million instructions a second */
#define PAGE 4096

struct trial {
    int device, vm, vcpu;
    void *memory, *run;
    size_t run_size;
};

static void finish(struct trial *t)
{
    if (t->run != MAP_FAILED)
        munmap(t->run, t->run_size);
    if (t->memory != MAP_FAILED)
        munmap(t->memory, PAGE);
    if (t->vcpu >= 0)
        close(t->vcpu);
    if (t->vm >= 0)
        close(t->vm);
    if (t->device >= 0)
        close(t->device);
}

/* A VM of one page with a vCPU. */
static bool prepare(struct trial *t)
{
    static const uint8_t code[] = {
        0xb9, LOOPS & 0xff, LOOPS >> 8, /* mov cx, LOOPS */
        0x49,                           /* dec cx */
        0x75, 0xfd,                     /* jnz */
        0xf4,                           /* hlt */
    };
    struct kvm_userspace_memory_region slot = {.memory_size = PAGE};
    struct kvm_sregs sregs;

    t->device = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (t->device < 0 || (t->vm = ioctl(t->device, KVM_CREATE_VM, 0)) < 0)
        return false;
    t->memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (t->memory == MAP_FAILED)
        return false;
    memcpy(t->memory, code, sizeof(code));
    slot.userspace_addr = (uintptr_t)t->memory;
    (void)ioctl(t->vm, KVM_SET_TSS_ADDR, 0xfeffd000ul);
    t->run_size = ioctl(t->device, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (ioctl(t->vm, KVM_SET_USER_MEMORY_REGION, &slot) != 0 ||
        (t->vcpu = ioctl(t->vm, KVM_CREATE_VCPU, 0ul)) < 0)
        return false;
    t->run = mmap(NULL, t->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, t->vcpu, 0);
    if (t->run == MAP_FAILED || ioctl(t->vcpu, KVM_GET_SREGS, &sregs) != 0)
        return false;
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    return ioctl(t->vcpu, KVM_SET_SREGS, &sregs) == 0;
}

/* How long the loop takes; a negative value when it does not end as it should. */
static gint64 run_us(struct trial *t)
{
    struct kvm_regs regs = {.rflags = 2};
    gint64 start;
    int result;

    if (ioctl(t->vcpu, KVM_SET_REGS, &regs) != 0)
        return -1;
    start = g_get_monotonic_time();
    do
        result = ioctl(t->vcpu, KVM_RUN, NULL);
    while (result != 0 && errno == EINTR);
    if (result != 0 || ((struct kvm_run *)t->run)->exit_reason != KVM_EXIT_HLT)
        return -1;
    return g_get_monotonic_time() - start;
}

bool kvm_is_native(char **ret_reason)
{
    struct trial t = {.device = -1, .vm = -1, .vcpu = -1, .memory = MAP_FAILED, .run = MAP_FAILED};
    gint64 best = G_MAXINT64;
    bool ready = prepare(&t);
    int error = errno;

    for (unsigned i = 0; ready && best > NATIVE_MAX_US && i < RUNS; i++) {
        gint64 us = run_us(&t);

        ready = us >= 0;
        best = MIN(best, us);
    }
    finish(&t);
    if (!ready)
        *ret_reason = g_strdup_printf("this host's KVM cannot be used (%s)", g_strerror(error));
    else if (best > NATIVE_MAX_US)
        *ret_reason = g_strdup_printf("this host's KVM interprets guest code (%.1f MIPS measured)",
                                      INSTRUCTIONS / (double)best);
    else
        *ret_reason = g_strdup("this host's KVM runs guest code natively");
    return ready && best <= NATIVE_MAX_US;
}
