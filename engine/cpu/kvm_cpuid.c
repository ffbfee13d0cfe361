/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest's CPUID instruction says: what KVM supports, with a topology of our own. */
#include "engine/cpu/kvm_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "core/error.h"
#include "core/log.h"
#include "engine/cpu/soft/core.h"

#define MAX_ENTRIES 256
#define CPUID_1_EDX_HTT (1u << 28)

#define BIT(n) (1u << (n))

/* Features that are no instructions, or that KVM executes itself, as EAX, EBX, ECX, EDX. */
static const struct {
    uint32_t function, index, keep[4];
} limited[] = {
    {.function = 0x1,
     .keep = {UINT32_MAX, UINT32_MAX,
              BIT(15) /* PDCM */ | BIT(17) /* PCID */ | BIT(27) /* OSXSAVE */ |
                  BIT(30) /* RDRAND */,
              UINT32_MAX}},
    {.function = 0xd, .index = 1, .keep = {0, UINT32_MAX, UINT32_MAX, UINT32_MAX}},
    {.function = 0x80000001,
     .keep = {UINT32_MAX, UINT32_MAX, BIT(1) | BIT(4) | BIT(8) | BIT(9) | BIT(22),
              ~(BIT(30) | BIT(31)) /* 3DNow! */}},
};

static void limit(struct kvm_cpuid_entry2 *e)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(limited); i++) {
        uint32_t features[4];

        if (e->function != limited[i].function || e->index != limited[i].index)
            continue;
        soft_core_features(e->function, e->index, features);
        e->eax &= limited[i].keep[0] | features[0];
        e->ebx &= limited[i].keep[1] | features[1];
        e->ecx &= limited[i].keep[2] | features[2];
        e->edx &= limited[i].keep[3] | features[3];
    }
}

void kvm_cpuid_limit(struct kvm_cpuid2 *cpuid)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < cpuid->nent; i++) {
        struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

        /* Some KVMs answer with the processor's own bits where there is an entry, whatever it says;
         * this leaf has most of what must not be offered, and nothing that a guest needs. */
        if (e->function == 0x7)
            continue;
        limit(e);
        cpuid->entries[kept++] = *e;
    }
    cpuid->nent = kept;
}

bool kvm_cpuid_query(struct kvm_accel *kvm, GError **err)
{
    size_t size = sizeof(struct kvm_cpuid2) + MAX_ENTRIES * sizeof(struct kvm_cpuid_entry2);
    g_autofree char *reason = NULL;

    kvm->cpuid = g_malloc0(size);
    kvm->cpuid->nent = MAX_ENTRIES;
    if (ioctl(kvm->device_fd, KVM_GET_SUPPORTED_CPUID, kvm->cpuid) != 0)
        return vmdesk_error_from_errno(err, errno, NULL, "KVM_GET_SUPPORTED_CPUID");
    kvm->interprets = !kvm_is_native(&reason);
    log_info("kvm", "%s", reason);
    if (kvm->interprets)
        kvm_cpuid_limit(kvm->cpuid);
    return true;
}

/* The bits that hold numbers 0 to count - 1. */
static unsigned bits_for(unsigned count)
{
    unsigned bits = 0;

    while ((1u << bits) < count)
        bits++;
    return bits;
}

/* One package of `cpus` cores with one thread each (SDM volume 3, 9.9.1). */
static void set_topology(struct kvm_cpuid_entry2 *e, unsigned index, unsigned cpus)
{
    switch (e->function) {
    case 0x1:
        e->ebx = (e->ebx & 0xffff) | (cpus & 0xff) << 16 | index << 24;
        e->edx = cpus > 1 ? e->edx | CPUID_1_EDX_HTT : e->edx & ~CPUID_1_EDX_HTT;
        break;
    case 0x4: /* caches: bits 25-14 threads that share it less one, 31-26 cores less one */
        if ((e->eax & 0x1f) != 0)
            e->eax = (e->eax & 0x3fff) | (cpus - 1) << 26;
        break;
    case 0xb:
    case 0x1f:
        e->edx = index;
        e->ecx = e->index & 0xff;
        e->eax = e->ebx = 0;
        if (e->index == 0) { /* threads of a core */
            e->ebx = 1;
            e->ecx |= 1 << 8;
        } else if (e->index == 1) { /* cores of the package */
            e->eax = bits_for(cpus);
            e->ebx = cpus;
            e->ecx |= 2 << 8;
        }
        break;
    case 0x80000008: /* AMD: cores less one, size of the APIC id */
        e->ecx = (cpus - 1) | bits_for(cpus) << 12;
        break;
    }
}

bool kvm_cpuid_apply(struct kvm_vcpu *vcpu, unsigned cpus, GError **err)
{
    const struct kvm_cpuid2 *all = vcpu->kvm->cpuid;
    size_t size = sizeof(*all) + all->nent * sizeof(struct kvm_cpuid_entry2);
    g_autofree struct kvm_cpuid2 *mine = g_memdup2(all, size);

    for (unsigned i = 0; i < mine->nent; i++)
        set_topology(&mine->entries[i], vcpu->vcpu.index, cpus);
    if (ioctl(vcpu->fd, KVM_SET_CPUID2, mine) != 0)
        return vmdesk_error_from_errno(err, errno, NULL, "KVM_SET_CPUID2 of vCPU %u",
                                       vcpu->vcpu.index);
    return true;
}
