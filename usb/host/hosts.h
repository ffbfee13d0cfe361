/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's USB devices that a machine has or is to have: attaches them when somebody asks or a
 * rule says so, and again when they are plugged in again; detaches those that went.
 *
 * A device is "usb-" and its port on the host ("usb-1-4.2") among the machine's devices, one that
 * usbredir serves "redir-" and a number; its "port on the host" is its address.
 *
 * Thread: the main loop.
 */
#ifndef USB_HOST_HOSTS_H
#define USB_HOST_HOSTS_H

#include "core/usb_rules.h"
#include "usb/ports.h"

#define USB_HOSTS_MAX 64 /* devices of one machine */

struct usb_hosts;

enum usb_hosts_event {
    USB_HOSTS_ATTACHED,
    USB_HOSTS_DETACHED,
    USB_HOSTS_ASKED,  /* a rule says ask, and the device is there */
    USB_HOSTS_FAILED, /* a rule could not be followed: message says why */
};

struct usb_hosts_options {
    GMainContext *context;
    struct usb_ports *ports; /* outlives it */
    const char *machine;
    const char *claims; /* the folder of usb/host/claim.h */
    const char *broker; /* the program of usb/host/broker.h; NULL: none can be found */
    const char *sysfs;  /* NULL: "/sys" */
    const char *rules;  /* core/usb_rules.h; NULL: none */
    /* host_port: of the device on the host; message NULL: nothing to say. Never from inside a call
     * but usb_hosts_detach(). */
    void (*event)(void *opaque, enum usb_hosts_event event, const char *host_port,
                  const char *message);
    void *opaque;
};

/* Follows the rules from the next turn of the main loop on. Malformed rules fail. */
struct usb_hosts *usb_hosts_new(const struct usb_hosts_options *options, GError **err);
/* Unplugs its devices from the machine, which may still have requests under way: no callback comes
 * any more. */
void usb_hosts_stop(struct usb_hosts *hosts); /* NULL is fine */
/* Waits until the host has its devices back: after usb_hosts_stop(), when nobody has references or
 * requests. NULL is fine. */
void usb_hosts_free(struct usb_hosts *hosts);

bool usb_hosts_set_rules(struct usb_hosts *hosts, const char *rules, GError **err);
/* The text of the rules as they are. Caller frees. */
char *usb_hosts_rules(const struct usb_hosts *hosts);

/* error NULL: it is plugged in. Never from inside a call but usb_hosts_detach(). */
typedef void (*usb_hosts_attached)(void *opaque, const GError *error);
/* name: a port of the host, vendor:product or vendor:product:serial, or where usbredir serves a
 * device (usb/redir/connect.h); port: of the machine, NULL: any that is free. False and *err: it
 * cannot even begin, and attached is not called. */
bool usb_hosts_attach(struct usb_hosts *hosts, const char *name, const char *port,
                      usb_hosts_attached attached, void *opaque, GError **err);
/* The callback with this opaque will not come; the device is attached all the same. */
void usb_hosts_forget(struct usb_hosts *hosts, void *opaque);
/* name: as above, or an id. A rule brings it back only after it was plugged in anew. */
bool usb_hosts_detach(struct usb_hosts *hosts, const char *name, GError **err);

/* The hub is about to be pulled out: what is plugged in behind it goes before. */
void usb_hosts_pull_behind(struct usb_hosts *hosts, const struct usb_device *hub);

struct usb_hosts_info {
    const char *id, *host_port;
    const char *port; /* of the machine; NULL: being attached */
    uint16_t vendor, product;
    const char *vendor_text, *product_text, *serial; /* as they came; NULL: none */
    const char *speed;
};
void usb_hosts_foreach(struct usb_hosts *hosts,
                       void (*visit)(const struct usb_hosts_info *info, void *opaque),
                       void *opaque);

#endif
