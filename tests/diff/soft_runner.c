/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/diff/soft_runner.h"

#include <setjmp.h>
#include <string.h>

#include "engine/cpu/soft/block.h"
#include "engine/cpu/soft/exec.h"
#include "engine/cpu/soft/flags.h"
#include "engine/cpu/soft/soft.h"
#include "engine/cpu/soft/soft_vcpu.h"

#define TABLES_SIZE (4 * 4096)
#define PAGE_FLAGS 0x67u /* present, writable, user, accessed, dirty */

enum { UNWIND_EXCEPTION = 1, UNWIND_SINGLE }; /* as exec.c says by longjmp() */

#define CODE64_SEGMENT (0xfbu | SEG_L | SEG_G)
#define CODE32_SEGMENT (0xfbu | SEG_DB | SEG_G)
#define DATA_SEGMENT (0xf3u | SEG_DB | SEG_G)

struct soft_runner {
    struct board board;
    struct accel *accel;
    struct vcpu *vcpu;
    struct soft_cpu *cpu;
    struct region tables, data, code;
    /* Across longjmp(). */
    bool single;
};

static void map_page(uint64_t *table, uint64_t linear)
{
    table[linear >> 12 & 511] = linear | PAGE_FLAGS;
}

/* Data and code at their addresses in this process; they are in the same 2 MiB. */
static void make_tables(uint64_t *memory)
{
    uint64_t *table = memory + 3 * 512;

    memory[0] = 4096 | PAGE_FLAGS;
    memory[512] = 2 * 4096 | PAGE_FLAGS;
    memory[2 * 512 + (NATIVE_DATA >> 21)] = 3 * 4096 | PAGE_FLAGS;
    for (uint64_t at = 0; at < NATIVE_DATA_SIZE; at += 4096)
        map_page(table, NATIVE_DATA + at);
    for (uint64_t at = 0; at < NATIVE_CODE_SIZE; at += 4096)
        map_page(table, NATIVE_CODE + at);
}

static void set_mode(struct soft_runner *r)
{
    struct x86_state state = {
        .rflags = X86_FLAG_1 | X86_FLAG_IF,
        .cr0 = CR0_PE | CR0_PG | CR0_NE | CR0_MP | CR0_ET,
        .cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE,
        .efer = EFER_LME | EFER_LMA,
    };

    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        state.segment[i] = (struct x86_segment){
            .limit = UINT32_MAX,
            .attributes = i == X86_CS ? CODE64_SEGMENT : DATA_SEGMENT,
            .selector = 0x2b,
        };
    r->vcpu->ops->set_state(r->vcpu, &state);
    r->cpu->xcr0 = XCR0_VALID;
}

static void add_region(struct soft_runner *r, struct region *region, const char *name,
                       uint8_t *host, uint64_t base, uint64_t size)
{
    *region = (struct region){.name = name, .size = size, .host = host};
    memory_map_add(r->board.memory, region, base, 0);
}

struct soft_runner *soft_runner_new(void)
{
    struct soft_runner *r = g_new0(struct soft_runner, 1);
    uint64_t *tables = g_aligned_alloc0(1, TABLES_SIZE, 4096);

    board_init(&r->board, NULL);
    r->accel = soft_accel_new(&r->board, 1, NULL);
    make_tables(tables);
    g_mutex_lock(&r->board.lock);
    add_region(r, &r->tables, "tables", (uint8_t *)tables, 0, TABLES_SIZE);
    add_region(r, &r->data, "data", (uint8_t *)NATIVE_DATA, NATIVE_DATA, NATIVE_DATA_SIZE);
    add_region(r, &r->code, "code", (uint8_t *)NATIVE_CODE, NATIVE_CODE, NATIVE_CODE_SIZE);
    g_mutex_unlock(&r->board.lock);
    r->vcpu = r->accel->ops->vcpu_new(r->accel, 0, NULL);
    r->cpu = &((struct soft_vcpu *)r->vcpu)->cpu;
    set_mode(r);
    return r;
}

void soft_runner_free(struct soft_runner *r)
{
    if (r == NULL)
        return;
    r->vcpu->ops->free(r->vcpu);
    g_mutex_lock(&r->board.lock);
    memory_map_remove(r->board.memory, &r->code);
    memory_map_remove(r->board.memory, &r->data);
    memory_map_remove(r->board.memory, &r->tables);
    memory_map_set_listener(r->board.memory, NULL, NULL);
    g_mutex_unlock(&r->board.lock);
    r->accel->ops->free(r->accel);
    board_finish(&r->board);
    g_aligned_free(r->tables.host);
    g_free(r);
}

void soft_runner_set_code(struct soft_runner *r, const void *code, unsigned size)
{
    g_mutex_lock(&r->board.lock);
    guest_memory_write(r->board.memory, NATIVE_CODE, code, size);
    g_mutex_unlock(&r->board.lock);
}

static enum native_fault fault_of_vector(unsigned vector)
{
    switch (vector) {
    case X86_DE:
        return NATIVE_DIVIDE;
    case X86_UD:
        return NATIVE_UD;
    case X86_GP:
    case X86_SS_FAULT:
        return NATIVE_GP;
    case X86_PF:
        return NATIVE_PF;
    case X86_MF:
    case X86_XM:
        return NATIVE_FP;
    }
    return NATIVE_OTHER;
}

/* As soft_cpu_run() does, but for the delivery of exceptions. */
static enum native_fault run_to_fault(struct soft_runner *r)
{
    struct soft_cpu *cpu = r->cpu;
    int why = _setjmp(cpu->unwind);

    if (why != 0) {
        if (cpu->current != NULL)
            cpu->rip = soft_insn_rip(cpu, cpu->current);
        cpu->current = NULL;
        cpu->link_from = NULL;
        cpu->single = false;
    }
    if (why == UNWIND_EXCEPTION)
        return fault_of_vector(cpu->exception.vector);
    for (;;) {
        uint32_t requests = __atomic_exchange_n(&cpu->requests, 0, __ATOMIC_SEQ_CST);
        bool single = r->single || why == UNWIND_SINGLE;

        soft_tlb_requests(cpu, requests);
        why = 0;
        if (!single) {
            soft_cpu_run_block(cpu);
            continue;
        }
        cpu->current = NULL;
        cpu->link_from = NULL;
        cpu->single = true;
        soft_enter(cpu, soft_block_find(cpu, true), cpu->rip);
        cpu->single = false;
    }
}

enum native_fault soft_runner_run(struct soft_runner *r, struct native_state *state, bool single)
{
    struct soft_cpu *cpu = r->cpu;
    enum native_fault fault;

    cpu->segment[X86_CS].attributes = state->narrow ? CODE32_SEGMENT : CODE64_SEGMENT;
    soft_mode_changed(cpu);
    memcpy(cpu->gpr, state->gpr, sizeof(state->gpr));
    cpu->rip = state->rip;
    cpu->rflags = state->rflags & ~X86_FLAGS_ARITHMETIC;
    soft_set_arithmetic_flags(cpu, state->rflags);
    soft_fpu_set_image(&cpu->fpu, &state->fpu);
    cpu->link_from = NULL;
    r->single = single;
    fault = run_to_fault(r);
    memcpy(state->gpr, cpu->gpr, sizeof(state->gpr));
    state->rip = cpu->rip;
    state->rflags = cpu->rflags | soft_arithmetic_flags(cpu);
    soft_fpu_get_image(&cpu->fpu, &state->fpu);
    return fault;
}
