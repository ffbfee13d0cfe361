/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an argument IMAGE names: an image file, or a machine's disk as MACHINE:DISK, where DISK is
 * disk0 to disk3 or the file that the machine's definition has for it. What exists as a file, or
 * has a slash, is a file.
 */
#ifndef UI_DISK_PLACE_H
#define UI_DISK_PLACE_H

#include "core/store.h"

struct disk_place {
    char *path;    /* the file */
    char *format;  /* as the machine's definition has it; NULL: not a machine's */
    char *machine; /* NULL: not a machine's */
    char *device;  /* "disk0"..., of the machine */
    char *socket;  /* the control socket of the machine, which runs; NULL: it does not */
};

bool disk_place_find(struct store *store, const char *argument, struct disk_place *ret_place,
                     GError **err);
void disk_place_clear(struct disk_place *place);

/* Why the file cannot be opened, when a machine that runs has it or lies on it: then *error is
 * replaced. Asks the engines, and waits for them. */
void disk_place_explain(struct store *store, const char *path, GError **error);

#endif
