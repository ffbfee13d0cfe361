/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keyboard layouts as pictures: what each printing key makes at each level (plain, Shift, AltGr,
 * AltGr and Shift), in the order of keymap_positions, in UTF-8; a space: nothing.
 *
 * Dead keys are written as the modifier letters of keymap_dead_keys.
 */
#ifndef DISPLAY_KEYMAP_LAYOUTS_H
#define DISPLAY_KEYMAP_LAYOUTS_H

#include "display/keymap.h"

#define KEYMAP_POSITIONS 50

struct keymap {
    const char *name;
    const char *levels[KEYMAP_LEVELS]; /* NULL: an empty level */
};

struct keymap_dead_key {
    uint32_t written, keysym, accent; /* accent: what it makes before Space */
};

extern const struct keymap keymap_tables[];
extern const unsigned keymap_table_count;
extern const uint8_t keymap_positions[KEYMAP_POSITIONS]; /* qnum */
extern const struct keymap_dead_key keymap_dead_keys[];
extern const unsigned keymap_dead_key_count;

#endif
