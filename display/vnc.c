/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/log.h"
#include "display/display_private.h"
#include "display/vnc_bridge.h"
#include "display/vnc_handshake.h"
#include "display/vnc_listen.h"
#include "display/vnc_screen.h"

/* How long no viewer is accepted when the process has no descriptor left for one. */
#define ACCEPT_PAUSE_MS 1000

struct vnc_server {
    struct display *display;
    enum vnc_listen listen;
    char *address; /* path or host */
    uint16_t port;
    char *password; /* NULL: none */
    int listener;
    GSource *arrival; /* display thread: the listener, or the pause */
    struct vnc_screen *screen;
    struct vnc_bridge *bridge;
};

/* A call that runs on the display thread while the caller waits. */
struct errand {
    void (*func)(struct vnc_server *server);
    struct vnc_server *server;
    GMutex lock;
    GCond done_cond;
    bool done;
};

static gboolean run_errand(gpointer data)
{
    struct errand *e = data;

    e->func(e->server);
    g_mutex_lock(&e->lock);
    e->done = true;
    g_cond_signal(&e->done_cond);
    g_mutex_unlock(&e->lock);
    return G_SOURCE_REMOVE;
}

static void on_display_thread(struct vnc_server *s, void (*func)(struct vnc_server *server))
{
    struct errand e = {.func = func, .server = s};

    g_mutex_init(&e.lock);
    g_cond_init(&e.done_cond);
    display_post(s->display->context, run_errand, &e);
    g_mutex_lock(&e.lock);
    while (!e.done)
        g_cond_wait(&e.done_cond, &e.lock);
    g_mutex_unlock(&e.lock);
    g_cond_clear(&e.done_cond);
    g_mutex_clear(&e.lock);
}

static void stop_listening(struct vnc_server *s)
{
    if (s->arrival == NULL)
        return;
    g_source_destroy(s->arrival);
    g_clear_pointer(&s->arrival, g_source_unref);
}

static gboolean on_arrival(gint fd, GIOCondition condition, gpointer data);

static void start_listening(struct vnc_server *s)
{
    s->arrival = g_unix_fd_source_new(s->listener, G_IO_IN);
    g_source_set_callback(s->arrival, G_SOURCE_FUNC(on_arrival), s, NULL);
    g_source_attach(s->arrival, s->display->context);
}

static gboolean on_pause_end(gpointer data)
{
    struct vnc_server *s = data;

    stop_listening(s);
    start_listening(s);
    return G_SOURCE_REMOVE;
}

static gboolean on_arrival(gint fd, GIOCondition condition, gpointer data)
{
    struct vnc_server *s = data;
    g_autofree char *address = NULL;
    int socket = vnc_accept(fd, &address);

    if (socket >= 0) {
        vnc_bridge_add(s->bridge, socket, address);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        log_guest("vnc", "no viewer can be accepted: %s", g_strerror(errno));
        stop_listening(s);
        s->arrival = g_timeout_source_new(ACCEPT_PAUSE_MS);
        g_source_set_callback(s->arrival, on_pause_end, s, NULL);
        g_source_attach(s->arrival, s->display->context);
    }
    return G_SOURCE_CONTINUE;
}

static const struct keymap *check_options(const struct vnc_options *o, GError **err)
{
    const char *layout = o->layout != NULL ? o->layout : "us";
    const struct keymap *keymap = keymap_find(layout);

    if (o->password != NULL && strlen(o->password) > VNC_PASSWORD_MAX) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "The VNC password has more than %d bytes, and VNC heeds no more than these: "
                    "choose a shorter one",
                    VNC_PASSWORD_MAX);
        return NULL;
    }
    if (o->password != NULL && o->password[0] == '\0') {
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "The VNC password is empty: choose one, or none at all");
        return NULL;
    }
    if (keymap == NULL) {
        g_autofree char *names = g_strjoinv(" ", (char **)vnc_layouts());

        vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                    "There is no keyboard layout \"%s\": choose one of %s", layout, names);
    }
    return keymap;
}

struct vnc_server *vnc_server_new(struct display *display, const struct vnc_options *o,
                                  const struct input_sink *sink, GError **err)
{
    const struct keymap *keymap = check_options(o, err);
    struct vnc_server *s;
    uint16_t port;
    int listener;

    if (keymap == NULL)
        return NULL;
    listener = vnc_listen(o, &port, err);
    if (listener < 0)
        return NULL;
    s = g_new0(struct vnc_server, 1);
    s->display = display;
    s->listen = o->listen;
    s->address = g_strdup(o->listen == VNC_UNIX ? o->path : o->host ? o->host : "127.0.0.1");
    s->port = port;
    s->password = g_strdup(o->password);
    s->listener = listener;
    s->screen = vnc_screen_new(display, o->name);
    s->bridge = vnc_bridge_new(display, s->screen, s->password, keymap, sink);
    if (s->bridge == NULL) {
        vmdesk_error_from_errno(err, errno, "Raise the limit of open files", "The VNC server");
        vnc_server_free(s);
        return NULL;
    }
    on_display_thread(s, start_listening);
    return s;
}

static void free_screen(struct vnc_server *s)
{
    vnc_screen_free(s->screen);
}

void vnc_server_free(struct vnc_server *s)
{
    if (s == NULL)
        return;
    on_display_thread(s, stop_listening);
    close(s->listener);
    if (s->listen == VNC_UNIX)
        unlink(s->address);
    if (s->bridge != NULL)
        vnc_bridge_stop(s->bridge);
    /* Behind all that the bridge has posted. */
    on_display_thread(s, free_screen);
    vnc_bridge_free(s->bridge);
    if (s->password != NULL)
        explicit_bzero(s->password, strlen(s->password));
    g_free(s->password);
    g_free(s->address);
    g_free(s);
}

static void clear_viewer(gpointer data)
{
    g_free(((struct vnc_viewer_info *)data)->address);
}

static void add_viewer(const char *address, bool authenticated, void *opaque)
{
    struct vnc_viewer_info viewer = {g_strdup(address), authenticated};

    g_array_append_val((GArray *)opaque, viewer);
}

struct vnc_info *vnc_server_query(struct vnc_server *s)
{
    struct vnc_info *info = g_new0(struct vnc_info, 1);

    info->listen = s->listen;
    info->address = g_strdup(s->address);
    info->port = s->port;
    info->password = s->password != NULL;
    info->viewers = g_array_new(FALSE, FALSE, sizeof(struct vnc_viewer_info));
    g_array_set_clear_func(info->viewers, clear_viewer);
    vnc_bridge_list(s->bridge, add_viewer, info->viewers);
    return info;
}

void vnc_info_free(struct vnc_info *info)
{
    if (info == NULL)
        return;
    g_array_unref(info->viewers);
    g_free(info->address);
    g_free(info);
}

const char *const *vnc_layouts(void)
{
    return keymap_layouts();
}
