/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A keyboard: six keys and the modifiers in the boot protocol, any number in the report protocol.
 * A report begins as the boot protocol's does; what follows, a bit per key, is what report
 * descriptors tell of. So a host that expects the one without having asked for it reads it too.
 *
 * Thread: keys may come on any thread, but not from inside an op of a controller or with a lock
 * that a request's done() takes.
 */
#ifndef USB_EMULATED_KEYBOARD_H
#define USB_EMULATED_KEYBOARD_H

#include "usb/usb.h"

enum {
    USB_KEYBOARD_NUM_LOCK = 1 << 0,
    USB_KEYBOARD_CAPS_LOCK = 1 << 1,
    USB_KEYBOARD_SCROLL_LOCK = 1 << 2,
};

/* leds(opaque, USB_KEYBOARD_*) is called on the main loop, without a lock, when the guest has
 * changed them; it may be NULL. context: the main loop's. The caller has the only reference. */
struct usb_device *usb_keyboard_new(GMainContext *context, const char *id,
                                    void (*leds)(void *opaque, unsigned leds), void *opaque);

/* A key ("qnum", usb/emulated/keyboard_usages.h) went down or up. What does not fit is dropped key
 * by key: a press that is taken is followed by its release. A press of a key that is down is a
 * repetition, and the guest's own affair. */
void usb_keyboard_key(struct usb_device *keyboard, uint8_t qnum, bool down);

/* The guest has configured it and reads it: keys are better sent here than elsewhere. */
bool usb_keyboard_in_use(struct usb_device *keyboard);

#endif
