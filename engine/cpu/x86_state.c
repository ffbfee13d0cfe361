/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/x86_state.h"

#include <stddef.h>

/* Bits of x86_segment.attributes. */
#define ATTRIBUTE_L (1u << 13)
#define ATTRIBUTE_D (1u << 14)

#define FIELD(number, name)                      \
    {                                            \
        number, offsetof(struct x86_state, name) \
    }
#define VARIABLE_MTRR(n) FIELD(0x200 + 2 * (n), mtrr_base[n]), FIELD(0x201 + 2 * (n), mtrr_mask[n])

const struct x86_msr_field x86_msr_fields[] = {
    FIELD(0x3b, tsc_adjust),
    FIELD(0x48, spec_ctrl),
    FIELD(0x174, sysenter_cs),
    FIELD(0x175, sysenter_esp),
    FIELD(0x176, sysenter_eip),
    FIELD(0x1a0, misc_enable),
    VARIABLE_MTRR(0),
    VARIABLE_MTRR(1),
    VARIABLE_MTRR(2),
    VARIABLE_MTRR(3),
    VARIABLE_MTRR(4),
    VARIABLE_MTRR(5),
    VARIABLE_MTRR(6),
    VARIABLE_MTRR(7),
    FIELD(0x250, mtrr_fixed[0]),
    FIELD(0x258, mtrr_fixed[1]),
    FIELD(0x259, mtrr_fixed[2]),
    FIELD(0x268, mtrr_fixed[3]),
    FIELD(0x269, mtrr_fixed[4]),
    FIELD(0x26a, mtrr_fixed[5]),
    FIELD(0x26b, mtrr_fixed[6]),
    FIELD(0x26c, mtrr_fixed[7]),
    FIELD(0x26d, mtrr_fixed[8]),
    FIELD(0x26e, mtrr_fixed[9]),
    FIELD(0x26f, mtrr_fixed[10]),
    FIELD(0x277, pat),
    FIELD(0x2ff, mtrr_def_type),
    FIELD(0xc0000081, star),
    FIELD(0xc0000082, lstar),
    FIELD(0xc0000083, cstar),
    FIELD(0xc0000084, sfmask),
    FIELD(0xc0000102, kernel_gs_base),
    FIELD(0xc0000103, tsc_aux),
};
const unsigned x86_msr_field_count = sizeof(x86_msr_fields) / sizeof(x86_msr_fields[0]);

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
