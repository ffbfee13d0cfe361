/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/bus/clock.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"

struct clock {
    GMutex *board_lock;
    /* A timerfd, since the main loop's own timeouts are whole milliseconds; NULL, -1: manual. */
    GSource *source;
    int timer_fd;
    GPtrArray *timers; /* struct vm_timer *, armed, in no order; the board's lock */

    GMutex lock; /* what follows */
    bool running;
    uint64_t elapsed; /* guest time up to started_at */
    uint64_t started_at;
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

/* Sets the timer to the first deadline, as host time; a machine that stands still has none. */
static void rearm(struct clock *clock)
{
    struct vm_timer *first = first_timer(clock);
    struct itimerspec when = {0};

    if (clock->source == NULL)
        return;
    g_mutex_lock(&clock->lock);
    if (first != NULL && clock->running) {
        uint64_t wait = first->deadline > clock->elapsed ? first->deadline - clock->elapsed : 0;
        uint64_t at = clock->started_at + MIN(wait, (uint64_t)G_MAXINT64 / 2);

        when.it_value.tv_sec = at / NSEC_PER_SEC;
        when.it_value.tv_nsec = at % NSEC_PER_SEC;
    }
    g_mutex_unlock(&clock->lock);
    timerfd_settime(clock->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
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

static gboolean on_timer(int fd, GIOCondition condition, gpointer opaque)
{
    struct clock *clock = opaque;
    uint64_t expirations;

    if (read(fd, &expirations, sizeof(expirations)) < 0)
        return G_SOURCE_CONTINUE; /* it was moved meanwhile */
    g_mutex_lock(clock->board_lock);
    if (clock->running)
        expire(clock, clock_now(clock));
    rearm(clock);
    g_mutex_unlock(clock->board_lock);
    return G_SOURCE_CONTINUE;
}

static void init_source(struct clock *clock, GMainContext *context)
{
    clock->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (clock->timer_fd < 0) {
        log_error("clock", "no guest timer will run: %s", g_strerror(errno));
        return;
    }
    clock->source = g_unix_fd_source_new(clock->timer_fd, G_IO_IN);
    g_source_set_callback(clock->source, G_SOURCE_FUNC(on_timer), clock, NULL);
    g_source_set_name(clock->source, "guest timers");
    g_source_attach(clock->source, context);
}

struct clock *clock_new(GMutex *lock, GMainContext *context)
{
    struct clock *clock = g_new0(struct clock, 1);

    clock->board_lock = lock;
    clock->timers = g_ptr_array_new();
    g_mutex_init(&clock->lock);
    clock->timer_fd = -1;
    if (context != NULL)
        init_source(clock, context);
    return clock;
}

void clock_free(struct clock *clock)
{
    if (clock == NULL)
        return;
    if (clock->source != NULL) {
        g_source_destroy(clock->source);
        g_source_unref(clock->source);
        close(clock->timer_fd);
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
