/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PS/2 keyboard with 101 and more keys (IBM PS/2 Hardware Interface Technical Reference,
 * "Keyboards (101- and 102-Key)"). Held keys are repeated by whoever sends the keys, not here.
 *
 * Thread: under the board's lock.
 */
#ifndef ENGINE_DEV_PS2_KEYBOARD_H
#define ENGINE_DEV_PS2_KEYBOARD_H

#include "engine/dev/ps2_queue.h"

struct ps2_keyboard {
    struct ps2_queue replies, keys; /* replies go first */
    bool scanning;
    uint8_t scan_set;
    uint8_t command;   /* whose parameter is awaited; 0: none */
    uint8_t last_sent; /* for a resend */
    uint8_t down[32];  /* bit per qnum: its make is or was in the queue */
    unsigned down_count;
    unsigned print_modifiers; /* when Print Screen went down: its release matches */
    uint8_t set3_break[32];   /* bit per set 3 code: its release is reported */
};

void ps2_keyboard_power_on(struct ps2_keyboard *keyboard);
/* A byte from the host. */
void ps2_keyboard_write(struct ps2_keyboard *keyboard, uint8_t byte);
/* The next byte for the host; false: none. */
bool ps2_keyboard_next(struct ps2_keyboard *keyboard, uint8_t *ret_byte);
/* A key as in display/input.h. What does not fit is dropped key by key: a make that is taken is
 * followed by its release. */
void ps2_keyboard_key(struct ps2_keyboard *keyboard, uint8_t qnum, bool down);

#endif
