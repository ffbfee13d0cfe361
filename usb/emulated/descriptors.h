/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an emulated device says about itself: constant tables, and the descriptors made of them for
 * the speed at which it runs. One configuration, of value 1. USB 2.0, 9.6; USB 3.2, 9.6.
 *
 * Pure functions; any thread.
 */
#ifndef USB_EMULATED_DESCRIPTORS_H
#define USB_EMULATED_DESCRIPTORS_H

#include "usb/usb.h"

#define USB_DESCRIPTORS_MAX 512 /* bytes of the longest: a configuration's */
#define USB_CONFIGURATION 1     /* the value of the only one */
#define USB_MAX_INTERFACES 4    /* of an emulated device */

/* Descriptor types: USB 3.2, table 9-6. */
enum {
    USB_DT_DEVICE = 1,
    USB_DT_CONFIGURATION = 2,
    USB_DT_STRING = 3,
    USB_DT_INTERFACE = 4,
    USB_DT_ENDPOINT = 5,
    USB_DT_QUALIFIER = 6,
    USB_DT_OTHER_SPEED = 7,
    USB_DT_ASSOCIATION = 11,
    USB_DT_BOS = 15,
    USB_DT_CAPABILITY = 16,
    USB_DT_COMPANION = 48,
};

enum usb_transfer { USB_CONTROL, USB_ISOCHRONOUS, USB_BULK, USB_INTERRUPT };

struct usb_endpoint_description {
    uint8_t address;
    enum usb_transfer transfer;
    uint16_t packet;        /* bytes, at all speeds; 0: bulk, what its speed says */
    uint16_t interval;      /* milliseconds, a power of two; not for bulk */
    uint8_t burst;          /* SuperSpeed: packets after the first */
    uint8_t streams;        /* SuperSpeed bulk: 2 to the power of it, of them; 0: none */
    const uint8_t *details; /* class descriptors behind the endpoint's */
    uint8_t details_size;
};

struct usb_interface_description {
    uint8_t number, alternate;
    uint8_t class, subclass, protocol;
    const uint8_t *details; /* class descriptors behind the interface's */
    uint8_t details_size;
    const struct usb_endpoint_description *endpoints;
    uint8_t endpoint_count;
};

struct usb_description {
    uint16_t vendor, product, release;
    const char *name; /* the product's */
    uint8_t class, subclass, protocol;
    uint8_t high_protocol; /* protocol at high speed, where it is another */
    bool self_powered, remote_wakeup;
    uint16_t milliamperes;
    const struct usb_interface_description *interfaces; /* alternates behind each other */
    uint8_t interface_count;                            /* with the alternates */
};

/* What of a device is not in the tables. */
struct usb_identity {
    enum usb_speed speed;
    unsigned speeds;    /* USB_SPEED_BITs */
    const char *serial; /* UTF-8; NULL: none */
};

/* Writes a descriptor, and what a request for it brings along; 0: the device has none such. */
size_t usb_descriptor(const struct usb_description *description,
                      const struct usb_identity *identity, uint8_t type, uint8_t index,
                      uint8_t ret[static USB_DESCRIPTORS_MAX]);

/* Bytes of a packet of the endpoint. */
uint16_t usb_endpoint_packet(const struct usb_endpoint_description *endpoint, enum usb_speed speed);

/* NULL: no such interface, or no such alternate of it. */
const struct usb_interface_description *
usb_find_interface(const struct usb_description *description, uint8_t number, uint8_t alternate);

#endif
