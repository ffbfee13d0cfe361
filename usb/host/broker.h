/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens nodes of usbfs for an engine, which does not open any itself and need not be able to: a
 * program of its own (usb/host/broker_main.c) that opens what it is told by bus and address, and
 * passes the descriptor. It outlives an engine that is killed, for as long as it takes to give the
 * host back what the engine had. Thread: that of the context.
 */
#ifndef USB_HOST_BROKER_H
#define USB_HOST_BROKER_H

#include <glib.h>
#include <stdint.h>

#define USB_BROKER_FD 3 /* where the program finds its socket: SOCK_SEQPACKET */

#define USB_BROKER_MAX_NODES 128 /* open at once */

struct usb_broker_request {
    uint8_t bus, address;
    uint8_t forget; /* 1: the engine gives it back itself; there is no reply */
};
/* With the descriptor (SCM_RIGHTS) when errnum is 0. */
struct usb_broker_reply {
    int32_t errnum;
};

struct usb_host_broker;

/* program is started with the first request. */
struct usb_host_broker *usb_host_broker_new(GMainContext *context, const char *program);
/* Ends the program, at once: what was opened has been given back, or never will be. Requests under
 * way are forgotten. NULL is fine. */
void usb_host_broker_free(struct usb_host_broker *broker);

/* fd is the callee's; -1: errnum says why. Never from inside a call. */
typedef void (*usb_host_opened)(int fd, int errnum, void *opaque);
/* Returns the number of the request, never 0. */
unsigned usb_host_broker_open(struct usb_host_broker *broker, uint8_t bus, uint8_t address,
                              usb_host_opened opened, void *opaque);
/* What was opened is given back by the engine, now or soon. */
void usb_host_broker_forget(struct usb_host_broker *broker, uint8_t bus, uint8_t address);
/* The callback will not come. */
void usb_host_broker_cancel(struct usb_host_broker *broker, unsigned request);

#endif
