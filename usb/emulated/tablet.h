/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pointer that says where it is, not how far it has moved: a HID mouse with absolute axes, as
 * Linux, Windows and macOS know it without a driver of its own. It reports 5 buttons and wheels
 * both ways. A viewer's pointer and the guest's are then at the same place.
 *
 * Thread: the events may come on any thread, but not from inside an op of a controller or with a
 * lock that a request's done() takes. Positions and the first three buttons are those of an input
 * sink.
 */
#ifndef USB_EMULATED_TABLET_H
#define USB_EMULATED_TABLET_H

#include "usb/usb.h"

#define USB_TABLET_MAX 0x7fff /* of each axis */

enum {
    USB_TABLET_LEFT = 1 << 0,
    USB_TABLET_RIGHT = 1 << 1,
    USB_TABLET_MIDDLE = 1 << 2,
    USB_TABLET_SIDE = 1 << 3,
    USB_TABLET_EXTRA = 1 << 4,
};

/* context: the main loop's. The caller has the only reference. */
struct usb_device *usb_tablet_new(GMainContext *context, const char *id);

/* Events. A guest that does not read sees no more than the last position later. While it reads
 * slowly, motion is merged, and each press and release is kept. */
void usb_tablet_pointer(struct usb_device *tablet, unsigned x, unsigned y, unsigned buttons);
/* Steps away from the user, and to the right. */
void usb_tablet_wheel(struct usb_device *tablet, int vertical, int horizontal);

/* The guest has configured it and reads it: events are better sent here than elsewhere. */
bool usb_tablet_in_use(struct usb_device *tablet);

#endif
