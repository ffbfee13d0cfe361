/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc_viewer.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define UPDATE_CHUNK (64 * 1024)
/* Chunks that are taken over before the other viewers have their turn. */
#define CHUNKS_A_TURN 16
#define LAST_WORDS_US (2 * G_USEC_PER_SEC)
#define REFILL_US 10000

struct vnc_viewer *vnc_viewer_new(int socket, const char *address, const char *password)
{
    struct vnc_viewer *v = g_new0(struct vnc_viewer, 1);
    gint64 now = g_get_monotonic_time();

    v->socket = socket;
    v->pipe = -1;
    v->address = g_strdup(address);
    v->link = vnc_link_new();
    v->deadline_us = now + VNC_HANDSHAKE_SECONDS * G_USEC_PER_SEC;
    v->progress_us = v->budget_us = now;
    v->budget = VNC_MESSAGE_BURST;
    vnc_handshake_start(&v->handshake, password, &v->to_viewer);
    vnc_messages_init(&v->messages);
    return v;
}

void vnc_viewer_free(struct vnc_viewer *v)
{
    close(v->socket);
    if (v->pipe >= 0)
        close(v->pipe);
    byte_queue_finish(&v->to_viewer);
    byte_queue_finish(&v->to_server);
    vnc_link_unref(v->link);
    g_free(v->address);
    g_free(v);
}

bool vnc_viewer_wants_input(const struct vnc_viewer *v)
{
    return v->input_length == 0 && !v->attaching && !v->closing &&
           v->handshake.state != HANDSHAKE_VERIFY && v->to_server.length <= VNC_TO_SERVER_MAX;
}

void vnc_viewer_consume_input(struct vnc_viewer *v, size_t size)
{
    v->input_start += size;
    v->input_length -= size;
}

/* Whether a call on a socket or pipe failed for good. */
static bool broken(ssize_t n)
{
    return n < 0 && errno != EAGAIN && errno != EINTR;
}

void vnc_viewer_receive_input(struct vnc_viewer *v)
{
    ssize_t n = recv(v->socket, v->input, sizeof(v->input), 0);

    if (n == 0 || broken(n))
        v->end = "it left";
    v->input_start = 0;
    v->input_length = MAX(n, 0);
}

void vnc_viewer_receive_updates(struct vnc_viewer *v)
{
    for (unsigned i = 0; i < CHUNKS_A_TURN; i++) {
        uint8_t *room = byte_queue_reserve(&v->to_viewer, UPDATE_CHUNK);
        ssize_t n;

        if (room == NULL || v->to_viewer.length > VNC_MAX_BACKLOG) {
            v->end = "it takes updates too slowly";
            return;
        }
        n = recv(v->pipe, room, UPDATE_CHUNK, 0);
        if (n == 0 || broken(n))
            vnc_viewer_close(v);
        if (n <= 0)
            return;
        if (v->to_viewer.length == 0)
            v->progress_us = g_get_monotonic_time();
        byte_queue_commit(&v->to_viewer, n);
    }
}

static void flush_queue(struct vnc_viewer *v, struct byte_queue *queue, int fd)
{
    while (queue->length > 0) {
        ssize_t n = send(fd, byte_queue_front(queue), queue->length, MSG_NOSIGNAL);

        if (broken(n))
            v->end = "it left";
        if (n <= 0)
            return;
        byte_queue_consume(queue, n);
        if (queue == &v->to_viewer)
            v->progress_us = g_get_monotonic_time();
    }
}

void vnc_viewer_flush(struct vnc_viewer *v)
{
    flush_queue(v, &v->to_viewer, v->socket);
    if (v->pipe >= 0)
        flush_queue(v, &v->to_server, v->pipe);
}

void vnc_viewer_close(struct vnc_viewer *v)
{
    if (v->closing)
        return;
    v->closing = true;
    v->deadline_us = g_get_monotonic_time() + LAST_WORDS_US;
}

gint64 vnc_viewer_check_time(struct vnc_viewer *v, gint64 now)
{
    gint64 stalled = v->progress_us + VNC_STALL_SECONDS * G_USEC_PER_SEC;
    gint64 next = G_MAXINT64;
    gint64 refill = (now - v->budget_us) * VNC_MESSAGES_PER_SECOND / G_USEC_PER_SEC;

    if (refill > 0) {
        v->budget = MIN(v->budget + refill, VNC_MESSAGE_BURST);
        v->budget_us = now;
    }
    if (v->budget == 0 && v->input_length > 0)
        next = now + REFILL_US;
    if (v->closing && v->to_viewer.length == 0)
        v->end = "the connection is over";
    else if (v->closing || v->pipe < 0)
        next = MIN(next, v->deadline_us);
    if (v->to_viewer.length > 0)
        next = MIN(next, stalled);

    if (v->end == NULL && (v->closing || v->pipe < 0) && now >= v->deadline_us)
        v->end = "it did not finish the handshake in time";
    if (v->end == NULL && v->to_viewer.length > 0 && now >= stalled)
        v->end = "it takes no updates";
    return next;
}
