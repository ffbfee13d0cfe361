/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Breakpoints, single steps and shadows of the software CPU. Intel SDM volume 3, chapter 18 and
 * section 6.8.
 */
#include <check.h>
#include <string.h>

#include "engine/cpu/soft/debug.h"
#include "tests/fakes/soft_machine.h"
#include "tests/suite.h"

#define DR7_EXECUTE(N) (UINT64_C(2) << (N)*2)
#define DR7_WATCH(N, KIND, LENGTH) \
    (DR7_EXECUTE(N) | (uint64_t)((LENGTH) << 2 | (KIND)) << (16 + (N)*4))
#define WRITES 1
#define ACCESSES 3
#define BYTE 0
#define WORD 1
#define QUAD 2
#define LONG 3
#define DR6_STEP (UINT64_C(1) << 14)
#define DR6_GENERAL (UINT64_C(1) << 13)

static struct soft_machine *m;

static void setup(void)
{
    m = soft_machine_new();
}

static void teardown(void)
{
    soft_machine_free(m);
}

static const enum soft_machine_mode modes[] = {SOFT_MACHINE_PROTECTED32, SOFT_MACHINE_LONG64};

static unsigned item_size(void)
{
    return m->mode == SOFT_MACHINE_LONG64 ? 8 : 4;
}

static void set_mode(int mode)
{
    soft_machine_set_mode(m, modes[mode], SOFT_MACHINE_PAGES32, 0);
    m->state.gpr[X86_RBX] = SOFT_MACHINE_DATA;
}

/* Runs the program with debug registers as a MOV to them would leave them. */
static int try_with(const char *program, uint64_t dr0, uint64_t dr7)
{
    m->state.dr[0] = dr0;
    m->state.dr[7] |= dr7;
    return soft_machine_try(m, program);
}

/* The #DB came after so many bytes of the program. */
static void check_trap(int result, unsigned offset, uint64_t dr6)
{
    ck_assert_int_eq(result, X86_DB);
    ck_assert_uint_eq(soft_machine_top(m, 0, item_size()), SOFT_MACHINE_CODE + offset);
    ck_assert_uint_eq(m->cpu->dr[6] & 0xe00f, dr6);
}

static uint64_t pushed_flags(void)
{
    return soft_machine_top(m, 2, item_size());
}

START_TEST(single_step)
{
    set_mode(_i);
    m->state.rflags |= X86_FLAG_TF;
    check_trap(soft_machine_try(m, "90 90"), 1, DR6_STEP);
    ck_assert_uint_eq(pushed_flags() & X86_FLAG_TF, X86_FLAG_TF);
    ck_assert_uint_eq(m->cpu->rflags & X86_FLAG_TF, 0);
}
END_TEST

/* POPF that sets TF: the trap comes after the next instruction. */
START_TEST(popf_sets_tf)
{
    set_mode(_i);
    m->state.gpr[X86_RAX] = X86_FLAG_TF | X86_FLAG_1;
    check_trap(soft_machine_try(m, "50 9d 90 90"), 3, DR6_STEP);
}
END_TEST

/* After the load of SS there is no trap before the next instruction has run. */
START_TEST(stack_switch_is_one_step)
{
    set_mode(_i);
    m->state.rflags |= X86_FLAG_TF;
    m->state.gpr[X86_RAX] = SOFT_MACHINE_DATA32;
    check_trap(soft_machine_try(m, "8ed0 90 90"), 3, DR6_STEP);
}
END_TEST

/* A faulting instruction traps no step; INT has no trap either, as it clears TF. */
START_TEST(no_step_of_a_fault)
{
    set_mode(_i);
    m->state.rflags |= X86_FLAG_TF;
    ck_assert_int_eq(soft_machine_try(m, "0f0b"), X86_UD);
    ck_assert_uint_eq(pushed_flags() & (X86_FLAG_TF | X86_FLAG_RF), X86_FLAG_TF | X86_FLAG_RF);
    set_mode(_i);
    m->state.rflags |= X86_FLAG_TF;
    ck_assert_int_eq(soft_machine_try(m, "cd40"), 0x40);
    ck_assert_uint_eq(m->cpu->dr[6] & DR6_STEP, 0);
}
END_TEST

/* Each repetition of a string instruction is a step. */
START_TEST(steps_in_rep)
{
    set_mode(_i);
    m->state.rflags |= X86_FLAG_TF;
    m->state.gpr[X86_RCX] = 5;
    m->state.gpr[X86_RDI] = SOFT_MACHINE_DATA;
    check_trap(soft_machine_try(m, "f3aa 90"), 0, DR6_STEP);
    ck_assert_uint_eq(m->cpu->gpr[X86_RCX], 4);
    ck_assert_uint_eq(m->cpu->gpr[X86_RDI], SOFT_MACHINE_DATA + 1);
}
END_TEST

START_TEST(code_breakpoint)
{
    set_mode(_i);
    check_trap(try_with("90 90 40 90", SOFT_MACHINE_CODE + 1, DR7_EXECUTE(0)), 1, 1);
    set_mode(_i); /* with RF it is passed once */
    m->state.rflags |= X86_FLAG_RF;
    ck_assert_int_eq(try_with("90 90", SOFT_MACHINE_CODE, DR7_EXECUTE(0)), -1);
    set_mode(_i); /* RF holds for one instruction only */
    m->state.rflags |= X86_FLAG_RF;
    check_trap(try_with("90 90", SOFT_MACHINE_CODE + 1, DR7_EXECUTE(0)), 1, 1);
    set_mode(_i); /* disabled */
    ck_assert_int_eq(try_with("90 90", SOFT_MACHINE_CODE + 1, 0), -1);
}
END_TEST

/* IRET sets RF, so that a handler can go on at the breakpoint it was called for. */
START_TEST(iret_sets_rf)
{
    uint64_t frame[] = {SOFT_MACHINE_CODE + 0x100,
                        _i == 1 ? SOFT_MACHINE_CODE64 : SOFT_MACHINE_CODE32,
                        X86_FLAG_1 | X86_FLAG_RF, SOFT_MACHINE_STACK0, SOFT_MACHINE_DATA32};

    set_mode(_i);
    m->state.gpr[X86_RSP] -= 0x100;
    for (unsigned i = 0; i < 5; i++)
        soft_machine_put(m, m->state.gpr[X86_RSP] + i * item_size(), &frame[i], item_size());
    soft_machine_put(m, SOFT_MACHINE_CODE + 0x100, "\x90\xe6\xf4", 3);
    ck_assert_int_eq(try_with(_i == 1 ? "48cf" : "cf", SOFT_MACHINE_CODE + 0x100, DR7_EXECUTE(0)),
                     -1);
    ck_assert_uint_eq(m->cpu->rip, SOFT_MACHINE_CODE + 0x103);
    ck_assert_uint_eq(m->cpu->rflags & X86_FLAG_RF, 0);
}
END_TEST

START_TEST(data_breakpoints)
{
    static const struct {
        uint64_t address, dr7;
        const char *program;
        int trap; /* after so many bytes; -1: none */
    } cases[] = {
        {SOFT_MACHINE_DATA, DR7_WATCH(0, WRITES, LONG), "8903 90", 2},
        {SOFT_MACHINE_DATA, DR7_WATCH(0, WRITES, LONG), "8b03 90", -1},
        {SOFT_MACHINE_DATA, DR7_WATCH(0, ACCESSES, LONG), "8b03 90", 2},
        {SOFT_MACHINE_DATA + 2, DR7_WATCH(0, ACCESSES, WORD), "8b03 90", 2},
        {SOFT_MACHINE_DATA + 4, DR7_WATCH(0, ACCESSES, BYTE), "8b03 90", -1},
        {SOFT_MACHINE_DATA + 3, DR7_WATCH(0, WRITES, BYTE), "ff03 90", 2},
        {SOFT_MACHINE_DATA + 8, DR7_WATCH(0, WRITES, QUAD), "89430c 90", 3},
        {SOFT_MACHINE_STACK0 - 8, DR7_WATCH(0, WRITES, QUAD), "50 90", 1},
        {SOFT_MACHINE_DATA, DR7_WATCH(0, WRITES, LONG), "f0ff03 90", 3},
        {SOFT_MACHINE_DATA, DR7_WATCH(0, WRITES, LONG), "660f7f03 90", 4},
        {SOFT_MACHINE_DATA, DR7_WATCH(0, ACCESSES, LONG), "0f10 03 90", 3},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        int result;

        set_mode(_i);
        result = try_with(cases[i].program, cases[i].address, cases[i].dr7);
        if (cases[i].trap < 0)
            ck_assert_msg(result == -1, "case %u: %d", i, result);
        else
            ck_assert_msg(result == X86_DB && soft_machine_top(m, 0, item_size()) ==
                                                  SOFT_MACHINE_CODE + (unsigned)cases[i].trap,
                          "case %u: %d", i, result);
        ck_assert_uint_eq(m->cpu->dr[6] & 0xf, cases[i].trap >= 0);
    }
}
END_TEST

/* A trap comes before what the next instruction raises, and after the write. */
START_TEST(data_breakpoint_is_a_trap)
{
    set_mode(_i);
    m->state.gpr[X86_RAX] = 0x77;
    check_trap(try_with("8803 0f0b", SOFT_MACHINE_DATA, DR7_WATCH(0, WRITES, BYTE)), 2, 1);
    ck_assert_uint_eq(soft_machine_get(m, SOFT_MACHINE_DATA, 1), 0x77);
}
END_TEST

/* Each element of a repeated string instruction can meet a watch. */
START_TEST(data_breakpoint_in_rep)
{
    set_mode(_i);
    m->state.gpr[X86_RCX] = 16;
    m->state.gpr[X86_RDI] = SOFT_MACHINE_DATA;
    check_trap(try_with("f3aa 90", SOFT_MACHINE_DATA + 4, DR7_WATCH(0, WRITES, BYTE)), 0, 1);
    ck_assert_uint_eq(m->cpu->gpr[X86_RCX], 11);
}
END_TEST

START_TEST(general_detect)
{
    set_mode(_i);
    check_trap(try_with("90 0f21c0", 0, DR7_GD), 1, DR6_GENERAL); /* mov eax, dr0 */
    ck_assert_uint_eq(m->cpu->dr[7] & DR7_GD, 0);
}
END_TEST

START_TEST(debug_registers)
{
    set_mode(_i);
    /* mov eax, 0x1234; mov dr1, eax; mov ecx, dr1 */
    ck_assert_int_eq(soft_machine_try(m, "b834120000 0f23c8 0f21c9"), -1);
    ck_assert_uint_eq(m->cpu->gpr[X86_RCX], 0x1234);
    set_mode(_i);
    m->state.cr4 |= CR4_DE;
    ck_assert_int_eq(soft_machine_try(m, "0f21e0"), X86_UD); /* mov eax, dr4 */
    set_mode(_i);
    ck_assert_int_eq(soft_machine_try(m, "0f21e0"), -1);
    ck_assert_uint_eq((uint32_t)m->cpu->gpr[X86_RAX], 0xffff0ff0);
    soft_machine_set_mode(m, modes[_i], SOFT_MACHINE_PAGES32, 3);
    ck_assert_int_eq(soft_machine_try(m, "0f21c0"), X86_GP);
}
END_TEST

/* INT3 and ICEBP are traps: they push what follows them. */
START_TEST(breakpoint_instructions)
{
    set_mode(_i);
    ck_assert_int_eq(soft_machine_try(m, "cc"), X86_BP);
    ck_assert_uint_eq(soft_machine_top(m, 0, item_size()), SOFT_MACHINE_CODE + 1);
    set_mode(_i);
    ck_assert_int_eq(soft_machine_try(m, "f1"), X86_DB);
    ck_assert_uint_eq(soft_machine_top(m, 0, item_size()), SOFT_MACHINE_CODE + 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("soft-system-debug");
    TCase *test = tcase_create("debug");

    tcase_add_checked_fixture(test, setup, teardown);
    tcase_add_loop_test(test, single_step, 0, 2);
    tcase_add_loop_test(test, popf_sets_tf, 0, 2);
    tcase_add_loop_test(test, stack_switch_is_one_step, 0, 2);
    tcase_add_loop_test(test, no_step_of_a_fault, 0, 2);
    tcase_add_loop_test(test, steps_in_rep, 0, 2);
    tcase_add_loop_test(test, code_breakpoint, 0, 2);
    tcase_add_loop_test(test, iret_sets_rf, 0, 2);
    tcase_add_loop_test(test, data_breakpoints, 0, 2);
    tcase_add_loop_test(test, data_breakpoint_is_a_trap, 0, 2);
    tcase_add_loop_test(test, data_breakpoint_in_rep, 0, 2);
    tcase_add_loop_test(test, general_detect, 0, 2);
    tcase_add_loop_test(test, debug_registers, 0, 2);
    tcase_add_loop_test(test, breakpoint_instructions, 0, 2);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
