/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The slow paths of memory accesses, and what fills and empties the TLB. */
#include <string.h>

#include "engine/cpu/soft/block.h"
#include "engine/cpu/soft/debug.h"
#include "engine/cpu/soft/lapic.h"
#include "engine/cpu/soft/paging.h"

/* Where an access to a part of one page ends up. */
struct place {
    uint8_t *host; /* NULL: device memory */
    const struct soft_section *section;
    uint64_t physical;
};

static enum soft_privilege current_privilege(const struct soft_cpu *cpu)
{
    if (cpu->cpl == 3)
        return SOFT_USER;
    return cpu->rflags & X86_FLAG_AC ? SOFT_SUPERVISOR_AC : SOFT_SUPERVISOR;
}

static bool is_canonical(uint64_t linear)
{
    return (uint64_t)((int64_t)(linear << 16) >> 16) == linear;
}

/* Whether the running instruction reaches this address through SS: by its memory operand, or
 * because it pushes or pops. */
static bool is_stack_access(const struct soft_cpu *cpu, uint64_t linear)
{
    const struct soft_insn *insn = cpu->current;

    if (insn == NULL)
        return false;
    if (insn->flags & SOFT_INSN_MEM && linear - soft_effective(cpu, insn) < SOFT_PAGE_SIZE)
        return insn->segment == X86_SS;
    return linear - cpu->gpr[X86_RSP] + SOFT_PAGE_SIZE < 2 * SOFT_PAGE_SIZE ||
           linear == cpu->gpr[X86_RBP];
}

static void check_canonical(struct soft_cpu *cpu, uint64_t linear)
{
    if (is_canonical(linear) || !(cpu->efer & EFER_LMA))
        return;
    if (is_stack_access(cpu, linear))
        soft_raise(cpu, X86_SS_FAULT, 0);
    soft_raise_gp0(cpu);
}

/* Whether later accesses of this kind need nothing more than the host memory. */
static bool can_be_fast(const struct soft_cpu *cpu, enum soft_access access, uint64_t linear,
                        const struct place *p)
{
    if (p->host == NULL || (access != SOFT_EXECUTE && soft_debug_watches_page(cpu, linear)))
        return false;
    if (access != SOFT_WRITE)
        return true;
    return !p->section->readonly &&
           __atomic_load_n(soft_ram_code(p->section->ram, p->host), __ATOMIC_RELAXED) == 0;
}

static struct place find_place(struct soft_cpu *cpu, uint64_t linear, enum soft_access access,
                               enum soft_privilege privilege)
{
    struct place p = {0};
    struct soft_page page;

    check_canonical(cpu, linear);
    page = soft_page_walk(cpu, linear, access, privilege);
    p.physical = page.physical;
    p.section = soft_map_find(cpu->map, page.physical);
    if (p.section == NULL)
        return p;
    p.host = p.section->host + (page.physical - p.section->base);
    if (access == SOFT_WRITE && p.section->log_dirty)
        soft_ram_mark_dirty(p.section->ram, p.host);
    if (can_be_fast(cpu, access, linear, &p))
        soft_tlb_set(cpu, privilege, access, linear,
                     &(struct soft_tlb_page){.host = p.host - linear % SOFT_PAGE_SIZE,
                                             .ram = p.section->ram,
                                             .global = page.global,
                                             .large = page.large});
    return p;
}

static uint64_t read_host(const uint8_t *host, unsigned size)
{
    uint64_t value = 0;

    switch (size) {
    case 1:
        return *host;
    case 2:
        memcpy(&value, host, 2);
        return value;
    case 4:
        memcpy(&value, host, 4);
        return value;
    case 8:
        memcpy(&value, host, 8);
        return value;
    }
    memcpy(&value, host, size);
    return value;
}

static void write_host(uint8_t *host, uint64_t value, unsigned size)
{
    switch (size) {
    case 1:
        *host = value;
        return;
    case 2:
        memcpy(host, &value, 2);
        return;
    case 4:
        memcpy(host, &value, 4);
        return;
    case 8:
        memcpy(host, &value, 8);
        return;
    }
    memcpy(host, &value, size);
}

/* Lent, what the owner serves is its own. */
static bool is_own_lapic(struct soft_cpu *cpu, uint64_t physical)
{
    if (!cpu->lent)
        return soft_lapic_covers(cpu->lapic, physical);
    if (cpu->accel->owner->has_address(physical))
        soft_leave(cpu);
    return false;
}

static uint64_t device_read(struct soft_cpu *cpu, uint64_t physical, unsigned size)
{
    soft_need_single(cpu);
    if (is_own_lapic(cpu, physical))
        return soft_lapic_read(cpu->lapic, physical % SOFT_PAGE_SIZE, size);
    soft_count_exit(cpu, VCPU_EXIT_MMIO);
    return accel_mmio_read(cpu->accel->accel.board, physical, size);
}

static void device_write(struct soft_cpu *cpu, uint64_t physical, uint64_t value, unsigned size)
{
    soft_need_single(cpu);
    if (is_own_lapic(cpu, physical)) {
        soft_lapic_write(cpu->lapic, physical % SOFT_PAGE_SIZE, value, size);
        return;
    }
    soft_count_exit(cpu, VCPU_EXIT_MMIO);
    accel_mmio_write(cpu->accel->accel.board, physical, value, size);
}

/* Stores to memory that may hold translated code, some of it perhaps of the running block. */
static void store_to_ram(struct soft_cpu *cpu, const struct place *p, const void *bytes,
                         unsigned size)
{
    uint64_t pieces = soft_code_pieces(p->host, size);
    uint64_t *code = soft_ram_code(p->section->ram, p->host);

    if (__atomic_load_n(code, __ATOMIC_RELAXED) & pieces)
        soft_need_single(cpu);
    if (size <= 8) {
        uint64_t value = 0;

        memcpy(&value, bytes, size);
        write_host(p->host, value, size);
    } else {
        memcpy(p->host, bytes, size);
    }
    soft_code_written(cpu->accel, p->section, p->host, size);
}

static uint64_t load_part(struct soft_cpu *cpu, uint64_t linear, unsigned size,
                          enum soft_privilege privilege, enum soft_access access)
{
    struct place p = find_place(cpu, linear, access, privilege);

    return p.host != NULL ? read_host(p.host, size) : device_read(cpu, p.physical, size);
}

static void store_part(struct soft_cpu *cpu, const struct place *p, uint64_t value, unsigned size)
{
    if (p->host != NULL && !p->section->readonly)
        store_to_ram(cpu, p, &value, size);
    else
        device_write(cpu, p->physical, value, size);
}

/* Bytes from linear to the end of its page, at most size. */
static unsigned in_page(uint64_t linear, unsigned size)
{
    unsigned left = SOFT_PAGE_SIZE - linear % SOFT_PAGE_SIZE;

    return MIN(left, size);
}

/* Outside 64-bit mode linear addresses wrap at 4 GiB. */
static uint64_t wrap(const struct soft_cpu *cpu, uint64_t linear)
{
    return cpu->efer & EFER_LMA ? linear : (uint32_t)linear;
}

static uint64_t load(struct soft_cpu *cpu, uint64_t linear, unsigned size,
                     enum soft_privilege privilege, enum soft_access access)
{
    unsigned first = in_page(linear, size);
    uint64_t low, second;

    if (first == size)
        return load_part(cpu, linear, size, privilege, access);
    second = wrap(cpu, linear + first);
    /* A fault of the second page must come before a device sees the first part. */
    find_place(cpu, second, access, privilege);
    low = load_part(cpu, linear, first, privilege, access);
    return low | load_part(cpu, second, size - first, privilege, access) << first * 8;
}

static void store(struct soft_cpu *cpu, uint64_t linear, uint64_t value, unsigned size,
                  enum soft_privilege privilege)
{
    unsigned first = in_page(linear, size);
    struct place low = find_place(cpu, linear, SOFT_WRITE, privilege), high;

    if (first == size) {
        store_part(cpu, &low, value, size);
        return;
    }
    high = find_place(cpu, wrap(cpu, linear + first), SOFT_WRITE, privilege);
    if (low.host == NULL || high.host == NULL ||
        *soft_ram_code(low.section->ram, low.host) | *soft_ram_code(high.section->ram, high.host))
        soft_need_single(cpu);
    store_part(cpu, &low, value, first);
    store_part(cpu, &high, value >> first * 8, size - first);
}

uint64_t soft_load_slow(struct soft_cpu *cpu, uint64_t linear, unsigned size)
{
    soft_debug_access(cpu, linear, size, SOFT_READ);
    return load(cpu, linear, size, current_privilege(cpu), SOFT_READ);
}

void soft_store_slow(struct soft_cpu *cpu, uint64_t linear, uint64_t value, unsigned size)
{
    soft_debug_access(cpu, linear, size, SOFT_WRITE);
    store(cpu, linear, value, size, current_privilege(cpu));
}

uint64_t soft_load_for_store(struct soft_cpu *cpu, uint64_t linear, unsigned size)
{
    const uint8_t *host = soft_tlb_find(cpu->tlb_write, linear, size);

    if (host != NULL)
        return read_host(host, size);
    return load(cpu, linear, size, current_privilege(cpu), SOFT_WRITE);
}

uint64_t soft_load_system(struct soft_cpu *cpu, uint64_t linear, unsigned size)
{
    const uint8_t *host = soft_tlb_find(cpu->tlb.entries[SOFT_SUPERVISOR][SOFT_READ], linear, size);

    return host != NULL ? read_host(host, size)
                        : load(cpu, linear, size, SOFT_SUPERVISOR, SOFT_READ);
}

void soft_store_system(struct soft_cpu *cpu, uint64_t linear, uint64_t value, unsigned size)
{
    store(cpu, linear, value, size, SOFT_SUPERVISOR);
}

void soft_probe_store(struct soft_cpu *cpu, uint64_t linear, unsigned size)
{
    unsigned first = in_page(linear, size);

    find_place(cpu, linear, SOFT_WRITE, current_privilege(cpu));
    if (first != size)
        find_place(cpu, wrap(cpu, linear + first), SOFT_WRITE, current_privilege(cpu));
}

static void load_bytes_of_page(struct soft_cpu *cpu, const struct place *p, uint8_t *to,
                               unsigned size)
{
    if (p->host != NULL) {
        memcpy(to, p->host, size);
        return;
    }
    for (unsigned at = 0; at < size; at += 8) {
        unsigned part = MIN(size - at, 8u);
        uint64_t value = device_read(cpu, p->physical + at, part);

        memcpy(to + at, &value, part);
    }
}

static void store_bytes_of_page(struct soft_cpu *cpu, const struct place *p, const uint8_t *from,
                                unsigned size)
{
    if (p->host != NULL && !p->section->readonly) {
        store_to_ram(cpu, p, from, size);
        return;
    }
    for (unsigned at = 0; at < size; at += 8) {
        unsigned part = MIN(size - at, 8u);
        uint64_t value = 0;

        memcpy(&value, from + at, part);
        device_write(cpu, p->physical + at, value, part);
    }
}

void soft_load_bytes(struct soft_cpu *cpu, uint64_t linear, void *buffer, unsigned size)
{
    const uint8_t *host = soft_tlb_find(cpu->tlb_read, linear, size);
    enum soft_privilege privilege = current_privilege(cpu);
    unsigned first = in_page(linear, size);
    struct place low, high = {0};

    if (host != NULL) {
        memcpy(buffer, host, size);
        return;
    }
    soft_debug_access(cpu, linear, size, SOFT_READ);
    low = find_place(cpu, linear, SOFT_READ, privilege);
    if (first != size)
        high = find_place(cpu, wrap(cpu, linear + first), SOFT_READ, privilege);
    load_bytes_of_page(cpu, &low, buffer, first);
    if (first != size)
        load_bytes_of_page(cpu, &high, (uint8_t *)buffer + first, size - first);
}

void soft_store_bytes(struct soft_cpu *cpu, uint64_t linear, const void *buffer, unsigned size)
{
    uint8_t *host = soft_tlb_find(cpu->tlb_write, linear, size);
    enum soft_privilege privilege = current_privilege(cpu);
    unsigned first = in_page(linear, size);
    struct place low, high = {0};

    if (host != NULL) {
        memcpy(host, buffer, size);
        return;
    }
    soft_debug_access(cpu, linear, size, SOFT_WRITE);
    low = find_place(cpu, linear, SOFT_WRITE, privilege);
    if (first != size) {
        high = find_place(cpu, wrap(cpu, linear + first), SOFT_WRITE, privilege);
        if (low.host == NULL || high.host == NULL ||
            *soft_ram_code(low.section->ram, low.host) |
                *soft_ram_code(high.section->ram, high.host))
            soft_need_single(cpu);
    }
    store_bytes_of_page(cpu, &low, buffer, first);
    if (first != size)
        store_bytes_of_page(cpu, &high, (const uint8_t *)buffer + first, size - first);
}

uint8_t *soft_atomic_host(struct soft_cpu *cpu, uint64_t linear, unsigned size)
{
    uint8_t *host = soft_tlb_find(cpu->tlb_write, linear, size);
    struct place p;

    if (host != NULL || in_page(linear, size) != size)
        return host;
    soft_debug_access(cpu, linear, size, SOFT_WRITE);
    p = find_place(cpu, linear, SOFT_WRITE, current_privilege(cpu));
    if (p.host == NULL || p.section->readonly ||
        *soft_ram_code(p.section->ram, p.host) & soft_code_pieces(p.host, size))
        return NULL;
    return p.host;
}

const uint8_t *soft_fetch_host(struct soft_cpu *cpu, uint64_t linear, uint64_t *ret_physical)
{
    enum soft_privilege privilege = cpu->cpl == 3 ? SOFT_USER : SOFT_SUPERVISOR;
    const uint8_t *host = soft_tlb_find(cpu->tlb.entries[privilege][SOFT_EXECUTE], linear, 1);
    struct place p;

    if (host != NULL)
        return host;
    p = find_place(cpu, linear, SOFT_EXECUTE, privilege);
    *ret_physical = p.physical;
    return p.host;
}

uint8_t *soft_bulk_host(struct soft_cpu *cpu, uint64_t linear, enum soft_access access)
{
    struct soft_tlb_entry *table = access == SOFT_WRITE ? cpu->tlb_write : cpu->tlb_read;
    uint8_t *host = soft_tlb_find(table, linear, 1);

    if (host != NULL)
        return host;
    find_place(cpu, linear, access, current_privilege(cpu));
    return soft_tlb_find(table, linear, 1);
}
