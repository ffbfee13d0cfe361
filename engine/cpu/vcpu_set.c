/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/vcpu_set.h"

#include <pthread.h>
#include <time.h>

#include "core/error.h"

struct vcpu_thread {
    struct vcpu_set *set;
    struct vcpu *vcpu;
    pthread_t thread;
    bool started;
};

struct vcpu_set {
    struct vcpu_thread threads[MACHINE_MAX_CPUS];
    unsigned count;
    vcpu_stopped_fn stopped;
    void *opaque;

    GMutex lock; /* what follows; taken inside the board's lock, never the other way */
    GCond changed;
    bool pause, quit;
    unsigned parked;
};

static void request_pause_locked(struct vcpu_set *set)
{
    set->pause = true;
    for (unsigned i = 0; i < set->count; i++)
        set->threads[i].vcpu->ops->kick(set->threads[i].vcpu);
}

/* Stands still until told to go on. False: told to end. */
static bool park(struct vcpu_thread *self)
{
    struct vcpu_set *set = self->set;
    bool go_on;

    g_mutex_lock(&set->lock);
    if (set->pause) {
        set->parked++;
        g_cond_broadcast(&set->changed);
        while (set->pause && !set->quit)
            g_cond_wait(&set->changed, &set->lock);
        set->parked--;
    }
    go_on = !set->quit;
    g_mutex_unlock(&set->lock);
    return go_on;
}

static void *thread_main(void *opaque)
{
    struct vcpu_thread *self = opaque;
    struct vcpu_set *set = self->set;

    while (park(self)) {
        g_autofree char *reason = NULL;
        enum vcpu_stop stop = self->vcpu->ops->run(self->vcpu, &reason);

        if (stop == VCPU_KICKED)
            continue;
        vcpu_set_request_pause(set);
        set->stopped(set->opaque, self->vcpu->index, stop, reason);
    }
    return NULL;
}

static bool start_thread(struct vcpu_set *set, struct accel *accel, GError **err)
{
    struct vcpu_thread *t = &set->threads[set->count];
    char name[16];
    int error;

    t->vcpu = accel->ops->vcpu_new(accel, set->count, err);
    if (t->vcpu == NULL)
        return false;
    t->set = set;
    t->vcpu->ops->kick(t->vcpu);
    set->count++;
    error = pthread_create(&t->thread, NULL, thread_main, t);
    if (error != 0)
        return vmdesk_error_from_errno(err, error, NULL, "Starting the thread of vCPU %u",
                                       t->vcpu->index);
    t->started = true;
    g_snprintf(name, sizeof(name), "vcpu%u", t->vcpu->index);
    pthread_setname_np(t->thread, name);
    return true;
}

struct vcpu_set *vcpu_set_new(struct accel *accel, vcpu_stopped_fn stopped, void *opaque,
                              GError **err)
{
    struct vcpu_set *set = g_new0(struct vcpu_set, 1);

    g_mutex_init(&set->lock);
    g_cond_init(&set->changed);
    set->stopped = stopped;
    set->opaque = opaque;
    set->pause = true;
    for (unsigned i = 0; i < accel->cpus; i++) {
        if (!start_thread(set, accel, err)) {
            vcpu_set_free(set);
            return NULL;
        }
    }
    return set;
}

void vcpu_set_free(struct vcpu_set *set)
{
    if (set == NULL)
        return;
    g_mutex_lock(&set->lock);
    request_pause_locked(set);
    set->quit = true;
    g_cond_broadcast(&set->changed);
    g_mutex_unlock(&set->lock);
    for (unsigned i = 0; i < set->count; i++) {
        if (set->threads[i].started)
            pthread_join(set->threads[i].thread, NULL);
    }
    for (unsigned i = 0; i < set->count; i++)
        set->threads[i].vcpu->ops->free(set->threads[i].vcpu);
    g_cond_clear(&set->changed);
    g_mutex_clear(&set->lock);
    g_free(set);
}

void vcpu_set_resume(struct vcpu_set *set)
{
    g_mutex_lock(&set->lock);
    for (unsigned i = 0; i < set->count; i++)
        set->threads[i].vcpu->ops->unkick(set->threads[i].vcpu);
    set->pause = false;
    g_cond_broadcast(&set->changed);
    g_mutex_unlock(&set->lock);
}

void vcpu_set_pause(struct vcpu_set *set)
{
    g_mutex_lock(&set->lock);
    request_pause_locked(set);
    while (set->parked < set->count)
        g_cond_wait(&set->changed, &set->lock);
    g_mutex_unlock(&set->lock);
}

void vcpu_set_request_pause(struct vcpu_set *set)
{
    g_mutex_lock(&set->lock);
    request_pause_locked(set);
    g_mutex_unlock(&set->lock);
}

void vcpu_set_reset(struct vcpu_set *set)
{
    for (unsigned i = 0; i < set->count; i++)
        set->threads[i].vcpu->ops->reset(set->threads[i].vcpu);
}

const struct vcpu *vcpu_set_get(const struct vcpu_set *set, unsigned index)
{
    return index < set->count ? set->threads[index].vcpu : NULL;
}

uint64_t vcpu_set_cpu_time_ns(const struct vcpu_set *set, unsigned index)
{
    struct timespec t;
    clockid_t clock;

    if (index >= set->count || pthread_getcpuclockid(set->threads[index].thread, &clock) != 0 ||
        clock_gettime(clock, &t) != 0)
        return 0;
    return (uint64_t)t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}
