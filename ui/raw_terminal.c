/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/raw_terminal.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "core/error.h"

struct raw_terminal {
    struct termios before;
};

struct raw_terminal *raw_terminal_new(GError **err)
{
    struct raw_terminal *terminal = g_new(struct raw_terminal, 1);
    struct termios raw;

    if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &terminal->before) != 0) {
        g_free(terminal);
        vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                    "The console needs a terminal: in scripts use \"vmdesk screen\" and \"vmdesk "
                    "type\"");
        return NULL;
    }
    raw = terminal->before;
    cfmakeraw(&raw);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    return terminal;
}

void raw_terminal_free(struct raw_terminal *terminal)
{
    if (terminal == NULL)
        return;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->before);
    g_free(terminal);
}

void raw_terminal_size(unsigned *ret_rows, unsigned *ret_columns)
{
    struct winsize size = {0};

    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    *ret_rows = size.ws_row > 0 ? size.ws_row : 24;
    *ret_columns = size.ws_col > 0 ? size.ws_col : 80;
}

bool write_all(int fd, const void *data, size_t size)
{
    const char *p = data;

    while (size > 0) {
        ssize_t n = write(fd, p, size);

        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            p += n;
            size -= n;
        }
    }
    return true;
}
