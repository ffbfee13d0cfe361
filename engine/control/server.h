/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control server of one machine: core/protocol.h on a Unix socket.
 *
 * Thread: everything is on the engine's main loop, and nothing waits for a client. One that does
 * not read is dropped when CONTROL_MAX_OUTPUT bytes wait for it; one that sends a line past
 * PROTOCOL_MAX_COMMAND gets an error and is closed; other garbage gets an error, and the next line
 * counts again.
 */
#ifndef ENGINE_CONTROL_SERVER_H
#define ENGINE_CONTROL_SERVER_H

#include <glib.h>

#include "core/config.h"
#include "engine/machine/machine.h"

#define CONTROL_MAX_CLIENTS 16
#define CONTROL_MAX_OUTPUT (8 * 1024 * 1024) /* bytes waiting for one client */
#define CONTROL_MAX_PENDING 16               /* commands of one client that still wait */

struct control_server;

struct control_options {
    GMainContext *context;
    const char *path; /* the socket, in a folder of mode 0700; one that is left over is replaced */
    struct machine *machine;             /* outlives the server */
    const struct machine_config *config; /* outlives the server */
    const char *folder;                  /* of the machine: what config's files are relative to */
};

/* Listens from now on; the socket is only for this user. */
struct control_server *control_server_new(const struct control_options *options, GError **err);
/* Writes what sockets take at once (the answer to quit), closes and removes the socket. NULL is
 * fine. */
void control_server_free(struct control_server *server);

/* For the machine's observer: each sends its event to every client. NULL is fine: the machine is
 * built before the server. */
void control_server_state_changed(struct control_server *server, enum machine_state state,
                                  const char *detail);
void control_server_was_reset(struct control_server *server, const char *by);
void control_server_usb(struct control_server *server, const char *event, const char *host_port,
                        const char *message);
void control_server_ending(struct control_server *server, int exit_code, const char *reason);

#endif
