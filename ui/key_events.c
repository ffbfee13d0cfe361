/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/key_events.h"

#include "core/error.h"
#include "core/keys.h"

static void append_key(json_t *events, uint8_t qnum, bool down)
{
    json_array_append_new(events, json_pack("{s:s, s:{s:b, s:{s:s, s:i}}}", "type", "key", "data",
                                            "down", down, "key", "type", "number", "data", qnum));
}

json_t *key_events_stroke(const uint8_t *qnums, size_t count)
{
    json_t *events = json_array();

    for (size_t i = 0; i < count; i++)
        append_key(events, qnums[i], true);
    for (size_t i = count; i > 0; i--)
        append_key(events, qnums[i - 1], false);
    return json_pack("{s:o}", "events", events);
}

json_t *key_events_character(gunichar character, GError **err)
{
    uint8_t keys[2];
    bool shift;

    if (!key_from_char(character, &keys[1], &shift)) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "A US keyboard has no key for U+%04X: leave it out, or use --key", character);
        return NULL;
    }
    if (!shift)
        return key_events_stroke(&keys[1], 1);
    if (!key_from_name("shift", &keys[0])) {
        vmdesk_fail(err, VMDESK_ERROR_INTERNAL, "There is no Shift key: report this");
        return NULL;
    }
    return key_events_stroke(keys, 2);
}

json_t *key_events_chord(const char *chord, GError **err)
{
    uint8_t keys[KEY_CHORD_MAX];
    size_t count = key_parse_chord(chord, keys, err);

    return count > 0 ? key_events_stroke(keys, count) : NULL;
}
