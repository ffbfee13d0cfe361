/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The USB ports of a machine, by path, and what is plugged in, by id: for who plugs devices in and
 * out while it runs. The controller adds its root ports; ports of hubs are found through them.
 *
 * Thread: the main loop.
 */
#ifndef USB_PORTS_H
#define USB_PORTS_H

#include "usb/usb.h"

struct usb_ports;

struct usb_ports *usb_ports_new(void);
void usb_ports_free(struct usb_ports *ports); /* NULL is fine; the ports themselves stay */

/* A root port; it outlives ports. */
void usb_ports_add(struct usb_ports *ports, struct usb_port *port);

/* The port called path ("2", or "2.1" behind a hub); NULL: no such. */
struct usb_port *usb_ports_find(struct usb_ports *ports, const char *path);
/* The device called id; NULL: no such. Not referenced. */
struct usb_device *usb_ports_device(struct usb_ports *ports, const char *id);
/* Plugs device in: into path, or where path is NULL into the first free port that runs it at the
 * highest speed it knows, a root port if there is one, else into a free one of a lower speed. Ids
 * are unique: a second device of the same id is refused. */
bool usb_ports_attach(struct usb_ports *ports, struct usb_device *device, const char *path,
                      GError **err);

/* Calls visit for each port, hubs' ports after the port of their hub. Nothing may be attached or
 * detached meanwhile. */
void usb_ports_foreach(struct usb_ports *ports, void (*visit)(struct usb_port *port, void *opaque),
                       void *opaque);

#endif
