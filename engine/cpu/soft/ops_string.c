/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * String instructions, those of ports too. A repeated one makes progress item by item, so a fault
 * leaves registers as the architecture says; between items it looks for requests and starts over.
 */
#include "engine/cpu/soft/alu.h"
#include "engine/cpu/soft/exec.h"
#include "engine/cpu/soft/io.h"
#include "engine/cpu/soft/stack.h"

#define ITEMS_PER_LOOK 4096 /* at most so many between looks for requests */

static uint64_t source_linear(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return soft_linear_at(cpu, insn->segment, cpu->gpr[X86_RSI] & insn->address_mask, insn->size,
                          SOFT_READ);
}

/* ES:DI; no prefix changes the segment. */
static uint64_t destination_linear(struct soft_cpu *cpu, const struct soft_insn *insn,
                                   enum soft_access access)
{
    return soft_linear_at(cpu, X86_ES, cpu->gpr[X86_RDI] & insn->address_mask, insn->size, access);
}

static void advance(struct soft_cpu *cpu, const struct soft_insn *insn, unsigned reg,
                    unsigned items)
{
    int64_t step = (int64_t)items * insn->size;

    soft_set_reg(cpu, reg, insn->address_size,
                 cpu->gpr[reg] + (cpu->rflags & X86_FLAG_DF ? -step : step));
}

static uint64_t accumulator(const struct soft_cpu *cpu, unsigned size)
{
    return size == 1 ? soft_get8(cpu, 0) : soft_get_reg(cpu, X86_RAX, size);
}

static void compare(struct soft_cpu *cpu, unsigned size, uint64_t a, uint64_t b)
{
    switch (size) {
    case 1:
        alu_sub8(cpu, a, b);
        break;
    case 2:
        alu_sub16(cpu, a, b);
        break;
    case 4:
        alu_sub32(cpu, a, b);
        break;
    default:
        alu_sub64(cpu, a, b);
    }
}

/* How many items, of at most `count`, lie ahead of linear in its page. 0 when running backwards:
 * then it goes item by item. */
static uint64_t items_in_page(const struct soft_cpu *cpu, const struct soft_insn *insn,
                              uint64_t linear, uint64_t count)
{
    uint64_t items = (SOFT_PAGE_SIZE - linear % SOFT_PAGE_SIZE) / insn->size;

    return cpu->rflags & X86_FLAG_DF ? 0 : MIN(items, count);
}

/* The offset must not pass the segment's limit or wrap within the bulk. */
static bool bulk_fits(const struct soft_cpu *cpu, const struct soft_insn *insn, unsigned segment,
                      unsigned reg, uint64_t bytes, enum soft_access access)
{
    const struct soft_segment *s = &cpu->segment[segment];
    uint64_t offset = cpu->gpr[reg] & insn->address_mask;

    return bytes <= insn->address_mask - offset &&
           offset + bytes <= (access == SOFT_WRITE ? s->write_end : s->read_end);
}

/* Each gives how many items it did, at least one and at most count. */
typedef uint64_t item_fn(struct soft_cpu *cpu, const struct soft_insn *insn, uint64_t count);

static uint64_t movs_bulk(struct soft_cpu *cpu, const struct soft_insn *insn, uint64_t from,
                          uint64_t to, uint64_t count)
{
    uint64_t items =
        MIN(items_in_page(cpu, insn, from, count), items_in_page(cpu, insn, to, count));
    uint64_t bytes = items * insn->size;
    uint8_t *source, *target;

    if (items < 2 || !bulk_fits(cpu, insn, insn->segment, X86_RSI, bytes, SOFT_READ) ||
        !bulk_fits(cpu, insn, X86_ES, X86_RDI, bytes, SOFT_WRITE))
        return 0;
    source = soft_bulk_host(cpu, from, SOFT_READ);
    target = soft_bulk_host(cpu, to, SOFT_WRITE);
    if (source == NULL || target == NULL)
        return 0;
    /* Overlapping forwards, an item may be the source of a later one. */
    if (target > source && target < source + bytes)
        return 0;
    memmove(target, source, bytes);
    return items;
}

static uint64_t movs_items(struct soft_cpu *cpu, const struct soft_insn *insn, uint64_t count)
{
    uint64_t from = source_linear(cpu, insn), to = destination_linear(cpu, insn, SOFT_WRITE);
    uint64_t items = count > 1 ? movs_bulk(cpu, insn, from, to, count) : 0;

    if (items == 0) {
        soft_store_sized(cpu, to, soft_load_sized(cpu, from, insn->size), insn->size);
        items = 1;
    }
    advance(cpu, insn, X86_RSI, items);
    advance(cpu, insn, X86_RDI, items);
    return items;
}

#define FILL(BITS)                                                            \
    static void fill##BITS(uint8_t *to, uint##BITS##_t value, uint64_t items) \
    {                                                                         \
        for (uint64_t i = 0; i < items; i++)                                  \
            memcpy(to + i * sizeof(value), &value, sizeof(value));            \
    }

FILL(16)
FILL(32)
FILL(64)

static void fill(uint8_t *to, uint64_t value, unsigned size, uint64_t items)
{
    if (size == 1 || value == 0)
        memset(to, value, items * size);
    else if (size == 2)
        fill16(to, value, items);
    else if (size == 4)
        fill32(to, value, items);
    else
        fill64(to, value, items);
}

static uint64_t stos_items(struct soft_cpu *cpu, const struct soft_insn *insn, uint64_t count)
{
    uint64_t to = destination_linear(cpu, insn, SOFT_WRITE);
    uint64_t items = count > 1 ? items_in_page(cpu, insn, to, count) : 0;
    uint8_t *target = NULL;

    if (items > 1 && bulk_fits(cpu, insn, X86_ES, X86_RDI, items * insn->size, SOFT_WRITE))
        target = soft_bulk_host(cpu, to, SOFT_WRITE);
    if (target != NULL) {
        fill(target, cpu->gpr[X86_RAX], insn->size, items);
    } else {
        soft_store_sized(cpu, to, accumulator(cpu, insn->size), insn->size);
        items = 1;
    }
    advance(cpu, insn, X86_RDI, items);
    return items;
}

static uint64_t lods_item(struct soft_cpu *cpu, const struct soft_insn *insn, uint64_t count)
{
    uint64_t value = soft_load_sized(cpu, source_linear(cpu, insn), insn->size);

    if (insn->size == 1)
        soft_set8(cpu, 0, value);
    else
        soft_set_reg(cpu, X86_RAX, insn->size, value);
    advance(cpu, insn, X86_RSI, 1);
    return 1;
}

/* What a comparing instruction compares. */
struct string_pair {
    uint64_t first, second;
};
typedef struct string_pair pair_fn(struct soft_cpu *cpu, const struct soft_insn *insn);

static struct string_pair cmps_pair(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    struct string_pair pair;

    pair.first = soft_load_sized(cpu, source_linear(cpu, insn), insn->size);
    pair.second = soft_load_sized(cpu, destination_linear(cpu, insn, SOFT_READ), insn->size);
    advance(cpu, insn, X86_RSI, 1);
    advance(cpu, insn, X86_RDI, 1);
    return pair;
}

static struct string_pair scas_pair(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    struct string_pair pair;

    pair.first = accumulator(cpu, insn->size);
    pair.second = soft_load_sized(cpu, destination_linear(cpu, insn, SOFT_READ), insn->size);
    advance(cpu, insn, X86_RDI, 1);
    return pair;
}

static uint64_t ins_item(struct soft_cpu *cpu, const struct soft_insn *insn, uint64_t count)
{
    uint64_t to = destination_linear(cpu, insn, SOFT_WRITE);

    /* The port must not be read if the store then faults or starts over. */
    soft_need_single(cpu);
    soft_probe_store(cpu, to, insn->size);
    soft_store_sized(cpu, to, soft_io_read(cpu, soft_get16(cpu, X86_RDX), insn->size), insn->size);
    advance(cpu, insn, X86_RDI, 1);
    return 1;
}

static uint64_t outs_item(struct soft_cpu *cpu, const struct soft_insn *insn, uint64_t count)
{
    uint64_t value = soft_load_sized(cpu, source_linear(cpu, insn), insn->size);

    soft_io_write(cpu, soft_get16(cpu, X86_RDX), value, insn->size);
    advance(cpu, insn, X86_RSI, 1);
    return 1;
}

static bool is_repeated(const struct soft_insn *insn)
{
    return insn->flags & (SOFT_INSN_REP | SOFT_INSN_REPNE);
}

static bool should_look(const struct soft_cpu *cpu, unsigned items)
{
    return cpu->trap_step || cpu->trap_hits != 0 || items == ITEMS_PER_LOOK ||
           __atomic_load_n(&cpu->requests, __ATOMIC_RELAXED) != 0;
}

static void repeat(struct soft_cpu *cpu, const struct soft_insn *insn, item_fn *item)
{
    unsigned looks = 0;

    if (!is_repeated(insn)) {
        item(cpu, insn, 1);
        return;
    }
    for (;;) {
        uint64_t count = soft_get_reg(cpu, X86_RCX, insn->address_size);

        if (count == 0)
            return;
        count -= item(cpu, insn, cpu->trap_step ? 1 : count);
        soft_set_reg(cpu, X86_RCX, insn->address_size, count);
        if (count == 0)
            return;
        if (should_look(cpu, ++looks))
            soft_restart(cpu);
    }
}

/* Who may not use the port may not even by a count of 0. */
static void repeat_port(struct soft_cpu *cpu, const struct soft_insn *insn, item_fn *item)
{
    soft_io_check(cpu, soft_get16(cpu, X86_RDX), insn->size);
    repeat(cpu, insn, item);
}

/* CMPS and SCAS end by ZF too. SDM volume 2, REP: a fault leaves the flags as they were before. */
static void repeat_compare(struct soft_cpu *cpu, const struct soft_insn *insn, pair_fn *next)
{
    bool while_equal = !(insn->flags & SOFT_INSN_REPNE);
    struct string_pair pair;
    uint64_t count = 1;
    unsigned looks = 0;

    if (is_repeated(insn))
        count = soft_get_reg(cpu, X86_RCX, insn->address_size);
    if (count == 0)
        return;
    do {
        pair = next(cpu, insn);
        count--;
        if (is_repeated(insn))
            soft_set_reg(cpu, X86_RCX, insn->address_size, count);
    } while (count != 0 && (pair.first == pair.second) == while_equal &&
             !should_look(cpu, ++looks));
    compare(cpu, insn->size, pair.first, pair.second);
    if (count != 0 && (pair.first == pair.second) == while_equal)
        soft_restart(cpu);
}

#define STRING_OPERATION(NAME, REPEAT, ITEM) \
    SOFT_OPERATION(NAME)                     \
    {                                        \
        REPEAT(cpu, insn, ITEM);             \
    }

STRING_OPERATION(movs, repeat, movs_items)
STRING_OPERATION(stos, repeat, stos_items)
STRING_OPERATION(lods, repeat, lods_item)
STRING_OPERATION(cmps, repeat_compare, cmps_pair)
STRING_OPERATION(scas, repeat_compare, scas_pair)
STRING_OPERATION(ins, repeat_port, ins_item)
STRING_OPERATION(outs, repeat_port, outs_item)
