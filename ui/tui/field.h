/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line of text that is being edited. */
#ifndef UI_TUI_FIELD_H
#define UI_TUI_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "ui/tui/term.h"

#define FIELD_MAX 4096 /* bytes */

struct field {
    GString *text;
    size_t cursor; /* byte offset, at a character */
    int first;     /* column of the text at the left edge */
};

void field_init(struct field *field, const char *text); /* the cursor is at the end */
void field_finish(struct field *field);
void field_set(struct field *field, const char *text);
const char *field_text(const struct field *field);
bool field_key(struct field *field, uint32_t key); /* false: not an editing key */
/* focused: with the hardware cursor. */
void field_draw(struct field *field, struct terminal *term, int x, int y, int width, bool focused);

#endif
