/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The drawing half of term.h. */
#include <config.h>

#include <string.h>
#include <wchar.h>

#include "ui/tui/curses.h"

#include "ui/tui/term.h"

bool rect_contains(const struct rect *rect, int x, int y)
{
    return x >= rect->x && y >= rect->y && x < rect->x + rect->width && y < rect->y + rect->height;
}

static attr_t curses_attributes(const struct style *style)
{
    return (style->flags & STYLE_BOLD ? A_BOLD : 0) | (style->flags & STYLE_DIM ? A_DIM : 0) |
           (style->flags & STYLE_UNDERLINE ? A_UNDERLINE : 0) |
           (style->flags & STYLE_REVERSE ? A_REVERSE : 0) |
           (style->flags & STYLE_BLINK ? A_BLINK : 0);
}

static int curses_pair(const struct theme *theme, const struct style *style)
{
    int foreground = theme_color(theme, style->foreground);
    int background = theme_color(theme, style->background);
    int pair;

    if (foreground == COLOR_DEFAULT && background == COLOR_DEFAULT)
        return 0;
    pair = alloc_pair(foreground, background);
    return pair > 0 ? pair : 0;
}

static int character_columns(gunichar character)
{
    return wcwidth((wchar_t)character);
}

/* What a terminal without UTF-8 can show of it. */
static gunichar to_ascii(gunichar character)
{
    if (character < 0x7f)
        return character;
    if (character >= 0x2500 && character <= 0x257f) {
        if (character == 0x2502 || character == 0x2503 || character == 0x2551)
            return '|';
        return character == 0x2500 || character == 0x2501 || character == 0x2550 ? '-' : '+';
    }
    if (character >= 0x2580 && character <= 0x259f)
        return '#';
    if (character == 0xa0)
        return ' ';
    return '?';
}

static void put(struct terminal *term, int x, int y, gunichar character, attr_t attributes,
                int pair)
{
    wchar_t text[2] = {(wchar_t)character, 0};
    cchar_t cell;

    setcchar(&cell, text, attributes, 0, &pair);
    mvadd_wch(y, x, &cell);
}

void draw_cell(struct terminal *term, int x, int y, gunichar character, const struct style *style)
{
    const struct theme *theme = term_theme(term);

    if (x < 0 || y < 0 || x >= COLS || y >= LINES)
        return;
    if (theme->ascii)
        character = to_ascii(character);
    if (character_columns(character) < 1)
        character = theme->ascii ? '?' : 0xfffd;
    put(term, x, y, character, curses_attributes(style), curses_pair(theme, style));
}

static gunichar next_character(const char **text)
{
    gunichar character = g_utf8_get_char_validated(*text, -1);

    if (character == (gunichar)-1 || character == (gunichar)-2) {
        ++*text;
        return 0xfffd;
    }
    *text = g_utf8_next_char(*text);
    return character_columns(character) < 0 ? 0xfffd : character;
}

int text_columns(const char *text)
{
    int columns = 0;

    while (*text)
        columns += character_columns(next_character(&text));
    return columns;
}

int draw_text(struct terminal *term, int x, int y, int width, enum role role, const char *text)
{
    const struct theme *theme = term_theme(term);
    struct style style = theme_style(theme, role);
    attr_t attributes = curses_attributes(&style);
    int pair = curses_pair(theme, &style);
    bool fits;
    int used = 0;

    width = MIN(width, COLS - x);
    if (x < 0 || y < 0 || y >= LINES || width < 1)
        return 0;
    fits = text_columns(text) <= width;
    while (*text) {
        gunichar character = next_character(&text);
        int columns = character_columns(character);

        if (used + columns > (fits ? width : width - 1))
            break;
        if (columns > 0) /* combining characters are left out */
            put(term, x + used, y, theme->ascii ? to_ascii(character) : character, attributes,
                pair);
        used += columns;
    }
    if (!fits) {
        put(term, x + used, y, g_utf8_get_char(theme_glyph(theme, GLYPH_ELLIPSIS)), attributes,
            pair);
        used++;
    }
    return used;
}

int draw_format(struct terminal *term, int x, int y, int width, enum role role, const char *format,
                ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return draw_text(term, x, y, width, role, text);
}

int draw_wrapped(struct terminal *term, const struct rect *rect, enum role role, const char *text)
{
    int line = 0;

    while (*text && line < rect->height) {
        const char *end = text, *blank = NULL, *next;
        int used = 0;
        g_autofree char *part = NULL;

        while (*end && *end != '\n') {
            next = end;
            used += character_columns(next_character(&next));
            if (used > rect->width)
                break;
            if (*end == ' ')
                blank = end;
            end = next;
        }
        if (*end && *end != '\n' && *end != ' ' && blank)
            end = blank;
        if (end == text && *end != '\n') /* narrower than one wide character */
            return line;
        if (line == rect->height - 1 && *end && end[1]) /* draw_text() marks what is cut */
            end = text + strlen(text);
        part = g_strndup(text, (gsize)(end - text));
        if (term)
            draw_text(term, rect->x, rect->y + line, rect->width, role, part);
        line++;
        text = *end == ' ' || *end == '\n' ? end + 1 : end;
    }
    return line;
}

void draw_glyph(struct terminal *term, int x, int y, enum role role, enum glyph glyph)
{
    draw_text(term, x, y, 1, role, theme_glyph(term_theme(term), glyph));
}

void draw_fill(struct terminal *term, const struct rect *rect, enum role role)
{
    struct style style = theme_style(term_theme(term), role);
    attr_t attributes = curses_attributes(&style);
    int pair = curses_pair(term_theme(term), &style);

    for (int y = MAX(rect->y, 0); y < MIN(rect->y + rect->height, LINES); y++) {
        for (int x = MAX(rect->x, 0); x < MIN(rect->x + rect->width, COLS); x++)
            put(term, x, y, ' ', attributes, pair);
    }
}

void draw_frame(struct terminal *term, const struct rect *rect, enum role role, const char *title)
{
    int right = rect->x + rect->width - 1, bottom = rect->y + rect->height - 1;

    for (int x = rect->x + 1; x < right; x++) {
        draw_glyph(term, x, rect->y, role, GLYPH_HORIZONTAL);
        draw_glyph(term, x, bottom, role, GLYPH_HORIZONTAL);
    }
    for (int y = rect->y + 1; y < bottom; y++) {
        draw_glyph(term, rect->x, y, role, GLYPH_VERTICAL);
        draw_glyph(term, right, y, role, GLYPH_VERTICAL);
    }
    draw_glyph(term, rect->x, rect->y, role, GLYPH_TOP_LEFT);
    draw_glyph(term, right, rect->y, role, GLYPH_TOP_RIGHT);
    draw_glyph(term, rect->x, bottom, role, GLYPH_BOTTOM_LEFT);
    draw_glyph(term, right, bottom, role, GLYPH_BOTTOM_RIGHT);
    if (title && rect->width > 6) {
        int used = draw_text(term, rect->x + 2, rect->y, rect->width - 4, ROLE_STRONG, title);

        draw_text(term, rect->x + 1, rect->y, 1, role, " ");
        draw_text(term, rect->x + 2 + used, rect->y, 1, role, " ");
    }
}

void draw_cursor(struct terminal *term, int x, int y)
{
    if (x >= 0 && y >= 0 && x < COLS && y < LINES)
        term_want_cursor(term, x, y);
}
