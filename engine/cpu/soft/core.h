/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The software CPU without a machine around it: it executes guest code for another accelerator, the
 * owner, which keeps local APICs, interrupt controllers, time and CPUID. Guest memory and devices
 * are the board's.
 *
 * A core knows nothing from one run to the next: what the owner's vCPUs write to page tables and to
 * code in between needs no telling. What they write during a run it may miss until the run ends, as
 * a processor may that executes no serializing instruction; so keep runs short.
 */
#ifndef ENGINE_CPU_SOFT_CORE_H
#define ENGINE_CPU_SOFT_CORE_H

#include "engine/cpu/accel.h"

/* What the owner serves itself. Any thread. */
struct soft_owner {
    bool (*has_port)(uint16_t port);
    bool (*has_address)(uint64_t gpa);
};

struct soft_cores; /* what all cores of a machine share */
struct soft_core;  /* one for each vCPU */

/* Under the board's lock. The owner passes on what the memory map tells it. */
struct soft_cores *soft_cores_new(struct board *board, unsigned cpus,
                                  const struct soft_owner *owner);
void soft_cores_free(struct soft_cores *cores); /* NULL is fine; after its cores */
/* A memory_listener and its opaque. */
const struct memory_listener *soft_cores_listener(struct soft_cores *cores, void **ret_opaque);

/* vcpu is the owner's: exits count as its own. */
struct soft_core *soft_core_new(struct soft_cores *cores, struct vcpu *vcpu, GError **err);
void soft_core_free(struct soft_core *core); /* NULL is fine */

enum soft_core_end {
    SOFT_CORE_RAN,      /* as many instructions as asked for, or kicked */
    SOFT_CORE_LEFT,     /* stands in front of an instruction that is the owner's to execute */
    SOFT_CORE_UNKNOWN,  /* or in front of one that does not exist here */
    SOFT_CORE_SHUTDOWN, /* a triple fault */
};

/* Executes so many instructions from *state on, and changes it; 0: until kicked. */
enum soft_core_end soft_core_run(struct soft_core *core, struct x86_state *state,
                                 unsigned instructions);
/* Makes a run without an end return soon, and those that follow at once, until unkick(). Any
 * thread; a signal handler may. */
void soft_core_kick(struct soft_core *core);
void soft_core_unkick(struct soft_core *core);

/* The feature bits of this CPUID leaf (1; 7 and 0xd with this subleaf; 0x80000001) that cores
 * execute. ret: EAX, EBX, ECX, EDX; what else stands in the leaf is 0. Any thread. */
void soft_core_features(uint32_t leaf, uint32_t subleaf, uint32_t ret[4]);

#endif
