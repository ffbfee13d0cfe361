/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key strokes as arguments of input-send-event. */
#ifndef UI_KEY_EVENTS_H
#define UI_KEY_EVENTS_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Presses the keys in order and releases them in reverse; a new reference. */
json_t *key_events_stroke(const uint8_t *qnums, size_t count);

/* The stroke of one character on a US keyboard; NULL and *err when it has none. */
json_t *key_events_character(gunichar character, GError **err);

/* The stroke of a chord as "ctrl-alt-delete". */
json_t *key_events_chord(const char *chord, GError **err);

#endif
