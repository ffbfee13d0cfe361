/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What operations of the software CPU call, without paging or segments: a window of memory at the
 * linear address that it has in this process, and #PF everywhere else. soft_raise() fills in
 * cpu->exception and jumps to cpu->unwind.
 */
#ifndef TESTS_FAKES_SOFT_MEMORY_H
#define TESTS_FAKES_SOFT_MEMORY_H

#include "engine/cpu/soft/access.h"

struct soft_memory {
    struct soft_cpu cpu; /* first: the functions get here from it */
    struct soft_tlb_entry tlb[SOFT_TLB_SIZE];
    uint64_t base, size;
};

/* A flat 64-bit mode with everything enabled. Half of the window's pages are in the TLB. */
struct soft_memory *soft_memory_new(uint64_t base, uint64_t size);
void soft_memory_free(struct soft_memory *memory); /* NULL is fine */

#endif
