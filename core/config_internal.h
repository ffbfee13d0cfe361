/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the reader and the writer of machine.conf share. */
#ifndef CORE_CONFIG_INTERNAL_H
#define CORE_CONFIG_INTERNAL_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

enum config_line_kind {
    LINE_EMPTY,  /* blank or comment */
    LINE_GROUP,  /* [name] */
    LINE_KEY,    /* name = value */
    LINE_BROKEN, /* neither */
};

struct config_line {
    enum config_line_kind kind;
    char *name, *value; /* NULL where the kind has none */
};

/* text: one line without its line feed. */
void config_line_init(struct config_line *line, const char *text);
void config_line_finish(struct config_line *line);

/* Fails when the table has no group of that name. */
bool config_check_group(const char *group, GError **err);

#endif
