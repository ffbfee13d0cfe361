/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where input goes: the pointer to a tablet while the guest reads one, and else to the PS/2 mouse,
 * as the keys to its keyboard.
 *
 * Thread: as display/input.h says.
 */
#ifndef ENGINE_MACHINE_POINTER_H
#define ENGINE_MACHINE_POINTER_H

#include "display/input.h"
#include "usb/usb.h"

struct pointer_router {
    struct input_sink sink;
    const struct input_sink *ps2;
    struct usb_device *tablet; /* NULL: none */
};

/* Both outlive the router; none is owned. */
void pointer_router_init(struct pointer_router *router, const struct input_sink *ps2,
                         struct usb_device *tablet);

#endif
