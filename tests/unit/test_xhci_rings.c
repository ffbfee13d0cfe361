/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walking rings in guest memory. */
#include <check.h>

#include "engine/dev/xhci_internal.h"
#include "tests/suite.h"

#define RAM_SIZE 0x10000

static struct memory_map *map;
static struct region ram;

static void setup(void)
{
    map = memory_map_new();
    ram = (struct region){.name = "ram", .size = RAM_SIZE, .host = g_malloc0(RAM_SIZE)};
    memory_map_add(map, &ram, 0, 0);
}

static void teardown(void)
{
    memory_map_free(map);
    g_free(ram.host);
}

static void put(uint64_t at, uint64_t parameter, uint32_t control)
{
    const uint32_t words[4] = {parameter, parameter >> 32, 0, control};

    ck_assert(xhci_write_words(map, at, words, 4));
}

START_TEST(trbs_come_while_their_cycle_is_right)
{
    struct xhci_ring ring = {.dequeue = 0x1000, .cycle = true};
    struct trb trb;
    uint64_t at;

    put(0x1000, 0x1122334455667788, TRB_NORMAL << 10 | 1);
    ck_assert_int_eq(xhci_ring_fetch(map, &ring, &trb, &at), FETCHED_TRB);
    ck_assert_uint_eq(at, 0x1000);
    ck_assert_uint_eq(trb.parameter, 0x1122334455667788);
    ck_assert_uint_eq(ring.dequeue, 0x1010);
    ck_assert_int_eq(xhci_ring_fetch(map, &ring, &trb, &at), FETCHED_EMPTY);
    ck_assert_uint_eq(ring.dequeue, 0x1010);
}
END_TEST

START_TEST(links_lead_on_and_turn_the_cycle)
{
    struct xhci_ring ring = {.dequeue = 0x1000, .cycle = true};
    struct trb trb;
    uint64_t at;

    put(0x1000, 0x2000, TRB_LINK << 10 | 1);
    put(0x2000, 0x3000, TRB_LINK << 10 | TRB_TOGGLE_CYCLE | 1);
    put(0x3000, 7, TRB_NO_OP << 10);
    put(0x3010, 0x1000, TRB_LINK << 10 | TRB_IOC);
    ck_assert_int_eq(xhci_ring_fetch(map, &ring, &trb, &at), FETCHED_TRB);
    ck_assert_uint_eq(at, 0x3000);
    ck_assert(!ring.cycle);
    ck_assert_int_eq(xhci_ring_fetch(map, &ring, &trb, &at), FETCHED_LINK);
    ck_assert_uint_eq(at, 0x3010);
    ck_assert_uint_eq(ring.dequeue, 0x1000);
    ck_assert_int_eq(xhci_ring_fetch(map, &ring, &trb, &at), FETCHED_EMPTY);
}
END_TEST

START_TEST(circles_and_the_void_end)
{
    struct xhci_ring ring = {.dequeue = 0x1000, .cycle = true};
    struct trb trb;
    uint64_t at;

    put(0x1000, 0x1000, TRB_LINK << 10 | 1);
    ck_assert_int_eq(xhci_ring_fetch(map, &ring, &trb, &at), FETCHED_LOOP);
    /* A circle that turns the cycle ends where it was. */
    put(0x1000, 0x1000, TRB_LINK << 10 | TRB_TOGGLE_CYCLE | 1);
    ck_assert_int_eq(xhci_ring_fetch(map, &ring, &trb, &at), FETCHED_EMPTY);
    ring = (struct xhci_ring){.dequeue = RAM_SIZE - 8, .cycle = false};
    ck_assert_int_eq(xhci_ring_fetch(map, &ring, &trb, &at), FETCHED_FAULT);
    ring.dequeue = UINT64_MAX - 15;
    ck_assert_int_eq(xhci_ring_fetch(map, &ring, &trb, &at), FETCHED_FAULT);
    ring = (struct xhci_ring){.dequeue = 0x4000, .cycle = true};
    put(0x4000, 0x900000000, TRB_LINK << 10 | 1);
    ck_assert_int_eq(xhci_ring_fetch(map, &ring, &trb, &at), FETCHED_FAULT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("xhci_rings");
    TCase *tc = tcase_create("xhci_rings");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, trbs_come_while_their_cycle_is_right);
    tcase_add_test(tc, links_lead_on_and_turn_the_cycle);
    tcase_add_test(tc, circles_and_the_void_end);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
