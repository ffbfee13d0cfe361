/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/soft_machine.h"

#include <string.h>
#include <sys/mman.h>

#include "engine/cpu/soft/soft.h"
#include "engine/cpu/soft/soft_internal.h"

#define PTE_FLAGS 0x67u /* present, writable, user, accessed, dirty */
#define GUARD 0x10000   /* no memory before and behind RAM */

#define CODE_ATTRIBUTES (SEG_P | SEG_S | SEG_CODE | SEG_READABLE | SEG_ACCESSED)
#define DATA_ATTRIBUTES (SEG_P | SEG_S | SEG_WRITABLE | SEG_ACCESSED)
#define USER (3u << SEG_DPL_SHIFT)
#define GATE32 0x8e00u
#define TSS32_BUSY (SEG_P | 0xbu)

static uint64_t device_read(void *opaque, uint64_t offset, unsigned size)
{
    struct soft_machine *m = opaque;
    uint64_t value = 0;

    memcpy(&value, m->device + offset, MIN(size, sizeof(m->device) - offset));
    return value;
}

static void device_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct soft_machine *m = opaque;

    m->device_writes++;
}

static uint64_t exit_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void exit_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct soft_machine *m = opaque;

    m->exits++;
    m->vcpu->ops->kick(m->vcpu);
}

/* Kicks the vCPU when a run takes too long. */
static gpointer watch(gpointer data)
{
    struct soft_machine *m = data;

    g_mutex_lock(&m->lock);
    while (!m->quit) {
        if (m->deadline == 0)
            g_cond_wait(&m->changed, &m->lock);
        else if (!g_cond_wait_until(&m->changed, &m->lock, m->deadline)) {
            m->deadline = 0;
            m->late = true;
            m->vcpu->ops->kick(m->vcpu);
        }
    }
    g_mutex_unlock(&m->lock);
    return NULL;
}

/* So that an access beside it does not go unnoticed. */
static uint8_t *guarded(size_t size)
{
    uint8_t *all = mmap(NULL, size + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    mprotect(all + GUARD, size, PROT_READ | PROT_WRITE);
    return all + GUARD;
}

struct soft_machine *soft_machine_new(void)
{
    static const struct region_ops device_ops = {device_read, device_write, .max_access = 8};
    static const struct region_ops exit_ops = {exit_read, exit_write, .max_access = 4};
    struct soft_machine *m = g_new0(struct soft_machine, 1);

    board_init(&m->board, NULL);
    m->accel = soft_accel_new(&m->board, 1, NULL);
    m->memory = guarded(SOFT_MACHINE_RAM);
    m->rom = guarded(4096);
    m->ram_region = (struct region){.name = "ram", .size = SOFT_MACHINE_RAM, .host = m->memory};
    m->rom_region = (struct region){.name = "rom", .size = 4096, .host = m->rom, .readonly = true};
    m->device_region = (struct region){.name = "device",
                                       .size = SOFT_MACHINE_DEVICE_SIZE,
                                       .ops = &device_ops,
                                       .opaque = m};
    m->exit_region = (struct region){.name = "exit", .size = 1, .ops = &exit_ops, .opaque = m};
    g_mutex_lock(&m->board.lock);
    memory_map_add(m->board.memory, &m->ram_region, 0, 0);
    memory_map_add(m->board.memory, &m->device_region, SOFT_MACHINE_DEVICE, 0);
    memory_map_add(m->board.memory, &m->rom_region, SOFT_MACHINE_ROM, 0);
    pio_bus_add(m->board.pio, &m->exit_region, SOFT_MACHINE_EXIT_PORT);
    g_mutex_unlock(&m->board.lock);
    m->vcpu = m->accel->ops->vcpu_new(m->accel, 0, NULL);
    m->cpu = &((struct soft_vcpu *)m->vcpu)->cpu;
    g_mutex_init(&m->lock);
    g_cond_init(&m->changed);
    m->watch = g_thread_new("watch", watch, m);
    return m;
}

void soft_machine_free(struct soft_machine *m)
{
    if (m == NULL)
        return;
    g_mutex_lock(&m->lock);
    m->quit = true;
    g_cond_signal(&m->changed);
    g_mutex_unlock(&m->lock);
    g_thread_join(m->watch);
    g_mutex_clear(&m->lock);
    g_cond_clear(&m->changed);
    m->vcpu->ops->free(m->vcpu);
    g_mutex_lock(&m->board.lock);
    pio_bus_remove(m->board.pio, &m->exit_region);
    memory_map_remove(m->board.memory, &m->rom_region);
    memory_map_remove(m->board.memory, &m->device_region);
    memory_map_remove(m->board.memory, &m->ram_region);
    memory_map_set_listener(m->board.memory, NULL, NULL);
    g_mutex_unlock(&m->board.lock);
    m->accel->ops->free(m->accel);
    board_finish(&m->board);
    munmap(m->memory - GUARD, SOFT_MACHINE_RAM + 2 * GUARD);
    munmap(m->rom - GUARD, 4096 + 2 * GUARD);
    g_free(m);
}

void soft_machine_put(struct soft_machine *m, uint64_t at, const void *bytes, size_t size)
{
    g_mutex_lock(&m->board.lock);
    guest_memory_write(m->board.memory, at, bytes, size);
    g_mutex_unlock(&m->board.lock);
}

void soft_machine_set_descriptor(struct soft_machine *m, unsigned selector, uint32_t base,
                                 uint32_t limit, uint32_t attributes)
{
    uint64_t entry;

    if (attributes & SEG_G)
        limit >>= 12;
    entry = (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)attributes << 40 |
            (uint64_t)(limit & 0xf0000) << 32 | (uint64_t)(base & 0xff000000) << 32;
    soft_machine_put(m, SOFT_MACHINE_GDT + selector, &entry, sizeof(entry));
}

static void make_gdt(struct soft_machine *m)
{
    for (unsigned dpl = 0; dpl <= USER; dpl += USER) {
        unsigned at = dpl == 0 ? 0 : SOFT_MACHINE_USER_CODE16 - SOFT_MACHINE_CODE16;

        soft_machine_set_descriptor(m, at + SOFT_MACHINE_CODE16, 0, 0xfffff, CODE_ATTRIBUTES | dpl);
        soft_machine_set_descriptor(m, at + SOFT_MACHINE_DATA16, 0, 0xfffff, DATA_ATTRIBUTES | dpl);
        soft_machine_set_descriptor(m, at + SOFT_MACHINE_CODE32, 0, UINT32_MAX,
                                    CODE_ATTRIBUTES | dpl | SEG_DB | SEG_G);
        soft_machine_set_descriptor(m, at + SOFT_MACHINE_DATA32, 0, UINT32_MAX,
                                    DATA_ATTRIBUTES | dpl | SEG_DB | SEG_G);
        soft_machine_set_descriptor(m, at + SOFT_MACHINE_CODE64, 0, UINT32_MAX,
                                    CODE_ATTRIBUTES | dpl | SEG_L | SEG_G);
    }
    soft_machine_set_descriptor(m, SOFT_MACHINE_TR, SOFT_MACHINE_TSS, 0xfff, TSS32_BUSY);
}

/* Handlers: out exit, al; iret. In real mode the table at 0 is theirs. */
static void make_handlers(struct soft_machine *m, bool code64)
{
    static const uint8_t handler32[] = {0xe6, SOFT_MACHINE_EXIT_PORT, 0xcf};
    static const uint8_t handler64[] = {0xe6, SOFT_MACHINE_EXIT_PORT, 0x48, 0xcf};

    for (unsigned vector = 0; vector < 256; vector++) {
        uint32_t at = SOFT_MACHINE_HANDLERS + vector * 16;
        uint16_t real[2] = {at & 0xf, at >> 4};
        uint32_t gate[4] = {at | (code64 ? SOFT_MACHINE_CODE64 : SOFT_MACHINE_CODE32) << 16,
                            GATE32};

        soft_machine_put(m, at, code64 ? handler64 : handler32,
                         code64 ? sizeof(handler64) : sizeof(handler32));
        if (m->mode == SOFT_MACHINE_REAL)
            soft_machine_put(m, vector * 4, real, sizeof(real));
        else if (code64)
            soft_machine_put(m, SOFT_MACHINE_IDT + vector * 16, gate, 16);
        else
            soft_machine_put(m, SOFT_MACHINE_IDT + vector * 8, gate, 8);
    }
}

static void put64(struct soft_machine *m, uint64_t at, uint64_t value)
{
    soft_machine_put(m, at, &value, sizeof(value));
}

/* From the root: four levels, or the last three for PAE, or two; the first 2 MiB, and the last page
 * of 4 GiB at its place. */
static void make_tables(struct soft_machine *m, bool four_levels)
{
    const uint64_t t = SOFT_MACHINE_TABLES;

    if (m->paging == SOFT_MACHINE_PAGES32) {
        for (uint32_t i = 0; i < 512; i++) {
            uint32_t entry = i * 4096 | PTE_FLAGS;

            soft_machine_put(m, t + 0x3000 + i * 4, &entry, 4);
        }
        put64(m, t, (t + 0x3000) | PTE_FLAGS);
        put64(m, t + 0xff8, (t + 0x4000) << 32 | (uint64_t)PTE_FLAGS << 32);
        put64(m, t + 0x4ff8, (uint64_t)(SOFT_MACHINE_ROM | PTE_FLAGS) << 32);
        return;
    }
    for (uint64_t i = 0; i < 512; i++)
        put64(m, t + 0x3000 + i * 8, i * 4096 | PTE_FLAGS);
    put64(m, t, (t + 0x1000) | PTE_FLAGS);
    put64(m, t + 0x1000, (t + 0x2000) | (four_levels ? PTE_FLAGS : 1));
    put64(m, t + 0x2000, (t + 0x3000) | PTE_FLAGS);
}

void *soft_machine_pte(struct soft_machine *m, uint64_t linear)
{
    return m->memory + SOFT_MACHINE_TABLES + 0x3000 +
           (linear >> 12) * (m->paging == SOFT_MACHINE_PAGES32 ? 4 : 8);
}

void soft_machine_set_pte(struct soft_machine *m, uint64_t linear, uint64_t entry)
{
    memcpy(soft_machine_pte(m, linear), &entry, m->paging == SOFT_MACHINE_PAGES32 ? 4 : 8);
}

static bool is_long(enum soft_machine_mode mode)
{
    return mode == SOFT_MACHINE_COMPAT32 || mode == SOFT_MACHINE_LONG64;
}

/* What a load of this selector would give. */
static struct x86_segment segment(const struct soft_machine *m, uint16_t selector)
{
    uint64_t d;
    struct x86_segment s = {.selector = selector};

    memcpy(&d, m->memory + SOFT_MACHINE_GDT + (selector & ~7u), sizeof(d));
    s.attributes = d >> 40 & 0xf0ff;
    s.limit = (d & 0xffff) | (d >> 32 & 0xf0000);
    if (s.attributes & SEG_G)
        s.limit = s.limit << 12 | 0xfff;
    return s;
}

static void set_segments(struct soft_machine *m, unsigned cpl)
{
    static const uint16_t code[] = {
        [SOFT_MACHINE_PROTECTED16] = SOFT_MACHINE_CODE16,
        [SOFT_MACHINE_PROTECTED32] = SOFT_MACHINE_CODE32,
        [SOFT_MACHINE_COMPAT32] = SOFT_MACHINE_CODE32,
        [SOFT_MACHINE_LONG64] = SOFT_MACHINE_CODE64,
    };
    struct x86_state *s = &m->state;
    uint16_t data = SOFT_MACHINE_DATA32;
    unsigned user = cpl == 3 ? SOFT_MACHINE_USER_CODE16 - SOFT_MACHINE_CODE16 + 3 : 0;
    bool real = m->mode == SOFT_MACHINE_REAL || m->mode == SOFT_MACHINE_V86;

    if (m->mode == SOFT_MACHINE_PROTECTED16)
        data = SOFT_MACHINE_DATA16;
    for (unsigned i = 0; i < X86_SEGMENTS; i++) {
        if (!real) {
            s->segment[i] = segment(m, (i == X86_CS ? code[m->mode] : data) + user);
            continue;
        }
        s->segment[i] = (struct x86_segment){
            .limit = 0xffff,
            .attributes = DATA_ATTRIBUTES | (m->mode == SOFT_MACHINE_V86 ? USER : 0),
        };
    }
    if (!real)
        return;
    s->segment[X86_CS].selector = SOFT_MACHINE_CODE >> 4;
    s->segment[X86_DS].selector = s->segment[X86_ES].selector = SOFT_MACHINE_DATA >> 4;
    s->segment[X86_SS].selector = (SOFT_MACHINE_STACK3 - 0x2000) >> 4;
    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        s->segment[i].base = (uint64_t)s->segment[i].selector << 4;
    if (m->mode == SOFT_MACHINE_REAL)
        s->segment[X86_CS].attributes |= SEG_CODE;
}

static void make_tss(struct soft_machine *m)
{
    static const uint8_t end = 0xff; /* of the I/O permission bitmap */

    if (is_long(m->mode)) {
        put64(m, SOFT_MACHINE_TSS + 4, SOFT_MACHINE_STACK0);
        put64(m, SOFT_MACHINE_TSS + 36, SOFT_MACHINE_STACK0 - 0x800); /* IST 1 */
    } else {
        put64(m, SOFT_MACHINE_TSS + 4, SOFT_MACHINE_STACK0 | (uint64_t)SOFT_MACHINE_DATA32 << 32);
    }
    put64(m, SOFT_MACHINE_TSS + 100, (uint64_t)136 << 16); /* the bitmap allows all ports */
    soft_machine_put(m, SOFT_MACHINE_TSS + 0xfff, &end, 1);
}

void soft_machine_set_mode(struct soft_machine *m, enum soft_machine_mode mode,
                           enum soft_machine_paging paging, unsigned cpl)
{
    struct x86_state *s = &m->state;
    uint8_t *zero = g_malloc0(SOFT_MACHINE_RAM);

    m->accel->ops->reset(m->accel);
    m->vcpu->ops->reset(m->vcpu);
    soft_machine_put(m, 0, zero, SOFT_MACHINE_RAM);
    g_free(zero);
    memset(m->device, 0, sizeof(m->device));
    m->exits = m->device_writes = 0;
    m->mode = mode;
    m->paging = is_long(mode) ? SOFT_MACHINE_PAE : paging;
    m->vcpu->ops->get_state(m->vcpu, s);
    memset(s->gpr, 0, sizeof(s->gpr));
    s->rflags = X86_FLAG_1;
    s->cr0 = CR0_ET | CR0_NE | CR0_MP;
    make_gdt(m);
    make_tables(m, is_long(mode));
    make_handlers(m, is_long(mode));
    make_tss(m);
    s->gdt = (struct x86_table){SOFT_MACHINE_GDT, SOFT_MACHINE_GDT_SIZE - 1};
    s->idt = (struct x86_table){SOFT_MACHINE_IDT, 0xfff};
    s->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    if (mode == SOFT_MACHINE_REAL)
        s->idt = (struct x86_table){0, 0x3ff};
    else
        s->cr0 |= CR0_PE;
    if (mode != SOFT_MACHINE_REAL && m->paging != SOFT_MACHINE_UNPAGED)
        s->cr0 |= CR0_PG | CR0_WP;
    if (m->paging == SOFT_MACHINE_PAE)
        s->cr4 |= CR4_PAE;
    if (is_long(mode))
        s->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
    s->cr3 = m->paging == SOFT_MACHINE_PAE && !is_long(mode) ? SOFT_MACHINE_TABLES + 0x1000
                                                             : SOFT_MACHINE_TABLES;
    if (mode == SOFT_MACHINE_V86) {
        s->rflags |= X86_FLAG_VM;
        cpl = 3;
    }
    set_segments(m, cpl);
    s->tr = (struct x86_segment){SOFT_MACHINE_TSS, 0xfff, TSS32_BUSY, SOFT_MACHINE_TR};
    s->rip = SOFT_MACHINE_CODE - s->segment[X86_CS].base;
    s->gpr[X86_RSP] =
        (cpl == 3 || mode == SOFT_MACHINE_REAL ? SOFT_MACHINE_STACK3 : SOFT_MACHINE_STACK0) -
        s->segment[X86_SS].base;
}

void soft_machine_set_paged(struct soft_machine *m, int kind, unsigned cpl)
{
    soft_machine_set_mode(m, kind == 2 ? SOFT_MACHINE_LONG64 : SOFT_MACHINE_PROTECTED32,
                          kind == 0 ? SOFT_MACHINE_PAGES32 : SOFT_MACHINE_PAE, cpl);
}

void soft_machine_enter(struct soft_machine *m)
{
    m->vcpu->ops->set_state(m->vcpu, &m->state);
}

enum vcpu_stop soft_machine_run(struct soft_machine *m, unsigned limit_ms)
{
    enum vcpu_stop stop;
    char *reason = NULL;

    m->vcpu->ops->unkick(m->vcpu);
    g_mutex_lock(&m->lock);
    m->late = false;
    m->deadline = g_get_monotonic_time() + limit_ms * 1000;
    g_cond_signal(&m->changed);
    g_mutex_unlock(&m->lock);
    stop = m->vcpu->ops->run(m->vcpu, &reason);
    g_mutex_lock(&m->lock);
    m->deadline = 0;
    g_mutex_unlock(&m->lock);
    m->vcpu->ops->unkick(m->vcpu);
    g_free(reason);
    return stop;
}

uint64_t soft_machine_get(const struct soft_machine *m, uint64_t at, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, m->memory + at, size);
    return value;
}

uint64_t soft_machine_top(const struct soft_machine *m, unsigned index, unsigned size)
{
    uint64_t sp = m->cpu->gpr[X86_RSP];

    if (m->mode != SOFT_MACHINE_COMPAT32 && m->mode != SOFT_MACHINE_LONG64)
        sp = m->cpu->segment[X86_SS].attributes & SEG_DB ? (uint32_t)sp : (uint16_t)sp;
    return soft_machine_get(m, m->cpu->segment[X86_SS].base + sp + index * size, size);
}

/* The handler that the exit port was written in. */
static int vector_of(const struct soft_machine *m)
{
    uint64_t at = m->cpu->segment[X86_CS].base + m->cpu->rip - SOFT_MACHINE_HANDLERS;

    return at < 256 * 16 ? (int)at / 16 : -1;
}

int soft_machine_try(struct soft_machine *m, const char *program)
{
    static const uint8_t end[] = {0xe6, SOFT_MACHINE_EXIT_PORT};
    uint64_t at = m->state.segment[X86_CS].base + m->state.rip;

    while (*program != '\0') {
        uint8_t byte;

        if (*program == ' ') {
            program++;
            continue;
        }
        byte = g_ascii_xdigit_value(program[0]) << 4 | g_ascii_xdigit_value(program[1]);
        soft_machine_put(m, at++, &byte, 1);
        program += 2;
    }
    soft_machine_put(m, at, end, sizeof(end));
    soft_machine_enter(m);
    if (soft_machine_run(m, 20000) == VCPU_TRIPLE_FAULT)
        return SOFT_MACHINE_TRIPLE_FAULT;
    return m->late ? SOFT_MACHINE_LATE : vector_of(m);
}
