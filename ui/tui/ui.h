/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What screens share: the stack of screens, frames, messages and what can be clicked.
 *
 * Screens are stacked; the top one gets the keys, all are drawn from the bottom up. Everything runs
 * on the default main context; nothing may wait.
 */
#ifndef UI_TUI_UI_H
#define UI_TUI_UI_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "ui/tui/keymap.h"
#include "ui/tui/term.h"

struct tui;
struct model;
struct vm;
struct store;
struct screen;

struct screen_ops {
    bool (*key)(struct screen *screen, uint32_t key); /* false: not mine, the caller may act */
    /* A click outside every hot rectangle, or the wheel; NULL: nothing happens. */
    void (*mouse)(struct screen *screen, int x, int y, enum mouse_button button);
    void (*draw)(struct screen *screen);
    void (*changed)(struct screen *screen); /* the model changed; NULL: only drawn again */
    void (*free)(struct screen *screen);
};

/* The first member of each screen's own struct. */
struct screen {
    const struct screen_ops *ops;
    struct tui *tui;
};

/* The stack takes the screen over. */
void tui_push(struct tui *tui, struct screen *screen);
void tui_pop(struct tui *tui, struct screen *screen); /* frees it; those above it go too */

/* The bottom screen: the main one. */
struct screen *tui_bottom(struct tui *tui);
struct terminal *tui_term(struct tui *tui);
struct model *tui_model(struct tui *tui);

void tui_redraw(struct tui *tui); /* a frame soon */
void tui_quit(struct tui *tui);
void tui_suspend(struct tui *tui);

/* One line that stays until the next key. */
void tui_say(struct tui *tui, enum role role, const char *format, ...) G_GNUC_PRINTF(3, 4);
const char *tui_message(struct tui *tui, enum role *ret_role); /* NULL: none */

/* While a frame is drawn: a click in the rectangle is the key pressed. Later ones are on top; a
 * screen that covers others calls tui_cover() first. */
void tui_hot(struct tui *tui, const struct rect *rect, uint32_t key);
/* The same for rows of the screen on top: it gets TUI_KEY_ROW + row, and with a double click
 * TUI_KEY_ENTER after that. */
#define TUI_KEY_ROW 0x200000u
#define TUI_KEY_ROW_LAST 0x2fffffu
/* A click that takes the keyboard back from the guest; no key gives it. */
#define TUI_KEY_RELEASE 0x300000u
void tui_cover(struct tui *tui, const struct rect *rect);

/* "key label" as a clickable hint; returns the columns used, 0 when it does not fit. */
int tui_hint(struct tui *tui, int x, int y, int width, uint32_t key, const char *label);

/* A box in the middle of the terminal, cleared, framed and covering; *ret_inside is what is in. */
void tui_dialog_box(struct tui *tui, int width, int height, const char *title, enum role frame,
                    struct rect *ret_inside);

/* Asks before it does something; the answer that is preselected is Cancel. done runs only for yes;
 * opaque is freed by free_opaque with the dialog. */
void confirm_open(struct tui *tui, const char *title, const char *text, const char *yes,
                  void (*done)(struct tui *tui, void *opaque), void *opaque,
                  GDestroyNotify free_opaque);

/* Asks for a line. accept returns false and *err to keep the dialog open with the reason. */
struct prompt {
    const char *title, *text, *initial, *yes;
    bool (*accept)(struct tui *tui, const char *value, void *opaque, GError **err);
    void *opaque;
    GDestroyNotify free_opaque;
};
void prompt_open(struct tui *tui, const struct prompt *prompt);

/* A list to choose from. */
struct picker_row {
    char *label;
    char *note;    /* on the right; NULL: none */
    char *refusal; /* why it cannot be chosen; NULL: it can */
    uint32_t key;  /* chooses the row in a picker without a filter; 0: none */
    int id;
};
struct picker_row *picker_row_new(int id, const char *label, const char *note, const char *refusal,
                                  uint32_t key);
void picker_row_free(struct picker_row *row);

struct picker {
    const char *title;
    GPtrArray *rows;   /* struct picker_row *, taken over, with its free function */
    bool filter;       /* typing narrows the list */
    const char *empty; /* what to say without rows */
    int selected;      /* id of the row to start at */
    void (*chosen)(struct tui *tui, const struct picker_row *row, void *opaque);
    void *opaque;
    GDestroyNotify free_opaque;
};
/* The screen belongs to the stack. */
struct screen *picker_open(struct tui *tui, const struct picker *picker);
void picker_add(struct screen *picker, struct picker_row *row); /* takes the row over */

/* Boot discs found on this computer, or a path that is typed. path is the callback's to copy. */
struct disc_choice {
    const char *title;
    void (*chosen)(struct tui *tui, const char *path, void *opaque);
    void *opaque;
    GDestroyNotify free_opaque;
};
void disc_picker_open(struct tui *tui, const struct disc_choice *choice);

/* The screens. */
struct screen *main_screen_new(struct tui *tui, const char *machine);
void form_open(struct tui *tui); /* a new machine */
void menu_open(struct tui *tui); /* actions of the selected machine */
void palette_open(struct tui *tui);
void help_open(struct tui *tui);

/* Actions, on the machine that the main screen has selected. */
struct vm *tui_selected(struct tui *tui); /* NULL: none */
void tui_select(struct tui *tui, const char *name);
const char *tui_refuses(struct tui *tui, enum action action); /* why not; NULL: it can be done */
void tui_act(struct tui *tui, enum action action);
/* Those that concern a machine (actions.c); the main screen does the others. */
void machine_act(struct tui *tui, struct vm *vm, enum action action);

#endif
