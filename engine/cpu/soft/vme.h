/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual interrupt flag: VIF and VIP of RFLAGS in the place of IF where IOPL does not let a
 * program have that one. Intel SDM volume 3, 20.3 (virtual-8086 mode, CR4.VME) and 20.4 (protected
 * mode, CR4.PVI: CLI and STI only).
 */
#ifndef ENGINE_CPU_SOFT_VME_H
#define ENGINE_CPU_SOFT_VME_H

#include "engine/cpu/soft/stack.h"

static inline unsigned soft_iopl(const struct soft_cpu *cpu)
{
    return (cpu->rflags & X86_FLAG_IOPL) >> 12;
}

/* Of PUSHF, POPF and IRET, whether VIF stands in for IF. #GP(0) in virtual-8086 mode where neither
 * IOPL nor CR4.VME allows them: the latter only does with operands of 16 bits. */
static inline bool soft_vme_flags_are_virtual(struct soft_cpu *cpu, unsigned size)
{
    if (!(cpu->rflags & X86_FLAG_VM) || soft_iopl(cpu) == 3)
        return false;
    if (!(cpu->cr4 & CR4_VME) || size != 2)
        soft_raise_gp0(cpu);
    return true;
}

/* The flags that such a PUSHF sees. */
static inline uint64_t soft_vme_pushed_flags(const struct soft_cpu *cpu)
{
    uint64_t flags = (soft_rflags(cpu) & ~X86_FLAG_IF) | X86_FLAG_IOPL;

    return cpu->rflags & X86_FLAG_VIF ? flags | X86_FLAG_IF : flags;
}

/* What such a POPF or IRET may change. */
#define SOFT_VME_FLAGS \
    (X86_FLAGS_ARITHMETIC | X86_FLAG_TF | X86_FLAG_DF | X86_FLAG_NT | X86_FLAG_VIF)

/* The flags that such a POPF or IRET loads, from those on the stack; #GP(0) where the monitor has
 * to know: an interrupt waits for this, or a single step. */
static inline uint64_t soft_vme_popped_flags(struct soft_cpu *cpu, uint64_t flags)
{
    if (flags & X86_FLAG_TF || (flags & X86_FLAG_IF && cpu->rflags & X86_FLAG_VIP))
        soft_raise_gp0(cpu);
    flags &= ~X86_FLAG_VIF;
    return flags & X86_FLAG_IF ? flags | X86_FLAG_VIF : flags;
}

/* INT n: through the interrupt table of the 8086 program, if that is where the TSS directs it (then
 * true; cpu->rip is set). #GP(0) if it is the monitor's and IOPL is below 3. */
bool soft_vme_redirect(struct soft_cpu *cpu, unsigned vector);

#endif
