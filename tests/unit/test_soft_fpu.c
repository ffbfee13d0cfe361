/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the comparison with the host's processor cannot reach: FPU images of other modes, XSAVE,
 * errors by FERR#, and what CPUID says. SDM volume 1, 8.1.10 and chapter 13.
 */
#include <check.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/fakes/soft_memory.h"
#include "tests/suite.h"

#define WINDOW_SIZE 8192

extern const struct soft_operation soft_operation_fnstenv, soft_operation_fldenv,
    soft_operation_fnsave, soft_operation_fxsave, soft_operation_fxrstor, soft_operation_xsave,
    soft_operation_xrstor, soft_operation_xsetbv, soft_operation_xgetbv, soft_operation_fwait,
    soft_operation_fld1, soft_operation_fdiv, soft_operation_fninit, soft_operation_fldz;

static struct soft_memory *memory;
static struct soft_cpu *cpu;
static uint8_t *window;
static unsigned ferr_calls;

static void on_ferr(void *opaque)
{
    ferr_calls++;
}

static void setup(void)
{
    window = mmap(NULL, WINDOW_SIZE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    ck_assert_ptr_ne(window, MAP_FAILED);
    memory = soft_memory_new((uintptr_t)window, WINDOW_SIZE);
    cpu = &memory->cpu;
    soft_operation_fninit.run(cpu, &(struct soft_insn){0});
    ferr_calls = 0;
}

static void teardown(void)
{
    soft_memory_free(memory);
    munmap(window, WINDOW_SIZE);
}

/* An instruction with its operand at an offset in the window. */
static struct soft_insn at(unsigned offset, unsigned size, unsigned flags)
{
    return (struct soft_insn){.base = SOFT_REG_ZERO,
                              .index = SOFT_REG_ZERO,
                              .segment = X86_DS,
                              .address_mask = UINT64_MAX,
                              .disp = (int64_t)(uintptr_t)window + offset,
                              .size = size,
                              .flags = SOFT_INSN_MEM | flags};
}

/* The vector that it raises; -1: none. */
static int run(const struct soft_operation *operation, struct soft_insn insn)
{
    cpu->current = &insn;
    if (setjmp(cpu->unwind) != 0)
        return cpu->exception.vector;
    operation->run(cpu, &insn);
    return -1;
}

/* x87 register forms: opcode and ModRM say the rest. */
static struct soft_insn stack(unsigned reg, unsigned rm)
{
    return (struct soft_insn){.reg = reg, .rm = rm};
}

static uint16_t word(unsigned offset)
{
    uint16_t value;

    memcpy(&value, window + offset, 2);
    return value;
}

static uint32_t dword(unsigned offset)
{
    return word(offset) | (uint32_t)word(offset + 2) << 16;
}

static void put_word(unsigned offset, uint16_t value)
{
    memcpy(window + offset, &value, 2);
}

static void set_pointers(void)
{
    cpu->fpu.ip = 0x12345;
    cpu->fpu.cs = 0x2000;
    cpu->fpu.opcode = 0x5aa;
    cpu->fpu.dp = 0x678;
    cpu->fpu.ds = 0x3000;
}

START_TEST(test_environment_protected)
{
    ck_assert_int_eq(run(&soft_operation_fld1, stack(5, 0)), -1);
    set_pointers();
    ck_assert_int_eq(run(&soft_operation_fnstenv, at(0, 4, 0)), -1);
    ck_assert_uint_eq(dword(0), 0xffff037f);
    ck_assert_uint_eq(dword(4), 0xffff3800);
    ck_assert_uint_eq(dword(8), 0xffff3fff);
    ck_assert_uint_eq(dword(12), 0x12345);
    ck_assert_uint_eq(dword(16), 0x05aa2000);
    ck_assert_uint_eq(dword(20), 0x678);
    ck_assert_uint_eq(dword(24), 0xffff3000);
    ck_assert_int_eq(run(&soft_operation_fnstenv, at(64, 2, 0)), -1);
    ck_assert_uint_eq(word(64 + 4), 0x3fff);
    ck_assert_uint_eq(word(64 + 6), 0x2345);
    ck_assert_uint_eq(word(64 + 8), 0x2000);
    ck_assert_uint_eq(word(64 + 10), 0x678);
    ck_assert_uint_eq(word(64 + 12), 0x3000);
}
END_TEST

/* Linear addresses, with their upper bits beside the opcode. */
START_TEST(test_environment_real)
{
    cpu->mode = 0;
    set_pointers();
    ck_assert_int_eq(run(&soft_operation_fnstenv, at(0, 2, 0)), -1);
    ck_assert_uint_eq(word(6), 0x2345);
    ck_assert_uint_eq(word(8), 0x3 << 12 | 0x5aa);
    ck_assert_uint_eq(word(10), 0x0678);
    ck_assert_uint_eq(word(12), 0x3 << 12);
    cpu->fpu.ip = cpu->fpu.opcode = 0;
    ck_assert_int_eq(run(&soft_operation_fldenv, at(0, 2, 0)), -1);
    ck_assert_uint_eq(cpu->fpu.ip, 0x32345);
    ck_assert_uint_eq(cpu->fpu.opcode, 0x5aa);
    ck_assert_uint_eq(cpu->fpu.dp, 0x30678);
    ck_assert_uint_eq(cpu->fpu.cs, 0);
}
END_TEST

START_TEST(test_fnsave_that_faults_changes_nothing)
{
    ck_assert_int_eq(run(&soft_operation_fld1, stack(5, 0)), -1);
    ck_assert_int_eq(run(&soft_operation_fnsave, at(WINDOW_SIZE - 100, 4, 0)), X86_PF);
    ck_assert_uint_eq(cpu->fpu.tags, 0x80);
    ck_assert_int_eq(run(&soft_operation_fnsave, at(WINDOW_SIZE - 108, 4, 0)), -1);
    ck_assert_uint_eq(cpu->fpu.tags, 0);
}
END_TEST

/* Outside 64-bit mode there are eight XMM registers, and the others stay. */
START_TEST(test_fxsave_32)
{
    cpu->mode = SOFT_MODE_PROTECTED | SOFT_MODE_CODE32;
    for (unsigned i = 0; i < 16; i++)
        cpu->fpu.xmm[i].u64[0] = i + 1;
    set_pointers();
    memset(window, 0xee, 512);
    ck_assert_int_eq(run(&soft_operation_fxsave, at(0, 4, 0)), -1);
    ck_assert_uint_eq(dword(8), 0x12345);
    ck_assert_uint_eq(word(12), 0x2000);
    ck_assert_uint_eq(dword(16), 0x678);
    ck_assert_uint_eq(word(20), 0x3000);
    ck_assert_uint_eq(dword(24), MXCSR_INITIAL);
    ck_assert_uint_eq(dword(28), MXCSR_VALID);
    ck_assert_uint_eq(word(160 + 7 * 16), 8);
    ck_assert_uint_eq(word(160 + 8 * 16), 0xeeee);
    ck_assert_int_eq(run(&soft_operation_fxsave, at(8, 4, 0)), X86_GP);
    put_word(26, 1);
    ck_assert_int_eq(run(&soft_operation_fxrstor, at(0, 4, 0)), X86_GP);
    put_word(26, 0);
    put_word(160, 77);
    ck_assert_int_eq(run(&soft_operation_fxrstor, at(0, 4, 0)), -1);
    ck_assert_uint_eq(cpu->fpu.xmm[0].u64[0] & 0xffff, 77);
    ck_assert_uint_eq(cpu->fpu.xmm[8].u64[0], 9);
    ck_assert_uint_eq(cpu->fpu.cs, 0x2000);
    ck_assert_uint_eq(cpu->fpu.ip, 0x12345);
}
END_TEST

static void request_components(uint64_t mask)
{
    cpu->gpr[X86_RAX] = mask;
    cpu->gpr[X86_RDX] = mask >> 32;
}

START_TEST(test_xsave)
{
    cpu->fpu.xmm[3].u64[0] = 33;
    ck_assert_int_eq(run(&soft_operation_fld1, stack(5, 0)), -1);
    memset(window, 0xee, 512);
    request_components(XCR0_SSE);
    ck_assert_int_eq(run(&soft_operation_xsave, at(0, 4, 0)), -1);
    ck_assert_uint_eq(window[512], XCR0_SSE);
    ck_assert_uint_eq(word(0), 0xeeee); /* x87 was not asked for */
    ck_assert_uint_eq(dword(24), MXCSR_INITIAL);
    ck_assert_uint_eq(window[160 + 3 * 16], 33);
    request_components(UINT64_MAX);
    ck_assert_int_eq(run(&soft_operation_xsave, at(0, 4, SOFT_INSN_REX_W)), -1);
    ck_assert_uint_eq(window[512], XCR0_VALID);
    ck_assert_uint_eq(word(0), 0x37f);

    /* What the header lacks goes to its initial state. */
    window[512] = XCR0_SSE;
    cpu->fpu.xmm[3].u64[0] = 0;
    ck_assert_int_eq(run(&soft_operation_xrstor, at(0, 4, SOFT_INSN_REX_W)), -1);
    ck_assert_uint_eq(cpu->fpu.xmm[3].u64[0], 33);
    ck_assert_uint_eq(cpu->fpu.tags, 0);
    window[512] = XCR0_X87;
    ck_assert_int_eq(run(&soft_operation_xrstor, at(0, 4, SOFT_INSN_REX_W)), -1);
    ck_assert_uint_eq(cpu->fpu.xmm[3].u64[0], 0);
    ck_assert_uint_eq(cpu->fpu.tags, 0x80);
}
END_TEST

START_TEST(test_xsave_refuses)
{
    static const struct {
        unsigned offset;
        uint8_t value;
    } bad[] = {{512, 4}, {519, 0x80}, {520, 1}, {528, 1}, {26, 1}};

    request_components(XCR0_VALID);
    ck_assert_int_eq(run(&soft_operation_xsave, at(16, 4, 0)), X86_GP);
    ck_assert_int_eq(run(&soft_operation_xsave, at(WINDOW_SIZE - 512, 4, 0)), X86_PF);
    ck_assert_int_eq(run(&soft_operation_xsave, at(0, 4, 0)), -1);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        uint8_t before = window[bad[i].offset];

        window[bad[i].offset] = bad[i].value;
        ck_assert_int_eq(run(&soft_operation_xrstor, at(0, 4, 0)), X86_GP);
        window[bad[i].offset] = before;
    }
    ck_assert_int_eq(run(&soft_operation_xrstor, at(0, 4, 0)), -1);
    cpu->cr0 |= CR0_TS;
    ck_assert_int_eq(run(&soft_operation_xrstor, at(0, 4, 0)), X86_NM);
    cpu->cr4 &= ~CR4_OSXSAVE;
    ck_assert_int_eq(run(&soft_operation_xsave, at(0, 4, 0)), X86_UD);
    ck_assert_int_eq(run(&soft_operation_xgetbv, stack(0, 0)), X86_UD);
}
END_TEST

START_TEST(test_xsetbv)
{
    static const uint64_t bad[] = {0, XCR0_SSE, XCR0_VALID | 4, UINT64_C(1) << 63 | 1};

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        request_components(bad[i]);
        ck_assert_int_eq(run(&soft_operation_xsetbv, stack(0, 0)), X86_GP);
    }
    request_components(XCR0_X87);
    ck_assert_int_eq(run(&soft_operation_xsetbv, stack(0, 0)), -1);
    ck_assert_uint_eq(cpu->xcr0, XCR0_X87);
    cpu->gpr[X86_RCX] = 1;
    ck_assert_int_eq(run(&soft_operation_xgetbv, stack(0, 0)), X86_GP);
}
END_TEST

/* 1 / 0 with the exception unmasked: told by the next instruction. */
static void divide_by_zero(void)
{
    cpu->fpu.control &= ~X87_ZERO_DIVIDE;
    ck_assert_int_eq(run(&soft_operation_fldz, stack(5, 6)), -1);
    ck_assert_int_eq(run(&soft_operation_fld1, stack(5, 0)), -1);
    ck_assert_int_eq(run(&soft_operation_fdiv, stack(6, 1)), -1);
    ck_assert_uint_eq(cpu->fpu.status & (X87_SUMMARY | X87_ZERO_DIVIDE),
                      X87_SUMMARY | X87_ZERO_DIVIDE);
}

START_TEST(test_error_by_exception)
{
    divide_by_zero();
    ck_assert_int_eq(run(&soft_operation_fld1, stack(5, 0)), X86_MF);
    ck_assert_int_eq(run(&soft_operation_fwait, stack(0, 0)), X86_MF);
    cpu->cr0 |= CR0_TS;
    ck_assert_int_eq(run(&soft_operation_fwait, stack(0, 0)), X86_NM);
}
END_TEST

START_TEST(test_error_by_ferr)
{
    cpu->cr0 &= ~CR0_NE;
    cpu->fpu.ferr = on_ferr;
    divide_by_zero();
    ck_assert_uint_eq(ferr_calls, 0);
    ck_assert_int_eq(run(&soft_operation_fwait, stack(0, 0)), -1);
    ck_assert_uint_eq(ferr_calls, 1);
    /* It goes on, and what is pending stays so. */
    ck_assert_int_eq(run(&soft_operation_fld1, stack(5, 0)), -1);
    ck_assert_uint_eq(ferr_calls, 2);
    ck_assert_uint_eq(cpu->fpu.status & (X87_SUMMARY | X87_ZERO_DIVIDE),
                      X87_SUMMARY | X87_ZERO_DIVIDE);
    ck_assert_uint_eq(cpu->fpu.tags, 0xe0);
}
END_TEST

/* An image from elsewhere holds nothing that the host would trap on. */
START_TEST(test_hostile_image)
{
    static const uint8_t fill[] = {0xff, 0x80, 0x5a, 0xa5};
    uint8_t image[512];

    for (unsigned i = 0; i < G_N_ELEMENTS(fill); i++) {
        memset(image, fill[i], sizeof(image));
        soft_fpu_set_image(&cpu->fpu, image);
        ck_assert_uint_eq(cpu->fpu.mxcsr & ~MXCSR_VALID, 0);
        ck_assert_uint_eq(cpu->fpu.control & ~0x1f3f, 0x40);
        ck_assert_uint_eq(cpu->fpu.status & X87_SUMMARY, 0); /* its flags are all masked */
        ck_assert_int_eq(run(&soft_operation_fdiv, stack(6, 1)), -1);
    }
}
END_TEST

START_TEST(test_cpuid)
{
    uint32_t leaf[4];

    soft_fpu_cpuid_xsave(0, leaf);
    ck_assert_uint_eq(leaf[0], XCR0_VALID);
    ck_assert_uint_eq(leaf[2], 576);
    soft_fpu_cpuid_xsave(1, leaf);
    ck_assert_uint_eq(leaf[0], 3);
    ck_assert_uint_eq(leaf[1], 576);
    soft_fpu_cpuid_xsave(2, leaf);
    ck_assert_uint_eq(leaf[0] | leaf[1] | leaf[2] | leaf[3], 0);
    ck_assert_uint_eq(soft_fpu_cpuid_edx(), 1u << 0 | 7u << 23 | 1u << 26);
    ck_assert_uint_ne(soft_fpu_cpuid_ecx() & 1u << 26, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("soft_fpu");
    TCase *tc = tcase_create("fpu");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_environment_protected);
    tcase_add_test(tc, test_environment_real);
    tcase_add_test(tc, test_fnsave_that_faults_changes_nothing);
    tcase_add_test(tc, test_fxsave_32);
    tcase_add_test(tc, test_xsave);
    tcase_add_test(tc, test_xsave_refuses);
    tcase_add_test(tc, test_xsetbv);
    tcase_add_test(tc, test_error_by_exception);
    tcase_add_test(tc, test_error_by_ferr);
    tcase_add_test(tc, test_hostile_image);
    tcase_add_test(tc, test_cpuid);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
