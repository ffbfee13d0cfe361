/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/diff/coverage.h"

#include <stdio.h>
#include <string.h>

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

    return is_one_of(row, names);
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
    unsigned compared = 0, directed = 0;

    for (unsigned i = 0; i < soft_row_count; i++) {
        const struct soft_row *row = &soft_rows[i];
        const char *test = completed[i] == 0 ? coverage_directed_test(row) : NULL;
        bool missing = completed[i] == 0 && test == NULL;

        compared += completed[i] != 0;
        directed += test != NULL;
        if (all || missing)
            printf("%8u  %02x %s (%s) %s\n", completed[i], row->opcode, row->operation->name,
                   row->operands,
                   missing        ? "NOT TESTED"
                   : test != NULL ? test
                                  : "");
    }
    printf("%u of %u rows compared, %u tested by directed tests, %u by none\n", compared,
           soft_row_count, directed, soft_row_count - compared - directed);
    return compared + directed == soft_row_count;
}
