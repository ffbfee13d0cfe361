/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bulk-only transport and its thirteen cases, and the SCSI disk behind it. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "tests/fakes/usb_disk.h"
#include "tests/suite.h"

#define SIZE (2 * 1024 * 1024)
#define BLOCKS (SIZE / 512)
#define HIGH USB_SPEED_BIT(USB_SPEED_HIGH)

#define CDB(...) ((const uint8_t[16]){__VA_ARGS__})
#define IN true
#define OUT false

enum { PASSED, FAILED, PHASE_ERROR };

static struct usb_disk d;
static uint8_t data[SIZE], other[SIZE];

static void set_up_with(bool cd, bool removable, bool read_only)
{
    const struct usb_storage_options options = {.transports = USB_STORAGE_BULK_ONLY,
                                                .cd = cd,
                                                .removable = removable,
                                                .serial = "0123456789AB"};

    usb_disk_init(&d, SIZE, HIGH, &options, read_only);
    for (unsigned i = 0; i < SIZE; i++)
        d.file->data[i] = i / 512 * 7 + i;
    for (unsigned i = 0; i < SIZE; i++)
        other[i] = i * 13 + i / 1024;
    memset(data, 0xcc, sizeof(data));
    harness_configure(&d.h);
}

/* Past the unit attention of the reset. */
static void settle(void)
{
    ck_assert_int_eq(bot_command(&d, CDB(0), NULL, 0, OUT), FAILED);
    ck_assert_uint_eq(bot_sense(&d), 0x062900);
    ck_assert_int_eq(bot_command(&d, CDB(0), NULL, 0, OUT), PASSED);
}

static void set_up(void)
{
    set_up_with(false, false, false);
    settle();
}

static void set_up_stick(void)
{
    set_up_with(false, true, false);
    settle();
}

static void set_up_read_only(void)
{
    set_up_with(false, false, true);
    settle();
}

static void set_up_cd(void)
{
    set_up_with(true, false, true);
    settle();
}

static void finish(void)
{
    usb_disk_finish(&d);
}

START_TEST(what_firmware_does)
{
    uint8_t lun = 0xee;

    ck_assert_int_eq(harness_control(&d.h, 0xa1, 0xfe, 0, 0, &lun, 1, NULL), USB_OK);
    ck_assert_uint_eq(lun, 0);
    ck_assert_int_eq(bot_command(&d, CDB(0x12, 0, 0, 0, 36), data, 36, IN), PASSED);
    ck_assert_uint_eq(d.residue, 0);
    ck_assert_mem_eq(data, "\0\0\6\2\x5b\0\0\2vmdesk  USB Disk        ", 32);
    ck_assert_int_eq(bot_command(&d, CDB(0x25), data, 8, IN), PASSED);
    ck_assert_mem_eq(data, "\0\0\x0f\xff\0\0\2\0", 8);
    ck_assert_int_eq(bot_command(&d, CDB(0x28, 0, 0, 0, 0, 9, 0, 0, 3), data, 1536, IN), PASSED);
    ck_assert_mem_eq(data, d.file->data + 9 * 512, 1536);
    ck_assert_int_eq(bot_command(&d, CDB(0x2a, 0, 0, 0, 0, 20, 0, 0, 2), other, 1024, OUT), PASSED);
    ck_assert_mem_eq(d.file->data + 20 * 512, other, 1024);
}
END_TEST

/* 6.7: the host expects no data, data in or data out, and the device has less, as much or more. */
START_TEST(thirteen_cases)
{
    static const struct {
        unsigned number;
        uint8_t cdb[10];
        uint32_t length;
        bool to_host;
        int status;
        uint32_t residue;
    } cases[] = {
        {1, {0x00}, 0, OUT, PASSED, 0},
        {2, {0x28, 0, 0, 0, 0, 1, 0, 0, 1}, 0, OUT, PHASE_ERROR, 0},
        {3, {0x2a, 0, 0, 0, 0, 1, 0, 0, 1}, 0, OUT, PHASE_ERROR, 0},
        {4, {0x00}, 512, IN, PASSED, 512},
        {5, {0x28, 0, 0, 0, 0, 1, 0, 0, 1}, 1024, IN, PASSED, 512},
        {6, {0x28, 0, 0, 0, 0, 1, 0, 0, 2}, 1024, IN, PASSED, 0},
        {7, {0x28, 0, 0, 0, 0, 1, 0, 0, 2}, 512, IN, PHASE_ERROR, 512},
        {8, {0x2a, 0, 0, 0, 0, 1, 0, 0, 1}, 512, IN, PHASE_ERROR, 512},
        {9, {0x00}, 512, OUT, PASSED, 512},
        {10, {0x28, 0, 0, 0, 0, 1, 0, 0, 1}, 512, OUT, PHASE_ERROR, 512},
        {11, {0x2a, 0, 0, 0, 0, 1, 0, 0, 1}, 1024, OUT, PASSED, 512},
        {12, {0x2a, 0, 0, 0, 0, 1, 0, 0, 2}, 1024, OUT, PASSED, 0},
        {13, {0x2a, 0, 0, 0, 0, 1, 0, 0, 2}, 512, OUT, PHASE_ERROR, 512},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint8_t *disk = d.file->data + 512, was[1024];
        unsigned n = cases[i].number;

        memcpy(was, disk, sizeof(was));
        memset(data, 0x55, 1024);
        ck_assert_int_eq(bot_command(&d, cases[i].cdb, data, cases[i].length, cases[i].to_host),
                         cases[i].status);
        ck_assert_uint_eq(d.residue, cases[i].residue);
        if (n == 5) {
            ck_assert_mem_eq(data, disk, 512);
            for (unsigned k = 512; k < 1024; k++)
                ck_assert_uint_eq(data[k], 0);
        }
        if (n == 11 || n == 12)
            ck_assert_mem_eq(disk, data, n == 11 ? 512 : 1024);
        else
            ck_assert_mem_eq(disk, was, sizeof(was));
        ck_assert_int_eq(bot_command(&d, CDB(0), NULL, 0, OUT), PASSED);
    }
}
END_TEST

START_TEST(wrappers_that_are_not_valid)
{
    static const struct {
        unsigned size;
        uint8_t at, value;
    } cases[] = {{30, 0, 'U'}, {32, 0, 'U'}, {31, 0, 'X'}, {31, 13, 16},
                 {31, 14, 0},  {31, 14, 17}, {0, 0, 'U'}};

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint8_t cbw[32] = "USBC\1\2\3\4\0\0\0\0\0\0\6";
        uint8_t csw[13];

        cbw[cases[i].at] = cases[i].value;
        ck_assert_int_eq(harness_transfer(&d.h, DISK_OUT, cbw, cases[i].size, NULL), USB_STALL);
        ck_assert_int_eq(harness_transfer(&d.h, DISK_IN, csw, 13, NULL), USB_STALL);
        /* Nothing but a reset recovery helps. */
        harness_control(&d.h, 0x02, 1, 0, DISK_IN, NULL, 0, NULL);
        harness_control(&d.h, 0x02, 1, 0, DISK_OUT, NULL, 0, NULL);
        ck_assert_int_eq(bot_wrapper(&d, CDB(0), 0, OUT), USB_STALL);
        ck_assert_int_eq(harness_transfer(&d.h, DISK_IN, csw, 13, NULL), USB_STALL);
        bot_reset_recovery(&d);
        ck_assert_int_eq(bot_command(&d, CDB(0), NULL, 0, OUT), PASSED);
    }
}
END_TEST

START_TEST(more_data_than_announced)
{
    ck_assert_int_eq(bot_wrapper(&d, CDB(0x2a, 0, 0, 0, 0, 1, 0, 0, 1), 512, OUT), USB_OK);
    ck_assert_int_eq(harness_transfer(&d.h, DISK_OUT, other, 1024, NULL), USB_STALL);
    bot_reset_recovery(&d);
    ck_assert_int_eq(bot_command(&d, CDB(0), NULL, 0, OUT), PASSED);
}
END_TEST

START_TEST(a_reset_in_the_middle)
{
    ck_assert_int_eq(bot_wrapper(&d, CDB(0x28, 0, 0, 0, 0, 1, 0, 0, 2), 1024, IN), USB_OK);
    ck_assert_int_eq(harness_transfer(&d.h, DISK_IN, data, 512, NULL), USB_OK);
    bot_reset_recovery(&d);
    ck_assert_int_eq(bot_command(&d, CDB(0), NULL, 0, OUT), PASSED);
    ck_assert_int_eq(bot_wrapper(&d, CDB(0x28, 0, 0, 0, 0, 1, 0, 0, 2), 1024, IN), USB_OK);
    usb_device_reset(d.h.device);
    harness_configure(&d.h);
    settle();
}
END_TEST

/* A host that asks for everything before it sends its command. */
START_TEST(requests_that_wait)
{
    struct harness_request in, status, read_more;
    uint8_t csw[13], more[512];

    harness_prepare(&d.h, &in, DISK_IN, data, 1024, 3);
    harness_prepare(&d.h, &status, DISK_IN, csw, 13, 1);
    harness_prepare(&d.h, &read_more, DISK_IN, more, 512, 1);
    ck_assert(!harness_submit(&in));
    ck_assert(!harness_submit(&status));
    ck_assert(!harness_submit(&read_more));
    ck_assert_int_eq(bot_wrapper(&d, CDB(0x28, 0, 0, 0, 0, 7, 0, 0, 2), 1024, IN), USB_OK);
    harness_wait(&in);
    harness_wait(&status);
    ck_assert_mem_eq(data, d.file->data + 7 * 512, 1024);
    ck_assert_mem_eq(csw, "USBS", 4);
    ck_assert_uint_eq(csw[12], 0);
    ck_assert(!harness_settled(&read_more));
    ck_assert(usb_device_cancel(d.h.device, &read_more.request));
    /* The same for what needs no image. */
    harness_prepare(&d.h, &in, DISK_IN, data, 36, 1);
    harness_submit(&in);
    harness_prepare(&d.h, &status, DISK_IN, csw, 13, 1);
    harness_submit(&status);
    ck_assert_int_eq(bot_wrapper(&d, CDB(0x12, 0, 0, 0, 36), 36, IN), USB_OK);
    harness_wait(&status);
    ck_assert_int_eq(in.done, 1);
}
END_TEST

/* A guest may cut the data at any byte, in requests and in memory. */
START_TEST(data_in_pieces)
{
    static const uint32_t pieces[] = {0, 64 * 1024, 512, 100, 1000, 513, 4096, 70000};

    for (unsigned i = 0; i < G_N_ELEMENTS(pieces); i++) {
        d.piece = pieces[i];
        for (d.parts = 1; d.parts <= 7; d.parts += 2) {
            memset(data, 0xcc, SIZE);
            memset(d.file->data, i, SIZE);
            ck_assert_int_eq(bot_command(&d, CDB(0x2a, 0, 0, 0, 0, 3, 0, 0, 77), other, 77 * 512,
                                         OUT),
                             PASSED);
            ck_assert_mem_eq(d.file->data + 3 * 512, other, 77 * 512);
            ck_assert_uint_eq(d.file->data[3 * 512 - 1], i);
            ck_assert_uint_eq(d.file->data[80 * 512], i);
            ck_assert_int_eq(bot_command(&d, CDB(0x28, 0, 0, 0, 0, 3, 0, 0, 77), data, 77 * 512,
                                         IN),
                             PASSED);
            ck_assert_mem_eq(data, other, 77 * 512);
            ck_assert_uint_eq(data[77 * 512], 0xcc);
        }
    }
}
END_TEST

/* As a guest's memory is: many pages. */
START_TEST(memory_in_many_parts)
{
    static struct iovec iov[4096];
    struct harness_request r;

    for (unsigned i = 0; i < 4096; i++)
        iov[i] = (struct iovec){data + i * 512, 512};
    iov[0].iov_len = 500;
    iov[1].iov_base = data + 500;
    iov[1].iov_len = 524;
    ck_assert_int_eq(bot_wrapper(&d, CDB(0x28, 0, 0, 0, 0, 0, 0, 0x10, 0), SIZE, IN), USB_OK);
    harness_prepare(&d.h, &r, DISK_IN, data, SIZE, 1);
    r.request.iov = iov;
    r.request.iov_count = 4096;
    harness_submit(&r);
    harness_wait(&r);
    ck_assert_int_eq(r.request.status, USB_OK);
    ck_assert_mem_eq(data, d.file->data, SIZE);
    ck_assert_int_eq(bot_status(&d), PASSED);
}
END_TEST

START_TEST(reads_and_writes_of_all_lengths)
{
    static const uint8_t reads[][16] = {
        {0x08, 0, 0, 5, 2},
        {0x28, 0, 0, 0, 0, 5, 0, 0, 2},
        {0xa8, 0, 0, 0, 0, 5, 0, 0, 0, 2},
        {0x88, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 2},
    };
    static const uint8_t writes[][16] = {
        {0x0a, 0, 0, 5, 2},
        {0x2a, 8, 0, 0, 0, 5, 0, 0, 2}, /* FUA */
        {0xaa, 0, 0, 0, 0, 5, 0, 0, 0, 2},
        {0x8a, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 2},
        {0x2e, 0, 0, 0, 0, 5, 0, 0, 2},
        {0x8e, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 2},
    };
    static const unsigned flushes[] = {0, 1, 1, 1, 2, 3};

    for (unsigned i = 0; i < G_N_ELEMENTS(reads); i++) {
        memset(data, 0, 1024);
        ck_assert_int_eq(bot_command(&d, reads[i], data, 1024, IN), PASSED);
        ck_assert_mem_eq(data, d.file->data + 5 * 512, 1024);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(writes); i++) {
        memset(data, i, 1024);
        ck_assert_int_eq(bot_command(&d, writes[i], data, 1024, OUT), PASSED);
        ck_assert_mem_eq(data, d.file->data + 5 * 512, 1024);
        ck_assert_uint_eq(d.file->calls[FILE_FLUSH], flushes[i]);
    }
    ck_assert_int_eq(bot_command(&d, CDB(0x08, 0, 0, 0, 0), data, 256 * 512, IN), PASSED);
    ck_assert_mem_eq(data, d.file->data, 256 * 512);
    ck_assert_int_eq(bot_command(&d, CDB(0x28), NULL, 0, IN), PASSED); /* no blocks */
}
END_TEST

START_TEST(about_the_disk)
{
    ck_assert_int_eq(bot_command(&d, CDB(0x12, 1, 0, 0, 255), data, 10, IN), PASSED);
    ck_assert_mem_eq(data, "\0\0\0\6\0\x80\x83\xb0\xb1\xb2", 10);
    ck_assert_int_eq(bot_command(&d, CDB(0x12, 1, 0x80, 0, 255), data, 16, IN), PASSED);
    ck_assert_mem_eq(data,
                     "\0\x80\0\x0c"
                     "0123456789AB",
                     16);
    ck_assert_int_eq(bot_command(&d, CDB(0x12, 1, 0x83, 0, 255), data, 28, IN), PASSED);
    ck_assert_mem_eq(data, "\0\x83\0\x18\2\1\0\x14vmdesk  0123456789AB", 28);
    ck_assert_int_eq(bot_command(&d, CDB(0x12, 1, 0xb0, 0, 255), data, 64, IN), PASSED);
    ck_assert_mem_eq(data, "\0\xb0\0\x3c\1\0\0\0\0\0\xff\xff", 12);
    ck_assert_int_eq(bot_command(&d, CDB(0x12, 1, 0xb1, 0, 255), data, 64, IN), PASSED);
    ck_assert_uint_eq(data[5], 1);
    ck_assert_int_eq(bot_command(&d, CDB(0x12, 1, 0xb2, 0, 255), data, 8, IN), PASSED);
    ck_assert_mem_eq(data, "\0\xb2\0\4\0\x80\2\0", 8);
    ck_assert_int_eq(bot_command(&d, CDB(0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32), data, 32,
                                 IN),
                     PASSED);
    ck_assert_mem_eq(data, "\0\0\0\0\0\0\x0f\xff\0\0\2\0\0\0\x80\0", 16);
    ck_assert_int_eq(bot_command(&d, CDB(0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16), data, 16, IN), PASSED);
    ck_assert_mem_eq(data, "\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    ck_assert_int_eq(bot_command(&d, CDB(0x1a, 0, 0x3f, 0, 192), data, 56, IN), PASSED);
    ck_assert_mem_eq(data, "\x37\0\0\x08\0\0\x10\0\0\0\2\0\1\x0a", 14);
    ck_assert_mem_eq(data + 24, "\x08\x12\4", 3);
    ck_assert_int_eq(bot_command(&d, CDB(0x5a, 8, 8, 0, 0, 0, 0, 0, 192), data, 28, IN), PASSED);
    ck_assert_mem_eq(data, "\0\x1a\0\0\0\0\0\0\x08\x12\4", 11);
    ck_assert_int_eq(bot_command(&d, CDB(0x23, 0, 0, 0, 0, 0, 0, 0, 12), data, 12, IN), PASSED);
    ck_assert_mem_eq(data, "\0\0\0\x08\0\0\x10\0\2\0\2\0", 12);
    ck_assert_int_eq(bot_command(&d, CDB(0x2f, 0, 0, 0, 0, 0, 0, 0, 4), NULL, 0, OUT), PASSED);
    ck_assert_int_eq(bot_command(&d, CDB(0x35), NULL, 0, OUT), PASSED);
    ck_assert_int_eq(bot_command(&d, CDB(0x91), NULL, 0, OUT), PASSED);
    ck_assert_uint_eq(d.file->calls[FILE_FLUSH], 2);
    ck_assert_int_eq(bot_command(&d, CDB(0x1d, 4), NULL, 0, OUT), PASSED);
    ck_assert_int_eq(bot_command(&d, CDB(0x1b, 0, 0, 0, 1), NULL, 0, OUT), PASSED);
}
END_TEST

struct refusal {
    uint8_t cdb[16];
    uint32_t length;
    bool to_host;
    uint32_t sense;
};

static void expect_refusals(const struct refusal *refusals, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        ck_assert_int_eq(bot_command(&d, refusals[i].cdb, data, refusals[i].length,
                                     refusals[i].to_host),
                         FAILED);
        ck_assert_uint_eq(d.residue, refusals[i].length);
        ck_assert_uint_eq(bot_sense(&d), refusals[i].sense);
        ck_assert_uint_eq(bot_sense(&d), 0);
    }
}

START_TEST(refused_commands)
{
    static const struct refusal refusals[] = {
        {{0xff}, 0, OUT, 0x052000},
        {{0x43}, 12, IN, 0x052000}, /* a CD's */
        {{0x28, 0, 0, 0, 0x10, 0, 0, 0, 1}, 512, IN, 0x052100},
        {{0x28, 0, 0, 0, 0x0f, 0xff, 0, 0, 2}, 1024, IN, 0x052100},
        {{0x2a, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 512, OUT, 0x052100},
        {{0x88, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
         512,
         IN,
         0x052100},
        {{0x12, 0, 0x80, 0, 36}, 36, IN, 0x052400},
        {{0x12, 1, 0x84, 0, 36}, 36, IN, 0x052400},
        {{0x1a, 0, 0xc8, 0, 36}, 36, IN, 0x053900},
        {{0x1a, 0, 0x05, 0, 36}, 36, IN, 0x052400},
        {{0x9e, 0x11}, 32, IN, 0x052400},
        {{0x1e, 0, 0, 0, 1}, 0, OUT, 0x052400}, /* not removable */
        {{0x2f, 2, 0, 0, 0, 0, 0, 0, 1}, 512, OUT, 0x052400},
        {{0x2f, 0, 0, 0, 0x10, 0, 0, 0, 1}, 0, OUT, 0x052100},
        {{0x41, 0, 0, 0, 0, 0, 0, 0, 0}, 512, OUT, 0x052400},
        {{0x41, 8, 0, 0, 0, 0, 0, 0, 1}, 512, OUT, 0x052400},
        {{0x42, 0, 0, 0, 0, 0, 0, 0, 4}, 4, OUT, 0x051a00},
        {{0x42, 0, 0, 0, 0, 0, 0, 0x10, 0}, 4096, OUT, 0x051a00},
        {{0x15, 0, 0, 0, 12}, 12, OUT, 0x052400},
        {{0x1d}, 0, OUT, 0x052400},
        {{0xa0, 0, 3}, 0, OUT, 0x052400},
    };

    expect_refusals(refusals, G_N_ELEMENTS(refusals));
}
END_TEST

START_TEST(a_disk_that_is_read_only)
{
    static const struct refusal refusals[] = {
        {{0x2a, 0, 0, 0, 0, 0, 0, 0, 1}, 512, OUT, 0x072700},
        {{0x41, 0, 0, 0, 0, 0, 0, 0, 1}, 512, OUT, 0x072700},
        {{0x42, 0, 0, 0, 0, 0, 0, 0, 24}, 24, OUT, 0x072700},
    };

    expect_refusals(refusals, G_N_ELEMENTS(refusals));
    ck_assert_int_eq(bot_command(&d, CDB(0x1a, 0, 0x3f, 0, 4), data, 4, IN), PASSED);
    ck_assert_uint_eq(data[2], 0x80);
    ck_assert_int_eq(bot_command(&d, CDB(0x35), NULL, 0, OUT), PASSED);
}
END_TEST

START_TEST(another_unit)
{
    uint8_t cbw[31] = "USBC\1\2\3\4\x24\0\0\0\x80\1\6\x12\0\0\0\x24";

    d.tag = 0x04030201;
    harness_transfer(&d.h, DISK_OUT, cbw, 31, NULL);
    ck_assert_uint_eq(bot_data(&d, data, 36, IN), 36);
    ck_assert_int_eq(bot_status(&d), PASSED);
    ck_assert_uint_eq(data[0], 0x7f);
    cbw[15] = 0x25; /* READ CAPACITY */
    cbw[8] = 8;
    harness_transfer(&d.h, DISK_OUT, cbw, 31, NULL);
    ck_assert_uint_eq(bot_data(&d, data, 8, IN), 8);
    ck_assert_int_eq(bot_status(&d), FAILED);
    ck_assert_uint_eq(bot_sense(&d), 0x052500);
}
END_TEST

START_TEST(when_the_image_fails)
{
    d.file->fail_errno = EIO;
    d.file->fail_call[FILE_READ] = 1;
    ck_assert_int_eq(bot_command(&d, CDB(0x28, 0, 0, 0, 0, 5, 0, 0, 1), data, 512, IN), FAILED);
    ck_assert_uint_eq(d.residue, 512);
    ck_assert_uint_eq(bot_sense(&d), 0x031100);
    d.file->fail_call[FILE_WRITE] = 1;
    ck_assert_int_eq(bot_command(&d, CDB(0x2a, 0, 0, 0, 0, 5, 0, 0, 1), data, 512, OUT), FAILED);
    ck_assert_uint_eq(bot_sense(&d), 0x030c00);
    d.file->fail_errno = ENOSPC;
    d.file->fail_call[FILE_WRITE] = 2;
    ck_assert_int_eq(bot_command(&d, CDB(0x2a, 0, 0, 0, 0, 5, 0, 0, 1), data, 512, OUT), FAILED);
    ck_assert_uint_eq(bot_sense(&d), 0x072707);
    d.file->fail_errno = EIO;
    d.file->fail_call[FILE_FLUSH] = 1;
    ck_assert_int_eq(bot_command(&d, CDB(0x35), NULL, 0, OUT), FAILED);
    ck_assert_uint_eq(bot_sense(&d), 0x030c00);
    /* In the middle of the data. */
    d.piece = 512;
    d.file->fail_call[FILE_READ] = d.file->calls[FILE_READ] + 2;
    ck_assert_int_eq(bot_command(&d, CDB(0x28, 0, 0, 0, 0, 5, 0, 0, 4), data, 2048, IN), FAILED);
    ck_assert_uint_eq(d.residue, 1536);
    ck_assert_uint_eq(bot_sense(&d), 0x031100);
    ck_assert_int_eq(bot_command(&d, CDB(0), NULL, 0, OUT), PASSED);
}
END_TEST

START_TEST(unmap_and_write_same)
{
    uint8_t list[8 + 32] = {0, 38, 0, 32};

    list[8 + 7] = 10;
    list[8 + 11] = 2;
    list[24 + 7] = 20;
    list[24 + 11] = 1;
    ck_assert_int_eq(bot_command(&d, CDB(0x42, 0, 0, 0, 0, 0, 0, 0, 40), list, 40, OUT), PASSED);
    ck_assert_uint_eq(d.file->calls[FILE_DISCARD], 2);
    for (unsigned i = 0; i < 1024; i++)
        ck_assert_uint_eq(d.file->data[10 * 512 + i], 0);
    ck_assert_uint_ne(d.file->data[12 * 512 + 1], 0);
    ck_assert_uint_eq(d.file->data[20 * 512 + 1], 0);
    /* All or nothing. */
    list[24 + 5] = 0xff;
    ck_assert_int_eq(bot_command(&d, CDB(0x42, 0, 0, 0, 0, 0, 0, 0, 40), list, 40, OUT), FAILED);
    ck_assert_uint_eq(bot_sense(&d), 0x052100);
    ck_assert_uint_eq(d.file->calls[FILE_DISCARD], 2);
    list[3] = 33;
    ck_assert_int_eq(bot_command(&d, CDB(0x42, 0, 0, 0, 0, 0, 0, 0, 40), list, 40, OUT), FAILED);
    ck_assert_uint_eq(bot_sense(&d), 0x051a00);
    ck_assert_int_eq(bot_command(&d, CDB(0x42), NULL, 0, OUT), PASSED);

    ck_assert_int_eq(bot_command(&d, CDB(0x41, 0, 0, 0, 1, 0, 0, 1, 0x2c), other, 512, OUT),
                     PASSED);
    for (unsigned i = 0; i < 300; i++)
        ck_assert_mem_eq(d.file->data + (256 + i) * 512, other, 512);
    ck_assert_mem_ne(d.file->data + 556 * 512, other, 512);
    /* Zeros, without data. */
    ck_assert_int_eq(bot_command(&d, CDB(0x93, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2), NULL, 0,
                                 OUT),
                     PASSED);
    ck_assert_uint_eq(d.file->data[256 * 512 + 9], 0);
    ck_assert_uint_eq(d.file->data[257 * 512 + 511], 0);
    ck_assert_mem_eq(d.file->data + 258 * 512, other, 512);
}
END_TEST

START_TEST(the_write_cache)
{
    uint8_t page[24] = {0};

    ck_assert_int_eq(bot_command(&d, CDB(0x1a, 8, 0x48, 0, 24), data, 24, IN), PASSED);
    ck_assert_uint_eq(data[6], 4); /* can be changed */
    page[4] = 0x08;
    page[5] = 0x12;
    ck_assert_int_eq(bot_command(&d, CDB(0x15, 0x10, 0, 0, 24), page, 24, OUT), PASSED);
    ck_assert_uint_eq(d.file->calls[FILE_FLUSH], 1);
    ck_assert_int_eq(bot_command(&d, CDB(0x2a, 0, 0, 0, 0, 5, 0, 0, 1), data, 512, OUT), PASSED);
    ck_assert_uint_eq(d.file->calls[FILE_FLUSH], 2);
    ck_assert_int_eq(bot_command(&d, CDB(0x1a, 8, 8, 0, 24), data, 24, IN), PASSED);
    ck_assert_uint_eq(data[6], 0);
    page[8] = 1; /* something that cannot be changed */
    page[6] = 4;
    ck_assert_int_eq(bot_command(&d, CDB(0x15, 0x10, 0, 0, 24), page, 24, OUT), FAILED);
    ck_assert_uint_eq(bot_sense(&d), 0x052600);
    page[8] = 0;
    ck_assert_int_eq(bot_command(&d, CDB(0x15, 0x10, 0, 0, 20), page, 20, OUT), FAILED);
    ck_assert_uint_eq(bot_sense(&d), 0x052600);
    ck_assert_int_eq(bot_command(&d, CDB(0x15, 0x10, 0, 0, 24), page, 24, OUT), PASSED);
    ck_assert_int_eq(bot_command(&d, CDB(0x2a, 0, 0, 0, 0, 5, 0, 0, 1), data, 512, OUT), PASSED);
    ck_assert_uint_eq(d.file->calls[FILE_FLUSH], 2);
}
END_TEST

START_TEST(a_stick_is_ejected)
{
    ck_assert_int_eq(bot_command(&d, CDB(0x12, 0, 0, 0, 36), data, 36, IN), PASSED);
    ck_assert_uint_eq(data[1], 0x80);
    ck_assert_int_eq(bot_command(&d, CDB(0x1e, 0, 0, 0, 1), NULL, 0, OUT), PASSED);
    ck_assert_int_eq(bot_command(&d, CDB(0x1b, 0, 0, 0, 2), NULL, 0, OUT), FAILED);
    ck_assert_uint_eq(bot_sense(&d), 0x055302);
    ck_assert_int_eq(bot_command(&d, CDB(0x1e), NULL, 0, OUT), PASSED);
    ck_assert_int_eq(bot_command(&d, CDB(0x1b, 0, 0, 0, 2), NULL, 0, OUT), PASSED);
    ck_assert_int_eq(bot_command(&d, CDB(0), NULL, 0, OUT), FAILED);
    ck_assert_uint_eq(bot_sense(&d), 0x023a00);
    ck_assert_int_eq(bot_command(&d, CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 1), data, 512, IN), FAILED);
    ck_assert_int_eq(bot_command(&d, CDB(0x1b, 0, 0, 0, 3), NULL, 0, OUT), PASSED);
    ck_assert_int_eq(bot_command(&d, CDB(0), NULL, 0, OUT), FAILED);
    ck_assert_uint_eq(bot_sense(&d), 0x062800);
    ck_assert_int_eq(bot_command(&d, CDB(0), NULL, 0, OUT), PASSED);
}
END_TEST

START_TEST(a_cd)
{
    ck_assert_int_eq(bot_command(&d, CDB(0x12, 0, 0, 0, 36), data, 36, IN), PASSED);
    ck_assert_uint_eq(data[0], 5);
    ck_assert_int_eq(bot_command(&d, CDB(0x25), data, 8, IN), PASSED);
    ck_assert_mem_eq(data, "\0\0\3\xff\0\0\x08\0", 8);
    ck_assert_int_eq(bot_command(&d, CDB(0x28, 0, 0, 0, 0, 16, 0, 0, 2), data, 4096, IN), PASSED);
    ck_assert_mem_eq(data, d.file->data + 16 * 2048, 4096);
    ck_assert_int_eq(bot_command(&d, CDB(0x43, 0, 0, 0, 0, 0, 0, 0, 20), data, 20, IN), PASSED);
    ck_assert_mem_eq(data, "\0\x12\1\1\0\x14\1\0\0\0\0\0\0\x14\xaa\0\0\0\4\0", 20);
    ck_assert_int_eq(bot_command(&d, CDB(0x43, 2, 0, 0, 0, 0, 0xaa, 0, 12), data, 12, IN), PASSED);
    ck_assert_mem_eq(data, "\0\x0a\1\1\0\x14\xaa\0\0\0\x0f\x31", 12);
    ck_assert_int_eq(bot_command(&d, CDB(0x46, 0, 0, 0, 0, 0, 0, 0, 72), data, 72, IN), PASSED);
    ck_assert_uint_eq(data[3], 68);
    ck_assert_uint_eq(data[7], 8);
    ck_assert_int_eq(bot_command(&d, CDB(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), data, 8, IN), PASSED);
    ck_assert_mem_eq(data, "\0\6\4\x10\0\2\0\0", 8);
    ck_assert_int_eq(bot_command(&d, CDB(0x51, 0, 0, 0, 0, 0, 0, 0, 34), data, 34, IN), PASSED);
    ck_assert_int_eq(bot_command(&d, CDB(0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 28), data, 28, IN), PASSED);
    ck_assert_uint_eq(data[8], 0x2a);
    ck_assert_int_eq(bot_command(&d, CDB(0x2a, 0, 0, 0, 0, 0, 0, 0, 1), data, 2048, OUT), FAILED);
    ck_assert_uint_eq(bot_sense(&d), 0x052000);
}
END_TEST

/* Cancel while the image works: the memory is not let go before it is done. */
START_TEST(cancelling_a_read)
{
    struct harness_request r;

    memory_file_hold(d.file);
    ck_assert_int_eq(bot_wrapper(&d, CDB(0x28, 0, 0, 0, 0, 1, 0, 0, 8), 4096, IN), USB_OK);
    harness_prepare(&d.h, &r, DISK_IN, data, 4096, 1);
    ck_assert(!harness_submit(&r));
    ck_assert(!usb_device_cancel(d.h.device, &r.request));
    /* The host gives up on the command, and begins another. */
    bot_reset_recovery(&d);
    ck_assert(!harness_settled(&r));
    memory_file_release(d.file);
    harness_wait(&r);
    ck_assert_int_eq(r.request.status, USB_CANCELLED);
    ck_assert_int_eq(r.done, 1);
    ck_assert_int_eq(bot_command(&d, CDB(0x28, 0, 0, 0, 0, 9, 0, 0, 1), data, 512, IN), PASSED);
    ck_assert_mem_eq(data, d.file->data + 9 * 512, 512);
}
END_TEST

/* The device goes while the image still flushes for it. */
START_TEST(pulled_out_in_a_flush)
{
    ck_assert_int_eq(bot_wrapper(&d, CDB(0x35), 0, OUT), USB_OK);
    finish();
    set_up();
}
END_TEST

/* Without a serial number, the disk has the same one whenever it has the same id. */
START_TEST(a_serial_number_of_its_own)
{
    const struct usb_storage_options options = {.transports = USB_STORAGE_BULK_ONLY};
    uint8_t first[16];

    for (unsigned i = 0; i < 2; i++) {
        finish();
        usb_disk_init(&d, SIZE, HIGH, &options, false);
        harness_configure(&d.h);
        ck_assert_int_eq(bot_command(&d, CDB(0x12, 1, 0x80, 0, 255), data, 16, IN), PASSED);
        ck_assert_uint_eq(data[3], 12);
        for (unsigned k = 4; k < 16; k++)
            ck_assert(g_ascii_isxdigit(data[k]) && !g_ascii_islower(data[k]));
        if (i == 0)
            memcpy(first, data, 16);
    }
    ck_assert_mem_eq(data, first, 16);
}
END_TEST

static void add_case(Suite *s, const char *name, void (*before)(void), const TTest *const *tests,
                     unsigned count)
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, before, finish);
    for (unsigned i = 0; i < count; i++)
        tcase_add_test(tc, tests[i]);
    suite_add_tcase(s, tc);
}

static Suite *suite(void)
{
    const TTest *disk[] = {
        what_firmware_does,       thirteen_cases,        wrappers_that_are_not_valid,
        more_data_than_announced, a_reset_in_the_middle, requests_that_wait,
        data_in_pieces,           memory_in_many_parts,  reads_and_writes_of_all_lengths,
        about_the_disk,           refused_commands,      another_unit,
        when_the_image_fails,     unmap_and_write_same,  the_write_cache,
        cancelling_a_read,        pulled_out_in_a_flush, a_serial_number_of_its_own};
    const TTest *stick[] = {a_stick_is_ejected};
    const TTest *read_only[] = {a_disk_that_is_read_only};
    const TTest *cd[] = {a_cd};
    Suite *s = suite_create("usb_bot");

    add_case(s, "disk", set_up, disk, G_N_ELEMENTS(disk));
    add_case(s, "stick", set_up_stick, stick, G_N_ELEMENTS(stick));
    add_case(s, "read-only", set_up_read_only, read_only, G_N_ELEMENTS(read_only));
    add_case(s, "cd", set_up_cd, cd, G_N_ELEMENTS(cd));
    return s;
}

int main(void)
{
    return run_suite(suite());
}
