/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/bus/clock.h"

#include <time.h>

struct clock {
    GMutex *board_lock;
    GSource *source;   /* NULL: manual */
    GPtrArray *timers; /* struct vm_timer *, armed, in no order; the board's lock */

    GMutex lock; /* what follows */
    bool running;
    uint64_t elapsed; /* guest time up to started_at */
    uint64_t started_at;
};

struct clock_source {
    GSource source;
    struct clock *clock;
};

static uint64_t host_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}

static uint64_t now_locked(const struct clock *clock)
{
    return clock->running ? clock->elapsed + (host_now() - clock->started_at) : clock->elapsed;
}

uint64_t clock_now(struct clock *clock)
{
    uint64_t now;

    g_mutex_lock(&clock->lock);
    now = now_locked(clock);
    g_mutex_unlock(&clock->lock);
    return now;
}

static struct vm_timer *first_timer(const struct clock *clock)
{
    struct vm_timer *first = NULL;

    for (guint i = 0; i < clock->timers->len; i++) {
        struct vm_timer *t = g_ptr_array_index(clock->timers, i);

        if (first == NULL || t->deadline < first->deadline)
            first = t;
    }
    return first;
}

/* Tells the main loop when the next timer is due. */
static void rearm(struct clock *clock)
{
    struct vm_timer *first = first_timer(clock);
    gint64 ready = -1;

    if (clock->source == NULL)
        return;
    g_mutex_lock(&clock->lock);
    if (first != NULL && clock->running) {
        uint64_t now = now_locked(clock);
        uint64_t wait = first->deadline > now ? first->deadline - now : 0;

        /* Rounded up: a timer must never run before its time. */
        ready =
            g_get_monotonic_time() + (gint64)MIN(wait / 1000 + (wait % 1000 != 0), G_MAXINT64 / 4);
    }
    g_mutex_unlock(&clock->lock);
    g_source_set_ready_time(clock->source, ready);
}

/* Runs what is due by now; a timer that rearms itself for the past waits for the next round. */
static void expire(struct clock *clock, uint64_t now)
{
    guint budget = clock->timers->len + 1;

    for (guint i = 0; i < budget; i++) {
        struct vm_timer *t = first_timer(clock);

        if (t == NULL || t->deadline > now)
            break;
        vm_timer_cancel(t);
        t->expired(t->opaque);
    }
}

static gboolean source_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    struct clock *clock = ((struct clock_source *)source)->clock;

    g_mutex_lock(clock->board_lock);
    if (clock->running)
        expire(clock, clock_now(clock));
    rearm(clock);
    g_mutex_unlock(clock->board_lock);
    return G_SOURCE_CONTINUE;
}

struct clock *clock_new(GMutex *lock, GMainContext *context)
{
    static GSourceFuncs funcs = {.dispatch = source_dispatch};
    struct clock *clock = g_new0(struct clock, 1);

    clock->board_lock = lock;
    clock->timers = g_ptr_array_new();
    g_mutex_init(&clock->lock);
    if (context != NULL) {
        clock->source = g_source_new(&funcs, sizeof(struct clock_source));
        ((struct clock_source *)clock->source)->clock = clock;
        g_source_set_name(clock->source, "guest timers");
        g_source_attach(clock->source, context);
    }
    return clock;
}

void clock_free(struct clock *clock)
{
    if (clock == NULL)
        return;
    if (clock->source != NULL) {
        g_source_destroy(clock->source);
        g_source_unref(clock->source);
    }
    g_ptr_array_free(clock->timers, TRUE);
    g_mutex_clear(&clock->lock);
    g_free(clock);
}

void clock_start(struct clock *clock)
{
    g_mutex_lock(&clock->lock);
    if (clock->source != NULL && !clock->running) {
        clock->running = true;
        clock->started_at = host_now();
    }
    g_mutex_unlock(&clock->lock);
    rearm(clock);
}

void clock_stop(struct clock *clock)
{
    g_mutex_lock(&clock->lock);
    clock->elapsed = now_locked(clock);
    clock->running = false;
    g_mutex_unlock(&clock->lock);
    rearm(clock);
}

static void set_manual_time(struct clock *clock, uint64_t now)
{
    g_mutex_lock(&clock->lock);
    clock->elapsed = MAX(clock->elapsed, now);
    g_mutex_unlock(&clock->lock);
}

void clock_advance(struct clock *clock, uint64_t ns)
{
    uint64_t target = clock_now(clock) + ns;
    struct vm_timer *t;

    g_mutex_lock(clock->board_lock);
    while ((t = first_timer(clock)) != NULL && t->deadline <= target) {
        set_manual_time(clock, t->deadline);
        vm_timer_cancel(t);
        t->expired(t->opaque);
    }
    set_manual_time(clock, target);
    g_mutex_unlock(clock->board_lock);
}

void vm_timer_init(struct vm_timer *timer, struct clock *clock, void (*expired)(void *opaque),
                   void *opaque)
{
    *timer = (struct vm_timer){.expired = expired, .opaque = opaque, .clock = clock};
}

void vm_timer_set(struct vm_timer *timer, uint64_t deadline)
{
    if (!timer->armed)
        g_ptr_array_add(timer->clock->timers, timer);
    timer->armed = true;
    timer->deadline = deadline;
    rearm(timer->clock);
}

void vm_timer_cancel(struct vm_timer *timer)
{
    if (!timer->armed)
        return;
    timer->armed = false;
    g_ptr_array_remove_fast(timer->clock->timers, timer);
    rearm(timer->clock);
}
