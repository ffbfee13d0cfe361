/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The transfers of a passed-through device. */
#include "core/log.h"
#include "usb/host/internal.h"

struct host_transfer {
    struct host_device *host;
    struct usb_request *request;
    struct libusb_transfer *transfer;
    uint8_t *bounce; /* NULL: the data is in the request's own memory */
    uint32_t bounce_size, length;
    uint32_t done; /* bytes of the pieces before this one; transfer has where it is */
    bool cancelled;
};

static bool is_in(const struct usb_request *request)
{
    return (request->endpoint == 0 ? request->setup.request_type : request->endpoint) & USB_DIR_IN;
}

static void transfer_free(struct host_transfer *t)
{
    libusb_free_transfer(t->transfer);
    g_free(t->bounce);
    g_free(t);
}

static enum usb_status status_of(const struct libusb_transfer *transfer)
{
    enum libusb_transfer_status status = transfer->status;

    if (transfer->type == LIBUSB_TRANSFER_TYPE_ISOCHRONOUS && status == LIBUSB_TRANSFER_COMPLETED)
        status = transfer->iso_packet_desc[0].status;
    switch (status) {
    case LIBUSB_TRANSFER_COMPLETED:
        return USB_OK;
    case LIBUSB_TRANSFER_STALL:
        return USB_STALL;
    case LIBUSB_TRANSFER_OVERFLOW:
        return USB_BABBLE;
    case LIBUSB_TRANSFER_NO_DEVICE:
        return USB_NO_DEVICE;
    case LIBUSB_TRANSFER_CANCELLED:
        return USB_CANCELLED;
    case LIBUSB_TRANSFER_ERROR:
    case LIBUSB_TRANSFER_TIMED_OUT:
        break;
    }
    return USB_ERROR;
}

static uint32_t actual_of(const struct host_transfer *t)
{
    const struct libusb_transfer *transfer = t->transfer;
    int actual = transfer->type == LIBUSB_TRANSFER_TYPE_ISOCHRONOUS
                     ? (int)transfer->iso_packet_desc[0].actual_length
                     : transfer->actual_length;

    return CLAMP(actual, 0, (int)(t->length - t->done));
}

/*
 * In pieces: the kernel limits the memory of all transfers together, to less than one may be long.
 * One piece follows the other, and what comes to that endpoint meanwhile stays behind.
 */

static bool is_bulk(const struct host_transfer *t)
{
    return t->transfer->type == LIBUSB_TRANSFER_TYPE_BULK ||
           t->transfer->type == LIBUSB_TRANSFER_TYPE_BULK_STREAM;
}

static struct host_transfer **pieces_of(struct host_device *host, const struct usb_request *request)
{
    return &host->pieces[is_in(request)][request->endpoint & 0x0f];
}

/* Submits what is left, or as much of it as there is room for. A code of libusb. */
static int submit_rest(struct host_device *host, struct host_transfer *t)
{
    struct libusb_transfer *transfer = t->transfer;
    int code = libusb_submit_transfer(transfer);

    while (code == LIBUSB_ERROR_NO_MEM && is_bulk(t) && transfer->length > HOST_PIECE_UNIT) {
        transfer->length = MAX(transfer->length / 2 / HOST_PIECE_UNIT, 1) * HOST_PIECE_UNIT;
        code = libusb_submit_transfer(transfer);
    }
    if (code == 0 && t->done + transfer->length < t->length)
        *pieces_of(host, t->request) = t;
    return code;
}

/* Makes transfer the rest, after a piece. */
static void take_rest(struct host_transfer *t)
{
    t->transfer->buffer += t->transfer->length;
    t->done += t->transfer->length;
    t->transfer->length = t->length - t->done;
}

/* Nothing of it is under way any more. */
static void leave(struct host_device *host, struct host_transfer *t)
{
    struct host_transfer **pieces = pieces_of(host, t->request);

    t->request->device_private = NULL; /* nothing is left to cancel */
    host->in_flight--;
    host->bounced -= t->bounce_size;
    if (*pieces == t) {
        *pieces = NULL;
        /* Those of other endpoints go behind again. */
        while (!g_queue_is_empty(&host->behind))
            g_queue_push_head(&host->waiting, g_queue_pop_tail(&host->behind));
    }
    if (!g_queue_is_empty(&host->waiting))
        host_device_schedule(host);
}

/* After a whole piece. USB_OK: the next is under way, or waits; or how all of it ends. */
static enum usb_status next_piece(struct host_device *host, struct host_transfer *t)
{
    int code;

    if (host->gone)
        return USB_NO_DEVICE;
    if (t->cancelled)
        return USB_CANCELLED;
    take_rest(t);
    code = submit_rest(host, t);
    if (code == LIBUSB_ERROR_NO_MEM && host->in_flight - host->stalled > 1) {
        host->stalled++;
        host_device_wait(host, t->request);
        return USB_OK;
    }
    return host_status_from_libusb(code);
}

static void copy_back(const struct host_transfer *t, uint32_t actual)
{
    unsigned at = t->request->endpoint == 0 ? LIBUSB_CONTROL_SETUP_SIZE : 0;

    if (t->bounce != NULL && is_in(t->request))
        usb_request_copy_in(t->request, 0, t->bounce + at, actual);
}

uint32_t host_transfer_abandon(struct host_device *host, struct usb_request *request)
{
    struct host_transfer *t = request->device_private;
    uint32_t done;

    if (t == NULL)
        return 0;
    done = t->done;
    host->stalled--;
    leave(host, t);
    copy_back(t, done);
    transfer_free(t);
    g_atomic_int_add(&host->device.refs, -1); /* the caller has another */
    return done;
}

static void end_transfer(struct host_device *host, struct host_transfer *t)
{
    struct usb_request *request;
    enum usb_status status;
    uint32_t actual;

    g_mutex_lock(&host->lock); /* its submission is over after this */
    request = t->request;
    status = status_of(t->transfer);
    actual = t->done + actual_of(t);
    if (status == USB_OK && is_bulk(t) && t->transfer->actual_length == t->transfer->length &&
        actual < t->length) {
        status = next_piece(host, t);
        if (status == USB_OK) {
            g_mutex_unlock(&host->lock);
            return;
        }
    }
    /* Where there may have been more, what came is not what was asked for. */
    if (status == USB_OK && request->endpoint == 0 && actual == HOST_CONTROL_MAX &&
        request->length > HOST_CONTROL_MAX)
        status = USB_ERROR;
    if (status == USB_NO_DEVICE)
        host_device_set_gone(host);
    leave(host, t);
    g_mutex_unlock(&host->lock);

    copy_back(t, actual);
    transfer_free(t);
    usb_request_complete(request, status, actual);
    usb_device_unref(&host->device);
}

/* On the USB thread. */
static void LIBUSB_CALL on_libusb_done(struct libusb_transfer *transfer)
{
    struct host_transfer *t = transfer->user_data;

    usb_host_context_note_end(t->host->context);
    end_transfer(t->host, t);
}

/* Zero-copy where libusb can take the data as it lies: in one piece, and not behind a setup
 * packet. */
static bool needs_bounce(const struct usb_request *request)
{
    return request->endpoint == 0 || request->iov_count > 1;
}

static bool fill_control(struct host_transfer *t, const struct usb_request *request)
{
    const struct usb_setup *setup = &request->setup;

    if (request->length > HOST_CONTROL_MAX && !is_in(request))
        return false;
    /* More than libusb can fetch is asked for where a driver does not know how much there is. */
    t->length = MIN(request->length, HOST_CONTROL_MAX);
    libusb_fill_control_setup(t->bounce, setup->request_type, setup->request, setup->value,
                              setup->index, t->length);
    if (!is_in(request))
        usb_request_copy_out(request, 0, t->bounce + LIBUSB_CONTROL_SETUP_SIZE, t->length);
    libusb_fill_control_transfer(t->transfer, t->host->handle, t->bounce, on_libusb_done, t, 0);
    return true;
}

static bool fill_data(struct host_transfer *t, const struct usb_request *request)
{
    libusb_device_handle *handle = t->host->handle;
    uint8_t *data = t->bounce != NULL         ? t->bounce
                    : request->iov_count == 1 ? request->iov[0].iov_base
                                              : NULL;

    if (t->bounce != NULL && !is_in(request))
        usb_request_copy_out(request, 0, t->bounce, request->length);
    switch (t->host->transfers[is_in(request)][request->endpoint & 0x0f]) {
    case USB_BULK:
        if (request->stream != 0)
            libusb_fill_bulk_stream_transfer(t->transfer, handle, request->endpoint,
                                             request->stream, data, request->length, on_libusb_done,
                                             t, 0);
        else
            libusb_fill_bulk_transfer(t->transfer, handle, request->endpoint, data, request->length,
                                      on_libusb_done, t, 0);
        return true;
    case USB_INTERRUPT:
        libusb_fill_interrupt_transfer(t->transfer, handle, request->endpoint, data,
                                       request->length, on_libusb_done, t, 0);
        return true;
    case USB_ISOCHRONOUS:
        libusb_fill_iso_transfer(t->transfer, handle, request->endpoint, data, request->length, 1,
                                 on_libusb_done, t, 0);
        libusb_set_iso_packet_lengths(t->transfer, request->length);
        return true;
    default:
        return false;
    }
}

static struct host_transfer *transfer_new(struct host_device *host, struct usb_request *request)
{
    struct host_transfer *t = g_new0(struct host_transfer, 1);
    bool filled;

    t->host = host;
    t->request = request;
    t->length = request->length;
    t->transfer = libusb_alloc_transfer(1);
    if (needs_bounce(request)) {
        t->bounce_size = request->length + (request->endpoint == 0 ? LIBUSB_CONTROL_SETUP_SIZE : 0);
        t->bounce = g_try_malloc(t->bounce_size);
    }
    filled = t->transfer != NULL && (t->bounce != NULL || !needs_bounce(request)) &&
             (request->endpoint == 0 ? fill_control(t, request) : fill_data(t, request));
    if (!filled) {
        transfer_free(t);
        return NULL;
    }
    return t;
}

/* It stalled between two pieces. */
static enum host_started resume(struct host_device *host, struct host_transfer *t)
{
    int code;

    host->stalled--;
    code = submit_rest(host, t);
    if (code == 0)
        return HOST_STARTED;
    host->stalled++;
    if (code == LIBUSB_ERROR_NO_MEM && host->in_flight > host->stalled)
        return HOST_NO_ROOM;
    t->request->status = host_status_from_libusb(code);
    return HOST_FAILED;
}

enum host_started host_transfer_start(struct host_device *host, struct usb_request *request)
{
    struct host_transfer *t = request->device_private;
    int code;

    request->status = USB_ERROR;
    if (t != NULL)
        return resume(host, t);
    if (*pieces_of(host, request) != NULL)
        return HOST_BEHIND;
    if (host->in_flight > 0 &&
        (host->in_flight >= HOST_MAX_IN_FLIGHT ||
         (needs_bounce(request) && host->bounced + request->length > HOST_MAX_BOUNCED)))
        return HOST_NO_ROOM;
    t = transfer_new(host, request);
    if (t == NULL)
        return HOST_FAILED;
    request->device_private = t;
    usb_device_ref(&host->device);
    host->untouched = false;
    host->in_flight++;
    host->bounced += t->bounce_size;
    /* Its completion waits for the lock. */
    code = submit_rest(host, t);
    if (code == 0)
        return HOST_STARTED;
    request->device_private = NULL;
    host->in_flight--;
    host->bounced -= t->bounce_size;
    transfer_free(t);
    g_atomic_int_add(&host->device.refs, -1); /* the submitter's is still there */
    if (code == LIBUSB_ERROR_NO_MEM && host->in_flight > host->stalled)
        return HOST_NO_ROOM;
    request->status = host_status_from_libusb(code);
    if (request->status == USB_NO_DEVICE)
        host_device_set_gone(host);
    log_debug("usb", "%s: a transfer to endpoint %02x failed: %s", host->port, request->endpoint,
              libusb_strerror(code));
    return HOST_FAILED;
}

void host_transfer_cancel(struct usb_request *request)
{
    struct host_transfer *t = request->device_private;

    if (t == NULL)
        return;
    t->cancelled = true;
    libusb_cancel_transfer(t->transfer);
}
