/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/paging.h"

#include <string.h>

#define PTE_P (UINT64_C(1) << 0)
#define PTE_W (UINT64_C(1) << 1)
#define PTE_U (UINT64_C(1) << 2)
#define PTE_A (UINT64_C(1) << 5)
#define PTE_D (UINT64_C(1) << 6)
#define PTE_PS (UINT64_C(1) << 7)
#define PTE_G (UINT64_C(1) << 8)
#define PTE_NX (UINT64_C(1) << 63)

#define ERROR_P 0x01u
#define ERROR_W 0x02u
#define ERROR_U 0x04u
#define ERROR_RSVD 0x08u
#define ERROR_FETCH 0x10u

#define PDPTE_RESERVED \
    (((UINT64_C(0xfff) << 52) | 0x1e6) | (((UINT64_C(1) << 52) - 1) & ~PHYSICAL_MASK))

#define PHYSICAL_MASK ((UINT64_C(1) << SOFT_PHYSICAL_BITS) - 1)
#define MAX_LEVELS 4

/* How a paging mode is laid out. */
struct paging_mode {
    unsigned levels, entry_size;
    uint8_t shift[MAX_LEVELS], bits[MAX_LEVELS]; /* of the index at each level, outermost first */
};

static const struct paging_mode mode_32bit = {2, 4, {22, 12}, {10, 10}};
static const struct paging_mode mode_pae = {3, 8, {30, 21, 12}, {2, 9, 9}};
static const struct paging_mode mode_4level = {4, 8, {39, 30, 21, 12}, {9, 9, 9, 9}};

/* One translation under way. */
struct walk {
    const struct paging_mode *mode;
    uint64_t linear;
    enum soft_access access;
    enum soft_privilege privilege;
    bool user, writable, no_execute; /* all levels together */
    uint8_t *host[MAX_LEVELS];       /* the entries; NULL: not to be written */
    const struct soft_section *section[MAX_LEVELS];
    uint64_t entry[MAX_LEVELS];
    unsigned level; /* of the leaf, or where it stopped */
};

static void fault(struct soft_cpu *cpu, const struct walk *w, uint32_t error) G_GNUC_NORETURN;
static void fault(struct soft_cpu *cpu, const struct walk *w, uint32_t error)
{
    if (w->access == SOFT_WRITE)
        error |= ERROR_W;
    if (w->privilege == SOFT_USER)
        error |= ERROR_U;
    if (w->access == SOFT_EXECUTE &&
        ((cpu->efer & EFER_NXE && cpu->cr4 & CR4_PAE) || cpu->cr4 & CR4_SMEP))
        error |= ERROR_FETCH;
    cpu->cr2 = w->linear;
    soft_raise(cpu, X86_PF, error);
}

/* Tables outside of memory read as not present. */
static uint64_t read_entry(struct soft_cpu *cpu, struct walk *w, uint64_t gpa)
{
    const struct soft_section *s = soft_map_find(cpu->map, gpa);
    uint8_t *host;

    w->host[w->level] = NULL;
    if (s == NULL)
        return 0;
    host = s->host + (gpa - s->base);
    if (!s->readonly)
        w->host[w->level] = host;
    w->section[w->level] = s;
    if (w->mode->entry_size == 4)
        return __atomic_load_n((uint32_t *)host, __ATOMIC_RELAXED);
    return __atomic_load_n((uint64_t *)host, __ATOMIC_RELAXED);
}

/* Of PAE paging the outermost entries are in registers. */
static uint64_t outer_entry(struct soft_cpu *cpu, struct walk *w, uint64_t table, uint64_t index)
{
    if (w->mode == &mode_pae && w->level == 0) {
        w->host[0] = NULL;
        return cpu->pdpte[index];
    }
    return read_entry(cpu, w, table + index * w->mode->entry_size);
}

bool soft_pdpte_read(struct soft_cpu *cpu, uint64_t cr3, uint64_t ret[4])
{
    struct walk w = {.mode = &mode_pae};
    bool ok = true;

    for (unsigned i = 0; i < 4; i++) {
        ret[i] = read_entry(cpu, &w, (cr3 & 0xffffffe0) + i * 8);
        ok &= !(ret[i] & PTE_P) || !(ret[i] & PDPTE_RESERVED);
    }
    return ok;
}

void soft_pdpte_load(struct soft_cpu *cpu, uint64_t cr0, uint64_t cr3, uint64_t cr4)
{
    uint64_t fresh[4];

    if (!(cr0 & CR0_PG) || !(cr4 & CR4_PAE) || cpu->efer & EFER_LME)
        return;
    if (!soft_pdpte_read(cpu, cr3, fresh))
        soft_raise_gp0(cpu);
    memcpy(cpu->pdpte, fresh, sizeof(fresh));
}

static uint64_t reserved_bits(const struct soft_cpu *cpu, const struct walk *w, bool leaf)
{
    unsigned shift = w->mode->shift[w->level];
    uint64_t reserved;

    if (w->mode->entry_size == 4) /* PSE-36 leaves bit 21 */
        return leaf && shift == 22 ? UINT64_C(1) << 21 : 0;
    reserved = ((UINT64_C(1) << 52) - 1) & ~PHYSICAL_MASK;
    if (!(cpu->efer & EFER_NXE))
        reserved |= PTE_NX;
    if (w->mode == &mode_pae)
        reserved |= UINT64_C(0x7ff) << 52;
    if (w->mode == &mode_pae && shift == 30)
        reserved |= PTE_NX | 0x1e6;
    if (leaf && shift > 12) /* bit 12 is PAT */
        reserved |= ((UINT64_C(1) << shift) - 1) & ~UINT64_C(0x1fff);
    if (w->mode == &mode_4level && w->level == 0)
        reserved |= PTE_PS;
    return reserved;
}

static bool is_leaf(const struct soft_cpu *cpu, const struct walk *w, uint64_t entry)
{
    unsigned shift = w->mode->shift[w->level];

    if (shift == 12)
        return true;
    if (!(entry & PTE_PS))
        return false;
    if (w->mode == &mode_32bit)
        return cpu->cr4 & CR4_PSE;
    return shift == 21 || (w->mode == &mode_4level && shift == 30);
}

static void add_permissions(struct walk *w, uint64_t entry)
{
    if (w->mode == &mode_pae && w->level == 0) /* a PDPTE has none */
        return;
    w->user &= !!(entry & PTE_U);
    w->writable &= !!(entry & PTE_W);
    if (w->mode->entry_size == 8)
        w->no_execute |= !!(entry & PTE_NX);
}

/* Follows the tables to the leaf; its entry's physical address field. */
static void descend(struct soft_cpu *cpu, struct walk *w)
{
    uint64_t table = w->mode == &mode_pae ? cpu->cr3 & 0xffffffe0 : cpu->cr3 & ~UINT64_C(0xfff);

    w->user = w->writable = true;
    w->no_execute = false;
    if (w->mode == &mode_32bit)
        table &= 0xfffff000;
    table &= PHYSICAL_MASK;
    for (w->level = 0;; w->level++) {
        unsigned shift = w->mode->shift[w->level];
        uint64_t index = w->linear >> shift & ((1u << w->mode->bits[w->level]) - 1);
        uint64_t entry = outer_entry(cpu, w, table, index);
        bool leaf;

        w->entry[w->level] = entry;
        if (!(entry & PTE_P))
            fault(cpu, w, 0);
        leaf = is_leaf(cpu, w, entry);
        if (entry & reserved_bits(cpu, w, leaf))
            fault(cpu, w, ERROR_P | ERROR_RSVD);
        add_permissions(w, entry);
        if (leaf)
            return;
        table = entry & PHYSICAL_MASK & ~UINT64_C(0xfff);
    }
}

/* SDM volume 3, 4.6. */
static bool permitted(const struct soft_cpu *cpu, const struct walk *w)
{
    if (w->access == SOFT_EXECUTE) {
        if (w->no_execute)
            return false;
        if (w->privilege == SOFT_USER)
            return w->user;
        return !(w->user && cpu->cr4 & CR4_SMEP);
    }
    if (w->privilege == SOFT_USER)
        return w->user && (w->access == SOFT_READ || w->writable);
    if (w->user && cpu->cr4 & CR4_SMAP && w->privilege == SOFT_SUPERVISOR)
        return false;
    return w->access == SOFT_READ || w->writable || !(cpu->cr0 & CR0_WP);
}

static bool replace_entry(const struct walk *w, unsigned level, uint64_t new)
{
    uint64_t old = w->entry[level];
    uint32_t old32 = old;

    if (w->mode->entry_size == 4)
        return __atomic_compare_exchange_n((uint32_t *)w->host[level], &old32, new, false,
                                           __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    return __atomic_compare_exchange_n((uint64_t *)w->host[level], &old, new, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* ORs bits into an entry unless it changed under us: a store like others, to those who watch. */
static bool mark(struct soft_cpu *cpu, const struct walk *w, unsigned level, uint64_t bits)
{
    uint64_t old = w->entry[level];

    if ((old & bits) == bits || w->host[level] == NULL)
        return true;
    if (!replace_entry(w, level, old | bits))
        return false;
    if (w->section[level]->log_dirty)
        soft_ram_mark_dirty(w->section[level]->ram, w->host[level]);
    soft_code_written(cpu->accel, w->section[level], w->host[level], w->mode->entry_size);
    return true;
}

static bool mark_all(struct soft_cpu *cpu, const struct walk *w)
{
    for (unsigned i = 0; i < w->level; i++) {
        if (!(w->mode == &mode_pae && i == 0) && !mark(cpu, w, i, PTE_A))
            return false;
    }
    return mark(cpu, w, w->level, w->access == SOFT_WRITE ? PTE_A | PTE_D : PTE_A);
}

static uint64_t leaf_physical(const struct walk *w)
{
    unsigned shift = w->mode->shift[w->level];
    uint64_t within = (UINT64_C(1) << shift) - 1, entry = w->entry[w->level];
    uint64_t base = entry & PHYSICAL_MASK & ~within;

    if (w->mode == &mode_32bit && shift == 22)
        base = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32;
    return base | (w->linear & within);
}

static const struct paging_mode *mode_of(const struct soft_cpu *cpu)
{
    if (cpu->efer & EFER_LMA)
        return &mode_4level;
    return cpu->cr4 & CR4_PAE ? &mode_pae : &mode_32bit;
}

struct soft_page soft_page_walk(struct soft_cpu *cpu, uint64_t linear, enum soft_access access,
                                enum soft_privilege privilege)
{
    struct walk w = {.linear = linear, .access = access, .privilege = privilege};

    if (!(cpu->cr0 & CR0_PG))
        return (struct soft_page){.physical = linear};
    w.mode = mode_of(cpu);
    do {
        descend(cpu, &w);
        if (!permitted(cpu, &w))
            fault(cpu, &w, ERROR_P);
    } while (!mark_all(cpu, &w));
    return (struct soft_page){
        .physical = leaf_physical(&w),
        .large = w.mode->shift[w.level] > 12,
        .global = w.entry[w.level] & PTE_G && cpu->cr4 & CR4_PGE,
    };
}
