/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/usb_harness.h"

static void on_attached(struct usb_port *port)
{
    ((struct usb_harness *)port->opaque)->attached++;
}

static void on_detached(struct usb_port *port)
{
    ((struct usb_harness *)port->opaque)->detached++;
}

static void on_wakeup(struct usb_port *port)
{
    g_atomic_int_inc(&((struct usb_harness *)port->opaque)->wakeups);
}

void harness_init(struct usb_harness *h, unsigned speeds)
{
    static const struct usb_port_ops ops = {.attached = on_attached,
                                            .detached = on_detached,
                                            .wakeup = on_wakeup};

    *h = (struct usb_harness){.context = g_main_context_new()};
    h->port = (struct usb_port){.ops = &ops, .opaque = h, .path = "1", .speeds = speeds};
}

void harness_attach(struct usb_harness *h, struct usb_device *device)
{
    g_autoptr(GError) error = NULL;

    h->device = device;
    if (!usb_port_attach(&h->port, device, &error))
        g_error("%s", error->message);
}

void harness_finish(struct usb_harness *h)
{
    usb_port_detach(&h->port);
    usb_device_unref(h->device);
    g_main_context_unref(h->context);
}

static void on_done(struct usb_request *request)
{
    struct harness_request *r = request->opaque;
    GMainContext *context = r->harness->context;

    g_atomic_int_inc(&r->done);
    g_main_context_wakeup(context);
}

void harness_prepare(struct usb_harness *h, struct harness_request *r, uint8_t endpoint, void *data,
                     uint32_t size, unsigned parts)
{
    uint32_t at = 0;

    *r = (struct harness_request){.harness = h};
    for (unsigned i = 0; i < parts; i++) {
        uint32_t now = i + 1 == parts ? size - at : size / parts;

        r->iov[i] = (struct iovec){(uint8_t *)data + at, now};
        at += now;
    }
    r->request.endpoint = endpoint;
    r->request.iov = r->iov;
    r->request.iov_count = parts;
    r->request.length = size;
    r->request.done = on_done;
    r->request.opaque = r;
}

bool harness_submit(struct harness_request *r)
{
    enum usb_submitted submitted;

    r->done = 0;
    r->pending = true;
    submitted = usb_device_submit(r->harness->device, &r->request);
    if (submitted == USB_SUBMIT_DONE)
        r->pending = false;
    return submitted == USB_SUBMIT_DONE || g_atomic_int_get(&r->done) > 0;
}

void harness_wait(struct harness_request *r)
{
    while (r->pending && g_atomic_int_get(&r->done) == 0)
        g_main_context_iteration(r->harness->context, TRUE);
}

bool harness_settled(struct harness_request *r)
{
    while (g_main_context_iteration(r->harness->context, FALSE))
        ;
    return !r->pending || g_atomic_int_get(&r->done) > 0;
}

void harness_cancel(struct harness_request *r)
{
    if (!r->pending || g_atomic_int_get(&r->done) > 0)
        return;
    if (usb_device_cancel(r->harness->device, &r->request))
        r->pending = false;
    else
        harness_wait(r);
}

enum usb_status harness_transfer(struct usb_harness *h, uint8_t endpoint, void *data, uint32_t size,
                                 uint32_t *ret_actual)
{
    struct harness_request r;

    harness_prepare(h, &r, endpoint, data, size, size > 0 ? 1 : 0);
    harness_submit(&r);
    harness_wait(&r);
    if (ret_actual != NULL)
        *ret_actual = r.request.actual;
    return r.request.status;
}

enum usb_status harness_control(struct usb_harness *h, uint8_t type, uint8_t request,
                                uint16_t value, uint16_t index, void *data, uint16_t length,
                                uint32_t *ret_actual)
{
    struct harness_request r;

    harness_prepare(h, &r, 0, data, length, length > 0 ? 1 : 0);
    r.request.setup = (struct usb_setup){type, request, value, index, length};
    harness_submit(&r);
    harness_wait(&r);
    if (ret_actual != NULL)
        *ret_actual = r.request.actual;
    return r.request.status;
}

/* Whether the descriptors fill their total length, and each setting has its endpoints. */
static bool is_well_formed(const uint8_t *data, uint32_t size)
{
    unsigned endpoints = 0;
    uint32_t at;

    if (size < 9 || (data[2] | data[3] << 8) != (int)size)
        return false;
    for (at = 0; at + 2 <= size && data[at] >= 2; at += data[at]) {
        if (data[at + 1] == 4 && endpoints != 0)
            return false;
        if (data[at + 1] == 4)
            endpoints = data[at + 4];
        if (data[at + 1] == 5)
            endpoints--;
    }
    return at == size && endpoints == 0;
}

void harness_configure(struct usb_harness *h)
{
    uint8_t data[512];
    uint32_t size;

    if (harness_control(h, 0x80, 6, 0x200, 0, data, sizeof(data), &size) != USB_OK ||
        !is_well_formed(data, size))
        g_error("%s has no good configuration", h->device->id);
    if (harness_control(h, 0, 9, 1, 0, NULL, 0, NULL) != USB_OK)
        g_error("%s cannot be configured", h->device->id);
}
