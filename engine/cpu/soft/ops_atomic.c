/* SPDX-License-Identifier: GPL-2.0-or-later */
/* XCHG with memory, XADD, CMPXCHG and its wide forms. */
#include "engine/cpu/soft/alu.h"
#include "engine/cpu/soft/atomic.h"
#include "engine/cpu/soft/exec.h"
#include "engine/cpu/soft/stack.h"

static uint64_t get_sized(const struct soft_cpu *cpu, unsigned reg, unsigned size)
{
    return size == 1 ? soft_get8(cpu, reg) : soft_get_reg(cpu, reg, size);
}

static void set_sized(struct soft_cpu *cpu, unsigned reg, unsigned size, uint64_t value)
{
    if (size == 1)
        soft_set8(cpu, reg, value);
    else
        soft_set_reg(cpu, reg, size, value);
}

static uint64_t add_sized(struct soft_cpu *cpu, uint64_t a, uint64_t b, unsigned size)
{
    switch (size) {
    case 1:
        return alu_add8(cpu, a, b);
    case 2:
        return alu_add16(cpu, a, b);
    case 4:
        return alu_add32(cpu, a, b);
    }
    return alu_add64(cpu, a, b);
}

static uint64_t sub_sized(struct soft_cpu *cpu, uint64_t a, uint64_t b, unsigned size)
{
    switch (size) {
    case 1:
        return alu_sub8(cpu, a, b);
    case 2:
        return alu_sub16(cpu, a, b);
    case 4:
        return alu_sub32(cpu, a, b);
    }
    return alu_sub64(cpu, a, b);
}

/* What the operand held last is kept in cpu->scratch for after the exchange. */
static uint64_t exchange(struct soft_cpu *cpu, const struct soft_insn *insn, uint64_t old)
{
    cpu->scratch = old;
    return get_sized(cpu, insn->reg, insn->size);
}

/* With memory it is locked without a prefix. */
SOFT_OPERATION(xchg)
{
    uint64_t source = get_sized(cpu, insn->reg, insn->size);

    if (insn->flags & SOFT_INSN_MEM) {
        soft_locked_modify(cpu, insn, soft_linear(cpu, insn, insn->size, SOFT_WRITE), exchange);
    } else {
        cpu->scratch = get_sized(cpu, insn->rm, insn->size);
        set_sized(cpu, insn->rm, insn->size, source);
    }
    set_sized(cpu, insn->reg, insn->size, cpu->scratch);
}

static uint64_t exchange_add(struct soft_cpu *cpu, const struct soft_insn *insn, uint64_t old)
{
    cpu->scratch = old;
    return add_sized(cpu, old, get_sized(cpu, insn->reg, insn->size), insn->size);
}

SOFT_OPERATION(xadd)
{
    if (insn->flags & SOFT_INSN_MEM) {
        soft_locked_modify(cpu, insn, soft_linear(cpu, insn, insn->size, SOFT_WRITE), exchange_add);
        set_sized(cpu, insn->reg, insn->size, cpu->scratch);
    } else {
        uint64_t sum = exchange_add(cpu, insn, get_sized(cpu, insn->rm, insn->size));

        set_sized(cpu, insn->reg, insn->size, cpu->scratch);
        set_sized(cpu, insn->rm, insn->size, sum);
    }
}

/* Writes even when the comparison fails: the old value. */
static uint64_t compare_exchange(struct soft_cpu *cpu, const struct soft_insn *insn, uint64_t old)
{
    cpu->scratch = old;
    sub_sized(cpu, get_sized(cpu, X86_RAX, insn->size), old, insn->size);
    return soft_zf(cpu) ? get_sized(cpu, insn->reg, insn->size) : old;
}

SOFT_OPERATION(cmpxchg)
{
    uint64_t value;

    if (insn->flags & SOFT_INSN_MEM) {
        soft_locked_modify(cpu, insn, soft_linear(cpu, insn, insn->size, SOFT_WRITE),
                           compare_exchange);
    } else {
        value = compare_exchange(cpu, insn, get_sized(cpu, insn->rm, insn->size));
        /* A register that keeps its value keeps its upper half too. */
        if (soft_zf(cpu))
            set_sized(cpu, insn->rm, insn->size, value);
    }
    if (!soft_zf(cpu))
        set_sized(cpu, X86_RAX, insn->size, cpu->scratch);
}

static void finish_pair(struct soft_cpu *cpu, unsigned size, bool equal, uint64_t low,
                        uint64_t high)
{
    soft_set_arithmetic_flags(cpu, (soft_arithmetic_flags(cpu) & ~X86_FLAG_ZF) |
                                       (equal ? X86_FLAG_ZF : 0));
    if (!equal) {
        soft_set_reg(cpu, X86_RAX, size, low);
        soft_set_reg(cpu, X86_RDX, size, high);
    }
}

static bool exchange_pair64(uint8_t *host, uint64_t *expected, uint64_t new)
{
    return __atomic_compare_exchange_n((uint64_t *)host, expected, new, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

/* CMPXCHG16B of the host, which x86-64-v2 has: the compiler's own atomics would call a library. */
static bool exchange_pair128(uint8_t *host, uint64_t *low, uint64_t *high, uint64_t new_low,
                             uint64_t new_high)
{
    bool equal;

    __asm__ volatile("lock cmpxchg16b %1"
                     : "=@cce"(equal), "+m"(*(unsigned __int128 *)host), "+a"(*low), "+d"(*high)
                     : "b"(new_low), "c"(new_high)
                     : "memory");
    return equal;
}

static bool pair_slowly(struct soft_cpu *cpu, uint64_t linear, unsigned size, uint64_t *low,
                        uint64_t *high)
{
    uint64_t old_low, old_high, words[2];
    bool equal;

    soft_need_single(cpu);
    soft_probe_store(cpu, linear, 2 * size);
    soft_lock_memory(cpu);
    old_low = soft_load_for_store(cpu, linear, size);
    old_high = soft_load_for_store(cpu, linear + size, size);
    equal = old_low == *low && old_high == *high;
    words[0] = equal ? soft_get_reg(cpu, X86_RBX, size) : old_low;
    words[1] = equal ? soft_get_reg(cpu, X86_RCX, size) : old_high;
    soft_store_slow(cpu, linear, words[0], size);
    soft_store_slow(cpu, linear + size, words[1], size);
    soft_unlock_memory(cpu);
    *low = old_low;
    *high = old_high;
    return equal;
}

/* CMPXCHG8B and CMPXCHG16B. */
SOFT_OPERATION(cmpxchg_pair)
{
    unsigned size = insn->size;
    uint64_t linear = soft_linear(cpu, insn, 2 * size, SOFT_WRITE);
    uint64_t low = soft_get_reg(cpu, X86_RAX, size), high = soft_get_reg(cpu, X86_RDX, size);
    uint64_t new_low = soft_get_reg(cpu, X86_RBX, size);
    uint64_t new_high = soft_get_reg(cpu, X86_RCX, size);
    uint8_t *host;
    bool equal;

    if (size == 8 && linear % 16 != 0)
        soft_raise_gp0(cpu);
    host = soft_atomic_host(cpu, linear, 2 * size);
    if (host == NULL) {
        equal = pair_slowly(cpu, linear, size, &low, &high);
    } else if (size == 8) {
        equal = exchange_pair128(host, &low, &high, new_low, new_high);
    } else {
        uint64_t both = low | high << 32;

        equal = exchange_pair64(host, &both, new_low | new_high << 32);
        low = (uint32_t)both;
        high = both >> 32;
    }
    finish_pair(cpu, size, equal, low, high);
}
