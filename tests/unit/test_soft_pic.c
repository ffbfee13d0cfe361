/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>

#include "engine/cpu/soft/pic.h"
#include "tests/fakes/irq_machine.h"
#include "tests/suite.h"

static struct irq_machine m;

static void out(uint16_t port, uint8_t value)
{
    fake_out8(&m.fake, port, value);
}

static uint8_t in(uint16_t port)
{
    return fake_in8(&m.fake, port);
}

static uint8_t in_irr(uint16_t port)
{
    out(port, 0x0a);
    return in(port);
}

static uint8_t in_isr(uint16_t port)
{
    out(port, 0x0b);
    return in(port);
}

static void set(unsigned line, bool level)
{
    soft_irqchip_set_irq(m.chip, line, level);
}

static void pulse(unsigned line)
{
    set(line, false);
    set(line, true);
}

static int take(void)
{
    return irq_machine_take(&m, 0);
}

static void setup(void)
{
    irq_machine_init(&m, 1);
    irq_machine_start_pic(&m);
    out(0x21, 0);
    out(0xa1, 0);
}

static void teardown(void)
{
    irq_machine_finish(&m);
}

START_TEST(test_silent)
{
    ck_assert_int_eq(soft_lapic_pending(irq_machine_lapic(&m, 0)), 0);
    ck_assert_int_eq(take(), -1);
    ck_assert_int_eq(in_irr(0x20), 0);
    ck_assert_int_eq(in_isr(0x20), 0);
}
END_TEST

START_TEST(test_edge)
{
    set(1, true);
    ck_assert_int_eq(m.notified[0], 1);
    ck_assert_int_eq(in_irr(0x20), 0x02);
    ck_assert_int_eq(take(), 0x21);
    ck_assert_int_eq(in_isr(0x20), 0x02);
    ck_assert_int_eq(in_irr(0x20), 0);
    out(0x20, 0x20);
    ck_assert_int_eq(in_isr(0x20), 0);
    ck_assert_int_eq(take(), -1); /* still high: no new edge */
    pulse(1);
    ck_assert_int_eq(take(), 0x21);
}
END_TEST

START_TEST(test_level)
{
    out(0x4d1, 0x08); /* IRQ 11 */
    set(11, true);
    ck_assert_int_eq(take(), 0x2b);
    ck_assert_int_eq(take(), -1);
    out(0xa0, 0x20);
    out(0x20, 0x20);
    ck_assert_int_eq(take(), 0x2b); /* as long as it is high */
    set(11, false);
    out(0xa0, 0x20);
    out(0x20, 0x20);
    ck_assert_int_eq(take(), -1);
}
END_TEST

START_TEST(test_elcr)
{
    out(0x4d0, 0xff);
    out(0x4d1, 0xff);
    ck_assert_int_eq(in(0x4d0), 0xf8); /* timer, keyboard and cascade stay edge-triggered */
    ck_assert_int_eq(in(0x4d1), 0xde); /* so do RTC and FPU */
    soft_irqchip_reset(m.chip);
    ck_assert_int_eq(in(0x4d0), 0);
    ck_assert_int_eq(in(0x4d1), 0);
}
END_TEST

START_TEST(test_priority)
{
    set(5, true);
    set(3, true);
    ck_assert_int_eq(take(), 0x23);
    ck_assert_int_eq(take(), -1); /* 5 waits for 3 */
    set(1, true);
    ck_assert_int_eq(take(), 0x21); /* nested */
    out(0x20, 0x20);                /* ends 1 */
    ck_assert_int_eq(in_isr(0x20), 0x08);
    ck_assert_int_eq(take(), -1);
    out(0x20, 0x20);
    ck_assert_int_eq(take(), 0x25);
}
END_TEST

START_TEST(test_slave)
{
    set(12, true);
    set(4, true);
    ck_assert_int_eq(take(), 0x2c); /* by the cascade, above line 4 */
    ck_assert_int_eq(in_isr(0x20), 0x04);
    ck_assert_int_eq(in_isr(0xa0), 0x10);
    set(8, true); /* the cascade is in service: not before its EOI */
    ck_assert_int_eq(take(), -1);
    out(0x20, 0x20);
    ck_assert_int_eq(take(), 0x28);
    out(0xa0, 0x20);
    out(0xa0, 0x20);
    out(0x20, 0x20);
    ck_assert_int_eq(take(), 0x24);
}
END_TEST

START_TEST(test_special_fully_nested)
{
    static const uint8_t words[] = {0x20, 0x04, 0x11};

    out(0x20, 0x11);
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
        out(0x21, words[i]);
    set(12, true);
    ck_assert_int_eq(take(), 0x2c);
    set(8, true);
    ck_assert_int_eq(take(), 0x28);
    ck_assert_int_eq(take(), -1);
}
END_TEST

START_TEST(test_mask)
{
    out(0x21, 0x02);
    set(1, true);
    ck_assert_int_eq(take(), -1);
    ck_assert_int_eq(in_irr(0x20), 0x02);
    ck_assert_int_eq(in(0x21), 0x02);
    out(0x21, 0);
    ck_assert_int_eq(take(), 0x21);
}
END_TEST

START_TEST(test_edge_that_goes_away)
{
    set(4, true);
    set(4, false);
    ck_assert_int_eq(in_irr(0x20), 0);
    ck_assert_int_eq(take(), -1);
}
END_TEST

START_TEST(test_initialization)
{
    set(1, true);
    take();
    set(3, true);
    out(0x20, 0x11); /* forgets requests, masks and what is in service */
    ck_assert_int_eq(take(), -1);
    out(0x21, 0x47);
    out(0x21, 0x04);
    set(6, true); /* not before the last word */
    ck_assert_int_eq(take(), -1);
    out(0x21, 0x01);
    ck_assert_int_eq(in_isr(0x20), 0);
    ck_assert_int_eq(take(), 0x46); /* the low three bits are the line's */
    out(0x20, 0x10);                /* without ICW4 */
    out(0x21, 0x50);
    out(0x21, 0x04);
    out(0x21, 0xa5);
    ck_assert_int_eq(in(0x21), 0xa5);
}
END_TEST

START_TEST(test_specific_eoi)
{
    set(5, true);
    take();
    set(1, true);
    take();
    out(0x20, 0x65);
    ck_assert_int_eq(in_isr(0x20), 0x02);
    out(0x20, 0x40); /* no operation */
    ck_assert_int_eq(in_isr(0x20), 0x02);
}
END_TEST

START_TEST(test_rotation)
{
    set(3, true);
    set(4, true);
    ck_assert_int_eq(take(), 0x23);
    out(0x20, 0xa0); /* 3 ends and becomes the lowest */
    pulse(3);
    ck_assert_int_eq(take(), 0x24);
    out(0x20, 0xe4); /* so does 4, by name */
    set(5, true);
    ck_assert_int_eq(take(), 0x25);
    out(0x20, 0x20);
    ck_assert_int_eq(take(), 0x23);
    out(0x20, 0x20);
    out(0x20, 0xc0); /* 0 the lowest */
    set(0, true);
    pulse(7);
    ck_assert_int_eq(take(), 0x27);
}
END_TEST

START_TEST(test_auto_eoi)
{
    out(0x20, 0x11);
    out(0x21, 0x20);
    out(0x21, 0x04);
    out(0x21, 0x03);
    set(1, true);
    set(6, true);
    ck_assert_int_eq(take(), 0x21);
    ck_assert_int_eq(in_isr(0x20), 0);
    ck_assert_int_eq(take(), 0x26);
    out(0x20, 0x80); /* rotate as well */
    pulse(1);
    ck_assert_int_eq(take(), 0x21);
    pulse(1);
    pulse(3);
    ck_assert_int_eq(take(), 0x23);
    ck_assert_int_eq(take(), 0x21);
    out(0x20, 0x00); /* no more: 1 stays the lowest */
    pulse(3);
    ck_assert_int_eq(take(), 0x23);
    pulse(1);
    pulse(3);
    ck_assert_int_eq(take(), 0x23);
}
END_TEST

START_TEST(test_special_mask)
{
    set(3, true);
    take();
    set(6, true);
    ck_assert_int_eq(take(), -1);
    out(0x21, 0x08);
    ck_assert_int_eq(take(), -1);
    out(0x20, 0x68); /* a masked line in service holds up nothing */
    ck_assert_int_eq(take(), 0x26);
    out(0x20, 0x20); /* ends 6: 3 is masked */
    ck_assert_int_eq(in_isr(0x20), 0x08);
    out(0x20, 0x48); /* leaves the mode */
    pulse(6);
    ck_assert_int_eq(take(), -1);
}
END_TEST

START_TEST(test_poll)
{
    out(0x20, 0x0c);
    ck_assert_int_eq(in(0x20), 0);
    set(5, true);
    out(0x20, 0x0c);
    ck_assert_int_eq(in(0x20), 0x85);
    ck_assert_int_eq(take(), -1); /* polling acknowledged it */
    ck_assert_int_eq(in_isr(0x20), 0x20);
    set(10, true);
    out(0x20, 0x0c);
    ck_assert_int_eq(in(0x20), 0x82);
    out(0xa0, 0x0c);
    ck_assert_int_eq(in(0xa0), 0x82);
    ck_assert_int_eq(in_isr(0xa0), 0x04);
}
END_TEST

/* The request is gone when the acknowledge cycle comes: line 7, and nothing in service. */
START_TEST(test_spurious)
{
    static struct soft_pic pic;

    soft_pic_reset(&pic);
    soft_pic_write(&pic, 0x20, 0x11);
    soft_pic_write(&pic, 0x21, 0x20);
    soft_pic_write(&pic, 0x21, 0x04);
    soft_pic_write(&pic, 0x21, 0x01);
    soft_pic_set_line(&pic, 4, true);
    ck_assert(soft_pic_output(&pic));
    soft_pic_set_line(&pic, 4, false);
    ck_assert(!soft_pic_output(&pic));
    ck_assert_int_eq(soft_pic_acknowledge(&pic), 0x27);
    soft_pic_write(&pic, 0x20, 0x0b);
    ck_assert_int_eq(soft_pic_read(&pic, 0x20), 0);
}
END_TEST

/* Nobody but the slave drives the cascade, and lines that are not there do nothing. */
START_TEST(test_no_such_line)
{
    set(2, true);
    set(24, true);
    set(UINT32_MAX, true);
    ck_assert_int_eq(in_irr(0x20), 0);
    ck_assert_int_eq(take(), -1);
}
END_TEST

START_TEST(test_reset)
{
    set(1, true);
    take();
    set(3, true);
    out(0x21, 0x55);
    soft_irqchip_reset(m.chip);
    ck_assert_int_eq(in_isr(0x20), 0);
    ck_assert_int_eq(in_irr(0x20), 0);
    ck_assert_int_eq(in(0x21), 0);
    ck_assert_int_eq(take(), -1);
    irq_machine_start_pic(&m);
    out(0x21, 0);
    set(3, true); /* was high all the time */
    ck_assert_int_eq(take(), -1);
    pulse(3);
    ck_assert_int_eq(take(), 0x23);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("soft_pic");
    TCase *tc = tcase_create("pic");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_silent);
    tcase_add_test(tc, test_edge);
    tcase_add_test(tc, test_level);
    tcase_add_test(tc, test_elcr);
    tcase_add_test(tc, test_priority);
    tcase_add_test(tc, test_slave);
    tcase_add_test(tc, test_special_fully_nested);
    tcase_add_test(tc, test_mask);
    tcase_add_test(tc, test_edge_that_goes_away);
    tcase_add_test(tc, test_initialization);
    tcase_add_test(tc, test_specific_eoi);
    tcase_add_test(tc, test_rotation);
    tcase_add_test(tc, test_auto_eoi);
    tcase_add_test(tc, test_special_mask);
    tcase_add_test(tc, test_poll);
    tcase_add_test(tc, test_spurious);
    tcase_add_test(tc, test_no_such_line);
    tcase_add_test(tc, test_reset);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
