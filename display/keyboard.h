/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's one keyboard, pressed by several viewers: finds the keys for the symbols that a
 * viewer sends, sees to the modifiers that the guest's layout needs for them, and lets go of what
 * a viewer held when it leaves. Not locked: one thread.
 */
#ifndef DISPLAY_KEYBOARD_H
#define DISPLAY_KEYBOARD_H

#include "display/input.h"
#include "display/keymap.h"

#define KEYBOARD_MAX_HELD 32 /* keys that one viewer holds at once */

struct keyboard {
    const struct keymap *keymap;
    struct input_sink sink;
    uint8_t holders[256]; /* by qnum: viewers that hold the key */
    bool caps_lock;       /* as far as the keys that passed here tell */
};

/* What one viewer holds. All zero: nothing. */
struct keyboard_hands {
    unsigned count;
    struct {
        uint32_t keysym; /* 0: it sent a key code */
        uint8_t qnum;
        bool printing;
    } held[KEYBOARD_MAX_HELD];
};

void keyboard_init(struct keyboard *keyboard, const struct keymap *keymap,
                   const struct input_sink *sink);
/* qnum 0: find the key by keysym; otherwise keysym does not matter. */
void keyboard_event(struct keyboard *keyboard, struct keyboard_hands *hands, bool down,
                    uint32_t keysym, uint8_t qnum);
void keyboard_release_all(struct keyboard *keyboard, struct keyboard_hands *hands);

#endif
