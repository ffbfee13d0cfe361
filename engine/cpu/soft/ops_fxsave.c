/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FXSAVE, XSAVE and MXCSR. SDM volume 1, 10.5 and chapter 13. */
#include "engine/cpu/soft/fpu_internal.h"

#include <stddef.h>

/* Offsets in the image; the parts for x87 and MXCSR are in struct soft_fpu at the same places. */
#define IMAGE_IP 8
#define IMAGE_MXCSR 24
#define IMAGE_ST 32
#define IMAGE_XMM 160
#define IMAGE_XMM8 (IMAGE_XMM + 8 * 16)
#define IMAGE_END (IMAGE_XMM + 16 * 16)
#define FXSAVE_SIZE 512
#define HEADER_SIZE 64
#define XSAVE_SIZE (FXSAVE_SIZE + HEADER_SIZE)

G_STATIC_ASSERT(offsetof(struct soft_fpu, ip) == IMAGE_IP);
G_STATIC_ASSERT(offsetof(struct soft_fpu, mxcsr) == IMAGE_MXCSR);

/* How much of the registers there is: eight XMM registers outside 64-bit mode. */
static unsigned image_end(const struct soft_cpu *cpu)
{
    return cpu->mode & SOFT_MODE_CODE64 ? IMAGE_END : IMAGE_XMM8;
}

/* The x87 part, bytes 0 to 23. */
static void put_x87(const struct soft_cpu *cpu, const struct soft_insn *insn, uint8_t *image)
{
    const struct soft_fpu *fpu = &cpu->fpu;

    memcpy(image, fpu, IMAGE_MXCSR);
    if (!(insn->flags & SOFT_INSN_REX_W)) {
        uint32_t field[4] = {fpu->ip, fpu->cs, fpu->dp, fpu->ds};

        memcpy(image + IMAGE_IP, field, sizeof(field));
    }
    memcpy(image + IMAGE_ST, fpu->st, sizeof(fpu->st));
}

static void take_x87(struct soft_cpu *cpu, const struct soft_insn *insn, const uint8_t *image)
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

static uint32_t image_mxcsr(const uint8_t *image)
{
    uint32_t mxcsr;

    memcpy(&mxcsr, image + IMAGE_MXCSR, sizeof(mxcsr));
    return mxcsr;
}

SOFT_OPERATION(fxsave)
{
    uint64_t linear = soft_linear_aligned(cpu, insn, FXSAVE_SIZE, 16, SOFT_WRITE);
    unsigned end = image_end(cpu);
    uint8_t image[IMAGE_END];

    put_x87(cpu, insn, image);
    memcpy(image + IMAGE_MXCSR, &cpu->fpu.mxcsr, 8);
    memcpy(image + IMAGE_XMM, cpu->fpu.xmm, end - IMAGE_XMM);
    soft_store_bytes(cpu, linear, image, end);
}

SOFT_OPERATION(fxrstor)
{
    uint64_t linear = soft_linear_aligned(cpu, insn, FXSAVE_SIZE, 16, SOFT_READ);
    unsigned end = image_end(cpu);
    uint8_t image[IMAGE_END];

    soft_load_bytes(cpu, linear, image, end);
    if (image_mxcsr(image) & ~MXCSR_VALID)
        soft_raise_gp0(cpu);
    take_x87(cpu, insn, image);
    cpu->fpu.mxcsr = image_mxcsr(image);
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

/* EDX:EAX, as far as it is enabled. */
static uint64_t requested(const struct soft_cpu *cpu)
{
    uint64_t mask = (uint32_t)cpu->gpr[X86_RAX] | cpu->gpr[X86_RDX] << 32;

    return mask & cpu->xcr0;
}

static void check_xsave(struct soft_cpu *cpu)
{
    if (!(cpu->cr4 & CR4_OSXSAVE))
        soft_raise_ud(cpu);
    if (cpu->cr0 & CR0_TS)
        soft_raise(cpu, X86_NM, 0);
    /* Only another accelerator's guest can have enabled others; they are not moved here. */
    if (requested(cpu) & ~(uint64_t)(XCR0_X87 | XCR0_SSE))
        soft_leave_if_lent(cpu);
}

/*
 * XSAVE and XSAVEOPT. Every component counts as in use and modified, which the architecture
 * allows, so that the two do the same. Parts that are not asked for keep what memory holds.
 */
SOFT_OPERATION(xsave)
{
    uint64_t linear, wanted, in_memory;
    uint8_t image[XSAVE_SIZE];
    unsigned end;

    check_xsave(cpu);
    linear = soft_linear_aligned(cpu, insn, XSAVE_SIZE, 64, SOFT_WRITE);
    wanted = requested(cpu);
    end = image_end(cpu);
    soft_probe_store(cpu, linear, XSAVE_SIZE);
    in_memory = soft_load64(cpu, linear + FXSAVE_SIZE);
    if (wanted & XCR0_X87) {
        put_x87(cpu, insn, image);
        soft_store_bytes(cpu, linear, image, IMAGE_MXCSR);
        soft_store_bytes(cpu, linear + IMAGE_ST, image + IMAGE_ST, IMAGE_XMM - IMAGE_ST);
    }
    if (wanted & XCR0_SSE) {
        soft_store_bytes(cpu, linear + IMAGE_MXCSR, &cpu->fpu.mxcsr, 8);
        soft_store_bytes(cpu, linear + IMAGE_XMM, cpu->fpu.xmm, end - IMAGE_XMM);
    }
    soft_store64(cpu, linear + FXSAVE_SIZE, in_memory | wanted);
}

SOFT_OPERATION(xrstor)
{
    uint64_t linear, wanted, header[HEADER_SIZE / 8];
    uint8_t image[XSAVE_SIZE];
    unsigned end;

    check_xsave(cpu);
    linear = soft_linear_aligned(cpu, insn, XSAVE_SIZE, 64, SOFT_READ);
    soft_load_bytes(cpu, linear, image, XSAVE_SIZE);
    memcpy(header, image + FXSAVE_SIZE, HEADER_SIZE);
    if (header[0] & ~cpu->xcr0 || header[1] != 0 || header[2] != 0)
        soft_raise_gp0(cpu);
    wanted = requested(cpu);
    end = image_end(cpu);
    if (wanted & XCR0_SSE && image_mxcsr(image) & ~MXCSR_VALID)
        soft_raise_gp0(cpu);
    if (wanted & header[0] & XCR0_X87)
        take_x87(cpu, insn, image);
    else if (wanted & XCR0_X87) {
        memset(cpu->fpu.st, 0, sizeof(cpu->fpu.st));
        soft_x87_init(&cpu->fpu);
    }
    if (!(wanted & XCR0_SSE))
        return;
    cpu->fpu.mxcsr = image_mxcsr(image);
    if (header[0] & XCR0_SSE)
        memcpy(cpu->fpu.xmm, image + IMAGE_XMM, end - IMAGE_XMM);
    else
        memset(cpu->fpu.xmm, 0, end - IMAGE_XMM);
}

SOFT_OPERATION(xgetbv)
{
    if (!(cpu->cr4 & CR4_OSXSAVE))
        soft_raise_ud(cpu);
    if ((uint32_t)cpu->gpr[X86_RCX] != 0)
        soft_raise_gp0(cpu);
    cpu->gpr[X86_RAX] = (uint32_t)cpu->xcr0;
    cpu->gpr[X86_RDX] = cpu->xcr0 >> 32;
}

SOFT_OPERATION(xsetbv)
{
    uint64_t value = (uint32_t)cpu->gpr[X86_RAX] | cpu->gpr[X86_RDX] << 32;

    soft_leave_if_lent(cpu);
    if (!(cpu->cr4 & CR4_OSXSAVE))
        soft_raise_ud(cpu);
    if ((uint32_t)cpu->gpr[X86_RCX] != 0 || value & ~XCR0_VALID || !(value & XCR0_X87))
        soft_raise_gp0(cpu);
    cpu->xcr0 = value;
}
