/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc_listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/error.h"

#define BACKLOG 16
#define SOCKET_FLAGS (SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)

static bool folder_is_private(const char *path, GError **err)
{
    g_autofree char *folder = g_path_get_dirname(path);
    struct stat st;

    if (stat(folder, &st) < 0)
        return vmdesk_error_from_errno(err, errno, "Make it with mode 0700",
                                       "The folder %s of the VNC socket", folder);
    if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        return vmdesk_fail(err, VMDESK_ERROR_PERMISSION,
                           "Others could reach the VNC socket in the folder %s: make it yours "
                           "alone (chmod 700)",
                           folder);
    return true;
}

/* Whether a socket file has a server behind it. */
static bool is_alive(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
    bool alive = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
                 errno != ECONNREFUSED;

    close(fd);
    return alive;
}

static int listen_unix(const char *path, GError **err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    int fd;

    if (g_strlcpy(address.sun_path, path, sizeof(address.sun_path)) >= sizeof(address.sun_path)) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "The path of the VNC socket has %zu bytes, and the system takes %zu: use a "
                    "shorter one than %s",
                    strlen(path), sizeof(address.sun_path) - 1, path);
        return -1;
    }
    if (!folder_is_private(path, err))
        return -1;
    /* A file that an engine left behind when it was killed. */
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) && !is_alive(&address))
        unlink(path);
    fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    vmdesk_error_from_errno(err, errno,
                            errno == EADDRINUSE ? "Stop what uses it, or choose another path"
                                                : NULL,
                            "The VNC socket %s", path);
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool is_loopback(const struct sockaddr *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

    return address->sa_family == AF_INET ? ntohl(v4->sin_addr.s_addr) >> 24 == 127
                                         : IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static int bind_port(const struct addrinfo *where, uint16_t port)
{
    struct sockaddr_storage address = {0};
    int fd = socket(where->ai_family, SOCKET_FLAGS, 0), on = 1, saved;

    if (fd < 0)
        return -1;
    memcpy(&address, where->ai_addr, where->ai_addrlen);
    /* At the same place in both families. */
    ((struct sockaddr_in *)&address)->sin_port = htons(port);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        bind(fd, (struct sockaddr *)&address, where->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int bind_any_port(const struct addrinfo *where, uint16_t *ret_port)
{
    int fd = -1;

    for (unsigned i = 0; i < VNC_PORTS && fd < 0; i++) {
        fd = bind_port(where, VNC_FIRST_PORT + i);
        if (fd < 0 && errno != EADDRINUSE)
            break;
        *ret_port = VNC_FIRST_PORT + i;
    }
    return fd;
}

static int listen_tcp(const struct vnc_options *o, uint16_t *ret_port, GError **err)
{
    const char *host = o->host != NULL ? o->host : "127.0.0.1";
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *where;
    int fd;

    if (getaddrinfo(host, NULL, &hints, &where) != 0) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "\"%s\" is not an IP address for VNC: write one like 127.0.0.1", host);
        return -1;
    }
    if (o->password == NULL && !is_loopback(where->ai_addr)) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "Without a password, VNC on %s would give the machine to anybody on the "
                    "network: set a password, or use 127.0.0.1",
                    host);
        freeaddrinfo(where);
        return -1;
    }
    *ret_port = o->port;
    fd = o->port != 0 ? bind_port(where, o->port) : bind_any_port(where, ret_port);
    freeaddrinfo(where);
    if (fd >= 0)
        return fd;
    if (o->port != 0)
        vmdesk_error_from_errno(err, errno, "Choose another port, or 0 for the first free one",
                                "VNC on %s port %u", host, o->port);
    else
        vmdesk_error_from_errno(err, errno, "Free one of them, or choose a port",
                                "VNC on %s ports %u to %u", host, VNC_FIRST_PORT,
                                VNC_FIRST_PORT + VNC_PORTS - 1);
    return -1;
}

int vnc_listen(const struct vnc_options *options, uint16_t *ret_port, GError **err)
{
    *ret_port = 0;
    return options->listen == VNC_UNIX ? listen_unix(options->path, err)
                                       : listen_tcp(options, ret_port, err);
}

int vnc_accept(int listener, char **ret_address)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    char host[NI_MAXHOST], port[NI_MAXSERV];
    int fd = accept4(listener, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int on = 1;

    if (fd < 0)
        return -1;
    if (address.ss_family == AF_UNIX ||
        getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        *ret_address = g_strdup("unix");
        return fd;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    *ret_address = g_strdup_printf("%s:%s", host, port);
    return fd;
}
