/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/emulated/hid.h"

#include <string.h>

#define IDLE_UNIT_USEC 4000 /* HID 1.11, 7.2.4 */

/* Requests: HID 1.11, 7.2 */
enum {
    GET_REPORT = 0x01,
    GET_IDLE = 0x02,
    GET_PROTOCOL = 0x03,
    SET_REPORT = 0x09,
    SET_IDLE = 0x0a,
    SET_PROTOCOL = 0x0b,
};

enum { REPORT_INPUT = 1, REPORT_OUTPUT = 2 };

#define TO_INTERFACE (USB_TYPE_CLASS | USB_RECIPIENT_INTERFACE)

static struct usb_hid *to_hid(struct usb_emulated *usb)
{
    return (struct usb_hid *)usb;
}

static void forget(struct usb_hid *hid)
{
    hid->idle = hid->ops->default_idle;
    hid->protocol = HID_REPORT_PROTOCOL;
    hid->polled = false;
    hid->report_size = hid->report_sent = 0;
    hid->reported = g_get_monotonic_time();
    usb_emulated_set_timer(&hid->usb, -1);
    hid->ops->forget(hid);
}

void usb_hid_init(struct usb_hid *hid, const struct usb_device_ops *device_ops,
                  const struct usb_emulated_ops *emulated_ops, const struct usb_hid_ops *ops,
                  const struct usb_description *description, GMainContext *context, const char *id)
{
    usb_emulated_init(&hid->usb, device_ops, emulated_ops, description, context, id, NULL,
                      USB_SPEED_BIT(USB_SPEED_FULL) | USB_SPEED_BIT(USB_SPEED_HIGH));
    hid->ops = ops;
    forget(hid);
}

/* Reports. */

static gint64 idle_end(const struct usb_hid *hid)
{
    return hid->reported + hid->idle * IDLE_UNIT_USEC;
}

static bool idle_is_over(const struct usb_hid *hid)
{
    return hid->idle != 0 && g_get_monotonic_time() >= idle_end(hid);
}

/* Has a report to send at hand, if there is one to be sent. */
static bool load_report(struct usb_hid *hid)
{
    if (hid->report_sent < hid->report_size)
        return true;
    hid->report_sent = 0;
    hid->report_size = hid->ops->next(hid, hid->report);
    if (hid->report_size == 0 && idle_is_over(hid))
        hid->report_size = hid->ops->current(hid, hid->report);
    return hid->report_size > 0;
}

/* A request takes packets until it is full; one that ends inside a packet gets more than it can
 * hold. */
static void send_packets(struct usb_hid *hid, struct usb_request *request)
{
    const struct usb_endpoint_description *endpoint =
        usb_standard_endpoint(&hid->usb.standard, HID_ENDPOINT);
    size_t left = hid->report_size - hid->report_sent, size = MIN(left, request->length);
    bool babble = size < left && size % endpoint->packet != 0;

    usb_request_copy_in(request, 0, hid->report + hid->report_sent, size);
    hid->report_sent = babble ? hid->report_size : hid->report_sent + size;
    hid->reported = g_get_monotonic_time();
    usb_emulated_end(&hid->usb, request, babble ? USB_BABBLE : USB_OK, size);
}

void usb_hid_work(struct usb_emulated *usb, uint8_t endpoint)
{
    struct usb_hid *hid = to_hid(usb);
    struct usb_request *request;

    hid->polled = true;
    while ((request = usb_emulated_first(usb, endpoint)) != NULL) {
        if (request->length == 0)
            usb_emulated_end(usb, request, USB_OK, 0);
        else if (load_report(hid))
            send_packets(hid, request);
        else
            break;
    }
    usb_emulated_set_timer(usb, request != NULL && hid->idle != 0 ? idle_end(hid) : -1);
}

void usb_hid_cancelled(struct usb_emulated *usb, uint8_t endpoint)
{
    to_hid(usb)->polled = false;
    usb_emulated_set_timer(usb, -1);
}

void usb_hid_timer(struct usb_emulated *usb)
{
    usb_emulated_work(usb, HID_ENDPOINT);
}

void usb_hid_changed(struct usb_hid *hid)
{
    if (usb_emulated_first(&hid->usb, HID_ENDPOINT) == NULL)
        usb_emulated_wake_host(&hid->usb);
    usb_emulated_work(&hid->usb, HID_ENDPOINT);
}

bool usb_hid_in_use(const struct usb_hid *hid)
{
    return usb_emulated_configured(&hid->usb) && (hid->polled || usb_emulated_may_wake(&hid->usb));
}

void usb_hid_on_change(struct usb_emulated *usb, enum usb_change change, uint8_t index)
{
    if (change == USB_CHANGE_CONFIGURATION)
        forget(to_hid(usb));
    else if (change == USB_CHANGE_HALT_CLEARED)
        usb_emulated_work(usb, HID_ENDPOINT);
}

/* Requests to the interface. */

static void get_descriptor(struct usb_hid *hid, struct usb_request *request)
{
    const struct usb_hid_ops *ops = hid->ops;
    const struct usb_interface_description *interface =
        &hid->usb.standard.description->interfaces[0];

    switch (request->setup.value) {
    case HID_DT_REPORT << 8:
        usb_answer(request, ops->report_descriptor, ops->report_descriptor_size);
        break;
    case HID_DT_HID << 8:
        usb_answer(request, interface->details, interface->details_size);
        break;
    }
}

static void get_report(struct usb_hid *hid, struct usb_request *request)
{
    uint8_t report[HID_REPORT_MAX];
    size_t size;

    if (request->setup.value != REPORT_INPUT << 8)
        return;
    size = hid->ops->current(hid, report);
    usb_answer(request, report, size);
}

static void set_report(struct usb_hid *hid, struct usb_request *request)
{
    uint8_t report[HID_REPORT_MAX];
    size_t size = usb_request_copy_out(request, 0, report, MIN(request->length, sizeof(report)));

    if (request->setup.value != REPORT_OUTPUT << 8 || hid->ops->output == NULL ||
        request->length > sizeof(report) || !hid->ops->output(hid, report, size))
        return;
    request->status = USB_OK;
    request->actual = size;
}

/* A new rate counts from the last report on: HID 1.11, 7.2.4. */
static void set_idle(struct usb_hid *hid, struct usb_request *request)
{
    if ((request->setup.value & 0xff) != 0) /* of a report ID */
        return;
    hid->idle = request->setup.value >> 8;
    request->status = USB_OK;
    if (usb_emulated_first(&hid->usb, HID_ENDPOINT) != NULL)
        usb_emulated_set_timer(&hid->usb, hid->idle != 0 ? idle_end(hid) : -1);
}

static void set_protocol(struct usb_hid *hid, struct usb_request *request)
{
    if (!hid->ops->boot || request->setup.value > HID_REPORT_PROTOCOL)
        return;
    hid->protocol = request->setup.value;
    hid->report_size = hid->report_sent = 0;
    request->status = USB_OK;
}

void usb_hid_control(struct usb_emulated *usb, struct usb_request *request)
{
    struct usb_hid *hid = to_hid(usb);
    const struct usb_setup *setup = &request->setup;

    if (setup->index != 0)
        return;
    switch (setup->request_type << 8 | setup->request) {
    case (USB_DIR_IN | USB_RECIPIENT_INTERFACE) << 8 | USB_GET_DESCRIPTOR:
        get_descriptor(hid, request);
        break;
    case (USB_DIR_IN | TO_INTERFACE) << 8 | GET_REPORT:
        get_report(hid, request);
        break;
    case (USB_DIR_IN | TO_INTERFACE) << 8 | GET_IDLE:
        usb_answer(request, &hid->idle, 1);
        break;
    case (USB_DIR_IN | TO_INTERFACE) << 8 | GET_PROTOCOL:
        if (hid->ops->boot)
            usb_answer(request, &hid->protocol, 1);
        break;
    case TO_INTERFACE << 8 | SET_REPORT:
        set_report(hid, request);
        break;
    case TO_INTERFACE << 8 | SET_IDLE:
        set_idle(hid, request);
        break;
    case TO_INTERFACE << 8 | SET_PROTOCOL:
        set_protocol(hid, request);
        break;
    }
}
