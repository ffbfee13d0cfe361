/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A call of a device's own on the main loop, now or at a time: for what it must not do from inside
 * an op. While the call runs the device stays; a device that goes takes the call with it.
 *
 * Thread: any, also with the device's lock held.
 */
#ifndef USB_EMULATED_WAKE_H
#define USB_EMULATED_WAKE_H

#include "usb/usb.h"

struct usb_wake;

/* run(device) is called on context. */
struct usb_wake *usb_wake_new(GMainContext *context, struct usb_device *device,
                              void (*run)(struct usb_device *device));
void usb_wake_free(struct usb_wake *wake); /* from the device's free; NULL is fine */
/* when: as g_get_monotonic_time() counts, 0: at once, -1: not at all. Replaces what was set. */
void usb_wake_at(struct usb_wake *wake, gint64 when);

#endif
