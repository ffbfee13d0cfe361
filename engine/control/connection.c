/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One client of the control server: its lines, its requests, its end. */
#include <string.h>

#include "core/error.h"
#include "core/log.h"
#include "engine/control/control_internal.h"

void control_connection_doom(struct control_connection *connection)
{
    if (connection->doomed)
        return;
    connection->doomed = true;
    peer_set_reading(connection->peer, false);
    g_source_set_ready_time(connection->server->reaper, 0);
}

void control_connection_send(struct control_connection *connection, const char *line, size_t size)
{
    if (connection->doomed || peer_send(connection->peer, line, size))
        return;
    log_guest("control", "a client that does not read was dropped");
    control_connection_doom(connection);
}

/* Takes message; one that is too long is replaced by an error with the same id. */
static void send_message(struct control_connection *connection, json_t *message, const json_t *id)
{
    g_autoptr(GError) error = NULL;
    size_t size;
    g_autofree char *line = protocol_format(message, PROTOCOL_MAX_REPLY, &size, &error);

    if (line == NULL)
        line = protocol_format(protocol_error(id, error), PROTOCOL_MAX_REPLY, &size, NULL);
    if (line != NULL)
        control_connection_send(connection, line, size);
    else
        control_connection_doom(connection);
}

static void request_free(struct control_request *request)
{
    g_queue_remove(&request->connection->pending, request);
    json_decref(request->id);
    g_free(request);
}

void control_return(struct control_request *request, json_t *result)
{
    send_message(request->connection, protocol_return(request->id, result), request->id);
    request_free(request);
}

void control_fail(struct control_request *request, GError *error)
{
    send_message(request->connection, protocol_error(request->id, error), request->id);
    g_error_free(error);
    request_free(request);
}

const struct control_handler *control_find_handler(const char *command)
{
    static const struct control_handler *const groups[] = {
        control_run_handlers,   control_query_handlers,    control_display_handlers,
        control_block_handlers, control_input_handlers,    control_job_handlers,
        control_usb_handlers,   control_usb_host_handlers,
    };

    for (size_t i = 0; i < G_N_ELEMENTS(groups); i++) {
        for (const struct control_handler *h = groups[i]; h->command != NULL; h++) {
            if (strcmp(h->command, command) == 0)
                return h;
        }
    }
    return NULL;
}

/* The command that a message asks for, with its arguments checked; NULL and *err otherwise. */
static const struct protocol_command *check_message(struct control_connection *connection,
                                                    const json_t *message, GError **err)
{
    const char *name = json_string_value(json_object_get(message, "execute"));
    const json_t *arguments = json_object_get(message, "arguments");
    const struct protocol_command *command = name != NULL ? protocol_find_command(name) : NULL;
    size_t known = 1 + (arguments != NULL) + (json_object_get(message, "id") != NULL);

    if (name == NULL) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID, "Name the command as a string in 'execute'.");
    } else if (json_object_size(message) != known) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "A command has no members but 'execute', 'arguments' and 'id'.");
    } else if (command == NULL) {
        vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                    "There is no command '%s': query-commands lists them.", name);
    } else if (connection->negotiated == (strcmp(name, "qmp_capabilities") == 0)) {
        vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                    connection->negotiated
                        ? "The negotiation is over: 'qmp_capabilities' comes once."
                        : "Send 'qmp_capabilities' first.");
    } else if (arguments != NULL && !json_is_object(arguments)) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID, "'arguments' must be an object.");
    } else if (g_queue_get_length(&connection->pending) >= CONTROL_MAX_PENDING) {
        vmdesk_fail(err, VMDESK_ERROR_BUSY, "%d commands wait already: wait for an answer.",
                    CONTROL_MAX_PENDING);
    } else if (protocol_check_arguments(command, arguments, err)) {
        return command;
    }
    return NULL;
}

static void take_line(struct control_connection *connection, const char *line, size_t size)
{
    g_autoptr(GError) error = NULL;
    const struct protocol_command *command;
    struct control_request *request;
    json_t *message = protocol_parse(line, size, &error), *id = json_object_get(message, "id");

    command = message != NULL ? check_message(connection, message, &error) : NULL;
    if (command == NULL) {
        send_message(connection, protocol_error(id, error), NULL);
        json_decref(message);
        return;
    }
    request = g_new0(struct control_request, 1);
    request->server = connection->server;
    request->connection = connection;
    request->id = json_incref(id);
    g_queue_push_tail(&connection->pending, request);
    control_find_handler(command->name)->run(request, json_object_get(message, "arguments"));
    json_decref(message);
}

void control_connection_received(struct control_connection *connection, const uint8_t *data,
                                 size_t size)
{
    const char *line;
    size_t length;

    while (!connection->doomed &&
           protocol_reader_next(&connection->reader, &data, &size, &line, &length)) {
        /* An empty line is how people find out whether somebody listens. */
        if (length > 0 && !(length == 1 && line[0] == '\r'))
            take_line(connection, line, length);
    }
    if (connection->reader.overlong && !connection->doomed) {
        g_autoptr(GError) error =
            g_error_new(VMDESK_ERROR, VMDESK_ERROR_PROTOCOL,
                        "The line is longer than %d bytes: the connection ends.",
                        PROTOCOL_MAX_COMMAND);

        send_message(connection, protocol_error(NULL, error), NULL);
        log_guest("control", "a client that sent too long a line was dropped");
        control_connection_doom(connection);
    }
}

static void on_received(const uint8_t *data, size_t size, void *opaque)
{
    control_connection_received(opaque, data, size);
}

static void on_closed(int errnum, void *opaque)
{
    control_connection_doom(opaque);
}

static const struct peer_handlers handlers = {on_received, on_closed};

struct control_connection *control_connection_new(struct control_server *server, int fd)
{
    struct control_connection *connection = g_new0(struct control_connection, 1);

    connection->server = server;
    connection->peer = peer_new(server->context, fd, CONTROL_MAX_OUTPUT, &handlers, connection);
    protocol_reader_init(&connection->reader, PROTOCOL_MAX_COMMAND);
    send_message(connection, protocol_greeting(), NULL);
    return connection;
}

void control_connection_free(struct control_connection *connection)
{
    struct control_request *request;

    while ((request = g_queue_peek_head(&connection->pending)) != NULL) {
        request->cancel(request);
        request_free(request);
    }
    control_input_release(&connection->input, machine_input(connection->server->machine));
    peer_free(connection->peer);
    protocol_reader_finish(&connection->reader);
    g_free(connection);
}
