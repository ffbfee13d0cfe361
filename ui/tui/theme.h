/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What things mean, and how a terminal shows it: roles for text, glyphs for states and frames.
 * Nothing is said by colour alone: each role that carries meaning differs without colour too.
 */
#ifndef UI_TUI_THEME_H
#define UI_TUI_THEME_H

#include <stdbool.h>
#include <stdint.h>

enum role {
    ROLE_NORMAL,
    ROLE_DIM,      /* labels, what is less important */
    ROLE_STRONG,   /* names, values that matter */
    ROLE_TITLE,    /* the program's name */
    ROLE_FRAME,    /* borders */
    ROLE_FOCUS,    /* the border of what has the focus */
    ROLE_SELECTED, /* the selected row where the focus is */
    ROLE_MARKED,   /* the selected row elsewhere */
    ROLE_KEY,      /* a key that can be pressed or clicked */
    ROLE_DISABLED,
    ROLE_TAB, /* the tab that is shown */
    ROLE_INPUT,
    ROLE_GRAB, /* the keyboard belongs to the guest */
    ROLE_GOOD,
    ROLE_NOTICE,
    ROLE_WARNING,
    ROLE_ERROR,
    ROLE_CURSOR, /* the guest's cursor */
    ROLE_COUNT,
};

enum {
    STYLE_BOLD = 1 << 0,
    STYLE_DIM = 1 << 1,
    STYLE_UNDERLINE = 1 << 2,
    STYLE_REVERSE = 1 << 3,
    STYLE_BLINK = 1 << 4,
};

/* A colour: -1 the terminal's own, 0 to 255 the xterm palette, or COLOR_RGB | 0xrrggbb. */
#define COLOR_DEFAULT (-1)
#define COLOR_RGB_FLAG (1 << 24)
#define COLOR_RGB(rgb) ((int)(rgb) | COLOR_RGB_FLAG)

struct style {
    int foreground, background;
    unsigned flags;
};

enum glyph {
    GLYPH_RUNNING,
    GLYPH_PAUSED,
    GLYPH_OFF,
    GLYPH_BUSY,    /* starting, connecting */
    GLYPH_FAILED,  /* crashed, killed, broken */
    GLYPH_UNKNOWN, /* not answering */
    GLYPH_POINTER, /* the selected row */
    GLYPH_ELLIPSIS,
    GLYPH_DOT, /* between parts of a line */
    GLYPH_HORIZONTAL,
    GLYPH_VERTICAL,
    GLYPH_TOP_LEFT,
    GLYPH_TOP_RIGHT,
    GLYPH_BOTTOM_LEFT,
    GLYPH_BOTTOM_RIGHT,
    GLYPH_UP,
    GLYPH_DOWN,
    GLYPH_UPPER_HALF, /* of a cell: foreground above, background below */
    GLYPH_BAR_0,      /* eight heights */
    GLYPH_BAR_7 = GLYPH_BAR_0 + 7,
    GLYPH_COUNT,
};

struct theme {
    unsigned colors; /* 0: none, 8, 16, 256, or 1 << 24 */
    bool ascii;
};

/* colors: what the terminal says it has. */
void theme_init(struct theme *theme, int colors, bool no_color, bool ascii);
struct style theme_style(const struct theme *theme, enum role role);
const char *theme_glyph(const struct theme *theme, enum glyph glyph); /* one column, UTF-8 */
/* 0..7 for a share of 0..1 */
enum glyph theme_bar(double share);

/* The nearest colour the terminal has, as curses numbers it; -1: its own. */
int theme_color(const struct theme *theme, int color);
/* 0xrrggbb of a colour of the xterm palette. */
uint32_t theme_palette_rgb(unsigned index);
/* The CGA colour (0 to 15, as a text mode's attribute numbers them) as a palette index. */
unsigned theme_cga(unsigned color);
/* A character of about that brightness, 0 to 255. */
char theme_luminance(unsigned brightness);
unsigned theme_brightness(uint32_t rgb); /* 0 to 255 */

#endif
