/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/host/context.h"

#include <stdbool.h>

#include "core/error.h"
#include "core/log.h"

#define FAILED_PAUSE_USEC (10 * 1000)

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

static void *usb_thread(void *opaque)
{
    struct usb_host_context *context = opaque;
    struct timeval patience = {60, 0};
    bool closing;

    for (;;) {
        struct host_job *job;
        int code;

        while ((job = next_job(context, &closing)) != NULL) {
            job->work(job->opaque);
            g_free(job);
        }
        if (closing)
            return NULL;
        /* An interruption that comes before the call ends it at once. */
        code = libusb_handle_events_timeout_completed(context->libusb, &patience, NULL);
        if (code != 0 && code != LIBUSB_ERROR_INTERRUPTED) {
            log_guest("usb", "libusb cannot handle its events: %s", libusb_strerror(code));
            g_usleep(FAILED_PAUSE_USEC);
        }
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
    context->thread = g_thread_try_new("usb", usb_thread, context, err);
    if (context->thread == NULL) {
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
