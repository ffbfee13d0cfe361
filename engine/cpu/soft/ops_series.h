/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers for several instructions in a row. */
#ifndef ENGINE_CPU_SOFT_OPS_SERIES_H
#define ENGINE_CPU_SOFT_OPS_SERIES_H

#include "engine/cpu/soft/decode.h"

/* Gives the instructions of a block, whose handlers are set, such handlers where there are some. */
void soft_series(const struct soft_decoder *decoder, uint32_t mode, struct soft_insn *insns,
                 unsigned count);

#endif
