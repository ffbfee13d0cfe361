/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sequences are those of ECMA-48 as xterm and its kin use them: CSI number ; modifiers final,
 * and SS3 final.
 */
#include "ui/console_keys.h"

#include <glib.h>
#include <string.h>

#include "ui/key_events.h"

#define ESCAPE 0x1b
#define BACKSPACE 0x7f
#define MAX_SEQUENCE 16

enum { WITH_SHIFT = 1, WITH_ALT = 2, WITH_CTRL = 4 };

static json_t *stroke_of(const char *key, unsigned modifiers)
{
    g_autofree char *chord =
        g_strconcat(modifiers & WITH_CTRL ? "ctrl-" : "", modifiers & WITH_ALT ? "alt-" : "",
                    modifiers & WITH_SHIFT ? "shift-" : "", key, NULL);

    return key_events_chord(chord, NULL);
}

static const char *key_of_final(char final)
{
    static const char finals[] = "ABCDHFPQRS";
    static const char *const keys[] = {"up",  "down", "right", "left", "home",
                                       "end", "f1",   "f2",    "f3",   "f4"};
    const char *at = strchr(finals, final);

    return at != NULL ? keys[at - finals] : NULL;
}

static const char *key_of_number(unsigned number)
{
    static const char *const keys[] = {
        [1] = "home", [2] = "insert", [3] = "delete", [4] = "end",  [5] = "pgup",
        [6] = "pgdn", [7] = "home",   [8] = "end",    [11] = "f1",  [12] = "f2",
        [13] = "f3",  [14] = "f4",    [15] = "f5",    [17] = "f6",  [18] = "f7",
        [19] = "f8",  [20] = "f9",    [21] = "f10",   [23] = "f11", [24] = "f12",
    };

    return number < G_N_ELEMENTS(keys) ? keys[number] : NULL;
}

/* bytes: what follows ESC [, up to and with its final byte. */
static json_t *csi_stroke(const char *bytes, size_t size)
{
    unsigned parameters[2] = {0, 1};
    char final = bytes[size - 1];
    unsigned index = 0;
    const char *key;

    for (size_t i = 0; i + 1 < size; i++) {
        if (bytes[i] == ';' && index < 1)
            parameters[++index] = 0;
        else if (g_ascii_isdigit(bytes[i]) && parameters[index] < 100)
            parameters[index] = parameters[index] * 10 + bytes[i] - '0';
        else
            return NULL;
    }
    if (final == 'Z')
        return stroke_of("tab", WITH_SHIFT);
    key = final == '~' ? key_of_number(parameters[0]) : key_of_final(final);
    return key != NULL ? stroke_of(key, parameters[1] > 0 ? parameters[1] - 1 : 0) : NULL;
}

/* bytes: ESC and what follows it, at least one byte more. */
static size_t take_sequence(const char *bytes, size_t size, bool whole, json_t **ret_stroke)
{
    size_t end = 2;

    if (bytes[1] == 'O' && size > 2) {
        const char *key = key_of_final(bytes[2]);

        *ret_stroke = key != NULL ? stroke_of(key, 0) : NULL;
        return 3;
    }
    if (bytes[1] == '[' && size > 2) {
        /* Parameter and intermediate bytes, then one from '@' to '~'. */
        while (end < size && end < MAX_SEQUENCE && bytes[end] >= ' ' && bytes[end] < '@')
            end++;
        if (end < size)
            *ret_stroke = csi_stroke(bytes + 2, end - 1);
        return end < size ? end + 1 : whole ? size : 0;
    }
    if ((bytes[1] == '[' || bytes[1] == 'O') && !whole)
        return 0;
    if (bytes[1] > ' ' && bytes[1] < BACKSPACE) {
        const char key[] = {bytes[1], '\0'};
        *ret_stroke = stroke_of(key, WITH_ALT);
    }
    return 2;
}

static json_t *control_stroke(unsigned char byte)
{
    const char letter[] = {byte + 'a' - 1, '\0'};

    switch (byte) {
    case '\t':
    case '\r':
    case '\n':
        return key_events_character(byte, NULL);
    case '\b':
        return stroke_of("backspace", 0);
    case 0:
        return stroke_of("spc", WITH_CTRL);
    default:
        return byte <= 26 ? stroke_of(letter, WITH_CTRL) : NULL;
    }
}

size_t console_keys_take(const char *bytes, size_t size, bool whole, json_t **ret_stroke)
{
    unsigned char first = bytes[0];
    gunichar c;

    *ret_stroke = NULL;
    if (first == ESCAPE) {
        if (size > 1)
            return take_sequence(bytes, size, whole, ret_stroke);
        if (whole)
            *ret_stroke = stroke_of("esc", 0);
        return whole;
    }
    if (first < ' ' || first == BACKSPACE) {
        *ret_stroke = first == BACKSPACE ? stroke_of("backspace", 0) : control_stroke(first);
        return 1;
    }
    c = g_utf8_get_char_validated(bytes, size);
    if (c == (gunichar)-2)
        return whole; /* the rest of the character is to come */
    if (c == (gunichar)-1)
        return 1;
    *ret_stroke = key_events_character(c, NULL);
    return g_utf8_skip[first];
}
