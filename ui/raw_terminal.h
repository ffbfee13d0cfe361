/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The terminal of `vmdesk console`: raw while it is attached. */
#ifndef UI_RAW_TERMINAL_H
#define UI_RAW_TERMINAL_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#define CONSOLE_ESCAPE 0x1d /* Ctrl-] leaves */

struct raw_terminal;

/* Makes standard input raw; NULL and *err when it is no terminal. */
struct raw_terminal *raw_terminal_new(GError **err);
/* As it was before. NULL is fine. */
void raw_terminal_free(struct raw_terminal *terminal);

/* At least 1 x 1. */
void raw_terminal_size(unsigned *ret_rows, unsigned *ret_columns);

/* Writes all of it to a descriptor; false: it is gone. */
bool write_all(int fd, const void *data, size_t size);

#endif
