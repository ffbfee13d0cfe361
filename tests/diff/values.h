/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operands for differential tests: random ones among which the edges are frequent. */
#ifndef TESTS_DIFF_VALUES_H
#define TESTS_DIFF_VALUES_H

#include <glib.h>

#include "tests/diff/native.h"

uint64_t value_random64(GRand *rand);
/* One in n. */
bool value_chance(GRand *rand, unsigned n);
uint64_t value_integer(GRand *rand);
/* Fills size bytes with numbers of one kind: singles, doubles, integers. */
void value_vector(GRand *rand, void *bytes, unsigned size);
/* 10 bytes. */
void value_extended(GRand *rand, void *bytes);
/* A whole state of x87 and SSE. */
void value_fpu(GRand *rand, struct user_fpregs_struct *fpu);

#endif
