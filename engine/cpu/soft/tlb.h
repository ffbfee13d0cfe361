/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The software TLB: from pages of linear addresses to host memory, one table for each kind of
 * access and privilege. An entry exists only where the access needs nothing further: the page is
 * RAM, permissions hold, accessed and dirty bits are set, and for writing, the page holds no
 * translated code and is already marked in the dirty log. Everything else takes the slow path.
 */
#ifndef ENGINE_CPU_SOFT_TLB_H
#define ENGINE_CPU_SOFT_TLB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct soft_ram;

#define SOFT_PAGE_SIZE 4096
#define SOFT_PAGE_MASK (~(uint64_t)(SOFT_PAGE_SIZE - 1))
#define SOFT_TLB_SIZE 1024

enum soft_access { SOFT_READ, SOFT_WRITE, SOFT_EXECUTE, SOFT_ACCESSES };

/* Who accesses: pages of users are closed to supervisors under SMAP unless RFLAGS.AC is set. */
enum soft_privilege { SOFT_SUPERVISOR, SOFT_SUPERVISOR_AC, SOFT_USER, SOFT_PRIVILEGES };

struct soft_tlb_entry {
    uint64_t page; /* linear address; for an empty entry, one that never indexes it */
    uint8_t *host;
};

/* What is known of an entry; each is a bit of a set, so that emptying a part of the table costs
 * what that part holds. */
enum soft_tlb_mark {
    SOFT_TLB_USED,
    SOFT_TLB_LOCAL, /* not of a global page: it goes with the address space */
    SOFT_TLB_LARGE, /* of a page larger than 4 KiB, which may have other entries */
    SOFT_TLB_MARKS
};

struct soft_tlb {
    struct soft_tlb_entry entries[SOFT_PRIVILEGES][SOFT_ACCESSES][SOFT_TLB_SIZE];
    uint64_t marks[SOFT_PRIVILEGES][SOFT_ACCESSES][SOFT_TLB_MARKS][SOFT_TLB_SIZE / 64];
    struct soft_ram *written[SOFT_PRIVILEGES][SOFT_TLB_SIZE]; /* of the entries for writing */
};

static inline unsigned soft_tlb_index(uint64_t linear)
{
    return linear / SOFT_PAGE_SIZE % SOFT_TLB_SIZE;
}

/* An address that is never in the table: it is not canonical. */
#define SOFT_TLB_NOWHERE (UINT64_C(1) << 62)

/* Whether [linear, linear + size) is in one page and that in the table; then, where. */
static inline bool soft_tlb_hit(const struct soft_tlb_entry *table, uint64_t linear, unsigned size,
                                uint8_t **ret_host)
{
    const struct soft_tlb_entry *e = &table[soft_tlb_index(linear)];
    uint64_t within = linear - e->page;

    *ret_host = (uint8_t *)((uintptr_t)e->host + within); /* no pointer unless it is a hit */
    return __builtin_expect(within <= SOFT_PAGE_SIZE - size, 1);
}

/* The same with NULL for "no". */
static inline uint8_t *soft_tlb_find(const struct soft_tlb_entry *table, uint64_t linear,
                                     unsigned size)
{
    uint8_t *host;

    return soft_tlb_hit(table, linear, size, &host) ? host : NULL;
}

#endif
