/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/ports.h"

#include <string.h>

#include "core/error.h"

struct usb_ports {
    GPtrArray *roots; /* struct usb_port * */
};

struct usb_ports *usb_ports_new(void)
{
    struct usb_ports *ports = g_new0(struct usb_ports, 1);

    ports->roots = g_ptr_array_new();
    return ports;
}

void usb_ports_free(struct usb_ports *ports)
{
    if (ports == NULL)
        return;
    g_ptr_array_free(ports->roots, TRUE);
    g_free(ports);
}

void usb_ports_add(struct usb_ports *ports, struct usb_port *port)
{
    g_ptr_array_add(ports->roots, port);
}

static void visit_port(struct usb_port *port, unsigned depth,
                       void (*visit)(struct usb_port *port, void *opaque), void *opaque)
{
    struct usb_device *hub = port->device;

    visit(port, opaque);
    if (hub == NULL || hub->ops->port == NULL || depth > USB_MAX_DEPTH)
        return;
    for (unsigned i = 1; i <= USB_HUB_MAX_PORTS; i++) {
        struct usb_port *next = hub->ops->port(hub, i);

        if (next != NULL)
            visit_port(next, depth + 1, visit, opaque);
    }
}

void usb_ports_foreach(struct usb_ports *ports, void (*visit)(struct usb_port *port, void *opaque),
                       void *opaque)
{
    for (guint i = 0; i < ports->roots->len; i++)
        visit_port(ports->roots->pdata[i], 0, visit, opaque);
}

struct search {
    const char *path, *id;
    struct usb_port *found;
};

static void compare(struct usb_port *port, void *opaque)
{
    struct search *search = opaque;

    if (search->found != NULL)
        return;
    if (search->path != NULL ? strcmp(port->path, search->path) == 0
                             : port->device != NULL && strcmp(port->device->id, search->id) == 0)
        search->found = port;
}

struct usb_port *usb_ports_find(struct usb_ports *ports, const char *path)
{
    struct search search = {.path = path};

    usb_ports_foreach(ports, compare, &search);
    return search.found;
}

struct usb_device *usb_ports_device(struct usb_ports *ports, const char *id)
{
    struct search search = {.id = id};

    usb_ports_foreach(ports, compare, &search);
    return search.found != NULL ? search.found->device : NULL;
}

struct choice {
    unsigned speeds;
    struct usb_port *port;
    int speed;
};

/* A root port is better than one of a hub, speed better than both. */
static void choose(struct usb_port *port, void *opaque)
{
    struct choice *best = opaque;
    int speed = g_bit_nth_msf(port->speeds & best->speeds, -1);

    if (port->device == NULL && speed >= 0 &&
        (best->port == NULL || speed > best->speed ||
         (speed == best->speed && port->hub == NULL && best->port->hub != NULL))) {
        best->port = port;
        best->speed = speed;
    }
}

static struct usb_port *free_port(struct usb_ports *ports, unsigned speeds)
{
    struct choice best = {.speeds = speeds};

    usb_ports_foreach(ports, choose, &best);
    return best.port;
}

bool usb_ports_attach(struct usb_ports *ports, struct usb_device *device, const char *path,
                      GError **err)
{
    struct usb_port *port =
        path != NULL ? usb_ports_find(ports, path) : free_port(ports, device->speeds);

    if (usb_ports_device(ports, device->id) != NULL)
        return vmdesk_fail(err, VMDESK_ERROR_EXISTS,
                           "%s is plugged into this machine already: detach it first.", device->id);
    if (port == NULL && path != NULL)
        return vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                           "The machine has no USB port %s: query-usb lists its ports.", path);
    if (port == NULL)
        return vmdesk_fail(err, VMDESK_ERROR_BUSY,
                           ports->roots->len > 0
                               ? "No USB port that %s can use is free: detach another device."
                               : "The machine has no USB ports for %s: it was started without a "
                                 "USB controller.",
                           device->id);
    return usb_port_attach(port, device, err);
}
