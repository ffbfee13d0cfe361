/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that does to a USB disk whatever the input says: wrappers of the bulk-only transport and
 * information units of UAS, with any command in them, data of any size, and resets in between. The
 * first byte chooses the kind of disk.
 */
#include <errno.h>
#include <string.h>

#include "tests/fakes/usb_disk.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/usb_input.h"

#define MAX_STEPS 256
#define DISK_SIZE (64 * 1024)
#define STREAMS 32

enum {
    KIND_CD = 1,
    KIND_REMOVABLE = 2,
    KIND_READ_ONLY = 4,
    KIND_SUPER = 8,
    KIND_UAS = 16,
};

enum step {
    STEP_WRAPPER,
    STEP_BULK_ONLY,
    STEP_COMMAND_UNIT,
    STEP_TASK_UNIT,
    STEP_OUT,
    STEP_IN,
    STEP_STATUS,
    STEP_CANCEL,
    STEP_CLEAR_HALT,
    STEP_RESET,
    STEP_SETTING,
    STEP_HOLD,
    STEP_RELEASE,
    STEP_FAIL,
    STEPS,
};

struct fuzz {
    struct usb_disk disk;
    struct flights flights;
    bool super;
};

/* A CDB that is right in what makes a command go far: the opcode known, the range small. */
static void take_cdb(struct input *in, uint8_t *cdb)
{
    static const uint8_t opcodes[] = {
        0x00, 0x03, 0x08, 0x0a, 0x12, 0x15, 0x1a, 0x1b, 0x1d, 0x1e, 0x23, 0x25, 0x28,
        0x2a, 0x2b, 0x2e, 0x2f, 0x35, 0x41, 0x42, 0x43, 0x46, 0x4a, 0x51, 0x55, 0x5a,
        0x88, 0x8a, 0x8e, 0x8f, 0x91, 0x93, 0x9e, 0xa0, 0xa8, 0xaa, 0xff,
    };
    unsigned choice = take(in, 1);

    memset(cdb, 0, 16);
    if (choice & 0x80) {
        take_bytes(in, cdb, 16);
        return;
    }
    cdb[0] = opcodes[choice % G_N_ELEMENTS(opcodes)];
    cdb[1] = take(in, 1);
    switch (cdb[0] >> 5) {
    case 0:
        cdb[2] = take(in, 1);
        cdb[3] = take(in, 1);
        cdb[4] = take(in, 1);
        break;
    case 4:
        cdb[9] = take(in, 1);
        cdb[12] = take(in, 1) % 2;
        cdb[13] = take(in, 1);
        break;
    case 5:
        cdb[5] = take(in, 1);
        cdb[9] = take(in, 1);
        break;
    default:
        cdb[2] = cdb[0] == 0x5a ? take(in, 1) : 0;
        cdb[5] = take(in, 1);
        cdb[7] = take(in, 1) % 2;
        cdb[8] = take(in, 1);
    }
}

static void put_wrapper(struct fuzz *f, struct input *in, bool whole_command)
{
    uint8_t cbw[31] = "USBC";
    unsigned sectors = take(in, 1);
    uint32_t length = sectors & 0x80 ? take(in, 2) : sectors * 512;
    bool to_host = take(in, 1) & 1;

    cbw[4] = 1;
    for (unsigned i = 0; i < 4; i++)
        cbw[8 + i] = length >> 8 * i;
    cbw[12] = to_host ? 0x80 : 0;
    cbw[14] = 16;
    take_cdb(in, cbw + 15);
    if (!whole_command && (take(in, 1) & 7) == 0)
        cbw[take(in, 1) % 31] = take(in, 1);
    fly(&f->flights, 0x02, 0, NULL, cbw, 31, 31, take(in, 1));
    if (!whole_command)
        return;
    fly(&f->flights, to_host ? 0x81 : 0x02, 0, NULL, NULL, 0, length, take(in, 1));
    fly(&f->flights, 0x81, 0, NULL, NULL, 0, 13, 0);
}

static void put_unit(struct fuzz *f, struct input *in, uint8_t id)
{
    uint8_t unit[32] = {id, 0, 0, 1 + take(in, 1) % (STREAMS + 4)};
    unsigned flags = take(in, 1);

    unit[4] = take(in, 1);
    unit[7] = 1 + flags % STREAMS; /* the task that is meant */
    if (id == 0x01)
        take_cdb(in, unit + 16);
    if ((flags & 0xe0) == 0)
        unit[take(in, 1) % 32] = take(in, 1);
    fly(&f->flights, 0x04, 0, NULL, unit, 32, id == 0x01 ? 32 : 16, flags);
}

static void put_data(struct fuzz *f, struct input *in, uint8_t endpoint)
{
    uint8_t data[48];
    unsigned sectors = take(in, 1);
    uint32_t size = sectors & 0x80 ? take(in, 2) : sectors * 512;
    uint16_t stream = f->super ? take(in, 1) % (STREAMS + 2) : 0;

    take_bytes(in, data, endpoint & USB_DIR_IN ? 0 : MIN(size, sizeof(data)));
    fly(&f->flights, endpoint, stream, NULL, data, endpoint & USB_DIR_IN ? 0 : sizeof(data), size,
        take(in, 1));
}

static void control(struct fuzz *f, uint8_t type, uint8_t request, uint16_t value, uint16_t index)
{
    const struct usb_setup setup = {type, request, value, index, 0};

    fly(&f->flights, 0, 0, &setup, NULL, 0, 0, 0);
}

static void set_up(struct fuzz *f, unsigned setting)
{
    static const uint8_t endpoints[] = {0x83, 0x81, 0x02};

    control(f, 0x00, 9, 1, 0);
    control(f, 0x01, 11, setting, 0);
    for (unsigned i = 0; i < sizeof(endpoints) && setting == 1 && f->super; i++)
        usb_device_set_streams(f->disk.h.device, endpoints[i], STREAMS);
}

static void fail(struct fuzz *f, unsigned call, unsigned which)
{
    struct memory_file *file = f->disk.file;

    g_mutex_lock(&file->lock);
    file->fail_errno = which & 1 ? EIO : ENOSPC;
    file->fail_call[call % FILE_SIZE] = file->calls[call % FILE_SIZE] + 1 + which / 2 % 4;
    g_mutex_unlock(&file->lock);
}

/* So that closing the image has nothing to complain of. */
static void stop_failing(struct fuzz *f)
{
    g_mutex_lock(&f->disk.file->lock);
    memset(f->disk.file->fail_call, 0, sizeof(f->disk.file->fail_call));
    g_mutex_unlock(&f->disk.file->lock);
}

static void run_step(struct fuzz *f, struct input *in)
{
    static const uint8_t endpoints[] = {0x81, 0x02, 0x83, 0x04};
    unsigned number;

    switch (take(in, 1) % STEPS) {
    case STEP_WRAPPER:
        put_wrapper(f, in, false);
        break;
    case STEP_BULK_ONLY:
        put_wrapper(f, in, true);
        break;
    case STEP_COMMAND_UNIT:
        put_unit(f, in, 0x01);
        break;
    case STEP_TASK_UNIT:
        put_unit(f, in, 0x05);
        break;
    case STEP_OUT:
        put_data(f, in, 0x02);
        break;
    case STEP_IN:
        put_data(f, in, 0x81);
        break;
    case STEP_STATUS:
        number = take(in, 1);
        fly(&f->flights, 0x83, f->super ? number % (STREAMS + 2) : 0, NULL, NULL, 0,
            number & 0x80 ? number % 64 : 64, 0);
        break;
    case STEP_CANCEL:
        land(&f->flights, take(in, 1));
        break;
    case STEP_CLEAR_HALT:
        control(f, 0x02, 1, 0, endpoints[take(in, 1) % 4]);
        break;
    case STEP_RESET:
        if (take(in, 1) & 1)
            control(f, 0x21, 0xff, 0, 0);
        else
            usb_device_reset(f->disk.h.device);
        break;
    case STEP_SETTING:
        set_up(f, take(in, 1) & 1);
        break;
    case STEP_HOLD:
        memory_file_hold(f->disk.file);
        break;
    case STEP_RELEASE:
        memory_file_release(f->disk.file);
        run_loop(&f->disk.h);
        break;
    case STEP_FAIL:
        number = take(in, 1);
        fail(f, number, take(in, 1));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    unsigned kind = take(&in, 1);
    const struct usb_storage_options options = {.transports = USB_STORAGE_BOTH,
                                                .cd = kind & KIND_CD,
                                                .removable = kind & KIND_REMOVABLE,
                                                .serial = "0123456789AB"};
    struct fuzz f = {.super = kind & KIND_SUPER};

    usb_disk_init(&f.disk, DISK_SIZE, USB_SPEED_BIT(f.super ? USB_SPEED_SUPER : USB_SPEED_HIGH),
                  &options, kind & (KIND_READ_ONLY | KIND_CD));
    flights_init(&f.flights, &f.disk.h, f.disk.file);
    set_up(&f, kind & KIND_UAS ? 1 : 0);
    for (unsigned i = 0; i < MAX_STEPS && in.left > 0; i++)
        run_step(&f, &in);
    memory_file_release(f.disk.file);
    flights_finish(&f.flights);
    stop_failing(&f);
    usb_disk_finish(&f.disk);
    return 0;
}
