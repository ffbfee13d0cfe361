/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches the store by inotify: its folder, and each machine's folder for its definition and its
 * lock. The kernel reports a lock's holder that ended, however it did, as the file being closed.
 */
#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "core/error.h"
#include "core/paths.h"
#include "core/store.h"

/* Gathers a burst of changes; and a lock is freed just after its close is reported. */
#define SETTLE_MS 50

#define ROOT_EVENTS (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR)
#define MACHINE_EVENTS (IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_TO | IN_ONLYDIR)

struct store_watch {
    char *folder;
    GMainContext *context;
    store_changed_fn changed;
    void *opaque;
    int fd;
    int root; /* the watch descriptor of the store's folder */
    GSource *input;
    GSource *settle; /* NULL: nothing changed since the last call */
};

/* A folder that is watched already stays so; one that vanished has lost its watch by itself. */
static void watch_machines(struct store_watch *watch)
{
    GDir *dir = g_dir_open(watch->folder, 0, NULL);
    const char *name;

    if (dir == NULL)
        return;
    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(watch->folder, name, NULL);

        if (name[0] != '.')
            inotify_add_watch(watch->fd, path, MACHINE_EVENTS);
    }
    g_dir_close(dir);
}

static void drop_source(GSource **source)
{
    if (*source == NULL)
        return;
    g_source_destroy(*source);
    g_source_unref(*source);
    *source = NULL;
}

static gboolean settled(gpointer opaque)
{
    struct store_watch *watch = opaque;

    drop_source(&watch->settle);
    watch_machines(watch);
    watch->changed(watch->opaque);
    return G_SOURCE_REMOVE;
}

static bool event_matters(const struct store_watch *watch, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW)
        return true;
    if (event->len == 0)
        return false;
    if (event->wd == watch->root)
        return event->name[0] != '.';
    return strcmp(event->name, PATHS_CONFIG) == 0 || strcmp(event->name, PATHS_LOCK) == 0;
}

static gboolean input_ready(gint fd, GIOCondition condition, gpointer opaque)
{
    struct store_watch *watch = opaque;
    char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool matters = false;
    ssize_t size = read(fd, buffer, sizeof(buffer));

    for (ssize_t at = 0; at < size;) {
        const struct inotify_event *event = (const struct inotify_event *)(buffer + at);

        matters = matters || event_matters(watch, event);
        at += sizeof(*event) + event->len;
    }
    if (matters && watch->settle == NULL) {
        watch->settle = g_timeout_source_new(SETTLE_MS);
        g_source_set_callback(watch->settle, settled, watch, NULL);
        g_source_attach(watch->settle, watch->context);
    }
    return G_SOURCE_CONTINUE;
}

struct store_watch *store_watch_new(struct store *store, GMainContext *context,
                                    store_changed_fn changed, void *opaque, GError **err)
{
    const char *folder = store_folder(store);
    struct store_watch *watch;
    int fd, root;

    if (g_mkdir_with_parents(folder, 0700) != 0) {
        vmdesk_error_from_errno(err, errno, NULL, "Cannot create the folder %s", folder);
        return NULL;
    }
    fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    root = fd >= 0 ? inotify_add_watch(fd, folder, ROOT_EVENTS) : -1;
    if (root < 0) {
        vmdesk_error_from_errno(err, errno, "Raise fs.inotify.max_user_instances or _watches",
                                "Cannot watch the folder %s", folder);
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    watch = g_new0(struct store_watch, 1);
    watch->folder = g_strdup(folder);
    watch->context = context != NULL ? g_main_context_ref(context) : NULL;
    watch->changed = changed;
    watch->opaque = opaque;
    watch->fd = fd;
    watch->root = root;
    watch_machines(watch);
    watch->input = g_unix_fd_source_new(fd, G_IO_IN);
    g_source_set_callback(watch->input, G_SOURCE_FUNC(input_ready), watch, NULL);
    g_source_attach(watch->input, watch->context);
    return watch;
}

void store_watch_free(struct store_watch *watch)
{
    if (watch == NULL)
        return;
    drop_source(&watch->input);
    drop_source(&watch->settle);
    close(watch->fd);
    if (watch->context != NULL)
        g_main_context_unref(watch->context);
    g_free(watch->folder);
    g_free(watch);
}
