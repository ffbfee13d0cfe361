/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells when USB devices of the host may have come or gone: by the kernel's and udev's messages,
 * and where those cannot be had (in some containers) by looking at fixed times. Thread: that of the
 * context.
 */
#ifndef USB_HOST_WATCH_H
#define USB_HOST_WATCH_H

#include <glib.h>

struct usb_host_watch;

/* changed comes once for many messages. context NULL: the default one. */
struct usb_host_watch *usb_host_watch_new(GMainContext *context, void (*changed)(void *opaque),
                                          void *opaque);
void usb_host_watch_free(struct usb_host_watch *watch); /* NULL is fine */

#endif
