/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCMPxSTRx, CRC32 and PTEST: what gives flags or general registers. SDM volume 1, 12.10. */
#include "engine/cpu/soft/flags.h"
#include "engine/cpu/soft/ops_sse.h"

SSE_THUNKS(pcmpestri)
SSE_THUNKS(pcmpestrm)
SSE_THUNKS(pcmpistri)
SSE_THUNKS(pcmpistrm)

struct string_result {
    union soft_xmm mask;
    uint64_t index, flags;
};

/* A length of an explicit string: beyond 16 elements its size does not matter. */
static uint64_t string_length(const struct soft_insn *insn, uint64_t reg)
{
    if (!(insn->flags & SOFT_INSN_REX_W))
        return (uint32_t)reg;
    return (uint32_t)CLAMP((int64_t)reg, -0x1000, 0x1000);
}

static struct string_result compare_strings(struct soft_cpu *cpu, const struct soft_insn *insn,
                                            const uint8_t *thunks)
{
    const uint8_t *thunk = thunks + (uint8_t)insn->imm * 8;
    uint64_t length1 = string_length(insn, cpu->gpr[X86_RAX]);
    uint64_t length2 = string_length(insn, cpu->gpr[X86_RDX]);
    struct string_result r = {0};
    union soft_xmm source, dest;

    SSE_HAVE_sse4_2(cpu);
    source = sse_source128_unaligned(cpu, insn);
    dest = *sse_reg(cpu, insn);
    {
        register __typeof__(dest.v) d __asm__("xmm0") = dest.v;
        register __typeof__(dest.v) s __asm__("xmm1") = source.v;

        __asm__ volatile("lea -128(%%rsp), %%rsp\n"
                         "call *%[thunk]\n"
                         "pushfq\n"
                         "pop %[flags]\n"
                         "lea 128(%%rsp), %%rsp"
                         : "+x"(d), "+c"(r.index), [flags] "=&r"(r.flags)
                         : "x"(s), [thunk] "r"(thunk), "a"(length1), "d"(length2)
                         : "memory");
        r.mask.v = d;
    }
    soft_set_arithmetic_flags(cpu, r.flags);
    return r;
}

SOFT_OPERATION(pcmpestri)
{
    cpu->gpr[X86_RCX] = compare_strings(cpu, insn, soft_sse_thunks_pcmpestri).index;
}

SOFT_OPERATION(pcmpistri)
{
    cpu->gpr[X86_RCX] = compare_strings(cpu, insn, soft_sse_thunks_pcmpistri).index;
}

SOFT_OPERATION(pcmpestrm)
{
    cpu->fpu.xmm[0] = compare_strings(cpu, insn, soft_sse_thunks_pcmpestrm).mask;
}

SOFT_OPERATION(pcmpistrm)
{
    cpu->fpu.xmm[0] = compare_strings(cpu, insn, soft_sse_thunks_pcmpistrm).mask;
}

SOFT_OPERATION(ptest)
{
    union soft_xmm source, *dest = sse_reg(cpu, insn);
    bool zf, cf;

    SSE_HAVE_sse4_1(cpu);
    source = sse_source128(cpu, insn);
    zf = ((source.u64[0] & dest->u64[0]) | (source.u64[1] & dest->u64[1])) == 0;
    cf = ((source.u64[0] & ~dest->u64[0]) | (source.u64[1] & ~dest->u64[1])) == 0;
    soft_set_arithmetic_flags(cpu, (zf ? X86_FLAG_ZF : 0) | (cf ? X86_FLAG_CF : 0));
}

static uint32_t crc32_of(uint32_t crc, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        __asm__("crc32b %b1, %0" : "+r"(crc) : "q"((uint32_t)(value >> i * 8)));
    return crc;
}

SOFT_OPERATION(crc32_byte)
{
    uint8_t value;

    SSE_HAVE_sse4_2(cpu);
    value = insn->flags & SOFT_INSN_MEM ? soft_read_mem8(cpu, insn)
                                        : ((const uint8_t *)cpu->gpr)[insn->rm];
    cpu->gpr[insn->reg] = crc32_of(cpu->gpr[insn->reg], value, 1);
}

SOFT_OPERATION(crc32)
{
    uint64_t value = cpu->gpr[insn->rm & 15];

    SSE_HAVE_sse4_2(cpu);
    if (insn->flags & SOFT_INSN_MEM)
        value = insn->size == 8   ? soft_read_mem64(cpu, insn)
                : insn->size == 4 ? soft_read_mem32(cpu, insn)
                                  : soft_read_mem16(cpu, insn);
    cpu->gpr[insn->reg] = crc32_of(cpu->gpr[insn->reg], value, insn->size);
}
