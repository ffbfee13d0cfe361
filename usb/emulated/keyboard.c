/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/emulated/keyboard.h"

#include <string.h>

#include "usb/emulated/hid.h"
#include "usb/emulated/ids.h"
#include "usb/emulated/keyboard_usages.h"

#define BOOT_SIZE 8
#define BOOT_KEYS 6
#define ROLL_OVER 0x01
#define REPORT_SIZE (BOOT_SIZE + KEYBOARD_USAGES / 8)
#define LEDS 0x1f
#define MAX_PRESSES 128 /* that wait; each may be followed by a release, and so may held keys */
#define QUEUE_SIZE (MAX_PRESSES + 256)

static const uint8_t report_descriptor[] = {
    0x05, 0x01, /* Usage Page: generic desktop */
    0x09, 0x06, /* Usage: keyboard */
    0xa1, 0x01, /* Collection: application */
    0x05, 0x07, /*   Usage Page: keyboard */
    0x19, 0xe0, /*   Usage Minimum: left Control */
    0x29, 0xe7, /*   Usage Maximum: right logo key */
    0x15, 0x00, /*   Logical Minimum: 0 */
    0x25, 0x01, /*   Logical Maximum: 1 */
    0x75, 0x01, /*   Report Size: 1 */
    0x95, 0x08, /*   Report Count: 8 */
    0x81, 0x02, /*   Input: data, variable, absolute */
    0x75, 0x08, /*   Report Size: 8 */
    0x95, 0x07, /*   Report Count: 7, the boot protocol's keys */
    0x81, 0x01, /*   Input: constant */
    0x19, 0x00, /*   Usage Minimum: 0 */
    0x29, 0x9f, /*   Usage Maximum: 0x9f */
    0x75, 0x01, /*   Report Size: 1 */
    0x95, 0xa0, /*   Report Count: 160 */
    0x81, 0x02, /*   Input: data, variable, absolute */
    0x05, 0x08, /*   Usage Page: LEDs */
    0x19, 0x01, /*   Usage Minimum: Num Lock */
    0x29, 0x05, /*   Usage Maximum: Kana */
    0x95, 0x05, /*   Report Count: 5 */
    0x91, 0x02, /*   Output: data, variable, absolute */
    0x95, 0x01, /*   Report Count: 1 */
    0x75, 0x03, /*   Report Size: 3 */
    0x91, 0x01, /*   Output: constant */
    0xc0,       /* End Collection */
};

static const uint8_t hid_descriptor[] = HID_DESCRIPTOR(sizeof(report_descriptor));

/* Packets of 8 bytes: firmware takes no other keyboard, and systems read reports in packets. */
static const struct usb_endpoint_description endpoints[] = {
    {.address = HID_ENDPOINT, .transfer = USB_INTERRUPT, .packet = BOOT_SIZE, .interval = 8},
};

static const struct usb_interface_description interfaces[] = {
    {.class = 3,
     .subclass = 1, /* boot */
     .protocol = 1, /* keyboard */
     .details = hid_descriptor,
     .details_size = sizeof(hid_descriptor),
     .endpoints = endpoints,
     .endpoint_count = G_N_ELEMENTS(endpoints)},
};

static const struct usb_description description = {
    .vendor = USB_VENDOR_VIRTUAL,
    .product = USB_PRODUCT_KEYBOARD,
    .release = 0x0100,
    .name = "USB Keyboard",
    .remote_wakeup = true,
    .milliamperes = 100,
    .interfaces = interfaces,
    .interface_count = G_N_ELEMENTS(interfaces),
};

struct change {
    uint8_t usage;
    bool down;
};

struct usb_keyboard {
    struct usb_hid hid;
    void (*on_leds)(void *opaque, unsigned leds);
    void *opaque;
    uint8_t leds;
    struct change queue[QUEUE_SIZE]; /* a ring: not yet reported */
    unsigned first, count;
    uint8_t queued[32]; /* a bit per usage: down when the queue is empty */
    uint8_t told[32];   /* as the last report told */
};

static struct usb_keyboard *to_keyboard(struct usb_hid *hid)
{
    return (struct usb_keyboard *)hid;
}

static bool get_bit(const uint8_t *bits, uint8_t n)
{
    return bits[n / 8] & 1 << n % 8;
}

static void set_bit(uint8_t *bits, uint8_t n, bool on)
{
    if (on)
        bits[n / 8] |= 1 << n % 8;
    else
        bits[n / 8] &= ~(1 << n % 8);
}

/* HID 1.11, appendix C: more keys than fit are a roll-over error in all places. */
static void put_boot_keys(const uint8_t *bits, uint8_t *keys)
{
    unsigned count = 0;

    for (unsigned usage = 0; usage < KEYBOARD_USAGES; usage++) {
        if (!get_bit(bits, usage))
            continue;
        if (count == BOOT_KEYS) {
            memset(keys, ROLL_OVER, BOOT_KEYS);
            return;
        }
        keys[count++] = usage;
    }
}

static size_t keyboard_current(struct usb_hid *hid, uint8_t report[static HID_REPORT_MAX])
{
    const struct usb_keyboard *keyboard = to_keyboard(hid);

    memset(report, 0, REPORT_SIZE);
    report[0] = keyboard->told[KEYBOARD_USAGE_CONTROL_LEFT / 8];
    put_boot_keys(keyboard->told, report + 2);
    memcpy(report + BOOT_SIZE, keyboard->told, KEYBOARD_USAGES / 8);
    return hid->protocol == HID_BOOT_PROTOCOL ? BOOT_SIZE : REPORT_SIZE;
}

/* One change at a time, so that the order of keys is kept. */
static size_t keyboard_next(struct usb_hid *hid, uint8_t report[static HID_REPORT_MAX])
{
    struct usb_keyboard *keyboard = to_keyboard(hid);
    const struct change *change = &keyboard->queue[keyboard->first];

    if (keyboard->count == 0)
        return 0;
    set_bit(keyboard->told, change->usage, change->down);
    keyboard->first = (keyboard->first + 1) % QUEUE_SIZE;
    keyboard->count--;
    return keyboard_current(hid, report);
}

static bool keyboard_output(struct usb_hid *hid, const uint8_t *data, size_t size)
{
    struct usb_keyboard *keyboard = to_keyboard(hid);

    if (size != 1)
        return false;
    if ((data[0] & LEDS) != keyboard->leds) {
        keyboard->leds = data[0] & LEDS;
        usb_emulated_call_out(&hid->usb);
    }
    return true;
}

static void keyboard_forget(struct usb_hid *hid)
{
    struct usb_keyboard *keyboard = to_keyboard(hid);

    keyboard->first = keyboard->count = 0;
    memset(keyboard->queued, 0, sizeof(keyboard->queued));
    memset(keyboard->told, 0, sizeof(keyboard->told));
    if (keyboard->leds != 0) {
        keyboard->leds = 0;
        usb_emulated_call_out(&hid->usb);
    }
}

/* A release that nobody reads is kept, so that the key does not stay down. */
static bool takes(const struct usb_keyboard *keyboard, bool down)
{
    return !down || (usb_hid_in_use(&keyboard->hid) && keyboard->count < MAX_PRESSES);
}

void usb_keyboard_key(struct usb_device *device, uint8_t qnum, bool down)
{
    struct usb_keyboard *keyboard = (struct usb_keyboard *)device;
    uint8_t usage = keyboard_usage(qnum);
    unsigned at;

    if (usage == 0)
        return;
    usb_emulated_lock(&keyboard->hid.usb);
    if (get_bit(keyboard->queued, usage) != down && takes(keyboard, down)) {
        at = (keyboard->first + keyboard->count++) % QUEUE_SIZE;
        keyboard->queue[at] = (struct change){usage, down};
        set_bit(keyboard->queued, usage, down);
        usb_hid_changed(&keyboard->hid);
    }
    usb_emulated_unlock(&keyboard->hid.usb);
}

bool usb_keyboard_in_use(struct usb_device *device)
{
    struct usb_keyboard *keyboard = (struct usb_keyboard *)device;
    bool in_use;

    usb_emulated_lock(&keyboard->hid.usb);
    in_use = usb_hid_in_use(&keyboard->hid);
    usb_emulated_unlock(&keyboard->hid.usb);
    return in_use;
}

static void tell_leds(struct usb_emulated *usb)
{
    struct usb_keyboard *keyboard = (struct usb_keyboard *)usb;
    unsigned leds;

    usb_emulated_lock(usb);
    leds = keyboard->leds;
    usb_emulated_unlock(usb);
    if (keyboard->on_leds != NULL)
        keyboard->on_leds(keyboard->opaque, leds);
}

static void keyboard_free(struct usb_device *device)
{
    struct usb_keyboard *keyboard = (struct usb_keyboard *)device;

    usb_emulated_finish(&keyboard->hid.usb);
    g_free(keyboard);
}

struct usb_device *usb_keyboard_new(GMainContext *context, const char *id,
                                    void (*leds)(void *opaque, unsigned leds), void *opaque)
{
    static const struct usb_device_ops device_ops = {.name = "keyboard",
                                                     USB_EMULATED_OPS,
                                                     .free = keyboard_free};
    static const struct usb_emulated_ops emulated_ops = {USB_HID_EMULATED_OPS,
                                                         .call_out = tell_leds};
    static const struct usb_hid_ops ops = {
        .report_descriptor = report_descriptor,
        .report_descriptor_size = sizeof(report_descriptor),
        .boot = true,
        .default_idle = 125, /* 500 ms: HID 1.11, 7.2.4 */
        .next = keyboard_next,
        .current = keyboard_current,
        .output = keyboard_output,
        .forget = keyboard_forget,
    };
    struct usb_keyboard *keyboard = g_new0(struct usb_keyboard, 1);

    keyboard->on_leds = leds;
    keyboard->opaque = opaque;
    usb_hid_init(&keyboard->hid, &device_ops, &emulated_ops, &ops, &description, context, id);
    return &keyboard->hid.usb.device;
}
