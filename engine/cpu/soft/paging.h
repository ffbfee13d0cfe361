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

#endif
