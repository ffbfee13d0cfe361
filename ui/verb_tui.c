/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>

#include "ui/tui/tui.h"
#include "ui/verbs.h"

bool verb_tui(const struct verb_call *call, GError **err)
{
    const struct tui_options options = {
        .ascii = verb_has(call, "ascii"),
        .no_mouse = verb_has(call, "no-mouse"),
        .no_color = verb_has(call, "no-color"),
        .machine = verb_value(call, "machine"),
    };

    if (verb_has(call, "version")) {
        puts(PACKAGE_STRING);
        return true;
    }
    return tui_run(&options, err) == 0;
}
