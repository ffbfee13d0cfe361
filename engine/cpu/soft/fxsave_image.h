/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The image of FXSAVE, which is also the legacy part of XSAVE's area. SDM volume 1, 10.5. */
#ifndef ENGINE_CPU_SOFT_FXSAVE_IMAGE_H
#define ENGINE_CPU_SOFT_FXSAVE_IMAGE_H

#include "engine/cpu/soft/fpu_internal.h"

/* Offsets in the image; the parts for x87 and MXCSR are in struct soft_fpu at the same places. */
#define IMAGE_IP 8
#define IMAGE_MXCSR 24
#define IMAGE_ST 32
#define IMAGE_XMM 160
#define IMAGE_XMM8 (IMAGE_XMM + 8 * 16)
#define IMAGE_END (IMAGE_XMM + 16 * 16)
#define FXSAVE_SIZE 512

/* How much of the registers there is: eight XMM registers outside 64-bit mode. */
static inline unsigned soft_image_end(const struct soft_cpu *cpu)
{
    return cpu->mode & SOFT_MODE_CODE64 ? IMAGE_END : IMAGE_XMM8;
}

static inline uint32_t soft_image_mxcsr(const uint8_t *image)
{
    uint32_t mxcsr;

    memcpy(&mxcsr, image + IMAGE_MXCSR, sizeof(mxcsr));
    return mxcsr;
}

/* The x87 part: bytes 0 to 23, and 32 to 159. */
void soft_image_put_x87(const struct soft_cpu *cpu, const struct soft_insn *insn, uint8_t *image);
void soft_image_take_x87(struct soft_cpu *cpu, const struct soft_insn *insn, const uint8_t *image);

#endif
