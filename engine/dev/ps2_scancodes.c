/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dev/ps2_scancodes.h"

#include <glib.h>
#include <string.h>

enum {
    EXTENDED = 0x80, /* in a qnum: behind the prefix 0xe0 */
    RELEASED = 0x80, /* in a set 1 code */

    KEY_SHIFT = 0x2a,
    KEY_KEYPAD_MULTIPLY = 0x37,
    KEY_SCROLL_LOCK = 0x46,
    KEY_SYSRQ = 0x54,
    KEY_PRINT = EXTENDED | KEY_KEYPAD_MULTIPLY,
    KEY_PAUSE = EXTENDED | KEY_SCROLL_LOCK,
};

/* Set 2 to set 1; above it only 0x83 and 0x84 change. */
static const uint8_t translation[128] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
};

uint8_t ps2_translate(uint8_t byte)
{
    if (byte == 0x83)
        return 0x41; /* F7 */
    if (byte == 0x84)
        return KEY_SYSRQ;
    return byte < sizeof(translation) ? translation[byte] : byte;
}

/* The set 2 code that translates to a set 1 code: a key's, where two do. */
static uint8_t set2_code(uint8_t set1)
{
    uint8_t code = 0x84;

    while (code > 1 && ps2_translate(code) != set1)
        code--;
    return code;
}

/* Keys whose code in set 3 is another than in set 2, and all behind the prefix that have one. */
static const struct {
    uint8_t qnum, code;
} set3_codes[] = {
    {0x01, 0x08}, {0x1d, 0x11}, {0x2b, 0x5c}, {0x37, 0x7e}, {0x38, 0x19}, {0x3a, 0x14},
    {0x3b, 0x07}, {0x3c, 0x0f}, {0x3d, 0x17}, {0x3e, 0x1f}, {0x3f, 0x27}, {0x40, 0x2f},
    {0x41, 0x37}, {0x42, 0x3f}, {0x43, 0x47}, {0x44, 0x4f}, {0x45, 0x76}, {0x46, 0x5f},
    {0x4a, 0x84}, {0x4e, 0x7c}, {0x54, 0x57}, {0x56, 0x13}, {0x57, 0x56}, {0x58, 0x5e},
    {0x9c, 0x79}, {0x9d, 0x58}, {0xb5, 0x77}, {0xb7, 0x57}, {0xb8, 0x39}, {0xc6, 0x62},
    {0xc7, 0x6e}, {0xc8, 0x63}, {0xc9, 0x6f}, {0xcb, 0x61}, {0xcd, 0x6a}, {0xcf, 0x65},
    {0xd0, 0x60}, {0xd1, 0x6d}, {0xd2, 0x67}, {0xd3, 0x64}, {0xdb, 0x8b}, {0xdc, 0x8c},
    {0xdd, 0x8d},
};

uint8_t ps2_set3_code(uint8_t qnum)
{
    for (size_t i = 0; i < G_N_ELEMENTS(set3_codes); i++) {
        if (set3_codes[i].qnum == qnum)
            return set3_codes[i].code;
    }
    return qnum == 0 || (qnum & EXTENDED) ? 0 : set2_code(qnum);
}

/* Appends one key's code in set 1 or 2. */
static unsigned append(unsigned set, uint8_t qnum, bool down, uint8_t *bytes)
{
    unsigned n = 0;

    if (qnum & EXTENDED)
        bytes[n++] = 0xe0;
    if (set == 1) {
        bytes[n++] = (qnum & ~EXTENDED) | (down ? 0 : RELEASED);
        return n;
    }
    if (!down)
        bytes[n++] = 0xf0;
    bytes[n++] = set2_code(qnum & ~EXTENDED);
    return n;
}

/* Pause says everything when it goes down. */
static unsigned pause_sequence(unsigned set, bool down, unsigned modifiers, uint8_t *bytes)
{
    static const uint8_t set1[] = {0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5};
    static const uint8_t set2[] = {0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77};
    unsigned n;

    if (!down)
        return 0;
    if (modifiers & PS2_CTRL) { /* Break */
        n = append(set, KEY_PAUSE, true, bytes);
        return n + append(set, KEY_PAUSE, false, bytes + n);
    }
    n = set == 1 ? sizeof(set1) : sizeof(set2);
    memcpy(bytes, set == 1 ? set1 : set2, n);
    return n;
}

/* Print Screen brings a Shift of its own, unless one of the modifiers is down. */
static unsigned print_sequence(unsigned set, bool down, unsigned modifiers, uint8_t *bytes)
{
    unsigned n;

    if (modifiers & PS2_ALT)
        return append(set, KEY_SYSRQ, down, bytes);
    if (modifiers & (PS2_CTRL | PS2_SHIFT))
        return append(set, KEY_PRINT, down, bytes);
    n = append(set, down ? EXTENDED | KEY_SHIFT : KEY_PRINT, down, bytes);
    return n + append(set, down ? KEY_PRINT : EXTENDED | KEY_SHIFT, down, bytes + n);
}

unsigned ps2_key_sequence(unsigned set, uint8_t qnum, bool down, unsigned modifiers,
                          uint8_t bytes[PS2_MAX_SEQUENCE])
{
    if (set == 3) {
        unsigned n = 0;

        if (ps2_set3_code(qnum) == 0)
            return 0;
        if (!down)
            bytes[n++] = 0xf0;
        bytes[n++] = ps2_set3_code(qnum);
        return n;
    }
    if (qnum == KEY_PAUSE)
        return pause_sequence(set, down, modifiers, bytes);
    if (qnum == KEY_PRINT)
        return print_sequence(set, down, modifiers, bytes);
    if ((qnum & ~EXTENDED) == 0)
        return 0; /* no such key: 0 means an overrun */
    return append(set, qnum, down, bytes);
}
