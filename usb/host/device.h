/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device of the host, passed through by libusb.
 *
 * Transfers go to libusb from whatever thread submits them; all else that waits for the device
 * (opening, SET_CONFIGURATION, SET_INTERFACE, CLEAR_FEATURE(HALT), resets, closing) is done in
 * order on the USB thread, and requests that come meanwhile wait behind it. No transfer has a
 * timeout: who has no patience cancels.
 */
#ifndef USB_HOST_DEVICE_H
#define USB_HOST_DEVICE_H

#include "usb/host/claim.h"
#include "usb/host/context.h"
#include "usb/usb.h"

#define HOST_MAX_IN_FLIGHT 1024             /* transfers of one device; more wait */
#define HOST_MAX_BOUNCED (32 * 1024 * 1024) /* bytes of its bounce buffers; more wait */

struct host_device_options {
    struct usb_host_context *context; /* outlives the device */
    GMainContext *main_context;
    const char *id;
    const char *port;             /* for messages */
    int fd;                       /* of the usbfs node; taken */
    enum usb_speed speed;         /* at which it runs on the host */
    struct usb_host_claim *claim; /* released when the host has it back; taken; may be NULL */
    /* Both come on the main loop, never from inside a call. It is open and may be attached, or
     * error says why not. */
    void (*ready)(void *opaque, const GError *error);
    /* It is no longer there: detach it. At most once, and only after ready without an error. */
    void (*gone)(void *opaque);
    void *opaque;
};

/* Begins to open it. Main loop. */
struct usb_device *host_device_new(const struct host_device_options *options);
/* Drops the reference that host_device_new() gave; no callback comes any more. The device goes back
 * to the host when the last reference is gone. Main loop. */
void host_device_release(struct usb_device *device);

#endif
