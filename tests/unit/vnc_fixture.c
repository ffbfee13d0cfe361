/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/vnc_fixture.h"

#include <check.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_screen screen;
struct display *display;
struct vnc_server *server;
char *folder, *path;

/* The guest's side of the keyboard and pointer: what came, in words. */
GMutex events_lock;
GString *events;

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
const struct input_sink sink = {.ops = &input_ops};

void start_with(const struct vnc_options *options)
{
    g_autoptr(GError) err = NULL;

    server = vnc_server_new(display, options, &sink, &err);
    ck_assert_msg(server != NULL, "%s", err != NULL ? err->message : "no error");
}

void start(void)
{
    struct vnc_options o = {.listen = VNC_UNIX, .path = path, .name = "machine", .layout = "us"};

    start_with(&o);
}

static void no_log(const char *format, ...)
{
}

void setup(void)
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

void teardown(void)
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

gint64 patience(void)
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

void wait_viewers(unsigned count)
{
    for (gint64 end = patience(); viewer_count() != count; g_usleep(5000))
        ck_assert_msg(g_get_monotonic_time() < end, "%u viewers", viewer_count());
}

void wait_events(const char *wanted)
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

rfbClient *view(const char *host, int port, const char *encodings, const char *password)
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

rfbClient *view_unix(void)
{
    rfbClient *c = view(path, 0, "hextile raw", NULL);

    ck_assert_ptr_nonnull(c);
    return c;
}

void leave(rfbClient *c)
{
    free(c->frameBuffer);
    rfbClientCleanup(c);
}

void pump(rfbClient *c)
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

void wait_picture(rfbClient *c, unsigned width, unsigned height, uint32_t seed)
{
    for (gint64 end = patience(); !shows(c, width, height, seed);) {
        ck_assert_msg(g_get_monotonic_time() < end, "%dx%d", c->width, c->height);
        pump(c);
    }
}
