/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/host/context.h"

#include <poll.h>
#include <stdbool.h>

#include "core/error.h"
#include "core/log.h"

#define FAILED_PAUSE_USEC (10 * 1000)
/* While transfers end, an unplugged device that has none may hide behind them for so long. */
#define LOOK_SECONDS 1
#define PATIENCE_SECONDS 60

struct host_node {
    int fd;
    void (*gone)(void *opaque);
    void *opaque;
};

struct host_job {
    void (*work)(void *opaque);
    void *opaque;
};

struct usb_host_context {
    libusb_context *libusb;
    GThread *thread;
    GMutex lock;
    GQueue jobs; /* struct host_job */
    bool closing;

    /* The thread's. */
    GArray *nodes; /* struct host_node */
    bool ended;    /* a transfer, since libusb was last called */
    gint64 looked; /* at the nodes; monotonic */
};

static struct host_job *next_job(struct usb_host_context *context, bool *ret_closing)
{
    struct host_job *job;

    g_mutex_lock(&context->lock);
    job = g_queue_pop_head(&context->jobs);
    *ret_closing = context->closing;
    g_mutex_unlock(&context->lock);
    return job;
}

static bool has_hung_up(int fd)
{
    struct pollfd node = {fd, 0, 0};

    return poll(&node, 1, 0) > 0 && (node.revents & (POLLERR | POLLHUP));
}

/* Each look is a system call, so not after every transfer. */
static void look_at_nodes(struct usb_host_context *context)
{
    gint64 now = g_get_monotonic_time();

    if (context->ended && now - context->looked < LOOK_SECONDS * G_USEC_PER_SEC)
        return;
    context->looked = now;
    for (guint i = context->nodes->len; i-- > 0;) {
        struct host_node node = g_array_index(context->nodes, struct host_node, i);

        if (!has_hung_up(node.fd))
            continue;
        g_array_remove_index_fast(context->nodes, i);
        node.gone(node.opaque);
    }
}

static void *usb_thread(void *opaque)
{
    struct usb_host_context *context = opaque;
    bool closing;

    for (;;) {
        struct timeval patience = {context->ended ? LOOK_SECONDS : PATIENCE_SECONDS, 0};
        struct host_job *job;
        int code;

        while ((job = next_job(context, &closing)) != NULL) {
            job->work(job->opaque);
            g_free(job);
        }
        if (closing)
            return NULL;
        context->ended = false;
        /* An interruption that comes before the call ends it at once. */
        code = libusb_handle_events_timeout_completed(context->libusb, &patience, NULL);
        if (code != 0 && code != LIBUSB_ERROR_INTERRUPTED) {
            log_guest("usb", "libusb cannot handle its events: %s", libusb_strerror(code));
            g_usleep(FAILED_PAUSE_USEC);
        }
        look_at_nodes(context);
    }
}

struct usb_host_context *usb_host_context_new(GError **err)
{
    struct usb_host_context *context = g_new0(struct usb_host_context, 1);
    int code = libusb_set_option(NULL, LIBUSB_OPTION_NO_DEVICE_DISCOVERY);

    if (code == 0)
        code = libusb_init(&context->libusb);
    if (code != 0) {
        vmdesk_fail(err, VMDESK_ERROR_MISSING, "libusb cannot be used here: %s",
                    libusb_strerror(code));
        g_free(context);
        return NULL;
    }
    g_mutex_init(&context->lock);
    context->nodes = g_array_new(FALSE, FALSE, sizeof(struct host_node));
    context->thread = g_thread_try_new("usb", usb_thread, context, err);
    if (context->thread == NULL) {
        g_array_unref(context->nodes);
        g_mutex_clear(&context->lock);
        libusb_exit(context->libusb);
        g_free(context);
        return NULL;
    }
    return context;
}

void usb_host_context_free(struct usb_host_context *context)
{
    if (context == NULL)
        return;
    g_mutex_lock(&context->lock);
    context->closing = true;
    g_mutex_unlock(&context->lock);
    libusb_interrupt_event_handler(context->libusb);
    g_thread_join(context->thread);
    libusb_exit(context->libusb);
    g_array_unref(context->nodes);
    g_mutex_clear(&context->lock);
    g_free(context);
}

void usb_host_context_run(struct usb_host_context *context, void (*work)(void *opaque),
                          void *opaque)
{
    struct host_job *job = g_new(struct host_job, 1);

    *job = (struct host_job){work, opaque};
    g_mutex_lock(&context->lock);
    g_queue_push_tail(&context->jobs, job);
    g_mutex_unlock(&context->lock);
    libusb_interrupt_event_handler(context->libusb);
}

libusb_context *usb_host_context_libusb(struct usb_host_context *context)
{
    return context->libusb;
}

void usb_host_context_watch(struct usb_host_context *context, int fd, void (*gone)(void *opaque),
                            void *opaque)
{
    const struct host_node node = {fd, gone, opaque};

    g_array_append_val(context->nodes, node);
}

void usb_host_context_unwatch(struct usb_host_context *context, int fd)
{
    for (guint i = context->nodes->len; i-- > 0;) {
        if (g_array_index(context->nodes, struct host_node, i).fd == fd)
            g_array_remove_index_fast(context->nodes, i);
    }
}

void usb_host_context_note_end(struct usb_host_context *context)
{
    context->ended = true;
}
