/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Model-specific registers. Intel SDM volume 4. */
#ifndef ENGINE_CPU_SOFT_MSR_H
#define ENGINE_CPU_SOFT_MSR_H

#include "engine/cpu/soft/soft_internal.h"

#define SOFT_TSC_HZ UINT64_C(1000000000) /* guest time in nanoseconds */

/* False: #GP(0). */
bool soft_msr_read(struct soft_cpu *cpu, uint32_t number, uint64_t *ret_value);
bool soft_msr_write(struct soft_cpu *cpu, uint32_t number, uint64_t value);
uint64_t soft_tsc(struct soft_cpu *cpu);

#endif
