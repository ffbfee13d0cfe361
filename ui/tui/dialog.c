/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dialogs: a question, and a line to fill in (ui.h). */
#include <config.h>

#include "ui/tui/field.h"
#include "ui/tui/ui.h"

#define DIALOG_WIDTH 62
#define TEXT_LINES_MAX 6

struct confirm {
    struct screen screen;
    char *title, *text, *yes;
    bool yes_selected;
    void (*done)(struct tui *tui, void *opaque);
    void *opaque;
    GDestroyNotify free_opaque;
};

static void confirm_free(struct screen *screen)
{
    struct confirm *confirm = (struct confirm *)screen;

    if (confirm->free_opaque)
        confirm->free_opaque(confirm->opaque);
    g_free(confirm->title);
    g_free(confirm->text);
    g_free(confirm->yes);
    g_free(confirm);
}

static bool confirm_key(struct screen *screen, uint32_t key)
{
    struct confirm *confirm = (struct confirm *)screen;

    switch (key) {
    case TUI_KEY_LEFT:
    case TUI_KEY_RIGHT:
    case TUI_KEY_TAB:
    case TUI_KEY_TAB | KEY_SHIFT:
    case 'h':
    case 'l':
        confirm->yes_selected = !confirm->yes_selected;
        return true;
    case TUI_KEY_ROW: /* the buttons */
    case TUI_KEY_ROW + 1:
        confirm->yes_selected = key == TUI_KEY_ROW + 1;
        break;
    case TUI_KEY_ENTER:
        break;
    case 'y':
        confirm->yes_selected = true;
        break;
    case TUI_KEY_ESCAPE:
    case KEY_CTRL | 'c':
    case 'n':
    case 'q':
        confirm->yes_selected = false;
        break;
    default:
        return true;
    }
    if (confirm->yes_selected)
        confirm->done(screen->tui, confirm->opaque);
    tui_pop(screen->tui, screen);
    return true;
}

/* Returns the columns used. */
static int draw_button(struct tui *tui, int x, int y, const char *label, bool selected,
                       uint32_t key)
{
    g_autofree char *text = g_strdup_printf(selected ? "[ %s ]" : "  %s  ", label);
    struct rect rect = {x, y, text_columns(text), 1};

    draw_text(tui_term(tui), x, y, rect.width, selected ? ROLE_SELECTED : ROLE_NORMAL, text);
    tui_hot(tui, &rect, key);
    return rect.width;
}

static void confirm_draw(struct screen *screen)
{
    struct confirm *confirm = (struct confirm *)screen;
    struct rect inside;
    int x;

    tui_dialog_box(screen->tui, DIALOG_WIDTH, 8, confirm->title, ROLE_WARNING, &inside);
    draw_wrapped(tui_term(screen->tui),
                 &(struct rect){inside.x, inside.y + 1, inside.width, inside.height - 3},
                 ROLE_NORMAL, confirm->text);
    x = inside.x + inside.width - text_columns(confirm->yes) - 17;
    x += draw_button(screen->tui, x, inside.y + inside.height - 1, "Cancel", !confirm->yes_selected,
                     TUI_KEY_ROW);
    draw_button(screen->tui, x + 2, inside.y + inside.height - 1, confirm->yes,
                confirm->yes_selected, TUI_KEY_ROW + 1);
}

static const struct screen_ops confirm_ops = {
    .key = confirm_key,
    .draw = confirm_draw,
    .free = confirm_free,
};

void confirm_open(struct tui *tui, const char *title, const char *text, const char *yes,
                  void (*done)(struct tui *tui, void *opaque), void *opaque,
                  GDestroyNotify free_opaque)
{
    struct confirm *confirm = g_new0(struct confirm, 1);

    confirm->screen = (struct screen){&confirm_ops, tui};
    confirm->title = g_strdup(title);
    confirm->text = g_strdup(text);
    confirm->yes = g_strdup(yes);
    confirm->done = done;
    confirm->opaque = opaque;
    confirm->free_opaque = free_opaque;
    tui_push(tui, &confirm->screen);
}

struct prompt_screen {
    struct screen screen;
    char *title, *text, *yes, *error;
    struct field field;
    struct prompt prompt; /* accept and opaque */
};

static void prompt_free(struct screen *screen)
{
    struct prompt_screen *prompt = (struct prompt_screen *)screen;

    if (prompt->prompt.free_opaque)
        prompt->prompt.free_opaque(prompt->prompt.opaque);
    g_free(prompt->title);
    g_free(prompt->text);
    g_free(prompt->yes);
    g_free(prompt->error);
    field_finish(&prompt->field);
    g_free(prompt);
}

static void prompt_accept(struct prompt_screen *prompt)
{
    struct tui *tui = prompt->screen.tui;
    g_autoptr(GError) error = NULL;

    if (prompt->prompt.accept(tui, field_text(&prompt->field), prompt->prompt.opaque, &error)) {
        tui_pop(tui, &prompt->screen);
        return;
    }
    g_free(prompt->error);
    prompt->error = g_strdup(error->message);
}

static bool prompt_key(struct screen *screen, uint32_t key)
{
    struct prompt_screen *prompt = (struct prompt_screen *)screen;

    if (key == TUI_KEY_ESCAPE || key == (KEY_CTRL | 'c'))
        tui_pop(screen->tui, screen);
    else if (key == TUI_KEY_ENTER)
        prompt_accept(prompt);
    else if (field_key(&prompt->field, key))
        g_clear_pointer(&prompt->error, g_free);
    return true;
}

static void prompt_draw(struct screen *screen)
{
    struct prompt_screen *prompt = (struct prompt_screen *)screen;
    struct terminal *term = tui_term(screen->tui);
    struct rect inside, part;
    int x;

    tui_dialog_box(screen->tui, DIALOG_WIDTH + 8, TEXT_LINES_MAX + 7, prompt->title,
                   prompt->error ? ROLE_ERROR : ROLE_FOCUS, &inside);
    part = (struct rect){inside.x, inside.y + 1, inside.width, inside.height - 6};
    part.y += draw_wrapped(term, &part, ROLE_NORMAL, prompt->text) + 1;
    field_draw(&prompt->field, term, inside.x, part.y, inside.width, true);
    if (prompt->error) {
        part.y += 2;
        part.height = inside.y + inside.height - 1 - part.y;
        draw_wrapped(term, &part, ROLE_ERROR, prompt->error);
    }
    x = inside.x;
    x += tui_hint(screen->tui, x, inside.y + inside.height - 1, inside.width, TUI_KEY_ENTER,
                  prompt->yes);
    tui_hint(screen->tui, x + 2, inside.y + inside.height - 1, inside.x + inside.width - x - 2,
             TUI_KEY_ESCAPE, "cancel");
}

static const struct screen_ops prompt_ops = {
    .key = prompt_key,
    .draw = prompt_draw,
    .free = prompt_free,
};

void prompt_open(struct tui *tui, const struct prompt *prompt)
{
    struct prompt_screen *screen = g_new0(struct prompt_screen, 1);

    screen->screen = (struct screen){&prompt_ops, tui};
    screen->title = g_strdup(prompt->title);
    screen->text = g_strdup(prompt->text);
    screen->yes = g_strdup(prompt->yes);
    screen->prompt = *prompt;
    field_init(&screen->field, prompt->initial);
    tui_push(tui, &screen->screen);
}
