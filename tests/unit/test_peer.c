/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/peer.h"
#include "tests/suite.h"

#define MAX_OUTPUT 1000000

static GMainContext *context;

/* One connection: a peer and the bare other end of it. */
struct end {
    struct peer *peer;
    int fd;
    GString *got;
    int closed;        /* -1: not yet */
    struct end *stops; /* this one's reading ends when something comes here */
    bool frees;        /* the peer, in its own callback */
};

static void on_received(const uint8_t *data, size_t size, void *opaque)
{
    struct end *end = opaque;

    ck_assert_uint_le(size, PEER_READ_BYTES);
    g_string_append_len(end->got, (const char *)data, size);
    if (end->stops != NULL)
        peer_set_reading(end->stops->peer, false);
    if (end->frees)
        g_clear_pointer(&end->peer, peer_free);
}

static void on_closed(int errnum, void *opaque)
{
    struct end *end = opaque;

    ck_assert_int_eq(end->closed, -1);
    end->closed = errnum;
    if (end->frees)
        g_clear_pointer(&end->peer, peer_free);
}

static void begin(struct end *end)
{
    static const struct peer_handlers handlers = {on_received, on_closed};
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    *end = (struct end){.fd = fds[1], .got = g_string_new(NULL), .closed = -1};
    end->peer = peer_new(context, fds[0], MAX_OUTPUT, &handlers, end);
}

static void finish(struct end *end)
{
    peer_free(end->peer);
    if (end->fd >= 0)
        close(end->fd);
    g_string_free(end->got, TRUE);
}

static void hang_up(struct end *end)
{
    close(end->fd);
    end->fd = -1;
}

/* Ends only when nothing is ready: a source that spins runs into the test's time limit. */
static void run(void)
{
    while (g_main_context_iteration(context, FALSE))
        ;
}

static size_t drain(struct end *end)
{
    char bytes[65536];
    size_t total = 0;
    ssize_t n;

    while ((n = recv(end->fd, bytes, sizeof(bytes), 0)) > 0) {
        total += n;
        run();
    }
    return total;
}

static void setup(void)
{
    g_log_set_always_fatal(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
    context = g_main_context_new();
}

static void teardown(void)
{
    g_main_context_unref(context);
}

START_TEST(test_output_is_bounded_and_whole)
{
    g_autofree char *block = g_malloc0(MAX_OUTPUT);
    struct end end;
    size_t sent = 0;

    begin(&end);
    ck_assert(!peer_send(end.peer, block, MAX_OUTPUT + 1));
    for (; peer_send(end.peer, block, 100000); sent += 100000)
        ck_assert_uint_lt(sent, 4 * MAX_OUTPUT);
    ck_assert_uint_ge(sent, MAX_OUTPUT);
    ck_assert_uint_eq(drain(&end), sent);
    ck_assert(peer_send(end.peer, "more", 4));
    ck_assert_uint_eq(drain(&end), 4);
    finish(&end);
}
END_TEST

START_TEST(test_what_was_sent_comes_before_the_end)
{
    struct end end;

    begin(&end);
    ck_assert_int_eq(send(end.fd, "last words", 10, 0), 10);
    hang_up(&end);
    peer_send(end.peer, "to nobody", 9);
    run();
    ck_assert_str_eq(end.got->str, "last words");
    ck_assert_int_ne(end.closed, -1);
    ck_assert(peer_send(end.peer, "still to nobody", 15));
    peer_set_reading(end.peer, true);
    run();
    finish(&end);
}
END_TEST

START_TEST(test_hang_up_while_not_reading)
{
    struct end end;

    begin(&end);
    peer_set_reading(end.peer, false);
    ck_assert_int_eq(send(end.fd, "typed", 5, 0), 5);
    hang_up(&end);
    run();
    ck_assert_uint_eq(end.got->len, 0);
    ck_assert_int_eq(end.closed, -1);
    peer_set_reading(end.peer, true);
    run();
    ck_assert_str_eq(end.got->str, "typed");
    ck_assert_int_eq(end.closed, 0);
    finish(&end);
}
END_TEST

START_TEST(test_stopped_by_another_in_the_same_round)
{
    struct end one, two;

    begin(&one);
    begin(&two);
    one.stops = &two;
    two.stops = &one;
    ck_assert_int_eq(send(one.fd, "x", 1, 0), 1);
    ck_assert_int_eq(send(two.fd, "x", 1, 0), 1);
    run();
    ck_assert_uint_eq(one.got->len + two.got->len, 1);
    finish(&one);
    finish(&two);
}
END_TEST

START_TEST(test_free_in_callback)
{
    struct end received, closed;

    begin(&received);
    begin(&closed);
    received.frees = closed.frees = true;
    ck_assert_int_eq(send(received.fd, "x", 1, 0), 1);
    hang_up(&closed);
    run();
    ck_assert_ptr_null(received.peer);
    ck_assert_ptr_null(closed.peer);
    finish(&received);
    finish(&closed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("peer");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_output_is_bounded_and_whole);
    tcase_add_test(tcase, test_what_was_sent_comes_before_the_end);
    tcase_add_test(tcase, test_hang_up_while_not_reading);
    tcase_add_test(tcase, test_stopped_by_another_in_the_same_round);
    tcase_add_test(tcase, test_free_in_callback);
    return run_suite(suite);
}
