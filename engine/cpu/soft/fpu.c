/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/fpu_internal.h"

#include <stddef.h>

#define FXSAVE_SIZE 512
#define XSAVE_HEADER_SIZE 64

G_STATIC_ASSERT(offsetof(struct soft_fpu, st) == 32);
G_STATIC_ASSERT(offsetof(struct soft_fpu, xmm) == 160);
G_STATIC_ASSERT(offsetof(struct soft_fpu, cs) == FXSAVE_SIZE);

void soft_x87_settle(struct soft_fpu *fpu)
{
    fpu->control = (fpu->control & 0x1f3f) | 0x40;
    fpu->status &= ~(X87_SUMMARY | X87_BUSY);
    if (fpu->status & ~fpu->control & X87_EXCEPTIONS)
        fpu->status |= X87_SUMMARY | X87_BUSY;
}

void soft_x87_init(struct soft_fpu *fpu)
{
    soft_x87_rotate(fpu, 0);
    fpu->control = 0x37f;
    fpu->status = 0;
    fpu->tags = 0;
    fpu->opcode = 0;
    fpu->ip = fpu->dp = 0;
    fpu->cs = fpu->ds = 0;
}

void soft_fpu_reset(struct soft_fpu *fpu)
{
    memset(fpu, 0, FXSAVE_SIZE);
    fpu->control = 0x40;
    fpu->tags = 0xff;
    fpu->mxcsr = MXCSR_INITIAL;
    fpu->mxcsr_mask = MXCSR_VALID;
    fpu->cs = fpu->ds = 0;
}

void soft_fpu_get_image(const struct soft_fpu *fpu, void *image)
{
    memcpy(image, fpu, FXSAVE_SIZE);
}

void soft_fpu_set_image(struct soft_fpu *fpu, const void *image)
{
    memcpy(fpu, image, FXSAVE_SIZE);
    fpu->mxcsr &= MXCSR_VALID;
    fpu->mxcsr_mask = MXCSR_VALID;
    fpu->reserved = 0;
    for (unsigned i = 0; i < 8; i++)
        fpu->st[i].u64[1] &= 0xffff;
    fpu->cs = fpu->ds = 0;
    soft_x87_settle(fpu);
}

uint32_t soft_fpu_cpuid_edx(void)
{
    /* FPU, MMX, FXSR, SSE, SSE2 */
    return 1u << 0 | 1u << 23 | 1u << 24 | 1u << 25 | 1u << 26;
}

uint32_t soft_fpu_cpuid_ecx(void)
{
    return (__builtin_cpu_supports("sse3") ? 1u << 0 : 0) |
           (__builtin_cpu_supports("pclmul") ? 1u << 1 : 0) |
           (__builtin_cpu_supports("ssse3") ? 1u << 9 : 0) |
           (__builtin_cpu_supports("sse4.1") ? 1u << 19 : 0) |
           (__builtin_cpu_supports("sse4.2") ? 1u << 20 : 0) |
           (__builtin_cpu_supports("aes") ? 1u << 25 : 0) | 1u << 26;
}

void soft_fpu_cpuid_xsave(uint32_t subleaf, uint32_t ret[4])
{
    memset(ret, 0, 4 * sizeof(ret[0]));
    if (subleaf == 0) {
        ret[0] = XCR0_VALID;
        /* Both components live in the legacy part, whatever is enabled. */
        ret[1] = ret[2] = FXSAVE_SIZE + XSAVE_HEADER_SIZE;
    } else if (subleaf == 1) {
        ret[0] = 1 | 2; /* XSAVEOPT, XSAVEC */
        ret[1] = FXSAVE_SIZE + XSAVE_HEADER_SIZE;
    }
}
