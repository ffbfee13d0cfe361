/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/core.h"

#include "core/error.h"
#include "engine/cpu/soft/block.h"
#include "engine/cpu/soft/exec.h"
#include "engine/cpu/soft/soft_state.h"

#define ARENA_SIZE (8u << 20) /* of decoded blocks */

struct soft_cores {
    struct soft_accel accel;
};

struct soft_core {
    struct soft_cpu cpu;
};

struct soft_cores *soft_cores_new(struct board *board, unsigned cpus,
                                  const struct soft_owner *owner)
{
    struct soft_cores *cores = g_new0(struct soft_cores, 1);

    soft_accel_init(&cores->accel, board, cpus);
    cores->accel.owner = owner;
    return cores;
}

void soft_cores_free(struct soft_cores *cores)
{
    if (cores == NULL)
        return;
    soft_accel_finish(&cores->accel);
    g_free(cores);
}

const struct memory_listener *soft_cores_listener(struct soft_cores *cores, void **ret_opaque)
{
    *ret_opaque = cores->accel.maps;
    return &soft_map_listener;
}

struct soft_core *soft_core_new(struct soft_cores *cores, struct vcpu *vcpu, GError **err)
{
    struct soft_core *core = g_new0(struct soft_core, 1);

    if (!soft_cpu_init(&core->cpu, &cores->accel, vcpu, ARENA_SIZE, err)) {
        g_free(core);
        return NULL;
    }
    return core;
}

void soft_core_free(struct soft_core *core)
{
    if (core == NULL)
        return;
    soft_cpu_finish(&core->cpu);
    g_free(core);
}

enum soft_core_end soft_core_run(struct soft_core *core, struct x86_state *state,
                                 unsigned instructions)
{
    struct soft_cpu *cpu = &core->cpu;

    soft_state_set(cpu, state);
    soft_blocks_drop_all(cpu);
    cpu->lent_end = SOFT_CORE_RAN;
    cpu->lent_steps = instructions;
    cpu->lent_endless = instructions == 0;
    if (soft_cpu_run(cpu) == VCPU_TRIPLE_FAULT)
        cpu->lent_end = SOFT_CORE_SHUTDOWN;
    soft_state_get(cpu, state);
    /* Those who watch memory hear now of what was written. */
    soft_tlb_flush(cpu);
    return cpu->lent_end;
}

void soft_core_kick(struct soft_core *core)
{
    soft_cpu_request(&core->cpu, SOFT_REQUEST_KICK);
}

void soft_core_unkick(struct soft_core *core)
{
    __atomic_fetch_and(&core->cpu.requests, ~SOFT_REQUEST_KICK, __ATOMIC_SEQ_CST);
}
