/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "disks/image.h"
#include "tests/fakes/ahci_driver.h"
#include "tests/suite.h"

#define BLOCKS 1000
#define GOOD 0x50
#define PORT 2

/* PxTFD of a command that ends with this sense key. */
#define CHECK(key) ((key) << 12 | 0x51)

static struct ahci_driver d;
static struct memory_file *disc;

static void setup(void)
{
    driver_init(&d);
    disc = driver_add_cd(&d, PORT, BLOCKS * 2048);
    for (unsigned i = 0; i < BLOCKS * 2048; i++)
        disc->data[i] = i / 2048 + i;
    driver_start(&d, PORT);
}

static void teardown(void)
{
    driver_finish(&d);
    memory_file_free(disc);
}

static const uint8_t *data(void)
{
    return driver_ram(&d, DRIVER_DATA);
}

static uint32_t packet(uint32_t size, const uint8_t *cdb)
{
    memset(driver_ram(&d, DRIVER_DATA), 0xcc, 65536);
    return driver_packet(&d, PORT, cdb, size);
}

#define PACKET(size, ...) packet(size, (const uint8_t[12]){__VA_ARGS__})

static uint32_t test_unit_ready(void)
{
    return PACKET(0, 0x00);
}

/* Key, code and qualifier as REQUEST SENSE tells them. */
static uint32_t sense(void)
{
    ck_assert_uint_eq(PACKET(18, 0x03, 0, 0, 0, 18), GOOD);
    ck_assert_uint_eq(data()[0], 0x70);
    return data()[2] << 16 | data()[12] << 8 | data()[13];
}

/* A new drive has to tell that it was reset. */
static void settle(void)
{
    ck_assert_uint_eq(test_unit_ready(), CHECK(6));
    ck_assert_uint_eq(sense(), 0x062900);
    ck_assert_uint_eq(test_unit_ready(), GOOD);
}

/* A request for media events that only asks: event, tray and disc. */
static unsigned media_event(unsigned *ret_status)
{
    ck_assert_uint_eq(PACKET(8, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), GOOD);
    ck_assert_uint_eq(data()[1], 6);
    ck_assert_uint_eq(data()[2], 4);
    *ret_status = data()[5];
    return data()[4];
}

static struct memory_file *another_disc(void)
{
    struct memory_file *file = memory_file_new(500 * 2048);

    memset(file->data, 0x77, 500 * 2048);
    return file;
}

START_TEST(identify_packet_device)
{
    const struct driver_command packet_device = {.command = 0xa1, .size = 512};
    const struct driver_command device = {.command = 0xec, .size = 512};
    const uint8_t *fis = driver_ram(&d, driver_fis(PORT) + 0x40);
    uint8_t sum = 0;

    ck_assert_uint_eq(driver_run(&d, PORT, &packet_device), GOOD);
    ck_assert_uint_eq(pci_get16(data()), 0x85c0);
    for (unsigned i = 0; i < 512; i++)
        sum += data()[i];
    ck_assert_uint_eq(sum, 0);
    ck_assert_uint_eq(driver_run(&d, PORT, &device), 0x0451);
    ck_assert_uint_eq(fis[5] | fis[6] << 8, 0xeb14);
}
END_TEST

START_TEST(boot_sequence)
{
    ck_assert_uint_eq(PACKET(36, 0x12, 0, 0, 0, 36), GOOD);
    ck_assert_uint_eq(data()[0], 5);
    ck_assert_uint_eq(data()[1], 0x80);
    ck_assert_mem_eq(data() + 8, "vmdesk  DVD-ROM", 15);
    settle();
    ck_assert_uint_eq(PACKET(8, 0x25), GOOD);
    ck_assert_mem_eq(data(), "\0\0\3\347\0\0\10\0", 8);
    ck_assert_uint_eq(PACKET(4096, 0x28, 0, 0, 0, 0, 17, 0, 0, 2), GOOD);
    ck_assert_mem_eq(data(), disc->data + 17 * 2048, 4096);
    ck_assert_uint_eq(PACKET(2048, 0xa8, 0, 0, 0, 3, 0xe7, 0, 0, 0, 1), GOOD);
    ck_assert_mem_eq(data(), disc->data + 999 * 2048, 2048);
    ck_assert_uint_eq(PACKET(2048, 0xbe, 0, 0, 0, 0, 16, 0, 0, 1, 0x10), GOOD);
    ck_assert_mem_eq(data(), disc->data + 16 * 2048, 2048);
    ck_assert_uint_eq(PACKET(0, 0x2b, 0, 0, 0, 0, 16), GOOD);
    ck_assert_uint_eq(PACKET(0, 0xbb, 0, 0xff, 0xff), GOOD);
    ck_assert_uint_eq(PACKET(0, 0x28), GOOD); /* no blocks */
}
END_TEST

START_TEST(data_by_pio)
{
    static const uint8_t read[12] = {0x28, 0, 0, 0, 0, 4, 0, 0, 4};
    const struct driver_command command = {.command = 0xa0,
                                           .packet = read,
                                           .lba = 2048 << 8,
                                           .size = 8192};
    const uint8_t *setup_fis = driver_ram(&d, driver_fis(PORT) + 0x20);

    settle();
    port_write(&d, PORT, PX_IS, 0xffffffff);
    ck_assert_uint_eq(driver_run(&d, PORT, &command), GOOD);
    ck_assert_mem_eq(data(), disc->data + 4 * 2048, 8192);
    ck_assert_uint_eq(port_read(&d, PORT, PX_IS), IS_PSS | IS_DHRS);
    ck_assert_uint_eq(pci_get16(setup_fis + 16), 2048);
    ck_assert_uint_eq(driver_ram(&d, driver_fis(PORT) + 0x40)[12], 3);
}
END_TEST

START_TEST(what_the_disc_holds)
{
    settle();
    ck_assert_uint_eq(PACKET(20, 0x43, 0, 0, 0, 0, 0, 0, 0, 20), GOOD);
    ck_assert_mem_eq(data(), "\0\22\1\1\0\24\1\0\0\0\0\0\0\24\252\0\0\0\3\350", 20);
    ck_assert_uint_eq(PACKET(12, 0x43, 2, 0, 0, 0, 0, 0xaa, 0, 12), GOOD);
    ck_assert_mem_eq(data(), "\0\12\1\1\0\24\252\0\0\0\17\31", 12); /* 00:15:25 */
    ck_assert_uint_eq(PACKET(12, 0x43, 0, 1, 0, 0, 0, 0, 0, 12), GOOD);
    ck_assert_mem_eq(data(), "\0\12\1\1\0\24\1\0\0\0\0\0", 12);
    ck_assert_uint_eq(PACKET(34, 0x51, 0, 0, 0, 0, 0, 0, 0, 34), GOOD);
    ck_assert_mem_eq(data(), "\0\40\16\1\1\1\1\40", 8);
    ck_assert_uint_eq(PACKET(2052, 0xad, 0, 0, 0, 0, 0, 0, 0, 8, 4), CHECK(5)); /* no DVD */
}
END_TEST

START_TEST(what_the_drive_can_do)
{
    ck_assert_uint_eq(PACKET(128, 0x46, 0, 0, 0, 0, 0, 0, 0, 128), GOOD);
    ck_assert_uint_eq(data()[7], 0x08); /* CD-ROM */
    ck_assert_uint_eq(data()[3] + 4, 8 + 12 + 12 + 8 + 8 + 12 + 8 + 4);
    ck_assert_uint_eq(PACKET(128, 0x46, 1, 0, 0x1e, 0, 0, 0, 0, 128), GOOD);
    ck_assert_uint_eq(data()[3] + 4, 16); /* DVD reading is not current */
    ck_assert_uint_eq(PACKET(128, 0x46, 2, 0, 3, 0, 0, 0, 0, 128), GOOD);
    ck_assert_uint_eq(data()[3] + 4, 16);
    ck_assert_uint_eq(data()[9], 3);
    settle();
    ck_assert_uint_eq(PACKET(64, 0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 64), GOOD);
    ck_assert_uint_eq(data()[1], 26);
    ck_assert_uint_eq(data()[2], 0x01);
    ck_assert_uint_eq(data()[8], 0x2a);
    ck_assert_uint_eq(data()[14], 0x29);
    ck_assert_uint_eq(PACKET(64, 0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 64), GOOD);
    ck_assert_uint_eq(data()[1], 38);
    ck_assert_uint_eq(PACKET(4, 0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 4), GOOD);
    ck_assert_uint_eq(data()[4], 0xcc); /* no more than allowed */
    ck_assert_uint_eq(PACKET(8, 0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8), GOOD);
    ck_assert_uint_eq(data()[1], 0);
}
END_TEST

START_TEST(a_large_disc_is_a_dvd)
{
    struct memory_file *large = memory_file_new(2048);
    GError *error = NULL;

    large->size = UINT64_C(400000) * 2048; /* never read: see below */
    ck_assert(ahci_change_cd(d.ahci, PORT, driver_image(&d, large, true), false, &error));
    large->size = 2048;
    while (test_unit_ready() != GOOD)
        ;
    ck_assert_uint_eq(PACKET(8, 0x46, 0, 0, 0, 0, 0, 0, 0, 8), GOOD);
    ck_assert_uint_eq(data()[7], 0x10);
    ck_assert_uint_eq(PACKET(2052, 0xad, 0, 0, 0, 0, 0, 0, 0, 8, 4), GOOD);
    ck_assert_uint_eq(data()[13] << 16 | data()[14] << 8 | data()[15], 0x30000 + 399999);
    /* What the file no longer has. */
    ck_assert_uint_eq(PACKET(2048, 0x28, 0, 0, 0, 0, 16, 0, 0, 1), CHECK(3));
    ck_assert_uint_eq(sense(), 0x031100);
    teardown();
    memory_file_free(large);
    setup();
}
END_TEST

START_TEST(refused_packets)
{
    static const struct {
        uint8_t cdb[12];
        uint32_t sense;
    } cases[] = {
        {{0xff}, 0x052000},
        {{0x2a}, 0x052000},
        {{0x12, 1, 0x80, 0, 36}, 0x052400},
        {{0x28, 0, 0, 0, 3, 0xe7, 0, 0, 2}, 0x052100},
        {{0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1}, 0x052100},
        {{0xa8, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, 0x052100},
        {{0xbe, 4, 0, 0, 0, 0, 0, 0, 1, 0x10}, 0x056400},
        {{0xbe, 0, 0, 0, 0, 0, 0, 0, 1, 0xf8}, 0x052400},
        {{0x43, 0, 5, 0, 0, 0, 0, 0, 20}, 0x052400},
        {{0x43, 0, 0, 0, 0, 0, 7, 0, 20}, 0x052400},
        {{0x46, 3, 0, 0, 0, 0, 0, 0, 20}, 0x052400},
        {{0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8}, 0x052400},
        {{0x5a, 0, 0xea, 0, 0, 0, 0, 0, 20}, 0x053900},
        {{0x5a, 0, 0x05, 0, 0, 0, 0, 0, 20}, 0x052400},
        {{0x51, 1, 0, 0, 0, 0, 0, 0, 20}, 0x052400},
        {{0x2b, 0, 0, 0, 3, 0xe8}, 0x052100},
    };

    settle();
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        ck_assert_uint_eq(packet(4096, cases[i].cdb), CHECK(5));
        ck_assert_uint_eq(sense(), cases[i].sense);
        ck_assert_uint_eq(sense(), 0);
    }
    ck_assert_uint_eq(PACKET(100, 0x28, 0, 0, 0, 0, 16, 0, 0, 1), 0x0451); /* no room */
}
END_TEST

START_TEST(a_packet_that_was_not_sent)
{
    const struct driver_command command = {.command = 0xa0, .features = 1};

    ck_assert_uint_eq(driver_run(&d, PORT, &command), 0x0451);
}
END_TEST

START_TEST(the_guest_opens_and_closes_the_tray)
{
    unsigned status;

    settle();
    ck_assert(ahci_cd_present(d.ahci, PORT));
    ck_assert_uint_eq(PACKET(0, 0x1e, 0, 0, 0, 1), GOOD);
    ck_assert(ahci_cd_locked(d.ahci, PORT));
    ck_assert_uint_eq(PACKET(0, 0x1b, 0, 0, 0, 2), CHECK(5));
    ck_assert_uint_eq(sense(), 0x055302);
    ck_assert_uint_eq(PACKET(0, 0x1e), GOOD);
    ck_assert_uint_eq(PACKET(0, 0x1b, 0, 0, 0, 2), GOOD);
    ck_assert(!ahci_cd_present(d.ahci, PORT));
    ck_assert_uint_eq(test_unit_ready(), CHECK(2));
    ck_assert_uint_eq(sense(), 0x023a02);
    ck_assert_uint_eq(media_event(&status), 3);
    ck_assert_uint_eq(status, 1);
    ck_assert_uint_eq(media_event(&status), 0);
    ck_assert_uint_eq(PACKET(0, 0x1b, 0, 0, 0, 3), GOOD);
    ck_assert_uint_eq(media_event(&status), 2);
    ck_assert_uint_eq(status, 2);
    ck_assert_uint_eq(test_unit_ready(), CHECK(6));
    ck_assert_uint_eq(sense(), 0x062800);
    ck_assert_uint_eq(test_unit_ready(), GOOD);
}
END_TEST

START_TEST(the_host_changes_the_disc)
{
    struct memory_file *other = another_disc();
    GError *error = NULL;
    unsigned status;

    settle();
    ck_assert(ahci_change_cd(d.ahci, PORT, driver_image(&d, other, true), false, &error));
    ck_assert_str_eq(disc->log->str, "sc");
    ck_assert_uint_eq(test_unit_ready(), CHECK(2));
    ck_assert_uint_eq(sense(), 0x023a01);
    ck_assert_uint_eq(test_unit_ready(), CHECK(6));
    ck_assert_uint_eq(sense(), 0x062800);
    ck_assert_uint_eq(test_unit_ready(), GOOD);
    ck_assert_uint_eq(media_event(&status), 2);
    ck_assert_uint_eq(PACKET(2048, 0x28, 0, 0, 0, 0, 0, 0, 0, 1), GOOD);
    ck_assert_uint_eq(data()[2047], 0x77);
    ck_assert(ahci_change_cd(d.ahci, PORT, NULL, false, &error));
    ck_assert_uint_eq(test_unit_ready(), CHECK(2));
    ck_assert_uint_eq(media_event(&status), 3);
    ck_assert_uint_eq(status, 0);
    ck_assert(!ahci_cd_present(d.ahci, PORT));
    teardown();
    memory_file_free(other);
    setup();
}
END_TEST

START_TEST(a_locked_tray_refuses_unless_forced)
{
    struct memory_file *other = another_disc();
    struct image *image = driver_image(&d, other, true);
    GError *error = NULL;
    unsigned status;

    settle();
    ck_assert_uint_eq(PACKET(0, 0x1e, 0, 0, 0, 1), GOOD);
    ck_assert(!ahci_change_cd(d.ahci, PORT, image, false, &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_BUSY));
    g_clear_error(&error);
    ck_assert_uint_eq(media_event(&status), 1); /* the guest is asked for it */
    ck_assert_uint_eq(test_unit_ready(), GOOD);
    ck_assert(ahci_change_cd(d.ahci, PORT, image, true, &error));
    ck_assert(!ahci_cd_locked(d.ahci, PORT));
    ck_assert(!ahci_change_cd(d.ahci, 0, NULL, true, &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_NOT_FOUND));
    g_clear_error(&error);
    ck_assert(!ahci_change_cd(d.ahci, AHCI_PORTS, NULL, true, &error));
    g_clear_error(&error);
    teardown();
    memory_file_free(other);
    setup();
}
END_TEST

START_TEST(changing_the_disc_while_it_is_read)
{
    static const uint8_t read[12] = {0x28, 0, 0, 0, 0, 4, 0, 0, 4};
    const struct driver_command command = {.command = 0xa0,
                                           .features = 1,
                                           .packet = read,
                                           .size = 8192};
    GError *error = NULL;

    settle();
    memory_file_hold(disc);
    driver_issue(&d, PORT, 0, &command);
    ck_assert(ahci_change_cd(d.ahci, PORT, NULL, false, &error)); /* does not wait */
    memory_file_release(disc);
    ck_assert(driver_wait(&d, PORT, PX_CI, 1, 0));
    ck_assert_uint_eq(port_read(&d, PORT, PX_TFD), GOOD);
    ck_assert_mem_eq(data(), disc->data + 4 * 2048, 8192);
    ck_assert_str_eq(disc->log->str, "src");
}
END_TEST

START_TEST(an_empty_drive)
{
    driver_add_cd(&d, 4, 0);
    driver_start(&d, 4);
    ck_assert_uint_eq(driver_packet(&d, 4, (const uint8_t[12]){0}, 0), CHECK(6));
    ck_assert_uint_eq(driver_packet(&d, 4, (const uint8_t[12]){0}, 0), CHECK(2));
    ck_assert_uint_eq(driver_packet(&d, 4, (const uint8_t[12]){0x25}, 8), CHECK(2));
    ck_assert_uint_eq(driver_packet(&d, 4, (const uint8_t[12]){0x28, [8] = 1}, 2048), CHECK(2));
    ck_assert_uint_eq(driver_packet(&d, 4, (const uint8_t[12]){0x46, [8] = 64}, 64), GOOD);
    ck_assert_uint_eq(data()[7], 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        identify_packet_device,
        boot_sequence,
        data_by_pio,
        what_the_disc_holds,
        what_the_drive_can_do,
        a_large_disc_is_a_dvd,
        refused_packets,
        a_packet_that_was_not_sent,
        the_guest_opens_and_closes_the_tray,
        the_host_changes_the_disc,
        a_locked_tray_refuses_unless_forced,
        changing_the_disc_while_it_is_read,
        an_empty_drive,
    };
    Suite *suite = suite_create("atapi");
    TCase *tc = tcase_create("atapi");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 30);
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
        tcase_add_test(tc, tests[i]);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
