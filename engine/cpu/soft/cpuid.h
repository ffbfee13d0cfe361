/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the processor says about itself: just what is implemented. */
#ifndef ENGINE_CPU_SOFT_CPUID_H
#define ENGINE_CPU_SOFT_CPUID_H

#include "engine/cpu/soft/soft_internal.h"

/* ret: EAX, EBX, ECX, EDX. */
void soft_cpuid(struct soft_cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t ret[4]);

#endif
