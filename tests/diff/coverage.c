/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/diff/coverage.h"

#include <stdio.h>
#include <string.h>

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

/* Where makers differ most, the software CPU does as Intel's. */
static bool is_of_other_maker(const struct soft_row *row)
{
    unsigned number = row - soft_rows;

    return !__builtin_cpu_is("intel") && number >= INTEGER_ROWS &&
           number < INTEGER_ROWS + SYSTEM_ROWS;
}

static bool is_one_of(const struct soft_row *row, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcmp(row->operation->name, *names) == 0)
            return true;
    }
    return false;
}

bool coverage_leaves_out(const struct soft_row *row)
{
    static const char *const names[] = {
        "syscall", "sysenter", /* calls of the kernel */
        "sgdt",    "sidt",     "sldt",
        "smsw",    "str", /* CR4.UMIP is the kernel's, which may answer */
        NULL,
    };

    return is_one_of(row, names) || is_of_other_maker(row);
}

const char *coverage_directed_test(const struct soft_row *row)
{
    static const struct {
        const char *operation, *test;
    } table[] = {
#define DIRECTED(OPERATION, SUITE, TEST) {#OPERATION, #SUITE ": " #TEST},
#include "tests/diff/directed.def"
#undef DIRECTED
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
        if (strcmp(row->operation->name, table[i].operation) == 0)
            return table[i].test;
    }
    return NULL;
}

bool coverage_check(const unsigned *completed, bool all)
{
    unsigned compared = 0, directed = 0, none = 0;

    for (unsigned i = 0; i < soft_row_count; i++) {
        const struct soft_row *row = &soft_rows[i];
        const char *test = completed[i] == 0 ? coverage_directed_test(row) : NULL;
        bool missing = completed[i] == 0 && test == NULL && !is_of_other_maker(row);

        compared += completed[i] != 0;
        directed += test != NULL;
        none += missing;
        if (all || missing)
            printf("%8u  %02x %s (%s) %s\n", completed[i], row->opcode, row->operation->name,
                   row->operands,
                   missing        ? "NOT TESTED"
                   : test != NULL ? test
                                  : "");
    }
    printf("%u of %u rows compared, %u tested by directed tests, %u by none\n", compared,
           soft_row_count, directed, none);
    return none == 0;
}
