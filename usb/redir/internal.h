/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of a redirected device share: its life and requests (redir.c), what is sent
 * (send.c), what is received (receive.c). */
#ifndef USB_REDIR_INTERNAL_H
#define USB_REDIR_INTERNAL_H

#include <usbredirparser.h>

#include "core/peer.h"
#include "usb/redir/redir.h"

#define REDIR_ENDPOINTS 32 /* the protocol's order: 0 to 15 OUT, 16 to 31 IN */

/* An endpoint that sends without being asked each time. */
struct redir_stream {
    bool started;
    GQueue packets;  /* struct redir_packet: received, not asked for yet */
    GQueue requests; /* struct usb_request, by link: asked for, not received yet */
};

struct redir_packet {
    enum usb_status status;
    uint32_t size;
    uint8_t data[];
};

struct redir_device {
    struct usb_device device; /* must be first */
    char *address;
    struct usbredirparser *parser;
    struct peer *peer;    /* NULL: over */
    const uint8_t *input; /* what was received and not parsed yet */
    size_t input_size;
    uint64_t next_id;
    uint16_t vendor, product;

    GMutex lock; /* of what follows */
    bool gone;
    unsigned count;                 /* requests in all of the places below */
    GQueue out;                     /* struct redir_message: to be sent from the main loop */
    GHashTable *pending;            /* id to struct usb_request: sent, not answered */
    uint8_t types[REDIR_ENDPOINTS]; /* usb_redir_type_* */
    uint32_t max_streams[REDIR_ENDPOINTS];
    struct redir_stream streams[REDIR_ENDPOINTS];

    GSource *source;   /* sends what is out, and tells; NULL once released */
    GSource *patience; /* until it has said what it is */
    bool connected;    /* it has; main loop */
    bool told_ready, told_gone;
    void (*ready)(void *opaque, const GError *error);
    void (*when_gone)(void *opaque);
    void *opaque;
};

struct redir_message {
    enum { REDIR_REQUEST, REDIR_CANCEL, REDIR_RESET, REDIR_STREAMS } kind;
    struct usb_request *request;
    uint64_t id;      /* to cancel */
    uint8_t endpoint; /* of streams */
    unsigned count;
};

static inline unsigned redir_index(uint8_t endpoint)
{
    return (endpoint & 0x0f) | (endpoint & USB_DIR_IN ? 16 : 0);
}

static inline bool redir_is_in(const struct usb_request *request)
{
    return (request->endpoint == 0 ? request->setup.request_type : request->endpoint) & USB_DIR_IN;
}

/* Under the lock: whether the endpoint sends or takes without an answer to each request. */
static inline bool redir_is_stream(const struct redir_device *redir, uint8_t endpoint)
{
    uint8_t type = redir->types[redir_index(endpoint)];

    return (endpoint & 0x0f) != 0 &&
           (type == usb_redir_type_iso ||
            (type == usb_redir_type_interrupt && (endpoint & USB_DIR_IN)));
}

/* redir.c; main loop */
void redir_set_gone(struct redir_device *redir);
void redir_set_connected(struct redir_device *redir, uint8_t speed);
enum usb_status redir_status(uint8_t status);

/* send.c; main loop. Hands to the parser what waits to be sent. */
void redir_send(struct redir_device *redir);

/* receive.c; main loop */
void redir_receive_init(struct redir_device *redir); /* sets the parser's callbacks */
/* Ends the requests that wait for what an endpoint sends by itself. */
void redir_drop_stream(struct redir_device *redir, unsigned index, enum usb_status status);

#endif
