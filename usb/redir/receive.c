/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a redirected device says: all of it is foreign. */
#include <string.h>

#include "core/log.h"
#include "usb/redir/internal.h"

static int on_read(void *opaque, uint8_t *data, int count)
{
    struct redir_device *redir = opaque;
    size_t size = MIN(redir->input_size, (size_t)MAX(count, 0));

    memcpy(data, redir->input, size);
    redir->input += size;
    redir->input_size -= size;
    return size;
}

static int on_write(void *opaque, uint8_t *data, int count)
{
    struct redir_device *redir = opaque;

    if (redir->peer != NULL && peer_send(redir->peer, data, count))
        return count;
    return -1;
}

static void on_log(void *opaque, int level, const char *message)
{
    struct redir_device *redir = opaque;

    if (level <= usbredirparser_warning)
        log_guest("usb", "%s: %s", redir->address, message);
    else
        log_debug("usb", "%s: %s", redir->address, message);
}

/* The request that an answer is for, which is not pending any more; NULL: none, or it was
 * cancelled. */
static struct usb_request *take_pending(struct redir_device *redir, uint64_t id)
{
    struct usb_request *request;

    g_mutex_lock(&redir->lock);
    request = g_hash_table_lookup(redir->pending, &id);
    if (request != NULL) {
        g_hash_table_remove(redir->pending, &id);
        redir->count--;
    }
    g_mutex_unlock(&redir->lock);
    return request;
}

/* Which way it goes the request says, not the answer: IN takes data; for OUT length says how much
 * went. */
static void answer(struct redir_device *redir, uint64_t id, uint8_t status, uint32_t length,
                   const uint8_t *data, int data_size)
{
    struct usb_request *request = take_pending(redir, id);
    uint32_t actual;

    if (request == NULL)
        return;
    if (redir_is_in(request)) {
        uint32_t size = MAX(data_size, 0);

        actual = usb_request_copy_in(request, 0, data, MIN(size, request->length));
        if (size > request->length && status == usb_redir_success)
            status = usb_redir_babble;
    } else {
        actual = MIN(length, request->length);
    }
    usb_request_complete(request, redir_status(status), actual);
}

/* An answer of one byte, or of none. */
static void answer_byte(struct redir_device *redir, uint64_t id, uint8_t status, uint8_t byte)
{
    struct usb_request *request = take_pending(redir, id);
    uint32_t actual = 0;

    if (request == NULL)
        return;
    if (redir_is_in(request))
        actual = usb_request_copy_in(request, 0, &byte, MIN(1, request->length));
    usb_request_complete(request, redir_status(status), actual);
}

static void on_device_connect(void *opaque, struct usb_redir_device_connect_header *connect)
{
    struct redir_device *redir = opaque;

    redir->vendor = connect->vendor_id;
    redir->product = connect->product_id;
    redir_set_connected(redir, connect->speed);
}

static void on_device_disconnect(void *opaque)
{
    struct redir_device *redir = opaque;

    redir_set_gone(redir);
}

/* Requests that wait for a stream which is no more. */
void redir_drop_stream(struct redir_device *redir, unsigned index, enum usb_status status)
{
    struct redir_stream *stream = &redir->streams[index];
    GQueue ended = G_QUEUE_INIT;
    GList *link;

    g_mutex_lock(&redir->lock);
    stream->started = false;
    g_queue_clear_full(&stream->packets, g_free);
    while ((link = g_queue_pop_head_link(&stream->requests)) != NULL)
        g_queue_push_tail_link(&ended, link);
    redir->count -= ended.length;
    g_mutex_unlock(&redir->lock);
    while ((link = g_queue_pop_head_link(&ended)) != NULL)
        usb_request_complete(link->data, status, 0);
}

static void on_ep_info(void *opaque, struct usb_redir_ep_info_header *info)
{
    struct redir_device *redir = opaque;

    for (unsigned i = 0; i < REDIR_ENDPOINTS; i++) {
        bool changed;

        g_mutex_lock(&redir->lock);
        changed = redir->types[i] != info->type[i];
        redir->types[i] = info->type[i];
        redir->max_streams[i] =
            usbredirparser_peer_has_cap(redir->parser, usb_redir_cap_bulk_streams)
                ? info->max_streams[i]
                : 0;
        g_mutex_unlock(&redir->lock);
        if (changed)
            redir_drop_stream(redir, i, USB_ERROR);
    }
}

static void on_interface_info(void *opaque, struct usb_redir_interface_info_header *info)
{
}

static void on_configuration_status(void *opaque, uint64_t id,
                                    struct usb_redir_configuration_status_header *status)
{
    answer_byte(opaque, id, status->status, status->configuration);
}

static void on_alt_setting_status(void *opaque, uint64_t id,
                                  struct usb_redir_alt_setting_status_header *status)
{
    answer_byte(opaque, id, status->status, status->alt);
}

static void on_stream_status(struct redir_device *redir, uint8_t endpoint, uint8_t status)
{
    if (status != usb_redir_success)
        redir_drop_stream(redir, redir_index(endpoint), redir_status(status));
}

static void on_iso_stream_status(void *opaque, uint64_t id,
                                 struct usb_redir_iso_stream_status_header *status)
{
    on_stream_status(opaque, status->endpoint, status->status);
}

static void
on_interrupt_receiving_status(void *opaque, uint64_t id,
                              struct usb_redir_interrupt_receiving_status_header *status)
{
    on_stream_status(opaque, status->endpoint, status->status);
}

static void on_bulk_streams_status(void *opaque, uint64_t id,
                                   struct usb_redir_bulk_streams_status_header *status)
{
    struct redir_device *redir = opaque;

    if (status->status != usb_redir_success)
        log_guest("usb", "%s: it has no streams", redir->address);
}

static void on_control_packet(void *opaque, uint64_t id,
                              struct usb_redir_control_packet_header *header, uint8_t *data,
                              int size)
{
    struct redir_device *redir = opaque;

    answer(redir, id, header->status, header->length, data, size);
    usbredirparser_free_packet_data(redir->parser, data);
}

static void on_bulk_packet(void *opaque, uint64_t id, struct usb_redir_bulk_packet_header *header,
                           uint8_t *data, int size)
{
    struct redir_device *redir = opaque;

    answer(redir, id, header->status, header->length | (uint32_t)header->length_high << 16, data,
           size);
    usbredirparser_free_packet_data(redir->parser, data);
}

/* For the request that waits longest, or kept for the next one. */
static void take_packet(struct redir_device *redir, uint8_t endpoint, uint8_t status,
                        const uint8_t *data, int data_size)
{
    struct redir_stream *stream = &redir->streams[redir_index(endpoint)];
    uint32_t size = MIN((uint32_t)MAX(data_size, 0), REDIR_MAX_PACKET_BYTES);
    struct redir_packet *packet = NULL;
    struct usb_request *request;
    GList *link;

    g_mutex_lock(&redir->lock);
    link = g_queue_pop_head_link(&stream->requests);
    redir->count -= link != NULL;
    if (link == NULL && stream->started && stream->packets.length < REDIR_MAX_PACKETS)
        packet = g_try_malloc(sizeof(*packet) + size);
    if (packet != NULL) {
        packet->status = redir_status(status);
        packet->size = size;
        if (size > 0)
            memcpy(packet->data, data, size);
        g_queue_push_tail(&stream->packets, packet);
    }
    g_mutex_unlock(&redir->lock);
    if (link == NULL)
        return;
    request = link->data;
    if (size > request->length && status == usb_redir_success)
        status = usb_redir_babble;
    usb_request_complete(request, redir_status(status),
                         usb_request_copy_in(request, 0, data, MIN(size, request->length)));
}

static void on_interrupt_packet(void *opaque, uint64_t id,
                                struct usb_redir_interrupt_packet_header *header, uint8_t *data,
                                int size)
{
    struct redir_device *redir = opaque;

    if (header->endpoint & USB_DIR_IN)
        take_packet(redir, header->endpoint, header->status, data, size);
    else
        answer(redir, id, header->status, header->length, data, size);
    usbredirparser_free_packet_data(redir->parser, data);
}

static void on_iso_packet(void *opaque, uint64_t id, struct usb_redir_iso_packet_header *header,
                          uint8_t *data, int size)
{
    struct redir_device *redir = opaque;

    if (header->endpoint & USB_DIR_IN)
        take_packet(redir, header->endpoint, header->status, data, size);
    usbredirparser_free_packet_data(redir->parser, data);
}

void redir_receive_init(struct redir_device *redir)
{
    struct usbredirparser *parser = redir->parser;
    uint32_t caps[USB_REDIR_CAPS_SIZE] = {0};

    parser->priv = redir;
    parser->log_func = on_log;
    parser->read_func = on_read;
    parser->write_func = on_write;
    parser->device_connect_func = on_device_connect;
    parser->device_disconnect_func = on_device_disconnect;
    parser->interface_info_func = on_interface_info;
    parser->ep_info_func = on_ep_info;
    parser->configuration_status_func = on_configuration_status;
    parser->alt_setting_status_func = on_alt_setting_status;
    parser->iso_stream_status_func = on_iso_stream_status;
    parser->interrupt_receiving_status_func = on_interrupt_receiving_status;
    parser->bulk_streams_status_func = on_bulk_streams_status;
    parser->control_packet_func = on_control_packet;
    parser->bulk_packet_func = on_bulk_packet;
    parser->iso_packet_func = on_iso_packet;
    parser->interrupt_packet_func = on_interrupt_packet;
    usbredirparser_caps_set_cap(caps, usb_redir_cap_bulk_streams);
    usbredirparser_caps_set_cap(caps, usb_redir_cap_connect_device_version);
    usbredirparser_caps_set_cap(caps, usb_redir_cap_ep_info_max_packet_size);
    usbredirparser_caps_set_cap(caps, usb_redir_cap_64bits_ids);
    usbredirparser_caps_set_cap(caps, usb_redir_cap_32bits_bulk_length);
    usbredirparser_init(parser, "vmdesk", caps, USB_REDIR_CAPS_SIZE, 0);
}
