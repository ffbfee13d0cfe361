/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vCPU as the machine sees it: power-on, running, and its state in neutral form. */
#include "engine/cpu/soft/soft_vcpu.h"

#include <string.h>

#include "core/error.h"
#include "engine/cpu/soft/block.h"
#include "engine/cpu/soft/debug.h"
#include "engine/cpu/soft/exec.h"
#include "engine/cpu/soft/irqchip.h"
#include "engine/cpu/soft/msr.h"
#include "engine/cpu/soft/soft_state.h"
#include "engine/cpu/soft/stack.h"

/* Decoded blocks; together with the rest well under 64 MiB for all vCPUs. */
#define ARENA_TOTAL (32u << 20)
#define ARENA_MAX (24u << 20)

#define PAT_AT_RESET UINT64_C(0x0007040600070406)

static struct soft_cpu *cpu_of(struct vcpu *vcpu)
{
    return &((struct soft_vcpu *)vcpu)->cpu;
}

/* SDM volume 3, table 9-1, the column of INIT; at power-on more is set. */
void soft_cpu_init_signal(struct soft_cpu *cpu)
{
    memset(cpu->gpr, 0, sizeof(cpu->gpr));
    cpu->gpr[X86_RDX] = 0x6f1;
    cpu->rflags = X86_FLAG_1;
    soft_set_arithmetic_flags(cpu, 0);
    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        cpu->segment[i] =
            (struct soft_segment){.limit = 0xffff,
                                  .attributes = SEG_P | SEG_S | SEG_WRITABLE | SEG_ACCESSED};
    cpu->segment[X86_CS].selector = 0xf000;
    cpu->segment[X86_CS].base = 0xffff0000;
    cpu->segment[X86_CS].attributes |= SEG_CODE;
    cpu->rip = 0xfff0;
    cpu->gdt = cpu->idt = (struct x86_table){.limit = 0xffff};
    cpu->ldtr = (struct soft_segment){.limit = 0xffff, .attributes = SEG_P | SYSTEM_LDT};
    cpu->tr = (struct soft_segment){.limit = 0xffff, .attributes = SEG_P | SYSTEM_TSS32_BUSY};
    cpu->cr0 = (cpu->cr0 & (CR0_CD | CR0_NW)) | CR0_ET;
    cpu->cr2 = cpu->cr3 = cpu->cr4 = cpu->efer = 0;
    memset(cpu->dr, 0, sizeof(cpu->dr));
    cpu->dr[6] = DR6_FIXED;
    cpu->dr[7] = DR7_FIXED;
    cpu->cpl = 0;
    cpu->interrupt_shadow = cpu->nmi_blocked = cpu->keep_rf = false;
    cpu->delivery.active = cpu->delivery.external = false;
    cpu->event = (struct x86_event){0};
    cpu->current = NULL;
    cpu->activity = cpu->index == 0 ? SOFT_RUNNING : SOFT_WAIT_FOR_START;
    soft_tlb_flush(cpu);
    soft_mode_changed(cpu);
}

void soft_cpu_start(struct soft_cpu *cpu, unsigned page)
{
    cpu->segment[X86_CS].selector = page << 8;
    cpu->segment[X86_CS].base = (uint64_t)page << 12;
    cpu->rip = 0;
    cpu->activity = SOFT_RUNNING;
    soft_mode_changed(cpu);
}

void soft_cpu_reset(struct soft_cpu *cpu)
{
    cpu->cr0 = CR0_CD | CR0_NW;
    soft_cpu_init_signal(cpu);
    cpu->star = cpu->lstar = cpu->cstar = cpu->sfmask = cpu->kernel_gs_base = 0;
    cpu->sysenter_cs = cpu->sysenter_esp = cpu->sysenter_eip = cpu->tsc_aux = 0;
    cpu->spec_ctrl = 0;
    cpu->pat = PAT_AT_RESET;
    cpu->misc_enable = 1;
    cpu->mtrr_def_type = 0;
    memset(cpu->mtrr_fixed, 0, sizeof(cpu->mtrr_fixed));
    memset(cpu->mtrr_base, 0, sizeof(cpu->mtrr_base));
    memset(cpu->mtrr_mask, 0, sizeof(cpu->mtrr_mask));
    soft_fpu_reset(&cpu->fpu);
    cpu->xcr0 = XCR0_X87;
    memset(cpu->xsave_rest, 0, sizeof(cpu->xsave_rest));
    cpu->other_msrs = 0;
    soft_blocks_drop_all(cpu);
}

static enum vcpu_stop run(struct vcpu *vcpu, char **reason)
{
    return soft_cpu_run(cpu_of(vcpu));
}

static void kick(struct vcpu *vcpu)
{
    soft_cpu_request(cpu_of(vcpu), SOFT_REQUEST_KICK);
}

static void unkick(struct vcpu *vcpu)
{
    __atomic_fetch_and(&cpu_of(vcpu)->requests, ~SOFT_REQUEST_KICK, __ATOMIC_SEQ_CST);
}

static void reset(struct vcpu *vcpu)
{
    soft_cpu_reset(cpu_of(vcpu));
}

static bool get_state(struct vcpu *vcpu, struct x86_state *ret)
{
    struct soft_cpu *cpu = cpu_of(vcpu);

    memset(ret, 0, sizeof(*ret));
    soft_cpu_take_start_signals(cpu);
    soft_state_get(cpu, ret);
    ret->tsc = soft_tsc(cpu);
    soft_lapic_get_state(cpu->lapic, &ret->lapic);
    ret->nmi_pending = soft_lapic_pending(cpu->lapic) & SOFT_PENDING_NMI;
    return true;
}

static bool set_state(struct vcpu *vcpu, const struct x86_state *state)
{
    struct soft_cpu *cpu = cpu_of(vcpu);

    soft_state_set(cpu, state);
    cpu->tsc_offset = state->tsc - soft_guest_time(cpu);
    soft_lapic_set_state(cpu->lapic, &state->lapic, cpu->tsc_offset, state->nmi_pending);
    return true;
}

bool soft_cpu_init(struct soft_cpu *cpu, struct soft_accel *accel, struct vcpu *vcpu,
                   size_t arena_size, GError **err)
{
    cpu->blocks = soft_blocks_new(arena_size);
    if (cpu->blocks == NULL)
        return vmdesk_fail(err, VMDESK_ERROR_BUSY,
                           "There is not enough memory for vCPU %u: give the machine fewer CPUs.",
                           vcpu->index);
    cpu->vcpu = vcpu;
    cpu->accel = accel;
    cpu->index = vcpu->index;
    cpu->lent = accel->irqchip == NULL;
    cpu->lapic = cpu->lent ? NULL : soft_irqchip_lapic(accel->irqchip, cpu->index);
    cpu->map = soft_maps_get(accel->maps);
    g_mutex_init(&cpu->page_queue.lock);
    g_mutex_init(&cpu->wait.lock);
    g_cond_init(&cpu->wait.changed);
    soft_tlb_init(cpu);
    soft_cpu_reset(cpu);
    __atomic_store_n(&accel->cpus[cpu->index], cpu, __ATOMIC_RELEASE);
    /* The map may have changed before that. */
    soft_cpu_request(cpu, SOFT_REQUEST_MAP);
    return true;
}

void soft_cpu_finish(struct soft_cpu *cpu)
{
    __atomic_store_n(&cpu->accel->cpus[cpu->index], NULL, __ATOMIC_RELEASE);
    soft_blocks_free(cpu->blocks);
    soft_map_unref(cpu->map);
    g_mutex_clear(&cpu->page_queue.lock);
    g_mutex_clear(&cpu->wait.lock);
    g_cond_clear(&cpu->wait.changed);
}

static void free_vcpu(struct vcpu *vcpu)
{
    soft_cpu_finish(cpu_of(vcpu));
    g_free(vcpu);
}

static const struct vcpu_ops soft_vcpu_ops = {
    .run = run,
    .kick = kick,
    .unkick = unkick,
    .reset = reset,
    .get_state = get_state,
    .set_state = set_state,
    .free = free_vcpu,
};

/* It stays up until the guest acknowledges it at the board: engine/dev/fpu_error.h. */
static void raise_ferr(void *opaque)
{
    struct board *board = opaque;

    g_mutex_lock(&board->lock);
    irq_line_set(&board->isa_irq[BOARD_FERR_IRQ], true);
    g_mutex_unlock(&board->lock);
}

struct vcpu *soft_vcpu_new(struct accel *accel, unsigned index, GError **err)
{
    struct soft_vcpu *v = g_new0(struct soft_vcpu, 1);

    v->vcpu = (struct vcpu){.ops = &soft_vcpu_ops, .accel = accel, .index = index};
    if (!soft_cpu_init(&v->cpu, (struct soft_accel *)accel, &v->vcpu,
                       MIN(ARENA_TOTAL / accel->cpus, ARENA_MAX), err)) {
        g_free(v);
        return NULL;
    }
    v->cpu.fpu.ferr = raise_ferr;
    v->cpu.fpu.ferr_opaque = accel->board;
    return &v->vcpu;
}
