/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hub with eight ports, each with power of its own: at high speed, or at SuperSpeed. A real
 * SuperSpeed hub is both in one case; here they are two devices, in two ports.
 * USB 2.0, chapter 11; USB 3.2, chapter 10.
 *
 * Thread: see usb/usb.h. Devices are plugged into its ports as into any, on the main loop.
 */
#ifndef USB_EMULATED_HUB_H
#define USB_EMULATED_HUB_H

#include "usb/usb.h"

#define USB_HUB_PORTS 8

/* path: of the port into which the hub will be plugged; that of its own ports begins so. context:
 * the main loop's. The caller has the only reference. */
struct usb_device *usb_hub_new(GMainContext *context, const char *id, const char *path, bool super);

#endif
