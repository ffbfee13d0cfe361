/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The software CPU's x87, MMX and SSE against the host's processor. A case is one instruction of
 * the decoder's table with random operands; it starts from a random state or from what the case
 * before left, so that a difference is always one instruction's.
 *
 * DIFF_CASES: how many, DIFF_SEED: where to start, DIFF_ONLY: the only operation (exact name).
 *
 * Left out:
 *   xsave, xrstor, xgetbv, xsetbv   the host has other components enabled (tested by hand)
 * Not compared:
 *   FOP, and FIP and FDP unless an exception is pending: processors differ
 *   PE beside an unmasked overflow or underflow of SSE
 *   x87 after CVTPI2PS from memory and after a MASKMOVQ with #PF: some processors put it into its
 *   MMX state
 *   MXCSR_MASK that FXSAVE stores: the host may have more bits
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cpu/soft/flags.h"
#include "tests/diff/native.h"
#include "tests/diff/values.h"
#include "tests/fakes/soft_memory.h"

#define DEFAULT_CASES 60000
#define MAX_REPORTS 20
#define SKIPPED 77 /* to the test driver */
#define OPERAND_SIZE 512

enum { MAP_ONE, MAP_0F, MAP_0F38, MAP_0F3A };
enum { IS_ANY = 8, IS_NP, IS_P66, IS_PF3, IS_PF2, IS_MEM, IS_REG, IS_NONE };
#define IS_0 0
#define IS_1 1
#define IS_2 2
#define IS_3 3
#define IS_4 4
#define IS_5 5
#define IS_6 6
#define IS_7 7

struct row {
    uint8_t map, opcode, prefix, mod, reg, rm;
    const char *operands;
    const struct soft_operation *operation;
};

#define ROW(MAP, OPCODE, PREFIX, MOD, REG, RM, OPERANDS, FLAGS, OPERATION) \
    extern const struct soft_operation soft_operation_##OPERATION;
#include "engine/cpu/soft/decode_sse.def"
#include "engine/cpu/soft/decode_x87.def"
#undef ROW

static const struct row rows[] = {
#define ROW(MAP, OPCODE, PREFIX, MOD, REG, RM, OPERANDS, FLAGS, OPERATION) \
    {MAP_##MAP, OPCODE,  IS_##PREFIX, IS_##MOD,                            \
     IS_##REG,  IS_##RM, OPERANDS,    &soft_operation_##OPERATION},
#include "engine/cpu/soft/decode_sse.def"
#include "engine/cpu/soft/decode_x87.def"
#undef ROW
};

struct test {
    GRand *rand;
    struct native *native;
    struct soft_memory *memory;
    const char *only;
    unsigned long long cases, differences, faults;
    unsigned long seed;
};

struct test_case {
    const struct row *row;
    struct soft_insn insn;
    uint8_t code[SOFT_INSN_MAX_LENGTH + 1];
    unsigned length;
    unsigned base; /* register of the memory operand */
    struct native_state before, native, soft;
    enum native_fault native_fault, soft_fault;
    uint8_t data_before[NATIVE_DATA_SIZE], data_native[NATIVE_DATA_SIZE];
};

static bool is_excluded(const struct row *row)
{
    static const char *const names[] = {"xsave", "xrstor", "xgetbv", "xsetbv"};

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(row->operation->name, names[i]) == 0)
            return true;
    }
    return false;
}

static bool named(const struct test_case *c, const char *name)
{
    return strcmp(c->row->operation->name, name) == 0;
}

/* The operand with this letter; NULL: there is none. */
static const char *operand(const struct row *row, char letter)
{
    const char *at = row->operands;

    while (*at != '\0' && *at != letter) {
        at = strchr(at, ',');
        if (at == NULL)
            return NULL;
        at++;
    }
    return *at != '\0' ? at : NULL;
}

static bool operand_is(const struct row *row, const char *letters, char type)
{
    for (; *letters != '\0'; letters++) {
        const char *o = operand(row, *letters);

        if (o != NULL && o[1] == type)
            return true;
    }
    return false;
}

static void put_code(struct test_case *c, uint8_t byte)
{
    c->code[c->length++] = byte;
}

static unsigned operand_size(const struct row *row, uint8_t rex, bool opsize)
{
    const char *letters = "EGMRPQN";

    if (operand_is(row, letters, 'y'))
        return rex & 8 ? 8 : 4;
    if (operand_is(row, letters, 'v'))
        return rex & 8 ? 8 : opsize ? 2 : 4;
    return operand_is(row, letters, 'q') ? 8 : operand_is(row, letters, 'w') ? 2 : 4;
}

static void make_prefixes(struct test *t, struct test_case *c, uint8_t rex)
{
    static const uint8_t maps[] = {[MAP_0F38] = 0x38, [MAP_0F3A] = 0x3a};
    const struct row *row = c->row;
    bool opsize = row->prefix == IS_P66;

    if ((row->prefix == IS_ANY || row->prefix == IS_PF2) && operand_is(row, "EM", 'v'))
        opsize = value_chance(t->rand, 3);
    if (opsize)
        put_code(c, 0x66);
    if (row->prefix == IS_PF3 || row->prefix == IS_PF2)
        put_code(c, row->prefix == IS_PF3 ? 0xf3 : 0xf2);
    if (rex != 0)
        put_code(c, rex);
    if (row->map != MAP_ONE)
        put_code(c, 0x0f);
    if (row->map >= MAP_0F38)
        put_code(c, maps[row->map]);
    put_code(c, row->opcode);
    c->insn.flags = (rex & 8 ? SOFT_INSN_REX_W : 0) | (opsize ? SOFT_INSN_OPSIZE : 0) |
                    (row->prefix == IS_PF3 ? SOFT_INSN_REP : 0) |
                    (row->prefix == IS_PF2 ? SOFT_INSN_REPNE : 0);
    c->insn.size = operand_size(row, rex, opsize);
}

/* A base register for memory operands that nothing else in the instruction uses. */
static void make_memory(struct test *t, struct test_case *c)
{
    static const uint8_t bases[] = {X86_RBX, X86_RBP, X86_RSI, X86_RDI};
    int32_t disp = g_rand_int_range(t->rand, -1000, 1000);

    c->base = bases[g_rand_int_range(t->rand, 0, G_N_ELEMENTS(bases))];
    c->insn.flags |= SOFT_INSN_MEM;
    c->insn.base = c->base;
    c->insn.disp = disp;
    c->code[c->length - 1] |= 0x80 | c->base;
    for (unsigned i = 0; i < 4; i++)
        put_code(c, disp >> i * 8);
}

static uint8_t byte_register(uint8_t rex, uint8_t number)
{
    return rex == 0 && number >= 4 && number < 8 ? (number - 4) * 8 + 1 : number * 8;
}

static void make_modrm(struct test *t, struct test_case *c, uint8_t rex)
{
    const struct row *row = c->row;
    bool memory = row->mod == IS_MEM || (row->mod == IS_ANY && value_chance(t->rand, 2));
    uint8_t reg = row->reg < 8 ? row->reg : g_rand_int_range(t->rand, 0, 8);
    uint8_t rm = row->rm < 8 ? row->rm : g_rand_int_range(t->rand, 0, 8);

    put_code(c, reg << 3);
    c->insn.reg = operand(row, 'P') != NULL ? reg : reg | (rex & 4) << 1;
    if (memory) {
        make_memory(t, c);
        return;
    }
    c->code[c->length - 1] |= 0xc0 | rm;
    c->insn.rm = operand(row, 'Q') != NULL || operand(row, 'N') != NULL ? rm : rm | (rex & 1) << 3;
    if (operand_is(row, "E", 'b'))
        c->insn.rm = byte_register(rex, c->insn.rm);
}

static void make_instruction(struct test *t, struct test_case *c)
{
    uint8_t rex = value_chance(t->rand, 2) ? 0 : 0x40 | g_rand_int_range(t->rand, 0, 16);

    c->length = 0;
    c->base = 16;
    /* A memory operand's base is a low register. */
    if (rex != 0 && c->row->mod != IS_REG && c->row->mod != IS_NONE)
        rex &= ~1;
    c->insn = (struct soft_insn){.base = SOFT_REG_ZERO,
                                 .index = SOFT_REG_ZERO,
                                 .segment = X86_DS,
                                 .address_mask = UINT64_MAX,
                                 .address_size = 8};
    make_prefixes(t, c, rex);
    if (c->row->mod != IS_NONE)
        make_modrm(t, c, rex);
    if (operand(c->row, 'I') != NULL) {
        uint8_t imm = value_chance(t->rand, 3) ? g_rand_int_range(t->rand, 0, 0x100)
                                               : g_rand_int_range(t->rand, 0, 0x20);

        c->insn.imm = (int8_t)imm;
        put_code(c, imm);
    }
    c->insn.length = c->length;
    put_code(c, 0xcc);
}

/* An image for FXRSTOR, FRSTOR and FLDENV: few random ones would be valid. */
static void make_image(struct test *t, struct test_case *c, uint8_t *at)
{
    struct user_fpregs_struct fpu;

    value_fpu(t->rand, &fpu);
    if (named(c, "fxrstor")) {
        fpu.rip = fpu.rdp = 0;
        fpu.ftw &= 0xff;
        memcpy(at, &fpu, sizeof(fpu));
    } else if (named(c, "ldmxcsr")) {
        at[2] &= ~2; /* a bit that the host may have */
    } else if (named(c, "frstor") || named(c, "fldenv")) {
        unsigned step = c->insn.size == 2 ? 2 : 4;

        memset(at, 0, step * 7);
        memcpy(at, &fpu.cwd, 2);
        memcpy(at + step, &fpu.swd, 2);
        memcpy(at + step * 2, &fpu.xmm_space, 2);
        for (unsigned i = 0; i < 8; i++)
            memcpy(at + step * 7 + i * 10, &fpu.st_space[i * 4], 10);
    }
}

static void make_data(struct test *t, struct test_case *c)
{
    uint8_t *data = (uint8_t *)NATIVE_DATA;
    uint64_t at = NATIVE_DATA + g_rand_int_range(t->rand, 0, NATIVE_DATA_SIZE - OPERAND_SIZE);

    if (value_chance(t->rand, 50))
        at = NATIVE_DATA + NATIVE_DATA_SIZE - g_rand_int_range(t->rand, 1, 20);
    if (!value_chance(t->rand, 8))
        at &= ~(uint64_t)15;
    if (operand(c->row, 'V') != NULL || operand(c->row, 'P') != NULL)
        c->before.gpr[X86_RDI] = at; /* MASKMOV */
    if (c->base < 16) {
        unsigned left = NATIVE_DATA + NATIVE_DATA_SIZE - at;

        c->before.gpr[c->base] = at - c->insn.disp;
        value_vector(t->rand, data + (at - NATIVE_DATA), MIN(32, left & ~7u));
        if (c->insn.size == 4 && c->row->opcode == 0xdb && left > 10)
            value_extended(t->rand, data + (at - NATIVE_DATA));
        if (left >= OPERAND_SIZE || (left >= 4 && named(c, "ldmxcsr")))
            make_image(t, c, data + (at - NATIVE_DATA));
    }
    memcpy(c->data_before, data, NATIVE_DATA_SIZE);
}

static void make_state(struct test *t, struct test_case *c)
{
    bool chained = c->native_fault == NATIVE_NONE && t->cases > 0 && !value_chance(t->rand, 4);

    for (unsigned i = 0; i < 16; i++)
        c->before.gpr[i] = value_integer(t->rand);
    if (chained)
        c->before.fpu = c->native.fpu;
    else
        value_fpu(t->rand, &c->before.fpu);
    /* Most pending errors have had their say. */
    if (c->before.fpu.swd & X87_SUMMARY && !value_chance(t->rand, 8))
        c->before.fpu.swd &= ~(X87_EXCEPTIONS | X87_SUMMARY | X87_BUSY);
    if (chained && value_chance(t->rand, 2)) {
        struct user_fpregs_struct fresh;

        value_fpu(t->rand, &fresh);
        memcpy(&c->before.fpu.st_space, &fresh.st_space, sizeof(fresh.st_space));
        memcpy(&c->before.fpu.xmm_space, &fresh.xmm_space, sizeof(fresh.xmm_space));
    }
    c->before.rip = NATIVE_CODE;
    c->before.rflags = X86_FLAG_1 | X86_FLAG_IF | (value_random64(t->rand) & X86_FLAGS_ARITHMETIC);
}

static enum native_fault fault_of_vector(unsigned vector)
{
    switch (vector) {
    case X86_DE:
        return NATIVE_DIVIDE;
    case X86_UD:
        return NATIVE_UD;
    case X86_GP:
    case X86_SS_FAULT:
        return NATIVE_GP;
    case X86_PF:
        return NATIVE_PF;
    case X86_MF:
    case X86_XM:
        return NATIVE_FP;
    }
    return NATIVE_OTHER;
}

static void run_soft(struct test *t, struct test_case *c)
{
    struct soft_cpu *cpu = &t->memory->cpu;

    memcpy(cpu->gpr, c->before.gpr, sizeof(c->before.gpr));
    cpu->rip = c->before.rip;
    cpu->current = &c->insn;
    soft_set_arithmetic_flags(cpu, c->before.rflags);
    soft_fpu_set_image(&cpu->fpu, &c->before.fpu);
    c->soft_fault = NATIVE_NONE;
    if (setjmp(cpu->unwind) == 0)
        c->row->operation->run(cpu, &c->insn);
    else
        c->soft_fault = fault_of_vector(cpu->exception.vector);
    memcpy(c->soft.gpr, cpu->gpr, sizeof(c->soft.gpr));
    c->soft.rflags = cpu->rflags | soft_arithmetic_flags(cpu);
    soft_fpu_get_image(&cpu->fpu, &c->soft.fpu);
}

static void run_native(struct test *t, struct test_case *c)
{
    memcpy((void *)NATIVE_CODE, c->code, sizeof(c->code));
    c->native = c->before;
    c->native_fault = native_run(t->native, &c->native);
    memcpy(c->data_native, (void *)NATIVE_DATA, NATIVE_DATA_SIZE);
    memcpy((void *)NATIVE_DATA, c->data_before, NATIVE_DATA_SIZE);
}

/* What a store wrote that processors do not agree on. */
static void forget_pointers(const struct test_case *c)
{
    uint8_t *data = (uint8_t *)NATIVE_DATA;
    uint64_t at = c->base < 16 ? c->before.gpr[c->base] + c->insn.disp - NATIVE_DATA : 0;
    unsigned step = c->insn.size == 2 ? 2 : 4;

    if (c->native_fault != NATIVE_NONE)
        return;
    if (named(c, "fxsave")) {
        memcpy(data + at + 6, c->data_native + at + 6, 18);
        memcpy(data + at + 28, c->data_native + at + 28, 4);
    } else if (named(c, "fnsave") || named(c, "fnstenv")) {
        memcpy(data + at + step * 3, c->data_native + at + step * 3, step * 4);
    }
}

/* Beside an unmasked overflow or underflow the soft core's PE tells of the masked result. */
static bool same_mxcsr(const struct test_case *c)
{
    uint32_t native = c->native.fpu.mxcsr, soft = c->soft.fpu.mxcsr;
    uint32_t unmasked = native & ~native >> MXCSR_MASK_SHIFT;

    if (c->native_fault == NATIVE_FP && unmasked & (X87_OVERFLOW | X87_UNDERFLOW))
        return ((native ^ soft) & ~(uint32_t)X87_PRECISION) == 0;
    return native == soft;
}

static const char *x87_difference(const struct user_fpregs_struct *n,
                                  const struct user_fpregs_struct *s)
{
    if (n->cwd != s->cwd)
        return "x87 control";
    if (n->swd != s->swd)
        return "x87 status";
    if ((uint8_t)n->ftw != (uint8_t)s->ftw)
        return "x87 tags";
    for (unsigned i = 0; i < 8; i++) {
        if (memcmp(&n->st_space[i * 4], &s->st_space[i * 4], 10) != 0)
            return "x87 registers";
    }
    return NULL;
}

static const char *difference(const struct test_case *c)
{
    const struct user_fpregs_struct *n = &c->native.fpu, *s = &c->soft.fpu;
    const char *x87 = x87_difference(n, s);

    if (c->native_fault != c->soft_fault)
        return "fault";
    if (memcmp(c->native.gpr, c->soft.gpr, sizeof(c->native.gpr)) != 0)
        return "general registers";
    if ((c->native.rflags ^ c->soft.rflags) & X86_FLAGS_ARITHMETIC)
        return "flags";
    if (x87 != NULL && !(named(c, "cvtpi2ps") && c->base < 16) &&
        !(named(c, "mmx_maskmovq") && c->native_fault == NATIVE_PF))
        return x87;
    if (!same_mxcsr(c))
        return "MXCSR";
    if (memcmp(n->xmm_space, s->xmm_space, sizeof(n->xmm_space)) != 0)
        return "XMM registers";
    return memcmp(c->data_native, (void *)NATIVE_DATA, NATIVE_DATA_SIZE) != 0 ? "memory" : NULL;
}

static void print_state(const char *name, const struct native_state *s, enum native_fault fault)
{
    printf("  %s: fault %d flags %03lx cw %04x sw %04x tags %02x mxcsr %04x\n", name, fault,
           (unsigned long)(s->rflags & X86_FLAGS_ARITHMETIC), s->fpu.cwd, s->fpu.swd,
           s->fpu.ftw & 0xff, s->fpu.mxcsr);
    for (unsigned i = 0; i < 16; i++)
        printf("%s%016lx", i % 8 == 0 ? "\n    " : " ", (unsigned long)s->gpr[i]);
    for (unsigned i = 0; i < 8; i++)
        printf("%s%04x:%08x%08x", i % 4 == 0 ? "\n    st " : " ",
               s->fpu.st_space[i * 4 + 2] & 0xffff, s->fpu.st_space[i * 4 + 1],
               s->fpu.st_space[i * 4]);
    for (unsigned i = 0; i < 16; i++)
        printf("%s%08x%08x%08x%08x", i % 4 == 0 ? "\n    xmm " : " ", s->fpu.xmm_space[i * 4 + 3],
               s->fpu.xmm_space[i * 4 + 2], s->fpu.xmm_space[i * 4 + 1], s->fpu.xmm_space[i * 4]);
    printf("\n");
}

static void report(const struct test *t, const struct test_case *c, const char *what)
{
    printf("seed %lu, case %llu: %s (%s), memory %d: %s\n  code", t->seed, t->cases,
           c->row->operation->name, c->row->operands, c->base < 16, what);
    for (unsigned i = 0; i + 1 < c->length; i++)
        printf(" %02x", c->code[i]);
    printf("\n");
    print_state("before", &c->before, NATIVE_NONE);
    print_state("native", &c->native, c->native_fault);
    print_state("soft", &c->soft, c->soft_fault);
    for (unsigned i = 0; i < NATIVE_DATA_SIZE; i++) {
        uint8_t soft = ((const uint8_t *)NATIVE_DATA)[i];

        if (c->data_native[i] != soft)
            printf("  memory +%x: %02x, native %02x, soft %02x\n", i, c->data_before[i],
                   c->data_native[i], soft);
    }
}

static const struct row *choose_row(struct test *t)
{
    for (;;) {
        const struct row *row = &rows[g_rand_int_range(t->rand, 0, G_N_ELEMENTS(rows))];

        if (!is_excluded(row) && (t->only == NULL || strcmp(t->only, row->operation->name) == 0))
            return row;
    }
}

static void run_case(struct test *t, struct test_case *c)
{
    const char *what;

    c->row = choose_row(t);
    make_instruction(t, c);
    make_state(t, c);
    make_data(t, c);
    run_native(t, c);
    run_soft(t, c);
    forget_pointers(c);
    what = difference(c);
    if (what != NULL && ++t->differences <= MAX_REPORTS)
        report(t, c, what);
    t->faults += c->native_fault != NATIVE_NONE;
    t->cases++;
}

static unsigned long number_from(const char *variable, unsigned long otherwise)
{
    const char *text = g_getenv(variable);

    return text != NULL ? strtoul(text, NULL, 0) : otherwise;
}

int main(void)
{
    struct test t = {.seed = number_from("DIFF_SEED", g_random_int()),
                     .only = g_getenv("DIFF_ONLY")};
    unsigned long cases = number_from("DIFF_CASES", DEFAULT_CASES);
    struct test_case *c = g_new0(struct test_case, 1);

    t.native = native_new();
    if (t.native == NULL) {
        printf("processes cannot be traced here\n");
        return SKIPPED;
    }
    t.rand = g_rand_new_with_seed(t.seed);
    t.memory = soft_memory_new(NATIVE_DATA, NATIVE_DATA_SIZE);
    while (t.cases < cases && t.differences < MAX_REPORTS)
        run_case(&t, c);
    printf("seed %lu: %llu cases of %u rows, %llu with a fault, %llu differences\n", t.seed,
           t.cases, (unsigned)G_N_ELEMENTS(rows), t.faults, t.differences);
    soft_memory_free(t.memory);
    native_free(t.native);
    g_rand_free(t.rand);
    g_free(c);
    return t.differences == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
