/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys by name, number and character. Names are QMP's QKeyCode ("a", "ret", "ctrl_r", "kp_7");
 * numbers are QEMU's qnum (display/input.h says how they are made). No state, any thread.
 */
#ifndef CORE_KEYS_H
#define CORE_KEYS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct key_name {
    const char *name;
    uint8_t qnum;
};
/* Sorted by number; a number may have several names, of which the first is the usual one. */
const struct key_name *key_names(size_t *ret_count);

bool key_from_name(const char *name, uint8_t *ret_qnum);
const char *key_to_name(uint8_t qnum); /* NULL: no such key */

/* The key that gives a character on a US keyboard, and whether with Shift. Control characters are
 * the keys that make them: \n and \r Return, \t Tab, \b Backspace, 0x1b Escape, 0x7f Delete. */
bool key_from_char(gunichar character, uint8_t *ret_qnum, bool *ret_shift);

/* "ctrl-alt-delete", "shift-a", "f2": keys held together, pressed in this order. Joined by '-' or
 * '+'. Returns how many, 0 and *err when a name is unknown or there are more than KEY_CHORD_MAX. */
#define KEY_CHORD_MAX 8
size_t key_parse_chord(const char *text, uint8_t ret_qnums[KEY_CHORD_MAX], GError **err);

#endif
