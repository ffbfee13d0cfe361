/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of one port of a hub, by table: USB 2.0, 11.5.1; USB 3.2, 10.3.1. Pure functions; the
 * hub has the lock.
 */
#ifndef USB_EMULATED_HUB_PORT_H
#define USB_EMULATED_HUB_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "usb/usb.h"

enum hub_port_state {
    HUB_PORT_OFF,          /* no power */
    HUB_PORT_DISCONNECTED, /* nothing there */
    HUB_PORT_DISABLED,     /* a device that was not reset, or was disabled */
    HUB_PORT_ENABLED,
    HUB_PORT_SUSPENDED,
    HUB_PORT_STATES,
};

/* Reset and resume take no time here: they are over when the request for them is. */
enum hub_port_event {
    HUB_PORT_POWER_ON,
    HUB_PORT_POWER_OFF,
    HUB_PORT_ATTACH,
    HUB_PORT_DETACH,
    HUB_PORT_RESET,
    HUB_PORT_WARM_RESET, /* SuperSpeed's */
    HUB_PORT_DISABLE,
    HUB_PORT_SUSPEND,
    HUB_PORT_RESUME, /* by the host */
    HUB_PORT_WAKE,   /* by the device */
    HUB_PORT_EVENTS,
};

/* wPortChange: USB 2.0, 11.24.2.7.2; USB 3.2, 10.16.2.6.2. */
enum {
    HUB_CHANGE_CONNECTION = 1 << 0,
    HUB_CHANGE_ENABLE = 1 << 1,
    HUB_CHANGE_SUSPEND = 1 << 2,
    HUB_CHANGE_RESET = 1 << 4,
    HUB_CHANGE_WARM_RESET = 1 << 5,
    HUB_CHANGE_LINK_STATE = 1 << 6,
};

struct hub_port {
    bool super; /* of a SuperSpeed hub */
    enum hub_port_state state;
    enum usb_speed speed; /* of the device, when one is connected */
    uint16_t changes;     /* HUB_CHANGE_*, not yet cleared */
};

/* True: the device is to be reset. */
bool hub_port_event(struct hub_port *port, enum hub_port_event event);
/* wPortStatus. */
uint16_t hub_port_status(const struct hub_port *port);
bool hub_port_connected(const struct hub_port *port);

#endif
