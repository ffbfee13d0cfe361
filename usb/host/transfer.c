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

    return CLAMP(actual, 0, (int)t->length);
}

static void end_transfer(struct host_device *host, struct host_transfer *t)
{
    struct usb_request *request;
    enum usb_status status;
    uint32_t actual;

    g_mutex_lock(&host->lock); /* its submission is over after this */
    request = t->request;
    status = status_of(t->transfer);
    actual = actual_of(t);
    /* Where there may have been more, what came is not what was asked for. */
    if (status == USB_OK && request->endpoint == 0 && actual == HOST_CONTROL_MAX &&
        request->length > HOST_CONTROL_MAX)
        status = USB_ERROR;
    request->device_private = NULL; /* nothing is left to cancel */
    host->in_flight--;
    host->bounced -= t->bounce_size;
    if (status == USB_NO_DEVICE)
        host_device_set_gone(host);
    if (!g_queue_is_empty(&host->waiting))
        host_device_schedule(host);
    g_mutex_unlock(&host->lock);

    if (t->bounce != NULL && is_in(request))
        usb_request_copy_in(request, 0,
                            t->bounce + (request->endpoint == 0 ? LIBUSB_CONTROL_SETUP_SIZE : 0),
                            actual);
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

enum host_started host_transfer_start(struct host_device *host, struct usb_request *request)
{
    struct host_transfer *t;
    int code;

    request->status = USB_ERROR;
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
    code = libusb_submit_transfer(t->transfer);
    if (code == 0)
        return HOST_STARTED;
    request->device_private = NULL;
    host->in_flight--;
    host->bounced -= t->bounce_size;
    transfer_free(t);
    g_atomic_int_add(&host->device.refs, -1); /* the submitter's is still there */
    /* The kernel limits the memory of all transfers together. */
    if (code == LIBUSB_ERROR_NO_MEM && host->in_flight > 0)
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

    if (t != NULL)
        libusb_cancel_transfer(t->transfer);
}
