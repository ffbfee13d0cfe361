/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which machine has a USB device of the host: a lock file for each device in a folder that all of
 * the user's machines share, named after the device's port. The kernel frees the lock however its
 * holder ends. Any thread.
 */
#ifndef USB_HOST_CLAIM_H
#define USB_HOST_CLAIM_H

#include <glib.h>
#include <stdbool.h>

struct usb_host_claim;

/* VMDESK_ERROR_BUSY: another machine has it, which the message names. */
struct usb_host_claim *usb_host_claim_acquire(const char *folder, const char *port,
                                              const char *machine, GError **err);
void usb_host_claim_release(struct usb_host_claim *claim); /* NULL is fine */
/* The machine that has it; NULL: none. "" when it has not said yet. Caller frees. */
char *usb_host_claim_query(const char *folder, const char *port);

#endif
