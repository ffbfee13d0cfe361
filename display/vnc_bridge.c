/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc_bridge.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/log.h"
#include "display/display_private.h"
#include "display/vnc_viewer.h"

#define BUTTONS_HELD 7 /* of a PointerEvent: left, middle, right */
#define BUTTON_WHEEL_UP 8
#define BUTTON_WHEEL_DOWN 16

struct vnc_bridge {
    struct display *display;
    struct vnc_screen *screen;
    const char *password;
    int wake_fd;

    GMutex lock;
    GThread *thread;    /* NULL: never started, or stopped */
    bool running;       /* the thread takes mail */
    bool stopping;      /* for good */
    GPtrArray *viewers; /* changed by the thread only, under the lock */
    GQueue arrivals;    /* struct vnc_viewer */
    GQueue pipes;       /* struct pipe_mail */

    /* The thread's. */
    struct keyboard keyboard;
    struct input_sink sink;
    struct vnc_viewer *pointer_holder; /* the viewer that holds a button; others must wait */
    unsigned failures;
    gint64 verify_us; /* no password is looked at before */
};

/* The display thread's answer to a viewer's wish to be attached. */
struct pipe_mail {
    struct vnc_link *link;
    int fd; /* -1: refused */
};

struct display_mail {
    struct vnc_bridge *bridge;
    struct vnc_link *link;
    enum { MAIL_ATTACH, MAIL_OFFER_KEYS, MAIL_FEED } wish;
};

/* What goes with the messages of a viewer. */
struct speaker {
    struct vnc_bridge *bridge;
    struct vnc_viewer *viewer;
};

static void wake(struct vnc_bridge *b)
{
    eventfd_write(b->wake_fd, 1);
}

static void pipe_mail_free(struct pipe_mail *mail)
{
    if (mail->fd >= 0)
        close(mail->fd);
    vnc_link_unref(mail->link);
    g_free(mail);
}

/* On the display thread. */
static gboolean on_display_mail(gpointer data)
{
    struct display_mail *mail = data;
    struct vnc_bridge *b = mail->bridge;

    switch (mail->wish) {
    case MAIL_ATTACH: {
        struct pipe_mail *reply = g_new(struct pipe_mail, 1);

        reply->link = vnc_link_ref(mail->link);
        reply->fd = vnc_screen_attach(b->screen, mail->link);
        g_mutex_lock(&b->lock);
        if (b->running)
            g_queue_push_tail(&b->pipes, g_steal_pointer(&reply));
        g_mutex_unlock(&b->lock);
        g_clear_pointer(&reply, pipe_mail_free);
        wake(b);
        break;
    }
    case MAIL_OFFER_KEYS:
        vnc_screen_offer_extended_keys(b->screen, mail->link);
        break;
    case MAIL_FEED:
        vnc_screen_feed(b->screen, mail->link);
        break;
    }
    vnc_link_unref(mail->link);
    g_free(mail);
    return G_SOURCE_REMOVE;
}

static void post(struct vnc_bridge *b, struct vnc_viewer *v, int wish)
{
    struct display_mail *mail = g_new(struct display_mail, 1);

    mail->bridge = b;
    mail->link = vnc_link_ref(v->link);
    mail->wish = wish;
    display_post(b->display->context, on_display_mail, mail);
}

static void on_key(void *opaque, bool down, uint32_t keysym, uint8_t qnum)
{
    struct speaker *s = opaque;

    keyboard_event(&s->bridge->keyboard, &s->viewer->hands, down, keysym, qnum);
    display_wake(s->bridge->display);
}

static void send_pointer(struct vnc_bridge *b, struct vnc_viewer *v)
{
    unsigned size = vnc_screen_size(b->screen);
    unsigned buttons = 0;

    buttons |= v->buttons & 1 ? INPUT_BUTTON_LEFT : 0;
    buttons |= v->buttons & 2 ? INPUT_BUTTON_MIDDLE : 0;
    buttons |= v->buttons & 4 ? INPUT_BUTTON_RIGHT : 0;
    b->sink.ops->pointer(b->sink.opaque, v->x, v->y, size >> 16, size & 0xffff, buttons);
}

/* A place on an axis of so many pixels, from 0 to INPUT_POSITION_MAX. */
static unsigned position(unsigned pixel, unsigned pixels)
{
    return pixels > 1 ? MIN(pixel, pixels - 1) * INPUT_POSITION_MAX / (pixels - 1) : 0;
}

static void on_pointer(void *opaque, uint8_t buttons, unsigned x, unsigned y)
{
    struct speaker *s = opaque;
    struct vnc_bridge *b = s->bridge;
    struct vnc_viewer *v = s->viewer;
    unsigned size = vnc_screen_size(b->screen);
    uint8_t pressed = buttons & ~v->buttons;

    if (b->pointer_holder != NULL && b->pointer_holder != v)
        return;
    b->pointer_holder = buttons & BUTTONS_HELD ? v : NULL;
    v->buttons = buttons;
    v->x = position(x, size >> 16);
    v->y = position(y, size & 0xffff);
    send_pointer(b, v);
    if (pressed & (BUTTON_WHEEL_UP | BUTTON_WHEEL_DOWN))
        b->sink.ops->wheel(b->sink.opaque, pressed & BUTTON_WHEEL_UP ? 1 : -1);
    display_wake(b->display);
}

static void on_extended_keys(void *opaque)
{
    struct speaker *s = opaque;

    if (!s->viewer->offered_keys)
        post(s->bridge, s->viewer, MAIL_OFFER_KEYS);
    s->viewer->offered_keys = true;
}

static const struct vnc_message_ops message_ops = {
    .key = on_key,
    .pointer = on_pointer,
    .extended_keys = on_extended_keys,
};

static void set_authenticated(struct vnc_bridge *b, struct vnc_viewer *v)
{
    g_mutex_lock(&b->lock);
    v->authenticated = true;
    g_mutex_unlock(&b->lock);
}

static void verify(struct vnc_bridge *b, struct vnc_viewer *v, gint64 now)
{
    if (vnc_handshake_verify(&v->handshake, &v->to_viewer)) {
        b->failures = 0;
        set_authenticated(b, v);
        return;
    }
    log_guest("vnc", "viewer %s gave a wrong password", v->address);
    if (++b->failures >= VNC_FREE_FAILURES)
        b->verify_us = now + VNC_FAILURE_SECONDS * G_USEC_PER_SEC;
}

/* Goes on with the handshake as far as the input reaches. */
static void process_handshake(struct vnc_bridge *b, struct vnc_viewer *v, gint64 now)
{
    struct vnc_handshake *h = &v->handshake;

    for (;;) {
        size_t used =
            vnc_handshake_feed(h, v->input + v->input_start, v->input_length, &v->to_viewer);

        vnc_viewer_consume_input(v, used);
        if (h->state != HANDSHAKE_VERIFY || now < b->verify_us)
            break;
        verify(b, v, now);
    }
    if (h->state == HANDSHAKE_FAILED) {
        vnc_viewer_close(v);
    } else if (h->state == HANDSHAKE_DONE) {
        if (b->password == NULL)
            set_authenticated(b, v);
        v->attaching = true;
        post(b, v, MAIL_ATTACH);
    }
}

static void process_input(struct vnc_bridge *b, struct vnc_viewer *v, gint64 now)
{
    struct speaker speaker = {b, v};

    if (v->closing || v->attaching || v->end != NULL)
        return;
    if (v->pipe < 0) {
        process_handshake(b, v, now);
        return;
    }
    vnc_viewer_consume_input(v, vnc_messages_feed(&v->messages, v->input + v->input_start,
                                                  v->input_length, &v->budget, &v->to_server,
                                                  &message_ops, &speaker));
    if (v->messages.error != NULL)
        v->end = v->messages.error;
}

/* Tells the display thread how much waits for the viewer. */
static void publish_backlog(struct vnc_bridge *b, struct vnc_viewer *v)
{
    g_atomic_int_set(&v->link->backlog, (gint)v->to_viewer.length);
    if (v->to_viewer.length <= VNC_BACKLOG_LOW && g_atomic_int_exchange(&v->link->starved, 0))
        post(b, v, MAIL_FEED);
}

static void drop(struct vnc_bridge *b, struct vnc_viewer *v)
{
    log_guest("vnc", "viewer %s is gone: %s", v->address, v->end);
    keyboard_release_all(&b->keyboard, &v->hands);
    if (b->pointer_holder == v) {
        b->pointer_holder = NULL;
        v->buttons = 0;
        send_pointer(b, v);
    }
    g_mutex_lock(&b->lock);
    g_ptr_array_remove(b->viewers, v);
    g_mutex_unlock(&b->lock);
    vnc_viewer_free(v);
}

/* Holds to the bound for all: the one that holds most is to go. */
static void check_backlog(struct vnc_bridge *b)
{
    struct vnc_viewer *worst = NULL;
    size_t sum = 0;

    for (unsigned i = 0; i < b->viewers->len; i++) {
        struct vnc_viewer *v = g_ptr_array_index(b->viewers, i);

        sum += v->to_viewer.length;
        if (worst == NULL || v->to_viewer.length > worst->to_viewer.length)
            worst = v;
    }
    if (sum > VNC_MAX_BACKLOG_ALL)
        worst->end = "too much waits for all viewers, and most for it";
}

static void take_pipe(struct vnc_bridge *b, struct pipe_mail *mail)
{
    for (unsigned i = 0; i < b->viewers->len; i++) {
        struct vnc_viewer *v = g_ptr_array_index(b->viewers, i);

        if (v->link == mail->link && v->attaching) {
            v->attaching = false;
            v->pipe = mail->fd;
            if (v->pipe < 0)
                v->end = "it cannot be served now";
            mail->fd = -1;
        }
    }
    pipe_mail_free(mail);
}

/* False: the thread must end. */
static bool take_mail(struct vnc_bridge *b)
{
    struct vnc_viewer *v;
    struct pipe_mail *mail;

    g_mutex_lock(&b->lock);
    while ((v = g_queue_pop_head(&b->arrivals)) != NULL)
        g_ptr_array_add(b->viewers, v);
    while ((mail = g_queue_pop_head(&b->pipes)) != NULL)
        take_pipe(b, mail);
    b->running = !b->stopping && b->viewers->len > 0;
    g_mutex_unlock(&b->lock);
    return b->running;
}

static gint64 serve(struct vnc_bridge *b, struct vnc_viewer *v)
{
    gint64 now = g_get_monotonic_time(), next;

    process_input(b, v, now);
    vnc_viewer_flush(v);
    publish_backlog(b, v);
    next = vnc_viewer_check_time(v, now);
    if (v->handshake.state == HANDSHAKE_VERIFY)
        next = MIN(next, b->verify_us);
    return next;
}

static unsigned fill_poll(struct vnc_bridge *b, struct pollfd *fds)
{
    unsigned n = 0;

    fds[n++] = (struct pollfd){.fd = b->wake_fd, .events = POLLIN};
    for (unsigned i = 0; i < b->viewers->len; i++) {
        struct vnc_viewer *v = g_ptr_array_index(b->viewers, i);
        short events =
            (vnc_viewer_wants_input(v) ? POLLIN : 0) | (v->to_viewer.length > 0 ? POLLOUT : 0);

        /* A viewer that left while nothing is wanted of it would end each poll at once. */
        fds[n++] = (struct pollfd){.fd = events != 0 ? v->socket : -1, .events = events};
        fds[n++] = (struct pollfd){
            .fd = v->closing ? -1 : v->pipe,
            .events = POLLIN | (v->to_server.length > 0 ? POLLOUT : 0),
        };
    }
    return n;
}

static void read_ready(struct vnc_bridge *b, const struct pollfd *fds)
{
    for (unsigned i = 0; i < b->viewers->len; i++) {
        struct vnc_viewer *v = g_ptr_array_index(b->viewers, i);
        const struct pollfd *own = fds + 1 + 2 * i;

        if (own[0].revents & (POLLIN | POLLHUP | POLLERR) && vnc_viewer_wants_input(v))
            vnc_viewer_receive_input(v);
        if (own[1].revents & (POLLIN | POLLHUP | POLLERR))
            vnc_viewer_receive_updates(v);
    }
}

static gpointer bridge_thread(gpointer data)
{
    struct vnc_bridge *b = data;

    while (take_mail(b)) {
        struct pollfd fds[1 + 2 * VNC_MAX_VIEWERS];
        gint64 next = G_MAXINT64, now;
        eventfd_t ignored;
        unsigned n;

        for (unsigned i = b->viewers->len; i > 0; i--) {
            struct vnc_viewer *v = g_ptr_array_index(b->viewers, i - 1);

            next = MIN(next, serve(b, v));
            if (v->end != NULL)
                drop(b, v);
        }
        if (b->viewers->len == 0)
            continue;
        n = fill_poll(b, fds);
        now = g_get_monotonic_time();
        poll(fds, n, next == G_MAXINT64 ? -1 : (int)MAX((next - now + 999) / 1000, 0));
        if (fds[0].revents & POLLIN)
            eventfd_read(b->wake_fd, &ignored);
        read_ready(b, fds);
        check_backlog(b);
    }
    while (b->viewers->len > 0) {
        struct vnc_viewer *v = g_ptr_array_index(b->viewers, 0);

        v->end = "the display closes";
        drop(b, v);
    }
    return NULL;
}

/* With the lock held. */
static bool start_thread(struct vnc_bridge *b)
{
    /* The last one has left its loop. */
    if (b->thread != NULL)
        g_thread_join(b->thread);
    b->thread = g_thread_try_new("vnc", bridge_thread, b, NULL);
    b->running = b->thread != NULL;
    return b->running;
}

void vnc_bridge_add(struct vnc_bridge *b, int socket, const char *address)
{
    g_mutex_lock(&b->lock);
    if (b->stopping || b->viewers->len + g_queue_get_length(&b->arrivals) >= VNC_MAX_VIEWERS ||
        (!b->running && !start_thread(b))) {
        log_guest("vnc", "viewer %s is turned away: there are too many", address);
        close(socket);
    } else {
        g_queue_push_tail(&b->arrivals, vnc_viewer_new(socket, address, b->password));
    }
    g_mutex_unlock(&b->lock);
    wake(b);
}

void vnc_bridge_list(struct vnc_bridge *b,
                     void (*each)(const char *address, bool authenticated, void *opaque),
                     void *opaque)
{
    g_mutex_lock(&b->lock);
    for (unsigned i = 0; i < b->viewers->len; i++) {
        struct vnc_viewer *v = g_ptr_array_index(b->viewers, i);

        each(v->address, v->authenticated, opaque);
    }
    g_mutex_unlock(&b->lock);
}

struct vnc_bridge *vnc_bridge_new(struct display *display, struct vnc_screen *screen,
                                  const char *password, const struct keymap *keymap,
                                  const struct input_sink *sink)
{
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct vnc_bridge *b;

    if (wake_fd < 0)
        return NULL;
    b = g_new0(struct vnc_bridge, 1);
    b->display = display;
    b->screen = screen;
    b->password = password;
    b->wake_fd = wake_fd;
    b->sink = *sink;
    g_mutex_init(&b->lock);
    b->viewers = g_ptr_array_new();
    g_queue_init(&b->arrivals);
    g_queue_init(&b->pipes);
    keyboard_init(&b->keyboard, keymap, sink);
    return b;
}

void vnc_bridge_stop(struct vnc_bridge *b)
{
    g_mutex_lock(&b->lock);
    b->stopping = true;
    g_mutex_unlock(&b->lock);
    wake(b);
    /* Nobody starts it again: the display thread sees stopping. */
    if (b->thread != NULL)
        g_thread_join(g_steal_pointer(&b->thread));
}

void vnc_bridge_free(struct vnc_bridge *b)
{
    if (b == NULL)
        return;
    g_queue_clear_full(&b->pipes, (GDestroyNotify)pipe_mail_free);
    g_ptr_array_free(b->viewers, TRUE);
    g_mutex_clear(&b->lock);
    close(b->wake_fd);
    g_free(b);
}
