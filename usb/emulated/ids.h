/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What emulated devices call themselves. Guests drive all of them by their class, so the numbers
 * have to name nothing but what the thing is. Vendor numbers belong to the members of USB-IF; a
 * pid.codes number (1209) must be asked for, its test numbers must not be shipped, and another
 * maker's pair may bring that maker's driver or quirks. 46f4 is no member's: virtual machines use
 * it for devices that never meet a cable. Products from 7600 on are ours.
 */
#ifndef USB_EMULATED_IDS_H
#define USB_EMULATED_IDS_H

#define USB_VENDOR_VIRTUAL 0x46f4
#define USB_MANUFACTURER "vmdesk"

enum {
    USB_PRODUCT_TABLET = 0x7601,
    USB_PRODUCT_KEYBOARD = 0x7602,
    USB_PRODUCT_STORAGE = 0x7603,
    USB_PRODUCT_HUB = 0x7604,
    USB_PRODUCT_SERIAL = 0x7605,
};

#endif
