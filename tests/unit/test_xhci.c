/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The xHCI controller against a scripted driver and a scripted device. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fakes/scripted_usb_device.h"
#include "tests/fakes/xhci_driver.h"

#define GET_DESCRIPTOR(LENGTH) (UINT64_C(0x0000000001000680) | (uint64_t)(LENGTH) << 48)
#define SET_CONFIGURATION UINT64_C(0x0000000000010900)
#define BULK_OUT 2 /* device context indices of endpoints 1 */
#define BULK_IN 3

static struct xhci_driver d;
static struct scripted_device *device;
static unsigned slot;

static void setup(void)
{
    xd_init(&d);
    xd_start(&d);
    device = scripted_new(USB_SPEED_BIT(USB_SPEED_HIGH));
    ck_assert(usb_port_attach(xhci_port(d.xhci, 1), &device->device, NULL));
    slot = xd_address(&d, 1, 0);
    ck_assert_uint_eq(slot, 1);
}

static void teardown(void)
{
    xd_finish(&d);
    usb_device_unref(&device->device);
}

static void add_bulk(void)
{
    ck_assert_uint_eq(xd_configure(&d, slot, BULK_OUT, ENDPOINT_BULK_OUT, 0), CODE_SUCCESS);
    ck_assert_uint_eq(xd_configure(&d, slot, BULK_IN, ENDPOINT_BULK_IN, 0), CODE_SUCCESS);
}

static uint64_t put(unsigned id, uint64_t data, uint32_t length, uint32_t flags)
{
    return xd_put(&d, &d.rings[slot][id], data, length, TRB_NORMAL << 10 | flags);
}

/* The next event is of this transfer. */
static void assert_event(uint64_t at, enum xhci_code code, uint32_t length)
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

static void assert_no_event(void)
{
    struct trb event;

    ck_assert(!xd_event(&d, &event));
}

static uint64_t dequeue_of(unsigned id)
{
    uint64_t at = XD_CONTEXTS + slot * 0x1000 + id * CONTEXT_SIZE;

    return xd_word(&d, at + 8) | (uint64_t)xd_word(&d, at + 12) << 32;
}

static enum xhci_code set_dequeue(unsigned id, uint64_t pointer)
{
    return xd_command(&d, pointer, 0, TRB_SET_DEQUEUE << 10 | id << 16 | slot << 24, NULL);
}

START_TEST(shows_what_it_is)
{
    ck_assert_uint_eq(xd_read(&d, 0x00), 0x01000040);
    ck_assert_uint_eq(xd_read(&d, 0x04), 0x08000840); /* 8 ports, 8 interrupters, 64 slots */
    ck_assert_uint_eq(xd_read(&d, 0x600) & 0xff, 1);  /* legacy support */
    ck_assert_uint_eq(xd_read(&d, 0x610), 0x02000402);
    ck_assert_uint_eq(xd_read(&d, 0x614), 0x20425355);
    ck_assert_uint_eq(xd_read(&d, 0x618), 0x00000401);
    ck_assert_uint_eq(xd_read(&d, 0x620), 0x03000002);
    ck_assert_uint_eq(xd_read(&d, 0x628), 0x00000405);
    ck_assert_uint_eq(xd_read(&d, XD_USBSTS) & 1, 0);
    /* The system asks for the controller by a byte. */
    fake_store(&d.fake, XD_BAR + 0x602, 1, 1);
    ck_assert_uint_eq(xd_read(&d, 0x600) >> 16, 0x0001);
    fake_store(&d.fake, XD_BAR + 0x603, 1, 1);
    ck_assert_uint_eq(xd_read(&d, 0x600) >> 16, 0x0100);
}
END_TEST

START_TEST(control_transfers)
{
    struct trb event;

    xd_control(&d, slot, GET_DESCRIPTOR(18), XD_DATA, 18);
    xd_doorbell(&d, slot, 1);
    ck_assert(xd_event(&d, &event));
    ck_assert_uint_eq(event.status >> 24, CODE_SUCCESS);
    ck_assert_uint_eq(trb_endpoint(&event), 1);
    ck_assert_uint_eq(device->setup.request, 6);
    ck_assert_uint_eq(device->setup.value, 0x100);
    ck_assert_uint_eq(xd_ram(&d, XD_DATA)[17], 17);
    ck_assert_uint_eq(xd_ram(&d, XD_DATA)[18], 0);
    assert_no_event();

    /* Less than asked: told at the data stage, and the status stage succeeds. */
    device->most = 8;
    xd_control(&d, slot, GET_DESCRIPTOR(18), XD_DATA, 18);
    xd_doorbell(&d, slot, 1);
    ck_assert(xd_event(&d, &event));
    ck_assert_uint_eq(event.status, (uint32_t)CODE_SHORT_PACKET << 24 | 10);
    ck_assert(xd_event(&d, &event));
    ck_assert_uint_eq(event.status >> 24, CODE_SUCCESS);

    xd_control(&d, slot, SET_CONFIGURATION, 0, 0);
    xd_doorbell(&d, slot, 1);
    ck_assert(xd_event(&d, &event));
    ck_assert_uint_eq(event.status >> 24, CODE_SUCCESS);
    ck_assert_uint_eq(device->setup.request, 9);
    assert_no_event();
}
END_TEST

START_TEST(a_control_transfer_waits_until_it_is_whole)
{
    struct xd_ring *ring = &d.rings[slot][1];
    struct trb event;

    xd_put(&d, ring, GET_DESCRIPTOR(8), 8, TRB_SETUP << 10 | TRB_IDT);
    xd_doorbell(&d, slot, 1);
    xd_put(&d, ring, XD_DATA, 8, TRB_DATA << 10 | TRB_DIR_IN);
    xd_doorbell(&d, slot, 1);
    ck_assert_uint_eq(device->submits, 0);
    xd_put(&d, ring, 0, 0, TRB_STATUS << 10 | TRB_IOC);
    xd_doorbell(&d, slot, 1);
    ck_assert_uint_eq(device->submits, 1);
    ck_assert(xd_event(&d, &event));
}
END_TEST

START_TEST(a_stall_halts_until_the_guest_resets_it)
{
    struct trb event;

    device->status = USB_STALL;
    device->most = 0;
    xd_control(&d, slot, GET_DESCRIPTOR(18), XD_DATA, 18);
    xd_doorbell(&d, slot, 1);
    ck_assert(xd_event(&d, &event));
    ck_assert_uint_eq(event.status, (uint32_t)CODE_STALL << 24 | 18);
    ck_assert_uint_eq(xd_endpoint_state(&d, slot, 1), ENDPOINT_HALTED);
    xd_doorbell(&d, slot, 1);
    ck_assert_uint_eq(device->submits, 1);
    ck_assert_uint_eq(xd_endpoint_command(&d, TRB_STOP_ENDPOINT, slot, 1),
                      CODE_CONTEXT_STATE_ERROR);
    ck_assert_uint_eq(xd_endpoint_command(&d, TRB_RESET_ENDPOINT, slot, 1), CODE_SUCCESS);
    ck_assert_uint_eq(xd_endpoint_state(&d, slot, 1), ENDPOINT_STOPPED);
    ck_assert_uint_eq(set_dequeue(1, (d.rings[slot][1].base + 3 * TRB_SIZE) | 1), CODE_SUCCESS);
    device->status = USB_OK;
    device->most = 18;
    xd_control(&d, slot, GET_DESCRIPTOR(18), XD_DATA, 18);
    xd_doorbell(&d, slot, 1);
    ck_assert(xd_event(&d, &event));
    ck_assert_uint_eq(event.status >> 24, CODE_SUCCESS);
    ck_assert_uint_eq(xd_endpoint_state(&d, slot, 1), ENDPOINT_RUNNING);
}
END_TEST

START_TEST(chains_gather_and_scatter)
{
    uint64_t last;

    add_bulk();
    for (unsigned i = 0; i < 300; i++)
        *xd_ram(&d, XD_DATA + 0x1000 + i) = i;
    put(BULK_OUT, XD_DATA + 0x1000, 100, TRB_CHAIN);
    put(BULK_OUT, XD_DATA + 0x1000 + 100, 0, TRB_CHAIN);
    last = put(BULK_OUT, XD_DATA + 0x1000 + 100, 200, TRB_IOC);
    xd_doorbell(&d, slot, BULK_OUT);
    assert_event(last, CODE_SUCCESS, 0);
    ck_assert_uint_eq(device->submits, 1);
    ck_assert_uint_eq(device->received->len, 300);
    ck_assert_mem_eq(device->received->data, xd_ram(&d, XD_DATA + 0x1000), 300);

    put(BULK_IN, XD_DATA + 0xffe, 100, TRB_CHAIN);
    put(BULK_IN, XD_DATA + 0x8000, 28, TRB_CHAIN);
    last = xd_put(&d, &d.rings[slot][BULK_IN], 0x1234, 0, TRB_EVENT_DATA << 10 | TRB_IOC);
    xd_doorbell(&d, slot, BULK_IN);
    assert_event(0x1234, CODE_SUCCESS, 128);
    ck_assert_uint_eq(*xd_ram(&d, XD_DATA + 0xffe + 99), 99);
    ck_assert_uint_eq(*xd_ram(&d, XD_DATA + 0x8000 + 27), 127);
    assert_no_event();
}
END_TEST

START_TEST(immediate_data_is_sent_from_the_trb)
{
    uint64_t at;

    add_bulk();
    at = put(BULK_OUT, UINT64_C(0x6867666564636261), 5, TRB_IDT | TRB_IOC);
    xd_doorbell(&d, slot, BULK_OUT);
    assert_event(at, CODE_SUCCESS, 0);
    ck_assert_uint_eq(device->received->len, 5);
    ck_assert_mem_eq(device->received->data, "abcde", 5);
    at = put(BULK_OUT, 0, 9, TRB_IDT | TRB_IOC);
    xd_doorbell(&d, slot, BULK_OUT);
    assert_event(at, CODE_TRB_ERROR, 9);
    ck_assert_uint_eq(xd_endpoint_state(&d, slot, BULK_OUT), ENDPOINT_ERROR);
}
END_TEST

START_TEST(short_packets_are_told_where_they_end)
{
    uint64_t first, second;

    add_bulk();
    device->most = 150;
    put(BULK_IN, XD_DATA, 100, TRB_CHAIN | TRB_ISP);
    first = put(BULK_IN, XD_DATA + 100, 100, TRB_CHAIN | TRB_ISP);
    put(BULK_IN, XD_DATA + 200, 100, TRB_IOC);
    second = put(BULK_IN, XD_DATA, 100, TRB_IOC);
    xd_doorbell(&d, slot, BULK_IN);
    assert_event(first, CODE_SHORT_PACKET, 50);
    assert_event(second, CODE_SUCCESS, 0);
    assert_no_event();

    /* Nobody asked at the TRB: the last one of the TD tells. */
    put(BULK_IN, XD_DATA, 200, TRB_CHAIN);
    first = put(BULK_IN, XD_DATA + 200, 100, TRB_IOC);
    xd_doorbell(&d, slot, BULK_IN);
    assert_event(first, CODE_SHORT_PACKET, 100);

    /* Event data says how much came. */
    put(BULK_IN, XD_DATA, 200, TRB_CHAIN);
    xd_put(&d, &d.rings[slot][BULK_IN], 0xabcd, 0, TRB_EVENT_DATA << 10 | TRB_IOC);
    xd_doorbell(&d, slot, BULK_IN);
    assert_event(0xabcd, CODE_SHORT_PACKET, 150);
    assert_no_event();
}
END_TEST

START_TEST(many_wait_and_end_in_order)
{
    uint64_t at[3];
    struct trb event;

    add_bulk();
    device->hold = true;
    for (unsigned i = 0; i < 3; i++)
        at[i] = put(BULK_IN, XD_DATA + i * 512, 512, TRB_IOC);
    xd_doorbell(&d, slot, BULK_IN);
    ck_assert_uint_eq(scripted_waiting(device), 3);
    assert_no_event();
    for (unsigned i = 0; i < 3; i++) {
        ck_assert(scripted_answer(device, USB_OK, 512));
        assert_event(at[i], CODE_SUCCESS, 0);
    }
    ck_assert(!xd_event(&d, &event));
}
END_TEST

START_TEST(stop_gives_back_the_place_and_goes_on_there)
{
    uint64_t first, second;

    add_bulk();
    device->hold = true;
    first = put(BULK_IN, XD_DATA, 512, TRB_IOC);
    second = put(BULK_IN, XD_DATA + 512, 512, TRB_IOC);
    xd_doorbell(&d, slot, BULK_IN);
    device->most = 200; /* what has come when it is taken back */
    xd_put(&d, &d.commands, 0, 0, TRB_STOP_ENDPOINT << 10 | BULK_IN << 16 | slot << 24);
    xd_write(&d, XD_DOORBELL, 0);
    assert_event(first, CODE_STOPPED, 312);
    xd_skip_events(&d);
    ck_assert_uint_eq(device->cancels, 2);
    ck_assert_uint_eq(xd_endpoint_state(&d, slot, BULK_IN), ENDPOINT_STOPPED);
    ck_assert_uint_eq(dequeue_of(BULK_IN), first | 1);
    device->hold = false;
    device->most = 512;
    xd_doorbell(&d, slot, BULK_IN);
    assert_event(first, CODE_SUCCESS, 0);
    assert_event(second, CODE_SUCCESS, 0);
    ck_assert_uint_eq(*xd_ram(&d, XD_DATA + 199), 199);
    ck_assert_uint_eq(*xd_ram(&d, XD_DATA + 200), 0); /* the rest came as a request of its own */
    ck_assert_uint_eq(*xd_ram(&d, XD_DATA + 511), (311) & 0xff);
}
END_TEST

START_TEST(stop_waits_for_what_is_not_given_back)
{
    uint64_t at;
    struct trb event;

    add_bulk();
    device->hold = device->stubborn = true;
    at = put(BULK_IN, XD_DATA, 512, TRB_IOC);
    xd_doorbell(&d, slot, BULK_IN);
    ck_assert_uint_eq(xd_endpoint_command(&d, TRB_STOP_ENDPOINT, slot, BULK_IN), CODE_NONE);
    assert_no_event();
    ck_assert(scripted_answer(device, USB_OK, 512));
    assert_event(at, CODE_SUCCESS, 0);
    ck_assert(xd_event(&d, &event));
    ck_assert_uint_eq(trb_type(&event), TRB_COMMAND_EVENT);
    ck_assert_uint_eq(event.status >> 24, CODE_SUCCESS);
    ck_assert_uint_eq(dequeue_of(BULK_IN), (at + TRB_SIZE) | 1);
}
END_TEST

START_TEST(a_failure_takes_back_what_follows)
{
    uint64_t first, second;

    add_bulk();
    device->hold = true;
    first = put(BULK_OUT, XD_DATA, 512, TRB_IOC);
    second = put(BULK_OUT, XD_DATA, 512, TRB_IOC);
    xd_doorbell(&d, slot, BULK_OUT);
    device->most = 0;
    ck_assert(scripted_answer(device, USB_STALL, 0));
    assert_event(first, CODE_STALL, 512);
    assert_no_event();
    ck_assert_uint_eq(device->cancels, 1);
    ck_assert_uint_eq(dequeue_of(BULK_OUT), first | 1);
    ck_assert_uint_eq(xd_endpoint_command(&d, TRB_RESET_ENDPOINT, slot, BULK_OUT), CODE_SUCCESS);
    ck_assert_uint_eq(device->clear_halts, 1);
    ck_assert_uint_eq(set_dequeue(BULK_OUT, second | 1), CODE_SUCCESS);
    device->hold = false;
    device->most = 512;
    xd_doorbell(&d, slot, BULK_OUT);
    assert_event(second, CODE_SUCCESS, 0);
    ck_assert_uint_eq(device->received->len, 512);
}
END_TEST

START_TEST(unplugging_ends_what_is_under_way)
{
    bool freed = false;
    uint64_t at;
    struct trb event;

    add_bulk();
    device->hold = true;
    device->freed = &freed;
    at = put(BULK_IN, XD_DATA, 512, TRB_IOC);
    xd_doorbell(&d, slot, BULK_IN);
    usb_port_detach(xhci_port(d.xhci, 1));
    assert_event(at, CODE_TRANSACTION_ERROR, 512);
    ck_assert(xd_event(&d, &event));
    ck_assert_uint_eq(trb_type(&event), TRB_PORT_EVENT);
    ck_assert_uint_eq(xd_portsc(&d, 1) & 0x20003, 0x20000);
    xd_ack(&d);
    ck_assert_int_eq(device->device.refs, 1);
    /* Nothing is there to answer. */
    xd_control(&d, slot, SET_CONFIGURATION, 0, 0);
    xd_doorbell(&d, slot, 1);
    ck_assert(xd_event(&d, &event));
    ck_assert_uint_eq(event.status >> 24, CODE_TRANSACTION_ERROR);
    ck_assert(!freed);
    device->freed = NULL;
}
END_TEST

START_TEST(a_pause_takes_requests_back_and_makes_them_again)
{
    uint64_t at;

    add_bulk();
    device->hold = true;
    at = put(BULK_IN, XD_DATA, 512, TRB_IOC);
    xd_doorbell(&d, slot, BULK_IN);
    device->most = 0;
    ck_assert(xhci_pause(d.xhci, 1000));
    ck_assert_uint_eq(scripted_waiting(device), 0);
    assert_no_event();
    xhci_resume(d.xhci);
    ck_assert_uint_eq(scripted_waiting(device), 1);
    ck_assert(scripted_answer(device, USB_OK, 512));
    assert_event(at, CODE_SUCCESS, 0);
}
END_TEST

START_TEST(what_happens_in_a_pause_is_told_afterwards)
{
    struct trb event;

    ck_assert(xhci_pause(d.xhci, 1000));
    usb_port_detach(xhci_port(d.xhci, 1));
    assert_no_event();
    xhci_resume(d.xhci);
    ck_assert(xd_event(&d, &event));
    ck_assert_uint_eq(trb_type(&event), TRB_PORT_EVENT);
    ck_assert(d.intx);
}
END_TEST

START_TEST(a_reset_waits_for_what_is_not_given_back)
{
    add_bulk();
    device->hold = device->stubborn = true;
    put(BULK_IN, XD_DATA, 512, TRB_IOC);
    xd_doorbell(&d, slot, BULK_IN);
    xd_write(&d, XD_USBCMD, 2);
    ck_assert_uint_eq(xd_read(&d, XD_USBCMD), 2);
    ck_assert_uint_eq(xd_read(&d, XD_USBSTS), 0x801); /* not ready, halted */
    ck_assert(!xhci_pause(d.xhci, 10));
    xhci_resume(d.xhci);
    ck_assert(scripted_answer(device, USB_OK, 512));
    ck_assert_uint_eq(xd_read(&d, XD_USBCMD), 0);
    ck_assert_uint_eq(xd_read(&d, XD_USBSTS), 0x1);
    xd_start(&d);
    ck_assert_uint_eq(xd_address(&d, 1, 0), 1);
}
END_TEST

START_TEST(streams_have_rings_of_their_own)
{
    const uint64_t array = 0x200000, base = 0x210000;
    uint64_t at[3] = {0};

    xd_set_word(&d, XD_INPUT, 0);
    xd_set_word(&d, XD_INPUT + 4, 1u << BULK_IN | 1);
    xd_endpoint_context(&d, slot, BULK_IN, ENDPOINT_BULK_IN, 2);
    xd_set_word(&d, XD_INPUT + (BULK_IN + 1) * CONTEXT_SIZE + 8, array);
    ck_assert_uint_eq(xd_command(&d, XD_INPUT, 0, TRB_CONFIGURE_ENDPOINT << 10 | slot << 24, NULL),
                      CODE_SUCCESS);
    ck_assert_uint_eq(device->streams, 7);
    device->hold = true;
    for (unsigned i = 1; i <= 2; i++) {
        struct xd_ring ring = {.base = base + i * 0x1000, .cycle = true};

        xd_set_word(&d, array + i * 16, ring.base | 1 << 1 | 1);
        at[i] = xd_put(&d, &ring, XD_DATA + i * 0x1000, 64, TRB_NORMAL << 10 | TRB_IOC);
        xd_doorbell(&d, slot, i << 16 | BULK_IN);
        ck_assert_uint_eq(device->stream, i);
    }
    xd_doorbell(&d, slot, 9u << 16 | BULK_IN); /* no such */
    xd_doorbell(&d, slot, 3u << 16 | BULK_IN); /* no ring there */
    ck_assert_uint_eq(scripted_waiting(device), 2);
    /* The first is turned to the end: the second stream does not wait for it. */
    g_queue_push_tail_link(&device->waiting, g_queue_pop_head_link(&device->waiting));
    ck_assert(scripted_answer(device, USB_OK, 64));
    assert_event(at[2], CODE_SUCCESS, 0);
    ck_assert_uint_eq(xd_endpoint_command(&d, TRB_STOP_ENDPOINT, slot, BULK_IN), CODE_SUCCESS);
    ck_assert_uint_eq(xd_word(&d, array + 16) & ~0xfu, at[1] + 0); /* half of it came */
    ck_assert_uint_eq(xd_word(&d, array + 32), (at[2] + TRB_SIZE) | 1 << 1 | 1);
    device->hold = false;
    xd_doorbell(&d, slot, 1u << 16 | BULK_IN);
    assert_event(at[1], CODE_SUCCESS, 0);
}
END_TEST

START_TEST(a_device_without_streams_is_refused_them)
{
    device->no_streams = true;
    ck_assert_uint_eq(xd_configure(&d, slot, BULK_IN, ENDPOINT_BULK_IN, 2), CODE_RESOURCE_ERROR);
    xd_doorbell(&d, slot, 1u << 16 | BULK_IN);
    ck_assert_uint_eq(device->submits, 0);
}
END_TEST

START_TEST(isochronous_keeps_time)
{
    struct trb event;
    uint64_t at[2];

    ck_assert_uint_eq(xd_configure(&d, slot, 2, ENDPOINT_ISOCH_OUT, 0), CODE_SUCCESS);
    for (unsigned i = 0; i < 2; i++)
        at[i] = xd_put(&d, &d.rings[slot][2], XD_DATA, 64, TRB_ISOCH << 10 | TRB_IOC | TRB_SIA);
    xd_doorbell(&d, slot, 2);
    assert_no_event();
    fake_board_advance(&d.fake, 125000);
    assert_event(at[0], CODE_SUCCESS, 0);
    assert_no_event();
    fake_board_advance(&d.fake, 125000);
    assert_event(at[1], CODE_SUCCESS, 0);
    ck_assert(xd_event(&d, &event)); /* nothing was there for the next interval */
    ck_assert_uint_eq(event.status >> 24, CODE_RING_UNDERRUN);

    /* One for a frame ahead, and one for a frame long past. */
    fake_board_advance(&d.fake, 100 * UINT64_C(1000000));
    at[0] = xd_put(&d, &d.rings[slot][2], XD_DATA, 64, TRB_ISOCH << 10 | TRB_IOC | 105u << 20);
    xd_doorbell(&d, slot, 2);
    fake_board_advance(&d.fake, 2 * UINT64_C(1000000));
    assert_no_event();
    fake_board_advance(&d.fake, 5 * UINT64_C(1000000));
    assert_event(at[0], CODE_SUCCESS, 0);
    xd_skip_events(&d);
    at[0] = xd_put(&d, &d.rings[slot][2], XD_DATA, 64, TRB_ISOCH << 10 | TRB_IOC | 20u << 20);
    xd_doorbell(&d, slot, 2);
    assert_event(at[0], CODE_MISSED_SERVICE, 64);
    ck_assert_uint_eq(device->received->len, 3 * 64);
}
END_TEST

START_TEST(hostile_rings_end_in_an_error)
{
    struct xd_ring *ring;
    uint64_t at;

    add_bulk();
    /* Links in a circle. */
    ring = &d.rings[slot][BULK_OUT];
    xd_put(&d, ring, ring->base, 0, TRB_LINK << 10);
    xd_doorbell(&d, slot, BULK_OUT);
    ck_assert_uint_eq(xd_endpoint_state(&d, slot, BULK_OUT), ENDPOINT_ERROR);
    xd_skip_events(&d);
    /* Data that is nowhere. */
    at = put(BULK_IN, UINT64_C(0xf00000000000), 512, TRB_IOC);
    xd_doorbell(&d, slot, BULK_IN);
    assert_event(at, CODE_TRB_ERROR, 512);
    ck_assert_uint_eq(set_dequeue(BULK_IN, (at + TRB_SIZE) | 1), CODE_SUCCESS);
    /* A TD of more than USB_REQUEST_MAX. */
    for (unsigned i = 0; i < 25; i++)
        put(BULK_IN, XD_DATA, 0x10000, TRB_CHAIN);
    put(BULK_IN, XD_DATA, 0x10000, TRB_IOC);
    xd_doorbell(&d, slot, BULK_IN);
    assert_event(d.rings[slot][BULK_IN].base + 26 * TRB_SIZE, CODE_SUCCESS, 0);
    /* A doorbell of nobody, and commands for nobody. */
    xd_doorbell(&d, 9, 1);
    xd_doorbell(&d, slot, 31);
    xd_doorbell(&d, slot, 200);
    ck_assert_uint_eq(xd_endpoint_command(&d, TRB_STOP_ENDPOINT, 9, 1), CODE_SLOT_NOT_ENABLED);
    ck_assert_uint_eq(xd_endpoint_command(&d, TRB_STOP_ENDPOINT, slot, 31),
                      CODE_ENDPOINT_NOT_ENABLED);
    ck_assert_uint_eq(xd_command(&d, 0, 0, 50u << 10, NULL), CODE_TRB_ERROR);
    /* A ring that is nowhere stops the controller. */
    ck_assert_uint_eq(set_dequeue(BULK_OUT, UINT64_C(0xf00000000001)), CODE_SUCCESS);
    xd_doorbell(&d, slot, BULK_OUT);
    ck_assert_uint_eq(xd_read(&d, XD_USBSTS) & 0x5, 0x5);
}
END_TEST

START_TEST(without_bus_mastering_nothing_moves)
{
    uint64_t at;

    add_bulk();
    device->hold = true;
    at = put(BULK_IN, XD_DATA, 512, TRB_IOC);
    xd_doorbell(&d, slot, BULK_IN);
    device->most = 0;
    xd_config_write(&d, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    ck_assert_uint_eq(scripted_waiting(device), 0);
    xd_control(&d, slot, SET_CONFIGURATION, 0, 0);
    xd_doorbell(&d, slot, 1);
    assert_no_event();
    device->hold = false;
    device->most = 512;
    xd_config_write(&d, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    xd_event(&d, &(struct trb){0});
    assert_event(at, CODE_SUCCESS, 0);
}
END_TEST

START_TEST(slots_run_out_and_come_back)
{
    unsigned id = 0;

    for (unsigned i = 2; i <= 64; i++) {
        ck_assert_uint_eq(xd_command(&d, 0, 0, TRB_ENABLE_SLOT << 10, &id), CODE_SUCCESS);
        ck_assert_uint_eq(id, i);
    }
    ck_assert_uint_eq(xd_command(&d, 0, 0, TRB_ENABLE_SLOT << 10, &id), CODE_NO_SLOTS);
    ck_assert_uint_eq(xd_command(&d, 0, 0, TRB_DISABLE_SLOT << 10 | 7u << 24, NULL), CODE_SUCCESS);
    ck_assert_uint_eq(xd_command(&d, 0, 0, TRB_ENABLE_SLOT << 10, &id), CODE_SUCCESS);
    ck_assert_uint_eq(id, 7);
}
END_TEST

static uint32_t slot_state(void)
{
    return xd_word(&d, XD_CONTEXTS + slot * 0x1000 + 12) >> SLOT_STATE_SHIFT;
}

START_TEST(slot_states)
{
    const uint32_t deconfigure = TRB_CONFIGURE_ENDPOINT << 10 | TRB_DECONFIGURE | slot << 24;

    ck_assert_uint_eq(slot_state(), SLOT_ADDRESSED);
    add_bulk();
    ck_assert_uint_eq(slot_state(), SLOT_CONFIGURED);
    ck_assert_uint_eq(xd_word(&d, XD_CONTEXTS + slot * 0x1000) >> 27, BULK_IN);
    ck_assert_uint_eq(xd_configure(&d, slot, BULK_IN, ENDPOINT_BULK_IN, 0), CODE_TRB_ERROR);
    ck_assert_uint_eq(xd_configure(&d, slot, 5, ENDPOINT_BULK_OUT, 0), CODE_PARAMETER_ERROR);
    ck_assert_uint_eq(xd_command(&d, 0, 0, deconfigure, NULL), CODE_SUCCESS);
    ck_assert_uint_eq(slot_state(), SLOT_ADDRESSED);
    ck_assert_uint_eq(xd_endpoint_state(&d, slot, BULK_IN), ENDPOINT_DISABLED);
    ck_assert_uint_eq(xd_command(&d, 0, 0, TRB_RESET_DEVICE << 10 | slot << 24, NULL),
                      CODE_SUCCESS);
    ck_assert_uint_eq(slot_state(), SLOT_DEFAULT);
    ck_assert_uint_eq(xd_command(&d, 0, 0, TRB_RESET_DEVICE << 10 | slot << 24, NULL),
                      CODE_CONTEXT_STATE_ERROR);
    ck_assert_uint_eq(xd_command(&d, 0, 0, deconfigure, NULL), CODE_CONTEXT_STATE_ERROR);
}
END_TEST

START_TEST(an_empty_port_answers_no_address)
{
    ck_assert_uint_eq(xd_address(&d, 2, 0), 0);
    ck_assert_uint_eq(xd_address(&d, 1, 3), 0); /* no hub is there */
}
END_TEST

START_TEST(a_full_event_ring_holds_the_rest)
{
    struct trb event;
    const unsigned total = XD_EVENT_TRBS + XD_RING_TRBS / 2;
    unsigned count = 0;
    bool full = false;

    for (unsigned i = 0; i < total; i++) {
        xd_put(&d, &d.commands, 0, 0, TRB_NO_OP_COMMAND << 10);
        xd_write(&d, XD_DOORBELL, 0);
    }
    ck_assert(xd_event(&d, &event));
    for (unsigned round = 0; round < 8; round++) {
        do {
            full |= trb_type(&event) == TRB_CONTROLLER_EVENT &&
                    event.status >> 24 == CODE_EVENT_RING_FULL;
            count += trb_type(&event) == TRB_COMMAND_EVENT;
        } while (xd_event(&d, &event));
        xd_ack(&d);
        fake_board_advance(&d.fake, 1000000);
        if (!xd_event(&d, &event))
            break;
    }
    ck_assert(full);
    ck_assert_uint_eq(count, total);
}
END_TEST

START_TEST(interrupts_are_moderated)
{
    xd_skip_events(&d);
    xd_write(&d, XD_IR + XD_IMAN, 3);
    ck_assert(!d.intx);
    xd_write(&d, XD_IR + XD_IMOD, 4000); /* 1 ms */
    xd_endpoint_command(&d, TRB_NO_OP_COMMAND, 0, 0);
    ck_assert(d.intx);
    ck_assert_uint_eq(xd_read(&d, XD_USBSTS) & 8, 8);
    xd_write(&d, XD_IR + XD_IMAN, 3);
    ck_assert(!d.intx);
    xd_put(&d, &d.commands, 0, 0, TRB_NO_OP_COMMAND << 10);
    xd_write(&d, XD_DOORBELL, 0);
    ck_assert(!d.intx);
    fake_board_advance(&d.fake, 900000);
    ck_assert(!d.intx);
    fake_board_advance(&d.fake, 200000);
    ck_assert(d.intx);
    xd_skip_events(&d);
    xd_write(&d, XD_IR + XD_IMAN, 3);
    fake_board_advance(&d.fake, 2000000);
    ck_assert(!d.intx); /* what the guest has taken needs none */
}
END_TEST

START_TEST(one_message_tells_of_all)
{
    unsigned cap = 0x4c; /* MSI is behind MSI-X */

    xd_skip_events(&d);
    xd_write(&d, XD_IR + XD_IMAN, 3);
    xd_endpoint_command(&d, TRB_NO_OP_COMMAND, 0, 0);
    ck_assert(d.intx);
    xd_config_write(&d, cap + 4, 0xfee00000, 4);
    xd_config_write(&d, cap + 12, 0x31, 2);
    xd_config_write(&d, cap + 2, 1, 2);
    ck_assert(!d.intx);
    xd_skip_events(&d);
    d.msis = 0;
    xd_endpoint_command(&d, TRB_NO_OP_COMMAND, 0, 0);
    ck_assert_uint_eq(d.msis, 1);
    ck_assert_uint_eq(d.last_msi, 0x31);
    ck_assert_uint_eq(xd_read(&d, XD_IR + XD_IMAN), 2);
    xd_endpoint_command(&d, TRB_NO_OP_COMMAND, 0, 0);
    ck_assert_uint_eq(d.msis, 2);
}
END_TEST

START_TEST(messages_go_to_their_vectors)
{
    unsigned cap = 0x40; /* MSI-X is the first capability */
    uint64_t second = 0x5000;
    unsigned before;

    xd_skip_events(&d);
    xd_write(&d, XD_IR + XD_IMAN, 3);
    fake_store(&d.fake, XD_MSIX_BAR + 16 + 0, 0xfee00000, 4);
    fake_store(&d.fake, XD_MSIX_BAR + 16 + 8, 0x42, 4);
    fake_store(&d.fake, XD_MSIX_BAR + 16 + 12, 0, 4);
    xd_config_write(&d, cap + 2, 0x8000, 2);
    xd_set_word(&d, XD_ERST + 64, second);
    xd_set_word(&d, XD_ERST + 64 + 4, 0);
    xd_set_word(&d, XD_ERST + 64 + 8, 16);
    xd_write(&d, XD_IR + 0x20 + XD_ERSTSZ, 1);
    xd_write64(&d, XD_IR + 0x20 + XD_ERDP, second);
    xd_write64(&d, XD_IR + 0x20 + XD_ERSTBA, XD_ERST + 64);
    xd_write(&d, XD_IR + 0x20 + XD_IMAN, 2);
    add_bulk();
    before = d.msis;
    xd_put(&d, &d.rings[slot][BULK_IN], XD_DATA, 64 | 1u << 22, TRB_NORMAL << 10 | TRB_IOC);
    xd_doorbell(&d, slot, BULK_IN);
    ck_assert_uint_eq(d.msis, before + 1);
    ck_assert_uint_eq(d.last_msi, 0x42);
    ck_assert_uint_eq(xd_word(&d, second + 8) >> 24, CODE_SUCCESS);
    ck_assert_uint_eq(xd_read(&d, XD_IR + 0x20 + XD_IMAN), 2); /* the message took IP along */
    assert_no_event();
    /* Blocked: told, but without an interrupt. */
    xd_write64(&d, XD_IR + 0x20 + XD_ERDP, (second + 16) | 8);
    xd_put(&d, &d.rings[slot][BULK_IN], XD_DATA, 64 | 1u << 22,
           TRB_NORMAL << 10 | TRB_IOC | TRB_BEI);
    xd_doorbell(&d, slot, BULK_IN);
    ck_assert_uint_eq(d.msis, before + 1);
    ck_assert_uint_eq(xd_word(&d, second + 16 + 8) >> 24, CODE_SUCCESS);
}
END_TEST

START_TEST(the_frame_counter_wraps_with_an_event)
{
    struct trb event;

    xd_write(&d, XD_USBCMD, 0x405);
    fake_board_advance(&d.fake, 10 * UINT64_C(125000));
    ck_assert_uint_eq(xd_read(&d, XD_MFINDEX), 10);
    fake_board_advance(&d.fake, 0x4000 * UINT64_C(125000));
    ck_assert_uint_eq(xd_read(&d, XD_MFINDEX), 10);
    ck_assert(xd_event(&d, &event));
    ck_assert_uint_eq(trb_type(&event), TRB_WRAP_EVENT);
}
END_TEST

START_TEST(saved_state_is_restored_unless_it_is_lost)
{
    uint64_t position;

    xd_endpoint_command(&d, TRB_NO_OP_COMMAND, 0, 0);
    position = XD_EVENTS + d.event_index * TRB_SIZE;
    xd_write(&d, XD_USBCMD, 0);
    xd_write(&d, XD_USBCMD, 0x100);
    xd_write64(&d, XD_IR + XD_ERSTBA, XD_ERST);
    xd_write(&d, XD_USBCMD, 0x200);
    ck_assert_uint_eq(xd_read(&d, XD_USBSTS) & 0x400, 0);
    xd_set_commands(&d);
    xd_write(&d, XD_USBCMD, 5);
    ck_assert_uint_eq(xd_endpoint_command(&d, TRB_NO_OP_COMMAND, 0, 0), CODE_SUCCESS);
    ck_assert_uint_eq(XD_EVENTS + d.event_index * TRB_SIZE, position + TRB_SIZE);
    xd_write(&d, XD_USBCMD, 0);
    xd_write(&d, XD_USBCMD, 2);
    xd_write(&d, XD_USBCMD, 0x200);
    ck_assert_uint_eq(xd_read(&d, XD_USBSTS) & 0x400, 0x400);
}
END_TEST

START_TEST(the_command_ring_stops_and_aborts)
{
    struct trb event;

    add_bulk();
    device->hold = device->stubborn = true;
    put(BULK_IN, XD_DATA, 512, TRB_IOC);
    xd_doorbell(&d, slot, BULK_IN);
    ck_assert_uint_eq(xd_endpoint_command(&d, TRB_STOP_ENDPOINT, slot, BULK_IN), CODE_NONE);
    ck_assert_uint_eq(xd_read(&d, XD_CRCR), 8);
    xd_write64(&d, XD_CRCR, 4);
    ck_assert_uint_eq(xd_read(&d, XD_CRCR), 0);
    ck_assert(xd_event(&d, &event));
    ck_assert_uint_eq(event.status >> 24, CODE_COMMAND_ABORTED);
    ck_assert(xd_event(&d, &event));
    ck_assert_uint_eq(event.status >> 24, CODE_COMMAND_RING_STOPPED);
    xd_ack(&d);
    ck_assert(scripted_answer(device, USB_OK, 512));
    xd_skip_events(&d);
    xd_set_commands(&d);
    ck_assert_uint_eq(xd_endpoint_command(&d, TRB_NO_OP_COMMAND, 0, 0), CODE_SUCCESS);
}
END_TEST

/* Answers come from another thread while the guest goes on. */
static gpointer answer_many(gpointer opaque)
{
    const unsigned *count = opaque;

    for (unsigned done = 0; done < *count;) {
        if (scripted_answer(device, USB_OK, 64))
            done++;
        else
            g_thread_yield();
    }
    return NULL;
}

START_TEST(answers_come_from_other_threads)
{
    unsigned count = 2000, seen = 0;
    struct trb event;
    GThread *thread;

    add_bulk();
    device->hold = true;
    thread = g_thread_new("device", answer_many, &count);
    for (unsigned put_so_far = 0; seen < count;) {
        while (put_so_far < count && put_so_far - seen < 16) {
            g_mutex_lock(&d.fake.board.lock);
            put(BULK_IN, XD_DATA, 64, TRB_IOC);
            g_mutex_unlock(&d.fake.board.lock);
            put_so_far++;
        }
        xd_doorbell(&d, slot, BULK_IN);
        g_mutex_lock(&d.fake.board.lock);
        while (xd_event(&d, &event))
            seen += event.status >> 24 == CODE_SUCCESS;
        g_mutex_unlock(&d.fake.board.lock);
        xd_ack(&d);
    }
    g_thread_join(thread);
    ck_assert_uint_eq(seen, count);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("xhci");
    TCase *tc = tcase_create("xhci");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, shows_what_it_is);
    tcase_add_test(tc, control_transfers);
    tcase_add_test(tc, a_control_transfer_waits_until_it_is_whole);
    tcase_add_test(tc, a_stall_halts_until_the_guest_resets_it);
    tcase_add_test(tc, chains_gather_and_scatter);
    tcase_add_test(tc, immediate_data_is_sent_from_the_trb);
    tcase_add_test(tc, short_packets_are_told_where_they_end);
    tcase_add_test(tc, many_wait_and_end_in_order);
    tcase_add_test(tc, stop_gives_back_the_place_and_goes_on_there);
    tcase_add_test(tc, stop_waits_for_what_is_not_given_back);
    tcase_add_test(tc, a_failure_takes_back_what_follows);
    tcase_add_test(tc, unplugging_ends_what_is_under_way);
    tcase_add_test(tc, a_pause_takes_requests_back_and_makes_them_again);
    tcase_add_test(tc, what_happens_in_a_pause_is_told_afterwards);
    tcase_add_test(tc, a_reset_waits_for_what_is_not_given_back);
    tcase_add_test(tc, streams_have_rings_of_their_own);
    tcase_add_test(tc, a_device_without_streams_is_refused_them);
    tcase_add_test(tc, isochronous_keeps_time);
    tcase_add_test(tc, hostile_rings_end_in_an_error);
    tcase_add_test(tc, without_bus_mastering_nothing_moves);
    tcase_add_test(tc, slots_run_out_and_come_back);
    tcase_add_test(tc, slot_states);
    tcase_add_test(tc, an_empty_port_answers_no_address);
    tcase_add_test(tc, a_full_event_ring_holds_the_rest);
    tcase_add_test(tc, interrupts_are_moderated);
    tcase_add_test(tc, one_message_tells_of_all);
    tcase_add_test(tc, messages_go_to_their_vectors);
    tcase_add_test(tc, the_frame_counter_wraps_with_an_event);
    tcase_add_test(tc, saved_state_is_restored_unless_it_is_lost);
    tcase_add_test(tc, the_command_ring_stops_and_aborts);
    tcase_add_test(tc, answers_come_from_other_threads);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
