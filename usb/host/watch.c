/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/host/watch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"

/* Multicast groups of uevents: the kernel's own, and udev's, sent when its rules have been applied
 * and so the permissions are as they will be. */
#define GROUPS (1 | 2)
#define MESSAGE_MAX 8192
#define SETTLE_USEC (100 * 1000)
#define POLL_USEC (2 * G_USEC_PER_SEC)
#define SUBSYSTEM "SUBSYSTEM=usb"

struct usb_host_watch {
    GSource source; /* must be first */
    int fd;         /* -1: by the clock */
    gpointer tag;
    void (*changed)(void *opaque);
    void *opaque;
};

/* What a message says beside that is not needed: whoever is told looks for himself. */
static bool read_messages(struct usb_host_watch *watch)
{
    bool news = false;
    char message[MESSAGE_MAX];
    ssize_t size;

    while ((size = recv(watch->fd, message, sizeof(message), MSG_DONTWAIT)) > 0) {
        if (memmem(message, size, SUBSYSTEM, strlen(SUBSYSTEM)) != NULL)
            news = true;
    }
    /* ENOBUFS: messages were lost. */
    return news || (size < 0 && errno == ENOBUFS);
}

static gboolean dispatch(GSource *source, GSourceFunc callback, void *opaque)
{
    struct usb_host_watch *watch = (struct usb_host_watch *)source;
    gint64 now = g_source_get_time(source);

    if (watch->tag != NULL && g_source_query_unix_fd(source, watch->tag) != 0) {
        if (read_messages(watch) && g_source_get_ready_time(source) < 0)
            g_source_set_ready_time(source, now + SETTLE_USEC);
        return G_SOURCE_CONTINUE;
    }
    g_source_set_ready_time(source, watch->fd < 0 ? now + POLL_USEC : -1);
    watch->changed(watch->opaque);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {.dispatch = dispatch};

static int open_socket(void)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = GROUPS};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

struct usb_host_watch *usb_host_watch_new(GMainContext *context, void (*changed)(void *opaque),
                                          void *opaque)
{
    struct usb_host_watch *watch =
        (struct usb_host_watch *)g_source_new(&source_funcs, sizeof(struct usb_host_watch));

    watch->changed = changed;
    watch->opaque = opaque;
    watch->fd = open_socket();
    g_source_set_name(&watch->source, "USB watch");
    if (watch->fd >= 0) {
        watch->tag = g_source_add_unix_fd(&watch->source, watch->fd, G_IO_IN | G_IO_ERR);
    } else {
        log_info("usb", "no messages about USB devices here: looking every %d s",
                 (int)(POLL_USEC / G_USEC_PER_SEC));
        g_source_set_ready_time(&watch->source, g_get_monotonic_time() + POLL_USEC);
    }
    g_source_attach(&watch->source, context);
    return watch;
}

void usb_host_watch_free(struct usb_host_watch *watch)
{
    if (watch == NULL)
        return;
    g_source_destroy(&watch->source);
    if (watch->fd >= 0)
        close(watch->fd);
    g_source_unref(&watch->source);
}
