/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The software CPU against the host's processor, in 64-bit and 32-bit user mode. A case is one
 * instruction of the decoder's table with random operands, and an UD2 behind it; it starts from a
 * random state or from what the case before left, so that a difference is always one instruction's.
 *
 * DIFF_CASES: how many, DIFF_SEED: where to start, DIFF_ONLY: the only operation (exact name),
 * DIFF_COVERAGE: list the rows of the table with how often each ran to its end.
 *
 * It fails too when a row has never run to its end, unless directed.def names the test that stands
 * for it (coverage.h). What is privileged is compared in its fault.
 *
 * Left out:
 *   what goes to the host's kernel, and on processors of other makers than Intel all of
 *   decode_system.def: see coverage.c
 *   components of XSAVE beyond x87 and SSE, which the host may have
 *   selectors of the GDT that the kernel changes at will
 * Not compared:
 *   flags that SDM calls undefined, and those of a repeated CMPS or SCAS that faults: some
 *   processors show the last comparison, though SDM says they do not
 *   FOP, FIP and FDP: processors differ
 *   PE beside an unmasked overflow or underflow of SSE
 *   x87 after CVTPI2PS from memory, and after a store of MMX with #PF: some processors put it into
 *   its MMX state
 *   what some processors do in part before a fault: load registers in POPA and XRSTOR, store in
 *   FSTP m80, FBSTP and far CALL
 *   #PF of a MASKMOV for bytes that its mask leaves out
 *   MXCSR_MASK that FXSAVE stores: the host may have more bits
 *   the answers of RDTSC, CPUID and XGETBV, but for their size
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diff/case.h"
#include "tests/diff/coverage.h"
#include "tests/diff/soft_runner.h"
#include "tests/diff/values.h"
#include "tests/seed.h"

#define DEFAULT_CASES 60000
#define MAX_REPORTS 20
#define SKIPPED 77     /* to the test driver */
#define MAX_TRIES 2000 /* for a row that does not run to its end */

struct test {
    GRand *rand;
    struct native *native;
    struct soft_runner *soft;
    const char *only;
    unsigned long long cases, differences, faults;
    unsigned *completed; /* of each row, cases without a fault */
    unsigned long seed;
};

/* The UD2 is not the instruction's. */
static enum native_fault without_end(const struct test_case *c, enum native_fault fault,
                                     const struct native_state *state)
{
    uint64_t at = state->rip - NATIVE_CODE;

    return fault == NATIVE_UD &&
                   (at == c->length || at == BRANCH_TARGET || state->rip == BRANCH_TARGET)
               ? NATIVE_NONE
               : fault;
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

static const struct soft_row *choose_row(struct test *t)
{
    for (;;) {
        const struct soft_row *row = &soft_rows[g_rand_int_range(t->rand, 0, soft_row_count)];

        if (!coverage_leaves_out(row) &&
            (t->only == NULL || strcmp(t->only, row->operation->name) == 0))
            return row;
    }
}

static void put_page(struct test *t, const struct test_case *c)
{
    uint8_t page[NATIVE_CODE_SIZE] = {0};

    memcpy(page, c->code, sizeof(c->code));
    soft_runner_set_code(t->soft, page, sizeof(page));
}

static void run_case(struct test *t, struct test_case *c, const struct soft_row *row)
{
    const char *what;

    c->row = row;
    c->number = t->cases;
    case_make_instruction(t->rand, c);
    case_make_state(t->rand, c);
    put_page(t, c);
    run_native(t, c);
    put_page(t, c); /* a bit that it set may have been there */
    run_soft(t, c);
    what = case_difference(c);
    if (what != NULL && ++t->differences <= MAX_REPORTS) {
        printf("seed %lu, case %llu: %s: ", t->seed, t->cases, what);
        case_print(c);
    }
    t->faults += c->native_fault != NATIVE_NONE;
    t->cases++;
    t->completed[row - soft_rows] +=
        c->native_fault == NATIVE_NONE || c->native_fault == NATIVE_TRAP;
}

/* Rows that chance has left out. */
static void run_others(struct test *t, struct test_case *c)
{
    for (unsigned i = 0; i < soft_row_count; i++) {
        const struct soft_row *row = &soft_rows[i];

        for (unsigned tries = 0;
             t->completed[i] == 0 && tries < MAX_TRIES && coverage_directed_test(row) == NULL &&
             !coverage_leaves_out(row) && t->differences < MAX_REPORTS;
             tries++)
            run_case(t, c, row);
    }
}

static unsigned long number_from(const char *variable, unsigned long otherwise)
{
    const char *text = g_getenv(variable);

    return text != NULL ? strtoul(text, NULL, 0) : otherwise;
}

int main(void)
{
    struct test t = {.seed = test_seed("DIFF_SEED"), .only = g_getenv("DIFF_ONLY")};
    unsigned long cases = number_from("DIFF_CASES", DEFAULT_CASES);
    struct test_case *c = g_new0(struct test_case, 1);
    bool covered;

    t.native = native_new();
    if (t.native == NULL) {
        printf("processes cannot be traced here\n");
        return SKIPPED;
    }
    t.rand = g_rand_new_with_seed(t.seed);
    t.soft = soft_runner_new(native_has_ldt(t.native));
    t.completed = g_new0(unsigned, soft_row_count);
    while (t.cases < cases && t.differences < MAX_REPORTS)
        run_case(&t, c, choose_row(&t));
    if (t.only == NULL)
        run_others(&t, c);
    printf("seed %lu: %llu cases of %u rows, %llu with a fault, %llu differences\n", t.seed,
           t.cases, soft_row_count, t.faults, t.differences);
    covered = coverage_check(t.completed, g_getenv("DIFF_COVERAGE") != NULL);
    g_free(t.completed);
    soft_runner_free(t.soft);
    native_free(t.native);
    g_rand_free(t.rand);
    g_free(c);
    return t.differences == 0 && (covered || t.only != NULL) ? EXIT_SUCCESS : EXIT_FAILURE;
}
