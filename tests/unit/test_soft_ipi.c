/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vCPUs on threads of their own, with a device and a clock beside them: interrupts between them are
 * neither lost nor raced for. ThreadSanitizer sees the locks at work.
 */
#include <check.h>

#include "engine/cpu/soft/ioapic.h"
#include "engine/cpu/soft/irqchip.h"
#include "tests/suite.h"

#define CPUS 4
#define ROUNDS 2000     /* how often the token goes around */
#define LEVEL_TIMES 500 /* how often the device asks */
#define MAX_SECONDS 60

#define TOKEN 0x41
#define NOISE 0x51
#define LEVEL 0x61
#define TIMER 0x71

#define GSI 17

struct cpu {
    struct test *test;
    unsigned index;
    GThread *thread;
    unsigned tokens, nmis, timers;
    GMutex lock; /* what follows */
    GCond wake;
    bool notified;
};

struct test {
    struct board board;
    struct soft_irqchip *chip;
    struct cpu cpu[CPUS];
    bool line;         /* of the device; the board's lock */
    unsigned served;   /* the board's lock */
    int stop;          /* atomic */
    int tokens_passed; /* atomic */
};

static struct test t;

static void on_notify(void *opaque, unsigned index)
{
    struct cpu *cpu = &((struct test *)opaque)->cpu[index];

    g_mutex_lock(&cpu->lock);
    cpu->notified = true;
    g_cond_signal(&cpu->wake);
    g_mutex_unlock(&cpu->lock);
}

static void sleep_until_notified(struct cpu *cpu)
{
    g_mutex_lock(&cpu->lock);
    while (!cpu->notified)
        g_cond_wait(&cpu->wake, &cpu->lock);
    cpu->notified = false;
    g_mutex_unlock(&cpu->lock);
}

static void send(struct cpu *cpu, uint32_t destination, uint32_t icr)
{
    soft_lapic_write_msr(soft_irqchip_lapic(cpu->test->chip, cpu->index), 0x830,
                         (uint64_t)destination << 32 | icr);
}

/* The driver of the device: what it does makes the line fall. */
static void serve_device(struct test *test)
{
    g_mutex_lock(&test->board.lock);
    test->line = false;
    test->served++;
    soft_irqchip_set_irq(test->chip, GSI, false);
    g_mutex_unlock(&test->board.lock);
}

static void serve(struct cpu *cpu, int vector)
{
    struct soft_lapic *lapic = soft_irqchip_lapic(cpu->test->chip, cpu->index);

    switch (vector) {
    case TOKEN:
        cpu->tokens++;
        g_atomic_int_inc(&cpu->test->tokens_passed);
        send(cpu, 0, 0xc0000 | NOISE);             /* all others */
        send(cpu, (cpu->index + 2) % CPUS, 0x400); /* NMI */
        send(cpu, (cpu->index + 1) % CPUS, TOKEN);
        break;
    case LEVEL:
        serve_device(cpu->test);
        break;
    case TIMER:
        cpu->timers++;
        soft_lapic_write_msr(lapic, 0x838, 1000);
        break;
    }
    soft_lapic_set_cr8(lapic, vector >> 4 & 1);
    soft_lapic_write_msr(lapic, 0x80b, 0);
    soft_lapic_set_cr8(lapic, 0);
}

static void *vcpu_main(void *opaque)
{
    struct cpu *cpu = opaque;
    struct soft_lapic *lapic = soft_irqchip_lapic(cpu->test->chip, cpu->index);

    soft_lapic_write_msr(lapic, 0x80f, 0x1ff);
    soft_lapic_write_msr(lapic, 0x832, TIMER);
    soft_lapic_write_msr(lapic, 0x838, 1000);
    if (cpu->index == 0)
        soft_lapic_write_msr(lapic, 0x83f, TOKEN);
    while (!g_atomic_int_get(&cpu->test->stop)) {
        uint32_t pending = soft_lapic_pending(lapic);

        if (pending == 0)
            sleep_until_notified(cpu);
        if ((pending & SOFT_PENDING_NMI) && soft_lapic_take_nmi(lapic))
            cpu->nmis++;
        if (pending & SOFT_PENDING_INTERRUPT) {
            int vector = soft_lapic_acknowledge(lapic);

            if (vector >= 0)
                serve(cpu, vector);
        }
        soft_lapic_poll(lapic);
    }
    return NULL;
}

static void set_up_machine(void)
{
    board_init(&t.board, NULL);
    t.chip = soft_irqchip_new(&t.board, CPUS, NSEC_PER_SEC, on_notify, &t);
    for (unsigned i = 0; i < CPUS; i++) {
        struct soft_lapic *lapic = soft_irqchip_lapic(t.chip, i);

        t.cpu[i].test = &t;
        t.cpu[i].index = i;
        g_mutex_init(&t.cpu[i].lock);
        g_cond_init(&t.cpu[i].wake);
        ck_assert(soft_lapic_write_msr(lapic, MSR_APIC_BASE, 0xfee00c00));
        ck_assert(soft_lapic_write_msr(lapic, 0x80f, 0x1ff));
    }
    /* Level-triggered, to whoever is least busy of all. */
    g_mutex_lock(&t.board.lock);
    memory_map_write(t.board.memory, IOAPIC_ADDRESS, 0x11 + 2 * GSI, 4);
    memory_map_write(t.board.memory, IOAPIC_ADDRESS + 0x10, 0xff000000, 4);
    memory_map_write(t.board.memory, IOAPIC_ADDRESS, 0x10 + 2 * GSI, 4);
    memory_map_write(t.board.memory, IOAPIC_ADDRESS + 0x10, 0x8100 | LEVEL, 4);
    g_mutex_unlock(&t.board.lock);
}

/* The device's and the main loop's part, until all is done. */
static unsigned drive_device(void)
{
    gint64 deadline = g_get_monotonic_time() + MAX_SECONDS * G_USEC_PER_SEC;
    unsigned served = 0;

    while (g_get_monotonic_time() < deadline &&
           (served < LEVEL_TIMES || g_atomic_int_get(&t.tokens_passed) < ROUNDS * CPUS)) {
        g_mutex_lock(&t.board.lock);
        served = t.served;
        if (!t.line && served < LEVEL_TIMES) {
            t.line = true;
            soft_irqchip_set_irq(t.chip, GSI, true);
        }
        g_mutex_unlock(&t.board.lock);
        clock_advance(t.board.clock, 500);
        g_thread_yield();
    }
    return served;
}

static void stop_machine(void)
{
    g_atomic_int_set(&t.stop, 1);
    for (unsigned i = 0; i < CPUS; i++) {
        on_notify(&t, i);
        g_thread_join(t.cpu[i].thread);
    }
    board_finish(&t.board);
    soft_irqchip_free(t.chip);
}

START_TEST(test_threads)
{
    unsigned served;

    set_up_machine();
    for (unsigned i = 0; i < CPUS; i++)
        t.cpu[i].thread = g_thread_new("vcpu", vcpu_main, &t.cpu[i]);
    served = drive_device();
    stop_machine();
    ck_assert_uint_ge(served, LEVEL_TIMES);
    ck_assert_int_ge(t.tokens_passed, ROUNDS * CPUS);
    for (unsigned i = 0; i < CPUS; i++) {
        ck_assert_uint_ge(t.cpu[i].tokens, ROUNDS);
        ck_assert_uint_gt(t.cpu[i].nmis, 0);
        ck_assert_uint_gt(t.cpu[i].timers, 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("soft_ipi");
    TCase *tc = tcase_create("threads");

    tcase_set_timeout(tc, 2 * MAX_SECONDS);
    tcase_add_test(tc, test_threads);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
