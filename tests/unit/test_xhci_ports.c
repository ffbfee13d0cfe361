/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Root ports: what each action makes of each state, and which devices they lead to. */
#include <check.h>
#include <string.h>

#include "tests/fakes/scripted_usb_device.h"
#include "tests/fakes/xhci_driver.h"
#include "tests/suite.h"

#define CCS 0x1u
#define PED 0x2u
#define PR 0x10u
#define PLS(N) ((uint32_t)(N) << 5)
#define PP 0x200u
#define LWS 0x10000u
#define CSC 0x20000u
#define WRC 0x80000u
#define PRC 0x200000u
#define PLC 0x400000u
#define WPR 0x80000000u
#define SPEED(N) ((uint32_t)(N) << 10)
#define CHANGES 0xfe0000u
#define USB3 (1 + XHCI_PORTS) /* the companion of port 1 */

enum action {
    ATTACH,
    DETACH,
    RESET,
    WARM_RESET,
    DISABLE,
    SUSPEND,
    RESUME, /* USB 2: the signal, before U0 */
    TO_U0,
    WAKE_UP,
    TO_DISABLED,
    TO_RX_DETECT,
    POWER_OFF,
    POWER_ON,
    CLEAR,
    END,
};

static struct xhci_driver d;
static struct scripted_device *high, *super;

static void setup(void)
{
    xd_init(&d);
    xd_start(&d);
    high = scripted_new(USB_SPEED_BIT(USB_SPEED_HIGH));
    super = scripted_new(USB_SPEED_BIT(USB_SPEED_SUPER));
}

static void teardown(void)
{
    xd_finish(&d);
    usb_device_unref(&high->device);
    usb_device_unref(&super->device);
}

static void act(enum action action, bool usb3)
{
    struct usb_port *port = xhci_port(d.xhci, 1);
    unsigned number = usb3 ? USB3 : 1;

    switch (action) {
    case ATTACH:
        ck_assert(usb_port_attach(port, usb3 ? &super->device : &high->device, NULL));
        break;
    case DETACH:
        usb_port_detach(port);
        break;
    case RESET:
        xd_port_write(&d, number, PR);
        break;
    case WARM_RESET:
        xd_port_write(&d, number, WPR);
        break;
    case DISABLE:
        xd_port_write(&d, number, PED);
        break;
    case SUSPEND:
        xd_port_write(&d, number, LWS | PLS(3));
        break;
    case RESUME:
        xd_port_write(&d, number, LWS | PLS(15));
        break;
    case TO_U0:
        xd_port_write(&d, number, LWS);
        break;
    case WAKE_UP:
        port->ops->wakeup(port);
        break;
    case TO_DISABLED:
        xd_port_write(&d, number, LWS | PLS(4));
        break;
    case TO_RX_DETECT:
        xd_port_write(&d, number, LWS | PLS(5));
        break;
    case POWER_OFF:
        xd_write(&d, XD_PORTSC + (number - 1) * 0x10, 0);
        break;
    case POWER_ON:
        xd_port_write(&d, number, 0);
        break;
    case CLEAR:
        xd_port_write(&d, number, CHANGES);
        break;
    case END:
        break;
    }
}

static const struct {
    bool usb3;
    enum action actions[8];
    uint32_t portsc;
} cases[] = {
    {false, {END}, PP | PLS(5)},
    {false, {ATTACH, END}, PP | PLS(7) | CCS | CSC | SPEED(3)},
    {false, {ATTACH, DETACH, END}, PP | PLS(5) | CSC},
    {false, {ATTACH, CLEAR, DETACH, END}, PP | PLS(5) | CSC},
    {false, {ATTACH, CLEAR, RESET, END}, PP | CCS | PED | PRC | SPEED(3)},
    {false, {RESET, END}, PP | PLS(5)},
    {false, {ATTACH, CLEAR, WARM_RESET, END}, PP | PLS(7) | CCS | SPEED(3)}, /* not in USB 2 */
    {false, {ATTACH, RESET, CLEAR, DISABLE, END}, PP | PLS(7) | CCS | SPEED(3)},
    {false, {ATTACH, CLEAR, SUSPEND, END}, PP | PLS(7) | CCS | SPEED(3)}, /* not enabled */
    {false, {ATTACH, RESET, CLEAR, SUSPEND, END}, PP | PLS(3) | CCS | PED | SPEED(3)},
    {false, {ATTACH, RESET, CLEAR, SUSPEND, RESUME, END}, PP | PLS(15) | CCS | PED | SPEED(3)},
    {false, {ATTACH, RESET, CLEAR, SUSPEND, RESUME, TO_U0, END}, PP | CCS | PED | PLC | SPEED(3)},
    {false,
     {ATTACH, RESET, CLEAR, SUSPEND, WAKE_UP, END},
     PP | PLS(15) | CCS | PED | PLC | SPEED(3)},
    {false, {ATTACH, RESET, CLEAR, WAKE_UP, END}, PP | CCS | PED | SPEED(3)},
    {false, {ATTACH, RESET, CLEAR, SUSPEND, RESET, END}, PP | CCS | PED | PRC | SPEED(3)},
    {false, {ATTACH, RESET, CLEAR, SUSPEND, DETACH, END}, PP | PLS(5) | CSC},
    {false, {ATTACH, RESET, POWER_OFF, END}, PLS(4)},
    {false, {ATTACH, RESET, POWER_OFF, POWER_ON, END}, PP | PLS(7) | CCS | CSC | SPEED(3)},
    {false, {POWER_OFF, ATTACH, END}, PLS(4)},
    {false, {POWER_OFF, ATTACH, DETACH, POWER_ON, END}, PP | PLS(5)},
    {true, {ATTACH, END}, PP | CCS | PED | CSC | SPEED(4)},
    {true, {ATTACH, CLEAR, RESET, END}, PP | CCS | PED | PRC | SPEED(4)},
    {true, {ATTACH, CLEAR, WARM_RESET, END}, PP | CCS | PED | PRC | WRC | SPEED(4)},
    {true, {ATTACH, CLEAR, SUSPEND, END}, PP | PLS(3) | CCS | PED | SPEED(4)},
    {true, {ATTACH, CLEAR, SUSPEND, TO_U0, END}, PP | CCS | PED | PLC | SPEED(4)},
    {true, {ATTACH, CLEAR, SUSPEND, WAKE_UP, TO_U0, END}, PP | CCS | PED | PLC | SPEED(4)},
    {true, {ATTACH, CLEAR, TO_DISABLED, END}, PP | PLS(4) | CCS | SPEED(4)},
    {true, {ATTACH, CLEAR, TO_DISABLED, TO_RX_DETECT, END}, PP | CCS | PED | CSC | SPEED(4)},
    {true, {ATTACH, CLEAR, DETACH, END}, PP | PLS(5) | CSC},
};

START_TEST(states_follow_the_table)
{
    unsigned number = cases[_i].usb3 ? USB3 : 1, other = cases[_i].usb3 ? 1 : USB3;

    for (const enum action *action = cases[_i].actions; *action != END; action++)
        act(*action, cases[_i].usb3);
    ck_assert_msg(xd_portsc(&d, number) == cases[_i].portsc, "case %d: PORTSC is %#x, not %#x", _i,
                  xd_portsc(&d, number), cases[_i].portsc);
    ck_assert_uint_eq(xd_portsc(&d, other), PP | PLS(5)); /* the companion sees nothing */
}
END_TEST

static unsigned port_events(unsigned port)
{
    struct trb event;
    unsigned count = 0;

    while (xd_event(&d, &event)) {
        ck_assert_uint_eq(trb_type(&event), TRB_PORT_EVENT);
        ck_assert_uint_eq(event.parameter, (uint64_t)port << 24);
        count++;
    }
    xd_ack(&d);
    return count;
}

START_TEST(the_first_change_is_told)
{
    act(ATTACH, false);
    ck_assert_uint_eq(port_events(1), 1);
    ck_assert_uint_eq(xd_read(&d, XD_USBSTS) & 0x10, 0x10);
    act(RESET, false); /* CSC stands still */
    ck_assert_uint_eq(port_events(1), 0);
    act(CLEAR, false);
    act(RESET, false);
    ck_assert_uint_eq(port_events(1), 1);
    /* What changes while the controller stands is told when it runs. */
    act(CLEAR, false);
    xd_write(&d, XD_USBCMD, 0);
    act(DETACH, false);
    ck_assert_uint_eq(port_events(1), 0);
    xd_write(&d, XD_USBCMD, 5);
    ck_assert_uint_eq(port_events(1), 1);
}
END_TEST

static void ignore(struct usb_port *port)
{
}

START_TEST(devices_behind_hubs_are_found_by_route)
{
    static const struct usb_port_ops ops = {.attached = ignore, .detached = ignore};
    struct scripted_device *outer = scripted_new(USB_SPEED_BIT(USB_SPEED_HIGH));
    struct scripted_device *inner = scripted_new(USB_SPEED_BIT(USB_SPEED_HIGH));
    unsigned speeds = USB_SPEED_BIT(USB_SPEED_HIGH), slot;
    struct usb_port ports[2][3] = {0};

    for (unsigned i = 0; i < 3; i++) {
        ports[0][i] = (struct usb_port){.ops = &ops, .speeds = speeds, .hub = &outer->device};
        g_snprintf(ports[0][i].path, sizeof(ports[0][i].path), "1.%u", i + 1);
        ports[1][i] = (struct usb_port){.ops = &ops, .speeds = speeds, .hub = &inner->device};
        g_snprintf(ports[1][i].path, sizeof(ports[1][i].path), "1.3.%u", i + 1);
    }
    outer->ports = ports[0];
    inner->ports = ports[1];
    outer->port_count = inner->port_count = 3;
    /* The inner hub's device is there before the inner hub is. */
    ck_assert(usb_port_attach(&ports[1][1], &high->device, NULL));
    ck_assert(usb_port_attach(xhci_port(d.xhci, 1), &outer->device, NULL));
    ck_assert_uint_ne(xd_address(&d, 1, 0), 0);
    ck_assert_uint_eq(xd_address(&d, 1, 0x23), 0);
    ck_assert(usb_port_attach(&ports[0][2], &inner->device, NULL));
    ck_assert_uint_ne(xd_address(&d, 1, 0x3), 0);
    slot = xd_address(&d, 1, 0x23);
    ck_assert_uint_ne(slot, 0);
    xd_control(&d, slot, UINT64_C(0x0000000000010900), 0, 0);
    xd_doorbell(&d, slot, 1);
    ck_assert_uint_eq(high->submits, 1);
    ck_assert_uint_eq(outer->submits + inner->submits, 0);
    /* With the inner hub all behind it is gone; the outer one stays. */
    usb_port_detach(&ports[0][2]);
    xd_skip_events(&d);
    xd_control(&d, slot, UINT64_C(0x0000000000010900), 0, 0);
    xd_doorbell(&d, slot, 1);
    ck_assert_uint_eq(high->submits, 1);
    ck_assert_uint_eq(xd_endpoint_state(&d, slot, 1), ENDPOINT_HALTED);
    ck_assert_uint_eq(xd_address(&d, 1, 0x23), 0);
    ck_assert_uint_ne(xd_address(&d, 1, 0), 0);
    usb_port_detach(&ports[1][1]);
    usb_port_detach(xhci_port(d.xhci, 1));
    ck_assert_int_eq(outer->device.refs, 1);
    ck_assert_int_eq(inner->device.refs, 1);
    ck_assert_int_eq(high->device.refs, 1);
    usb_device_unref(&outer->device);
    usb_device_unref(&inner->device);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("xhci_ports");
    TCase *tc = tcase_create("xhci_ports");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, states_follow_the_table, 0, G_N_ELEMENTS(cases));
    tcase_add_test(tc, the_first_change_is_told);
    tcase_add_test(tc, devices_behind_hubs_are_found_by_route);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
