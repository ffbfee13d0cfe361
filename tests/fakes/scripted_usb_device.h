/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A USB device that does what a test says: answers at once, later or never, with less, too much or
 * an error, and remembers what it was asked.
 */
#ifndef TESTS_FAKES_SCRIPTED_USB_DEVICE_H
#define TESTS_FAKES_SCRIPTED_USB_DEVICE_H

#include "usb/usb.h"

struct scripted_device {
    struct usb_device device;
    GMutex lock;
    /* The script; change it between requests. */
    bool hold;     /* requests wait for scripted_answer() */
    bool stubborn; /* what waits is not given back */
    bool no_streams;
    enum usb_status status; /* of requests answered at once */
    uint32_t most;          /* bytes that an answer moves */
    struct usb_port *ports; /* a hub's, or NULL */
    unsigned port_count;
    /* What has happened. */
    GQueue waiting;
    GByteArray *received; /* of OUT endpoints */
    struct usb_setup setup;
    uint8_t endpoint;
    uint16_t stream;
    unsigned submits, cancels, resets, clear_halts, streams;
    bool *freed; /* set when it is, or NULL */
};

/* IN endpoints send bytes that count up from 0 in each request. */
struct scripted_device *scripted_new(unsigned speeds);
/* Ends the request that has waited longest, on this thread. False: none waits. */
bool scripted_answer(struct scripted_device *device, enum usb_status status, uint32_t actual);
unsigned scripted_waiting(struct scripted_device *device);

#endif
