/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A listening Unix stream socket on a main context. Thread: that of the context.
 */
#ifndef CORE_LISTENER_H
#define CORE_LISTENER_H

#include <glib.h>

struct listener;

/* fd is the callee's: connected, non-blocking, close-on-exec. The callback may free the listener.
 */
typedef void (*listener_accepted)(int fd, void *opaque);

/* Makes the socket with mode 0600. One that was left over at path is replaced: the caller knows
 * (by the machine's lock) that nobody serves it. Fails when the path is too long, when something
 * else is there, or when the system refuses. */
struct listener *listener_new(GMainContext *context, const char *path, listener_accepted accepted,
                              void *opaque, GError **err);
void listener_free(struct listener *listener); /* and removes the socket; NULL is fine */
const char *listener_path(const struct listener *listener);

#endif
