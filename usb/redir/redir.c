/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/redir/redir.h"

#include <string.h>

#include "core/error.h"
#include "core/log.h"
#include "usb/redir/internal.h"

static struct redir_device *from(struct usb_device *device)
{
    return (struct redir_device *)device;
}

enum usb_status redir_status(uint8_t status)
{
    switch (status) {
    case usb_redir_success:
        return USB_OK;
    case usb_redir_stall:
        return USB_STALL;
    case usb_redir_babble:
        return USB_BABBLE;
    case usb_redir_cancelled:
        return USB_CANCELLED;
    default:
        return USB_ERROR;
    }
}

static void wake(struct redir_device *redir)
{
    if (redir->source != NULL)
        g_source_set_ready_time(redir->source, 0);
}

/*
 * The ops.
 */

static struct redir_message *message_new(int kind)
{
    struct redir_message *message = g_new0(struct redir_message, 1);

    message->kind = kind;
    return message;
}

/* Under the lock: what has come before it was asked for. */
static bool take_early(struct redir_device *redir, struct usb_request *request)
{
    struct redir_stream *stream = &redir->streams[redir_index(request->endpoint)];
    struct redir_packet *packet;

    if (!redir_is_stream(redir, request->endpoint) || !redir_is_in(request) ||
        stream->requests.length > 0)
        return false;
    packet = g_queue_pop_head(&stream->packets);
    if (packet == NULL)
        return false;
    request->actual =
        usb_request_copy_in(request, 0, packet->data, MIN(packet->size, request->length));
    request->status =
        packet->status == USB_OK && packet->size > request->length ? USB_BABBLE : packet->status;
    g_free(packet);
    return true;
}

static enum usb_submitted redir_submit(struct usb_device *device, struct usb_request *request)
{
    struct redir_device *redir = from(device);
    enum usb_submitted submitted = USB_SUBMIT_DONE;
    struct redir_message *message;

    g_mutex_lock(&redir->lock);
    if (redir->gone) {
        request->status = USB_NO_DEVICE;
    } else if ((request->endpoint != 0 &&
                redir->types[redir_index(request->endpoint)] == usb_redir_type_invalid) ||
               redir->count >= REDIR_MAX_PENDING) {
        request->status = USB_ERROR;
    } else if (!take_early(redir, request)) {
        message = message_new(REDIR_REQUEST);
        message->request = request;
        g_queue_push_tail(&redir->out, message);
        redir->count++;
        wake(redir);
        submitted = USB_SUBMIT_PENDING;
    }
    g_mutex_unlock(&redir->lock);
    return submitted;
}

static bool cancel_unsent(struct redir_device *redir, const struct usb_request *request)
{
    for (GList *l = redir->out.head; l != NULL; l = l->next) {
        struct redir_message *message = l->data;

        if (message->request == request) {
            g_queue_delete_link(&redir->out, l);
            g_free(message);
            return true;
        }
    }
    return false;
}

static bool cancel_sent(struct redir_device *redir, struct usb_request *request)
{
    struct redir_stream *stream = &redir->streams[redir_index(request->endpoint)];
    struct redir_message *message;
    GHashTableIter iter;
    gpointer id, value;

    if (g_queue_find(&stream->requests, request) != NULL) {
        g_queue_unlink(&stream->requests, &request->link);
        return true;
    }
    g_hash_table_iter_init(&iter, redir->pending);
    while (g_hash_table_iter_next(&iter, &id, &value)) {
        if (value != request)
            continue;
        message = message_new(REDIR_CANCEL);
        message->id = *(uint64_t *)id;
        g_queue_push_tail(&redir->out, message);
        wake(redir);
        g_hash_table_iter_remove(&iter);
        return true;
    }
    return false;
}

static bool redir_cancel(struct usb_device *device, struct usb_request *request)
{
    struct redir_device *redir = from(device);
    bool out;

    g_mutex_lock(&redir->lock);
    out = cancel_unsent(redir, request) || cancel_sent(redir, request);
    redir->count -= out;
    g_mutex_unlock(&redir->lock);
    if (out) {
        request->status = USB_CANCELLED;
        request->actual = 0;
    }
    return out;
}

static void queue_message(struct redir_device *redir, struct redir_message *message)
{
    g_mutex_lock(&redir->lock);
    if (!redir->gone && redir->out.length < 2 * REDIR_MAX_PENDING) {
        g_queue_push_tail(&redir->out, g_steal_pointer(&message));
        wake(redir);
    }
    g_mutex_unlock(&redir->lock);
    g_free(message);
}

static void redir_reset(struct usb_device *device)
{
    queue_message(from(device), message_new(REDIR_RESET));
}

static bool redir_set_streams(struct usb_device *device, uint8_t endpoint, unsigned count)
{
    struct redir_device *redir = from(device);
    struct redir_message *message;
    unsigned max;

    g_mutex_lock(&redir->lock);
    max = redir->max_streams[redir_index(endpoint)];
    g_mutex_unlock(&redir->lock);
    if (max == 0)
        return count == 0;
    message = message_new(REDIR_STREAMS);
    message->endpoint = endpoint;
    message->count = MIN(count, max);
    queue_message(redir, message);
    return true;
}

static void redir_free(struct usb_device *device)
{
    struct redir_device *redir = from(device);

    g_queue_clear_full(&redir->out, g_free);
    for (unsigned i = 0; i < REDIR_ENDPOINTS; i++)
        g_queue_clear_full(&redir->streams[i].packets, g_free);
    g_hash_table_unref(redir->pending);
    usbredirparser_destroy(redir->parser);
    g_mutex_clear(&redir->lock);
    g_free(redir->address);
    g_free(redir);
}

static const struct usb_device_ops redir_ops = {
    .name = "redir",
    .submit = redir_submit,
    .cancel = redir_cancel,
    .reset = redir_reset,
    .set_streams = redir_set_streams,
    .free = redir_free,
};

/*
 * Its life.
 */

struct redir_source {
    GSource source;
    struct redir_device *redir;
};

/* Ends all requests; the lock must not be held. */
static void end_requests(struct redir_device *redir)
{
    g_autoptr(GPtrArray) ended = g_ptr_array_new();
    struct redir_message *message;
    GHashTableIter iter;
    gpointer request;

    g_mutex_lock(&redir->lock);
    while ((message = g_queue_pop_head(&redir->out)) != NULL) {
        if (message->request != NULL)
            g_ptr_array_add(ended, message->request);
        g_free(message);
    }
    g_hash_table_iter_init(&iter, redir->pending);
    while (g_hash_table_iter_next(&iter, NULL, &request))
        g_ptr_array_add(ended, request);
    g_hash_table_remove_all(redir->pending);
    redir->count -= ended->len;
    g_mutex_unlock(&redir->lock);
    for (guint i = 0; i < ended->len; i++)
        usb_request_complete(ended->pdata[i], USB_NO_DEVICE, 0);
    for (unsigned i = 0; i < REDIR_ENDPOINTS; i++)
        redir_drop_stream(redir, i, USB_NO_DEVICE);
}

void redir_set_gone(struct redir_device *redir)
{
    bool before;

    g_mutex_lock(&redir->lock);
    before = redir->gone;
    redir->gone = true;
    wake(redir);
    g_mutex_unlock(&redir->lock);
    if (!before)
        end_requests(redir);
}

void redir_set_connected(struct redir_device *redir, uint8_t speed)
{
    static const enum usb_speed speeds[] = {
        [usb_redir_speed_low] = USB_SPEED_LOW,
        [usb_redir_speed_full] = USB_SPEED_FULL,
        [usb_redir_speed_high] = USB_SPEED_HIGH,
        [usb_redir_speed_super] = USB_SPEED_SUPER,
    };

    if (redir->connected) { /* another one, over the same stream */
        redir_set_gone(redir);
        return;
    }
    redir->device.speeds =
        USB_SPEED_BIT(speed < G_N_ELEMENTS(speeds) ? speeds[speed] : USB_SPEED_FULL);
    redir->connected = true;
    g_mutex_lock(&redir->lock);
    wake(redir);
    g_mutex_unlock(&redir->lock);
}

static void tell_ready(struct redir_device *redir)
{
    g_autoptr(GError) error = NULL;

    redir->told_ready = true;
    g_source_set_ready_time(redir->patience, -1);
    if (!redir->connected) {
        redir->told_gone = true;
        vmdesk_fail(&error, VMDESK_ERROR_PROTOCOL,
                    "%s did not offer a USB device: check that usbredirect or a like program "
                    "serves one there.",
                    redir->address);
    }
    redir->ready(redir->opaque, error);
}

static gboolean dispatch(GSource *source, GSourceFunc callback, void *opaque)
{
    struct redir_device *redir = ((struct redir_source *)source)->redir;
    bool gone;

    g_source_set_ready_time(source, -1);
    redir_send(redir);
    if (redir->peer != NULL && usbredirparser_has_data_to_write(redir->parser) &&
        usbredirparser_do_write(redir->parser) != 0)
        redir_set_gone(redir);
    g_mutex_lock(&redir->lock);
    gone = redir->gone;
    g_mutex_unlock(&redir->lock);
    if ((redir->connected || gone) && !redir->told_ready) {
        if (redir->connected && gone)
            g_source_set_ready_time(source, 0);
        tell_ready(redir);
    } else if (gone && !redir->told_gone) {
        redir->told_gone = true;
        redir->when_gone(redir->opaque);
    }
    return G_SOURCE_CONTINUE;
}

static gboolean dispatch_patience(GSource *source, GSourceFunc callback, void *opaque)
{
    g_source_set_ready_time(source, -1);
    redir_set_gone(opaque);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {.dispatch = dispatch};
static GSourceFuncs patience_funcs = {.dispatch = dispatch_patience};

static void on_received(const uint8_t *data, size_t size, void *opaque)
{
    struct redir_device *redir = opaque;

    redir->input = data;
    redir->input_size = size;
    /* A packet that makes no sense ends it: nobody knows what its answer would have been. */
    while (redir->input_size > 0 && !redir->gone) {
        if (usbredirparser_do_read(redir->parser) == usbredirparser_read_parse_error)
            redir_set_gone(redir);
    }
    g_mutex_lock(&redir->lock);
    wake(redir); /* answers to it may wait */
    g_mutex_unlock(&redir->lock);
}

static void on_closed(int errnum, void *opaque)
{
    redir_set_gone(opaque);
}

static const struct peer_handlers handlers = {on_received, on_closed};

struct usb_device *redir_device_new(const struct redir_device_options *options)
{
    struct redir_device *redir = g_new0(struct redir_device, 1);

    usb_device_init(&redir->device, &redir_ops, options->id, 0);
    redir->address = g_strdup(options->address);
    redir->parser = usbredirparser_create();
    redir->next_id = 1;
    redir->ready = options->ready;
    redir->when_gone = options->gone;
    redir->opaque = options->opaque;
    memset(redir->types, usb_redir_type_invalid, sizeof(redir->types));
    redir->pending = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    g_mutex_init(&redir->lock);
    redir->source = g_source_new(&source_funcs, sizeof(struct redir_source));
    ((struct redir_source *)redir->source)->redir = redir;
    g_source_set_ready_time(redir->source, 0); /* to say hello */
    g_source_attach(redir->source, options->context);
    redir->patience = g_source_new(&patience_funcs, sizeof(GSource));
    g_source_set_callback(redir->patience, NULL, redir, NULL);
    g_source_set_ready_time(redir->patience,
                            g_get_monotonic_time() + REDIR_HELLO_TIMEOUT_MS * 1000);
    g_source_attach(redir->patience, options->context);
    redir->peer = peer_new(options->context, options->fd, REDIR_MAX_OUTPUT, &handlers, redir);
    redir_receive_init(redir);
    return &redir->device;
}

void redir_device_release(struct usb_device *device)
{
    struct redir_device *redir = from(device);
    GSource *source;

    redir_set_gone(redir);
    g_mutex_lock(&redir->lock);
    source = g_steal_pointer(&redir->source);
    g_mutex_unlock(&redir->lock);
    g_source_destroy(source);
    g_source_unref(source);
    g_source_destroy(redir->patience);
    g_source_unref(redir->patience);
    g_clear_pointer(&redir->peer, peer_free);
    usb_device_unref(device);
}

void redir_device_ids(const struct usb_device *device, uint16_t *ret_vendor, uint16_t *ret_product)
{
    const struct redir_device *redir = (const struct redir_device *)device;

    *ret_vendor = redir->vendor;
    *ret_product = redir->product;
}
