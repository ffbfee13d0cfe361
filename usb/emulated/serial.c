/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/emulated/serial.h"

#include <string.h>

#include "usb/emulated/emulated.h"
#include "usb/emulated/ids.h"

#define DATA_IN 0x81
#define DATA_OUT 0x02
#define NOTIFY 0x83

enum { CLASS_COMMUNICATIONS = 2, CLASS_DATA = 10 };

/* Requests: CDC PSTN 1.2, 6.3; the notification: 6.5.4. */
enum {
    SET_LINE_CODING = 0x20,
    GET_LINE_CODING = 0x21,
    SET_CONTROL_LINE_STATE = 0x22,
    SEND_BREAK = 0x23,
    SERIAL_STATE = 0x20,
};

#define LINE_CODING_SIZE 7
#define NOTIFICATION_SIZE 10
#define STATE_CARRIER 0x03 /* DCD and DSR */

/* CDC 1.2, 5.2.3; CDC PSTN 1.2, 5.3: no call management; line coding and state; the interfaces. */
static const uint8_t functions[] = {
    5, 0x24, 0x00, 0x10, 0x01, 5, 0x24, 0x01, 0x00, 1, 4, 0x24, 0x02, 0x02, 5, 0x24, 0x06, 0, 1,
};

static const struct usb_endpoint_description notify_endpoints[] = {
    {.address = NOTIFY, .transfer = USB_INTERRUPT, .packet = 16, .interval = 32},
};

static const struct usb_endpoint_description data_endpoints[] = {
    {.address = DATA_IN, .transfer = USB_BULK},
    {.address = DATA_OUT, .transfer = USB_BULK},
};

static const struct usb_interface_description interfaces[] = {
    {.number = 0,
     .class = CLASS_COMMUNICATIONS,
     .subclass = 2, /* abstract control model */
     .protocol = 1, /* AT commands, as systems expect it, though nothing here understands them */
     .details = functions,
     .details_size = sizeof(functions),
     .endpoints = notify_endpoints,
     .endpoint_count = G_N_ELEMENTS(notify_endpoints)},
    {.number = 1,
     .class = CLASS_DATA,
     .endpoints = data_endpoints,
     .endpoint_count = G_N_ELEMENTS(data_endpoints)},
};

static const struct usb_description description = {
    .vendor = USB_VENDOR_VIRTUAL,
    .product = USB_PRODUCT_SERIAL,
    .release = 0x0100,
    .name = "USB Serial",
    .class = CLASS_COMMUNICATIONS,
    .milliamperes = 100,
    .interfaces = interfaces,
    .interface_count = G_N_ELEMENTS(interfaces),
};

struct usb_serial {
    struct usb_emulated usb; /* must be first */
    const struct usb_serial_ops *ops;
    void *opaque;
    uint8_t line_coding[LINE_CODING_SIZE]; /* only told back: there is no line */
    uint8_t buffer[USB_SERIAL_BUFFER];     /* a ring: for the guest */
    unsigned first, count;
    bool wants_room; /* somebody was told that there is none */
    bool carrier, told_carrier;
};

/* For the guest. */

static void send_data(struct usb_serial *serial)
{
    struct usb_request *request;
    bool taken = false;

    while (serial->count > 0 && (request = usb_emulated_first(&serial->usb, DATA_IN)) != NULL) {
        uint32_t size = MIN(request->length, serial->count);
        uint32_t before_end = MIN(size, USB_SERIAL_BUFFER - serial->first);

        usb_request_copy_in(request, 0, serial->buffer + serial->first, before_end);
        usb_request_copy_in(request, before_end, serial->buffer, size - before_end);
        serial->first = (serial->first + size) % USB_SERIAL_BUFFER;
        serial->count -= size;
        usb_emulated_end(&serial->usb, request, USB_OK, size);
        taken = true;
    }
    if (taken && serial->wants_room && serial->ops->room != NULL) {
        serial->wants_room = false;
        serial->ops->room(serial->opaque);
    }
}

static void notify(struct usb_serial *serial)
{
    const uint8_t data[NOTIFICATION_SIZE] = {
        0xa1, SERIAL_STATE, 0, 0, 0, 0, 2, 0, serial->carrier ? STATE_CARRIER : 0};
    struct usb_request *request = usb_emulated_first(&serial->usb, NOTIFY);
    uint32_t size;

    if (serial->carrier == serial->told_carrier)
        return;
    serial->told_carrier = serial->carrier;
    size = usb_request_copy_in(request, 0, data, sizeof(data));
    usb_emulated_end(&serial->usb, request, size == sizeof(data) ? USB_OK : USB_BABBLE, size);
}

/* From the guest. */

/* Gives what is left of the request; false: not all was taken. */
static bool pass_on(struct usb_serial *serial, struct usb_request *request)
{
    uint64_t skip = request->actual;

    for (unsigned i = 0; i < request->iov_count; i++) {
        const struct iovec *part = &request->iov[i];
        size_t size, taken;

        if (skip >= part->iov_len) {
            skip -= part->iov_len;
            continue;
        }
        size = part->iov_len - skip;
        taken = serial->ops->output(serial->opaque, (const uint8_t *)part->iov_base + skip, size);
        request->actual += MIN(taken, size);
        if (taken < size)
            return false;
        skip = 0;
    }
    return true;
}

static void receive_data(struct usb_serial *serial)
{
    struct usb_request *request;

    while ((request = usb_emulated_first(&serial->usb, DATA_OUT)) != NULL &&
           pass_on(serial, request))
        usb_emulated_end(&serial->usb, request, USB_OK, request->actual);
}

static void serial_work(struct usb_emulated *usb, uint8_t endpoint)
{
    struct usb_serial *serial = (struct usb_serial *)usb;

    switch (endpoint) {
    case DATA_IN:
        send_data(serial);
        break;
    case DATA_OUT:
        receive_data(serial);
        break;
    default:
        notify(serial);
    }
}

/* The line is as it is: what the host sets is kept to be told. */
static void serial_control(struct usb_emulated *usb, struct usb_request *request)
{
    struct usb_serial *serial = (struct usb_serial *)usb;
    const struct usb_setup *setup = &request->setup;
    const uint8_t to_interface = USB_TYPE_CLASS | USB_RECIPIENT_INTERFACE;

    if ((setup->request_type & ~USB_DIR_IN) != to_interface || setup->index != 0)
        return;
    switch (setup->request | (setup->request_type & USB_DIR_IN) << 8) {
    case SET_LINE_CODING:
        if (setup->length != LINE_CODING_SIZE)
            return;
        request->actual = usb_request_copy_out(request, 0, serial->line_coding, LINE_CODING_SIZE);
        request->status = USB_OK;
        break;
    case GET_LINE_CODING | USB_DIR_IN << 8:
        usb_answer(request, serial->line_coding, LINE_CODING_SIZE);
        break;
    case SET_CONTROL_LINE_STATE:
    case SEND_BREAK:
        request->status = USB_OK;
        break;
    }
}

static void forget(struct usb_serial *serial)
{
    /* 9600 bit/s, 1 stop bit, no parity, 8 data bits */
    static const uint8_t line_coding[LINE_CODING_SIZE] = {0x80, 0x25, 0, 0, 0, 0, 8};

    memcpy(serial->line_coding, line_coding, sizeof(line_coding));
    serial->first = serial->count = 0;
    serial->told_carrier = false;
    if (serial->wants_room && serial->ops->room != NULL)
        serial->ops->room(serial->opaque);
    serial->wants_room = false;
}

static void serial_changed(struct usb_emulated *usb, enum usb_change change, uint8_t index)
{
    if (change == USB_CHANGE_CONFIGURATION)
        forget((struct usb_serial *)usb);
    else if (change == USB_CHANGE_HALT_CLEARED)
        usb_emulated_work(usb, index);
}

/* The other end. */

size_t usb_serial_room(struct usb_device *device)
{
    struct usb_serial *serial = (struct usb_serial *)device;
    size_t room;

    usb_emulated_lock(&serial->usb);
    room = USB_SERIAL_BUFFER - serial->count;
    serial->wants_room = serial->wants_room || room == 0;
    usb_emulated_unlock(&serial->usb);
    return room;
}

size_t usb_serial_input(struct usb_device *device, const uint8_t *bytes, size_t size)
{
    struct usb_serial *serial = (struct usb_serial *)device;
    size_t taken;

    usb_emulated_lock(&serial->usb);
    taken = MIN(size, USB_SERIAL_BUFFER - serial->count);
    for (size_t i = 0; i < taken; i++)
        serial->buffer[(serial->first + serial->count++) % USB_SERIAL_BUFFER] = bytes[i];
    serial->wants_room = serial->wants_room || taken < size;
    usb_emulated_work(&serial->usb, DATA_IN);
    usb_emulated_unlock(&serial->usb);
    return taken;
}

void usb_serial_resume(struct usb_device *device)
{
    struct usb_serial *serial = (struct usb_serial *)device;

    usb_emulated_lock(&serial->usb);
    usb_emulated_work(&serial->usb, DATA_OUT);
    usb_emulated_unlock(&serial->usb);
}

void usb_serial_set_carrier(struct usb_device *device, bool carrier)
{
    struct usb_serial *serial = (struct usb_serial *)device;

    usb_emulated_lock(&serial->usb);
    serial->carrier = carrier;
    usb_emulated_work(&serial->usb, NOTIFY);
    usb_emulated_unlock(&serial->usb);
}

static void serial_free(struct usb_device *device)
{
    struct usb_serial *serial = (struct usb_serial *)device;

    usb_emulated_finish(&serial->usb);
    g_free(serial);
}

struct usb_device *usb_serial_new(GMainContext *context, const char *id,
                                  const struct usb_serial_ops *ops, void *opaque)
{
    static const struct usb_device_ops device_ops = {.name = "serial",
                                                     USB_EMULATED_OPS,
                                                     .free = serial_free};
    static const struct usb_emulated_ops emulated_ops = {.control = serial_control,
                                                         .work = serial_work,
                                                         .changed = serial_changed};
    struct usb_serial *serial = g_new0(struct usb_serial, 1);

    usb_emulated_init(&serial->usb, &device_ops, &emulated_ops, &description, context, id, NULL,
                      USB_SPEED_BIT(USB_SPEED_FULL) | USB_SPEED_BIT(USB_SPEED_HIGH));
    serial->ops = ops;
    serial->opaque = opaque;
    serial->carrier = true;
    forget(serial);
    return &serial->usb.device;
}
