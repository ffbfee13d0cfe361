/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that sends each emulated device whatever requests the input says, while the user moves
 * the pointer, types and plugs. The first byte chooses the device.
 */
#include <stdlib.h>

#include "tests/fakes/usb_disk.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/usb_input.h"
#include "usb/emulated/hub.h"
#include "usb/emulated/keyboard.h"
#include "usb/emulated/serial.h"
#include "usb/emulated/tablet.h"

#define MAX_STEPS 512
#define DISK_SIZE (32 * 1024)

#define HIGH USB_SPEED_BIT(USB_SPEED_HIGH)
#define SUPER USB_SPEED_BIT(USB_SPEED_SUPER)

enum kind { TABLET, KEYBOARD, SERIAL, HUB, SUPER_HUB, DISK, SUPER_DISK, KINDS };

enum step {
    STEP_CONTROL,
    STEP_TO_INTERFACE,
    STEP_CONFIGURE,
    STEP_TRANSFER,
    STEP_CANCEL,
    STEP_USER,
    STEP_LOOP,
    STEP_RESET,
    STEP_STREAMS,
    STEPS,
};

struct fuzz {
    enum kind kind;
    struct usb_disk disk; /* its harness serves the others too */
    struct usb_harness *h;
    struct usb_device *device;
    struct usb_device *child; /* for a hub's port */
    struct flights flights;
    size_t takes; /* bytes that the serial adapter's other end takes */
};

static size_t on_output(void *opaque, const uint8_t *bytes, size_t size)
{
    struct fuzz *f = opaque;
    size_t now = MIN(size, f->takes);
    uint8_t sum = 0;

    for (size_t i = 0; i < now; i++)
        sum += bytes[i];
    f->takes -= now;
    return sum == 0xff && now > 0 ? now - 1 : now;
}

static void on_leds(void *opaque, unsigned leds)
{
    if (leds > 0x1f)
        abort();
}

static struct usb_device *make(struct fuzz *f)
{
    static const struct usb_serial_ops ops = {.output = on_output};
    GMainContext *context = f->h->context;

    switch (f->kind) {
    case TABLET:
        return usb_tablet_new(context, "tablet");
    case KEYBOARD:
        return usb_keyboard_new(context, "keyboard", on_leds, NULL);
    case SERIAL:
        return usb_serial_new(context, "serial", &ops, f);
    default:
        return usb_hub_new(context, "hub", "1", f->kind == SUPER_HUB);
    }
}

static void begin(struct fuzz *f, enum kind kind)
{
    static const struct usb_storage_options options = {.transports = USB_STORAGE_BOTH,
                                                       .removable = true,
                                                       .serial = "0123456789AB"};
    unsigned speed = kind == SUPER_HUB || kind == SUPER_DISK ? SUPER : HIGH;

    *f = (struct fuzz){.kind = kind, .h = &f->disk.h};
    if (kind >= DISK) {
        usb_disk_init(&f->disk, DISK_SIZE, speed, &options, false);
    } else {
        harness_init(f->h, speed);
        harness_attach(f->h, make(f));
    }
    f->device = f->h->device;
    f->child = kind == SUPER_HUB ? usb_hub_new(f->h->context, "child", "1.1", true)
                                 : usb_tablet_new(f->h->context, "child");
    flights_init(&f->flights, f->h, NULL);
}

static void end(struct fuzz *f)
{
    flights_finish(&f->flights);
    if (f->child->port != NULL)
        usb_port_detach(f->child->port);
    usb_device_unref(f->child);
    if (f->kind >= DISK)
        usb_disk_finish(&f->disk);
    else
        harness_finish(f->h);
}

static void send_control(struct fuzz *f, struct input *in, bool to_interface)
{
    uint8_t data[256];
    struct usb_setup setup = {.request_type = take(in, 1), .request = take(in, 1)};
    size_t size;

    if (to_interface)
        setup.request_type = (setup.request_type & 0xe0) | 1;
    setup.value = take(in, 2);
    setup.index = take(in, to_interface ? 1 : 2);
    setup.length = take(in, to_interface ? 1 : 2);
    size = setup.request_type & USB_DIR_IN ? 0 : MIN(setup.length, sizeof(data));
    take_bytes(in, data, size);
    fly(&f->flights, 0, 0, &setup, data, size, setup.length, take(in, 1));
}

static void configure(struct fuzz *f)
{
    static const struct usb_setup setup = {.request = 9, .value = 1};

    fly(&f->flights, 0, 0, &setup, NULL, 0, 0, 0);
}

static void transfer(struct fuzz *f, struct input *in)
{
    static const uint8_t endpoints[] = {0x81, 0x02, 0x83, 0x04, 0x85, 0x01, 0x8f, 0x00};
    uint8_t endpoint = endpoints[take(in, 1) % G_N_ELEMENTS(endpoints)], data[64];
    uint16_t stream = take(in, 1) % 64;
    uint32_t size = take(in, 2);

    take_bytes(in, data, endpoint & USB_DIR_IN ? 0 : MIN(size, sizeof(data)));
    fly(&f->flights, endpoint, stream, NULL, data, endpoint & USB_DIR_IN ? 0 : sizeof(data), size,
        take(in, 1));
}

static void plug(struct fuzz *f, unsigned number)
{
    struct usb_port *port = f->device->ops->port(f->device, number);

    if (f->child->port != NULL)
        usb_port_detach(f->child->port);
    else if (port != NULL)
        usb_port_attach(port, f->child, NULL);
}

static void let_user_act(struct fuzz *f, struct input *in)
{
    unsigned what = take(in, 1), more = take(in, 2);
    uint8_t bytes[32];

    switch (f->kind) {
    case TABLET:
        if (what & 0x80)
            usb_tablet_wheel(f->device, (int8_t)more, (int8_t)(more >> 8));
        else
            usb_tablet_pointer(f->device, more, more ^ what, what);
        break;
    case KEYBOARD:
        usb_keyboard_key(f->device, more, what & 1);
        break;
    case SERIAL:
        take_bytes(in, bytes, sizeof(bytes));
        f->takes = more;
        usb_serial_resume(f->device);
        usb_serial_input(f->device, bytes, what % (sizeof(bytes) + 1));
        usb_serial_set_carrier(f->device, more & 1);
        if (usb_serial_room(f->device) > USB_SERIAL_BUFFER)
            abort();
        break;
    case HUB:
    case SUPER_HUB:
        plug(f, what % 10);
        if (f->child->port != NULL)
            f->child->port->ops->wakeup(f->child->port);
        break;
    default:
        break;
    }
}

static void run_step(struct fuzz *f, struct input *in)
{
    uint8_t endpoint;

    switch (take(in, 1) % STEPS) {
    case STEP_CONTROL:
        send_control(f, in, false);
        break;
    case STEP_TO_INTERFACE:
        send_control(f, in, true);
        break;
    case STEP_CONFIGURE:
        configure(f);
        break;
    case STEP_TRANSFER:
        transfer(f, in);
        break;
    case STEP_CANCEL:
        land(&f->flights, take(in, 1));
        break;
    case STEP_USER:
        let_user_act(f, in);
        break;
    case STEP_LOOP:
        run_loop(f->h);
        break;
    case STEP_RESET:
        usb_device_reset(f->device);
        break;
    case STEP_STREAMS:
        endpoint = take(in, 1);
        usb_device_set_streams(f->device, endpoint, take(in, 1));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct fuzz f;

    begin(&f, take(&in, 1) % KINDS);
    configure(&f);
    for (unsigned i = 0; i < MAX_STEPS && in.left > 0; i++)
        run_step(&f, &in);
    end(&f);
    return 0;
}
