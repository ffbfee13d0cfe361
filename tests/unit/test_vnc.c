/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VNC server, with libvncclient as a stock viewer. */
#include <check.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/error.h"
#include "display/vnc_bridge.h"
#include "tests/suite.h"
#include "tests/unit/vnc_fixture.h"

static const char *const encoding_names[] = {"raw",  "rre",  "corre", "hextile",
                                             "zlib", "zrle", "tight"};

START_TEST(test_picture)
{
    rfbClient *c;

    start();
    c = view(path, 0, encoding_names[_i], NULL);
    ck_assert_ptr_nonnull(c);
    ck_assert_str_eq(c->desktopName, "machine");
    ck_assert_int_eq(c->width, 320); /* known before the first update */
    wait_picture(c, 320, 200, 0x123456);
    fake_screen_draw(&screen, 320, 200, 0x654321);
    wait_picture(c, 320, 200, 0x654321);
    leave(c);
}
END_TEST

START_TEST(test_nothing_shown_yet)
{
    rfbClient *c;

    fake_screen_draw(&screen, 0, 0, 0);
    start();
    c = view_unix();
    ck_assert_int_eq(c->width, 640);
    ck_assert_int_eq(c->height, 480);
    memset(c->frameBuffer, 0xff, 640 * 480 * 4);
    for (gint64 end = patience(); *(uint32_t *)c->frameBuffer & 0xffffff;) {
        ck_assert(g_get_monotonic_time() < end);
        pump(c);
    }
    fake_screen_draw(&screen, 333, 222, 7);
    wait_picture(c, 333, 222, 7);
    leave(c);
}
END_TEST

START_TEST(test_resize)
{
    rfbClient *c;

    start();
    c = view_unix();
    wait_picture(c, 320, 200, 0x123456);
    fake_screen_draw(&screen, 1280, 801, 1);
    wait_picture(c, 1280, 801, 1);
    fake_screen_draw(&screen, 1, 1, 2);
    wait_picture(c, 1, 1, 2);
    fake_screen_draw(&screen, SURFACE_MAX_WIDTH, SURFACE_MAX_HEIGHT, 3);
    wait_picture(c, SURFACE_MAX_WIDTH, SURFACE_MAX_HEIGHT, 3);
    leave(c);
}
END_TEST

START_TEST(test_viewer_asks_for_size)
{
    rfbClient *c;

    start();
    c = view_unix();
    wait_picture(c, 320, 200, 0x123456);
    ck_assert(SendExtDesktopSize(c, 1024, 768));
    for (gint64 end = patience(); fake_screen_suggested(&screen) == 0; pump(c))
        ck_assert(g_get_monotonic_time() < end);
    ck_assert_uint_eq(fake_screen_suggested(&screen), 1024 << 16 | 768);
    ck_assert_int_eq(c->width, 320); /* a hint: the guest decides */
    fake_screen_draw(&screen, 1024, 768, 5);
    wait_picture(c, 1024, 768, 5);
    leave(c);
}
END_TEST

START_TEST(test_keys)
{
    rfbClient *c;

    start();
    c = view_unix();
    wait_picture(c, 320, 200, 0x123456);
    SendKeyEvent(c, 'a', TRUE);
    SendKeyEvent(c, 'a', FALSE);
    wait_events("+1e -1e ");
    SendKeyEvent(c, 'B', TRUE);
    SendKeyEvent(c, 'B', FALSE);
    wait_events("+2a +30 -2a -30 ");
    /* The stock client sends key codes only when the server has said that it takes them. */
    for (gint64 end = patience(); !SupportsClient2Server(c, rfbQemuEvent); pump(c))
        ck_assert(g_get_monotonic_time() < end);
    SendExtendedKeyEvent(c, 'x', 0xc8, TRUE);
    SendExtendedKeyEvent(c, 'x', 0xc8, FALSE);
    wait_events("+c8 -c8 ");
    SendKeyEvent(c, 0xffe3, TRUE);
    wait_events("+1d ");
    leave(c); /* with Control down */
    wait_events("+1d -1d ");
}
END_TEST

START_TEST(test_pointer)
{
    rfbClient *c, *other;

    start();
    c = view_unix();
    other = view_unix();
    SendPointerEvent(c, 319, 199, 0);
    wait_events("32767,32767/320x200:0 ");
    SendPointerEvent(c, 0, 60000, rfbButton1Mask | rfbButton3Mask);
    wait_events("0,32767/320x200:3 ");
    SendPointerEvent(other, 319, 0, 0); /* not while the first drags */
    SendPointerEvent(c, 0, 0, rfbButton2Mask);
    wait_events("0,0/320x200:4 ");
    SendPointerEvent(c, 0, 0, rfbButton4Mask);
    SendPointerEvent(c, 0, 0, 0);
    SendPointerEvent(c, 0, 0, rfbButton5Mask);
    wait_events("wheel+1 ");
    wait_events("wheel-1 ");
    SendPointerEvent(c, 0, 0, rfbButton1Mask);
    wait_events("0,0/320x200:1 ");
    g_mutex_lock(&events_lock);
    ck_assert_ptr_null(strstr(events->str, "32767,0/"));
    g_string_truncate(events, 0);
    g_mutex_unlock(&events_lock);
    leave(c); /* with a button down */
    wait_events("0,0/320x200:0 ");
    SendPointerEvent(other, 319, 0, 0);
    wait_events("32767,0/320x200:0 ");
    leave(other);
}
END_TEST

START_TEST(test_several_viewers)
{
    rfbClient *c[4];
    struct vnc_info *info;

    start();
    for (unsigned i = 0; i < G_N_ELEMENTS(c); i++)
        c[i] = view(path, 0, encoding_names[3 + i], NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(c); i++)
        wait_picture(c[i], 320, 200, 0x123456);
    info = vnc_server_query(server);
    ck_assert_int_eq(info->listen, VNC_UNIX);
    ck_assert_str_eq(info->address, path);
    ck_assert(!info->password);
    ck_assert_uint_eq(info->viewers->len, 4);
    ck_assert_str_eq(g_array_index(info->viewers, struct vnc_viewer_info, 0).address, "unix");
    ck_assert(g_array_index(info->viewers, struct vnc_viewer_info, 0).authenticated);
    vnc_info_free(info);
    fake_screen_draw(&screen, 200, 320, 9);
    for (unsigned i = 0; i < G_N_ELEMENTS(c); i++)
        wait_picture(c[i], 200, 320, 9);
    leave(c[0]);
    wait_viewers(3);
    fake_screen_draw(&screen, 200, 320, 10);
    for (unsigned i = 1; i < G_N_ELEMENTS(c); i++)
        wait_picture(c[i], 200, 320, 10);
    for (unsigned i = 1; i < G_N_ELEMENTS(c); i++)
        leave(c[i]);
}
END_TEST

static unsigned thread_count(void)
{
    unsigned n = 0;
    g_autoptr(GDir) dir = g_dir_open("/proc/self/task", 0, NULL);

    while (g_dir_read_name(dir) != NULL)
        n++;
    return n;
}

START_TEST(test_no_viewer_no_work)
{
    unsigned threads, refreshes;

    start();
    threads = thread_count();
    ck_assert_uint_eq(fake_screen_refreshes(&screen), 0);
    for (unsigned i = 0; i < 3; i++) {
        rfbClient *c = view_unix();

        wait_picture(c, 320, 200, 0x123456);
        ck_assert_uint_eq(thread_count(), threads + 1);
        leave(c);
        wait_viewers(0);
        for (gint64 end = patience(); thread_count() != threads; g_usleep(1000))
            ck_assert(g_get_monotonic_time() < end);
        g_usleep(50000);
        refreshes = fake_screen_refreshes(&screen);
        g_usleep(300000);
        ck_assert_uint_eq(fake_screen_refreshes(&screen), refreshes);
    }
}
END_TEST

/* Passwords, over TCP. */

static uint16_t start_tcp(const char *password)
{
    struct vnc_options o = {.listen = VNC_TCP, .password = password, .name = "machine"};
    struct vnc_info *info;
    uint16_t port;

    start_with(&o);
    info = vnc_server_query(server);
    port = info->port;
    ck_assert_uint_ge(port, 5900);
    ck_assert_str_eq(info->address, "127.0.0.1");
    ck_assert(info->password == (password != NULL));
    vnc_info_free(info);
    return port;
}

START_TEST(test_tcp_and_password)
{
    uint16_t port = start_tcp("secret");
    rfbClient *c = view("127.0.0.1", port, "raw", "secret");
    struct vnc_info *info;

    ck_assert_ptr_nonnull(c);
    wait_picture(c, 320, 200, 0x123456);
    info = vnc_server_query(server);
    ck_assert(g_str_has_prefix(g_array_index(info->viewers, struct vnc_viewer_info, 0).address,
                               "127.0.0.1:"));
    vnc_info_free(info);
    ck_assert_ptr_null(view("127.0.0.1", port, "raw", "secreT"));
    wait_viewers(1);
    fake_screen_draw(&screen, 320, 200, 4);
    wait_picture(c, 320, 200, 4);
    leave(c);
}
END_TEST

START_TEST(test_guessing_is_slow)
{
    uint16_t port = start_tcp("secret");
    gint64 begun;
    rfbClient *c;

    for (unsigned i = 0; i < VNC_FREE_FAILURES; i++)
        ck_assert_ptr_null(view("127.0.0.1", port, "raw", "guess"));
    begun = g_get_monotonic_time();
    ck_assert_ptr_null(view("127.0.0.1", port, "raw", "guess"));
    c = view("127.0.0.1", port, "raw", "secret");
    ck_assert_ptr_nonnull(c);
    ck_assert_int_ge(g_get_monotonic_time() - begun,
                     (2 * VNC_FAILURE_SECONDS - 1) * G_USEC_PER_SEC);
    leave(c);
}
END_TEST

/* What cannot be started. */

static void check_refused(const struct vnc_options *o, enum vmdesk_error code, const char *says)
{
    g_autoptr(GError) err = NULL;

    ck_assert_ptr_null(vnc_server_new(display, o, &sink, &err));
    ck_assert_msg(g_error_matches(err, VMDESK_ERROR, code), "%d %s", err->code, err->message);
    ck_assert_msg(strstr(err->message, says) != NULL, "%s", err->message);
}

START_TEST(test_refused_options)
{
    struct vnc_options o = {.listen = VNC_UNIX, .path = path, .name = "machine"};
    g_autofree char *long_path = g_strconcat(folder, "/", NULL), *open_path = NULL;

    while (strlen(long_path) < 120) {
        char *longer = g_strconcat(long_path, "x", NULL);

        g_free(long_path);
        long_path = longer;
    }
    o.layout = "klingon";
    check_refused(&o, VMDESK_ERROR_NOT_FOUND, "klingon");
    o.layout = NULL;
    o.password = "123456789";
    check_refused(&o, VMDESK_ERROR_INVALID, "8 bytes");
    o.password = "";
    check_refused(&o, VMDESK_ERROR_INVALID, "empty");
    o.password = NULL;
    o.path = long_path;
    check_refused(&o, VMDESK_ERROR_INVALID, "shorter");
    o.path = "/nonexistent/vnc.sock";
    check_refused(&o, VMDESK_ERROR_NOT_FOUND, "/nonexistent");
    open_path = g_build_filename("/tmp", "vmdesk-test.sock", NULL);
    o.path = open_path;
    check_refused(&o, VMDESK_ERROR_PERMISSION, "chmod 700");
    o.listen = VNC_TCP;
    o.host = "localhost.example";
    check_refused(&o, VMDESK_ERROR_INVALID, "localhost.example");
    o.host = "0.0.0.0";
    check_refused(&o, VMDESK_ERROR_INVALID, "password");
    start();
}
END_TEST

START_TEST(test_address_in_use)
{
    struct vnc_options o = {.listen = VNC_TCP, .name = "machine"};

    o.port = start_tcp(NULL);
    check_refused(&o, VMDESK_ERROR_BUSY, "another port");
    vnc_server_free(server);
    start_with(&o); /* free again, and at once */
    vnc_server_free(server);
    start();
    o.listen = VNC_UNIX;
    o.path = path;
    check_refused(&o, VMDESK_ERROR_BUSY, path);
    leave(view_unix()); /* the first one was not hurt */
}
END_TEST

START_TEST(test_stale_socket)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd); /* as after SIGKILL */
    ck_assert(g_file_test(path, G_FILE_TEST_EXISTS));
    start();
    leave(view_unix());
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vnc");
    TCase *tc = tcase_create("vnc");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, test_picture, 0, G_N_ELEMENTS(encoding_names));
    tcase_add_test(tc, test_nothing_shown_yet);
    tcase_add_test(tc, test_resize);
    tcase_add_test(tc, test_viewer_asks_for_size);
    tcase_add_test(tc, test_keys);
    tcase_add_test(tc, test_pointer);
    tcase_add_test(tc, test_several_viewers);
    tcase_add_test(tc, test_no_viewer_no_work);
    tcase_add_test(tc, test_tcp_and_password);
    tcase_add_test(tc, test_guessing_is_slow);
    tcase_add_test(tc, test_refused_options);
    tcase_add_test(tc, test_address_in_use);
    tcase_add_test(tc, test_stale_socket);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
