/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transfers of the xHCI controller, against a scripted driver and a scripted device. */
#include <check.h>
#include <string.h>

#include "tests/fakes/xhci_fixture.h"
#include "tests/suite.h"

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

#define LONG_RING 0x200000 /* up to XD_DATA */

/* Writes a TD of so many TRBs; returns where the next one goes. */
static uint64_t write_td(uint64_t at, unsigned count, uint32_t length)
{
    for (unsigned i = 0; i < count; i++, at += TRB_SIZE) {
        xd_set_word(&d, at, XD_DATA);
        xd_set_word(&d, at + 4, 0);
        xd_set_word(&d, at + 8, length);
        xd_set_word(&d, at + 12,
                    TRB_NORMAL << 10 | TRB_CYCLE | (i + 1 < count ? TRB_CHAIN : TRB_IOC));
    }
    return at;
}

static void point_to_long_ring(void)
{
    ck_assert_uint_eq(xd_endpoint_command(&d, TRB_STOP_ENDPOINT, slot, BULK_IN), CODE_SUCCESS);
    ck_assert_uint_eq(set_dequeue(BULK_IN, LONG_RING | 1), CODE_SUCCESS);
}

static const struct {
    unsigned trbs;
    uint32_t length; /* of each */
    enum xhci_code code;
} long_tds[] = {
    {USB_REQUEST_MAX / 0x10000, 0x10000, CODE_SUCCESS},
    {USB_REQUEST_MAX / 0x10000 + 1, 0x10000, CODE_TRB_ERROR},
    {USB_REQUEST_MAX / 4096 + 1, 4096, CODE_TRB_ERROR},
    {USB_REQUEST_MAX / 4096, 4096, CODE_SUCCESS},
    {8448, 1, CODE_SUCCESS},
    {8449, 1, CODE_TRB_ERROR},
};

START_TEST(the_longest_tds)
{
    uint64_t end = write_td(LONG_RING, long_tds[_i].trbs, long_tds[_i].length);
    uint32_t total = long_tds[_i].trbs * long_tds[_i].length;

    add_bulk();
    point_to_long_ring();
    device->hold = true;
    xd_doorbell(&d, slot, BULK_IN);
    if (long_tds[_i].code == CODE_SUCCESS) {
        ck_assert(scripted_answer(device, USB_OK, total));
        assert_event(end - TRB_SIZE, CODE_SUCCESS, 0);
    } else {
        assert_event(LONG_RING, CODE_TRB_ERROR, long_tds[_i].length);
        ck_assert_uint_eq(xd_endpoint_state(&d, slot, BULK_IN), ENDPOINT_ERROR);
    }
    ck_assert_uint_eq(device->submits, long_tds[_i].code == CODE_SUCCESS);
}
END_TEST

START_TEST(tds_wait_for_room)
{
    const unsigned count = 40, most = 32;
    uint64_t end = LONG_RING;

    for (unsigned i = 0; i < count; i++)
        end = write_td(end, 8448, 1);
    ck_assert_uint_le(end, XD_DATA);
    add_bulk();
    point_to_long_ring();
    device->hold = true;
    xd_doorbell(&d, slot, BULK_IN);
    for (unsigned i = 0; i < count; i++)
        fake_board_advance(&d.fake, 125000);
    ck_assert_uint_eq(scripted_waiting(device), most);
    for (unsigned i = 0; i < count; i++) {
        ck_assert(scripted_answer(device, USB_OK, 8448));
        assert_event(LONG_RING + ((i + 1) * 8448 - 1) * TRB_SIZE, CODE_SUCCESS, 0);
        fake_board_advance(&d.fake, 125000);
        ck_assert_uint_eq(scripted_waiting(device), MIN(most, count - i - 1));
    }
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
    Suite *suite = suite_create("xhci_transfers");
    TCase *tc = tcase_create("xhci_transfers");

    tcase_add_checked_fixture(tc, xhci_setup, xhci_teardown);
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
    tcase_add_test(tc, isochronous_keeps_time);
    tcase_add_loop_test(tc, the_longest_tds, 0, G_N_ELEMENTS(long_tds));
    tcase_add_test(tc, tds_wait_for_room);
    tcase_add_test(tc, hostile_rings_end_in_an_error);
    tcase_add_test(tc, without_bus_mastering_nothing_moves);
    tcase_add_test(tc, answers_come_from_other_threads);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
