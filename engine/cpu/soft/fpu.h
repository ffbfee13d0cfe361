/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87, MMX and SSE state. Intel SDM volume 1, chapters 8 to 10 and 13.
 *
 * The host is an x86-64 processor too, so operations are computed by the host's own instructions
 * on the guest's operands and control registers: results, flags and masked responses are exact.
 */
#ifndef ENGINE_CPU_SOFT_FPU_H
#define ENGINE_CPU_SOFT_FPU_H

#include <stdbool.h>
#include <stdint.h>

union soft_xmm {
    uint8_t u8[16];
    uint16_t u16[8];
    uint32_t u32[4];
    uint64_t u64[2];
    long long v __attribute__((vector_size(16)));
} __attribute__((aligned(16)));

/* Bits of soft_fpu.status; the control word's masks are in the places of the exceptions. */
enum {
    X87_INVALID = 1 << 0,
    X87_DENORMAL = 1 << 1,
    X87_ZERO_DIVIDE = 1 << 2,
    X87_OVERFLOW = 1 << 3,
    X87_UNDERFLOW = 1 << 4,
    X87_PRECISION = 1 << 5,
    X87_EXCEPTIONS = 0x3f,
    X87_STACK_FAULT = 1 << 6,
    X87_SUMMARY = 1 << 7, /* an exception that is not masked is pending */
    X87_TOP = 7 << 11,
    X87_BUSY = 1 << 15, /* the summary once more */
};
#define X87_TOP_SHIFT 11

#define MXCSR_EXCEPTIONS 0x3fu
#define MXCSR_DAZ (1u << 6)
#define MXCSR_MASKS (MXCSR_EXCEPTIONS << MXCSR_MASK_SHIFT)
#define MXCSR_MASK_SHIFT 7
#define MXCSR_FTZ (1u << 15)
#define MXCSR_VALID 0xffffu
#define MXCSR_INITIAL 0x1f80u

#define XCR0_X87 UINT64_C(1)
#define XCR0_SSE UINT64_C(2)
#define XCR0_AVX UINT64_C(4) /* not this processor's */
#define XCR0_VALID (XCR0_X87 | XCR0_SSE)

#define CPUID_LEAF_XSAVE 0xd

struct soft_fpu {
    /* The memory image of FXSAVE64, as the host loads and stores it. */
    uint16_t control, status;
    uint8_t tags; /* a bit for each physical register: not empty */
    uint8_t reserved;
    uint16_t opcode; /* of the last instruction that left an unmasked exception */
    uint64_t ip, dp; /* offsets of the last instruction and of its operand */
    uint32_t mxcsr, mxcsr_mask;
    union soft_xmm st[8]; /* by stack position; 80 bits of each. MMX: u64[0] */
    union soft_xmm xmm[16];
    uint8_t unused[96];
    /* Behind the image. */
    uint16_t cs, ds; /* selectors that go with ip and dp */
    /* What FERR# is wired to: called when an error is pending and CR0.NE is clear. NULL: nothing.
     * Thread: the vCPU's. */
    void (*ferr)(void *opaque);
    void *ferr_opaque;
};

/* Power-up state. INIT leaves x87 and SSE alone. The hook stays as it is. */
void soft_fpu_reset(struct soft_fpu *fpu);

/* The 512 bytes of FXSAVE64, as other accelerators exchange them. Setting repairs what no
 * processor would hold: reserved bits of MXCSR and of the control word. */
void soft_fpu_get_image(const struct soft_fpu *fpu, void *image);
void soft_fpu_set_image(struct soft_fpu *fpu, const void *image);

/* Feature bits of CPUID leaf 1 that this folder implements on this host: FPU, MMX, FXSR, SSE ...
 * in EDX; SSE3 ... SSE4.2, AES, PCLMULQDQ and XSAVE in ECX (OSXSAVE is the caller's). */
uint32_t soft_fpu_cpuid_edx(void);
uint32_t soft_fpu_cpuid_ecx(void);

/* CPUID leaf 0xd: EAX, EBX, ECX, EDX. */
void soft_fpu_cpuid_xsave(uint32_t subleaf, uint32_t ret[4]);

#endif
