/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same code as native.h runs, on the software CPU: 64-bit user mode, the same memory. */
#ifndef TESTS_DIFF_SOFT_RUNNER_H
#define TESTS_DIFF_SOFT_RUNNER_H

#include "tests/diff/native.h"

struct soft_runner;

/* After native_new(): the memory is that one's. `ldt`: the child has one too. */
struct soft_runner *soft_runner_new(bool ldt);
void soft_runner_free(struct soft_runner *runner); /* NULL is fine */

/* Puts bytes at NATIVE_CODE as a device would. */
void soft_runner_set_code(struct soft_runner *runner, const void *code, unsigned size);

/* Runs what is at state->rip up to a fault; `single`: from blocks of one instruction. */
enum native_fault soft_runner_run(struct soft_runner *runner, struct native_state *state,
                                  bool single);

#endif
