/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What verbs print. */
#ifndef UI_OUTPUT_H
#define UI_OUTPUT_H

#include <jansson.h>
#include <stdint.h>

/* Prints a JSON value, which is stolen. */
void output_json(json_t *value);
/* A JSON string of foreign text, made valid; JSON's null for NULL. A new reference. */
json_t *output_string(const char *text);
/* Prints to stdout what may hold foreign text; line feeds and tabs stay. */
void output_text(const char *text);
/* "3 h 12 min" from nanoseconds, "2 min 5 s", "0.3 s"; caller frees. */
char *output_duration(uint64_t ns);
/* "1.5 GiB", for people; caller frees. */
char *output_bytes(uint64_t bytes);

#endif
