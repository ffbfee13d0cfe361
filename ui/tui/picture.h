/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's screen on the terminal: text as text, pictures as half cells or characters. */
#ifndef UI_TUI_PICTURE_H
#define UI_TUI_PICTURE_H

#include "ui/tui/guest_screen.h"
#include "ui/tui/term.h"

/* As a picture, in the middle of rect; text modes as a miniature. */
void picture_draw(struct terminal *term, const struct guest_screen *screen,
                  const struct rect *rect);

/* The text that starts at column left, row top. */
void picture_draw_text(struct terminal *term, const struct guest_screen *screen,
                       const struct rect *rect, unsigned left, unsigned top);

#endif
