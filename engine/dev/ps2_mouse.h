/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PS/2 mouse (IBM PS/2 Hardware Interface Technical Reference, "Mouse") that becomes an
 * IntelliMouse with a wheel, or an IntelliMouse Explorer, when the host sets the sample rates
 * 200, 100, 80 or 200, 200, 80.
 *
 * Thread: under the board's lock.
 */
#ifndef ENGINE_DEV_PS2_MOUSE_H
#define ENGINE_DEV_PS2_MOUSE_H

#include "engine/dev/ps2_queue.h"

struct ps2_mouse {
    struct ps2_queue replies, packets; /* replies go first */
    uint8_t id;                        /* 0, 3 or 4 */
    bool reporting, remote, wrap, scaling;
    uint8_t resolution, sample_rate;
    uint8_t knocks[3]; /* the last sample rates, newest last */
    uint8_t command;   /* whose parameter is awaited; 0: none */
    uint8_t last_sent;

    int dx, dy, dz; /* not reported yet: right, down, towards the user */
    uint8_t buttons, reported_buttons;

    /* The absolute pointer, in pixels of a surface of this size; 0 x 0: none yet. */
    int x, y, width, height;
};

void ps2_mouse_power_on(struct ps2_mouse *mouse);
/* A byte from the host. */
void ps2_mouse_write(struct ps2_mouse *mouse, uint8_t byte);
/* The next byte for the host; false: none. */
bool ps2_mouse_next(struct ps2_mouse *mouse, uint8_t *ret_byte);

/* Motion, wheel steps (away from the user) and buttons as in display/input.h. Motion that the host
 * does not fetch adds up, to a limit; button changes are kept as long as there is room. */
void ps2_mouse_move(struct ps2_mouse *mouse, int dx, int dy, unsigned buttons);
void ps2_mouse_wheel(struct ps2_mouse *mouse, int steps);
/* An absolute position becomes motion from the last one. On reaching an edge the motion goes past
 * it by the whole surface, so that guest's and host's pointers meet there. */
void ps2_mouse_point(struct ps2_mouse *mouse, unsigned x, unsigned y, unsigned width,
                     unsigned height, unsigned buttons);

#endif
