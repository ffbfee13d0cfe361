/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/jumps.h"

#include <string.h>

#include "engine/cpu/soft/cpu.h"

static void forget_group(struct soft_jumps *jumps, unsigned user, unsigned group)
{
    memset(jumps->slots[user][group], 0, sizeof(jumps->slots[user][group]));
    for (unsigned mark = 0; mark < SOFT_JUMPS_MARKS; mark++)
        jumps->marks[user][mark] &= ~(UINT64_C(1) << group);
}

static void forget_marked(struct soft_jumps *jumps, unsigned user, enum soft_jumps_mark mark)
{
    for (uint64_t left = jumps->marks[user][mark]; left != 0; left &= left - 1)
        forget_group(jumps, user, __builtin_ctzll(left));
    if (jumps->marks[user][SOFT_JUMPS_LARGE] == 0) {
        jumps->large[user].first = UINT64_MAX;
        jumps->large[user].last = 0;
    }
}

void soft_jumps_forget(struct soft_cpu *cpu, enum soft_jumps_mark mark)
{
    forget_marked(&cpu->jumps, false, mark);
    forget_marked(&cpu->jumps, true, mark);
}

void soft_jumps_forget_page(struct soft_cpu *cpu, uint64_t linear)
{
    struct soft_jumps *jumps = &cpu->jumps;

    for (unsigned user = 0; user < 2; user++) {
        forget_group(jumps, user, linear / SOFT_PAGE_SIZE % SOFT_JUMP_PAGES);
        if (linear >= jumps->large[user].first && linear <= jumps->large[user].last)
            forget_marked(jumps, user, SOFT_JUMPS_LARGE);
    }
}

/* Whether the page that is executed from has a mark in the TLB. */
static bool page_has(const struct soft_cpu *cpu, uint64_t linear, enum soft_tlb_mark mark)
{
    enum soft_privilege privilege = cpu->cpl == 3 ? SOFT_USER : SOFT_SUPERVISOR;
    unsigned index = soft_tlb_index(linear);

    return cpu->tlb.marks[privilege][SOFT_EXECUTE][mark][index / 64] >> index % 64 & 1;
}

void soft_jumps_add(struct soft_cpu *cpu, struct soft_block *block)
{
    struct soft_jumps *jumps = &cpu->jumps;
    bool user = cpu->mode & SOFT_MODE_USER;
    uint64_t linear = cpu->segment[X86_CS].base + cpu->rip;
    uint64_t group = UINT64_C(1) << linear / SOFT_PAGE_SIZE % SOFT_JUMP_PAGES;

    *soft_jump_slot(jumps, user, linear) = (struct soft_jump){linear, block};
    jumps->marks[user][SOFT_JUMPS_USED] |= group;
    if (page_has(cpu, linear, SOFT_TLB_LOCAL))
        jumps->marks[user][SOFT_JUMPS_LOCAL] |= group;
    if (page_has(cpu, linear, SOFT_TLB_LARGE)) {
        uint64_t within = (UINT64_C(1) << 30) - 1;

        jumps->marks[user][SOFT_JUMPS_LARGE] |= group;
        jumps->large[user].first = MIN(jumps->large[user].first, linear & ~within);
        jumps->large[user].last = MAX(jumps->large[user].last, linear | within);
    }
}
