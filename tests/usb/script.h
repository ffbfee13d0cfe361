/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The script that a test has its computer play: lines of text, and text that says how things are.
 */
#ifndef TESTS_USB_SCRIPT_H
#define TESTS_USB_SCRIPT_H

#include "tests/usb/usbfs.h"

struct usb_script {
    struct usbfs *usbfs;
    bool denied;               /* the node may not be opened */
    bool hangs_up;             /* who polls the node hears that it is gone */
    struct usbfs_file *holder; /* another program */
    /* Of the computer: */
    void (*notify)(struct usbfs_file *file); /* as in struct usbfs_file */
    void (*plugged)(struct usbfs *usbfs);    /* it is, or is not any more */
};

/* Both with the lock of usbfs held. Lines: unplug, plug, deny and allow (to open), mute, unmute,
 * babble, delay MS, memory KIB (for transfers), key N, hold and free (another program's claim).
 * False: it is none of them. */
bool usb_script_play(struct usb_script *script, const char *line);
/* NAME=NUMBER ... Caller frees. */
char *usb_script_describe(const struct usb_script *script);

#endif
