/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/host/device.h"

#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/log.h"
#include "usb/host/internal.h"

static struct host_device *from(struct usb_device *device)
{
    return (struct host_device *)device;
}

void host_device_set_gone(struct host_device *host)
{
    if (host->gone)
        return;
    host->gone = true;
    if (host->source != NULL)
        g_source_set_ready_time(host->source, 0);
}

/*
 * What waits.
 */

static void work_done(struct host_device *host, struct host_work *work, enum usb_status status)
{
    if (work->request != NULL)
        usb_request_complete(work->request, status, work->actual);
    g_free(work);
    usb_device_unref(&host->device);
}

static enum usb_status run_work(struct host_device *host, struct host_work *work)
{
    switch (work->kind) {
    case WORK_SETUP:
        return host_setup_run(host, work->request, &work->actual);
    case WORK_RESET:
        host_setup_reset(host);
        break;
    case WORK_STREAMS:
        host_setup_streams(host, work->endpoint, work->count);
        break;
    case WORK_REQUEST:
        break;
    }
    return USB_OK;
}

/* Does the first thing that waits; called and returns with the lock held. False: it must wait. */
static bool work_once(struct host_device *host)
{
    struct host_work *work = g_queue_peek_head(&host->waiting);
    enum usb_status status = USB_NO_DEVICE;
    enum host_started started = HOST_FAILED;

    if (!host->gone && work->kind == WORK_REQUEST) {
        started = host_transfer_start(host, work->request);
        if (started == HOST_NO_ROOM)
            return false;
        if (started == HOST_BEHIND) {
            g_queue_push_tail(&host->behind, g_queue_pop_head(&host->waiting));
            return true;
        }
        status = work->request->status;
    } else if (!host->gone) {
        work->running = true;
        host->untouched = work->kind == WORK_RESET;
        g_mutex_unlock(&host->lock);
        status = run_work(host, work);
        g_mutex_lock(&host->lock);
    }
    g_queue_remove(&host->waiting, work); /* others may have come before it meanwhile */
    if (started == HOST_FAILED && work->kind == WORK_REQUEST)
        work->actual = host_transfer_abandon(host, work->request);
    g_mutex_unlock(&host->lock);
    if (started == HOST_STARTED) {
        g_free(work);
        usb_device_unref(&host->device);
    } else {
        work_done(host, work, status);
    }
    g_mutex_lock(&host->lock);
    return true;
}

/* On the USB thread. */
static void host_device_work(void *opaque)
{
    struct host_device *host = opaque;

    g_mutex_lock(&host->lock);
    while (!g_queue_is_empty(&host->waiting) && work_once(host))
        continue;
    host->scheduled = false;
    g_mutex_unlock(&host->lock);
    usb_device_unref(&host->device);
}

void host_device_schedule(struct host_device *host)
{
    if (host->scheduled)
        return;
    host->scheduled = true;
    usb_device_ref(&host->device);
    usb_host_context_run(host->context, host_device_work, host);
}

/* Under the lock. */
static struct host_work *add_work(struct host_device *host, GQueue *queue, int kind,
                                  struct usb_request *request)
{
    struct host_work *work = g_new0(struct host_work, 1);

    work->kind = kind;
    work->request = request;
    usb_device_ref(&host->device);
    g_queue_push_tail(queue, work);
    return work;
}

void host_device_wait(struct host_device *host, struct usb_request *request)
{
    add_work(host, &host->waiting, WORK_REQUEST, request);
    host_device_schedule(host);
}

/*
 * The ops.
 */

static enum usb_submitted host_submit(struct usb_device *device, struct usb_request *request)
{
    struct host_device *host = from(device);
    enum usb_submitted submitted = USB_SUBMIT_PENDING;
    enum host_started started = HOST_NO_ROOM;
    bool intercepts = host_setup_intercepts(request);

    g_mutex_lock(&host->lock);
    if (host->gone) {
        request->status = USB_NO_DEVICE;
        started = HOST_FAILED;
    } else if (!intercepts && g_queue_is_empty(&host->waiting)) {
        started = host_transfer_start(host, request);
    }
    if (started == HOST_NO_ROOM) {
        add_work(host, &host->waiting, intercepts ? WORK_SETUP : WORK_REQUEST, request);
        host_device_schedule(host);
    } else if (started == HOST_BEHIND) {
        add_work(host, &host->behind, WORK_REQUEST, request);
    } else if (started == HOST_FAILED) {
        submitted = USB_SUBMIT_DONE;
    }
    g_mutex_unlock(&host->lock);
    return submitted;
}

static struct host_work *find_work(const GQueue *queue, const struct usb_request *request)
{
    for (GList *l = queue->head; l != NULL; l = l->next) {
        struct host_work *work = l->data;

        if (work->request == request)
            return work;
    }
    return NULL;
}

static bool host_cancel(struct usb_device *device, struct usb_request *request)
{
    struct host_device *host = from(device);
    struct host_work *work;
    bool out;

    g_mutex_lock(&host->lock);
    work = find_work(&host->waiting, request);
    if (work == NULL)
        work = find_work(&host->behind, request);
    out = work != NULL && !work->running;
    if (out) {
        g_queue_remove(&host->waiting, work);
        g_queue_remove(&host->behind, work);
        request->actual = host_transfer_abandon(host, request);
    } else {
        host_transfer_cancel(request);
    }
    g_mutex_unlock(&host->lock);
    if (out) {
        request->status = USB_CANCELLED;
        g_free(work);
        usb_device_unref(device);
    }
    return out;
}

/* Guests reset a port several times over, and real devices take long to do so. */
static bool is_reset(const struct host_device *host)
{
    const struct host_work *last = g_queue_peek_tail((GQueue *)&host->waiting);

    return last != NULL ? last->kind == WORK_RESET : host->untouched;
}

static void host_reset(struct usb_device *device)
{
    struct host_device *host = from(device);

    g_mutex_lock(&host->lock);
    if (!host->gone && !is_reset(host)) {
        add_work(host, &host->waiting, WORK_RESET, NULL);
        host_device_schedule(host);
    }
    g_mutex_unlock(&host->lock);
}

static unsigned max_streams(const struct host_device *host, uint8_t endpoint)
{
    unsigned max = 0;

    for (unsigned i = 0; i < host->info->configuration_count; i++) {
        const GArray *settings = host->info->configurations[i].settings;

        for (guint j = 0; j < settings->len; j++) {
            const struct usb_setting_info *setting =
                &g_array_index(settings, struct usb_setting_info, j);

            for (unsigned k = 0; k < setting->endpoint_count; k++) {
                if (setting->endpoints[k].address == endpoint)
                    max = MAX(max, setting->endpoints[k].max_streams);
            }
        }
    }
    return max;
}

/* Whether the host's controller has streams too shows when the requests behind it end. */
static bool host_set_streams(struct usb_device *device, uint8_t endpoint, unsigned count)
{
    struct host_device *host = from(device);
    unsigned max = max_streams(host, endpoint);
    bool possible = count == 0 || max > 0;

    g_mutex_lock(&host->lock);
    if (possible && !host->gone) {
        struct host_work *work = add_work(host, &host->waiting, WORK_STREAMS, NULL);

        work->endpoint = endpoint;
        work->count = MIN(count, max);
        host_device_schedule(host);
    }
    g_mutex_unlock(&host->lock);
    return possible;
}

/* On the USB thread: the device is nobody's any more. */
static void close_device(void *opaque)
{
    struct host_device *host = opaque;

    usb_host_context_unwatch(host->context, host->fd);
    host_setup_close(host);
    usb_device_info_free(host->info);
    g_free(host->descriptors);
    close(host->fd);
    usb_host_claim_release(host->claim);
    g_clear_error(&host->open_error);
    g_mutex_clear(&host->lock);
    g_free(host->port);
    g_free(host);
}

static void host_free(struct usb_device *device)
{
    struct host_device *host = from(device);

    usb_host_context_run(host->context, close_device, host);
}

static const struct usb_device_ops host_ops = {
    .name = "host",
    .submit = host_submit,
    .cancel = host_cancel,
    .reset = host_reset,
    .set_streams = host_set_streams,
    .free = host_free,
};

/*
 * Its life.
 */

struct host_source {
    GSource source;
    struct host_device *host;
};

static gboolean dispatch(GSource *source, GSourceFunc callback, void *opaque)
{
    struct host_device *host = ((struct host_source *)source)->host;
    bool open, gone, failed;

    g_source_set_ready_time(source, -1);
    g_mutex_lock(&host->lock);
    open = host->open;
    gone = host->gone;
    failed = host->open_error != NULL;
    g_mutex_unlock(&host->lock);
    if ((open || failed) && !host->told_ready) {
        host->told_ready = true;
        if (gone)
            g_source_set_ready_time(source, 0);
        host->ready(host->opaque, host->open_error);
        return G_SOURCE_CONTINUE;
    }
    if (open && gone && !host->told_gone) {
        host->told_gone = true;
        host->when_gone(host->opaque);
    }
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {.dispatch = dispatch};

/* On the USB thread: a device that went is seen by its node too, without any transfer. */
static void hung_up(void *opaque)
{
    struct host_device *host = opaque;

    g_mutex_lock(&host->lock);
    host_device_set_gone(host);
    if (!g_queue_is_empty(&host->waiting))
        host_device_schedule(host);
    g_mutex_unlock(&host->lock);
}

static void open_device(void *opaque)
{
    struct host_device *host = opaque;
    GError *error = NULL;
    bool open = host_setup_open(host, &error);

    if (open)
        usb_host_context_watch(host->context, host->fd, hung_up, host);
    g_mutex_lock(&host->lock);
    host->open = open;
    host->open_error = error;
    if (host->source != NULL)
        g_source_set_ready_time(host->source, 0);
    g_mutex_unlock(&host->lock);
    usb_device_unref(&host->device);
}

struct usb_device *host_device_new(const struct host_device_options *options)
{
    struct host_device *host = g_new0(struct host_device, 1);
    unsigned speeds = USB_SPEED_BIT(options->speed);

    /* A port of 5 Gbit/s serves a faster device as well. */
    if (options->speed == USB_SPEED_SUPER_PLUS)
        speeds |= USB_SPEED_BIT(USB_SPEED_SUPER);
    usb_device_init(&host->device, &host_ops, options->id, speeds);
    host->context = options->context;
    host->port = g_strdup(options->port);
    host->fd = options->fd;
    host->claim = options->claim;
    host->ready = options->ready;
    host->when_gone = options->gone;
    host->opaque = options->opaque;
    memset(host->transfers, HOST_NO_TRANSFER, sizeof(host->transfers));
    g_mutex_init(&host->lock);
    host->source = g_source_new(&source_funcs, sizeof(struct host_source));
    ((struct host_source *)host->source)->host = host;
    g_source_set_name(host->source, "USB device");
    g_source_attach(host->source, options->main_context);
    usb_device_ref(&host->device);
    usb_host_context_run(host->context, open_device, host);
    return &host->device;
}

void host_device_release(struct usb_device *device)
{
    struct host_device *host = from(device);
    GSource *source;

    g_mutex_lock(&host->lock);
    source = host->source;
    host->source = NULL;
    g_mutex_unlock(&host->lock);
    g_source_destroy(source);
    g_source_unref(source);
    usb_device_unref(device);
}
