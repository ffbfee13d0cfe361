/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FXSAVE and MXCSR. SDM volume 1, 10.5. */
#include "engine/cpu/soft/fxsave_image.h"

#include <stddef.h>

G_STATIC_ASSERT(offsetof(struct soft_fpu, ip) == IMAGE_IP);
G_STATIC_ASSERT(offsetof(struct soft_fpu, mxcsr) == IMAGE_MXCSR);

void soft_image_put_x87(const struct soft_cpu *cpu, const struct soft_insn *insn, uint8_t *image)
{
    const struct soft_fpu *fpu = &cpu->fpu;

    memcpy(image, fpu, IMAGE_MXCSR);
    if (!(insn->flags & SOFT_INSN_REX_W)) {
        uint32_t field[4] = {fpu->ip, fpu->cs, fpu->dp, fpu->ds};

        memcpy(image + IMAGE_IP, field, sizeof(field));
    }
    memcpy(image + IMAGE_ST, fpu->st, sizeof(fpu->st));
}

void soft_image_take_x87(struct soft_cpu *cpu, const struct soft_insn *insn, const uint8_t *image)
{
    struct soft_fpu *fpu = &cpu->fpu;

    memcpy(fpu, image, IMAGE_MXCSR);
    fpu->reserved = 0;
    fpu->opcode &= 0x7ff;
    fpu->cs = fpu->ds = 0;
    if (!(insn->flags & SOFT_INSN_REX_W)) {
        uint32_t field[4];

        memcpy(field, image + IMAGE_IP, sizeof(field));
        fpu->ip = field[0];
        fpu->cs = field[1];
        fpu->dp = field[2];
        fpu->ds = field[3];
    }
    for (unsigned i = 0; i < 8; i++)
        memcpy(&fpu->st[i], image + IMAGE_ST + i * 16, 10);
    soft_x87_settle(fpu);
}

SOFT_OPERATION(fxsave)
{
    uint64_t linear = soft_linear_aligned(cpu, insn, FXSAVE_SIZE, 16, SOFT_WRITE);
    unsigned end = soft_image_end(cpu);
    uint8_t image[IMAGE_END];

    soft_image_put_x87(cpu, insn, image);
    memcpy(image + IMAGE_MXCSR, &cpu->fpu.mxcsr, 8);
    memcpy(image + IMAGE_XMM, cpu->fpu.xmm, end - IMAGE_XMM);
    soft_store_bytes(cpu, linear, image, end);
}

SOFT_OPERATION(fxrstor)
{
    uint64_t linear = soft_linear_aligned(cpu, insn, FXSAVE_SIZE, 16, SOFT_READ);
    unsigned end = soft_image_end(cpu);
    uint8_t image[IMAGE_END];

    soft_load_bytes(cpu, linear, image, end);
    if (soft_image_mxcsr(image) & ~MXCSR_VALID)
        soft_raise_gp0(cpu);
    soft_image_take_x87(cpu, insn, image);
    cpu->fpu.mxcsr = soft_image_mxcsr(image);
    memcpy(cpu->fpu.xmm, image + IMAGE_XMM, end - IMAGE_XMM);
}

SOFT_OPERATION(ldmxcsr)
{
    uint32_t mxcsr = soft_read_mem32(cpu, insn);

    if (mxcsr & ~MXCSR_VALID)
        soft_raise_gp0(cpu);
    cpu->fpu.mxcsr = mxcsr;
}

SOFT_OPERATION(stmxcsr)
{
    soft_write_mem32(cpu, insn, cpu->fpu.mxcsr);
}
