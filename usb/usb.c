/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/usb.h"

#include <string.h>

#include "core/error.h"

/* Moves bytes between buffer and the request's memory from offset on. */
static uint32_t copy(const struct usb_request *request, uint32_t offset, uint8_t *buffer,
                     uint32_t size, bool in)
{
    uint32_t copied = 0;

    for (unsigned i = 0; i < request->iov_count && copied < size; i++) {
        const struct iovec *part = &request->iov[i];
        uint32_t now;

        if (offset >= part->iov_len) {
            offset -= part->iov_len;
            continue;
        }
        now = MIN(part->iov_len - offset, size - copied);
        if (in)
            memcpy((uint8_t *)part->iov_base + offset, buffer + copied, now);
        else
            memcpy(buffer + copied, (const uint8_t *)part->iov_base + offset, now);
        copied += now;
        offset = 0;
    }
    return copied;
}

uint32_t usb_request_copy_out(const struct usb_request *request, uint32_t offset, void *buffer,
                              uint32_t size)
{
    return copy(request, offset, buffer, size, false);
}

uint32_t usb_request_copy_in(struct usb_request *request, uint32_t offset, const void *buffer,
                             uint32_t size)
{
    return copy(request, offset, (uint8_t *)buffer, size, true);
}

void usb_request_complete(struct usb_request *request, enum usb_status status, uint32_t actual)
{
    request->status = status;
    request->actual = actual;
    request->done(request);
}

void usb_device_init(struct usb_device *device, const struct usb_device_ops *ops, const char *id,
                     unsigned speeds)
{
    *device = (struct usb_device){.ops = ops, .id = g_strdup(id), .speeds = speeds, .refs = 1};
}

struct usb_device *usb_device_ref(struct usb_device *device)
{
    g_atomic_int_inc(&device->refs);
    return device;
}

void usb_device_unref(struct usb_device *device)
{
    char *id;

    if (device == NULL || !g_atomic_int_dec_and_test(&device->refs))
        return;
    id = device->id;
    device->ops->free(device);
    g_free(id);
}

enum usb_submitted usb_device_submit(struct usb_device *device, struct usb_request *request)
{
    request->device = device;
    request->link = (GList){.data = request};
    request->device_private = NULL;
    request->actual = 0;
    request->status = USB_ERROR;
    if (request->length > USB_REQUEST_MAX)
        return USB_SUBMIT_DONE;
    return device->ops->submit(device, request);
}

bool usb_device_cancel(struct usb_device *device, struct usb_request *request)
{
    return device->ops->cancel(device, request);
}

void usb_device_reset(struct usb_device *device)
{
    if (device->ops->reset != NULL)
        device->ops->reset(device);
}

void usb_device_clear_halt(struct usb_device *device, uint8_t endpoint)
{
    if (device->ops->clear_halt != NULL)
        device->ops->clear_halt(device, endpoint);
}

bool usb_device_set_streams(struct usb_device *device, uint8_t endpoint, unsigned count)
{
    return count <= USB_MAX_STREAMS && device->ops->set_streams != NULL &&
           device->ops->set_streams(device, endpoint, count);
}

static unsigned depth_of(const struct usb_port *port)
{
    const char *p = port->path;
    unsigned depth = 0;

    while ((p = strchr(p, '.')) != NULL) {
        depth++;
        p++;
    }
    return depth;
}

/* The root port behind which port is; NULL: it is one itself, or the hub is not plugged in. */
static struct usb_port *root_of(const struct usb_port *port)
{
    struct usb_port *up = NULL;

    while (port != NULL && port->hub != NULL)
        port = up = port->hub->port;
    return up;
}

bool usb_port_attach(struct usb_port *port, struct usb_device *device, GError **err)
{
    unsigned speeds = port->speeds & device->speeds;
    struct usb_port *root = root_of(port);

    if (port->device != NULL)
        return vmdesk_fail(err, VMDESK_ERROR_BUSY,
                           "The USB port %s is taken by %s: detach that first, or choose another.",
                           port->path, port->device->id);
    if (speeds == 0)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The USB port %s has no speed that %s can run at: choose another.",
                           port->path, device->id);
    if (depth_of(port) > USB_MAX_DEPTH)
        return vmdesk_fail(
            err, VMDESK_ERROR_INVALID,
            "The USB port %s is behind %d hubs: choose a port nearer to the machine.", port->path,
            depth_of(port));
    device->speed = g_bit_nth_msf(speeds, -1);
    device->port = port;
    port->device = usb_device_ref(device);
    if (root != NULL && root->ops->attached_behind != NULL)
        root->ops->attached_behind(root, port);
    port->ops->attached(port);
    return true;
}

void usb_port_detach(struct usb_port *port)
{
    struct usb_device *device = port->device;
    struct usb_port *root = root_of(port);

    if (device == NULL)
        return;
    port->ops->detached(port);
    if (root != NULL && root->ops->detached_behind != NULL)
        root->ops->detached_behind(root, port);
    port->device = NULL;
    device->port = NULL;
    usb_device_unref(device);
}

uint32_t usb_port_route(const struct usb_port *port)
{
    const char *p = port->path;
    uint32_t route = 0;

    for (unsigned i = 0; i < USB_MAX_DEPTH && (p = strchr(p, '.')) != NULL; i++)
        route |= (uint32_t)(g_ascii_strtoull(++p, NULL, 10) & 0xf) << 4 * i;
    return route;
}

struct usb_port *usb_port_find(struct usb_port *root, uint32_t route)
{
    struct usb_port *port = root;

    for (; route != 0 && port != NULL; route >>= 4) {
        struct usb_device *hub = port->device;

        port = hub != NULL && hub->ops->port != NULL ? hub->ops->port(hub, route & 0xf) : NULL;
    }
    return port;
}
