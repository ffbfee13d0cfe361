/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a redirected device is told. */
#include <string.h>

#include "core/log.h"
#include "usb/redir/internal.h"

/* Requests that have a message of their own: USB 2.0, 9.4. */
#define GET_CONFIGURATION 8
#define SET_CONFIGURATION 9
#define GET_INTERFACE 10
#define SET_INTERFACE 11

#define ISO_URBS 3

/* The data of an OUT request; *ret_size 0 and NULL without any. Caller frees. */
static uint8_t *take_data(const struct usb_request *request, uint32_t *ret_size)
{
    uint8_t *data;

    *ret_size = 0;
    if (redir_is_in(request) || request->length == 0)
        return NULL;
    data = g_try_malloc(request->length);
    if (data != NULL)
        *ret_size = usb_request_copy_out(request, 0, data, request->length);
    return data;
}

static void send_control(struct redir_device *redir, struct usb_request *request, uint64_t id)
{
    const struct usb_setup *setup = &request->setup;
    struct usb_redir_control_packet_header header = {
        .endpoint = setup->request_type & USB_DIR_IN,
        .request = setup->request,
        .requesttype = setup->request_type,
        .value = setup->value,
        .index = setup->index,
        .length = request->length,
    };
    uint32_t size;
    g_autofree uint8_t *data = NULL;

    switch (setup->request_type << 8 | setup->request) {
    case 0x0000 | SET_CONFIGURATION:
        usbredirparser_send_set_configuration(redir->parser, id,
                                              &(struct usb_redir_set_configuration_header){
                                                  setup->value});
        return;
    case 0x8000 | GET_CONFIGURATION:
        usbredirparser_send_get_configuration(redir->parser, id);
        return;
    case 0x0100 | SET_INTERFACE:
        usbredirparser_send_set_alt_setting(
            redir->parser, id,
            &(struct usb_redir_set_alt_setting_header){setup->index, setup->value});
        return;
    case 0x8100 | GET_INTERFACE:
        usbredirparser_send_get_alt_setting(redir->parser, id,
                                            &(struct usb_redir_get_alt_setting_header){
                                                setup->index});
        return;
    }
    data = take_data(request, &size);
    usbredirparser_send_control_packet(redir->parser, id, &header, data, size);
}

static void send_bulk(struct redir_device *redir, struct usb_request *request, uint64_t id)
{
    struct usb_redir_bulk_packet_header header = {
        .endpoint = request->endpoint,
        .length = request->length & 0xffff,
        .length_high = request->length >> 16,
        .stream_id = request->stream,
    };
    uint32_t size;
    g_autofree uint8_t *data = take_data(request, &size);

    usbredirparser_send_bulk_packet(redir->parser, id, &header, data, size);
}

static void send_interrupt(struct redir_device *redir, struct usb_request *request, uint64_t id)
{
    struct usb_redir_interrupt_packet_header header = {.endpoint = request->endpoint,
                                                       .length = request->length};
    uint32_t size;
    g_autofree uint8_t *data = take_data(request, &size);

    usbredirparser_send_interrupt_packet(redir->parser, id, &header, data, size);
}

static void start_stream(struct redir_device *redir, uint8_t endpoint, uint8_t type)
{
    bool fast = redir->device.speed >= USB_SPEED_HIGH;

    if (type == usb_redir_type_interrupt)
        usbredirparser_send_start_interrupt_receiving(
            redir->parser, redir->next_id++,
            &(struct usb_redir_start_interrupt_receiving_header){endpoint});
    else
        usbredirparser_send_start_iso_stream(
            redir->parser, redir->next_id++,
            &(struct usb_redir_start_iso_stream_header){endpoint, fast ? 32 : 8, ISO_URBS});
}

static void send_isochronous(struct redir_device *redir, struct usb_request *request, uint64_t id)
{
    struct usb_redir_iso_packet_header header = {.endpoint = request->endpoint,
                                                 .length = MIN(request->length, UINT16_MAX)};
    uint32_t size;
    g_autofree uint8_t *data = take_data(request, &size);

    usbredirparser_send_iso_packet(redir->parser, id, &header, data, MIN(size, UINT16_MAX));
}

/* Takes the request to where its answer will find it, and asks the peer. True: nobody answers, it
 * is over. */
static bool send_request(struct redir_device *redir, struct usb_request *request)
{
    struct redir_stream *stream = &redir->streams[redir_index(request->endpoint)];
    uint8_t type = redir->types[redir_index(request->endpoint)];
    uint64_t id = redir->next_id++;

    if (redir_is_stream(redir, request->endpoint)) {
        if (!stream->started)
            start_stream(redir, request->endpoint, type);
        stream->started = true;
        if (redir_is_in(request)) {
            g_queue_push_tail_link(&stream->requests, &request->link);
            return false;
        }
        send_isochronous(redir, request, id);
        redir->count--;
        return true;
    }
    g_hash_table_insert(redir->pending, g_memdup2(&id, sizeof(id)), request);
    if (request->endpoint == 0)
        send_control(redir, request, id);
    else if (type == usb_redir_type_interrupt)
        send_interrupt(redir, request, id);
    else
        send_bulk(redir, request, id);
    return false;
}

static void send_streams(struct redir_device *redir, uint8_t endpoint, unsigned count)
{
    struct usb_redir_alloc_bulk_streams_header alloc = {1u << redir_index(endpoint), count};
    struct usb_redir_free_bulk_streams_header none = {1u << redir_index(endpoint)};

    if (count > 0)
        usbredirparser_send_alloc_bulk_streams(redir->parser, redir->next_id++, &alloc);
    else
        usbredirparser_send_free_bulk_streams(redir->parser, redir->next_id++, &none);
}

/* The request of the message, if it is over. */
static struct usb_request *send_message(struct redir_device *redir,
                                        const struct redir_message *message)
{
    switch (message->kind) {
    case REDIR_REQUEST:
        return send_request(redir, message->request) ? message->request : NULL;
    case REDIR_CANCEL:
        usbredirparser_send_cancel_data_packet(redir->parser, message->id);
        break;
    case REDIR_RESET:
        usbredirparser_send_reset(redir->parser);
        break;
    case REDIR_STREAMS:
        send_streams(redir, message->endpoint, message->count);
        break;
    }
    return NULL;
}

/* The parser only copies here, so the lock may be held, which keeps requests from being cancelled
 * meanwhile. */
void redir_send(struct redir_device *redir)
{
    struct redir_message *message;
    struct usb_request *over;

    g_mutex_lock(&redir->lock);
    while ((message = g_queue_pop_head(&redir->out)) != NULL) {
        over = send_message(redir, message);
        g_free(message);
        if (over == NULL)
            continue;
        g_mutex_unlock(&redir->lock);
        usb_request_complete(over, USB_OK, over->length);
        g_mutex_lock(&redir->lock);
    }
    g_mutex_unlock(&redir->lock);
}
