/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/soft_state.h"

#include <string.h>

#include "engine/cpu/soft/block.h"
#include "engine/cpu/soft/exec.h"
#include "engine/cpu/soft/paging.h"
#include "engine/cpu/soft/stack.h"

#define XSTATE_BV X86_XSAVE_LEGACY_SIZE /* where it is in the XSAVE area */

G_STATIC_ASSERT((int)SOFT_RUNNING == (int)X86_RUNNING && (int)SOFT_HALTED == (int)X86_HALTED &&
                (int)SOFT_WAIT_FOR_START == (int)X86_WAIT_FOR_START &&
                (int)SOFT_SHUTDOWN == (int)X86_SHUTDOWN);

static struct x86_segment segment_to_state(const struct soft_segment *s)
{
    return (struct x86_segment){.base = s->base,
                                .limit = s->limit,
                                .attributes = s->attributes,
                                .selector = s->selector};
}

static struct soft_segment segment_from_state(const struct x86_segment *s)
{
    return (struct soft_segment){.base = s->base,
                                 .limit = s->limit,
                                 .attributes = s->attributes,
                                 .selector = s->selector};
}

/* Components beyond SSE are not this processor's: they are kept as they came. */
static void get_xsave(const struct soft_cpu *cpu, struct x86_state *ret)
{
    uint64_t components;

    soft_fpu_get_image(&cpu->fpu, ret->xsave);
    memcpy(ret->xsave + X86_XSAVE_LEGACY_SIZE, cpu->xsave_rest, sizeof(cpu->xsave_rest));
    memcpy(&components, ret->xsave + XSTATE_BV, sizeof(components));
    components |= XCR0_VALID;
    memcpy(ret->xsave + XSTATE_BV, &components, sizeof(components));
    ret->fpu_cs = cpu->fpu.cs;
    ret->fpu_ds = cpu->fpu.ds;
}

static void set_xsave(struct soft_cpu *cpu, const struct x86_state *state)
{
    soft_fpu_set_image(&cpu->fpu, state->xsave);
    memcpy(cpu->xsave_rest, state->xsave + X86_XSAVE_LEGACY_SIZE, sizeof(cpu->xsave_rest));
    cpu->fpu.cs = state->fpu_cs;
    cpu->fpu.ds = state->fpu_ds;
}

/* The fields that have the same name on both sides. */
#define FOR_EACH_COMMON_FIELD(DO) \
    DO(gdt)                       \
    DO(idt)                       \
    DO(cr0)                       \
    DO(cr2)                       \
    DO(cr3)                       \
    DO(cr4)                       \
    DO(xcr0)                      \
    DO(efer)                      \
    DO(pdpte)                     \
    DO(dr)                        \
    DO(star)                      \
    DO(lstar)                     \
    DO(cstar)                     \
    DO(sfmask)                    \
    DO(kernel_gs_base)            \
    DO(sysenter_cs)               \
    DO(sysenter_esp)              \
    DO(sysenter_eip)              \
    DO(pat)                       \
    DO(misc_enable)               \
    DO(spec_ctrl)                 \
    DO(tsc_adjust)                \
    DO(tsc_aux)                   \
    DO(mtrr_def_type)             \
    DO(mtrr_fixed)                \
    DO(mtrr_base)                 \
    DO(mtrr_mask)                 \
    DO(other_msr)                 \
    DO(other_msrs)                \
    DO(event)                     \
    DO(interrupt_shadow)          \
    DO(nmi_blocked)

#define GET_FIELD(NAME) memcpy(&ret->NAME, &cpu->NAME, sizeof(ret->NAME));
#define SET_FIELD(NAME) memcpy(&cpu->NAME, &state->NAME, sizeof(state->NAME));
#define CHECK_FIELD(NAME) \
    G_STATIC_ASSERT(sizeof(((struct soft_cpu *)0)->NAME) == sizeof(((struct x86_state *)0)->NAME));

FOR_EACH_COMMON_FIELD(CHECK_FIELD)

void soft_state_get(struct soft_cpu *cpu, struct x86_state *ret)
{
    FOR_EACH_COMMON_FIELD(GET_FIELD)
    memcpy(ret->gpr, cpu->gpr, sizeof(ret->gpr));
    ret->rip = cpu->rip;
    ret->rflags = soft_rflags(cpu);
    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        ret->segment[i] = segment_to_state(&cpu->segment[i]);
    ret->tr = segment_to_state(&cpu->tr);
    ret->ldtr = segment_to_state(&cpu->ldtr);
    ret->has_pdpte = x86_state_is_pae(ret);
    if (!ret->has_pdpte)
        memset(ret->pdpte, 0, sizeof(ret->pdpte));
    ret->activity = (enum x86_activity)cpu->activity;
    get_xsave(cpu, ret);
}

void soft_state_set(struct soft_cpu *cpu, const struct x86_state *state)
{
    FOR_EACH_COMMON_FIELD(SET_FIELD)
    memcpy(cpu->gpr, state->gpr, sizeof(state->gpr));
    cpu->rip = state->rip;
    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        cpu->segment[i] = segment_from_state(&state->segment[i]);
    cpu->tr = segment_from_state(&state->tr);
    cpu->ldtr = segment_from_state(&state->ldtr);
    set_xsave(cpu, state);
    cpu->cpl = cpu->cr0 & CR0_PE ? soft_dpl(cpu->segment[X86_SS].attributes) : 0;
    if (state->rflags & X86_FLAG_VM)
        cpu->cpl = 3;
    cpu->activity = (enum soft_activity)state->activity;
    cpu->other_msrs = MIN(cpu->other_msrs, X86_OTHER_MSRS);
    cpu->keep_rf = false;
    cpu->rflags = X86_FLAG_1;
    soft_set_rflags(cpu, state->rflags, UINT64_MAX);
    if (x86_state_is_pae(state) && !state->has_pdpte)
        soft_pdpte_read(cpu, state->cr3, cpu->pdpte);
    soft_tlb_flush(cpu);
    soft_mode_changed(cpu);
    soft_attention(cpu); /* what it had to look at before does not count */
}
