/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/x86_state.h"

/* Bits of x86_segment.attributes. */
#define ATTRIBUTE_L (1u << 13)
#define ATTRIBUTE_D (1u << 14)

const char *x86_state_mode(const struct x86_state *state)
{
    uint32_t cs = state->segment[X86_CS].attributes;

    if (!(state->cr0 & X86_CR0_PE))
        return "real mode";
    if (state->rflags & X86_RFLAGS_VM)
        return "virtual-8086 mode";
    if (state->efer & X86_EFER_LMA)
        return cs & ATTRIBUTE_L ? "64-bit mode" : "compatibility mode";
    return cs & ATTRIBUTE_D ? "32-bit protected mode" : "16-bit protected mode";
}
