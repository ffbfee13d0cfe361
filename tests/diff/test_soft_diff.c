/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The software CPU against the host's processor, in 64-bit and 32-bit user mode. A case is one
 * instruction of the decoder's table with random operands, and an UD2 behind it; it starts from a
 * random state or from what the case before left, so that a difference is always one instruction's.
 *
 * DIFF_CASES: how many, DIFF_SEED: where to start, DIFF_ONLY: the only operation (exact name),
 * DIFF_COVERAGE: list the rows of the table with the number of their cases.
 *
 * Left out:
 *   decode_system.def               needs privileges, or the host's kernel has a say
 *   xsave, xsavec, xrstor, xgetbv, xsetbv   the host has other components enabled
 *   branches to other segments and by memory or register, bound, into, nop (whose rows stand for
 *   instructions without effect)
 * Not compared:
 *   flags that SDM calls undefined, and those of a repeated CMPS or SCAS that faults: some
 *   processors show the last comparison, though SDM says they do not
 *   FOP, FIP and FDP: processors differ
 *   PE beside an unmasked overflow or underflow of SSE
 *   x87 after CVTPI2PS from memory, and after a store of MMX with #PF: some processors put it into
 *   its MMX state
 *   what some processors do in part before a #PF: load registers in POPA, store in FSTP m80 and
 *   FBSTP
 *   MXCSR_MASK that FXSAVE stores: the host may have more bits
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cpu/soft/decode_table.h"
#include "engine/cpu/soft/flags.h"
#include "tests/diff/native.h"
#include "tests/diff/soft_runner.h"
#include "tests/diff/values.h"

#define DEFAULT_CASES 60000
#define DEFAULT_SEED 1
#define MAX_REPORTS 20
#define SKIPPED 77 /* to the test driver */
#define OPERAND_SIZE 512

/* Where branches go; the UD2 behind the instruction is nearer. */
#define BRANCH_TARGET 64

/* The rows of the table's parts, which stand in this order. */
#define ROW(MAP, OPCODE, PREFIX, MOD, REG, RM, OPERANDS, FLAGS, OPERATION) +1
enum {
    INTEGER_ROWS = 0
#include "engine/cpu/soft/decode_integer.def"
    ,
    SYSTEM_ROWS = 0
#include "engine/cpu/soft/decode_system.def"
};
#undef ROW

struct test {
    GRand *rand;
    struct native *native;
    struct soft_runner *soft;
    const char *only;
    unsigned long long cases, differences, faults;
    unsigned *cases_of_row;
    unsigned long seed;
};

struct test_case {
    const struct soft_row *row;
    uint8_t code[BRANCH_TARGET + 2];
    unsigned length; /* of the instruction */
    unsigned size;   /* of its operands */
    int32_t disp;
    bool lock, repeated;
    unsigned base; /* register of the memory operand */
    struct native_state before, native, soft;
    enum native_fault native_fault, soft_fault;
    uint8_t data_before[NATIVE_DATA_SIZE], data_native[NATIVE_DATA_SIZE];
};

static bool is_excluded(const struct soft_row *row)
{
    static const char *const names[] = {"xsave",  "xsavec",        "xrstor",       "xgetbv",
                                        "xsetbv", "call_indirect", "jmp_indirect", "ret",
                                        "nop",    "call_far",      "jmp_far",      "bound",
                                        "into"};
    unsigned number = row - soft_rows;

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(row->operation->name, names[i]) == 0)
            return true;
    }
    return number >= INTEGER_ROWS && number < INTEGER_ROWS + SYSTEM_ROWS;
}

static bool named(const struct test_case *c, const char *name)
{
    return strcmp(c->row->operation->name, name) == 0;
}

/* The operand with this letter; NULL: there is none. */
static const char *operand(const struct soft_row *row, char letter)
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

static bool operand_is(const struct soft_row *row, const char *letters, char type)
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

static void put_number(struct test_case *c, uint64_t number, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        put_code(c, number >> i * 8);
}

static bool is_string(const struct soft_row *row)
{
    return operand(row, 'X') != NULL || operand(row, 'Y') != NULL;
}

static bool takes_opsize(const struct soft_row *row)
{
    return (row->prefix == ROW_ANY || row->prefix == ROW_PF2 || row->prefix == ROW_PF3) &&
           (operand_is(row, "EGMXYOIZa", 'v') || operand_is(row, "I", 'z')) &&
           !(row->flags & ROW_F64);
}

static unsigned operand_size(const struct soft_row *row, uint8_t rex, bool opsize, bool narrow)
{
    const char *letters = "EGMRPQNXYOZa";

    if (operand_is(row, letters, 'y'))
        return rex & 8 ? 8 : 4;
    if (operand_is(row, letters, 'b'))
        return 1;
    if (operand_is(row, letters, 'v') || operand_is(row, "I", 'z'))
        return rex & 8 ? 8 : opsize ? 2 : row->flags & ROW_D64 && !narrow ? 8 : 4;
    return operand_is(row, letters, 'q') ? 8 : operand_is(row, letters, 'w') ? 2 : 4;
}

static void make_prefixes(struct test *t, struct test_case *c, uint8_t rex)
{
    static const uint8_t maps[] = {[MAP_0F38] = 0x38, [MAP_0F3A] = 0x3a};
    const struct soft_row *row = c->row;
    bool opsize = row->prefix == ROW_P66 || (takes_opsize(row) && value_chance(t->rand, 3));

    if (opsize)
        put_code(c, 0x66);
    if (c->lock)
        put_code(c, 0xf0);
    if (row->prefix == ROW_PF3 || row->prefix == ROW_PF2)
        put_code(c, row->prefix == ROW_PF3 ? 0xf3 : 0xf2);
    else if (is_string(row) && value_chance(t->rand, 2))
        put_code(c, value_chance(t->rand, 2) ? 0xf3 : 0xf2);
    if (rex != 0)
        put_code(c, rex);
    if (row->map != MAP_ONE)
        put_code(c, 0x0f);
    if (row->map >= MAP_0F38)
        put_code(c, maps[row->map]);
    put_code(c, row->opcode);
    c->size = operand_size(row, rex, opsize, c->before.narrow);
    c->repeated = is_string(row);
}

/* A base register that nothing else needs. */
static void make_memory(struct test *t, struct test_case *c)
{
    static const uint8_t bases[] = {X86_RBX, X86_RBP, X86_RSI, X86_RDI};

    c->base = bases[g_rand_int_range(t->rand, 0, G_N_ELEMENTS(bases))];
    c->disp = g_rand_int_range(t->rand, -1000, 1000);
    c->code[c->length - 1] |= 0x80 | c->base;
    put_number(c, c->disp, 4);
}

static void make_modrm(struct test *t, struct test_case *c, bool memory)
{
    const struct soft_row *row = c->row;
    uint8_t reg = row->reg < 8 ? row->reg : g_rand_int_range(t->rand, 0, 8);
    uint8_t rm = row->rm < 8 ? row->rm : g_rand_int_range(t->rand, 0, 8);

    put_code(c, reg << 3);
    if (memory)
        make_memory(t, c);
    else
        c->code[c->length - 1] |= 0xc0 | rm;
}

static void make_immediate(struct test *t, struct test_case *c)
{
    const char *i = operand(c->row, 'I'), *j = operand(c->row, 'J');

    if (i != NULL && i[1] == 'b')
        put_code(c, value_chance(t->rand, 3) ? g_rand_int_range(t->rand, 0, 0x100)
                                             : g_rand_int_range(t->rand, 0, 0x20));
    else if (i != NULL && i[1] == 'e')
        put_number(c, g_rand_int_range(t->rand, 0, 64) | g_rand_int_range(t->rand, 0, 4) << 16, 3);
    else if (i != NULL)
        put_number(c, value_integer(t->rand),
                   i[1] == 'w'   ? 2
                   : i[1] == 'z' ? MIN(c->size, 4)
                                 : c->size);
    if (operand(c->row, 'O') != NULL)
        put_number(c, NATIVE_DATA + g_rand_int_range(t->rand, 0, NATIVE_DATA_SIZE),
                   c->before.narrow ? 4 : 8);
    if (j != NULL) {
        unsigned size = j[1] == 'b' ? 1 : 4;

        put_number(c, BRANCH_TARGET - (int)(c->length + size), size);
    }
}

static void make_instruction(struct test *t, struct test_case *c)
{
    const struct soft_row *row = c->row;
    bool memory = row->mod == ROW_MEM || (row->mod == ROW_ANY && value_chance(t->rand, 2));
    uint8_t rex = value_chance(t->rand, 2) ? 0 : 0x40 | g_rand_int_range(t->rand, 0, 16);

    c->before.narrow =
        row->flags & ROW_NO64 || (!(row->flags & ROW_ONLY64) && value_chance(t->rand, 4));
    if (c->before.narrow)
        rex = 0;
    /* A memory operand has a low register. */
    if (memory)
        rex &= ~1;
    memset(c->code, 0, sizeof(c->code));
    c->length = 0;
    c->base = 16;
    c->lock = memory && row->flags & ROW_LOCK && value_chance(t->rand, 3);
    make_prefixes(t, c, rex);
    if (row->mod != ROW_NONE)
        make_modrm(t, c, memory);
    make_immediate(t, c);
    for (unsigned at = c->length; at < sizeof(c->code); at += BRANCH_TARGET - c->length)
        memcpy(&c->code[at], (const uint8_t[]){0x0f, 0x0b}, 2);
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
static void make_pointers(struct test *t, struct test_case *c, uint64_t at)
{
    uint64_t *gpr = c->before.gpr;
    uint64_t other = NATIVE_DATA + g_rand_int_range(t->rand, 64, NATIVE_DATA_SIZE);

    if (operand(c->row, 'V') != NULL || operand(c->row, 'P') != NULL)
        gpr[X86_RDI] = at; /* MASKMOV */
    gpr[X86_RSP] = other;
    if (named(c, "enter") || named(c, "leave"))
        gpr[X86_RBP] = at;
    if (named(c, "xlat"))
        gpr[X86_RBX] = at;
    if (c->repeated) {
        gpr[X86_RSI] = at;
        gpr[X86_RDI] = value_chance(t->rand, 4) ? at + g_rand_int_range(t->rand, -9, 9) : other;
        gpr[X86_RCX] = value_chance(t->rand, 20)
                           ? (c->before.narrow ? UINT32_MAX : value_integer(t->rand))
                           : (uint64_t)g_rand_int_range(t->rand, 0, 100);
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
    make_pointers(t, c, at);
    if (c->base < 16) {
        unsigned left = NATIVE_DATA + NATIVE_DATA_SIZE - at;

        c->before.gpr[c->base] = at - c->disp;
        value_vector(t->rand, data + (at - NATIVE_DATA), MIN(32, left & ~7u));
        if (c->size == 4 && c->row->opcode == 0xdb && left > 10)
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
        c->before.gpr[i] = value_integer(t->rand) & (c->before.narrow ? UINT32_MAX : UINT64_MAX);
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

/* The UD2 is not the instruction's. */
static enum native_fault without_end(const struct test_case *c, enum native_fault fault,
                                     const struct native_state *state)
{
    uint64_t at = state->rip - NATIVE_CODE;

    return fault == NATIVE_UD && (at == c->length || at == BRANCH_TARGET) ? NATIVE_NONE : fault;
}

static void run_native(struct test *t, struct test_case *c)
{
    c->native = c->before;
    c->native_fault = native_run(t->native, &c->native);
    c->native_fault = without_end(c, c->native_fault, &c->native);
    memcpy(c->data_native, (void *)NATIVE_DATA, NATIVE_DATA_SIZE);
    memcpy((void *)NATIVE_DATA, c->data_before, NATIVE_DATA_SIZE);
}

static void run_soft(struct test *t, struct test_case *c)
{
    c->soft = c->before;
    c->soft_fault = soft_runner_run(t->soft, &c->soft, value_chance(t->rand, 2));
    c->soft_fault = without_end(c, c->soft_fault, &c->soft);
}

/* Flags that SDM volume 2 leaves undefined, or that processors do not agree on. */
static uint64_t undefined_flags(const struct test_case *c)
{
    static const struct {
        const char *prefix;
        uint64_t flags;
    } table[] = {
        {"aaa", X86_FLAG_OF | X86_FLAG_SF | X86_FLAG_ZF | X86_FLAG_PF},
        {"aas", X86_FLAG_OF | X86_FLAG_SF | X86_FLAG_ZF | X86_FLAG_PF},
        {"aad", X86_FLAG_OF | X86_FLAG_AF | X86_FLAG_CF},
        {"aam", X86_FLAG_OF | X86_FLAG_AF | X86_FLAG_CF},
        {"daa", X86_FLAG_OF},
        {"das", X86_FLAG_OF},
        {"and", X86_FLAG_AF},
        {"or", X86_FLAG_AF},
        {"xor", X86_FLAG_AF},
        {"test", X86_FLAG_AF},
        {"sh", X86_FLAG_AF | X86_FLAG_OF | X86_FLAG_CF},
        {"sar", X86_FLAG_AF | X86_FLAG_OF},
        {"rol", X86_FLAG_OF},
        {"ror", X86_FLAG_OF},
        {"rcl", X86_FLAG_OF},
        {"rcr", X86_FLAG_OF},
        {"mul", X86_FLAG_SF | X86_FLAG_ZF | X86_FLAG_AF | X86_FLAG_PF},
        {"imul", X86_FLAG_SF | X86_FLAG_ZF | X86_FLAG_AF | X86_FLAG_PF},
        {"div", X86_FLAGS_ARITHMETIC},
        {"idiv", X86_FLAGS_ARITHMETIC},
        {"bt", X86_FLAGS_ARITHMETIC & ~(X86_FLAG_CF | X86_FLAG_ZF)},
        {"bs", X86_FLAGS_ARITHMETIC & ~X86_FLAG_ZF},
    };

    if (c->row->flags & (ROW_SSE | ROW_MMX) || named(c, "bswap"))
        return 0;
    if (c->native_fault != NATIVE_NONE && (named(c, "cmps") || named(c, "scas")))
        return X86_FLAGS_ARITHMETIC;
    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
        if (g_str_has_prefix(c->row->operation->name, table[i].prefix))
            return table[i].flags;
    }
    return 0;
}

/* SDM volume 2, SHLD and SHRD: what a count beyond the operand's size does is undefined. */
static bool is_undefined(const struct test_case *c)
{
    unsigned count = named(c, "shld_cl") || named(c, "shrd_cl") ? c->before.gpr[X86_RCX]
                                                                : c->code[c->length - 1];

    return (g_str_has_prefix(c->row->operation->name, "shld") ||
            g_str_has_prefix(c->row->operation->name, "shrd")) &&
           c->size == 2 && (count & 31) > 16;
}

/* What a store wrote that processors do not agree on. */
static void forget_pointers(const struct test_case *c)
{
    uint8_t *data = (uint8_t *)NATIVE_DATA;
    uint64_t at = c->base < 16 ? c->before.gpr[c->base] + c->disp - NATIVE_DATA : 0;
    unsigned step = c->size == 2 ? 2 : 4;

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

static bool stores_mmx(const struct test_case *c)
{
    return named(c, "mmx_maskmovq") || named(c, "mmx_movq_store") || named(c, "mmx_movd_store");
}

static const char *difference(const struct test_case *c)
{
    const struct user_fpregs_struct *n = &c->native.fpu, *s = &c->soft.fpu;
    const char *x87 = x87_difference(n, s);

#ifdef __SANITIZE_ADDRESS__
    /* The sanitizer's shadow is memory that only the child has. */
    if (c->native_fault == NATIVE_NONE && c->soft_fault == NATIVE_PF)
        return NULL;
#endif
    if (c->native_fault != c->soft_fault)
        return "fault";
    if (memcmp(c->native.gpr, c->soft.gpr, sizeof(c->native.gpr)) != 0 &&
        !(named(c, "popa") && c->native_fault == NATIVE_PF))
        return "general registers";
    if ((c->native.rflags ^ c->soft.rflags) & (X86_FLAGS_ARITHMETIC | X86_FLAG_DF) &
        ~undefined_flags(c))
        return "flags";
    if (c->native.rip != c->soft.rip)
        return "RIP";
    if (x87 != NULL && !(named(c, "cvtpi2ps") && c->base < 16) &&
        !(c->native_fault == NATIVE_PF && stores_mmx(c)))
        return x87;
    if (!same_mxcsr(c))
        return "MXCSR";
    if (memcmp(n->xmm_space, s->xmm_space, sizeof(n->xmm_space)) != 0)
        return "XMM registers";
    if ((named(c, "fstp_m80") || named(c, "fbstp")) && c->native_fault == NATIVE_PF)
        return NULL;
    return memcmp(c->data_native, (void *)NATIVE_DATA, NATIVE_DATA_SIZE) != 0 ? "memory" : NULL;
}

static void print_state(const char *name, const struct native_state *s, enum native_fault fault)
{
    printf("  %s: fault %d rip %lx flags %03lx cw %04x sw %04x tags %02x mxcsr %04x\n", name, fault,
           (unsigned long)s->rip, (unsigned long)(s->rflags & X86_FLAGS_ARITHMETIC), s->fpu.cwd,
           s->fpu.swd, s->fpu.ftw & 0xff, s->fpu.mxcsr);
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
    printf("seed %lu, case %llu: %s (%s), %d bits, memory %d: %s\n  code", t->seed, t->cases,
           c->row->operation->name, c->row->operands, c->before.narrow ? 32 : 64, c->base < 16,
           what);
    for (unsigned i = 0; i < c->length; i++)
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

static const struct soft_row *choose_row(struct test *t)
{
    for (;;) {
        const struct soft_row *row = &soft_rows[g_rand_int_range(t->rand, 0, soft_row_count)];

        if (!is_excluded(row) && (t->only == NULL || strcmp(t->only, row->operation->name) == 0))
            return row;
    }
}

static void put_page(struct test *t, const struct test_case *c)
{
    uint8_t page[NATIVE_CODE_SIZE] = {0};

    memcpy(page, c->code, sizeof(c->code));
    soft_runner_set_code(t->soft, page, sizeof(page));
}

static void run_case(struct test *t, struct test_case *c)
{
    const char *what;

    c->row = choose_row(t);
    make_instruction(t, c);
    make_state(t, c);
    make_data(t, c);
    put_page(t, c);
    run_native(t, c);
    put_page(t, c); /* a bit that it set may have been there */
    run_soft(t, c);
    forget_pointers(c);
    what = is_undefined(c) ? NULL : difference(c);
    if (what != NULL && ++t->differences <= MAX_REPORTS)
        report(t, c, what);
    t->faults += c->native_fault != NATIVE_NONE;
    t->cases++;
    t->cases_of_row[c->row - soft_rows]++;
}

static void print_coverage(const struct test *t)
{
    unsigned covered = 0;

    for (unsigned i = 0; i < soft_row_count; i++) {
        const struct soft_row *row = &soft_rows[i];

        covered += t->cases_of_row[i] != 0;
        if (g_getenv("DIFF_COVERAGE") != NULL)
            printf("%8u  %02x %s (%s)%s\n", t->cases_of_row[i], row->opcode, row->operation->name,
                   row->operands, is_excluded(row) ? " left out" : "");
    }
    printf("%u of %u rows compared\n", covered, soft_row_count);
}

static unsigned long number_from(const char *variable, unsigned long otherwise)
{
    const char *text = g_getenv(variable);

    return text != NULL ? strtoul(text, NULL, 0) : otherwise;
}

int main(void)
{
    struct test t = {.seed = number_from("DIFF_SEED", DEFAULT_SEED), .only = g_getenv("DIFF_ONLY")};
    unsigned long cases = number_from("DIFF_CASES", DEFAULT_CASES);
    struct test_case *c = g_new0(struct test_case, 1);

    t.native = native_new();
    if (t.native == NULL) {
        printf("processes cannot be traced here\n");
        return SKIPPED;
    }
    t.rand = g_rand_new_with_seed(t.seed);
    t.soft = soft_runner_new();
    t.cases_of_row = g_new0(unsigned, soft_row_count);
    while (t.cases < cases && t.differences < MAX_REPORTS)
        run_case(&t, c);
    printf("seed %lu: %llu cases of %u rows, %llu with a fault, %llu differences\n", t.seed,
           t.cases, soft_row_count, t.faults, t.differences);
    print_coverage(&t);
    g_free(t.cases_of_row);
    soft_runner_free(t.soft);
    native_free(t.native);
    g_rand_free(t.rand);
    g_free(c);
    return t.differences == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
