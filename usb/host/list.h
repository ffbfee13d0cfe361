/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The USB devices of the host, as the kernel has read them: none is opened or woken up. */
#ifndef USB_HOST_LIST_H
#define USB_HOST_LIST_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "usb/usb.h"

#define USB_HOST_MAX_DEVICES 1024 /* that are listed */

struct usb_host_device {
    uint8_t bus, address;
    char *port; /* as Linux names it: "1-4.2"; "usb1" for a root hub */
    uint16_t vendor_id, product_id;
    /* What the device says of itself, UTF-8 as it came: sanitize before showing. NULL: it does not
     * say. */
    char *vendor, *product, *serial;
    const char *speed; /* "480 Mbit/s"; "" when it is not known */
    enum usb_speed speed_class;
    bool hub, keyboard, mouse, storage; /* some interface of it is */
    char *driver;  /* the host's, of its interfaces: "usb-storage", "snd-usb-audio,usbhid"; NULL */
    char *mounted; /* where the first of its file systems is mounted; NULL: none is */
    char *user;    /* the machine that has it; NULL: none */
};
void usb_host_device_free(struct usb_host_device *device); /* NULL is fine */

/* Where the system's state is read; what is NULL is the system's own. */
struct usb_host_paths {
    const char *sysfs;     /* "/sys" */
    const char *mountinfo; /* "/proc/self/mountinfo" */
    const char *claims;    /* the folder of usb/host/claim.h; NULL: no user is known */
};

/* Every device, root hubs included, sorted by port: struct usb_host_device *, freed with the array.
 * NULL and *err: the host has no USB (VMDESK_ERROR_MISSING). Any thread. */
GPtrArray *usb_host_list(const struct usb_host_paths *paths, GError **err);

/* The device in a list that text means: a port, vendor:product or vendor:product:serial. NULL and
 * *err: none (NOT_FOUND), or several (INVALID, with their ports). Owned by the list. */
struct usb_host_device *usb_host_list_find(const GPtrArray *devices, const char *text,
                                           GError **err);

#endif
