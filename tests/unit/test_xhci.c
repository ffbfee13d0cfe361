/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The xHCI controller against a scripted driver: slots, commands, run, stop and reset. */
#include <check.h>
#include <string.h>

#include "tests/fakes/xhci_fixture.h"
#include "tests/suite.h"

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

static enum xhci_code force_header(unsigned port)
{
    return xd_command(&d, 0x1f, 0, TRB_FORCE_HEADER << 10 | port << 24, NULL);
}

START_TEST(headers_go_to_links_of_usb_3)
{
    struct scripted_device *fast = scripted_new(USB_SPEED_BIT(USB_SPEED_SUPER));

    ck_assert_uint_eq(force_header(0), CODE_TRB_ERROR);
    ck_assert_uint_eq(force_header(1), CODE_TRB_ERROR); /* a port of USB 2 */
    ck_assert_uint_eq(force_header(XHCI_PORTS + 2), CODE_TRANSACTION_ERROR);
    ck_assert(usb_port_attach(xhci_port(d.xhci, 2), &fast->device, NULL));
    ck_assert_uint_eq(force_header(XHCI_PORTS + 2), CODE_SUCCESS);
    xd_port_write(&d, XHCI_PORTS + 2, 1u << 16 | 3u << 5); /* U3 */
    ck_assert_uint_eq(force_header(XHCI_PORTS + 2), CODE_TRANSACTION_ERROR);
    ck_assert_uint_eq(force_header(2 * XHCI_PORTS + 1), CODE_TRB_ERROR);
    ck_assert_uint_eq(force_header(255), CODE_TRB_ERROR);
    ck_assert_uint_eq(fast->submits, 0);
    usb_port_detach(xhci_port(d.xhci, 2));
    usb_device_unref(&fast->device);
}
END_TEST

/* HCCPARAMS1 says that there is none of it. */
START_TEST(optional_commands_are_trb_errors)
{
    static const unsigned types[] = {18, 19, 20, 24, 25};

    ck_assert_uint_eq(xd_read(&d, 0x10) & 0x42, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++)
        ck_assert_uint_eq(xd_command(&d, XD_DATA, 0, types[i] << 10 | slot << 24, NULL),
                          CODE_TRB_ERROR);
}
END_TEST

START_TEST(an_empty_port_answers_no_address)
{
    ck_assert_uint_eq(xd_address(&d, 2, 0), 0);
    ck_assert_uint_eq(xd_address(&d, 1, 3), 0); /* no hub is there */
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

int main(void)
{
    Suite *suite = suite_create("xhci");
    TCase *tc = tcase_create("xhci");

    tcase_add_checked_fixture(tc, xhci_setup, xhci_teardown);
    tcase_add_test(tc, shows_what_it_is);
    tcase_add_test(tc, slots_run_out_and_come_back);
    tcase_add_test(tc, slot_states);
    tcase_add_test(tc, headers_go_to_links_of_usb_3);
    tcase_add_test(tc, optional_commands_are_trb_errors);
    tcase_add_test(tc, an_empty_port_answers_no_address);
    tcase_add_test(tc, the_command_ring_stops_and_aborts);
    tcase_add_test(tc, a_reset_waits_for_what_is_not_given_back);
    tcase_add_test(tc, what_happens_in_a_pause_is_told_afterwards);
    tcase_add_test(tc, saved_state_is_restored_unless_it_is_lost);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
