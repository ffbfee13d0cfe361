/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threaded handlers: each executes its instruction and calls the next one's handler as its last
 * act, which the compiler makes a jump. What ends a block goes on with the next block, unless the
 * vCPU has something to look at; then it returns to the dispatch loop.
 */
#ifndef ENGINE_CPU_SOFT_HANDLERS_H
#define ENGINE_CPU_SOFT_HANDLERS_H

#include "engine/cpu/soft/access.h"
#include "engine/cpu/soft/block.h"

/* How the address of a memory operand is computed. */
enum soft_address_kind {
    SOFT_ADDRESS_SEGMENT, /* in a segment that needs checks or has a base */
    SOFT_ADDRESS_FLAT,    /* as soft_effective() says */
    SOFT_ADDRESS_BASE,    /* base + disp of 64 bits, and no segment has a say */
    SOFT_ADDRESS_KINDS
};

/* Handlers by form, kind of address and log2 of the operand size. In RR, rm is the destination
 * whatever the encoding said. A one-operand instruction has the forms RI and MI. */
struct soft_forms {
    soft_op *rr[4], *ri[4];
    soft_op *rm[SOFT_ADDRESS_KINDS][4], *mr[SOFT_ADDRESS_KINDS][4], *mi[SOFT_ADDRESS_KINDS][4];
};

#define SOFT_NEXT return insn[1].handler(cpu, insn + 1)

/* Registers by number; 8-bit ones by the offset that the decoder gives. */
static inline uint8_t soft_get8(const struct soft_cpu *cpu, unsigned reg)
{
    return ((const uint8_t *)cpu->gpr)[reg];
}

static inline uint16_t soft_get16(const struct soft_cpu *cpu, unsigned reg)
{
    return cpu->gpr[reg];
}

static inline uint32_t soft_get32(const struct soft_cpu *cpu, unsigned reg)
{
    return cpu->gpr[reg];
}

static inline uint64_t soft_get64(const struct soft_cpu *cpu, unsigned reg)
{
    return cpu->gpr[reg];
}

static inline void soft_set8(struct soft_cpu *cpu, unsigned reg, uint8_t value)
{
    ((uint8_t *)cpu->gpr)[reg] = value;
}

static inline void soft_set16(struct soft_cpu *cpu, unsigned reg, uint16_t value)
{
    memcpy(&cpu->gpr[reg], &value, sizeof(value));
}

static inline void soft_set32(struct soft_cpu *cpu, unsigned reg, uint32_t value)
{
    cpu->gpr[reg] = value;
}

static inline void soft_set64(struct soft_cpu *cpu, unsigned reg, uint64_t value)
{
    cpu->gpr[reg] = value;
}

/* A register of 2, 4 or 8 bytes. */
static inline uint64_t soft_get_reg(const struct soft_cpu *cpu, unsigned reg, unsigned size)
{
    return size == 8   ? cpu->gpr[reg]
           : size == 4 ? (uint32_t)cpu->gpr[reg]
                       : (uint16_t)cpu->gpr[reg];
}

static inline void soft_set_reg(struct soft_cpu *cpu, unsigned reg, unsigned size, uint64_t value)
{
    if (size == 2)
        soft_set16(cpu, reg, value);
    else
        cpu->gpr[reg] = size == 8 ? value : (uint32_t)value;
}

/* The memory operand's linear address; SOFT_TLB_NOWHERE if the segment's check would fail. */
static inline uint64_t soft_form_linear(const struct soft_cpu *cpu, const struct soft_insn *insn,
                                        unsigned size, enum soft_access access,
                                        enum soft_address_kind kind)
{
    const struct soft_segment *s = &cpu->segment[insn->segment];
    uint64_t offset;

    if (kind == SOFT_ADDRESS_BASE)
        return cpu->gpr[insn->base] + insn->disp;
    offset = soft_effective(cpu, insn);
    if (kind == SOFT_ADDRESS_FLAT)
        return offset;
    if (cpu->mode & SOFT_MODE_CODE64)
        return insn->segment >= X86_FS ? s->base + offset : offset;
    if (offset + size > (access == SOFT_WRITE ? s->write_end : s->read_end))
        return SOFT_TLB_NOWHERE;
    return (uint32_t)(s->base + offset);
}

#endif
