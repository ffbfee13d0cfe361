/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the control server share: the server, its connections, the requests that they
 * make, and the commands that answer them.
 */
#ifndef ENGINE_CONTROL_INTERNAL_H
#define ENGINE_CONTROL_INTERNAL_H

#include <jansson.h>

#include "core/peer.h"
#include "core/protocol.h"
#include "display/input.h"
#include "engine/control/server.h"

struct control_server {
    GMainContext *context;
    struct machine *machine;
    const struct machine_config *config;
    char *folder;
    struct listener *listener;
    GPtrArray *connections;
    GSource *reaper;                    /* frees doomed connections, from the main loop */
    unsigned guest_width, guest_height; /* as last seen, for pointers */
    /* Who waits for the job of a disk to end; NULL: nobody. */
    struct control_request *disk_requests[MACHINE_MAX_DISKS];
};

/* What one client holds down and where it points. */
struct control_input {
    unsigned x, y, buttons;
    bool relative; /* how it last moved the pointer */
    uint8_t keys[256 / 8];
};

struct control_connection {
    struct control_server *server;
    struct peer *peer;
    struct protocol_reader reader;
    bool negotiated;
    bool doomed;    /* closed, as soon as nobody uses it */
    GQueue pending; /* struct control_request */
    struct control_input input;
};

/* Takes the socket. */
struct control_connection *control_connection_new(struct control_server *server, int fd);
/* Ends its requests and releases its keys. Only the reaper and control_server_free() call it. */
void control_connection_free(struct control_connection *connection);
/* Closes it soon: it may be in use further up the stack. */
void control_connection_doom(struct control_connection *connection);
/* Sends the line, or dooms a connection that does not read. */
void control_connection_send(struct control_connection *connection, const char *line, size_t size);
/* Bytes came from the client. */
void control_connection_received(struct control_connection *connection, const uint8_t *data,
                                 size_t size);

/* To every negotiated client. data is stolen and may be NULL. */
void control_server_event(struct control_server *server, const char *name, json_t *data);

/*
 * A command under way. Its handler ends it exactly once, at once or later, by one of the two calls
 * below. One that ends later sets cancel, which is called when the connection is gone first: the
 * request is not valid after it.
 */
struct control_request {
    struct control_server *server;
    struct control_connection *connection;
    json_t *id; /* NULL: none was given */
    void (*cancel)(struct control_request *request);
    void *work; /* the handler's, for cancel */
};
void control_return(struct control_request *request, json_t *result); /* steals; NULL: nothing */
void control_fail(struct control_request *request, GError *error);    /* takes error */

/* The arguments have been checked against the schema. */
struct control_handler {
    const char *command;
    void (*run)(struct control_request *request, const json_t *arguments);
};
/* Each ends with a NULL command. */
extern const struct control_handler control_run_handlers[];
extern const struct control_handler control_query_handlers[];
extern const struct control_handler control_display_handlers[];
extern const struct control_handler control_block_handlers[];
extern const struct control_handler control_input_handlers[];
extern const struct control_handler control_usb_handlers[];
extern const struct control_handler control_usb_host_handlers[];
extern const struct control_handler control_job_handlers[];
const struct control_handler *control_find_handler(const char *command); /* NULL: none */

/* Lets go of all that a client holds down. */
void control_input_release(struct control_input *input, const struct input_sink *sink);

/* Code page 437 as a screen shows it: control codes have glyphs too. */
gunichar control_cp437_to_unicode(uint8_t code);

#endif
