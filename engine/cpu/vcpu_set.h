/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vCPUs of a machine and the threads they run on: all run, or all stand still.
 *
 * Thread: the owner's, but for vcpu_set_request_pause(). None may be called with the board's lock
 * held, but for that one.
 */
#ifndef ENGINE_CPU_VCPU_SET_H
#define ENGINE_CPU_VCPU_SET_H

#include "engine/cpu/accel.h"

struct vcpu_set;

/* A vCPU stopped for good (not VCPU_KICKED), and with it all pause. On its thread, no lock held;
 * reason as vcpu_ops.run() gave it, or NULL. */
typedef void (*vcpu_stopped_fn)(void *opaque, unsigned index, enum vcpu_stop stop,
                                const char *reason);

/* accel->cpus vCPUs, standing still. */
struct vcpu_set *vcpu_set_new(struct accel *accel, vcpu_stopped_fn stopped, void *opaque,
                              GError **err);
void vcpu_set_free(struct vcpu_set *set); /* NULL is fine; pauses first */

void vcpu_set_resume(struct vcpu_set *set);
/* Returns when all stand still between two instructions: as long as a device access takes. */
void vcpu_set_pause(struct vcpu_set *set);
/* Asks for the pause and does not wait. The vCPU that makes the call, inside a device access,
 * executes no instruction after the one that made the access. Any thread. */
void vcpu_set_request_pause(struct vcpu_set *set);
/* All to their power-on state; they stand still. */
void vcpu_set_reset(struct vcpu_set *set);

const struct vcpu *vcpu_set_get(const struct vcpu_set *set, unsigned index);
/* Host CPU time that the vCPU's thread has used. */
uint64_t vcpu_set_cpu_time_ns(const struct vcpu_set *set, unsigned index);

#endif
