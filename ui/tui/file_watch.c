/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/tui/file_watch.h"

#include <glib-unix.h>
#include <stdbool.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

struct file_watch {
    char *name; /* in the folder */
    int fd;
    guint source, timer; /* timer: a change waits for its turn */
    unsigned interval_ms;
    void (*changed)(void *opaque);
    void *opaque;
};

static gboolean on_timer(gpointer opaque)
{
    struct file_watch *watch = opaque;

    watch->timer = 0;
    watch->changed(watch->opaque);
    return G_SOURCE_REMOVE;
}

static gboolean on_events(gint fd, GIOCondition condition, gpointer opaque)
{
    struct file_watch *watch = opaque;
    char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t size = read(fd, buffer, sizeof(buffer));
    bool hit = false;

    for (ssize_t at = 0; at < size;) {
        const struct inotify_event *event = (const struct inotify_event *)(buffer + at);

        hit |= (event->mask & IN_Q_OVERFLOW) ||
               (event->len > 0 && strcmp(event->name, watch->name) == 0);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    if (hit && watch->timer == 0)
        watch->timer = g_timeout_add(watch->interval_ms, on_timer, watch);
    return G_SOURCE_CONTINUE;
}

struct file_watch *file_watch_new(const char *path, unsigned interval_ms,
                                  void (*changed)(void *opaque), void *opaque)
{
    g_autofree char *folder = g_path_get_dirname(path);
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    struct file_watch *watch;

    if (fd < 0)
        return NULL;
    if (inotify_add_watch(fd, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0) {
        close(fd);
        return NULL;
    }
    watch = g_new0(struct file_watch, 1);
    watch->name = g_path_get_basename(path);
    watch->fd = fd;
    watch->source = g_unix_fd_add(fd, G_IO_IN, on_events, watch);
    watch->interval_ms = interval_ms;
    watch->changed = changed;
    watch->opaque = opaque;
    return watch;
}

void file_watch_free(struct file_watch *watch)
{
    if (watch == NULL)
        return;
    g_source_remove(watch->source);
    if (watch->timer != 0)
        g_source_remove(watch->timer);
    close(watch->fd);
    g_free(watch->name);
    g_free(watch);
}
