/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VNC server, with libvncclient as a stock viewer and sockets of our own as bad ones. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <rfb/rfbclient.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/error.h"
#include "display/vnc.h"
#include "display/vnc_bridge.h"
#include "display/vnc_messages.h"
#include "display/vnc_viewer.h"
#include "tests/fakes/screen.h"

#define PATIENCE_SECONDS 20

static struct fake_screen screen;
static struct display *display;
static struct vnc_server *server;
static char *folder, *path;

/* The guest's side of the keyboard and pointer: what came, in words. */
static GMutex events_lock;
static GString *events;

G_GNUC_PRINTF(1, 2) static void note(const char *format, ...)
{
    va_list ap;

    g_mutex_lock(&events_lock);
    va_start(ap, format);
    if (events->len < 100000)
        g_string_append_vprintf(events, format, ap);
    va_end(ap);
    g_mutex_unlock(&events_lock);
}

static void on_key(void *opaque, uint8_t qnum, bool down)
{
    note("%s%x ", down ? "+" : "-", qnum);
}

static void on_pointer(void *opaque, unsigned x, unsigned y, unsigned width, unsigned height,
                       unsigned buttons)
{
    note("%u,%u/%ux%u:%u ", x, y, width, height, buttons);
}

static void on_wheel(void *opaque, int steps)
{
    note("wheel%+d ", steps);
}

static const struct input_ops input_ops = {.key = on_key, .pointer = on_pointer, .wheel = on_wheel};
static const struct input_sink sink = {.ops = &input_ops};

static void start_with(const struct vnc_options *options)
{
    g_autoptr(GError) err = NULL;

    server = vnc_server_new(display, options, &sink, &err);
    ck_assert_msg(server != NULL, "%s", err != NULL ? err->message : "no error");
}

static void start(void)
{
    struct vnc_options o = {.listen = VNC_UNIX, .path = path, .name = "machine", .layout = "us"};

    start_with(&o);
}

static void no_log(const char *format, ...)
{
}

static void setup(void)
{
    rfbClientLog = rfbClientErr = no_log;
    folder = g_dir_make_tmp("vmdesk-vnc-XXXXXX", NULL);
    path = g_build_filename(folder, "vnc.sock", NULL);
    events = g_string_new(NULL);
    fake_screen_init(&screen);
    fake_screen_draw(&screen, 320, 200, 0x123456);
    display = display_new();
    display_set_source(display, &fake_screen_ops, &screen);
}

static void teardown(void)
{
    vnc_server_free(server);
    ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
    display_free(display);
    fake_screen_finish(&screen);
    g_string_free(events, TRUE);
    g_rmdir(folder);
    g_free(folder);
    g_free(path);
}

static gint64 patience(void)
{
    return g_get_monotonic_time() + PATIENCE_SECONDS * G_USEC_PER_SEC;
}

static unsigned viewer_count(void)
{
    struct vnc_info *info = vnc_server_query(server);
    unsigned n = info->viewers->len;

    vnc_info_free(info);
    return n;
}

static void wait_viewers(unsigned count)
{
    for (gint64 end = patience(); viewer_count() != count; g_usleep(5000))
        ck_assert_msg(g_get_monotonic_time() < end, "%u viewers", viewer_count());
}

static void wait_events(const char *wanted)
{
    for (gint64 end = patience();; g_usleep(2000)) {
        bool found;

        g_mutex_lock(&events_lock);
        found = strstr(events->str, wanted) != NULL;
        g_mutex_unlock(&events_lock);
        if (found)
            return;
        ck_assert_msg(g_get_monotonic_time() < end, "\"%s\" in \"%s\"", wanted, events->str);
    }
}

/* Stock viewers. */

static char *give_password(rfbClient *c)
{
    return strdup(rfbClientGetClientData(c, give_password));
}

static rfbClient *view(const char *host, int port, const char *encodings, const char *password)
{
    rfbClient *c = rfbGetClient(8, 3, 4);

    c->format.redShift = 16;
    c->format.greenShift = 8;
    c->format.blueShift = 0;
    c->canHandleNewFBSize = TRUE;
    c->appData.encodingsString = encodings;
    c->appData.enableJPEG = FALSE;
    if (password != NULL) {
        rfbClientSetClientData(c, give_password, (void *)password);
        c->GetPassword = give_password;
    }
    free(c->serverHost);
    c->serverHost = strdup(host);
    c->serverPort = port;
    return rfbInitClient(c, NULL, NULL) ? c : NULL;
}

static rfbClient *view_unix(void)
{
    rfbClient *c = view(path, 0, "hextile raw", NULL);

    ck_assert_ptr_nonnull(c);
    return c;
}

static void leave(rfbClient *c)
{
    free(c->frameBuffer);
    rfbClientCleanup(c);
}

static void pump(rfbClient *c)
{
    /* It waits for the socket alone, though it may have read on already. */
    int n = c->buffered > 0 ? 1 : WaitForMessage(c, 10000);

    ck_assert_int_ge(n, 0);
    if (n > 0)
        ck_assert(HandleRFBServerMessage(c));
}

static bool shows(rfbClient *c, unsigned width, unsigned height, uint32_t seed)
{
    const uint32_t *p = (const uint32_t *)c->frameBuffer;

    if (c->width != (int)width || c->height != (int)height)
        return false;
    for (unsigned y = 0; y < height; y++)
        for (unsigned x = 0; x < width; x++, p++)
            if ((*p & 0xffffff) != fake_screen_pixel(seed, x, y))
                return false;
    return true;
}

static void wait_picture(rfbClient *c, unsigned width, unsigned height, uint32_t seed)
{
    for (gint64 end = patience(); !shows(c, width, height, seed);) {
        ck_assert_msg(g_get_monotonic_time() < end, "%dx%d", c->width, c->height);
        pump(c);
    }
}

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

/* Bad viewers, on bare sockets. */

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
    Suite *suite = suite_create("vnc");
    TCase *tc = tcase_create("vnc");
    SRunner *runner;
    int failed;

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
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
