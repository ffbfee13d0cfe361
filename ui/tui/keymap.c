/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <string.h>

#include "core/keys.h"
#include "ui/tui/keymap.h"

#define CTRL(letter) ((letter) | KEY_CTRL)

/* In the order of enum action, which is the order of the menu, the palette and the help. */
static const struct action_info actions[] = {
    {ACTION_OPEN, GROUP_GO, TUI_KEY_ENTER, 0, "Open", "open", "Open the selected machine"},
    {ACTION_CONSOLE, GROUP_GO, 'c', 0, "Console", "console",
     "Open the console and give it the keyboard"},
    {ACTION_START, GROUP_MACHINE, 's', 0, "Start", "start", "Start the machine"},
    {ACTION_PAUSE, GROUP_MACHINE, 'p', 0, "Pause or resume", "pause",
     "Pause the machine, or let it go on"},
    {ACTION_POWER_BUTTON, GROUP_MACHINE, 'b', 0, "Power button", "power button",
     "Press the power button: the guest decides what to do"},
    {ACTION_RESET, GROUP_MACHINE, 'R', 0, "Reset", "reset",
     "Reset the machine as its reset button would; asks first"},
    {ACTION_FORCE_OFF, GROUP_MACHINE, 'x', 0, "Force off", "force off",
     "Cut the power; asks first"},
    {ACTION_CHANGE_CD, GROUP_MACHINE, 'd', 0, "Change disc", "disc",
     "Put another disc into the CD drive"},
    {ACTION_EJECT_CD, GROUP_MACHINE, 'E', 0, "Eject disc", "eject",
     "Take the disc out of the CD drive"},
    {ACTION_SETTINGS, GROUP_MACHINE, 'e', 0, "Edit settings", "edit",
     "Show and change the definition"},
    {ACTION_DELETE, GROUP_MACHINE, 'D', TUI_KEY_DELETE, "Delete", "delete",
     "Delete the machine and its disks; asks for its name"},
    {ACTION_NEW, GROUP_GO, 'n', 0, "New machine", "new", "Make a new machine from a disc"},
    {ACTION_MENU, GROUP_GO, 'm', 0, "Action menu", "menu",
     "Everything that can be done with the machine, and why not"},
    {ACTION_FILTER, GROUP_GO, '/', 0, "Filter", "filter", "Show only machines whose name matches"},
    {ACTION_PALETTE, GROUP_GO, ':', 0, "Command palette", "commands", "Run an action by its name"},
    {ACTION_HELP, GROUP_GO, '?', TUI_KEY_F1, "Help", "help", "Show the keys, searchable"},
    {ACTION_TAB_OVERVIEW, GROUP_VIEW, '1', 0, "Overview", "overview", "Show the overview tab"},
    {ACTION_TAB_CONSOLE, GROUP_VIEW, '2', 0, "Console tab", "console", "Show the console tab"},
    {ACTION_TAB_DISKS, GROUP_VIEW, '3', 0, "Disks", "disks",
     "Show the disks, and what can be done with them"},
    {ACTION_TAB_SETTINGS, GROUP_VIEW, '4', 0, "Settings", "settings", "Show the settings tab"},
    {ACTION_TAB_LOG, GROUP_VIEW, '5', 'l', "Log", "log", "Show the log of the engine"},
    {ACTION_TAB_USB, GROUP_VIEW, '6', 'u', "USB", "usb",
     "Show this computer's USB devices, and attach them"},
    {ACTION_NEXT_TAB, GROUP_VIEW, TUI_KEY_TAB, 0, "Next tab", "tab", "Show the next tab"},
    {ACTION_PREVIOUS_TAB, GROUP_VIEW, TUI_KEY_TAB | KEY_SHIFT, 0, "Previous tab", "tab",
     "Show the previous tab"},
    {ACTION_FULL_SCREEN, GROUP_VIEW, 'f', 0, "Full screen", "full screen",
     "Give the tab the whole terminal, or take it back"},
    {ACTION_SERIAL, GROUP_VIEW, 'S', 0, "Serial or screen", "serial",
     "Switch the console between the screen and the serial line"},
    {ACTION_REDRAW, GROUP_PROGRAM, CTRL('l'), 0, "Redraw", "redraw", "Draw everything again"},
    {ACTION_SUSPEND, GROUP_PROGRAM, CTRL('z'), 0, "Suspend", "suspend",
     "Go back to the shell; fg returns"},
    {ACTION_QUIT, GROUP_PROGRAM, 'q', CTRL('c'), "Quit", "quit", "Leave vmdesk; machines go on"},
};
G_STATIC_ASSERT(G_N_ELEMENTS(actions) == ACTION_COUNT - 1);

const struct action_info *action_info(enum action action)
{
    return action > ACTION_NONE && action < ACTION_COUNT ? &actions[action - 1] : NULL;
}

enum action action_for_key(uint32_t key)
{
    for (size_t i = 0; i < G_N_ELEMENTS(actions); i++) {
        if (key && (actions[i].key == key || actions[i].other_key == key))
            return actions[i].action;
    }
    return ACTION_NONE;
}

uint32_t key_from_control(unsigned char byte)
{
    switch (byte) {
    case '\t':
        return TUI_KEY_TAB;
    case '\r':
        return TUI_KEY_ENTER;
    case 0x1b:
        return TUI_KEY_ESCAPE;
    case 0x7f:
    case '\b':
        return TUI_KEY_BACKSPACE;
    case 0:
        return CTRL(' ');
    default:
        return CTRL(byte < 0x1b ? byte + 'a' - 1u : byte + '@' + 0u);
    }
}

/* xterm's parameter less one: bit 0 Shift, bit 1 Alt, bit 2 Ctrl. */
static uint32_t modifiers_from_xterm(unsigned bits)
{
    return (bits & 1 ? KEY_SHIFT : 0) | (bits & 2 ? KEY_ALT : 0) | (bits & 4 ? KEY_CTRL : 0);
}

uint32_t key_from_capability(const char *name)
{
    static const struct {
        const char *name;
        enum tui_key key;
    } bases[] = {
        {"kUP", TUI_KEY_UP},       {"kDN", TUI_KEY_DOWN},       {"kLFT", TUI_KEY_LEFT},
        {"kRIT", TUI_KEY_RIGHT},   {"kHOM", TUI_KEY_HOME},      {"kEND", TUI_KEY_END},
        {"kPRV", TUI_KEY_PAGE_UP}, {"kNXT", TUI_KEY_PAGE_DOWN}, {"kIC", TUI_KEY_INSERT},
        {"kDC", TUI_KEY_DELETE},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(bases); i++) {
        size_t length = strlen(bases[i].name);

        if (strncmp(name, bases[i].name, length) != 0)
            continue;
        if (!name[length])
            return bases[i].key | KEY_SHIFT;
        if (name[length] >= '2' && name[length] <= '8' && !name[length + 1])
            return bases[i].key | modifiers_from_xterm((unsigned)(name[length] - '1'));
    }
    return 0;
}

uint32_t key_from_function(unsigned number)
{
    static const uint32_t banks[] = {0, KEY_SHIFT, KEY_CTRL, KEY_CTRL | KEY_SHIFT, KEY_ALT};

    if (number < 1 || number > 12 * G_N_ELEMENTS(banks))
        return 0;
    return (TUI_KEY_F1 + (number - 1) % 12) | banks[(number - 1) / 12];
}

static const struct {
    const char *label;
    const char *qcode;
} special_keys[] = {
    {"Up", "up"},
    {"Down", "down"},
    {"Left", "left"},
    {"Right", "right"},
    {"Home", "home"},
    {"End", "end"},
    {"PgUp", "pgup"},
    {"PgDn", "pgdn"},
    {"Insert", "insert"},
    {"Delete", "delete"},
    {"Enter", "ret"},
    {"Tab", "tab"},
    {"Backspace", "backspace"},
    {"Esc", "esc"},
};
G_STATIC_ASSERT(G_N_ELEMENTS(special_keys) == TUI_KEY_F1 - TUI_KEY_FIRST);

char *key_label(uint32_t key)
{
    uint32_t code = KEY_CODE(key);
    GString *label = g_string_new(NULL);

    if (key & KEY_CTRL)
        g_string_append(label, "Ctrl-");
    if (key & KEY_ALT)
        g_string_append(label, "Alt-");
    if (key & KEY_SHIFT)
        g_string_append(label, "Shift-");
    if (code >= TUI_KEY_F1 && code <= TUI_KEY_F12)
        g_string_append_printf(label, "F%u", code - TUI_KEY_F1 + 1);
    else if (code >= TUI_KEY_FIRST && code < TUI_KEY_F1)
        g_string_append(label, special_keys[code - TUI_KEY_FIRST].label);
    else if (code == ' ')
        g_string_append(label, "Space");
    else
        g_string_append_unichar(label, code);
    return g_string_free(label, FALSE);
}

unsigned key_to_guest(uint32_t key, uint8_t ret_qnums[KEY_CHORD_SIZE])
{
    uint32_t code = KEY_CODE(key);
    bool shift = key & KEY_SHIFT;
    uint8_t qnum;
    unsigned count = 0;

    if (code >= TUI_KEY_F1 && code <= TUI_KEY_F12) {
        g_autofree char *name = g_strdup_printf("f%u", code - TUI_KEY_F1 + 1);

        if (!key_from_name(name, &qnum))
            return 0;
    } else if (code >= TUI_KEY_FIRST && code < TUI_KEY_F1) {
        if (!key_from_name(special_keys[code - TUI_KEY_FIRST].qcode, &qnum))
            return 0;
    } else if (!key_from_char(code, &qnum, &shift)) {
        return 0;
    }

    if (key & KEY_CTRL && key_from_name("ctrl", &ret_qnums[count]))
        count++;
    if (key & KEY_ALT && key_from_name("alt", &ret_qnums[count]))
        count++;
    if (shift && key_from_name("shift", &ret_qnums[count]))
        count++;
    ret_qnums[count++] = qnum;
    return count;
}
