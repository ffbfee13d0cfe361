/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text screen of a guest, out of the engine's answer to query-screen. */
#ifndef UI_SCREEN_TEXT_H
#define UI_SCREEN_TEXT_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define SCREEN_MAX_ROWS 128
#define SCREEN_MAX_COLUMNS 256

/* An answer, checked. Without text, rows is 0. */
struct screen_text {
    bool unchanged; /* nothing is newer than what was asked for; the rest is not set */
    int64_t generation;
    char *mode; /* "text", "graphics", "blank" */
    unsigned guest_width, guest_height;
    unsigned rows, columns;
    gunichar *text;      /* rows x columns, fit for a terminal */
    uint8_t *attributes; /* the same: VGA attributes */
    bool cursor;
    unsigned cursor_x, cursor_y;
};

/* Asks for a screen newer than since, waiting up to wait_ms; -1: for the one there is. */
json_t *screen_text_question(int64_t since, unsigned wait_ms);

/* Fails when the answer is not what the protocol says; then *screen is empty. */
bool screen_text_init(struct screen_text *screen, const json_t *answer, GError **err);
void screen_text_finish(struct screen_text *screen);

/* One row as UTF-8 without trailing blanks; caller frees. */
char *screen_text_row(const struct screen_text *screen, unsigned row);

#endif
