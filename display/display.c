/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/display_private.h"

#include <signal.h>

/* While things change the source is asked at the full rate; each refresh that finds nothing new
 * makes the next one later by half, each that finds something halves the wait. */
#define INTERVAL_MIN_US (G_USEC_PER_SEC / DISPLAY_REFRESH_HZ)
#define INTERVAL_MAX_US (G_USEC_PER_SEC * 2 / 9)
#define NEVER (-1)

void display_post(GMainContext *context, GSourceFunc func, gpointer data)
{
    GSource *source = g_idle_source_new();

    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, func, data, NULL);
    g_source_attach(source, context);
    g_source_unref(source);
}

static void damage_all(struct damage *damage, const struct surface *surface)
{
    damage_clear(damage);
    damage_add(damage, 0, 0, surface->width, surface->height);
}

static void notify(struct display *d, const struct damage *damage, bool resized)
{
    /* Backwards, because a listener may remove itself. */
    for (unsigned i = d->listeners->len; resized && i > 0; i--) {
        struct display_listener *listener = g_ptr_array_index(d->listeners, i - 1);

        listener->resized(listener, &d->surface);
    }
    for (unsigned i = d->listeners->len; !damage_is_empty(damage) && i > 0; i--) {
        struct display_listener *listener = g_ptr_array_index(d->listeners, i - 1);

        listener->updated(listener, &d->surface, damage);
    }
}

void display_refresh(struct display *d)
{
    const struct surface before = d->surface;
    enum display_mode mode = DISPLAY_BLANK;
    bool full = d->stale, resized, changed;
    struct damage damage;

    damage_clear(&damage);
    if (d->ops != NULL)
        mode = d->ops->refresh(d->opaque, &d->surface, &damage, full);
    d->refreshed_us = g_get_monotonic_time();
    d->stale = false;
    resized = d->surface.pixels != before.pixels || d->surface.width != before.width ||
              d->surface.height != before.height;
    changed = full || resized || mode != d->mode || !damage_is_empty(&damage);
    if (full || resized || mode != d->mode)
        damage_all(&damage, &d->surface);
    d->mode = mode;
    d->interval_us = changed ? MAX(d->interval_us / 2, INTERVAL_MIN_US)
                             : MIN(d->interval_us * 3 / 2, INTERVAL_MAX_US);
    notify(d, &damage, resized);
    if (changed)
        display_queries_changed(d);
}

static gboolean tick_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    struct display *d = data;

    if (d->watchers == 0) {
        g_source_set_ready_time(source, NEVER);
        return G_SOURCE_CONTINUE;
    }
    if (g_atomic_int_exchange(&d->hurry, 0))
        d->interval_us = INTERVAL_MIN_US;
    if (d->stale || g_get_monotonic_time() >= d->refreshed_us + INTERVAL_MIN_US)
        display_refresh(d);
    if (d->watchers > 0)
        g_source_set_ready_time(source, d->refreshed_us + d->interval_us);
    /* A wake that came in between set an earlier time, which the line above may have undone. */
    if (g_atomic_int_get(&d->hurry))
        g_source_set_ready_time(source, d->refreshed_us + INTERVAL_MIN_US);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs tick_funcs = {.dispatch = tick_dispatch};

void display_wake(struct display *d)
{
    if (g_atomic_int_get(&d->watched) && !g_atomic_int_exchange(&d->hurry, 1))
        g_source_set_ready_time(d->tick, 0);
}

void display_watch(struct display *d)
{
    if (d->watchers++ > 0)
        return;
    d->stale = true;
    d->interval_us = INTERVAL_MIN_US;
    g_atomic_int_set(&d->watched, 1);
    g_source_set_ready_time(d->tick, 0);
}

void display_unwatch(struct display *d)
{
    if (--d->watchers > 0)
        return;
    g_atomic_int_set(&d->watched, 0);
    g_source_set_ready_time(d->tick, NEVER);
}

void display_add_listener(struct display *d, struct display_listener *listener)
{
    g_ptr_array_add(d->listeners, listener);
    display_watch(d);
    if (d->surface.pixels != NULL)
        listener->resized(listener, &d->surface);
    d->stale = true;
    g_source_set_ready_time(d->tick, 0);
}

void display_remove_listener(struct display *d, struct display_listener *listener)
{
    if (g_ptr_array_remove(d->listeners, listener))
        display_unwatch(d);
}

bool display_suggest_size(struct display *d, unsigned width, unsigned height)
{
    if (d->ops == NULL || d->ops->suggest_size == NULL)
        return false;
    d->ops->suggest_size(d->opaque, width, height);
    return true;
}

void display_set_source(struct display *d, const struct display_source_ops *ops, void *opaque)
{
    d->ops = ops;
    d->opaque = opaque;
}

GMainContext *display_context(struct display *d)
{
    return d->context;
}

static gpointer display_thread(gpointer data)
{
    struct display *d = data;
    sigset_t set;

    /* libvncserver writes to viewers that may have left, by write(2). */
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    g_main_context_push_thread_default(d->context);
    g_main_loop_run(d->loop);
    g_main_context_pop_thread_default(d->context);
    return NULL;
}

struct display *display_new(void)
{
    struct display *d = g_new0(struct display, 1);

    d->context = g_main_context_new();
    d->loop = g_main_loop_new(d->context, FALSE);
    surface_init(&d->surface);
    d->listeners = g_ptr_array_new();
    d->interval_us = INTERVAL_MIN_US;
    d->tick = g_source_new(&tick_funcs, sizeof(GSource));
    g_source_set_callback(d->tick, NULL, d, NULL);
    g_source_attach(d->tick, d->context);
    display_queries_start(d);
    d->thread = g_thread_new("display", display_thread, d);
    return d;
}

static gboolean quit(gpointer data)
{
    struct display *d = data;

    display_queries_stop(d);
    g_main_loop_quit(d->loop);
    return G_SOURCE_REMOVE;
}

void display_free(struct display *d)
{
    if (d == NULL)
        return;
    display_post(d->context, quit, d);
    g_thread_join(d->thread);
    display_dumps_stop(d);
    g_source_destroy(d->tick);
    g_source_unref(d->tick);
    g_main_loop_unref(d->loop);
    g_main_context_unref(d->context);
    g_ptr_array_free(d->listeners, TRUE);
    surface_finish(&d->surface);
    g_free(d);
}
