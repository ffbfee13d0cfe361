/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The software CPU's instructions for operating systems: ports, descriptor tables, control and
 * model-specific registers. Intel SDM volume 2.
 */
#include <check.h>
#include <string.h>

#include "engine/cpu/soft/segment.h"
#include "tests/fakes/soft_machine.h"
#include "tests/suite.h"

#define PORT 0x80
#define PORT_VALUE 0xa1b2c3d4u
#define DATA SOFT_MACHINE_DATA
#define LDT_SELECTOR SOFT_MACHINE_FREE /* two entries in 64-bit mode */
#define TSS_SELECTOR (SOFT_MACHINE_FREE + 0x10)
#define LDT_ATTRIBUTES 0x82u
#define TSS_FREE 0x89u
#define TSS_BUSY 0x8bu
#define GARBAGE UINT64_C(0x5a5a5a5a5a5a5a5a)

static struct soft_machine *m;
static struct region port;
static uint64_t written[4];
static unsigned write_count, write_size;

static uint64_t port_read(void *opaque, uint64_t offset, unsigned size)
{
    return PORT_VALUE & (UINT32_MAX >> (32 - size * 8));
}

static void port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    written[write_count++ % G_N_ELEMENTS(written)] = value;
    write_size = size;
}

static void setup(void)
{
    static const struct region_ops ops = {port_read, port_write, .max_access = 4};

    m = soft_machine_new();
    port = (struct region){.name = "port", .size = 4, .ops = &ops};
    g_mutex_lock(&m->board.lock);
    pio_bus_add(m->board.pio, &port, PORT);
    g_mutex_unlock(&m->board.lock);
}

static void teardown(void)
{
    g_mutex_lock(&m->board.lock);
    pio_bus_remove(m->board.pio, &port);
    g_mutex_unlock(&m->board.lock);
    soft_machine_free(m);
}

/* 64-bit code at this level, with RAX a garbage, RDX the port and RBX, RSI, RDI data. */
static void set_mode(enum soft_machine_mode mode, unsigned cpl)
{
    soft_machine_set_mode(m, mode, SOFT_MACHINE_PAGES32, cpl);
    m->state.gpr[X86_RAX] = GARBAGE;
    m->state.gpr[X86_RDX] = PORT;
    m->state.gpr[X86_RBX] = m->state.gpr[X86_RDI] = m->state.gpr[X86_RSI] = DATA;
    write_count = 0;
}

static void check_runs(const char *program)
{
    int result = soft_machine_try(m, program);

    ck_assert_msg(result == -1, "%s: %d", program, result);
}

START_TEST(port_input)
{
    static const struct {
        const char *program;
        uint64_t rax;
    } cases[] = {
        {"e480", UINT64_C(0x5a5a5a5a5a5a5ad4)}, /* in al, 0x80 */
        {"66e580", UINT64_C(0x5a5a5a5a5a5ac3d4)},
        {"e580", PORT_VALUE},
        {"48e580", PORT_VALUE},               /* REX.W counts for nothing */
        {"ec", UINT64_C(0x5a5a5a5a5a5a5ad4)}, /* in al, dx */
        {"66ed", UINT64_C(0x5a5a5a5a5a5ac3d4)},
        {"ed", PORT_VALUE},
        {"48ed", PORT_VALUE},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        set_mode(SOFT_MACHINE_LONG64, 0);
        check_runs(cases[i].program);
        ck_assert_uint_eq(m->cpu->gpr[X86_RAX], cases[i].rax);
    }
}
END_TEST

START_TEST(port_output)
{
    static const struct {
        const char *program;
        unsigned size;
        uint64_t value;
    } cases[] = {
        {"e680", 1, 0x5a},         {"66e780", 2, 0x5a5a},   {"e780", 4, 0x5a5a5a5a},
        {"48e780", 4, 0x5a5a5a5a}, {"ee", 1, 0x5a},         {"66ef", 2, 0x5a5a},
        {"ef", 4, 0x5a5a5a5a},     {"48ef", 4, 0x5a5a5a5a},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        set_mode(SOFT_MACHINE_LONG64, 0);
        check_runs(cases[i].program);
        ck_assert_uint_eq(write_count, 1);
        ck_assert_uint_eq(write_size, cases[i].size);
        ck_assert_uint_eq(written[0], cases[i].value);
    }
}
END_TEST

/* From ports to memory; no operand is of 64 bits. */
START_TEST(port_string_input)
{
    static const struct {
        const char *program;
        unsigned bytes;
    } cases[] = {{"6c", 1},   {"666d", 2},   {"6d", 4},    {"486d", 4},
                 {"f36c", 3}, {"f3666d", 6}, {"f36d", 12}, {"f3486d", 12}};

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        bool repeated = cases[i].program[0] == 'f';
        unsigned size = repeated ? cases[i].bytes / 3 : cases[i].bytes;
        uint8_t expected[16] = {0};

        for (unsigned at = 0; at < cases[i].bytes; at += size)
            memcpy(expected + at, &(uint32_t){PORT_VALUE}, size);
        set_mode(SOFT_MACHINE_LONG64, 0);
        m->state.gpr[X86_RCX] = 3;
        check_runs(cases[i].program);
        ck_assert_mem_eq(m->memory + DATA, expected, sizeof(expected));
        ck_assert_uint_eq(m->cpu->gpr[X86_RDI], DATA + cases[i].bytes);
        ck_assert_uint_eq(m->cpu->gpr[X86_RCX], repeated ? 0 : 3);
    }
    set_mode(SOFT_MACHINE_LONG64, 0); /* downwards */
    m->state.rflags |= X86_FLAG_DF;
    check_runs("6d");
    ck_assert_uint_eq(m->cpu->gpr[X86_RDI], DATA - 4);
}
END_TEST

START_TEST(port_string_output)
{
    static const uint8_t bytes[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    static const struct {
        const char *program;
        unsigned size, count;
    } cases[] = {{"6e", 1, 1},   {"666f", 2, 1},   {"6f", 4, 1},   {"486f", 4, 1},
                 {"f36e", 1, 3}, {"f3666f", 2, 3}, {"f36f", 4, 3}, {"f3486f", 4, 3}};

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        set_mode(SOFT_MACHINE_LONG64, 0);
        soft_machine_put(m, DATA, bytes, sizeof(bytes));
        m->state.gpr[X86_RCX] = 3;
        check_runs(cases[i].program);
        ck_assert_uint_eq(write_count, cases[i].count);
        ck_assert_uint_eq(write_size, cases[i].size);
        for (unsigned j = 0; j < cases[i].count; j++)
            ck_assert_mem_eq(&written[j], bytes + j * cases[i].size, cases[i].size);
        ck_assert_uint_eq(m->cpu->gpr[X86_RSI], DATA + cases[i].count * cases[i].size);
    }
}
END_TEST

/* Without the permission not even a count of 0 is fine. */
START_TEST(port_string_permission)
{
    static const char *const programs[] = {"f36c", "f36d", "f36e", "f36f"};

    for (unsigned i = 0; i < G_N_ELEMENTS(programs); i++) {
        set_mode(SOFT_MACHINE_LONG64, 3);
        m->state.gpr[X86_RCX] = 0;
        m->state.tr.limit = 136; /* the bitmap ends */
        ck_assert_int_eq(soft_machine_try(m, programs[i]), X86_GP);
        set_mode(SOFT_MACHINE_LONG64, 3);
        m->state.gpr[X86_RCX] = 0;
        check_runs(programs[i]);
        ck_assert_uint_eq(write_count, 0);
    }
}
END_TEST

/* Stored, changed and loaded; the forms of 16 bits have a base of 24. */
START_TEST(descriptor_tables)
{
    static const struct {
        const char *store, *load16, *load;
    } tables[] = {{"0f0103", "660f0113", "0f0113"}, {"0f010b", "660f011b", "0f011b"}};

    for (unsigned i = 0; i < G_N_ELEMENTS(tables); i++) {
        const struct x86_table *table = i == 0 ? &m->cpu->gdt : &m->cpu->idt;
        uint64_t base;

        set_mode(SOFT_MACHINE_LONG64, 0);
        base = i == 0 ? m->state.gdt.base : m->state.idt.base;
        soft_machine_put(m, DATA + 8, "\xff\xff\xff\xff", 4);
        check_runs(tables[i].store);
        ck_assert_uint_eq(soft_machine_get(m, DATA, 2), table->limit);
        ck_assert_uint_eq(soft_machine_get(m, DATA + 2, 8), base);
        ck_assert_uint_eq(soft_machine_get(m, DATA + 10, 2), 0xffff);
        set_mode(SOFT_MACHINE_LONG64, 0);
        soft_machine_put(m, DATA, "\x34\x12\x88\x77\x66\x55\x44\x33\xff\xff", 10);
        check_runs(tables[i].load16); /* 66 counts for nothing there */
        ck_assert_uint_eq(table->limit, 0x1234);
        ck_assert_uint_eq(table->base, UINT64_C(0xffff334455667788));
        set_mode(SOFT_MACHINE_PROTECTED32, 0);
        soft_machine_put(m, DATA, "\x34\x12\x88\x77\x66\x55\x44\x33", 8);
        check_runs(tables[i].load);
        ck_assert_uint_eq(table->base, 0x55667788);
        set_mode(SOFT_MACHINE_PROTECTED32, 0);
        soft_machine_put(m, DATA, "\x34\x12\x88\x77\x66\x55\x44\x33", 8);
        check_runs(tables[i].load16);
        ck_assert_uint_eq(table->base, 0x667788);
        set_mode(SOFT_MACHINE_PROTECTED32, 0);
        check_runs(tables[i].store);
        ck_assert_uint_eq(soft_machine_get(m, DATA + 2, 4), base);
        ck_assert_uint_eq(soft_machine_get(m, DATA + 6, 4), 0);
    }
}
END_TEST

/* lldt ax; sldt eax; and TR's likes; an LDT may be null, a TSS may not. */
START_TEST(system_selectors)
{
    set_mode(SOFT_MACHINE_LONG64, 0);
    soft_machine_set_descriptor(m, LDT_SELECTOR, 0x1234, 0x567, LDT_ATTRIBUTES);
    m->state.gpr[X86_RAX] = LDT_SELECTOR;
    m->state.gpr[X86_RCX] = GARBAGE;
    check_runs("0f00d0 0f00c1");
    ck_assert_uint_eq(m->cpu->gpr[X86_RCX], LDT_SELECTOR);
    ck_assert_uint_eq(m->cpu->ldtr.base, 0x1234);
    ck_assert_uint_eq(m->cpu->ldtr.limit, 0x567);
    set_mode(SOFT_MACHINE_LONG64, 0);
    m->state.gpr[X86_RAX] = 0;
    soft_machine_put(m, DATA, &(uint64_t){GARBAGE}, 8);
    check_runs("0f00d0 0f0003"); /* to memory 16 bits */
    ck_assert_uint_eq(soft_machine_get(m, DATA, 4), 0x5a5a0000);
    ck_assert_uint_eq(m->cpu->ldtr.attributes & SEG_P, 0);

    set_mode(SOFT_MACHINE_LONG64, 0);
    soft_machine_set_descriptor(m, TSS_SELECTOR, SOFT_MACHINE_TSS, 0x67, TSS_FREE);
    m->state.gpr[X86_RAX] = TSS_SELECTOR;
    m->state.gpr[X86_RCX] = GARBAGE;
    check_runs("0f00d8 66 0f00c9"); /* str cx */
    ck_assert_uint_eq(m->cpu->gpr[X86_RCX], (GARBAGE & ~UINT64_C(0xffff)) | TSS_SELECTOR);
    ck_assert_uint_eq(m->cpu->tr.limit, 0x67);
    ck_assert_uint_eq(soft_machine_get(m, SOFT_MACHINE_GDT + TSS_SELECTOR + 5, 1), TSS_BUSY);
}
END_TEST

START_TEST(system_selector_faults)
{
    static const struct {
        const char *program;
        uint32_t attributes;
        uint16_t selector;
        int vector;
    } cases[] = {
        {"0f00d0", TSS_FREE, LDT_SELECTOR, X86_GP},
        {"0f00d0", LDT_ATTRIBUTES, LDT_SELECTOR | SELECTOR_TI, X86_GP},
        {"0f00d0", LDT_ATTRIBUTES & ~SEG_P, LDT_SELECTOR, X86_NP},
        {"0f00d0", LDT_ATTRIBUTES, 0x1f8, X86_GP},
        {"0f00d8", TSS_FREE, 0, X86_GP},
        {"0f00d8", TSS_BUSY, LDT_SELECTOR, X86_GP},
        {"0f00d8", LDT_ATTRIBUTES, LDT_SELECTOR, X86_GP},
        {"0f00d8", TSS_FREE, LDT_SELECTOR | SELECTOR_TI, X86_GP},
        {"0f00d8", TSS_FREE & ~SEG_P, LDT_SELECTOR, X86_NP},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        int result;

        set_mode(SOFT_MACHINE_LONG64, 0);
        soft_machine_set_descriptor(m, LDT_SELECTOR, 0, 0x67, cases[i].attributes);
        m->state.gpr[X86_RAX] = cases[i].selector;
        result = soft_machine_try(m, cases[i].program);
        ck_assert_msg(result == cases[i].vector, "case %u: %d", i, result);
    }
}
END_TEST

/* LMSW sets PE, MP, EM and TS, and clears all of them but PE; CLTS clears TS. */
START_TEST(machine_status)
{
    uint64_t cr0;

    set_mode(SOFT_MACHINE_LONG64, 0);
    cr0 = m->state.cr0;
    check_runs("0f01e0"); /* smsw eax */
    ck_assert_uint_eq(m->cpu->gpr[X86_RAX], (uint32_t)cr0);
    set_mode(SOFT_MACHINE_LONG64, 0);
    soft_machine_put(m, DATA, &(uint64_t){GARBAGE}, 8);
    check_runs("0f0123"); /* to memory 16 bits */
    ck_assert_uint_eq(soft_machine_get(m, DATA, 4), 0x5a5a0000 | (cr0 & 0xffff));
    set_mode(SOFT_MACHINE_LONG64, 0);
    m->state.gpr[X86_RAX] = 0xfffe;
    check_runs("0f01f0");
    ck_assert_uint_eq(m->cpu->cr0, cr0 | CR0_MP | CR0_EM | CR0_TS);
    set_mode(SOFT_MACHINE_LONG64, 0);
    m->state.cr0 |= CR0_EM | CR0_TS;
    m->state.gpr[X86_RAX] = 0;
    check_runs("0f01f0");
    ck_assert_uint_eq(m->cpu->cr0, cr0 & ~CR0_MP);
    set_mode(SOFT_MACHINE_LONG64, 0);
    m->state.cr0 |= CR0_TS;
    check_runs("0f06 d9e8"); /* and FLD1 is allowed again */
    ck_assert_uint_eq(m->cpu->cr0, cr0);
}
END_TEST

/* CR2 and CR3 hold what was moved there; in 64-bit code operands have 64 bits without REX. */
START_TEST(control_registers)
{
    set_mode(SOFT_MACHINE_LONG64, 0);
    check_runs("0f22d0 0f20d1"); /* mov cr2, rax; mov rcx, cr2 */
    ck_assert_uint_eq(m->cpu->gpr[X86_RCX], GARBAGE);
    set_mode(SOFT_MACHINE_LONG64, 0);
    m->state.gpr[X86_RAX] = 9;
    check_runs("440f22c0 440f20c1"); /* cr8 */
    ck_assert_uint_eq(m->cpu->gpr[X86_RCX], 9);
    set_mode(SOFT_MACHINE_LONG64, 0);
    check_runs("0f20d8 0f22d8 0f20e1"); /* cr3 and back; cr4 */
    ck_assert_uint_eq(m->cpu->gpr[X86_RAX], m->state.cr3);
    ck_assert_uint_eq(m->cpu->gpr[X86_RCX], m->state.cr4);
    /* One that there is not is #UD even to users. */
    set_mode(SOFT_MACHINE_LONG64, 3);
    ck_assert_int_eq(soft_machine_try(m, "0f20c8"), X86_UD);
    set_mode(SOFT_MACHINE_LONG64, 3);
    ck_assert_int_eq(soft_machine_try(m, "0f22c8"), X86_UD);
    set_mode(SOFT_MACHINE_LONG64, 3);
    ck_assert_int_eq(soft_machine_try(m, "440f21c0"), X86_UD); /* dr8 */
    set_mode(SOFT_MACHINE_LONG64, 3);
    ck_assert_int_eq(soft_machine_try(m, "0f20e0"), X86_GP);
}
END_TEST

START_TEST(model_specific_registers)
{
    set_mode(SOFT_MACHINE_LONG64, 0);
    m->state.gpr[X86_RCX] = 0xc0000082; /* LSTAR */
    m->state.gpr[X86_RDX] = UINT64_C(0xffffffff00001234);
    /* wrmsr; mov rax, -1; mov rdx, rax; rdmsr */
    check_runs("0f30 48c7c0ffffffff 4889c2 0f32");
    ck_assert_uint_eq(m->cpu->lstar, UINT64_C(0x12345a5a5a5a));
    ck_assert_uint_eq(m->cpu->gpr[X86_RAX], 0x5a5a5a5a);
    ck_assert_uint_eq(m->cpu->gpr[X86_RDX], 0x1234);
    set_mode(SOFT_MACHINE_LONG64, 0);
    m->state.gpr[X86_RCX] = 0x12345678;
    ck_assert_int_eq(soft_machine_try(m, "0f32"), X86_GP);
    set_mode(SOFT_MACHINE_LONG64, 0);
    m->state.gpr[X86_RCX] = 0x12345678;
    ck_assert_int_eq(soft_machine_try(m, "0f30"), X86_GP);
    /* No counters */
    set_mode(SOFT_MACHINE_LONG64, 0);
    ck_assert_int_eq(soft_machine_try(m, "0f33"), X86_GP);
}
END_TEST

/* INVD and WBINVD */
START_TEST(cache_instructions)
{
    set_mode(SOFT_MACHINE_LONG64, 0);
    soft_machine_put(m, DATA, "\x78\x56\x34\x12", 4);
    check_runs("c70367452301 0f08 0f09 8b0b"); /* mov dword [rbx], 0x1234567; ...; mov ecx, [rbx] */
    ck_assert_uint_eq(m->cpu->gpr[X86_RCX], 0x1234567);
}
END_TEST

START_TEST(access_flag)
{
    set_mode(SOFT_MACHINE_LONG64, 0);
    check_runs("0f01cb"); /* stac */
    ck_assert_uint_eq(m->cpu->rflags & X86_FLAG_AC, X86_FLAG_AC);
    set_mode(SOFT_MACHINE_LONG64, 0);
    m->state.rflags |= X86_FLAG_AC;
    check_runs("0f01ca"); /* clac */
    ck_assert_uint_eq(m->cpu->rflags & X86_FLAG_AC, 0);
    set_mode(SOFT_MACHINE_LONG64, 3);
    ck_assert_int_eq(soft_machine_try(m, "0f01cb"), X86_UD);
    set_mode(SOFT_MACHINE_LONG64, 3);
    ck_assert_int_eq(soft_machine_try(m, "0f01ca"), X86_UD);
}
END_TEST

/* CLFLUSH touches what it is given as a load does. */
START_TEST(cache_line_flush)
{
    set_mode(SOFT_MACHINE_LONG64, 0);
    check_runs("0fae3b");
    set_mode(SOFT_MACHINE_LONG64, 0);
    m->state.gpr[X86_RBX] = UINT64_C(1) << 33;
    ck_assert_int_eq(soft_machine_try(m, "0fae3b"), X86_PF);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("soft-system-instructions");
    TCase *test = tcase_create("instructions");

    tcase_add_checked_fixture(test, setup, teardown);
    tcase_add_test(test, port_input);
    tcase_add_test(test, port_output);
    tcase_add_test(test, port_string_input);
    tcase_add_test(test, port_string_output);
    tcase_add_test(test, port_string_permission);
    tcase_add_test(test, descriptor_tables);
    tcase_add_test(test, system_selectors);
    tcase_add_test(test, system_selector_faults);
    tcase_add_test(test, machine_status);
    tcase_add_test(test, control_registers);
    tcase_add_test(test, model_specific_registers);
    tcase_add_test(test, cache_instructions);
    tcase_add_test(test, access_flag);
    tcase_add_test(test, cache_line_flush);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
