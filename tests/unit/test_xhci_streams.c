/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams of the xHCI controller, against a scripted driver and a scripted device. */
#include <check.h>
#include <string.h>

#include "tests/fakes/xhci_fixture.h"
#include "tests/suite.h"

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

int main(void)
{
    Suite *suite = suite_create("xhci_streams");
    TCase *tc = tcase_create("xhci_streams");

    tcase_add_checked_fixture(tc, xhci_setup, xhci_teardown);
    tcase_add_test(tc, streams_have_rings_of_their_own);
    tcase_add_test(tc, a_device_without_streams_is_refused_them);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
