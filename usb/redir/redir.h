/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device that somebody serves over a stream socket by the usbredir protocol, version 0.7, as
 * usbredirect and SPICE clients do. The end of the stream is the device's unplugging.
 *
 * Everything is sent and received on the main loop, which completes requests; cancelling takes a
 * request out at once.
 */
#ifndef USB_REDIR_REDIR_H
#define USB_REDIR_REDIR_H

#include "usb/usb.h"

#define REDIR_MAX_PENDING 1024               /* requests of one device */
#define REDIR_MAX_OUTPUT (64u * 1024 * 1024) /* bytes that wait for a peer that does not read */
#define REDIR_MAX_PACKETS 256                /* received before they were asked for, an endpoint */
#define REDIR_MAX_PACKET_BYTES (48u * 1024)  /* of those each: a SuperSpeed interval's */
#define REDIR_HELLO_TIMEOUT_MS 10000         /* until it has said what it is */

struct redir_device_options {
    GMainContext *context;
    const char *id;
    const char *address; /* for messages */
    int fd;              /* connected; taken */
    /* On the main loop, never from inside a call. The device has said what it is and may be
     * attached, or error says why that failed. */
    void (*ready)(void *opaque, const GError *error);
    /* It is no longer there: detach it. At most once, and only after ready without an error. */
    void (*gone)(void *opaque);
    void *opaque;
};

struct usb_device *redir_device_new(const struct redir_device_options *options);
/* Drops the reference that redir_device_new() gave, and the connection. No callback comes any
 * more. Main loop. */
void redir_device_release(struct usb_device *device);
/* What it says it is; after ready. */
void redir_device_ids(const struct usb_device *device, uint16_t *ret_vendor, uint16_t *ret_product);

#endif
