/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of a software vCPU in neutral form. */
#ifndef ENGINE_CPU_SOFT_STATE_H
#define ENGINE_CPU_SOFT_STATE_H

#include "engine/cpu/soft/cpu.h"

/* All but what the local APIC holds: registers and events. The vCPU stands still. */
void soft_state_get(struct soft_cpu *cpu, struct x86_state *ret);
void soft_state_set(struct soft_cpu *cpu, const struct x86_state *state);

#endif
