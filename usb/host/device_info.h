/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a device says of itself: its device descriptor and those of its configurations, as Linux
 * gives them in sysfs and usbfs. They come from the device and may say anything; what does not
 * hold together is left out, and every count and length has a maximum.
 * USB 2.0, 9.6; USB 3.2, 9.6.
 *
 * No state, any thread.
 */
#ifndef USB_HOST_DEVICE_INFO_H
#define USB_HOST_DEVICE_INFO_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usb/emulated/descriptors.h"

#define USB_INFO_MAX_BYTES (128 * 1024) /* bytes that are looked at */
#define USB_MAX_CONFIGURATIONS 8
#define USB_INFO_MAX_INTERFACES 32
#define USB_MAX_SETTINGS                                                                         \
    512                      /* alternate settings of one configuration, all interfaces together \
                              */
#define USB_MAX_ENDPOINTS 30 /* of one setting */

#define USB_CLASS_PER_INTERFACE 0
#define USB_CLASS_HID 3
#define USB_CLASS_MASS_STORAGE 8
#define USB_CLASS_HUB 9
#define USB_HID_BOOT 1 /* subclass */
#define USB_HID_BOOT_KEYBOARD 1
#define USB_HID_BOOT_MOUSE 2

struct usb_endpoint_info {
    uint8_t address; /* number and USB_DIR_IN; never 0 */
    enum usb_transfer transfer;
    uint16_t max_packet_size; /* wMaxPacketSize as it came */
    uint16_t max_streams;     /* 0: none */
};

/* One alternate setting of an interface. */
struct usb_setting_info {
    uint8_t interface, alternate;
    uint8_t interface_class, subclass, protocol;
    unsigned endpoint_count;
    struct usb_endpoint_info endpoints[USB_MAX_ENDPOINTS];
};

struct usb_configuration_info {
    uint8_t value;       /* for SET_CONFIGURATION */
    uint32_t interfaces; /* a bit for each interface number that it has */
    GArray *settings;    /* struct usb_setting_info */
    size_t offset, size; /* where its descriptors lie among the bytes that were parsed */
};

struct usb_device_info {
    uint16_t vendor_id, product_id, version;
    uint8_t device_class, subclass, protocol;
    unsigned configuration_count;
    struct usb_configuration_info configurations[USB_MAX_CONFIGURATIONS];
};

/* NULL: it does not even begin with a device descriptor. */
struct usb_device_info *usb_device_info_parse(const uint8_t *bytes, size_t size);
void usb_device_info_free(struct usb_device_info *info); /* NULL is fine */

/* NULL: there is none of that value. */
const struct usb_configuration_info *usb_device_info_find(const struct usb_device_info *info,
                                                          uint8_t value);
/* NULL: there is no such interface or setting. */
const struct usb_setting_info *
usb_configuration_setting(const struct usb_configuration_info *configuration, uint8_t interface,
                          uint8_t alternate);
/* Whether some interface has this class; subclass and protocol -1: any. */
bool usb_device_info_has_class(const struct usb_device_info *info, uint8_t interface_class,
                               int subclass, int protocol);

#endif
