/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transfer descriptors: the TRBs on a transfer ring that make one request to the device (4.11.2),
 * gathered, checked, and turned into a list of host memory. A control transfer is three of them,
 * setup, data and status, and one request.
 */
#include <string.h>

#include "core/log.h"
#include "engine/dev/xhci_internal.h"

#define IMMEDIATE_MAX 8
#define SETUP_SIZE 8
#define PAGE 4096

/* Where the checks of a TD stand. */
enum stage { STAGE_NONE, STAGE_SETUP, STAGE_DATA, STAGE_STATUS, STAGE_NORMAL };

static void request_done_never(struct usb_request *request)
{
}

static struct xhci_transfer *transfer_new(struct xhci_endpoint *endpoint,
                                          struct xhci_stream *stream, const struct xhci_ring *ring)
{
    struct xhci_transfer *t = g_new(struct xhci_transfer, 1);

    memset(t, 0, offsetof(struct xhci_transfer, inline_trbs));
    t->request.done = request_done_never;
    t->xhci = endpoint->slot->xhci;
    t->endpoint = endpoint;
    t->stream = stream;
    t->link.data = t;
    t->start = t->end = *ring;
    t->trbs = t->inline_trbs;
    t->trb_capacity = XHCI_INLINE_TRBS;
    t->request.iov = t->inline_iov;
    t->iov_capacity = XHCI_INLINE_IOV;
    return t;
}

void xhci_transfer_free(struct xhci_transfer *t)
{
    struct xhci_slot *slot = t->endpoint->slot;

    /* The slot's reference stays, so this one is not the last; else it may be. */
    if (t->request.device != NULL && t->request.device == slot->device)
        usb_device_unref(t->request.device);
    else
        xhci_unref_later(t->xhci, t->request.device);
    if (t->trbs != t->inline_trbs) {
        t->xhci->held_trbs -= t->trb_capacity;
        g_free(t->trbs);
    }
    if (t->request.iov != t->inline_iov)
        g_free(t->request.iov);
    if (t->xhci->starved) {
        t->xhci->starved = false;
        xhci_kick_later(t->xhci);
    }
    g_free(t);
}

static bool append(struct xhci_transfer *t, const struct trb *trb, uint64_t address)
{
    if (t->trb_count == XHCI_TD_MAX_TRBS)
        return false;
    if (t->trb_count == t->trb_capacity) {
        unsigned capacity = MIN(t->trb_capacity * 4, XHCI_TD_MAX_TRBS);
        struct xhci_td_trb *grown = g_try_new(struct xhci_td_trb, capacity);

        if (grown == NULL)
            return false;
        memcpy(grown, t->trbs, t->trb_count * sizeof(*grown));
        if (t->trbs != t->inline_trbs) {
            t->xhci->held_trbs -= t->trb_capacity;
            g_free(t->trbs);
        }
        t->xhci->held_trbs += capacity;
        t->trbs = grown;
        t->trb_capacity = capacity;
    }
    t->trbs[t->trb_count++] = (struct xhci_td_trb){address, *trb};
    return true;
}

/* The order of stages: 4.11.2.2 for control, 4.11.2.1 and 4.11.2.3 for the others. */
static bool check_type(const struct xhci_transfer *t, const struct trb *trb, enum stage *stage)
{
    enum endpoint_type type = t->endpoint->type;
    bool first = t->trb_count == 1, isoch = xhci_endpoint_is_isoch(t->endpoint);

    switch (trb_type(trb)) {
    case TRB_SETUP:
        *stage = STAGE_SETUP;
        return type == ENDPOINT_CONTROL && first && (trb->control & TRB_IDT) &&
               trb_length(trb) == SETUP_SIZE;
    case TRB_DATA:
        if (*stage != STAGE_SETUP)
            return false;
        *stage = STAGE_DATA;
        return true;
    case TRB_STATUS:
        if (*stage != STAGE_SETUP && *stage != STAGE_DATA)
            return false;
        *stage = STAGE_STATUS;
        return true;
    case TRB_NORMAL:
        if (type == ENDPOINT_CONTROL)
            return *stage == STAGE_DATA;
        /* The rest of an isochronous TD that was stopped in the middle may begin so. */
        if (isoch && first && t->start.moved == 0)
            return false;
        *stage = STAGE_NORMAL;
        return true;
    case TRB_ISOCH:
        *stage = STAGE_NORMAL;
        return isoch && first;
    case TRB_NO_OP:
        return first;
    case TRB_EVENT_DATA:
    case TRB_LINK:
        return true;
    default:
        return false;
    }
}

static bool is_last(const struct xhci_transfer *t, const struct trb *trb, enum stage stage)
{
    if (trb_type(trb) == TRB_LINK)
        return t->trb_count == 1;
    if (trb->control & TRB_CHAIN)
        return false;
    return stage != STAGE_SETUP && stage != STAGE_DATA;
}

static bool moves_data(const struct trb *trb)
{
    unsigned type = trb_type(trb);

    return type == TRB_NORMAL || type == TRB_DATA || type == TRB_ISOCH;
}

/* Appends memory of one TRB, from its byte offset on. */
static bool append_memory(struct xhci_transfer *t, struct xhci_td_trb *at, uint32_t offset,
                          uint32_t size, bool to_guest)
{
    struct usb_request *request = &t->request;
    struct memory_map *memory = xhci_memory(t->xhci);
    unsigned capacity = request->iov_count + size / PAGE + 2;
    struct iovec *grown;

    if (at->trb.control & TRB_IDT) { /* 4.11.7 */
        if (to_guest || offset + size > IMMEDIATE_MAX || request->iov_count == t->iov_capacity)
            return false;
        request->iov[request->iov_count++] =
            (struct iovec){(uint8_t *)&at->trb.parameter + offset, size};
        return true;
    }
    if (guest_memory_iov(memory, at->trb.parameter + offset, size, to_guest, request->iov,
                         &request->iov_count, t->iov_capacity))
        return true;
    if (capacity <= t->iov_capacity)
        return false;
    capacity = MAX(capacity, t->iov_capacity * 2);
    grown = g_try_new(struct iovec, capacity);
    if (grown == NULL)
        return false;
    memcpy(grown, request->iov, request->iov_count * sizeof(*grown));
    if (request->iov != t->inline_iov)
        g_free(request->iov);
    request->iov = grown;
    t->iov_capacity = capacity;
    return guest_memory_iov(memory, at->trb.parameter + offset, size, to_guest, request->iov,
                            &request->iov_count, t->iov_capacity);
}

/* Memory for up to length bytes of the TD. */
static bool map(struct xhci_transfer *t, uint32_t length, bool to_guest)
{
    for (unsigned i = 0; i < t->trb_count && length > 0; i++) {
        struct xhci_td_trb *at = &t->trbs[i];
        uint32_t offset = i == 0 ? t->start.skip : 0, size;

        if (!moves_data(&at->trb))
            continue;
        size = MIN(trb_length(&at->trb) - offset, length);
        if (size > 0 && !append_memory(t, at, offset, size, to_guest)) {
            log_guest("xhci",
                      "slot %u, endpoint %u: the data at %#" G_GINT64_MODIFIER
                      "x cannot be reached",
                      t->endpoint->slot->id, t->endpoint->id, at->trb.parameter);
            return false;
        }
        length -= size;
    }
    return length == 0;
}

static uint64_t sum(const struct xhci_transfer *t)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < t->trb_count; i++)
        if (moves_data(&t->trbs[i].trb))
            bytes += trb_length(&t->trbs[i].trb);
    return bytes;
}

/* The request of a control transfer: its data stage has the direction and, at least, the length
 * that the setup packet says. */
static bool prepare_control(struct xhci_transfer *t, uint64_t bytes)
{
    struct usb_request *request = &t->request;
    uint64_t packet = t->trbs[0].trb.parameter;
    bool in = packet & USB_DIR_IN;

    request->setup = (struct usb_setup){.request_type = packet,
                                        .request = packet >> 8,
                                        .value = packet >> 16,
                                        .index = packet >> 32,
                                        .length = packet >> 48};
    request->length = request->setup.length;
    if (request->length > bytes)
        return false;
    for (unsigned i = 1; i < t->trb_count; i++) {
        const struct trb *trb = &t->trbs[i].trb;

        if (trb_type(trb) == TRB_DATA && request->length > 0 &&
            ((trb->control & TRB_DIR_IN) != 0) != in)
            return false;
    }
    return map(t, request->length, in);
}

static bool prepare(struct xhci_transfer *t)
{
    struct usb_request *request = &t->request;
    const struct trb *first = &t->trbs[0].trb;
    uint64_t bytes = sum(t);

    t->moves_data = moves_data(first) || trb_type(first) == TRB_SETUP;
    if (!t->moves_data)
        return bytes == 0;
    if (bytes > USB_REQUEST_MAX || t->start.skip > trb_length(first))
        return false;
    request->endpoint = xhci_endpoint_address(t->endpoint->id);
    request->stream = t->stream != NULL ? t->stream->id : 0;
    request->isochronous = xhci_endpoint_is_isoch(t->endpoint);
    request->opaque = t;
    if (t->endpoint->type == ENDPOINT_CONTROL)
        return t->endpoint->id == 1 && prepare_control(t, bytes);
    request->length = bytes - t->start.skip;
    return map(t, request->length, xhci_endpoint_is_in(t->endpoint));
}

/* Reads on until the TD is whole. */
static enum xhci_fetched gather(struct xhci_transfer *t, bool *ret_bad)
{
    enum stage stage = STAGE_NONE;

    for (;;) {
        struct trb trb;
        uint64_t address;
        enum xhci_fetched fetched = xhci_ring_fetch(xhci_memory(t->xhci), &t->end, &trb, &address);

        *ret_bad = fetched == FETCHED_LOOP;
        if (fetched != FETCHED_TRB && fetched != FETCHED_LINK)
            return fetched;
        t->end.skip = t->end.moved = 0;
        *ret_bad = !append(t, &trb, address) || !check_type(t, &trb, &stage);
        if (*ret_bad || is_last(t, &trb, stage))
            return FETCHED_TRB;
    }
}

struct xhci_transfer *xhci_td_gather(struct xhci_endpoint *endpoint, struct xhci_stream *stream,
                                     struct xhci_ring *ring, enum xhci_code *ret_code)
{
    struct xhci_transfer *t = transfer_new(endpoint, stream, ring);
    bool bad;
    enum xhci_fetched fetched = gather(t, &bad);

    if (fetched == FETCHED_FAULT)
        xhci_host_error(t->xhci, "transfer ring", t->end.dequeue);
    if (fetched == FETCHED_EMPTY && t->trb_count == 0)
        *ring = t->end; /* links lie behind it */
    if (fetched == FETCHED_FAULT || fetched == FETCHED_EMPTY) {
        *ret_code = fetched == FETCHED_EMPTY ? CODE_SUCCESS : CODE_NONE;
        xhci_transfer_free(t);
        return NULL;
    }
    if (t->trb_count == 0) { /* a loop of links: its place is what can be told */
        const struct trb link = {.control = TRB_LINK << 10};

        append(t, &link, t->end.dequeue);
    }
    if (bad || !prepare(t)) {
        log_guest("xhci", "slot %u, endpoint %u: the TD at %#" G_GINT64_MODIFIER "x makes no sense",
                  endpoint->slot->id, endpoint->id, t->trbs[0].address);
        t->failed = CODE_TRB_ERROR;
    }
    return t;
}

struct xhci_ring xhci_td_position(const struct xhci_transfer *t, uint32_t moved)
{
    uint32_t before = t->start.moved;

    if (moved == 0 || t->endpoint->type == ENDPOINT_CONTROL)
        return t->start;
    for (unsigned i = 0; i < t->trb_count; i++) {
        const struct xhci_td_trb *at = &t->trbs[i];
        uint32_t offset = i == 0 ? t->start.skip : 0, size;

        if (trb_type(&at->trb) == TRB_EVENT_DATA)
            before = 0;
        if (!moves_data(&at->trb))
            continue;
        size = trb_length(&at->trb);
        if (moved < size - offset)
            return (struct xhci_ring){.dequeue = at->address,
                                      .cycle = at->trb.control & TRB_CYCLE,
                                      .skip = offset + moved,
                                      .moved = before};
        moved -= size - offset;
        before += size;
    }
    return t->end;
}
