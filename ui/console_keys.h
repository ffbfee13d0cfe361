/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a terminal sends for a key, as the stroke of a guest's key. */
#ifndef UI_CONSOLE_KEYS_H
#define UI_CONSOLE_KEYS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Takes one key from the start of size (at least 1) bytes; returns how many it took. 0: the bytes
 * begin a sequence that may go on, unless whole says that no more come. *ret_stroke is the argument
 * of input-send-event, a new reference; NULL when the key has no counterpart. */
size_t console_keys_take(const char *bytes, size_t size, bool whole, json_t **ret_stroke);

#endif
