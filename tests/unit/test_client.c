/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client against engines that behave, hang, lie and die. */
#include <check.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/client.h"
#include "core/error.h"
#include "core/protocol.h"
#include "tests/suite.h"

#define GREETING "{\"QMP\":{\"version\":{},\"capabilities\":[]}}\n"
#define NEGOTIATED "{\"return\":{},\"id\":0}\n"

/* An engine of one connection, on a thread of its own. */
static char *folder, *path;
static int listener;
static GThread *engine;

static void put(int fd, const char *text)
{
    size_t size = strlen(text);

    while (size > 0) {
        ssize_t n = send(fd, text, size, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        text += n;
        size -= n;
    }
}

/* Reads one line: false when the client closed. */
static bool take(int fd, char *line, size_t size)
{
    size_t n = 0;

    while (n < size - 1 && recv(fd, line + n, 1, 0) == 1) {
        if (line[n++] == '\n') {
            line[n] = '\0';
            return true;
        }
    }
    return false;
}

static void until_closed(int fd)
{
    char byte;

    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

static void greet(int fd)
{
    char line[256];

    put(fd, GREETING);
    ck_assert(take(fd, line, sizeof(line)));
    ck_assert_str_eq(line, "{\"execute\":\"qmp_capabilities\",\"id\":0}\n");
    put(fd, NEGOTIATED);
}

static gpointer run_engine(gpointer behave)
{
    int fd = accept(listener, NULL, NULL);

    ((void (*)(int))behave)(fd);
    close(fd);
    return NULL;
}

static void setup(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    g_log_set_always_fatal(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
    folder = g_dir_make_tmp("vmdesk-client-XXXXXX", NULL);
    path = g_build_filename(folder, "control.sock", NULL);
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(listener, 0), 0);
    engine = NULL;
}

static void teardown(void)
{
    if (engine != NULL)
        g_thread_join(engine);
    close(listener);
    g_unlink(path);
    g_rmdir(folder);
    g_free(path);
    g_free(folder);
}

static void start_engine(void (*behave)(int fd))
{
    engine = g_thread_new("engine", run_engine, behave);
}

static void assert_connect_fails(enum vmdesk_error code, const char *words)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(client_connect(path, 300, NULL, NULL, &error));
    ck_assert_msg(g_error_matches(error, VMDESK_ERROR, code), "%s", error->message);
    ck_assert_msg(strstr(error->message, words) != NULL, "%s", error->message);
}

static struct client *connect_or_fail(const struct client_handlers *handlers, void *opaque)
{
    g_autoptr(GError) error = NULL;
    struct client *client = client_connect(path, 5000, handlers, opaque, &error);

    ck_assert_msg(client != NULL, "%s", error != NULL ? error->message : "");
    return client;
}

/* Answers in the other order than asked, with an event between. */
static void polite(int fd)
{
    char line[256];

    greet(fd);
    ck_assert(take(fd, line, sizeof(line)));
    ck_assert_str_eq(line, "{\"execute\":\"one\",\"arguments\":{\"a\":1},\"id\":1}\n");
    ck_assert(take(fd, line, sizeof(line)));
    ck_assert_str_eq(line, "{\"execute\":\"two\",\"id\":2}\n");
    put(fd, "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"no two\"},\"id\":2}\n");
    put(fd, "{\"event\":\"STOP\",\"timestamp\":{\"seconds\":1,\"microseconds\":2}}\n");
    put(fd, "{\"return\":{\"b\":2},\"id\":1}\n");
    until_closed(fd);
}

struct witness {
    struct client *client;
    GString *log;
    bool closed;
};

static void on_reply(const json_t *result, const GError *error, void *opaque)
{
    struct witness *w = opaque;

    if (error != NULL)
        g_string_append_printf(w->log, "error %d;", error->code);
    else
        g_string_append_printf(w->log, "b=%d;",
                               (int)json_integer_value(json_object_get(result, "b")));
}

static void on_event(const char *name, const json_t *data, void *opaque)
{
    struct witness *w = opaque;

    ck_assert(json_is_object(data));
    g_string_append_printf(w->log, "%s;", name);
}

static void on_closed(const GError *error, void *opaque)
{
    struct witness *w = opaque;

    w->closed = true;
    g_string_append_printf(w->log, "closed %d;", error->code);
}

static void on_closed_free(const GError *error, void *opaque)
{
    struct witness *w = opaque;

    on_closed(error, w);
    client_free(w->client);
}

static const struct client_handlers handlers = {.event = on_event, .closed = on_closed};

static void iterate_until(const bool *done)
{
    gint64 end = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;

    while (!*done && g_get_monotonic_time() < end)
        g_main_context_iteration(NULL, FALSE);
    ck_assert(*done);
}

START_TEST(test_replies_by_id_and_events)
{
    struct witness w = {.log = g_string_new(NULL)};
    json_t *result;

    start_engine(polite);
    w.client = connect_or_fail(&handlers, &w);
    ck_assert(client_is_connected(w.client));
    result = NULL;
    ck_assert_uint_eq(client_execute(w.client, "one", json_pack("{s:i}", "a", 1), 5000, on_reply,
                                     &w),
                      1);
    {
        g_autoptr(GError) error = NULL;
        bool never = false;

        result = client_call(w.client, "two", NULL, 5000, &error);
        ck_assert_ptr_null(result);
        ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_UNSUPPORTED));
        ck_assert(!client_wait(w.client, &never, 200));
    }
    ck_assert_str_eq(w.log->str, "STOP;b=2;");
    client_free(w.client);
    g_string_free(w.log, TRUE);
}
END_TEST

START_TEST(test_requests_before_the_connection)
{
    struct witness w = {.log = g_string_new(NULL)};

    start_engine(polite);
    w.client = client_new(NULL, path, &handlers, &w);
    client_execute(w.client, "one", json_pack("{s:i}", "a", 1), 5000, on_reply, &w);
    client_execute(w.client, "two", NULL, 5000, NULL, NULL);
    ck_assert_str_eq(w.log->str, "");
    for (gint64 end = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
         strcmp(w.log->str, "STOP;b=2;") != 0 && g_get_monotonic_time() < end;)
        g_main_context_iteration(NULL, FALSE);
    ck_assert_str_eq(w.log->str, "STOP;b=2;");
    client_free(w.client);
    g_string_free(w.log, TRUE);
}
END_TEST

START_TEST(test_nobody_listens)
{
    close(listener);
    assert_connect_fails(VMDESK_ERROR_NOT_FOUND, "start the machine");
    g_unlink(path);
    assert_connect_fails(VMDESK_ERROR_NOT_FOUND, "start the machine");
    listener = -1;
}
END_TEST

START_TEST(test_path_too_long)
{
    g_free(path);
    path = g_strnfill(300, 'x');
    assert_connect_fails(VMDESK_ERROR_INVALID, "too long");
}
END_TEST

START_TEST(test_nobody_accepts)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fillers[8];

    /* With the queue full, connect() would wait. */
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    for (size_t i = 0; i < G_N_ELEMENTS(fillers); i++) {
        fillers[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
    }
    assert_connect_fails(VMDESK_ERROR_TIMEOUT, "in time");
    for (size_t i = 0; i < G_N_ELEMENTS(fillers); i++)
        close(fillers[i]);
}
END_TEST

static void no_greeting(int fd)
{
    until_closed(fd);
}

static void wrong_greeting(int fd)
{
    put(fd, "{\"hello\":1}\n");
    until_closed(fd);
}

static void garbage(int fd)
{
    put(fd, "SSH-2.0-OpenSSH\r\n");
    until_closed(fd);
}

static void close_mid_line(int fd)
{
    put(fd, "{\"QMP\":{");
}

static void busy(int fd)
{
    put(fd, "{\"error\":{\"class\":\"DeviceNotActive\",\"desc\":\"full up\"}}\n");
    until_closed(fd);
}

static void refuse_negotiation(int fd)
{
    char line[256];

    put(fd, GREETING);
    take(fd, line, sizeof(line));
    put(fd, "{\"error\":{\"class\":\"GenericError\",\"desc\":\"no\"},\"id\":0}\n");
    until_closed(fd);
}

static const struct {
    void (*behave)(int fd);
    enum vmdesk_error code;
    const char *words;
} bad_starts[] = {
    {no_greeting, VMDESK_ERROR_TIMEOUT, "in time"},
    {wrong_greeting, VMDESK_ERROR_PROTOCOL, "not an engine"},
    {garbage, VMDESK_ERROR_PROTOCOL, "not JSON"},
    {close_mid_line, VMDESK_ERROR_GONE, "closed the connection"},
    {busy, VMDESK_ERROR_BUSY, "full up"},
    {refuse_negotiation, VMDESK_ERROR_PROTOCOL, "negotiation"},
};

START_TEST(test_bad_start)
{
    start_engine(bad_starts[_i].behave);
    assert_connect_fails(bad_starts[_i].code, bad_starts[_i].words);
}
END_TEST

static void hang_then_late(int fd)
{
    char line[256];

    greet(fd);
    take(fd, line, sizeof(line));
    take(fd, line, sizeof(line));
    put(fd, "{\"return\":{\"b\":1},\"id\":1}\n{\"return\":{\"b\":2},\"id\":2}\n");
    until_closed(fd);
}

START_TEST(test_timeout_and_late_answer)
{
    g_autoptr(GError) error = NULL;
    struct client *client;
    json_t *result;

    start_engine(hang_then_late);
    client = connect_or_fail(NULL, NULL);
    ck_assert_ptr_null(client_call(client, "one", NULL, 100, &error));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_TIMEOUT));
    result = client_call(client, "two", NULL, 5000, NULL);
    ck_assert_int_eq(json_integer_value(json_object_get(result, "b")), 2);
    json_decref(result);
    client_free(client);
}
END_TEST

static void flood(int fd)
{
    g_autofree char *much = g_strnfill(1024 * 1024, 'x');

    greet(fd);
    for (int i = 0; i < 16; i++)
        put(fd, much);
    until_closed(fd);
}

static void die(int fd)
{
    char line[256];

    greet(fd);
    take(fd, line, sizeof(line));
}

static void answer_to_nothing(int fd)
{
    greet(fd);
    put(fd, "{\"return\":{}}\n");
    until_closed(fd);
}

static const struct {
    void (*behave)(int fd);
    enum vmdesk_error code;
} bad_ends[] = {
    {flood, VMDESK_ERROR_PROTOCOL},
    {die, VMDESK_ERROR_GONE},
    {answer_to_nothing, VMDESK_ERROR_PROTOCOL},
};

START_TEST(test_bad_end)
{
    g_autofree char *expected = NULL;
    struct witness w = {.log = g_string_new(NULL)};

    start_engine(bad_ends[_i].behave);
    w.client = client_new(NULL, path, &handlers, &w);
    client_execute(w.client, "one", NULL, 5000, on_reply, &w);
    iterate_until(&w.closed);
    expected = g_strdup_printf("error %d;closed %d;", bad_ends[_i].code, bad_ends[_i].code);
    ck_assert_str_eq(w.log->str, expected);

    /* What is asked after the end is answered too, later. */
    g_string_truncate(w.log, 0);
    client_execute(w.client, "one", NULL, 5000, on_reply, &w);
    ck_assert_uint_eq(w.log->len, 0);
    g_main_context_iteration(NULL, FALSE);
    expected[strcspn(expected, ";") + 1] = '\0';
    ck_assert_str_eq(w.log->str, expected);
    client_free(w.client);
    g_string_free(w.log, TRUE);
}
END_TEST

START_TEST(test_free_in_callback)
{
    const struct client_handlers freeing = {.closed = on_closed_free};
    struct witness w = {.log = g_string_new(NULL)};

    start_engine(die);
    w.client = client_new(NULL, path, &freeing, &w);
    client_execute(w.client, "one", NULL, 5000, NULL, NULL);
    iterate_until(&w.closed);
    g_string_free(w.log, TRUE);
}
END_TEST

static void on_reply_free(const json_t *result, const GError *error, void *opaque)
{
    struct witness *w = opaque;

    client_free(w->client);
    w->closed = true;
}

START_TEST(test_free_in_reply)
{
    struct witness w = {.log = g_string_new(NULL)};

    start_engine(_i == 0 ? die : no_greeting);
    w.client = client_new(NULL, path, &handlers, &w);
    for (int i = 0; i < 3; i++)
        client_execute(w.client, "one", NULL, _i == 0 ? 5000 : 50, on_reply_free, &w);
    iterate_until(&w.closed);
    ck_assert_str_eq(w.log->str, "");
    g_string_free(w.log, TRUE);
}
END_TEST

static void deaf(int fd)
{
    greet(fd);
    g_usleep(300 * 1000);
}

START_TEST(test_bounds_of_a_deaf_engine)
{
    struct witness w = {.log = g_string_new(NULL)};
    g_autofree char *big = g_strnfill(60000, 'x');
    g_autofree char *busy_error = g_strdup_printf("error %d;", VMDESK_ERROR_BUSY);
    g_autofree char *invalid_error = g_strdup_printf("error %d;", VMDESK_ERROR_INVALID);
    g_autofree char *huge = g_strnfill(PROTOCOL_MAX_COMMAND, 'x');
    unsigned answers = 0;

    start_engine(deaf);
    w.client = client_new(NULL, path, &handlers, &w);
    client_execute(w.client, "huge", json_pack("{s:s}", "a", huge), 60000, on_reply, &w);
    g_main_context_iteration(NULL, FALSE);
    ck_assert_str_eq(w.log->str, invalid_error);
    g_string_truncate(w.log, 0);

    /* About 1 MiB fits, then commands fail; none is lost without an answer. */
    for (int i = 0; i < 40; i++)
        client_execute(w.client, "big", json_pack("{s:s}", "a", big), 60000, on_reply, &w);
    g_main_context_iteration(NULL, FALSE);
    ck_assert_msg(g_str_has_prefix(w.log->str, busy_error), "%s", w.log->str);
    for (int i = 0; i < 100; i++)
        client_execute(w.client, "small", NULL, 60000, on_reply, &w);
    iterate_until(&w.closed);
    for (const char *end = w.log->str; (end = strchr(end, ';')) != NULL; end++)
        answers++;
    ck_assert_uint_eq(answers, 140 + 1);
    client_free(w.client);
    g_string_free(w.log, TRUE);
}
END_TEST

START_TEST(test_cancel)
{
    struct witness w = {.log = g_string_new(NULL)};
    uint64_t request;

    start_engine(polite);
    w.client = client_new(NULL, path, &handlers, &w);
    request = client_execute(w.client, "one", json_pack("{s:i}", "a", 1), 5000, on_reply, &w);
    client_execute(w.client, "two", NULL, 5000, on_reply, &w);
    client_cancel(w.client, request);
    client_cancel(w.client, 12345);
    for (gint64 end = g_get_monotonic_time() + 300 * 1000; g_get_monotonic_time() < end;)
        g_main_context_iteration(NULL, FALSE);
    ck_assert(g_str_has_suffix(w.log->str, ";STOP;"));
    client_free(w.client);
    g_string_free(w.log, TRUE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, test_replies_by_id_and_events);
    tcase_add_test(tcase, test_requests_before_the_connection);
    tcase_add_test(tcase, test_nobody_listens);
    tcase_add_test(tcase, test_path_too_long);
    tcase_add_test(tcase, test_nobody_accepts);
    tcase_add_loop_test(tcase, test_bad_start, 0, G_N_ELEMENTS(bad_starts));
    tcase_add_test(tcase, test_timeout_and_late_answer);
    tcase_add_loop_test(tcase, test_bad_end, 0, G_N_ELEMENTS(bad_ends));
    tcase_add_test(tcase, test_free_in_callback);
    tcase_add_loop_test(tcase, test_free_in_reply, 0, 2);
    tcase_add_test(tcase, test_bounds_of_a_deaf_engine);
    tcase_add_test(tcase, test_cancel);
    return run_suite(suite);
}
