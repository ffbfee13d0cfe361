/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SSE on integers, one line an instruction. */
#include "engine/cpu/soft/ops_sse.h"

/* Integers, SSE2 */
SSE_PLAIN(sse2, punpcklbw, 128)
SSE_PLAIN(sse2, punpcklwd, 128)
SSE_PLAIN(sse2, punpckldq, 128)
SSE_PLAIN(sse2, packsswb, 128)
SSE_PLAIN(sse2, pcmpgtb, 128)
SSE_PLAIN(sse2, pcmpgtw, 128)
SSE_PLAIN(sse2, pcmpgtd, 128)
SSE_PLAIN(sse2, packuswb, 128)
SSE_PLAIN(sse2, punpckhbw, 128)
SSE_PLAIN(sse2, punpckhwd, 128)
SSE_PLAIN(sse2, punpckhdq, 128)
SSE_PLAIN(sse2, packssdw, 128)
SSE_PLAIN(sse2, pcmpeqb, 128)
SSE_PLAIN(sse2, pcmpeqw, 128)
SSE_PLAIN(sse2, pcmpeqd, 128)
SSE_PLAIN(sse2, psrlw, 128)
SSE_PLAIN(sse2, psrld, 128)
SSE_PLAIN(sse2, psrlq, 128)
SSE_PLAIN(sse2, paddq, 128)
SSE_PLAIN(sse2, pmullw, 128)
SSE_PLAIN(sse2, psubusb, 128)
SSE_PLAIN(sse2, psubusw, 128)
SSE_PLAIN(sse2, pminub, 128)
SSE_PLAIN(sse2, pand, 128)
SSE_PLAIN(sse2, paddusb, 128)
SSE_PLAIN(sse2, paddusw, 128)
SSE_PLAIN(sse2, pmaxub, 128)
SSE_PLAIN(sse2, pandn, 128)
SSE_PLAIN(sse2, pavgb, 128)
SSE_PLAIN(sse2, psraw, 128)
SSE_PLAIN(sse2, psrad, 128)
SSE_PLAIN(sse2, pavgw, 128)
SSE_PLAIN(sse2, pmulhuw, 128)
SSE_PLAIN(sse2, pmulhw, 128)
SSE_PLAIN(sse2, psubsb, 128)
SSE_PLAIN(sse2, psubsw, 128)
SSE_PLAIN(sse2, pminsw, 128)
SSE_PLAIN(sse2, por, 128)
SSE_PLAIN(sse2, paddsb, 128)
SSE_PLAIN(sse2, paddsw, 128)
SSE_PLAIN(sse2, pmaxsw, 128)
SSE_PLAIN(sse2, pxor, 128)
SSE_PLAIN(sse2, psllw, 128)
SSE_PLAIN(sse2, pslld, 128)
SSE_PLAIN(sse2, psllq, 128)
SSE_PLAIN(sse2, pmuludq, 128)
SSE_PLAIN(sse2, pmaddwd, 128)
SSE_PLAIN(sse2, psadbw, 128)
SSE_PLAIN(sse2, psubb, 128)
SSE_PLAIN(sse2, psubw, 128)
SSE_PLAIN(sse2, psubd, 128)
SSE_PLAIN(sse2, psubq, 128)
SSE_PLAIN(sse2, paddb, 128)
SSE_PLAIN(sse2, paddw, 128)
SSE_PLAIN(sse2, paddd, 128)
SSE_PLAIN(sse2, punpcklqdq, 128)
SSE_PLAIN(sse2, punpckhqdq, 128)
SSE_PLAIN_IMM(sse2, pshufd, 128)
SSE_PLAIN_IMM(sse2, pshufhw, 128)
SSE_PLAIN_IMM(sse2, pshuflw, 128)

/* Integers, SSSE3 */
SSE_PLAIN(ssse3, pshufb, 128)
SSE_PLAIN(ssse3, phaddw, 128)
SSE_PLAIN(ssse3, phaddd, 128)
SSE_PLAIN(ssse3, phaddsw, 128)
SSE_PLAIN(ssse3, pmaddubsw, 128)
SSE_PLAIN(ssse3, phsubw, 128)
SSE_PLAIN(ssse3, phsubd, 128)
SSE_PLAIN(ssse3, phsubsw, 128)
SSE_PLAIN(ssse3, psignb, 128)
SSE_PLAIN(ssse3, psignw, 128)
SSE_PLAIN(ssse3, psignd, 128)
SSE_PLAIN(ssse3, pmulhrsw, 128)
SSE_PLAIN(ssse3, pabsb, 128)
SSE_PLAIN(ssse3, pabsw, 128)
SSE_PLAIN(ssse3, pabsd, 128)
SSE_PLAIN_IMM(ssse3, palignr, 128)

/* Integers, SSE4.1 and SSE4.2 */
SSE_PLAIN(sse4_1, pmovsxbw, 64)
SSE_PLAIN(sse4_1, pmovzxbw, 64)
SSE_PLAIN(sse4_1, pmovsxbd, 32)
SSE_PLAIN(sse4_1, pmovzxbd, 32)
SSE_PLAIN(sse4_1, pmovsxbq, 16)
SSE_PLAIN(sse4_1, pmovzxbq, 16)
SSE_PLAIN(sse4_1, pmovsxwd, 64)
SSE_PLAIN(sse4_1, pmovzxwd, 64)
SSE_PLAIN(sse4_1, pmovsxwq, 32)
SSE_PLAIN(sse4_1, pmovzxwq, 32)
SSE_PLAIN(sse4_1, pmovsxdq, 64)
SSE_PLAIN(sse4_1, pmovzxdq, 64)
SSE_PLAIN(sse4_1, pmuldq, 128)
SSE_PLAIN(sse4_1, pcmpeqq, 128)
SSE_PLAIN(sse4_1, packusdw, 128)
SSE_PLAIN(sse4_1, pminsb, 128)
SSE_PLAIN(sse4_1, pminsd, 128)
SSE_PLAIN(sse4_1, pminuw, 128)
SSE_PLAIN(sse4_1, pminud, 128)
SSE_PLAIN(sse4_1, pmaxsb, 128)
SSE_PLAIN(sse4_1, pmaxsd, 128)
SSE_PLAIN(sse4_1, pmaxuw, 128)
SSE_PLAIN(sse4_1, pmaxud, 128)
SSE_PLAIN(sse4_1, pmulld, 128)
SSE_PLAIN(sse4_1, phminposuw, 128)
SSE_PLAIN(sse4_2, pcmpgtq, 128)
SSE_PLAIN_IMM(sse4_1, pblendw, 128)
SSE_PLAIN_IMM(sse4_1, mpsadbw, 128)

/* AES and carry-less multiplication */
SSE_PLAIN(aes, aesimc, 128)
SSE_PLAIN(aes, aesenc, 128)
SSE_PLAIN(aes, aesenclast, 128)
SSE_PLAIN(aes, aesdec, 128)
SSE_PLAIN(aes, aesdeclast, 128)
SSE_PLAIN_IMM(aes, aeskeygenassist, 128)
SSE_PLAIN_IMM(pclmul, pclmulqdq, 128)

/* Shifts by an immediate are those by a register that holds it. */
#define SSE_SHIFT(NAME)                                                       \
    SOFT_OPERATION(NAME##_imm)                                                \
    {                                                                         \
        union soft_xmm count = {.u64 = {(uint8_t)insn->imm, 0}};              \
                                                                              \
        __asm__(#NAME " %1, %0" : "+x"(sse_rm(cpu, insn)->v) : "x"(count.v)); \
    }

SSE_SHIFT(psrlw)
SSE_SHIFT(psrld)
SSE_SHIFT(psrlq)
SSE_SHIFT(psraw)
SSE_SHIFT(psrad)
SSE_SHIFT(psllw)
SSE_SHIFT(pslld)
SSE_SHIFT(psllq)

SOFT_OPERATION(psrldq)
{
    union soft_xmm *dest = sse_rm(cpu, insn), value = {0};
    unsigned count = MIN((uint8_t)insn->imm, 16);

    memcpy(value.u8, dest->u8 + count, 16 - count);
    *dest = value;
}

SOFT_OPERATION(pslldq)
{
    union soft_xmm *dest = sse_rm(cpu, insn), value = {0};
    unsigned count = MIN((uint8_t)insn->imm, 16);

    memcpy(value.u8 + count, dest->u8, 16 - count);
    *dest = value;
}
