/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/vme.h"

#define TSS_IO_BITMAP 102 /* the offset of the I/O permission bitmap; redirection's ends there */
#define REDIRECTION_SIZE 32

/* Whether the bitmap leaves the vector to the 8086 program. */
static bool is_redirected(struct soft_cpu *cpu, unsigned vector)
{
    unsigned at;

    if (cpu->tr.limit < TSS_IO_BITMAP + 1)
        soft_raise_gp0(cpu);
    at = soft_load_system(cpu, cpu->tr.base + TSS_IO_BITMAP, 2) + vector / 8;
    if (at < REDIRECTION_SIZE || at - REDIRECTION_SIZE > cpu->tr.limit)
        soft_raise_gp0(cpu);
    return !(soft_load_system(cpu, cpu->tr.base + at - REDIRECTION_SIZE, 1) >> vector % 8 & 1);
}

static void enter_program(struct soft_cpu *cpu, unsigned vector)
{
    bool real = soft_iopl(cpu) == 3;
    struct soft_frame f = soft_frame_current(cpu);
    uint32_t far = soft_load_system(cpu, vector * 4, 4);

    soft_frame_push(cpu, &f, real ? soft_rflags(cpu) : soft_vme_pushed_flags(cpu), 2);
    soft_frame_push(cpu, &f, cpu->segment[X86_CS].selector, 2);
    soft_frame_push(cpu, &f, cpu->rip, 2);
    soft_frame_commit(cpu, &f);
    soft_set_segment_real(cpu, X86_CS, far >> 16);
    cpu->rip = far & 0xffff;
    cpu->trap_step = false;
    soft_set_rflags(cpu, 0, X86_FLAG_TF | (real ? X86_FLAG_IF : X86_FLAG_VIF));
}

bool soft_vme_redirect(struct soft_cpu *cpu, unsigned vector)
{
    if (!(cpu->rflags & X86_FLAG_VM))
        return false;
    if (cpu->cr4 & CR4_VME && is_redirected(cpu, vector)) {
        enter_program(cpu, vector);
        return true;
    }
    if (soft_iopl(cpu) != 3)
        soft_raise_gp0(cpu);
    return false;
}
