/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>

#include "tests/fakes/irq_machine.h"
#include "tests/suite.h"

#define CPUS 4
#define USEC UINT64_C(1000)
#define MSEC (1000 * USEC)

#define SELF 0x40000u
#define ALL 0x80000u
#define OTHERS 0xc0000u
#define LOGICAL 0x800u
#define NMI 0x400u
#define INIT 0x500u
#define START 0x600u

#define X2APIC 0xc00u /* in IA32_APIC_BASE */

static struct irq_machine m;

static struct soft_lapic *lapic(unsigned cpu)
{
    return irq_machine_lapic(&m, cpu);
}

static uint32_t get(unsigned offset)
{
    return lapic_get(&m, 0, offset);
}

static void set(unsigned offset, uint32_t value)
{
    lapic_set(&m, 0, offset, value);
}

static int take(unsigned cpu)
{
    return irq_machine_take(&m, cpu);
}

static void eoi(unsigned cpu)
{
    lapic_set(&m, cpu, LAPIC_EOI, 0);
}

/* vCPU 0 sends an IPI. */
static void ipi(uint8_t destination, uint32_t low)
{
    set(LAPIC_ICR_HIGH, (uint32_t)destination << 24);
    set(LAPIC_ICR, low);
}

static void self_ipi(uint8_t vector)
{
    ipi(0, SELF | vector);
}

/* Which vCPUs get the vector, as bits. */
static unsigned takers(int vector)
{
    unsigned set_of_cpus = 0;

    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        if (take(cpu) == vector) {
            set_of_cpus |= 1 << cpu;
            eoi(cpu);
        }
    }
    return set_of_cpus;
}

static bool write_msr(unsigned cpu, uint32_t msr, uint64_t value)
{
    return soft_lapic_write_msr(lapic(cpu), msr, value);
}

static bool has_msr(unsigned cpu, uint32_t msr)
{
    uint64_t value;

    return soft_lapic_read_msr(lapic(cpu), msr, &value);
}

static uint64_t msr_of(unsigned cpu, uint32_t msr)
{
    uint64_t value = 0;

    ck_assert(soft_lapic_read_msr(lapic(cpu), msr, &value));
    return value;
}

static void enable_x2apic(unsigned cpu)
{
    ck_assert(write_msr(cpu, MSR_APIC_BASE, msr_of(cpu, MSR_APIC_BASE) | X2APIC));
}

static uint32_t error_status(void)
{
    set(LAPIC_ESR, 0);
    return get(LAPIC_ESR);
}

static void setup(void)
{
    irq_machine_init(&m, CPUS);
    irq_machine_start_pic(&m);
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        irq_machine_enable_lapic(&m, cpu);
}

static void teardown(void)
{
    irq_machine_finish(&m);
}

START_TEST(test_power_on)
{
    soft_irqchip_reset(m.chip);
    ck_assert_uint_eq(msr_of(0, MSR_APIC_BASE), 0xfee00900);
    ck_assert_uint_eq(msr_of(1, MSR_APIC_BASE), 0xfee00800);
    ck_assert_uint_eq(lapic_get(&m, 3, LAPIC_ID), 3u << 24);
    ck_assert_uint_eq(get(LAPIC_VERSION), 0x00050014);
    ck_assert_uint_eq(get(LAPIC_SVR), 0xff);
    ck_assert_uint_eq(get(LAPIC_DFR), 0xffffffff);
    ck_assert_uint_eq(get(LAPIC_LDR), 0);
    ck_assert_uint_eq(get(LAPIC_LINT0), 0x700); /* virtual wire */
    ck_assert_uint_eq(lapic_get(&m, 1, LAPIC_LINT0), 0x10000);
    for (unsigned lvt = LAPIC_TIMER; lvt <= LAPIC_ERROR; lvt += 0x10)
        ck_assert_uint_eq(lapic_get(&m, 1, lvt), 0x10000);
}
END_TEST

START_TEST(test_page)
{
    ck_assert(soft_lapic_covers(lapic(0), 0xfee00000));
    ck_assert(soft_lapic_covers(lapic(0), 0xfee00fff));
    ck_assert(!soft_lapic_covers(lapic(0), 0xfee01000));
    ck_assert(write_msr(0, MSR_APIC_BASE, 0xfed80900));
    ck_assert(!soft_lapic_covers(lapic(0), 0xfee00000));
    ck_assert(soft_lapic_covers(lapic(0), 0xfed80000));
    enable_x2apic(0);
    ck_assert(!soft_lapic_covers(lapic(0), 0xfed80000));
    ck_assert(soft_lapic_enabled(lapic(0)));
}
END_TEST

START_TEST(test_access_sizes)
{
    ck_assert_uint_eq(soft_lapic_read(lapic(1), LAPIC_ID + 3, 1), 1);
    ck_assert_uint_eq(soft_lapic_read(lapic(1), LAPIC_ID, 8), 1u << 24);
    ck_assert_uint_eq(soft_lapic_read(lapic(1), LAPIC_ID + 4, 4), 0);
    soft_lapic_write(lapic(0), LAPIC_TPR, 0x55, 1);
    soft_lapic_write(lapic(0), LAPIC_TPR + 4, 0x55, 4);
    ck_assert_uint_eq(get(LAPIC_TPR), 0);
    soft_lapic_write(lapic(0), LAPIC_TPR, UINT64_C(0x1200000055), 8);
    ck_assert_uint_eq(get(LAPIC_TPR), 0x55);
    ck_assert_uint_eq(error_status(), 0);
    soft_lapic_write(lapic(0), UINT32_MAX, 0, 8);
    soft_lapic_read(lapic(0), UINT32_MAX, 8);
}
END_TEST

START_TEST(test_interrupt)
{
    unsigned before = m.notified[0];

    self_ipi(0x41);
    ck_assert_uint_eq(m.notified[0], before + 1);
    ck_assert_uint_eq(soft_lapic_pending(lapic(0)), SOFT_PENDING_INTERRUPT);
    ck_assert_uint_eq(get(LAPIC_IRR + 0x20), 2);
    ck_assert_int_eq(take(0), 0x41);
    ck_assert_uint_eq(get(LAPIC_IRR + 0x20), 0);
    ck_assert_uint_eq(get(LAPIC_ISR + 0x20), 2);
    ck_assert_uint_eq(get(LAPIC_PPR), 0x40);
    ck_assert_uint_eq(soft_lapic_pending(lapic(0)), 0);
    ck_assert_int_eq(soft_lapic_acknowledge(lapic(0)), -1);
    eoi(0);
    ck_assert_uint_eq(get(LAPIC_ISR + 0x20), 0);
    ck_assert_uint_eq(get(LAPIC_PPR), 0);
    eoi(0); /* nothing in service: no harm */
}
END_TEST

START_TEST(test_trigger_mode)
{
    soft_irqchip_send_msi(m.chip, 0xfee00000, 0xc071); /* level, asserted */
    ck_assert_uint_eq(get(LAPIC_TMR + 0x30), 1u << 17);
    ck_assert_int_eq(take(0), 0x71);
    eoi(0);
    self_ipi(0x71);
    ck_assert_uint_eq(get(LAPIC_TMR + 0x30), 0);
}
END_TEST

START_TEST(test_priority)
{
    self_ipi(0x45);
    ck_assert_int_eq(take(0), 0x45);
    self_ipi(0x4f); /* of the same class: waits */
    ck_assert_int_eq(take(0), -1);
    self_ipi(0x51);
    self_ipi(0x50);
    ck_assert_int_eq(take(0), 0x51);
    eoi(0);
    ck_assert_int_eq(take(0), 0x50);
    eoi(0);
    ck_assert_int_eq(take(0), -1);
    eoi(0);
    ck_assert_int_eq(take(0), 0x4f);
}
END_TEST

START_TEST(test_task_priority)
{
    set(LAPIC_TPR, 0x45);
    ck_assert_uint_eq(soft_lapic_cr8(lapic(0)), 4);
    ck_assert_uint_eq(get(LAPIC_PPR), 0x45);
    self_ipi(0x4f);
    ck_assert_int_eq(take(0), -1);
    soft_lapic_set_cr8(lapic(0), 3);
    ck_assert_uint_eq(get(LAPIC_TPR), 0x30);
    ck_assert_int_eq(take(0), 0x4f);
    eoi(0);
    self_ipi(0x61);
    soft_lapic_set_cr8(lapic(0), 15); /* it was pending and is no more */
    ck_assert_uint_eq(soft_lapic_pending(lapic(0)), 0);
    ck_assert_int_eq(soft_lapic_acknowledge(lapic(0)), -1);
}
END_TEST

START_TEST(test_software_disable)
{
    set(LAPIC_TIMER, 0x41);
    self_ipi(0x61);
    set(LAPIC_SVR, 0xff);
    ck_assert_uint_eq(get(LAPIC_TIMER), 0x10041);
    set(LAPIC_TIMER, 0x41); /* the mask stays */
    ck_assert_uint_eq(get(LAPIC_TIMER), 0x10041);
    ck_assert_int_eq(take(0), 0x61); /* what was there is still there */
    self_ipi(0x71);
    ck_assert_int_eq(take(0), -1);
    ipi(0, NMI | SELF); /* not a legal shorthand, yet delivered */
    ck_assert(soft_lapic_take_nmi(lapic(0)));
}
END_TEST

START_TEST(test_global_disable)
{
    self_ipi(0x61);
    ck_assert(write_msr(0, MSR_APIC_BASE, 0xfee00100));
    ck_assert(!soft_lapic_enabled(lapic(0)));
    ck_assert(!soft_lapic_covers(lapic(0), 0xfee00000));
    ck_assert_uint_eq(soft_lapic_pending(lapic(0)), 0);
    soft_irqchip_send_msi(m.chip, 0xfee00000, 0x71);
    ck_assert_uint_eq(soft_lapic_pending(lapic(0)), 0);
    fake_out8(&m.fake, 0x21, 0xfd); /* LINT0 is INTR */
    soft_irqchip_set_irq(m.chip, 1, true);
    ck_assert_int_eq(take(0), 0x21);
    ck_assert(write_msr(0, MSR_APIC_BASE, 0xfee00900));
    ck_assert_uint_eq(get(LAPIC_SVR), 0xff);
}
END_TEST

START_TEST(test_errors)
{
    self_ipi(0x0f);
    ck_assert_uint_eq(get(LAPIC_ESR), 0); /* not before a write */
    ck_assert_uint_eq(error_status(), 0x20);
    ck_assert_uint_eq(error_status(), 0);
    soft_irqchip_send_msi(m.chip, 0xfee00000, 0x0e);
    ck_assert_uint_eq(error_status(), 0x40);
    ck_assert_uint_eq(get(0x0), 0);
    ck_assert_uint_eq(error_status(), 0x80);
    set(0x3f0, 0x41);
    ck_assert_uint_eq(error_status(), 0x80);
    set(LAPIC_ERROR, 0xee);
    self_ipi(0x01);
    ck_assert_int_eq(take(0), 0xee);
    set(LAPIC_ERROR, 0x02); /* its own vector is illegal */
    self_ipi(0x01);
    ck_assert_uint_eq(soft_lapic_pending(lapic(0)), 0);
}
END_TEST

START_TEST(test_physical_ipi)
{
    ipi(2, 0x41);
    ck_assert_uint_eq(takers(0x41), 4);
    ipi(0xff, 0x42);
    ck_assert_uint_eq(takers(0x42), 15);
    ipi(7, 0x43);
    ck_assert_uint_eq(takers(0x43), 0);
    ck_assert_uint_eq(get(LAPIC_ICR), 0x43);
    ck_assert_uint_eq(get(LAPIC_ICR_HIGH), 7u << 24);
}
END_TEST

START_TEST(test_shorthands)
{
    ipi(3, SELF | 0x41);
    ck_assert_uint_eq(takers(0x41), 1);
    ipi(3, ALL | 0x42);
    ck_assert_uint_eq(takers(0x42), 15);
    ipi(0, OTHERS | 0x43);
    ck_assert_uint_eq(takers(0x43), 14);
}
END_TEST

START_TEST(test_flat)
{
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        lapic_set(&m, cpu, LAPIC_LDR, 1u << (24 + cpu));
    ipi(0x06, LOGICAL | 0x41);
    ck_assert_uint_eq(takers(0x41), 6);
    ipi(0xff, LOGICAL | 0x42);
    ck_assert_uint_eq(takers(0x42), 15);
    ipi(0xf0, LOGICAL | 0x43);
    ck_assert_uint_eq(takers(0x43), 0);
    ck_assert_uint_eq(lapic_get(&m, 1, LAPIC_LDR), 0x02000000);
}
END_TEST

START_TEST(test_cluster)
{
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        lapic_set(&m, cpu, LAPIC_DFR, 0);
        lapic_set(&m, cpu, LAPIC_LDR, (cpu / 2) << 28 | (cpu % 2 + 1) << 24);
    }
    ck_assert_uint_eq(get(LAPIC_DFR), 0x0fffffff);
    ipi(0x13, LOGICAL | 0x41);
    ck_assert_uint_eq(takers(0x41), 12);
    ipi(0x02, LOGICAL | 0x42);
    ck_assert_uint_eq(takers(0x42), 2);
    ipi(0xf1, LOGICAL | 0x43); /* all clusters */
    ck_assert_uint_eq(takers(0x43), 5);
}
END_TEST

START_TEST(test_lowest_priority)
{
    lapic_set(&m, 0, LAPIC_TPR, 0x20);
    lapic_set(&m, 1, LAPIC_TPR, 0x30);
    lapic_set(&m, 2, LAPIC_TPR, 0x10);
    lapic_set(&m, 3, LAPIC_SVR, 0xff); /* disabled: no candidate */
    ipi(0xff, 0x100 | 0x81);
    ck_assert_uint_eq(takers(0x81), 4);
}
END_TEST

START_TEST(test_nmi)
{
    ipi(1, NMI);
    ck_assert_uint_eq(soft_lapic_pending(lapic(1)), SOFT_PENDING_NMI);
    ck_assert_uint_eq(m.notified[1], 1);
    ck_assert(soft_lapic_take_nmi(lapic(1)));
    ck_assert(!soft_lapic_take_nmi(lapic(1)));
    ck_assert_uint_eq(soft_lapic_pending(lapic(1)), 0);
}
END_TEST

/* How a multiprocessor system starts the others (SDM 8.4.4). */
START_TEST(test_start)
{
    lapic_set(&m, 1, LAPIC_TPR, 0x20);
    ipi(1, NMI);
    ipi(0, OTHERS | INIT | 0x4000);
    ck_assert(soft_lapic_pending(lapic(1)) & SOFT_PENDING_INIT);
    ipi(0, OTHERS | START | 0x9a);
    ck_assert(soft_lapic_take_init(lapic(1)));
    ck_assert(!soft_lapic_take_init(lapic(1)));
    ck_assert_uint_eq(lapic_get(&m, 1, LAPIC_TPR), 0);
    ck_assert_uint_eq(lapic_get(&m, 1, LAPIC_SVR), 0xff);
    ck_assert_uint_eq(lapic_get(&m, 1, LAPIC_ID), 1u << 24);
    ck_assert_uint_eq(soft_lapic_pending(lapic(1)), SOFT_PENDING_START); /* the NMI is gone */
    ck_assert_int_eq(soft_lapic_take_start(lapic(1)), 0x9a);
    ck_assert_int_eq(soft_lapic_take_start(lapic(1)), -1);
    ck_assert_uint_eq(soft_lapic_pending(lapic(1)), 0);
    ck_assert_uint_eq(soft_lapic_pending(lapic(0)), 0);
    ck_assert(soft_lapic_pending(lapic(3)) & SOFT_PENDING_INIT);
}
END_TEST

START_TEST(test_init_orders)
{
    ipi(1, INIT | 0x8000); /* de-assertion: nothing */
    ck_assert_uint_eq(soft_lapic_pending(lapic(1)), 0);
    ipi(1, START | 0x55); /* an INIT that comes later undoes it */
    ipi(1, INIT);
    ck_assert(soft_lapic_take_init(lapic(1)));
    ck_assert_int_eq(soft_lapic_take_start(lapic(1)), -1);
}
END_TEST

START_TEST(test_reserved_modes)
{
    static const uint32_t modes[] = {0x200, 0x300, 0x700};

    for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
        ipi(1, modes[i] | 0x41);
        ck_assert_uint_eq(soft_lapic_pending(lapic(1)), 0);
    }
}
END_TEST

START_TEST(test_virtual_wire)
{
    soft_irqchip_reset(m.chip);
    irq_machine_start_pic(&m);
    fake_out8(&m.fake, 0x21, 0xed);
    soft_irqchip_set_irq(m.chip, 4, true);
    ck_assert_uint_eq(soft_lapic_pending(lapic(0)), SOFT_PENDING_INTERRUPT);
    ck_assert_uint_eq(soft_lapic_pending(lapic(1)), 0);
    soft_lapic_set_cr8(lapic(0), 15); /* the PIC does not care */
    soft_irqchip_set_irq(m.chip, 1, true);
    ck_assert_int_eq(take(0), 0x21);
    ck_assert_int_eq(take(0), -1);
    fake_out8(&m.fake, 0x20, 0x20);
    set(LAPIC_LINT0, 0x10700);
    ck_assert_int_eq(take(0), -1);
    irq_machine_enable_lapic(&m, 0);
    set(LAPIC_LINT0, 0x700);
    ck_assert_int_eq(take(0), 0x24);
}
END_TEST

START_TEST(test_lint0_edges)
{
    fake_out8(&m.fake, 0x21, 0xed);
    set(LAPIC_LINT0, 0x71);
    soft_irqchip_set_irq(m.chip, 4, true);
    ck_assert_int_eq(take(0), 0x71);
    eoi(0);
    soft_irqchip_set_irq(m.chip, 4, false);
    set(LAPIC_LINT0, 0x400);
    soft_irqchip_set_irq(m.chip, 4, true);
    ck_assert(soft_lapic_take_nmi(lapic(0)));
}
END_TEST

START_TEST(test_x2apic)
{
    enable_x2apic(2);
    ck_assert_uint_eq(msr_of(2, 0x802), 2);
    ck_assert_uint_eq(msr_of(2, 0x80d), 4);
    ck_assert_uint_eq(msr_of(2, 0x803), 0x00050014);
    ck_assert(write_msr(2, 0x808, 0x20));
    ck_assert_uint_eq(msr_of(2, 0x808), 0x20);
    ck_assert(write_msr(2, 0x830, UINT64_C(3) << 32 | 0x41));
    ck_assert_int_eq(take(3), 0x41);
    ck_assert_uint_eq(msr_of(2, 0x830), UINT64_C(3) << 32 | 0x41);
    ck_assert(write_msr(2, 0x83f, 0x51));
    ck_assert_int_eq(take(2), 0x51);
    ck_assert(write_msr(2, 0x80b, 0));
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        if (cpu != 2)
            enable_x2apic(cpu);
        ck_assert(write_msr(cpu, 0x80b, 0));
    }
    ck_assert(write_msr(2, 0x830, UINT64_C(0x0a) << 32 | LOGICAL | 0x61));
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        ck_assert_int_eq(take(cpu), cpu & 1 ? 0x61 : -1);
    ck_assert(write_msr(2, 0x830, UINT64_C(0x1000a) << 32 | LOGICAL | 0x71)); /* other cluster */
    ck_assert(write_msr(2, 0x830, UINT64_C(0xff) << 32 | 0x71)); /* nobody, and not everybody */
    ck_assert_int_eq(take(1), -1);
    ck_assert(write_msr(2, 0x830, UINT64_C(0xffffffff) << 32 | 0x81));
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        ck_assert_int_eq(take(cpu), 0x81);
    soft_irqchip_send_msi(m.chip, 0xfeeff000, 0x91); /* 8 bits of ones */
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        ck_assert_int_eq(take(cpu), 0x91);
}
END_TEST

START_TEST(test_x2apic_refuses)
{
    static const uint16_t read_only[] = {0x802, 0x803, 0x80a, 0x80d, 0x810, 0x818, 0x827, 0x839};
    static const uint16_t absent[] = {0x800, 0x801, 0x809, 0x80c, 0x80e,
                                      0x82f, 0x831, 0x840, 0x8ff};
    static const struct {
        uint16_t msr;
        uint64_t value;
    } reserved[] = {
        {0x808, 0x100},           {0x80b, 1},          {0x80f, 0x1000},  {0x828, 1},
        {0x830, 0x2000},          {0x830, 0x100000},   {0x832, 0x80000}, {0x835, 0x20000},
        {0x837, 0x700},           {0x838, 1ull << 32}, {0x83e, 4},       {0x83f, 0x100},
        {0x832, 1ull << 32 | 255}};

    ck_assert(!has_msr(1, 0x802)); /* not in this mode */
    ck_assert(!write_msr(1, 0x808, 0));
    enable_x2apic(1);
    for (unsigned i = 0; i < G_N_ELEMENTS(read_only); i++) {
        ck_assert(has_msr(1, read_only[i]));
        ck_assert(!write_msr(1, read_only[i], 0));
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(absent); i++) {
        ck_assert(!has_msr(1, absent[i]));
        ck_assert(!write_msr(1, absent[i], 0));
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(reserved); i++)
        ck_assert(!write_msr(1, reserved[i].msr, reserved[i].value));
    ck_assert(!has_msr(1, 0x80b)); /* write-only */
    ck_assert(!has_msr(1, 0x83f));
}
END_TEST

START_TEST(test_modes)
{
    ck_assert(!write_msr(1, MSR_APIC_BASE, 0xfee00400));        /* x2APIC without enable */
    ck_assert(!write_msr(1, MSR_APIC_BASE, UINT64_C(1) << 40)); /* beyond physical memory */
    ck_assert(!write_msr(1, MSR_APIC_BASE, 0xfee00801));        /* reserved */
    enable_x2apic(1);
    ck_assert(!write_msr(1, MSR_APIC_BASE, 0xfee00800)); /* never back to xAPIC at once */
    ck_assert(write_msr(1, MSR_APIC_BASE, 0xfee00000));
    ck_assert(!write_msr(1, MSR_APIC_BASE, 0xfee00c00)); /* never at once to x2APIC */
    ck_assert(write_msr(1, MSR_APIC_BASE, 0xfee00800));
    ck_assert_uint_eq(lapic_get(&m, 1, LAPIC_LDR), 0);
    enable_x2apic(1);
    ipi(1, INIT);
    ck_assert(soft_lapic_take_init(lapic(1))); /* INIT keeps the mode */
    ck_assert_uint_eq(msr_of(1, 0x80d), 2);
}
END_TEST

START_TEST(test_one_shot)
{
    set(LAPIC_TIMER, 0x41);
    set(LAPIC_DIVIDE, 0x3); /* by 16 */
    set(LAPIC_INITIAL, 1000);
    fake_board_advance(&m.fake, 4 * USEC);
    ck_assert_uint_eq(get(LAPIC_CURRENT), 750);
    fake_board_advance(&m.fake, 12 * USEC - 1);
    ck_assert_int_eq(take(0), -1);
    fake_board_advance(&m.fake, 1);
    ck_assert_int_eq(take(0), 0x41);
    ck_assert_uint_eq(get(LAPIC_CURRENT), 0);
    ck_assert(!lapic(0)->timer.armed);
    eoi(0);
    fake_board_advance(&m.fake, NSEC_PER_SEC);
    ck_assert_int_eq(take(0), -1);
    set(LAPIC_INITIAL, 1000);
    set(LAPIC_INITIAL, 0); /* stops it */
    ck_assert_uint_eq(soft_lapic_deadline(lapic(0)), UINT64_MAX);
    fake_board_advance(&m.fake, NSEC_PER_SEC);
    ck_assert_int_eq(take(0), -1);
}
END_TEST

START_TEST(test_divide)
{
    static const uint8_t codes[] = {0xb, 0x0, 0x1, 0x2, 0x3, 0x8, 0x9, 0xa};

    set(LAPIC_TIMER, 0x10041);
    for (unsigned i = 0; i < G_N_ELEMENTS(codes); i++) {
        set(LAPIC_DIVIDE, codes[i]);
        set(LAPIC_INITIAL, 0x100000);
        fake_board_advance(&m.fake, 1024 * 128);
        ck_assert_uint_eq(get(LAPIC_CURRENT), 0x100000 - (1024 * 128 >> i));
    }
    set(LAPIC_DIVIDE, 0xb); /* while it runs: what is left goes on at the new speed */
    ck_assert_uint_eq(get(LAPIC_CURRENT), 0x100000 - 1024);
    ck_assert_uint_eq(soft_lapic_deadline(lapic(0)),
                      clock_now(m.fake.board.clock) + 0x100000 - 1024);
}
END_TEST

START_TEST(test_periodic)
{
    unsigned count = 0;

    set(LAPIC_TIMER, 0x20041);
    set(LAPIC_DIVIDE, 0xb);
    set(LAPIC_INITIAL, MSEC);
    for (unsigned i = 0; i < 100; i++) {
        fake_board_advance(&m.fake, MSEC / 10);
        if (take(0) == 0x41) {
            count++;
            eoi(0);
        }
    }
    ck_assert_uint_eq(count, 10);
    ck_assert_uint_eq(get(LAPIC_CURRENT), MSEC);
    set(LAPIC_TIMER, 0x30041); /* masked it counts on */
    fake_board_advance(&m.fake, 10 * MSEC + MSEC / 4);
    ck_assert_int_eq(take(0), -1);
    ck_assert_uint_eq(get(LAPIC_CURRENT), MSEC * 3 / 4);
    set(LAPIC_INITIAL, 0);
    ck_assert_uint_eq(get(LAPIC_CURRENT), 0);
}
END_TEST

/* A period of a nanosecond does not keep the main loop busy. */
START_TEST(test_shortest_period)
{
    unsigned before;

    set(LAPIC_TIMER, 0x20041);
    set(LAPIC_DIVIDE, 0xb);
    set(LAPIC_INITIAL, 1);
    before = m.notified[0];
    for (unsigned i = 0; i < 10000; i++) {
        fake_board_advance(&m.fake, USEC);
        if (take(0) == 0x41)
            eoi(0);
    }
    ck_assert_uint_le(m.notified[0] - before, 101);
    ck_assert_uint_ge(m.notified[0] - before, 99);
}
END_TEST

START_TEST(test_tsc_deadline)
{
    set(LAPIC_TIMER, 0x40041);
    fake_board_advance(&m.fake, MSEC);
    ck_assert(write_msr(0, MSR_TSC_DEADLINE, 2 * IRQ_MACHINE_TSC_HZ / 1000));
    ck_assert_uint_eq(soft_lapic_deadline(lapic(0)), 2 * MSEC);
    fake_board_advance(&m.fake, MSEC - 1);
    ck_assert_int_eq(take(0), -1);
    ck_assert_uint_eq(msr_of(0, MSR_TSC_DEADLINE), 2 * IRQ_MACHINE_TSC_HZ / 1000);
    fake_board_advance(&m.fake, 1);
    ck_assert_int_eq(take(0), 0x41);
    ck_assert_uint_eq(msr_of(0, MSR_TSC_DEADLINE), 0);
    eoi(0);
    ck_assert(write_msr(0, MSR_TSC_DEADLINE, 1)); /* in the past: at once */
    ck_assert_int_eq(take(0), 0x41);
    eoi(0);
    ck_assert(write_msr(0, MSR_TSC_DEADLINE, UINT64_MAX));
    fake_board_advance(&m.fake, NSEC_PER_SEC);
    ck_assert_int_eq(take(0), -1);
    ck_assert(write_msr(0, MSR_TSC_DEADLINE, 0));
    ck_assert_uint_eq(soft_lapic_deadline(lapic(0)), UINT64_MAX);
}
END_TEST

START_TEST(test_tsc_offset)
{
    set(LAPIC_TIMER, 0x40041);
    soft_lapic_set_tsc_offset(lapic(0), -1000 * 1000);
    ck_assert(write_msr(0, MSR_TSC_DEADLINE, 1500 * 1000));
    ck_assert_uint_eq(soft_lapic_deadline(lapic(0)), MSEC);
    soft_lapic_set_tsc_offset(lapic(0), 0);
    ck_assert_uint_eq(soft_lapic_deadline(lapic(0)), 600 * USEC);
    soft_lapic_set_tsc_offset(lapic(0), 2 * 1000 * 1000); /* now it is past */
    ck_assert_int_eq(take(0), 0x41);
}
END_TEST

START_TEST(test_timer_modes)
{
    ck_assert(write_msr(0, MSR_TSC_DEADLINE, 1)); /* not in this mode: ignored */
    ck_assert_uint_eq(msr_of(0, MSR_TSC_DEADLINE), 0);
    set(LAPIC_TIMER, 0x41);
    set(LAPIC_INITIAL, 1000000);
    set(LAPIC_TIMER, 0x40041); /* disarms */
    ck_assert_uint_eq(soft_lapic_deadline(lapic(0)), UINT64_MAX);
    ck_assert_uint_eq(get(LAPIC_INITIAL), 0);
    set(LAPIC_INITIAL, 1000000);
    ck_assert_uint_eq(get(LAPIC_INITIAL), 0);
    ck_assert_uint_eq(get(LAPIC_CURRENT), 0);
    ck_assert(write_msr(0, MSR_TSC_DEADLINE, UINT32_MAX));
    set(LAPIC_TIMER, 0x41);
    ck_assert_uint_eq(soft_lapic_deadline(lapic(0)), UINT64_MAX);
}
END_TEST

/* A sleeping vCPU polls when it wakes; the main loop comes later and finds nothing left to do. */
START_TEST(test_polling)
{
    struct soft_lapic *l = lapic(0);

    set(LAPIC_TIMER, 0x41);
    set(LAPIC_DIVIDE, 0xb);
    set(LAPIC_INITIAL, MSEC);
    ck_assert_uint_eq(l->armed_for, soft_lapic_deadline(l));
    soft_lapic_poll(l);
    ck_assert_int_eq(take(0), -1);
    l->timer.deadline += 10 * MSEC;
    fake_board_advance(&m.fake, MSEC);
    ck_assert_int_eq(take(0), -1);
    soft_lapic_poll(l);
    ck_assert_int_eq(take(0), 0x41);
    eoi(0);
    set(LAPIC_INITIAL, 20 * MSEC); /* after the armed time: no second arming */
    ck_assert_uint_eq(l->armed_for, MSEC);
    fake_board_advance(&m.fake, 19 * MSEC);
    ck_assert_uint_eq(l->armed_for, 21 * MSEC);
    ck_assert_int_eq(take(0), -1);
    fake_board_advance(&m.fake, MSEC);
    ck_assert_int_eq(take(0), 0x41);
}
END_TEST

START_TEST(test_reset)
{
    enable_x2apic(1);
    lapic_set(&m, 2, LAPIC_TIMER, 0x20041);
    lapic_set(&m, 2, LAPIC_INITIAL, 1000000);
    ipi(2, 0x51);
    ipi(3, NMI);
    soft_irqchip_reset(m.chip);
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        ck_assert_uint_eq(soft_lapic_pending(lapic(cpu)), 0);
        ck_assert_uint_eq(soft_lapic_deadline(lapic(cpu)), UINT64_MAX);
        ck_assert(soft_lapic_covers(lapic(cpu), 0xfee00000));
        ck_assert(!lapic(cpu)->timer.armed);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("soft_lapic");
    TCase *tc = tcase_create("lapic");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_power_on);
    tcase_add_test(tc, test_page);
    tcase_add_test(tc, test_access_sizes);
    tcase_add_test(tc, test_interrupt);
    tcase_add_test(tc, test_trigger_mode);
    tcase_add_test(tc, test_priority);
    tcase_add_test(tc, test_task_priority);
    tcase_add_test(tc, test_software_disable);
    tcase_add_test(tc, test_global_disable);
    tcase_add_test(tc, test_errors);
    tcase_add_test(tc, test_physical_ipi);
    tcase_add_test(tc, test_shorthands);
    tcase_add_test(tc, test_flat);
    tcase_add_test(tc, test_cluster);
    tcase_add_test(tc, test_lowest_priority);
    tcase_add_test(tc, test_nmi);
    tcase_add_test(tc, test_start);
    tcase_add_test(tc, test_init_orders);
    tcase_add_test(tc, test_reserved_modes);
    tcase_add_test(tc, test_virtual_wire);
    tcase_add_test(tc, test_lint0_edges);
    tcase_add_test(tc, test_x2apic);
    tcase_add_test(tc, test_x2apic_refuses);
    tcase_add_test(tc, test_modes);
    tcase_add_test(tc, test_one_shot);
    tcase_add_test(tc, test_divide);
    tcase_add_test(tc, test_periodic);
    tcase_add_test(tc, test_shortest_period);
    tcase_add_test(tc, test_tsc_deadline);
    tcase_add_test(tc, test_tsc_offset);
    tcase_add_test(tc, test_timer_modes);
    tcase_add_test(tc, test_polling);
    tcase_add_test(tc, test_reset);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
