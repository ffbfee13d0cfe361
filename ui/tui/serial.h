/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The serial line of a machine as a terminal: a socket on one side, cells and keys on the other. */
#ifndef UI_TUI_SERIAL_H
#define UI_TUI_SERIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "ui/tui/term.h"

struct serial;

/* Connects; failure shows as serial_error(). changed: draw it again. */
struct serial *serial_new(const char *path, void (*changed)(void *opaque), void *opaque);
void serial_free(struct serial *serial);               /* NULL is fine */
const char *serial_error(const struct serial *serial); /* NULL: connected */

void serial_key(struct serial *serial, uint32_t key);
/* The terminal takes the size of rect. focused: the hardware cursor is in it. */
void serial_draw(struct serial *serial, struct terminal *term, const struct rect *rect,
                 bool focused);

#endif
