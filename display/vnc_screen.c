/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc_screen.h"

#include <errno.h>
#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"
#include "display/display_private.h"
#include "display/vnc_library.h"

/* What viewers see before the guest shows anything. */
#define BLANK_WIDTH 640
#define BLANK_HEIGHT 480
/* Messages of one viewer that are handled before the others have their turn. */
#define MESSAGES_A_TURN 16
/* The bridge hands over whole messages and always reads: libvncserver never waits as long. */
#define SOCKET_WAIT_MS 2000

#define ENCODING_EXTENDED_KEYS (-258)
/* ExtendedDesktopSize: what became of a viewer's request. */
#define SIZE_PROHIBITED 1
#define SIZE_INVALID 3
#define SIZE_FORWARDED 4

struct vnc_client {
    struct vnc_screen *screen;
    struct vnc_link *link;
    rfbClientPtr rfb;
    GSource *source;
    gint64 next_update_us; /* one viewer's updates take no more than half of the thread's time */
};

struct vnc_screen {
    struct display_listener listener;
    struct display *display;
    const struct vnc_library *lib; /* NULL before the first viewer, as rfb */
    char *name;
    rfbScreenInfoPtr rfb; /* NULL before the first viewer */
    uint32_t *blank;      /* NULL unless it is what viewers see */
    GPtrArray *clients;   /* struct vnc_client */
    gint size;            /* atomic */
};

struct client_source {
    GSource base;
    struct vnc_client *client;
};

static void client_gone(struct vnc_client *c)
{
    struct vnc_screen *s = c->screen;

    c->screen->lib->rfbClientConnectionGone(c->rfb);
    g_source_destroy(c->source);
    g_source_unref(c->source);
    c->link->client = NULL;
    vnc_link_unref(c->link);
    g_ptr_array_remove_fast(s->clients, c);
    g_free(c);
    if (s->clients->len == 0)
        display_remove_listener(s->display, &s->listener);
}

/* False: too much waits for the viewer, and the bridge will say when that is over. */
static bool may_send(struct vnc_client *c)
{
    if (g_atomic_int_get(&c->link->backlog) <= VNC_BACKLOG_LOW)
        return true;
    g_atomic_int_set(&c->link->starved, 1);
    /* It may have shrunk before the bridge could see the flag. */
    return g_atomic_int_get(&c->link->backlog) <= VNC_BACKLOG_LOW;
}

/* Sends what changed in the part that the viewer asked for. The client may be gone afterwards. */
static void client_update(struct vnc_client *c)
{
    gint64 now = g_get_monotonic_time();

    if (c->rfb->sock != RFB_INVALID_SOCKET && may_send(c)) {
        if (now < c->next_update_us) {
            g_source_set_ready_time(c->source, c->next_update_us);
            return;
        }
        g_source_set_ready_time(c->source, -1);
        /* A new size goes alone, and the picture after it. */
        for (unsigned i = 0; i < 2 && c->screen->lib->rfbUpdateClient(c->rfb); i++)
            c->next_update_us = 2 * g_get_monotonic_time() - now;
    }
    if (c->rfb->sock == RFB_INVALID_SOCKET)
        client_gone(c);
}

static bool readable(rfbClientPtr rfb)
{
    struct pollfd pfd = {.fd = rfb->sock, .events = POLLIN};

    return rfb->sock != RFB_INVALID_SOCKET && poll(&pfd, 1, 0) > 0;
}

static gboolean client_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    struct vnc_client *c = ((struct client_source *)source)->client;

    for (unsigned i = 0; i < MESSAGES_A_TURN && readable(c->rfb); i++)
        c->screen->lib->rfbProcessClientMessage(c->rfb);
    client_update(c);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs client_funcs = {.dispatch = client_dispatch};

static void set_server_format(rfbScreenInfoPtr rfb)
{
    rfb->depth = rfb->serverFormat.depth = 24;
    rfb->serverFormat.redShift = 16;
    rfb->serverFormat.greenShift = 8;
    rfb->serverFormat.blueShift = 0;
}

/* rfbNewFramebuffer() knows no format but its own, and calls this for each client after it. */
static rfbBool on_set_translate(rfbClientPtr rfb)
{
    struct vnc_screen *s = rfb->screen->screenData;

    set_server_format(rfb->screen);
    return s->lib->rfbSetTranslateFunction(rfb);
}

static int on_set_desktop_size(int width, int height, int screens, rfbExtDesktopScreen *layout,
                               rfbClientPtr rfb)
{
    struct vnc_screen *s = rfb->screen->screenData;

    if (width <= 0 || height <= 0 || width > SURFACE_MAX_WIDTH || height > SURFACE_MAX_HEIGHT)
        return SIZE_INVALID;
    return display_suggest_size(s->display, width, height) ? SIZE_FORWARDED : SIZE_PROHIBITED;
}

static void on_cut_text(char *text, int length, rfbClientPtr rfb)
{
}

static void set_framebuffer(struct vnc_screen *s, uint32_t *pixels, unsigned width, unsigned height,
                            unsigned stride)
{
    s->lib->rfbNewFramebuffer(s->rfb, (char *)pixels, width, height, 8, 3, 4);
    set_server_format(s->rfb);
    s->rfb->paddedWidthInBytes = stride * 4;
    g_atomic_int_set(&s->size, width << 16 | height);
}

static void on_resized(struct display_listener *listener, const struct surface *surface)
{
    struct vnc_screen *s = (struct vnc_screen *)listener;

    set_framebuffer(s, surface->pixels, surface->width, surface->height, surface->stride);
    g_clear_pointer(&s->blank, g_free);
}

static void on_updated(struct display_listener *listener, const struct surface *surface,
                       const struct damage *damage)
{
    struct vnc_screen *s = (struct vnc_screen *)listener;

    for (unsigned i = 0; i < damage->count; i++) {
        const struct damage_rect *r = &damage->rects[i];

        s->lib->rfbMarkRectAsModified(s->rfb, r->x, r->y, r->x + r->width, r->y + r->height);
    }
    /* Backwards, because a client that fails is taken off. */
    for (unsigned i = s->clients->len; i > 0; i--)
        client_update(g_ptr_array_index(s->clients, i - 1));
}

static bool screen_open(struct vnc_screen *s)
{
    s->lib = vnc_library();
    if (s->lib == NULL)
        return false;
    if (s->blank == NULL)
        s->blank = g_try_new0(uint32_t, BLANK_WIDTH * BLANK_HEIGHT);
    if (s->blank == NULL)
        return false;
    if (s->rfb == NULL)
        s->rfb = s->lib->rfbGetScreen(NULL, NULL, BLANK_WIDTH, BLANK_HEIGHT, 8, 3, 4);
    if (s->rfb == NULL)
        return false;
    s->rfb->screenData = s;
    s->rfb->desktopName = s->name;
    s->rfb->cursor = NULL; /* the guest draws its own */
    s->rfb->alwaysShared = TRUE;
    s->rfb->deferUpdateTime = 0;
    s->rfb->maxClientWait = SOCKET_WAIT_MS;
    s->rfb->setTranslateFunction = on_set_translate;
    s->rfb->setDesktopSizeHook = on_set_desktop_size;
    s->rfb->setXCutText = on_cut_text;
    s->rfb->setXCutTextUTF8 = on_cut_text;
    set_framebuffer(s, s->blank, BLANK_WIDTH, BLANK_HEIGHT, BLANK_WIDTH);
    return true;
}

/*
 * The viewer has had its handshake with us; libvncserver is told the shortest one, version 3.3
 * without security, with everything it reads already there: it never waits for anybody, nor takes
 * the viewer for a web socket. What it says until ServerInit is not for the viewer.
 */
static bool play_handshake(struct vnc_screen *s, struct vnc_client *c, int ours, int theirs)
{
    static const char hello[] = "RFB 003.003\n\1";
    char answer[12 + 4];

    if (send(ours, hello, 13, MSG_NOSIGNAL) != 13) {
        close(theirs);
        return false;
    }
    c->rfb = s->lib->rfbNewClient(s->rfb, theirs);
    if (c->rfb == NULL)
        return false;
    s->lib->rfbProcessClientMessage(c->rfb);
    s->lib->rfbProcessClientMessage(c->rfb);
    if (c->rfb->state == RFB_NORMAL && c->rfb->sock != RFB_INVALID_SOCKET &&
        recv(ours, answer, sizeof(answer), 0) == sizeof(answer))
        return true;
    if (c->rfb->sock != RFB_INVALID_SOCKET)
        s->lib->rfbCloseClient(c->rfb);
    s->lib->rfbClientConnectionGone(c->rfb);
    return false;
}

static int attach(struct vnc_screen *s, struct vnc_link *link)
{
    struct vnc_client *c;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
        log_guest("vnc", "no sockets for one more viewer: %s", g_strerror(errno));
        return -1;
    }
    c = g_new0(struct vnc_client, 1);
    /* libvncserver keeps it in an fd_set. */
    if (pair[1] >= FD_SETSIZE) {
        log_guest("vnc", "no viewer can be served: %d files are open", pair[1]);
        close(pair[1]);
    } else if (play_handshake(s, c, pair[0], pair[1])) {
        c->screen = s;
        c->link = vnc_link_ref(link);
        link->client = c;
        c->source = g_source_new(&client_funcs, sizeof(struct client_source));
        ((struct client_source *)c->source)->client = c;
        g_source_add_unix_fd(c->source, c->rfb->sock, G_IO_IN | G_IO_HUP | G_IO_ERR);
        g_source_attach(c->source, display_context(s->display));
        g_ptr_array_add(s->clients, c);
        return pair[0];
    }
    close(pair[0]);
    g_free(c);
    return -1;
}

int vnc_screen_attach(struct vnc_screen *s, struct vnc_link *link)
{
    int fd;

    if (s->clients->len > 0)
        return attach(s, link);
    if (!screen_open(s))
        return -1;
    /* The size that the first viewer is told should be the true one: not each takes a new one. */
    display_add_listener(s->display, &s->listener);
    display_refresh(s->display);
    fd = attach(s, link);
    if (fd < 0)
        display_remove_listener(s->display, &s->listener);
    return fd;
}

void vnc_screen_offer_extended_keys(struct vnc_screen *s, struct vnc_link *link)
{
    /* An update of one rectangle without pixels, of the pseudo-encoding. */
    static const uint8_t offer[16] = {
        rfbFramebufferUpdate,
        [3] = 1,
        [12] = (uint32_t)ENCODING_EXTENDED_KEYS >> 24,
        [13] = (uint32_t)ENCODING_EXTENDED_KEYS >> 16 & 0xff,
        [14] = (uint32_t)ENCODING_EXTENDED_KEYS >> 8 & 0xff,
        [15] = (uint32_t)ENCODING_EXTENDED_KEYS & 0xff,
    };

    if (link->client != NULL &&
        s->lib->rfbWriteExact(link->client->rfb, (const char *)offer, sizeof(offer)) <= 0) {
        s->lib->rfbCloseClient(link->client->rfb);
        client_gone(link->client);
    }
}

void vnc_screen_feed(struct vnc_screen *s, struct vnc_link *link)
{
    if (link->client != NULL)
        client_update(link->client);
}

unsigned vnc_screen_size(struct vnc_screen *s)
{
    return g_atomic_int_get(&s->size);
}

struct vnc_screen *vnc_screen_new(struct display *display, const char *name)
{
    struct vnc_screen *s = g_new0(struct vnc_screen, 1);

    s->listener.updated = on_updated;
    s->listener.resized = on_resized;
    s->display = display;
    s->name = g_strdup(name);
    s->clients = g_ptr_array_new();
    s->size = BLANK_WIDTH << 16 | BLANK_HEIGHT;
    return s;
}

void vnc_screen_free(struct vnc_screen *s)
{
    if (s == NULL)
        return;
    while (s->clients->len > 0) {
        struct vnc_client *c = g_ptr_array_index(s->clients, 0);

        if (c->rfb->sock != RFB_INVALID_SOCKET)
            s->lib->rfbCloseClient(c->rfb);
        client_gone(c);
    }
    g_ptr_array_free(s->clients, TRUE);
    if (s->rfb != NULL)
        s->lib->rfbScreenCleanup(s->rfb);
    g_free(s->blank);
    g_free(s->name);
    g_free(s);
}
