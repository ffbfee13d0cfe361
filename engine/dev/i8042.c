/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dev/i8042.h"

#include <glib.h>
#include <string.h>

#include "core/log.h"
#include "engine/dev/ps2_keyboard.h"
#include "engine/dev/ps2_mouse.h"
#include "engine/dev/ps2_scancodes.h"

/* "Keyboard and Auxiliary Device Controller": the status byte, the command byte, the output port
 * and the commands to port 0x64. */
enum {
    STATUS_OUTPUT_FULL = 0x01,
    STATUS_SYSTEM = 0x04,
    STATUS_COMMAND = 0x08, /* the last write was to 0x64 */
    STATUS_UNLOCKED = 0x10,
    STATUS_AUX_FULL = 0x20,

    MODE_KEYBOARD_IRQ = 0x01,
    MODE_AUX_IRQ = 0x02,
    MODE_SYSTEM = 0x04,
    MODE_KEYBOARD_OFF = 0x10,
    MODE_AUX_OFF = 0x20,
    MODE_TRANSLATE = 0x40,

    OUTPUT_NO_RESET = 0x01,
    OUTPUT_A20 = 0x02,
    OUTPUT_KEYBOARD_FULL = 0x10,
    OUTPUT_AUX_FULL = 0x20,

    INPUT_UNLOCKED = 0x80,

    COMMAND_READ_RAM = 0x20,  /* to 0x3f; byte 0 is the command byte */
    COMMAND_WRITE_RAM = 0x60, /* to 0x7f */
    COMMAND_AUX_OFF = 0xa7,
    COMMAND_AUX_ON = 0xa8,
    COMMAND_TEST_AUX = 0xa9,
    COMMAND_SELF_TEST = 0xaa,
    COMMAND_TEST_KEYBOARD = 0xab,
    COMMAND_KEYBOARD_OFF = 0xad,
    COMMAND_KEYBOARD_ON = 0xae,
    COMMAND_READ_INPUT = 0xc0,
    COMMAND_READ_OUTPUT = 0xd0,
    COMMAND_WRITE_OUTPUT = 0xd1,
    COMMAND_WRITE_KEYBOARD_BUFFER = 0xd2,
    COMMAND_WRITE_AUX_BUFFER = 0xd3,
    COMMAND_WRITE_AUX = 0xd4,
    COMMAND_A20_OFF = 0xdd, /* as many chipsets have it */
    COMMAND_A20_ON = 0xdf,
    COMMAND_READ_TEST = 0xe0,
    COMMAND_PULSE = 0xf0, /* to 0xff: the zeroes among bits 0 to 3 are pulsed */
};

#define RAM_SIZE 32
#define MAX_REPLIES 16
#define RELEASE_PREFIX 0xf0

/* A device's next byte follows the fetching of the last one after this, as its wire takes time:
 * interrupt handlers that read port 0x60 twice see the same byte. Real wires take 1 ms. */
#define BYTE_INTERVAL_NS 200000

enum source { FROM_KEYBOARD, FROM_AUX };

struct reply {
    uint8_t byte;
    enum source source;
};

struct i8042 {
    struct device device;
    struct board *board;
    struct region data_port, command_port;
    struct irq_line *keyboard_irq, *aux_irq;
    struct input_sink input;

    struct ps2_keyboard keyboard;
    struct ps2_mouse mouse;

    uint8_t ram[RAM_SIZE];
    bool system_flag, last_was_command, a20;
    uint8_t command;       /* whose byte at port 0x60 is awaited; 0: none */
    bool release_prefixed; /* translation has taken an 0xf0 */

    uint8_t output;
    bool output_full;
    enum source output_source;
    struct reply replies[MAX_REPLIES]; /* of the controller itself: before the devices */
    unsigned reply_count;

    struct vm_timer interval;
    uint64_t next_byte; /* guest time before which no device's byte is loaded */
};

static uint8_t mode(const struct i8042 *c)
{
    return c->ram[0];
}

static void update_irqs(struct i8042 *c)
{
    bool aux = c->output_full && c->output_source == FROM_AUX;
    bool keyboard = c->output_full && c->output_source == FROM_KEYBOARD;

    irq_line_set(c->keyboard_irq, keyboard && (mode(c) & (MODE_KEYBOARD_IRQ | MODE_KEYBOARD_OFF)) ==
                                                  MODE_KEYBOARD_IRQ);
    irq_line_set(c->aux_irq, aux && (mode(c) & MODE_AUX_IRQ));
}

static bool take_keyboard_byte(struct i8042 *c, uint8_t *ret_byte)
{
    uint8_t byte;

    while (ps2_keyboard_next(&c->keyboard, &byte)) {
        if (!(mode(c) & MODE_TRANSLATE)) {
            *ret_byte = byte;
            return true;
        }
        if (byte != RELEASE_PREFIX) {
            *ret_byte = ps2_translate(byte) | (c->release_prefixed ? 0x80 : 0);
            c->release_prefixed = false;
            return true;
        }
        c->release_prefixed = true;
    }
    return false;
}

static bool take_reply(struct i8042 *c)
{
    if (c->reply_count == 0)
        return false;
    c->output = c->replies[0].byte;
    c->output_source = c->replies[0].source;
    memmove(c->replies, c->replies + 1, --c->reply_count * sizeof(c->replies[0]));
    return true;
}

static bool take_device_byte(struct i8042 *c)
{
    if (!(mode(c) & MODE_KEYBOARD_OFF) && take_keyboard_byte(c, &c->output)) {
        c->output_source = FROM_KEYBOARD;
        return true;
    }
    if (!(mode(c) & MODE_AUX_OFF) && ps2_mouse_next(&c->mouse, &c->output)) {
        c->output_source = FROM_AUX;
        return true;
    }
    return false;
}

/* Fills the output buffer, if it is empty and somebody has a byte for it. */
static void load_output(struct i8042 *c)
{
    if (!c->output_full && !take_reply(c)) {
        if (clock_now(c->board->clock) < c->next_byte) {
            vm_timer_set(&c->interval, c->next_byte);
            return;
        }
        if (!take_device_byte(c))
            return;
    }
    c->output_full = true;
    update_irqs(c);
}

static void interval_expired(void *opaque)
{
    load_output(opaque);
}

/* A guest that asks without reading loses the answers. */
static void reply(struct i8042 *c, uint8_t byte, enum source source)
{
    if (c->reply_count < MAX_REPLIES)
        c->replies[c->reply_count++] = (struct reply){byte, source};
}

static void request_reset(struct i8042 *c)
{
    const struct board_events *events = c->board->events;

    if (events != NULL)
        events->reset(c->board->events_opaque, "keyboard controller");
}

static void write_output_port(struct i8042 *c, uint8_t value)
{
    c->a20 = value & OUTPUT_A20;
    if (!(value & OUTPUT_NO_RESET))
        request_reset(c);
}

static uint8_t read_output_port(const struct i8042 *c)
{
    uint8_t value = OUTPUT_NO_RESET | (c->a20 ? OUTPUT_A20 : 0);

    if (c->output_full)
        value |= c->output_source == FROM_AUX ? OUTPUT_AUX_FULL : OUTPUT_KEYBOARD_FULL;
    return value;
}

static void write_ram(struct i8042 *c, unsigned index, uint8_t value)
{
    c->ram[index] = value;
    if (index == 0)
        c->system_flag = value & MODE_SYSTEM;
}

/* Commands that are done at once, without a byte at port 0x60. */
static void run_simple_command(struct i8042 *c, uint8_t command)
{
    switch (command) {
    case COMMAND_AUX_OFF:
        c->ram[0] |= MODE_AUX_OFF;
        break;
    case COMMAND_AUX_ON:
        c->ram[0] &= ~MODE_AUX_OFF;
        break;
    case COMMAND_KEYBOARD_OFF:
        c->ram[0] |= MODE_KEYBOARD_OFF;
        break;
    case COMMAND_KEYBOARD_ON:
        c->ram[0] &= ~MODE_KEYBOARD_OFF;
        break;
    case COMMAND_SELF_TEST:
        c->system_flag = true;
        reply(c, 0x55, FROM_KEYBOARD);
        break;
    case COMMAND_TEST_AUX:
    case COMMAND_TEST_KEYBOARD:
    case COMMAND_READ_TEST:
        reply(c, 0x00, FROM_KEYBOARD);
        break;
    case COMMAND_READ_INPUT:
        reply(c, INPUT_UNLOCKED, FROM_KEYBOARD);
        break;
    case COMMAND_READ_OUTPUT:
        reply(c, read_output_port(c), FROM_KEYBOARD);
        break;
    case COMMAND_A20_OFF:
    case COMMAND_A20_ON:
        c->a20 = command == COMMAND_A20_ON;
        break;
    default:
        log_guest("i8042", "unknown command 0x%02x", command);
        break;
    }
}

static void run_command(struct i8042 *c, uint8_t command)
{
    c->command = 0;
    if (command >= COMMAND_READ_RAM && command < COMMAND_READ_RAM + RAM_SIZE)
        reply(c, c->ram[command - COMMAND_READ_RAM], FROM_KEYBOARD);
    else if (command >= COMMAND_WRITE_RAM && command < COMMAND_WRITE_RAM + RAM_SIZE)
        c->command = command;
    else if (command >= COMMAND_WRITE_OUTPUT && command <= COMMAND_WRITE_AUX)
        c->command = command;
    else if (command < COMMAND_PULSE)
        run_simple_command(c, command);
    else if (!(command & OUTPUT_NO_RESET))
        request_reset(c);
}

static void write_data(struct i8042 *c, uint8_t byte)
{
    uint8_t command = c->command;

    c->command = 0;
    switch (command) {
    case 0:
        c->ram[0] &= ~MODE_KEYBOARD_OFF; /* sending needs the clock line running */
        ps2_keyboard_write(&c->keyboard, byte);
        break;
    case COMMAND_WRITE_AUX:
        c->ram[0] &= ~MODE_AUX_OFF;
        ps2_mouse_write(&c->mouse, byte);
        break;
    case COMMAND_WRITE_OUTPUT:
        write_output_port(c, byte);
        break;
    case COMMAND_WRITE_KEYBOARD_BUFFER:
        reply(c, byte, FROM_KEYBOARD);
        break;
    case COMMAND_WRITE_AUX_BUFFER:
        reply(c, byte, FROM_AUX);
        break;
    default:
        write_ram(c, (command - COMMAND_WRITE_RAM) % RAM_SIZE, byte);
        break;
    }
}

static uint64_t data_read(void *opaque, uint64_t offset, unsigned size)
{
    struct i8042 *c = opaque;
    uint8_t value = c->output;

    if (c->output_full) {
        c->output_full = false;
        c->next_byte = clock_now(c->board->clock) + BYTE_INTERVAL_NS;
        update_irqs(c);
        load_output(c);
    }
    return value;
}

static void data_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct i8042 *c = opaque;

    c->last_was_command = false;
    write_data(c, value);
    update_irqs(c);
    load_output(c);
}

static uint64_t status_read(void *opaque, uint64_t offset, unsigned size)
{
    const struct i8042 *c = opaque;
    uint8_t status = STATUS_UNLOCKED;

    if (c->output_full)
        status |= STATUS_OUTPUT_FULL | (c->output_source == FROM_AUX ? STATUS_AUX_FULL : 0);
    if (c->system_flag)
        status |= STATUS_SYSTEM;
    if (c->last_was_command)
        status |= STATUS_COMMAND;
    return status;
}

static void command_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct i8042 *c = opaque;

    c->last_was_command = true;
    run_command(c, value);
    update_irqs(c);
    load_output(c);
}

static const struct region_ops data_ops = {data_read, data_write, .max_access = 1};
static const struct region_ops command_ops = {status_read, command_write, .max_access = 1};

static void input_key(void *opaque, uint8_t qnum, bool down)
{
    struct i8042 *c = opaque;

    g_mutex_lock(&c->board->lock);
    ps2_keyboard_key(&c->keyboard, qnum, down);
    load_output(c);
    g_mutex_unlock(&c->board->lock);
}

static void input_pointer(void *opaque, unsigned x, unsigned y, unsigned width, unsigned height,
                          unsigned buttons)
{
    struct i8042 *c = opaque;

    g_mutex_lock(&c->board->lock);
    ps2_mouse_point(&c->mouse, x, y, width, height, buttons);
    load_output(c);
    g_mutex_unlock(&c->board->lock);
}

static void input_motion(void *opaque, int dx, int dy, unsigned buttons)
{
    struct i8042 *c = opaque;

    g_mutex_lock(&c->board->lock);
    ps2_mouse_move(&c->mouse, dx, dy, buttons);
    load_output(c);
    g_mutex_unlock(&c->board->lock);
}

static void input_wheel(void *opaque, int steps)
{
    struct i8042 *c = opaque;

    g_mutex_lock(&c->board->lock);
    ps2_mouse_wheel(&c->mouse, steps);
    load_output(c);
    g_mutex_unlock(&c->board->lock);
}

static const struct input_ops input_ops = {input_key, input_pointer, input_motion, input_wheel};

static void i8042_reset(struct device *device)
{
    struct i8042 *c = (struct i8042 *)device;

    ps2_keyboard_power_on(&c->keyboard);
    ps2_mouse_power_on(&c->mouse);
    memset(c->ram, 0, sizeof(c->ram));
    /* As PC firmware leaves it, for kernels that start without any. */
    c->ram[0] = MODE_KEYBOARD_IRQ | MODE_AUX_OFF | MODE_TRANSLATE;
    c->system_flag = c->last_was_command = c->release_prefixed = c->output_full = false;
    c->a20 = true;
    c->command = c->output = 0;
    c->reply_count = 0;
    c->next_byte = 0;
    vm_timer_cancel(&c->interval);
    update_irqs(c);
}

static void i8042_destroy(struct device *device)
{
    struct i8042 *c = (struct i8042 *)device;

    vm_timer_cancel(&c->interval);
    pio_bus_remove(c->board->pio, &c->data_port);
    pio_bus_remove(c->board->pio, &c->command_port);
    g_free(c);
}

static const struct device_class i8042_class = {"i8042", i8042_reset, i8042_destroy};

struct i8042 *i8042_new(struct board *board, struct irq_line *keyboard_irq,
                        struct irq_line *mouse_irq)
{
    struct i8042 *c = g_new0(struct i8042, 1);

    c->device = (struct device){&i8042_class, "i8042"};
    c->board = board;
    c->keyboard_irq = keyboard_irq;
    c->aux_irq = mouse_irq;
    c->input = (struct input_sink){&input_ops, c};
    c->data_port = (struct region){.name = "i8042 data", .size = 1, .ops = &data_ops, .opaque = c};
    c->command_port =
        (struct region){.name = "i8042 command", .size = 1, .ops = &command_ops, .opaque = c};
    vm_timer_init(&c->interval, board->clock, interval_expired, c);
    i8042_reset(&c->device);
    g_warn_if_fail(pio_bus_add(board->pio, &c->data_port, 0x60));
    g_warn_if_fail(pio_bus_add(board->pio, &c->command_port, 0x64));
    board_add_device(board, &c->device);
    return c;
}

const struct input_sink *i8042_input(struct i8042 *i8042)
{
    return &i8042->input;
}
