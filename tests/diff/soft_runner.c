/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/diff/soft_runner.h"

#include <setjmp.h>
#include <string.h>
#include <sys/auxv.h>

#include "engine/cpu/soft/block.h"
#include "engine/cpu/soft/exec.h"
#include "engine/cpu/soft/flags.h"
#include "engine/cpu/soft/soft.h"
#include "engine/cpu/soft/soft_vcpu.h"
#include "engine/cpu/soft/stack.h"
#include "tests/diff/descriptors.h"

#define TABLES_SIZE (6 * 4096)
#define PAGE_FLAGS 0x67u /* present, writable, user, accessed, dirty */
#define PAGE_USER 4u

/* The last two pages of the tables are the kernel's. */
#define SYSTEM (NATIVE_DATA + 0x20000)
#define SYSTEM_PAGE 4
#define GDT 0
#define LDT 0x100
#define TSS 0x200
#define TSS_IO_BASE 0x66
#define TSS_LIMIT 0x67
#define STACK_TOP 0x800
#define IDT 0x800
#define IDT_SIZE 0x800
#define HANDLERS 0x1000
#define HANDLER_SIZE 16

/* In AT_HWCAP2: the kernel lets programs write their FS and GS bases. */
#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE (1u << 1)
#endif

enum { UNWIND_EXCEPTION = 1, UNWIND_SINGLE }; /* as exec.c says by longjmp() */

#define CODE64_SEGMENT (0xfbu | SEG_L | SEG_G)
#define CODE32_SEGMENT (0xfbu | SEG_DB | SEG_G)
#define DATA_SEGMENT (0xf3u | SEG_DB | SEG_G)
#define TSS_BUSY 0x8bu
#define LDT_PRESENT 0x82u
#define GATE_ATTRIBUTES UINT64_C(0x8e00) /* present, DPL 0, an interrupt gate */

struct soft_runner {
    struct board board;
    struct accel *accel;
    struct vcpu *vcpu;
    struct soft_cpu *cpu;
    struct region tables, data, code;
    /* Across longjmp(). */
    bool single;
};

static void map_page(uint64_t *table, uint64_t linear, uint64_t physical, unsigned flags)
{
    table[linear >> 12 & 511] = physical | flags;
}

/* Descriptors as in a process of Linux; a program may raise #BP and #OF. */
static void make_system(uint8_t *system)
{
    uint64_t stack = SYSTEM + STACK_TOP, ldt[LDT_COUNT];
    uint64_t *idt = (uint64_t *)(system + IDT);

    descriptors_make_gdt((uint64_t *)(system + GDT), SYSTEM + TSS, SYSTEM + LDT);
    descriptors_make_ldt(ldt);
    memcpy(system + LDT, ldt, sizeof(ldt));
    memcpy(system + TSS + 4, &stack, sizeof(stack)); /* of CPL 0 */
    system[TSS + TSS_IO_BASE] = TSS_LIMIT + 1;
    for (unsigned i = 0; i < IDT_SIZE / 16; i++) {
        uint64_t handler = SYSTEM + HANDLERS + i * HANDLER_SIZE;
        uint64_t dpl = i == X86_BP || i == X86_OF ? 3 : 0;

        idt[i * 2] = (handler & 0xffff) | GDT_KERNEL_CODE << 16 |
                     (GATE_ATTRIBUTES | dpl << 13) << 32 | (handler >> 16 & 0xffff) << 48;
        idt[i * 2 + 1] = handler >> 32;
        memcpy(system + HANDLERS + i * HANDLER_SIZE, "\x0f\x0b", 2);
    }
}

/* Data and code at their addresses in this process; they are in the same 2 MiB. */
static void make_tables(uint64_t *memory)
{
    uint64_t *table = memory + 3 * 512;

    memory[0] = 4096 | PAGE_FLAGS;
    memory[512] = 2 * 4096 | PAGE_FLAGS;
    memory[2 * 512 + (NATIVE_DATA >> 21)] = 3 * 4096 | PAGE_FLAGS;
    for (uint64_t at = 0; at < NATIVE_DATA_SIZE; at += 4096)
        map_page(table, NATIVE_DATA + at, NATIVE_DATA + at, PAGE_FLAGS);
    for (uint64_t at = 0; at < NATIVE_CODE_SIZE; at += 4096)
        map_page(table, NATIVE_CODE + at, NATIVE_CODE + at, PAGE_FLAGS);
    for (uint64_t at = SYSTEM_PAGE * 4096; at < TABLES_SIZE; at += 4096)
        map_page(table, SYSTEM + at - SYSTEM_PAGE * 4096, at, PAGE_FLAGS & ~PAGE_USER);
    make_system((uint8_t *)memory + SYSTEM_PAGE * 4096);
}

static void set_mode(struct soft_runner *r, bool ldt)
{
    struct x86_state state = {
        .rflags = X86_FLAG_1 | X86_FLAG_IF,
        .cr0 = CR0_PE | CR0_PG | CR0_NE | CR0_MP | CR0_ET | CR0_WP | CR0_AM,
        .cr4 = CR4_PAE | CR4_DE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE,
        .efer = EFER_LME | EFER_LMA | EFER_SCE,
        .gdt = {SYSTEM + GDT, GDT_COUNT * 8 - 1},
        .idt = {SYSTEM + IDT, IDT_SIZE - 1},
        .tr = {SYSTEM + TSS, TSS_LIMIT, TSS_BUSY, GDT_TSS},
    };

    if (ldt)
        state.ldtr =
            (struct x86_segment){SYSTEM + LDT, LDT_COUNT * 8 - 1, LDT_PRESENT, GDT_TSS + 16};
    if (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE)
        state.cr4 |= CR4_FSGSBASE;
    /* CPL 3 */
    state.segment[X86_CS].attributes = CODE64_SEGMENT;
    state.segment[X86_SS].attributes = DATA_SEGMENT;
    r->vcpu->ops->set_state(r->vcpu, &state);
    r->cpu->xcr0 = XCR0_VALID;
}

static void add_region(struct soft_runner *r, struct region *region, const char *name,
                       uint8_t *host, uint64_t base, uint64_t size)
{
    *region = (struct region){.name = name, .size = size, .host = host};
    memory_map_add(r->board.memory, region, base, 0);
}

struct soft_runner *soft_runner_new(bool ldt)
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
    set_mode(r, ldt);
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
    case X86_DB:
    case X86_BP:
        return NATIVE_TRAP;
    case X86_DE:
        return NATIVE_DIVIDE;
    case X86_UD:
        return NATIVE_UD;
    case X86_OF:
    case X86_BR:
    case X86_NP:
    case X86_SS_FAULT:
    case X86_GP:
        return NATIVE_GP;
    case X86_PF:
        return NATIVE_PF;
    case X86_MF:
    case X86_XM:
        return NATIVE_FP;
    }
    return NATIVE_OTHER;
}

static void set_segment(struct soft_cpu *cpu, unsigned segment, uint16_t selector,
                        uint32_t attributes, uint64_t base)
{
    cpu->segment[segment] = (struct soft_segment){
        .base = base,
        .limit = attributes != 0 ? UINT32_MAX : 0,
        .attributes = attributes,
        .selector = selector,
    };
}

/* Those that native_set_segments() gives, or null ones. */
static void set_segments(struct soft_cpu *cpu, const struct native_state *s)
{
    for (unsigned i = 0; i < X86_SEGMENTS; i++) {
        uint32_t attributes = s->segment[i] == USER_DATA     ? DATA_SEGMENT
                              : s->segment[i] == USER_CODE32 ? CODE32_SEGMENT
                              : s->segment[i] == USER_CODE64 ? CODE64_SEGMENT
                                                             : 0;

        set_segment(cpu, i, s->segment[i], attributes,
                    i == X86_FS   ? s->fs_base
                    : i == X86_GS ? s->gs_base
                                  : 0);
    }
    cpu->cpl = 3;
}

/* INT n and ICEBP are delivered: the program is what the handler's stack says, the vector where the
 * handler stands. */
static enum native_fault leave_handler(struct soft_runner *r)
{
    const uint64_t *frame =
        (const uint64_t *)(r->tables.host + SYSTEM_PAGE * 4096 + STACK_TOP - 5 * 8);
    unsigned vector = (r->cpu->rip - SYSTEM - HANDLERS) / HANDLER_SIZE;

    r->cpu->rip = frame[0];
    r->cpu->segment[X86_CS].selector = frame[1];
    soft_set_rflags(r->cpu, frame[2], UINT64_MAX);
    r->cpu->gpr[X86_RSP] = frame[3];
    r->cpu->segment[X86_SS].selector = frame[4];
    return fault_of_vector(vector);
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
        return cpu->cpl == 3 ? fault_of_vector(cpu->exception.vector) : leave_handler(r);
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

    set_segments(cpu, state);
    memcpy(cpu->gpr, state->gpr, sizeof(state->gpr));
    cpu->rip = state->rip;
    cpu->rflags = state->rflags & ~X86_FLAGS_ARITHMETIC;
    soft_set_arithmetic_flags(cpu, state->rflags);
    soft_mode_changed(cpu);
    cpu->interrupt_shadow = false;
    soft_fpu_set_image(&cpu->fpu, &state->fpu);
    cpu->link_from = NULL;
    r->single = single;
    fault = run_to_fault(r);
    memcpy(state->gpr, cpu->gpr, sizeof(state->gpr));
    state->rip = cpu->rip;
    state->rflags = cpu->rflags | soft_arithmetic_flags(cpu);
    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        state->segment[i] = cpu->segment[i].selector;
    state->fs_base = cpu->segment[X86_FS].base;
    state->gs_base = cpu->segment[X86_GS].base;
    soft_fpu_get_image(&cpu->fpu, &state->fpu);
    return fault;
}
