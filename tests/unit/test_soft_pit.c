/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>

#include "engine/cpu/soft/pit.h"
#include "tests/fakes/fake_board.h"
#include "tests/fakes/irq_machine.h"
#include "tests/suite.h"

#define VECTOR 0x20

static struct irq_machine m;
static uint64_t base; /* guest time of tick 0 of the test, in ticks */
static uint64_t ticks;

/* Guest time moves to the middle of a tick: n ticks after the last call. */
static void wait_ticks(uint64_t n)
{
    uint64_t now = clock_now(m.fake.board.clock), target;

    ticks += n;
    target = ((base + ticks) * 2 + 1) * NSEC_PER_SEC / (2 * PIT_HZ);
    fake_board_advance(&m.fake, target - now);
}

static void program(unsigned channel, unsigned mode, uint16_t count)
{
    fake_out8(&m.fake, 0x43, channel << 6 | 0x30 | mode << 1);
    fake_out8(&m.fake, 0x40 + channel, count);
    fake_out8(&m.fake, 0x40 + channel, count >> 8);
}

static uint16_t count_of(unsigned channel)
{
    uint8_t low;

    fake_out8(&m.fake, 0x43, channel << 6);
    low = fake_in8(&m.fake, 0x40 + channel);
    return low | fake_in8(&m.fake, 0x40 + channel) << 8;
}

static uint8_t status_of(unsigned channel)
{
    fake_out8(&m.fake, 0x43, 0xe0 | 2 << channel);
    return fake_in8(&m.fake, 0x40 + channel);
}

static bool out_of(unsigned channel)
{
    return status_of(channel) & 0x80;
}

static void gate2(bool level)
{
    fake_out8(&m.fake, 0x61, level);
}

/* How many interrupts come, a tick of time at a time. */
static unsigned interrupts_in(unsigned n)
{
    unsigned count = 0;

    for (unsigned i = 0; i < n; i++) {
        wait_ticks(1);
        if (irq_machine_take(&m, 0) == VECTOR)
            count++;
    }
    return count;
}

static void setup(void)
{
    irq_machine_init(&m, 1);
    irq_machine_start_pic(&m);
    fake_out8(&m.fake, 0x20, 0x11); /* automatic EOI */
    fake_out8(&m.fake, 0x21, VECTOR);
    fake_out8(&m.fake, 0x21, 4);
    fake_out8(&m.fake, 0x21, 3);
    fake_out8(&m.fake, 0x21, 0xfe);
    base = 10;
    ticks = 0;
    wait_ticks(0);
}

static void teardown(void)
{
    irq_machine_finish(&m);
}

START_TEST(test_mode_0)
{
    gate2(true);
    program(2, 0, 100);
    ck_assert(!out_of(2));
    wait_ticks(40);
    ck_assert_uint_eq(count_of(2), 60);
    gate2(false); /* holds the count */
    wait_ticks(1000);
    ck_assert_uint_eq(count_of(2), 60);
    gate2(true);
    wait_ticks(59);
    ck_assert(!out_of(2));
    wait_ticks(1);
    ck_assert(out_of(2));
    wait_ticks(5);
    ck_assert(out_of(2));
    ck_assert_uint_eq(count_of(2), 65531); /* goes on below 0 */
    fake_out8(&m.fake, 0x42, 50);          /* the first byte of a new count stops it */
    ck_assert(!out_of(2));
    wait_ticks(100);
    ck_assert(!out_of(2));
    fake_out8(&m.fake, 0x42, 0);
    wait_ticks(49);
    ck_assert(!out_of(2));
    wait_ticks(1);
    ck_assert(out_of(2));
}
END_TEST

START_TEST(test_mode_1)
{
    program(2, 1, 100);
    ck_assert(out_of(2));
    wait_ticks(200);
    ck_assert(out_of(2));
    gate2(true);
    ck_assert(!out_of(2));
    wait_ticks(60);
    gate2(false); /* does not stop it */
    gate2(true);  /* starts it again */
    wait_ticks(99);
    ck_assert(!out_of(2));
    wait_ticks(1);
    ck_assert(out_of(2));
    fake_out8(&m.fake, 0x42, 10); /* for the next trigger */
    fake_out8(&m.fake, 0x42, 0);
    ck_assert(out_of(2));
    gate2(false);
    gate2(true);
    wait_ticks(9);
    ck_assert(!out_of(2));
    wait_ticks(1);
    ck_assert(out_of(2));
}
END_TEST

START_TEST(test_mode_2)
{
    gate2(true);
    program(2, 2, 10);
    for (unsigned i = 0; i < 30; i++) {
        ck_assert_uint_eq(count_of(2), 10 - i % 10);
        ck_assert_int_eq(out_of(2), i % 10 != 9);
        wait_ticks(1);
    }
    wait_ticks(9);
    ck_assert(!out_of(2));
    gate2(false);
    ck_assert(out_of(2));
    wait_ticks(3);
    gate2(true); /* starts at the count again */
    wait_ticks(4);
    ck_assert_uint_eq(count_of(2), 6);
}
END_TEST

START_TEST(test_mode_3)
{
    static const uint8_t odd[] = {4, 2, 0, 4, 2};

    gate2(true);
    program(2, 3, 10);
    for (unsigned i = 0; i < 30; i++) {
        ck_assert_uint_eq(count_of(2), 10 - 2 * (i % 5));
        ck_assert_int_eq(out_of(2), i % 10 < 5);
        wait_ticks(1);
    }
    program(2, 3, 5);
    for (unsigned i = 0; i < 15; i++) {
        ck_assert_uint_eq(count_of(2), odd[i % 5]);
        ck_assert_int_eq(out_of(2), i % 5 < 3);
        wait_ticks(1);
    }
}
END_TEST

START_TEST(test_mode_4)
{
    gate2(true);
    program(2, 4, 10);
    wait_ticks(9);
    ck_assert(out_of(2));
    wait_ticks(1);
    ck_assert(!out_of(2));
    wait_ticks(1);
    ck_assert(out_of(2));
    wait_ticks(65535);
    ck_assert(out_of(2)); /* once only */
}
END_TEST

START_TEST(test_mode_5)
{
    gate2(true);
    program(2, 5, 10);
    wait_ticks(10);
    ck_assert(out_of(2));
    gate2(false);
    gate2(true);
    wait_ticks(10);
    ck_assert(!out_of(2));
    wait_ticks(1);
    ck_assert(out_of(2));
}
END_TEST

/* Modes 6 and 7 are 2 and 3. */
START_TEST(test_mode_bit_that_does_not_count)
{
    program(2, 7, 10);
    ck_assert_uint_eq(status_of(2) & 0x3f, 0x36);
}
END_TEST

START_TEST(test_access_modes)
{
    gate2(true);
    fake_out8(&m.fake, 0x43, 0x94); /* low byte, mode 2 */
    fake_out8(&m.fake, 0x42, 200);
    wait_ticks(50);
    ck_assert_uint_eq(fake_in8(&m.fake, 0x42), 150);
    ck_assert_uint_eq(fake_in8(&m.fake, 0x42), 150);
    fake_out8(&m.fake, 0x43, 0xa4); /* high byte */
    fake_out8(&m.fake, 0x42, 2);
    wait_ticks(1);
    ck_assert_uint_eq(fake_in8(&m.fake, 0x42), 1);
    wait_ticks(511);
    ck_assert_uint_eq(fake_in8(&m.fake, 0x42), 2);
}
END_TEST

START_TEST(test_latches)
{
    gate2(true);
    program(2, 2, 1000);
    wait_ticks(1);
    fake_out8(&m.fake, 0x43, 0x80);
    wait_ticks(300);
    fake_out8(&m.fake, 0x43, 0x80); /* the first latch stays */
    ck_assert_uint_eq(fake_in8(&m.fake, 0x42), 999 & 0xff);
    ck_assert_uint_eq(fake_in8(&m.fake, 0x42), 999 >> 8);
    ck_assert_uint_eq(count_of(2), 699);
    fake_out8(&m.fake, 0x43, 0xc8); /* status and count: the status comes first */
    wait_ticks(50);
    ck_assert_uint_eq(fake_in8(&m.fake, 0x42), 0xb4);
    ck_assert_uint_eq(fake_in8(&m.fake, 0x42), 699 & 0xff);
    ck_assert_uint_eq(fake_in8(&m.fake, 0x42), 699 >> 8);
    ck_assert_uint_eq(fake_in8(&m.fake, 0x42), 649 & 0xff);
    ck_assert_uint_eq(fake_in8(&m.fake, 0x43), 0); /* write-only */
}
END_TEST

START_TEST(test_null_count)
{
    gate2(true);
    fake_out8(&m.fake, 0x43, 0xb4);
    ck_assert(status_of(2) & 0x40);
    fake_out8(&m.fake, 0x42, 100);
    ck_assert(status_of(2) & 0x40);
    fake_out8(&m.fake, 0x42, 0);
    ck_assert(!(status_of(2) & 0x40));
}
END_TEST

START_TEST(test_new_count_waits_for_the_cycle)
{
    gate2(true);
    program(2, 2, 100);
    wait_ticks(30);
    fake_out8(&m.fake, 0x42, 20);
    fake_out8(&m.fake, 0x42, 0);
    ck_assert(status_of(2) & 0x40);
    ck_assert_uint_eq(count_of(2), 70);
    wait_ticks(69);
    ck_assert_uint_eq(count_of(2), 1);
    wait_ticks(1);
    ck_assert_uint_eq(count_of(2), 20);
    ck_assert(!(status_of(2) & 0x40));
    program(2, 3, 100); /* and for the half cycle here */
    wait_ticks(10);
    fake_out8(&m.fake, 0x42, 20);
    fake_out8(&m.fake, 0x42, 0);
    wait_ticks(39);
    ck_assert(out_of(2));
    wait_ticks(1);
    ck_assert(!out_of(2));
    wait_ticks(9);
    ck_assert(!out_of(2));
    wait_ticks(1);
    ck_assert(out_of(2));
}
END_TEST

START_TEST(test_bcd)
{
    gate2(true);
    fake_out8(&m.fake, 0x43, 0xb5);
    fake_out8(&m.fake, 0x42, 0x00);
    fake_out8(&m.fake, 0x42, 0x10); /* 1000 */
    wait_ticks(1);
    ck_assert_uint_eq(count_of(2), 0x0999);
    fake_out8(&m.fake, 0x43, 0xb5);
    fake_out8(&m.fake, 0x42, 0x00);
    fake_out8(&m.fake, 0x42, 0x00); /* 10000 */
    ck_assert_uint_eq(count_of(2), 0);
    wait_ticks(1);
    ck_assert_uint_eq(count_of(2), 0x9999);
    fake_out8(&m.fake, 0x43, 0xb5); /* no digits: some count or other */
    fake_out8(&m.fake, 0x42, 0xff);
    fake_out8(&m.fake, 0x42, 0xff);
    wait_ticks(1);
    count_of(2);
}
END_TEST

START_TEST(test_port_61)
{
    unsigned changes = 0;
    uint8_t last;

    fake_out8(&m.fake, 0x61, 0xff);
    ck_assert_uint_eq(fake_in8(&m.fake, 0x61) & 0xcf, 0x0f);
    program(2, 0, 10); /* how firmware measures time */
    ck_assert(!(fake_in8(&m.fake, 0x61) & 0x20));
    wait_ticks(10);
    ck_assert(fake_in8(&m.fake, 0x61) & 0x20);
    last = fake_in8(&m.fake, 0x61);
    for (unsigned i = 0; i < 180; i++) {
        wait_ticks(1);
        changes += (fake_in8(&m.fake, 0x61) ^ last) >> 4 & 1;
        last = fake_in8(&m.fake, 0x61);
    }
    ck_assert_uint_eq(changes, 10);
}
END_TEST

START_TEST(test_periodic_interrupt)
{
    program(0, 2, 1000);
    ck_assert_uint_eq(interrupts_in(999), 0);
    ck_assert_uint_eq(interrupts_in(1), 1);
    ck_assert_uint_eq(interrupts_in(10000), 10);
    program(0, 3, 2000);
    ck_assert_uint_eq(interrupts_in(10000), 5);
}
END_TEST

START_TEST(test_one_shot_interrupt)
{
    program(0, 0, 1000);
    ck_assert_uint_eq(interrupts_in(999), 0);
    ck_assert_uint_eq(interrupts_in(1), 1);
    ck_assert_uint_eq(interrupts_in(70000), 0);
    program(0, 0, 50);
    ck_assert_uint_eq(interrupts_in(60), 1);
    program(0, 4, 50);
    ck_assert_uint_eq(interrupts_in(50), 0);
    ck_assert_uint_eq(interrupts_in(70000), 1);
}
END_TEST

START_TEST(test_control_word_stops_interrupts)
{
    program(0, 2, 1000);
    fake_out8(&m.fake, 0x43, 0x34);
    ck_assert_uint_eq(interrupts_in(5000), 0);
    program(0, 2, 1000);
    soft_irqchip_reset(m.chip);
    ck_assert_uint_eq(interrupts_in(5000), 0);
}
END_TEST

static unsigned rises;

static void on_output(void *opaque, bool level)
{
    rises += level;
}

/* A host that was busy: what was missed comes, faster, but no more than a second of it. */
START_TEST(test_catching_up)
{
    static struct soft_pit pit;
    GMutex lock;
    struct clock *clock;

    g_mutex_init(&lock);
    clock = clock_new(&lock, NULL);
    rises = 0;
    soft_pit_init(&pit, clock, on_output, NULL);
    soft_pit_write(&pit, 0x43, 0x34);
    soft_pit_write(&pit, 0x40, PIT_HZ / 1000 & 0xff);
    soft_pit_write(&pit, 0x40, PIT_HZ / 1000 >> 8);
    pit.timer.deadline += 20 * NSEC_PER_SEC / 1000; /* the host comes 20 ms late */
    clock_advance(clock, 21 * NSEC_PER_SEC / 1000);
    ck_assert_uint_eq(rises, 1);
    clock_advance(clock, 20 * NSEC_PER_SEC / 1000);
    ck_assert_uint_ge(rises, 39);
    ck_assert_uint_le(rises, 41);
    pit.timer.deadline += 10 * NSEC_PER_SEC;
    clock_advance(clock, 10 * NSEC_PER_SEC);
    rises = 0;
    clock_advance(clock, 5 * NSEC_PER_SEC);
    ck_assert_uint_ge(rises, 5990);
    ck_assert_uint_le(rises, 6010);
    vm_timer_cancel(&pit.timer);
    clock_free(clock);
    g_mutex_clear(&lock);
}
END_TEST

/* A guest that asks for a million interrupts a second does not get the main loop. */
START_TEST(test_shortest_period)
{
    static struct soft_pit pit;
    GMutex lock;
    struct clock *clock;

    g_mutex_init(&lock);
    clock = clock_new(&lock, NULL);
    rises = 0;
    soft_pit_init(&pit, clock, on_output, NULL);
    soft_pit_write(&pit, 0x43, 0x14);
    soft_pit_write(&pit, 0x40, 1);
    clock_advance(clock, NSEC_PER_SEC);
    ck_assert_uint_ge(rises, 9000);
    ck_assert_uint_le(rises, 11000);
    vm_timer_cancel(&pit.timer);
    clock_free(clock);
    g_mutex_clear(&lock);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("soft_pit");
    TCase *tc = tcase_create("pit");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_mode_0);
    tcase_add_test(tc, test_mode_1);
    tcase_add_test(tc, test_mode_2);
    tcase_add_test(tc, test_mode_3);
    tcase_add_test(tc, test_mode_4);
    tcase_add_test(tc, test_mode_5);
    tcase_add_test(tc, test_mode_bit_that_does_not_count);
    tcase_add_test(tc, test_access_modes);
    tcase_add_test(tc, test_latches);
    tcase_add_test(tc, test_null_count);
    tcase_add_test(tc, test_new_count_waits_for_the_cycle);
    tcase_add_test(tc, test_bcd);
    tcase_add_test(tc, test_port_61);
    tcase_add_test(tc, test_periodic_interrupt);
    tcase_add_test(tc, test_one_shot_interrupt);
    tcase_add_test(tc, test_control_word_stops_interrupts);
    tcase_add_test(tc, test_catching_up);
    tcase_add_test(tc, test_shortest_period);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
