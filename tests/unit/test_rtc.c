/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <string.h>

#include "engine/dev/rtc.h"
#include "tests/fakes/fake_board.h"
#include "tests/suite.h"

#define IRQ 8
#define USEC 1000

/* 2026-02-28 23:59:58 UTC, a Saturday. */
#define START INT64_C(1772323198)

static struct fake_board fake;
static struct rtc *rtc;
static int64_t start; /* microseconds; guest time goes on from here */

static int64_t host_time(void *opaque)
{
    return start + clock_now(fake.board.clock) / USEC;
}

static uint8_t get(uint8_t index)
{
    fake_out8(&fake, 0x70, index);
    return fake_in8(&fake, 0x71);
}

static void put(uint8_t index, uint8_t value)
{
    fake_out8(&fake, 0x70, index);
    fake_out8(&fake, 0x71, value);
}

static void advance_ms(unsigned ms)
{
    fake_board_advance(&fake, (uint64_t)ms * 1000 * USEC);
}

/* Compares century, year, month, day, weekday, hours, minutes, seconds. */
static void expect_time(const char *expected)
{
    g_autofree char *now =
        g_strdup_printf("%02x%02x-%02x-%02x/%x %02x:%02x:%02x", get(0x32), get(0x09), get(0x08),
                        get(0x07), get(0x06), get(0x04), get(0x02), get(0x00));

    ck_assert_str_eq(now, expected);
}

static void setup(void)
{
    start = START * G_USEC_PER_SEC;
    fake_board_init(&fake, 0);
    rtc = rtc_new(&fake.board, false, &fake.board.isa_irq[IRQ]);
    rtc_set_time_source(rtc, host_time, NULL);
}

static void teardown(void)
{
    fake_board_finish(&fake);
}

START_TEST(time_goes_on)
{
    expect_time("2026-02-28/7 23:59:58");
    advance_ms(1999);
    expect_time("2026-02-28/7 23:59:59");
    advance_ms(1);
    expect_time("2026-03-01/1 00:00:00");
    ck_assert_uint_eq(get(0x0d), 0x80);
    ck_assert_uint_eq(fake_in8(&fake, 0x70), 0xff);
}
END_TEST

START_TEST(formats)
{
    static const struct {
        uint8_t b, seconds, hours;
        const char *day;
    } rows[] = {
        {0x02, 0x58, 0x23, "BCD, 24 hours"},
        {0x00, 0x58, 0x91, "BCD, 12 hours"},
        {0x06, 58, 23, "binary, 24 hours"},
        {0x04, 58, 0x80 | 11, "binary, 12 hours"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        put(0x0b, rows[i].b);
        ck_assert_uint_eq(get(0x00), rows[i].seconds);
        ck_assert_uint_eq(get(0x04), rows[i].hours);
    }
    /* Noon and midnight by 12 hours. */
    put(0x0b, 0x00);
    put(0x04, 0x12);
    ck_assert_uint_eq(get(0x04), 0x12);
    put(0x0b, 0x02);
    ck_assert_uint_eq(get(0x04), 0x00);
    put(0x04, 0x12);
    put(0x0b, 0x00);
    ck_assert_uint_eq(get(0x04), 0x92);
}
END_TEST

START_TEST(guest_sets_the_clock)
{
    advance_ms(250);
    put(0x0b, 0x82); /* SET: time stands still */
    put(0x32, 0x19);
    put(0x09, 0x99);
    put(0x08, 0x12);
    put(0x07, 0x31);
    put(0x04, 0x23);
    put(0x02, 0x59);
    put(0x00, 0x59);
    advance_ms(5000);
    ck_assert_uint_eq(get(0x00), 0x59);
    ck_assert_uint_eq(get(0x0a) & 0x80, 0);
    put(0x0b, 0x02);
    expect_time("1999-12-31/6 23:59:59");
    advance_ms(749); /* the divider ran on: the second ends where it would have */
    expect_time("1999-12-31/6 23:59:59");
    advance_ms(1);
    expect_time("2000-01-01/7 00:00:00");

    /* A reset of the machine leaves the clock alone, and so does the host's clock. */
    fake_board_reset(&fake);
    expect_time("2000-01-01/7 00:00:00");
    start += 10 * G_USEC_PER_SEC;
    expect_time("2000-01-01/7 00:00:10");
}
END_TEST

START_TEST(divider_reset_starts_half_a_second_in)
{
    put(0x0a, 0x76);
    put(0x00, 0x10);
    advance_ms(3000);
    ck_assert_uint_eq(get(0x00), 0x10);
    put(0x0a, 0x26);
    advance_ms(499);
    ck_assert_uint_eq(get(0x00), 0x10);
    advance_ms(1);
    ck_assert_uint_eq(get(0x00), 0x11);
}
END_TEST

START_TEST(nonsense_dates_are_times_too)
{
    for (unsigned value = 0; value < 256; value++) {
        put(0x0b, 0x82 | (value & 4));
        for (unsigned reg = 0; reg < 10; reg++)
            put(reg, value);
        put(0x32, value);
        put(0x0b, 0x02);
        ck_assert_uint_le(get(0x02), 0x59);
        ck_assert_uint_le(get(0x08), 0x12);
    }
}
END_TEST

START_TEST(update_in_progress)
{
    ck_assert_uint_eq(get(0x0a), 0x26);
    advance_ms(997);
    ck_assert_uint_eq(get(0x0a), 0x26);
    advance_ms(1);
    ck_assert_uint_eq(get(0x0a), 0xa6);
    advance_ms(2);
    ck_assert_uint_eq(get(0x0a), 0x26);
    put(0x0a, 0xa6); /* read-only */
    ck_assert_uint_eq(get(0x0a), 0x26);
}
END_TEST

START_TEST(update_interrupt)
{
    put(0x0b, 0x12);
    advance_ms(999);
    ck_assert(!fake.irq_level[IRQ]);
    advance_ms(1);
    ck_assert(fake.irq_level[IRQ]);
    ck_assert_uint_eq(get(0x0c), 0xd0); /* PF comes up at its rate, enabled or not */
    ck_assert(!fake.irq_level[IRQ]);
    ck_assert_uint_eq(get(0x0c), 0x00);
    advance_ms(3000);
    ck_assert_uint_eq(fake.irq_rises[IRQ], 2); /* a line that stays up */
    put(0x0b, 0x92);
    ck_assert_uint_eq(get(0x0b), 0x82); /* SET clears UIE */
}
END_TEST

START_TEST(flags_without_interrupts)
{
    get(0x0c);
    advance_ms(1000);
    /* With the alarm at 00:00:00, midnight is a second away. */
    ck_assert_uint_eq(get(0x0c), 0x50);
    advance_ms(1000);
    ck_assert_uint_eq(get(0x0c), 0x70);
    ck_assert_uint_eq(fake.irq_rises[IRQ], 0);
}
END_TEST

START_TEST(alarm_interrupt)
{
    put(0x01, 0x03);
    put(0x03, 0x00);
    put(0x05, 0x00);
    put(0x0b, 0x22);
    get(0x0c);
    advance_ms(4999);
    ck_assert(!fake.irq_level[IRQ]);
    advance_ms(1);
    ck_assert(fake.irq_level[IRQ]);
    ck_assert_uint_eq(get(0x0c) & 0xb0, 0xb0);
    /* Any hour and minute: again a minute later. */
    put(0x03, 0xff);
    put(0x05, 0xc0);
    advance_ms(59999);
    ck_assert(!fake.irq_level[IRQ]);
    advance_ms(1);
    ck_assert(fake.irq_level[IRQ]);
    get(0x0c);
    /* The host slept past it. */
    start += INT64_C(3600) * G_USEC_PER_SEC;
    ck_assert_uint_eq(get(0x0c) & 0x20, 0x20);
}
END_TEST

START_TEST(periodic_interrupt)
{
    static const struct {
        uint8_t rate;
        unsigned hz;
    } rows[] = {{1, 256}, {2, 128}, {3, 8192}, {6, 1024}, {15, 2}};

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        unsigned rises = fake.irq_rises[IRQ], steps = 2 * rows[i].hz;

        put(0x0a, 0x20 | rows[i].rate);
        put(0x0b, 0x42);
        for (unsigned step = 0; step < steps; step++) {
            fake_board_advance(&fake, NSEC_PER_SEC / rows[i].hz);
            get(0x0c);
        }
        ck_assert_uint_le(steps - (fake.irq_rises[IRQ] - rises), 1);
    }
    put(0x0a, 0x20);
    get(0x0c);
    advance_ms(1000);
    ck_assert_uint_eq(get(0x0c) & 0x40, 0);
}
END_TEST

START_TEST(reset_disables_interrupts)
{
    unsigned rises;

    put(0x0b, 0x72);
    advance_ms(2000);
    fake_board_reset(&fake);
    rises = fake.irq_rises[IRQ];
    ck_assert(!fake.irq_level[IRQ]);
    ck_assert_uint_eq(get(0x0b), 0x02);
    advance_ms(5000);
    ck_assert_uint_eq(fake.irq_rises[IRQ], rises);
}
END_TEST

START_TEST(memory)
{
    rtc_set_memory(rtc, UINT64_C(0x80000000), UINT64_C(0x1180000000), 4);
    ck_assert_uint_eq(get(0x15) | get(0x16) << 8, 640);
    ck_assert_uint_eq(get(0x17) | get(0x18) << 8, 0xffff);
    ck_assert_uint_eq(get(0x30) | get(0x31) << 8, 0xffff);
    ck_assert_uint_eq(get(0x34) | get(0x35) << 8, 0x7f00);
    ck_assert_uint_eq(get(0x5b) | get(0x5c) << 8 | get(0x5d) << 16, 0x118000);
    ck_assert_uint_eq(get(0x5f), 3);
    rtc_set_memory(rtc, 4 << 20, 0, 1);
    ck_assert_uint_eq(get(0x17) | get(0x18) << 8, 3072);
    ck_assert_uint_eq(get(0x34) | get(0x35) << 8, 0);

    /* The upper bank is another one; bit 7 of the index is not part of it. */
    put(0x0f, 0x11);
    fake_out8(&fake, 0x72, 0x0f);
    fake_out8(&fake, 0x73, 0x22);
    ck_assert_uint_eq(get(0x8f), 0x11);
    ck_assert_uint_eq(fake_in8(&fake, 0x73), 0x22);
    fake_board_reset(&fake);
    ck_assert_uint_eq(get(0x0f), 0x11);
}
END_TEST

START_TEST(local_time)
{
    g_setenv("TZ", "UTC-2", TRUE); /* two hours east */
    tzset();
    fake_board_finish(&fake);
    fake_board_init(&fake, 0);
    rtc = rtc_new(&fake.board, true, &fake.board.isa_irq[IRQ]);
    rtc_set_time_source(rtc, host_time, NULL);
    expect_time("2026-03-01/1 01:59:58");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rtc");
    TCase *tc = tcase_create("rtc");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, time_goes_on);
    tcase_add_test(tc, formats);
    tcase_add_test(tc, guest_sets_the_clock);
    tcase_add_test(tc, divider_reset_starts_half_a_second_in);
    tcase_add_test(tc, nonsense_dates_are_times_too);
    tcase_add_test(tc, update_in_progress);
    tcase_add_test(tc, update_interrupt);
    tcase_add_test(tc, flags_without_interrupts);
    tcase_add_test(tc, alarm_interrupt);
    tcase_add_test(tc, periodic_interrupt);
    tcase_add_test(tc, reset_disables_interrupts);
    tcase_add_test(tc, memory);
    tcase_add_test(tc, local_time);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
