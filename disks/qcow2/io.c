/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests: reads, and how all come in and go. */
#include <errno.h>

#include "disks/io_context.h"
#include "disks/qcow2/qcow2.h"

unsigned qcow2_iov_part(const struct iovec *iov, unsigned count, uint64_t skip, uint64_t length,
                        struct iovec *ret_part)
{
    unsigned parts = 0;

    for (unsigned i = 0; i < count && length > 0; i++) {
        uint64_t size = iov[i].iov_len;

        if (skip >= size) {
            skip -= size;
            continue;
        }
        size = MIN(size - skip, length);
        ret_part[parts++] = (struct iovec){(char *)iov[i].iov_base + skip, size};
        length -= size;
        skip = 0;
    }
    return parts;
}

static void zero_iov(const struct iovec *iov, unsigned count, uint64_t skip)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t kept = MIN(skip, iov[i].iov_len);

        memset((char *)iov[i].iov_base + kept, 0, iov[i].iov_len - kept);
        skip -= kept;
    }
}

/* A file may end inside a cluster, which then reads as zeros. */
int qcow2_read_place(struct qcow2 *q, const struct iovec *iov, unsigned count, uint64_t host,
                     uint64_t length)
{
    int result = file_read_all(q->data_file, iov, count, host);
    g_autofree struct iovec *part = NULL;
    uint64_t size;

    if (result != -EIO || q->data_file->ops->size(q->data_file, &size) < 0 ||
        (host < size && length <= size - host))
        return result;
    size = host < size ? size - host : 0;
    zero_iov(iov, count, size);
    part = g_new(struct iovec, MAX(count, 1));
    count = qcow2_iov_part(iov, count, 0, size, part);
    return count > 0 ? file_read_all(q->data_file, part, count, host) : 0;
}

static int read_extent(struct qcow2 *q, const struct qcow2_extent *extent, const struct iovec *iov,
                       unsigned count, uint64_t offset)
{
    switch (extent->kind) {
    case QCOW2_DATA:
        return qcow2_read_place(q, iov, count, extent->host, extent->length);
    case QCOW2_DEFLATED:
        return qcow2_inflate(q, extent->host, offset & (q->cluster_size - 1), iov, count);
    case QCOW2_UNALLOCATED:
        return image_read_backing(q->image, iov, count, offset);
    default:
        zero_iov(iov, count, 0);
        return 0;
    }
}

/* As a user and with the lock held, which it lets go meanwhile. */
static int read_range(struct qcow2 *q, const struct iovec *iov, unsigned count, uint64_t offset)
{
    /* On the heap, since a chain of images reads recursively. */
    g_autofree struct iovec *part = NULL;
    uint64_t length = 0, done = 0;
    int result = 0;

    for (unsigned i = 0; i < count; i++)
        length += iov[i].iov_len;
    while (done < length && result == 0) {
        struct qcow2_extent extent;

        result = qcow2_lookup(q, offset + done, length - done, &extent);
        if (result == -EAGAIN) {
            result = 0;
            continue;
        }
        if (result < 0)
            break;
        g_mutex_unlock(&q->lock);
        if (done == 0 && extent.length == length) {
            result = read_extent(q, &extent, iov, count, offset);
        } else {
            unsigned parts;

            if (part == NULL)
                part = g_new(struct iovec, count);
            parts = qcow2_iov_part(iov, count, done, extent.length, part);
            result = read_extent(q, &extent, part, parts, offset + done);
        }
        done += extent.length;
        g_mutex_lock(&q->lock);
    }
    return result;
}

int qcow2_read_range(struct qcow2 *q, const struct iovec *iov, unsigned count, uint64_t offset)
{
    struct qcow2_user user;
    int result;

    g_mutex_lock(&q->lock);
    qcow2_user_begin(q, &user);
    result = read_range(q, iov, count, offset);
    g_mutex_unlock(&q->lock);
    qcow2_user_end(q, &user);
    return result;
}

int qcow2_read(struct image *image, const struct iovec *iov, unsigned count, uint64_t offset)
{
    return qcow2_read_range(image->state, iov, count, offset);
}

/* false: it waits for a change of somebody else's. With the lock held. */
static bool run_op(struct qcow2 *q, struct block_request *request, int *ret_result)
{
    bool done = true;

    *ret_result = 0;
    if (request->length == 0 && request->op != BLOCK_FLUSH)
        return true;
    switch (request->op) {
    case BLOCK_READ:
        *ret_result = read_range(q, request->iov, request->iov_count, request->offset);
        return true;
    case BLOCK_WRITE:
        done = qcow2_write(q, request, ret_result);
        break;
    case BLOCK_DISCARD:
    case BLOCK_WRITE_ZEROES:
        done = qcow2_zero(q, request, ret_result);
        break;
    case BLOCK_FLUSH:
        if (!q->image->read_only)
            *ret_result = qcow2_sync_locked(q, QCOW2_SYNC_NORMAL);
        return true;
    }
    if (done && *ret_result == 0 && q->image->cache == IMAGE_CACHE_WRITE_THROUGH)
        *ret_result = qcow2_sync_locked(q, QCOW2_SYNC_NORMAL);
    return done;
}

bool qcow2_request_begin(struct qcow2 *q, struct block_request *request, struct qcow2_user *user)
{
    if (g_atomic_int_get(&q->paused) > 0) {
        g_queue_push_tail(&q->held, request);
        return false;
    }
    qcow2_user_begin(q, user);
    return true;
}

void qcow2_request_end(struct qcow2 *q, const struct block_request *request,
                       const struct qcow2_user *user)
{
    qcow2_dirty_mark(q, request);
    qcow2_user_end(q, user);
}

bool qcow2_request_fits(const struct qcow2 *q, const struct block_request *request)
{
    uint64_t size = q->image->size;

    return request->offset <= size && request->length <= size - request->offset;
}

static void run(void *opaque)
{
    struct block_request *request = opaque;
    struct qcow2 *q = ((struct image *)request->image_private)->state;
    int result = -EINVAL;
    struct qcow2_user user;
    bool done = true, begun;

    g_mutex_lock(&q->lock);
    begun = qcow2_request_begin(q, request, &user);
    if (begun && (request->op == BLOCK_FLUSH || qcow2_request_fits(q, request)))
        done = run_op(q, request, &result);
    g_mutex_unlock(&q->lock);
    if (!begun)
        return;
    qcow2_request_end(q, request, &user);
    if (done)
        image_complete(request, -result);
}

void qcow2_run_again(struct qcow2 *q, struct block_request *request)
{
    io_context_run(q->image->io, run, request);
}
