/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where input goes: to the USB tablet and the USB keyboard while the guest reads them, and else to
 * the PS/2 mouse and keyboard.
 *
 * Thread: as display/input.h says.
 */
#ifndef ENGINE_MACHINE_INPUT_ROUTER_H
#define ENGINE_MACHINE_INPUT_ROUTER_H

#include <glib.h>

#include "display/input.h"
#include "usb/usb.h"

struct input_router {
    struct input_sink sink;
    const struct input_sink *ps2;
    struct usb_device *tablet, *keyboard; /* NULL: none */
    GMutex lock;
    uint8_t usb_keys[256 / 8]; /* keys that went down on the USB keyboard; lock */
};

/* What it leads to outlives the router; none of it is owned. */
void input_router_init(struct input_router *router, const struct input_sink *ps2,
                       struct usb_device *tablet, struct usb_device *keyboard);

#endif
