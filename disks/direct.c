/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* What no file system is known to exceed, for kernels that do not tell. */
#define SAFE_ALIGNMENT 4096
#define MAX_ALIGNMENT (64 * 1024)
#define MAX_BOUNCE (1024 * 1024) /* bytes moved at once through our own memory */

struct direct {
    int fd;
    unsigned memory_alignment, offset_alignment; /* powers of two */
    /* Writes of whole blocks exclude those that read a block, change it and write it back: these
     * would bring back what the others have replaced. */
    GMutex lock;
    GCond changed;
    unsigned whole; /* under the lock: writes of whole blocks */
    bool partial;   /* a write of parts of blocks */
    bool left;      /* a write was left to direct_write(), which it has not come to yet */
    unsigned waiting;
    uint64_t least; /* under the lock: bytes that the file has been given, and is not cut below */
};

static bool is_alignment(uint64_t value)
{
    return value > 0 && value <= MAX_ALIGNMENT && (value & (value - 1)) == 0;
}

struct direct *direct_new(int fd)
{
    struct direct *direct = g_new0(struct direct, 1);
#ifdef STATX_DIOALIGN
    struct statx st;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) == 0 &&
        (st.stx_mask & STATX_DIOALIGN) != 0 && is_alignment(st.stx_dio_mem_align) &&
        is_alignment(st.stx_dio_offset_align)) {
        direct->memory_alignment = st.stx_dio_mem_align;
        direct->offset_alignment = st.stx_dio_offset_align;
    }
#endif
    direct->fd = fd;
    if (!is_alignment(direct->offset_alignment))
        direct->memory_alignment = direct->offset_alignment = SAFE_ALIGNMENT;
    g_mutex_init(&direct->lock);
    g_cond_init(&direct->changed);
    return direct;
}

void direct_free(struct direct *direct)
{
    if (direct == NULL)
        return;
    g_mutex_clear(&direct->lock);
    g_cond_clear(&direct->changed);
    g_free(direct);
}

bool direct_fits(const struct direct *direct, const struct iovec *iov, unsigned count,
                 uint64_t offset)
{
    bool fits = offset % direct->offset_alignment == 0;

    for (unsigned i = 0; i < count && fits; i++)
        fits = (uintptr_t)iov[i].iov_base % direct->memory_alignment == 0 &&
               iov[i].iov_len % direct->offset_alignment == 0;
    return fits;
}

static size_t iov_length(const struct iovec *iov, unsigned count)
{
    size_t length = 0;

    for (unsigned i = 0; i < count; i++)
        length += iov[i].iov_len;
    return length;
}

/* Copies between the start of a list of memory and our own. */
static void copy_iov(const struct iovec *iov, uint8_t *bytes, size_t length, bool to_iov)
{
    for (; length > 0; iov++) {
        size_t size = MIN(iov->iov_len, length);

        if (size > 0 && to_iov)
            memcpy(iov->iov_base, bytes, size);
        else if (size > 0)
            memcpy(bytes, iov->iov_base, size);
        bytes += size;
        length -= size;
    }
}

/* A range with what has to be moved besides to be aligned. */
struct bounce {
    uint8_t *memory;
    uint64_t start; /* in the file */
    size_t head;    /* bytes before what is asked for */
    size_t wanted, length;
};

static bool bounce_init(struct bounce *bounce, const struct direct *direct, size_t length,
                        uint64_t offset)
{
    unsigned alignment = direct->offset_alignment;

    bounce->head = offset % alignment;
    bounce->start = offset - bounce->head;
    bounce->wanted = MIN(length, MAX_BOUNCE - bounce->head);
    bounce->length = (bounce->head + bounce->wanted + alignment - 1) / alignment * alignment;
    bounce->memory =
        aligned_alloc(MAX(direct->memory_alignment, alignment),
                      (bounce->length + MAX_ALIGNMENT - 1) / MAX_ALIGNMENT * MAX_ALIGNMENT);
    return bounce->memory != NULL;
}

/* The bytes read, which are fewer where the file ends. */
static ssize_t bounce_fill(struct bounce *bounce, int fd)
{
    ssize_t moved = pread(fd, bounce->memory, bounce->length, bounce->start);

    return moved < 0 ? -errno : moved;
}

ssize_t direct_read(struct direct *direct, const struct iovec *iov, unsigned count, uint64_t offset)
{
    struct bounce bounce;
    ssize_t moved;

    if (direct_fits(direct, iov, count, offset)) {
        moved = preadv(direct->fd, iov, count, offset);
        return moved < 0 ? -errno : moved;
    }
    if (!bounce_init(&bounce, direct, iov_length(iov, count), offset))
        return -ENOMEM;
    moved = bounce_fill(&bounce, direct->fd);
    if (moved >= 0) {
        moved = (size_t)moved > bounce.head ? MIN(moved - bounce.head, bounce.wanted) : 0;
        copy_iov(iov, bounce.memory + bounce.head, moved, true);
    }
    free(bounce.memory);
    return moved;
}

static void begin(struct direct *direct, bool partial)
{
    g_mutex_lock(&direct->lock);
    direct->waiting++;
    while (direct->partial || (partial && direct->whole > 0))
        g_cond_wait(&direct->changed, &direct->lock);
    direct->waiting--;
    if (partial)
        direct->partial = true;
    else
        direct->whole++;
    direct->left = false;
    g_mutex_unlock(&direct->lock);
}

static void end(struct direct *direct, bool partial)
{
    g_mutex_lock(&direct->lock);
    if (partial)
        direct->partial = false;
    else
        direct->whole--;
    if (direct->whole == 0)
        direct->left = false;
    if (direct->waiting > 0)
        g_cond_broadcast(&direct->changed);
    g_mutex_unlock(&direct->lock);
}

bool direct_try_begin(struct direct *direct)
{
    bool begun;

    g_mutex_lock(&direct->lock);
    begun = !direct->partial && (direct->whole > 0 || direct->left);
    if (begun)
        direct->whole++;
    else
        direct->left = true;
    g_mutex_unlock(&direct->lock);
    return begun;
}

void direct_end(struct direct *direct)
{
    end(direct, false);
}

int direct_truncate(struct direct *direct, uint64_t size)
{
    int result;

    g_mutex_lock(&direct->lock);
    result = ftruncate(direct->fd, size) < 0 ? -errno : 0;
    if (result == 0)
        direct->least = size;
    g_mutex_unlock(&direct->lock);
    return result;
}

/* Cuts off what a write of whole blocks has added to a file that was `before` long. */
static int cut_off(struct direct *direct, uint64_t before, uint64_t end)
{
    int result = 0;

    g_mutex_lock(&direct->lock);
    before = MAX(before, direct->least);
    if (end > before && ftruncate(direct->fd, before) < 0)
        result = -errno;
    g_mutex_unlock(&direct->lock);
    return result;
}

/* Writes whole blocks, of which some held other data as well. The file must not become longer for
 * that. */
static ssize_t bounce_write(struct bounce *bounce, struct direct *direct, const struct iovec *iov)
{
    int fd = direct->fd, result = 0;
    uint64_t end_wanted = bounce->start + bounce->head + bounce->wanted;
    struct stat st;
    ssize_t moved;

    if (fstat(fd, &st) < 0)
        return -errno;
    moved = bounce_fill(bounce, fd);
    if (moved < 0)
        return moved;
    memset(bounce->memory + moved, 0, bounce->length - moved);
    copy_iov(iov, bounce->memory + bounce->head, bounce->wanted, false);
    moved = pwrite(fd, bounce->memory, bounce->length, bounce->start);
    if (moved < 0)
        return -errno;
    if (S_ISREG(st.st_mode))
        result = cut_off(direct, MAX((uint64_t)st.st_size, end_wanted), bounce->start + moved);
    if (result < 0)
        return result;
    return (size_t)moved > bounce->head ? MIN(moved - bounce->head, bounce->wanted) : 0;
}

ssize_t direct_write(struct direct *direct, const struct iovec *iov, unsigned count,
                     uint64_t offset)
{
    size_t length = iov_length(iov, count);
    bool partial = (offset | length) % direct->offset_alignment != 0;
    bool fits = direct_fits(direct, iov, count, offset);
    struct bounce bounce = {.memory = NULL};
    ssize_t moved;

    if (!fits && !bounce_init(&bounce, direct, length, offset))
        return -ENOMEM;
    begin(direct, partial);
    if (fits) {
        moved = pwritev(direct->fd, iov, count, offset);
        moved = moved < 0 ? -errno : moved;
    } else if (partial) {
        moved = bounce_write(&bounce, direct, iov);
    } else {
        copy_iov(iov, bounce.memory, bounce.wanted, false);
        moved = pwrite(direct->fd, bounce.memory, bounce.length, bounce.start);
        moved = moved < 0 ? -errno : moved;
    }
    end(direct, partial);
    free(bounce.memory);
    return moved;
}
