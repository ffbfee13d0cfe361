/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code of the software CPU that goes on in another page, in an instruction or by a branch, and what
 * happens to either page once it was executed.
 */
#include <check.h>
#include <string.h>

#include "tests/fakes/soft_machine.h"
#include "tests/suite.h"

#define P 0x1u
#define W 0x2u
#define U 0x4u
#define NX (UINT64_C(1) << 63)

/* Error code of #PF. */
#define E_P 1u
#define E_FETCH 16u /* with EFER.NXE: 64-bit mode here */

#define PAGE (SOFT_MACHINE_DATA + 0x1000)
#define CROSSING (PAGE - 2)
#define OTHER (PAGE + 0x1000) /* what PAGE is mapped to later */
#define ALIAS (PAGE + 0x2000)

/* mov eax, 0x11111111, the last three bytes in PAGE; ret */
#define CODE "\xb8\x11\x11\x11\x11\xc3"

/* mov [rdi], esi: the entry of PAGE; invlpg [rdx]; a load of CR3 */
#define REMAP "8937 "
#define INVLPG "0f013a "
#define LOAD_CR3 "0f20d8 0f22d8 "

static struct soft_machine *m;

static void setup(void)
{
    m = soft_machine_new();
}

static void teardown(void)
{
    soft_machine_free(m);
}

/* RBX is the code, RDX its second page, RSI what a program writes to that page's entry, at RDI. */
static void set_mode(int kind)
{
    soft_machine_set_paged(m, kind, 0);
    soft_machine_put(m, CROSSING, CODE, sizeof(CODE) - 1);
    soft_machine_put(m, OTHER, "\x22\x22\x22\xc3", 4);
    soft_machine_set_pte(m, ALIAS, PAGE | P | W | U);
    m->state.gpr[X86_RBX] = CROSSING;
    m->state.gpr[X86_RDX] = PAGE;
    m->state.gpr[X86_RSI] = OTHER | P | W | U;
    m->state.gpr[X86_RDI] = (uint8_t *)soft_machine_pte(m, PAGE) - m->memory;
    m->state.gpr[X86_RBP] = ALIAS;
}

/* Calls the code twice, then what changes it, then the code again: EAX. */
static void check_changed(const char *change, uint32_t expected)
{
    char *program = g_strconcat("ffd3 ffd3 89c1 ", change, " ffd3", NULL);

    ck_assert_int_eq(soft_machine_try(m, program), -1);
    ck_assert_uint_eq(m->cpu->gpr[X86_RCX], 0x11111111);
    ck_assert_uint_eq(m->cpu->gpr[X86_RAX], expected);
    g_free(program);
}

static void check_fault(const char *change, unsigned error)
{
    unsigned size = m->mode == SOFT_MACHINE_LONG64 ? 8 : 4;
    char *program = g_strconcat("ffd3 ffd3 ", change, " ffd3", NULL);

    ck_assert_int_eq(soft_machine_try(m, program), X86_PF);
    ck_assert_uint_eq(m->cpu->cr2, PAGE);
    ck_assert_uint_eq(soft_machine_top(m, 0, size), error);
    ck_assert_uint_eq(soft_machine_top(m, 1, size), CROSSING);
    g_free(program);
}

START_TEST(bytes_are_written)
{
    set_mode(_i);
    check_changed("c60222", 0x11112211); /* mov byte [rdx], 0x22 */
    set_mode(_i);
    check_changed("c642ff22", 0x11111122); /* mov byte [rdx - 1], 0x22 */
    set_mode(_i);
    check_changed("c64500 22", 0x11112211); /* mov byte [rbp], 0x22: the alias */
    set_mode(_i);
    check_changed("c602c3 c642feb8 c642ff33", 0x1111c333); /* all of it */
}
END_TEST

/* The instruction ends in its first page then: the second one has no say. */
START_TEST(becomes_shorter)
{
    set_mode(_i);
    m->state.gpr[X86_RSI] = 0;
    /* mov word [rdx - 2], 0xc390: nop; ret */
    check_changed("66c742fe90c3 31c0 " REMAP INVLPG, 0);
}
END_TEST

START_TEST(second_page_is_remapped)
{
    set_mode(_i);
    check_changed(REMAP INVLPG, 0x22222211);
    set_mode(_i);
    check_changed(REMAP "50 " LOAD_CR3 "58", 0x22222211);
}
END_TEST

START_TEST(first_page_is_remapped)
{
    set_mode(_i);
    soft_machine_put(m, OTHER + 0xffe, "\xb8\x33", 2);
    m->state.gpr[X86_RDX] -= 0x1000;
    m->state.gpr[X86_RDI] = (uint8_t *)soft_machine_pte(m, PAGE - 0x1000) - m->memory;
    check_changed(REMAP INVLPG, 0x11111133);
}
END_TEST

START_TEST(second_page_goes)
{
    set_mode(_i);
    m->state.gpr[X86_RSI] = W | U;
    check_fault(REMAP INVLPG, m->mode == SOFT_MACHINE_LONG64 ? E_FETCH : 0);
    if (m->mode != SOFT_MACHINE_LONG64)
        return;
    set_mode(_i);
    m->state.gpr[X86_RSI] = NX | PAGE | P | W | U;
    check_fault("48" REMAP INVLPG, E_P | E_FETCH); /* mov [rdi], rsi */
}
END_TEST

/* Runs from the code to the exit port behind it: EAX. */
static uint32_t run_from_code(void)
{
    m->state.rip = CROSSING;
    soft_machine_put(m, PAGE + 3, "\xe6\xf4", 2);
    soft_machine_enter(m);
    ck_assert_int_eq(soft_machine_run(m, 20000), VCPU_KICKED);
    ck_assert(!m->late);
    return m->cpu->gpr[X86_RAX];
}

START_TEST(device_writes)
{
    set_mode(_i);
    ck_assert_uint_eq(run_from_code(), 0x11111111);
    ck_assert_uint_eq(run_from_code(), 0x11111111);
    soft_machine_put(m, PAGE + 1, "\x44", 1);
    ck_assert_uint_eq(run_from_code(), 0x11441111);
    soft_machine_put(m, PAGE - 1, "\x55", 1);
    ck_assert_uint_eq(run_from_code(), 0x11441155);
}
END_TEST

/* A jump to another page, and falling through to the next one. */
#define TARGET (PAGE + 0x4000)

static void set_jumps(int kind, uint64_t from)
{
    uint32_t distance = TARGET - (from + 5);

    set_mode(kind);
    soft_machine_put(m, from, "\xe9", 1);
    soft_machine_put(m, from + 1, &distance, 4);
    soft_machine_put(m, TARGET, CODE, sizeof(CODE) - 1);
    soft_machine_put(m, OTHER, "\xb8\x22\x22\x22\x22\xc3", 6);
    m->state.gpr[X86_RBX] = from;
    m->state.gpr[X86_RDX] = TARGET;
    m->state.gpr[X86_RDI] = (uint8_t *)soft_machine_pte(m, TARGET) - m->memory;
}

START_TEST(target_of_jump_changes)
{
    set_jumps(_i, PAGE);
    check_changed("c6420122", 0x11111122); /* mov byte [rdx + 1], 0x22 */
    set_jumps(_i, PAGE);
    check_changed(REMAP INVLPG, 0x22222222);
    set_jumps(_i, PAGE);
    check_changed(REMAP "50 " LOAD_CR3 "58", 0x22222222);
}
END_TEST

/* The jump itself by another address leads elsewhere. */
START_TEST(jump_by_an_alias)
{
    uint64_t there = ALIAS + (TARGET - PAGE);

    set_jumps(_i, PAGE);
    m->state.gpr[X86_RSI] = PAGE | P | W | U;
    soft_machine_set_pte(m, there, OTHER | P | W | U);
    check_changed("31c0 ffd5", 0x11111111); /* call rbp; the last call goes the old way */
    set_jumps(_i, PAGE);
    soft_machine_set_pte(m, there, OTHER | P | W | U);
    check_changed("89eb", 0x22222222); /* mov ebx, ebp */
}
END_TEST

START_TEST(target_of_jump_goes)
{
    unsigned size;

    set_jumps(_i, PAGE);
    size = m->mode == SOFT_MACHINE_LONG64 ? 8 : 4;
    m->state.gpr[X86_RSI] = W | U;
    ck_assert_int_eq(soft_machine_try(m, "ffd3 ffd3 " REMAP INVLPG "ffd3"), X86_PF);
    ck_assert_uint_eq(m->cpu->cr2, TARGET);
    ck_assert_uint_eq(soft_machine_top(m, 1, size), TARGET);
}
END_TEST

/* Six registers on the stack, and from there into six others. */
#define PUSHES "50 53 51 52 55 56 "
#define POPS "4158 4159 415a 415b 415c 415d "

static void set_stack(uint64_t rsp)
{
    static const unsigned pushed[] = {X86_RAX, X86_RBX, X86_RCX, X86_RDX, X86_RBP, X86_RSI};

    soft_machine_set_mode(m, SOFT_MACHINE_LONG64, SOFT_MACHINE_PAE, 3);
    for (unsigned i = 0; i < G_N_ELEMENTS(pushed); i++)
        m->state.gpr[pushed[i]] = UINT64_C(0x1234567800000000) + i;
    m->state.gpr[X86_RSP] = rsp;
}

static void check_popped(uint64_t rsp)
{
    for (unsigned i = 0; i < 6; i++)
        ck_assert_uint_eq(m->cpu->gpr[X86_R8 + i], UINT64_C(0x1234567800000000) + 5 - i);
    ck_assert_uint_eq(m->cpu->gpr[X86_RSP], rsp);
}

START_TEST(registers_on_the_stack)
{
    uint64_t rsp = PAGE + 8 * _i;

    set_stack(rsp);
    ck_assert_int_eq(soft_machine_try(m, PUSHES POPS PUSHES POPS), -1);
    check_popped(rsp);
    /* jmp over; f: pops below the return address, ret; over: call f twice */
    set_stack(rsp);
    ck_assert_int_eq(soft_machine_try(m, "eb 1a " PUSHES POPS "c3 90909090909090 "
                                         "e8e1ffffff e8dcffffff"),
                     -1);
    check_popped(rsp);
}
END_TEST

/* The instruction that meets the page faults, and those before it were executed. */
START_TEST(fault_in_pushes)
{
    set_stack(PAGE + 8 * _i);
    soft_machine_set_pte(m, PAGE - 0x1000, PAGE | W | U);
    ck_assert_int_eq(soft_machine_try(m, PUSHES), X86_PF);
    ck_assert_uint_eq(m->cpu->cr2, PAGE - 8);
    ck_assert_uint_eq(soft_machine_top(m, 1, 8), SOFT_MACHINE_CODE + _i);
    ck_assert_uint_eq(soft_machine_top(m, 4, 8), PAGE);
    for (int i = 0; i < _i; i++)
        ck_assert_uint_eq(soft_machine_get(m, PAGE + 8 * (_i - 1 - i), 4), i);
}
END_TEST

START_TEST(fault_in_pops)
{
    set_stack(PAGE - 8 * _i);
    for (int i = 0; i < _i; i++)
        soft_machine_put(m, PAGE - 8 * (_i - i), &(uint64_t){0x77 + i}, 8);
    soft_machine_set_pte(m, PAGE, PAGE | W | U);
    ck_assert_int_eq(soft_machine_try(m, POPS "c3"), X86_PF);
    ck_assert_uint_eq(m->cpu->cr2, PAGE);
    ck_assert_uint_eq(soft_machine_top(m, 1, 8), SOFT_MACHINE_CODE + 2 * _i);
    ck_assert_uint_eq(soft_machine_top(m, 4, 8), PAGE);
    for (int i = 0; i < 6; i++)
        ck_assert_uint_eq(m->cpu->gpr[X86_R8 + i], i < _i ? 0x77 + i : 0);
}
END_TEST

/* A move, and what stands behind it: loads and stores of which the second one faults. */
START_TEST(fault_in_second_move)
{
    static const struct {
        const char *program;
        unsigned error;
    } cases[] = {
        {"4889c6 488b1f", 4}, /* mov rsi, rax; mov rbx, [rdi] */
        {"4889c6 48891f", 6}, /* ... mov [rdi], rbx */
        {"4889c6 8b1f", 4},   /* ... mov ebx, [rdi] */
        {"4889c6 891f", 6},   /* ... mov [rdi], ebx */
        {"4889c6 0fb61f", 4}, /* ... movzx ebx, byte [rdi] */
    };

    set_stack(SOFT_MACHINE_STACK3);
    soft_machine_set_pte(m, PAGE, PAGE | W | U);
    m->state.gpr[X86_RDI] = PAGE;
    ck_assert_int_eq(soft_machine_try(m, cases[_i].program), X86_PF);
    ck_assert_uint_eq(m->cpu->cr2, PAGE);
    ck_assert_uint_eq(soft_machine_top(m, 0, 8), cases[_i].error);
    ck_assert_uint_eq(soft_machine_top(m, 1, 8), SOFT_MACHINE_CODE + 3);
    ck_assert_uint_eq(m->cpu->gpr[X86_RSI], m->state.gpr[X86_RAX]);
    ck_assert_uint_eq(m->cpu->gpr[X86_RBX], m->state.gpr[X86_RBX]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("soft-system-crossing");
    TCase *test = tcase_create("crossing");

    tcase_add_checked_fixture(test, setup, teardown);
    tcase_add_loop_test(test, bytes_are_written, 0, 3);
    tcase_add_loop_test(test, becomes_shorter, 0, 3);
    tcase_add_loop_test(test, second_page_is_remapped, 0, 3);
    tcase_add_loop_test(test, first_page_is_remapped, 0, 3);
    tcase_add_loop_test(test, second_page_goes, 0, 3);
    tcase_add_loop_test(test, device_writes, 0, 3);
    tcase_add_loop_test(test, target_of_jump_changes, 0, 3);
    tcase_add_loop_test(test, jump_by_an_alias, 0, 3);
    tcase_add_loop_test(test, target_of_jump_goes, 0, 3);
    tcase_add_loop_test(test, registers_on_the_stack, 0, 8);
    tcase_add_loop_test(test, fault_in_pushes, 0, 6);
    tcase_add_loop_test(test, fault_in_pops, 0, 6);
    tcase_add_loop_test(test, fault_in_second_move, 0, 5);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
