/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions that often follow each other in 64-bit mode, as one handler: what function calls
 * save and restore, and moves with what stands behind them. Most of the time of a handler goes into
 * the jump to the next one, which the host's processor cannot foresee.
 *
 * Each instruction keeps its own handler too: what the TLB does not have is left to it.
 */
#include "engine/cpu/soft/ops_series.h"

#include "engine/cpu/soft/alu.h"
#include "engine/cpu/soft/condition.h"
#include "engine/cpu/soft/forms.h"
#include "engine/cpu/soft/ops_fused.h"

/* The first of a series as it is alone. */
static G_GNUC_NO_INLINE void alone(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return soft_decoder_handler(cpu->accel->decoder, cpu->mode, insn)(cpu, insn);
}

#define ALONE(N)                               \
    {                                          \
        if (N == 0)                            \
            return alone(cpu, insn);           \
        return insn[N].handler(cpu, insn + N); \
    }
#define GO_ON(N) return insn[N].handler(cpu, insn + N)

/* What instruction N of the series does. */
#define DO_load(N, BITS)                                             \
    uint64_t linear##N = cpu->gpr[insn[N].base] + insn[N].disp;      \
    uint##BITS##_t value##N;                                         \
    uint8_t *host##N;                                                \
                                                                     \
    if (!soft_tlb_hit(cpu->tlb_read, linear##N, BITS / 8, &host##N)) \
        ALONE(N)                                                     \
    memcpy(&value##N, host##N, BITS / 8);                            \
    cpu->gpr[insn[N].reg] = value##N;
#define DO_store(N, BITS)                                             \
    uint64_t linear##N = cpu->gpr[insn[N].base] + insn[N].disp;       \
    uint8_t *host##N;                                                 \
                                                                      \
    if (!soft_tlb_hit(cpu->tlb_write, linear##N, BITS / 8, &host##N)) \
        ALONE(N)                                                      \
    memcpy(host##N, &cpu->gpr[insn[N].reg], BITS / 8);
#define DO_load64(N) DO_load(N, 64)
#define DO_load32(N) DO_load(N, 32)
#define DO_store64(N) DO_store(N, 64)
#define DO_store32(N) DO_store(N, 32)
#define DO_move64(N) cpu->gpr[insn[N].rm] = cpu->gpr[insn[N].reg];
#define DO_move32(N) cpu->gpr[insn[N].rm] = (uint32_t)cpu->gpr[insn[N].reg];
#define DO_lea64(N) cpu->gpr[insn[N].reg] = cpu->gpr[insn[N].base] + insn[N].disp;
#define DO_load8(N) DO_load(N, 8) /* with zeros before it */
#define DO_set32(N) cpu->gpr[insn[N].rm] = (uint32_t)insn[N].imm;
#define DO_xor32(N) \
    cpu->gpr[insn[N].rm] = alu_xor32(cpu, cpu->gpr[insn[N].rm], cpu->gpr[insn[N].reg]);

/* The same and on behind it; of TEST, with the jump behind that. */
#define END_load64(N) DO_load64(N) GO_ON(N + 1);
#define END_load32(N) DO_load32(N) GO_ON(N + 1);
#define END_store64(N) DO_store64(N) GO_ON(N + 1);
#define END_store32(N) DO_store32(N) GO_ON(N + 1);
#define END_move64(N) DO_move64(N) GO_ON(N + 1);
#define END_move32(N) DO_move32(N) GO_ON(N + 1);
#define END_lea64(N) DO_lea64(N) GO_ON(N + 1);
#define END_load8(N) DO_load8(N) GO_ON(N + 1);
#define END_set32(N) DO_set32(N) GO_ON(N + 1);
#define END_xor32(N) DO_xor32(N) GO_ON(N + 1);
#define END_jump(N) return soft_go_linked(cpu, cpu->gpr[SOFT_REG_BLOCK] + insn[N].imm, 0);
#define END_call(N)                                                             \
    uint64_t sp = cpu->gpr[X86_RSP] - 8;                                        \
    uint64_t next = cpu->gpr[SOFT_REG_BLOCK] + insn[N].offset + insn[N].length; \
    uint8_t *top;                                                               \
                                                                                \
    if (!soft_tlb_hit(cpu->tlb_write, sp, 8, &top))                             \
        ALONE(N)                                                                \
    memcpy(top, &next, 8);                                                      \
    cpu->gpr[X86_RSP] = sp;                                                     \
    return soft_go_linked(cpu, cpu->gpr[SOFT_REG_BLOCK] + insn[N].imm, 0);
#define END_test(N, BITS, CC)                                                                      \
    alu_and##BITS(cpu, cpu->gpr[insn[N].rm], cpu->gpr[insn[N].reg]);                               \
    if (soft_condition_##CC(cpu))                                                                  \
        return soft_go_linked(cpu, cpu->gpr[SOFT_REG_BLOCK] + insn[N + 1].imm, 0);                 \
    return soft_go_linked(cpu, cpu->gpr[SOFT_REG_BLOCK] + insn[N + 1].offset + insn[N + 1].length, \
                          1);
#define END_test64z(N) END_test(N, 64, z)
#define END_test64nz(N) END_test(N, 64, nz)
#define END_test32z(N) END_test(N, 32, z)
#define END_test32nz(N) END_test(N, 32, nz)

/* clang-format off */
#define FIRSTS(X)                                                                      \
    X(load64) X(load32) X(store64) X(store32) X(move64) X(move32) X(lea64) X(load8)    \
    X(set32) X(xor32)
#define SECONDS(X, FIRST)                                                              \
    X(FIRST, load64) X(FIRST, load32) X(FIRST, store64) X(FIRST, store32)              \
    X(FIRST, move64) X(FIRST, move32) X(FIRST, lea64) X(FIRST, load8) X(FIRST, set32)  \
    X(FIRST, xor32) X(FIRST, jump) X(FIRST, call) X(FIRST, test64z) X(FIRST, test64nz) \
    X(FIRST, test32z) X(FIRST, test32nz)
/* clang-format on */

enum kind {
    KIND_load64,
    KIND_load32,
    KIND_store64,
    KIND_store32,
    KIND_move64,
    KIND_move32,
    KIND_lea64,
    KIND_load8,
    KIND_set32,
    KIND_xor32,
    FIRST_KINDS,
    KIND_jump = FIRST_KINDS,
    KIND_call,
    KIND_test64z,
    KIND_test64nz,
    KIND_test32z,
    KIND_test32nz,
    KINDS,
    NO_KIND = KINDS
};

#define PAIR(FIRST, SECOND)           \
    FORM_HANDLER(FIRST##_##SECOND)    \
    {                                 \
        DO_##FIRST(0) END_##SECOND(1) \
    }
#define PAIRS_OF(FIRST) SECONDS(PAIR, FIRST)
FIRSTS(PAIRS_OF)

#define PAIR_ENTRY(FIRST, SECOND) [KIND_##FIRST][KIND_##SECOND] = FIRST##_##SECOND,
#define PAIR_ENTRIES(FIRST) SECONDS(PAIR_ENTRY, FIRST)
static soft_op *const pairs[FIRST_KINDS][KINDS] = {FIRSTS(PAIR_ENTRIES)};

/* So many PUSHes; so many POPs, with RET behind them or not. */
#define PUSH(I, N) memcpy(host + (N - 1 - I) * 8, &cpu->gpr[insn[I].rm], 8);
#define POP(I, N) memcpy(&cpu->gpr[insn[I].rm], host + I * 8, 8);
#define TIMES2(DO, N) DO(0, N) DO(1, N)
#define TIMES3(DO, N) TIMES2(DO, N) DO(2, N)
#define TIMES4(DO, N) TIMES3(DO, N) DO(3, N)
#define TIMES5(DO, N) TIMES4(DO, N) DO(4, N)
#define TIMES6(DO, N) TIMES5(DO, N) DO(5, N)
#define MOST_REGISTERS 6

#define REGISTERS(N)                                         \
    FORM_HANDLER(push##N)                                    \
    {                                                        \
        uint64_t sp = cpu->gpr[X86_RSP] - N * 8;             \
        uint8_t *host;                                       \
                                                             \
        if (!soft_tlb_hit(cpu->tlb_write, sp, N * 8, &host)) \
            return alone(cpu, insn);                         \
        TIMES##N(PUSH, N) cpu->gpr[X86_RSP] = sp;            \
        GO_ON(N);                                            \
    }                                                        \
    FORM_HANDLER(pop##N)                                     \
    {                                                        \
        uint64_t sp = cpu->gpr[X86_RSP];                     \
        uint8_t *host;                                       \
                                                             \
        if (!soft_tlb_hit(cpu->tlb_read, sp, N * 8, &host))  \
            return alone(cpu, insn);                         \
        TIMES##N(POP, N) cpu->gpr[X86_RSP] = sp + N * 8;     \
        GO_ON(N);                                            \
    }
REGISTERS(2)
REGISTERS(3)
REGISTERS(4)
REGISTERS(5)
REGISTERS(6)

#define TIMES1(DO, N) DO(0, N)
#define RETURN(N)                                               \
    FORM_HANDLER(pop##N##_ret)                                  \
    {                                                           \
        uint64_t sp = cpu->gpr[X86_RSP], target;                \
        struct soft_block *next;                                \
        uint8_t *host;                                          \
                                                                \
        if (!soft_tlb_hit(cpu->tlb_read, sp, N * 8 + 8, &host)) \
            return alone(cpu, insn);                            \
        TIMES##N(POP, N) cpu->gpr[X86_RSP] = sp + N * 8;        \
        memcpy(&target, host + N * 8, 8);                       \
        next = soft_next_block(cpu, target);                    \
        if (next == NULL)                                       \
            GO_ON(N);                                           \
        cpu->gpr[X86_RSP] = sp + N * 8 + 8 + insn[N].imm;       \
        return soft_enter(cpu, next, target);                   \
    }
RETURN(1)
RETURN(2)
RETURN(3)
RETURN(4)
RETURN(5)
RETURN(6)

static soft_op *const pushes[MOST_REGISTERS + 1] = {NULL, NULL, push2, push3, push4, push5, push6};
static soft_op *const pops[MOST_REGISTERS + 1] = {NULL, NULL, pop2, pop3, pop4, pop5, pop6};
static soft_op *const returns[MOST_REGISTERS + 1] = {NULL,     pop1_ret, pop2_ret, pop3_ret,
                                                     pop4_ret, pop5_ret, pop6_ret};

extern const struct soft_operation soft_operation_mov, soft_operation_lea, soft_operation_movzx8,
    soft_operation_xor, soft_operation_jmp, soft_operation_call, soft_operation_ret,
    soft_operation_test, soft_operation_push, soft_operation_pop;

/* The kinds of these by their forms: a handler stands for each. */
static const struct soft_forms mov_forms = {
    .rr = {NULL, NULL, move32_move32, move64_move64},
    .ri = {NULL, NULL, set32_set32, NULL},
    .rm = {[SOFT_ADDRESS_BASE] = {NULL, NULL, load32_load32, load64_load64}},
    .mr = {[SOFT_ADDRESS_BASE] = {NULL, NULL, store32_store32, store64_store64}},
};
static const struct soft_forms lea_forms = {
    .rm = {[SOFT_ADDRESS_BASE] = {NULL, NULL, NULL, lea64_lea64}},
};

static const struct soft_forms movzx8_forms = {
    .rm = {[SOFT_ADDRESS_BASE] = {NULL, NULL, load8_load8, load8_load8}},
};
static const struct soft_forms xor_forms = {.rr = {NULL, NULL, xor32_xor32, NULL}};
static const struct soft_forms test_forms = {.rr = {NULL, NULL, move32_test32z, move64_test64z}};

static const struct {
    const struct soft_operation *operation;
    const struct soft_forms *forms;
} moves[] = {
    {&soft_operation_mov, &mov_forms},
    {&soft_operation_lea, &lea_forms},
    {&soft_operation_movzx8, &movzx8_forms},
    {&soft_operation_xor, &xor_forms},
};

static enum kind kind_by_form(const struct soft_decoder *d, const struct soft_forms *forms,
                              uint32_t mode, const struct soft_insn *insn)
{
    soft_op *handler = soft_decoder_form(d, forms, mode, insn);

    if (handler == NULL)
        return NO_KIND;
    for (unsigned i = 0; i < FIRST_KINDS; i++) {
        if (handler == pairs[i][i])
            return i;
    }
    return NO_KIND;
}

/* Of TEST, which is one with the jump behind it. */
static enum kind kind_of_test(const struct soft_decoder *d, uint32_t mode,
                              const struct soft_insn *insn)
{
    unsigned condition = soft_decoder_row(d, insn[1].row)->opcode & 15; /* 4: Z, 5: NZ */

    if (soft_decoder_form(d, &test_forms, mode, insn) == NULL || (condition & ~1u) != 4)
        return NO_KIND;
    return (insn->size == 8 ? KIND_test64z : KIND_test32z) + (condition & 1);
}

/* `left` instructions begin with insn. */
static enum kind kind_of(const struct soft_decoder *d, uint32_t mode, const struct soft_insn *insn,
                         unsigned left)
{
    const struct soft_row *row = soft_decoder_row(d, insn->row);

    if (row == NULL || insn->flags & SOFT_INSN_LOCK)
        return NO_KIND;
    for (unsigned i = 0; i < G_N_ELEMENTS(moves); i++) {
        if (row->operation == moves[i].operation)
            return kind_by_form(d, moves[i].forms, mode, insn);
    }
    if (row->operation == &soft_operation_jmp && insn->size == 8)
        return KIND_jump;
    if (row->operation == &soft_operation_call && insn->size == 8)
        return KIND_call;
    if (row->operation == &soft_operation_test && left > 1 &&
        soft_fused_handler(d, mode, insn) != NULL)
        return kind_of_test(d, mode, insn);
    return NO_KIND;
}

/* How many push or pop a register, but RSP, one after another. */
static unsigned count_registers(const struct soft_decoder *d, const struct soft_insn *insn,
                                unsigned left, const struct soft_operation *operation)
{
    unsigned n = 0;

    while (n < MIN(left, MOST_REGISTERS)) {
        const struct soft_row *row = soft_decoder_row(d, insn[n].row);

        if (row == NULL || row->operation != operation || insn[n].size != 8 ||
            insn[n].flags & SOFT_INSN_MEM || insn[n].rm == X86_RSP)
            break;
        n++;
    }
    return n;
}

static bool is_return(const struct soft_decoder *d, const struct soft_insn *insn)
{
    const struct soft_row *row = soft_decoder_row(d, insn->row);

    return row != NULL && row->operation == &soft_operation_ret && insn->size == 8;
}

/* Gives insn a handler for a series; how many instructions are in it. */
static unsigned begin_series(const struct soft_decoder *d, uint32_t mode, struct soft_insn *insn,
                             unsigned left)
{
    unsigned pushed = count_registers(d, insn, left, &soft_operation_push);
    unsigned popped = count_registers(d, insn, left, &soft_operation_pop);
    enum kind first, second;

    if (pushed > 1)
        insn->handler = pushes[pushed];
    if (popped > 0 && popped < left && is_return(d, insn + popped))
        insn->handler = returns[popped];
    else if (popped > 1)
        insn->handler = pops[popped];
    if (pushed > 0 || popped > 0)
        return MAX(pushed, popped);
    first = kind_of(d, mode, insn, left);
    second = first < FIRST_KINDS && left > 1 ? kind_of(d, mode, insn + 1, left - 1) : NO_KIND;
    if (second == NO_KIND)
        return 1;
    insn->handler = pairs[first][second];
    return 2;
}

void soft_series(const struct soft_decoder *d, uint32_t mode, struct soft_insn *insns,
                 unsigned count)
{
    if (!SOFT_CHAINING || !(mode & SOFT_MODE_CODE64))
        return;
    for (unsigned i = 0; i < count;)
        i += begin_series(d, mode, &insns[i], count - i);
}
