/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/uring.h"

#include <errno.h>
#include <liburing.h>
#include <string.h>

#include "core/log.h"

#define IDLE_USEC (5 * G_USEC_PER_SEC)
#define BATCH 32 /* completions in a row, without a look at the ring */
/* So many are handed to the kernel at once: a disk that has completed all it had begins anew while
 * the next are made ready. */
#define HAND_OVER 4
/* How long the kernel may refuse a request for lack of memory until we ask again. */
#define RETRY_NSEC (10 * 1000 * 1000)

/* One request of the kernel's, for one or more of ours. */
struct operation {
    enum file_op op;
    GPtrArray *merged; /* struct file_request *, the first apart; NULL: only that */
    struct file_request *first;
    struct iovec *iov; /* what is left to do: of the request, or of `copy` */
    struct iovec *copy;
    unsigned count;
    uint64_t offset, length;
    int error; /* when it is done */
};

/* The ring of which this is the thread. */
static GPrivate current_ring;

struct uring {
    int fd;
    struct io_uring ring; /* its submission side under the lock; the other is the thread's */
    GMutex lock;
    GCond changed;
    GQueue waiting; /* struct operation, for when there is room */
    unsigned in_flight;
    /* The thread's: what is done but for its completion, linked by file_private. */
    struct file_request *done, *last_done;
    GThread *thread; /* NULL: none, or one that has ended and is joined */
    bool thread_ended, closing;
    bool orphaned; /* freed by a completion: the thread does it at its end */
};

struct uring *uring_new(int fd)
{
    struct uring *ring = g_new0(struct uring, 1);

    ring->fd = fd;
    if (io_uring_queue_init(URING_MAX_IN_FLIGHT, &ring->ring, 0) < 0) {
        g_free(ring);
        return NULL;
    }
    /* Without these, waiting with a timeout would take part in submitting. */
    if (!(ring->ring.features & IORING_FEAT_EXT_ARG) ||
        !(ring->ring.features & IORING_FEAT_NODROP)) {
        io_uring_queue_exit(&ring->ring);
        g_free(ring);
        return NULL;
    }
    g_mutex_init(&ring->lock);
    g_cond_init(&ring->changed);
    return ring;
}

static struct operation *operation_new(struct file_request *request)
{
    struct operation *operation = g_new0(struct operation, 1);

    operation->op = request->op;
    operation->first = request;
    operation->iov = (struct iovec *)request->iov;
    operation->count = request->iov_count;
    operation->offset = request->offset;
    for (unsigned i = 0; i < request->iov_count; i++)
        operation->length += request->iov[i].iov_len;
    return operation;
}

/* Makes the list of memory our own, to be changed, with room for more. */
static void own_iov(struct operation *operation, unsigned more)
{
    struct iovec *copy = g_new(struct iovec, operation->count + more);

    memcpy(copy, operation->iov, operation->count * sizeof(*copy));
    g_free(operation->copy);
    operation->iov = operation->copy = copy;
}

/* Adds a request that continues a waiting operation; false: it does not. */
static bool merge(struct operation *operation, struct file_request *request)
{
    if (operation->op != request->op || operation->offset + operation->length != request->offset ||
        operation->count + request->iov_count > FILE_MAX_IOV)
        return false;
    own_iov(operation, request->iov_count);
    memcpy(operation->iov + operation->count, request->iov,
           request->iov_count * sizeof(*request->iov));
    operation->count += request->iov_count;
    for (unsigned i = 0; i < request->iov_count; i++)
        operation->length += request->iov[i].iov_len;
    if (operation->merged == NULL)
        operation->merged = g_ptr_array_new();
    g_ptr_array_add(operation->merged, request);
    return true;
}

/* Makes it ready for the kernel. The lock is held; there is room. */
static void prepare(struct uring *ring, struct operation *operation)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->ring);

    g_assert(sqe != NULL);
    if (operation->op == FILE_OP_READ)
        io_uring_prep_readv(sqe, ring->fd, operation->iov, operation->count, operation->offset);
    else
        io_uring_prep_writev(sqe, ring->fd, operation->iov, operation->count, operation->offset);
    io_uring_sqe_set_data(sqe, operation);
    ring->in_flight++;
}

/* Takes note of what was moved. Returns whether the operation is done. */
static bool settle(struct operation *operation, int moved)
{
    size_t left = moved;

    if (moved == -EINTR || moved == -EAGAIN)
        return false;
    if (moved <= 0 || (uint64_t)moved >= operation->length) {
        operation->error = moved < 0 ? moved : moved == 0 && operation->length > 0 ? -EIO : 0;
        return true;
    }
    own_iov(operation, 0);
    operation->offset += left;
    operation->length -= left;
    while (operation->count > 1 && left >= operation->iov->iov_len) {
        left -= operation->iov->iov_len;
        operation->iov++;
        operation->count--;
    }
    operation->iov->iov_base = (char *)operation->iov->iov_base + left;
    operation->iov->iov_len -= left;
    return false;
}

static void complete(struct operation *operation)
{
    struct file_request *request = operation->first;

    request->done(request, operation->error);
    for (guint i = 0; operation->merged != NULL && i < operation->merged->len; i++) {
        request = operation->merged->pdata[i];
        request->done(request, operation->error);
    }
    if (operation->merged != NULL)
        g_ptr_array_unref(operation->merged);
    g_free(operation->copy);
    g_free(operation);
}

/* Takes what the kernel has completed, up to BATCH; the lock is held. Returns how many operations
 * are done. */
static unsigned take_completions(struct uring *ring, struct operation *done[static BATCH])
{
    struct io_uring_cqe *cqe;
    unsigned count = 0, head, seen = 0;

    io_uring_for_each_cqe(&ring->ring, head, cqe)
    {
        struct operation *operation = io_uring_cqe_get_data(cqe);

        seen++;
        ring->in_flight--;
        if (settle(operation, cqe->res))
            done[count++] = operation;
        else
            g_queue_push_head(&ring->waiting, operation);
        if (count == BATCH)
            break;
    }
    io_uring_cq_advance(&ring->ring, seen);
    while (ring->in_flight < URING_MAX_IN_FLIGHT && !g_queue_is_empty(&ring->waiting))
        prepare(ring, g_queue_pop_head(&ring->waiting));
    return count;
}

/* Completions of what was done at once, of which each may give rise to another. */
static void complete_done(struct uring *ring)
{
    for (unsigned i = 0; i < BATCH && ring->done != NULL; i++) {
        struct file_request *request = ring->done;

        ring->done = request->file_private;
        request->done(request, 0);
    }
}

/* Waits for a completion, unless there is one, and runs some. The lock is held, but meanwhile. */
static void reap(struct uring *ring)
{
    struct __kernel_timespec timeout = {.tv_nsec = RETRY_NSEC};
    struct operation *done[BATCH];
    struct io_uring_cqe *cqe;
    unsigned count;
    /* What the kernel has yet to take. */
    bool retry = io_uring_sq_ready(&ring->ring) > 0;

    if (ring->done == NULL) {
        g_mutex_unlock(&ring->lock);
        io_uring_wait_cqe_timeout(&ring->ring, &cqe, retry ? &timeout : NULL);
        g_mutex_lock(&ring->lock);
    }
    count = take_completions(ring, done);
    g_mutex_unlock(&ring->lock);
    for (unsigned i = 0; i < count; i++)
        complete(done[i]);
    complete_done(ring);
    g_mutex_lock(&ring->lock);
    if (io_uring_sq_ready(&ring->ring) > 0)
        io_uring_submit(&ring->ring);
}

static void free_ring(struct uring *ring)
{
    io_uring_queue_exit(&ring->ring);
    g_cond_clear(&ring->changed);
    g_mutex_clear(&ring->lock);
    g_free(ring);
}

/* false: there was none for a while, or never will be. The lock is held, but meanwhile. */
static bool wait_for_work(struct uring *ring)
{
    bool waiting = true;
    gint64 end;

    if (ring->in_flight > 0 || ring->done != NULL)
        return true;
    end = g_get_monotonic_time() + IDLE_USEC;
    while (ring->in_flight == 0 && !ring->closing && waiting)
        waiting = g_cond_wait_until(&ring->changed, &ring->lock, end);
    return ring->in_flight > 0;
}

static void *ring_thread(void *opaque)
{
    struct uring *ring = opaque;
    bool orphaned;

    g_private_set(&current_ring, ring);
    g_mutex_lock(&ring->lock);
    while (wait_for_work(ring))
        reap(ring);
    ring->thread_ended = true;
    orphaned = ring->orphaned;
    g_mutex_unlock(&ring->lock);
    if (orphaned)
        free_ring(ring);
    return NULL;
}

bool uring_completes(const struct uring *ring)
{
    return g_private_get(&current_ring) == ring;
}

void uring_done(struct uring *ring, struct file_request *request)
{
    request->file_private = NULL;
    if (ring->done == NULL)
        ring->done = request;
    else
        ring->last_done->file_private = request;
    ring->last_done = request;
}

/* The lock is held. Returns whether the thread has to be woken. Without a thread the requests wait
 * for the next call, which tries again. */
static bool need_thread(struct uring *ring)
{
    g_autoptr(GError) error = NULL;

    if (ring->thread != NULL && ring->thread_ended) {
        g_thread_join(ring->thread); /* it has let go of the lock for the last time */
        ring->thread = NULL;
    }
    if (ring->thread != NULL)
        return ring->in_flight == 1 && !uring_completes(ring);
    ring->thread_ended = false;
    ring->thread = g_thread_try_new("disk ring", ring_thread, ring, &error);
    if (ring->thread == NULL)
        log_error("disks", "Cannot start a thread for disk requests: %s", error->message);
    return false;
}

void uring_submit(struct uring *ring, struct file_request *request)
{
    struct operation *last;
    bool wake = false;

    g_mutex_lock(&ring->lock);
    if (ring->in_flight < URING_MAX_IN_FLIGHT) {
        prepare(ring, operation_new(request));
        wake = need_thread(ring);
        /* What is left over when its completions have run, the thread hands over then. */
        if (!uring_completes(ring) || io_uring_sq_ready(&ring->ring) >= HAND_OVER)
            io_uring_submit(&ring->ring);
    } else {
        last = g_queue_peek_tail(&ring->waiting);
        if (last == NULL || !merge(last, request))
            g_queue_push_tail(&ring->waiting, operation_new(request));
    }
    if (wake)
        g_cond_signal(&ring->changed);
    g_mutex_unlock(&ring->lock);
}

void uring_free(struct uring *ring)
{
    GThread *thread;

    if (ring == NULL)
        return;
    g_mutex_lock(&ring->lock);
    ring->closing = true;
    thread = ring->thread;
    ring->orphaned = thread == g_thread_self();
    g_cond_signal(&ring->changed);
    g_mutex_unlock(&ring->lock);
    if (thread == g_thread_self()) {
        g_thread_unref(thread);
        return;
    }
    if (thread != NULL)
        g_thread_join(thread);
    free_ring(ring);
}
