/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/emulated/tablet.h"

#include <string.h>

#include "usb/emulated/hid.h"
#include "usb/emulated/ids.h"

#define BUTTONS 0x1f
#define WHEEL_MAX 127
/* Presses and releases that wait; 64 are some seconds of the fastest clicking. */
#define QUEUE_SIZE 64
#define REPORT_SIZE 7

/* HID 1.11, 6.2.2. Windows takes absolute X and Y from a mouse, not from a digitizer without touch.
 */
static const uint8_t report_descriptor[] = {
    0x05, 0x01,       /* Usage Page: generic desktop */
    0x09, 0x02,       /* Usage: mouse */
    0xa1, 0x01,       /* Collection: application */
    0x09, 0x01,       /*   Usage: pointer */
    0xa1, 0x00,       /*   Collection: physical */
    0x05, 0x09,       /*     Usage Page: buttons */
    0x19, 0x01,       /*     Usage Minimum: 1 */
    0x29, 0x05,       /*     Usage Maximum: 5 */
    0x15, 0x00,       /*     Logical Minimum: 0 */
    0x25, 0x01,       /*     Logical Maximum: 1 */
    0x95, 0x05,       /*     Report Count: 5 */
    0x75, 0x01,       /*     Report Size: 1 */
    0x81, 0x02,       /*     Input: data, variable, absolute */
    0x95, 0x01,       /*     Report Count: 1 */
    0x75, 0x03,       /*     Report Size: 3 */
    0x81, 0x01,       /*     Input: constant */
    0x05, 0x01,       /*     Usage Page: generic desktop */
    0x09, 0x30,       /*     Usage: X */
    0x09, 0x31,       /*     Usage: Y */
    0x26, 0xff, 0x7f, /*     Logical Maximum: 0x7fff */
    0x35, 0x00,       /*     Physical Minimum: 0 */
    0x46, 0xff, 0x7f, /*     Physical Maximum: 0x7fff */
    0x75, 0x10,       /*     Report Size: 16 */
    0x95, 0x02,       /*     Report Count: 2 */
    0x81, 0x02,       /*     Input: data, variable, absolute */
    0x09, 0x38,       /*     Usage: wheel */
    0x15, 0x81,       /*     Logical Minimum: -127 */
    0x25, 0x7f,       /*     Logical Maximum: 127 */
    0x45, 0x00,       /*     Physical Maximum: 0, as the logical ones */
    0x75, 0x08,       /*     Report Size: 8 */
    0x95, 0x01,       /*     Report Count: 1 */
    0x81, 0x06,       /*     Input: data, variable, relative */
    0x05, 0x0c,       /*     Usage Page: consumer */
    0x0a, 0x38, 0x02, /*     Usage: AC Pan */
    0x81, 0x06,       /*     Input: data, variable, relative */
    0xc0,             /*   End Collection */
    0xc0,             /* End Collection */
};

static const uint8_t hid_descriptor[] = HID_DESCRIPTOR(sizeof(report_descriptor));

static const struct usb_endpoint_description endpoints[] = {
    {.address = HID_ENDPOINT, .transfer = USB_INTERRUPT, .packet = 8, .interval = 4},
};

static const struct usb_interface_description interfaces[] = {
    {.class = 3,
     .details = hid_descriptor,
     .details_size = sizeof(hid_descriptor),
     .endpoints = endpoints,
     .endpoint_count = G_N_ELEMENTS(endpoints)},
};

static const struct usb_description description = {
    .vendor = USB_VENDOR_VIRTUAL,
    .product = USB_PRODUCT_TABLET,
    .release = 0x0100,
    .name = "USB Tablet",
    .remote_wakeup = true,
    .milliamperes = 100,
    .interfaces = interfaces,
    .interface_count = G_N_ELEMENTS(interfaces),
};

struct event {
    uint16_t x, y;
    uint8_t buttons;
    int wheel, pan;
};

struct usb_tablet {
    struct usb_hid hid;
    struct event queue[QUEUE_SIZE]; /* a ring: not yet reported */
    unsigned first, count;
    struct event last; /* reported; its wheels are 0 */
    struct event now;  /* where the user has it */
};

static struct usb_tablet *to_tablet(struct usb_hid *hid)
{
    return (struct usb_tablet *)hid;
}

static struct event *at(struct usb_tablet *tablet, unsigned n)
{
    return &tablet->queue[(tablet->first + n) % QUEUE_SIZE];
}

static void put_report(uint8_t *report, const struct event *event, int wheel, int pan)
{
    report[0] = event->buttons;
    report[1] = event->x & 0xff;
    report[2] = event->x >> 8;
    report[3] = event->y & 0xff;
    report[4] = event->y >> 8;
    report[5] = wheel;
    report[6] = pan;
}

static size_t tablet_next(struct usb_hid *hid, uint8_t report[static HID_REPORT_MAX])
{
    struct usb_tablet *tablet = to_tablet(hid);
    struct event *event = at(tablet, 0);
    int wheel, pan;

    if (tablet->count == 0)
        return 0;
    wheel = CLAMP(event->wheel, -WHEEL_MAX, WHEEL_MAX);
    pan = CLAMP(event->pan, -WHEEL_MAX, WHEEL_MAX);
    put_report(report, event, wheel, pan);
    event->wheel -= wheel;
    event->pan -= pan;
    if (event->wheel == 0 && event->pan == 0) {
        tablet->last = *event;
        tablet->first = (tablet->first + 1) % QUEUE_SIZE;
        tablet->count--;
    }
    return REPORT_SIZE;
}

static size_t tablet_current(struct usb_hid *hid, uint8_t report[static HID_REPORT_MAX])
{
    struct usb_tablet *tablet = to_tablet(hid);

    put_report(report, usb_hid_in_use(hid) ? &tablet->last : &tablet->now, 0, 0);
    return REPORT_SIZE;
}

static void tablet_forget(struct usb_hid *hid)
{
    struct usb_tablet *tablet = to_tablet(hid);

    tablet->first = tablet->count = 0;
    tablet->last = tablet->now;
    tablet->last.buttons = 0;
}

/* Motion and wheels may change an event that waits, but for one that presses or releases: a click
 * stays where it was made. */
static bool may_merge(struct usb_tablet *tablet, const struct event *event)
{
    const struct event *tail, *before;

    if (tablet->count == 0)
        return false;
    tail = at(tablet, tablet->count - 1);
    before = tablet->count > 1 ? at(tablet, tablet->count - 2) : &tablet->last;
    return tail->buttons == event->buttons && tail->buttons == before->buttons;
}

/* When a guest is more clicks behind than fit, the last event tells how it all ended. */
static void push(struct usb_tablet *tablet, const struct event *event)
{
    struct event *tail;
    int wheel = 0, pan = 0;

    if (may_merge(tablet, event) || tablet->count == QUEUE_SIZE) {
        tail = at(tablet, tablet->count - 1);
        wheel = tail->wheel;
        pan = tail->pan;
    } else {
        tail = at(tablet, tablet->count++);
    }
    *tail = *event;
    tail->wheel = CLAMP(wheel + event->wheel, -WHEEL_MAX * QUEUE_SIZE, WHEEL_MAX * QUEUE_SIZE);
    tail->pan = CLAMP(pan + event->pan, -WHEEL_MAX * QUEUE_SIZE, WHEEL_MAX * QUEUE_SIZE);
}

static bool same_state(const struct event *a, const struct event *b)
{
    return a->x == b->x && a->y == b->y && a->buttons == b->buttons;
}

static void put_event(struct usb_tablet *tablet, const struct event *event)
{
    const struct event *tail;

    tablet->now = *event;
    tablet->now.wheel = tablet->now.pan = 0;
    if (!usb_hid_in_use(&tablet->hid)) {
        tablet->count = 0;
        event = &tablet->now;
    }
    tail = tablet->count > 0 ? at(tablet, tablet->count - 1) : &tablet->last;
    if (event->wheel == 0 && event->pan == 0 && same_state(event, tail))
        return;
    push(tablet, event);
    usb_hid_changed(&tablet->hid);
}

void usb_tablet_pointer(struct usb_device *device, unsigned x, unsigned y, unsigned buttons)
{
    struct usb_tablet *tablet = (struct usb_tablet *)device;
    const struct event event = {
        .x = MIN(x, USB_TABLET_MAX),
        .y = MIN(y, USB_TABLET_MAX),
        .buttons = buttons & BUTTONS,
    };

    usb_emulated_lock(&tablet->hid.usb);
    put_event(tablet, &event);
    usb_emulated_unlock(&tablet->hid.usb);
}

void usb_tablet_wheel(struct usb_device *device, int vertical, int horizontal)
{
    struct usb_tablet *tablet = (struct usb_tablet *)device;
    struct event event;

    usb_emulated_lock(&tablet->hid.usb);
    event = tablet->now;
    event.wheel = CLAMP(vertical, -WHEEL_MAX, WHEEL_MAX);
    event.pan = CLAMP(horizontal, -WHEEL_MAX, WHEEL_MAX);
    put_event(tablet, &event);
    usb_emulated_unlock(&tablet->hid.usb);
}

bool usb_tablet_in_use(struct usb_device *device)
{
    struct usb_tablet *tablet = (struct usb_tablet *)device;
    bool in_use;

    usb_emulated_lock(&tablet->hid.usb);
    in_use = usb_hid_in_use(&tablet->hid);
    usb_emulated_unlock(&tablet->hid.usb);
    return in_use;
}

static void tablet_free(struct usb_device *device)
{
    struct usb_tablet *tablet = (struct usb_tablet *)device;

    usb_emulated_finish(&tablet->hid.usb);
    g_free(tablet);
}

struct usb_device *usb_tablet_new(GMainContext *context, const char *id)
{
    static const struct usb_device_ops device_ops = {.name = "tablet",
                                                     USB_EMULATED_OPS,
                                                     .free = tablet_free};
    static const struct usb_emulated_ops emulated_ops = {USB_HID_EMULATED_OPS};
    static const struct usb_hid_ops ops = {
        .report_descriptor = report_descriptor,
        .report_descriptor_size = sizeof(report_descriptor),
        .next = tablet_next,
        .current = tablet_current,
        .forget = tablet_forget,
    };
    struct usb_tablet *tablet = g_new0(struct usb_tablet, 1);

    usb_hid_init(&tablet->hid, &device_ops, &emulated_ops, &ops, &description, context, id);
    return &tablet->hid.usb.device;
}
