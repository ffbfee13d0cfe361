/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The standard requests that every device answers, and the state that they change: USB 2.0, 9.1 and
 * 9.4; USB 3.2, 9.1 and 9.4.
 *
 * Thread: under the lock of the device that it belongs to.
 */
#ifndef USB_EMULATED_STANDARD_H
#define USB_EMULATED_STANDARD_H

#include "usb/emulated/descriptors.h"

#define USB_ENDPOINTS 32 /* both directions of each number */

/* bmRequestType */
enum {
    USB_TYPE_MASK = 0x60,
    USB_TYPE_STANDARD = 0x00,
    USB_TYPE_CLASS = 0x20,
    USB_TYPE_VENDOR = 0x40,

    USB_RECIPIENT_MASK = 0x1f,
    USB_RECIPIENT_DEVICE = 0,
    USB_RECIPIENT_INTERFACE = 1,
    USB_RECIPIENT_ENDPOINT = 2,
    USB_RECIPIENT_OTHER = 3,
};

enum {
    USB_GET_STATUS = 0,
    USB_CLEAR_FEATURE = 1,
    USB_SET_FEATURE = 3,
    USB_SET_ADDRESS = 5,
    USB_GET_DESCRIPTOR = 6,
    USB_SET_DESCRIPTOR = 7,
    USB_GET_CONFIGURATION = 8,
    USB_SET_CONFIGURATION = 9,
    USB_GET_INTERFACE = 10,
    USB_SET_INTERFACE = 11,
    USB_SYNCH_FRAME = 12,
    USB_SET_SEL = 48,
    USB_SET_ISOCH_DELAY = 49,
};

/* Feature selectors: USB 3.2, table 9-7. */
enum {
    USB_FEATURE_ENDPOINT_HALT = 0,
    USB_FEATURE_FUNCTION_SUSPEND = 0,
    USB_FEATURE_REMOTE_WAKEUP = 1,
    USB_FEATURE_TEST_MODE = 2,
    USB_FEATURE_U1_ENABLE = 48,
    USB_FEATURE_U2_ENABLE = 49,
    USB_FEATURE_LTM_ENABLE = 50,
};

/* SET_ADDRESS stays with the controller, so a device cannot tell the default state from the
 * addressed one, and need not: what it is asked in them it answers in both. */
enum usb_state { USB_ADDRESSED, USB_CONFIGURED };

/* What a request has changed, for the device. */
enum usb_change {
    USB_CHANGE_NONE,
    USB_CHANGE_CONFIGURATION, /* set, even to what it was: all is as after a reset */
    USB_CHANGE_INTERFACE,     /* that of index */
    USB_CHANGE_HALT_SET,      /* the endpoint of index */
    USB_CHANGE_HALT_CLEARED,
};

struct usb_standard {
    const struct usb_description *description;
    char *serial; /* NULL: none */
    enum usb_state state;
    uint8_t alternate[USB_MAX_INTERFACES]; /* the settings of the interfaces */
    bool function_wake[USB_MAX_INTERFACES];
    uint32_t halted; /* a bit per endpoint: usb_endpoint_index() */
    bool remote_wakeup, u1, u2;
    uint16_t exit_latency[4]; /* of SET_SEL: U1 SEL, U1 PEL, U2 SEL, U2 PEL; microseconds */
    uint16_t isochronous_delay;
};

/* serial is copied; it may be NULL. */
void usb_standard_init(struct usb_standard *s, const struct usb_description *description,
                       const char *serial);
void usb_standard_finish(struct usb_standard *s);
void usb_standard_reset(struct usb_standard *s);

/* Does a standard request to device, and sets its status and actual. Changes nothing when it is not
 * well-formed or not for this state. */
void usb_standard_request(struct usb_standard *s, const struct usb_device *device,
                          struct usb_request *request, enum usb_change *ret_change);

/* Ends a control request well, with data for its data stage, or as much of it as was asked for. */
void usb_answer(struct usb_request *request, const void *data, size_t size);
void usb_stall(struct usb_request *request);

unsigned usb_endpoint_index(uint8_t address); /* below USB_ENDPOINTS */
/* An endpoint of the configuration and the alternates that are set, but not 0. NULL: no such. */
const struct usb_endpoint_description *usb_standard_endpoint(const struct usb_standard *s,
                                                             uint8_t address);
bool usb_standard_halted(const struct usb_standard *s, uint8_t address);

#endif
