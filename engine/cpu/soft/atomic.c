/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/atomic.h"

#define DEFINE_LOOP(BITS)                                                                  \
    static void loop##BITS(struct soft_cpu *cpu, const struct soft_insn *insn, void *host, \
                           soft_modify_fn *modify)                                         \
    {                                                                                      \
        uint##BITS##_t *at = host, old = __atomic_load_n(at, __ATOMIC_SEQ_CST), new;       \
        struct soft_flags flags = cpu->flags;                                              \
                                                                                           \
        do {                                                                               \
            cpu->flags = flags; /* an attempt in vain has set others */                    \
            new = modify(cpu, insn, old);                                                  \
        } while (!__atomic_compare_exchange_n(at, &old, new, false, __ATOMIC_SEQ_CST,      \
                                              __ATOMIC_SEQ_CST));                          \
    }

DEFINE_LOOP(8)
DEFINE_LOOP(16)
DEFINE_LOOP(32)
DEFINE_LOOP(64)

void soft_lock_memory(struct soft_cpu *cpu)
{
    g_mutex_lock(&cpu->accel->locked);
    cpu->locks_memory = true;
}

void soft_unlock_memory(struct soft_cpu *cpu)
{
    if (!cpu->locks_memory)
        return;
    cpu->locks_memory = false;
    g_mutex_unlock(&cpu->accel->locked);
}

static void modify_slowly(struct soft_cpu *cpu, const struct soft_insn *insn, uint64_t linear,
                          soft_modify_fn *modify)
{
    uint64_t old;

    /* Once these have passed, nothing below leaves by an exception, unless another vCPU changes the
     * page tables meanwhile. */
    soft_need_single(cpu);
    soft_probe_store(cpu, linear, insn->size);
    soft_lock_memory(cpu);
    old = soft_load_for_store(cpu, linear, insn->size);
    soft_store_slow(cpu, linear, modify(cpu, insn, old), insn->size);
    soft_unlock_memory(cpu);
}

void soft_locked_modify(struct soft_cpu *cpu, const struct soft_insn *insn, uint64_t linear,
                        soft_modify_fn *modify)
{
    uint8_t *host = soft_atomic_host(cpu, linear, insn->size);

    if (host == NULL) {
        modify_slowly(cpu, insn, linear, modify);
        return;
    }
    switch (insn->size) {
    case 1:
        loop8(cpu, insn, host, modify);
        break;
    case 2:
        loop16(cpu, insn, host, modify);
        break;
    case 4:
        loop32(cpu, insn, host, modify);
        break;
    default:
        loop64(cpu, insn, host, modify);
    }
}
