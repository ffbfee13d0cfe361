/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal: the only code that knows curses. Keys, mouse and resizes come as callbacks from the
 * default main context; a frame is drawn between term_begin() and term_end(), which sends what
 * changed as one synchronized update.
 *
 * Text handed to draw functions may be foreign: whatever is not a printable character becomes a
 * replacement character, and nothing is drawn outside the given width.
 *
 * One struct terminal exists at a time (curses is global).
 */
#ifndef UI_TUI_TERM_H
#define UI_TUI_TERM_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "ui/tui/theme.h"

struct terminal;

struct rect {
    int x, y, width, height;
};
bool rect_contains(const struct rect *rect, int x, int y);

enum mouse_button { MOUSE_LEFT, MOUSE_WHEEL_UP, MOUSE_WHEEL_DOWN };

struct term_handlers {
    void (*key)(uint32_t key, void *opaque); /* ui/tui/keymap.h */
    void (*mouse)(int x, int y, enum mouse_button button, void *opaque);
    void (*resized)(void *opaque);
    void (*gone)(void *opaque); /* the terminal went away, or a signal asked us to end */
};

struct term_options {
    bool ascii, no_mouse, no_color;
};

struct terminal *term_new(const struct term_options *options, const struct term_handlers *handlers,
                          void *opaque, GError **err);
void term_free(struct terminal *term);    /* gives the terminal back; NULL is fine */
void term_suspend(struct terminal *term); /* returns when the shell continues us */

int term_width(const struct terminal *term);
int term_height(const struct terminal *term);
const struct theme *term_theme(const struct terminal *term);

void term_begin(struct terminal *term);
void term_end(struct terminal *term);
void term_repaint(struct terminal *term); /* the next frame is sent whole */

/* Returns how many columns were used. Text that does not fit ends with an ellipsis. */
int draw_text(struct terminal *term, int x, int y, int width, enum role role, const char *text);
int draw_format(struct terminal *term, int x, int y, int width, enum role role, const char *format,
                ...) G_GNUC_PRINTF(6, 7);
/* Words broken to lines; returns how many lines were used, at most height. term NULL: only that. */
int draw_wrapped(struct terminal *term, const struct rect *rect, enum role role, const char *text);
void draw_glyph(struct terminal *term, int x, int y, enum role role, enum glyph glyph);
/* character in the terminal's repertoire is drawn as it is: one column, or two for wide ones. */
void draw_cell(struct terminal *term, int x, int y, gunichar character, const struct style *style);
void draw_fill(struct terminal *term, const struct rect *rect, enum role role);
/* A frame with a title in its top line (NULL: none). */
void draw_frame(struct terminal *term, const struct rect *rect, enum role role, const char *title);
/* The hardware cursor, for what has the focus; without this call in a frame it is hidden. */
void draw_cursor(struct terminal *term, int x, int y);

/* Columns that text takes. */
int text_columns(const char *text);

#endif
