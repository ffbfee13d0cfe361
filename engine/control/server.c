/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/control/server.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/error.h"
#include "core/listener.h"
#include "core/log.h"
#include "engine/control/control_internal.h"

static void turn_away(int fd)
{
    g_autoptr(GError) error =
        g_error_new(VMDESK_ERROR, VMDESK_ERROR_BUSY,
                    "The engine serves %d clients already: close one.", CONTROL_MAX_CLIENTS);
    size_t size;
    g_autofree char *line =
        protocol_format(protocol_error(NULL, error), PROTOCOL_MAX_REPLY, &size, NULL);

    log_guest("control", "a client was turned away: there are %d", CONTROL_MAX_CLIENTS);
    if (line != NULL)
        send(fd, line, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    close(fd);
}

static void on_accepted(int fd, void *opaque)
{
    struct control_server *server = opaque;

    if (server->connections->len >= CONTROL_MAX_CLIENTS)
        turn_away(fd);
    else
        g_ptr_array_add(server->connections, control_connection_new(server, fd));
}

static gboolean reap(GSource *source, GSourceFunc callback, void *opaque)
{
    struct control_server *server = opaque;

    g_source_set_ready_time(source, -1);
    for (guint i = server->connections->len; i-- > 0;) {
        struct control_connection *connection = server->connections->pdata[i];

        if (connection->doomed)
            g_ptr_array_remove_index(server->connections, i);
    }
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs reaper_funcs = {.dispatch = reap};

struct control_server *control_server_new(const struct control_options *options, GError **err)
{
    struct control_server *server = g_new0(struct control_server, 1);

    server->context = options->context;
    server->machine = options->machine;
    server->config = options->config;
    server->listener = listener_new(options->context, options->path, on_accepted, server, err);
    if (server->listener == NULL) {
        g_free(server);
        return NULL;
    }
    server->folder = g_strdup(options->folder);
    server->guest_width = 640;
    server->guest_height = 480;
    server->connections = g_ptr_array_new_with_free_func((GDestroyNotify)control_connection_free);
    server->reaper = g_source_new(&reaper_funcs, sizeof(GSource));
    g_source_set_callback(server->reaper, NULL, server, NULL);
    g_source_attach(server->reaper, options->context);
    return server;
}

void control_server_free(struct control_server *server)
{
    if (server == NULL)
        return;
    listener_free(server->listener);
    g_ptr_array_unref(server->connections);
    g_source_destroy(server->reaper);
    g_source_unref(server->reaper);
    g_free(server->folder);
    g_free(server);
}

void control_server_event(struct control_server *server, const char *name, json_t *data)
{
    size_t size;
    g_autoptr(GError) error = NULL;
    g_autofree char *line =
        protocol_format(protocol_event(name, data), PROTOCOL_MAX_REPLY, &size, &error);

    if (line == NULL) {
        log_warning("control", "the event %s was not sent: %s", name, error->message);
        return;
    }
    for (guint i = 0; i < server->connections->len; i++) {
        struct control_connection *connection = server->connections->pdata[i];

        if (connection->negotiated)
            control_connection_send(connection, line, size);
    }
}

void control_server_state_changed(struct control_server *server, enum machine_state state,
                                  const char *detail)
{
    g_autofree char *text = detail != NULL ? g_utf8_make_valid(detail, -1) : g_strdup("");

    if (server == NULL)
        return;
    switch (state) {
    case MACHINE_RUNNING:
        control_server_event(server, "RESUME", NULL);
        break;
    case MACHINE_PAUSED:
        control_server_event(server, "STOP", NULL);
        break;
    case MACHINE_GUEST_PANICKED:
        control_server_event(server, "GUEST_PANICKED", json_pack("{s:s}", "detail", text));
        break;
    case MACHINE_INTERNAL_ERROR:
        control_server_event(server, "INTERNAL_ERROR", json_pack("{s:s}", "detail", text));
        break;
    case MACHINE_PRELAUNCH:
    case MACHINE_SHUTDOWN: /* control_server_ending() says why */
        break;
    }
}

void control_server_was_reset(struct control_server *server, const char *by)
{
    if (server != NULL)
        control_server_event(server, "RESET",
                             json_pack("{s:b}", "guest", strcmp(by, "guest") == 0));
}

void control_server_usb(struct control_server *server, const char *event, const char *host_port,
                        const char *message)
{
    g_autofree char *text = message != NULL ? g_utf8_make_valid(message, -1) : g_strdup("");

    if (server != NULL)
        control_server_event(server, event,
                             json_pack("{s:s,s:s}", "host-port", host_port, "message", text));
}

void control_server_ending(struct control_server *server, int exit_code, const char *reason)
{
    g_autofree char *text = g_utf8_make_valid(reason, -1);

    if (server != NULL)
        control_server_event(server, "SHUTDOWN",
                             json_pack("{s:s,s:i}", "reason", text, "exit-code", exit_code));
}
