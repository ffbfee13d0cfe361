/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A case of test_soft_diff: one instruction of the decoder's table with random operands and an UD2
 * behind it, the state that it starts from, and what the processors made of it.
 */
#ifndef TESTS_DIFF_CASE_H
#define TESTS_DIFF_CASE_H

#include <glib.h>

#include "engine/cpu/soft/decode_table.h"
#include "tests/diff/native.h"

/* Where branches go; the UD2 behind the instruction is nearer. */
#define BRANCH_TARGET 64

#define OPERAND_SIZE 704 /* the largest, an area of XSAVE, and to its alignment */

struct test_case {
    const struct soft_row *row;
    unsigned long long number;
    uint8_t code[BRANCH_TARGET + 2];
    unsigned length; /* of the instruction */
    unsigned size;   /* of its operands */
    int32_t disp;
    bool lock, repeated;
    unsigned base; /* register of the memory operand; 16: there is none */
    unsigned rm;   /* register operand, but for REX */
    struct native_state before, native, soft;
    enum native_fault native_fault, soft_fault;
    uint8_t data_before[NATIVE_DATA_SIZE], data_native[NATIVE_DATA_SIZE];
};

bool case_named(const struct test_case *c, const char *name);
/* The row's operand with this letter; NULL: there is none. */
const char *case_operand(const struct soft_row *row, char letter);
/* The memory operand in this process; NULL: there is none. */
uint8_t *case_memory(const struct test_case *c);

/* An offset for far branches, which fits some code segments of descriptors.h. */
uint64_t case_far_target(GRand *rand);

/* For c->row: the code, */
void case_make_instruction(GRand *rand, struct test_case *c);
/* then c->before, and memory, of which data_before is a copy. */
void case_make_state(GRand *rand, struct test_case *c);
/* The part of that for decode_system.def, for branches and for XSAVE. */
void case_make_system(GRand *rand, struct test_case *c);

/* The first thing in which the processors differ; NULL: they agree as far as they must. */
const char *case_difference(struct test_case *c);
void case_print(const struct test_case *c);

#endif
