/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Root ports: their state machines (4.19), PORTSC (5.4.8), and which device stands where. A
 * physical port is a USB 2 port, or its USB 3 companion when the device runs at that speed.
 */
#include "engine/dev/xhci_internal.h"

#define PORT_REGISTER_SIZE 0x10
enum { REG_PORTSC = 0x0, REG_PORTPMSC = 0x4 };

static bool is_usb3(const struct xhci_root *root)
{
    return root->number > XHCI_PORTS;
}

static struct xhci_socket *socket_of(struct xhci_root *root)
{
    return &root->xhci->sockets[(root->number - 1) % XHCI_PORTS];
}

static enum link_state link_of(const struct xhci_root *root)
{
    return (root->portsc & PORT_PLS_MASK) >> PORT_PLS_SHIFT;
}

static void set_link(struct xhci_root *root, enum link_state link)
{
    root->portsc = (root->portsc & ~PORT_PLS_MASK) | (uint32_t)link << PORT_PLS_SHIFT;
}

/* 4.19.2: an event when the first of the change bits comes up. */
static void report(struct xhci_root *root)
{
    const struct trb event = {.parameter = (uint64_t)root->number << 24,
                              .status = (uint32_t)CODE_SUCCESS << 24,
                              .control = TRB_PORT_EVENT << 10};

    root->xhci->usbsts |= STS_PCD;
    xhci_event(root->xhci, 0, &event, false);
}

static void change(struct xhci_root *root, uint32_t bits)
{
    bool first = !(root->portsc & PORT_CHANGES);

    root->portsc |= bits;
    if (first && !(root->xhci->usbsts & STS_HCH))
        report(root);
}

void xhci_ports_started(struct xhci *xhci)
{
    for (unsigned i = 0; i < XHCI_ROOT_PORTS; i++)
        if (xhci->roots[i].portsc & PORT_CHANGES)
            report(&xhci->roots[i]);
}

/* Protocol speed ids: 7.2.2.1.1. */
static uint32_t speed_id(const struct usb_device *device)
{
    switch (device->speed) {
    case USB_SPEED_LOW:
        return 2;
    case USB_SPEED_FULL:
        return 1;
    case USB_SPEED_HIGH:
        return 3;
    case USB_SPEED_SUPER:
    case USB_SPEED_SUPER_PLUS:
        break;
    }
    return 4;
}

/* Something is there: a USB 3 link trains itself to U0, a USB 2 port waits for its reset (4.19.1).
 */
static void connect(struct xhci_root *root)
{
    root->portsc |= PORT_CCS;
    root->portsc &= ~PORT_SPEED_MASK;
    if (is_usb3(root)) {
        root->portsc |= PORT_PED;
        set_link(root, LINK_U0);
    } else {
        set_link(root, LINK_POLLING);
    }
    root->portsc |= speed_id(root->device) << PORT_SPEED_SHIFT;
    change(root, PORT_CSC);
}

static void disconnect(struct xhci_root *root)
{
    if (!(root->portsc & PORT_CCS))
        return;
    root->portsc &= ~(PORT_CCS | PORT_PED | PORT_PR | PORT_SPEED_MASK);
    set_link(root, LINK_RX_DETECT);
    change(root, PORT_CSC);
}

/* Requests of devices on this port, at it and behind it, end: their bus is gone. */
static void fail_requests(struct xhci_root *root)
{
    GHashTableIter iter;
    gpointer device;

    if (root->device == NULL)
        return;
    g_hash_table_iter_init(&iter, socket_of(root)->devices);
    while (g_hash_table_iter_next(&iter, NULL, &device))
        xhci_slots_fail(root->xhci, device, false);
}

static void power(struct xhci_root *root, bool on)
{
    if (on == ((root->portsc & PORT_PP) != 0))
        return;
    if (on) {
        root->portsc |= PORT_PP;
        set_link(root, LINK_RX_DETECT);
        if (root->device != NULL)
            connect(root);
        return;
    }
    root->portsc &= PORT_WAKE_MASK;
    set_link(root, LINK_DISABLED);
    fail_requests(root);
}

/* 4.19.5: it is over as soon as the device has been told. */
static void reset_port(struct xhci_root *root, bool warm)
{
    if (root->device == NULL || !(root->portsc & PORT_CCS))
        return;
    fail_requests(root);
    usb_device_reset(root->device);
    root->portsc |= PORT_PED;
    set_link(root, LINK_U0);
    change(root, PORT_PRC | (warm ? PORT_WRC : 0));
}

static void disable(struct xhci_root *root)
{
    if (!(root->portsc & PORT_PED))
        return;
    fail_requests(root);
    root->portsc &= ~PORT_PED;
    set_link(root, is_usb3(root) ? LINK_DISABLED : LINK_POLLING);
}

/* The link states that software may ask for (5.4.8, table 5-27), by where the link stands. */
static void write_link(struct xhci_root *root, enum link_state to)
{
    enum link_state from = link_of(root);
    bool enabled = root->portsc & PORT_PED;

    switch (to) {
    case LINK_U0:
        if (!enabled || from == LINK_U0)
            break;
        set_link(root, LINK_U0);
        change(root, PORT_PLC);
        break;
    case LINK_U2:
    case LINK_U3:
        if (enabled && from <= LINK_U3)
            set_link(root, to);
        break;
    case LINK_RESUME:
        if (enabled && from == LINK_U3 && !is_usb3(root))
            set_link(root, LINK_RESUME);
        break;
    case LINK_DISABLED:
        if (is_usb3(root))
            disable(root);
        break;
    case LINK_RX_DETECT:
        if (!is_usb3(root) || from != LINK_DISABLED || !(root->portsc & PORT_PP))
            break;
        set_link(root, LINK_RX_DETECT);
        if (root->device != NULL)
            connect(root);
        break;
    case LINK_POLLING:
        break;
    }
}

static void write_portsc(struct xhci_root *root, uint32_t value)
{
    root->portsc &= ~(value & PORT_CHANGES);
    root->portsc = (root->portsc & ~(PORT_WAKE_MASK | PORT_PIC_MASK)) |
                   (value & (PORT_WAKE_MASK | PORT_PIC_MASK));
    power(root, value & PORT_PP);
    if (!(root->portsc & PORT_PP))
        return;
    if (is_usb3(root) && (value & PORT_WPR))
        reset_port(root, true);
    else if (value & PORT_PR)
        reset_port(root, false);
    else if (value & PORT_PED)
        disable(root);
    if (value & PORT_LWS)
        write_link(root, (value & PORT_PLS_MASK) >> PORT_PLS_SHIFT);
}

uint32_t xhci_port_read(struct xhci *xhci, unsigned offset)
{
    const struct xhci_root *root = &xhci->roots[offset / PORT_REGISTER_SIZE];

    switch (offset % PORT_REGISTER_SIZE) {
    case REG_PORTSC:
        return root->portsc;
    case REG_PORTPMSC:
        return root->portpmsc;
    default:
        return 0;
    }
}

void xhci_port_write(struct xhci *xhci, unsigned offset, uint32_t value)
{
    struct xhci_root *root = &xhci->roots[offset / PORT_REGISTER_SIZE];

    switch (offset % PORT_REGISTER_SIZE) {
    case REG_PORTSC:
        write_portsc(root, value);
        break;
    case REG_PORTPMSC: /* 5.4.9: timeouts that no link here runs into */
        root->portpmsc = value & (is_usb3(root) ? 0x1ffff : 0x1ffff & ~0x7u);
        break;
    default:
        break;
    }
}

void xhci_ports_reset(struct xhci *xhci)
{
    for (unsigned i = 0; i < XHCI_ROOT_PORTS; i++) {
        struct xhci_root *root = &xhci->roots[i];

        root->portsc = PORT_PP;
        root->portpmsc = 0;
        set_link(root, LINK_RX_DETECT);
        if (root->device == NULL)
            continue;
        usb_device_reset(root->device);
        connect(root);
    }
}

/*
 * Devices coming and going: main loop, no lock held.
 */

struct usb_device *xhci_ports_find(struct xhci *xhci, unsigned number, uint32_t route)
{
    struct xhci_root *root = &xhci->roots[number - 1];

    if (root->device == NULL || !(root->portsc & PORT_PED))
        return NULL;
    return g_hash_table_lookup(socket_of(root)->devices, GUINT_TO_POINTER(route));
}

static struct xhci_socket *to_socket(struct usb_port *port)
{
    return (struct xhci_socket *)port;
}

static void add(struct xhci_socket *socket, uint32_t route, struct usb_device *device)
{
    g_hash_table_insert(socket->devices, GUINT_TO_POINTER(route), usb_device_ref(device));
}

/* Enters a device, and what is plugged in behind it if it is a hub. The chain of hubs is as long as
 * a route is (USB_MAX_DEPTH), so this ends. */
static void add_all(struct xhci_socket *socket, uint32_t route, unsigned depth,
                    struct usb_device *device)
{
    add(socket, route, device);
    for (unsigned i = 1;
         device->ops->port != NULL && depth < USB_MAX_DEPTH && i <= USB_HUB_MAX_PORTS; i++) {
        struct usb_port *port = device->ops->port(device, i);

        if (port != NULL && port->device != NULL)
            add_all(socket, route | (uint32_t)i << 4 * depth, depth + 1, port->device);
    }
}

static unsigned depth_of(uint32_t route)
{
    unsigned depth = 0;

    for (; route != 0; route >>= 4)
        depth++;
    return depth;
}

/* Takes out the device at route and all behind it. */
static void remove_all(struct xhci_socket *socket, uint32_t route)
{
    uint32_t mask = (1u << 4 * depth_of(route)) - 1;
    GHashTableIter iter;
    gpointer key, device;

    g_hash_table_iter_init(&iter, socket->devices);
    while (g_hash_table_iter_next(&iter, &key, &device)) {
        if ((GPOINTER_TO_UINT(key) & mask) != route)
            continue;
        xhci_slots_fail(socket->xhci, device, true);
        g_hash_table_iter_remove(&iter);
        xhci_unref_later(socket->xhci, device);
    }
}

static struct xhci_root *root_at(struct usb_port *port)
{
    struct xhci_socket *socket = to_socket(port);
    unsigned index = socket - socket->xhci->sockets;

    if (port->device->speed >= USB_SPEED_SUPER)
        index += XHCI_PORTS;
    return &socket->xhci->roots[index];
}

static void socket_attached(struct usb_port *port)
{
    struct xhci_socket *socket = to_socket(port);
    struct xhci *xhci = socket->xhci;
    struct xhci_root *root = root_at(port);

    g_mutex_lock(&xhci->pci.board->lock);
    add_all(socket, 0, 0, port->device);
    root->device = port->device;
    usb_device_reset(port->device);
    if (root->portsc & PORT_PP)
        connect(root);
    xhci_update_interrupts(xhci);
    g_mutex_unlock(&xhci->pci.board->lock);
}

static void socket_detached(struct usb_port *port)
{
    struct xhci_socket *socket = to_socket(port);
    struct xhci *xhci = socket->xhci;
    struct xhci_root *root = root_at(port);

    g_mutex_lock(&xhci->pci.board->lock);
    remove_all(socket, 0);
    root->device = NULL;
    disconnect(root);
    xhci_update_interrupts(xhci);
    g_mutex_unlock(&xhci->pci.board->lock);
    xhci_unref_unwanted(xhci);
}

static void attached_behind(struct usb_port *port, struct usb_port *hub_port)
{
    struct xhci_socket *socket = to_socket(port);
    uint32_t route = usb_port_route(hub_port);

    g_mutex_lock(&socket->xhci->pci.board->lock);
    add_all(socket, route, depth_of(route), hub_port->device);
    g_mutex_unlock(&socket->xhci->pci.board->lock);
}

static void detached_behind(struct usb_port *port, struct usb_port *hub_port)
{
    struct xhci_socket *socket = to_socket(port);
    uint32_t route = usb_port_route(hub_port);

    g_mutex_lock(&socket->xhci->pci.board->lock);
    if (route != 0)
        remove_all(socket, route);
    xhci_update_interrupts(socket->xhci);
    g_mutex_unlock(&socket->xhci->pci.board->lock);
    xhci_unref_unwanted(socket->xhci);
}

/* 4.15.2.2: the device resumes its link, and the guest finishes it. Any thread. */
static void socket_wakeup(struct usb_port *port)
{
    struct xhci_socket *socket = to_socket(port);
    struct xhci *xhci = socket->xhci;
    unsigned index = socket - xhci->sockets;

    g_mutex_lock(&xhci->pci.board->lock);
    for (unsigned i = index; i < XHCI_ROOT_PORTS; i += XHCI_PORTS) {
        struct xhci_root *root = &xhci->roots[i];

        if (root->device == NULL || link_of(root) != LINK_U3)
            continue;
        set_link(root, LINK_RESUME);
        change(root, PORT_PLC);
    }
    xhci_update_interrupts(xhci);
    g_mutex_unlock(&xhci->pci.board->lock);
}

static const struct usb_port_ops socket_ops = {
    .attached = socket_attached,
    .detached = socket_detached,
    .wakeup = socket_wakeup,
    .attached_behind = attached_behind,
    .detached_behind = detached_behind,
};

void xhci_ports_init(struct xhci *xhci)
{
    for (unsigned i = 0; i < XHCI_ROOT_PORTS; i++) {
        xhci->roots[i].xhci = xhci;
        xhci->roots[i].number = i + 1;
    }
    for (unsigned i = 0; i < XHCI_PORTS; i++) {
        struct xhci_socket *socket = &xhci->sockets[i];

        socket->xhci = xhci;
        socket->devices = g_hash_table_new(g_direct_hash, g_direct_equal);
        socket->port.ops = &socket_ops;
        socket->port.speeds = USB_SPEED_BIT(USB_SPEED_LOW) | USB_SPEED_BIT(USB_SPEED_FULL) |
                              USB_SPEED_BIT(USB_SPEED_HIGH) | USB_SPEED_BIT(USB_SPEED_SUPER) |
                              USB_SPEED_BIT(USB_SPEED_SUPER_PLUS);
        g_snprintf(socket->port.path, sizeof(socket->port.path), "%u", i + 1);
    }
}

void xhci_ports_finish(struct xhci *xhci)
{
    for (unsigned i = 0; i < XHCI_PORTS; i++) {
        usb_port_detach(&xhci->sockets[i].port);
        g_hash_table_destroy(xhci->sockets[i].devices);
    }
}

struct usb_port *xhci_port(struct xhci *xhci, unsigned number)
{
    return number >= 1 && number <= XHCI_PORTS ? &xhci->sockets[number - 1].port : NULL;
}
