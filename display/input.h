/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where keys and the pointer go: the guest's side implements it. Callable from any thread; it
 * never waits for the guest.
 *
 * Keys are numbered as QEMU's extended key event numbers them ("qnum"): the PC's scancode set 1
 * make code, with 0x80 added for those behind the 0xe0 prefix. Pause is 0xc6.
 */
#ifndef DISPLAY_INPUT_H
#define DISPLAY_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#define INPUT_POSITION_MAX 0x7fff

enum {
    INPUT_BUTTON_LEFT = 1 << 0,
    INPUT_BUTTON_RIGHT = 1 << 1,
    INPUT_BUTTON_MIDDLE = 1 << 2,
};

struct input_ops {
    void (*key)(void *opaque, uint8_t qnum, bool down);
    /* The pointer's place on the surface, each axis from 0 to INPUT_POSITION_MAX, and the buttons
     * that are down. width and height: the surface in pixels, for devices that report motion. */
    void (*pointer)(void *opaque, unsigned x, unsigned y, unsigned width, unsigned height,
                    unsigned buttons);
    /* Relative motion in pixels, right and down positive. */
    void (*motion)(void *opaque, int dx, int dy, unsigned buttons);
    void (*wheel)(void *opaque, int steps); /* positive: away from the user */
};

struct input_sink {
    const struct input_ops *ops;
    void *opaque;
};

#endif
