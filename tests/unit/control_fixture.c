/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/control_fixture.h"

#include <check.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

char *folder, *path;
GMainContext *context;
struct machine *machine;
struct machine_config config;
struct control_server *server;

static void state_changed(void *opaque, enum machine_state state, const char *detail)
{
    control_server_state_changed(server, state, detail);
}

static void was_reset(void *opaque, const char *by)
{
    control_server_was_reset(server, by);
}

static void ending(void *opaque, int exit_code, const char *reason)
{
    control_server_ending(server, exit_code, reason);
}

static const struct machine_observer observer = {.state_changed = state_changed,
                                                 .was_reset = was_reset,
                                                 .ending = ending};

struct control_server *new_server(const char *socket_path, GError **err)
{
    return control_server_new(&(struct control_options){.context = context,
                                                        .path = socket_path,
                                                        .machine = machine,
                                                        .config = &config,
                                                        .folder = folder},
                              err);
}

void setup(void)
{
    g_autoptr(GError) error = NULL;

    g_log_set_always_fatal(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
    folder = g_dir_make_tmp("vmdesk-control-XXXXXX", NULL);
    path = g_build_filename(folder, "control.sock", NULL);
    context = g_main_context_new();
    machine = fake_machine_new(&observer, NULL);
    server = new_server(path, &error);
    ck_assert_msg(server != NULL, "%s", error != NULL ? error->message : "");
}

void teardown(void)
{
    control_server_free(server);
    ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
    /* A screendump that nobody waits for any more still comes. */
    g_autoptr(GBytes) png = g_bytes_new_static("PNG", 3);

    while (!g_queue_is_empty(&machine->queries)) {
        struct fake_query *query = g_queue_peek_head(&machine->queries);

        if (query->png_done != NULL)
            fake_machine_answer_png(machine, png, NULL);
        else
            fake_machine_answer(machine, NULL);
    }
    machine_free(machine);
    g_main_context_unref(context);
    g_rmdir(folder);
    g_free(path);
    g_free(folder);
}

void run(void)
{
    while (g_main_context_iteration(context, FALSE))
        ;
}

struct user *connect_raw(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct user *user = g_new0(struct user, 1);

    user->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    protocol_reader_init(&user->reader, PROTOCOL_MAX_REPLY);
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    ck_assert_int_eq(connect(user->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    run();
    return user;
}

void leave(struct user *user)
{
    close(user->fd);
    protocol_reader_finish(&user->reader);
    g_free(user);
    run();
}

json_t *take(struct user *user)
{
    const char *line;
    size_t size;

    for (;;) {
        ssize_t n;

        if (protocol_reader_next(&user->reader, &user->next, &user->left, &line, &size)) {
            json_t *message = protocol_parse(line, size, NULL);

            ck_assert_ptr_nonnull(message);
            return message;
        }
        run();
        n = recv(user->fd, user->bytes, sizeof(user->bytes), 0);
        if (n <= 0)
            return NULL;
        user->next = user->bytes;
        user->left = n;
    }
}

bool is_open(struct user *user)
{
    char byte;

    run();
    return recv(user->fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

void say(struct user *user, const char *text)
{
    ck_assert_int_eq(send(user->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    run();
}

json_t *ask(struct user *user, const char *command)
{
    g_autofree char *line = g_strconcat(command, "\n", NULL);

    say(user, line);
    return take(user);
}

void assert_took(json_t *message, const char *expected)
{
    char *text;

    ck_assert_msg(message != NULL, "nothing came instead of %s", expected);
    json_object_del(message, "timestamp");
    text = json_dumps(message, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    ck_assert_str_eq(text, expected);
    free(text);
    json_decref(message);
}

void assert_error(json_t *message, const char *class, const char *words)
{
    const json_t *error = json_object_get(message, "error");

    ck_assert_msg(error != NULL, "no error but expected: %s", words);
    ck_assert_str_eq(json_string_value(json_object_get(error, "class")), class);
    ck_assert_msg(strstr(json_string_value(json_object_get(error, "desc")), words) != NULL,
                  "\"%s\" without \"%s\"", json_string_value(json_object_get(error, "desc")),
                  words);
    json_decref(message);
}

json_t *take_late(struct user *user)
{
    gint64 end = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
    json_t *message;

    while ((message = take(user)) == NULL && g_get_monotonic_time() < end)
        g_main_context_iteration(context, TRUE);
    return message;
}

struct user *connect_user(void)
{
    struct user *user = connect_raw();
    json_t *greeting = take(user);

    ck_assert(json_is_object(json_object_get(greeting, "QMP")));
    json_decref(greeting);
    assert_took(ask(user, "{\"execute\":\"qmp_capabilities\"}"), "{\"return\":{}}");
    return user;
}
