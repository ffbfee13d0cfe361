/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tablet and the keyboard, as a host sees them. */
#include <check.h>
#include <string.h>

#include "tests/fakes/usb_harness.h"
#include "tests/suite.h"
#include "usb/emulated/hid.h"
#include "usb/emulated/keyboard.h"
#include "usb/emulated/keyboard_usages.h"
#include "usb/emulated/tablet.h"

#define HIGH USB_SPEED_BIT(USB_SPEED_HIGH)

static struct usb_harness h;
static struct usb_device *device;

static void finish(void)
{
    harness_finish(&h);
}

static void set_up_tablet(void)
{
    harness_init(&h, HIGH);
    device = usb_tablet_new(h.context, "tablet");
    harness_attach(&h, device);
}

/* The next report, which must be there: x, y, buttons, wheels. */
static void expect_report(unsigned x, unsigned y, unsigned buttons, int wheel, int pan)
{
    uint8_t report[8];
    uint32_t actual;

    ck_assert_int_eq(harness_transfer(&h, HID_ENDPOINT, report, 8, &actual), USB_OK);
    ck_assert_uint_eq(actual, 7);
    ck_assert_uint_eq(report[0], buttons);
    ck_assert_uint_eq(report[1] | report[2] << 8, x);
    ck_assert_uint_eq(report[3] | report[4] << 8, y);
    ck_assert_int_eq((int8_t)report[5], wheel);
    ck_assert_int_eq((int8_t)report[6], pan);
}

static void expect_nothing(void)
{
    struct harness_request r;
    uint8_t report[8];

    harness_prepare(&h, &r, HID_ENDPOINT, report, 8, 1);
    ck_assert(!harness_submit(&r));
    ck_assert(!harness_settled(&r));
    ck_assert(usb_device_cancel(device, &r.request));
    ck_assert_int_eq(r.request.status, USB_CANCELLED);
    ck_assert_int_eq(r.done, 0);
}

/* Makes the guest read, without taking its request back: with the report of one event. */
static void begin_reading(void)
{
    usb_tablet_pointer(device, 5, 5, 0);
    expect_report(5, 5, 0, 0, 0);
}

START_TEST(tablet_reports_what_happens)
{
    struct harness_request r;
    uint8_t report[8] = {0};

    ck_assert(!usb_tablet_in_use(device));
    harness_configure(&h);
    ck_assert(!usb_tablet_in_use(device));
    harness_prepare(&h, &r, HID_ENDPOINT, report, 8, 2);
    ck_assert(!harness_submit(&r));
    ck_assert(usb_tablet_in_use(device));
    usb_tablet_pointer(device, 0x1234, 0x7fff, USB_TABLET_LEFT);
    ck_assert_int_eq(r.done, 1);
    ck_assert_int_eq(r.request.status, USB_OK);
    ck_assert_uint_eq(r.request.actual, 7);
    ck_assert_mem_eq(report, "\1\x34\x12\xff\x7f\0\0", 7);
    usb_tablet_pointer(device, 0xffff, 0, USB_TABLET_LEFT | USB_TABLET_EXTRA);
    expect_report(0x7fff, 0, 0x11, 0, 0);
    usb_tablet_pointer(device, 0x7fff, 0, USB_TABLET_LEFT | USB_TABLET_EXTRA);
    usb_tablet_wheel(device, 1, -2);
    expect_report(0x7fff, 0, 0x11, 1, -2);
    expect_nothing();
}
END_TEST

START_TEST(tablet_merges_motion_but_no_clicks)
{
    harness_configure(&h);
    begin_reading();
    usb_tablet_pointer(device, 1, 1, 0);
    usb_tablet_pointer(device, 2, 2, 0);
    usb_tablet_pointer(device, 2, 2, 1);
    usb_tablet_pointer(device, 3, 3, 1);
    usb_tablet_pointer(device, 4, 4, 1);
    usb_tablet_pointer(device, 4, 4, 0);
    usb_tablet_pointer(device, 4, 4, 1);
    usb_tablet_pointer(device, 4, 4, 0);
    usb_tablet_wheel(device, 3, 0);
    usb_tablet_wheel(device, 2, 0);
    usb_tablet_pointer(device, 9, 9, 0);
    expect_report(2, 2, 0, 0, 0);
    expect_report(2, 2, 1, 0, 0);
    expect_report(4, 4, 1, 0, 0);
    expect_report(4, 4, 0, 0, 0);
    expect_report(4, 4, 1, 0, 0);
    expect_report(4, 4, 0, 0, 0);
    expect_report(9, 9, 0, 5, 0);
    expect_nothing();
}
END_TEST

START_TEST(tablet_turns_a_wheel_far)
{
    harness_configure(&h);
    begin_reading();
    usb_tablet_wheel(device, 100, 0);
    usb_tablet_wheel(device, 100, 0);
    usb_tablet_wheel(device, 100, -100);
    expect_report(5, 5, 0, 127, -100);
    expect_report(5, 5, 0, 127, 0);
    expect_report(5, 5, 0, 46, 0);
    expect_nothing();
}
END_TEST

START_TEST(tablet_ends_as_the_user_ended)
{
    unsigned reports = 0;
    uint8_t report[8];
    uint32_t actual;

    harness_configure(&h);
    begin_reading();
    for (unsigned i = 0; i < 1000; i++)
        usb_tablet_pointer(device, i, i, i & 1);
    usb_tablet_pointer(device, 77, 88, 0);
    do {
        ck_assert_int_eq(harness_transfer(&h, HID_ENDPOINT, report, 8, &actual), USB_OK);
        reports++;
    } while (report[1] != 77 || report[3] != 88);
    ck_assert_uint_eq(report[0], 0);
    ck_assert_uint_le(reports, 64);
    ck_assert_uint_ge(reports, 60);
    expect_nothing();
}
END_TEST

/* What happened while nobody read is told by its outcome. */
START_TEST(tablet_that_nobody_reads)
{
    uint8_t report[7];

    usb_tablet_pointer(device, 10, 10, 1);
    harness_configure(&h);
    usb_tablet_pointer(device, 10, 10, 0);
    usb_tablet_pointer(device, 10, 20, 1);
    usb_tablet_wheel(device, 5, 0);
    ck_assert_int_eq(harness_control(&h, 0xa1, 1, 0x100, 0, report, 7, NULL), USB_OK);
    ck_assert_mem_eq(report, "\1\12\0\24\0\0\0", 7);
    expect_report(10, 20, 1, 0, 0);
    expect_nothing(); /* the host has stopped reading */
    ck_assert(!usb_tablet_in_use(device));
    usb_tablet_pointer(device, 10, 20, 0);
    usb_tablet_pointer(device, 10, 30, 1);
    usb_tablet_pointer(device, 10, 40, 0);
    expect_report(10, 40, 0, 0, 0);
    ck_assert(usb_tablet_in_use(device));
    usb_device_reset(device);
    ck_assert(!usb_tablet_in_use(device));
}
END_TEST

START_TEST(tablet_wakes_the_host)
{
    struct harness_request r;
    uint8_t report[8];

    harness_configure(&h);
    usb_tablet_pointer(device, 1, 1, 0);
    while (g_main_context_iteration(h.context, FALSE))
        ;
    ck_assert_int_eq(h.wakeups, 0);
    /* Suspended: the click that wakes the host is not lost. */
    ck_assert(!usb_tablet_in_use(device));
    ck_assert_int_eq(harness_control(&h, 0x00, 3, 1, 0, NULL, 0, NULL), USB_OK);
    ck_assert(usb_tablet_in_use(device));
    usb_tablet_pointer(device, 2, 2, 1);
    usb_tablet_pointer(device, 2, 2, 0);
    while (g_main_context_iteration(h.context, FALSE))
        ;
    ck_assert_int_eq(h.wakeups, 1);
    expect_report(1, 1, 0, 0, 0);
    expect_report(2, 2, 1, 0, 0);
    expect_report(2, 2, 0, 0, 0);
    /* A host that reads is awake. */
    harness_prepare(&h, &r, HID_ENDPOINT, report, 8, 1);
    harness_submit(&r);
    usb_tablet_pointer(device, 3, 3, 0);
    ck_assert(harness_settled(&r));
    ck_assert_int_eq(h.wakeups, 1);
}
END_TEST

START_TEST(hid_requests)
{
    uint8_t data[256];
    uint32_t actual, size;

    harness_configure(&h);
    ck_assert_int_eq(harness_control(&h, 0x81, 6, 0x2200, 0, data, 256, &size), USB_OK);
    ck_assert_mem_eq(data, "\x05\x01\x09\x02\xa1\x01", 6);
    ck_assert_uint_eq(data[size - 1], 0xc0);
    ck_assert_int_eq(harness_control(&h, 0x81, 6, 0x2100, 0, data, 256, &actual), USB_OK);
    ck_assert_uint_eq(actual, 9);
    ck_assert_uint_eq(data[7] | data[8] << 8, size);
    ck_assert_int_eq(harness_control(&h, 0x81, 6, 0x2300, 0, data, 256, &actual), USB_STALL);
    ck_assert_int_eq(harness_control(&h, 0x21, 0x0a, 0x7d00, 0, NULL, 0, &actual), USB_OK);
    ck_assert_int_eq(harness_control(&h, 0xa1, 0x02, 0, 0, data, 1, &actual), USB_OK);
    ck_assert_uint_eq(data[0], 0x7d);
    ck_assert_int_eq(harness_control(&h, 0xa1, 0x01, 0x300, 0, data, 8, &actual), USB_STALL);
    ck_assert_int_eq(harness_control(&h, 0x21, 0x09, 0x200, 0, data, 1, &actual), USB_STALL);
    ck_assert_int_eq(harness_control(&h, 0xa1, 0x01, 0x100, 1, data, 8, &actual), USB_STALL);
    /* No boot device. */
    ck_assert_int_eq(harness_control(&h, 0xa1, 0x03, 0, 0, data, 1, &actual), USB_STALL);
    ck_assert_int_eq(harness_control(&h, 0x21, 0x0b, 0, 0, NULL, 0, &actual), USB_STALL);
}
END_TEST

START_TEST(idle_rate)
{
    struct harness_request r;
    uint8_t report[8] = {0};

    harness_configure(&h);
    begin_reading();
    harness_prepare(&h, &r, HID_ENDPOINT, report, 8, 1);
    ck_assert(!harness_submit(&r));
    ck_assert(!harness_settled(&r));
    ck_assert_int_eq(harness_control(&h, 0x21, 0x0a, 0x0500, 0, NULL, 0, NULL), USB_OK);
    harness_wait(&r); /* 20 ms, with nothing new */
    ck_assert_mem_eq(report, "\0\5\0\5\0\0\0", 7);
    expect_report(5, 5, 0, 0, 0); /* and again */
}
END_TEST

START_TEST(a_read_too_short)
{
    uint8_t report[8] = {0};
    uint32_t actual;

    harness_configure(&h);
    usb_tablet_pointer(device, 0x102, 0x304, 0);
    ck_assert_int_eq(harness_transfer(&h, HID_ENDPOINT, report, 3, &actual), USB_BABBLE);
    ck_assert_uint_eq(actual, 3);
    ck_assert_mem_eq(report, "\0\2\1\0", 4);
    ck_assert_int_eq(harness_transfer(&h, HID_ENDPOINT, report, 0, &actual), USB_OK);
    usb_tablet_pointer(device, 5, 6, 0);
    expect_report(5, 6, 0, 0, 0);
}
END_TEST

/* A viewer's thread while a host reads. */

static void *move_about(void *opaque)
{
    for (unsigned i = 1; i <= 2000; i++)
        usb_tablet_pointer(device, i, 0, i == 2000 ? 2 : i & 1);
    return NULL;
}

START_TEST(events_from_another_thread)
{
    unsigned transitions = 0, last = 0, x = 0;
    struct harness_request r;
    uint8_t report[8] = {0};
    GThread *thread;

    harness_configure(&h);
    begin_reading();
    thread = g_thread_new("viewer", move_about, NULL);
    while (report[0] != 2) {
        harness_prepare(&h, &r, HID_ENDPOINT, report, 8, 1);
        harness_submit(&r);
        harness_wait(&r);
        ck_assert_int_eq(r.request.status, USB_OK);
        ck_assert_uint_ge(report[1] | report[2] << 8, x);
        x = report[1] | report[2] << 8;
        transitions += report[0] != last;
        last = report[0];
    }
    ck_assert_uint_eq(x, 2000);
    ck_assert_uint_ge(transitions, 1);
    g_thread_join(thread);
}
END_TEST

/* The keyboard. */

static unsigned leds, led_calls;

static void on_leds(void *opaque, unsigned now)
{
    leds = now;
    led_calls++;
}

static void set_up_keyboard(void)
{
    leds = led_calls = 0;
    harness_init(&h, HIGH);
    device = usb_keyboard_new(h.context, "keyboard", on_leds, NULL);
    harness_attach(&h, device);
    harness_configure(&h);
    /* No reports but of changes. */
    ck_assert_int_eq(harness_control(&h, 0x21, 0x0a, 0, 0, NULL, 0, NULL), USB_OK);
    usb_keyboard_key(device, 0x1e, true); /* nobody reads yet */
    usb_keyboard_key(device, 0x1e, false);
}

/* Makes the guest read: gives the report of a key that goes down and up. */
static void begin_typing(void)
{
    struct harness_request r;
    uint8_t report[64];

    harness_prepare(&h, &r, HID_ENDPOINT, report, 28, 1);
    harness_submit(&r);
    usb_keyboard_key(device, 0x01, true);
    usb_keyboard_key(device, 0x01, false);
    harness_wait(&r);
    ck_assert_int_eq(harness_transfer(&h, HID_ENDPOINT, report, 28, NULL), USB_OK);
}

static void expect_keys(const char *boot_report, uint32_t size)
{
    uint8_t report[28];
    uint32_t actual;

    ck_assert_int_eq(harness_transfer(&h, HID_ENDPOINT, report, size, &actual), USB_OK);
    ck_assert_uint_eq(actual, size);
    ck_assert_mem_eq(report, boot_report, 8);
    for (unsigned i = 2; i < 8 && size == 28; i++)
        if (report[i] > 1)
            ck_assert(report[8 + report[i] / 8] & 1 << report[i] % 8);
}

static void press(const char *qnums, bool down)
{
    for (const char *p = qnums; *p != 0; p++)
        usb_keyboard_key(device, *p, down);
}

START_TEST(keys_one_by_one)
{
    ck_assert(!usb_keyboard_in_use(device));
    begin_typing();
    ck_assert(usb_keyboard_in_use(device));
    press("\x2a\x1e\x30", true); /* Shift A B */
    press("\x2a", true);         /* a repetition */
    press("\x1e", false);
    usb_keyboard_key(device, 0xc8, true); /* Up */
    usb_keyboard_key(device, 0x7a, true); /* no such key */
    press("\x30\x2a", false);
    expect_keys("\2\0\0\0\0\0\0\0", 28);
    expect_keys("\2\0\4\0\0\0\0\0", 28);
    expect_keys("\2\0\4\5\0\0\0\0", 28);
    expect_keys("\2\0\5\0\0\0\0\0", 28);
    expect_keys("\2\0\5\x52\0\0\0\0", 28);
    expect_keys("\2\0\x52\0\0\0\0\0", 28);
    expect_keys("\0\0\x52\0\0\0\0\0", 28);
    expect_nothing();
}
END_TEST

START_TEST(boot_protocol)
{
    uint8_t protocol = 0;

    ck_assert_int_eq(harness_control(&h, 0xa1, 3, 0, 0, &protocol, 1, NULL), USB_OK);
    ck_assert_uint_eq(protocol, 1);
    ck_assert_int_eq(harness_control(&h, 0x21, 0x0b, 2, 0, NULL, 0, NULL), USB_STALL);
    ck_assert_int_eq(harness_control(&h, 0x21, 0x0b, 0, 0, NULL, 0, NULL), USB_OK);
    begin_typing();
    press("\x10\x11\x12\x13\x14\x15", true);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_int_eq(harness_transfer(&h, HID_ENDPOINT, &(uint8_t[8]){0}, 8, NULL), USB_OK);
    expect_keys("\0\0\x08\x14\x15\x17\x1a\x1c", 8);
    press("\x16", true);
    expect_keys("\0\0\1\1\1\1\1\1", 8);
    press("\x16", false);
    expect_keys("\0\0\x08\x14\x15\x17\x1a\x1c", 8);
}
END_TEST

/* A report of 28 bytes in packets of 8. */
START_TEST(a_report_in_packets)
{
    uint8_t report[8];
    uint32_t actual;

    begin_typing();
    press("\x1e", true);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(harness_transfer(&h, HID_ENDPOINT, report, 8, &actual), USB_OK);
        ck_assert_uint_eq(actual, i < 3 ? 8 : 4);
        if (i == 0)
            ck_assert_mem_eq(report, "\0\0\4\0\0\0\0\0", 8);
        if (i == 1)
            ck_assert_uint_eq(report[0], 1 << 4);
    }
    expect_nothing();
}
END_TEST

START_TEST(typing_ahead)
{
    unsigned reports = 0;
    uint8_t report[28];
    uint32_t actual;

    begin_typing();
    for (unsigned i = 0; i < 1000; i++) {
        usb_keyboard_key(device, 0x10 + i % 8, true);
        usb_keyboard_key(device, 0x10 + i % 8, false);
    }
    do {
        struct harness_request r;

        harness_prepare(&h, &r, HID_ENDPOINT, report, 28, 1);
        if (!harness_submit(&r)) {
            harness_cancel(&r);
            break;
        }
        actual = report[2];
        reports++;
    } while (reports < 10000);
    ck_assert_uint_ge(reports, 128);
    ck_assert_uint_le(reports, 256);
    ck_assert_uint_eq(actual, 0); /* no key stays down */
}
END_TEST

/* A key that goes up while the guest does not read does not stay down. */
START_TEST(a_release_that_nobody_reads)
{
    begin_typing();
    press("\x1e", true);
    expect_keys("\0\0\4\0\0\0\0\0", 28);
    expect_nothing();
    ck_assert(!usb_keyboard_in_use(device));
    press("\x1e", false);
    press("\x30", true);
    expect_keys("\0\0\0\0\0\0\0\0", 28);
    expect_nothing();
}
END_TEST

START_TEST(leds_are_told)
{
    uint8_t report = USB_KEYBOARD_CAPS_LOCK | USB_KEYBOARD_NUM_LOCK;

    ck_assert_int_eq(harness_control(&h, 0x21, 9, 0x200, 0, &report, 1, NULL), USB_OK);
    ck_assert_uint_eq(led_calls, 0);
    g_main_context_iteration(h.context, FALSE);
    ck_assert_uint_eq(led_calls, 1);
    ck_assert_uint_eq(leds, 3);
    ck_assert_int_eq(harness_control(&h, 0x21, 9, 0x200, 0, &report, 1, NULL), USB_OK);
    ck_assert_int_eq(harness_control(&h, 0x21, 9, 0x200, 0, &report, 0, NULL), USB_STALL);
    while (g_main_context_iteration(h.context, FALSE))
        ;
    ck_assert_uint_eq(led_calls, 1);
    usb_device_reset(device);
    while (g_main_context_iteration(h.context, FALSE))
        ;
    ck_assert_uint_eq(leds, 0);
}
END_TEST

START_TEST(usages)
{
    static const struct {
        uint8_t qnum, usage;
    } some[] = {{0x01, 0x29}, {0x02, 0x1e}, {0x0b, 0x27}, {0x0e, 0x2a}, {0x0f, 0x2b}, {0x19, 0x13},
                {0x1c, 0x28}, {0x1d, 0xe0}, {0x26, 0x0f}, {0x29, 0x35}, {0x2b, 0x31}, {0x32, 0x10},
                {0x35, 0x38}, {0x36, 0xe5}, {0x38, 0xe2}, {0x39, 0x2c}, {0x3a, 0x39}, {0x44, 0x43},
                {0x45, 0x53}, {0x46, 0x47}, {0x47, 0x5f}, {0x4a, 0x56}, {0x4e, 0x57}, {0x53, 0x63},
                {0x6e, 0x72}, {0xb8, 0xe6}, {0xdc, 0xe7}, {0x00, 0x00}, {0xff, 0x00}};
    unsigned keys[256] = {0};

    for (unsigned i = 0; i < G_N_ELEMENTS(some); i++)
        ck_assert_uint_eq(keyboard_usage(some[i].qnum), some[i].usage);
    for (unsigned qnum = 0; qnum < 256; qnum++) {
        uint8_t usage = keyboard_usage(qnum);

        ck_assert(usage < KEYBOARD_USAGES || (usage >= 0xe0 && usage < 0xe8));
        keys[usage]++;
    }
    for (unsigned usage = 1; usage < 256; usage++)
        ck_assert_uint_le(keys[usage], usage == 0x46 ? 2 : 1); /* SysRq and Print Screen */
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("usb_hid");
    TCase *tc = tcase_create("tablet");

    tcase_add_checked_fixture(tc, set_up_tablet, finish);
    tcase_add_test(tc, tablet_reports_what_happens);
    tcase_add_test(tc, tablet_merges_motion_but_no_clicks);
    tcase_add_test(tc, tablet_turns_a_wheel_far);
    tcase_add_test(tc, tablet_ends_as_the_user_ended);
    tcase_add_test(tc, tablet_that_nobody_reads);
    tcase_add_test(tc, tablet_wakes_the_host);
    tcase_add_test(tc, hid_requests);
    tcase_add_test(tc, idle_rate);
    tcase_add_test(tc, a_read_too_short);
    tcase_add_test(tc, events_from_another_thread);
    suite_add_tcase(s, tc);
    tc = tcase_create("keyboard");
    tcase_add_checked_fixture(tc, set_up_keyboard, finish);
    tcase_add_test(tc, keys_one_by_one);
    tcase_add_test(tc, boot_protocol);
    tcase_add_test(tc, a_report_in_packets);
    tcase_add_test(tc, typing_ahead);
    tcase_add_test(tc, a_release_that_nobody_reads);
    tcase_add_test(tc, leds_are_told);
    tcase_add_test(tc, usages);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return run_suite(suite());
}
