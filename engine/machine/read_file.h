/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A regular file as bytes. */
#ifndef ENGINE_MACHINE_READ_FILE_H
#define ENGINE_MACHINE_READ_FILE_H

#include <glib.h>

/* NULL and *err: it cannot be read, is no regular file, or has less than min_size or more than
 * max_size bytes. what says what it is for, as in "The kernel"; hint (or NULL) what helps when it
 * does not exist. */
GBytes *read_file(const char *path, gsize min_size, gsize max_size, const char *what,
                  const char *hint, GError **err);

/* The same without a copy: the bytes are the file's own pages, page-aligned and shared with other
 * engines. Only for files that nobody cuts short in place, as a package's are; min_size is at least
 * 1. */
GBytes *map_file(const char *path, gsize min_size, gsize max_size, const char *what,
                 const char *hint, GError **err);

#endif
