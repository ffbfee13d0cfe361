/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/xhci_fixture.h"

#include <check.h>

struct xhci_driver d;
struct scripted_device *device;
unsigned slot;

void xhci_setup(void)
{
    xd_init(&d);
    xd_start(&d);
    device = scripted_new(USB_SPEED_BIT(USB_SPEED_HIGH));
    ck_assert(usb_port_attach(xhci_port(d.xhci, 1), &device->device, NULL));
    slot = xd_address(&d, 1, 0);
    ck_assert_uint_eq(slot, 1);
}

void xhci_teardown(void)
{
    xd_finish(&d);
    usb_device_unref(&device->device);
}

void add_bulk(void)
{
    ck_assert_uint_eq(xd_configure(&d, slot, BULK_OUT, ENDPOINT_BULK_OUT, 0), CODE_SUCCESS);
    ck_assert_uint_eq(xd_configure(&d, slot, BULK_IN, ENDPOINT_BULK_IN, 0), CODE_SUCCESS);
}

uint64_t put(unsigned id, uint64_t data, uint32_t length, uint32_t flags)
{
    return xd_put(&d, &d.rings[slot][id], data, length, TRB_NORMAL << 10 | flags);
}

void assert_event(uint64_t at, enum xhci_code code, uint32_t length)
{
    struct trb event;

    ck_assert(xd_event(&d, &event));
    xd_ack(&d);
    ck_assert_uint_eq(trb_type(&event), TRB_TRANSFER_EVENT);
    ck_assert_uint_eq(event.status >> 24, code);
    ck_assert_uint_eq(event.status & 0xffffff, length);
    ck_assert_uint_eq(event.parameter, at);
    ck_assert_uint_eq(trb_slot(&event), slot);
}

void assert_no_event(void)
{
    struct trb event;

    ck_assert(!xd_event(&d, &event));
}

uint64_t dequeue_of(unsigned id)
{
    uint64_t at = XD_CONTEXTS + slot * 0x1000 + id * CONTEXT_SIZE;

    return xd_word(&d, at + 8) | (uint64_t)xd_word(&d, at + 12) << 32;
}

enum xhci_code set_dequeue(unsigned id, uint64_t pointer)
{
    return xd_command(&d, pointer, 0, TRB_SET_DEQUEUE << 10 | id << 16 | slot << 24, NULL);
}
