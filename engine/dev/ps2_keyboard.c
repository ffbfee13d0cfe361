/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dev/ps2_keyboard.h"

#include <glib.h>
#include <string.h>

#include "engine/dev/ps2_scancodes.h"

enum {
    COMMAND_LEDS = 0xed,
    COMMAND_ECHO = 0xee,
    COMMAND_SCAN_SET = 0xf0,
    COMMAND_IDENTIFY = 0xf2,
    COMMAND_TYPEMATIC = 0xf3,
    COMMAND_ENABLE = 0xf4,
    COMMAND_DISABLE = 0xf5,
    COMMAND_DEFAULTS = 0xf6,
    COMMAND_ALL_TYPEMATIC = 0xf7,
    COMMAND_ALL_MAKE_BREAK = 0xf8,
    COMMAND_ALL_MAKE = 0xf9,
    COMMAND_ALL_TYPEMATIC_MAKE_BREAK = 0xfa,
    COMMAND_KEY_TYPEMATIC = 0xfb,
    COMMAND_KEY_MAKE_BREAK = 0xfc,
    COMMAND_KEY_MAKE = 0xfd,
    COMMAND_RESEND = 0xfe,
    COMMAND_RESET = 0xff,

    REPLY_SELF_TEST_PASSED = 0xaa,
    REPLY_ACK = 0xfa,
    REPLY_RESEND = 0xfe,

    KEY_PRINT = 0xb7,
};

static bool bit(const uint8_t *bits, uint8_t n)
{
    return bits[n / 8] & 1 << n % 8;
}

static void set_bit(uint8_t *bits, uint8_t n, bool value)
{
    bits[n / 8] &= ~(1 << n % 8);
    bits[n / 8] |= value << n % 8;
}

static void forget_keys(struct ps2_keyboard *k)
{
    ps2_queue_clear(&k->keys);
    memset(k->down, 0, sizeof(k->down));
    k->down_count = 0;
}

static void set_defaults(struct ps2_keyboard *k)
{
    /* Set 3: Ctrl, Shift, Caps Lock and Alt on the left, Shift on the right. */
    static const uint8_t make_break[] = {0x11, 0x12, 0x14, 0x19, 0x59};

    forget_keys(k);
    k->scan_set = 2;
    memset(k->set3_break, 0, sizeof(k->set3_break));
    for (size_t i = 0; i < sizeof(make_break); i++)
        set_bit(k->set3_break, make_break[i], true);
}

void ps2_keyboard_power_on(struct ps2_keyboard *k)
{
    ps2_queue_clear(&k->replies);
    set_defaults(k);
    k->command = 0;
    k->last_sent = 0;
    k->scanning = true;
}

/* A host that never reads its replies loses them. */
static void reply(struct ps2_keyboard *k, uint8_t byte)
{
    ps2_queue_push(&k->replies, &byte, 1);
}

static void take_parameter(struct ps2_keyboard *k, uint8_t byte)
{
    uint8_t command = k->command;

    k->command = 0;
    if (command == COMMAND_SCAN_SET && byte > 3) {
        reply(k, REPLY_RESEND);
        return;
    }
    reply(k, REPLY_ACK);
    switch (command) {
    case COMMAND_SCAN_SET:
        if (byte == 0) {
            reply(k, k->scan_set);
        } else {
            forget_keys(k);
            k->scan_set = byte;
        }
        break;
    case COMMAND_KEY_TYPEMATIC:
    case COMMAND_KEY_MAKE_BREAK:
    case COMMAND_KEY_MAKE:
        /* More keys may follow, until a command. */
        set_bit(k->set3_break, byte, command == COMMAND_KEY_MAKE_BREAK);
        k->command = command;
        break;
    default: /* LEDs and typematic rate: nobody shows or uses them */
        break;
    }
}

static void take_command(struct ps2_keyboard *k, uint8_t command)
{
    uint8_t last_sent = k->last_sent;

    k->command = 0;
    switch (command) {
    case COMMAND_ECHO:
        reply(k, COMMAND_ECHO);
        return;
    case COMMAND_RESEND:
        reply(k, last_sent);
        return;
    case COMMAND_LEDS:
    case COMMAND_SCAN_SET:
    case COMMAND_TYPEMATIC:
        k->command = command;
        break;
    case COMMAND_KEY_TYPEMATIC:
    case COMMAND_KEY_MAKE_BREAK:
    case COMMAND_KEY_MAKE:
        k->command = command;
        k->scanning = false;
        break;
    case COMMAND_ENABLE:
        forget_keys(k);
        k->scanning = true;
        break;
    case COMMAND_DISABLE:
        set_defaults(k);
        k->scanning = false;
        break;
    case COMMAND_DEFAULTS:
        set_defaults(k);
        break;
    case COMMAND_ALL_TYPEMATIC:
    case COMMAND_ALL_MAKE:
        memset(k->set3_break, 0, sizeof(k->set3_break));
        break;
    case COMMAND_ALL_MAKE_BREAK:
    case COMMAND_ALL_TYPEMATIC_MAKE_BREAK:
        memset(k->set3_break, 0xff, sizeof(k->set3_break));
        break;
    case COMMAND_RESET:
        ps2_keyboard_power_on(k);
        break;
    case COMMAND_IDENTIFY:
        break;
    default:
        reply(k, REPLY_RESEND);
        return;
    }
    reply(k, REPLY_ACK);
    if (command == COMMAND_RESET) {
        reply(k, REPLY_SELF_TEST_PASSED);
    } else if (command == COMMAND_IDENTIFY) {
        reply(k, 0xab);
        reply(k, 0x83);
    }
}

void ps2_keyboard_write(struct ps2_keyboard *k, uint8_t byte)
{
    /* No parameter has the value of a command. */
    if (k->command != 0 && byte < COMMAND_LEDS)
        take_parameter(k, byte);
    else
        take_command(k, byte);
}

bool ps2_keyboard_next(struct ps2_keyboard *k, uint8_t *ret_byte)
{
    if (!ps2_queue_pop(&k->replies, ret_byte) && !ps2_queue_pop(&k->keys, ret_byte))
        return false;
    k->last_sent = *ret_byte;
    return true;
}

static unsigned modifiers(const struct ps2_keyboard *k)
{
    return (bit(k->down, 0x1d) || bit(k->down, 0x9d) ? PS2_CTRL : 0) |
           (bit(k->down, 0x2a) || bit(k->down, 0x36) ? PS2_SHIFT : 0) |
           (bit(k->down, 0x38) || bit(k->down, 0xb8) ? PS2_ALT : 0);
}

static void key_down(struct ps2_keyboard *k, uint8_t qnum)
{
    uint8_t bytes[PS2_MAX_SEQUENCE];
    unsigned size = ps2_key_sequence(k->scan_set, qnum, true, modifiers(k), bytes);
    unsigned held = k->down_count + (bit(k->down, qnum) ? 0 : 1);

    /* Room for the release of every key that is then down stays free: a release always fits. */
    if (size == 0 || size + held * PS2_MAX_SEQUENCE > ps2_queue_room(&k->keys))
        return;
    if (qnum == KEY_PRINT)
        k->print_modifiers = modifiers(k);
    ps2_queue_push(&k->keys, bytes, size);
    set_bit(k->down, qnum, true);
    k->down_count = held;
}

static void key_up(struct ps2_keyboard *k, uint8_t qnum)
{
    uint8_t bytes[PS2_MAX_SEQUENCE];
    unsigned with = qnum == KEY_PRINT ? k->print_modifiers : modifiers(k);
    unsigned size = ps2_key_sequence(k->scan_set, qnum, false, with, bytes);

    if (!bit(k->down, qnum))
        return;
    set_bit(k->down, qnum, false);
    k->down_count--;
    if (k->scan_set != 3 || bit(k->set3_break, ps2_set3_code(qnum)))
        ps2_queue_push(&k->keys, bytes, size);
}

void ps2_keyboard_key(struct ps2_keyboard *k, uint8_t qnum, bool down)
{
    if (!k->scanning)
        return;
    if (down)
        key_down(k, qnum);
    else
        key_up(k, qnum);
}
