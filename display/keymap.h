/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which key of a layout makes a character: X11 keysyms, as viewers send them, to key numbers
 * ("qnum", display/input.h). Tables only; any thread.
 */
#ifndef DISPLAY_KEYMAP_H
#define DISPLAY_KEYMAP_H

#include <stdbool.h>
#include <stdint.h>

#define QNUM_SHIFT_LEFT 0x2a
#define QNUM_SHIFT_RIGHT 0x36
#define QNUM_CONTROL_LEFT 0x1d
#define QNUM_CONTROL_RIGHT 0x9d
#define QNUM_ALT_LEFT 0x38
#define QNUM_ALT_GR 0xb8
#define QNUM_META_LEFT 0xdb
#define QNUM_META_RIGHT 0xdc
#define QNUM_CAPS_LOCK 0x3a
#define QNUM_SPACE 0x39

#define LEVEL_SHIFT 1
#define LEVEL_ALT_GR 2
#define KEYMAP_LEVELS 4

struct keymap;

struct keymap_key {
    uint8_t qnum;
    bool printing;   /* level says which modifiers make it; otherwise they do not matter */
    uint8_t level;   /* LEVEL_* */
    bool letter;     /* Caps Lock exchanges this level and its shifted one */
    bool then_space; /* a dead key: it makes this accent when Space follows */
};

/* NULL: unknown layout. */
const struct keymap *keymap_find(const char *layout);
/* NULL-terminated. */
const char *const *keymap_layouts(void);

/* False: no key of the layout makes it. */
bool keymap_lookup(const struct keymap *keymap, uint32_t keysym, struct keymap_key *ret);

/* The keysym that a printing key makes at a level; 0: none. The reverse of lookup, for tests. */
uint32_t keymap_keysym(const struct keymap *keymap, uint8_t qnum, unsigned level);

#endif
