/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Task switches. Intel SDM volume 3, chapter 7. */
#ifndef ENGINE_CPU_SOFT_TASK_H
#define ENGINE_CPU_SOFT_TASK_H

#include "engine/cpu/soft/stack.h"

/* What the link and NT flag of the tasks become. */
enum soft_task_kind { SOFT_TASK_JUMP, SOFT_TASK_CALL, SOFT_TASK_RETURN };

/* To the task of a TSS descriptor that the caller has found to be one; cpu->rip is where the old
 * task goes on. */
void soft_task_switch(struct soft_cpu *cpu, unsigned selector, struct soft_descriptor *tss,
                      enum soft_task_kind kind);
/* Through a task gate's selector, whose own checks are done. */
void soft_task_gate(struct soft_cpu *cpu, unsigned selector, enum soft_task_kind kind);
/* An interrupt or exception through a task gate. */
void soft_task_interrupt(struct soft_cpu *cpu, unsigned selector, bool has_error, uint32_t error);
/* IRET with NT set. */
void soft_task_return(struct soft_cpu *cpu);

#endif
