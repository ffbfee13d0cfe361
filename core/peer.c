/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/peer.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* A buffer that grew past this is given back when it is empty. */
#define KEEP_BYTES (64 * 1024)

struct peer {
    GSource source; /* must be first */
    gpointer tag;
    int fd;
    bool reading;
    size_t max_output;
    GByteArray *output;
    size_t sent; /* of output */
    struct peer_handlers handlers;
    void *opaque;
};

static size_t waiting(const struct peer *peer)
{
    return peer->output->len - peer->sent;
}

/* A hang-up is reported even where nothing is asked for, so a descriptor that nobody reads must not
 * be watched at all. */
static void update_events(struct peer *peer)
{
    GIOCondition events = (peer->reading ? G_IO_IN : 0) | (waiting(peer) > 0 ? G_IO_OUT : 0);

    if (g_source_is_destroyed(&peer->source))
        return;
    if (peer->tag != NULL && events != 0) {
        g_source_modify_unix_fd(&peer->source, peer->tag, events);
    } else if (peer->tag != NULL) {
        g_source_remove_unix_fd(&peer->source, peer->tag);
        peer->tag = NULL;
    } else if (events != 0) {
        peer->tag = g_source_add_unix_fd(&peer->source, peer->fd, events);
    }
}

/* A failure is left to the next read, which comes after whatever the other end said last. */
static size_t try_send(struct peer *peer, const uint8_t *data, size_t size)
{
    ssize_t n = send(peer->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? 0 : size;
}

static void send_waiting(struct peer *peer)
{
    peer->sent += try_send(peer, peer->output->data + peer->sent, waiting(peer));
    if (waiting(peer) == 0 && peer->output->len > KEEP_BYTES) {
        g_byte_array_unref(peer->output);
        peer->output = g_byte_array_new();
        peer->sent = 0;
    } else if (peer->sent >= waiting(peer)) {
        g_byte_array_remove_range(peer->output, 0, peer->sent);
        peer->sent = 0;
    }
    update_events(peer);
}

static void receive(struct peer *peer)
{
    uint8_t buffer[PEER_READ_BYTES];
    ssize_t n = recv(peer->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

    if (n > 0) {
        peer->handlers.received(buffer, n, peer->opaque);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        int errnum = n == 0 ? 0 : errno;

        g_source_destroy(&peer->source);
        peer->handlers.closed(errnum, peer->opaque);
    }
}

static gboolean dispatch(GSource *source, GSourceFunc callback, void *opaque)
{
    struct peer *peer = (struct peer *)source;
    /* Between poll() and here another source may have stopped this one. */
    GIOCondition events = peer->tag != NULL ? g_source_query_unix_fd(source, peer->tag) : 0;

    if (waiting(peer) > 0 && events != 0)
        send_waiting(peer);
    if (peer->reading && (events & ~G_IO_OUT) != 0)
        receive(peer);
    return G_SOURCE_CONTINUE;
}

static void finalize(GSource *source)
{
    g_byte_array_unref(((struct peer *)source)->output);
}

static GSourceFuncs source_funcs = {.dispatch = dispatch, .finalize = finalize};

struct peer *peer_new(GMainContext *context, int fd, size_t max_output,
                      const struct peer_handlers *handlers, void *opaque)
{
    struct peer *peer = (struct peer *)g_source_new(&source_funcs, sizeof(*peer));

    peer->fd = fd;
    peer->reading = true;
    peer->max_output = max_output;
    peer->output = g_byte_array_new();
    peer->handlers = *handlers;
    peer->opaque = opaque;
    peer->tag = g_source_add_unix_fd(&peer->source, fd, G_IO_IN);
    g_source_attach(&peer->source, context);
    return peer;
}

void peer_free(struct peer *peer)
{
    if (peer == NULL)
        return;
    /* A dispatch that is running holds a reference of its own. */
    g_source_destroy(&peer->source);
    close(peer->fd);
    g_source_unref(&peer->source);
}

bool peer_send(struct peer *peer, const void *data, size_t size)
{
    size_t now;

    if (size > peer->max_output - waiting(peer))
        return false;
    now = waiting(peer) == 0 ? try_send(peer, data, size) : 0;
    g_byte_array_append(peer->output, (const uint8_t *)data + now, size - now);
    update_events(peer);
    return true;
}

void peer_set_reading(struct peer *peer, bool reading)
{
    peer->reading = reading;
    update_events(peer);
}
