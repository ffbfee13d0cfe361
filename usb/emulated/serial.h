/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A serial adapter, between the guest and a stream of bytes: the abstract control model of the
 * communications class (CDC PSTN 1.2). Linux, Windows 10, macOS and the BSDs have its driver on
 * board and find it by class; an FTDI look-alike would need that maker's numbers, and on Windows a
 * driver from the network.
 *
 * Thread: any, but not from inside an op of a controller or with a lock that a request's done()
 * takes; the calls of ops excepted.
 */
#ifndef USB_EMULATED_SERIAL_H
#define USB_EMULATED_SERIAL_H

#include "usb/usb.h"

#define USB_SERIAL_BUFFER 4096 /* bytes for the guest that wait at most */

/* What is at the other end. Called on any thread, also from inside an op: they must not wait, nor
 * call the adapter. */
struct usb_serial_ops {
    /* The guest wrote: takes as many bytes as it can. If not all, usb_serial_resume() tells when
     * it can take more. */
    size_t (*output)(void *opaque, const uint8_t *bytes, size_t size);
    /* There is room for input again. May be NULL. */
    void (*room)(void *opaque);
};

/* ops stay. context: the main loop's. The caller has the only reference. */
struct usb_device *usb_serial_new(GMainContext *context, const char *id,
                                  const struct usb_serial_ops *ops, void *opaque);

size_t usb_serial_room(struct usb_device *serial);
/* Gives bytes to the guest; returns how many fitted. */
size_t usb_serial_input(struct usb_device *serial, const uint8_t *bytes, size_t size);
void usb_serial_resume(struct usb_device *serial);
/* Whether somebody is at the other end; at first somebody is. The guest sees a carrier. */
void usb_serial_set_carrier(struct usb_device *serial, bool carrier);

#endif
