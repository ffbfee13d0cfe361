/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Debug registers. Intel SDM volume 3, chapter 17. */
#ifndef ENGINE_CPU_SOFT_DEBUG_H
#define ENGINE_CPU_SOFT_DEBUG_H

#include "engine/cpu/soft/soft_internal.h"

#define DR6_FIXED UINT64_C(0xffff0ff0)
#define DR6_BD (UINT64_C(1) << 13)
#define DR6_BS (UINT64_C(1) << 14)
#define DR6_BT (UINT64_C(1) << 15)
#define DR7_FIXED UINT64_C(0x400)
#define DR7_GD (UINT64_C(1) << 13)

/* Whether some breakpoint is on code. */
bool soft_debug_watches_code(const struct soft_cpu *cpu);
/* Whether some breakpoint is on data of this page. */
bool soft_debug_watches_page(const struct soft_cpu *cpu, uint64_t linear);
/* Before the instruction at cpu->rip: raises #DB if a breakpoint is there. */
void soft_debug_execute(struct soft_cpu *cpu);
/* Notes breakpoints that an access meets; they trap after the instruction. */
void soft_debug_access(struct soft_cpu *cpu, uint64_t linear, unsigned size,
                       enum soft_access access);
/* Raises #DB for what trap_step and trap_hits hold. */
void soft_debug_trap(struct soft_cpu *cpu);

#endif
