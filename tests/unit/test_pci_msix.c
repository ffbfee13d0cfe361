/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>

#include "engine/bus/board.h"
#include "tests/suite.h"

#define DEVFN PCI_DEVFN(3, 0)
#define BAR 0xfe000000
#define CAP 0x40
#define VECTORS 4

static struct board board;
static struct pci_device pci;
static unsigned messages, routes;
static uint64_t last_address;
static uint32_t last_data;

static void on_msi(void *opaque, uint64_t address, uint32_t data)
{
    messages++;
    last_address = address;
    last_data = data;
}

static void on_route(void *opaque, uint8_t devfn, unsigned pin, bool level)
{
    routes++;
}

static void config(unsigned offset, uint32_t value, unsigned size)
{
    pci_bus_config_write(board.pci, 0, DEVFN, offset, value, size);
}

static uint32_t table(unsigned offset)
{
    return memory_map_read(board.memory, BAR + offset, 4);
}

static void set_table(unsigned offset, uint32_t value)
{
    memory_map_write(board.memory, BAR + offset, value, 4);
}

static void setup(void)
{
    static const struct device_class class = {.name = "test"};
    static const struct pci_ids ids = {.vendor = 0x1234, .device = 0x5678};

    messages = routes = 0;
    board_init(&board, NULL);
    board.send_msi = on_msi;
    pci_bus_set_router(board.pci, on_route, NULL);
    pci = (struct pci_device){0};
    pci_device_init(&pci, &board, &class, "test0", &ids);
    pci_device_add_msix(&pci, 1, VECTORS);
    pci_device_set_pin(&pci, 1);
    ck_assert(pci_bus_plug(board.pci, &pci, DEVFN));
    config(PCI_BAR0 + 4, BAR, 4);
    config(PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
}

static void teardown(void)
{
    pci_device_finish(&pci);
    board_finish(&board);
}

START_TEST(shows_its_table)
{
    ck_assert_uint_eq(pci_bus_config_read(board.pci, 0, DEVFN, CAP, 4), 0x00030011);
    ck_assert_uint_eq(pci_bus_config_read(board.pci, 0, DEVFN, CAP + 4, 4), 0x001);
    ck_assert_uint_eq(pci_bus_config_read(board.pci, 0, DEVFN, CAP + 8, 4), 0x801);
    for (unsigned i = 0; i < VECTORS; i++)
        ck_assert_uint_eq(table(i * 16 + 12), 1); /* masked */
    ck_assert_uint_eq(table(VECTORS * 16 + 12), 0);
    set_table(VECTORS * 16, 0xffffffff);
    ck_assert_uint_eq(table(VECTORS * 16), 0);
    memory_map_write(board.memory, BAR + 1, 0xff, 1); /* only words count */
    ck_assert_uint_eq(table(0), 0);
    set_table(12, 0xfffffffe);
    ck_assert_uint_eq(table(12), 0);
}
END_TEST

START_TEST(sends_what_is_not_masked)
{
    set_table(16 + 0, 0xfee01000);
    set_table(16 + 4, 0x1);
    set_table(16 + 8, 0x55);
    set_table(16 + 12, 0);
    pci_device_send_msix(&pci, 1);
    ck_assert_uint_eq(messages, 0); /* not enabled */
    config(CAP + 2, 0x8000, 2);
    pci_device_send_msix(&pci, 1);
    ck_assert_uint_eq(messages, 1);
    ck_assert_uint_eq(last_address, UINT64_C(0x1fee01000));
    ck_assert_uint_eq(last_data, 0x55);
    pci_device_send_msix(&pci, VECTORS);
    ck_assert_uint_eq(messages, 1);
    config(PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    pci_device_send_msix(&pci, 1);
    ck_assert_uint_eq(messages, 1); /* no bus master */
    pci_device_set_irq(&pci, true);
    ck_assert_uint_eq(routes, 0); /* nor a pin, while it is enabled */
}
END_TEST

START_TEST(remembers_what_is_masked)
{
    config(CAP + 2, 0x8000, 2);
    pci_device_send_msix(&pci, 2);
    pci_device_send_msix(&pci, 2);
    ck_assert_uint_eq(messages, 0);
    ck_assert_uint_eq(table(0x800), 4);
    set_table(0x800, 0);
    ck_assert_uint_eq(table(0x800), 4);
    set_table(2 * 16 + 12, 0);
    ck_assert_uint_eq(messages, 1); /* once */
    ck_assert_uint_eq(table(0x800), 0);
    config(CAP + 2, 0xc000, 2); /* all at once */
    pci_device_send_msix(&pci, 2);
    ck_assert_uint_eq(messages, 1);
    config(CAP + 2, 0x8000, 2);
    ck_assert_uint_eq(messages, 2);
}
END_TEST

START_TEST(reset_masks_all)
{
    config(CAP + 2, 0x8000, 2);
    set_table(12, 0);
    pci_device_send_msix(&pci, 1);
    pci_device_reset(&pci);
    ck_assert(!pci_device_msix_enabled(&pci));
    config(PCI_BAR0 + 4, BAR, 4);
    config(PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    ck_assert_uint_eq(table(12), 1);
    ck_assert_uint_eq(table(0x800), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pci_msix");
    TCase *tc = tcase_create("pci_msix");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, shows_its_table);
    tcase_add_test(tc, sends_what_is_not_masked);
    tcase_add_test(tc, remembers_what_is_masked);
    tcase_add_test(tc, reset_masks_all);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
