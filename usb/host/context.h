/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The USB thread of an engine: it runs libusb's events, and the calls of libusb that wait for a
 * device, one after the other. libusb finds no devices here; they are opened elsewhere and come as
 * descriptors (usb/host/broker.h).
 */
#ifndef USB_HOST_CONTEXT_H
#define USB_HOST_CONTEXT_H

#include <glib.h>
#include <libusb.h>

struct usb_host_context;

struct usb_host_context *usb_host_context_new(GError **err);
/* Runs what is queued, then ends the thread. No transfer is under way. NULL is fine. */
void usb_host_context_free(struct usb_host_context *context);

/* Runs work(opaque) on the USB thread, after all that came before. Any thread. */
void usb_host_context_run(struct usb_host_context *context, void (*work)(void *opaque),
                          void *opaque);
libusb_context *usb_host_context_libusb(struct usb_host_context *context);

/* The rest only on the USB thread. */

/* Calls gone(opaque), once, when the node hangs up: libusb tells this only to transfers. */
void usb_host_context_watch(struct usb_host_context *context, int fd, void (*gone)(void *opaque),
                            void *opaque);
void usb_host_context_unwatch(struct usb_host_context *context, int fd);
/* A transfer has ended: it is this that libusb had to say. */
void usb_host_context_note_end(struct usb_host_context *context);

#endif
