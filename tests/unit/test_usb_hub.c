/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hubs: the states of their ports, and what a host sees of them. */
#include <check.h>
#include <string.h>

#include "tests/fakes/usb_harness.h"
#include "tests/suite.h"
#include "usb/emulated/hub.h"
#include "usb/emulated/hub_port.h"
#include "usb/emulated/tablet.h"

#define HIGH USB_SPEED_BIT(USB_SPEED_HIGH)
#define SUPER USB_SPEED_BIT(USB_SPEED_SUPER)

enum { OFF, EMPTY, DISABLED, ENABLED, SUSPENDED };
#define SAME (-1)

/* What each event does in each state: the next state, and whether the device is reset. */
static void expect_table(bool super, const int next[HUB_PORT_STATES][HUB_PORT_EVENTS])
{
    for (unsigned state = 0; state < HUB_PORT_STATES; state++) {
        for (unsigned event = 0; event < HUB_PORT_EVENTS; event++) {
            struct hub_port port = {.super = super, .state = state};
            int expected = next[state][event] == SAME ? (int)state : next[state][event];
            bool reset = hub_port_event(&port, event);

            ck_assert_int_eq(port.state, expected);
            ck_assert_int_eq(reset, next[state][event] == ENABLED &&
                                        (event == HUB_PORT_RESET || event == HUB_PORT_WARM_RESET));
        }
    }
}

START_TEST(states_of_a_port)
{
    static const int usb_2[HUB_PORT_STATES][HUB_PORT_EVENTS] = {
        /* on, off, attach, detach, reset, warm reset, disable, suspend, resume, wake */
        {EMPTY, SAME, SAME, SAME, SAME, SAME, SAME, SAME, SAME, SAME},
        {SAME, OFF, DISABLED, SAME, SAME, SAME, SAME, SAME, SAME, SAME},
        {SAME, OFF, SAME, EMPTY, ENABLED, SAME, SAME, SAME, SAME, SAME},
        {SAME, OFF, SAME, EMPTY, ENABLED, SAME, DISABLED, SUSPENDED, SAME, SAME},
        {SAME, OFF, SAME, EMPTY, ENABLED, SAME, DISABLED, SAME, ENABLED, ENABLED},
    };
    static const int super[HUB_PORT_STATES][HUB_PORT_EVENTS] = {
        {EMPTY, SAME, SAME, SAME, SAME, SAME, SAME, SAME, SAME, SAME},
        {SAME, OFF, ENABLED, SAME, SAME, SAME, SAME, SAME, SAME, SAME},
        {SAME, OFF, SAME, EMPTY, ENABLED, ENABLED, SAME, SAME, SAME, SAME},
        {SAME, OFF, SAME, EMPTY, ENABLED, ENABLED, DISABLED, SUSPENDED, SAME, SAME},
        {SAME, OFF, SAME, EMPTY, ENABLED, ENABLED, DISABLED, SAME, ENABLED, ENABLED},
    };

    expect_table(false, usb_2);
    expect_table(true, super);
}
END_TEST

START_TEST(status_words)
{
    static const struct {
        struct hub_port port;
        uint16_t status;
    } cases[] = {
        {{false, HUB_PORT_OFF, USB_SPEED_HIGH, 0}, 0x0000},
        {{false, HUB_PORT_DISCONNECTED, USB_SPEED_HIGH, 0}, 0x0100},
        {{false, HUB_PORT_DISABLED, USB_SPEED_HIGH, 0}, 0x0101},
        {{false, HUB_PORT_DISABLED, USB_SPEED_LOW, 0}, 0x0301},
        {{false, HUB_PORT_ENABLED, USB_SPEED_LOW, 0}, 0x0303},
        {{false, HUB_PORT_ENABLED, USB_SPEED_FULL, 0}, 0x0103},
        {{false, HUB_PORT_ENABLED, USB_SPEED_HIGH, 0}, 0x0503},
        {{false, HUB_PORT_SUSPENDED, USB_SPEED_HIGH, 0}, 0x0507},
        {{true, HUB_PORT_OFF, USB_SPEED_SUPER, 0}, 0x0080},
        {{true, HUB_PORT_DISCONNECTED, USB_SPEED_SUPER, 0}, 0x02a0},
        {{true, HUB_PORT_ENABLED, USB_SPEED_SUPER, 0}, 0x0203},
        {{true, HUB_PORT_SUSPENDED, USB_SPEED_SUPER, 0}, 0x0263},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++)
        ck_assert_uint_eq(hub_port_status(&cases[i].port), cases[i].status);
}
END_TEST

static struct usb_harness h;
static struct usb_device *hub;
static struct usb_device *tablet;

static void set_up_at(unsigned speed, bool super)
{
    harness_init(&h, speed);
    hub = usb_hub_new(h.context, "hub", "1", super);
    harness_attach(&h, hub);
    harness_configure(&h);
    tablet = usb_tablet_new(h.context, "tablet");
}

static void set_up(void)
{
    set_up_at(HIGH, false);
}

static void set_up_super(void)
{
    set_up_at(SUPER, true);
}

static void finish(void)
{
    usb_device_unref(tablet);
    harness_finish(&h);
}

static void port_request(uint8_t request, uint16_t feature, uint16_t index)
{
    ck_assert_int_eq(harness_control(&h, 0x23, request, feature, index, NULL, 0, NULL), USB_OK);
}

static void set_feature(uint16_t feature, uint16_t index)
{
    port_request(3, feature, index);
}

static void clear_feature(uint16_t feature, uint16_t index)
{
    port_request(1, feature, index);
}

/* wPortStatus, and wPortChange above it. */
static uint32_t port_status(unsigned number)
{
    uint8_t status[4];

    ck_assert_int_eq(harness_control(&h, 0xa3, 0, 0, number, status, 4, NULL), USB_OK);
    return status[0] | status[1] << 8 | status[2] << 16 | (uint32_t)status[3] << 24;
}

static struct usb_port *port(unsigned number)
{
    return usb_port_find(&h.port, number);
}

static void plug_in(unsigned number)
{
    GError *error = NULL;

    ck_assert(usb_port_attach(port(number), tablet, &error));
}

START_TEST(a_device_comes_and_goes)
{
    struct harness_request r;
    uint8_t changes[2] = {0};

    for (unsigned number = 1; number <= 8; number++) {
        ck_assert_uint_eq(port_status(number), 0);
        set_feature(8, number);
        ck_assert_uint_eq(port_status(number), 0x0100);
    }
    harness_prepare(&h, &r, 0x81, changes, 2, 1);
    ck_assert(!harness_submit(&r));
    plug_in(8);
    ck_assert_str_eq(port(8)->path, "1.8");
    ck_assert(harness_settled(&r));
    ck_assert_mem_eq(changes, "\0\1", 2);
    ck_assert_uint_eq(port_status(8), 0x10101);
    clear_feature(16, 8);
    ck_assert_uint_eq(port_status(8), 0x0101);
    ck_assert(!harness_submit(&r));
    set_feature(4, 8); /* reset */
    ck_assert(harness_settled(&r));
    ck_assert_uint_eq(port_status(8), 0x100503);
    clear_feature(20, 8);
    set_feature(2, 8); /* suspend */
    ck_assert_uint_eq(port_status(8), 0x0507);
    clear_feature(2, 8);
    ck_assert_uint_eq(port_status(8), 0x040503);
    clear_feature(18, 8);
    clear_feature(1, 8); /* disable */
    ck_assert_uint_eq(port_status(8), 0x0101);
    usb_port_detach(port(8));
    ck_assert_uint_eq(port_status(8), 0x010100);
    clear_feature(16, 8);
    plug_in(3);
    ck_assert_uint_eq(port_status(3), 0x010101);
    clear_feature(8, 3); /* power off */
    ck_assert_uint_eq(port_status(3), 0);
    set_feature(8, 3);
    ck_assert_uint_eq(port_status(3), 0x010101);
    usb_port_detach(port(3));
}
END_TEST

START_TEST(the_reset_reaches_the_device)
{
    struct usb_request r = {.setup = {0x00, 9, 1, 0, 0}};
    uint8_t configuration = 9;
    struct iovec iov = {&configuration, 1};

    set_feature(8, 1);
    plug_in(1);
    set_feature(4, 1);
    ck_assert_int_eq(usb_device_submit(tablet, &r), USB_SUBMIT_DONE);
    ck_assert_int_eq(r.status, USB_OK);
    set_feature(4, 1);
    r = (struct usb_request){.setup = {0x80, 8, 0, 0, 1}, .iov = &iov, .iov_count = 1, .length = 1};
    usb_device_submit(tablet, &r);
    ck_assert_int_eq(r.status, USB_OK);
    ck_assert_uint_eq(configuration, 0);
    usb_port_detach(port(1));
}
END_TEST

START_TEST(a_device_wakes_the_hub)
{
    set_feature(8, 1);
    plug_in(1);
    set_feature(4, 1);
    clear_feature(16, 1);
    clear_feature(20, 1);
    set_feature(2, 1);
    ck_assert_int_eq(harness_control(&h, 0x00, 3, 1, 0, NULL, 0, NULL), USB_OK);
    port(1)->ops->wakeup(port(1));
    while (g_main_context_iteration(h.context, FALSE))
        ;
    ck_assert_uint_eq(port_status(1), 0x040503);
    ck_assert_int_eq(h.wakeups, 1);
    usb_port_detach(port(1));
}
END_TEST

START_TEST(requests_that_hubs_know)
{
    uint8_t data[32];
    uint32_t actual;

    ck_assert_int_eq(harness_control(&h, 0xa0, 6, 0x2900, 0, data, 32, &actual), USB_OK);
    ck_assert_uint_eq(actual, 11);
    ck_assert_mem_eq(data, "\x0b\x29\x08\x11\0\x0a\0\0\0\xff\xff", 11);
    ck_assert_int_eq(harness_control(&h, 0xa0, 0, 0, 0, data, 4, &actual), USB_OK);
    ck_assert_mem_eq(data, "\0\0\0\0", 4);
    ck_assert_int_eq(harness_control(&h, 0x20, 1, 0, 0, NULL, 0, &actual), USB_OK);
    ck_assert_int_eq(harness_control(&h, 0x23, 8, 0, 1, NULL, 0, &actual), USB_OK);
    ck_assert_int_eq(harness_control(&h, 0xa3, 0, 0, 9, data, 4, &actual), USB_STALL);
    ck_assert_int_eq(harness_control(&h, 0xa3, 0, 0, 0, data, 4, &actual), USB_STALL);
    ck_assert_int_eq(harness_control(&h, 0x23, 3, 99, 1, NULL, 0, &actual), USB_STALL);
    ck_assert_int_eq(harness_control(&h, 0x23, 3, 28, 1, NULL, 0, &actual), USB_STALL);
    ck_assert_int_eq(harness_control(&h, 0xa0, 6, 0x2a00, 0, data, 32, &actual), USB_STALL);
    ck_assert_int_eq(harness_control(&h, 0x00, 9, 0, 0, NULL, 0, &actual), USB_OK);
    ck_assert_int_eq(harness_control(&h, 0xa3, 0, 0, 1, data, 4, &actual), USB_STALL);
    ck_assert_ptr_null(usb_port_find(&h.port, 9));
    ck_assert_ptr_null(usb_port_find(&h.port, 0x11)); /* nothing in port 1 */
}
END_TEST

START_TEST(hubs_behind_hubs)
{
    struct usb_port *above = &h.port;
    struct usb_device *hubs[6];
    GError *error = NULL;
    unsigned count;

    for (count = 0; count < 6; count++) {
        struct usb_port *place = above->device->ops->port(above->device, 2);

        hubs[count] = usb_hub_new(h.context, "another", place->path, false);
        if (!usb_port_attach(place, hubs[count], &error))
            break;
        above = place;
    }
    /* Five hubs, with the first, and a device behind them. */
    ck_assert_uint_eq(count, 5);
    ck_assert_ptr_nonnull(strstr(error->message, "hubs"));
    g_clear_error(&error);
    ck_assert_str_eq(above->path, "1.2.2.2.2.2");
    ck_assert_ptr_eq(usb_port_find(&h.port, 0x22222), above);
    usb_device_unref(hubs[count]);
    while (count-- > 0)
        usb_device_unref(hubs[count]);
    /* All of them go with the first. */
}
END_TEST

START_TEST(a_superspeed_hub)
{
    struct usb_device *wrong = usb_tablet_new(h.context, "wrong");
    GError *error = NULL;
    uint8_t data[32];
    uint32_t actual;
    struct usb_device *inner = usb_hub_new(h.context, "inner", "1.4", true);

    ck_assert_int_eq(harness_control(&h, 0xa0, 6, 0x2a00, 0, data, 32, &actual), USB_OK);
    ck_assert_uint_eq(actual, 12);
    ck_assert_int_eq(harness_control(&h, 0x20, 12, 0, 0, NULL, 0, &actual), USB_OK);
    ck_assert_int_eq(harness_control(&h, 0x20, 12, 5, 0, NULL, 0, &actual), USB_STALL);
    ck_assert(!usb_port_attach(port(4), wrong, &error));
    g_clear_error(&error);
    usb_device_unref(wrong);
    set_feature(8, 4);
    ck_assert_uint_eq(port_status(4), 0x02a0);
    ck_assert(usb_port_attach(port(4), inner, NULL));
    ck_assert_uint_eq(port_status(4), 0x010203);
    clear_feature(16, 4);
    set_feature(28, 4); /* warm reset */
    ck_assert_uint_eq(port_status(4), 0x300203);
    clear_feature(20, 4);
    clear_feature(29, 4);
    set_feature(5, 0x0304); /* U3 */
    ck_assert_uint_eq(port_status(4), 0x0263);
    set_feature(5, 0x0004); /* U0 */
    ck_assert_uint_eq(port_status(4), 0x400203);
    clear_feature(25, 4);
    set_feature(5, 0x0404); /* disabled */
    ck_assert_uint_eq(port_status(4), 0x0280);
    set_feature(5, 0x0504); /* and found again */
    ck_assert_uint_eq(port_status(4), 0x010203);
    usb_device_unref(inner);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("usb_hub");
    TCase *tables = tcase_create("tables"), *tc = tcase_create("hub"),
          *super = tcase_create("SuperSpeed");

    tcase_add_test(tables, states_of_a_port);
    tcase_add_test(tables, status_words);
    suite_add_tcase(s, tables);
    tcase_add_checked_fixture(tc, set_up, finish);
    tcase_add_test(tc, a_device_comes_and_goes);
    tcase_add_test(tc, the_reset_reaches_the_device);
    tcase_add_test(tc, a_device_wakes_the_hub);
    tcase_add_test(tc, requests_that_hubs_know);
    tcase_add_test(tc, hubs_behind_hubs);
    suite_add_tcase(s, tc);
    tcase_add_checked_fixture(super, set_up_super, finish);
    tcase_add_test(super, a_superspeed_hub);
    suite_add_tcase(s, super);
    return s;
}

int main(void)
{
    return run_suite(suite());
}
