/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/lost_file.h"

#include <errno.h>

struct lost_file {
    struct file file;
    uint64_t size;
};

static ssize_t lost_move(struct file *file, const struct iovec *iov, unsigned count,
                         uint64_t offset)
{
    return -EIO;
}

static int lost_flush(struct file *file)
{
    return -EIO;
}

static int lost_discard(struct file *file, uint64_t offset, uint64_t length)
{
    return -EIO;
}

static int lost_size(struct file *file, uint64_t *ret_size)
{
    *ret_size = ((struct lost_file *)file)->size;
    return 0;
}

static int lost_truncate(struct file *file, uint64_t size)
{
    return -EIO;
}

static void lost_close(struct file *file)
{
    g_free(file->path);
    g_free(file);
}

static const struct file_ops lost_ops = {
    .read = lost_move,
    .write = lost_move,
    .flush = lost_flush,
    .discard = lost_discard,
    .size = lost_size,
    .truncate = lost_truncate,
    .close = lost_close,
};

struct file *lost_file_new(const char *path, uint64_t size)
{
    struct lost_file *lost = g_new(struct lost_file, 1);

    *lost = (struct lost_file){
        .file = {.ops = &lost_ops, .path = g_strdup(path), .read_only = true},
        .size = size,
    };
    return &lost->file;
}
