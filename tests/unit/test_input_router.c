/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input goes to the USB devices while the guest reads them, and else to the PS/2 ones. */
#include <check.h>

#include "engine/machine/input_router.h"
#include "tests/fakes/usb_harness.h"
#include "tests/suite.h"
#include "usb/emulated/hid.h"
#include "usb/emulated/keyboard.h"
#include "usb/emulated/tablet.h"

#define HIGH USB_SPEED_BIT(USB_SPEED_HIGH)

static struct usb_harness tablet_host, keyboard_host;
static struct usb_device *tablet, *keyboard;
static struct input_router router;
static GString *ps2_log;

static void on_key(void *opaque, uint8_t qnum, bool down)
{
    g_string_append_printf(ps2_log, "%s %u;", down ? "down" : "up", qnum);
}

static void on_pointer(void *opaque, unsigned x, unsigned y, unsigned width, unsigned height,
                       unsigned buttons)
{
    g_string_append_printf(ps2_log, "pointer %u,%u;", x, y);
}

static void on_motion(void *opaque, int dx, int dy, unsigned buttons)
{
    g_string_append_printf(ps2_log, "motion %d,%d;", dx, dy);
}

static void on_wheel(void *opaque, int steps)
{
    g_string_append_printf(ps2_log, "wheel %d;", steps);
}

static void setup(void)
{
    static const struct input_ops ops = {on_key, on_pointer, on_motion, on_wheel};
    static const struct input_sink ps2 = {&ops, NULL};

    ps2_log = g_string_new(NULL);
    harness_init(&tablet_host, HIGH);
    harness_init(&keyboard_host, HIGH);
    tablet = usb_tablet_new(tablet_host.context, "tablet");
    keyboard = usb_keyboard_new(keyboard_host.context, "keyboard", NULL, NULL);
    harness_attach(&tablet_host, tablet);
    harness_attach(&keyboard_host, keyboard);
    input_router_init(&router, &ps2, tablet, keyboard);
}

static void teardown(void)
{
    harness_finish(&tablet_host);
    harness_finish(&keyboard_host);
    g_string_free(ps2_log, TRUE);
}

static void assert_ps2(const char *log)
{
    ck_assert_str_eq(ps2_log->str, log);
    g_string_truncate(ps2_log, 0);
}

static void pointer(unsigned x, unsigned y)
{
    router.sink.ops->pointer(router.sink.opaque, x, y, 640, 480, 0);
}

static void key(uint8_t qnum, bool down)
{
    router.sink.ops->key(router.sink.opaque, qnum, down);
}

/* The guest configures the device and reads it: a request of its waits there. */
static void read_it(struct usb_harness *host, struct harness_request *r, uint8_t *report)
{
    harness_configure(host);
    harness_prepare(host, r, HID_ENDPOINT, report, 8, 1);
    harness_submit(r);
}

START_TEST(without_readers_all_goes_to_ps2)
{
    pointer(1, 2);
    key(30, true);
    key(30, false);
    router.sink.ops->wheel(router.sink.opaque, 1);
    router.sink.ops->motion(router.sink.opaque, 3, 4, 0);
    assert_ps2("pointer 1,2;down 30;up 30;wheel 1;motion 3,4;");
}
END_TEST

START_TEST(the_tablet_gets_the_pointer_while_it_is_read)
{
    struct harness_request r;
    uint8_t report[8] = {0};

    read_it(&tablet_host, &r, report);
    ck_assert(usb_tablet_in_use(tablet));
    pointer(0x1234, 0x5678);
    assert_ps2("");
    ck_assert(harness_settled(&r));
    ck_assert_uint_eq(report[1] | report[2] << 8, 0x1234);
    ck_assert_uint_eq(report[3] | report[4] << 8, 0x5678);
    key(30, true); /* not its business */
    assert_ps2("down 30;");
    usb_device_reset(tablet);
    pointer(5, 6);
    assert_ps2("pointer 5,6;");
}
END_TEST

START_TEST(a_key_comes_up_where_it_went_down)
{
    struct harness_request r;
    uint8_t report[8] = {0};

    key(30, true);
    read_it(&keyboard_host, &r, report);
    ck_assert(usb_keyboard_in_use(keyboard));
    key(31, true);
    key(30, false);
    assert_ps2("down 30;up 30;");
    ck_assert(harness_settled(&r));
    usb_device_reset(keyboard);
    key(31, false);
    assert_ps2("");
    key(31, true);
    assert_ps2("down 31;");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("input_router");
    TCase *tc = tcase_create("input_router");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, without_readers_all_goes_to_ps2);
    tcase_add_test(tc, the_tablet_gets_the_pointer_while_it_is_read);
    tcase_add_test(tc, a_key_comes_up_where_it_went_down);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
