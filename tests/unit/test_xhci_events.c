/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the xHCI controller tells a scripted driver: event rings, interrupts, the frame counter. */
#include <check.h>
#include <string.h>

#include "tests/fakes/xhci_fixture.h"
#include "tests/suite.h"

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

int main(void)
{
    Suite *suite = suite_create("xhci_events");
    TCase *tc = tcase_create("xhci_events");

    tcase_add_checked_fixture(tc, xhci_setup, xhci_teardown);
    tcase_add_test(tc, a_full_event_ring_holds_the_rest);
    tcase_add_test(tc, interrupts_are_moderated);
    tcase_add_test(tc, one_message_tells_of_all);
    tcase_add_test(tc, messages_go_to_their_vectors);
    tcase_add_test(tc, the_frame_counter_wraps_with_an_event);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
