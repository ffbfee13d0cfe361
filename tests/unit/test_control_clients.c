/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control server and clients that misuse it, or are too many, or leave. */
#include <check.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/error.h"
#include "tests/suite.h"
#include "tests/unit/control_fixture.h"

START_TEST(test_client_leaves_while_commands_wait)
{
    struct screen_answer answer = {.unchanged = true};
    g_autoptr(GBytes) png = g_bytes_new_static("PNG", 3);
    struct user *user = connect_user();

    ck_assert_ptr_null(ask(user, "{\"execute\":\"query-screen\"}"));
    ck_assert_ptr_null(ask(user, "{\"execute\":\"screendump\"}"));
    leave(user);
    ck_assert_uint_eq(server->connections->len, 0);
    fake_machine_answer(machine, &answer);
    fake_machine_answer_png(machine, png, NULL);

    /* And those that still wait when the server ends: see teardown(). */
    user = connect_user();
    ck_assert_ptr_null(ask(user, "{\"execute\":\"query-screen\"}"));
    ck_assert_ptr_null(ask(user, "{\"execute\":\"screendump\"}"));
    control_server_free(server);
    server = NULL;
    leave(user);
}
END_TEST

START_TEST(test_too_many_waiting_commands)
{
    struct screen_answer answer = {.unchanged = true};
    struct user *user = connect_user();

    for (int i = 0; i < CONTROL_MAX_PENDING; i++)
        ck_assert_ptr_null(ask(user, "{\"execute\":\"query-screen\"}"));
    assert_error(ask(user, "{\"execute\":\"query-screen\"}"), "DeviceNotActive", "wait already");
    fake_machine_answer(machine, &answer);
    json_decref(take(user));
    ck_assert_ptr_null(ask(user, "{\"execute\":\"query-screen\"}"));
    leave(user);
}
END_TEST

START_TEST(test_too_many_clients)
{
    struct user *users[CONTROL_MAX_CLIENTS], *last;

    for (size_t i = 0; i < G_N_ELEMENTS(users); i++)
        users[i] = connect_user();
    last = connect_raw();
    assert_error(take(last), "DeviceNotActive", "16 clients");
    ck_assert(!is_open(last));
    leave(last);
    assert_took(ask(users[0], "{\"execute\":\"cont\"}"), "{\"return\":{}}");
    for (size_t i = 0; i < G_N_ELEMENTS(users); i++)
        leave(users[i]);
    leave(connect_user());
}
END_TEST

static long resident_kib(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

START_TEST(test_huge_line)
{
    g_autofree char *block = g_strnfill(1024 * 1024, 'x');
    struct user *user = connect_user(), *other = connect_user();
    long before = resident_kib();
    size_t sent = 0;
    ssize_t n;

    /* 100 MB are on offer; the server hangs up long before. */
    do {
        n = send(user->fd, block, 1024 * 1024, MSG_NOSIGNAL);
        sent += n > 0 ? n : 0;
        run();
    } while (sent < 100 * 1000 * 1000 && (n > 0 || errno == EAGAIN));
    ck_assert_int_eq(errno, EPIPE);
    ck_assert_uint_lt(sent, 4 * 1024 * 1024);
    ck_assert_int_lt(resident_kib() - before, 4 * 1024);
    assert_error(take(user), "GenericError", "longer than 65536");
    ck_assert(!is_open(user));
    assert_took(ask(other, "{\"execute\":\"cont\"}"), "{\"return\":{}}");
    leave(user);
    leave(other);
}
END_TEST

START_TEST(test_line_at_the_cap)
{
    g_autofree char *line = g_strnfill(PROTOCOL_MAX_COMMAND, ' ');
    static const char command[] = "{\"execute\":\"cont\"}";
    struct user *user = connect_user();

    memcpy(line, command, sizeof(command) - 1);
    assert_took(ask(user, line), "{\"return\":{}}");
    ck_assert(is_open(user));
    leave(user);
}
END_TEST

START_TEST(test_client_that_never_reads)
{
    struct user *deaf = connect_user(), *other = connect_user();
    static const char command[] = "{\"execute\":\"query-commands\"}\n";
    unsigned sent = 0;

    while (send(deaf->fd, command, sizeof(command) - 1, MSG_NOSIGNAL) > 0) {
        run();
        ck_assert_uint_lt(++sent, 10000);
        if (sent % 100 == 0)
            assert_took(ask(other, "{\"execute\":\"cont\"}"), "{\"return\":{}}");
    }
    ck_assert_int_eq(errno, EPIPE);
    ck_assert_uint_eq(server->connections->len, 1);
    assert_took(ask(other, "{\"execute\":\"cont\"}"), "{\"return\":{}}");
    leave(deaf);
    leave(other);
}
END_TEST

START_TEST(test_events_to_a_client_that_never_reads)
{
    struct user *deaf = connect_user();
    g_autofree char *detail = g_strnfill(100000, 'x');

    for (int i = 0; i < 100; i++)
        control_server_state_changed(server, MACHINE_GUEST_PANICKED, detail);
    run();
    ck_assert_uint_eq(server->connections->len, 0);
    leave(deaf);
}
END_TEST

START_TEST(test_bytes_one_by_one)
{
    static const char command[] = "{\"execute\":\"cont\",\"id\":\"é\"}\n";
    struct user *user = connect_user();

    for (size_t i = 0; i < sizeof(command) - 1; i++) {
        ck_assert_int_eq(send(user->fd, command + i, 1, MSG_NOSIGNAL), 1);
        run();
    }
    assert_took(take(user), "{\"id\":\"é\",\"return\":{}}");
    leave(user);
}
END_TEST

START_TEST(test_out_of_descriptors)
{
    struct user *other = connect_user(), *user;
    struct rlimit limit, low;
    json_t *greeting;
    int next = dup(other->fd), rounds = 0;
    bool came = false;

    /* The client's own socket is the last that fits. */
    close(next);
    getrlimit(RLIMIT_NOFILE, &limit);
    low = limit;
    low.rlim_cur = next + 1;
    setrlimit(RLIMIT_NOFILE, &low);
    user = connect_raw();
    ck_assert_ptr_null(take(user));
    assert_took(ask(other, "{\"execute\":\"cont\"}"), "{\"return\":{}}");
    setrlimit(RLIMIT_NOFILE, &limit);
    /* Nobody has to call again, and meanwhile the server does not spin. */
    for (; !came && rounds < 10; rounds++) {
        g_main_context_iteration(context, TRUE);
        came = server->connections->len == 2;
    }
    ck_assert(came);
    greeting = take(user);
    ck_assert_ptr_nonnull(greeting);
    json_decref(greeting);
    leave(user);
    leave(other);
}
END_TEST

START_TEST(test_bad_paths)
{
    g_autofree char *missing = g_build_filename(folder, "no", "control.sock", NULL);
    g_autofree char *long_path = g_strnfill(200, 'x');
    g_autoptr(GError) error = NULL, length = NULL;

    ck_assert_ptr_null(new_server(missing, &error));
    ck_assert_msg(strstr(error->message, missing) != NULL, "%s", error->message);
    ck_assert_ptr_null(new_server(long_path, &length));
    ck_assert_msg(strstr(length->message, "shorter") != NULL, "%s", length->message);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control clients");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_client_leaves_while_commands_wait);
    tcase_add_test(tcase, test_too_many_waiting_commands);
    tcase_add_test(tcase, test_too_many_clients);
    tcase_add_test(tcase, test_huge_line);
    tcase_add_test(tcase, test_line_at_the_cap);
    tcase_add_test(tcase, test_client_that_never_reads);
    tcase_add_test(tcase, test_events_to_a_client_that_never_reads);
    tcase_add_test(tcase, test_bytes_one_by_one);
    tcase_add_test(tcase, test_out_of_descriptors);
    tcase_add_test(tcase, test_bad_paths);
    return run_suite(suite);
}
