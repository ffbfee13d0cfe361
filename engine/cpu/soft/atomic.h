/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locked read-modify-write: compare-and-exchange of the host where the operand is memory in one
 * page; otherwise under the accelerator's lock, which orders locked accesses among themselves.
 */
#ifndef ENGINE_CPU_SOFT_ATOMIC_H
#define ENGINE_CPU_SOFT_ATOMIC_H

#include "engine/cpu/soft/soft_internal.h"

/* The new value of the operand; may change registers and flags: it is called last when it counts,
 * and before that for attempts that came to nothing. */
typedef uint64_t soft_modify_fn(struct soft_cpu *cpu, const struct soft_insn *insn, uint64_t old);

/* Of insn->size bytes, at most 8. */
void soft_locked_modify(struct soft_cpu *cpu, const struct soft_insn *insn, uint64_t linear,
                        soft_modify_fn *modify);

/* accel->locked, which leaving the operation by an exception gives back too; unlocking what is not
 * locked does nothing. */
void soft_lock_memory(struct soft_cpu *cpu);
void soft_unlock_memory(struct soft_cpu *cpu);

#endif
