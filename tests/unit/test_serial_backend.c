/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/error.h"
#include "engine/dev/serial_backend.h"
#include "tests/suite.h"

static char *folder, *path, *file;
static GMainContext *context;
static struct serial_backend *backend;

/* The guest's receiver. */
static GString *typed;
static size_t room;

static size_t guest_room(void *opaque)
{
    return room;
}

static void guest_input(void *opaque, const uint8_t *bytes, size_t size)
{
    ck_assert_uint_le(size, room);
    room -= size;
    g_string_append_len(typed, (const char *)bytes, size);
}

static const struct serial_backend_input input_ops = {guest_room, guest_input};

static void setup(void)
{
    g_autoptr(GError) error = NULL;

    g_log_set_always_fatal(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
    folder = g_dir_make_tmp("vmdesk-serial-XXXXXX", NULL);
    path = g_build_filename(folder, "serial.sock", NULL);
    file = g_build_filename(folder, "serial.log", NULL);
    context = g_main_context_new();
    backend = serial_backend_new(context, path, file, &error);
    ck_assert_msg(backend != NULL, "%s", error != NULL ? error->message : "");
    serial_backend_set_input(backend, &input_ops, NULL);
    typed = g_string_new(NULL);
    room = SIZE_MAX;
}

static void teardown(void)
{
    serial_backend_free(backend);
    ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
    g_main_context_unref(context);
    g_string_free(typed, TRUE);
    g_unlink(file);
    g_rmdir(folder);
    g_free(file);
    g_free(path);
    g_free(folder);
}

static void run(void)
{
    for (int i = 0; i < 50; i++) {
        while (g_main_context_iteration(context, FALSE))
            ;
    }
}

static int attach(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    run();
    return fd;
}

static void assert_reads(int fd, const char *expected)
{
    char buffer[64] = "";
    ssize_t n = recv(fd, buffer, sizeof(buffer) - 1, 0);

    ck_assert_int_eq(n, strlen(expected));
    ck_assert_str_eq(buffer, expected);
}

static void output(const char *text)
{
    serial_backend_output(backend, text, strlen(text));
    run();
}

START_TEST(test_viewers_share_and_get_the_backlog)
{
    g_autofree char *contents = NULL;
    struct stat st;
    int one, two;

    output("before ");
    one = attach();
    assert_reads(one, "before ");
    two = attach();
    assert_reads(two, "before ");
    output("after");
    assert_reads(one, "after");
    assert_reads(two, "after");
    close(one);
    run();
    output("!");
    assert_reads(two, "!");
    close(two);
    ck_assert(g_file_get_contents(file, &contents, NULL, NULL));
    ck_assert_str_eq(contents, "before after!");
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_str_eq(serial_backend_path(backend), path);
}
END_TEST

START_TEST(test_backlog_wraps)
{
    g_autofree char *got = g_malloc(2 * SERIAL_BACKLOG);
    size_t total = 0;
    ssize_t n;
    int fd;

    for (unsigned i = 0; i < 20000; i++) {
        g_autofree char *line = g_strdup_printf("%05u\n", i);

        serial_backend_output(backend, line, 6);
        if (i % 100 == 0)
            run();
    }
    run();
    fd = attach();
    while ((n = recv(fd, got + total, 2 * SERIAL_BACKLOG - total, 0)) > 0) {
        total += n;
        run();
    }
    ck_assert_uint_eq(total, SERIAL_BACKLOG);
    ck_assert(memcmp(got + total - 6, "19999\n", 6) == 0);
    ck_assert(memcmp(got + total - 12, "19998\n", 6) == 0);
    for (size_t i = 0; i + 6 < total - SERIAL_BACKLOG % 6; i += 6)
        ck_assert_int_eq(got[SERIAL_BACKLOG % 6 + i + 5], '\n');
    close(fd);
}
END_TEST

START_TEST(test_typing_waits_for_room)
{
    int fd = attach();

    room = 3;
    ck_assert_int_eq(send(fd, "hello", 5, 0), 5);
    run();
    ck_assert_str_eq(typed->str, "hel");
    ck_assert_int_eq(send(fd, " you", 4, 0), 4);
    close(fd); /* what was typed before is not lost */
    run();
    ck_assert_str_eq(typed->str, "hel");
    room = 100;
    serial_backend_resume_input(backend);
    run();
    ck_assert_str_eq(typed->str, "hello you");
}
END_TEST

START_TEST(test_viewer_that_does_not_read)
{
    g_autofree char *block = g_strnfill(4096, 'x');
    int deaf = attach(), fine = attach();
    char buffer[8192];
    size_t got = 0;
    gint64 start = g_get_monotonic_time();

    for (int i = 0; i < 1000; i++) {
        serial_backend_output(backend, block, 4096);
        while (g_main_context_iteration(context, FALSE))
            ;
        for (ssize_t n; (n = recv(fine, buffer, sizeof(buffer), 0)) > 0;)
            got += n;
    }
    run();
    for (ssize_t n; (n = recv(fine, buffer, sizeof(buffer), 0)) > 0;)
        got += n;
    ck_assert_uint_eq(got, 1000 * 4096);
    ck_assert_int_lt(g_get_monotonic_time() - start, 5 * G_USEC_PER_SEC);
    /* Dropped: after what was on its way comes the end. */
    for (ssize_t n; (n = recv(deaf, buffer, sizeof(buffer), 0)) != 0;)
        ck_assert_int_gt(n, 0);
    close(deaf);
    close(fine);
}
END_TEST

START_TEST(test_too_many_viewers)
{
    int fds[20];
    char byte;

    for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
        fds[i] = attach();
    ck_assert_int_eq(recv(fds[19], &byte, 1, 0), 0);
    ck_assert(recv(fds[0], &byte, 1, 0) < 0 && errno == EAGAIN);
    for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
        close(fds[i]);
    run();
    fds[0] = attach();
    output("x");
    assert_reads(fds[0], "x");
    close(fds[0]);
}
END_TEST

static gpointer guest_thread(gpointer opaque)
{
    for (int i = 0; i < 100000; i++)
        serial_backend_output(backend, "0123456789", 10);
    return NULL;
}

START_TEST(test_output_from_another_thread)
{
    GThread *thread = g_thread_new("guest", guest_thread, NULL);
    g_autofree char *contents = NULL;
    gsize size;

    for (int i = 0; i < 1000; i++)
        g_main_context_iteration(context, FALSE);
    g_thread_join(thread);
    run();
    ck_assert(g_file_get_contents(file, &contents, &size, NULL));
    ck_assert_uint_eq(size % 10, 0);
    ck_assert(g_str_has_prefix(contents, "01234567890123456789"));
    ck_assert(g_str_has_suffix(contents, "01234567890123456789"));
}
END_TEST

START_TEST(test_queue_is_bounded)
{
    g_autofree char *contents = NULL, *more = NULL;
    gsize size;

    /* Nobody runs the context: 1 MiB waits, no more. */
    guest_thread(NULL);
    guest_thread(NULL);
    run();
    ck_assert(g_file_get_contents(file, &contents, &size, NULL));
    ck_assert_uint_eq(size, 1024 * 1024 / 10 * 10);
    output("on");
    ck_assert(g_file_get_contents(file, &more, &size, NULL));
    ck_assert(g_str_has_suffix(more, "on"));
}
END_TEST

static void assert_new_fails(const char *socket_path, const char *log, const char *words)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(serial_backend_new(context, socket_path, log, &error));
    ck_assert_msg(strstr(error->message, words) != NULL, "%s", error->message);
}

START_TEST(test_bad_places)
{
    g_autofree char *long_path = g_strnfill(200, 'x');
    g_autofree char *missing = g_build_filename(folder, "no", "where", NULL);
    struct serial_backend *silent = serial_backend_new(context, NULL, NULL, NULL);

    assert_new_fails(long_path, NULL, "too long");
    assert_new_fails(missing, NULL, "no/where");
    assert_new_fails(NULL, missing, "Give another file");
    assert_new_fails(file, NULL, "not a socket");
    ck_assert_ptr_null(serial_backend_path(silent));
    serial_backend_output(silent, "x", 1);
    serial_backend_free(silent);
}
END_TEST

START_TEST(test_leftover_socket_is_replaced)
{
    g_autofree char *left = g_build_filename(folder, "left.sock", NULL);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct serial_backend *other;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(address.sun_path, left, sizeof(address.sun_path));
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    other = serial_backend_new(context, left, NULL, NULL);
    ck_assert_ptr_nonnull(other);
    serial_backend_free(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("serial_backend");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, test_viewers_share_and_get_the_backlog);
    tcase_add_test(tcase, test_backlog_wraps);
    tcase_add_test(tcase, test_typing_waits_for_room);
    tcase_add_test(tcase, test_viewer_that_does_not_read);
    tcase_add_test(tcase, test_too_many_viewers);
    tcase_add_test(tcase, test_output_from_another_thread);
    tcase_add_test(tcase, test_queue_is_bounded);
    tcase_add_test(tcase, test_bad_places);
    tcase_add_test(tcase, test_leftover_socket_is_replaced);
    return run_suite(suite);
}
