/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a client may send to the control server, with a machine without a guest behind it. */
#include <glib.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/error.h"
#include "engine/control/control_internal.h"
#include "tests/fakes/fake_machine.h"
#include "tests/fuzz/fuzz.h"

static void state_changed(void *opaque, enum machine_state state, const char *detail)
{
    control_server_state_changed(*(struct control_server **)opaque, state, detail);
}

static void was_reset(void *opaque, const char *by)
{
    control_server_was_reset(*(struct control_server **)opaque, by);
}

static void ending(void *opaque, int exit_code, const char *reason)
{
    control_server_ending(*(struct control_server **)opaque, exit_code, reason);
}

static const struct machine_observer observer = {.state_changed = state_changed,
                                                 .was_reset = was_reset,
                                                 .ending = ending};

/* A picture is refused: a fuzzed command must not write files. */
static void answer_all(struct machine *machine)
{
    g_autoptr(GError) error = g_error_new(VMDESK_ERROR, VMDESK_ERROR_BUSY, "Nothing is shown.");
    g_autofree struct text_screen *text = g_new0(struct text_screen, 1);
    struct screen_answer answer = {.mode = DISPLAY_TEXT, .text = text};
    struct fake_query *query;

    text->columns = 80;
    text->rows = 25;
    while ((query = g_queue_peek_head(&machine->queries)) != NULL) {
        if (query->png_done != NULL)
            fake_machine_answer_png(machine, NULL, error);
        else
            fake_machine_answer(machine, &answer);
    }
}

/* So that the connection is not dropped for not reading. */
static void drain(int fd)
{
    char bytes[4096];

    while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    GMainContext *context = g_main_context_new();
    g_autofree char *path = g_strdup_printf("%s/vmdesk-fuzz-%d", g_get_tmp_dir(), getpid());
    struct machine_config config = {0};
    struct control_server *server = NULL;
    struct machine *machine = fake_machine_new(&observer, &server);
    struct control_connection *connection;
    const size_t chunk = 1 + size % 61;
    int fds[2];

    g_log_set_always_fatal(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
    server = control_server_new(&(struct control_options){.context = context,
                                                          .path = path,
                                                          .machine = machine,
                                                          .config = &config,
                                                          .folder = "/"},
                                NULL);
    if (server == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0)
        abort();
    connection = control_connection_new(server, fds[0]);
    g_ptr_array_add(server->connections, connection);
    for (size_t at = 0; at < size; at += chunk) {
        control_connection_received(connection, data + at, MIN(chunk, size - at));
        drain(fds[1]);
        if (g_queue_get_length(&machine->queries) > 3)
            answer_all(machine);
    }
    control_server_free(server);
    answer_all(machine);
    close(fds[1]);
    machine_free(machine);
    g_main_context_unref(context);
    return 0;
}
