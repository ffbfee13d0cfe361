/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What display.c shares with query.c and dump.c. All but post() runs on the display thread. */
#ifndef DISPLAY_DISPLAY_PRIVATE_H
#define DISPLAY_DISPLAY_PRIVATE_H

#include "display/display.h"

struct display {
    GMainContext *context;
    GMainLoop *loop;
    GThread *thread;

    const struct display_source_ops *ops; /* NULL: no source */
    void *opaque;

    struct surface surface;
    enum display_mode mode;
    GPtrArray *listeners; /* struct display_listener, not owned */
    unsigned watchers;    /* listeners, and the questions' one */
    bool stale;           /* nobody watched: the surface is out of date as a whole */

    GSource *tick;
    int64_t interval_us;
    int64_t refreshed_us;
    gint watched; /* atomic copy of watchers > 0, for display_wake() */
    gint hurry;   /* atomic: display_wake() was called since the last tick */

    /* query.c */
    GQueue tickets; /* struct display_ticket, waiting */
    GSource *query_timer;
    uint64_t generation;
    bool query_watches;

    /* dump.c */
    GThreadPool *encoders; /* NULL until the first dump */
};

/* Runs func(data) on the thread that iterates context; never within the call. */
void display_post(GMainContext *context, GSourceFunc func, gpointer data);

void display_watch(struct display *display);
void display_unwatch(struct display *display);
/* Asks the source now, whatever the schedule. */
void display_refresh(struct display *display);

void display_queries_start(struct display *display);
void display_queries_stop(struct display *display);
/* After each refresh that changed something. */
void display_queries_changed(struct display *display);

void display_dumps_stop(struct display *display);

#endif
