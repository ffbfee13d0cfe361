/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The register state of an x86 processor, in no accelerator's own form.
 * Intel SDM volume 3, chapters 2 and 3.
 */
#ifndef ENGINE_CPU_X86_STATE_H
#define ENGINE_CPU_X86_STATE_H

#include <stdint.h>

enum { X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSP, X86_RBP, X86_RSI, X86_RDI, X86_R8 };
enum { X86_ES, X86_CS, X86_SS, X86_DS, X86_FS, X86_GS, X86_SEGMENTS };

#define X86_CR0_PE UINT64_C(1)
#define X86_EFER_LMA (UINT64_C(1) << 10)
#define X86_RFLAGS_VM (UINT64_C(1) << 17)

struct x86_segment {
    uint64_t base;
    uint32_t limit;      /* in bytes */
    uint32_t attributes; /* descriptor bits 8 to 23: type, S, DPL, P, AVL, L, D, G */
    uint16_t selector;
};

struct x86_table {
    uint64_t base;
    uint16_t limit;
};

struct x86_state {
    uint64_t gpr[16]; /* in encoding order */
    uint64_t rip, rflags;
    struct x86_segment segment[X86_SEGMENTS], tr, ldtr;
    struct x86_table gdt, idt;
    uint64_t cr0, cr2, cr3, cr4, cr8, efer;
};

/* "real mode", "64-bit mode", ...; static. */
const char *x86_state_mode(const struct x86_state *state);

#endif
