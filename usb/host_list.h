/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The USB devices of the host, as far as they can be read without opening them for use. */
#ifndef USB_HOST_LIST_H
#define USB_HOST_LIST_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct usb_host_device {
    uint8_t bus, address;
    char *port; /* as Linux names it: "1-4.2"; "usb1" for a root hub */
    uint16_t vendor_id, product_id;
    /* What the device says of itself, UTF-8 as it came: sanitize before showing. NULL: it does not
     * say, or may not be asked. */
    char *vendor, *product, *serial;
    const char *speed; /* "480 Mbit/s"; "" when it is not known */
    bool hub;
};
void usb_host_device_free(struct usb_host_device *device); /* NULL is fine */

/* Every device, root hubs included, sorted by port: struct usb_host_device *, freed with the array.
 * NULL and *err: the host has no USB (VMDESK_ERROR_MISSING), or it cannot be listed. Any thread;
 * may wait for a device. */
GPtrArray *usb_host_list(GError **err);

#endif
