/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x87, MMX and SSE state. Intel SDM volume 1, chapters 8 to 10 and 13. */
#ifndef ENGINE_CPU_SOFT_FPU_H
#define ENGINE_CPU_SOFT_FPU_H

#include <stdint.h>

union soft_xmm {
    uint8_t u8[16];
    uint16_t u16[8];
    uint32_t u32[4];
    uint64_t u64[2];
} __attribute__((aligned(16)));

struct soft_fpu {
    union soft_xmm xmm[16];
    uint32_t mxcsr;
};

#endif
