/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/screen_text.h"

#include <string.h>

#include "core/error.h"
#include "core/text.h"
#include "ui/remote.h"

#define DEFAULT_ATTRIBUTE 0x07 /* light grey on black */

json_t *screen_text_question(int64_t since, unsigned wait_ms)
{
    return since < 0 ? NULL
                     : json_pack("{s:I, s:i}", "since", (json_int_t)since, "wait", (int)wait_ms);
}

/* Every column of the row, blank where the answer has no character. */
static void take_row(struct screen_text *screen, unsigned row, const char *text, const char *hex)
{
    g_autofree char *clean = text_sanitize(text, -1, false);
    const char *p = clean;
    bool colored = strlen(hex) >= 2 * (size_t)screen->columns;

    for (unsigned x = 0; x < screen->columns; x++) {
        size_t i = (size_t)row * screen->columns + x;
        int high = colored ? g_ascii_xdigit_value(hex[2 * x]) : -1;
        int low = colored ? g_ascii_xdigit_value(hex[2 * x + 1]) : -1;
        gunichar c = *p != '\0' ? g_utf8_get_char(p) : ' ';

        /* What takes no column, or two, would shift the rest of the row. */
        screen->text[i] = g_unichar_iszerowidth(c) || g_unichar_iswide(c) ? 0xfffd : c;
        screen->attributes[i] = high >= 0 && low >= 0 ? high << 4 | low : DEFAULT_ATTRIBUTE;
        if (*p != '\0')
            p = g_utf8_next_char(p);
    }
}

static bool take_text(struct screen_text *screen, const json_t *answer)
{
    json_int_t rows = remote_integer(answer, "rows"), columns = remote_integer(answer, "columns");
    const json_t *text = json_object_get(answer, "text");
    const json_t *attributes = json_object_get(answer, "attributes");
    const json_t *cursor = json_object_get(answer, "cursor");

    if (rows < 1 || rows > SCREEN_MAX_ROWS || columns < 1 || columns > SCREEN_MAX_COLUMNS)
        return false;
    screen->rows = rows;
    screen->columns = columns;
    screen->text = g_new(gunichar, rows * columns);
    screen->attributes = g_new(uint8_t, rows * columns);
    for (unsigned y = 0; y < screen->rows; y++) {
        const char *row = json_string_value(json_array_get(text, y));
        const char *hex = json_string_value(json_array_get(attributes, y));

        take_row(screen, y, row != NULL ? row : "", hex != NULL ? hex : "");
    }
    if (cursor != NULL) {
        json_int_t x = remote_integer(cursor, "x"), y = remote_integer(cursor, "y");

        screen->cursor = x >= 0 && x < columns && y >= 0 && y < rows;
        screen->cursor_x = x;
        screen->cursor_y = y;
    }
    return true;
}

bool screen_text_init(struct screen_text *screen, const json_t *answer, GError **err)
{
    memset(screen, 0, sizeof(*screen));
    screen->generation = remote_integer(answer, "generation");
    screen->unchanged = json_is_true(json_object_get(answer, "unchanged"));
    screen->mode = text_sanitize(remote_string(answer, "mode"), -1, false);
    screen->guest_width = CLAMP(remote_integer(answer, "guest-width"), 0, G_MAXUINT16);
    screen->guest_height = CLAMP(remote_integer(answer, "guest-height"), 0, G_MAXUINT16);
    if (screen->unchanged || strcmp(screen->mode, "text") != 0 || take_text(screen, answer))
        return true;
    screen_text_finish(screen);
    return vmdesk_fail(err, VMDESK_ERROR_PROTOCOL,
                       "The engine described an impossible screen: look at its log");
}

void screen_text_finish(struct screen_text *screen)
{
    g_clear_pointer(&screen->mode, g_free);
    g_clear_pointer(&screen->text, g_free);
    g_clear_pointer(&screen->attributes, g_free);
    screen->rows = 0;
}

char *screen_text_row(const struct screen_text *screen, unsigned row)
{
    char *text =
        g_ucs4_to_utf8(screen->text + row * screen->columns, screen->columns, NULL, NULL, NULL);

    return text != NULL ? g_strchomp(text) : g_strdup("");
}
