/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/emulated/hub.h"

#include <string.h>

#include "usb/emulated/emulated.h"
#include "usb/emulated/hub_port.h"
#include "usb/emulated/ids.h"

#define CLASS_HUB 9
#define CHANGE_ENDPOINT 0x81
#define CHANGE_SIZE ((USB_HUB_PORTS + 1 + 7) / 8)

#define DT_HUB 0x29
#define DT_SUPER_HUB 0x2a
/* Power by port, no over-current protection: USB 2.0, 11.23.2.1. */
#define CHARACTERISTICS 0x11
#define POWER_ON_2_MS 10

/* Requests: USB 2.0, 11.24.2; USB 3.2, 10.16.2. */
enum {
    CLEAR_TT_BUFFER = 8,
    RESET_TT = 9,
    STOP_TT = 11,
    SET_HUB_DEPTH = 12,
};

#define FROM_HUB (USB_DIR_IN | USB_TYPE_CLASS | USB_RECIPIENT_DEVICE)
#define TO_HUB (USB_TYPE_CLASS | USB_RECIPIENT_DEVICE)
#define FROM_PORT (USB_DIR_IN | USB_TYPE_CLASS | USB_RECIPIENT_OTHER)
#define TO_PORT (USB_TYPE_CLASS | USB_RECIPIENT_OTHER)

/* Feature selectors: USB 2.0, table 11-17; USB 3.2, table 10-17. */
enum {
    PORT_ENABLE = 1,
    PORT_SUSPEND = 2,
    PORT_RESET = 4,
    PORT_LINK_STATE = 5,
    PORT_POWER = 8,
    C_PORT_CONNECTION = 16,
    C_PORT_ENABLE = 17,
    C_PORT_SUSPEND = 18,
    C_PORT_OVER_CURRENT = 19,
    C_PORT_RESET = 20,
    PORT_INDICATOR = 22,
    PORT_U1_TIMEOUT = 23,
    PORT_U2_TIMEOUT = 24,
    C_PORT_LINK_STATE = 25,
    C_PORT_CONFIG_ERROR = 26,
    PORT_REMOTE_WAKE_MASK = 27,
    BH_PORT_RESET = 28,
    C_BH_PORT_RESET = 29,
};

enum { LINK_U0 = 0, LINK_U3 = 3, LINK_DISABLED = 4, LINK_RX_DETECT = 5 };

struct hub_socket {
    struct usb_port port; /* where a device is plugged in; on the main loop */
    struct usb_hub *hub;
    struct usb_device *device; /* the same, referenced, under the hub's lock */
    struct hub_port state;
};

struct usb_hub {
    struct usb_emulated usb; /* must be first */
    struct hub_socket sockets[USB_HUB_PORTS];
};

static const struct usb_endpoint_description endpoints[] = {
    {.address = CHANGE_ENDPOINT, .transfer = USB_INTERRUPT, .packet = CHANGE_SIZE, .interval = 256},
};

static const struct usb_interface_description interfaces[] = {
    {.class = CLASS_HUB, .endpoints = endpoints, .endpoint_count = G_N_ELEMENTS(endpoints)},
};

static const struct usb_description usb_2_hub = {
    .vendor = USB_VENDOR_VIRTUAL,
    .product = USB_PRODUCT_HUB,
    .release = 0x0100,
    .name = "USB Hub",
    .class = CLASS_HUB,
    .protocol = 1, /* one transaction translator */
    .self_powered = true,
    .remote_wakeup = true,
    .interfaces = interfaces,
    .interface_count = G_N_ELEMENTS(interfaces),
};

static const struct usb_description super_hub = {
    .vendor = USB_VENDOR_VIRTUAL,
    .product = USB_PRODUCT_HUB,
    .release = 0x0100,
    .name = "USB 3 Hub",
    .class = CLASS_HUB,
    .protocol = 3,
    .self_powered = true,
    .remote_wakeup = true,
    .interfaces = interfaces,
    .interface_count = G_N_ELEMENTS(interfaces),
};

static bool is_super(const struct usb_hub *hub)
{
    return hub->usb.standard.description == &super_hub;
}

/* The status-change endpoint: a bit per port, the hub's own is 0. */

static uint16_t changed_ports(const struct usb_hub *hub)
{
    uint16_t bits = 0;

    for (unsigned i = 0; i < USB_HUB_PORTS; i++)
        bits |= hub->sockets[i].state.changes != 0 ? 2 << i : 0;
    return bits;
}

static void hub_work(struct usb_emulated *usb, uint8_t endpoint)
{
    uint16_t changes = changed_ports((struct usb_hub *)usb);
    const uint8_t data[CHANGE_SIZE] = {changes & 0xff, changes >> 8};
    struct usb_request *request = usb_emulated_first(usb, endpoint);
    uint32_t size;

    if (changes == 0)
        return;
    size = usb_request_copy_in(request, 0, data, sizeof(data));
    usb_emulated_end(usb, request, size == sizeof(data) ? USB_OK : USB_BABBLE, size);
}

static void port_event(struct usb_hub *hub, struct hub_socket *socket, enum hub_port_event event)
{
    if (hub_port_event(&socket->state, event))
        usb_device_reset(socket->device);
    if (socket->state.changes == 0)
        return;
    if (usb_emulated_first(&hub->usb, CHANGE_ENDPOINT) == NULL)
        usb_emulated_wake_host(&hub->usb);
    usb_emulated_work(&hub->usb, CHANGE_ENDPOINT);
}

/* A device that is there is seen when power comes. */
static void power_port(struct usb_hub *hub, struct hub_socket *socket, bool on)
{
    port_event(hub, socket, on ? HUB_PORT_POWER_ON : HUB_PORT_POWER_OFF);
    if (on && socket->device != NULL)
        port_event(hub, socket, HUB_PORT_ATTACH);
}

/* What devices are plugged into. */

static void on_attached(struct usb_port *port)
{
    struct hub_socket *socket = port->opaque;
    struct usb_hub *hub = socket->hub;

    usb_emulated_lock(&hub->usb);
    socket->device = usb_device_ref(port->device);
    socket->state.speed = port->device->speed;
    port_event(hub, socket, HUB_PORT_ATTACH);
    usb_emulated_unlock(&hub->usb);
}

static void on_detached(struct usb_port *port)
{
    struct hub_socket *socket = port->opaque;
    struct usb_hub *hub = socket->hub;
    struct usb_device *device;

    usb_emulated_lock(&hub->usb);
    device = socket->device;
    socket->device = NULL;
    port_event(hub, socket, HUB_PORT_DETACH);
    usb_emulated_unlock(&hub->usb);
    usb_device_unref(device);
}

static void on_wakeup(struct usb_port *port)
{
    struct hub_socket *socket = port->opaque;
    struct usb_hub *hub = socket->hub;

    usb_emulated_lock(&hub->usb);
    port_event(hub, socket, HUB_PORT_WAKE);
    usb_emulated_unlock(&hub->usb);
}

static struct usb_port *hub_port(struct usb_device *device, unsigned number)
{
    struct usb_hub *hub = (struct usb_hub *)device;

    return number >= 1 && number <= USB_HUB_PORTS ? &hub->sockets[number - 1].port : NULL;
}

/* Requests to the hub. */

static void get_hub_descriptor(struct usb_hub *hub, struct usb_request *request)
{
    /* Removable devices at all ports; the last byte of a USB 2 hub's is set for older hosts. */
    static const uint8_t usb_2[] = {7 + 2 * CHANGE_SIZE,
                                    DT_HUB,
                                    USB_HUB_PORTS,
                                    CHARACTERISTICS,
                                    0,
                                    POWER_ON_2_MS,
                                    0,
                                    0,
                                    0,
                                    0xff,
                                    0xff};
    static const uint8_t super[] = {
        12, DT_SUPER_HUB, USB_HUB_PORTS, CHARACTERISTICS, 0, POWER_ON_2_MS, 0, 0, 0, 0, 0, 0};

    if (request->setup.value != (is_super(hub) ? DT_SUPER_HUB << 8 : DT_HUB << 8))
        return;
    if (is_super(hub))
        usb_answer(request, super, sizeof(super));
    else
        usb_answer(request, usb_2, sizeof(usb_2));
}

static void to_hub(struct usb_hub *hub, struct usb_request *request)
{
    switch (request->setup.request) {
    case USB_CLEAR_FEATURE: /* changes of local power and over-current: never set */
        if (request->setup.value <= 1)
            request->status = USB_OK;
        break;
    case SET_HUB_DEPTH:
        if (is_super(hub) && request->setup.value < USB_MAX_DEPTH)
            request->status = USB_OK;
        break;
    }
}

static void from_hub(struct usb_hub *hub, struct usb_request *request)
{
    static const uint8_t fine[4];

    switch (request->setup.request) {
    case USB_GET_STATUS: /* power is good */
        usb_answer(request, fine, sizeof(fine));
        break;
    case USB_GET_DESCRIPTOR:
        get_hub_descriptor(hub, request);
        break;
    }
}

/* Requests to a port. */

static void get_port_status(const struct hub_socket *socket, struct usb_request *request)
{
    uint16_t status = hub_port_status(&socket->state), changes = socket->state.changes;
    const uint8_t data[4] = {status & 0xff, status >> 8, changes & 0xff, changes >> 8};

    usb_answer(request, data, sizeof(data));
}

/* The change that a feature stands for; 0: none. */
static uint16_t change_of(uint16_t feature)
{
    switch (feature) {
    case C_PORT_CONNECTION:
        return HUB_CHANGE_CONNECTION;
    case C_PORT_ENABLE:
        return HUB_CHANGE_ENABLE;
    case C_PORT_SUSPEND:
        return HUB_CHANGE_SUSPEND;
    case C_PORT_RESET:
        return HUB_CHANGE_RESET;
    case C_PORT_LINK_STATE:
        return HUB_CHANGE_LINK_STATE;
    case C_BH_PORT_RESET:
        return HUB_CHANGE_WARM_RESET;
    default:
        return 0;
    }
}

static bool clear_port_feature(struct usb_hub *hub, struct hub_socket *socket, uint16_t feature)
{
    uint16_t change = change_of(feature);

    socket->state.changes &= ~change;
    if (change != 0)
        return true;
    switch (feature) {
    case PORT_ENABLE:
        port_event(hub, socket, HUB_PORT_DISABLE);
        return !is_super(hub);
    case PORT_SUSPEND:
        port_event(hub, socket, HUB_PORT_RESUME);
        return !is_super(hub);
    case PORT_POWER:
        power_port(hub, socket, false);
        return true;
    case PORT_INDICATOR:
    case C_PORT_OVER_CURRENT:
    case C_PORT_CONFIG_ERROR:
        return true;
    default:
        return false;
    }
}

/* The state that the host wants of the link is in the high byte of wIndex. */
static bool set_link_state(struct usb_hub *hub, struct hub_socket *socket, unsigned wanted)
{
    switch (wanted) {
    case LINK_U0:
        port_event(hub, socket, HUB_PORT_RESUME);
        return true;
    case LINK_U3:
        port_event(hub, socket, HUB_PORT_SUSPEND);
        return true;
    case LINK_DISABLED:
        port_event(hub, socket, HUB_PORT_DISABLE);
        return true;
    case LINK_RX_DETECT: /* out of being disabled the link is found anew */
        if (socket->state.state == HUB_PORT_DISABLED) {
            hub_port_event(&socket->state, HUB_PORT_DETACH);
            port_event(hub, socket, HUB_PORT_ATTACH);
        }
        return true;
    default:
        return false;
    }
}

static bool set_port_feature(struct usb_hub *hub, struct hub_socket *socket, uint16_t feature,
                             unsigned selector)
{
    switch (feature) {
    case PORT_SUSPEND:
        port_event(hub, socket, HUB_PORT_SUSPEND);
        return !is_super(hub);
    case PORT_RESET:
        port_event(hub, socket, HUB_PORT_RESET);
        return true;
    case PORT_POWER:
        power_port(hub, socket, true);
        return true;
    case PORT_INDICATOR:
        return !is_super(hub);
    case PORT_LINK_STATE:
        return is_super(hub) && set_link_state(hub, socket, selector);
    case BH_PORT_RESET:
        port_event(hub, socket, HUB_PORT_WARM_RESET);
        return is_super(hub);
    case PORT_U1_TIMEOUT:
    case PORT_U2_TIMEOUT:
    case PORT_REMOTE_WAKE_MASK:
        return is_super(hub);
    default:
        return false;
    }
}

static bool to_port(struct usb_hub *hub, struct hub_socket *socket, const struct usb_setup *setup)
{
    switch (setup->request) {
    case USB_CLEAR_FEATURE:
        return clear_port_feature(hub, socket, setup->value);
    case USB_SET_FEATURE:
        return set_port_feature(hub, socket, setup->value, setup->index >> 8);
    case RESET_TT:
    case STOP_TT: /* what a transaction translator holds: nothing here */
        return !is_super(hub);
    default:
        return false;
    }
}

static void hub_control(struct usb_emulated *usb, struct usb_request *request)
{
    struct usb_hub *hub = (struct usb_hub *)usb;
    const struct usb_setup *setup = &request->setup;
    unsigned number = setup->index & 0xff;
    struct hub_socket *socket =
        number >= 1 && number <= USB_HUB_PORTS ? &hub->sockets[number - 1] : NULL;

    if (setup->request_type == FROM_HUB)
        from_hub(hub, request);
    else if (setup->request_type == TO_HUB)
        to_hub(hub, request);
    else if (setup->request_type == TO_PORT && setup->request == CLEAR_TT_BUFFER)
        request->status = is_super(hub) ? USB_STALL : USB_OK; /* index: which translator */
    else if (socket == NULL || !usb_emulated_configured(usb))
        return;
    else if (setup->request_type == FROM_PORT && setup->request == USB_GET_STATUS)
        get_port_status(socket, request);
    else if (setup->request_type == TO_PORT && to_port(hub, socket, setup))
        request->status = USB_OK;
}

/* A hub that is not configured gives no power: USB 2.0, 11.5.1.1. */
static void hub_changed(struct usb_emulated *usb, enum usb_change change, uint8_t index)
{
    struct usb_hub *hub = (struct usb_hub *)usb;

    if (change == USB_CHANGE_HALT_CLEARED)
        usb_emulated_work(usb, CHANGE_ENDPOINT);
    if (change != USB_CHANGE_CONFIGURATION)
        return;
    for (unsigned i = 0; i < USB_HUB_PORTS; i++)
        hub_port_event(&hub->sockets[i].state, HUB_PORT_POWER_OFF);
}

/* Devices that are still plugged in stay behind. No event comes of it: there is no hub any more. */
static void hub_free(struct usb_device *device)
{
    struct usb_hub *hub = (struct usb_hub *)device;

    for (unsigned i = 0; i < USB_HUB_PORTS; i++) {
        struct hub_socket *socket = &hub->sockets[i];

        if (socket->device == NULL)
            continue;
        socket->device->port = NULL;
        usb_device_unref(socket->port.device);
        usb_device_unref(socket->device);
    }
    usb_emulated_finish(&hub->usb);
    g_free(hub);
}

static void init_socket(struct usb_hub *hub, unsigned number, const char *path, bool super)
{
    static const struct usb_port_ops ops = {.attached = on_attached,
                                            .detached = on_detached,
                                            .wakeup = on_wakeup};
    struct hub_socket *socket = &hub->sockets[number - 1];

    socket->hub = hub;
    socket->state.super = super;
    socket->port = (struct usb_port){
        .ops = &ops,
        .opaque = socket,
        .hub = &hub->usb.device,
        .speeds = super ? USB_SPEED_BIT(USB_SPEED_SUPER)
                        : USB_SPEED_BIT(USB_SPEED_LOW) | USB_SPEED_BIT(USB_SPEED_FULL) |
                              USB_SPEED_BIT(USB_SPEED_HIGH),
    };
    g_snprintf(socket->port.path, sizeof(socket->port.path), "%s.%u", path, number);
}

struct usb_device *usb_hub_new(GMainContext *context, const char *id, const char *path, bool super)
{
    static const struct usb_device_ops device_ops = {.name = "hub",
                                                     USB_EMULATED_OPS,
                                                     .port = hub_port,
                                                     .free = hub_free};
    static const struct usb_emulated_ops ops = {.control = hub_control,
                                                .work = hub_work,
                                                .changed = hub_changed};
    struct usb_hub *hub = g_new0(struct usb_hub, 1);

    usb_emulated_init(&hub->usb, &device_ops, &ops, super ? &super_hub : &usb_2_hub, context, id,
                      NULL, USB_SPEED_BIT(super ? USB_SPEED_SUPER : USB_SPEED_HIGH));
    for (unsigned number = 1; number <= USB_HUB_PORTS; number++)
        init_socket(hub, number, path, super);
    return &hub->usb.device;
}
