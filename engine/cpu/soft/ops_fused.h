/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers for two instructions at once. */
#ifndef ENGINE_CPU_SOFT_OPS_FUSED_H
#define ENGINE_CPU_SOFT_OPS_FUSED_H

#include "engine/cpu/soft/decode.h"

/* The handler that executes insn and the conditional jump insn[1]; NULL: there is none. */
soft_op *soft_fused_handler(const struct soft_decoder *decoder, uint32_t mode,
                            const struct soft_insn *insn);

#endif
