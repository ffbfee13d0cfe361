/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other end of a stream socket, on a main context: reads as it comes, writes without waiting,
 * and holds at most so many bytes for one that does not read. Thread: that of the context.
 */
#ifndef CORE_PEER_H
#define CORE_PEER_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEER_READ_BYTES (32 * 1024) /* received() never gets more */

struct peer;

/* Never called from inside a call below. Each may free the peer. */
struct peer_handlers {
    void (*received)(const uint8_t *data, size_t size, void *opaque);
    /* It is over, once: errnum 0 when the other end closed. After it only peer_free(). */
    void (*closed)(int errnum, void *opaque);
};

/* Takes the connected socket. max_output: bytes that may wait. */
struct peer *peer_new(GMainContext *context, int fd, size_t max_output,
                      const struct peer_handlers *handlers, void *opaque);
/* Closes at once; what waits is lost. No callback runs after this. NULL is fine. */
void peer_free(struct peer *peer);

/* Sends or queues all of it. False: it would pass max_output, and nothing of it was taken. */
bool peer_send(struct peer *peer, const void *data, size_t size);
/* Whether it reads; it does at first. The end of the connection is seen only while it does. */
void peer_set_reading(struct peer *peer, bool reading);

#endif
