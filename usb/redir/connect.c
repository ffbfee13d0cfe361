/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/redir/connect.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/error.h"
#include "usb/redir/listen.h"

#define TCP "tcp:"
#define UNIX "unix:"

struct redir_connect {
    GSource *source; /* comes when the thread has ended; holds a reference */
    char *address;
    int cancel_fd; /* an eventfd; set: nobody waits any more */
    GMutex lock;   /* of the result */
    int fd;
    GError *error;
    redir_connected connected; /* main loop only; NULL: cancelled */
    void *opaque;
    int refs; /* atomic: the thread's, the loop's */
};

static bool is_listening(const char *text)
{
    return g_str_has_prefix(text, REDIR_LISTEN_TCP) || g_str_has_prefix(text, REDIR_LISTEN_UNIX);
}

bool redir_is_address(const char *text)
{
    return g_str_has_prefix(text, TCP) || g_str_has_prefix(text, UNIX) || is_listening(text);
}

static void connect_unref(struct redir_connect *c)
{
    if (!g_atomic_int_dec_and_test(&c->refs))
        return;
    if (c->fd >= 0)
        close(c->fd);
    if (c->cancel_fd >= 0)
        close(c->cancel_fd);
    g_source_unref(c->source);
    g_mutex_clear(&c->lock);
    g_clear_error(&c->error);
    g_free(c->address);
    g_free(c);
}

bool redir_split_address(const char *text, char **ret_host, char **ret_port)
{
    const char *colon = strrchr(text, ':');
    size_t size = colon != NULL ? (size_t)(colon - text) : 0;

    if (size == 0 || colon[1] == '\0')
        return false;
    if (text[0] == '[' && text[size - 1] == ']')
        *ret_host = g_strndup(text + 1, size - 2);
    else
        *ret_host = g_strndup(text, size);
    *ret_port = g_strdup(colon + 1);
    return true;
}

static int connect_one(int family, const struct sockaddr *address, socklen_t size)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), errnum = 0;
    struct pollfd wait = {fd, POLLOUT, 0};
    socklen_t length = sizeof(errnum);

    if (fd < 0)
        return -1;
    if (connect(fd, address, size) == 0)
        return fd;
    if (errno == EINPROGRESS) {
        errnum = poll(&wait, 1, REDIR_CONNECT_TIMEOUT_MS) > 0 ? 0 : ETIMEDOUT;
        if (errnum == 0)
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &length);
        if (errnum == 0)
            return fd;
        errno = errnum;
    }
    errnum = errno;
    close(fd);
    errno = errnum;
    return -1;
}

static void connect_tcp(struct redir_connect *c)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    g_autofree char *host = NULL, *port = NULL;
    struct addrinfo *list = NULL;
    int code, on = 1;

    redir_split_address(c->address + strlen(TCP), &host, &port);
    code = getaddrinfo(host, port, &hints, &list);
    if (code != 0) {
        vmdesk_fail(&c->error, VMDESK_ERROR_NOT_FOUND, "%s cannot be found: %s. Check its name.",
                    c->address, gai_strerror(code));
        return;
    }
    for (const struct addrinfo *a = list; a != NULL && c->fd < 0; a = a->ai_next)
        c->fd = connect_one(a->ai_family, a->ai_addr, a->ai_addrlen);
    if (c->fd < 0)
        vmdesk_error_from_errno(&c->error, errno, "Check that it serves a USB device",
                                "Cannot connect to %s", c->address);
    else
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    freeaddrinfo(list);
}

static void connect_unix(struct redir_connect *c)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = c->address + strlen(UNIX);

    strcpy(address.sun_path, path); /* its size was checked */
    c->fd = connect_one(AF_UNIX, (struct sockaddr *)&address, sizeof(address));
    if (c->fd < 0)
        vmdesk_error_from_errno(&c->error, errno, "Check that it serves a USB device",
                                "Cannot connect to %s", c->address);
}

static void *connect_thread(void *opaque)
{
    struct redir_connect *c = opaque;

    g_mutex_lock(&c->lock);
    if (is_listening(c->address))
        c->fd = redir_listen(c->address, c->cancel_fd, &c->error);
    else if (g_str_has_prefix(c->address, TCP))
        connect_tcp(c);
    else
        connect_unix(c);
    g_mutex_unlock(&c->lock);
    g_source_set_ready_time(c->source, 0);
    connect_unref(c);
    return NULL;
}

static gboolean dispatch(GSource *source, GSourceFunc callback, void *opaque)
{
    struct redir_connect *c = opaque;
    int fd;

    g_mutex_lock(&c->lock); /* the thread is through with it */
    fd = c->fd;
    c->fd = -1;
    g_mutex_unlock(&c->lock);
    g_source_destroy(source);
    if (c->connected != NULL)
        c->connected(fd, c->error, c->opaque);
    else if (fd >= 0)
        close(fd);
    connect_unref(c);
    return G_SOURCE_REMOVE;
}

static bool check_address(const char *address, GError **err)
{
    static const char *const kinds[] = {TCP, UNIX, REDIR_LISTEN_TCP, REDIR_LISTEN_UNIX};
    struct sockaddr_un local;
    g_autofree char *host = NULL, *port = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(kinds) && strlen(address) <= REDIR_ADDRESS_MAX; i++) {
        const char *where = address + strlen(kinds[i]);

        if (!g_str_has_prefix(address, kinds[i]))
            continue;
        if (kinds[i][0] == 't' ? redir_split_address(where, &host, &port)
                               : where[0] == '/' && strlen(where) < sizeof(local.sun_path))
            return true;
    }
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "\"%s\" is no address of a USB device: write tcp:HOST:PORT or "
                       "unix:/PATH, or tcp-listen: or unix-listen: with them.",
                       address);
}

struct redir_connect *redir_connect_new(GMainContext *context, const char *address,
                                        redir_connected connected, void *opaque, GError **err)
{
    static GSourceFuncs funcs = {.dispatch = dispatch};
    struct redir_connect *c;
    GThread *thread;

    if (!check_address(address, err))
        return NULL;
    c = g_new0(struct redir_connect, 1);
    c->address = g_strdup(address);
    c->fd = -1;
    c->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->connected = connected;
    c->opaque = opaque;
    c->refs = 2;
    g_mutex_init(&c->lock);
    c->source = g_source_new(&funcs, sizeof(GSource));
    g_source_set_callback(c->source, NULL, c, NULL);
    g_source_attach(c->source, context);
    thread = g_thread_try_new("usb-connect", connect_thread, c, err);
    if (thread == NULL) {
        g_source_destroy(c->source);
        c->refs = 1;
        connect_unref(c);
        return NULL;
    }
    g_thread_unref(thread);
    return c;
}

void redir_connect_cancel(struct redir_connect *c)
{
    c->connected = NULL;
    if (c->cancel_fd >= 0)
        eventfd_write(c->cancel_fd, 1);
}
