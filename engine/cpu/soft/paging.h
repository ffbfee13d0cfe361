/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page tables. Intel SDM volume 3, chapter 4. */
#ifndef ENGINE_CPU_SOFT_PAGING_H
#define ENGINE_CPU_SOFT_PAGING_H

#include "engine/cpu/soft/soft_internal.h"

struct soft_page {
    uint64_t physical; /* of the linear address */
    bool large;        /* part of a page larger than 4 KiB */
    bool global;       /* loads of CR3 leave it in the TLB */
};

/* Translates, setting accessed and dirty bits; raises #PF (and, in 64-bit mode for an address that
 * is not canonical, #GP). */
struct soft_page soft_page_walk(struct soft_cpu *cpu, uint64_t linear, enum soft_access access,
                                enum soft_privilege privilege);

/* The page-directory-pointer table at cr3 (SDM volume 3, 4.4.1). False: an entry of it has reserved
 * bits set, and what loads it is #GP(0). */
bool soft_pdpte_read(struct soft_cpu *cpu, uint64_t cr3, uint64_t ret[4]);
/* Loads the registers from it, if paging with these control registers is PAE paging; or #GP(0). */
void soft_pdpte_load(struct soft_cpu *cpu, uint64_t cr0, uint64_t cr3, uint64_t cr4);

#endif
