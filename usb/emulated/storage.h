/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk or CD on USB, over an image: the bulk-only transport that firmware and every system know,
 * and UAS, which keeps many commands in flight. With both, bulk-only is setting 0 of the interface
 * and UAS setting 1, so that the guest takes the best that it has a driver for.
 */
#ifndef USB_EMULATED_STORAGE_H
#define USB_EMULATED_STORAGE_H

#include "usb/usb.h"

struct image;

enum usb_storage_transports {
    USB_STORAGE_BULK_ONLY = 1,
    USB_STORAGE_UAS = 2,
    USB_STORAGE_BOTH = 3,
};

struct usb_storage_options {
    enum usb_storage_transports transports;
    bool cd;        /* a drive with a disc of 2048-byte blocks */
    bool removable; /* a stick: the guest may eject it; otherwise a fixed disk */
    /* At most 36 characters count; the bulk-only transport wants 12 or more of 0-9 and A-F. NULL:
     * one made of the device's id. */
    const char *serial;
};

/* Takes the image, also on failure. context: the main loop's. The caller has the only reference.
 * Fails if the image is smaller than a block of a CD. */
struct usb_device *usb_storage_new(GMainContext *context, const char *id, struct image *image,
                                   const struct usb_storage_options *options, GError **err);

#endif
