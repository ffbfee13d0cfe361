/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The decoder's table, as rows in the order in which they count. */
#ifndef ENGINE_CPU_SOFT_DECODE_TABLE_H
#define ENGINE_CPU_SOFT_DECODE_TABLE_H

#include "engine/cpu/soft/decode.h"

/* Values of a row's prefix, mod, reg and rm, beside 0 to 7. */
enum { ROW_ANY = 8, ROW_NP, ROW_P66, ROW_PF3, ROW_PF2, ROW_MEM, ROW_REG, ROW_NONE };

extern const struct soft_row soft_rows[];
extern const unsigned soft_row_count;

#endif
