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
#define XCOMP_COMPACTED (UINT64_C(1) << 63)

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

/* A component that is only kept: where the standard form has it, and so x86_state. */
struct kept {
    unsigned offset, size;
    bool aligned; /* to 64 bytes in the compacted form */
};

/* False: the host lacks it too, or it is larger than what is kept of it. */
static bool find_kept(unsigned component, struct kept *ret)
{
    unsigned eax, ebx, ecx, edx;

    if (!__get_cpuid_count(CPUID_XSAVE, component, &eax, &ebx, &ecx, &edx) || eax == 0 ||
        ebx < XSAVE_SIZE || ebx > X86_XSAVE_SIZE || eax > X86_XSAVE_SIZE - ebx)
        return false;
    *ret = (struct kept){.offset = ebx, .size = eax, .aligned = ecx & 2};
    return true;
}

/* Where an area has components beyond SSE. */
struct layout {
    struct {
        unsigned offset, size;
        uint8_t *kept;
    } part[64]; /* by component; size 0: it is not there */
    unsigned end;
};

static void make_layout(struct soft_cpu *cpu, struct layout *l, uint64_t components, bool compacted)
{
    *l = (struct layout){.end = XSAVE_SIZE};
    for (uint64_t left = components & ~XCR0_VALID; left != 0; left &= left - 1) {
        unsigned component = __builtin_ctzll(left), offset = X86_XSAVE_SIZE;
        struct kept k = {0};
        bool known = find_kept(component, &k);

        if (known)
            offset = !compacted ? k.offset : k.aligned ? (l->end + 63) & ~63u : l->end;
        if (!known || offset + k.size > X86_XSAVE_SIZE) {
            soft_leave_if_lent(cpu);
            continue;
        }
        l->part[component].offset = offset;
        l->part[component].size = k.size;
        l->part[component].kept = cpu->xsave_rest + (k.offset - FXSAVE_SIZE);
        l->end = MAX(l->end, offset + k.size);
    }
}

/* XSTATE_BV of what is kept. */
static uint64_t kept_in_use(const struct soft_cpu *cpu)
{
    uint64_t components;

    memcpy(&components, cpu->xsave_rest, sizeof(components));
    return components & ~XCR0_VALID;
}

static void save_kept(struct soft_cpu *cpu, uint64_t linear, const struct layout *l,
                      uint64_t components)
{
    static const uint8_t initial[X86_XSAVE_SIZE];
    uint64_t in_use = kept_in_use(cpu);

    for (uint64_t left = components & ~XCR0_VALID; left != 0; left &= left - 1) {
        unsigned i = __builtin_ctzll(left);

        if (l->part[i].size != 0)
            soft_store_bytes(cpu, linear + l->part[i].offset,
                             in_use >> i & 1 ? l->part[i].kept : initial, l->part[i].size);
    }
}

/* Those of `present` come from the area, the others become initial. */
static void restore_kept(struct soft_cpu *cpu, const uint8_t *area, const struct layout *l,
                         uint64_t components, uint64_t present)
{
    uint64_t in_use;

    components &= ~XCR0_VALID;
    in_use = (kept_in_use(cpu) & ~components) | (components & present);
    for (uint64_t left = components; left != 0; left &= left - 1) {
        unsigned i = __builtin_ctzll(left);

        if (l->part[i].size == 0)
            continue;
        if (present >> i & 1)
            memcpy(l->part[i].kept, area + l->part[i].offset, l->part[i].size);
        else
            memset(l->part[i].kept, 0, l->part[i].size);
    }
    memcpy(cpu->xsave_rest, &in_use, sizeof(in_use));
}

/* x87 and SSE; MXCSR goes with AVX too. */
static void save_legacy(struct soft_cpu *cpu, const struct soft_insn *insn, uint64_t linear,
                        uint64_t wanted)
{
    uint8_t image[XSAVE_SIZE];

    if (wanted & XCR0_X87) {
        soft_image_put_x87(cpu, insn, image);
        soft_store_bytes(cpu, linear, image, IMAGE_MXCSR);
        soft_store_bytes(cpu, linear + IMAGE_ST, image + IMAGE_ST, IMAGE_XMM - IMAGE_ST);
    }
    if (wanted & (XCR0_SSE | XCR0_AVX))
        soft_store_bytes(cpu, linear + IMAGE_MXCSR, &cpu->fpu.mxcsr, 8);
    if (wanted & XCR0_SSE)
        soft_store_bytes(cpu, linear + IMAGE_XMM, cpu->fpu.xmm, soft_image_end(cpu) - IMAGE_XMM);
}

/* x87, SSE and all that is not initial count as in use and modified, which the architecture allows:
 * XSAVE, XSAVEOPT and XSAVEC differ in the form of the area alone. Parts that are not asked for
 * keep what memory holds. */
static void save(struct soft_cpu *cpu, const struct soft_insn *insn, bool compacted)
{
    uint64_t linear, wanted, present;
    struct layout layout;

    check_xsave(cpu);
    wanted = requested(cpu);
    present = wanted & (XCR0_VALID | kept_in_use(cpu));
    make_layout(cpu, &layout, wanted, compacted);
    linear = soft_linear_aligned(cpu, insn, layout.end, 64, SOFT_WRITE);
    soft_probe_store(cpu, linear, layout.end);
    if (!compacted)
        present |= soft_load64(cpu, linear + FXSAVE_SIZE) & ~wanted;
    save_legacy(cpu, insn, linear, wanted);
    save_kept(cpu, linear, &layout, compacted ? present : wanted);
    soft_store64(cpu, linear + FXSAVE_SIZE, present);
    if (compacted)
        soft_store64(cpu, linear + FXSAVE_SIZE + 8, wanted | XCOMP_COMPACTED);
}

/* XSAVEOPT too. */
SOFT_OPERATION(xsave)
{
    save(cpu, insn, false);
}

SOFT_OPERATION(xsavec)
{
    save(cpu, insn, true);
}

static void check_header(struct soft_cpu *cpu, const uint64_t header[HEADER_SIZE / 8])
{
    bool ok;

    if (header[1] & XCOMP_COMPACTED) {
        ok = !(header[1] & ~cpu->xcr0 & ~XCOMP_COMPACTED) && !(header[0] & ~header[1]);
        for (unsigned i = 2; i < HEADER_SIZE / 8; i++)
            ok &= header[i] == 0;
    } else {
        ok = !(header[0] & ~cpu->xcr0) && header[1] == 0 && header[2] == 0;
    }
    if (!ok)
        soft_raise_gp0(cpu);
}

static void restore_legacy(struct soft_cpu *cpu, const struct soft_insn *insn, const uint8_t *area,
                           uint64_t wanted, uint64_t present)
{
    unsigned end = soft_image_end(cpu);

    if (wanted & present & XCR0_X87) {
        soft_image_take_x87(cpu, insn, area);
    } else if (wanted & XCR0_X87) {
        memset(cpu->fpu.st, 0, sizeof(cpu->fpu.st));
        soft_x87_init(&cpu->fpu);
    }
    if (wanted & present & XCR0_SSE)
        memcpy(cpu->fpu.xmm, area + IMAGE_XMM, end - IMAGE_XMM);
    else if (wanted & XCR0_SSE)
        memset(cpu->fpu.xmm, 0, end - IMAGE_XMM);
}

/* The compacted form has MXCSR in the component of SSE, and that alone. */
SOFT_OPERATION(xrstor)
{
    uint64_t linear, wanted, header[HEADER_SIZE / 8];
    uint8_t area[X86_XSAVE_SIZE];
    bool compacted, takes_mxcsr;
    struct layout layout;

    check_xsave(cpu);
    wanted = requested(cpu);
    linear = soft_linear_aligned(cpu, insn, XSAVE_SIZE, 64, SOFT_READ);
    soft_load_bytes(cpu, linear, area, XSAVE_SIZE);
    memcpy(header, area + FXSAVE_SIZE, HEADER_SIZE);
    check_header(cpu, header);
    compacted = header[1] & XCOMP_COMPACTED;
    takes_mxcsr = wanted & (compacted ? header[0] & XCR0_SSE : XCR0_SSE | XCR0_AVX);
    if (takes_mxcsr && soft_image_mxcsr(area) & ~MXCSR_VALID)
        soft_raise_gp0(cpu);
    make_layout(cpu, &layout, compacted ? header[1] & ~XCOMP_COMPACTED : wanted, compacted);
    if (wanted & header[0] & ~XCR0_VALID) {
        soft_linear(cpu, insn, layout.end, SOFT_READ);
        soft_load_bytes(cpu, linear + XSAVE_SIZE, area + XSAVE_SIZE, layout.end - XSAVE_SIZE);
    }
    restore_legacy(cpu, insn, area, wanted, header[0]);
    restore_kept(cpu, area, &layout, wanted, header[0]);
    if (takes_mxcsr)
        cpu->fpu.mxcsr = soft_image_mxcsr(area);
    else if (wanted & XCR0_SSE)
        cpu->fpu.mxcsr = MXCSR_INITIAL;
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
