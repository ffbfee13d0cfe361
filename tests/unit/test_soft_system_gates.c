/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts, gates, privilege levels and tasks of the software CPU. Intel SDM volume 3, chapters
 * 5 to 7.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cpu/soft/debug.h"
#include "engine/cpu/soft/interrupt.h"
#include "tests/fakes/soft_machine.h"
#include "tests/suite.h"

#define GATE_CALL16 0x84u
#define GATE_TASK 0x85u
#define GATE_INTERRUPT16 0x86u
#define GATE_TRAP16 0x87u
#define GATE_CALL 0x8cu
#define GATE_INTERRUPT 0x8eu
#define GATE_TRAP 0x8fu
#define DPL3 0x60u
#define PRESENT 0x80u

#define TSS_FREE 0x89u
#define FREE SOFT_MACHINE_FREE /* selectors that tests define */
#define SECOND_TSS (SOFT_MACHINE_FREE + 8)
#define TSS2 (SOFT_MACHINE_TSS + 0x800)
#define TARGET (SOFT_MACHINE_CODE + 0x400) /* a write to the exit port stands there */
#define USER_CODE (SOFT_MACHINE_USER_CODE32 | 3)
#define USER_DATA (SOFT_MACHINE_USER_DATA32 | 3)

static struct soft_machine *m;

static void setup(void)
{
    m = soft_machine_new();
}

static void teardown(void)
{
    soft_machine_free(m);
}

static void set_mode(enum soft_machine_mode mode, unsigned cpl)
{
    static const uint8_t target[] = {0xe6, SOFT_MACHINE_EXIT_PORT};

    soft_machine_set_mode(m, mode, SOFT_MACHINE_PAGES32, cpl);
    soft_machine_put(m, TARGET, target, sizeof(target));
}

static void set_gate(uint64_t at, unsigned selector, uint64_t offset, unsigned type)
{
    uint64_t gate[2] = {(offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)type << 40 |
                            (offset & 0xffff0000) << 32,
                        offset >> 32};

    soft_machine_put(m, at, gate, m->mode == SOFT_MACHINE_LONG64 ? 16 : 8);
}

static void set_idt_gate(unsigned vector, unsigned selector, uint64_t offset, unsigned type)
{
    set_gate(SOFT_MACHINE_IDT + vector * (m->mode == SOFT_MACHINE_LONG64 ? 16 : 8), selector,
             offset, type);
}

static unsigned item_size(void)
{
    return m->mode == SOFT_MACHINE_LONG64 ? 8 : 4;
}

static uint64_t top(unsigned index)
{
    return soft_machine_top(m, index, item_size());
}

static void check_raises(const char *program, int vector, unsigned error)
{
    uint64_t rip = m->state.rip;

    ck_assert_int_eq(soft_machine_try(m, program), vector);
    ck_assert_uint_eq(top(0), error);
    ck_assert_uint_eq(top(1), rip);
}

static const enum soft_machine_mode modes[] = {SOFT_MACHINE_PROTECTED32, SOFT_MACHINE_LONG64};

/* From CPL 3 the handler runs on the stack of the TSS and finds where it came from. */
START_TEST(interrupt_to_inner_level)
{
    uint64_t sp;

    set_mode(modes[_i], 3);
    set_idt_gate(0x30, SOFT_MACHINE_CODE32 + (_i == 1 ? 16 : 0), TARGET, GATE_INTERRUPT | DPL3);
    m->state.rflags |= X86_FLAG_IF | X86_FLAG_CF;
    sp = m->state.gpr[X86_RSP];
    ck_assert_int_eq(soft_machine_try(m, "cd30"), -1);
    ck_assert_uint_eq(m->cpu->rip, TARGET + 2);
    ck_assert_uint_eq(m->cpu->cpl, 0);
    ck_assert_uint_eq(m->cpu->rflags & X86_FLAG_IF, 0);
    ck_assert_uint_eq(m->cpu->gpr[X86_RSP], SOFT_MACHINE_STACK0 - 5 * item_size());
    ck_assert_uint_eq(top(0), SOFT_MACHINE_CODE + 2);
    ck_assert_uint_eq(top(1), m->state.segment[X86_CS].selector);
    ck_assert_uint_eq(top(2), X86_FLAG_1 | X86_FLAG_IF | X86_FLAG_CF);
    ck_assert_uint_eq(top(3), sp);
    ck_assert_uint_eq(top(4), m->state.segment[X86_SS].selector);
}
END_TEST

START_TEST(trap_gate_leaves_if)
{
    set_mode(modes[_i], 0);
    set_idt_gate(0x30, SOFT_MACHINE_CODE32 + (_i == 1 ? 16 : 0), TARGET, GATE_TRAP);
    m->state.rflags |= X86_FLAG_IF;
    ck_assert_int_eq(soft_machine_try(m, "cd30"), -1);
    ck_assert_uint_eq(m->cpu->rip, TARGET + 2);
    ck_assert_uint_eq(m->cpu->rflags & X86_FLAG_IF, X86_FLAG_IF);
}
END_TEST

START_TEST(gates_of_16_bits)
{
    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    soft_machine_put(m, 0x8000, "\xe6\xf4", 2);
    set_idt_gate(0x30, SOFT_MACHINE_CODE32, 0xffff8000, GATE_INTERRUPT16);
    ck_assert_int_eq(soft_machine_try(m, "cd30"), -1);
    ck_assert_uint_eq(m->cpu->rip, 0x8002);
    ck_assert_uint_eq(m->cpu->gpr[X86_RSP], SOFT_MACHINE_STACK0 - 6);
    ck_assert_uint_eq(soft_machine_top(m, 1, 2), SOFT_MACHINE_CODE32);
}
END_TEST

/* Error codes: vector * 8 + IDT, and EXT where no INT asked for it. */
START_TEST(gate_faults)
{
    set_mode(modes[_i], 3); /* DPL 0 */
    check_raises("cd30", X86_GP, 0x30 * 8 + 2);
    set_mode(modes[_i], 0);
    set_idt_gate(0x30, SOFT_MACHINE_CODE32, TARGET, GATE_INTERRUPT & ~PRESENT);
    check_raises("cd30", X86_NP, 0x30 * 8 + 2);
    set_mode(modes[_i], 0);
    set_idt_gate(0x30, SOFT_MACHINE_CODE32, TARGET, GATE_CALL);
    check_raises("cd30", X86_GP, 0x30 * 8 + 2);
    set_mode(modes[_i], 0);
    m->state.idt.limit = 0x30 * (_i == 1 ? 16 : 8) + 6;
    check_raises("cd30", X86_GP, 0x30 * 8 + 2);
    set_mode(modes[_i], 0);
    set_idt_gate(0x30, SOFT_MACHINE_DATA32, TARGET, GATE_INTERRUPT);
    check_raises("cd30", X86_GP, SOFT_MACHINE_DATA32);
    set_mode(modes[_i], 0);
    set_idt_gate(0x30, 0, TARGET, GATE_INTERRUPT);
    check_raises("cd30", X86_GP, 0);
    set_mode(modes[_i], 0);
    set_idt_gate(X86_UD, SOFT_MACHINE_CODE32, TARGET, GATE_INTERRUPT & ~PRESENT);
    check_raises("0f0b", X86_NP, X86_UD * 8 + 3);
}
END_TEST

/* A contributory exception while one is delivered is a double fault, and a third one the end. */
START_TEST(double_fault)
{
    set_mode(modes[_i], 3);
    set_idt_gate(X86_GP, SOFT_MACHINE_CODE32, TARGET, GATE_INTERRUPT & ~PRESENT);
    check_raises("f4", X86_DF, 0); /* hlt */
    set_mode(modes[_i], 3);
    set_idt_gate(X86_GP, SOFT_MACHINE_CODE32, TARGET, GATE_INTERRUPT & ~PRESENT);
    set_idt_gate(X86_DF, SOFT_MACHINE_CODE32, TARGET, GATE_INTERRUPT & ~PRESENT);
    ck_assert_int_eq(soft_machine_try(m, "f4"), SOFT_MACHINE_TRIPLE_FAULT);
}
END_TEST

START_TEST(interrupt_stack_table)
{
    static const uint8_t ist1[] = {1};

    set_mode(SOFT_MACHINE_LONG64, 0);
    soft_machine_put(m, SOFT_MACHINE_IDT + X86_UD * 16 + 4, ist1, 1);
    ck_assert_int_eq(soft_machine_try(m, "0f0b"), X86_UD);
    ck_assert_uint_eq(m->cpu->gpr[X86_RSP], SOFT_MACHINE_STACK0 - 0x800 - 40);
}
END_TEST

/* The frame is aligned to 16 bytes. */
START_TEST(long_mode_aligns_frames)
{
    set_mode(SOFT_MACHINE_LONG64, 0);
    m->state.gpr[X86_RSP] -= 3;
    ck_assert_int_eq(soft_machine_try(m, "0f0b"), X86_UD);
    ck_assert_uint_eq(m->cpu->gpr[X86_RSP], SOFT_MACHINE_STACK0 - 16 - 40);
    ck_assert_uint_eq(top(3), SOFT_MACHINE_STACK0 - 3);
}
END_TEST

/* The stack is where the code is that is being executed, then in device memory. */
START_TEST(stacks_at_odd_places)
{
    set_mode(modes[_i], 0);
    m->state.rip = SOFT_MACHINE_CODE + 0x30;
    m->state.gpr[X86_RSP] = SOFT_MACHINE_CODE + 0x30;
    ck_assert_int_eq(soft_machine_try(m, "0f0b"), X86_UD);
    ck_assert_uint_eq(top(0), SOFT_MACHINE_CODE + 0x30);
    set_mode(modes[_i], 0);
    m->state.gpr[X86_RSP] = SOFT_MACHINE_DEVICE + 0x100;
    ck_assert_int_eq(soft_machine_try(m, "0f0b"), X86_UD);
    ck_assert_uint_ge(m->device_writes, 3);
}
END_TEST

START_TEST(external_interrupt_on_code)
{
    set_mode(modes[_i], 0);
    m->state.rip = SOFT_MACHINE_CODE + 0x30;
    m->state.gpr[X86_RSP] = SOFT_MACHINE_CODE + 0x30;
    ck_assert_int_eq(soft_machine_try(m, "90 90"), -1);
    soft_interrupt_external(m->cpu, 0x40);
    ck_assert_int_eq(soft_machine_run(m, 20000), VCPU_KICKED);
    ck_assert_uint_eq(m->cpu->rip, SOFT_MACHINE_HANDLERS + 0x40 * 16 + 2);
    ck_assert_uint_eq(top(0), SOFT_MACHINE_CODE + 0x34);
}
END_TEST

/* iret to CPL 3 from a frame that is made here. */
static void put_frame(const uint64_t *items, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        soft_machine_put(m, m->state.gpr[X86_RSP] + i * item_size(), &items[i], item_size());
}

START_TEST(iret_to_outer_level)
{
    bool wide = _i == 1;
    uint64_t frame[] = {TARGET, wide ? SOFT_MACHINE_USER_CODE64 | 3 : USER_CODE,
                        X86_FLAG_1 | X86_FLAG_IF | X86_FLAG_IOPL, SOFT_MACHINE_STACK3 - 64,
                        USER_DATA};

    set_mode(modes[_i], 0);
    m->state.gpr[X86_RSP] -= 0x100;
    put_frame(frame, 5);
    m->state.segment[X86_FS] = (struct x86_segment){.base = 0x1234, .selector = 3};
    ck_assert_int_eq(soft_machine_try(m, wide ? "48cf" : "cf"), -1);
    ck_assert_uint_eq(m->cpu->cpl, 3);
    ck_assert_uint_eq(m->cpu->rip, TARGET + 2);
    ck_assert_uint_eq(m->cpu->gpr[X86_RSP], SOFT_MACHINE_STACK3 - 64);
    ck_assert_uint_eq(m->cpu->rflags, X86_FLAG_1 | X86_FLAG_IF | X86_FLAG_IOPL);
    /* The data segments were CPL 0's. */
    ck_assert_uint_eq(m->cpu->segment[X86_DS].selector, 0);
    ck_assert_uint_eq(m->cpu->segment[X86_DS].attributes & SEG_P, 0);
    /* A null one has no privilege level, but a base. */
    ck_assert_uint_eq(m->cpu->segment[X86_FS].selector, 0);
    ck_assert_uint_eq(m->cpu->segment[X86_FS].base, 0x1234);
}
END_TEST

START_TEST(iret_faults)
{
    bool wide = _i == 1;
    const char *iret = wide ? "48cf" : "cf";
    uint64_t good[] = {TARGET, wide ? SOFT_MACHINE_USER_CODE64 | 3 : USER_CODE, X86_FLAG_1,
                       SOFT_MACHINE_STACK3, USER_DATA};
    static const struct {
        unsigned item;
        uint16_t value;
        int vector;
        unsigned error;
    } cases[] = {
        {1, 0, X86_GP, 0},
        {1, USER_DATA, X86_GP, USER_DATA & ~3},
        {1, 0xfff0 | 3, X86_GP, 0xfff0},
        {4, USER_CODE, X86_GP, USER_CODE & ~3},
        {4, USER_DATA & ~3, X86_GP, USER_DATA & ~3},
        {4, 0, X86_GP, 0},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint64_t frame[5];

        memcpy(frame, good, sizeof(frame));
        frame[cases[i].item] = cases[i].value;
        set_mode(modes[_i], 0);
        m->state.gpr[X86_RSP] -= 0x100;
        put_frame(frame, 5);
        check_raises(iret, cases[i].vector, cases[i].error);
        ck_assert_uint_eq(m->cpu->cpl, 0);
        ck_assert_uint_eq(top(4 + (wide ? 0 : 0)), wide ? SOFT_MACHINE_STACK0 - 0x100 : TARGET);
    }
}
END_TEST

START_TEST(iret_to_hole)
{
    uint64_t frame[] = {UINT64_C(1) << 47, SOFT_MACHINE_CODE64, X86_FLAG_1, SOFT_MACHINE_STACK0,
                        SOFT_MACHINE_DATA32};

    set_mode(SOFT_MACHINE_LONG64, 0);
    m->state.gpr[X86_RSP] -= 0x100;
    put_frame(frame, 5);
    check_raises("48cf", X86_GP, 0);
}
END_TEST

/* call far through a gate, from CPL 3 to 0, with two parameters. */
START_TEST(call_gate)
{
    static const char call[] = "9a 00000000 7300"; /* call 0x73:0 */
    uint64_t sp;

    set_mode(SOFT_MACHINE_PROTECTED32, 3);
    set_gate(SOFT_MACHINE_GDT + FREE, SOFT_MACHINE_CODE32, TARGET, GATE_CALL | DPL3);
    soft_machine_put(m, SOFT_MACHINE_GDT + FREE + 4, "\x02", 1);
    sp = m->state.gpr[X86_RSP] -= 8;
    soft_machine_put(m, sp, "\x11\x11\x11\x11\x22\x22\x22\x22", 8);
    ck_assert_int_eq(soft_machine_try(m, call), -1);
    ck_assert_uint_eq(m->cpu->cpl, 0);
    ck_assert_uint_eq(m->cpu->rip, TARGET + 2);
    ck_assert_uint_eq(m->cpu->segment[X86_CS].selector, SOFT_MACHINE_CODE32);
    ck_assert_uint_eq(m->cpu->gpr[X86_RSP], SOFT_MACHINE_STACK0 - 6 * 4);
    ck_assert_uint_eq(top(0), SOFT_MACHINE_CODE + 7);
    ck_assert_uint_eq(top(1), USER_CODE);
    ck_assert_uint_eq(top(2), 0x11111111);
    ck_assert_uint_eq(top(3), 0x22222222);
    ck_assert_uint_eq(top(4), sp);
    ck_assert_uint_eq(top(5), USER_DATA);
}
END_TEST

/* The gate's handler returns: ret far 8 drops the parameters on both stacks. */
START_TEST(call_gate_and_return)
{
    set_mode(SOFT_MACHINE_PROTECTED32, 3);
    set_gate(SOFT_MACHINE_GDT + FREE, SOFT_MACHINE_CODE32, TARGET, GATE_CALL | DPL3);
    soft_machine_put(m, SOFT_MACHINE_GDT + FREE + 4, "\x02", 1);
    soft_machine_put(m, TARGET, "\xca\x08\x00", 3);
    m->state.gpr[X86_RSP] -= 8;
    ck_assert_int_eq(soft_machine_try(m, "9a 00000000 7300"), -1);
    ck_assert_uint_eq(m->cpu->cpl, 3);
    ck_assert_uint_eq(m->cpu->rip, SOFT_MACHINE_CODE + 7 + 2);
    ck_assert_uint_eq(m->cpu->gpr[X86_RSP], SOFT_MACHINE_STACK3);
    ck_assert_uint_eq(m->cpu->segment[X86_SS].selector, USER_DATA);
}
END_TEST

START_TEST(call_gate_faults)
{
    set_mode(SOFT_MACHINE_PROTECTED32, 3); /* DPL 0 */
    set_gate(SOFT_MACHINE_GDT + FREE, SOFT_MACHINE_CODE32, TARGET, GATE_CALL);
    check_raises("9a 00000000 7300", X86_GP, FREE);
    set_mode(SOFT_MACHINE_PROTECTED32, 3);
    set_gate(SOFT_MACHINE_GDT + FREE, SOFT_MACHINE_CODE32, TARGET, (GATE_CALL | DPL3) & ~PRESENT);
    check_raises("9a 00000000 7300", X86_NP, FREE);
    set_mode(SOFT_MACHINE_PROTECTED32, 3); /* a jump cannot change the level */
    set_gate(SOFT_MACHINE_GDT + FREE, SOFT_MACHINE_CODE32, TARGET, GATE_CALL | DPL3);
    check_raises("ea 00000000 7300", X86_GP, SOFT_MACHINE_CODE32);
    set_mode(SOFT_MACHINE_PROTECTED32, 3);
    set_gate(SOFT_MACHINE_GDT + FREE, SOFT_MACHINE_CODE32, TARGET, GATE_CALL | DPL3);
    soft_machine_put(m, SOFT_MACHINE_TSS + 8, "\x08\x00", 2); /* SS0 is code */
    ck_assert_int_eq(soft_machine_try(m, "9a 00000000 7300"), SOFT_MACHINE_TRIPLE_FAULT);
}
END_TEST

static void set_second_task(unsigned type)
{
    static const uint32_t tss[26] = {
        [7] = SOFT_MACHINE_TABLES,
        [8] = TARGET,
        [9] = 2,
        [10] = 0x1010,
        [14] = SOFT_MACHINE_STACK0 - 0x400,
        [18] = SOFT_MACHINE_DATA32,
        [19] = SOFT_MACHINE_CODE32,
        [20] = SOFT_MACHINE_DATA32,
        [21] = SOFT_MACHINE_DATA32,
    };

    soft_machine_put(m, TSS2, tss, sizeof(tss));
    soft_machine_set_descriptor(m, SECOND_TSS, TSS2, 0x67, type);
}

static void check_in_second_task(uint64_t flags)
{
    ck_assert_uint_eq(m->cpu->rip, TARGET + 2);
    ck_assert_uint_eq(m->cpu->tr.selector, SECOND_TSS);
    ck_assert_uint_eq(m->cpu->tr.base, TSS2);
    ck_assert_uint_eq(m->cpu->gpr[X86_RAX], 0x1010);
    ck_assert_uint_eq(m->cpu->rflags & X86_FLAG_NT, flags);
    ck_assert_uint_eq(m->cpu->cr0 & CR0_TS, CR0_TS);
    ck_assert_uint_eq(m->cpu->segment[X86_FS].attributes & SEG_P, 0);
    ck_assert_uint_eq(soft_machine_get(m, SOFT_MACHINE_GDT + SECOND_TSS + 5, 1), 0x8b); /* busy */
}

START_TEST(task_jump)
{
    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    set_second_task(TSS_FREE);
    m->state.gpr[X86_RBX] = 0xabcdef;
    ck_assert_int_eq(soft_machine_try(m, "ea 00000000 7800"), -1);
    check_in_second_task(0);
    /* The old task is not busy any more and remembers where it was. */
    ck_assert_uint_eq(soft_machine_get(m, SOFT_MACHINE_GDT + SOFT_MACHINE_TR + 5, 1), 0x89);
    ck_assert_uint_eq(soft_machine_get(m, SOFT_MACHINE_TSS + 32, 4), SOFT_MACHINE_CODE + 7);
    ck_assert_uint_eq(soft_machine_get(m, SOFT_MACHINE_TSS + 52, 4), 0xabcdef);
    ck_assert_uint_eq(soft_machine_get(m, SOFT_MACHINE_TSS + 76, 2), SOFT_MACHINE_CODE32);
}
END_TEST

START_TEST(task_call_and_return)
{
    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    set_second_task(TSS_FREE);
    ck_assert_int_eq(soft_machine_try(m, "9a 00000000 7800"), -1);
    check_in_second_task(X86_FLAG_NT);
    ck_assert_uint_eq(soft_machine_get(m, SOFT_MACHINE_GDT + SOFT_MACHINE_TR + 5, 1), 0x8b);
    ck_assert_uint_eq(soft_machine_get(m, TSS2, 2), SOFT_MACHINE_TR);

    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    set_second_task(TSS_FREE);
    soft_machine_put(m, TARGET, "\xcf", 1);                       /* iret */
    soft_machine_put(m, SOFT_MACHINE_TSS + 28, &m->state.cr3, 4); /* no task switch saves it */
    m->state.gpr[X86_RBX] = 0xabcdef;
    ck_assert_int_eq(soft_machine_try(m, "9a 00000000 7800 90"), -1);
    ck_assert_uint_eq(m->cpu->rip, SOFT_MACHINE_CODE + 8 + 2);
    ck_assert_uint_eq(m->cpu->tr.selector, SOFT_MACHINE_TR);
    ck_assert_uint_eq(m->cpu->gpr[X86_RBX], 0xabcdef);
    ck_assert_uint_eq(soft_machine_get(m, SOFT_MACHINE_GDT + SECOND_TSS + 5, 1), 0x89);
}
END_TEST

/* Through task gates in the GDT and in the IDT; the latter with an error code on the new stack. */
START_TEST(task_gates)
{
    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    set_second_task(TSS_FREE);
    set_gate(SOFT_MACHINE_GDT + FREE, SECOND_TSS, 0, GATE_TASK);
    ck_assert_int_eq(soft_machine_try(m, "ea 00000000 7000"), -1);
    check_in_second_task(0);

    set_mode(SOFT_MACHINE_PROTECTED32, 3);
    set_second_task(TSS_FREE);
    set_idt_gate(X86_GP, SECOND_TSS, 0, GATE_TASK);
    ck_assert_int_eq(soft_machine_try(m, "f4"), -1);
    check_in_second_task(X86_FLAG_NT);
    ck_assert_uint_eq(m->cpu->cpl, 0);
    ck_assert_uint_eq(m->cpu->gpr[X86_RSP], SOFT_MACHINE_STACK0 - 0x404);
    ck_assert_uint_eq(top(0), 0);
    ck_assert_uint_eq(soft_machine_get(m, SOFT_MACHINE_TSS + 32, 4), SOFT_MACHINE_CODE);
}
END_TEST

START_TEST(task_faults)
{
    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    set_second_task(TSS_FREE | 2); /* busy */
    check_raises("ea 00000000 7800", X86_GP, SECOND_TSS);
    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    set_second_task(TSS_FREE & ~PRESENT);
    check_raises("ea 00000000 7800", X86_NP, SECOND_TSS);
    set_mode(SOFT_MACHINE_PROTECTED32, 3);
    set_second_task(TSS_FREE); /* DPL 0 */
    check_raises("ea 00000000 7800", X86_GP, SECOND_TSS);
    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    soft_machine_set_descriptor(m, SECOND_TSS, TSS2, 0x66, TSS_FREE);
    check_raises("ea 00000000 7800", X86_TS, SECOND_TSS);
    /* In the new task already: its SS is no stack. */
    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    set_second_task(TSS_FREE);
    soft_machine_put(m, TSS2 + 80, "\x18", 1);
    ck_assert_int_eq(soft_machine_try(m, "ea 00000000 7800"), SOFT_MACHINE_TRIPLE_FAULT);
    ck_assert_uint_eq(m->cpu->tr.selector, SECOND_TSS);
}
END_TEST

/* The T flag of a TSS: #DB before the first instruction, whatever switched to the task. */
START_TEST(task_traps)
{
    for (unsigned i = 0; i < 3; i++) {
        set_mode(SOFT_MACHINE_PROTECTED32, 0);
        set_second_task(TSS_FREE);
        soft_machine_put(m, TSS2 + 100, "\x01", 1);
        set_gate(SOFT_MACHINE_GDT + FREE, SECOND_TSS, 0, GATE_TASK);
        set_idt_gate(X86_UD, SECOND_TSS, 0, GATE_TASK);
        ck_assert_int_eq(soft_machine_try(m, i == 0   ? "90 ea 00000000 7800"
                                             : i == 1 ? "90 9a 00000000 7000"
                                                      : "90 0f0b"),
                         X86_DB);
        ck_assert_uint_eq(m->cpu->tr.selector, SECOND_TSS);
        ck_assert_uint_eq(m->cpu->dr[6] & 0xe00f, DR6_BT);
        ck_assert_uint_eq(top(0), TARGET);
        ck_assert_uint_eq(m->cpu->gpr[X86_RAX], 0x1010);
    }
    /* Without it, none. */
    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    set_second_task(TSS_FREE);
    ck_assert_int_eq(soft_machine_try(m, "ea 00000000 7800"), -1);
    ck_assert_uint_eq(m->cpu->dr[6] & DR6_BT, 0);
}
END_TEST

START_TEST(far_branches)
{
    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    check_raises("ea 00000000 0000", X86_GP, 0);
    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    check_raises("ea 00000000 f0ff", X86_GP, 0xfff0);
    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    check_raises("ea 00000000 2000", X86_GP, SOFT_MACHINE_DATA32);
    set_mode(SOFT_MACHINE_PROTECTED32, 3);
    check_raises("ea 00000000 1800", X86_GP, SOFT_MACHINE_CODE32);
    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    check_raises("ea ffffff00 0800", X86_GP, 0); /* beyond the limit of CODE16 */
    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    soft_machine_set_descriptor(m, FREE, 0, 0xfffff, 0x1a); /* not present */
    check_raises("ea 00000000 7000", X86_NP, FREE);
    /* Conforming code of CPL 0 runs at CPL 3. */
    set_mode(SOFT_MACHINE_PROTECTED32, 3);
    soft_machine_set_descriptor(m, FREE, 0, UINT32_MAX, 0xc09e);
    ck_assert_int_eq(soft_machine_try(m, "ea 00040100 7000"), -1);
    ck_assert_uint_eq(m->cpu->rip, TARGET + 2);
    ck_assert_uint_eq(m->cpu->segment[X86_CS].selector, FREE | 3);
    ck_assert_uint_eq(m->cpu->cpl, 3);
}
END_TEST

/* mov ds, ax */
START_TEST(segment_loads)
{
    static const struct {
        uint16_t selector;
        unsigned cpl;
        int vector;
        unsigned error;
    } cases[] = {
        {SOFT_MACHINE_DATA32, 0, -1, 0},
        {0, 0, -1, 0},
        {3, 3, -1, 0},
        {SOFT_MACHINE_DATA32, 3, X86_GP, SOFT_MACHINE_DATA32},
        {SOFT_MACHINE_TR, 0, X86_GP, SOFT_MACHINE_TR},
        {0x104, 0, X86_GP, 0x104},
        {0x1f8, 0, X86_GP, 0x1f8},
        {SOFT_MACHINE_CODE32, 0, -1, 0}, /* readable */
        {SOFT_MACHINE_USER_DATA32, 0, -1, 0},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        set_mode(SOFT_MACHINE_PROTECTED32, cases[i].cpl);
        m->state.gpr[X86_RAX] = cases[i].selector;
        if (cases[i].vector >= 0) {
            check_raises("8ed8", cases[i].vector, cases[i].error);
        } else {
            ck_assert_int_eq(soft_machine_try(m, "8ed8"), -1);
            ck_assert_uint_eq(m->cpu->segment[X86_DS].selector, cases[i].selector);
        }
    }
    set_mode(SOFT_MACHINE_PROTECTED32, 0); /* mov ss, ax: DPL and RPL must be CPL */
    m->state.gpr[X86_RAX] = USER_DATA;
    check_raises("8ed0", X86_GP, USER_DATA & ~3);
    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    m->state.gpr[X86_RAX] = 0;
    check_raises("8ed0", X86_GP, 0);
    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    soft_machine_set_descriptor(m, FREE, 0, UINT32_MAX, 0xc012);
    m->state.gpr[X86_RAX] = FREE;
    check_raises("8ed0", X86_SS_FAULT, FREE);
}
END_TEST

/* Through a null segment, past a limit, below an expand-down limit. */
START_TEST(segment_limits)
{
    static const char *const load = "8ed8 8b03"; /* mov ds, ax; mov eax, [ebx] */
    static const struct {
        uint32_t limit, attributes, offset;
        int vector;
    } cases[] = {
        {0xfff, 0x4093, 0xffc, -1},
        {0xfff, 0x4093, 0xffd, X86_GP},
        {0xfff, 0x4097, 0xfff, X86_GP},
        {0xfff, 0x4097, 0x1000, -1},
        {0xfff, 0x0097, 0xfffd, X86_GP},
        {0xfff, 0x0097, 0xfffc, -1},
        {UINT32_MAX, 0xc093, UINT32_MAX - 1, X86_GP},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        set_mode(SOFT_MACHINE_PROTECTED32, 0);
        soft_machine_set_descriptor(m, FREE, SOFT_MACHINE_DATA - 0x1000, cases[i].limit,
                                    cases[i].attributes);
        m->state.gpr[X86_RAX] = FREE;
        m->state.gpr[X86_RBX] = cases[i].offset;
        ck_assert_int_eq(soft_machine_try(m, load), cases[i].vector);
    }
    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    ck_assert_int_eq(soft_machine_try(m, "31c0 8ed8 8b03"), X86_GP);
}
END_TEST

/* lar ecx, ax; lsl edx, ax; verr ax; setz bl; verw ax; setz bh */
START_TEST(descriptor_questions)
{
    static const struct {
        uint16_t selector;
        unsigned cpl;
        bool lar, lsl, read, write;
    } cases[] = {
        {SOFT_MACHINE_DATA32, 0, true, true, true, true},
        {SOFT_MACHINE_CODE32, 0, true, true, true, false},
        {SOFT_MACHINE_DATA32, 3, false, false, false, false},
        {USER_DATA, 3, true, true, true, true},
        {SOFT_MACHINE_TR, 0, true, true, false, false},
        {0, 0, false, false, false, false},
        {0x1f8, 0, false, false, false, false},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        set_mode(SOFT_MACHINE_PROTECTED32, cases[i].cpl);
        m->state.gpr[X86_RAX] = cases[i].selector;
        m->state.gpr[X86_RCX] = m->state.gpr[X86_RDX] = 0x5a5a5a5a;
        ck_assert_int_eq(soft_machine_try(m, "0f02c8 0f03d0 0f00e0 0f94c3 0f00e8 0f94c7"), -1);
        ck_assert_int_eq(m->cpu->gpr[X86_RCX] != 0x5a5a5a5a, cases[i].lar);
        ck_assert_int_eq(m->cpu->gpr[X86_RDX] != 0x5a5a5a5a, cases[i].lsl);
        ck_assert_int_eq(m->cpu->gpr[X86_RBX] & 1, cases[i].read);
        ck_assert_int_eq(m->cpu->gpr[X86_RBX] >> 8 & 1, cases[i].write);
    }
    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    m->state.gpr[X86_RAX] = SOFT_MACHINE_DATA32;
    ck_assert_int_eq(soft_machine_try(m, "0f02c8 0f03d0"), -1);
    ck_assert_uint_eq(m->cpu->gpr[X86_RCX], 0x00cf9300);
    ck_assert_uint_eq(m->cpu->gpr[X86_RDX], UINT32_MAX);
    /* lar ecx, [eax]: nothing but the selector is read. */
    set_mode(SOFT_MACHINE_PROTECTED32, 0);
    soft_machine_set_descriptor(m, FREE, SOFT_MACHINE_DATA, 1, SEG_P | SEG_S | SEG_WRITABLE);
    m->state.gpr[X86_RAX] = 0;
    m->state.gpr[X86_RBX] = FREE;
    ck_assert_int_eq(soft_machine_try(m, "8edb 0f0208 0f0310"), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("soft-system-gates");
    TCase *test = tcase_create("gates");

    tcase_add_checked_fixture(test, setup, teardown);
    tcase_add_loop_test(test, interrupt_to_inner_level, 0, 2);
    tcase_add_loop_test(test, trap_gate_leaves_if, 0, 2);
    tcase_add_test(test, gates_of_16_bits);
    tcase_add_loop_test(test, gate_faults, 0, 2);
    tcase_add_loop_test(test, double_fault, 0, 2);
    tcase_add_test(test, interrupt_stack_table);
    tcase_add_test(test, long_mode_aligns_frames);
    tcase_add_loop_test(test, stacks_at_odd_places, 0, 2);
    tcase_add_loop_test(test, external_interrupt_on_code, 0, 2);
    tcase_add_loop_test(test, iret_to_outer_level, 0, 2);
    tcase_add_loop_test(test, iret_faults, 0, 2);
    tcase_add_test(test, iret_to_hole);
    tcase_add_test(test, call_gate);
    tcase_add_test(test, call_gate_and_return);
    tcase_add_test(test, call_gate_faults);
    tcase_add_test(test, task_jump);
    tcase_add_test(test, task_call_and_return);
    tcase_add_test(test, task_gates);
    tcase_add_test(test, task_faults);
    tcase_add_test(test, task_traps);
    tcase_add_test(test, far_branches);
    tcase_add_test(test, segment_loads);
    tcase_add_test(test, segment_limits);
    tcase_add_test(test, descriptor_questions);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
