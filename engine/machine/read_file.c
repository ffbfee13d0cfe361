/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/machine/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
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

/* A descriptor of a regular file whose size is in the range; -1 and *err otherwise. */
static int open_checked(const char *path, gsize min_size, gsize max_size, const char *what,
                        const char *hint, gsize *ret_size, GError **err)
{
    struct stat st;
    /* A FIFO without a writer must not hold us up. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) < 0) {
        vmdesk_error_from_errno(err, errno, hint, "%s %s", what, path);
    } else if (!S_ISREG(st.st_mode)) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID, "%s %s is not a regular file. Name a file.", what,
                    path);
    } else if ((uint64_t)st.st_size < min_size || (uint64_t)st.st_size > max_size) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "%s %s has %" G_GINT64_FORMAT " bytes; between %" G_GSIZE_FORMAT
                    " and %" G_GSIZE_FORMAT " are possible. Check that it is the right file.",
                    what, path, (gint64)st.st_size, min_size, max_size);
    } else {
        *ret_size = st.st_size;
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

GBytes *read_file(const char *path, gsize min_size, gsize max_size, const char *what,
                  const char *hint, GError **err)
{
    gsize size;
    int fd = open_checked(path, min_size, max_size, what, hint, &size, err);
    g_autofree uint8_t *buffer = NULL;
    GBytes *bytes = NULL;

    if (fd < 0)
        return NULL;
    buffer = g_try_malloc(MAX(size, 1));
    if (buffer == NULL)
        vmdesk_fail(err, VMDESK_ERROR_IO, "%s %s does not fit into the host's memory.", what, path);
    else if (!read_exactly(fd, buffer, size))
        vmdesk_error_from_errno(err, errno, NULL, "%s %s", what, path);
    else
        bytes = g_bytes_new_take(g_steal_pointer(&buffer), size);
    close(fd);
    return bytes;
}

struct mapping {
    void *address;
    gsize size;
};

static void unmap(gpointer data)
{
    struct mapping *mapping = data;

    munmap(mapping->address, mapping->size);
    g_free(mapping);
}

GBytes *map_file(const char *path, gsize min_size, gsize max_size, const char *what,
                 const char *hint, GError **err)
{
    gsize size;
    int fd = open_checked(path, min_size, max_size, what, hint, &size, err);
    struct mapping *mapping;
    void *address;

    if (fd < 0)
        return NULL;
    address = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (address == MAP_FAILED)
        vmdesk_error_from_errno(err, errno, hint, "%s %s", what, path);
    close(fd);
    if (address == MAP_FAILED)
        return NULL;
    mapping = g_new(struct mapping, 1);
    *mapping = (struct mapping){address, size};
    return g_bytes_new_with_free_func(address, size, unmap, mapping);
}
