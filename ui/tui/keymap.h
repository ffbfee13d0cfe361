/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys as the interface sees them, independent of curses: a character or one of enum tui_key,
 * with modifier bits. And the table of everything a key can do outside the console and fields:
 * one row drives the key, the key line, the help, the palette and the action menu.
 */
#ifndef UI_TUI_KEYMAP_H
#define UI_TUI_KEYMAP_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define KEY_CTRL (UINT32_C(1) << 24)
#define KEY_ALT (UINT32_C(1) << 25)
#define KEY_SHIFT (UINT32_C(1) << 26) /* with enum tui_key only: characters carry their case */
#define KEY_MODIFIERS (KEY_CTRL | KEY_ALT | KEY_SHIFT)
#define KEY_CODE(key) ((key) & ~KEY_MODIFIERS)

enum tui_key {
    TUI_KEY_FIRST = 0x110000, /* past Unicode */
    TUI_KEY_UP = TUI_KEY_FIRST,
    TUI_KEY_DOWN,
    TUI_KEY_LEFT,
    TUI_KEY_RIGHT,
    TUI_KEY_HOME,
    TUI_KEY_END,
    TUI_KEY_PAGE_UP,
    TUI_KEY_PAGE_DOWN,
    TUI_KEY_INSERT,
    TUI_KEY_DELETE,
    TUI_KEY_ENTER,
    TUI_KEY_TAB,
    TUI_KEY_BACKSPACE,
    TUI_KEY_ESCAPE,
    TUI_KEY_F1,
    TUI_KEY_F12 = TUI_KEY_F1 + 11,
    TUI_KEY_LAST = TUI_KEY_F12,
};

/* A byte below 0x20 or 0x7f as a terminal sends it, as a key. */
uint32_t key_from_control(unsigned char byte);
/* An extended terminfo key name, "kLFT5" or "kUP3"; 0: not one that is known. */
uint32_t key_from_capability(const char *name);
/* Function key number as terminfo counts them: F13 is Shift-F1, F25 Ctrl-F1, ... 0: none. */
uint32_t key_from_function(unsigned number);
/* "Ctrl-x", "Shift-Tab", "F5", "?", for help and status. Caller frees. */
char *key_label(uint32_t key);

/* The set 1 scancodes ("qnum", core/keys.h) that a key stands for on a US keyboard, modifiers
 * first, in the order to press them. 0: the keyboard has no such key. */
#define KEY_CHORD_SIZE 5
unsigned key_to_guest(uint32_t key, uint8_t ret_qnums[KEY_CHORD_SIZE]);

enum action {
    ACTION_NONE,
    ACTION_OPEN,
    ACTION_CONSOLE,
    ACTION_START,
    ACTION_PAUSE,
    ACTION_POWER_BUTTON,
    ACTION_RESET,
    ACTION_FORCE_OFF,
    ACTION_CHANGE_CD,
    ACTION_EJECT_CD,
    ACTION_SETTINGS,
    ACTION_DELETE,
    ACTION_NEW,
    ACTION_MENU,
    ACTION_FILTER,
    ACTION_PALETTE,
    ACTION_HELP,
    ACTION_TAB_OVERVIEW,
    ACTION_TAB_CONSOLE,
    ACTION_TAB_DISKS,
    ACTION_TAB_SETTINGS,
    ACTION_TAB_LOG,
    ACTION_TAB_USB,
    ACTION_NEXT_TAB,
    ACTION_PREVIOUS_TAB,
    ACTION_FULL_SCREEN,
    ACTION_SERIAL,
    ACTION_REDRAW,
    ACTION_SUSPEND,
    ACTION_QUIT,
    ACTION_COUNT,
};

enum action_group { GROUP_MACHINE, GROUP_GO, GROUP_VIEW, GROUP_PROGRAM };

struct action_info {
    enum action action;
    enum action_group group;
    uint32_t key, other_key; /* 0: none */
    const char *name;        /* for the palette and the menu: "Force off" */
    const char *short_name;  /* for the key line */
    const char *help;
};
const struct action_info *action_info(enum action action); /* NULL for ACTION_NONE */
enum action action_for_key(uint32_t key);

#endif
