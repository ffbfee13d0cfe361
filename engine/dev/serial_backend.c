/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Output passes from the guest's thread to the context through one bounded queue; everything else
 * is the context's own. When the context is so far behind that the queue is full, output is lost
 * for all, rather than the guest delayed.
 */
#include "engine/dev/serial_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/listener.h"
#include "core/log.h"
#include "core/peer.h"

#define MAX_VIEWERS 16
#define MAX_QUEUE (1024 * 1024)
#define MAX_VIEWER_OUTPUT (2 * MAX_QUEUE)

struct viewer {
    struct serial_backend *backend;
    struct peer *peer;
    GByteArray *typed; /* what the guest has no room for yet; then the peer is not read */
};

struct serial_backend {
    GSource source; /* woken by other threads; must be first */
    GMainContext *context;
    struct listener *listener;
    GPtrArray *viewers;
    int file; /* -1: none */
    struct serial_backend_input ops;
    void *opaque;

    uint8_t backlog[SERIAL_BACKLOG]; /* a ring */
    uint64_t written;                /* bytes ever put there */

    GMutex lock;
    GByteArray *queue;
    bool lost; /* output did not fit the queue */
};

static void viewer_free(struct viewer *viewer)
{
    peer_free(viewer->peer);
    g_byte_array_unref(viewer->typed);
    g_free(viewer);
}

/* Gives the guest what it has room for, and reads on when nothing is left. */
static void pass_typed(struct viewer *viewer)
{
    struct serial_backend *backend = viewer->backend;
    size_t size = viewer->typed->len;

    if (backend->ops.input != NULL) {
        size = MIN(size, backend->ops.room(backend->opaque));
        if (size > 0)
            backend->ops.input(backend->opaque, viewer->typed->data, size);
    }
    g_byte_array_remove_range(viewer->typed, 0, size);
    peer_set_reading(viewer->peer, viewer->typed->len == 0);
}

static void on_received(const uint8_t *data, size_t size, void *opaque)
{
    struct viewer *viewer = opaque;

    g_byte_array_append(viewer->typed, data, size);
    pass_typed(viewer);
}

static void on_closed(int errnum, void *opaque)
{
    struct viewer *viewer = opaque;

    g_ptr_array_remove(viewer->backend->viewers, viewer);
}

static const struct peer_handlers viewer_handlers = {on_received, on_closed};

static void on_accepted(int fd, void *opaque)
{
    struct serial_backend *backend = opaque;
    size_t size = MIN(backend->written, SERIAL_BACKLOG);
    size_t start = (backend->written - size) % SERIAL_BACKLOG;
    size_t first = MIN(size, SERIAL_BACKLOG - start);
    struct viewer *viewer;

    if (backend->viewers->len >= MAX_VIEWERS) {
        log_guest("serial", "a viewer was turned away: %d look already", MAX_VIEWERS);
        close(fd);
        return;
    }
    viewer = g_new0(struct viewer, 1);
    viewer->backend = backend;
    viewer->typed = g_byte_array_new();
    viewer->peer = peer_new(backend->context, fd, MAX_VIEWER_OUTPUT, &viewer_handlers, viewer);
    g_ptr_array_add(backend->viewers, viewer);
    peer_send(viewer->peer, backend->backlog + start, first);
    peer_send(viewer->peer, backend->backlog, size - first);
}

static void remember(struct serial_backend *backend, const uint8_t *bytes, size_t size)
{
    size_t skip = size > SERIAL_BACKLOG ? size - SERIAL_BACKLOG : 0;

    backend->written += skip;
    for (size_t i = skip; i < size;) {
        size_t at = backend->written % SERIAL_BACKLOG;
        size_t n = MIN(size - i, SERIAL_BACKLOG - at);

        memcpy(backend->backlog + at, bytes + i, n);
        backend->written += n;
        i += n;
    }
}

static void write_file(struct serial_backend *backend, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(backend->file, bytes, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            log_guest("serial", "output to the file is lost: %s", g_strerror(errno));
            return;
        }
        bytes += n;
        size -= n;
    }
}

static void pass_output(struct serial_backend *backend)
{
    GByteArray *empty = g_byte_array_new();
    g_autoptr(GByteArray) fresh = NULL;
    bool lost;

    g_mutex_lock(&backend->lock);
    fresh = backend->queue;
    backend->queue = empty;
    lost = backend->lost;
    backend->lost = false;
    g_mutex_unlock(&backend->lock);

    if (lost)
        log_guest("serial", "the guest wrote faster than the engine could pass on: some is lost");
    if (fresh->len == 0)
        return;
    remember(backend, fresh->data, fresh->len);
    if (backend->file >= 0)
        write_file(backend, fresh->data, fresh->len);
    for (guint i = backend->viewers->len; i-- > 0;) {
        struct viewer *viewer = backend->viewers->pdata[i];

        if (!peer_send(viewer->peer, fresh->data, fresh->len)) {
            log_guest("serial", "a viewer that does not read was dropped");
            g_ptr_array_remove_index(backend->viewers, i);
        }
    }
}

static gboolean dispatch(GSource *source, GSourceFunc callback, void *opaque)
{
    struct serial_backend *backend = (struct serial_backend *)source;

    /* First, so that what comes from now on wakes again. */
    g_source_set_ready_time(source, -1);
    pass_output(backend);
    for (guint i = 0; i < backend->viewers->len; i++) {
        struct viewer *viewer = backend->viewers->pdata[i];

        if (viewer->typed->len > 0)
            pass_typed(viewer);
    }
    return G_SOURCE_CONTINUE;
}

static void finalize(GSource *source)
{
    struct serial_backend *backend = (struct serial_backend *)source;

    g_byte_array_unref(backend->queue);
    g_mutex_clear(&backend->lock);
}

static GSourceFuncs source_funcs = {.dispatch = dispatch, .finalize = finalize};

struct serial_backend *serial_backend_new(GMainContext *context, const char *socket_path,
                                          const char *file, GError **err)
{
    struct serial_backend *backend =
        (struct serial_backend *)g_source_new(&source_funcs, sizeof(*backend));

    backend->context = context;
    backend->viewers = g_ptr_array_new_with_free_func((GDestroyNotify)viewer_free);
    backend->queue = g_byte_array_new();
    g_mutex_init(&backend->lock);
    g_source_attach(&backend->source, context);
    /* Not to wait for whoever reads a FIFO. */
    backend->file =
        file == NULL
            ? -1
            : open(file, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    if (file != NULL && backend->file < 0) {
        vmdesk_error_from_errno(err, errno, "Give another file for the serial line",
                                "Cannot write the serial line's file %s", file);
        serial_backend_free(backend);
        return NULL;
    }
    if (socket_path != NULL) {
        backend->listener = listener_new(context, socket_path, on_accepted, backend, err);
        if (backend->listener == NULL) {
            serial_backend_free(backend);
            return NULL;
        }
    }
    return backend;
}

void serial_backend_free(struct serial_backend *backend)
{
    if (backend == NULL)
        return;
    pass_output(backend);
    listener_free(backend->listener);
    g_ptr_array_unref(backend->viewers);
    if (backend->file >= 0)
        close(backend->file);
    g_source_destroy(&backend->source);
    g_source_unref(&backend->source);
}

const char *serial_backend_path(const struct serial_backend *backend)
{
    return backend->listener != NULL ? listener_path(backend->listener) : NULL;
}

void serial_backend_output(struct serial_backend *backend, const void *bytes, size_t size)
{
    bool wake;

    g_mutex_lock(&backend->lock);
    wake = backend->queue->len == 0;
    if (size <= MAX_QUEUE - backend->queue->len)
        g_byte_array_append(backend->queue, bytes, size);
    else
        backend->lost = true;
    g_mutex_unlock(&backend->lock);
    if (wake)
        g_source_set_ready_time(&backend->source, 0);
}

void serial_backend_set_input(struct serial_backend *backend,
                              const struct serial_backend_input *ops, void *opaque)
{
    backend->ops = *ops;
    backend->opaque = opaque;
}

void serial_backend_resume_input(struct serial_backend *backend)
{
    g_source_set_ready_time(&backend->source, 0);
}
