/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/soft_memory.h"

struct soft_memory *soft_memory_new(uint64_t base, uint64_t size)
{
    struct soft_memory *m = g_new0(struct soft_memory, 1);

    m->base = base;
    m->size = size;
    for (unsigned i = 0; i < SOFT_TLB_SIZE; i++)
        m->tlb[i].page = UINT64_MAX;
    for (uint64_t page = base; page < base + size; page += 2 * SOFT_PAGE_SIZE)
        m->tlb[soft_tlb_index(page)] = (struct soft_tlb_entry){page, (uint8_t *)page};
    m->cpu.tlb_read = m->cpu.tlb_write = m->tlb;
    m->cpu.mode = SOFT_MODE_CODE64 | SOFT_MODE_FLAT | SOFT_MODE_PROTECTED;
    m->cpu.cpl = 3;
    m->cpu.cr0 = CR0_PE | CR0_PG | CR0_NE | CR0_MP | CR0_ET;
    m->cpu.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
    m->cpu.xcr0 = XCR0_VALID;
    m->cpu.rflags = X86_FLAG_1 | X86_FLAG_IF;
    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        m->cpu.segment[i].read_end = m->cpu.segment[i].write_end = UINT64_MAX;
    soft_fpu_reset(&m->cpu.fpu);
    return m;
}

void soft_memory_free(struct soft_memory *m)
{
    g_free(m);
}

void soft_raise(struct soft_cpu *cpu, unsigned vector, uint32_t error)
{
    cpu->exception.vector = vector;
    cpu->exception.error = error;
    longjmp(cpu->unwind, 1);
}

void soft_leave(struct soft_cpu *cpu)
{
    longjmp(cpu->unwind, 2);
}

static uint8_t *find(struct soft_cpu *cpu, uint64_t linear, unsigned size)
{
    const struct soft_memory *m = (const struct soft_memory *)cpu;

    if (linear - m->base >= m->size || m->size - (linear - m->base) < size)
        soft_raise(cpu, X86_PF, 0);
    return (uint8_t *)linear;
}

uint64_t soft_load_slow(struct soft_cpu *cpu, uint64_t linear, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, find(cpu, linear, size), size);
    return value;
}

void soft_store_slow(struct soft_cpu *cpu, uint64_t linear, uint64_t value, unsigned size)
{
    memcpy(find(cpu, linear, size), &value, size);
}

void soft_load_bytes(struct soft_cpu *cpu, uint64_t linear, void *buffer, unsigned size)
{
    memcpy(buffer, find(cpu, linear, size), size);
}

void soft_store_bytes(struct soft_cpu *cpu, uint64_t linear, const void *buffer, unsigned size)
{
    memcpy(find(cpu, linear, size), buffer, size);
}

void soft_probe_store(struct soft_cpu *cpu, uint64_t linear, unsigned size)
{
    find(cpu, linear, size);
}

void soft_segment_fault_check(struct soft_cpu *cpu, unsigned segment, uint64_t offset,
                              unsigned size, enum soft_access access)
{
    soft_raise_gp0(cpu);
}

uint64_t soft_insn_rip(const struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return cpu->rip;
}

uint64_t soft_insn_next_rip(const struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return cpu->rip + insn->length;
}
