/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells when a file was written, made or replaced: inotify on its folder. */
#ifndef UI_TUI_FILE_WATCH_H
#define UI_TUI_FILE_WATCH_H

struct file_watch;

/* changed is called on the default context, at most once every interval_ms. NULL: the folder
 * cannot be watched. */
struct file_watch *file_watch_new(const char *path, unsigned interval_ms,
                                  void (*changed)(void *opaque), void *opaque);
void file_watch_free(struct file_watch *watch); /* NULL is fine */

#endif
