/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the store share. */
#ifndef CORE_STORE_INTERNAL_H
#define CORE_STORE_INTERNAL_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct store {
    char *folder;
    bool (*make_disk)(const char *path, const char *format, uint64_t size, GError **err);
};

/* Turns a GLib file error into one of ours: "what: cause". Always returns false. */
bool store_fail(GError **err, const GError *cause, const char *what);

/* Writes a machine's definition: atomic and durable. */
bool store_write_definition(const char *folder, const char *text, GError **err);

#endif
