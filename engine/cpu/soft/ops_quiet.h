/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers that set no flags, for where nobody would see them. */
#ifndef ENGINE_CPU_SOFT_OPS_QUIET_H
#define ENGINE_CPU_SOFT_OPS_QUIET_H

#include "engine/cpu/soft/decode.h"

/* Gives the instructions of a block, whose handlers are set, quiet ones where that is possible. */
void soft_quiet(const struct soft_decoder *decoder, uint32_t mode, struct soft_insn *insns,
                unsigned count);

#endif
