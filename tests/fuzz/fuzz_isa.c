/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The legacy devices by a hostile guest while a user types: the input is a program of accesses,
 * input events and time.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "engine/dev/debug_exit.h"
#include "engine/dev/debugcon.h"
#include "engine/dev/flash.h"
#include "engine/dev/i8042.h"
#include "engine/dev/port92.h"
#include "engine/dev/rtc.h"
#include "engine/dev/serial.h"
#include "tests/fakes/fake_board.h"
#include "tests/fuzz/fuzz.h"

#define FLASH_BASE 0xffc00000
#define FLASH_SIZE (4 * FLASH_BLOCK_SIZE)

enum op { OP_OUT, OP_IN, OP_STORE, OP_LOAD, OP_KEY, OP_POINT, OP_MOVE, OP_TYPE, OP_TIME, OP_COUNT };

struct input {
    const uint8_t *data;
    size_t size;
};

/* The guest's end of the serial line; the devices' output goes nowhere. */
static const struct serial_backend_input *serial_input;
static void *serial_opaque;

void serial_backend_output(struct serial_backend *backend, const void *bytes, size_t size)
{
}

void serial_backend_set_input(struct serial_backend *backend,
                              const struct serial_backend_input *ops, void *opaque)
{
    serial_input = ops;
    serial_opaque = opaque;
}

void serial_backend_resume_input(struct serial_backend *backend)
{
}

/* The next bytes as a number; past the end zeros. */
static uint64_t take(struct input *in, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes && in->size > 0; i++, in->size--)
        value |= (uint64_t)*in->data++ << 8 * i;
    return value;
}

static uint16_t take_port(struct input *in)
{
    static const uint16_t ports[] = {0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe,
                                     0x3ff, 0x60,  0x64,  0x60,  0x64,  0x70,  0x71,
                                     0x72,  0x73,  0x92,  0x402, 0xf4,  0xf7};

    return ports[take(in, 1) % G_N_ELEMENTS(ports)];
}

static void type(struct input *in)
{
    uint8_t bytes[32] = {take(in, 1)};
    size_t size = MIN(serial_input->room(serial_opaque), sizeof(bytes));

    serial_input->input(serial_opaque, bytes, size);
}

/* Time since 1970, at the guest's pace. */
static int64_t host_time(void *opaque)
{
    struct fake_board *fake = opaque;

    return INT64_C(1772323198000000) + clock_now(fake->board.clock) / 1000;
}

static void step(struct fake_board *fake, const struct input_sink *sink, struct input *in)
{
    uint8_t op = take(in, 1);
    unsigned width = 1 << (op >> 4) % 3;
    uint16_t port;
    uint64_t at;
    unsigned a, b;

    switch ((enum op)(op % 16 % OP_COUNT)) {
    case OP_OUT:
        port = take_port(in);
        fake_out(fake, port, take(in, width), width);
        break;
    case OP_IN:
        fake_in(fake, take_port(in), width);
        break;
    case OP_STORE:
        at = FLASH_BASE + take(in, 2) % FLASH_SIZE;
        fake_store(fake, at, take(in, width), width);
        break;
    case OP_LOAD:
        fake_load(fake, FLASH_BASE + take(in, 2) % FLASH_SIZE, width);
        break;
    case OP_KEY:
        sink->ops->key(sink->opaque, take(in, 1), width == 1);
        break;
    case OP_POINT:
        a = take(in, 2);
        b = take(in, 2);
        sink->ops->pointer(sink->opaque, a, b, take(in, 4), take(in, 2), width);
        break;
    case OP_MOVE:
        a = take(in, 4);
        b = take(in, 4);
        sink->ops->motion(sink->opaque, a, b, take(in, 1));
        sink->ops->wheel(sink->opaque, (int)a);
        break;
    case OP_TYPE:
        type(in);
        break;
    case OP_TIME:
        fake_board_advance(fake, take(in, 2) * 1000); /* up to 65 ms */
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t blank[FLASH_SIZE];
    struct input in = {data, size};
    struct fake_board fake;
    struct rtc *rtc;
    const struct input_sink *sink;
    g_autofree char *folder = g_dir_make_tmp("vmdesk-fuzz-XXXXXX", NULL);
    g_autofree char *file = g_build_filename(folder, "flash", NULL);

    g_file_set_contents_full(file, (const char *)blank, FLASH_SIZE, G_FILE_SET_CONTENTS_NONE, 0600,
                             NULL);
    fake_board_init(&fake, 0);
    serial_new(&fake.board, "serial0", 0x3f8, &fake.board.isa_irq[4],
               (struct serial_backend *)&fake);
    rtc = rtc_new(&fake.board, false, &fake.board.isa_irq[8]);
    rtc_set_time_source(rtc, host_time, &fake);
    sink = i8042_input(i8042_new(&fake.board, &fake.board.isa_irq[1], &fake.board.isa_irq[12]));
    port92_new(&fake.board);
    debugcon_new(&fake.board, DEBUGCON_PORT, NULL, NULL);
    debug_exit_new(&fake.board, 0xf4, NULL);
    flash_new(&fake.board, "flash0", FLASH_BASE, file, FLASH_SIZE, take(&in, 1) & 1, NULL);
    while (in.size > 0)
        step(&fake, sink, &in);
    fake_board_reset(&fake);
    fake_board_finish(&fake);
    g_unlink(file);
    g_rmdir(folder);
    return 0;
}
