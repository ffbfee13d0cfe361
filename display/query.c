/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The long poll of display_query(): an answer when the screen is newer than what was seen. */
#include "display/display_private.h"

#include <string.h>

#include "display/scale.h"

#define WAIT_MAX_MS 60000
#define PICTURE_MAX 1024
/* Whoever asks again within this time finds the surface still followed. */
#define LINGER_US G_USEC_PER_SEC

struct display_ticket {
    gatomicrefcount refs; /* the caller's side, until done or cancel; the display's, until asked */
    struct display *display;
    GMainContext *display_context;
    struct screen_query query;
    GMainContext *context;
    display_query_done done;
    void *opaque;
    bool cancelled;      /* context's thread */
    bool waiting;        /* display thread: it is in the queue */
    int64_t deadline_us; /* display thread */
    struct screen_answer answer;
};

static void ticket_unref(struct display_ticket *t)
{
    if (!g_atomic_ref_count_dec(&t->refs))
        return;
    g_free(t->answer.text);
    g_free(t->answer.rgb);
    g_main_context_unref(t->context);
    g_main_context_unref(t->display_context);
    g_free(t);
}

static gboolean deliver(gpointer data)
{
    struct display_ticket *t = data;

    if (!t->cancelled) {
        t->done(&t->answer, t->opaque);
        ticket_unref(t);
    }
    ticket_unref(t);
    return G_SOURCE_REMOVE;
}

static void fill_answer(struct display *d, struct display_ticket *t)
{
    struct screen_answer *a = &t->answer;

    a->generation = d->generation;
    a->unchanged = d->generation == t->query.since;
    if (a->unchanged)
        return;
    a->mode = d->mode;
    a->guest_width = d->surface.width;
    a->guest_height = d->surface.height;
    if (a->mode == DISPLAY_TEXT) {
        a->text = g_try_new(struct text_screen, 1);
        /* The guest may have left the text mode since the refresh: the next answer shows it. */
        if (a->text == NULL || !d->ops->text(d->opaque, a->text)) {
            g_free(g_steal_pointer(&a->text));
            a->mode = DISPLAY_BLANK;
        }
    } else if (a->mode == DISPLAY_GRAPHICS && d->surface.pixels != NULL && t->query.width > 0 &&
               t->query.height > 0) {
        scale_fit(&d->surface, t->query.width, t->query.height, &a->width, &a->height);
        a->rgb = g_try_malloc((size_t)a->width * a->height * 3);
        if (a->rgb != NULL)
            scale_to_rgb(&d->surface, a->width, a->height, a->rgb);
        else
            a->width = a->height = 0;
    }
}

static void answer(struct display *d, struct display_ticket *t)
{
    fill_answer(d, t);
    t->waiting = false;
    /* The display's reference goes along. */
    display_post(t->context, deliver, t);
}

/* The nearest deadline; with nobody waiting, the end of the lingering. */
static void set_timer(struct display *d)
{
    int64_t ready = G_MAXINT64;

    for (GList *l = d->tickets.head; l != NULL; l = l->next)
        ready = MIN(ready, ((struct display_ticket *)l->data)->deadline_us);
    if (d->tickets.head == NULL)
        ready = d->query_watches ? g_get_monotonic_time() + LINGER_US : -1;
    g_source_set_ready_time(d->query_timer, ready);
}

static gboolean timer_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    struct display *d = data;
    int64_t now = g_get_monotonic_time();

    if (d->tickets.head == NULL) {
        d->query_watches = false;
        display_unwatch(d);
        g_source_set_ready_time(source, -1);
        return G_SOURCE_CONTINUE;
    }
    for (GList *l = d->tickets.head, *next; l != NULL; l = next) {
        struct display_ticket *t = l->data;

        next = l->next;
        if (t->deadline_us <= now) {
            g_queue_delete_link(&d->tickets, l);
            answer(d, t);
        }
    }
    set_timer(d);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs timer_funcs = {.dispatch = timer_dispatch};

void display_queries_changed(struct display *d)
{
    bool answered = false;

    d->generation++;
    for (GList *l = d->tickets.head, *next; l != NULL; l = next) {
        struct display_ticket *t = l->data;

        next = l->next;
        if (t->query.since != d->generation) {
            g_queue_delete_link(&d->tickets, l);
            answer(d, t);
            answered = true;
        }
    }
    if (answered)
        set_timer(d);
}

static gboolean submit(gpointer data)
{
    struct display_ticket *t = data;
    struct display *d = t->display;

    if (!d->query_watches) {
        d->query_watches = true;
        display_watch(d);
    }
    if (d->stale)
        display_refresh(d);
    if (t->query.since != d->generation || t->query.wait_ms == 0) {
        answer(d, t);
    } else {
        t->deadline_us = g_get_monotonic_time() + (int64_t)t->query.wait_ms * 1000;
        t->waiting = true;
        g_queue_push_tail(&d->tickets, t);
    }
    set_timer(d);
    return G_SOURCE_REMOVE;
}

struct display_ticket *display_query(struct display *d, const struct screen_query *query,
                                     GMainContext *context, display_query_done done, void *opaque)
{
    struct display_ticket *t = g_new0(struct display_ticket, 1);

    g_atomic_ref_count_init(&t->refs);
    g_atomic_ref_count_inc(&t->refs);
    t->display = d;
    t->display_context = g_main_context_ref(d->context);
    t->query = *query;
    t->query.wait_ms = MIN(query->wait_ms, WAIT_MAX_MS);
    t->query.width = MIN(query->width, PICTURE_MAX);
    t->query.height = MIN(query->height, PICTURE_MAX);
    t->context = g_main_context_ref(context != NULL ? context : g_main_context_default());
    t->done = done;
    t->opaque = opaque;
    display_post(d->context, submit, t);
    return t;
}

static gboolean withdraw(gpointer data)
{
    struct display_ticket *t = data;

    if (t->waiting) {
        t->waiting = false;
        g_queue_remove(&t->display->tickets, t);
        set_timer(t->display);
        ticket_unref(t);
    }
    ticket_unref(t);
    return G_SOURCE_REMOVE;
}

void display_query_cancel(struct display_ticket *t)
{
    t->cancelled = true;
    display_post(t->display_context, withdraw, t);
}

void display_queries_start(struct display *d)
{
    g_queue_init(&d->tickets);
    d->query_timer = g_source_new(&timer_funcs, sizeof(GSource));
    g_source_set_callback(d->query_timer, NULL, d, NULL);
    g_source_attach(d->query_timer, d->context);
}

void display_queries_stop(struct display *d)
{
    g_source_destroy(d->query_timer);
    g_source_unref(d->query_timer);
}
