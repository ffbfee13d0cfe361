/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Passed-through devices, by a stock libusb, against the scripted device: run by fuse_usbfs or
 * umockdev_usbfs. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "tests/suite.h"
#include "tests/usb/host_fixture.h"
#include "usb/host/list.h"

#define MEBIBYTE (1024 * 1024)
#define IN_FLIGHT 64

START_TEST(test_list)
{
    g_autoptr(GPtrArray) devices = usb_host_list(&(struct usb_host_paths){NULL}, NULL);
    struct usb_host_device *host;

    ck_assert_ptr_nonnull(devices);
    ck_assert_uint_eq(devices->len, 1);
    host = usb_host_list_find(devices, "1234:0001:SN%20001", NULL);
    ck_assert_ptr_nonnull(host);
    ck_assert_str_eq(host->port, "1-2");
    ck_assert_str_eq(host->driver, "usb-storage");
    ck_assert_str_eq(host->speed, "480 Mbit/s");
    ck_assert(host->storage && !host->hub && !host->keyboard && !host->mouse);
}
END_TEST

START_TEST(test_driver_is_taken_and_given_back)
{
    struct usb_device *device;

    ck_assert_int_eq(script_state("drivers"), 1);
    device = open_device();
    ck_assert_int_eq(script_state("drivers"), 0);
    ck_assert_int_eq(script_state("claimed"), 7);
    ck_assert_uint_eq(device->speeds, USB_SPEED_BIT(USB_SPEED_HIGH));
    close_device();
    ck_assert_int_eq(script_state("drivers"), 1);
    ck_assert_int_eq(script_state("claimed"), 0);
}
END_TEST

START_TEST(test_another_program_has_it)
{
    script("hold");
    ck_assert_ptr_null(try_open_device());
    ck_assert(g_error_matches(open_error(), VMDESK_ERROR, VMDESK_ERROR_BUSY));
    ck_assert_ptr_nonnull(strstr(open_error()->message, "Another program uses"));
    close_device();
    script("free");
    open_device();
    close_device();
}
END_TEST

START_TEST(test_control)
{
    uint8_t data[256];
    uint32_t actual;

    open_device();
    ck_assert_int_eq(control(0x80, 6, 0x0100, 0, data, 64, &actual), USB_OK);
    ck_assert_uint_eq(actual, 18);
    ck_assert_uint_eq(data[8] | data[9] << 8, 0x1234);
    ck_assert_int_eq(control(0xc0, 1, 0, 0, data, sizeof(data), &actual), USB_OK);
    ck_assert_uint_eq(actual, sizeof(data));
    for (unsigned i = 0; i < sizeof(data); i++)
        ck_assert_uint_eq(data[i], i);
    /* A stall is for this request only. */
    ck_assert_int_eq(control(0xc0, 0x77, 0, 0, data, 8, &actual), USB_STALL);
    ck_assert_int_eq(control(0x80, 6, 0x0303, 0x0409, data, 255, &actual), USB_OK);
    ck_assert_uint_eq(actual, 2 + 2 * strlen("SN 001"));
    close_device();
}
END_TEST

/* More is asked for than libusb can fetch. */
START_TEST(test_longest_control)
{
    g_autofree uint8_t *data = g_malloc(UINT16_MAX);
    uint32_t actual;

    open_device();
    ck_assert_int_eq(control(0x80, 6, 0x0200, 0, data, UINT16_MAX, &actual), USB_OK);
    ck_assert_uint_eq(actual, 78);
    ck_assert_int_eq(control(0x80, 6, 0x0201, 0, data, UINT16_MAX, &actual), USB_OK);
    ck_assert_uint_eq(actual, 44 + 16 * 255);
    ck_assert_uint_eq(data[2] | data[3] << 8, actual);
    ck_assert_uint_eq(data[44 + 15 * 255], 255);
    ck_assert_int_eq(control(0x80, 6, 0x0201, 0, data, 4100, &actual), USB_OK);
    ck_assert_uint_eq(actual, 4100);
    ck_assert_int_eq(control(0x80, 6, 0x0302, 0x0409, data, UINT16_MAX, &actual), USB_OK);
    /* It has this many; then one that could not be told from a longer answer. */
    ck_assert_int_eq(control(0xc0, 1, 0, 0, data, 4096, &actual), USB_OK);
    ck_assert_uint_eq(actual, 4096);
    ck_assert_int_eq(control(0xc0, 1, 0, 0, data, UINT16_MAX, &actual), USB_ERROR);
    ck_assert_int_eq(control(0x40, 1, 0, 0, data, 4097, &actual), USB_ERROR);
    ck_assert_int_eq(control(0x80, 6, 0x0207, 0, data, UINT16_MAX, &actual), USB_STALL);
    close_device();
}
END_TEST

START_TEST(test_disk)
{
    uint8_t reply[255];
    uint32_t actual;

    open_device();
    actual = disk_command((uint8_t[16]){0x12, 0, 0, 0, 255}, true, reply, sizeof(reply), 1);
    ck_assert_uint_eq(actual, 36); /* a short packet */
    ck_assert_int_eq(memcmp(reply + 8, "vmdesk  ", 8), 0);
    actual = disk_command((uint8_t[16]){0x25}, true, reply, 8, 1);
    ck_assert_uint_eq(actual, 8);
    ck_assert_uint_eq(reply[6] << 8 | reply[7], 512);
    close_device();
}
END_TEST

START_TEST(test_disk_mebibyte)
{
    g_autofree uint8_t *written = g_malloc(MEBIBYTE), *read = g_malloc0(MEBIBYTE);

    for (unsigned i = 0; i < MEBIBYTE; i++)
        written[i] = i * 31 + i / 509;
    open_device();
    for (unsigned parts = 1; parts <= 64; parts *= 8) {
        written[parts] ^= 0xff;
        memset(read, 0, MEBIBYTE);
        disk_command((uint8_t[16]){0x2a, 0, 0, 0, 1, 0, 0, 0x08, 0}, false, written, MEBIBYTE,
                     parts);
        ck_assert_uint_eq(disk_command((uint8_t[16]){0x28, 0, 0, 0, 1, 0, 0, 0x08, 0}, true, read,
                                       MEBIBYTE, parts),
                          MEBIBYTE);
        ck_assert_int_eq(memcmp(read, written, MEBIBYTE), 0);
    }
    close_device();
}
END_TEST

START_TEST(test_halt_is_cleared)
{
    uint8_t endpoint = 0x81, data[512];
    uint32_t actual;

    open_device();
    ck_assert_int_eq(control(0x40, 1, 0, 0, &endpoint, 1, &actual), USB_OK);
    ck_assert_int_eq(transfer(0x81, data, sizeof(data), 1, &actual), USB_STALL);
    ck_assert_int_eq(control(0x02, 1, 0, 0x81, NULL, 0, &actual), USB_OK);
    disk_command((uint8_t[16]){0x00}, true, data, 0, 1);
    close_device();
}
END_TEST

START_TEST(test_interrupt)
{
    uint8_t report[8] = {0};
    struct call call;

    open_device();
    ck_assert_int_eq(call_start(&call, 0x83, report, sizeof(report), 1), USB_SUBMIT_PENDING);
    script("key 42");
    ck_assert_int_eq(call_wait(&call), USB_OK);
    ck_assert_uint_eq(call.request.actual, 8);
    ck_assert_uint_eq(report[7], 42);
    close_device();
}
END_TEST

START_TEST(test_isochronous)
{
    uint8_t data[8][64];
    struct call calls[8];
    uint32_t actual;

    open_device();
    ck_assert_int_eq(transfer(0x84, data[0], 64, 1, &actual), USB_ERROR);
    ck_assert_int_eq(control(0x01, 11, 1, 2, NULL, 0, &actual), USB_OK);
    ck_assert_int_eq(script_state("setting"), 1);
    for (unsigned i = 0; i < 8; i++)
        call_start(&calls[i], 0x84, data[i], 64, 1);
    for (unsigned i = 0; i < 8; i++) {
        ck_assert_int_eq(call_wait(&calls[i]), USB_OK);
        ck_assert_uint_eq(calls[i].request.actual, 48);
        ck_assert_uint_eq(data[i][47], (uint8_t)(data[0][0] + i));
    }
    ck_assert_int_eq(control(0x01, 11, 5, 2, NULL, 0, &actual), USB_STALL);
    ck_assert_int_eq(control(0x01, 11, 0, 2, NULL, 0, &actual), USB_OK);
    ck_assert_int_eq(transfer(0x84, data[0], 64, 1, &actual), USB_ERROR);
    close_device();
}
END_TEST

START_TEST(test_configurations)
{
    uint8_t data[8];
    uint32_t actual;

    open_device();
    ck_assert_int_eq(control(0x00, 9, 2, 0, NULL, 0, &actual), USB_OK);
    ck_assert_int_eq(script_state("configuration"), 2);
    ck_assert_int_eq(script_state("claimed"), 1);
    ck_assert_int_eq(transfer(0x83, data, sizeof(data), 1, &actual), USB_ERROR);
    disk_command((uint8_t[16]){0x00}, true, data, 0, 1);
    ck_assert_int_eq(control(0x00, 9, 7, 0, NULL, 0, &actual), USB_STALL);
    ck_assert_int_eq(control(0x00, 9, 0, 0, NULL, 0, &actual), USB_OK);
    ck_assert_int_eq(script_state("configuration"), 0);
    /* The host gets it back as it was. */
    close_device();
    ck_assert_int_eq(script_state("configuration"), 1);
    ck_assert_int_eq(script_state("drivers"), 1);
}
END_TEST

/* Which have an order of their own. */
START_TEST(test_streams)
{
    struct usb_device *device = open_device();
    uint8_t in[3][64] = {{0}}, out[3] = {0, 0x11, 0x22};
    struct call calls[3], written;
    uint32_t actual;

    ck_assert(!usb_device_set_streams(device, 0x83, 4)); /* no bulk endpoint */
    ck_assert_int_eq(control(0x00, 9, 2, 0, NULL, 0, &actual), USB_OK);
    ck_assert(usb_device_set_streams(device, 0x81, 255)); /* as many as it has */
    ck_assert(usb_device_set_streams(device, 0x02, 4));
    for (unsigned i = 1; i <= 2; i++)
        ck_assert_int_eq(call_start_stream(&calls[i], 0x81, i, in[i], sizeof(in[i])),
                         USB_SUBMIT_PENDING);
    for (unsigned i = 2; i >= 1; i--) {
        ck_assert_int_eq(call_start_stream(&written, 0x02, i, &out[i], 1), USB_SUBMIT_PENDING);
        ck_assert_int_eq(call_wait(&written), USB_OK);
        ck_assert_int_eq(call_wait(&calls[i]), USB_OK);
        ck_assert_uint_eq(calls[i].request.actual, sizeof(in[i]));
        ck_assert_uint_eq(in[i][63], out[i]);
    }
    ck_assert_int_eq(script_state("in_streams"), 16);
    ck_assert_int_eq(script_state("out_streams"), 4);
    if (call_start_stream(&written, 0x02, 5, out, 1) == USB_SUBMIT_PENDING)
        call_wait(&written);
    ck_assert_int_eq(written.request.status, USB_ERROR);
    ck_assert(usb_device_set_streams(device, 0x81, 0));
    ck_assert(usb_device_set_streams(device, 0x02, 0));
    ck_assert_int_eq(control(0x00, 9, 1, 0, NULL, 0, &actual), USB_OK); /* comes after them */
    ck_assert_int_eq(script_state("in_streams"), 0);
    ck_assert_int_eq(script_state("out_streams"), 0);
    close_device();
}
END_TEST

START_TEST(test_resets)
{
    struct usb_device *device = open_device();
    int before = script_state("resets");
    uint8_t data[18];
    uint32_t actual;

    usb_device_reset(device);
    usb_device_reset(device);
    ck_assert_int_eq(control(0x80, 6, 0x0100, 0, data, 18, &actual), USB_OK);
    ck_assert_int_eq(script_state("resets"), before + 1);
    usb_device_reset(device);
    usb_device_reset(device);
    ck_assert_int_eq(control(0x80, 6, 0x0100, 0, data, 18, &actual), USB_OK);
    ck_assert_int_eq(script_state("resets"), before + 2);
    close_device();
}
END_TEST

START_TEST(test_many_are_cancelled)
{
    static uint8_t data[IN_FLIGHT][8];
    static struct call calls[IN_FLIGHT];
    struct usb_device *device = open_device();

    for (unsigned i = 0; i < IN_FLIGHT; i++)
        ck_assert_int_eq(call_start(&calls[i], 0x83, data[i], 8, 1), USB_SUBMIT_PENDING);
    ck_assert_int_eq(script_state("flying"), IN_FLIGHT);
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        if (usb_device_cancel(device, &calls[i].request))
            calls[i].done = true;
    }
    for (unsigned i = 0; i < IN_FLIGHT; i++)
        ck_assert_int_eq(call_wait(&calls[i]), USB_CANCELLED);
    ck_assert_int_eq(script_state("flying"), 0);
    close_device();
}
END_TEST

/* The kernel takes 16 MiB: the rest waits for its turn, and can be cancelled too. */
START_TEST(test_more_than_the_kernel_takes)
{
    enum { COUNT = 24 };
    g_autofree uint8_t *data = g_malloc0((size_t)COUNT * MEBIBYTE);
    static struct call calls[COUNT];
    struct usb_device *device = open_device();
    unsigned at_once = 0;

    script("mute");
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert_int_eq(call_start(&calls[i], 0x81, data + i * MEBIBYTE, MEBIBYTE, 1),
                         USB_SUBMIT_PENDING);
    for (unsigned i = COUNT; i-- > 0;) {
        if (usb_device_cancel(device, &calls[i].request)) {
            calls[i].done = true;
            at_once++;
        }
    }
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert_int_eq(call_wait(&calls[i]), USB_CANCELLED);
    ck_assert_uint_ge(at_once, COUNT - 16);
    script("unmute");
    disk_command((uint8_t[16]){0x00}, true, data, 0, 1);
    close_device();
}
END_TEST

/* As above, and they end by themselves: those that wait follow. */
START_TEST(test_waiting_ones_follow)
{
    enum { COUNT = 40 };
    g_autofree uint8_t *data = g_malloc0((size_t)COUNT * MEBIBYTE);
    static struct call calls[COUNT];

    open_device();
    script("delay 20");
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert_int_eq(call_start(&calls[i], 0x02, data + i * MEBIBYTE, MEBIBYTE, 1),
                         USB_SUBMIT_PENDING);
    /* No command block is that long: the first halts the endpoint, and all others see it. */
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert_int_eq(call_wait(&calls[i]), USB_STALL);
    script("delay 0");
    close_device();
}
END_TEST

/* A command block of the disk, whose data and status the caller moves. */
static void begin_disk_read(uint8_t sectors_high, uint32_t size)
{
    uint8_t block[31] = {0x55, 0x53, 0x42, 0x43, 1, 2, 3, 4, 0, 0, size >> 16, 0, 0x80, 0, 16};
    uint32_t actual;

    block[15] = 0x28;
    block[22] = sectors_high;
    ck_assert_int_eq(transfer(0x02, block, sizeof(block), 1, &actual), USB_OK);
}

/* One transfer is more than the kernel takes for all. */
START_TEST(test_pieces)
{
    enum { SIZE = 4 * MEBIBYTE };
    g_autofree uint8_t *written = g_malloc(SIZE), *read = g_malloc0(SIZE);
    uint8_t report[8];
    struct call key;

    for (unsigned i = 0; i < SIZE; i++)
        written[i] = i * 31 + i / 509;
    open_device();
    call_start(&key, 0x83, report, sizeof(report), 1);
    for (unsigned kib = 64; kib <= 3072; kib = kib * 2 + 77) {
        g_autofree char *line = g_strdup_printf("memory %u", kib + 1);
        unsigned parts = kib % 3 == 0 ? 1 : 17;

        script(line);
        written[kib] ^= 0xff;
        memset(read, 0, SIZE);
        disk_command((uint8_t[16]){0x2a, 0, 0, 0, 1, 0, 0, 0x20, 0}, false, written, SIZE, parts);
        ck_assert_uint_eq(disk_command((uint8_t[16]){0x28, 0, 0, 0, 1, 0, 0, 0x20, 0}, true, read,
                                       SIZE, parts),
                          SIZE);
        ck_assert_int_eq(memcmp(read, written, SIZE), 0);
    }
    script("key 7");
    ck_assert_int_eq(call_wait(&key), USB_OK);
    script("memory 16384");
    close_device();
}
END_TEST

START_TEST(test_pieces_of_a_short_answer)
{
    g_autofree uint8_t *data = g_malloc(4 * MEBIBYTE);

    open_device();
    script("memory 1024");
    ck_assert_uint_eq(disk_command((uint8_t[16]){0x12, 0, 0, 0, 255}, true, data, 4 * MEBIBYTE, 1),
                      36);
    /* Two pieces, and a sector of the third. */
    ck_assert_uint_eq(disk_command((uint8_t[16]){0x28, 0, 0, 0, 0, 0, 0, 0x10, 1}, true, data,
                                   4 * MEBIBYTE, 7),
                      2 * MEBIBYTE + 512);
    script("memory 16384");
    close_device();
}
END_TEST

/* Another waits for its endpoint meanwhile; one of another endpoint does not. */
START_TEST(test_pieces_keep_the_order)
{
    enum { SIZE = 4 * MEBIBYTE };
    g_autofree uint8_t *data = g_malloc(SIZE);
    struct call read, status;
    uint8_t reply[13], byte;
    uint32_t actual;

    open_device();
    begin_disk_read(0x20, SIZE);
    script("memory 513");
    script("mute");
    ck_assert_int_eq(call_start(&read, 0x81, data, SIZE, 1), USB_SUBMIT_PENDING);
    ck_assert_int_eq(call_start(&status, 0x81, reply, sizeof(reply), 1), USB_SUBMIT_PENDING);
    ck_assert_int_eq(script_state("flying"), 1);
    ck_assert_int_eq(control(0x80, 8, 0, 0, &byte, 1, &actual), USB_OK);
    script("unmute");
    ck_assert_int_eq(call_wait(&read), USB_OK);
    ck_assert_uint_eq(read.request.actual, SIZE);
    ck_assert_int_eq(call_wait(&status), USB_OK);
    ck_assert_uint_eq(status.request.actual, sizeof(reply));
    ck_assert_int_eq(memcmp(reply, "USBS", 4), 0);
    script("memory 16384");
    close_device();
}
END_TEST

/* A read whose first piece, of a mebibyte, is under way, and one behind it. */
static void begin_pieces(uint8_t *data, struct call calls[2], unsigned parts)
{
    begin_disk_read(0x20, 4 * MEBIBYTE);
    script("memory 1025");
    script("mute");
    ck_assert_int_eq(call_start(&calls[0], 0x81, data, 4 * MEBIBYTE, parts), USB_SUBMIT_PENDING);
    ck_assert_int_eq(call_start(&calls[1], 0x81, data, 13, 1), USB_SUBMIT_PENDING);
}

static void cancel_pieces(struct usb_device *device, struct call calls[2])
{
    for (unsigned i = 2; i-- > 0;) {
        if (usb_device_cancel(device, &calls[i].request))
            calls[i].done = true;
        ck_assert_int_eq(call_wait(&calls[i]), USB_CANCELLED);
    }
    ck_assert_uint_eq(calls[1].request.actual, 0);
}

START_TEST(test_pieces_are_cancelled)
{
    g_autofree uint8_t *data = g_malloc(4 * MEBIBYTE);
    struct usb_device *device = open_device();
    struct call calls[2];

    begin_pieces(data, calls, 3);
    cancel_pieces(device, calls);
    ck_assert_uint_eq(calls[0].request.actual, 0);
    ck_assert_int_eq(script_state("flying"), 0);
    script("unmute");
    script("memory 16384");
    close_device();
}
END_TEST

/* There is no room for the next piece until something else has ended. */
START_TEST(test_pieces_stall)
{
    g_autofree uint8_t *data = g_malloc0(4 * MEBIBYTE);
    struct usb_device *device = open_device();
    struct call calls[2], key;
    uint8_t report[8];

    for (unsigned i = 0; i < 3; i++) {
        call_start(&key, 0x83, report, sizeof(report), 1);
        begin_pieces(data, calls, 1 + i);
        script("memory 1");
        script("unmute");
        while (script_state("flying") > 1)
            g_usleep(1000);
        if (i < 2) {
            script("memory 700");
            script("key 9");
            ck_assert_int_eq(call_wait(&calls[0]), USB_OK);
            ck_assert_uint_eq(calls[0].request.actual, 4 * MEBIBYTE);
            ck_assert_int_eq(call_wait(&calls[1]), USB_OK);
        } else {
            cancel_pieces(device, calls);
            ck_assert_uint_eq(calls[0].request.actual, MEBIBYTE);
            script("memory 16384");
            script("key 9");
        }
        ck_assert_int_eq(call_wait(&key), USB_OK);
    }
    close_device();
}
END_TEST

START_TEST(test_pieces_of_what_is_unplugged)
{
    g_autofree uint8_t *data = g_malloc(4 * MEBIBYTE);
    struct call calls[2];

    open_device();
    begin_pieces(data, calls, 1);
    script("unplug");
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(call_wait(&calls[i]), USB_NO_DEVICE);
    wait_until_gone();
    close_device();
    script("unmute");
    script("memory 16384");
    script("plug");
}
END_TEST

START_TEST(test_babble)
{
    uint8_t data[64];
    uint32_t actual;

    open_device();
    script("babble");
    ck_assert_int_eq(transfer(0x81, data, sizeof(data), 1, &actual), USB_BABBLE);
    ck_assert_uint_le(actual, sizeof(data));
    close_device();
}
END_TEST

START_TEST(test_slow_device)
{
    uint8_t data[512];

    open_device();
    script("delay 30");
    for (unsigned i = 0; i < 8; i++)
        ck_assert_uint_eq(disk_command((uint8_t[16]){0x28, 0, 0, 0, 0, i, 0, 0, 1}, true, data, 512,
                                       1),
                          512);
    script("delay 0");
    close_device();
}
END_TEST

START_TEST(test_unplugged_in_mid_transfer)
{
    uint8_t data[16][512], one[8];
    struct call calls[16], late;
    uint32_t actual;

    open_device();
    script("mute");
    for (unsigned i = 0; i < 16; i++)
        ck_assert_int_eq(call_start(&calls[i], i & 1 ? 0x83 : 0x81, data[i], i & 1 ? 8 : 512, 1),
                         USB_SUBMIT_PENDING);
    script("unplug");
    for (unsigned i = 0; i < 16; i++)
        ck_assert_int_eq(call_wait(&calls[i]), USB_NO_DEVICE);
    wait_until_gone();
    ck_assert_int_eq(call_start(&late, 0x83, one, 8, 1), USB_SUBMIT_DONE);
    ck_assert_int_eq(late.request.status, USB_NO_DEVICE);
    ck_assert_int_eq(control(0x00, 9, 1, 0, NULL, 0, &actual), USB_NO_DEVICE);
    close_device();
    script("unmute");
    script("plug");
    open_device();
    disk_command((uint8_t[16]){0x00}, true, one, 0, 1);
    close_device();
}
END_TEST

/* Only the node says so, where it can. */
START_TEST(test_unplugged_idle)
{
    if (!script_state("hangs_up"))
        return;
    open_device();
    script("unplug");
    wait_until_gone();
    close_device();
    script("plug");
}
END_TEST

/* Between opening it and being told so; between telling and the first request. */
START_TEST(test_unplugged_early)
{
    if (!script_state("hangs_up"))
        return;
    begin_open_device();
    script("unplug");
    if (finish_open_device() != NULL)
        wait_until_gone();
    close_device();
    script("plug");
    begin_open_device();
    close_device(); /* nobody waits for it any more */
    ck_assert_int_eq(script_state("drivers"), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host");
    TCase *tests = tcase_create("device");

    if (!has_script()) {
        fputs("test_host: run by fuse_usbfs or umockdev_usbfs\n", stderr);
        return 77;
    }
    tcase_add_test(tests, test_list);
    tcase_add_test(tests, test_driver_is_taken_and_given_back);
    tcase_add_test(tests, test_another_program_has_it);
    tcase_add_test(tests, test_control);
    tcase_add_test(tests, test_longest_control);
    tcase_add_test(tests, test_disk);
    tcase_add_test(tests, test_disk_mebibyte);
    tcase_add_test(tests, test_halt_is_cleared);
    tcase_add_test(tests, test_interrupt);
    tcase_add_test(tests, test_isochronous);
    tcase_add_test(tests, test_configurations);
    tcase_add_test(tests, test_streams);
    tcase_add_test(tests, test_resets);
    tcase_add_test(tests, test_many_are_cancelled);
    tcase_add_test(tests, test_more_than_the_kernel_takes);
    tcase_add_test(tests, test_waiting_ones_follow);
    tcase_add_test(tests, test_pieces);
    tcase_add_test(tests, test_pieces_of_a_short_answer);
    tcase_add_test(tests, test_pieces_keep_the_order);
    tcase_add_test(tests, test_pieces_are_cancelled);
    tcase_add_test(tests, test_pieces_stall);
    tcase_add_test(tests, test_pieces_of_what_is_unplugged);
    tcase_add_test(tests, test_babble);
    tcase_add_test(tests, test_slow_device);
    tcase_add_test(tests, test_unplugged_in_mid_transfer);
    tcase_add_test(tests, test_unplugged_idle);
    tcase_add_test(tests, test_unplugged_early);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
