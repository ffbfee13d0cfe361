/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SSE on floating-point numbers: one line an instruction where it works on whole registers. */
#include "engine/cpu/soft/flags.h"
#include "engine/cpu/soft/ops_sse.h"

/* Floating-point arithmetic */
SSE_FLOAT(sse2, addps, 128, SSE_PS)
SSE_FLOAT(sse2, addss, 32, SSE_SS)
SSE_FLOAT(sse2, addpd, 128, SSE_PD)
SSE_FLOAT(sse2, addsd, 64, SSE_SD)
SSE_FLOAT(sse2, mulps, 128, SSE_PS)
SSE_FLOAT(sse2, mulss, 32, SSE_SS)
SSE_FLOAT(sse2, mulpd, 128, SSE_PD)
SSE_FLOAT(sse2, mulsd, 64, SSE_SD)
SSE_FLOAT(sse2, subps, 128, SSE_PS)
SSE_FLOAT(sse2, subss, 32, SSE_SS)
SSE_FLOAT(sse2, subpd, 128, SSE_PD)
SSE_FLOAT(sse2, subsd, 64, SSE_SD)
SSE_FLOAT(sse2, divps, 128, SSE_PS)
SSE_FLOAT(sse2, divss, 32, SSE_SS)
SSE_FLOAT(sse2, divpd, 128, SSE_PD)
SSE_FLOAT(sse2, divsd, 64, SSE_SD)
SSE_FLOAT(sse2, minps, 128, SSE_OTHER)
SSE_FLOAT(sse2, minss, 32, SSE_OTHER)
SSE_FLOAT(sse2, minpd, 128, SSE_OTHER)
SSE_FLOAT(sse2, minsd, 64, SSE_OTHER)
SSE_FLOAT(sse2, maxps, 128, SSE_OTHER)
SSE_FLOAT(sse2, maxss, 32, SSE_OTHER)
SSE_FLOAT(sse2, maxpd, 128, SSE_OTHER)
SSE_FLOAT(sse2, maxsd, 64, SSE_OTHER)
SSE_FLOAT(sse2, sqrtps, 128, SSE_OTHER)
SSE_FLOAT(sse2, sqrtss, 32, SSE_OTHER)
SSE_FLOAT(sse2, sqrtpd, 128, SSE_OTHER)
SSE_FLOAT(sse2, sqrtsd, 64, SSE_OTHER)
SSE_FLOAT_IMM(sse2, cmpps, 128)
SSE_FLOAT_IMM(sse2, cmpss, 32)
SSE_FLOAT_IMM(sse2, cmppd, 128)
SSE_FLOAT_IMM(sse2, cmpsd, 64)
SSE_FLOAT(sse3, haddpd, 128, SSE_PD)
SSE_FLOAT(sse3, haddps, 128, SSE_PS)
SSE_FLOAT(sse3, hsubpd, 128, SSE_PD)
SSE_FLOAT(sse3, hsubps, 128, SSE_PS)
SSE_FLOAT(sse3, addsubpd, 128, SSE_PD)
SSE_FLOAT(sse3, addsubps, 128, SSE_PS)
SSE_FLOAT_IMM(sse4_1, roundps, 128)
SSE_FLOAT_IMM(sse4_1, roundpd, 128)
SSE_FLOAT_IMM(sse4_1, roundss, 32)
SSE_FLOAT_IMM(sse4_1, roundsd, 64)

/* Conversions between vectors */
SSE_FLOAT(sse2, cvtps2pd, 64, SSE_OTHER)
SSE_FLOAT(sse2, cvtpd2ps, 128, SSE_PS)
SSE_FLOAT(sse2, cvtss2sd, 32, SSE_OTHER)
SSE_FLOAT(sse2, cvtsd2ss, 64, SSE_SS)
SSE_FLOAT(sse2, cvtdq2ps, 128, SSE_OTHER)
SSE_FLOAT(sse2, cvtps2dq, 128, SSE_OTHER)
SSE_FLOAT(sse2, cvttps2dq, 128, SSE_OTHER)
SSE_FLOAT(sse2, cvttpd2dq, 128, SSE_OTHER)
SSE_FLOAT(sse2, cvtdq2pd, 64, SSE_OTHER)
SSE_FLOAT(sse2, cvtpd2dq, 128, SSE_OTHER)

/* Approximations, logic and shuffles of floating-point numbers */
SSE_PLAIN(sse2, rsqrtps, 128)
SSE_PLAIN(sse2, rsqrtss, 32)
SSE_PLAIN(sse2, rcpps, 128)
SSE_PLAIN(sse2, rcpss, 32)
SSE_PLAIN(sse2, andps, 128)
SSE_PLAIN(sse2, andpd, 128)
SSE_PLAIN(sse2, andnps, 128)
SSE_PLAIN(sse2, andnpd, 128)
SSE_PLAIN(sse2, orps, 128)
SSE_PLAIN(sse2, orpd, 128)
SSE_PLAIN(sse2, xorps, 128)
SSE_PLAIN(sse2, xorpd, 128)
SSE_PLAIN(sse2, unpcklps, 128)
SSE_PLAIN(sse2, unpcklpd, 128)
SSE_PLAIN(sse2, unpckhps, 128)
SSE_PLAIN(sse2, unpckhpd, 128)
SSE_PLAIN_IMM(sse2, shufps, 128)
SSE_PLAIN_IMM(sse2, shufpd, 128)
SSE_PLAIN_IMM(sse4_1, blendps, 128)
SSE_PLAIN_IMM(sse4_1, blendpd, 128)

static bool is_denormal_single(uint32_t value)
{
    return (value & 0x7f800000) == 0 && value << 1 != 0;
}

static bool is_denormal_double(uint64_t value)
{
    return (value & UINT64_C(0x7ff0000000000000)) == 0 && value << 1 != 0;
}

static bool is_tiny(const union soft_xmm *result, enum sse_result kind)
{
    bool tiny = false;

    switch (kind) {
    case SSE_PS:
        for (unsigned i = 0; i < 4; i++)
            tiny = tiny || is_denormal_single(result->u32[i]);
        return tiny;
    case SSE_SS:
        return is_denormal_single(result->u32[0]);
    case SSE_PD:
        return is_denormal_double(result->u64[0]) || is_denormal_double(result->u64[1]);
    case SSE_SD:
        return is_denormal_double(result->u64[0]);
    case SSE_OTHER:
        break;
    }
    return false;
}

void soft_sse_unmasked(struct soft_cpu *cpu, uint32_t raised, const union soft_xmm *result,
                       enum sse_result kind)
{
    const uint32_t before = X87_INVALID | X87_DENORMAL | X87_ZERO_DIVIDE;
    uint32_t unmasked = ~cpu->fpu.mxcsr >> MXCSR_MASK_SHIFT & MXCSR_EXCEPTIONS;

    if (raised & unmasked & before)
        raised &= before; /* nothing was computed */
    else if (unmasked & X87_UNDERFLOW && is_tiny(result, kind))
        raised |= X87_UNDERFLOW;
    if (!(raised & unmasked))
        return;
    cpu->fpu.mxcsr |= raised;
    soft_raise(cpu, cpu->cr4 & CR4_OSXMMEXCPT ? X86_XM : X86_UD, 0);
}

/* COMISS, COMISD, UCOMISS, UCOMISD */
#define SSE_COMPARE(NAME, BITS)                                                                   \
    SOFT_OPERATION(NAME)                                                                          \
    {                                                                                             \
        union soft_xmm source = sse_source##BITS(cpu, insn), dest = *sse_reg(cpu, insn);          \
        uint32_t control = sse_control(cpu), mxcsr;                                               \
        bool zf, pf, cf;                                                                          \
                                                                                                  \
        __asm__ volatile(                                                                         \
            "ldmxcsr %[in]\n" #NAME " %[s], %[d]\nstmxcsr %[out]\nldmxcsr %[host]"                \
            : [out] "=m"(mxcsr), "=@ccz"(zf), "=@ccp"(pf), "=@ccc"(cf)                            \
            : [in] "m"(control), [host] "m"(sse_host_mxcsr), [d] "x"(dest.v), [s] "x"(source.v)); \
        sse_finish(cpu, mxcsr, &dest, SSE_OTHER);                                                 \
        soft_set_arithmetic_flags(cpu, (zf ? X86_FLAG_ZF : 0) | (pf ? X86_FLAG_PF : 0) |          \
                                           (cf ? X86_FLAG_CF : 0));                               \
    }

SSE_COMPARE(comiss, 32)
SSE_COMPARE(comisd, 64)
SSE_COMPARE(ucomiss, 32)
SSE_COMPARE(ucomisd, 64)

#define SSE_FROM_INTEGER(NAME)                                                                 \
    SOFT_OPERATION(NAME)                                                                       \
    {                                                                                          \
        union soft_xmm dest = *sse_reg(cpu, insn);                                             \
        uint32_t control = sse_control(cpu), mxcsr;                                            \
                                                                                               \
        if (insn->size == 8) {                                                                 \
            uint64_t value =                                                                   \
                insn->flags & SOFT_INSN_MEM ? soft_read_mem64(cpu, insn) : cpu->gpr[insn->rm]; \
                                                                                               \
            SSE_UNDER_MXCSR(#NAME "q %[s], %[d]", mxcsr,                                       \
                            control, [d] "+x"(dest.v), [s] "r"(value));                        \
        } else {                                                                               \
            uint32_t value =                                                                   \
                insn->flags & SOFT_INSN_MEM ? soft_read_mem32(cpu, insn) : cpu->gpr[insn->rm]; \
                                                                                               \
            SSE_UNDER_MXCSR(#NAME "l %[s], %[d]", mxcsr,                                       \
                            control, [d] "+x"(dest.v), [s] "r"(value));                        \
        }                                                                                      \
        sse_finish(cpu, mxcsr, &dest, SSE_OTHER);                                              \
        *sse_reg(cpu, insn) = dest;                                                            \
    }

SSE_FROM_INTEGER(cvtsi2ss)
SSE_FROM_INTEGER(cvtsi2sd)

#define SSE_TO_INTEGER(NAME, BITS)                                        \
    SOFT_OPERATION(NAME)                                                  \
    {                                                                     \
        union soft_xmm source = sse_source##BITS(cpu, insn);              \
        uint32_t control = sse_control(cpu), mxcsr;                       \
        uint64_t value;                                                   \
                                                                          \
        if (insn->size == 8)                                              \
            SSE_UNDER_MXCSR(#NAME " %[s], %[d]", mxcsr,                   \
                            control, [d] "=r"(value), [s] "x"(source.v)); \
        else                                                              \
            SSE_UNDER_MXCSR(#NAME " %[s], %k[d]", mxcsr,                  \
                            control, [d] "=r"(value), [s] "x"(source.v)); \
        sse_finish(cpu, mxcsr, &source, SSE_OTHER);                       \
        cpu->gpr[insn->reg] = value;                                      \
    }

SSE_TO_INTEGER(cvtss2si, 32)
SSE_TO_INTEGER(cvttss2si, 32)
SSE_TO_INTEGER(cvtsd2si, 64)
SSE_TO_INTEGER(cvttsd2si, 64)

/* To an MMX register: the two values of the instruction that leaves them in an XMM register. x87
 * is in its MMX state even when an exception follows. */
#define SSE_TO_MMX(NAME, SAME, BITS)                                                               \
    SOFT_OPERATION(NAME)                                                                           \
    {                                                                                              \
        uint32_t control = sse_control(cpu), mxcsr;                                                \
        union soft_xmm source, dest;                                                               \
                                                                                                   \
        soft_x87_check_pending(cpu);                                                               \
        source = sse_source##BITS(cpu, insn);                                                      \
        if (BITS == 64)                                                                            \
            source.u64[1] = 0;                                                                     \
        SSE_UNDER_MXCSR(#SAME " %[s], %[d]", mxcsr, control, [d] "=x"(dest.v), [s] "x"(source.v)); \
        soft_mmx_touch(cpu);                                                                       \
        sse_finish(cpu, mxcsr, &dest, SSE_OTHER);                                                  \
        soft_mmx_set(cpu, insn->reg, dest.u64[0]);                                                 \
    }

SSE_TO_MMX(cvtps2pi, cvtps2dq, 64)
SSE_TO_MMX(cvttps2pi, cvttps2dq, 64)
SSE_TO_MMX(cvtpd2pi, cvtpd2dq, 128)
SSE_TO_MMX(cvttpd2pi, cvttpd2dq, 128)

/* Q. With an operand in memory x87 is left alone (on some processors not by CVTPI2PS). */
static union soft_xmm source_mmx(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    if (insn->flags & SOFT_INSN_MEM)
        return (union soft_xmm){.u64 = {soft_read_mem64(cpu, insn), 0}};
    soft_x87_check_pending(cpu);
    soft_mmx_touch(cpu);
    return (union soft_xmm){.u64 = {soft_mmx_get(cpu, insn->rm), 0}};
}

SOFT_OPERATION(cvtpi2ps)
{
    union soft_xmm source = source_mmx(cpu, insn), dest;
    uint32_t control = sse_control(cpu), mxcsr;

    SSE_UNDER_MXCSR("cvtdq2ps %[s], %[d]", mxcsr, control, [d] "=x"(dest.v), [s] "x"(source.v));
    sse_finish(cpu, mxcsr, &dest, SSE_OTHER);
    sse_reg(cpu, insn)->u64[0] = dest.u64[0];
}

SOFT_OPERATION(cvtpi2pd)
{
    union soft_xmm source = source_mmx(cpu, insn);

    __asm__("cvtdq2pd %1, %0" : "=x"(sse_reg(cpu, insn)->v) : "x"(source.v));
}

/* The third operand is XMM0. */
#define SSE_BLEND(NAME)                                    \
    SOFT_OPERATION(NAME)                                   \
    {                                                      \
        union soft_xmm source, *dest = sse_reg(cpu, insn); \
                                                           \
        SSE_HAVE_sse4_1(cpu);                              \
        source = sse_source128(cpu, insn);                 \
        __asm__(#NAME " %%xmm0, %1, %0"                    \
                : "+&x"(dest->v)                           \
                : "x"(source.v), "Yz"(cpu->fpu.xmm[0].v)); \
    }

SSE_BLEND(pblendvb)
SSE_BLEND(blendvps)
SSE_BLEND(blendvpd)

/* From memory there is one number; from a register one of four. */
SOFT_OPERATION(insertps)
{
    union soft_xmm *dest = sse_reg(cpu, insn);
    unsigned imm = insn->imm;
    uint32_t value;

    SSE_HAVE_sse4_1(cpu);
    value = insn->flags & SOFT_INSN_MEM ? soft_read_mem32(cpu, insn)
                                        : sse_rm(cpu, insn)->u32[imm >> 6 & 3];
    dest->u32[imm >> 4 & 3] = value;
    for (unsigned i = 0; i < 4; i++) {
        if (imm >> i & 1)
            dest->u32[i] = 0;
    }
}

/*
 * Dot products: multiplications, then sums of pairs, then their sum. Each step raises its unmasked
 * exceptions before the next one computes, so these need the steps one by one.
 */
#define SSE_STEP(CPU, CODE, DEST, SOURCE, RESULT)                               \
    do {                                                                        \
        uint32_t step_control = sse_control(CPU), step_mxcsr;                   \
                                                                                \
        SSE_UNDER_MXCSR(CODE " %[s], %[d]", step_mxcsr,                         \
                        step_control, [d] "+x"((DEST).v), [s] "x"((SOURCE).v)); \
        sse_finish(CPU, step_mxcsr, &(DEST), RESULT);                           \
    } while (0)

static bool all_masked(const struct soft_cpu *cpu)
{
    return (cpu->fpu.mxcsr & MXCSR_MASKS) == MXCSR_MASKS;
}

static void raise_dpps(struct soft_cpu *cpu, unsigned imm, union soft_xmm a, union soft_xmm b)
{
    union soft_xmm high;

    for (unsigned i = 0; i < 4; i++) {
        if (!(imm >> (4 + i) & 1))
            a.u32[i] = b.u32[i] = 0;
    }
    SSE_STEP(cpu, "mulps", a, b, SSE_PS);
    high = (union soft_xmm){.u32 = {a.u32[1], 0, a.u32[3], 0}};
    a = (union soft_xmm){.u32 = {a.u32[0], 0, a.u32[2], 0}};
    SSE_STEP(cpu, "addps", a, high, SSE_PS);
    high = (union soft_xmm){.u32 = {a.u32[2]}};
    SSE_STEP(cpu, "addss", a, high, SSE_SS);
}

static void raise_dppd(struct soft_cpu *cpu, unsigned imm, union soft_xmm a, union soft_xmm b)
{
    union soft_xmm high;

    for (unsigned i = 0; i < 2; i++) {
        if (!(imm >> (4 + i) & 1))
            a.u64[i] = b.u64[i] = 0;
    }
    SSE_STEP(cpu, "mulpd", a, b, SSE_PD);
    high = (union soft_xmm){.u64 = {a.u64[1]}};
    SSE_STEP(cpu, "addsd", a, high, SSE_SD);
}

#define SSE_DOT_PRODUCT(NAME)                               \
    SSE_THUNKS(NAME)                                        \
    SOFT_OPERATION(NAME)                                    \
    {                                                       \
        union soft_xmm source, dest = *sse_reg(cpu, insn);  \
                                                            \
        SSE_HAVE_sse4_1(cpu);                               \
        source = sse_source128(cpu, insn);                  \
        if (G_UNLIKELY(!all_masked(cpu)))                   \
            raise_##NAME(cpu, insn->imm, dest, source);     \
        SSE_RUN_FLOAT_THUNK(NAME, cpu, insn, dest, source); \
    }

SSE_DOT_PRODUCT(dpps)
SSE_DOT_PRODUCT(dppd)
