/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paging of the software CPU. Intel SDM volume 3, chapter 4. */
#include <check.h>
#include <string.h>

#include "tests/fakes/soft_machine.h"
#include "tests/suite.h"

#define P 0x1u
#define W 0x2u
#define U 0x4u
#define A 0x20u
#define D 0x40u
#define LARGE 0x80u
#define NX (UINT64_C(1) << 63)

#define PAGE (SOFT_MACHINE_DATA + 0x1000) /* whose entry the tests change */

/* Error code of #PF. */
#define E_P 1u
#define E_W 2u
#define E_U 4u
#define E_RSVD 8u
#define E_FETCH 16u

static struct soft_machine *m;

static void setup(void)
{
    m = soft_machine_new();
}

static void teardown(void)
{
    soft_machine_free(m);
}

/* One of the three kinds of paging; RBX is the page. */
static void set_mode(int kind, unsigned cpl)
{
    soft_machine_set_paged(m, kind, cpl);
    m->state.gpr[X86_RBX] = PAGE;
    m->state.gpr[X86_RAX] = 0x1234;
}

static void set_entry(uint64_t entry)
{
    soft_machine_set_pte(m, PAGE, entry);
}

static uint64_t entry_of_page(void)
{
    return soft_machine_get(m, (uint8_t *)soft_machine_pte(m, PAGE) - m->memory,
                            m->paging == SOFT_MACHINE_PAGES32 ? 4 : 8);
}

static void check_fault(const char *program, uint64_t address, unsigned error)
{
    unsigned size = m->mode == SOFT_MACHINE_LONG64 ? 8 : 4;
    uint64_t rip = m->state.rip;

    ck_assert_int_eq(soft_machine_try(m, program), X86_PF);
    ck_assert_uint_eq(m->cpu->cr2, address);
    ck_assert_uint_eq(soft_machine_top(m, 0, size), error);
    ck_assert_uint_eq(soft_machine_top(m, 1, size), rip);
}

static void check_runs(const char *program)
{
    ck_assert_int_eq(soft_machine_try(m, program), -1);
}

/* mov eax, [rbx]; mov [rbx], eax */
#define READ "8b03"
#define WRITE "8903"

START_TEST(not_present)
{
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        set_mode(_i, cpl);
        set_entry(PAGE | W | U);
        check_fault(READ, PAGE, cpl == 3 ? E_U : 0);
        set_mode(_i, cpl);
        set_entry(PAGE | W | U);
        check_fault(WRITE, PAGE, E_W | (cpl == 3 ? E_U : 0));
    }
}
END_TEST

START_TEST(supervisor_page)
{
    set_mode(_i, 3);
    set_entry(PAGE | P | W);
    check_fault(READ, PAGE, E_P | E_U);
    set_mode(_i, 0);
    set_entry(PAGE | P | W);
    check_runs(READ);
}
END_TEST

START_TEST(read_only_page)
{
    set_mode(_i, 3);
    set_entry(PAGE | P | U);
    check_fault(WRITE, PAGE, E_P | E_U | E_W);
    set_mode(_i, 0);
    set_entry(PAGE | P | U);
    check_fault(WRITE, PAGE, E_P | E_W); /* CR0.WP */
    set_mode(_i, 0);
    set_entry(PAGE | P | U);
    m->state.cr0 &= ~CR0_WP;
    check_runs(WRITE);
    ck_assert_uint_eq(soft_machine_get(m, PAGE, 4), 0x1234);
}
END_TEST

START_TEST(accessed_and_dirty)
{
    set_mode(_i, 0);
    set_entry(PAGE | P | W | U);
    check_runs(READ);
    ck_assert_uint_eq(entry_of_page(), PAGE | P | W | U | A);
    set_mode(_i, 0);
    set_entry(PAGE | P | W | U);
    check_runs(WRITE);
    ck_assert_uint_eq(entry_of_page(), PAGE | P | W | U | A | D);
    /* A write behind a read sets D although the page is known already. */
    set_mode(_i, 0);
    set_entry(PAGE | P | W | U);
    check_runs(READ WRITE);
    ck_assert_uint_eq(entry_of_page(), PAGE | P | W | U | A | D);
}
END_TEST

/* Code in a page of tables: what an accessed bit makes of it is executed from then on. */
START_TEST(accessed_bit_in_code)
{
    uint64_t page = 0x100000, entry;
    uint8_t *code, tail[] = {0xc3};

    set_mode(_i, 0);
    code = soft_machine_pte(m, page);
    /* mov ax, the entry's low half; a jump over the rest of the entry; ret */
    entry = P | U | 0xebu << 16 | (_i == 0 ? 0u : 4u) << 24;
    memcpy(code - 2, "\x66\xb8", 2);
    memcpy(code, &entry, _i == 0 ? 4 : 8);
    memcpy(code + (_i == 0 ? 4 : 8), tail, sizeof(tail));
    m->state.gpr[X86_RBX] = page;
    m->state.gpr[X86_RSI] = code - 2 - m->memory;
    check_runs("ffd6 89c2 8a0b ffd6"); /* call rsi; mov edx, eax; mov cl, [rbx]; call rsi */
    ck_assert_uint_eq(m->cpu->gpr[X86_RDX] & 0xffff, P | U);
    ck_assert_uint_eq(m->cpu->gpr[X86_RAX] & 0xffff, P | U | A);
}
END_TEST

START_TEST(faulting_access_sets_nothing)
{
    set_mode(_i, 3);
    set_entry(PAGE | P | U);
    check_fault(WRITE, PAGE, E_P | E_U | E_W);
    ck_assert_uint_eq(entry_of_page() & D, 0);
}
END_TEST

START_TEST(no_execute)
{
    set_mode(_i, 0);
    if (m->paging == SOFT_MACHINE_PAGES32)
        return;
    m->state.efer |= EFER_NXE;
    set_entry(PAGE | P | W | U | NX);
    m->state.rip = PAGE;
    check_fault("90", PAGE, E_P | E_FETCH);
    set_mode(_i, 3);
    m->state.efer |= EFER_NXE;
    set_entry(PAGE | P | W | U | NX);
    check_runs(READ);
    /* Without EFER.NXE the bit is reserved, and there is no bit for fetches. */
    set_mode(_i, 0);
    m->state.efer &= ~EFER_NXE;
    set_entry(PAGE | P | W | U | NX);
    check_fault(READ, PAGE, E_P | E_RSVD);
}
END_TEST

/* The page at `linear` becomes a supervisor's. */
static void close_to_users(uint64_t linear)
{
    *(uint8_t *)soft_machine_pte(m, linear) &= ~U;
}

START_TEST(smep)
{
    set_mode(_i, 0);
    m->state.cr4 |= CR4_SMEP;
    close_to_users(SOFT_MACHINE_HANDLERS);
    check_fault("90", SOFT_MACHINE_CODE, E_P | E_FETCH);
    set_mode(_i, 0);
    m->state.cr4 |= CR4_SMEP;
    close_to_users(SOFT_MACHINE_CODE);
    check_runs(READ);
}
END_TEST

START_TEST(smap)
{
    set_mode(_i, 0);
    m->state.cr4 |= CR4_SMAP;
    close_to_users(SOFT_MACHINE_STACK0 - 8);
    close_to_users(SOFT_MACHINE_IDT);
    close_to_users(SOFT_MACHINE_GDT);
    check_fault(READ, PAGE, E_P);
}
END_TEST

START_TEST(smap_with_ac)
{
    set_mode(_i, 0);
    m->state.cr4 |= CR4_SMAP;
    check_runs("0f01cb" READ); /* stac */
    set_mode(_i, 3);
    m->state.cr4 |= CR4_SMAP;
    close_to_users(SOFT_MACHINE_TSS); /* OUT looks there for the port */
    check_runs(READ);
}
END_TEST

START_TEST(reserved_bits)
{
    set_mode(_i, 0);
    if (m->paging == SOFT_MACHINE_PAGES32)
        return;
    set_entry(PAGE | P | W | U | UINT64_C(1) << SOFT_PHYSICAL_BITS);
    check_fault(READ, PAGE, E_P | E_RSVD);
    set_mode(_i, 3);
    set_entry(PAGE | P | W | U | UINT64_C(1) << 51);
    check_fault(WRITE, PAGE, E_P | E_RSVD | E_W | E_U);
}
END_TEST

/* The first page of two is fine, the second one not: nothing is written, CR2 is the second's. */
START_TEST(access_across_pages)
{
    set_mode(_i, 0);
    set_entry(PAGE | W | U);
    m->state.gpr[X86_RBX] = PAGE - 2;
    check_fault(WRITE, PAGE, E_W);
    ck_assert_uint_eq(soft_machine_get(m, PAGE - 2, 4), 0);
}
END_TEST

START_TEST(code_across_pages)
{
    set_mode(_i, 0);
    set_entry(PAGE | W | U);
    m->state.rip = PAGE - 2; /* mov eax, imm32 */
    ck_assert_int_eq(soft_machine_try(m, "b811111111"), X86_PF);
    ck_assert_uint_eq(m->cpu->cr2, PAGE);
    ck_assert_uint_eq(soft_machine_top(m, 1, m->mode == SOFT_MACHINE_LONG64 ? 8 : 4), PAGE - 2);
}
END_TEST

START_TEST(large_page)
{
    uint64_t entry = P | W | U | LARGE;
    unsigned table = SOFT_MACHINE_TABLES + (_i == 0 ? 0 : 0x2000); /* of 32-bit paging, or others */

    set_mode(_i, 0);
    m->state.cr4 |= CR4_PSE;
    soft_machine_put(m, table, &entry, 4);
    check_runs(WRITE);
    ck_assert_uint_eq(soft_machine_get(m, PAGE, 4), 0x1234);
    ck_assert_uint_eq(soft_machine_get(m, table, 4), entry | A | D);
}
END_TEST

/* Without CR4.PSE the bit means nothing in 32-bit paging: the entry is a table at 0. */
START_TEST(large_page_without_pse)
{
    uint32_t entry = P | W | U | LARGE;

    soft_machine_set_mode(m, SOFT_MACHINE_PROTECTED32, SOFT_MACHINE_PAGES32, 0);
    soft_machine_put(m, SOFT_MACHINE_TABLES, &entry, 4);
    ck_assert_int_eq(soft_machine_try(m, "90"), SOFT_MACHINE_TRIPLE_FAULT);
}
END_TEST

/* A change of an entry is seen after INVLPG, and after a load of CR3. */
START_TEST(flushes)
{
    static const char *const flush[] = {"0f013b", "0f20d8 0f22d8"};
    char *program;

    for (unsigned i = 0; i < G_N_ELEMENTS(flush); i++) {
        set_mode(_i, 0);
        m->state.gpr[X86_RDI] = (uint8_t *)soft_machine_pte(m, PAGE) - m->memory;
        m->state.gpr[X86_RSI] = (PAGE + 0x1000) | P | W | U;
        soft_machine_put(m, PAGE + 0x1000, "\x78\x56\x34\x12", 4);
        /* mov eax, [rbx]; mov [rdi], esi; flush; mov edx, [rbx] */
        program = g_strconcat(READ " 8937 ", flush[i], " 8b13", NULL);
        check_runs(program);
        ck_assert_uint_eq(m->cpu->gpr[X86_RDX], 0x12345678);
        g_free(program);
    }
}
END_TEST

START_TEST(not_canonical)
{
    soft_machine_set_mode(m, SOFT_MACHINE_LONG64, SOFT_MACHINE_PAE, 0);
    m->state.gpr[X86_RBX] = UINT64_C(1) << 47;
    ck_assert_int_eq(soft_machine_try(m, READ), X86_GP);
    ck_assert_uint_eq(soft_machine_top(m, 0, 8), 0);
    soft_machine_set_mode(m, SOFT_MACHINE_LONG64, SOFT_MACHINE_PAE, 0);
    m->state.gpr[X86_RBP] = UINT64_C(1) << 47;
    ck_assert_int_eq(soft_machine_try(m, "8b4500"), X86_SS_FAULT); /* mov eax, [rbp] */
    soft_machine_set_mode(m, SOFT_MACHINE_LONG64, SOFT_MACHINE_PAE, 3);
    m->state.gpr[X86_RSP] = (UINT64_C(1) << 47) + 8;
    ck_assert_int_eq(soft_machine_try(m, "50"), X86_SS_FAULT); /* push rax */
    soft_machine_set_mode(m, SOFT_MACHINE_LONG64, SOFT_MACHINE_PAE, 0);
    m->state.gpr[X86_RBX] = UINT64_C(1) << 47;
    ck_assert_int_eq(soft_machine_try(m, "ffe3"), X86_GP); /* jmp rbx */
    ck_assert_uint_eq(soft_machine_top(m, 1, 8), SOFT_MACHINE_CODE);
}
END_TEST

/* Page faults in the middle of what writes much: registers are as they were. */
START_TEST(fault_in_push)
{
    soft_machine_set_mode(m, SOFT_MACHINE_LONG64, SOFT_MACHINE_PAE, 3);
    set_entry(PAGE | W | U);
    m->state.gpr[X86_RSP] = PAGE + 0x1000;
    ck_assert_int_eq(soft_machine_try(m, "50"), X86_PF);
    ck_assert_uint_eq(m->cpu->cr2, PAGE + 0xff8);
    ck_assert_uint_eq(soft_machine_top(m, 4, 8), PAGE + 0x1000); /* RSP */
}
END_TEST

START_TEST(fault_in_pusha_and_enter)
{
    static const char *const programs[] = {"60", "c8100003"}; /* pusha; enter 16, 3 */

    for (unsigned i = 0; i < G_N_ELEMENTS(programs); i++) {
        soft_machine_set_mode(m, SOFT_MACHINE_PROTECTED32, SOFT_MACHINE_PAGES32, 3);
        set_entry(PAGE | W | U);
        m->state.gpr[X86_RSP] = PAGE + 0x1000 + 8; /* two items fit */
        m->state.gpr[X86_RBP] = SOFT_MACHINE_DATA + 0x80;
        ck_assert_int_eq(soft_machine_try(m, programs[i]), X86_PF);
        ck_assert_uint_eq(m->cpu->cr2, PAGE + 0xffc);
        ck_assert_uint_eq(soft_machine_top(m, 0, 4), E_W | E_U);
        ck_assert_uint_eq(soft_machine_top(m, 1, 4), SOFT_MACHINE_CODE);
        ck_assert_uint_eq(soft_machine_top(m, 4, 4), PAGE + 0x1000 + 8); /* ESP */
        ck_assert_uint_eq(m->cpu->gpr[X86_RBP], SOFT_MACHINE_DATA + 0x80);
    }
}
END_TEST

/* rep movsd from the page before into PAGE - 16: four go, the fifth faults. */
START_TEST(fault_in_rep_movs)
{
    set_mode(_i, 0);
    set_entry(PAGE | W | U);
    m->state.gpr[X86_RSI] = SOFT_MACHINE_CODE;
    m->state.gpr[X86_RDI] = PAGE - 16;
    m->state.gpr[X86_RCX] = 100;
    check_fault("f3a5", PAGE, E_W);
    ck_assert_uint_eq(m->cpu->gpr[X86_RCX], 96);
    ck_assert_uint_eq(m->cpu->gpr[X86_RDI], PAGE);
    ck_assert_uint_eq(m->cpu->gpr[X86_RSI], SOFT_MACHINE_CODE + 16);
    ck_assert_mem_eq(m->memory + PAGE - 16, m->memory + SOFT_MACHINE_CODE, 16);
}
END_TEST

/* Downwards, bytes, and the source faults. */
START_TEST(fault_in_rep_movs_down)
{
    set_mode(_i, 0);
    set_entry(PAGE | W | U);
    m->state.rflags |= X86_FLAG_DF;
    m->state.gpr[X86_RSI] = PAGE + 0x1002;
    m->state.gpr[X86_RDI] = SOFT_MACHINE_DATA + 0x800;
    m->state.gpr[X86_RCX] = 50;
    check_fault("f3a4", PAGE + 0xfff, 0);
    ck_assert_uint_eq(m->cpu->gpr[X86_RCX], 47);
    ck_assert_uint_eq(m->cpu->gpr[X86_RSI], PAGE + 0xfff);
    ck_assert_uint_eq(m->cpu->gpr[X86_RDI], SOFT_MACHINE_DATA + 0x800 - 3);
}
END_TEST

/* Tables where there is no memory: nothing is present there. */
START_TEST(tables_outside_memory)
{
    set_mode(_i, 0);
    m->state.cr3 = 0x7654000;
    ck_assert_int_eq(soft_machine_try(m, "90"), SOFT_MACHINE_TRIPLE_FAULT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("soft-system-paging");
    TCase *test = tcase_create("paging");

    tcase_add_checked_fixture(test, setup, teardown);
    tcase_add_loop_test(test, not_present, 0, 3);
    tcase_add_loop_test(test, supervisor_page, 0, 3);
    tcase_add_loop_test(test, read_only_page, 0, 3);
    tcase_add_loop_test(test, accessed_and_dirty, 0, 3);
    tcase_add_loop_test(test, accessed_bit_in_code, 0, 3);
    tcase_add_loop_test(test, faulting_access_sets_nothing, 0, 3);
    tcase_add_loop_test(test, no_execute, 0, 3);
    tcase_add_loop_test(test, smep, 0, 3);
    tcase_add_loop_test(test, smap, 0, 3);
    tcase_add_loop_test(test, smap_with_ac, 0, 3);
    tcase_add_loop_test(test, reserved_bits, 0, 3);
    tcase_add_loop_test(test, access_across_pages, 0, 3);
    tcase_add_loop_test(test, code_across_pages, 0, 3);
    tcase_add_loop_test(test, large_page, 0, 3);
    tcase_add_test(test, large_page_without_pse);
    tcase_add_loop_test(test, flushes, 0, 3);
    tcase_add_test(test, not_canonical);
    tcase_add_test(test, fault_in_push);
    tcase_add_test(test, fault_in_pusha_and_enter);
    tcase_add_loop_test(test, fault_in_rep_movs, 0, 3);
    tcase_add_loop_test(test, fault_in_rep_movs_down, 0, 3);
    tcase_add_loop_test(test, tables_outside_memory, 0, 3);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
