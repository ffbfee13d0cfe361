/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Virtual interrupts of the software CPU: CR4.VME and CR4.PVI. Intel SDM volume 3, chapter 20. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cpu/soft/cpuid.h"
#include "tests/fakes/soft_machine.h"
#include "tests/suite.h"

#define TARGET (SOFT_MACHINE_CODE + 0x400)        /* a write to the exit port stands there */
#define REDIRECTION (SOFT_MACHINE_TSS + 136 - 32) /* a set bit: the monitor's */
#define IOPL1 (UINT64_C(1) << 12)
#define KEPT (X86_FLAG_1 | X86_FLAG_VM)

static struct soft_machine *m;

static void setup(void)
{
    m = soft_machine_new();
}

static void teardown(void)
{
    soft_machine_free(m);
}

static void set_v86(uint64_t flags)
{
    static const uint8_t target[] = {0xe6, SOFT_MACHINE_EXIT_PORT};

    soft_machine_set_mode(m, SOFT_MACHINE_V86, SOFT_MACHINE_PAGES32, 3);
    soft_machine_put(m, TARGET, target, sizeof(target));
    m->state.cr4 |= CR4_VME;
    m->state.rflags |= flags;
}

static uint64_t flags_after(const char *program, uint64_t flags)
{
    set_v86(flags);
    ck_assert_int_eq(soft_machine_try(m, program), -1);
    return m->cpu->rflags;
}

static void check_refused(const char *program, uint64_t flags)
{
    set_v86(flags);
    ck_assert_int_eq(soft_machine_try(m, program), X86_GP);
    ck_assert_uint_eq(soft_machine_top(m, 0, 4), 0);
    ck_assert_uint_eq(soft_machine_top(m, 1, 4), m->state.rip);
    ck_assert_uint_eq(soft_machine_top(m, 3, 4), m->state.rflags | X86_FLAG_RF);
}

START_TEST(cli_and_sti)
{
    ck_assert_uint_eq(flags_after("fb", X86_FLAG_IF), KEPT | X86_FLAG_IF | X86_FLAG_VIF);
    ck_assert_uint_eq(flags_after("fa", X86_FLAG_IF | X86_FLAG_VIF), KEPT | X86_FLAG_IF);
    ck_assert_uint_eq(flags_after("fa", X86_FLAG_VIF | X86_FLAG_VIP | IOPL1),
                      KEPT | X86_FLAG_VIP | IOPL1);
    check_refused("fb", X86_FLAG_IF | X86_FLAG_VIP);
    /* With IOPL 3 they are the real ones. */
    ck_assert_uint_eq(flags_after("fa", X86_FLAG_IF | X86_FLAG_IOPL | X86_FLAG_VIF),
                      KEPT | X86_FLAG_IOPL | X86_FLAG_VIF);
    ck_assert_uint_eq(flags_after("fb", X86_FLAG_IOPL | X86_FLAG_VIP),
                      KEPT | X86_FLAG_IF | X86_FLAG_IOPL | X86_FLAG_VIP);
}
END_TEST

START_TEST(pushf_and_popf)
{
    flags_after("9c 58", X86_FLAG_IF | X86_FLAG_CF); /* pushf; pop ax */
    ck_assert_uint_eq(m->cpu->gpr[X86_RAX], X86_FLAG_1 | X86_FLAG_CF | X86_FLAG_IOPL);
    flags_after("9c 58", X86_FLAG_VIF | IOPL1);
    ck_assert_uint_eq(m->cpu->gpr[X86_RAX], X86_FLAG_1 | X86_FLAG_IF | X86_FLAG_IOPL);
    check_refused("669c", 0);
    check_refused("669d", 0);
    /* push word 0x4601; popf: IOPL and IF stay */
    ck_assert_uint_eq(flags_after("680146 9d 9c 58", IOPL1),
                      KEPT | IOPL1 | X86_FLAG_VIF | X86_FLAG_DF | X86_FLAG_NT);
    ck_assert_uint_eq(m->cpu->gpr[X86_RAX], 0x7603);
    ck_assert_uint_eq(flags_after("680000 9d", X86_FLAG_IF | X86_FLAG_VIF | X86_FLAG_VIP),
                      KEPT | X86_FLAG_IF | X86_FLAG_VIP);
}
END_TEST

/* What has to come to the monitor: an interrupt that waits for IF, and single steps. */
START_TEST(popf_for_the_monitor)
{
    static const struct {
        uint16_t popped;
        uint64_t flags;
    } cases[] = {{X86_FLAG_IF, X86_FLAG_VIP}, {X86_FLAG_TF, 0}};

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        set_v86(cases[i].flags);
        soft_machine_put(m, SOFT_MACHINE_STACK3, &cases[i].popped, 2);
        ck_assert_int_eq(soft_machine_try(m, "9d"), X86_GP);
        ck_assert_uint_eq(soft_machine_top(m, 4, 4), m->state.gpr[X86_RSP]);
        set_v86(cases[i].flags);
        soft_machine_put(m, SOFT_MACHINE_STACK3 + 4, &cases[i].popped, 2);
        ck_assert_int_eq(soft_machine_try(m, "cf"), X86_GP);
        ck_assert_uint_eq(soft_machine_top(m, 1, 4), m->state.rip);
        ck_assert_uint_eq(soft_machine_top(m, 4, 4), m->state.gpr[X86_RSP]);
    }
}
END_TEST

START_TEST(iret)
{
    static const uint16_t frame[] = {0x400, SOFT_MACHINE_CODE >> 4, 0x4201};

    set_v86(IOPL1);
    soft_machine_put(m, SOFT_MACHINE_STACK3, frame, sizeof(frame));
    ck_assert_int_eq(soft_machine_try(m, "cf"), -1);
    ck_assert_uint_eq(m->cpu->rip, 0x402);
    ck_assert_uint_eq(m->cpu->gpr[X86_RSP], m->state.gpr[X86_RSP] + 6);
    ck_assert_uint_eq(m->cpu->rflags, KEPT | IOPL1 | X86_FLAG_VIF | X86_FLAG_NT);
    check_refused("66cf", 0);
}
END_TEST

static void set_vector(unsigned vector)
{
    static const uint16_t far[] = {TARGET & 0xf, TARGET >> 4};

    soft_machine_put(m, vector * 4, far, sizeof(far));
}

/* A clear bit in the TSS leaves INT n to the program's own table. */
START_TEST(int_to_the_program)
{
    static const struct {
        uint64_t before, after;
        uint16_t pushed;
    } cases[] = {
        {X86_FLAG_IF | X86_FLAG_VIF, X86_FLAG_IF, 0x3202},
        {X86_FLAG_IF | IOPL1, X86_FLAG_IF | IOPL1, 0x3002},
        {X86_FLAG_IOPL | X86_FLAG_IF | X86_FLAG_VIF, X86_FLAG_IOPL | X86_FLAG_VIF, 0x3202},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        set_v86(cases[i].before);
        set_vector(0x21);
        ck_assert_int_eq(soft_machine_try(m, "cd21"), -1);
        ck_assert_uint_eq(m->cpu->segment[X86_CS].base + m->cpu->rip, TARGET + 2);
        ck_assert_uint_eq(m->cpu->cpl, 3);
        ck_assert_uint_eq(m->cpu->rflags, KEPT | cases[i].after);
        ck_assert_uint_eq(soft_machine_top(m, 0, 2), m->state.rip + 2);
        ck_assert_uint_eq(soft_machine_top(m, 1, 2), SOFT_MACHINE_CODE >> 4);
        ck_assert_uint_eq(soft_machine_top(m, 2, 2), cases[i].pushed);
    }
}
END_TEST

/* A set bit gives it to the monitor: by #GP, or with IOPL 3 through the IDT. */
START_TEST(int_to_the_monitor)
{
    for (unsigned i = 0; i < 2; i++) {
        set_v86(i == 0 ? 0 : X86_FLAG_IOPL);
        set_vector(0x21);
        soft_machine_put(m, REDIRECTION + 0x21 / 8, "\x02", 1);
        soft_machine_put(m, SOFT_MACHINE_IDT + 0x21 * 8 + 5, "\xee", 1); /* DPL 3 */
        ck_assert_int_eq(soft_machine_try(m, "cd21"), i == 0 ? X86_GP : 0x21);
        ck_assert_uint_eq(m->cpu->cpl, 0);
    }
    /* INT3 is always the monitor's. */
    set_v86(0);
    set_vector(X86_BP);
    soft_machine_put(m, SOFT_MACHINE_IDT + X86_BP * 8 + 5, "\xee", 1);
    ck_assert_int_eq(soft_machine_try(m, "cc"), X86_BP);
    ck_assert_uint_eq(m->cpu->cpl, 0);
    /* A TSS without the bitmap. */
    set_v86(X86_FLAG_IOPL);
    m->state.tr.limit = 103;
    ck_assert_int_eq(soft_machine_try(m, "cd21"), X86_GP);
    set_v86(X86_FLAG_IOPL);
    soft_machine_put(m, SOFT_MACHINE_TSS + 102, "\x10", 1);
    ck_assert_int_eq(soft_machine_try(m, "cd21"), X86_GP);
}
END_TEST

/* In protected mode at CPL 3, CLI and STI only. */
START_TEST(protected_virtual_interrupts)
{
    static const enum soft_machine_mode modes[] = {SOFT_MACHINE_PROTECTED32, SOFT_MACHINE_LONG64};
    static const struct {
        const char *program;
        uint64_t cr4, before, after;
        int vector;
    } cases[] = {
        {"fb", CR4_PVI, X86_FLAG_IF, X86_FLAG_IF | X86_FLAG_VIF, -1},
        {"fa", CR4_PVI, X86_FLAG_IF | X86_FLAG_VIF, X86_FLAG_IF, -1},
        {"fb", CR4_PVI, X86_FLAG_VIP, 0, X86_GP},
        {"fb", CR4_VME, 0, 0, X86_GP},
        {"fa", 0, 0, 0, X86_GP},
        /* push 0x202; popf: VIF has no part in it */
        {"6802020000 9d", CR4_PVI, 0, 0, -1},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        soft_machine_set_mode(m, modes[_i], SOFT_MACHINE_PAGES32, 3);
        m->state.cr4 |= cases[i].cr4;
        m->state.rflags |= cases[i].before;
        ck_assert_int_eq(soft_machine_try(m, cases[i].program), cases[i].vector);
        if (cases[i].vector < 0)
            ck_assert_uint_eq(m->cpu->rflags, X86_FLAG_1 | cases[i].after);
    }
}
END_TEST

START_TEST(cpuid_tells)
{
    uint32_t registers[4];

    soft_cpuid(m->cpu, 1, 0, registers);
    ck_assert_uint_eq(registers[3] >> 1 & 1, 1);
    soft_machine_set_mode(m, SOFT_MACHINE_PROTECTED32, SOFT_MACHINE_UNPAGED, 0);
    m->state.gpr[X86_RAX] = CR4_VME | CR4_PVI;
    ck_assert_int_eq(soft_machine_try(m, "0f22e0"), -1);
    ck_assert_uint_eq(m->cpu->cr4, CR4_VME | CR4_PVI);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("soft-system-vme");
    TCase *test = tcase_create("vme");

    tcase_add_checked_fixture(test, setup, teardown);
    tcase_add_test(test, cli_and_sti);
    tcase_add_test(test, pushf_and_popf);
    tcase_add_test(test, popf_for_the_monitor);
    tcase_add_test(test, iret);
    tcase_add_test(test, int_to_the_program);
    tcase_add_test(test, int_to_the_monitor);
    tcase_add_loop_test(test, protected_virtual_interrupts, 0, 2);
    tcase_add_test(test, cpuid_tells);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
