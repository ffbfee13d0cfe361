/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ThreadSanitizer does not see GLib's mutexes, which are futexes inside a library that was built
 * without it, and takes whatever they guard for a race; likewise what one thread hands to another
 * by an idle source, a thread pool or a reference count. In --enable-tsan builds these definitions
 * stand before GLib's and tell it what each call orders.
 */
#include <dlfcn.h>
#include <glib.h>
#include <sanitizer/tsan_interface.h>

/* GLib's own definition of the function. */
#define REAL(function) ((typeof(&function))dlsym(RTLD_NEXT, #function))

void g_mutex_lock(GMutex *mutex)
{
    REAL(g_mutex_lock)(mutex);
    __tsan_acquire(mutex);
}

gboolean g_mutex_trylock(GMutex *mutex)
{
    gboolean locked = REAL(g_mutex_trylock)(mutex);

    if (locked)
        __tsan_acquire(mutex);
    return locked;
}

void g_mutex_unlock(GMutex *mutex)
{
    __tsan_release(mutex);
    REAL(g_mutex_unlock)(mutex);
}

void g_cond_wait(GCond *cond, GMutex *mutex)
{
    __tsan_release(mutex);
    REAL(g_cond_wait)(cond, mutex);
    __tsan_acquire(mutex);
}

gboolean g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_time)
{
    gboolean woken;

    __tsan_release(mutex);
    woken = REAL(g_cond_wait_until)(cond, mutex, end_time);
    __tsan_acquire(mutex);
    return woken;
}

/* Whoever attaches a source has written what its callback reads. */
guint g_source_attach(GSource *source, GMainContext *context)
{
    __tsan_release(source);
    return REAL(g_source_attach)(source, context);
}

static gboolean idle_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    __tsan_acquire(source);
    return g_idle_funcs.dispatch(source, callback, data);
}

GSource *g_idle_source_new(void)
{
    static GSourceFuncs funcs;
    static gsize once;
    GSource *source = REAL(g_idle_source_new)();

    if (g_once_init_enter(&once)) {
        funcs = g_idle_funcs;
        funcs.dispatch = idle_dispatch;
        g_once_init_leave(&once, 1);
    }
    source->source_funcs = &funcs;
    return source;
}

struct pool_func {
    GFunc func;
    gpointer data;
};

static void run_pool_func(gpointer item, gpointer data)
{
    struct pool_func *f = data;

    __tsan_acquire(item);
    f->func(item, f->data);
}

GThreadPool *g_thread_pool_new(GFunc func, gpointer data, gint max_threads, gboolean exclusive,
                               GError **error)
{
    struct pool_func *f = g_new(struct pool_func, 1);

    f->func = func;
    f->data = data;
    return REAL(g_thread_pool_new)(run_pool_func, f, max_threads, exclusive, error);
}

gboolean g_thread_pool_push(GThreadPool *pool, gpointer item, GError **error)
{
    __tsan_release(item);
    return REAL(g_thread_pool_push)(pool, item, error);
}

gboolean(g_atomic_ref_count_dec)(gatomicrefcount *count)
{
    gboolean last;

    __tsan_release((void *)count);
    last = REAL(g_atomic_ref_count_dec)(count);
    __tsan_acquire((void *)count);
    return last;
}
