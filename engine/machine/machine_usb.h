/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is plugged into a machine's USB ports by its definition and by users: a list of devices,
 * each with a name.
 *
 * Thread: main loop.
 */
#ifndef ENGINE_MACHINE_MACHINE_USB_H
#define ENGINE_MACHINE_MACHINE_USB_H

#include <glib.h>
#include <stdbool.h>

#include "disks/io_context.h"
#include "engine/dev/serial_backend.h"
#include "engine/dev/xhci.h"
#include "usb/usb.h"

#define MACHINE_USB_MAX_DEVICES 32
#define MACHINE_USB_ID_MAX 64

struct machine_usb {
    /* Not owned; set by the machine. xhci NULL: the machine has no USB. */
    struct xhci *xhci;
    struct io_context *io;
    GMainContext *context;
    const char *folder;         /* of the machine, for relative files */
    const char *runtime_folder; /* for sockets */

    GPtrArray *devices; /* struct usb_plugged */
    /* The pointer and the keys that there are, plugged in or not; NULL: no USB. */
    struct usb_device *tablet, *keyboard;
};

struct usb_plugged {
    char *id, *driver;
    struct usb_device *device; /* referenced */
    struct usb_port *port;
    bool attached;
    struct serial_backend *serial; /* NULL: it is no serial adapter */
};

/* What the user asks for. */
struct machine_usb_options {
    const char *driver; /* a name of the table in machine_usb_kinds.c */
    const char *id;     /* letters, digits, '-', '_' and '.': a name that is free */
    const char *port;   /* "1" to "4", or "1.2" for port 2 of a hub in it; NULL: a free one */
    const char *file;   /* storage: the image */
    const char *format; /* of it; NULL: raw */
    bool read_only;
};

/* The first part is set. */
void machine_usb_init(struct machine_usb *usb);
/* Unplugs all; the images close. */
void machine_usb_finish(struct machine_usb *usb);

bool machine_usb_add(struct machine_usb *usb, const struct machine_usb_options *options,
                     GError **err);
/* What is plugged in behind it, if it is a hub, goes too. */
bool machine_usb_remove(struct machine_usb *usb, const char *id, GError **err);
/* NULL: no such. */
const struct usb_plugged *machine_usb_find(const struct machine_usb *usb, const char *id);

/* The socket of a serial adapter; NULL: it is none. */
const char *usb_plugged_socket(const struct usb_plugged *plugged);
const char *machine_usb_speed_name(enum usb_speed speed);

/* machine_usb_kinds.c: makes the device for plugged->port, and what it needs. On failure plugged
 * may have some of it. */
bool machine_usb_make(struct machine_usb *usb, const struct machine_usb_options *options,
                      struct usb_plugged *plugged, GError **err);

#endif
