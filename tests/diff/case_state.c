/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers and memory that a case starts from. */
#include "tests/diff/case.h"

#include <string.h>

#include "engine/cpu/soft/flags.h"
#include "tests/diff/values.h"

/* An image for FXRSTOR, FRSTOR and FLDENV: few random ones would be valid. */
static void make_image(GRand *rand, struct test_case *c, uint8_t *at)
{
    struct user_fpregs_struct fpu;

    value_fpu(rand, &fpu);
    if (case_named(c, "fxrstor")) {
        fpu.rip = fpu.rdp = 0;
        fpu.ftw &= 0xff;
        memcpy(at, &fpu, sizeof(fpu));
    } else if (case_named(c, "ldmxcsr")) {
        at[2] &= ~2; /* a bit that the host may have */
    } else if (case_named(c, "frstor") || case_named(c, "fldenv")) {
        unsigned step = c->size == 2 ? 2 : 4;

        memset(at, 0, step * 7);
        memcpy(at, &fpu.cwd, 2);
        memcpy(at + step, &fpu.swd, 2);
        memcpy(at + step * 2, &fpu.xmm_space, 2);
        for (unsigned i = 0; i < 8; i++)
            memcpy(at + step * 7 + i * 10, &fpu.st_space[i * 4], 10);
    }
}

/* What instructions use without saying so. */
static void make_pointers(GRand *rand, struct test_case *c, uint64_t at)
{
    uint64_t *gpr = c->before.gpr;
    uint64_t other = NATIVE_DATA + g_rand_int_range(rand, 64, NATIVE_DATA_SIZE);

    if (case_operand(c->row, 'V') != NULL || case_operand(c->row, 'P') != NULL)
        gpr[X86_RDI] = at; /* MASKMOV */
    gpr[X86_RSP] = other;
    if (case_named(c, "enter") || case_named(c, "leave"))
        gpr[X86_RBP] = at;
    if (case_named(c, "xlat"))
        gpr[X86_RBX] = at;
    if (c->repeated) {
        gpr[X86_RSI] = at;
        gpr[X86_RDI] = value_chance(rand, 4) ? at + g_rand_int_range(rand, -9, 9) : other;
        gpr[X86_RCX] = value_chance(rand, 20)
                           ? (c->before.narrow ? UINT32_MAX : value_integer(rand))
                           : (uint64_t)g_rand_int_range(rand, 0, 100);
    }
}

static void make_data(GRand *rand, struct test_case *c)
{
    uint8_t *data = (uint8_t *)NATIVE_DATA;
    uint64_t at = NATIVE_DATA + g_rand_int_range(rand, 0, NATIVE_DATA_SIZE - OPERAND_SIZE);

    if (value_chance(rand, 50))
        at = NATIVE_DATA + NATIVE_DATA_SIZE - g_rand_int_range(rand, 0, 20);
    if (!value_chance(rand, 8))
        at &= ~(uint64_t)15;
    make_pointers(rand, c, at);
    if (c->base < 16) {
        unsigned left = NATIVE_DATA + NATIVE_DATA_SIZE - at;

        c->before.gpr[c->base] = at - c->disp;
        value_vector(rand, data + (at - NATIVE_DATA), MIN(32, left & ~7u));
        if (c->size == 4 && c->row->opcode == 0xdb && left > 10)
            value_extended(rand, data + (at - NATIVE_DATA));
        if (left >= 512 || (left >= 4 && case_named(c, "ldmxcsr")))
            make_image(rand, c, data + (at - NATIVE_DATA));
    }
}

static void make_registers(GRand *rand, struct test_case *c)
{
    bool chained = c->native_fault == NATIVE_NONE && c->number > 0 && !value_chance(rand, 4);

    for (unsigned i = 0; i < 16; i++)
        c->before.gpr[i] = value_integer(rand) & (c->before.narrow ? UINT32_MAX : UINT64_MAX);
    if (chained)
        c->before.fpu = c->native.fpu;
    else
        value_fpu(rand, &c->before.fpu);
    /* Most pending errors have had their say. */
    if (c->before.fpu.swd & X87_SUMMARY && !value_chance(rand, 8))
        c->before.fpu.swd &= ~(X87_EXCEPTIONS | X87_SUMMARY | X87_BUSY);
    if (chained && value_chance(rand, 2)) {
        struct user_fpregs_struct fresh;

        value_fpu(rand, &fresh);
        memcpy(&c->before.fpu.st_space, &fresh.st_space, sizeof(fresh.st_space));
        memcpy(&c->before.fpu.xmm_space, &fresh.xmm_space, sizeof(fresh.xmm_space));
    }
    native_set_segments(&c->before);
    c->before.rip = NATIVE_CODE;
    /* ID is what ptrace() leaves alone. */
    c->before.rflags = X86_FLAG_1 | X86_FLAG_IF | (value_random64(rand) & X86_FLAGS_ARITHMETIC) |
                       (c->native.rflags & X86_FLAG_ID);
}

void case_make_state(GRand *rand, struct test_case *c)
{
    make_registers(rand, c);
    make_data(rand, c);
    case_make_system(rand, c);
    memcpy(c->data_before, (const void *)NATIVE_DATA, NATIVE_DATA_SIZE);
}
