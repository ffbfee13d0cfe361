/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts and exceptions. Intel SDM volume 3, chapter 6. */
#ifndef ENGINE_CPU_SOFT_INTERRUPT_H
#define ENGINE_CPU_SOFT_INTERRUPT_H

#include "engine/cpu/soft/stack.h"

/* Delivers cpu->exception with the state as it is: a fault of the instruction at cpu->rip, a double
 * fault if it came out of another's delivery, or the end (SOFT_SHUTDOWN). */
void soft_interrupt_exception(struct soft_cpu *cpu);
/* An interrupt from outside, or an NMI. */
void soft_interrupt_external(struct soft_cpu *cpu, unsigned vector);
/* INT n, INT3 and INTO: cpu->rip is the next instruction. The gate's DPL counts. */
void soft_interrupt_software(struct soft_cpu *cpu, unsigned vector);
/* INT1: the same without that check. */
void soft_interrupt_icebp(struct soft_cpu *cpu);

#endif
