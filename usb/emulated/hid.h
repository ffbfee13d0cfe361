/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device of the human interface class with one interface, one interrupt endpoint and no report
 * IDs: HID 1.11. Tablet and keyboard say what their reports are.
 *
 * Thread: see usb/emulated/emulated.h. The ops have the lock.
 */
#ifndef USB_EMULATED_HID_H
#define USB_EMULATED_HID_H

#include "usb/emulated/emulated.h"

#define HID_REPORT_MAX 64
#define HID_ENDPOINT 0x81
#define HID_DESCRIPTOR_SIZE 9

enum { HID_DT_HID = 0x21, HID_DT_REPORT = 0x22 };

/* The class descriptor of an interface whose report descriptor has SIZE bytes; no country. */
#define HID_DESCRIPTOR(SIZE)                                                                       \
    {                                                                                              \
        HID_DESCRIPTOR_SIZE, HID_DT_HID, 0x11, 0x01, 0, 1, HID_DT_REPORT, (SIZE)&0xff, (SIZE) >> 8 \
    }

enum hid_protocol { HID_BOOT_PROTOCOL, HID_REPORT_PROTOCOL };

struct usb_hid;

struct usb_hid_ops {
    const uint8_t *report_descriptor;
    uint16_t report_descriptor_size;
    bool boot;            /* knows the boot protocol */
    uint8_t default_idle; /* 4 ms each; 0: no report without a change */
    /* The next report that the host has not seen; its size, 0: there is none. */
    size_t (*next)(struct usb_hid *hid, uint8_t report[static HID_REPORT_MAX]);
    /* How things are as the last report has told; its size. */
    size_t (*current)(struct usb_hid *hid, uint8_t report[static HID_REPORT_MAX]);
    /* An output report. False: not one of this device. NULL: has none. */
    bool (*output)(struct usb_hid *hid, const uint8_t *data, size_t size);
    /* As new: reset, or configured. */
    void (*forget)(struct usb_hid *hid);
};

/* Embed it as the first member. */
struct usb_hid {
    struct usb_emulated usb;
    const struct usb_hid_ops *ops;
    uint8_t idle, protocol;
    bool polled;                    /* the host reads: it has not taken back its request */
    gint64 reported;                /* when the last report went, or could have gone */
    uint8_t report[HID_REPORT_MAX]; /* one that needs more packets than the host has asked for */
    size_t report_size, report_sent;
};

/* call_out: see struct usb_emulated_ops; NULL: it has none. */
void usb_hid_init(struct usb_hid *hid, const struct usb_device_ops *device_ops,
                  const struct usb_emulated_ops *emulated_ops, const struct usb_hid_ops *ops,
                  const struct usb_description *description, GMainContext *context, const char *id);
/* There is something new: answers the host, or wakes it. With the lock. */
void usb_hid_changed(struct usb_hid *hid);
/* Configured, and read or suspended until there is something to read: events reach somebody. With
 * the lock. */
bool usb_hid_in_use(const struct usb_hid *hid);

void usb_hid_control(struct usb_emulated *usb, struct usb_request *request);
void usb_hid_work(struct usb_emulated *usb, uint8_t endpoint);
void usb_hid_on_change(struct usb_emulated *usb, enum usb_change change, uint8_t index);
void usb_hid_cancelled(struct usb_emulated *usb, uint8_t endpoint);
void usb_hid_timer(struct usb_emulated *usb);
#define USB_HID_EMULATED_OPS                                                        \
    .control = usb_hid_control, .work = usb_hid_work, .changed = usb_hid_on_change, \
    .timer = usb_hid_timer, .cancelled = usb_hid_cancelled

#endif
