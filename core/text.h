/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small helpers for text that users type or that foreign parties send. Any thread may call.
 */
#ifndef CORE_TEXT_H
#define CORE_TEXT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* "512M", "2G", "1536K", "4T" or plain bytes: binary multiples, case does not matter, "MiB" and
 * "MB" are taken as "M". On failure *ret_size is unchanged. */
bool text_parse_size(const char *text, uint64_t *ret_size, GError **err);
/* The shortest text that parses back to size: "2G", "1536M", "1000". Caller frees. */
char *text_format_size(uint64_t size);

/* A decimal number from min to max and nothing else. On failure *ret_value is unchanged. */
bool text_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value,
                       GError **err);

/* Foreign text made fit for a terminal: invalid UTF-8, control characters (C0, C1, DEL) and
 * bidirectional overrides become U+FFFD; line feed and tab stay when keep_lines. size -1: up to
 * the NUL. Caller frees. */
char *text_sanitize(const char *text, gssize size, bool keep_lines);

/* The candidate most like word, for "did you mean"; NULL when none is close enough. */
const char *text_closest(const char *word, const char *const *candidates, size_t count);

#endif
