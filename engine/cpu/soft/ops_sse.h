/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Families of SSE operations. Each executes the host's instruction of the same name; those on
 * floating-point numbers do so under the guest's MXCSR. SDM volume 1, chapters 10 to 12.
 */
#ifndef ENGINE_CPU_SOFT_OPS_SSE_H
#define ENGINE_CPU_SOFT_OPS_SSE_H

#include "engine/cpu/soft/fpu_internal.h"

static inline union soft_xmm *sse_reg(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return &cpu->fpu.xmm[insn->reg];
}

static inline union soft_xmm *sse_rm(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return &cpu->fpu.xmm[insn->rm];
}

/* The source operand; what memory does not give is 0. */
static inline union soft_xmm sse_source128(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    union soft_xmm value;

    if (!(insn->flags & SOFT_INSN_MEM))
        return *sse_rm(cpu, insn);
    soft_load128(cpu, soft_linear_aligned(cpu, insn, 16, 16, SOFT_READ), &value);
    return value;
}

static inline union soft_xmm sse_source128_unaligned(struct soft_cpu *cpu,
                                                     const struct soft_insn *insn)
{
    union soft_xmm value;

    if (!(insn->flags & SOFT_INSN_MEM))
        return *sse_rm(cpu, insn);
    soft_load128(cpu, soft_linear(cpu, insn, 16, SOFT_READ), &value);
    return value;
}

#define SSE_DEFINE_SOURCE(BITS)                                                   \
    static inline union soft_xmm sse_source##BITS(struct soft_cpu *cpu,           \
                                                  const struct soft_insn *insn) { \
        if (!(insn->flags & SOFT_INSN_MEM))                                       \
            return *sse_rm(cpu, insn);                                            \
        return (union soft_xmm){.u64 = {soft_read_mem##BITS(cpu, insn), 0}};      \
    }
SSE_DEFINE_SOURCE(16)
SSE_DEFINE_SOURCE(32)
SSE_DEFINE_SOURCE(64)

/* Floating-point exceptions: with an unmasked one the destination keeps its value. */

/* What a result consists of, for underflow that is exact: only unmasked is that an exception. */
enum sse_result { SSE_OTHER, SSE_PS, SSE_SS, SSE_PD, SSE_SD };

/* Takes account of an exception that may be unmasked; raises it if so. */
void soft_sse_unmasked(struct soft_cpu *cpu, uint32_t raised, const union soft_xmm *result,
                       enum sse_result kind);

/* What the host runs with: no exception of its own, and no flag set yet. */
static inline uint32_t sse_control(const struct soft_cpu *cpu)
{
    uint32_t mxcsr = (cpu->fpu.mxcsr & ~MXCSR_EXCEPTIONS) | MXCSR_MASKS;

    /* Unmasked underflow is not flushed. */
    if (!(cpu->fpu.mxcsr & X87_UNDERFLOW << MXCSR_MASK_SHIFT))
        mxcsr &= ~MXCSR_FTZ;
    return mxcsr;
}

static inline void sse_finish(struct soft_cpu *cpu, uint32_t mxcsr, const union soft_xmm *result,
                              enum sse_result kind)
{
    uint32_t raised = mxcsr & MXCSR_EXCEPTIONS;
    uint32_t unmasked = ~cpu->fpu.mxcsr >> MXCSR_MASK_SHIFT & MXCSR_EXCEPTIONS;

    if (G_UNLIKELY(unmasked & (raised | X87_UNDERFLOW)))
        soft_sse_unmasked(cpu, raised, result, kind);
    cpu->fpu.mxcsr |= raised;
}

/* The host's own MXCSR; nothing in the engine sets another one. */
static const uint32_t sse_host_mxcsr = MXCSR_INITIAL;

/* Runs CODE under `control`; operands by name: [in], [out] and [host] are taken. */
#define SSE_UNDER_MXCSR(CODE, MXCSR, CONTROL, OUTPUTS, ...)                     \
    __asm__ volatile("ldmxcsr %[in]\n" CODE "\nstmxcsr %[out]\nldmxcsr %[host]" \
                     : [out] "=m"(MXCSR), OUTPUTS                               \
                     : [in] "m"(CONTROL), [host] "m"(sse_host_mxcsr), __VA_ARGS__)

/* FEATURE: the extension that the host must have; all have sse2. */
#define SSE_HAVE_sse2(CPU)
#define SSE_HAVE_sse3(CPU) SOFT_NEED_HOST(CPU, "sse3")
#define SSE_HAVE_ssse3(CPU) SOFT_NEED_HOST(CPU, "ssse3")
#define SSE_HAVE_sse4_1(CPU) SOFT_NEED_HOST(CPU, "sse4.1")
#define SSE_HAVE_sse4_2(CPU) SOFT_NEED_HOST(CPU, "sse4.2")
#define SSE_HAVE_aes(CPU) SOFT_NEED_HOST(CPU, "aes")
#define SSE_HAVE_pclmul(CPU) SOFT_NEED_HOST(CPU, "pclmul")

/* Whole registers, no floating-point exceptions; memory of BITS. */
#define SSE_PLAIN(FEATURE, NAME, BITS)                                        \
    SOFT_OPERATION(NAME)                                                      \
    {                                                                         \
        union soft_xmm source, *dest = sse_reg(cpu, insn);                    \
                                                                              \
        SSE_HAVE_##FEATURE(cpu);                                              \
        source = sse_source##BITS(cpu, insn);                                 \
        __asm__(#NAME " %[s], %[d]" : [d] "+x"(dest->v) : [s] "x"(source.v)); \
    }

/* Floating-point arithmetic. */
#define SSE_FLOAT(FEATURE, NAME, BITS, RESULT)                                                     \
    SOFT_OPERATION(NAME)                                                                           \
    {                                                                                              \
        uint32_t control = sse_control(cpu), mxcsr;                                                \
        union soft_xmm source, dest = *sse_reg(cpu, insn);                                         \
                                                                                                   \
        SSE_HAVE_##FEATURE(cpu);                                                                   \
        source = sse_source##BITS(cpu, insn);                                                      \
        SSE_UNDER_MXCSR(#NAME " %[s], %[d]", mxcsr, control, [d] "+x"(dest.v), [s] "x"(source.v)); \
        sse_finish(cpu, mxcsr, &dest, RESULT);                                                     \
        *sse_reg(cpu, insn) = dest;                                                                \
    }

/*
 * Instructions with an immediate: 256 functions of 8 bytes, since it is part of the instruction.
 * They work on %xmm0 and %xmm1.
 */
#define SSE_THUNKS(NAME)                                         \
    extern const uint8_t soft_sse_thunks_##NAME[];               \
    __asm__(".pushsection .text\n"                               \
            ".balign 8\n"                                        \
            "soft_sse_thunks_" #NAME ":\n"                       \
            ".set soft_sse_imm, 0\n"                             \
            ".rept 256\n"                                        \
            ".balign 8\n" #NAME " $soft_sse_imm, %xmm1, %xmm0\n" \
            "ret\n"                                              \
            ".set soft_sse_imm, soft_sse_imm + 1\n"              \
            ".endr\n"                                            \
            ".popsection\n");

/* Calls one of them, keeping off the red zone. */
#define SSE_CALL "lea -128(%%rsp), %%rsp\ncall *%[thunk]\nlea 128(%%rsp), %%rsp"

#define SSE_RUN_THUNK(NAME, IMM, DEST, SOURCE)                                            \
    do {                                                                                  \
        union soft_xmm first = (DEST), second = (SOURCE);                                 \
        register __typeof__(first.v) d __asm__("xmm0") = first.v;                         \
        register __typeof__(first.v) s __asm__("xmm1") = second.v;                        \
                                                                                          \
        __asm__ volatile(SSE_CALL                                                         \
                         : "+x"(d)                                                        \
                         : "x"(s), [thunk] "r"(soft_sse_thunks_##NAME + (uint8_t)(IMM)*8) \
                         : "cc", "memory");                                               \
        (DEST).v = d;                                                                     \
    } while (0)

#define SSE_PLAIN_IMM(FEATURE, NAME, BITS)                           \
    SSE_THUNKS(NAME)                                                 \
    SOFT_OPERATION(NAME)                                             \
    {                                                                \
        union soft_xmm source;                                       \
                                                                     \
        SSE_HAVE_##FEATURE(cpu);                                     \
        source = sse_source##BITS(cpu, insn);                        \
        SSE_RUN_THUNK(NAME, insn->imm, *sse_reg(cpu, insn), source); \
    }

/* The same under the guest's MXCSR, with the end of the instruction. */
#define SSE_RUN_FLOAT_THUNK(NAME, CPU, INSN, DEST, SOURCE)                              \
    do {                                                                                \
        const uint8_t *thunk = soft_sse_thunks_##NAME + (uint8_t)(INSN)->imm * 8;       \
        uint32_t control = sse_control(CPU), mxcsr;                                     \
        register __typeof__((DEST).v) d __asm__("xmm0") = (DEST).v;                     \
        register __typeof__((DEST).v) s __asm__("xmm1") = (SOURCE).v;                   \
                                                                                        \
        SSE_UNDER_MXCSR(SSE_CALL, mxcsr, control, "+x"(d), "x"(s), [thunk] "r"(thunk)); \
        (DEST).v = d;                                                                   \
        sse_finish(CPU, mxcsr, &(DEST), SSE_OTHER);                                     \
        *sse_reg(CPU, INSN) = (DEST);                                                   \
    } while (0)

#define SSE_FLOAT_IMM(FEATURE, NAME, BITS)                  \
    SSE_THUNKS(NAME)                                        \
    SOFT_OPERATION(NAME)                                    \
    {                                                       \
        union soft_xmm source, dest = *sse_reg(cpu, insn);  \
                                                            \
        SSE_HAVE_##FEATURE(cpu);                            \
        source = sse_source##BITS(cpu, insn);               \
        SSE_RUN_FLOAT_THUNK(NAME, cpu, insn, dest, source); \
    }

#endif
