/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A list to choose from: the action menu, the palette, the help, discs (ui.h). */
#include <config.h>

#include <string.h>

#include "ui/tui/field.h"
#include "ui/tui/list.h"
#include "ui/tui/ui.h"

#define PICKER_WIDTH 70

struct picker_screen {
    struct screen screen;
    struct picker picker;
    char *title, *empty;
    GPtrArray *shown; /* of picker.rows, those that match */
    struct field field;
    struct list list;
};

struct picker_row *picker_row_new(int id, const char *label, const char *note, const char *refusal,
                                  uint32_t key)
{
    struct picker_row *row = g_new0(struct picker_row, 1);

    row->id = id;
    row->label = g_strdup(label);
    row->note = g_strdup(note);
    row->refusal = g_strdup(refusal);
    row->key = key;
    return row;
}

void picker_row_free(struct picker_row *row)
{
    if (!row)
        return;
    g_free(row->label);
    g_free(row->note);
    g_free(row->refusal);
    g_free(row);
}

static void picker_free(struct screen *screen)
{
    struct picker_screen *picker = (struct picker_screen *)screen;

    if (picker->picker.free_opaque)
        picker->picker.free_opaque(picker->picker.opaque);
    g_ptr_array_free(picker->shown, TRUE);
    g_ptr_array_unref(picker->picker.rows);
    field_finish(&picker->field);
    g_free(picker->title);
    g_free(picker->empty);
    g_free(picker);
}

static bool contains(const char *text, const char *folded_part)
{
    g_autofree char *folded = text ? g_utf8_casefold(text, -1) : NULL;

    return folded && strstr(folded, folded_part);
}

static void filter(struct picker_screen *picker)
{
    g_autofree char *part = g_utf8_casefold(field_text(&picker->field), -1);

    g_ptr_array_set_size(picker->shown, 0);
    for (guint i = 0; i < picker->picker.rows->len; i++) {
        struct picker_row *row = picker->picker.rows->pdata[i];

        if (contains(row->label, part) || contains(row->note, part))
            g_ptr_array_add(picker->shown, row);
    }
    list_set_count(&picker->list, (int)picker->shown->len);
}

static void choose(struct picker_screen *picker, struct picker_row *row)
{
    struct tui *tui = picker->screen.tui;

    if (row->refusal) {
        tui_say(tui, ROLE_WARNING, "%s: %s.", row->label, row->refusal);
        return;
    }
    /* It may open a screen of its own, so this one goes first. */
    g_autoptr(GPtrArray) rows = g_ptr_array_ref(picker->picker.rows);
    struct picker chosen = picker->picker;

    picker->picker.free_opaque = NULL;
    tui_pop(tui, &picker->screen);
    chosen.chosen(tui, row, chosen.opaque);
    if (chosen.free_opaque)
        chosen.free_opaque(chosen.opaque);
}

static struct picker_row *row_for_key(struct picker_screen *picker, uint32_t key)
{
    for (guint i = 0; !picker->picker.filter && i < picker->shown->len; i++) {
        struct picker_row *row = picker->shown->pdata[i];

        if (row->key == key)
            return row;
    }
    return NULL;
}

static bool picker_key(struct screen *screen, uint32_t key)
{
    struct picker_screen *picker = (struct picker_screen *)screen;
    struct picker_row *row = row_for_key(picker, key);

    if (key == TUI_KEY_ESCAPE || key == (KEY_CTRL | 'c') ||
        (!picker->picker.filter && key == 'q')) {
        tui_pop(screen->tui, screen);
    } else if (row) {
        choose(picker, row);
    } else if (key == TUI_KEY_ENTER) {
        if (picker->shown->len)
            choose(picker, picker->shown->pdata[picker->list.selected]);
    } else if (picker->picker.filter && key < TUI_KEY_FIRST && field_key(&picker->field, key)) {
        filter(picker);
    } else if (picker->picker.filter && key == TUI_KEY_BACKSPACE) {
        field_key(&picker->field, key);
        filter(picker);
    } else {
        list_key(&picker->list, key);
    }
    return true;
}

static void picker_mouse(struct screen *screen, int x, int y, enum mouse_button button)
{
    struct picker_screen *picker = (struct picker_screen *)screen;

    if (button == MOUSE_LEFT)
        tui_pop(screen->tui, screen); /* beside it */
    else
        list_key(&picker->list, button == MOUSE_WHEEL_UP ? TUI_KEY_UP : TUI_KEY_DOWN);
}

static void draw_row(struct picker_screen *picker, const struct rect *area, int index)
{
    struct tui *tui = picker->screen.tui;
    struct terminal *term = tui_term(tui);
    struct picker_row *row = picker->shown->pdata[index];
    struct rect line = {area->x, area->y + index - picker->list.first, area->width, 1};
    bool selected = index == picker->list.selected;
    enum role role = selected ? ROLE_SELECTED : row->refusal ? ROLE_DISABLED : ROLE_NORMAL;
    const char *note = row->refusal ? row->refusal : row->note;
    int x = line.x + 2, right = line.x + line.width - 1;

    if (selected) {
        draw_fill(term, &line, role);
        draw_glyph(term, line.x, line.y, role, GLYPH_POINTER);
    }
    if (row->key) {
        g_autofree char *label = key_label(row->key);

        draw_text(term, x, line.y, 10, selected || row->refusal ? role : ROLE_KEY, label);
        x += 11;
    }
    x += draw_text(term, x, line.y, right - x, role, row->label) + 2;
    if (note && (row->refusal ? x < right : text_columns(note) <= right - x)) {
        int columns = MIN(text_columns(note), right - x);

        draw_text(term, right - columns, line.y, columns,
                  selected       ? ROLE_SELECTED
                  : row->refusal ? ROLE_DISABLED
                                 : ROLE_DIM,
                  note);
    }
    tui_hot(tui, &line, TUI_KEY_ROW + (uint32_t)index);
}

static void picker_draw(struct screen *screen)
{
    struct picker_screen *picker = (struct picker_screen *)screen;
    struct terminal *term = tui_term(screen->tui);
    int extra = picker->picker.filter ? 2 : 0;
    struct rect area;

    tui_dialog_box(screen->tui, PICKER_WIDTH, (int)MAX(picker->picker.rows->len, 1) + 2 + extra,
                   picker->title, ROLE_FOCUS, &area);
    if (picker->picker.filter) {
        draw_text(term, area.x, area.y, 2, ROLE_KEY, "> ");
        field_draw(&picker->field, term, area.x + 2, area.y, area.width - 2, true);
        area.y += extra;
        area.height -= extra;
    }
    if (!picker->shown->len)
        draw_text(term, area.x, area.y, area.width, ROLE_DIM,
                  picker->picker.rows->len ? "Nothing matches." : picker->empty);
    area.x--;
    area.width += 2;
    list_show(&picker->list, area.height);
    for (int i = picker->list.first; i < list_last(&picker->list); i++)
        draw_row(picker, &area, i);
}

static const struct screen_ops picker_ops = {
    .key = picker_key,
    .mouse = picker_mouse,
    .draw = picker_draw,
    .free = picker_free,
};

void picker_add(struct screen *screen, struct picker_row *row)
{
    struct picker_screen *picker = (struct picker_screen *)screen;

    g_ptr_array_add(picker->picker.rows, row);
    filter(picker);
    tui_redraw(screen->tui);
}

struct screen *picker_open(struct tui *tui, const struct picker *picker)
{
    struct picker_screen *screen = g_new0(struct picker_screen, 1);

    screen->screen = (struct screen){&picker_ops, tui};
    screen->picker = *picker;
    screen->title = g_strdup(picker->title);
    screen->empty = g_strdup(picker->empty ? picker->empty : "");
    screen->shown = g_ptr_array_new();
    field_init(&screen->field, "");
    filter(screen);
    for (guint i = 0; i < picker->rows->len; i++) {
        if (((struct picker_row *)picker->rows->pdata[i])->id == picker->selected)
            screen->list.selected = (int)i;
    }
    tui_push(tui, &screen->screen);
    return &screen->screen;
}
