/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's end of a serial line: a Unix socket that any number of viewers share (it replays the
 * last SERIAL_BACKLOG bytes to whoever attaches), a file, or both. A viewer that does not read is
 * dropped; it never delays the guest.
 */
#ifndef ENGINE_DEV_SERIAL_BACKEND_H
#define ENGINE_DEV_SERIAL_BACKEND_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIAL_BACKLOG (64 * 1024)

struct serial_backend;

/* socket_path and file may be NULL. The sockets live on context. */
struct serial_backend *serial_backend_new(GMainContext *context, const char *socket_path,
                                          const char *file, GError **err);
void serial_backend_free(struct serial_backend *backend); /* NULL is fine */
const char *serial_backend_path(const struct serial_backend *backend); /* NULL: no socket */

/* The guest wrote. Any thread; never waits. */
void serial_backend_output(struct serial_backend *backend, const void *bytes, size_t size);

/* Who takes what viewers type. room() says how many bytes fit now; input() is given at most that.
 * Both run on context, with no lock held. Set before the first viewer. */
struct serial_backend_input {
    size_t (*room)(void *opaque);
    void (*input)(void *opaque, const uint8_t *bytes, size_t size);
};
void serial_backend_set_input(struct serial_backend *backend,
                              const struct serial_backend_input *ops, void *opaque);
/* There is room again. Any thread. */
void serial_backend_resume_input(struct serial_backend *backend);

#endif
