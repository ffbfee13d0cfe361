/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Selectors, far pointers, frames of returns, areas of XSAVE: few random ones would be valid. */
#include "tests/diff/case.h"

#include <string.h>

#include "engine/cpu/soft/x86.h"
#include "tests/diff/descriptors.h"
#include "tests/diff/values.h"

#define XSAVE_HEADER 512
#define XSAVE_SIZE 576
#define XCOMP_COMPACTED (UINT64_C(1) << 63)
#define LEGACY UINT64_C(3) /* x87 and SSE */
/* Components that no processor has. */
#define NO_COMPONENTS (UINT64_C(0x7ffffff) << 36)

/* As much of it as there is memory. */
static void put(uint64_t at, const void *bytes, unsigned size)
{
    uint64_t end = NATIVE_DATA + NATIVE_DATA_SIZE;

    if (at >= NATIVE_DATA && at < end)
        memcpy((void *)at, bytes, MIN(size, end - at));
}

static void put_number(uint64_t *at, uint64_t number, unsigned size)
{
    put(*at, &number, size);
    *at += size;
}

/* The E operand. */
static void set_operand(struct test_case *c, uint64_t value)
{
    uint64_t at = (uint64_t)case_memory(c);

    if (c->base < 16)
        put_number(&at, value, c->size);
    else
        c->before.gpr[c->rm] = c->before.gpr[c->rm + 8] =
            value & (c->before.narrow ? UINT32_MAX : UINT64_MAX);
}

static void make_selector(GRand *rand, struct test_case *c)
{
    set_operand(c, descriptors_random(rand) | (value_random64(rand) & ~(uint64_t)0xffff));
}

static void make_popped_selector(GRand *rand, struct test_case *c)
{
    uint64_t at = c->before.gpr[X86_RSP];

    put_number(&at, descriptors_random(rand), 2);
}

static void make_pointer(GRand *rand, struct test_case *c)
{
    uint64_t at = (uint64_t)case_memory(c) + c->size;

    put_number(&at, descriptors_random(rand), 2);
}

static void make_far_target(GRand *rand, struct test_case *c)
{
    uint64_t at = (uint64_t)case_memory(c);

    put_number(&at, case_far_target(rand), c->size);
    put_number(&at, descriptors_random_code(rand), 2);
}

static void make_near_target(GRand *rand, struct test_case *c)
{
    set_operand(c, value_chance(rand, 8) ? NATIVE_DATA + NATIVE_DATA_SIZE
                                         : NATIVE_CODE + BRANCH_TARGET);
}

static void make_return(GRand *rand, struct test_case *c)
{
    uint64_t at = c->before.gpr[X86_RSP];

    put_number(&at, NATIVE_CODE + BRANCH_TARGET, c->size);
}

static void make_far_return(GRand *rand, struct test_case *c)
{
    uint64_t at = c->before.gpr[X86_RSP];

    put_number(&at, case_far_target(rand), c->size);
    put_number(&at, descriptors_random_code(rand), c->size);
}

/* The processor may set AC before it has read all. */
static void make_iret(GRand *rand, struct test_case *c)
{
    uint64_t at = c->before.gpr[X86_RSP] &= ~(uint64_t)7;
    uint16_t stack = value_chance(rand, 3) ? descriptors_random(rand) : USER_DATA;

    if (value_chance(rand, 8))
        c->before.rflags |= X86_FLAG_NT;
    put_number(&at, case_far_target(rand), c->size);
    put_number(&at, descriptors_random_code(rand), c->size);
    put_number(&at, value_random64(rand), c->size);
    put_number(&at, value_integer(rand), c->size);
    put_number(&at, stack, c->size);
}

static void make_bounds(GRand *rand, struct test_case *c)
{
    uint64_t at = (uint64_t)case_memory(c);
    unsigned bits = c->size * 8;

    if (value_chance(rand, 3))
        return;
    put_number(&at, UINT64_C(1) << (bits - 1), c->size);
    put_number(&at, (UINT64_C(1) << (bits - 1)) - 1, c->size);
}

/* EDX:EAX asks for what this processor has too, or nobody. */
static void make_xsave(GRand *rand, struct test_case *c)
{
    uint64_t mask = (value_random64(rand) & NO_COMPONENTS) | (value_random64(rand) & LEGACY);

    c->before.gpr[X86_RAX] = (uint32_t)mask;
    c->before.gpr[X86_RDX] = mask >> 32;
    if (!value_chance(rand, 8))
        c->before.gpr[c->base] -= (uint64_t)case_memory(c) & 63;
}

static void make_xrstor(GRand *rand, struct test_case *c)
{
    uint64_t header[8] = {value_random64(rand) & LEGACY}, at;
    struct user_fpregs_struct fpu;

    make_xsave(rand, c);
    at = (uint64_t)case_memory(c);
    value_fpu(rand, &fpu);
    fpu.ftw &= 0xff;
    if (value_chance(rand, 8))
        fpu.mxcsr |= 1u << 31;
    if (value_chance(rand, 2))
        header[1] = (value_random64(rand) & LEGACY) | header[0] | XCOMP_COMPACTED;
    if (value_chance(rand, 8))
        header[g_rand_int_range(rand, 0, 8)] |= UINT64_C(1) << g_rand_int_range(rand, 36, 63);
    put(at, &fpu, XSAVE_HEADER);
    put(at + XSAVE_HEADER, header, sizeof(header));
}

/* 1 asks for what is in use, of which there is more in the host. */
static void make_xgetbv(GRand *rand, struct test_case *c)
{
    c->before.gpr[X86_RCX] = value_chance(rand, 4) ? 2 + g_rand_int(rand) / 2 : 0;
}

void case_make_system(GRand *rand, struct test_case *c)
{
    static const struct {
        const char *operation;
        void (*make)(GRand *rand, struct test_case *c);
    } table[] = {
        {"mov_to_segment", make_selector},
        {"lar", make_selector},
        {"lsl", make_selector},
        {"verr", make_selector},
        {"verw", make_selector},
        {"arpl", make_selector},
        {"pop_es", make_popped_selector},
        {"pop_ss", make_popped_selector},
        {"pop_ds", make_popped_selector},
        {"pop_fs", make_popped_selector},
        {"pop_gs", make_popped_selector},
        {"les", make_pointer},
        {"lds", make_pointer},
        {"lss", make_pointer},
        {"lfs", make_pointer},
        {"lgs", make_pointer},
        {"call_far_indirect", make_far_target},
        {"jmp_far_indirect", make_far_target},
        {"call_indirect", make_near_target},
        {"jmp_indirect", make_near_target},
        {"ret", make_return},
        {"ret_far", make_far_return},
        {"iret", make_iret},
        {"bound", make_bounds},
        {"xsave", make_xsave},
        {"xsavec", make_xsave},
        {"xrstor", make_xrstor},
        {"xgetbv", make_xgetbv},
    };

    c->before.fs_base = value_random64(rand) >> 18;
    c->before.gs_base = value_random64(rand) >> 18;
    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
        if (case_named(c, table[i].operation))
            table[i].make(rand, c);
    }
}
