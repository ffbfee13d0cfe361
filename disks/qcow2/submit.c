/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How requests come in. What reads or writes one extent in its place, and whose L2 entries are in
 * memory or come there without waiting, goes straight to the file; all else to a thread, which can
 * wait. */
#include <errno.h>

#include "disks/qcow2/write.h"

/* A request that the file has. */
struct flight {
    struct file_request file_request;
    struct block_request *request;
    struct qcow2 *q;
    struct qcow2_user user;
};

/* Writes to the host's cache are for threads, as the file sees it too. */
static bool may_fly(const struct qcow2 *q, const struct block_request *request)
{
    if (q->data_file->ops->submit == NULL || request->length == 0)
        return false;
    return request->op == BLOCK_READ || (request->op == BLOCK_WRITE && q->data_file->direct &&
                                         q->image->cache != IMAGE_CACHE_WRITE_THROUGH);
}

static bool may_write(struct qcow2 *q, const struct block_request *request,
                      const struct qcow2_extent *extent)
{
    uint64_t first = request->offset >> q->cluster_bits;
    uint64_t last = (request->offset + request->length - 1) >> q->cluster_bits;

    return extent->copied && q->changed_header &&
           !(q->header.incompatible & QCOW2_INCOMPATIBLE_CORRUPT) &&
           qcow2_change_find(q, first, last - first + 1) == NULL &&
           !qcow2_is_table(q, extent->host, extent->length);
}

/* Where all of the request is in the file, if that can be told without waiting. With the lock
 * held, which it may let go. */
static bool find_place(struct qcow2 *q, const struct block_request *request, uint64_t *ret_host)
{
    struct qcow2_extent extent;

    if (!qcow2_request_fits(q, request) ||
        qcow2_lookup_now(q, request->offset, request->length, &extent) < 0)
        return false;
    *ret_host = extent.host;
    return extent.kind == QCOW2_DATA && extent.length == request->length &&
           (request->op == BLOCK_READ || may_write(q, request, &extent));
}

static void land(struct flight *flight)
{
    struct qcow2 *q = flight->q;

    qcow2_request_end(q, flight->request, &flight->user);
    g_free(flight);
}

static void flown(struct file_request *file_request, int error)
{
    struct flight *flight = file_request->opaque;
    struct block_request *request = flight->request;
    struct qcow2 *q = flight->q;

    land(flight);
    /* The file may end inside the cluster. */
    if (error == -EIO && request->op == BLOCK_READ)
        qcow2_run_again(q, request);
    else
        image_complete(request, -error);
}

/* false: it is for a thread. */
static bool fly(struct qcow2 *q, struct block_request *request)
{
    struct flight *flight;
    uint64_t host = 0;
    bool begun, found = false;

    if (!may_fly(q, request))
        return false;
    flight = g_new(struct flight, 1);
    flight->q = q;
    flight->request = request;
    g_mutex_lock(&q->lock);
    begun = qcow2_request_begin(q, request, &flight->user);
    if (begun)
        found = find_place(q, request, &host);
    g_mutex_unlock(&q->lock);
    if (!begun) {
        g_free(flight);
        return true;
    }
    if (!found) {
        land(flight);
        return false;
    }
    flight->file_request = (struct file_request){
        .op = request->op == BLOCK_READ ? FILE_OP_READ : FILE_OP_WRITE,
        .iov = request->iov,
        .iov_count = request->iov_count,
        .offset = host,
        .done = flown,
        .opaque = flight,
    };
    if (q->data_file->ops->submit(q->data_file, &flight->file_request))
        return true;
    land(flight);
    return false;
}

void qcow2_submit(struct image *image, struct block_request *request)
{
    struct qcow2 *q = image->state;

    if (!fly(q, request))
        qcow2_run_again(q, request);
}
