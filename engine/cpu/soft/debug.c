/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/debug.h"

enum { WATCH_EXECUTE = 0, WATCH_WRITE = 1, WATCH_IO = 2, WATCH_ACCESS = 3 };

static bool enabled(const struct soft_cpu *cpu, unsigned i)
{
    return cpu->dr[7] >> i * 2 & 3;
}

static unsigned kind(const struct soft_cpu *cpu, unsigned i)
{
    return cpu->dr[7] >> (16 + i * 4) & 3;
}

static unsigned length(const struct soft_cpu *cpu, unsigned i)
{
    static const uint8_t lengths[4] = {1, 2, 8, 4};

    return lengths[cpu->dr[7] >> (18 + i * 4) & 3];
}

bool soft_debug_watches_code(const struct soft_cpu *cpu)
{
    if (G_LIKELY((cpu->dr[7] & 0xff) == 0))
        return false;
    for (unsigned i = 0; i < 4; i++) {
        if (enabled(cpu, i) && kind(cpu, i) == WATCH_EXECUTE)
            return true;
    }
    return false;
}

bool soft_debug_watches_page(const struct soft_cpu *cpu, uint64_t linear)
{
    if (G_LIKELY((cpu->dr[7] & 0xff) == 0))
        return false;
    for (unsigned i = 0; i < 4; i++) {
        if (enabled(cpu, i) && kind(cpu, i) != WATCH_EXECUTE &&
            (cpu->dr[i] ^ linear) < SOFT_PAGE_SIZE)
            return true;
    }
    return false;
}

void soft_debug_execute(struct soft_cpu *cpu)
{
    uint64_t linear = cpu->segment[X86_CS].base + cpu->rip, hits = 0;

    if ((cpu->dr[7] & 0xff) == 0 || cpu->rflags & X86_FLAG_RF)
        return;
    for (unsigned i = 0; i < 4; i++) {
        if (enabled(cpu, i) && kind(cpu, i) == WATCH_EXECUTE && cpu->dr[i] == linear)
            hits |= 1 << i;
    }
    if (hits == 0)
        return;
    cpu->dr[6] = (cpu->dr[6] & ~UINT64_C(0xf)) | hits;
    soft_raise(cpu, X86_DB, 0);
}

void soft_debug_access(struct soft_cpu *cpu, uint64_t linear, unsigned size,
                       enum soft_access access)
{
    unsigned hits = 0;

    if (G_LIKELY((cpu->dr[7] & 0xff) == 0))
        return;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t start = cpu->dr[i] & ~(uint64_t)(length(cpu, i) - 1);

        if (enabled(cpu, i) &&
            (kind(cpu, i) == WATCH_ACCESS ||
             (kind(cpu, i) == WATCH_WRITE && access == SOFT_WRITE)) &&
            linear < start + length(cpu, i) && start < linear + size)
            hits |= 1 << i;
    }
    if (hits != 0)
        soft_need_single(cpu);
    cpu->trap_hits |= hits;
}

void soft_debug_trap(struct soft_cpu *cpu)
{
    cpu->dr[6] = (cpu->dr[6] & ~UINT64_C(0xf)) | cpu->trap_hits;
    if (cpu->trap_step)
        cpu->dr[6] |= DR6_BS;
    cpu->trap_step = false;
    cpu->trap_hits = 0;
    soft_raise(cpu, X86_DB, 0);
}
