/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/file.h"

#include <errno.h>
#include <string.h>

void file_close(struct file *file)
{
    if (file != NULL)
        file->ops->close(file);
}

/* Takes the first `moved` bytes away from *iov, and empty elements with them. */
static void iov_advance(struct iovec **iov, unsigned *count, size_t moved)
{
    while (*count > 0 && moved >= (*iov)->iov_len) {
        moved -= (*iov)->iov_len;
        (*iov)++;
        (*count)--;
    }
    if (*count > 0) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + moved;
        (*iov)->iov_len -= moved;
    }
}

static int move_all(struct file *file,
                    ssize_t (*move)(struct file *, const struct iovec *, unsigned, uint64_t),
                    const struct iovec *iov, unsigned count, uint64_t offset)
{
    struct iovec copy[FILE_MAX_IOV], *rest = copy;

    if (count > FILE_MAX_IOV)
        return -EINVAL;
    memcpy(copy, iov, count * sizeof(*iov));
    iov_advance(&rest, &count, 0);
    while (count > 0) {
        ssize_t moved = move(file, rest, count, offset);

        if (moved == -EINTR)
            continue;
        if (moved < 0)
            return moved;
        if (moved == 0)
            return -EIO;
        offset += moved;
        iov_advance(&rest, &count, moved);
    }
    return 0;
}

int file_read_all(struct file *file, const struct iovec *iov, unsigned count, uint64_t offset)
{
    return move_all(file, file->ops->read, iov, count, offset);
}

int file_write_all(struct file *file, const struct iovec *iov, unsigned count, uint64_t offset)
{
    return move_all(file, file->ops->write, iov, count, offset);
}
