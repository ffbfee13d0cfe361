/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The dispatch loop: blocks one after another, and between them whatever asks for attention. */
#include "engine/cpu/soft/exec.h"

#include "engine/cpu/soft/atomic.h"
#include "engine/cpu/soft/block.h"
#include "engine/cpu/soft/debug.h"
#include "engine/cpu/soft/interrupt.h"
#include "engine/cpu/soft/lapic.h"

enum { UNWIND_EXCEPTION = 1, UNWIND_SINGLE, UNWIND_RESTART, UNWIND_LEAVE };

void soft_raise(struct soft_cpu *cpu, unsigned vector, uint32_t error)
{
    cpu->exception.vector = vector;
    cpu->exception.error = error;
    longjmp(cpu->unwind, UNWIND_EXCEPTION);
}

void soft_need_single(struct soft_cpu *cpu)
{
    if (!cpu->single)
        longjmp(cpu->unwind, UNWIND_SINGLE);
}

void soft_restart(struct soft_cpu *cpu)
{
    longjmp(cpu->unwind, UNWIND_RESTART);
}

void soft_leave(struct soft_cpu *cpu)
{
    longjmp(cpu->unwind, UNWIND_LEAVE);
}

static uint64_t cut_rip(const struct soft_cpu *cpu, uint64_t rip)
{
    return cpu->mode & SOFT_MODE_CODE64 ? rip : (uint32_t)rip;
}

uint64_t soft_insn_rip(const struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return cut_rip(cpu, cpu->gpr[SOFT_REG_BLOCK] + insn->offset);
}

uint64_t soft_insn_next_rip(const struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return cut_rip(cpu, cpu->gpr[SOFT_REG_BLOCK] + insn->offset + insn->length);
}

void soft_handler_plain(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    cpu->current = insn;
    insn->run(cpu, insn);
    SOFT_NEXT;
}

void soft_handler_end(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    cpu->current = insn;
    cpu->rip = soft_insn_next_rip(cpu, insn);
    insn->run(cpu, insn);
    return soft_go(cpu, cpu->rip);
}

static void check_allowed(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    uint32_t flags = soft_decoder_row(cpu->accel->decoder, insn->row)->flags;

    if (flags & ROW_CPL0 && cpu->cpl != 0)
        soft_raise_gp0(cpu);
    if (flags & ROW_SSE && (cpu->cr0 & CR0_EM || !(cpu->cr4 & CR4_OSFXSR)))
        soft_raise_ud(cpu);
    if (flags & ROW_MMX && cpu->cr0 & CR0_EM)
        soft_raise_ud(cpu);
    if (flags & ROW_X87 && cpu->cr0 & CR0_EM)
        soft_raise(cpu, X86_NM, 0);
    if (flags & (ROW_X87 | ROW_MMX | ROW_SSE) && cpu->cr0 & CR0_TS)
        soft_raise(cpu, X86_NM, 0);
}

void soft_handler_checked(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    cpu->current = insn;
    check_allowed(cpu, insn);
    insn->run(cpu, insn);
    SOFT_NEXT;
}

void soft_handler_checked_end(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    cpu->current = insn;
    cpu->rip = soft_insn_next_rip(cpu, insn);
    check_allowed(cpu, insn);
    insn->run(cpu, insn);
    return soft_go(cpu, cpu->rip);
}

void soft_handler_dead(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    cpu->rip = cpu->gpr[SOFT_REG_BLOCK];
}

void soft_go_unlinked(struct soft_cpu *cpu, uint64_t rip, unsigned which)
{
    /* In the same page the dispatch loop makes the link. */
    if (SOFT_CHAINING && ((rip ^ cpu->gpr[SOFT_REG_BLOCK]) & SOFT_PAGE_MASK) == 0 &&
        cpu->block->host != NULL && cpu->block->link[which] == NULL) {
        cpu->link_from = cpu->block;
        cpu->link_which = which;
        cpu->rip = rip;
        return;
    }
    return soft_go(cpu, rip);
}

void soft_handler_fall_through(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    return soft_go_linked(cpu, cut_rip(cpu, cpu->gpr[SOFT_REG_BLOCK] + insn->offset), 1);
}

void soft_attention(struct soft_cpu *cpu)
{
    __atomic_fetch_or(&cpu->requests, SOFT_REQUEST_SELF, __ATOMIC_RELAXED);
}

void soft_cpu_request(struct soft_cpu *cpu, uint32_t bits)
{
    __atomic_fetch_or(&cpu->requests, bits, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&cpu->wait.sleeping, __ATOMIC_SEQ_CST)) {
        g_mutex_lock(&cpu->wait.lock);
        g_cond_signal(&cpu->wait.changed);
        g_mutex_unlock(&cpu->wait.lock);
    }
}

/* Until a request, or until the local APIC's timer is due. */
static void sleep_until_request(struct soft_cpu *cpu)
{
    uint64_t deadline = soft_lapic_deadline(cpu->lapic), now = soft_guest_time(cpu);
    gint64 until = G_MAXINT64;

    if (deadline != UINT64_MAX)
        until = g_get_monotonic_time() +
                (gint64)MIN(deadline > now ? (deadline - now) / 1000 + 1 : 0, G_USEC_PER_SEC);
    g_mutex_lock(&cpu->wait.lock);
    __atomic_store_n(&cpu->wait.sleeping, true, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&cpu->requests, __ATOMIC_SEQ_CST) == 0) {
        if (until == G_MAXINT64)
            g_cond_wait(&cpu->wait.changed, &cpu->wait.lock);
        else if (!g_cond_wait_until(&cpu->wait.changed, &cpu->wait.lock, until))
            break;
    }
    __atomic_store_n(&cpu->wait.sleeping, false, __ATOMIC_SEQ_CST);
    g_mutex_unlock(&cpu->wait.lock);
    soft_lapic_poll(cpu->lapic);
}

/* SDM volume 3, table 6-8: interrupts between two instructions. */
static void take_interrupts(struct soft_cpu *cpu)
{
    int vector;

    if (!cpu->nmi_blocked && soft_lapic_take_nmi(cpu->lapic)) {
        cpu->activity = SOFT_RUNNING;
        cpu->nmi_blocked = true;
        soft_interrupt_external(cpu, X86_NMI);
        soft_cpu_request(cpu, SOFT_REQUEST_INTERRUPT);
        return;
    }
    /* Whatever sets IF asks again. */
    if (!(cpu->rflags & X86_FLAG_IF) || !(soft_lapic_pending(cpu->lapic) & SOFT_PENDING_INTERRUPT))
        return;
    vector = soft_lapic_acknowledge(cpu->lapic);
    if (vector < 0)
        return;
    cpu->activity = SOFT_RUNNING;
    soft_count_exit(cpu, VCPU_EXIT_INTERRUPTED);
    soft_interrupt_external(cpu, vector);
    if (cpu->rflags & X86_FLAG_IF)
        soft_cpu_request(cpu, SOFT_REQUEST_INTERRUPT);
}

void soft_cpu_take_start_signals(struct soft_cpu *cpu)
{
    int page;

    if (soft_lapic_take_init(cpu->lapic))
        soft_cpu_init_signal(cpu);
    page = soft_lapic_take_start(cpu->lapic);
    if (page >= 0 && cpu->activity == SOFT_WAIT_FOR_START)
        soft_cpu_start(cpu, page);
}

/* Looks at what was asked of the vCPU. False: leave run(). */
static bool serve_requests(struct soft_cpu *cpu)
{
    uint32_t requests = __atomic_load_n(&cpu->requests, __ATOMIC_ACQUIRE);
    uint32_t taken = requests & ~SOFT_REQUEST_KICK;

    if (requests & SOFT_REQUEST_KICK || cpu->interrupt_shadow)
        taken &= ~SOFT_REQUEST_INTERRUPT;
    __atomic_fetch_and(&cpu->requests, ~taken, __ATOMIC_SEQ_CST);
    cpu->link_from = NULL; /* an interrupt may take its place */
    soft_tlb_requests(cpu, taken);
    if (requests & SOFT_REQUEST_KICK)
        return false;
    if (taken & SOFT_REQUEST_INTERRUPT && !cpu->lent) {
        soft_cpu_take_start_signals(cpu);
        if (cpu->activity <= SOFT_HALTED)
            take_interrupts(cpu);
    }
    return true;
}

static void make_link(struct soft_cpu *cpu, struct soft_block *to)
{
    struct soft_block *from = cpu->link_from;

    cpu->link_from = NULL;
    if (from != NULL && from->host != NULL && to->host != NULL && from->mode == to->mode &&
        ((uintptr_t)from->host ^ (uintptr_t)to->host) < SOFT_PAGE_SIZE)
        from->link[cpu->link_which] = to;
}

/* One instruction alone, and the traps behind it. */
static void run_single(struct soft_cpu *cpu)
{
    bool shadow = cpu->interrupt_shadow;

    cpu->single = true;
    cpu->link_from = NULL;
    cpu->lent_shadow = shadow;
    cpu->interrupt_shadow = false;
    cpu->current = NULL;
    if (!shadow)
        soft_debug_execute(cpu);
    cpu->trap_step = cpu->rflags & X86_FLAG_TF;
    cpu->trap_hits = 0;
    soft_enter(cpu, soft_block_find(cpu, true), cpu->rip);
    cpu->rflags &= ~X86_FLAG_RF | (cpu->keep_rf ? X86_FLAG_RF : 0);
    cpu->keep_rf = false;
    cpu->single = false;
    cpu->current = NULL;
    if (shadow)
        soft_attention(cpu); /* interrupts that it held back */
    if (cpu->interrupt_shadow)
        return;
    if (cpu->trap_step || cpu->trap_hits != 0)
        soft_debug_trap(cpu);
}

void soft_cpu_run_block(struct soft_cpu *cpu)
{
    struct soft_block *block;

    cpu->current = NULL;
    cpu->lent_shadow = false;
    block = soft_block_find(cpu, false);
    if (block->host == NULL) { /* it goes on in the next page, or is in no memory */
        cpu->link_from = NULL;
        soft_enter(cpu, block, cpu->rip);
        return;
    }
    make_link(cpu, block);
    soft_jumps_add(cpu, block);
    soft_enter(cpu, block, cpu->rip);
}

static bool needs_single(const struct soft_cpu *cpu)
{
    return cpu->interrupt_shadow || cpu->rflags & (X86_FLAG_TF | X86_FLAG_RF) ||
           soft_debug_watches_code(cpu);
}

static enum vcpu_stop loop(struct soft_cpu *cpu, bool single)
{
    for (;;) {
        if (__atomic_load_n(&cpu->requests, __ATOMIC_RELAXED) != 0 && !serve_requests(cpu))
            return VCPU_KICKED;
        if (G_UNLIKELY(cpu->activity != SOFT_RUNNING)) {
            if (cpu->activity == SOFT_SHUTDOWN)
                return VCPU_TRIPLE_FAULT;
            soft_count_exit(cpu, VCPU_EXIT_HALT);
            sleep_until_request(cpu);
            continue;
        }
        if (cpu->lent && !cpu->lent_endless) {
            if (cpu->lent_steps == 0)
                return VCPU_KICKED;
            cpu->lent_steps--;
            single = true;
        }
        if (single || needs_single(cpu))
            run_single(cpu);
        else
            soft_cpu_run_block(cpu);
        single = false;
    }
}

/* What was on its way to its handler when the state came from elsewhere. */
static void deliver_event(struct soft_cpu *cpu)
{
    struct x86_event event = cpu->event;

    cpu->event = (struct x86_event){0};
    if (event.kind == X86_EVENT_EXCEPTION) {
        cpu->exception.vector = event.vector;
        cpu->exception.error = event.error;
        soft_interrupt_exception(cpu);
    } else {
        soft_interrupt_external(cpu, event.vector);
    }
}

enum vcpu_stop soft_cpu_run(struct soft_cpu *cpu)
{
    int why = _setjmp(cpu->unwind);
    bool unknown = false;

    if (why != 0) {
        unknown = cpu->current != NULL && cpu->exception.vector == X86_UD &&
                  soft_decoder_row(cpu->accel->decoder, cpu->current->row) == NULL;
        if (cpu->current != NULL)
            cpu->rip = soft_insn_rip(cpu, cpu->current);
        cpu->current = NULL;
        cpu->link_from = NULL;
        cpu->single = false;
        soft_unlock_memory(cpu);
    }
    if (why == UNWIND_LEAVE || (why == UNWIND_EXCEPTION && cpu->lent && unknown)) {
        cpu->lent_end = why == UNWIND_LEAVE ? SOFT_CORE_LEFT : SOFT_CORE_UNKNOWN;
        cpu->interrupt_shadow = cpu->lent_shadow;
        return VCPU_KICKED;
    }
    if (why == UNWIND_EXCEPTION) {
        cpu->trap_step = false;
        cpu->trap_hits = 0;
        soft_interrupt_exception(cpu);
    }
    if (why == 0 && G_UNLIKELY(cpu->event.kind != X86_NO_EVENT))
        deliver_event(cpu);
    if (why == UNWIND_RESTART && (cpu->trap_step || cpu->trap_hits != 0))
        soft_debug_trap(cpu);
    return loop(cpu, why == UNWIND_SINGLE);
}
