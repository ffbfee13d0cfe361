/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <string.h>

#include "ui/tui/field.h"
#include "ui/tui/keymap.h"

void field_init(struct field *field, const char *text)
{
    field->text = g_string_new(NULL);
    field_set(field, text ? text : "");
}

void field_finish(struct field *field)
{
    if (field->text)
        g_string_free(field->text, TRUE);
    field->text = NULL;
}

void field_set(struct field *field, const char *text)
{
    g_string_assign(field->text, text);
    field->cursor = field->text->len;
    field->first = 0;
}

const char *field_text(const struct field *field)
{
    return field->text->str;
}

static size_t previous(const struct field *field)
{
    const char *at = field->text->str + field->cursor;

    return field->cursor ? (size_t)(g_utf8_prev_char(at) - field->text->str) : 0;
}

static size_t next(const struct field *field)
{
    const char *at = field->text->str + field->cursor;

    return *at ? (size_t)(g_utf8_next_char(at) - field->text->str) : field->cursor;
}

static size_t word_start(const struct field *field)
{
    size_t at = field->cursor;

    while (at > 0 && strchr(" /", field->text->str[at - 1]))
        at--;
    while (at > 0 && !strchr(" /", field->text->str[at - 1]))
        at--;
    return at;
}

static void erase(struct field *field, size_t from, size_t to)
{
    g_string_erase(field->text, (gssize)from, (gssize)(to - from));
    field->cursor = from;
}

static bool insert(struct field *field, gunichar character)
{
    char bytes[6];
    int length;

    if (!g_unichar_isprint(character) || !g_unichar_validate(character))
        return false;
    length = g_unichar_to_utf8(character, bytes);
    if (field->text->len + (size_t)length <= FIELD_MAX) {
        g_string_insert_len(field->text, (gssize)field->cursor, bytes, length);
        field->cursor += (size_t)length;
    }
    return true;
}

bool field_key(struct field *field, uint32_t key)
{
    switch (key) {
    case TUI_KEY_LEFT:
    case KEY_CTRL | 'b':
        field->cursor = previous(field);
        return true;
    case TUI_KEY_RIGHT:
    case KEY_CTRL | 'f':
        field->cursor = next(field);
        return true;
    case TUI_KEY_HOME:
    case KEY_CTRL | 'a':
        field->cursor = 0;
        return true;
    case TUI_KEY_END:
    case KEY_CTRL | 'e':
        field->cursor = field->text->len;
        return true;
    case TUI_KEY_BACKSPACE:
        erase(field, previous(field), field->cursor);
        return true;
    case TUI_KEY_DELETE:
    case KEY_CTRL | 'd':
        erase(field, field->cursor, next(field));
        return true;
    case KEY_CTRL | 'u':
        erase(field, 0, field->cursor);
        return true;
    case KEY_CTRL | 'k':
        g_string_truncate(field->text, field->cursor);
        return true;
    case KEY_CTRL | 'w':
        erase(field, word_start(field), field->cursor);
        return true;
    default:
        return key < TUI_KEY_FIRST && insert(field, key);
    }
}

void field_draw(struct field *field, struct terminal *term, int x, int y, int width, bool focused)
{
    g_autofree char *before = g_strndup(field->text->str, field->cursor);
    struct rect rect = {x, y, width, 1};
    const char *visible = field->text->str;
    int column = text_columns(before);

    if (column - field->first >= width)
        field->first = column - width + 1;
    if (column < field->first)
        field->first = column;
    for (int skip = field->first; skip > 0 && *visible;) {
        const char *rest = g_utf8_next_char(visible);
        g_autofree char *one = g_strndup(visible, (gsize)(rest - visible));

        skip -= text_columns(one);
        visible = rest;
    }
    draw_fill(term, &rect, focused ? ROLE_INPUT : ROLE_NORMAL);
    draw_text(term, x, y, width, focused ? ROLE_INPUT : ROLE_NORMAL, visible);
    if (focused)
        draw_cursor(term, x + column - field->first, y);
}
