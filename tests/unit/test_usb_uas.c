/* SPDX-License-Identifier: GPL-2.0-or-later */
/* USB Attached SCSI, with streams (SuperSpeed) and without (high speed). */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "tests/fakes/usb_disk.h"
#include "tests/suite.h"

#define SIZE (1024 * 1024)
#define DATA_IN 0x81
#define DATA_OUT 0x02
#define STATUS 0x83
#define COMMAND 0x04
#define MAX_COMMANDS 32

#define CDB(...) ((const uint8_t[16]){__VA_ARGS__})

static struct usb_disk d;
static bool streams;

/* What a host has for one tag. */
static struct slot {
    struct harness_request status, data;
    uint8_t unit[64], memory[4096];
} slots[MAX_COMMANDS + 1];

static void begin_uas(void)
{
    harness_configure(&d.h);
    ck_assert_int_eq(harness_control(&d.h, 0x01, 11, 1, 0, NULL, 0, NULL), USB_OK);
    if (streams) {
        ck_assert(usb_device_set_streams(d.h.device, STATUS, MAX_COMMANDS));
        ck_assert(usb_device_set_streams(d.h.device, DATA_IN, MAX_COMMANDS));
        ck_assert(usb_device_set_streams(d.h.device, DATA_OUT, MAX_COMMANDS));
    }
}

static void set_up_at(unsigned speeds)
{
    const struct usb_storage_options options = {.transports = USB_STORAGE_BOTH, .serial = "1"};

    usb_disk_init(&d, SIZE, speeds, &options, false);
    for (unsigned i = 0; i < SIZE; i++)
        d.file->data[i] = i / 512 * 7 + i;
    begin_uas();
}

static void set_up_with_streams(void)
{
    streams = true;
    set_up_at(USB_SPEED_BIT(USB_SPEED_SUPER));
}

static void set_up_without_streams(void)
{
    streams = false;
    set_up_at(USB_SPEED_BIT(USB_SPEED_HIGH));
}

static void finish(void)
{
    usb_disk_finish(&d);
}

static void prepare(struct harness_request *r, uint8_t endpoint, uint16_t tag, void *data,
                    uint32_t size)
{
    harness_prepare(&d.h, r, endpoint, data, size, 1);
    r->request.stream = streams && endpoint != COMMAND ? tag : 0;
}

/* Wants the next unit; of the tag, with streams. */
static void want_status(struct slot *slot, uint16_t tag)
{
    memset(slot->unit, 0, sizeof(slot->unit));
    prepare(&slot->status, STATUS, tag, slot->unit, sizeof(slot->unit));
    harness_submit(&slot->status);
}

static enum usb_status send_unit(uint8_t id, uint16_t tag, uint8_t byte_4, uint16_t task,
                                 const uint8_t *cdb, uint32_t size)
{
    uint8_t unit[32] = {id, 0, tag >> 8, tag, byte_4, 0, task >> 8, task};

    if (cdb != NULL)
        memcpy(unit + 16, cdb, 16);
    return harness_transfer(&d.h, COMMAND, unit, size, NULL);
}

static void send_command(uint16_t tag, const uint8_t *cdb)
{
    ck_assert_int_eq(send_unit(0x01, tag, 0, 0, cdb, 32), USB_OK);
}

static unsigned unit_tag(const struct slot *slot)
{
    return slot->unit[2] << 8 | slot->unit[3];
}

/* The unit that was wanted has come: its bytes. */
static void expect_unit(struct slot *slot, uint8_t id, uint16_t tag, uint32_t size)
{
    harness_wait(&slot->status);
    ck_assert_int_eq(slot->status.request.status, USB_OK);
    ck_assert_uint_eq(slot->unit[0], id);
    ck_assert_uint_eq(unit_tag(slot), tag);
    ck_assert_uint_eq(slot->status.request.actual, size);
}

static void expect_good(struct slot *slot, uint16_t tag)
{
    expect_unit(slot, 0x03, tag, 16);
    ck_assert_uint_eq(slot->unit[6], 0);
}

static void expect_sense(struct slot *slot, uint16_t tag, uint32_t sense)
{
    const uint8_t *data = slot->unit + 16;

    expect_unit(slot, 0x03, tag, 34);
    ck_assert_uint_eq(slot->unit[6], 2);
    ck_assert_uint_eq(slot->unit[15], 18);
    ck_assert_uint_eq(data[2] << 16 | data[12] << 8 | data[13], sense);
}

static void expect_response(struct slot *slot, uint16_t tag, uint8_t code)
{
    expect_unit(slot, 0x04, tag, 8);
    ck_assert_uint_eq(slot->unit[7], code);
}

/* Without streams, the device says when it wants the data. */
static void expect_ready(struct slot *slot, uint16_t tag, uint8_t id)
{
    if (streams)
        return;
    expect_unit(slot, id, tag, 4);
    want_status(slot, tag);
}

static void settle(void)
{
    want_status(&slots[1], 1);
    send_command(1, CDB(0));
    expect_sense(&slots[1], 1, 0x062900);
    want_status(&slots[1], 1);
    send_command(1, CDB(0));
    expect_good(&slots[1], 1);
}

START_TEST(one_command_at_a_time)
{
    struct slot *slot = &slots[2];

    settle();
    /* The data is asked for before the command, as Linux does, */
    want_status(slot, 2);
    prepare(&slot->data, DATA_IN, 2, slot->memory, 4096);
    harness_submit(&slot->data);
    send_command(2, CDB(0x28, 0, 0, 0, 0, 3, 0, 0, 8));
    expect_ready(slot, 2, 0x06);
    harness_wait(&slot->data);
    ck_assert_mem_eq(slot->memory, d.file->data + 3 * 512, 4096);
    expect_good(slot, 2);
    /* or after it. */
    want_status(slot, 2);
    send_command(2, CDB(0x2a, 0, 0, 0, 0, 9, 0, 0, 2));
    expect_ready(slot, 2, 0x07);
    ck_assert(!harness_settled(&slot->status));
    prepare(&slot->data, DATA_OUT, 2, slot->memory, 1024);
    harness_submit(&slot->data);
    expect_good(slot, 2);
    ck_assert_int_eq(slot->data.request.status, USB_OK);
    ck_assert_mem_eq(d.file->data + 9 * 512, slot->memory, 1024);
    /* Less than there is room for. */
    want_status(slot, 2);
    prepare(&slot->data, DATA_IN, 2, slot->memory, 4096);
    harness_submit(&slot->data);
    send_command(2, CDB(0x12, 0, 0, 0, 36));
    expect_ready(slot, 2, 0x06);
    expect_good(slot, 2);
    harness_wait(&slot->data);
    ck_assert_int_eq(slot->data.request.status, USB_OK);
    ck_assert_uint_eq(slot->data.request.actual, 36);
    /* In pieces. */
    want_status(slot, 2);
    send_command(2, CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 8));
    expect_ready(slot, 2, 0x06);
    for (unsigned i = 0; i < 4; i++) {
        prepare(&slot->data, DATA_IN, 2, slot->memory + i * 1024, 1024);
        harness_submit(&slot->data);
        harness_wait(&slot->data);
    }
    expect_good(slot, 2);
    ck_assert_mem_eq(slot->memory, d.file->data, 4096);
}
END_TEST

START_TEST(commands_that_fail)
{
    struct slot *slot = &slots[3];

    settle();
    want_status(slot, 3);
    prepare(&slot->data, DATA_IN, 3, slot->memory, 512);
    harness_submit(&slot->data);
    send_command(3, CDB(0x28, 0, 0xff, 0, 0, 0, 0, 0, 1));
    expect_sense(slot, 3, 0x052100);
    ck_assert(!harness_settled(&slot->data));
    ck_assert(usb_device_cancel(d.h.device, &slot->data.request));
    /* In the middle. */
    d.file->fail_errno = EIO;
    d.file->fail_call[FILE_READ] = 1;
    want_status(slot, 3);
    prepare(&slot->data, DATA_IN, 3, slot->memory, 512);
    harness_submit(&slot->data);
    send_command(3, CDB(0x28, 0, 0, 0, 0, 1, 0, 0, 1));
    expect_ready(slot, 3, 0x06);
    expect_sense(slot, 3, 0x031100);
    harness_wait(&slot->data);
    ck_assert_uint_eq(slot->data.request.actual, 0);
}
END_TEST

/* Every tag has a read in flight; the image answers them in any order. */
START_TEST(many_commands)
{
    settle();
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned tag = 1; tag <= MAX_COMMANDS; tag++) {
            struct slot *slot = &slots[tag];

            want_status(slot, tag);
            prepare(&slot->data, DATA_IN, tag, slot->memory, 4096);
            harness_submit(&slot->data);
            send_command(tag, CDB(0x28, 0, 0, 0, tag / 8, tag * 32 % 256 + round, 0, 0, 8));
        }
        for (unsigned tag = 1; tag <= MAX_COMMANDS; tag++) {
            struct slot *slot = &slots[tag];

            harness_wait(&slot->data);
            ck_assert_mem_eq(slot->memory, d.file->data + (tag * 32 + round) * 512, 4096);
            expect_good(slot, tag);
        }
    }
}
END_TEST

/* The same without streams: data comes in the order of the ready units. */
START_TEST(many_commands_in_turn)
{
    bool done[MAX_COMMANDS + 1] = {false};

    settle();
    for (unsigned tag = 1; tag <= MAX_COMMANDS; tag++)
        send_command(tag, CDB(0x28, 0, 0, 0, 0, tag * 8, 0, 0, 8));
    for (unsigned i = 0; i < MAX_COMMANDS; i++) {
        struct slot *slot = &slots[0];
        unsigned tag;

        want_status(slot, 0);
        harness_wait(&slot->status);
        ck_assert_uint_eq(slot->unit[0], 0x06);
        tag = unit_tag(slot);
        prepare(&slot->data, DATA_IN, 0, slot->memory, 4096);
        harness_submit(&slot->data);
        harness_wait(&slot->data);
        ck_assert_mem_eq(slot->memory, d.file->data + tag * 8 * 512, 4096);
        want_status(slot, 0);
        expect_good(slot, tag);
        ck_assert(!done[tag]);
        done[tag] = true;
    }
}
END_TEST

START_TEST(task_management)
{
    struct slot *slot = &slots[4], *other = &slots[5];

    settle();
    /* A task that waits for its data is gone at once. */
    send_command(4, CDB(0x28, 0, 0, 0, 0, 1, 0, 0, 8));
    want_status(slot, 4);
    expect_ready(slot, 4, 0x06);
    if (!streams)
        harness_cancel(&slot->status);
    want_status(other, 5);
    send_unit(0x05, 5, 0x80, 4, NULL, 16); /* QUERY TASK */
    expect_response(other, 5, 0x08);
    want_status(other, 5);
    send_unit(0x05, 5, 0x01, 4, NULL, 16); /* ABORT TASK */
    expect_response(other, 5, 0x00);
    want_status(other, 5);
    send_unit(0x05, 5, 0x80, 4, NULL, 16);
    expect_response(other, 5, 0x00);
    want_status(other, 5);
    send_unit(0x05, 5, 0x42, 4, NULL, 16);
    expect_response(other, 5, 0x04);
    /* A reset of the unit is told to the next command. */
    want_status(other, 5);
    send_unit(0x05, 5, 0x08, 0, NULL, 16);
    expect_response(other, 5, 0x00);
    if (streams)
        harness_cancel(&slot->status);
    want_status(other, 5);
    send_command(5, CDB(0));
    expect_sense(other, 5, 0x062900);
}
END_TEST

/* A task that the image works for is aborted when it really is over. */
START_TEST(aborting_a_write)
{
    struct slot *slot = &slots[6], *other = &slots[7];

    settle();
    memory_file_hold(d.file);
    want_status(slot, 6);
    send_command(6, CDB(0x2a, 0, 0, 0, 0, 1, 0, 0, 8));
    expect_ready(slot, 6, 0x07);
    prepare(&slot->data, DATA_OUT, 6, slot->memory, 4096);
    harness_submit(&slot->data);
    harness_cancel(&slot->status);
    want_status(other, 7);
    send_unit(0x05, 7, 0x02, 0, NULL, 16); /* ABORT TASK SET */
    ck_assert(!harness_settled(&other->status));
    ck_assert(!harness_settled(&slot->data));
    memory_file_release(d.file);
    expect_response(other, 7, 0x00);
    harness_wait(&slot->data);
    ck_assert_int_eq(slot->data.request.status, USB_CANCELLED);
    want_status(slot, 6);
    send_command(6, CDB(0));
    expect_good(slot, 6);
}
END_TEST

START_TEST(units_that_are_not_valid)
{
    struct slot *slot = &slots[8];

    settle();
    want_status(slot, 8);
    send_unit(0x07, 8, 0, 0, NULL, 32); /* no such unit */
    expect_response(slot, 8, 0x02);
    want_status(slot, 8);
    send_unit(0x01, 8, 0, 0, CDB(0), 16); /* cut short */
    expect_response(slot, 8, 0x02);
    /* A tag that is in use. */
    send_command(8, CDB(0x28, 0, 0, 0, 0, 1, 0, 0, 1));
    want_status(slot, 8);
    expect_ready(slot, 8, 0x06);
    send_command(8, CDB(0x28, 0, 0, 0, 0, 1, 0, 0, 1));
    expect_response(slot, 8, 0x0a);
    /* Tags that nobody can be answered with. */
    ck_assert_int_eq(send_unit(0x01, 0, 0, 0, CDB(0), 32), USB_STALL);
    harness_control(&d.h, 0x02, 1, 0, COMMAND, NULL, 0, NULL);
    ck_assert_int_eq(send_unit(0x01, 0xffff, 0, 0, CDB(0), 32), USB_STALL);
    ck_assert_int_eq(send_unit(0x01, 1, 0, 0, CDB(0), 32), USB_STALL); /* still */
    harness_control(&d.h, 0x02, 1, 0, COMMAND, NULL, 0, NULL);
    if (streams)
        ck_assert_int_eq(send_unit(0x01, MAX_COMMANDS + 1, 0, 0, CDB(0), 32), USB_STALL);
    else
        ck_assert_int_eq(send_unit(0x01, 1, 0, 0, NULL, 3), USB_STALL);
    harness_control(&d.h, 0x02, 1, 0, COMMAND, NULL, 0, NULL);
    want_status(slot, 8);
    send_command(8, CDB(0));
    expect_good(slot, 8);
}
END_TEST

/* A host that sends and never listens. */
START_TEST(a_host_that_does_not_listen)
{
    uint8_t units[300][32] = {{0}};
    static struct harness_request requests[300];
    unsigned taken = 0;

    settle();
    for (unsigned i = 0; i < 300; i++) {
        units[i][0] = 0x07; /* each is answered */
        units[i][3] = 1 + i % MAX_COMMANDS;
        prepare(&requests[i], COMMAND, 0, units[i], 32);
        taken += harness_submit(&requests[i]);
    }
    ck_assert_uint_ge(taken, 32);
    ck_assert_uint_lt(taken, 300);
    for (unsigned i = 0; i < 300; i++)
        harness_cancel(&requests[i]);
    usb_device_reset(d.h.device);
    begin_uas();
    settle();
}
END_TEST

START_TEST(both_transports)
{
    uint8_t data[512];
    struct slot *slot = &slots[9];

    settle();
    send_command(9, CDB(0x28, 0, 0, 0, 0, 1, 0, 0, 1));
    ck_assert_int_eq(harness_control(&d.h, 0x01, 11, 0, 0, NULL, 0, NULL), USB_OK);
    ck_assert_int_eq(bot_command(&d, CDB(0x28, 0, 0, 0, 0, 5, 0, 0, 1), data, 512, true), 0);
    ck_assert_mem_eq(data, d.file->data + 5 * 512, 512);
    ck_assert_int_eq(harness_transfer(&d.h, COMMAND, data, 32, NULL), USB_ERROR);
    ck_assert_int_eq(harness_control(&d.h, 0x01, 11, 1, 0, NULL, 0, NULL), USB_OK);
    if (streams)
        begin_uas();
    want_status(slot, 9);
    send_command(9, CDB(0x35));
    if (streams)
        expect_sense(slot, 9, 0x062900);
    else
        expect_good(slot, 9);
}
END_TEST

START_TEST(streams_of_endpoints)
{
    ck_assert(!usb_device_set_streams(d.h.device, COMMAND, 4));
    ck_assert(!usb_device_set_streams(d.h.device, 0x85, 4));
    ck_assert(!usb_device_set_streams(d.h.device, STATUS, USB_MAX_STREAMS + 1));
    /* A host with room for more uses as many as there are. */
    ck_assert(usb_device_set_streams(d.h.device, STATUS, 2 * MAX_COMMANDS - 1));
    ck_assert_int_eq(send_unit(0x01, MAX_COMMANDS + 1, 0, 0, CDB(0), 32), USB_STALL);
    ck_assert(usb_device_set_streams(d.h.device, STATUS, 0));
}
END_TEST

static void add_case(Suite *s, const char *name, void (*before)(void), const TTest *many)
{
    const TTest *tests[] = {one_command_at_a_time,
                            commands_that_fail,
                            many,
                            task_management,
                            aborting_a_write,
                            units_that_are_not_valid,
                            a_host_that_does_not_listen,
                            both_transports};
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, before, finish);
    for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
        tcase_add_test(tc, tests[i]);
    if (before == set_up_with_streams)
        tcase_add_test(tc, streams_of_endpoints);
    suite_add_tcase(s, tc);
}

static Suite *suite(void)
{
    Suite *s = suite_create("usb_uas");

    add_case(s, "streams", set_up_with_streams, many_commands);
    add_case(s, "no streams", set_up_without_streams, many_commands_in_turn);
    return s;
}

int main(void)
{
    return run_suite(suite());
}
