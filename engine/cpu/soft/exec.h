/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The dispatch loop, as its callers and the operations see it. */
#ifndef ENGINE_CPU_SOFT_EXEC_H
#define ENGINE_CPU_SOFT_EXEC_H

#include "engine/cpu/soft/handlers.h"
#include "engine/cpu/soft/soft_internal.h"

/* Executes until SOFT_REQUEST_KICK or a triple fault. */
enum vcpu_stop soft_cpu_run(struct soft_cpu *cpu);

/* A step of it: the block at cpu->rip and those that are linked to it, until something asks for
 * attention or the way on is not known yet. */
void soft_cpu_run_block(struct soft_cpu *cpu);

/* No further block before the loop has looked at what changed: HLT, TF, a shadow. */
void soft_attention(struct soft_cpu *cpu);

/* Leaves the operation with what it has changed and comes back to the same instruction after a look
 * at requests and traps: a repeated string instruction between two items. */
void soft_restart(struct soft_cpu *cpu) G_GNUC_NORETURN;

/* INITs and start-up IPIs that wait take effect. */
void soft_cpu_take_start_signals(struct soft_cpu *cpu);

/* soft_vcpu.c: power-on state; INIT; a start-up IPI with its page number. */
void soft_cpu_reset(struct soft_cpu *cpu);
void soft_cpu_init_signal(struct soft_cpu *cpu);
void soft_cpu_start(struct soft_cpu *cpu, unsigned page);

#endif
