/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Emptying the TLB, for the guest's sake and for that of others who watch guest memory.
 *
 * Stores by the fast path tell nobody. So whenever an entry for writing goes, the page counts as
 * written since it came: it is marked in the dirty log once more, and translated code that another
 * vCPU has of it is called stale. Watchers hear of a page twice rather than never.
 */
#include <string.h>

#include "engine/cpu/soft/block.h"
#include "engine/cpu/soft/soft_internal.h"

static void empty_entry(struct soft_tlb_entry *table, unsigned index)
{
    /* No address of this page has the index, and it is not canonical. */
    table[index].page =
        (UINT64_C(1) << 62) | (uint64_t)((index + 1) % SOFT_TLB_SIZE) * SOFT_PAGE_SIZE;
}

static void empty_table(struct soft_tlb_entry *table)
{
    for (unsigned i = 0; i < SOFT_TLB_SIZE; i++)
        empty_entry(table, i);
}

static bool entry_is_used(const struct soft_tlb_entry *e, unsigned index)
{
    return soft_tlb_index(e->page) == index;
}

void soft_tlb_retire(struct soft_cpu *cpu, enum soft_privilege privilege, unsigned index)
{
    const struct soft_tlb_entry *e = &cpu->tlb.entries[privilege][SOFT_WRITE][index];
    struct soft_ram *ram = cpu->tlb.written[privilege][index];

    if (!entry_is_used(e, index))
        return;
    if (__atomic_load_n(&ram->logged, __ATOMIC_RELAXED))
        soft_ram_mark_dirty(ram, e->host);
    if (cpu->accel->accel.cpus > 1 &&
        __atomic_load_n(soft_ram_code(ram, e->host), __ATOMIC_RELAXED) != 0)
        soft_accel_page_news(cpu->accel, cpu, e->host, SOFT_PAGE_WRITTEN);
}

void soft_tlb_init(struct soft_cpu *cpu)
{
    for (unsigned privilege = 0; privilege < SOFT_PRIVILEGES; privilege++) {
        for (unsigned access = 0; access < SOFT_ACCESSES; access++)
            empty_table(cpu->tlb.entries[privilege][access]);
    }
}

void soft_tlb_flush(struct soft_cpu *cpu)
{
    for (unsigned privilege = 0; privilege < SOFT_PRIVILEGES; privilege++) {
        for (unsigned i = 0; i < SOFT_TLB_SIZE; i++)
            soft_tlb_retire(cpu, privilege, i);
    }
    soft_tlb_init(cpu);
    cpu->tlb.large_first = UINT64_MAX;
    cpu->tlb.large_last = 0;
    memset(cpu->jumps, 0, sizeof(cpu->jumps));
    cpu->link_from = NULL;
}

void soft_tlb_note_large(struct soft_cpu *cpu, uint64_t linear)
{
    cpu->tlb.large_first = MIN(cpu->tlb.large_first, linear & ~UINT64_C(0x3fffffff));
    cpu->tlb.large_last = MAX(cpu->tlb.large_last, linear | 0x3fffffff);
}

void soft_tlb_flush_page(struct soft_cpu *cpu, uint64_t linear)
{
    unsigned index = soft_tlb_index(linear);

    if (linear >= cpu->tlb.large_first && linear <= cpu->tlb.large_last) {
        soft_tlb_flush(cpu);
        return;
    }
    for (unsigned privilege = 0; privilege < SOFT_PRIVILEGES; privilege++) {
        soft_tlb_retire(cpu, privilege, index);
        for (unsigned access = 0; access < SOFT_ACCESSES; access++)
            empty_entry(cpu->tlb.entries[privilege][access], index);
    }
    memset(cpu->jumps[linear / SOFT_PAGE_SIZE % SOFT_JUMP_PAGES], 0, sizeof(cpu->jumps[0]));
    cpu->link_from = NULL;
}

bool soft_tlb_close_page(struct soft_cpu *cpu, const uint8_t *host_page)
{
    bool found = false;

    for (unsigned privilege = 0; privilege < SOFT_PRIVILEGES; privilege++) {
        struct soft_tlb_entry *table = cpu->tlb.entries[privilege][SOFT_WRITE];

        for (unsigned i = 0; i < SOFT_TLB_SIZE; i++) {
            if (table[i].host != host_page || !entry_is_used(&table[i], i))
                continue;
            if (__atomic_load_n(&cpu->tlb.written[privilege][i]->logged, __ATOMIC_RELAXED))
                soft_ram_mark_dirty(cpu->tlb.written[privilege][i], host_page);
            empty_entry(table, i);
            found = true;
        }
    }
    return found;
}

static void close_logged_pages(struct soft_cpu *cpu)
{
    for (unsigned privilege = 0; privilege < SOFT_PRIVILEGES; privilege++) {
        struct soft_tlb_entry *table = cpu->tlb.entries[privilege][SOFT_WRITE];

        for (unsigned i = 0; i < SOFT_TLB_SIZE; i++) {
            if (!entry_is_used(&table[i], i) || !cpu->tlb.written[privilege][i]->logged)
                continue;
            soft_tlb_retire(cpu, privilege, i);
            empty_entry(table, i);
        }
    }
}

static void take_page_news(struct soft_cpu *cpu)
{
    struct soft_page_queue *q = &cpu->page_queue;
    struct soft_page_item items[SOFT_PAGE_QUEUE];
    unsigned count;

    g_mutex_lock(&q->lock);
    count = q->count;
    memcpy(items, q->items, MIN(count, SOFT_PAGE_QUEUE) * sizeof(items[0]));
    q->count = 0;
    g_mutex_unlock(&q->lock);
    if (count > SOFT_PAGE_QUEUE) {
        soft_blocks_drop_all(cpu);
        soft_tlb_flush(cpu);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        if (items[i].news == SOFT_PAGE_WRITTEN)
            soft_blocks_drop_page(cpu, items[i].host_page);
        else if (soft_tlb_close_page(cpu, items[i].host_page))
            soft_accel_page_news(cpu->accel, cpu, items[i].host_page, SOFT_PAGE_WRITTEN);
    }
}

void soft_tlb_requests(struct soft_cpu *cpu, uint32_t requests)
{
    if (requests & SOFT_REQUEST_DIRTY)
        close_logged_pages(cpu);
    if (requests & SOFT_REQUEST_PAGES)
        take_page_news(cpu);
    if (requests & SOFT_REQUEST_MAP) {
        soft_map_unref(cpu->map);
        cpu->map = soft_maps_get(cpu->accel->maps);
        soft_tlb_flush(cpu);
    }
}
