/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of one engine's control socket.
 *
 * Thread: a client belongs to the thread that runs its context; all calls and callbacks are there.
 * Nothing waits but the two calls that say so. The engine may hang, die or send garbage: each
 * request ends by its timeout, buffers are bounded, and a broken peer closes the client.
 */
#ifndef CORE_CLIENT_H
#define CORE_CLIENT_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* To connect, be greeted and negotiate; also a fair timeout for most commands. */
#define CLIENT_TIMEOUT_MS 5000
#define CLIENT_MAX_PENDING 64 /* requests without an answer */

struct client;

/* Each may be NULL. A callback may free the client. */
struct client_handlers {
    /* The engine answered the greeting's negotiation. Requests may be made before. */
    void (*connected)(void *opaque);
    /* data is borrowed; an empty object when the event has none. */
    void (*event)(const char *name, const json_t *data, void *opaque);
    /* The connection is over, once; after it, only client_free(). Every pending request has got
     * its reply callback with an error before this. error is NOT_FOUND or GONE when no engine
     * listens or it went away, TIMEOUT, PROTOCOL, ... */
    void (*closed)(const GError *error, void *opaque);
};

/* Starts to connect; never waits, and reports failure by closed() from the context. context NULL
 * is the default one; path is copied. */
struct client *client_new(GMainContext *context, const char *path,
                          const struct client_handlers *handlers, void *opaque);
/* No callback runs after this. NULL is fine. */
void client_free(struct client *client);
bool client_is_connected(const struct client *client); /* negotiated, and not closed */

/* result is borrowed, and NULL when error is set. Called exactly once unless the client is freed or
 * the request cancelled, never from inside client_execute(). */
typedef void (*client_reply)(const json_t *result, const GError *error, void *opaque);

/* arguments is stolen and may be NULL; timeout_ms counts from this call. reply may be NULL: nobody
 * wants to know. Returns the request's number, never 0. */
uint64_t client_execute(struct client *client, const char *command, json_t *arguments,
                        unsigned timeout_ms, client_reply reply, void *opaque);
/* The reply callback will not come. The engine may still carry the command out. */
void client_cancel(struct client *client, uint64_t request);

/*
 * For callers that may wait. Both iterate the client's context, so no other thread may.
 */

/* A client on a context of its own, connected and negotiated; NULL and *err otherwise. handlers may
 * be NULL; they are called during client_call() and client_wait(), where they must not free the
 * client; connected() is not. */
struct client *client_connect(const char *path, unsigned timeout_ms,
                              const struct client_handlers *handlers, void *opaque, GError **err);
/* One command and its result: a new reference, or NULL and *err. arguments is stolen. */
json_t *client_call(struct client *client, const char *command, json_t *arguments,
                    unsigned timeout_ms, GError **err);
/* Runs callbacks until *done is true, the client is closed or timeout_ms is over. Returns *done. */
bool client_wait(struct client *client, const bool *done, unsigned timeout_ms);

#endif
