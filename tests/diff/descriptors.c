/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/diff/descriptors.h"

#include "tests/diff/native.h"
#include "tests/diff/values.h"

#define DATA 0
#define EXPAND_DOWN 1
#define CODE 2
#define CONFORMING 3

#define FLAT 0xfffff /* pages */

/* Present code and data with DPL 3, and accessed, as modify_ldt() makes them. */
static const struct user_desc ldt_entries[LDT_COUNT] = {
    {.limit = FLAT, .seg_32bit = 1, .contents = CODE, .limit_in_pages = 1},
    {.base_addr = NATIVE_CODE, .limit = 0xfff, .seg_32bit = 1, .contents = CODE},
    {.base_addr = NATIVE_CODE, .limit = 0xfff, .contents = CODE},
    {.limit = FLAT, .seg_32bit = 1, .contents = CODE, .read_exec_only = 1, .limit_in_pages = 1},
    {.limit = FLAT, .contents = CODE, .seg_not_present = 1},
    {.limit = FLAT, .seg_32bit = 1, .contents = DATA, .limit_in_pages = 1, .useable = 1},
    {.base_addr = NATIVE_DATA, .limit = 0xfff, .seg_32bit = 1, .contents = DATA},
    {.base_addr = NATIVE_DATA, .limit = 0xffff, .contents = DATA},
    {.limit = FLAT, .seg_32bit = 1, .contents = DATA, .read_exec_only = 1, .limit_in_pages = 1},
    {.base_addr = NATIVE_DATA, .limit = 0xfff, .contents = EXPAND_DOWN},
    {.limit = FLAT, .seg_32bit = 1, .contents = DATA, .seg_not_present = 1},
    {.limit = FLAT, .contents = CONFORMING, .seg_not_present = 1},
};

void descriptors_get_ldt(unsigned entry, struct user_desc *ret)
{
    *ret = ldt_entries[entry];
    ret->entry_number = entry;
}

static uint64_t encode(uint32_t base, uint32_t limit, uint32_t attributes)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)attributes << 40 |
           (uint64_t)(limit >> 16) << 48 | (uint64_t)(base >> 24) << 56;
}

void descriptors_make_ldt(uint64_t ldt[LDT_COUNT])
{
    for (unsigned i = 0; i < LDT_COUNT; i++) {
        const struct user_desc *d = &ldt_entries[i];

        ldt[i] =
            encode(d->base_addr, d->limit,
                   0x71 | !d->read_exec_only << 1 | d->contents << 2 | !d->seg_not_present << 7 |
                       d->useable << 12 | d->seg_32bit << 14 | d->limit_in_pages << 15);
    }
}

void descriptors_make_gdt(uint64_t gdt[GDT_COUNT], uint64_t tss, uint64_t ldt)
{
    static const struct {
        unsigned selector;
        uint32_t attributes;
    } flat[] = {{0x08, 0xc09b},        {GDT_KERNEL_CODE, 0xa09b}, {0x18, 0xc093},
                {USER_CODE32, 0xc0fb}, {USER_DATA, 0xc0f3},       {USER_CODE64, 0xa0fb}};

    for (unsigned i = 0; i < G_N_ELEMENTS(flat); i++)
        gdt[flat[i].selector >> 3] = encode(0, FLAT, flat[i].attributes);
    gdt[GDT_TSS >> 3] = encode(tss, 0x67, 0x8b);
    gdt[(GDT_TSS >> 3) + 2] = encode(ldt, LDT_COUNT * 8 - 1, 0x82);
    gdt[GDT_PROCESSOR >> 3] = encode(0, 0, 0x40f5);
}

uint16_t descriptors_random(GRand *rand)
{
    static const uint16_t often[] = {0, 3, USER_DATA, USER_CODE32};
    uint16_t selector;

    switch (g_rand_int_range(rand, 0, 6)) {
    case 0:
        return often[g_rand_int_range(rand, 0, G_N_ELEMENTS(often))];
    case 1:
    case 2:
        return LDT_SELECTOR(g_rand_int_range(rand, 0, LDT_COUNT + 2));
    case 3: /* another RPL */
        return LDT_SELECTOR(g_rand_int_range(rand, 0, LDT_COUNT)) & ~3u;
    case 4:
        selector = value_integer(rand);
        break;
    default:
        selector = g_rand_int_range(rand, 0, 0x90);
    }
    return (selector & ~7) == GDT_PROCESSOR ? USER_DATA : selector;
}

uint16_t descriptors_random_code(GRand *rand)
{
    static const uint16_t often[] = {USER_CODE32, USER_CODE64, LDT_SELECTOR(0), LDT_SELECTOR(1),
                                     LDT_SELECTOR(2)};

    return value_chance(rand, 4) ? descriptors_random(rand)
                                 : often[g_rand_int_range(rand, 0, G_N_ELEMENTS(often))];
}
