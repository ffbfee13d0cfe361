/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/emulated/hub_port.h"

/* wPortStatus: USB 2.0, 11.24.2.7.1. */
enum {
    STATUS_CONNECTION = 1 << 0,
    STATUS_ENABLE = 1 << 1,
    STATUS_SUSPEND = 1 << 2,
    STATUS_POWER = 1 << 8,
    STATUS_LOW_SPEED = 1 << 9,
    STATUS_HIGH_SPEED = 1 << 10,
};

/* SuperSpeed's: USB 3.2, 10.16.2.6.1. */
enum {
    STATUS_SUPER_POWER = 1 << 9,

    LINK_U0 = 0,
    LINK_U3 = 3,
    LINK_DISABLED = 4,
    LINK_RX_DETECT = 5,
};

#define LINK(STATE) ((STATE) << 5)

struct transition {
    bool there; /* otherwise the event means nothing in this state */
    enum hub_port_state next;
    uint16_t changes;
    bool reset; /* the device's */
};

#define TO(NEXT, CHANGES)                     \
    {                                         \
        true, HUB_PORT_##NEXT, CHANGES, false \
    }
#define RESET_TO(NEXT, CHANGES)              \
    {                                        \
        true, HUB_PORT_##NEXT, CHANGES, true \
    }

static const struct transition usb_2[HUB_PORT_STATES][HUB_PORT_EVENTS] = {
    [HUB_PORT_OFF] = {[HUB_PORT_POWER_ON] = TO(DISCONNECTED, 0)},
    [HUB_PORT_DISCONNECTED] = {[HUB_PORT_POWER_OFF] = TO(OFF, 0),
                               [HUB_PORT_ATTACH] = TO(DISABLED, HUB_CHANGE_CONNECTION)},
    [HUB_PORT_DISABLED] = {[HUB_PORT_POWER_OFF] = TO(OFF, 0),
                           [HUB_PORT_DETACH] = TO(DISCONNECTED, HUB_CHANGE_CONNECTION),
                           [HUB_PORT_RESET] = RESET_TO(ENABLED, HUB_CHANGE_RESET)},
    [HUB_PORT_ENABLED] = {[HUB_PORT_POWER_OFF] = TO(OFF, 0),
                          [HUB_PORT_DETACH] = TO(DISCONNECTED, HUB_CHANGE_CONNECTION),
                          [HUB_PORT_RESET] = RESET_TO(ENABLED, HUB_CHANGE_RESET),
                          [HUB_PORT_DISABLE] = TO(DISABLED, 0),
                          [HUB_PORT_SUSPEND] = TO(SUSPENDED, 0)},
    [HUB_PORT_SUSPENDED] = {[HUB_PORT_POWER_OFF] = TO(OFF, 0),
                            [HUB_PORT_DETACH] = TO(DISCONNECTED, HUB_CHANGE_CONNECTION),
                            [HUB_PORT_RESET] = RESET_TO(ENABLED, HUB_CHANGE_RESET),
                            [HUB_PORT_DISABLE] = TO(DISABLED, 0),
                            [HUB_PORT_RESUME] = TO(ENABLED, HUB_CHANGE_SUSPEND),
                            [HUB_PORT_WAKE] = TO(ENABLED, HUB_CHANGE_SUSPEND)},
};

/* Links train by themselves when a device comes. */
static const struct transition super[HUB_PORT_STATES][HUB_PORT_EVENTS] = {
    [HUB_PORT_OFF] = {[HUB_PORT_POWER_ON] = TO(DISCONNECTED, 0)},
    [HUB_PORT_DISCONNECTED] =
        {[HUB_PORT_POWER_OFF] = TO(OFF, 0), [HUB_PORT_ATTACH] = TO(ENABLED, HUB_CHANGE_CONNECTION)},
    [HUB_PORT_DISABLED] = {[HUB_PORT_POWER_OFF] = TO(OFF, 0),
                           [HUB_PORT_DETACH] = TO(DISCONNECTED, HUB_CHANGE_CONNECTION),
                           [HUB_PORT_RESET] = RESET_TO(ENABLED, HUB_CHANGE_RESET),
                           [HUB_PORT_WARM_RESET] =
                               RESET_TO(ENABLED, HUB_CHANGE_RESET | HUB_CHANGE_WARM_RESET)},
    [HUB_PORT_ENABLED] = {[HUB_PORT_POWER_OFF] = TO(OFF, 0),
                          [HUB_PORT_DETACH] = TO(DISCONNECTED, HUB_CHANGE_CONNECTION),
                          [HUB_PORT_RESET] = RESET_TO(ENABLED, HUB_CHANGE_RESET),
                          [HUB_PORT_WARM_RESET] =
                              RESET_TO(ENABLED, HUB_CHANGE_RESET | HUB_CHANGE_WARM_RESET),
                          [HUB_PORT_DISABLE] = TO(DISABLED, 0),
                          [HUB_PORT_SUSPEND] = TO(SUSPENDED, 0)},
    [HUB_PORT_SUSPENDED] = {[HUB_PORT_POWER_OFF] = TO(OFF, 0),
                            [HUB_PORT_DETACH] = TO(DISCONNECTED, HUB_CHANGE_CONNECTION),
                            [HUB_PORT_RESET] = RESET_TO(ENABLED, HUB_CHANGE_RESET),
                            [HUB_PORT_WARM_RESET] =
                                RESET_TO(ENABLED, HUB_CHANGE_RESET | HUB_CHANGE_WARM_RESET),
                            [HUB_PORT_DISABLE] = TO(DISABLED, 0),
                            [HUB_PORT_RESUME] = TO(ENABLED, HUB_CHANGE_LINK_STATE),
                            [HUB_PORT_WAKE] = TO(ENABLED, HUB_CHANGE_LINK_STATE)},
};

bool hub_port_event(struct hub_port *port, enum hub_port_event event)
{
    const struct transition *t =
        port->super ? &super[port->state][event] : &usb_2[port->state][event];

    if (!t->there)
        return false;
    port->state = t->next;
    port->changes |= t->changes;
    if (t->next == HUB_PORT_OFF)
        port->changes = 0;
    return t->reset;
}

bool hub_port_connected(const struct hub_port *port)
{
    return port->state >= HUB_PORT_DISABLED;
}

static uint16_t super_status(const struct hub_port *port)
{
    static const uint16_t status[HUB_PORT_STATES] = {
        [HUB_PORT_OFF] = LINK(LINK_DISABLED),
        [HUB_PORT_DISCONNECTED] = STATUS_SUPER_POWER | LINK(LINK_RX_DETECT),
        [HUB_PORT_DISABLED] = STATUS_SUPER_POWER | LINK(LINK_DISABLED),
        [HUB_PORT_ENABLED] = STATUS_SUPER_POWER | STATUS_CONNECTION | STATUS_ENABLE | LINK(LINK_U0),
        [HUB_PORT_SUSPENDED] =
            STATUS_SUPER_POWER | STATUS_CONNECTION | STATUS_ENABLE | LINK(LINK_U3),
    };

    return status[port->state];
}

uint16_t hub_port_status(const struct hub_port *port)
{
    static const uint16_t by_state[HUB_PORT_STATES] = {
        [HUB_PORT_OFF] = 0,
        [HUB_PORT_DISCONNECTED] = STATUS_POWER,
        [HUB_PORT_DISABLED] = STATUS_POWER | STATUS_CONNECTION,
        [HUB_PORT_ENABLED] = STATUS_POWER | STATUS_CONNECTION | STATUS_ENABLE,
        [HUB_PORT_SUSPENDED] = STATUS_POWER | STATUS_CONNECTION | STATUS_ENABLE | STATUS_SUSPEND,
    };
    uint16_t status;

    if (port->super)
        return super_status(port);
    status = by_state[port->state];
    if (hub_port_connected(port) && port->speed == USB_SPEED_LOW)
        status |= STATUS_LOW_SPEED;
    if (port->state >= HUB_PORT_ENABLED && port->speed == USB_SPEED_HIGH)
        status |= STATUS_HIGH_SPEED;
    return status;
}
