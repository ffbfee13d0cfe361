/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <string.h>

#include "core/error.h"
#include "core/protocol.h"
#include "ui/tui/guest_screen.h"
#include "ui/tui/theme.h"

void guest_screen_finish(struct guest_screen *screen)
{
    g_free(screen->text);
    g_free(screen->attributes);
    g_free(screen->rgb);
    *screen = (struct guest_screen){0};
}

/* An integer from 0 to max, or 0. */
static unsigned get_size(const json_t *object, const char *key, unsigned max)
{
    json_int_t value = json_integer_value(json_object_get(object, key));

    return value > 0 && value <= max ? (unsigned)value : 0;
}

static bool take_text_row(struct guest_screen *screen, unsigned row, const char *text,
                          const char *attributes)
{
    gunichar *to = screen->text + (size_t)row * screen->columns;

    if (!text || !attributes || !g_utf8_validate(text, -1, NULL) ||
        strlen(attributes) != (size_t)screen->columns * 2)
        return false;
    for (unsigned column = 0; column < screen->columns; column++) {
        int high = g_ascii_xdigit_value(attributes[column * 2]);
        int low = g_ascii_xdigit_value(attributes[column * 2 + 1]);

        if (high < 0 || low < 0 || !*text)
            return false;
        screen->attributes[(size_t)row * screen->columns + column] = (uint8_t)(high << 4 | low);
        to[column] = g_utf8_get_char(text);
        text = g_utf8_next_char(text);
    }
    return *text == 0;
}

static bool take_text(struct guest_screen *screen, const json_t *reply, GError **err)
{
    const json_t *text = json_object_get(reply, "text");
    const json_t *attributes = json_object_get(reply, "attributes");
    const json_t *cursor = json_object_get(reply, "cursor");

    screen->columns = get_size(reply, "columns", GUEST_SCREEN_MAX_COLUMNS);
    screen->rows = get_size(reply, "rows", GUEST_SCREEN_MAX_ROWS);
    if (screen->columns == 0 || screen->rows == 0 || json_array_size(text) != screen->rows ||
        json_array_size(attributes) != screen->rows)
        return vmdesk_fail(err, VMDESK_ERROR_PROTOCOL,
                           "The engine sent a text screen of a size that cannot be.");
    screen->text = g_new0(gunichar, (size_t)screen->columns * screen->rows);
    screen->attributes = g_new0(uint8_t, (size_t)screen->columns * screen->rows);
    for (unsigned row = 0; row < screen->rows; row++) {
        if (!take_text_row(screen, row, json_string_value(json_array_get(text, row)),
                           json_string_value(json_array_get(attributes, row))))
            return vmdesk_fail(err, VMDESK_ERROR_PROTOCOL,
                               "The engine sent a text screen whose row %u is malformed.", row);
    }
    screen->cursor_shown = json_is_object(cursor);
    screen->cursor_x = get_size(cursor, "x", screen->columns - 1);
    screen->cursor_y = get_size(cursor, "y", screen->rows - 1);
    return true;
}

static bool take_picture(struct guest_screen *screen, const json_t *reply, GError **err)
{
    const char *base64 = json_string_value(json_object_get(reply, "rgb"));
    gsize size = 0;

    if (!base64)
        return true;
    screen->width = get_size(reply, "width", PROTOCOL_MAX_SCREEN_PIXELS);
    screen->height = get_size(reply, "height", PROTOCOL_MAX_SCREEN_PIXELS);
    screen->rgb = g_base64_decode(base64, &size);
    if (screen->width == 0 || screen->height == 0 ||
        size != (gsize)screen->width * screen->height * 3)
        return vmdesk_fail(err, VMDESK_ERROR_PROTOCOL,
                           "The engine sent a picture whose size and contents disagree.");
    return true;
}

bool guest_screen_take(struct guest_screen *screen, const json_t *reply, GError **err)
{
    struct guest_screen new = {.generation =
                                   json_integer_value(json_object_get(reply, "generation"))};
    const char *mode = json_string_value(json_object_get(reply, "mode"));
    bool fine = true;

    if (json_is_true(json_object_get(reply, "unchanged"))) {
        screen->generation = new.generation;
        return true;
    }
    new.guest_width = get_size(reply, "guest-width", 1 << 16);
    new.guest_height = get_size(reply, "guest-height", 1 << 16);
    if (mode && strcmp(mode, "text") == 0) {
        new.mode = GUEST_SCREEN_TEXT;
        fine = take_text(&new, reply, err);
    } else if (mode && strcmp(mode, "graphics") == 0) {
        new.mode = GUEST_SCREEN_GRAPHICS;
        fine = take_picture(&new, reply, err);
    } else if (!mode || strcmp(mode, "blank") != 0) {
        fine = vmdesk_fail(err, VMDESK_ERROR_PROTOCOL,
                           "The engine sent a screen of a kind that is not known.");
    }
    if (!fine) {
        guest_screen_finish(&new);
        return false;
    }
    guest_screen_finish(screen);
    *screen = new;
    return true;
}

/* Sums of colours. */
struct mixture {
    unsigned red, green, blue, count;
};

static void mix(struct mixture *mixture, uint32_t rgb, unsigned weight)
{
    mixture->red += weight * (rgb >> 16 & 0xff);
    mixture->green += weight * (rgb >> 8 & 0xff);
    mixture->blue += weight * (rgb & 0xff);
    mixture->count += weight;
}

/* How a character looks from afar: a letter covers about a third of its cell. */
static void mix_character(struct mixture *mixture, gunichar character, uint8_t attribute)
{
    unsigned ink = character <= ' ' || character == 0xa0 ? 0 : 1;

    if (character == 0x2588)
        ink = 3;
    mix(mixture, theme_palette_rgb(theme_cga(attribute & 0xf)), ink);
    mix(mixture, theme_palette_rgb(theme_cga(attribute >> 4 & 7)), 3 - ink);
}

uint32_t guest_screen_pixel(const struct guest_screen *screen, unsigned x, unsigned y,
                            unsigned width, unsigned height)
{
    bool text = screen->mode == GUEST_SCREEN_TEXT;
    unsigned from_width = text ? screen->columns : screen->width;
    unsigned from_height = text ? screen->rows : screen->height;
    unsigned left = x * from_width / width, right = (x + 1) * from_width / width;
    unsigned top = y * from_height / height, bottom = (y + 1) * from_height / height;
    struct mixture mixture = {0};

    if (from_width == 0 || from_height == 0 || (!text && !screen->rgb))
        return 0;
    for (unsigned row = top; row < MAX(bottom, top + 1); row++) {
        for (unsigned column = left; column < MAX(right, left + 1); column++) {
            size_t at = (size_t)row * from_width + column;
            const uint8_t *rgb = screen->rgb + at * 3;

            if (text)
                mix_character(&mixture, screen->text[at], screen->attributes[at]);
            else
                mix(&mixture, (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2], 1);
        }
    }
    return mixture.red / mixture.count << 16 | mixture.green / mixture.count << 8 |
           mixture.blue / mixture.count;
}
