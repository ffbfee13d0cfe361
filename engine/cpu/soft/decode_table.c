/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/decode_table.h"

#define ROW(MAP, OPCODE, PREFIX, MOD, REG, RM, OPERANDS, FLAGS, OPERATION) \
    extern const struct soft_operation soft_operation_##OPERATION;
#include "engine/cpu/soft/decode_integer.def"
#include "engine/cpu/soft/decode_system.def"
#include "engine/cpu/soft/decode_x87.def"
#include "engine/cpu/soft/decode_sse.def"
#undef ROW

/* reg and rm are digits or ANY; the names are in no other use. */
#define FIELD_ANY ROW_ANY
#define FIELD_0 0
#define FIELD_1 1
#define FIELD_2 2
#define FIELD_3 3
#define FIELD_4 4
#define FIELD_5 5
#define FIELD_6 6
#define FIELD_7 7

const struct soft_row soft_rows[] = {
#define ROW(MAP, OPCODE, PREFIX, MOD, REG, RM, OPERANDS, FLAGS, OPERATION) \
    {MAP_##MAP, OPCODE,      ROW_##PREFIX,                                 \
     ROW_##MOD, FIELD_##REG, FIELD_##RM,                                   \
     OPERANDS,  FLAGS,       &soft_operation_##OPERATION},
#include "engine/cpu/soft/decode_integer.def"
#include "engine/cpu/soft/decode_system.def"
#include "engine/cpu/soft/decode_x87.def"
#include "engine/cpu/soft/decode_sse.def"
#undef ROW
};

const unsigned soft_row_count = G_N_ELEMENTS(soft_rows);
