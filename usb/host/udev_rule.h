/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The udev rule that lets a user open a USB device: udev(7). Any thread. */
#ifndef USB_HOST_UDEV_RULE_H
#define USB_HOST_UDEV_RULE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define UDEV_RULES_FILE "/etc/udev/rules.d/70-vmdesk-usb.rules"

/* One line without its line feed; caller frees. serial NULL: any; one that a rule cannot hold is
 * left out too. NULL: the user's name cannot be in a rule. */
char *udev_rule_format(uint16_t vendor, uint16_t product, const char *serial, const char *user);
/* Adds rule to file unless it is there already; *ret_added tells. */
bool udev_rule_add(const char *file, const char *rule, bool *ret_added, GError **err);

#endif
