/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sequences of instructions on the software CPU and on the host's processor, in 64-bit and 32-bit
 * user mode: what blocks make of neighbours (pairs with one handler, flags that nobody sees, links
 * from block to block) must not show. A case is 2 to 6 integer instructions of the decoder's table,
 * jumps forward among them, calls, and often a loop around it all; the software CPU executes it an
 * instruction at a time, in fresh blocks, and in those once more when they are linked.
 *
 * SEQUENCE_CASES: how many, SEQUENCE_SEED: where to start.
 *
 * An instruction whose flags SDM leaves undefined is followed by none that reads these.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cpu/soft/decode_table.h"
#include "engine/cpu/soft/flags.h"
#include "tests/diff/native.h"
#include "tests/diff/soft_runner.h"
#include "tests/diff/values.h"
#include "tests/seed.h"

#define DEFAULT_CASES 20000
#define MAX_REPORTS 10
#define SKIPPED 77 /* to the test driver */
#define MAX_LENGTH 6
#define MAX_INSNS (MAX_LENGTH + 1) /* and the jump that closes the loop */
#define ROUTINE 0x180              /* from the start: a routine that returns at once */

#define CF X86_FLAG_CF
#define PF X86_FLAG_PF
#define AF X86_FLAG_AF
#define ZF X86_FLAG_ZF
#define SF X86_FLAG_SF
#define OF X86_FLAG_OF
#define ALL X86_FLAGS_ARITHMETIC

/* Registers that keep their part: memory operands, the loop's counter, the stack. */
#define COUNTER X86_RDI

/* Operations by name, with their flags; those of conditions depend on the opcode. */
static const struct kind {
    const char *name;
    uint64_t reads, sets, undefined;
} kinds[] = {
    {"mov", 0, 0, 0},
    {"lea", 0, 0, 0},
    {"movzx8", 0, 0, 0},
    {"movzx16", 0, 0, 0},
    {"movsx8", 0, 0, 0},
    {"movsx16", 0, 0, 0},
    {"movsxd", 0, 0, 0},
    {"xchg", 0, 0, 0},
    {"xadd", 0, ALL, 0},
    {"add", 0, ALL, 0},
    {"sub", 0, ALL, 0},
    {"cmp", 0, ALL, 0},
    {"neg", 0, ALL, 0},
    {"not", 0, 0, 0},
    {"adc", CF, ALL, 0},
    {"sbb", CF, ALL, 0},
    {"and", 0, ALL, AF},
    {"or", 0, ALL, AF},
    {"xor", 0, ALL, AF},
    {"test", 0, ALL, AF},
    {"inc", 0, ALL & ~CF, 0},
    {"dec", 0, ALL & ~CF, 0},
    {"shl", 0, 0, AF | OF},
    {"shr", 0, 0, AF | OF},
    {"sar", 0, 0, AF | OF},
    {"rol", 0, 0, OF},
    {"ror", 0, 0, OF},
    {"imul", 0, 0, SF | ZF | AF | PF},
    {"imul_imm", 0, 0, SF | ZF | AF | PF},
    {"push", 0, 0, 0},
    {"push_imm", 0, 0, 0},
    {"pop", 0, 0, 0},
    {"call", 0, 0, 0},
    {"jmp", 0, 0, 0},
};

struct insn {
    const struct soft_row *row;
    uint8_t code[SOFT_INSN_MAX_LENGTH];
    unsigned length, size, at;
    int target; /* of a jump, an instruction's number; -1: it is none */
};

struct test {
    GRand *rand;
    struct native *native;
    struct soft_runner *soft;
    const struct soft_row **rows; /* those that sequences have */
    unsigned row_count;
    unsigned long long cases, faults, differences;
    unsigned long seed;

    struct insn insn[MAX_INSNS];
    unsigned count, end; /* instructions; where the UD2 stands */
    uint64_t undefined, ever_undefined;
    uint8_t page[NATIVE_CODE_SIZE];
    struct native_state before, expected;
    enum native_fault fault;
    uint8_t data_before[NATIVE_DATA_SIZE], data_expected[NATIVE_DATA_SIZE];
};

static unsigned below(struct test *t, unsigned n)
{
    return g_rand_int_range(t->rand, 0, n);
}

static bool is_conditional(const struct soft_row *row)
{
    return (row->map == MAP_ONE && row->opcode >> 4 == 7) ||
           (row->map == MAP_0F &&
            (row->opcode >> 4 == 4 || row->opcode >> 4 == 8 || row->opcode >> 4 == 9));
}

static uint64_t flags_of_condition(unsigned opcode)
{
    static const uint64_t flags[8] = {OF, CF, ZF, CF | ZF, SF, PF, SF | OF, SF | OF | ZF};

    return flags[opcode >> 1 & 7];
}

static const struct kind *kind_of(const struct soft_row *row)
{
    static const struct kind condition = {"condition", 0, 0, 0};

    if (is_conditional(row))
        return &condition;
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (strcmp(kinds[i].name, row->operation->name) == 0)
            return &kinds[i];
    }
    return NULL;
}

static bool is_jump(const struct soft_row *row)
{
    return row->operands[0] == 'J';
}

/* Operands that encode() knows; rows that name a register have one that may change. */
static bool is_usable(const struct soft_row *row)
{
    unsigned number = row->opcode & 7;

    if (kind_of(row) == NULL || (row->prefix != ROW_ANY && row->prefix != ROW_NP) ||
        strpbrk(row->operands, "OSCDcNy") != NULL)
        return false;
    if (row->operands[0] == 'Z')
        return number < X86_RBX || number == X86_RBP || strcmp(row->operation->name, "push") == 0;
    return true;
}

static bool has_operand(const struct soft_row *row, char letter, char type)
{
    for (const char *at = row->operands; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (at[0] == letter && (type == 0 || at[1] == type))
            return true;
    }
    return false;
}

static void put(struct insn *i, uint64_t number, unsigned size)
{
    for (unsigned n = 0; n < size; n++)
        i->code[i->length++] = number >> n * 8;
}

/* A register that may change, in ModRM's three bits and REX's one; byte registers without REX can
 * be the second byte of one. */
static unsigned choose_register(struct test *t, bool byte, uint8_t rex)
{
    static const uint8_t low[] = {X86_RAX, X86_RCX, X86_RDX, X86_RBP}, bytes[] = {0, 1, 2, 4, 5, 6};

    if (byte && rex == 0)
        return bytes[below(t, G_N_ELEMENTS(bytes))];
    return low[below(t, G_N_ELEMENTS(low))];
}

static void encode_modrm(struct test *t, struct insn *i, uint8_t rex)
{
    const struct soft_row *row = i->row;
    bool memory = row->mod == ROW_MEM || (row->mod == ROW_ANY && value_chance(t->rand, 3));
    bool byte_reg = has_operand(row, 'G', 'b'), byte_rm = has_operand(row, 'E', 'b');
    unsigned reg = row->reg < 8 ? row->reg
                   : rex & 4    ? below(t, 8)
                                : choose_register(t, byte_reg, rex);
    unsigned base = value_chance(t->rand, 2) ? X86_RBX : X86_RSI;
    bool index = value_chance(t->rand, 4), wide = value_chance(t->rand, 2);

    if (!memory) {
        put(i, 0xc0 | reg << 3 | (rex & 1 ? below(t, 8) : choose_register(t, byte_rm, rex)), 1);
        return;
    }
    put(i, (wide ? 0x80 : 0x40) | reg << 3 | (index ? 4 : base), 1);
    if (index)
        put(i, below(t, 4) << 6 | COUNTER << 3 | base, 1);
    put(i, wide ? g_rand_int_range(t->rand, -1000, 1000) : g_rand_int_range(t->rand, -128, 128),
        wide ? 4 : 1);
}

/* Within the operand, so that CF is defined; often none, and with bits that do not count. */
static unsigned shift_count(struct test *t, unsigned size)
{
    unsigned count = value_chance(t->rand, 4) ? 0 : below(t, size * 8);

    return value_chance(t->rand, 4) ? count | (size == 8 ? 0x40 : 0x20) : count;
}

static void encode_immediate(struct test *t, struct insn *i)
{
    const char *name = i->row->operation->name;
    bool shifts = name[0] == 's' || name[0] == 'r';

    if (has_operand(i->row, 'I', 'b') && shifts && strncmp(name, "sub", 3) != 0 &&
        strcmp(name, "sbb") != 0)
        put(i, shift_count(t, i->size), 1);
    else if (has_operand(i->row, 'I', 'b'))
        put(i, value_integer(t->rand), 1);
    else if (has_operand(i->row, 'I', 'z'))
        put(i, value_integer(t->rand), MIN(i->size, 4));
    else if (has_operand(i->row, 'I', 'v'))
        put(i, value_integer(t->rand), i->size);
}

/* REX bits that leave the registers alone which must not change. */
static uint8_t choose_rex(struct test *t, const struct soft_row *row)
{
    uint8_t rex = 0x40 | below(t, 16);

    if (t->before.narrow || is_jump(row) || value_chance(t->rand, 2))
        return 0;
    return rex & (row->mod == ROW_REG ? 0x4d : row->mod == ROW_NONE ? 0x48 : 0x4c);
}

static void encode(struct test *t, struct insn *i)
{
    const struct soft_row *row = i->row;
    bool byte = row->operands[0] != '\0' && row->operands[1] == 'b';
    bool opsize = !byte && !is_jump(row) && value_chance(t->rand, 6);
    uint8_t rex = choose_rex(t, row);

    i->length = 0;
    i->size = byte      ? 1
              : rex & 8 ? 8
              : opsize  ? 2
                        : (row->flags & ROW_D64 && !t->before.narrow ? 8 : 4);
    if (opsize)
        put(i, 0x66, 1);
    if (rex != 0)
        put(i, rex, 1);
    if (row->map != MAP_ONE)
        put(i, 0x0f, 1);
    put(i, row->opcode, 1);
    if (row->mod != ROW_NONE)
        encode_modrm(t, i, rex);
    if (is_jump(row)) /* the distance comes later */
        put(i, 0, row->operands[1] == 'b' ? 1 : 4);
    else
        encode_immediate(t, i);
}

static bool fits(const struct test *t, const struct soft_row *row)
{
    uint64_t reads = kind_of(row)->reads;

    if (row->flags & (t->before.narrow ? ROW_ONLY64 : ROW_NO64))
        return false;
    if (is_conditional(row))
        reads = flags_of_condition(row->opcode);
    return (reads & t->undefined) == 0;
}

/* Every third a jump, so that blocks are short and pairs are many. */
static const struct soft_row *choose_row(struct test *t)
{
    bool jump = value_chance(t->rand, 3);

    for (;;) {
        const struct soft_row *row = t->rows[below(t, t->row_count)];

        if (fits(t, row) && (!jump || is_jump(row)))
            return row;
    }
}

/* What counts down to the loop's end, and the jump back. */
static void add_loop(struct test *t)
{
    static const struct {
        uint8_t bytes[4], length;
    } counts[] = {
        {{0xff, 0xcf}, 2},             /* dec edi */
        {{0x83, 0xef, 0x01}, 3},       /* sub edi, 1 */
        {{0x83, 0xc7, 0xff}, 3},       /* add edi, -1 */
        {{0x48, 0xff, 0xcf}, 3},       /* dec rdi */
        {{0x48, 0x83, 0xef, 0x01}, 4}, /* sub rdi, 1 */
    };
    unsigned which = below(t, t->before.narrow ? 3 : G_N_ELEMENTS(counts));
    struct insn *i = &t->insn[t->count];

    *i = (struct insn){.target = below(t, t->count)};
    for (unsigned n = 0; n < counts[which].length; n++)
        put(i, counts[which].bytes[n], 1);
    put(i, 0x0f, 1);
    put(i, 0x85, 1); /* jnz */
    put(i, 0, 4);
    t->count++;
}

/* Distances of jumps, which are their last bytes. */
static void place(struct test *t, unsigned start)
{
    static const uint8_t end[] = {0x0f, 0x0b}, routine[] = {0xc3};
    unsigned at = start;

    for (unsigned n = 0; n < t->count; at += t->insn[n++].length)
        t->insn[n].at = at;
    t->end = at;
    memset(t->page, 0, sizeof(t->page));
    for (unsigned n = 0; n < t->count; n++) {
        struct insn *i = &t->insn[n];
        bool call = i->row != NULL && strcmp(i->row->operation->name, "call") == 0;
        bool narrow = i->row != NULL && i->row->operands[1] == 'b';
        unsigned to = i->target == (int)t->count ? t->end
                      : i->target >= 0           ? t->insn[i->target].at
                                                 : 0;
        int32_t distance = (call ? start + ROUTINE : to) - (i->at + i->length);

        if (call || i->target >= 0)
            memcpy(&i->code[i->length - (narrow ? 1 : 4)], &distance, narrow ? 1 : 4);
        memcpy(&t->page[i->at], i->code, i->length);
    }
    memcpy(&t->page[t->end], end, sizeof(end));
    memcpy(&t->page[start + ROUTINE], routine, sizeof(routine));
}

static void make_sequence(struct test *t)
{
    unsigned length = 2 + below(t, MAX_LENGTH - 1), reach = 0;

    t->undefined = t->ever_undefined = 0;
    for (t->count = 0; t->count < length; t->count++) {
        struct insn *i = &t->insn[t->count];
        const struct kind *kind;

        i->row = choose_row(t);
        i->target = -1;
        encode(t, i);
        if (is_jump(i->row) && strcmp(i->row->operation->name, "call") != 0) {
            i->target = t->count + 1 + below(t, length - t->count);
            reach = MAX(reach, (unsigned)i->target);
        }
        kind = kind_of(i->row);
        /* What a jump may pass over defines nothing. */
        t->undefined &= t->count < reach ? UINT64_MAX : ~kind->sets;
        t->undefined |= kind->undefined;
        t->ever_undefined |= kind->undefined;
    }
    /* Behind the loop's DEC or SUB all is defined again, CF always was. */
    if (value_chance(t->rand, 2)) {
        add_loop(t);
        t->undefined = 0;
    }
    place(t, below(t, 64));
}

static void make_state(struct test *t)
{
    struct native_state *s = &t->before;

    for (unsigned i = 0; i < 16; i++)
        s->gpr[i] = value_integer(t->rand) & (s->narrow ? UINT32_MAX : UINT64_MAX);
    s->gpr[X86_RBX] = NATIVE_DATA + 2048 + below(t, 2048);
    s->gpr[X86_RSI] =
        NATIVE_DATA + (value_chance(t->rand, 20) ? NATIVE_DATA_SIZE - 100 : 2048 + below(t, 2048));
    s->gpr[COUNTER] = 1 + below(t, 6);
    s->gpr[X86_RSP] = NATIVE_DATA + NATIVE_DATA_SIZE - 1024 +
                      (below(t, 64) & (value_chance(t->rand, 4) ? 63 : 56));
    native_set_segments(s);
    s->rip = NATIVE_CODE + t->insn[0].at;
    s->rflags = X86_FLAG_1 | X86_FLAG_IF | (value_random64(t->rand) & ALL);
    value_vector(t->rand, t->data_before, NATIVE_DATA_SIZE);
}

static enum native_fault without_end(const struct test *t, enum native_fault fault,
                                     const struct native_state *state)
{
    return fault == NATIVE_UD && state->rip == NATIVE_CODE + t->end ? NATIVE_NONE : fault;
}

static void run_native(struct test *t)
{
    t->expected = t->before;
    memcpy((void *)NATIVE_DATA, t->data_before, NATIVE_DATA_SIZE);
    t->fault = native_run(t->native, &t->expected);
    t->fault = without_end(t, t->fault, &t->expected);
    memcpy(t->data_expected, (void *)NATIVE_DATA, NATIVE_DATA_SIZE);
}

static void report(const struct test *t, const struct native_state *s, enum native_fault fault,
                   const char *what, const char *how)
{
    printf("seed %lu, case %llu, %d bits, %s: %s\n", t->seed, t->cases, t->before.narrow ? 32 : 64,
           how, what);
    for (unsigned n = 0; n < t->count; n++) {
        const struct insn *i = &t->insn[n];

        printf("  %03x ", i->at);
        for (unsigned at = 0; at < i->length; at++)
            printf(" %02x", i->code[at]);
        printf("  %s\n", i->row != NULL ? i->row->operation->name : "(loop)");
    }
    printf("  end at %03x; flags before %03lx, native %03lx, soft %03lx; fault native %d, soft %d; "
           "rip native %lx, soft %lx\n",
           t->end, (unsigned long)(t->before.rflags & ALL),
           (unsigned long)(t->expected.rflags & ALL), (unsigned long)(s->rflags & ALL), t->fault,
           fault, (unsigned long)t->expected.rip, (unsigned long)s->rip);
    for (unsigned i = 0; i < 16; i++)
        printf("  r%-2u %016lx native %016lx soft %016lx%s\n", i, (unsigned long)t->before.gpr[i],
               (unsigned long)t->expected.gpr[i], (unsigned long)s->gpr[i],
               t->expected.gpr[i] != s->gpr[i] ? " !" : "");
}

static void run_soft(struct test *t, bool single, const char *how)
{
    struct native_state s = t->before;
    uint64_t ignored = t->fault == NATIVE_NONE ? t->undefined : t->ever_undefined;
    const char *what = NULL;
    enum native_fault fault;

    memcpy((void *)NATIVE_DATA, t->data_before, NATIVE_DATA_SIZE);
    fault = without_end(t, soft_runner_run(t->soft, &s, single), &s);
    if (fault != t->fault)
        what = "fault";
    else if (s.rip != t->expected.rip)
        what = "RIP";
    else if (memcmp(s.gpr, t->expected.gpr, sizeof(s.gpr)) != 0)
        what = "general registers";
    else if ((s.rflags ^ t->expected.rflags) & ALL & ~ignored)
        what = "flags";
    else if (memcmp(t->data_expected, (void *)NATIVE_DATA, NATIVE_DATA_SIZE) != 0)
        what = "memory";
#ifdef __SANITIZE_ADDRESS__
    /* The sanitizer's shadow is memory that only the child has. */
    if (t->fault == NATIVE_NONE && fault == NATIVE_PF)
        what = NULL;
#endif
    if (what != NULL && ++t->differences <= MAX_REPORTS)
        report(t, &s, fault, what, how);
}

static void run_case(struct test *t)
{
    t->before.narrow = value_chance(t->rand, 4);
    make_sequence(t);
    make_state(t);
    soft_runner_set_code(t->soft, t->page, sizeof(t->page));
    run_native(t);
    if (value_chance(t->rand, 4))
        run_soft(t, true, "single");
    run_soft(t, false, "fresh blocks");
    run_soft(t, false, "linked blocks");
    run_soft(t, false, "blocks linked further");
    t->faults += t->fault != NATIVE_NONE;
    t->cases++;
}

static void choose_rows(struct test *t)
{
    t->rows = g_new(const struct soft_row *, soft_row_count);
    for (unsigned i = 0; i < soft_row_count; i++) {
        if (is_usable(&soft_rows[i]))
            t->rows[t->row_count++] = &soft_rows[i];
    }
}

static unsigned long number_from(const char *variable, unsigned long otherwise)
{
    const char *text = g_getenv(variable);

    return text != NULL ? strtoul(text, NULL, 0) : otherwise;
}

int main(void)
{
    struct test *t = g_new0(struct test, 1);
    unsigned long cases = number_from("SEQUENCE_CASES", DEFAULT_CASES);
    bool ok;

    t->seed = test_seed("SEQUENCE_SEED");
    t->native = native_new();
    if (t->native == NULL) {
        printf("processes cannot be traced here\n");
        g_free(t);
        return SKIPPED;
    }
    t->rand = g_rand_new_with_seed(t->seed);
    t->soft = soft_runner_new(native_has_ldt(t->native));
    value_fpu(t->rand, &t->before.fpu);
    choose_rows(t);
    while (t->cases < cases && t->differences < MAX_REPORTS)
        run_case(t);
    printf("seed %lu: %llu sequences of %u rows, %llu with a fault, %llu differences\n", t->seed,
           t->cases, t->row_count, t->faults, t->differences);
    ok = t->differences == 0;
    soft_runner_free(t->soft);
    native_free(t->native);
    g_rand_free(t->rand);
    g_free(t->rows);
    g_free(t);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
