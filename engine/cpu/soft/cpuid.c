/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/cpuid.h"

#include <string.h>

#include "engine/cpu/soft/core.h"
#include "engine/cpu/soft/lapic.h"
#include "engine/cpu/soft/msr.h"

#define BIT(n) (1u << (n))

/* Family 6, a model that no real processor has been. */
#define SIGNATURE 0x000006f1u

#define FEATURES_1_EDX                                                                             \
    (BIT(1) /* VME */ | BIT(2) /* DE */ | BIT(3) /* PSE */ | BIT(4) /* TSC */ | BIT(5) /* MSR */ | \
     BIT(6) /* PAE */ | BIT(8) /* CX8 */ | BIT(11) /* SEP */ | BIT(12) /* MTRR */ |                \
     BIT(13) /* PGE */ | BIT(15) /* CMOV */ | BIT(16) /* PAT */ | BIT(17) /* PSE-36 */)
#define FEATURE_1_EDX_APIC BIT(9)
#define FEATURE_1_EDX_HTT BIT(28)

#define FEATURES_1_ECX                                                                        \
    (BIT(13) /* CX16 */ | BIT(21) /* x2APIC */ | BIT(22) /* MOVBE */ | BIT(23) /* POPCNT */ | \
     BIT(24) /* TSC deadline */ | BIT(31) /* a hypervisor */)

#define FEATURE_1_ECX_OSXSAVE BIT(27)

#define FEATURES_7_EBX \
    (BIT(0) /* FSGSBASE */ | BIT(1) /* TSC adjust */ | BIT(7) /* SMEP */ | BIT(20) /* SMAP */)
#define FEATURES_7_ECX (BIT(2) /* UMIP */)
#define FEATURES_7_EDX (BIT(26) /* IBRS, IBPB */ | BIT(29) /* IA32_ARCH_CAPABILITIES */)
#define FEATURES_7_2_EDX (BIT(4) /* BHI_DIS_S */)

#define FEATURES_EXT_ECX (BIT(0) /* LAHF in 64-bit mode */)
#define FEATURES_EXT_EDX                                                                           \
    (BIT(11) /* SYSCALL */ | BIT(20) /* NX */ | BIT(26) /* 1 GiB pages */ | BIT(27) /* RDTSCP */ | \
     BIT(29) /* long mode */)

#define MAX_LEAF 0x16
#define MAX_EXTENDED_LEAF 0x80000008

static void set_text(uint32_t ret[4], const char *text)
{
    memcpy(ret, text, 16);
}

static unsigned bits_for(unsigned count)
{
    unsigned bits = 0;

    while ((1u << bits) < count)
        bits++;
    return bits;
}

/* One package of cores with one thread each. */
static void topology(struct soft_cpu *cpu, uint32_t subleaf, uint32_t ret[4])
{
    unsigned cpus = cpu->accel->accel.cpus;

    ret[2] = subleaf & 0xff;
    ret[3] = cpu->index;
    if (subleaf == 0) {
        ret[1] = 1;
        ret[2] |= 1 << 8;
    } else if (subleaf == 1) {
        ret[0] = bits_for(cpus);
        ret[1] = cpus;
        ret[2] |= 2 << 8;
    }
}

void soft_core_features(uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
    memset(ret, 0, 4 * sizeof(uint32_t));
    if (leaf == 0x1) {
        ret[2] = FEATURES_1_ECX | soft_fpu_cpuid_ecx();
        ret[3] = FEATURES_1_EDX | soft_fpu_cpuid_edx();
    } else if (leaf == 0x7 && subleaf == 0) {
        ret[1] = FEATURES_7_EBX;
        ret[2] = FEATURES_7_ECX;
        ret[3] = FEATURES_7_EDX;
    } else if (leaf == 0x7 && subleaf == 2) {
        ret[3] = FEATURES_7_2_EDX;
    } else if (leaf == 0xd) {
        soft_fpu_cpuid_xsave(subleaf, ret);
    } else if (leaf == 0x80000001) {
        ret[2] = FEATURES_EXT_ECX;
        ret[3] = FEATURES_EXT_EDX;
    }
}

static void identify(struct soft_cpu *cpu, uint32_t ret[4])
{
    unsigned cpus = cpu->accel->accel.cpus;

    ret[0] = SIGNATURE;
    ret[1] = cpu->index << 24 | cpus << 16 | 8 << 8; /* CLFLUSH in units of 8 bytes */
    if (cpu->cr4 & CR4_OSXSAVE)
        ret[2] |= FEATURE_1_ECX_OSXSAVE;
    if (soft_lapic_enabled(cpu->lapic))
        ret[3] |= FEATURE_1_EDX_APIC;
    if (cpus > 1)
        ret[3] |= FEATURE_1_EDX_HTT;
}

void soft_cpuid(struct soft_cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
    unsigned cpus = cpu->accel->accel.cpus;

    soft_core_features(leaf, subleaf, ret);
    if (leaf >= 0x40000000 && leaf < 0x80000000 && leaf != 0x40000000)
        return;
    /* An unknown leaf answers as the highest basic one. */
    if ((leaf < 0x40000000 && leaf > MAX_LEAF) || leaf > MAX_EXTENDED_LEAF)
        leaf = MAX_LEAF;
    switch (leaf) {
    case 0x0:
        ret[0] = MAX_LEAF;
        memcpy(&ret[1], "Genu", 4);
        memcpy(&ret[3], "ineI", 4);
        memcpy(&ret[2], "ntel", 4);
        break;
    case 0x1:
        identify(cpu, ret);
        break;
    case 0x7:
        if (subleaf == 0)
            ret[0] = 2; /* the last subleaf */
        break;
    case 0xb:
        topology(cpu, subleaf, ret);
        break;
    case 0x15: /* TSC = crystal of 1 GHz */
        ret[0] = ret[1] = 1;
        ret[2] = SOFT_TSC_HZ;
        break;
    case 0x16:
        ret[0] = ret[1] = SOFT_TSC_HZ / 1000000;
        ret[2] = 100;
        break;
    case 0x40000000:
        ret[0] = 0x40000000;
        memcpy(&ret[1], "vmdesk soft ", 12);
        break;
    case 0x80000000:
        ret[0] = MAX_EXTENDED_LEAF;
        break;
    case 0x80000002:
        set_text(ret, "vmdesk software ");
        break;
    case 0x80000003:
        set_text(ret, "processor\0\0\0\0\0\0");
        break;
    case 0x80000007:
        ret[3] = BIT(8); /* the TSC is invariant */
        break;
    case 0x80000008:
        ret[0] = SOFT_PHYSICAL_BITS | 48 << 8;
        ret[2] = (cpus - 1) | bits_for(cpus) << 12;
        break;
    }
}
