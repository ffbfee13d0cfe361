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

bool file_read_now(struct file *file, const struct iovec *iov, unsigned count, uint64_t offset)
{
    uint64_t length = 0;
    ssize_t moved;

    if (file->ops->read_now == NULL || count > FILE_MAX_IOV)
        return false;
    for (unsigned i = 0; i < count; i++)
        length += iov[i].iov_len;
    moved = file->ops->read_now(file, iov, count, offset);
    return moved >= 0 && (uint64_t)moved == length;
}

int file_read_buffer(struct file *file, void *buffer, size_t size, uint64_t offset)
{
    const struct iovec iov = {buffer, size};

    return file_read_all(file, &iov, 1, offset);
}

int file_write_buffer(struct file *file, const void *buffer, size_t size, uint64_t offset)
{
    const struct iovec iov = {(void *)buffer, size};

    return file_write_all(file, &iov, 1, offset);
}

int file_write_zero_bytes(struct file *file, uint64_t offset, uint64_t length)
{
    static const uint8_t zeros[64 * 1024];
    int result = 0;

    while (length > 0 && result == 0) {
        struct iovec iov[16];
        uint64_t batch = 0;
        unsigned count = 0;

        for (; count < G_N_ELEMENTS(iov) && batch < length; count++) {
            iov[count] = (struct iovec){(void *)zeros, MIN(length - batch, sizeof(zeros))};
            batch += iov[count].iov_len;
        }
        result = file_write_all(file, iov, count, offset);
        offset += batch;
        length -= batch;
    }
    return result;
}

int file_write_zeroes(struct file *file, uint64_t offset, uint64_t length)
{
    int result = -EOPNOTSUPP;

    if (file->ops->write_zeroes != NULL && length > 0)
        result = file->ops->write_zeroes(file, offset, length);
    return result == -EOPNOTSUPP ? file_write_zero_bytes(file, offset, length) : result;
}

int file_allocate(struct file *file, uint64_t offset, uint64_t length)
{
    int result = -EOPNOTSUPP;
    uint64_t size;

    if (file->ops->allocate != NULL && length > 0)
        result = file->ops->allocate(file, offset, length);
    if (result != -EOPNOTSUPP)
        return result;
    result = file->ops->size(file, &size);
    if (result < 0 || offset + length <= size)
        return result;
    size = MAX(size, offset);
    return file_write_zero_bytes(file, size, offset + length - size);
}

int file_extent(struct file *file, uint64_t offset, bool *ret_data, uint64_t *ret_length)
{
    uint64_t size;
    int result;

    if (file->ops->extent != NULL)
        return file->ops->extent(file, offset, ret_data, ret_length);
    result = file->ops->size(file, &size);
    if (result < 0)
        return result;
    *ret_data = true;
    *ret_length = offset < size ? size - offset : 1;
    return 0;
}
