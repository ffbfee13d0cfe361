/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A graphics adapter that a test draws on. */
#ifndef TESTS_FAKES_SCREEN_H
#define TESTS_FAKES_SCREEN_H

#include "display/display.h"

struct fake_screen {
    GMutex lock; /* of all below */
    GCond asked;
    enum display_mode mode;
    unsigned width, height; /* wanted; 0: no surface yet */
    uint32_t seed;          /* the picture: pixel (x, y) is fake_screen_pixel(seed, x, y) */
    bool dirty;             /* the picture changed since the last refresh */
    unsigned refreshes, full_refreshes;
    unsigned suggested_width, suggested_height;
    struct text_screen *text;
};

extern const struct display_source_ops fake_screen_ops;

void fake_screen_init(struct fake_screen *screen);
void fake_screen_finish(struct fake_screen *screen);
uint32_t fake_screen_pixel(uint32_t seed, unsigned x, unsigned y);
/* Changes the picture; the display sees it at its next refresh. */
void fake_screen_draw(struct fake_screen *screen, unsigned width, unsigned height, uint32_t seed);
unsigned fake_screen_refreshes(struct fake_screen *screen);
/* Width << 16 | height of the last hint; 0: none. */
unsigned fake_screen_suggested(struct fake_screen *screen);

#endif
