/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MMX with its extensions by SSE and SSSE3. SDM volume 1, chapter 9. */
#include "engine/cpu/soft/ops_sse.h"

/* P = P op Q; memory of BITS. The host's own x87 registers are free: the compiler has none. */
#define MMX_PLAIN(FEATURE, NAME, BITS)                                                        \
    SOFT_OPERATION(mmx_##NAME)                                                                \
    {                                                                                         \
        uint64_t source, dest;                                                                \
                                                                                              \
        SSE_HAVE_##FEATURE(cpu);                                                              \
        soft_x87_check_pending(cpu);                                                          \
        source = insn->flags & SOFT_INSN_MEM ? soft_read_mem##BITS(cpu, insn)                 \
                                             : soft_mmx_get(cpu, insn->rm);                   \
        soft_mmx_touch(cpu);                                                                  \
        dest = soft_mmx_get(cpu, insn->reg);                                                  \
        __asm__ volatile("movq %[d], %%mm0\n" #NAME " %[s], %%mm0\nmovq %%mm0, %[d]\nemms"    \
                         : [d] "+m"(dest)                                                     \
                         : [s] "m"(source)                                                    \
                         : "mm0", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", \
                           "st(7)");                                                          \
        soft_mmx_set(cpu, insn->reg, dest);                                                   \
    }

/* MMX */
MMX_PLAIN(sse2, punpcklbw, 32)
MMX_PLAIN(sse2, punpcklwd, 32)
MMX_PLAIN(sse2, punpckldq, 32)
MMX_PLAIN(sse2, packsswb, 64)
MMX_PLAIN(sse2, pcmpgtb, 64)
MMX_PLAIN(sse2, pcmpgtw, 64)
MMX_PLAIN(sse2, pcmpgtd, 64)
MMX_PLAIN(sse2, packuswb, 64)
MMX_PLAIN(sse2, punpckhbw, 64)
MMX_PLAIN(sse2, punpckhwd, 64)
MMX_PLAIN(sse2, punpckhdq, 64)
MMX_PLAIN(sse2, packssdw, 64)
MMX_PLAIN(sse2, pcmpeqb, 64)
MMX_PLAIN(sse2, pcmpeqw, 64)
MMX_PLAIN(sse2, pcmpeqd, 64)
MMX_PLAIN(sse2, psrlw, 64)
MMX_PLAIN(sse2, psrld, 64)
MMX_PLAIN(sse2, psrlq, 64)
MMX_PLAIN(sse2, paddq, 64)
MMX_PLAIN(sse2, pmullw, 64)
MMX_PLAIN(sse2, psubusb, 64)
MMX_PLAIN(sse2, psubusw, 64)
MMX_PLAIN(sse2, pminub, 64)
MMX_PLAIN(sse2, pand, 64)
MMX_PLAIN(sse2, paddusb, 64)
MMX_PLAIN(sse2, paddusw, 64)
MMX_PLAIN(sse2, pmaxub, 64)
MMX_PLAIN(sse2, pandn, 64)
MMX_PLAIN(sse2, pavgb, 64)
MMX_PLAIN(sse2, psraw, 64)
MMX_PLAIN(sse2, psrad, 64)
MMX_PLAIN(sse2, pavgw, 64)
MMX_PLAIN(sse2, pmulhuw, 64)
MMX_PLAIN(sse2, pmulhw, 64)
MMX_PLAIN(sse2, psubsb, 64)
MMX_PLAIN(sse2, psubsw, 64)
MMX_PLAIN(sse2, pminsw, 64)
MMX_PLAIN(sse2, por, 64)
MMX_PLAIN(sse2, paddsb, 64)
MMX_PLAIN(sse2, paddsw, 64)
MMX_PLAIN(sse2, pmaxsw, 64)
MMX_PLAIN(sse2, pxor, 64)
MMX_PLAIN(sse2, psllw, 64)
MMX_PLAIN(sse2, pslld, 64)
MMX_PLAIN(sse2, psllq, 64)
MMX_PLAIN(sse2, pmuludq, 64)
MMX_PLAIN(sse2, pmaddwd, 64)
MMX_PLAIN(sse2, psadbw, 64)
MMX_PLAIN(sse2, psubb, 64)
MMX_PLAIN(sse2, psubw, 64)
MMX_PLAIN(sse2, psubd, 64)
MMX_PLAIN(sse2, psubq, 64)
MMX_PLAIN(sse2, paddb, 64)
MMX_PLAIN(sse2, paddw, 64)
MMX_PLAIN(sse2, paddd, 64)
MMX_PLAIN(ssse3, pshufb, 64)
MMX_PLAIN(ssse3, phaddw, 64)
MMX_PLAIN(ssse3, phaddd, 64)
MMX_PLAIN(ssse3, phaddsw, 64)
MMX_PLAIN(ssse3, pmaddubsw, 64)
MMX_PLAIN(ssse3, phsubw, 64)
MMX_PLAIN(ssse3, phsubd, 64)
MMX_PLAIN(ssse3, phsubsw, 64)
MMX_PLAIN(ssse3, psignb, 64)
MMX_PLAIN(ssse3, psignw, 64)
MMX_PLAIN(ssse3, psignd, 64)
MMX_PLAIN(ssse3, pmulhrsw, 64)
MMX_PLAIN(ssse3, pabsb, 64)
MMX_PLAIN(ssse3, pabsw, 64)
MMX_PLAIN(ssse3, pabsd, 64)

/* Shifts by an immediate are those of the low half of an XMM register. */
#define MMX_SHIFT(NAME)                                                   \
    SOFT_OPERATION(mmx_##NAME##_imm)                                      \
    {                                                                     \
        union soft_xmm dest, count = {.u64 = {(uint8_t)insn->imm, 0}};    \
                                                                          \
        soft_x87_check_pending(cpu);                                      \
        soft_mmx_touch(cpu);                                              \
        dest = (union soft_xmm){.u64 = {soft_mmx_get(cpu, insn->rm), 0}}; \
        __asm__(#NAME " %1, %0" : "+x"(dest.v) : "x"(count.v));           \
        soft_mmx_set(cpu, insn->rm, dest.u64[0]);                         \
    }

MMX_SHIFT(psrlw)
MMX_SHIFT(psrld)
MMX_SHIFT(psrlq)
MMX_SHIFT(psraw)
MMX_SHIFT(psrad)
MMX_SHIFT(psllw)
MMX_SHIFT(pslld)
MMX_SHIFT(psllq)

/* Q, with what all these instructions do first. */
static uint64_t source64(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    uint64_t value = 0;

    soft_x87_check_pending(cpu);
    if (insn->flags & SOFT_INSN_MEM)
        value = soft_read_mem64(cpu, insn);
    soft_mmx_touch(cpu);
    return insn->flags & SOFT_INSN_MEM ? value : soft_mmx_get(cpu, insn->rm);
}

SOFT_OPERATION(mmx_pshufw)
{
    uint64_t source = source64(cpu, insn), dest = 0;

    for (unsigned i = 0; i < 4; i++)
        dest |= (source >> (insn->imm >> i * 2 & 3) * 16 & 0xffff) << i * 16;
    soft_mmx_set(cpu, insn->reg, dest);
}

SOFT_OPERATION(mmx_palignr)
{
    uint8_t bytes[32 + 8] = {0};
    unsigned shift = MIN((uint8_t)insn->imm, 16);
    uint64_t source, dest;

    SSE_HAVE_ssse3(cpu);
    source = source64(cpu, insn);
    dest = soft_mmx_get(cpu, insn->reg);
    memcpy(bytes, &source, 8);
    memcpy(bytes + 8, &dest, 8);
    memcpy(&dest, bytes + shift, 8);
    soft_mmx_set(cpu, insn->reg, dest);
}

SOFT_OPERATION(mmx_movq)
{
    soft_mmx_set(cpu, insn->reg, source64(cpu, insn));
}

SOFT_OPERATION(mmx_movq_store)
{
    uint64_t value;

    soft_x87_check_pending(cpu);
    value = soft_mmx_get(cpu, insn->reg);
    if (insn->flags & SOFT_INSN_MEM)
        soft_write_mem64(cpu, insn, value);
    soft_mmx_touch(cpu);
    if (!(insn->flags & SOFT_INSN_MEM))
        soft_mmx_set(cpu, insn->rm, value);
}

SOFT_OPERATION(mmx_movd)
{
    uint64_t value;

    soft_x87_check_pending(cpu);
    if (!(insn->flags & SOFT_INSN_MEM))
        value = insn->size == 8 ? cpu->gpr[insn->rm] : (uint32_t)cpu->gpr[insn->rm];
    else
        value = insn->size == 8 ? soft_read_mem64(cpu, insn) : soft_read_mem32(cpu, insn);
    soft_mmx_touch(cpu);
    soft_mmx_set(cpu, insn->reg, value);
}

SOFT_OPERATION(mmx_movd_store)
{
    uint64_t value;

    soft_x87_check_pending(cpu);
    value = soft_mmx_get(cpu, insn->reg);
    if (!(insn->flags & SOFT_INSN_MEM))
        cpu->gpr[insn->rm] = insn->size == 8 ? value : (uint32_t)value;
    else if (insn->size == 8)
        soft_write_mem64(cpu, insn, value);
    else
        soft_write_mem32(cpu, insn, value);
    soft_mmx_touch(cpu);
}

SOFT_OPERATION(mmx_pmovmskb)
{
    uint64_t source = source64(cpu, insn), mask = 0;

    for (unsigned i = 0; i < 8; i++)
        mask |= (source >> (i * 8 + 7) & 1) << i;
    cpu->gpr[insn->reg] = mask;
}

SOFT_OPERATION(mmx_maskmovq)
{
    uint64_t mask, value, offset = cpu->gpr[X86_RDI] & insn->address_mask;

    soft_x87_check_pending(cpu);
    mask = soft_mmx_get(cpu, insn->rm);
    value = soft_mmx_get(cpu, insn->reg);
    soft_store_masked(cpu, insn->segment, offset, &value, &mask, 8);
    soft_mmx_touch(cpu);
}

SOFT_OPERATION(mmx_pinsrw)
{
    unsigned shift = (insn->imm & 3) * 16;
    uint64_t value;

    soft_x87_check_pending(cpu);
    value = insn->flags & SOFT_INSN_MEM ? soft_read_mem16(cpu, insn) : (uint16_t)cpu->gpr[insn->rm];
    soft_mmx_touch(cpu);
    soft_mmx_set(cpu, insn->reg,
                 (soft_mmx_get(cpu, insn->reg) & ~(UINT64_C(0xffff) << shift)) | value << shift);
}

SOFT_OPERATION(mmx_pextrw)
{
    cpu->gpr[insn->reg] = source64(cpu, insn) >> (insn->imm & 3) * 16 & 0xffff;
}

SOFT_OPERATION(emms)
{
    soft_x87_check_pending(cpu);
    soft_x87_rotate(&cpu->fpu, 0);
    cpu->fpu.tags = 0;
}
