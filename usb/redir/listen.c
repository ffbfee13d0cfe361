/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/redir/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/error.h"
#include "usb/redir/connect.h"

static bool is_loopback(const struct addrinfo *info)
{
    if (info->ai_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)info->ai_addr)->sin_addr.s_addr) >> 24 == 127;
    return info->ai_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)info->ai_addr)->sin6_addr);
}

static int listen_at(int family, const struct sockaddr *address, socklen_t size)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, errnum;

    if (fd < 0)
        return -1;
    if (family != AF_UNIX)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    /* What bind() makes has the mode of the socket. */
    else if (fchmod(fd, 0600) != 0)
        goto fail;
    if (bind(fd, address, size) == 0 && listen(fd, 1) == 0)
        return fd;
fail:
    errnum = errno;
    close(fd);
    errno = errnum;
    return -1;
}

static int listen_tcp(const char *address, const char *where, GError **err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    g_autofree char *host = NULL, *port = NULL;
    struct addrinfo *list = NULL;
    int fd = -1, code;

    redir_split_address(where, &host, &port);
    code = getaddrinfo(host, port, &hints, &list);
    if (code != 0)
        vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND, "%s cannot be found: %s. Check its name.", address,
                    gai_strerror(code));
    else if (!is_loopback(list))
        vmdesk_fail(err, VMDESK_ERROR_PERMISSION,
                    "%s is not this computer's loopback, and usbredir is open to whoever connects: "
                    "listen at 127.0.0.1 and have ssh forward it.",
                    address);
    else
        fd = listen_at(list->ai_family, list->ai_addr, list->ai_addrlen);
    if (code == 0 && is_loopback(list) && fd < 0)
        vmdesk_error_from_errno(err, errno, "Choose another port", "Cannot listen at %s", address);
    if (list != NULL)
        freeaddrinfo(list);
    return fd;
}

static int listen_unix(const char *address, const char *path, GError **err)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    int fd;

    strcpy(local.sun_path, path); /* its size was checked */
    fd = listen_at(AF_UNIX, (struct sockaddr *)&local, sizeof(local));
    if (fd < 0)
        vmdesk_error_from_errno(err, errno, "Choose a path that nothing has yet",
                                "Cannot listen at %s", address);
    return fd;
}

static int wait_and_accept(const char *address, int listener, int cancel_fd, GError **err)
{
    struct pollfd waits[] = {{listener, POLLIN, 0}, {cancel_fd, POLLIN, 0}};
    gint64 end = g_get_monotonic_time() + REDIR_LISTEN_TIMEOUT_MS * G_TIME_SPAN_MILLISECOND;
    int fd = -1, one = 1;

    while (fd < 0) {
        gint64 left = end - g_get_monotonic_time();

        if (left <= 0 || waits[1].revents != 0)
            break;
        poll(waits, G_N_ELEMENTS(waits), left / G_TIME_SPAN_MILLISECOND + 1);
        if (waits[0].revents != 0)
            fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    }
    if (fd < 0)
        vmdesk_fail(err, VMDESK_ERROR_TIMEOUT,
                    "Nobody has connected to %s: start usbredirect --to within %d seconds.",
                    address, REDIR_LISTEN_TIMEOUT_MS / 1000);
    else if (g_str_has_prefix(address, REDIR_LISTEN_TCP))
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

int redir_listen(const char *address, int cancel_fd, GError **err)
{
    const char *path =
        g_str_has_prefix(address, REDIR_LISTEN_UNIX) ? address + strlen(REDIR_LISTEN_UNIX) : NULL;
    int listener = path != NULL ? listen_unix(address, path, err)
                                : listen_tcp(address, address + strlen(REDIR_LISTEN_TCP), err);
    int fd;

    if (listener < 0)
        return -1;
    fd = wait_and_accept(address, listener, cancel_fd, err);
    close(listener);
    if (path != NULL)
        unlink(path);
    return fd;
}
