/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SSE moves: registers, memory, and parts of them. */
#include "engine/cpu/soft/forms.h"
#include "engine/cpu/soft/ops_sse.h"

/* What the TLB has, when it is aligned; the rest is left to run. */
#define MOVE_FAST(NAME, ALIGNMENT, ACCESS, TABLE, REGISTERS, ...)                            \
    static soft_op NAME##_run;                                                               \
    static void NAME##_handler(struct soft_cpu *cpu, const struct soft_insn *insn)           \
    {                                                                                        \
        uint8_t *host;                                                                       \
                                                                                             \
        if (!(insn->flags & SOFT_INSN_MEM)) {                                                \
            REGISTERS;                                                                       \
        } else {                                                                             \
            uint64_t linear = soft_form_linear(cpu, insn, 16, ACCESS, SOFT_ADDRESS_SEGMENT); \
                                                                                             \
            if (linear % ALIGNMENT != 0 || !soft_tlb_hit(cpu->TABLE, linear, 16, &host))     \
                return soft_handler_plain(cpu, insn);                                        \
            __VA_ARGS__;                                                                     \
        }                                                                                    \
        SOFT_NEXT;                                                                           \
    }                                                                                        \
    const struct soft_operation soft_operation_##NAME = {.name = #NAME,                      \
                                                         .run = NAME##_run,                  \
                                                         .handler = NAME##_handler};         \
    static void NAME##_run(struct soft_cpu *cpu, const struct soft_insn *insn)

#define MOVE_LOAD(NAME, ALIGNMENT)                                                            \
    MOVE_FAST(NAME, ALIGNMENT, SOFT_READ, tlb_read, *sse_reg(cpu, insn) = *sse_rm(cpu, insn), \
              memcpy(sse_reg(cpu, insn), host, 16))
#define MOVE_STORE(NAME, ALIGNMENT)                                                             \
    MOVE_FAST(NAME, ALIGNMENT, SOFT_WRITE, tlb_write, *sse_rm(cpu, insn) = *sse_reg(cpu, insn), \
              memcpy(host, sse_reg(cpu, insn), 16))

MOVE_LOAD(movaps, 16)
{
    *sse_reg(cpu, insn) = sse_source128(cpu, insn);
}

MOVE_LOAD(movups, 1)
{
    *sse_reg(cpu, insn) = sse_source128_unaligned(cpu, insn);
}

MOVE_STORE(movaps_store, 16)
{
    soft_store128(cpu, soft_linear_aligned(cpu, insn, 16, 16, SOFT_WRITE), sse_reg(cpu, insn));
}

MOVE_STORE(movups_store, 1)
{
    soft_store128(cpu, soft_linear(cpu, insn, 16, SOFT_WRITE), sse_reg(cpu, insn));
}

/* From memory the rest becomes 0; from a register it stays. */
SOFT_OPERATION(movss)
{
    union soft_xmm source = sse_source32(cpu, insn);

    if (insn->flags & SOFT_INSN_MEM)
        *sse_reg(cpu, insn) = source;
    else
        sse_reg(cpu, insn)->u32[0] = source.u32[0];
}

SOFT_OPERATION(movss_store)
{
    uint32_t value = sse_reg(cpu, insn)->u32[0];

    if (insn->flags & SOFT_INSN_MEM)
        soft_write_mem32(cpu, insn, value);
    else
        sse_rm(cpu, insn)->u32[0] = value;
}

SOFT_OPERATION(movsd)
{
    union soft_xmm source = sse_source64(cpu, insn);

    if (insn->flags & SOFT_INSN_MEM)
        *sse_reg(cpu, insn) = source;
    else
        sse_reg(cpu, insn)->u64[0] = source.u64[0];
}

SOFT_OPERATION(movsd_store)
{
    uint64_t value = sse_reg(cpu, insn)->u64[0];

    if (insn->flags & SOFT_INSN_MEM)
        soft_write_mem64(cpu, insn, value);
    else
        sse_rm(cpu, insn)->u64[0] = value;
}

SOFT_OPERATION(movq)
{
    *sse_reg(cpu, insn) = (union soft_xmm){.u64 = {sse_source64(cpu, insn).u64[0], 0}};
}

SOFT_OPERATION(movq_store)
{
    uint64_t value = sse_reg(cpu, insn)->u64[0];

    if (insn->flags & SOFT_INSN_MEM)
        soft_write_mem64(cpu, insn, value);
    else
        *sse_rm(cpu, insn) = (union soft_xmm){.u64 = {value, 0}};
}

SOFT_OPERATION(movlps)
{
    sse_reg(cpu, insn)->u64[0] = soft_read_mem64(cpu, insn);
}

SOFT_OPERATION(movhps)
{
    sse_reg(cpu, insn)->u64[1] = soft_read_mem64(cpu, insn);
}

SOFT_OPERATION(movlps_store)
{
    soft_write_mem64(cpu, insn, sse_reg(cpu, insn)->u64[0]);
}

SOFT_OPERATION(movhps_store)
{
    soft_write_mem64(cpu, insn, sse_reg(cpu, insn)->u64[1]);
}

SOFT_OPERATION(movhlps)
{
    sse_reg(cpu, insn)->u64[0] = sse_rm(cpu, insn)->u64[1];
}

SOFT_OPERATION(movlhps)
{
    sse_reg(cpu, insn)->u64[1] = sse_rm(cpu, insn)->u64[0];
}

SOFT_OPERATION(movsldup)
{
    union soft_xmm s = sse_source128(cpu, insn);

    *sse_reg(cpu, insn) = (union soft_xmm){.u32 = {s.u32[0], s.u32[0], s.u32[2], s.u32[2]}};
}

SOFT_OPERATION(movshdup)
{
    union soft_xmm s = sse_source128(cpu, insn);

    *sse_reg(cpu, insn) = (union soft_xmm){.u32 = {s.u32[1], s.u32[1], s.u32[3], s.u32[3]}};
}

SOFT_OPERATION(movddup)
{
    union soft_xmm s = sse_source64(cpu, insn);

    *sse_reg(cpu, insn) = (union soft_xmm){.u64 = {s.u64[0], s.u64[0]}};
}

/* A general register or memory of 4 or 8 bytes. */
static uint64_t source_general(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    if (!(insn->flags & SOFT_INSN_MEM))
        return insn->size == 8 ? cpu->gpr[insn->rm] : (uint32_t)cpu->gpr[insn->rm];
    return insn->size == 8 ? soft_read_mem64(cpu, insn) : soft_read_mem32(cpu, insn);
}

static void store_general(struct soft_cpu *cpu, const struct soft_insn *insn, uint64_t value)
{
    if (!(insn->flags & SOFT_INSN_MEM))
        cpu->gpr[insn->rm] = insn->size == 8 ? value : (uint32_t)value;
    else if (insn->size == 8)
        soft_write_mem64(cpu, insn, value);
    else
        soft_write_mem32(cpu, insn, value);
}

SOFT_OPERATION(movd)
{
    *sse_reg(cpu, insn) = (union soft_xmm){.u64 = {source_general(cpu, insn), 0}};
}

SOFT_OPERATION(movd_store)
{
    store_general(cpu, insn, sse_reg(cpu, insn)->u64[0]);
}

/* Sign bits, one of each element, to a general register. */
#define SSE_MASK(NAME)                                                     \
    SOFT_OPERATION(NAME)                                                   \
    {                                                                      \
        uint32_t mask;                                                     \
                                                                           \
        __asm__(#NAME " %1, %0" : "=r"(mask) : "x"(sse_rm(cpu, insn)->v)); \
        cpu->gpr[insn->reg] = mask;                                        \
    }

SSE_MASK(movmskps)
SSE_MASK(movmskpd)
SSE_MASK(pmovmskb)

void soft_store_masked(struct soft_cpu *cpu, unsigned segment, uint64_t offset, const void *bytes,
                       const void *mask, unsigned size)
{
    const uint8_t *from = bytes, *signs = mask;
    uint64_t linear;
    bool any = false;

    for (unsigned i = 0; i < size; i++)
        any = any || signs[i] >> 7;
    if (!any)
        return;
    linear = soft_linear_at(cpu, segment, offset, size, SOFT_WRITE);
    soft_probe_store(cpu, linear, size);
    for (unsigned i = 0; i < size; i++) {
        if (signs[i] >> 7)
            soft_store8(cpu, linear + i, from[i]);
    }
}

SOFT_OPERATION(maskmovdqu)
{
    soft_store_masked(cpu, insn->segment, cpu->gpr[X86_RDI] & insn->address_mask,
                      sse_reg(cpu, insn), sse_rm(cpu, insn), 16);
}

SOFT_OPERATION(movq2dq)
{
    uint64_t value;

    soft_x87_check_pending(cpu);
    soft_mmx_touch(cpu);
    value = soft_mmx_get(cpu, insn->rm);
    *sse_reg(cpu, insn) = (union soft_xmm){.u64 = {value, 0}};
}

SOFT_OPERATION(movdq2q)
{
    soft_x87_check_pending(cpu);
    soft_mmx_touch(cpu);
    soft_mmx_set(cpu, insn->reg, sse_rm(cpu, insn)->u64[0]);
}

SOFT_OPERATION(pinsrw)
{
    uint16_t value = insn->flags & SOFT_INSN_MEM ? soft_read_mem16(cpu, insn) : cpu->gpr[insn->rm];

    sse_reg(cpu, insn)->u16[insn->imm & 7] = value;
}

SOFT_OPERATION(pextrw)
{
    cpu->gpr[insn->reg] = sse_rm(cpu, insn)->u16[insn->imm & 7];
}

SOFT_OPERATION(pinsrb)
{
    uint8_t value;

    SSE_HAVE_sse4_1(cpu);
    value = insn->flags & SOFT_INSN_MEM ? soft_read_mem8(cpu, insn) : cpu->gpr[insn->rm];
    sse_reg(cpu, insn)->u8[insn->imm & 15] = value;
}

/* PINSRD, PINSRQ */
SOFT_OPERATION(pinsrd)
{
    uint64_t value;

    SSE_HAVE_sse4_1(cpu);
    value = source_general(cpu, insn);
    if (insn->size == 8)
        sse_reg(cpu, insn)->u64[insn->imm & 1] = value;
    else
        sse_reg(cpu, insn)->u32[insn->imm & 3] = value;
}

SOFT_OPERATION(pextrb_store)
{
    uint8_t value = sse_reg(cpu, insn)->u8[insn->imm & 15];

    SSE_HAVE_sse4_1(cpu);
    if (insn->flags & SOFT_INSN_MEM)
        soft_write_mem8(cpu, insn, value);
    else
        cpu->gpr[insn->rm] = value;
}

SOFT_OPERATION(pextrw_store)
{
    uint16_t value = sse_reg(cpu, insn)->u16[insn->imm & 7];

    SSE_HAVE_sse4_1(cpu);
    if (insn->flags & SOFT_INSN_MEM)
        soft_write_mem16(cpu, insn, value);
    else
        cpu->gpr[insn->rm] = value;
}

/* PEXTRD, PEXTRQ */
SOFT_OPERATION(pextrd_store)
{
    const union soft_xmm *source = sse_reg(cpu, insn);

    SSE_HAVE_sse4_1(cpu);
    store_general(cpu, insn,
                  insn->size == 8 ? source->u64[insn->imm & 1] : source->u32[insn->imm & 3]);
}

SOFT_OPERATION(extractps)
{
    SSE_HAVE_sse4_1(cpu);
    store_general(cpu, insn, sse_reg(cpu, insn)->u32[insn->imm & 3]);
}
