/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal interface: everything that `vmdesk` without a verb shows.
 *
 * It runs on the calling thread and owns the terminal, the default main context and the signals
 * SIGWINCH, SIGHUP, SIGTERM, SIGINT, SIGTSTP and SIGCONT until it returns. Machines go on when it
 * ends. Call setlocale(LC_ALL, "") first.
 */
#ifndef UI_TUI_TUI_H
#define UI_TUI_TUI_H

#include <glib.h>
#include <stdbool.h>

struct tui_options {
    bool ascii;          /* no character beyond ASCII; also where the locale is not UTF-8 */
    bool no_mouse;       /* leave the mouse to the terminal */
    bool no_color;       /* also where NO_COLOR is set and not empty */
    const char *machine; /* open this one; NULL: the first */
};

/* Returns the exit status: 0 when the user left it or the terminal went away. Fails with -1 and
 * *err when standard input or output is no terminal, or the terminal is unknown to curses. */
int tui_run(const struct tui_options *options, GError **err);

#endif
