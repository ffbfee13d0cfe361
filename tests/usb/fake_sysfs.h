/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scripted device in a /sys of the tests' own, and the messages that udev would send. */
#ifndef TESTS_USB_FAKE_SYSFS_H
#define TESTS_USB_FAKE_SYSFS_H

#include "tests/usb/usbfs.h"

#define SYSFS_PORT "1-2"

/* In /sys of usbfs->root, empty or nearly so. */
void fake_sysfs_add(const struct usbfs *usbfs);
void fake_sysfs_remove(const struct usbfs *usbfs);
void fake_sysfs_drivers(struct usbfs *usbfs); /* or another configuration */
void fake_sysfs_uevent(const struct usbfs *usbfs, const char *action); /* "add", "remove" */

#endif
