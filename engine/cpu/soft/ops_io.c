/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/exec.h"
#include "engine/cpu/soft/io.h"
#include "engine/cpu/soft/segment.h"

#define TSS_IO_MAP_BASE 102

void soft_io_check(struct soft_cpu *cpu, uint16_t port, unsigned size)
{
    unsigned iopl = (cpu->rflags & X86_FLAG_IOPL) >> 12, at, bits;

    if (!(cpu->cr0 & CR0_PE) || (cpu->cpl <= iopl && !(cpu->rflags & X86_FLAG_VM)))
        return;
    if (!(cpu->tr.attributes & 8) || cpu->tr.limit < TSS_IO_MAP_BASE + 1)
        soft_raise_gp0(cpu);
    at = soft_load_system(cpu, cpu->tr.base + TSS_IO_MAP_BASE, 2) + port / 8;
    if (at + 1 > cpu->tr.limit)
        soft_raise_gp0(cpu);
    bits = soft_load_system(cpu, cpu->tr.base + at, 2);
    if (bits >> port % 8 & ((1u << size) - 1))
        soft_raise_gp0(cpu);
}

/* What the device answered may have changed more than the register that gets it. */
uint32_t soft_io_read(struct soft_cpu *cpu, uint16_t port, unsigned size)
{
    if (cpu->lent && cpu->accel->owner->has_port(port))
        soft_leave(cpu);
    soft_count_exit(cpu, VCPU_EXIT_PIO);
    return accel_pio_read(cpu->accel->accel.board, port, size);
}

void soft_io_write(struct soft_cpu *cpu, uint16_t port, uint32_t value, unsigned size)
{
    if (cpu->lent && cpu->accel->owner->has_port(port))
        soft_leave(cpu);
    soft_count_exit(cpu, VCPU_EXIT_PIO);
    accel_pio_write(cpu->accel->accel.board, port, value, size);
}

static unsigned port_size(const struct soft_insn *insn)
{
    return MIN(insn->size, 4);
}

static void in_port(struct soft_cpu *cpu, const struct soft_insn *insn, uint16_t port)
{
    unsigned size = port_size(insn);
    uint32_t value;

    soft_io_check(cpu, port, size);
    value = soft_io_read(cpu, port, size);
    if (size == 1)
        soft_set8(cpu, 0, value);
    else
        soft_set_reg(cpu, X86_RAX, size, value);
}

static void out_port(struct soft_cpu *cpu, const struct soft_insn *insn, uint16_t port)
{
    unsigned size = port_size(insn);

    soft_io_check(cpu, port, size);
    soft_io_write(cpu, port, cpu->gpr[X86_RAX], size);
}

SOFT_OPERATION(in)
{
    in_port(cpu, insn, cpu->gpr[X86_RDX]);
}

SOFT_OPERATION(in_imm)
{
    in_port(cpu, insn, (uint8_t)insn->imm);
}

SOFT_OPERATION(out)
{
    out_port(cpu, insn, cpu->gpr[X86_RDX]);
}

SOFT_OPERATION(out_imm)
{
    out_port(cpu, insn, (uint8_t)insn->imm);
}
