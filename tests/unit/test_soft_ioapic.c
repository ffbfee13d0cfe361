/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>

#include "tests/fakes/irq_machine.h"
#include "tests/suite.h"

#define IOAPIC 0xfec00000u

#define LEVEL UINT64_C(0x8000)
#define LOW UINT64_C(0x2000)
#define MASKED UINT64_C(0x10000)
#define LOGICAL UINT64_C(0x800)
#define REMOTE_IRR UINT64_C(0x4000)
#define MODE(n) ((uint64_t)(n) << 8)
#define TO(n) ((uint64_t)(n) << 56)

static struct irq_machine m;

static void set(unsigned gsi, bool level)
{
    soft_irqchip_set_irq(m.chip, gsi, level);
}

static int take(unsigned cpu)
{
    return irq_machine_take(&m, cpu);
}

static void eoi(unsigned cpu)
{
    lapic_set(&m, cpu, LAPIC_EOI, 0);
}

static uint32_t get(unsigned reg)
{
    fake_store(&m.fake, IOAPIC, reg, 4);
    return fake_load(&m.fake, IOAPIC + 0x10, 4);
}

static void setup(void)
{
    irq_machine_init(&m, 4);
    fake_out8(&m.fake, 0x21, 0xff); /* no interrupts by the PIC */
    fake_out8(&m.fake, 0xa1, 0xff);
    for (unsigned cpu = 0; cpu < 4; cpu++)
        irq_machine_enable_lapic(&m, cpu);
}

static void teardown(void)
{
    irq_machine_finish(&m);
}

START_TEST(test_registers)
{
    ck_assert_uint_eq(get(1), 0x00170011);
    fake_store(&m.fake, IOAPIC, 0, 4);
    fake_store(&m.fake, IOAPIC + 0x10, 0xffffffff, 4);
    ck_assert_uint_eq(get(0), 0x0f000000);
    ck_assert_uint_eq(get(2), 0x0f000000);
    ck_assert_uint_eq(fake_load(&m.fake, IOAPIC, 4), 2);
    ck_assert_uint_eq(get(0x10 + 2 * 24), 0);
    ck_assert_uint_eq(get(0xff), 0);
    for (unsigned pin = 0; pin < 24; pin++)
        ck_assert_uint_eq(ioapic_get_entry(&m, pin), MASKED);
    ioapic_set_entry(&m, 23, UINT64_MAX); /* read-only bits do not stick */
    ck_assert_uint_eq(ioapic_get_entry(&m, 23), UINT64_C(0xff0000000001afff));
    soft_irqchip_reset(m.chip);
    ck_assert_uint_eq(ioapic_get_entry(&m, 23), MASKED);
    ck_assert_uint_eq(get(0), 0);
}
END_TEST

START_TEST(test_access_sizes)
{
    fake_store(&m.fake, IOAPIC, 1, 1);
    ck_assert_uint_eq(fake_load(&m.fake, IOAPIC + 0x10, 4), 0x00170011);
    ck_assert_uint_eq(fake_load(&m.fake, IOAPIC + 0x12, 1), 0x17);
    fake_store(&m.fake, IOAPIC, 0x10, 4);
    fake_store(&m.fake, IOAPIC + 0x10, 0x31, 1); /* registers are written whole */
    ck_assert_uint_eq(fake_load(&m.fake, IOAPIC + 0x10, 4), MASKED);
    ck_assert_uint_eq(fake_load(&m.fake, IOAPIC + 0x40, 4), 0); /* no EOI register */
}
END_TEST

START_TEST(test_edge)
{
    ioapic_set_entry(&m, 4, 0x41 | TO(2));
    set(4, true);
    ck_assert_int_eq(take(0), -1);
    ck_assert_int_eq(take(2), 0x41);
    eoi(2);
    ck_assert_int_eq(take(2), -1);
    set(4, true); /* no edge */
    ck_assert_int_eq(take(2), -1);
    set(4, false);
    set(4, true);
    ck_assert_int_eq(take(2), 0x41);
}
END_TEST

START_TEST(test_masked_edge_is_lost)
{
    ioapic_set_entry(&m, 4, 0x41 | MASKED);
    set(4, true);
    ioapic_set_entry(&m, 4, 0x41);
    ck_assert_int_eq(take(0), -1);
}
END_TEST

START_TEST(test_level)
{
    ioapic_set_entry(&m, 16, 0x51 | LEVEL | LOW);
    set(16, true);
    ck_assert(ioapic_get_entry(&m, 16) & REMOTE_IRR);
    ck_assert_int_eq(take(0), 0x51);
    set(16, false);
    set(16, true); /* not a second time before the EOI */
    ck_assert_int_eq(take(0), -1);
    eoi(0);
    ck_assert_int_eq(take(0), 0x51);
    set(16, false);
    eoi(0);
    ck_assert(!(ioapic_get_entry(&m, 16) & REMOTE_IRR));
    ck_assert_int_eq(take(0), -1);
}
END_TEST

START_TEST(test_masked_level_waits)
{
    ioapic_set_entry(&m, 16, 0x51 | LEVEL | MASKED);
    set(16, true);
    ck_assert_int_eq(take(0), -1);
    ioapic_set_entry(&m, 16, 0x51 | LEVEL);
    ck_assert_int_eq(take(0), 0x51);
}
END_TEST

/* Two pins may share a vector: the EOI ends both. */
START_TEST(test_shared_vector)
{
    ioapic_set_entry(&m, 16, 0x51 | LEVEL);
    ioapic_set_entry(&m, 17, 0x51 | LEVEL);
    set(16, true);
    set(17, true);
    ck_assert_int_eq(take(0), 0x51);
    set(16, false);
    eoi(0);
    ck_assert(!(ioapic_get_entry(&m, 16) & REMOTE_IRR));
    ck_assert(ioapic_get_entry(&m, 17) & REMOTE_IRR);
    ck_assert_int_eq(take(0), 0x51);
}
END_TEST

/* How software ends an interrupt whose EOI got lost. */
START_TEST(test_edge_clears_remote_irr)
{
    ioapic_set_entry(&m, 16, 0x51 | LEVEL);
    set(16, true);
    take(0);
    set(16, false);
    ioapic_set_entry(&m, 16, 0x51 | MASKED);
    ck_assert_uint_eq(ioapic_get_entry(&m, 16), 0x51 | MASKED);
    ioapic_set_entry(&m, 16, 0x51 | LEVEL);
    ck_assert_uint_eq(ioapic_get_entry(&m, 16), 0x51 | LEVEL);
}
END_TEST

/* Nobody took it: no remote IRR, and it comes with the next chance. */
START_TEST(test_nobody_accepts)
{
    ioapic_set_entry(&m, 16, 0x51 | LEVEL | TO(9));
    set(16, true);
    ck_assert_uint_eq(ioapic_get_entry(&m, 16), 0x51 | LEVEL | TO(9));
    ioapic_set_entry(&m, 16, 0x51 | LEVEL | TO(1));
    ck_assert_int_eq(take(1), 0x51);
}
END_TEST

START_TEST(test_illegal_vector)
{
    ioapic_set_entry(&m, 16, 0x0f | LEVEL);
    set(16, true);
    ck_assert_int_eq(take(0), -1);
    lapic_set(&m, 0, LAPIC_ESR, 0);
    ck_assert_uint_eq(lapic_get(&m, 0, LAPIC_ESR), 0x40);
}
END_TEST

START_TEST(test_timer_is_on_pin_2)
{
    ioapic_set_entry(&m, 0, 0x60);
    ioapic_set_entry(&m, 2, 0x62);
    set(0, true);
    ck_assert_int_eq(take(0), 0x62);
    eoi(0);
    set(2, true);
    ck_assert_int_eq(take(0), -1);
}
END_TEST

START_TEST(test_isa_lines_reach_both)
{
    irq_machine_start_pic(&m);
    fake_out8(&m.fake, 0x21, 0xef);
    ioapic_set_entry(&m, 4, 0x41 | TO(1));
    set(4, true);
    ck_assert_int_eq(take(1), 0x41);
    lapic_set(&m, 0, LAPIC_LINT0, 0x700);
    ck_assert_int_eq(take(0), 0x24);
}
END_TEST

START_TEST(test_destinations)
{
    ioapic_set_entry(&m, 5, 0x41 | TO(0xff));
    set(5, true);
    for (unsigned cpu = 0; cpu < 4; cpu++)
        ck_assert_int_eq(take(cpu), 0x41);
    for (unsigned cpu = 0; cpu < 4; cpu++)
        lapic_set(&m, cpu, LAPIC_LDR, 1u << (24 + cpu));
    ioapic_set_entry(&m, 6, 0x52 | LOGICAL | TO(0x0a));
    set(6, true);
    ck_assert_int_eq(take(0), -1);
    ck_assert_int_eq(take(1), 0x52);
    ck_assert_int_eq(take(2), -1);
    ck_assert_int_eq(take(3), 0x52);
}
END_TEST

START_TEST(test_lowest_priority)
{
    for (unsigned cpu = 0; cpu < 4; cpu++)
        lapic_set(&m, cpu, LAPIC_LDR, 1u << (24 + cpu));
    lapic_set(&m, 1, LAPIC_TPR, 0x30);
    lapic_set(&m, 2, LAPIC_TPR, 0x20);
    lapic_set(&m, 3, LAPIC_TPR, 0x40);
    ioapic_set_entry(&m, 5, 0x81 | MODE(1) | LOGICAL | TO(0x0e));
    set(5, true);
    ck_assert_int_eq(take(0), -1);
    ck_assert_int_eq(take(1), -1);
    ck_assert_int_eq(take(2), 0x81);
    ck_assert_int_eq(take(3), -1);
    ioapic_set_entry(&m, 6, 0x91 | MODE(1) | LOGICAL | TO(0x0e)); /* 2 serves 0x81 now */
    set(6, true);
    ck_assert_int_eq(take(1), 0x91);
}
END_TEST

START_TEST(test_nmi_and_init)
{
    ioapic_set_entry(&m, 5, MODE(4) | LEVEL | TO(1));
    set(5, true);
    ck_assert_uint_eq(soft_lapic_pending(irq_machine_lapic(&m, 1)), SOFT_PENDING_NMI);
    ck_assert(!(ioapic_get_entry(&m, 5) & REMOTE_IRR)); /* always an edge */
    ck_assert(soft_lapic_take_nmi(irq_machine_lapic(&m, 1)));
    ck_assert(!soft_lapic_take_nmi(irq_machine_lapic(&m, 1)));
    ioapic_set_entry(&m, 6, MODE(5) | TO(1));
    set(6, true);
    ck_assert(soft_lapic_take_init(irq_machine_lapic(&m, 1)));
    ck_assert_uint_eq(soft_lapic_pending(irq_machine_lapic(&m, 1)), 0);
}
END_TEST

/* The PIC's INTR stands at pin 0. */
START_TEST(test_extint)
{
    irq_machine_start_pic(&m);
    fake_out8(&m.fake, 0x21, 0xed);
    ioapic_set_entry(&m, 0, MODE(7) | TO(3));
    set(1, true);
    ck_assert_int_eq(take(3), 0x21);
    ck_assert_int_eq(take(3), -1);
    set(4, true);
    ck_assert_int_eq(take(3), -1); /* 1 is in service */
    fake_out8(&m.fake, 0x20, 0x20);
    ck_assert_int_eq(take(3), 0x24);
}
END_TEST

/* INTR falls in each acknowledge cycle: a second interrupt that waited is a new edge. */
START_TEST(test_extint_edges)
{
    irq_machine_start_pic(&m);
    fake_out8(&m.fake, 0x20, 0x11); /* automatic EOI */
    fake_out8(&m.fake, 0x21, 0x20);
    fake_out8(&m.fake, 0x21, 0x04);
    fake_out8(&m.fake, 0x21, 0x03);
    ioapic_set_entry(&m, 0, MODE(7) | TO(3));
    set(4, true);
    set(1, true);
    ck_assert_int_eq(take(3), 0x21);
    ck_assert_int_eq(take(3), 0x24);
    ck_assert_int_eq(take(3), -1);
}
END_TEST

START_TEST(test_msi)
{
    soft_irqchip_send_msi(m.chip, 0xfee02000, 0x71);
    ck_assert_int_eq(take(2), 0x71);
    for (unsigned cpu = 0; cpu < 4; cpu++)
        lapic_set(&m, cpu, LAPIC_LDR, 1u << (24 + cpu));
    soft_irqchip_send_msi(m.chip, 0xfee0c004, 0x81); /* logical */
    ck_assert_int_eq(take(2), 0x81);
    ck_assert_int_eq(take(3), 0x81);
    soft_irqchip_send_msi(m.chip, 0xfee0c00c, 0x91); /* redirected to one of them */
    ck_assert_int_eq(take(2), 0x91);
    ck_assert_int_eq(take(3), -1);
    soft_irqchip_send_msi(m.chip, 0xfee01000, 0x400);
    ck_assert(soft_lapic_take_nmi(irq_machine_lapic(&m, 1)));
}
END_TEST

START_TEST(test_msi_that_means_nothing)
{
    soft_irqchip_send_msi(m.chip, 0xfed00000, 0x71);
    soft_irqchip_send_msi(m.chip, UINT64_C(0x1fee00000), 0x71);
    soft_irqchip_send_msi(m.chip, 0xfee00000, 0x8071); /* level, de-asserted */
    soft_irqchip_send_msi(m.chip, 0xfee00000, 0x0671); /* start-up */
    soft_irqchip_send_msi(m.chip, 0xfee00000, 0x0371); /* reserved */
    soft_irqchip_send_msi(m.chip, 0xfee00000, 0x000f);
    ck_assert_uint_eq(soft_lapic_pending(irq_machine_lapic(&m, 0)), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("soft_ioapic");
    TCase *tc = tcase_create("ioapic");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_registers);
    tcase_add_test(tc, test_access_sizes);
    tcase_add_test(tc, test_edge);
    tcase_add_test(tc, test_masked_edge_is_lost);
    tcase_add_test(tc, test_level);
    tcase_add_test(tc, test_masked_level_waits);
    tcase_add_test(tc, test_shared_vector);
    tcase_add_test(tc, test_edge_clears_remote_irr);
    tcase_add_test(tc, test_nobody_accepts);
    tcase_add_test(tc, test_illegal_vector);
    tcase_add_test(tc, test_timer_is_on_pin_2);
    tcase_add_test(tc, test_isa_lines_reach_both);
    tcase_add_test(tc, test_destinations);
    tcase_add_test(tc, test_lowest_priority);
    tcase_add_test(tc, test_nmi_and_init);
    tcase_add_test(tc, test_extint);
    tcase_add_test(tc, test_extint_edges);
    tcase_add_test(tc, test_msi);
    tcase_add_test(tc, test_msi_that_means_nothing);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
