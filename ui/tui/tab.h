/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tabs of a machine: parts of the main screen, which owns them. */
#ifndef UI_TUI_TAB_H
#define UI_TUI_TAB_H

#include "ui/tui/model.h"
#include "ui/tui/ui.h"

struct tab;

struct tab_ops {
    const char *title;
    void (*draw)(struct tab *tab, struct vm *vm, const struct rect *rect, bool focused);
    bool (*key)(struct tab *tab, struct vm *vm, uint32_t key); /* false: not mine; NULL: none is */
    void (*scroll)(struct tab *tab, int lines);                /* NULL: it does not scroll */
    void (*hide)(struct tab *tab); /* not on the screen any more: drop what costs; may be NULL */
    void (*free)(struct tab *tab);
};

/* The first member of each tab's own struct. */
struct tab {
    const struct tab_ops *ops;
    struct tui *tui;
};

enum { TAB_OVERVIEW, TAB_CONSOLE, TAB_DISKS, TAB_SETTINGS, TAB_LOG, TAB_USB, TAB_COUNT };

struct tab *overview_new(struct tui *tui);
struct tab *disks_new(struct tui *tui);
struct tab *settings_new(struct tui *tui);
struct tab *log_view_new(struct tui *tui);
struct tab *console_new(struct tui *tui);
struct tab *usb_tab_new(struct tui *tui);

/* The console has the keyboard: every key goes to its key(). */
bool console_is_grabbed(const struct tab *tab);
void console_grab(struct tab *tab);
void console_switch(struct tab *tab); /* between the screen and the serial line */

#endif
