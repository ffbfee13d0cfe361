/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The serial adapter between a host and a stream of bytes. */
#include <check.h>
#include <string.h>

#include "tests/fakes/usb_harness.h"
#include "tests/suite.h"
#include "usb/emulated/serial.h"

#define IN 0x81
#define OUT 0x02
#define NOTIFY 0x83

static struct usb_harness h;
static struct usb_device *device;

/* The other end. */
static GByteArray *written;
static size_t takes; /* bytes that it takes yet */
static unsigned rooms;

static size_t on_output(void *opaque, const uint8_t *bytes, size_t size)
{
    size_t now = MIN(size, takes);

    g_byte_array_append(written, bytes, now);
    takes -= now;
    return now;
}

static void on_room(void *opaque)
{
    rooms++;
}

static void set_up(void)
{
    static const struct usb_serial_ops ops = {on_output, on_room};

    written = g_byte_array_new();
    takes = SIZE_MAX;
    rooms = 0;
    harness_init(&h, USB_SPEED_BIT(USB_SPEED_HIGH));
    device = usb_serial_new(h.context, "serial", &ops, NULL);
    harness_attach(&h, device);
    harness_configure(&h);
}

static void finish(void)
{
    harness_finish(&h);
    g_byte_array_unref(written);
}

START_TEST(bytes_for_the_guest)
{
    struct harness_request r;
    uint8_t data[64] = {0};
    uint32_t actual;

    harness_prepare(&h, &r, IN, data, 64, 2);
    ck_assert(!harness_submit(&r));
    ck_assert_uint_eq(usb_serial_input(device, (const uint8_t *)"hello", 5), 5);
    ck_assert(harness_settled(&r));
    ck_assert_uint_eq(r.request.actual, 5);
    ck_assert_mem_eq(data, "hello", 5);
    ck_assert_uint_eq(usb_serial_input(device, (const uint8_t *)"many bytes", 10), 10);
    ck_assert_int_eq(harness_transfer(&h, IN, data, 4, &actual), USB_OK);
    ck_assert_mem_eq(data, "many", 4);
    ck_assert_int_eq(harness_transfer(&h, IN, data, 64, &actual), USB_OK);
    ck_assert_uint_eq(actual, 6);
    ck_assert_mem_eq(data, " bytes", 6);
}
END_TEST

START_TEST(a_guest_that_does_not_read)
{
    uint8_t bytes[5000], data[3000];
    uint32_t actual;

    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = i * 7;
    ck_assert_uint_eq(usb_serial_room(device), USB_SERIAL_BUFFER);
    ck_assert_uint_eq(usb_serial_input(device, bytes, sizeof(bytes)), USB_SERIAL_BUFFER);
    ck_assert_uint_eq(usb_serial_room(device), 0);
    ck_assert_uint_eq(rooms, 0);
    ck_assert_int_eq(harness_transfer(&h, IN, data, 3000, &actual), USB_OK);
    ck_assert_uint_eq(rooms, 1);
    ck_assert_mem_eq(data, bytes, 3000);
    ck_assert_uint_eq(usb_serial_input(device, bytes + USB_SERIAL_BUFFER, 904), 904);
    ck_assert_int_eq(harness_transfer(&h, IN, data, 3000, &actual), USB_OK);
    ck_assert_uint_eq(actual, 2000);
    ck_assert_mem_eq(data, bytes + 3000, 2000);
    ck_assert_uint_eq(rooms, 1);
    /* A reset makes room too. */
    usb_serial_input(device, bytes, sizeof(bytes));
    usb_device_reset(device);
    ck_assert_uint_eq(rooms, 2);
    ck_assert_uint_eq(usb_serial_room(device), USB_SERIAL_BUFFER);
}
END_TEST

START_TEST(bytes_from_the_guest)
{
    struct harness_request r, next;
    char text[] = "one two three", more[] = "four";

    ck_assert_int_eq(harness_transfer(&h, OUT, text, 13, NULL), USB_OK);
    ck_assert_mem_eq(written->data, "one two three", 13);
    g_byte_array_set_size(written, 0);
    takes = 6;
    harness_prepare(&h, &r, OUT, text, 13, 3);
    ck_assert(!harness_submit(&r));
    harness_prepare(&h, &next, OUT, more, 4, 1);
    ck_assert(!harness_submit(&next));
    takes = 100;
    usb_serial_resume(device);
    ck_assert(harness_settled(&next));
    ck_assert_int_eq(r.request.status, USB_OK);
    ck_assert_uint_eq(r.request.actual, 13);
    ck_assert_mem_eq(written->data, "one two threefour", 17);
    /* What was taken of a request that is taken back is told. */
    takes = 3;
    ck_assert(!harness_submit(&r));
    ck_assert(usb_device_cancel(device, &r.request));
    ck_assert_int_eq(r.request.status, USB_CANCELLED);
    ck_assert_uint_eq(r.request.actual, 3);
}
END_TEST

START_TEST(the_carrier)
{
    struct harness_request r;
    uint8_t data[16] = {0};
    uint32_t actual;

    ck_assert_int_eq(harness_transfer(&h, NOTIFY, data, 16, &actual), USB_OK);
    ck_assert_uint_eq(actual, 10);
    ck_assert_mem_eq(data, "\xa1\x20\0\0\0\0\2\0\3\0", 10);
    harness_prepare(&h, &r, NOTIFY, data, 16, 1);
    ck_assert(!harness_submit(&r));
    usb_serial_set_carrier(device, true);
    ck_assert(!harness_settled(&r));
    usb_serial_set_carrier(device, false);
    ck_assert(harness_settled(&r));
    ck_assert_uint_eq(data[8], 0);
}
END_TEST

START_TEST(line_requests)
{
    uint8_t coding[7] = {0, 0xc2, 1, 0, 2, 1, 7}, back[7];
    uint32_t actual;

    ck_assert_int_eq(harness_control(&h, 0xa1, 0x21, 0, 0, back, 7, &actual), USB_OK);
    ck_assert_mem_eq(back, "\x80\x25\0\0\0\0\x08", 7);
    ck_assert_int_eq(harness_control(&h, 0x21, 0x20, 0, 0, coding, 7, &actual), USB_OK);
    ck_assert_int_eq(harness_control(&h, 0xa1, 0x21, 0, 0, back, 7, &actual), USB_OK);
    ck_assert_mem_eq(back, coding, 7);
    ck_assert_int_eq(harness_control(&h, 0x21, 0x20, 0, 0, coding, 6, &actual), USB_STALL);
    ck_assert_int_eq(harness_control(&h, 0x21, 0x22, 3, 0, NULL, 0, &actual), USB_OK);
    ck_assert_int_eq(harness_control(&h, 0x21, 0x23, 0xffff, 0, NULL, 0, &actual), USB_OK);
    ck_assert_int_eq(harness_control(&h, 0x21, 0x22, 3, 1, NULL, 0, &actual), USB_STALL);
    ck_assert_int_eq(harness_control(&h, 0x21, 0x24, 3, 0, NULL, 0, &actual), USB_STALL);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("usb_serial");
    TCase *tc = tcase_create("serial");

    tcase_add_checked_fixture(tc, set_up, finish);
    tcase_add_test(tc, bytes_for_the_guest);
    tcase_add_test(tc, a_guest_that_does_not_read);
    tcase_add_test(tc, bytes_from_the_guest);
    tcase_add_test(tc, the_carrier);
    tcase_add_test(tc, line_requests);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return run_suite(suite());
}
