/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What query-screen says, checked: the engine is as foreign as its guest. No state, any thread. */
#ifndef UI_TUI_GUEST_SCREEN_H
#define UI_TUI_GUEST_SCREEN_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define GUEST_SCREEN_MAX_COLUMNS 512
#define GUEST_SCREEN_MAX_ROWS 256

enum guest_screen_mode { GUEST_SCREEN_BLANK, GUEST_SCREEN_TEXT, GUEST_SCREEN_GRAPHICS };

struct guest_screen {
    int64_t generation;
    enum guest_screen_mode mode;
    unsigned guest_width, guest_height; /* pixels; 0: not known */
    /* text */
    unsigned columns, rows;
    gunichar *text;      /* columns * rows */
    uint8_t *attributes; /* the same: VGA's */
    bool cursor_shown;
    unsigned cursor_x, cursor_y;
    /* graphics: a scaled picture */
    unsigned width, height;
    uint8_t *rgb; /* width * height * 3; NULL: none was asked for */
};

void guest_screen_finish(struct guest_screen *screen); /* zeroes it; fine on a zeroed one */
/* Takes a reply. On failure *screen is unchanged. A reply "unchanged" only sets the generation. */
bool guest_screen_take(struct guest_screen *screen, const json_t *reply, GError **err);

/* The colour 0xrrggbb of half a cell when the screen is shown as a picture of width x height
 * halves: text modes as a miniature, one value for the characters that share it. */
uint32_t guest_screen_pixel(const struct guest_screen *screen, unsigned x, unsigned y,
                            unsigned width, unsigned height);

#endif
