/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other processors, by INIT and start-up IPIs (MultiProcessor Specification 1.4, B.4). */
#include "payload.h"

enum { TRAMPOLINE = 0x8000, MAX_CPUS = 8, ROUNDS = 1000 };
enum { ICR_INIT = 0x4500, ICR_STARTUP = 0x4600, ICR_BUSY = 1 << 12 };

extern const uint8_t trampoline[], trampoline_end[];
uint8_t *ap_stack;
void ap_main(void);

static uint8_t stacks[MAX_CPUS][4096] __attribute__((aligned(16)));
static volatile uint32_t started; /* processors that reported */
static volatile uint32_t apic_id; /* of the last to report */
static volatile uint32_t go, counter, finished;

static void add(volatile uint32_t *number)
{
    __asm__ volatile("lock incl %0" : "+m"(*number) : : "memory");
}

static void count_up(void)
{
    for (unsigned i = 0; i < ROUNDS; i++)
        add(&counter);
}

void ap_main(void)
{
    apic_id = mmio_read(LAPIC_ID) >> 24;
    add(&started);
    while (!go)
        __asm__ volatile("pause");
    count_up();
    add(&finished);
}

static void send_ipi(unsigned target, uint32_t command)
{
    mmio_write(LAPIC_ICR_HIGH, target << 24);
    mmio_write(LAPIC_ICR_LOW, command);
    while (mmio_read(LAPIC_ICR_LOW) & ICR_BUSY)
        continue;
}

static bool wait_for(volatile uint32_t *number, uint32_t value)
{
    for (unsigned i = 0; i < 2000 && *number < value; i++)
        wait_us(1000);
    return *number >= value;
}

static const char *start(unsigned cpu)
{
    ap_stack = stacks[cpu] + sizeof(stacks[cpu]);
    send_ipi(cpu, ICR_INIT);
    wait_us(10000);
    send_ipi(cpu, ICR_STARTUP | TRAMPOLINE >> 12);
    if (!wait_for(&started, cpu)) {
        send_ipi(cpu, ICR_STARTUP | TRAMPOLINE >> 12);
        if (!wait_for(&started, cpu))
            return "a processor did not start";
    }
    return apic_id == cpu ? NULL : "a processor has another APIC id than its number";
}

void test_smp(void)
{
    const char *reason = NULL;
    unsigned cpus = fw_cfg_cpus();
    uint8_t *low = (uint8_t *)TRAMPOLINE;

    for (unsigned i = 0; i < (unsigned)(trampoline_end - trampoline); i++)
        low[i] = trampoline[i];
    lapic_enable();
    if (cpus > MAX_CPUS)
        reason = "more than 8 processors";
    for (unsigned cpu = 1; cpu < cpus && reason == NULL; cpu++)
        reason = start(cpu);
    if (reason == NULL) {
        go = 1;
        count_up();
        if (!wait_for(&finished, cpus - 1))
            reason = "a processor did not finish";
        else if (counter != cpus * ROUNDS)
            reason = "locked increments were lost";
    }
    print("smp: %u processors, counter %u\n", cpus, (unsigned)counter);
    report("smp", reason);
}
