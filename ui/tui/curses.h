/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How term.c and draw.c include curses; nothing else does. */
#ifndef UI_TUI_CURSES_H
#define UI_TUI_CURSES_H

#define NCURSES_WIDECHAR 1
#define NCURSES_NOMACROS 1
#include <curses.h>

struct terminal;

void term_want_cursor(struct terminal *term, int x, int y);

#endif
