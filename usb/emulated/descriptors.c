/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/emulated/descriptors.h"

#include <string.h>

#include "usb/emulated/ids.h"

#define MAX_STRING_UNITS 126 /* UTF-16, so that the length fits its byte */
#define LANGUAGE_ENGLISH_US 0x0409

enum { STRING_LANGUAGES, STRING_MANUFACTURER, STRING_PRODUCT, STRING_SERIAL };

/* Device capabilities: USB 3.2, table 9-14. */
enum { CAPABILITY_USB_2_EXTENSION = 2, CAPABILITY_SUPERSPEED = 3 };

#define USB_2_SPEEDS (USB_SPEED_BIT(USB_SPEED_FULL) | USB_SPEED_BIT(USB_SPEED_HIGH))
#define USB_3_SPEEDS (USB_SPEED_BIT(USB_SPEED_SUPER) | USB_SPEED_BIT(USB_SPEED_SUPER_PLUS))

struct builder {
    uint8_t *data;
    size_t size;
};

/* What does not fit is left out: the tables are ours, and a test builds all of them. */
static void put(struct builder *b, const uint8_t *bytes, size_t size)
{
    if (size == 0 || size > USB_DESCRIPTORS_MAX - b->size)
        return;
    memcpy(b->data + b->size, bytes, size);
    b->size += size;
}

#define PUT(B, ...) put(B, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define LE16(VALUE) (VALUE) & 0xff, (VALUE) >> 8

static bool is_super(enum usb_speed speed)
{
    return speed >= USB_SPEED_SUPER;
}

/* A device that knows SuperSpeed has a BOS at the lower speeds too: USB 3.2, 9.2.6.6. */
static uint16_t usb_version(const struct usb_identity *identity)
{
    if (is_super(identity->speed))
        return 0x0320;
    return identity->speeds & USB_3_SPEEDS ? 0x0210 : 0x0200;
}

static uint8_t control_packet(enum usb_speed speed)
{
    if (is_super(speed))
        return 9; /* an exponent */
    return speed == USB_SPEED_LOW ? 8 : 64;
}

static uint8_t device_protocol(const struct usb_description *d, enum usb_speed speed)
{
    return speed == USB_SPEED_HIGH && d->high_protocol != 0 ? d->high_protocol : d->protocol;
}

static void put_device(struct builder *b, const struct usb_description *d,
                       const struct usb_identity *identity)
{
    PUT(b, 18, USB_DT_DEVICE, LE16(usb_version(identity)), d->class, d->subclass,
        device_protocol(d, identity->speed), control_packet(identity->speed), LE16(d->vendor),
        LE16(d->product), LE16(d->release), STRING_MANUFACTURER, STRING_PRODUCT,
        identity->serial != NULL ? STRING_SERIAL : 0, 1);
}

/* The speed that a device at full or high speed could also have; false: none. */
static bool other_speed(const struct usb_identity *identity, enum usb_speed *ret_speed)
{
    if (is_super(identity->speed) || (identity->speeds & USB_2_SPEEDS) != USB_2_SPEEDS)
        return false;
    *ret_speed = identity->speed == USB_SPEED_HIGH ? USB_SPEED_FULL : USB_SPEED_HIGH;
    return true;
}

static void put_qualifier(struct builder *b, const struct usb_description *d,
                          const struct usb_identity *identity)
{
    enum usb_speed other;

    if (other_speed(identity, &other))
        PUT(b, 10, USB_DT_QUALIFIER, LE16(usb_version(identity)), d->class, d->subclass,
            device_protocol(d, other), control_packet(other), 1, 0);
}

uint16_t usb_endpoint_packet(const struct usb_endpoint_description *endpoint, enum usb_speed speed)
{
    if (endpoint->packet != 0)
        return endpoint->packet;
    return is_super(speed) ? 1024 : speed == USB_SPEED_HIGH ? 512 : 64;
}

/* From high speed on intervals are 2 to the power of n - 1 units of 125 us: USB 2.0, 9.6.6. */
static uint8_t interval(const struct usb_endpoint_description *endpoint, enum usb_speed speed)
{
    if (endpoint->transfer == USB_BULK)
        return 0;
    if (speed < USB_SPEED_HIGH)
        return MIN(endpoint->interval, 255);
    return g_bit_storage(endpoint->interval * 8);
}

static void put_endpoint(struct builder *b, const struct usb_endpoint_description *e,
                         enum usb_speed speed)
{
    uint16_t packet = usb_endpoint_packet(e, speed);
    uint32_t payload = e->transfer == USB_BULK ? 0 : packet * (e->burst + 1);

    PUT(b, 7, USB_DT_ENDPOINT, e->address, e->transfer, LE16(packet), interval(e, speed));
    if (is_super(speed))
        PUT(b, 6, USB_DT_COMPANION, e->burst, e->streams, LE16(payload));
    put(b, e->details, e->details_size);
}

static void put_interface(struct builder *b, const struct usb_interface_description *i,
                          enum usb_speed speed)
{
    PUT(b, 9, USB_DT_INTERFACE, i->number, i->alternate, i->endpoint_count, i->class, i->subclass,
        i->protocol, 0);
    put(b, i->details, i->details_size);
    for (unsigned n = 0; n < i->endpoint_count; n++)
        put_endpoint(b, &i->endpoints[n], speed);
}

static void put_configuration(struct builder *b, const struct usb_description *d, uint8_t type,
                              enum usb_speed speed)
{
    uint8_t attributes = 0x80 | d->self_powered << 6 | d->remote_wakeup << 5;
    unsigned power = d->milliamperes / (is_super(speed) ? 8 : 2), count = 0;

    for (unsigned i = 0; i < d->interface_count; i++)
        count += d->interfaces[i].alternate == 0;
    PUT(b, 9, type, 0, 0, count, USB_CONFIGURATION, 0, attributes, power);
    for (unsigned i = 0; i < d->interface_count; i++)
        put_interface(b, &d->interfaces[i], speed);
    b->data[2] = b->size & 0xff;
    b->data[3] = b->size >> 8;
}

static void put_bos(struct builder *b, const struct usb_identity *identity)
{
    uint8_t speeds = 0;

    if (!(identity->speeds & USB_3_SPEEDS))
        return;
    /* As wSpeedsSupported counts them: low, full, high, 5 Gbit/s. */
    for (enum usb_speed speed = USB_SPEED_LOW; speed <= USB_SPEED_SUPER; speed++)
        speeds |= identity->speeds & USB_SPEED_BIT(speed) ? 1 << speed : 0;
    PUT(b, 5, USB_DT_BOS, LE16(5 + 7 + 10), 2);
    /* Link power management, which SuperSpeed devices must know at high speed too. */
    PUT(b, 7, USB_DT_CAPABILITY, CAPABILITY_USB_2_EXTENSION, 0x02, 0, 0, 0);
    /* No latency tolerance messages; all works from the lowest speed on; U1 and U2 exit in 1 us. */
    PUT(b, 10, USB_DT_CAPABILITY, CAPABILITY_SUPERSPEED, 0, speeds, 0,
        g_bit_nth_lsf(identity->speeds, -1), 1, LE16(1));
}

static void put_string(struct builder *b, const char *text)
{
    g_autofree gunichar2 *units = NULL;
    glong count;

    if (text == NULL || (units = g_utf8_to_utf16(text, -1, NULL, &count, NULL)) == NULL)
        return;
    count = MIN(count, MAX_STRING_UNITS);
    PUT(b, 2 + 2 * count, USB_DT_STRING);
    for (glong i = 0; i < count; i++)
        PUT(b, LE16(units[i]));
}

static void put_indexed_string(struct builder *b, const struct usb_description *d,
                               const struct usb_identity *identity, uint8_t index)
{
    switch (index) {
    case STRING_LANGUAGES:
        PUT(b, 4, USB_DT_STRING, LE16(LANGUAGE_ENGLISH_US));
        break;
    case STRING_MANUFACTURER:
        put_string(b, USB_MANUFACTURER);
        break;
    case STRING_PRODUCT:
        put_string(b, d->name);
        break;
    case STRING_SERIAL:
        put_string(b, identity->serial);
        break;
    }
}

size_t usb_descriptor(const struct usb_description *description,
                      const struct usb_identity *identity, uint8_t type, uint8_t index,
                      uint8_t ret[static USB_DESCRIPTORS_MAX])
{
    struct builder b = {.data = ret};
    enum usb_speed other;

    if (type == USB_DT_STRING) {
        put_indexed_string(&b, description, identity, index);
        return b.size;
    }
    if (index != 0)
        return 0;
    switch (type) {
    case USB_DT_DEVICE:
        put_device(&b, description, identity);
        break;
    case USB_DT_CONFIGURATION:
        put_configuration(&b, description, type, identity->speed);
        break;
    case USB_DT_QUALIFIER:
        put_qualifier(&b, description, identity);
        break;
    case USB_DT_OTHER_SPEED:
        if (other_speed(identity, &other))
            put_configuration(&b, description, type, other);
        break;
    case USB_DT_BOS:
        put_bos(&b, identity);
        break;
    }
    return b.size;
}

const struct usb_interface_description *
usb_find_interface(const struct usb_description *description, uint8_t number, uint8_t alternate)
{
    for (unsigned i = 0; i < description->interface_count; i++) {
        const struct usb_interface_description *interface = &description->interfaces[i];

        if (interface->number == number && interface->alternate == alternate)
            return interface;
    }
    return NULL;
}
