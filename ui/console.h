/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two consoles of `vmdesk console`. Both return when the user leaves or the machine ends. */
#ifndef UI_CONSOLE_H
#define UI_CONSOLE_H

#include <glib.h>
#include <stdbool.h>

#include "core/client.h"

/* The text screen, drawn with plain escape sequences. name is the machine's. path is the control
 * socket. */
bool console_text_run(const char *name, const char *path, GError **err);

/* The serial port, by its socket; bytes pass as they are. Standard input may be a pipe. */
bool console_serial_run(const char *name, const char *path, GError **err);

#endif
