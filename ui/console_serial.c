/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/error.h"
#include "ui/console.h"
#include "ui/raw_terminal.h"

static int connect_to(const char *path, GError **err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (g_strlcpy(address.sun_path, path, sizeof(address.sun_path)) >= sizeof(address.sun_path)) {
        vmdesk_fail(err, VMDESK_ERROR_PROTOCOL, "The path of the serial port is too long");
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        vmdesk_error_from_errno(err, errno, NULL, "Cannot reach the serial port %s", path);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

enum { FROM_USER, FROM_GUEST };

/* Passes on what one side has; false when that side or the user's wish ends it. */
static bool pass(int from, int to, bool typed)
{
    char buffer[4096];
    ssize_t size = read(from, buffer, sizeof(buffer));
    const char *escape;

    if (size < 0)
        return errno == EINTR || errno == EAGAIN;
    escape = typed ? memchr(buffer, CONSOLE_ESCAPE, size) : NULL;
    if (escape != NULL)
        size = escape - buffer;
    return write_all(to, buffer, size) && size > 0 && escape == NULL;
}

static void pass_until_end(int fd, bool terminal)
{
    struct pollfd ends[] = {
        [FROM_USER] = {.fd = STDIN_FILENO, .events = POLLIN},
        [FROM_GUEST] = {.fd = fd, .events = POLLIN},
    };

    for (;;) {
        if (poll(ends, G_N_ELEMENTS(ends), -1) < 0 && errno != EINTR)
            return;
        if (ends[FROM_GUEST].revents != 0 && !pass(fd, STDOUT_FILENO, false))
            return;
        if (ends[FROM_USER].revents != 0 && !pass(STDIN_FILENO, fd, terminal)) {
            if (terminal)
                return;
            ends[FROM_USER].fd = -1; /* a pipe that ended: the guest may still answer */
        }
    }
}

bool console_serial_run(const char *name, const char *path, GError **err)
{
    struct raw_terminal *terminal = NULL;
    int fd = connect_to(path, err);

    if (fd < 0)
        return false;
    if (isatty(STDIN_FILENO)) {
        fprintf(stderr, "The serial port of %s. Ctrl-] leaves it.\n", name);
        terminal = raw_terminal_new(err);
        if (terminal == NULL) {
            close(fd);
            return false;
        }
    }
    pass_until_end(fd, terminal != NULL);
    if (terminal != NULL)
        fputs("\r\n", stderr);
    raw_terminal_free(terminal);
    close(fd);
    return true;
}
