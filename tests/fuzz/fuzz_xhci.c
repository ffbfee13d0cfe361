/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that does to the xHCI controller whatever the input says: accesses of registers, memory
 * contents, and commands and TDs that are right but for their fields; and devices that answer,
 * wait, fail and are pulled out meanwhile. Port 1 has a device, slot 1 its bulk endpoints.
 */
#include <string.h>

#include "tests/fakes/scripted_usb_device.h"
#include "tests/fakes/xhci_driver.h"
#include "tests/fuzz/fuzz.h"

#define MAX_STEPS 256
#define ENDPOINT_IDS 6

enum step {
    STEP_REGISTER,
    STEP_PORT,
    STEP_READ,
    STEP_MEMORY,
    STEP_COMMAND,
    STEP_TRANSFER,
    STEP_CONTROL,
    STEP_DOORBELL,
    STEP_SCRIPT,
    STEP_ANSWER,
    STEP_PLUG,
    STEP_CONFIGURE,
    STEP_TIME,
    STEP_PAUSE,
    STEP_RESET,
    STEP_BUS_MASTER,
    STEP_EVENTS,
    STEPS,
};

struct input {
    const uint8_t *data;
    size_t left;
};

/* The next bytes as a number; 0 past the end. */
static uint64_t take(struct input *in, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size && in->left > 0; i++, in->left--)
        value |= (uint64_t)*in->data++ << 8 * i;
    return value;
}

static void write_memory(struct xhci_driver *d, struct input *in)
{
    uint64_t at = 0x1000 + take(in, 3) % (XD_RAM - 0x2000);
    size_t size = take(in, 1);

    size = MIN(size, in->left);
    memcpy(xd_ram(d, at), in->data, size);
    in->data += size;
    in->left -= size;
}

static void put_transfer(struct xhci_driver *d, struct input *in)
{
    unsigned id = 1 + take(in, 1) % (ENDPOINT_IDS - 1);
    uint64_t parameter = take(in, 1) & 1 ? take(in, 8) : XD_DATA + take(in, 3) % 0x400000;
    uint32_t status = take(in, 3), control = take(in, 2);

    if (d->rings[1][id].base != 0)
        xd_put(d, &d->rings[1][id], parameter, status, control & ~1u);
}

static void script(struct scripted_device *device, struct input *in)
{
    unsigned flags = take(in, 1);

    device->hold = flags & 1;
    device->stubborn = flags & 2;
    device->no_streams = flags & 4;
    device->status = flags >> 3 & 3;
    device->most = take(in, 2);
}

static void plug(struct xhci_driver *d, struct scripted_device *device)
{
    if (device->device.port != NULL)
        usb_port_detach(device->device.port);
    else
        usb_port_attach(xhci_port(d->xhci, 1), &device->device, NULL);
}

static void pause_and_go_on(struct xhci_driver *d)
{
    xhci_pause(d->xhci, 0);
    xhci_resume(d->xhci);
}

static void run_step(struct xhci_driver *d, struct scripted_device *device, struct input *in)
{
    unsigned reg, slot;
    uint64_t parameter;

    switch (take(in, 1) % STEPS) {
    case STEP_REGISTER:
        reg = take(in, 2) % 0x4000;
        fake_store(&d->fake, XD_BAR + (reg & ~3u), take(in, 4), 4);
        break;
    case STEP_PORT:
        reg = take(in, 1) % 8;
        xd_write(d, XD_PORTSC + reg * 0x10, take(in, 4));
        break;
    case STEP_READ:
        reg = take(in, 2);
        fake_load(&d->fake, XD_BAR + reg % 0x4000, 1 << (reg >> 14));
        break;
    case STEP_MEMORY:
        write_memory(d, in);
        break;
    case STEP_COMMAND:
        parameter = take(in, 1) & 1 ? take(in, 8) : XD_INPUT;
        slot = take(in, 1) % (XHCI_PORTS + 2); /* or a port */
        xd_put(d, &d->commands, parameter, take(in, 2) << 16, (take(in, 3) & ~1u) | slot << 24);
        xd_write(d, XD_DOORBELL, 0);
        break;
    case STEP_TRANSFER:
        put_transfer(d, in);
        break;
    case STEP_CONTROL:
        parameter = take(in, 8);
        if (d->rings[1][1].base != 0)
            xd_control(d, 1, parameter, XD_DATA + take(in, 2), take(in, 2));
        break;
    case STEP_DOORBELL:
        slot = take(in, 1) % 3;
        xd_doorbell(d, slot, take(in, 1) % 8 | (uint32_t)take(in, 1) << 16);
        break;
    case STEP_SCRIPT:
        script(device, in);
        break;
    case STEP_ANSWER:
        scripted_answer(device, take(in, 1) % 6, take(in, 3));
        break;
    case STEP_PLUG:
        plug(d, device);
        break;
    case STEP_CONFIGURE:
        reg = 2 + take(in, 1) % (ENDPOINT_IDS - 2);
        xd_configure(d, 1, reg, take(in, 1) % 8, take(in, 1) % 9);
        break;
    case STEP_TIME:
        fake_board_advance(&d->fake, take(in, 3));
        break;
    case STEP_PAUSE:
        pause_and_go_on(d);
        break;
    case STEP_RESET:
        fake_board_reset(&d->fake);
        xd_enable(d);
        xd_start(d);
        xd_address(d, 1, 0);
        break;
    case STEP_BUS_MASTER:
        xd_config_write(d, PCI_COMMAND, PCI_COMMAND_MEMORY | (take(in, 1) & PCI_COMMAND_MASTER), 2);
        break;
    case STEP_EVENTS:
        xd_skip_events(d);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct scripted_device *device = scripted_new(USB_SPEED_BIT(USB_SPEED_HIGH));
    static const unsigned bulk[] = {2, 3};
    struct xhci_driver *d = g_new(struct xhci_driver, 1);

    xd_init(d);
    xd_start(d);
    usb_port_attach(xhci_port(d->xhci, 1), &device->device, NULL);
    xd_address(d, 1, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(bulk); i++)
        xd_configure(d, 1, bulk[i], i == 0 ? ENDPOINT_BULK_OUT : ENDPOINT_BULK_IN, 0);
    for (unsigned i = 0; i < MAX_STEPS && in.left > 0; i++)
        run_step(d, device, &in);
    while (scripted_answer(device, USB_OK, 0))
        ;
    device->hold = device->stubborn = false;
    xd_finish(d);
    usb_device_unref(&device->device);
    g_free(d);
    return 0;
}
