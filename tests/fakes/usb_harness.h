/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A controller with one port, which does with a device what a test says. */
#ifndef TESTS_FAKES_USB_HARNESS_H
#define TESTS_FAKES_USB_HARNESS_H

#include "usb/usb.h"

#define HARNESS_MAX_PARTS 8

struct usb_harness {
    GMainContext *context;
    struct usb_port port;
    struct usb_device *device; /* in the port; the harness has a reference */
    unsigned attached, detached;
    int wakeups; /* atomic */
};

struct harness_request {
    struct usb_request request;
    struct iovec iov[HARNESS_MAX_PARTS];
    struct usb_harness *harness;
    bool pending; /* was, when it was submitted */
    int done;     /* atomic; the calls of done() */
};

void harness_init(struct usb_harness *h, unsigned speeds);
/* Takes the caller's reference. */
void harness_attach(struct usb_harness *h, struct usb_device *device);
void harness_finish(struct usb_harness *h); /* detaches too */

/* Prepares a request for size bytes at data, in so many parts. */
void harness_prepare(struct usb_harness *h, struct harness_request *r, uint8_t endpoint, void *data,
                     uint32_t size, unsigned parts);
/* Submits what was prepared; true: it is done. */
bool harness_submit(struct harness_request *r);
void harness_wait(struct harness_request *r);
/* Whether it is done after the main loop had time. */
bool harness_settled(struct harness_request *r);
/* Takes it back, or waits for its end. */
void harness_cancel(struct harness_request *r);

/* A transfer to its end. *ret_actual may be NULL. */
enum usb_status harness_transfer(struct usb_harness *h, uint8_t endpoint, void *data, uint32_t size,
                                 uint32_t *ret_actual);
enum usb_status harness_control(struct usb_harness *h, uint8_t type, uint8_t request,
                                uint16_t value, uint16_t index, void *data, uint16_t length,
                                uint32_t *ret_actual);
/* Reads the configuration, which must be well-formed, and sets it, which must be taken. */
void harness_configure(struct usb_harness *h);

#endif
