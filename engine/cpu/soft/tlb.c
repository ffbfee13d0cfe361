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
        SOFT_TLB_NOWHERE | (uint64_t)((index + 1) % SOFT_TLB_SIZE) * SOFT_PAGE_SIZE;
}

static bool entry_is_used(const struct soft_cpu *cpu, enum soft_privilege privilege,
                          enum soft_access access, unsigned index)
{
    return cpu->tlb.marks[privilege][access][SOFT_TLB_USED][index / 64] >> index % 64 & 1;
}

/* The entry for writing goes: what it may have been used for is told to those who watch the page.
 */
static void retire(struct soft_cpu *cpu, enum soft_privilege privilege, unsigned index)
{
    const struct soft_tlb_entry *e = &cpu->tlb.entries[privilege][SOFT_WRITE][index];
    struct soft_ram *ram = cpu->tlb.written[privilege][index];

    if (__atomic_load_n(&ram->logged, __ATOMIC_RELAXED))
        soft_ram_mark_dirty(ram, e->host);
    if (cpu->accel->accel.cpus > 1 &&
        __atomic_load_n(soft_ram_code(ram, e->host), __ATOMIC_RELAXED) != 0)
        soft_accel_page_news(cpu->accel, cpu, e->host, SOFT_PAGE_WRITTEN);
}

static void clear_entry(struct soft_cpu *cpu, enum soft_privilege privilege,
                        enum soft_access access, unsigned index)
{
    empty_entry(cpu->tlb.entries[privilege][access], index);
    for (unsigned mark = 0; mark < SOFT_TLB_MARKS; mark++)
        cpu->tlb.marks[privilege][access][mark][index / 64] &= ~(UINT64_C(1) << index % 64);
}

static void drop_entry(struct soft_cpu *cpu, enum soft_privilege privilege, enum soft_access access,
                       unsigned index)
{
    if (!entry_is_used(cpu, privilege, access, index))
        return;
    if (access == SOFT_WRITE)
        retire(cpu, privilege, index);
    clear_entry(cpu, privilege, access, index);
}

void soft_tlb_set(struct soft_cpu *cpu, enum soft_privilege privilege, enum soft_access access,
                  uint64_t linear, const struct soft_tlb_page *page)
{
    unsigned index = soft_tlb_index(linear);
    bool marks[SOFT_TLB_MARKS] = {true, !page->global, page->large};

    drop_entry(cpu, privilege, access, index);
    if (access == SOFT_WRITE)
        cpu->tlb.written[privilege][index] = page->ram;
    cpu->tlb.entries[privilege][access][index] =
        (struct soft_tlb_entry){linear & SOFT_PAGE_MASK, page->host};
    for (unsigned mark = 0; mark < SOFT_TLB_MARKS; mark++)
        cpu->tlb.marks[privilege][access][mark][index / 64] |= (uint64_t)marks[mark] << index % 64;
}

void soft_tlb_init(struct soft_cpu *cpu)
{
    for (unsigned privilege = 0; privilege < SOFT_PRIVILEGES; privilege++) {
        for (unsigned access = 0; access < SOFT_ACCESSES; access++) {
            for (unsigned i = 0; i < SOFT_TLB_SIZE; i++)
                empty_entry(cpu->tlb.entries[privilege][access], i);
        }
    }
}

/* Drops the entries with a mark that are in [first, last]. */
static void drop_marked(struct soft_cpu *cpu, enum soft_tlb_mark mark, uint64_t first,
                        uint64_t last)
{
    for (unsigned privilege = 0; privilege < SOFT_PRIVILEGES; privilege++) {
        for (unsigned access = 0; access < SOFT_ACCESSES; access++) {
            const struct soft_tlb_entry *table = cpu->tlb.entries[privilege][access];

            for (unsigned word = 0; word < SOFT_TLB_SIZE / 64; word++) {
                uint64_t left = cpu->tlb.marks[privilege][access][mark][word];

                for (; left != 0; left &= left - 1) {
                    unsigned index = word * 64 + __builtin_ctzll(left);

                    if (table[index].page - first <= last - first)
                        drop_entry(cpu, privilege, access, index);
                }
            }
        }
    }
}

void soft_tlb_flush(struct soft_cpu *cpu)
{
    drop_marked(cpu, SOFT_TLB_USED, 0, UINT64_MAX);
    soft_jumps_forget(cpu, SOFT_JUMPS_USED);
    cpu->link_from = NULL;
}

void soft_tlb_flush_local(struct soft_cpu *cpu)
{
    drop_marked(cpu, SOFT_TLB_LOCAL, 0, UINT64_MAX);
    soft_jumps_forget(cpu, SOFT_JUMPS_LOCAL);
    cpu->link_from = NULL;
}

/* All entries of a large page, whatever its size, are in its GiB. */
void soft_tlb_flush_page(struct soft_cpu *cpu, uint64_t linear)
{
    uint64_t within = (UINT64_C(1) << 30) - 1;

    for (unsigned privilege = 0; privilege < SOFT_PRIVILEGES; privilege++) {
        for (unsigned access = 0; access < SOFT_ACCESSES; access++)
            drop_entry(cpu, privilege, access, soft_tlb_index(linear));
    }
    drop_marked(cpu, SOFT_TLB_LARGE, linear & ~within, linear | within);
    soft_jumps_forget_page(cpu, linear);
    soft_jumps_forget(cpu, SOFT_JUMPS_LARGE);
    cpu->link_from = NULL;
}

bool soft_tlb_close_page(struct soft_cpu *cpu, const uint8_t *host_page)
{
    bool found = false;

    for (unsigned privilege = 0; privilege < SOFT_PRIVILEGES; privilege++) {
        const struct soft_tlb_entry *table = cpu->tlb.entries[privilege][SOFT_WRITE];

        for (unsigned i = 0; i < SOFT_TLB_SIZE; i++) {
            if (table[i].host != host_page || !entry_is_used(cpu, privilege, SOFT_WRITE, i))
                continue;
            if (__atomic_load_n(&cpu->tlb.written[privilege][i]->logged, __ATOMIC_RELAXED))
                soft_ram_mark_dirty(cpu->tlb.written[privilege][i], host_page);
            clear_entry(cpu, privilege, SOFT_WRITE, i);
            found = true;
        }
    }
    return found;
}

static void close_logged_pages(struct soft_cpu *cpu)
{
    for (unsigned privilege = 0; privilege < SOFT_PRIVILEGES; privilege++) {
        for (unsigned i = 0; i < SOFT_TLB_SIZE; i++) {
            if (entry_is_used(cpu, privilege, SOFT_WRITE, i) &&
                __atomic_load_n(&cpu->tlb.written[privilege][i]->logged, __ATOMIC_RELAXED))
                drop_entry(cpu, privilege, SOFT_WRITE, i);
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
