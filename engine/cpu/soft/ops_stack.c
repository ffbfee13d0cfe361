/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PUSH, POP, PUSHA, ENTER, LEAVE. */
#include "engine/cpu/soft/exec.h"
#include "engine/cpu/soft/stack.h"

static void push_reg(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    cpu->current = insn;
    soft_push(cpu, soft_get_reg(cpu, insn->rm, insn->size), insn->size);
    SOFT_NEXT;
}

static void pop_reg(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    uint64_t value;

    cpu->current = insn;
    value = soft_pop(cpu, insn->size);
    soft_set_reg(cpu, insn->rm, insn->size, value);
    SOFT_NEXT;
}

/* Of 8 bytes, so in 64-bit mode: nearly every push and pop there is. */
static void push_reg_64(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    uint64_t sp = cpu->gpr[X86_RSP] - 8;
    uint8_t *host;

    if (!soft_tlb_hit(cpu->tlb_write, sp, 8, &host))
        return push_reg(cpu, insn);
    memcpy(host, &cpu->gpr[insn->rm], 8);
    cpu->gpr[X86_RSP] = sp;
    SOFT_NEXT;
}

static void pop_reg_64(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    uint64_t sp = cpu->gpr[X86_RSP];
    uint8_t *host;

    if (!soft_tlb_hit(cpu->tlb_read, sp, 8, &host))
        return pop_reg(cpu, insn);
    cpu->gpr[X86_RSP] = sp + 8;
    memcpy(&cpu->gpr[insn->rm], host, 8);
    SOFT_NEXT;
}

static void push_memory(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    cpu->current = insn;
    soft_push(cpu, soft_load_sized(cpu, soft_linear(cpu, insn, insn->size, SOFT_READ), insn->size),
              insn->size);
    SOFT_NEXT;
}

/* An address by RSP counts from where RSP is after the pop. */
static void pop_memory(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    uint64_t old = cpu->gpr[X86_RSP], value, linear, new;

    cpu->current = insn;
    value = soft_peek(cpu, 0, insn->size);
    soft_set_sp(cpu, old + insn->size);
    new = cpu->gpr[X86_RSP];
    linear = soft_effective(cpu, insn);
    cpu->gpr[X86_RSP] = old;
    linear = soft_linear_at(cpu, insn->segment, linear, insn->size, SOFT_WRITE);
    soft_store_sized(cpu, linear, value, insn->size);
    cpu->gpr[X86_RSP] = new;
    SOFT_NEXT;
}

/* Memory forms are the same for all kinds of addresses. */
#define WIDE(HANDLER)                   \
    {                                   \
        NULL, HANDLER, HANDLER, HANDLER \
    }
#define ALL_KINDS(HANDLER)                          \
    {                                               \
        WIDE(HANDLER), WIDE(HANDLER), WIDE(HANDLER) \
    }

static const struct soft_forms push_forms = {
    .ri = {NULL, push_reg, push_reg, push_reg_64},
    .mi = ALL_KINDS(push_memory),
};
const struct soft_operation soft_operation_push = {.name = "push", .forms = &push_forms};

static const struct soft_forms pop_forms = {
    .ri = {NULL, pop_reg, pop_reg, pop_reg_64},
    .mi = ALL_KINDS(pop_memory),
};
const struct soft_operation soft_operation_pop = {.name = "pop", .forms = &pop_forms};

SOFT_OPERATION(push_imm)
{
    soft_push(cpu, insn->imm, insn->size);
}

SOFT_OPERATION(pusha)
{
    unsigned size = insn->size;

    for (unsigned i = 0; i < 8; i++)
        soft_poke_below(cpu, (i + 1) * size, cpu->gpr[i], size);
    soft_set_sp(cpu, cpu->gpr[X86_RSP] - 8 * size);
}

SOFT_OPERATION(popa)
{
    unsigned size = insn->size;
    uint64_t values[8];

    for (unsigned i = 0; i < 8; i++)
        values[i] = soft_peek(cpu, (7 - i) * size, size);
    for (unsigned i = 0; i < 8; i++) {
        if (i != X86_RSP)
            soft_set_reg(cpu, i, size, values[i]);
    }
    soft_set_sp(cpu, cpu->gpr[X86_RSP] + 8 * size);
}

SOFT_OPERATION(enter)
{
    unsigned size = insn->size, level = insn->imm >> 16 & 31, room = insn->imm & 0xffff;
    uint64_t mask = soft_stack_mask(cpu), frame = cpu->gpr[X86_RSP] - size;
    unsigned below = size;

    soft_poke_below(cpu, below, cpu->gpr[X86_RBP], size);
    for (unsigned i = 1; i < level; i++) {
        uint64_t at = (cpu->gpr[X86_RBP] - i * size) & mask;
        uint64_t link =
            soft_load_sized(cpu, soft_linear_at(cpu, X86_SS, at, size, SOFT_READ), size);

        below += size;
        soft_poke_below(cpu, below, link, size);
    }
    if (level > 0) {
        below += size;
        soft_poke_below(cpu, below, frame, size);
    }
    /* The last byte of the new frame must be writable. */
    soft_probe_store(cpu,
                     soft_linear_at(cpu, X86_SS, (cpu->gpr[X86_RSP] - below - room) & mask, size,
                                    SOFT_WRITE),
                     size);
    soft_set_reg(cpu, X86_RBP, size, frame);
    soft_set_sp(cpu, cpu->gpr[X86_RSP] - below - room);
}

SOFT_OPERATION(leave)
{
    unsigned size = insn->size;
    uint64_t at = cpu->gpr[X86_RBP] & soft_stack_mask(cpu);
    uint64_t value = soft_load_sized(cpu, soft_linear_at(cpu, X86_SS, at, size, SOFT_READ), size);

    soft_set_sp(cpu, cpu->gpr[X86_RBP] + size);
    soft_set_reg(cpu, X86_RBP, size, value);
}
