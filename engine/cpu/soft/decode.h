/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From bytes to struct soft_insn. Intel SDM volume 2, chapter 2 and appendix A. */
#ifndef ENGINE_CPU_SOFT_DECODE_H
#define ENGINE_CPU_SOFT_DECODE_H

#include "engine/cpu/soft/insn.h"

enum soft_map_id { MAP_ONE, MAP_0F, MAP_0F38, MAP_0F3A, SOFT_MAPS };

/* One row of the table: see insn.h. */
struct soft_row {
    uint8_t map, opcode, prefix, mod, reg, rm;
    const char *operands;
    uint32_t flags;
    const struct soft_operation *operation;
};

/* The table with an index over it; constant once made. */
struct soft_decoder;

struct soft_decoder *soft_decoder_new(void);
void soft_decoder_free(struct soft_decoder *decoder); /* NULL is fine */

enum soft_decoded {
    SOFT_DECODED,
    SOFT_DECODE_MORE,    /* it goes on behind the given bytes */
    SOFT_DECODE_INVALID, /* #UD; ret_insn raises it */
    SOFT_DECODE_LONG,    /* more than 15 bytes: #GP(0); ret_insn raises it */
};

/* Decodes what stands at `offset` in its block. Of ret_insn all but handler is set. */
enum soft_decoded soft_decode(const struct soft_decoder *decoder, uint32_t mode, unsigned offset,
                              const uint8_t *bytes, unsigned size, struct soft_insn *ret_insn);

const struct soft_row *soft_decoder_row(const struct soft_decoder *decoder, unsigned number);
unsigned soft_decoder_rows(const struct soft_decoder *decoder);

/* The threaded handler that executes insn in code of this mode. */
soft_op *soft_decoder_handler(const struct soft_decoder *decoder, uint32_t mode,
                              const struct soft_insn *insn);

/* The one that forms have for insn's operands; NULL: none. */
soft_op *soft_decoder_form(const struct soft_decoder *decoder, const struct soft_forms *forms,
                           uint32_t mode, const struct soft_insn *insn);

#endif
