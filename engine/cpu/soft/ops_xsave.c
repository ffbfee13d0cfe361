/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XSAVE. SDM volume 1, chapter 13.
 *
 * Components beyond SSE are not this processor's, but a guest that comes from another accelerator
 * may have enabled them: their bytes are kept as they came (cpu->xsave_rest, in the host's layout),
 * and XSAVE and XRSTOR move them.
 */
#include "engine/cpu/soft/fxsave_image.h"

#include <cpuid.h>

#define HEADER_SIZE 64
#define XSAVE_SIZE (FXSAVE_SIZE + HEADER_SIZE)
#define CPUID_XSAVE 0xd

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
}

/* A component that is only kept, in the area. */
struct kept {
    unsigned offset, size;
};

/* False: the host lacks it too, or it is larger than what is kept of it. */
static bool find_kept(unsigned component, struct kept *ret)
{
    unsigned eax, ebx, ecx, edx;

    if (!__get_cpuid_count(CPUID_XSAVE, component, &eax, &ebx, &ecx, &edx) || eax == 0 ||
        ebx < XSAVE_SIZE || ebx > X86_XSAVE_SIZE || eax > X86_XSAVE_SIZE - ebx)
        return false;
    *ret = (struct kept){.offset = ebx, .size = eax};
    return true;
}

/* The end of the area with these components beyond SSE. */
static unsigned area_end(struct soft_cpu *cpu, uint64_t components)
{
    unsigned end = XSAVE_SIZE;
    struct kept k;

    for (uint64_t left = components; left != 0; left &= left - 1) {
        if (find_kept(__builtin_ctzll(left), &k))
            end = MAX(end, k.offset + k.size);
        else
            soft_leave_if_lent(cpu);
    }
    return end;
}

/* XSTATE_BV of what is kept. */
static uint64_t kept_in_use(const struct soft_cpu *cpu)
{
    uint64_t components;

    memcpy(&components, cpu->xsave_rest, sizeof(components));
    return components & ~XCR0_VALID;
}

static void save_kept(struct soft_cpu *cpu, uint64_t linear, uint64_t components)
{
    static const uint8_t initial[X86_XSAVE_SIZE];
    uint64_t in_use = kept_in_use(cpu);
    struct kept k;

    for (uint64_t left = components; left != 0; left &= left - 1) {
        unsigned component = __builtin_ctzll(left);
        bool used = in_use >> component & 1;

        if (find_kept(component, &k))
            soft_store_bytes(cpu, linear + k.offset,
                             used ? cpu->xsave_rest + (k.offset - FXSAVE_SIZE) : initial, k.size);
    }
}

/* Those of `present` come from the area, the others become initial. */
static void restore_kept(struct soft_cpu *cpu, const uint8_t *area, uint64_t components,
                         uint64_t present)
{
    uint64_t in_use = (kept_in_use(cpu) & ~components) | (components & present);
    struct kept k;

    for (uint64_t left = components; left != 0; left &= left - 1) {
        unsigned component = __builtin_ctzll(left);
        uint8_t *to;

        if (!find_kept(component, &k))
            continue;
        to = cpu->xsave_rest + (k.offset - FXSAVE_SIZE);
        if (present >> component & 1)
            memcpy(to, area + k.offset, k.size);
        else
            memset(to, 0, k.size);
    }
    memcpy(cpu->xsave_rest, &in_use, sizeof(in_use));
}

/*
 * XSAVE and XSAVEOPT. x87, SSE and all that is not initial count as in use and modified, which the
 * architecture allows, so that the two do the same. Parts that are not asked for keep what memory
 * holds.
 */
SOFT_OPERATION(xsave)
{
    uint64_t linear, wanted, kept, present;
    uint8_t image[XSAVE_SIZE];
    unsigned end, size;

    check_xsave(cpu);
    wanted = requested(cpu);
    kept = wanted & ~XCR0_VALID;
    size = area_end(cpu, kept);
    linear = soft_linear_aligned(cpu, insn, size, 64, SOFT_WRITE);
    end = soft_image_end(cpu);
    soft_probe_store(cpu, linear, size);
    present = (soft_load64(cpu, linear + FXSAVE_SIZE) & ~wanted) |
              (wanted & (XCR0_VALID | kept_in_use(cpu)));
    if (wanted & XCR0_X87) {
        soft_image_put_x87(cpu, insn, image);
        soft_store_bytes(cpu, linear, image, IMAGE_MXCSR);
        soft_store_bytes(cpu, linear + IMAGE_ST, image + IMAGE_ST, IMAGE_XMM - IMAGE_ST);
    }
    /* MXCSR goes with AVX too. */
    if (wanted & (XCR0_SSE | XCR0_AVX))
        soft_store_bytes(cpu, linear + IMAGE_MXCSR, &cpu->fpu.mxcsr, 8);
    if (wanted & XCR0_SSE)
        soft_store_bytes(cpu, linear + IMAGE_XMM, cpu->fpu.xmm, end - IMAGE_XMM);
    save_kept(cpu, linear, kept);
    soft_store64(cpu, linear + FXSAVE_SIZE, present);
}

SOFT_OPERATION(xrstor)
{
    uint64_t linear, wanted, kept, header[HEADER_SIZE / 8];
    uint8_t area[X86_XSAVE_SIZE];
    unsigned end, size;

    check_xsave(cpu);
    wanted = requested(cpu);
    kept = wanted & ~XCR0_VALID;
    size = area_end(cpu, kept);
    linear = soft_linear_aligned(cpu, insn, size, 64, SOFT_READ);
    soft_load_bytes(cpu, linear, area, XSAVE_SIZE);
    memcpy(header, area + FXSAVE_SIZE, HEADER_SIZE);
    if (header[1] >> 63) /* the compacted form, which other processors know */
        soft_leave_if_lent(cpu);
    if (header[0] & ~cpu->xcr0 || header[1] != 0 || header[2] != 0)
        soft_raise_gp0(cpu);
    end = soft_image_end(cpu);
    if (wanted & (XCR0_SSE | XCR0_AVX) && soft_image_mxcsr(area) & ~MXCSR_VALID)
        soft_raise_gp0(cpu);
    if (kept & header[0])
        soft_load_bytes(cpu, linear + XSAVE_SIZE, area + XSAVE_SIZE,
                        area_end(cpu, kept & header[0]) - XSAVE_SIZE);
    if (wanted & header[0] & XCR0_X87)
        soft_image_take_x87(cpu, insn, area);
    else if (wanted & XCR0_X87) {
        memset(cpu->fpu.st, 0, sizeof(cpu->fpu.st));
        soft_x87_init(&cpu->fpu);
    }
    restore_kept(cpu, area, kept, header[0]);
    if (wanted & (XCR0_SSE | XCR0_AVX))
        cpu->fpu.mxcsr = soft_image_mxcsr(area);
    if (wanted & header[0] & XCR0_SSE)
        memcpy(cpu->fpu.xmm, area + IMAGE_XMM, end - IMAGE_XMM);
    else if (wanted & XCR0_SSE)
        memset(cpu->fpu.xmm, 0, end - IMAGE_XMM);
}

SOFT_OPERATION(xgetbv)
{
    if (!(cpu->cr4 & CR4_OSXSAVE))
        soft_raise_ud(cpu);
    if ((uint32_t)cpu->gpr[X86_RCX] != 0) {
        soft_leave_if_lent(cpu); /* others have more registers */
        soft_raise_gp0(cpu);
    }
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
