/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The software CPU in its modes: real, virtual-8086, compatibility and 64-bit, the ways between
 * them, and what privilege forbids. Intel SDM volume 2, and volume 3, chapters 2, 5, 9 and 21.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cpu/soft/lapic.h"
#include "tests/fakes/soft_machine.h"
#include "tests/suite.h"

#define TARGET (SOFT_MACHINE_CODE + 0x400) /* a write to the exit port stands there */
#define STAR ((uint64_t)SOFT_MACHINE_CODE64 << 32 | (uint64_t)SOFT_MACHINE_USER_CODE32 << 48)

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

/* After #GP in virtual-8086 mode: the frame of the handler at CPL 0. */
static void check_v86_fault(const char *program, int vector)
{
    uint64_t rip;

    set_mode(SOFT_MACHINE_V86, 3);
    rip = m->state.rip;
    ck_assert_int_eq(soft_machine_try(m, program), vector);
    ck_assert_uint_eq(m->cpu->cpl, 0);
    ck_assert_uint_eq(m->cpu->rflags & X86_FLAG_VM, 0);
    ck_assert_uint_eq(m->cpu->gpr[X86_RSP], SOFT_MACHINE_STACK0 - 4 * (vector == X86_GP ? 10 : 9));
    ck_assert_uint_eq(soft_machine_top(m, vector == X86_GP ? 1 : 0, 4), rip);
    ck_assert_uint_eq(soft_machine_top(m, vector == X86_GP ? 3 : 2, 4) & X86_FLAG_VM, X86_FLAG_VM);
    ck_assert_uint_eq(m->cpu->segment[X86_DS].selector, 0);
}

/* With IOPL below 3 these are the monitor's business; HLT and LGDT always are. */
START_TEST(v86_sensitive_instructions)
{
    static const char *const programs[] = {"fa", "fb", "9c", "9d", "cd10", "cf"};

    for (unsigned i = 0; i < G_N_ELEMENTS(programs); i++)
        check_v86_fault(programs[i], X86_GP);
    check_v86_fault("f4", X86_GP);
    check_v86_fault("0f0117", X86_GP); /* lgdt [bx] */
    check_v86_fault("0f00c0", X86_UD); /* sldt ax */
    check_v86_fault("0f02c0", X86_UD); /* lar ax, ax */
}
END_TEST

START_TEST(v86_with_iopl_3)
{
    set_mode(SOFT_MACHINE_V86, 3);
    m->state.rflags |= X86_FLAG_IOPL;
    /* sti; pushf; pop ax; cli; push 0x1234; pop ds */
    ck_assert_int_eq(soft_machine_try(m, "fb 9c 58 fa 683412 1f"), -1);
    ck_assert_uint_eq(m->cpu->gpr[X86_RAX] & 0xffff, 0x3202);
    ck_assert_uint_eq(m->cpu->segment[X86_DS].base, 0x12340);
    ck_assert_uint_eq(m->cpu->rflags, X86_FLAG_1 | X86_FLAG_IOPL | X86_FLAG_VM);
    /* INT goes through the IDT, whose gate is of DPL 0. */
    set_mode(SOFT_MACHINE_V86, 3);
    m->state.rflags |= X86_FLAG_IOPL;
    ck_assert_int_eq(soft_machine_try(m, "cd10"), X86_GP);
    ck_assert_uint_eq(soft_machine_top(m, 0, 4), 0x10 * 8 + 2);
}
END_TEST

/* A handler at CPL 0 sees the segments on its stack and returns with them. */
START_TEST(v86_interrupt_and_return)
{
    set_mode(SOFT_MACHINE_V86, 3);
    soft_machine_put(m, SOFT_MACHINE_HANDLERS + X86_UD * 16, "\x83\x04\x24\x02\xcf", 5);
    m->state.segment[X86_GS].selector = 0x777; /* add dword [esp], 2; iret */
    m->state.segment[X86_GS].base = 0x7770;
    ck_assert_int_eq(soft_machine_try(m, "0f0b 90"), -1);
    ck_assert_uint_eq(m->cpu->segment[X86_GS].base, 0x7770);
    ck_assert_uint_eq(m->cpu->segment[X86_CS].selector, SOFT_MACHINE_CODE >> 4);
    ck_assert_uint_eq(m->cpu->rip, m->state.rip + 5);
    ck_assert_uint_eq(m->cpu->cpl, 3);
    ck_assert_uint_eq(m->cpu->gpr[X86_RSP], m->state.gpr[X86_RSP]);
}
END_TEST

/* Ports that the bitmap of the TSS closes. */
START_TEST(io_permissions)
{
    static const enum soft_machine_mode modes[] = {SOFT_MACHINE_V86, SOFT_MACHINE_PROTECTED32,
                                                   SOFT_MACHINE_LONG64};

    for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
        set_mode(modes[i], 3);
        soft_machine_put(m, SOFT_MACHINE_TSS + 136 + 0x80 / 8, "\x02", 1);
        ck_assert_int_eq(soft_machine_try(m, "e680"), -1);
        ck_assert_int_eq(soft_machine_try(m, "e681"), X86_GP);
        set_mode(modes[i], 3);
        soft_machine_put(m, SOFT_MACHINE_TSS + 136 + 0x80 / 8, "\x02", 1);
        ck_assert_int_eq(soft_machine_try(m, "e780"), X86_GP); /* more than a byte */
        set_mode(modes[i], 3);
        m->state.tr.limit = 136; /* the bitmap ends */
        ck_assert_int_eq(soft_machine_try(m, "e680"), X86_GP);
    }
}
END_TEST

START_TEST(real_mode)
{
    set_mode(SOFT_MACHINE_REAL, 0);
    /* mov ax, 0x2000; mov es, ax; mov word es:[0x10], 0xbeef; int 0x40 */
    ck_assert_int_eq(soft_machine_try(m, "b80020 8ec0 26c7061000efbe cd40"), 0x40);
    ck_assert_uint_eq(soft_machine_get(m, 0x20010, 2), 0xbeef);
    ck_assert_uint_eq(soft_machine_top(m, 0, 2), 14);
    ck_assert_uint_eq(soft_machine_top(m, 1, 2), SOFT_MACHINE_CODE >> 4);
    set_mode(SOFT_MACHINE_REAL, 0); /* past the limit of 64 KiB */
    m->state.gpr[X86_RBX] = 0xffff;
    ck_assert_int_eq(soft_machine_try(m, "8b07"), X86_GP);
    set_mode(SOFT_MACHINE_REAL, 0);
    m->state.idt.limit = 4 * 0x40; /* one byte too few for 0x40, but enough for #GP */
    ck_assert_int_eq(soft_machine_try(m, "cd40"), X86_GP);
    set_mode(SOFT_MACHINE_REAL, 0);
    m->state.idt.limit = 4 * X86_GP; /* not enough for anything that follows */
    ck_assert_int_eq(soft_machine_try(m, "cd40"), X86_DF);
    set_mode(SOFT_MACHINE_REAL, 0);
    m->state.idt.limit = 0;
    ck_assert_int_eq(soft_machine_try(m, "cd40"), SOFT_MACHINE_TRIPLE_FAULT);
}
END_TEST

/* From real to protected mode and on to 32-bit code. */
START_TEST(protected_mode_entry)
{
    set_mode(SOFT_MACHINE_REAL, 0);
    soft_machine_put(m, TARGET, "\xb8\x20\x00\x00\x00\x8e\xd8\xe6\xf4", 9); /* mov eax, 0x20 */
    /* mov eax, cr0; or al, 1; mov cr0, eax; jmp dword 0x18:TARGET */
    ck_assert_int_eq(soft_machine_try(m, "0f20c0 0c01 0f22c0 66ea 00040100 1800"), -1);
    ck_assert_uint_eq(m->cpu->rip, TARGET + 9);
    ck_assert_uint_eq(m->cpu->segment[X86_CS].selector, SOFT_MACHINE_CODE32);
    ck_assert_uint_eq(m->cpu->segment[X86_DS].limit, UINT32_MAX);
}
END_TEST

/* Paging, PAE and EFER.LME on: long mode, and by a far jump 64-bit code. */
START_TEST(long_mode_entry)
{
    soft_machine_set_mode(m, SOFT_MACHINE_LONG64, SOFT_MACHINE_PAE, 0); /* its tables */
    m->state.segment[X86_CS].attributes ^= SEG_L | SEG_DB;
    m->state.cr0 &= ~CR0_PG;
    m->state.efer = EFER_LME;
    /* mov rax, -1 there */
    soft_machine_put(m, TARGET, "\x48\xc7\xc0\xff\xff\xff\xff\xe6\xf4", 9);
    /* mov eax, cr0; bts eax, 31; mov cr0, eax; jmp 0x28:TARGET */
    ck_assert_int_eq(soft_machine_try(m, "0f20c0 0fbae81f 0f22c0 ea 00040100 2800"), -1);
    ck_assert_uint_eq(m->cpu->rip, TARGET + 9);
    ck_assert_uint_eq(m->cpu->gpr[X86_RAX], UINT64_MAX);
    ck_assert_uint_eq(m->cpu->efer, EFER_LME | EFER_LMA);
}
END_TEST

START_TEST(control_register_checks)
{
    static const struct {
        const char *program;
        uint64_t rax;
        int vector;
    } cases[] = {
        {"0f22c0", CR0_PG | CR0_ET, X86_GP},                     /* PG without PE */
        {"0f22c0", CR0_PG | CR0_PE | CR0_NW | CR0_ET, X86_GP},   /* NW without CD */
        {"0f22c0", UINT64_C(1) << 32 | CR0_PG | CR0_PE, X86_GP}, /* the upper half */
        {"0f22e0", 0, X86_GP},                                   /* PAE off in long mode */
        {"0f22e0", CR4_PAE | UINT64_C(1) << 30, X86_GP},         /* a reserved bit */
        {"0f22e0", CR4_PAE | UINT64_C(1) << 23, X86_GP},         /* CET: not in CPUID */
        {"0f22d8", UINT64_C(1) << 52, X86_GP},
        {"0f20c8", 0, X86_UD}, /* CR1 */
        {"440f22c0", 16, X86_GP},
        {"440f22c0", 15, -1},
        {"440f20c0", 0, -1},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        int result;

        set_mode(SOFT_MACHINE_LONG64, 0);
        m->state.gpr[X86_RAX] = cases[i].rax;
        result = soft_machine_try(m, cases[i].program);
        ck_assert_msg(result == cases[i].vector, "case %u: %d", i, result);
        ck_assert_uint_eq(m->cpu->cr0, m->state.cr0);
        ck_assert_uint_eq(m->cpu->cr4, m->state.cr4);
    }
}
END_TEST

START_TEST(privileged_instructions)
{
    static const char *const programs[] = {"0f20c0", "0f22c0", "0f06",   "0f30",   "0f32",
                                           "f4",     "0f01f0", "0f0138", "0f01f8", "0f08",
                                           "0f09",   "0f00d8", "0f00d0", "0f0117", "0f011f",
                                           "fa",     "0f3530", "0f01d1"};

    for (unsigned i = 0; i < G_N_ELEMENTS(programs); i++) {
        int result;

        set_mode(SOFT_MACHINE_LONG64, 3);
        m->state.gpr[X86_RAX] = m->state.gpr[X86_RBX] = m->state.gpr[X86_RDI] = SOFT_MACHINE_DATA;
        m->state.cr4 |= CR4_OSXSAVE;
        result = soft_machine_try(m, programs[i]);
        ck_assert_msg(result == X86_GP, "%s: %d", programs[i], result);
    }
    /* CR4.TSD and CR4.UMIP */
    set_mode(SOFT_MACHINE_LONG64, 3);
    ck_assert_int_eq(soft_machine_try(m, "0f31 0f00c0"), -1); /* rdtsc; sldt */
    set_mode(SOFT_MACHINE_LONG64, 3);
    m->state.cr4 |= CR4_TSD;
    ck_assert_int_eq(soft_machine_try(m, "0f31"), X86_GP);
    set_mode(SOFT_MACHINE_LONG64, 3);
    m->state.cr4 |= CR4_UMIP;
    ck_assert_int_eq(soft_machine_try(m, "0f00c0"), X86_GP);
}
END_TEST

static void set_syscall(void)
{
    m->state.star = STAR;
    m->state.lstar = TARGET;
    m->state.sfmask = X86_FLAG_IF | X86_FLAG_DF;
    m->state.sysenter_cs = SOFT_MACHINE_CODE64;
    m->state.sysenter_eip = TARGET;
    m->state.sysenter_esp = SOFT_MACHINE_STACK0;
}

START_TEST(syscall_instruction)
{
    set_mode(SOFT_MACHINE_LONG64, 3);
    set_syscall();
    m->state.rflags |= X86_FLAG_IF | X86_FLAG_DF | X86_FLAG_CF;
    ck_assert_int_eq(soft_machine_try(m, "0f05"), -1);
    ck_assert_uint_eq(m->cpu->rip, TARGET + 2);
    ck_assert_uint_eq(m->cpu->cpl, 0);
    ck_assert_uint_eq(m->cpu->gpr[X86_RCX], SOFT_MACHINE_CODE + 2);
    ck_assert_uint_eq(m->cpu->gpr[11], X86_FLAG_1 | X86_FLAG_IF | X86_FLAG_DF | X86_FLAG_CF);
    ck_assert_uint_eq(m->cpu->rflags, X86_FLAG_1);
    ck_assert_uint_eq(m->cpu->segment[X86_CS].selector, SOFT_MACHINE_CODE64);
    ck_assert_uint_eq(m->cpu->segment[X86_SS].selector, SOFT_MACHINE_CODE64 + 8);
    ck_assert_uint_eq(m->cpu->gpr[X86_RSP], SOFT_MACHINE_STACK3);
    set_mode(SOFT_MACHINE_LONG64, 3);
    m->state.efer &= ~EFER_SCE;
    ck_assert_int_eq(soft_machine_try(m, "0f05"), X86_UD);
    set_mode(SOFT_MACHINE_COMPAT32, 3);
    ck_assert_int_eq(soft_machine_try(m, "0f05"), X86_UD);
}
END_TEST

START_TEST(sysret)
{
    set_mode(SOFT_MACHINE_LONG64, 0);
    set_syscall();
    m->state.gpr[X86_RCX] = TARGET;
    m->state.gpr[11] = X86_FLAG_IF | X86_FLAG_IOPL | X86_FLAG_RF | X86_FLAG_VM;
    ck_assert_int_eq(soft_machine_try(m, "480f07"), -1);
    ck_assert_uint_eq(m->cpu->rip, TARGET + 2);
    ck_assert_uint_eq(m->cpu->cpl, 3);
    ck_assert_uint_eq(m->cpu->segment[X86_CS].selector, SOFT_MACHINE_USER_CODE64 | 3);
    ck_assert_uint_eq(m->cpu->segment[X86_SS].selector, SOFT_MACHINE_USER_DATA32 | 3);
    ck_assert_uint_eq(m->cpu->rflags, X86_FLAG_1 | X86_FLAG_IF | X86_FLAG_IOPL);
    set_mode(SOFT_MACHINE_LONG64, 0); /* to 32-bit code */
    set_syscall();
    m->state.gpr[X86_RCX] = TARGET | UINT64_C(1) << 32;
    m->state.gpr[11] = X86_FLAG_IOPL;
    ck_assert_int_eq(soft_machine_try(m, "0f07"), -1);
    ck_assert_uint_eq(m->cpu->rip, TARGET + 2);
    ck_assert_uint_eq(m->cpu->segment[X86_CS].attributes & (SEG_L | SEG_DB), SEG_DB);
    set_mode(SOFT_MACHINE_LONG64, 0); /* not canonical: still at CPL 0 */
    m->state.gpr[X86_RCX] = UINT64_C(1) << 47;
    ck_assert_int_eq(soft_machine_try(m, "480f07"), X86_GP);
    ck_assert_uint_eq(soft_machine_top(m, 2, 8), SOFT_MACHINE_CODE64);
    set_mode(SOFT_MACHINE_LONG64, 3);
    ck_assert_int_eq(soft_machine_try(m, "480f07"), X86_GP);
}
END_TEST

START_TEST(sysenter_and_sysexit)
{
    set_mode(SOFT_MACHINE_LONG64, 3);
    set_syscall();
    m->state.rflags |= X86_FLAG_IF;
    ck_assert_int_eq(soft_machine_try(m, "0f34"), -1);
    ck_assert_uint_eq(m->cpu->rip, TARGET + 2);
    ck_assert_uint_eq(m->cpu->cpl, 0);
    ck_assert_uint_eq(m->cpu->gpr[X86_RSP], SOFT_MACHINE_STACK0);
    ck_assert_uint_eq(m->cpu->rflags & X86_FLAG_IF, 0);
    set_mode(SOFT_MACHINE_LONG64, 3);
    m->state.sysenter_cs = 3; /* null */
    ck_assert_int_eq(soft_machine_try(m, "0f34"), X86_GP);

    set_mode(SOFT_MACHINE_LONG64, 0);
    m->state.sysenter_cs = SOFT_MACHINE_CODE64;
    m->state.gpr[X86_RDX] = TARGET;
    m->state.gpr[X86_RCX] = SOFT_MACHINE_STACK3;
    m->state.rflags |= X86_FLAG_IOPL;
    ck_assert_int_eq(soft_machine_try(m, "480f35"), -1);
    ck_assert_uint_eq(m->cpu->rip, TARGET + 2);
    ck_assert_uint_eq(m->cpu->cpl, 3);
    ck_assert_uint_eq(m->cpu->gpr[X86_RSP], SOFT_MACHINE_STACK3);
    ck_assert_uint_eq(m->cpu->segment[X86_CS].selector, (SOFT_MACHINE_CODE64 + 32) | 3);
    set_mode(SOFT_MACHINE_LONG64, 0);
    m->state.sysenter_cs = SOFT_MACHINE_CODE64;
    m->state.gpr[X86_RDX] = UINT64_C(1) << 47;
    ck_assert_int_eq(soft_machine_try(m, "480f35"), X86_GP);
}
END_TEST

START_TEST(swapgs)
{
    set_mode(SOFT_MACHINE_LONG64, 0);
    m->state.kernel_gs_base = SOFT_MACHINE_DATA + 0x40;
    m->state.segment[X86_GS].base = 0x12345;
    soft_machine_put(m, SOFT_MACHINE_DATA + 0x48, "\xef\xbe\xad\xde", 4);
    /* swapgs; mov eax, gs:[8] */
    ck_assert_int_eq(soft_machine_try(m, "0f01f8 658b042508000000"), -1);
    ck_assert_uint_eq((uint32_t)m->cpu->gpr[X86_RAX], 0xdeadbeef);
    ck_assert_uint_eq(m->cpu->kernel_gs_base, 0x12345);
    set_mode(SOFT_MACHINE_COMPAT32, 0);
    ck_assert_int_eq(soft_machine_try(m, "0f01f8"), X86_UD);
}
END_TEST

/* The program starts with an interrupt that waits: an IPI to itself. */
static void ask_for_interrupt(uint8_t vector)
{
    struct x86_state now;

    soft_lapic_write(m->cpu->lapic, 0xf0, 0x1ff, 4); /* the APIC on */
    soft_lapic_write(m->cpu->lapic, 0x300, 0x00044000 | vector, 4);
    m->vcpu->ops->get_state(m->vcpu, &now);
    m->state.lapic = now.lapic;
}

/* An interrupt waits out the instruction behind STI and behind a load of SS. */
static void check_shadow(const char *program, unsigned offset)
{
    uint64_t before;
    int result;

    set_mode(SOFT_MACHINE_LONG64, 0);
    before = m->state.rip;
    m->state.gpr[X86_RAX] = SOFT_MACHINE_DATA32;
    ask_for_interrupt(0x50);
    result = soft_machine_try(m, program);
    ck_assert_msg(result == 0x50, "%s: %d at %#lx", program, result, (unsigned long)m->cpu->rip);
    ck_assert_uint_eq(soft_machine_top(m, 0, 8), before + offset);
}

START_TEST(interrupt_shadows)
{
    check_shadow("fb 90 90 90", 2);
    check_shadow("fb f4 90", 2);       /* sti; hlt is woken */
    check_shadow("fb 8ed0 90 90", 4);  /* the shadow of MOV SS follows that of STI */
    check_shadow("90 fb fb 90 90", 3); /* a second STI has none */
    check_shadow("6a00 9d 90 68020200009d 90 90", 10); /* popf that sets IF has none */
}
END_TEST

/* An x87 error is IRQ 13 where CR0.NE is clear, and #MF where it is set. */
START_TEST(x87_error)
{
    static const uint8_t control[] = {0x7b, 0x03};       /* all but division by zero is masked */
    const char *program = "dbe3 d92b d9e8 d9ee def9 9b"; /* 1 / 0, and fwait */
    const struct irq_line *line = &m->board.isa_irq[BOARD_FERR_IRQ];

    set_mode(SOFT_MACHINE_LONG64, 0);
    m->state.gpr[X86_RBX] = SOFT_MACHINE_DATA;
    soft_machine_put(m, SOFT_MACHINE_DATA, control, sizeof(control));
    ck_assert_int_eq(soft_machine_try(m, program), X86_MF);
    ck_assert(!line->level);
    m->state.cr0 &= ~CR0_NE;
    ck_assert_int_eq(soft_machine_try(m, program), -1);
    ck_assert(line->level);
}
END_TEST

START_TEST(halt_and_wake)
{
    set_mode(SOFT_MACHINE_LONG64, 0);
    m->state.rflags |= X86_FLAG_IF;
    soft_machine_put(m, SOFT_MACHINE_CODE, "\xf4\x90", 2);
    soft_machine_enter(m);
    ck_assert_int_eq(soft_machine_run(m, 20), VCPU_KICKED);
    ck_assert(m->late);
    soft_lapic_write(m->cpu->lapic, 0xf0, 0x1ff, 4);
    soft_lapic_write(m->cpu->lapic, 0x300, 0x00044000 | 0x50, 4);
    ck_assert_int_eq(soft_machine_run(m, 20000), VCPU_KICKED);
    ck_assert(!m->late);
    ck_assert_uint_eq(m->cpu->rip, SOFT_MACHINE_HANDLERS + 0x50 * 16 + 2);
    ck_assert_uint_eq(soft_machine_top(m, 0, 8), SOFT_MACHINE_CODE + 1);
}
END_TEST

/* No instruction is longer than 15 bytes; LOCK only where it may stand. */
START_TEST(encodings)
{
    static const struct {
        const char *program;
        int vector;
    } cases[] = {
        {"2e2e2e2e2e2e2e2e2e2e2e2e2e2e90", -1},
        {"2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e90", X86_GP},
        {"6666666666666666666666666667c7 00 00000000", X86_GP},
        {"f090", X86_UD},
        {"f08903", X86_UD}, /* lock mov */
        {"f0ffc0", X86_UD}, /* lock inc eax */
        {"f0ff03", -1},     /* lock inc [rbx] */
        {"f03903", X86_UD}, /* lock cmp */
        {"f00fc10b", -1},   /* lock xadd */
        {"f08703", -1},     /* lock xchg */
        {"f00fc708", -1},   /* lock cmpxchg8b [rax] */
        {"f0a5", X86_UD},   /* lock movs */
        {"0fff", X86_UD},
        {"0f0b", X86_UD},
        {"d6", X86_UD}, /* not in 64-bit mode, nor documented */
        {"06", X86_UD},
        {"27", X86_UD},
        {"60", X86_UD},
        {"62", X86_UD},
        {"c4", X86_UD},
        {"ea", X86_UD},
        {"9a", X86_UD},
        {"82", X86_UD},
        {"ce", X86_UD},
        {"0f04", X86_UD},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        int result;

        set_mode(SOFT_MACHINE_LONG64, 0);
        m->state.gpr[X86_RAX] = m->state.gpr[X86_RBX] = m->state.gpr[X86_RSI] =
            m->state.gpr[X86_RDI] = SOFT_MACHINE_DATA;
        result = soft_machine_try(m, cases[i].program);
        ck_assert_msg(result == cases[i].vector, "%s: %d", cases[i].program, result);
    }
}
END_TEST

/* Code that a program changes, through another address of the same page too. */
START_TEST(self_modifying_code)
{
    uint64_t alias = SOFT_MACHINE_CODE | 0x67;

    set_mode(SOFT_MACHINE_LONG64, 0);
    /* mov byte [rip + 3], 0xff (the low byte of the next one's number); mov eax, 0x11111111 */
    ck_assert_int_eq(soft_machine_try(m, "c60501000000ff b811111111"), -1);
    ck_assert_uint_eq(m->cpu->gpr[X86_RAX], 0x111111ff);
    set_mode(SOFT_MACHINE_LONG64, 0);
    memcpy(soft_machine_pte(m, SOFT_MACHINE_DATA), &alias, 8);
    m->state.gpr[X86_RBX] = SOFT_MACHINE_DATA;
    /* mov byte [rbx + 5], 0xff; mov eax, 0x11111111 */
    ck_assert_int_eq(soft_machine_try(m, "c64305ff b811111111"), -1);
    ck_assert_uint_eq(m->cpu->gpr[X86_RAX], 0x111111ff);
    set_mode(SOFT_MACHINE_LONG64, 0); /* by a string instruction */
    m->state.gpr[X86_RAX] = 0xff;
    m->state.gpr[X86_RCX] = 4;
    m->state.gpr[X86_RDI] = SOFT_MACHINE_CODE + 3;
    /* rep stosb; mov ebx, 0x11111111 */
    ck_assert_int_eq(soft_machine_try(m, "f3aa bb11111111"), -1);
    ck_assert_uint_eq(m->cpu->gpr[X86_RBX], UINT32_MAX);
}
END_TEST

START_TEST(code_in_a_device)
{
    static const uint8_t code[] = {0xb8, 0x78, 0x56, 0x34, 0x12, 0xe6, SOFT_MACHINE_EXIT_PORT};

    set_mode(SOFT_MACHINE_LONG64, 0);
    m->state.rip = SOFT_MACHINE_DEVICE + 0x10;
    memcpy(m->device + 0x10, code, sizeof(code));
    soft_machine_enter(m);
    ck_assert_int_eq(soft_machine_run(m, 20000), VCPU_KICKED);
    ck_assert(!m->late);
    ck_assert_uint_eq(m->cpu->gpr[X86_RAX], 0x12345678);
}
END_TEST

/* The last bytes of RAM and the first of the device make one instruction. */
START_TEST(code_across_regions)
{
    set_mode(SOFT_MACHINE_LONG64, 0);
    m->state.rip = SOFT_MACHINE_RAM - 2;
    memcpy(m->device, "\x56\x34\x12\xe6\xf4", 5);
    soft_machine_put(m, SOFT_MACHINE_RAM - 2, "\xb8\x78", 2);
    soft_machine_enter(m);
    ck_assert_int_eq(soft_machine_run(m, 20000), VCPU_KICKED);
    ck_assert(!m->late);
    ck_assert_uint_eq(m->cpu->gpr[X86_RAX], 0x12345678);
}
END_TEST

/* A loop and a repeated instruction without an end stop when they are told, and can go on. */
START_TEST(endless)
{
    set_mode(SOFT_MACHINE_LONG64, 0);
    soft_machine_put(m, SOFT_MACHINE_CODE, "\xeb\xfe", 2);
    soft_machine_enter(m);
    ck_assert_int_eq(soft_machine_run(m, 20), VCPU_KICKED);
    ck_assert(m->late);
    ck_assert_uint_eq(m->cpu->rip, SOFT_MACHINE_CODE);
    /* rep outsb to a port that nobody has, from 64 KiB that wrap: 4G items */
    set_mode(SOFT_MACHINE_REAL, 0);
    m->state.gpr[X86_RCX] = UINT32_MAX;
    m->state.gpr[X86_RDX] = 0x99;
    m->state.segment[X86_DS].limit = UINT32_MAX;
    soft_machine_put(m, SOFT_MACHINE_CODE, "\xf3\x67\x6e", 3);
    soft_machine_enter(m);
    ck_assert_int_eq(soft_machine_run(m, 20), VCPU_KICKED);
    ck_assert(m->late);
    ck_assert_uint_eq(m->cpu->rip, 0);
    ck_assert_uint_eq((uint32_t)(m->cpu->gpr[X86_RCX] + m->cpu->gpr[X86_RSI]), UINT32_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("soft-system-modes");
    TCase *test = tcase_create("modes");

    tcase_add_checked_fixture(test, setup, teardown);
    tcase_add_test(test, v86_sensitive_instructions);
    tcase_add_test(test, v86_with_iopl_3);
    tcase_add_test(test, v86_interrupt_and_return);
    tcase_add_test(test, io_permissions);
    tcase_add_test(test, real_mode);
    tcase_add_test(test, protected_mode_entry);
    tcase_add_test(test, long_mode_entry);
    tcase_add_test(test, control_register_checks);
    tcase_add_test(test, privileged_instructions);
    tcase_add_test(test, syscall_instruction);
    tcase_add_test(test, sysret);
    tcase_add_test(test, sysenter_and_sysexit);
    tcase_add_test(test, swapgs);
    tcase_add_test(test, interrupt_shadows);
    tcase_add_test(test, x87_error);
    tcase_add_test(test, halt_and_wake);
    tcase_add_test(test, encodings);
    tcase_add_test(test, self_modifying_code);
    tcase_add_test(test, code_in_a_device);
    tcase_add_test(test, code_across_regions);
    tcase_add_test(test, endless);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
