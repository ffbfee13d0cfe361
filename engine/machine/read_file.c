/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/machine/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"

/* Fills buffer; what happens to the file meanwhile shows as a short read. */
static bool read_exactly(int fd, uint8_t *buffer, gsize size)
{
    gsize done = 0;

    while (done < size) {
        ssize_t n = read(fd, buffer + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0) {
            errno = EIO;
            return false;
        }
        done += n;
    }
    return true;
}

static GBytes *read_open_file(int fd, const char *path, gsize min_size, gsize max_size,
                              const char *what, GError **err)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        vmdesk_error_from_errno(err, errno, NULL, "%s %s", what, path);
        return NULL;
    }
    if (!S_ISREG(st.st_mode)) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID, "%s %s is not a regular file. Name a file.", what,
                    path);
        return NULL;
    }
    if ((uint64_t)st.st_size < min_size || (uint64_t)st.st_size > max_size) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "%s %s has %" G_GINT64_FORMAT " bytes; between %" G_GSIZE_FORMAT
                    " and %" G_GSIZE_FORMAT " are possible. Check that it is the right file.",
                    what, path, (gint64)st.st_size, min_size, max_size);
        return NULL;
    }

    g_autofree uint8_t *buffer = g_try_malloc(MAX(st.st_size, 1));
    if (buffer == NULL) {
        vmdesk_fail(err, VMDESK_ERROR_IO, "%s %s does not fit into the host's memory.", what, path);
        return NULL;
    }
    if (!read_exactly(fd, buffer, st.st_size)) {
        vmdesk_error_from_errno(err, errno, NULL, "%s %s", what, path);
        return NULL;
    }
    return g_bytes_new_take(g_steal_pointer(&buffer), st.st_size);
}

GBytes *read_file(const char *path, gsize min_size, gsize max_size, const char *what,
                  const char *hint, GError **err)
{
    /* A FIFO without a writer must not hold us up. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0) {
        vmdesk_error_from_errno(err, errno, hint, "%s %s", what, path);
        return NULL;
    }
    GBytes *bytes = read_open_file(fd, path, min_size, max_size, what, err);
    close(fd);
    return bytes;
}
