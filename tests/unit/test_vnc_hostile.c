/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VNC server and viewers that mean no good, on bare sockets. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "display/vnc_bridge.h"
#include "display/vnc_messages.h"
#include "display/vnc_viewer.h"
#include "tests/suite.h"
#include "tests/unit/vnc_fixture.h"

static int bare(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = PATIENCE_SECONDS};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    return fd;
}

static void say(int fd, const void *data, size_t size)
{
    ck_assert_int_eq(send(fd, data, size, MSG_NOSIGNAL), size);
}

static void hear(int fd, void *data, size_t size)
{
    ck_assert_int_eq(recv(fd, data, size, MSG_WAITALL), size);
}

/* As version 3.8 without a password, up to the end of ServerInit. */
static int bare_viewer(void)
{
    int fd = bare();
    uint8_t heard[256];

    hear(fd, heard, 12);
    ck_assert(memcmp(heard, "RFB 003.008\n", 12) == 0);
    say(fd, "RFB 003.008\n", 12);
    hear(fd, heard, 2);
    ck_assert_uint_eq(heard[0], 1);
    ck_assert_uint_eq(heard[1], 1);
    say(fd, "\1", 1);
    hear(fd, heard, 4);
    ck_assert_uint_eq(heard[3], 0);
    say(fd, "\1", 1);
    hear(fd, heard, 24);
    hear(fd, heard, heard[23]);
    return fd;
}

/* The server hangs up, whatever it says before. */
static void wait_hangup(int fd)
{
    char ignored[4096];
    ssize_t n;

    while ((n = recv(fd, ignored, sizeof(ignored), 0)) > 0) {
    }
    ck_assert_msg(n == 0 || errno == ECONNRESET, "%s", g_strerror(errno));
    close(fd);
}

START_TEST(test_old_versions)
{
    uint8_t heard[256];
    int fd;

    start();
    fd = bare();
    hear(fd, heard, 12);
    say(fd, "RFB 003.003\n\1", 13);
    hear(fd, heard, 4 + 24);
    ck_assert_uint_eq(heard[3], 1);
    close(fd);
    fd = bare();
    hear(fd, heard, 12);
    say(fd, "RFB 003.007\n\1\1", 14);
    hear(fd, heard, 2 + 24);
    ck_assert_uint_eq(heard[2] << 8 | heard[3], 320);
    close(fd);
}
END_TEST

static const struct {
    const char *what;
    const char *bytes;
    size_t size;
} bad_handshakes[] = {
    {"another protocol", "GET / HTTP/1.1\r\n\r\n", 18},
    {"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00", 13},
    {"a later version", "RFB 004.000\n", 12},
    {"no number", "RFB 003.x08\n", 12},
    {"security not offered", "RFB 003.008\n\2", 13},
    {"security TightVNC", "RFB 003.008\n\x10", 13},
    {"nothing", "", 0},
};

START_TEST(test_bad_handshake)
{
    uint8_t heard[12];
    int fd;

    start();
    fd = bare();
    hear(fd, heard, 12);
    say(fd, bad_handshakes[_i].bytes, bad_handshakes[_i].size);
    shutdown(fd, SHUT_WR);
    wait_hangup(fd);
    leave(view_unix());
}
END_TEST

static const struct {
    const char *what;
    const char *bytes;
    size_t size;
} bad_messages[] = {
    {"unknown type", "\x07", 1},
    {"file transfer", "\x07\0\0\0\0\0\0\0\0\0\0\0", 12},
    {"scale", "\x08\x02\0\0", 4},
    {"palm scale", "\x0f\x02\0\0", 4},
    {"text chat", "\x0b\0\0\0\x7f\xff\xff\xff", 8},
    {"xvp", "\xfa\0\1\2", 4},
    {"huge cut text", "\6\0\0\0\x7f\xff\xff\xff", 8},
    {"extended cut text", "\6\0\0\0\xff\xff\xff\xf8", 8},
    {"many encodings", "\2\0\xff\xff", 4},
    {"impossible depth", "\0\0\0\0\x18\x18\0\1\0\xff\0\xff\0\xff\x10\x08\0\0\0\0", 20},
    {"shift over the pixel", "\0\0\0\0\x20\x18\0\1\0\xff\0\xff\0\xff\xff\x08\0\0\0\0", 20},
    {"maximum no power of two", "\0\0\0\0\x20\x18\0\1\0\xfe\0\xff\0\xff\x10\x08\0\0\0\0", 20},
    {"colour map of 32 bits", "\0\0\0\0\x20\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20},
    {"many screens", "\xfb\0\2\0\2\0\xff\0", 8},
    {"QEMU audio", "\xff\1\0\0\0\0\0\0\0\0\0\0", 12},
};

START_TEST(test_bad_message)
{
    rfbClient *c;
    int fd;

    start();
    c = view_unix();
    fd = bare_viewer();
    say(fd, bad_messages[_i].bytes, bad_messages[_i].size);
    wait_hangup(fd);
    wait_viewers(1);
    fake_screen_draw(&screen, 320, 200, 77);
    wait_picture(c, 320, 200, 77);
    leave(c);
}
END_TEST

START_TEST(test_harmless_messages)
{
    /* No encodings, no screens, the longest cut text, an empty rectangle: then a real one. */
    static const char *const odd = "\2\0\0\0"
                                   "\xfb\0\2\0\2\0\0\0"
                                   "\3\1\xff\xff\xff\xff\xff\xff\xff\xff";
    g_autofree char *text = g_malloc0(8 + VNC_MAX_CUT_TEXT);
    uint8_t heard[16];
    int fd;

    start();
    fd = bare_viewer();
    text[0] = 6;
    text[5] = VNC_MAX_CUT_TEXT >> 16;
    say(fd, text, 8 + VNC_MAX_CUT_TEXT);
    say(fd, odd, 4 + 8 + 10);
    say(fd, "\3\0\0\0\0\0\0\1\0\1", 10);
    hear(fd, heard, 16);
    ck_assert_uint_eq(heard[0], 0);
    ck_assert_uint_eq(heard[3], 1);
    close(fd);
}
END_TEST

START_TEST(test_stalled_viewer)
{
    rfbClient *c;
    int fd;

    fake_screen_draw(&screen, 1600, 1200, 0);
    start();
    c = view_unix();
    fd = bare_viewer();
    /* It asks for more than it will ever read. */
    for (unsigned i = 0; i < 200; i++)
        say(fd, "\3\0\0\0\0\0\6\x40\4\xb0", 10);
    /* Meanwhile the other one sees each of many pictures. */
    for (unsigned i = 1; i < 20; i++) {
        fake_screen_draw(&screen, 1600, 1200, i);
        wait_picture(c, 1600, 1200, i);
        ck_assert(WaitForMessage(c, 0) >= 0);
    }
    wait_viewers(1);
    wait_hangup(fd);
    fake_screen_draw(&screen, 320, 200, 4);
    wait_picture(c, 320, 200, 4);
    leave(c);
}
END_TEST

START_TEST(test_slow_handshakes)
{
    gint64 begun = g_get_monotonic_time();
    rfbClient *c;
    int fds[8];

    start();
    for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++) {
        fds[i] = bare();
        say(fds[i], "RFB 003.008\n\1", i < 4 ? 4 : 13);
    }
    c = view_unix();
    wait_picture(c, 320, 200, 0x123456);
    for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++)
        wait_hangup(fds[i]);
    ck_assert_int_ge(g_get_monotonic_time() - begun, (VNC_HANDSHAKE_SECONDS - 1) * G_USEC_PER_SEC);
    wait_viewers(1);
    leave(c);
}
END_TEST

static gpointer flood(gpointer data)
{
    int fd = GPOINTER_TO_INT(data);
    uint8_t keys[4096];

    for (unsigned i = 0; i < sizeof(keys); i += 8)
        memcpy(keys + i, i % 16 ? "\4\1\0\0\0\0\0a" : "\4\0\0\0\0\0\0a", 8);
    while (send(fd, keys, sizeof(keys), MSG_NOSIGNAL) > 0) {
    }
    return NULL;
}

START_TEST(test_flood_of_keys)
{
    GThread *flooder;
    rfbClient *c;
    gint64 begun = g_get_monotonic_time();
    unsigned keys = 0;
    int fd;

    start();
    c = view_unix();
    fd = bare_viewer();
    flooder = g_thread_new("flood", flood, GINT_TO_POINTER(fd));
    for (unsigned i = 1; i < 30; i++) {
        fake_screen_draw(&screen, 320, 200, i);
        wait_picture(c, 320, 200, i);
    }
    SendKeyEvent(c, 'z', TRUE);
    wait_events("+2c ");
    g_mutex_lock(&events_lock);
    for (const char *p = events->str; (p = strstr(p, "1e ")) != NULL; p++)
        keys++;
    g_mutex_unlock(&events_lock);
    ck_assert_int_le(keys, VNC_MESSAGE_BURST + VNC_MESSAGES_PER_SECOND *
                                                   (g_get_monotonic_time() - begun + 100000) /
                                                   G_USEC_PER_SEC);
    shutdown(fd, SHUT_RDWR);
    g_thread_join(flooder);
    close(fd);
    leave(c);
}
END_TEST

START_TEST(test_too_many_viewers)
{
    int fds[VNC_MAX_VIEWERS];
    int one_more;

    start();
    for (unsigned i = 0; i < VNC_MAX_VIEWERS; i++)
        fds[i] = bare_viewer();
    one_more = bare();
    wait_hangup(one_more);
    close(fds[0]);
    wait_viewers(VNC_MAX_VIEWERS - 1);
    close(bare_viewer());
    for (unsigned i = 1; i < VNC_MAX_VIEWERS; i++)
        close(fds[i]);
    wait_viewers(0);
}
END_TEST

START_TEST(test_many_open_files)
{
    struct rlimit limit;
    int fd, last = 0;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = MIN(limit.rlim_max, 4096);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    start();
    while (last < 1100)
        ck_assert_int_ge(last = open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
    fd = bare();
    say(fd, "RFB 003.008\n\1\1", 14);
    wait_hangup(fd);
    for (int i = last - 200; i <= last; i++)
        close(i);
    leave(view_unix());
}
END_TEST

START_TEST(test_close_with_viewers)
{
    rfbClient *c;
    int fds[4];

    start();
    c = view_unix();
    for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++) {
        fds[i] = i < 2 ? bare_viewer() : bare();
        say(fds[i], "\3\0\0\0\0\0\1\x40\0\xc8", 10);
    }
    SendKeyEvent(c, 'a', TRUE);
    wait_events("+1e ");
    g_clear_pointer(&server, vnc_server_free);
    wait_events("-1e ");
    for (unsigned i = 0; i < G_N_ELEMENTS(fds); i++)
        wait_hangup(fds[i]);
    leave(c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vnc_hostile");
    TCase *tc = tcase_create("vnc_hostile");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_old_versions);
    tcase_add_loop_test(tc, test_bad_handshake, 0, G_N_ELEMENTS(bad_handshakes));
    tcase_add_loop_test(tc, test_bad_message, 0, G_N_ELEMENTS(bad_messages));
    tcase_add_test(tc, test_harmless_messages);
    tcase_add_test(tc, test_stalled_viewer);
    tcase_add_test(tc, test_slow_handshakes);
    tcase_add_test(tc, test_flood_of_keys);
    tcase_add_test(tc, test_too_many_viewers);
    tcase_add_test(tc, test_many_open_files);
    tcase_add_test(tc, test_close_with_viewers);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
