/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How operations reach memory. Everything here may raise #GP, #SS, #PF or #AC, or leave the
 * operation to run it once more as a block of its own (device memory, code that is overwritten):
 * do it before any change of guest state.
 *
 * Loads and stores of up to 8 bytes inside a page are single accesses of the host.
 */
#ifndef ENGINE_CPU_SOFT_ACCESS_H
#define ENGINE_CPU_SOFT_ACCESS_H

#include <string.h>

#include "engine/cpu/soft/insn.h"

/* The offset within its segment of the memory operand. */
static inline uint64_t soft_effective(const struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return (cpu->gpr[insn->base] + (cpu->gpr[insn->index] << insn->scale) + insn->disp) &
           insn->address_mask;
}

/* RIP of the instruction itself, and of the one behind it (FIP, return addresses). */
uint64_t soft_insn_rip(const struct soft_cpu *cpu, const struct soft_insn *insn);
uint64_t soft_insn_next_rip(const struct soft_cpu *cpu, const struct soft_insn *insn);

/* Raises #GP(0) or #SS(0) if [offset, offset + size) may not be accessed through the segment. */
void soft_segment_fault_check(struct soft_cpu *cpu, unsigned segment, uint64_t offset,
                              unsigned size, enum soft_access access);

/* The linear address of size bytes at offset in a segment, checked. */
static inline uint64_t soft_linear_at(struct soft_cpu *cpu, unsigned segment, uint64_t offset,
                                      unsigned size, enum soft_access access)
{
    const struct soft_segment *s = &cpu->segment[segment];

    if (G_UNLIKELY(offset + size > (access == SOFT_WRITE ? s->write_end : s->read_end)))
        soft_segment_fault_check(cpu, segment, offset, size, access);
    if (cpu->mode & SOFT_MODE_CODE64)
        return segment >= X86_FS ? s->base + offset : offset;
    return (uint32_t)(s->base + offset);
}

/* The same for insn's memory operand. */
static inline uint64_t soft_linear(struct soft_cpu *cpu, const struct soft_insn *insn,
                                   unsigned size, enum soft_access access)
{
    return soft_linear_at(cpu, insn->segment, soft_effective(cpu, insn), size, access);
}

/* Accesses by linear address with the current privilege. */
uint64_t soft_load_slow(struct soft_cpu *cpu, uint64_t linear, unsigned size);
void soft_store_slow(struct soft_cpu *cpu, uint64_t linear, uint64_t value, unsigned size);
/* Any size up to 4096; a load or store that faults has moved nothing. */
void soft_load_bytes(struct soft_cpu *cpu, uint64_t linear, void *buffer, unsigned size);
void soft_store_bytes(struct soft_cpu *cpu, uint64_t linear, const void *buffer, unsigned size);
/* Raises what a store of size bytes would raise, and stores nothing. */
void soft_probe_store(struct soft_cpu *cpu, uint64_t linear, unsigned size);

#define SOFT_DEFINE_ACCESS(BITS)                                                                \
    static inline uint##BITS##_t soft_load##BITS(struct soft_cpu *cpu, uint64_t linear)         \
    {                                                                                           \
        const uint8_t *host = soft_tlb_find(cpu->tlb_read, linear, BITS / 8);                   \
        uint##BITS##_t value;                                                                   \
                                                                                                \
        if (G_UNLIKELY(host == NULL))                                                           \
            return soft_load_slow(cpu, linear, BITS / 8);                                       \
        memcpy(&value, host, BITS / 8);                                                         \
        return value;                                                                           \
    }                                                                                           \
                                                                                                \
    static inline void soft_store##BITS(struct soft_cpu *cpu, uint64_t linear,                  \
                                        uint##BITS##_t value)                                   \
    {                                                                                           \
        uint8_t *host = soft_tlb_find(cpu->tlb_write, linear, BITS / 8);                        \
                                                                                                \
        if (G_UNLIKELY(host == NULL))                                                           \
            soft_store_slow(cpu, linear, value, BITS / 8);                                      \
        else                                                                                    \
            memcpy(host, &value, BITS / 8);                                                     \
    }                                                                                           \
                                                                                                \
    /* insn's memory operand. */                                                                \
    static inline uint##BITS##_t soft_read_mem##BITS(struct soft_cpu *cpu,                      \
                                                     const struct soft_insn *insn)              \
    {                                                                                           \
        return soft_load##BITS(cpu, soft_linear(cpu, insn, BITS / 8, SOFT_READ));               \
    }                                                                                           \
                                                                                                \
    static inline void soft_write_mem##BITS(struct soft_cpu *cpu, const struct soft_insn *insn, \
                                            uint##BITS##_t value)                               \
    {                                                                                           \
        soft_store##BITS(cpu, soft_linear(cpu, insn, BITS / 8, SOFT_WRITE), value);             \
    }

SOFT_DEFINE_ACCESS(8)
SOFT_DEFINE_ACCESS(16)
SOFT_DEFINE_ACCESS(32)
SOFT_DEFINE_ACCESS(64)

/* insn's memory operand of any size, as bytes. */
static inline void soft_read_mem(struct soft_cpu *cpu, const struct soft_insn *insn, void *buffer,
                                 unsigned size)
{
    soft_load_bytes(cpu, soft_linear(cpu, insn, size, SOFT_READ), buffer, size);
}

static inline void soft_write_mem(struct soft_cpu *cpu, const struct soft_insn *insn,
                                  const void *buffer, unsigned size)
{
    soft_store_bytes(cpu, soft_linear(cpu, insn, size, SOFT_WRITE), buffer, size);
}

#endif
