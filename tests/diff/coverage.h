/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands for each row of the decoder's table: it runs to its end on the host's processor too,
 * or directed.def names a test of its own.
 */
#ifndef TESTS_DIFF_COVERAGE_H
#define TESTS_DIFF_COVERAGE_H

#include <stdbool.h>

#include "engine/cpu/soft/decode_table.h"

/* A process of Linux cannot compare it, not even its fault. */
bool coverage_leaves_out(const struct soft_row *row);

/* A test of the unit tests; NULL: there is none. */
const char *coverage_directed_test(const struct soft_row *row);

/* `completed`: how often each row ran to its end. Prints the rows that nothing stands for, and with
 * `all` the others. True: there are none. */
bool coverage_check(const unsigned *completed, bool all);

#endif
