/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/error.h"
#include "core/log.h"

#define BACKLOG 32
/* Without descriptors or memory accept() fails at once and the socket stays readable: wait. */
#define RETRY_US (200 * 1000)

struct listener {
    GSource source; /* must be first */
    gpointer tag;
    int fd;
    char *path;
    listener_accepted accepted;
    void *opaque;
};

static gboolean dispatch(GSource *source, GSourceFunc callback, void *opaque)
{
    struct listener *listener = (struct listener *)source;
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    g_source_set_ready_time(source, -1);
    g_source_modify_unix_fd(source, listener->tag, G_IO_IN);
    if (fd >= 0) {
        listener->accepted(fd, listener->opaque);
    } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        log_guest("socket", "%s: accept: %s", listener->path, g_strerror(errno));
        g_source_modify_unix_fd(source, listener->tag, 0);
        g_source_set_ready_time(source, g_get_monotonic_time() + RETRY_US);
    }
    return G_SOURCE_CONTINUE;
}

static void finalize(GSource *source)
{
    struct listener *listener = (struct listener *)source;

    g_free(listener->path);
}

static GSourceFuncs source_funcs = {.dispatch = dispatch, .finalize = finalize};

static bool remove_leftover(const char *path, GError **err)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT || vmdesk_error_from_errno(err, errno, NULL, "%s", path);
    if (!S_ISSOCK(st.st_mode))
        return vmdesk_fail(err, VMDESK_ERROR_EXISTS,
                           "%s is in the way: it is not a socket. Remove it.", path);
    if (unlink(path) < 0 && errno != ENOENT)
        return vmdesk_error_from_errno(err, errno, NULL, "Cannot remove the old socket %s", path);
    return true;
}

/* Returns the descriptor, or -1 and *err. */
static int listen_at(const char *path, GError **err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "The socket's path %s is too long (%zu bytes, and %zu fit): use a shorter "
                    "machine name or runtime folder.",
                    path, strlen(path), sizeof(address.sun_path) - 1);
        return -1;
    }
    if (!remove_leftover(path, err))
        return -1;
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* The socket's own mode is what bind() gives the file: unlike umask(), no other thread sees. */
    if (fd < 0 || fchmod(fd, S_IRUSR | S_IWUSR) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0) {
        vmdesk_error_from_errno(err, errno, NULL, "Cannot make the socket %s", path);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

struct listener *listener_new(GMainContext *context, const char *path, listener_accepted accepted,
                              void *opaque, GError **err)
{
    struct listener *listener;
    int fd = listen_at(path, err);

    if (fd < 0)
        return NULL;
    listener = (struct listener *)g_source_new(&source_funcs, sizeof(*listener));
    listener->fd = fd;
    listener->path = g_strdup(path);
    listener->accepted = accepted;
    listener->opaque = opaque;
    listener->tag = g_source_add_unix_fd(&listener->source, fd, G_IO_IN);
    g_source_attach(&listener->source, context);
    return listener;
}

void listener_free(struct listener *listener)
{
    if (listener == NULL)
        return;
    unlink(listener->path);
    g_source_destroy(&listener->source);
    close(listener->fd);
    g_source_unref(&listener->source);
}

const char *listener_path(const struct listener *listener)
{
    return listener->path;
}
