/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Endpoints: their states (4.8.3), doorbells (4.7), requests on their way to the device and back,
 * and the commands on one endpoint (4.6.8 to 4.6.10).
 */
#include <string.h>

#include "core/log.h"
#include "engine/dev/xhci_internal.h"

#define STATE_MASK 0x7u
#define SET_ADDRESS 5 /* USB 2.0, 9.4.6 */
#define DCS 0x1
#define POINTER_MASK (~UINT64_C(0xf))

/* Isochronous: a TD whose frame is past by more than this is missed (4.11.2.5): what a guest's own
 * time on a busy host lags behind. */
#define LATE_FRAMES 10
#define FRAME_IDS 2048
#define FRAMES_AHEAD 895
#define FRAME_NS (8 * XHCI_MICROFRAME_NS)

static uint64_t now(const struct xhci_endpoint *endpoint)
{
    return clock_now(endpoint->slot->xhci->pci.board->clock);
}

static struct xhci_ring *ring_of(const struct xhci_transfer *t)
{
    return t->stream != NULL ? &t->stream->ring : &t->endpoint->ring;
}

static void settle(struct xhci_endpoint *endpoint);

/* Isochronous transfers are reported when their time has passed. */
static void on_due(void *opaque)
{
    struct xhci_endpoint *endpoint = opaque;
    struct xhci *xhci = endpoint->slot->xhci;

    settle(endpoint);
    xhci_endpoint_run(endpoint);
    xhci_update_interrupts(xhci);
}

struct xhci_endpoint *xhci_endpoint_new(struct xhci_slot *slot, unsigned id,
                                        const uint32_t *context)
{
    struct xhci_endpoint *endpoint = g_new0(struct xhci_endpoint, 1);

    endpoint->slot = slot;
    endpoint->id = id;
    endpoint->type = context[1] >> 3 & 7;
    endpoint->state = ENDPOINT_RUNNING;
    memcpy(endpoint->context, context, sizeof(endpoint->context));
    endpoint->ring.dequeue = (context[2] & POINTER_MASK) | (uint64_t)context[3] << 32;
    endpoint->ring.cycle = context[2] & DCS;
    if ((context[0] >> 10 & 0x1f) != 0)
        endpoint->streams = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    vm_timer_init(&endpoint->timer, slot->xhci->pci.board->clock, on_due, endpoint);
    return endpoint;
}

void xhci_endpoint_free(struct xhci_endpoint *endpoint)
{
    vm_timer_cancel(&endpoint->timer);
    if (endpoint->streams != NULL)
        g_hash_table_destroy(endpoint->streams);
    g_free(endpoint);
}

/* 6.2.3: with streams, where the rings stand is in their contexts. */
void xhci_endpoint_write_context(struct xhci_endpoint *endpoint)
{
    struct xhci_slot *slot = endpoint->slot;
    uint64_t at = slot->context_address + (uint64_t)endpoint->id * CONTEXT_SIZE;

    endpoint->context[0] = (endpoint->context[0] & ~STATE_MASK) | endpoint->state;
    if (endpoint->streams == NULL) {
        endpoint->context[2] = endpoint->ring.dequeue | endpoint->ring.cycle;
        endpoint->context[3] = endpoint->ring.dequeue >> 32;
    }
    if (slot->context_address != 0 && pci_device_is_master(&slot->xhci->pci) &&
        !xhci_write_words(xhci_memory(slot->xhci), at, endpoint->context, CONTEXT_WORDS))
        xhci_host_error(slot->xhci, "device context", at);
}

static void set_state(struct xhci_endpoint *endpoint, enum endpoint_state state)
{
    endpoint->state = state;
    xhci_endpoint_write_context(endpoint);
}

/*
 * Requests taken back.
 */

static void at_device(struct xhci_transfer *t, int change)
{
    t->pending = change > 0;
    t->endpoint->in_flight += change;
    t->xhci->in_flight += change;
}

/* A device may say more than can be. */
static uint32_t actual_of(const struct xhci_transfer *t)
{
    return MIN(t->request.actual, t->request.length);
}

/* The ring stands at the transfer again, behind what it has moved. */
static void rewind_to(struct xhci_transfer *t, uint32_t moved)
{
    *ring_of(t) = xhci_td_position(t, moved);
    if (t->stream != NULL)
        t->stream->rung = true;
    else
        t->endpoint->rung = true;
}

static void forget(struct xhci_transfer *t)
{
    g_queue_unlink(&t->endpoint->transfers, &t->link);
    xhci_transfer_free(t);
}

/* 4.6.9: a TD in progress is told of with the place where it stopped. */
static void tell_stopped(struct xhci_transfer *t)
{
    struct xhci_ring at = xhci_td_position(t, actual_of(t));

    for (unsigned i = 0; i < t->trb_count; i++)
        if (t->trbs[i].address == at.dequeue && trb_type(&t->trbs[i].trb) != TRB_EVENT_DATA)
            xhci_transfer_event(t->endpoint, &t->trbs[i], CODE_STOPPED,
                                trb_length(&t->trbs[i].trb) - at.skip);
}

/* Takes back what the device gives, last first, so that none of them overtakes another. The rest
 * stays, to come back by itself, or, drop, is left to do so unheard. */
static void take_back(struct xhci_endpoint *endpoint, bool drop, bool tell)
{
    GList *previous;

    for (GList *l = endpoint->transfers.tail; l != NULL; l = previous) {
        struct xhci_transfer *t = l->data;

        previous = l->prev;
        if (t->pending && usb_device_cancel(t->request.device, &t->request)) {
            at_device(t, -1);
            t->completed = t->request.status != USB_CANCELLED;
        }
        if (!t->pending && !t->completed) {
            xhci_transfer_written(t, actual_of(t));
            rewind_to(t, actual_of(t));
            if (tell && previous == NULL && t->stream == NULL)
                tell_stopped(t);
            forget(t);
        } else if (drop && t->pending) {
            t->dropped = true;
            rewind_to(t, 0);
            g_queue_unlink(&endpoint->transfers, &t->link);
        } else if (drop) {
            rewind_to(t, 0);
            forget(t);
        } else if (!t->pending) {
            t->due = 0;
        }
    }
    vm_timer_cancel(&endpoint->timer);
}

void xhci_endpoint_stop(struct xhci_endpoint *endpoint, bool tell)
{
    endpoint->next_frame = 0;
    take_back(endpoint, false, tell);
    settle(endpoint);
}

void xhci_endpoint_drop(struct xhci_endpoint *endpoint)
{
    endpoint->state = ENDPOINT_DISABLED;
    take_back(endpoint, true, false);
}

/* 4.10.2.1: the endpoint stops at the TD that failed, and so do those behind it. */
static void halt(struct xhci_endpoint *endpoint, enum xhci_code code)
{
    take_back(endpoint, true, false);
    set_state(endpoint, code == CODE_TRB_ERROR ? ENDPOINT_ERROR : ENDPOINT_HALTED);
    xhci_streams_write_back(endpoint);
}

void xhci_endpoint_fail(struct xhci_endpoint *endpoint)
{
    struct xhci_transfer *first = g_queue_peek_head(&endpoint->transfers);

    if (first == NULL)
        return;
    if (endpoint->state == ENDPOINT_RUNNING)
        xhci_transfer_event(endpoint, &first->trbs[0], CODE_TRANSACTION_ERROR,
                            trb_length(&first->trbs[0].trb));
    if (xhci_endpoint_is_isoch(endpoint))
        take_back(endpoint, true, false);
    else
        halt(endpoint, CODE_TRANSACTION_ERROR);
}

/*
 * Requests that are through.
 */

static enum xhci_code code_of(const struct xhci_transfer *t)
{
    if (t->failed != CODE_NONE)
        return t->failed;
    switch (t->request.status) {
    case USB_OK:
        return CODE_SUCCESS;
    case USB_STALL:
        return CODE_STALL;
    case USB_BABBLE:
        return CODE_BABBLE;
    case USB_ERROR:
    case USB_NO_DEVICE:
    case USB_CANCELLED:
        break;
    }
    return CODE_TRANSACTION_ERROR;
}

/* Tells of a transfer and frees it. False: the endpoint has halted. */
static bool conclude(struct xhci_transfer *t)
{
    struct xhci_endpoint *endpoint = t->endpoint;
    enum xhci_code code = code_of(t);
    struct xhci_ring *ring = ring_of(t);
    uint32_t actual = actual_of(t);
    struct xhci_ring at = xhci_td_position(t, actual);
    bool isoch = xhci_endpoint_is_isoch(endpoint);

    g_queue_unlink(&endpoint->transfers, &t->link);
    xhci_transfer_written(t, actual);
    xhci_transfer_report(t, code, actual);
    xhci_transfer_free(t);
    if (code == CODE_SUCCESS || (isoch && code != CODE_TRB_ERROR))
        return true;
    halt(endpoint, code);
    *ring = at;
    set_state(endpoint, endpoint->state);
    return false;
}

/* Whether no other transfer of the same ring is before it. */
static bool is_first(const struct xhci_transfer *t)
{
    for (const GList *l = t->link.prev; l != NULL; l = l->prev)
        if (((const struct xhci_transfer *)l->data)->stream == t->stream)
            return false;
    return true;
}

/* Concludes what has completed, in the order of each ring. */
static void settle(struct xhci_endpoint *endpoint)
{
    GList *next;

    for (GList *l = endpoint->transfers.head; l != NULL; l = next) {
        struct xhci_transfer *t = l->data;

        next = l->next;
        if (endpoint->streams == NULL && !t->completed)
            return;
        if (!t->completed || !is_first(t))
            continue;
        if (t->due > 0 && t->due > now(endpoint)) {
            vm_timer_set(&endpoint->timer, t->due);
            return;
        }
        if (!conclude(t))
            return;
    }
}

/* On a thread of the device's, without the lock. */
static void request_done(struct usb_request *request)
{
    struct xhci_transfer *t = (struct xhci_transfer *)request;
    struct xhci_endpoint *endpoint = t->endpoint;
    struct xhci *xhci = t->xhci;
    GMutex *lock = &xhci->pci.board->lock;

    g_mutex_lock(lock);
    t->pending = false;
    t->completed = true;
    endpoint->in_flight--;
    if (t->dropped)
        xhci_transfer_free(t);
    else
        settle(endpoint);
    xhci_endpoint_run(endpoint);
    xhci_request_gone(xhci); /* may free the endpoint */
    xhci_update_interrupts(xhci);
    g_mutex_unlock(lock);
}

/*
 * Requests on their way.
 */

/* 4.11.2.5: when an isochronous TD is served. False: its time is past. */
static bool schedule(struct xhci_transfer *t)
{
    struct xhci_endpoint *endpoint = t->endpoint;
    struct xhci *xhci = t->xhci;
    uint32_t control = t->trbs[0].trb.control;
    uint64_t interval = (uint64_t)XHCI_MICROFRAME_NS << MIN(endpoint->context[0] >> 16 & 0xff, 15);
    uint64_t time = now(endpoint), frame = xhci_microframe(xhci) / 8, ahead;
    uint64_t at = MAX(endpoint->next_frame, time);

    if (!(control & TRB_SIA) && trb_type(&t->trbs[0].trb) == TRB_ISOCH) {
        ahead = ((control >> 20 & (FRAME_IDS - 1)) - frame) % FRAME_IDS;
        if (ahead > FRAMES_AHEAD && FRAME_IDS - ahead > LATE_FRAMES)
            return false;
        if (ahead <= FRAMES_AHEAD)
            at = MAX(at, xhci->started_at + (frame + ahead) * FRAME_NS);
    }
    endpoint->next_frame = at + interval;
    t->due = at + interval;
    return true;
}

/* The device, as long as its bus lets it be reached. */
static struct usb_device *device_of(const struct xhci_slot *slot)
{
    unsigned root = slot->context[1] >> 16 & 0xff;

    if (root < 1 || root > XHCI_ROOT_PORTS || !(slot->xhci->roots[root - 1].portsc & PORT_PED))
        return NULL;
    return slot->device;
}

/* Ends at once what is no request. */
static bool ends_here(struct xhci_transfer *t)
{
    struct usb_request *request = &t->request;

    if (t->failed != CODE_NONE)
        return true;
    if (!t->moves_data) {
        request->status = USB_OK;
        return true;
    }
    if (request->isochronous && !schedule(t)) {
        t->failed = CODE_MISSED_SERVICE;
        return true;
    }
    if (device_of(t->endpoint->slot) == NULL) {
        request->status = USB_NO_DEVICE;
        return true;
    }
    if (t->endpoint->id == 1 && request->setup.request_type == 0 &&
        request->setup.request == SET_ADDRESS) {
        request->status = USB_STALL; /* the Address Device command is the way to do that */
        return true;
    }
    return false;
}

static void begin(struct xhci_transfer *t)
{
    struct xhci_slot *slot = t->endpoint->slot;

    g_queue_push_tail_link(&t->endpoint->transfers, &t->link);
    if (ends_here(t)) {
        t->completed = true;
        return;
    }
    t->request.done = request_done;
    /* From here on done may come: it waits for the lock. */
    if (usb_device_submit(usb_device_ref(slot->device), &t->request) == USB_SUBMIT_PENDING)
        at_device(t, 1);
    else
        t->completed = true;
}

static bool may_begin(const struct xhci_endpoint *endpoint)
{
    unsigned max = XHCI_MAX_IN_FLIGHT;

    if (endpoint->type == ENDPOINT_CONTROL)
        max = 1;
    else if (xhci_endpoint_is_isoch(endpoint))
        max = XHCI_MAX_ISOCH_IN_FLIGHT;
    return endpoint->state == ENDPOINT_RUNNING && endpoint->transfers.length < max &&
           xhci_is_running(endpoint->slot->xhci) && !xhci_events_blocked(endpoint->slot->xhci);
}

/* 4.10.3.1: an isochronous ring that is empty when the next TD's time comes. */
static void tell_underrun(struct xhci_endpoint *endpoint)
{
    const struct xhci_td_trb nowhere = {0};

    if (!xhci_endpoint_is_isoch(endpoint) || endpoint->underrun || endpoint->next_frame == 0 ||
        endpoint->transfers.length > 0)
        return;
    endpoint->underrun = true;
    endpoint->next_frame = 0;
    xhci_transfer_event(endpoint, &nowhere,
                        xhci_endpoint_is_in(endpoint) ? CODE_RING_OVERRUN : CODE_RING_UNDERRUN, 0);
}

/* The memory that TRBs of a guest take has an end; more begin when some have ended. */
static bool has_room(struct xhci *xhci)
{
    xhci->starved = xhci->held_trbs >= XHCI_MAX_HELD_TRBS;
    return !xhci->starved;
}

/* One turn of a ring: what is left is for the next. */
static void run_ring(struct xhci_endpoint *endpoint, struct xhci_stream *stream)
{
    struct xhci_ring *ring = stream != NULL ? &stream->ring : &endpoint->ring;
    bool *rung = stream != NULL ? &stream->rung : &endpoint->rung;

    for (unsigned done = 0; *rung && may_begin(endpoint) && has_room(endpoint->slot->xhci);) {
        enum xhci_code code;
        struct xhci_transfer *t;

        if (done >= XHCI_BATCH_TRBS) {
            xhci_kick_later(endpoint->slot->xhci);
            return;
        }
        t = xhci_td_gather(endpoint, stream, ring, &code);
        if (t == NULL) {
            *rung = false;
            break;
        }
        done += t->trb_count;
        *ring = t->end;
        begin(t);
        settle(endpoint);
    }
    if (!*rung)
        tell_underrun(endpoint);
}

void xhci_endpoint_run(struct xhci_endpoint *endpoint)
{
    GHashTableIter iter;
    gpointer stream;

    if (endpoint->running || endpoint->state != ENDPOINT_RUNNING)
        return;
    endpoint->running = true;
    if (endpoint->streams == NULL) {
        run_ring(endpoint, NULL);
    } else {
        g_hash_table_iter_init(&iter, endpoint->streams);
        while (g_hash_table_iter_next(&iter, NULL, &stream))
            run_ring(endpoint, stream);
    }
    endpoint->running = false;
}

void xhci_endpoints_run(struct xhci *xhci)
{
    for (unsigned i = 0; i < XHCI_SLOTS; i++)
        for (unsigned id = 1; id < XHCI_ENDPOINTS && xhci->slots[i].enabled; id++)
            if (xhci->slots[i].endpoints[id] != NULL)
                xhci_endpoint_run(xhci->slots[i].endpoints[id]);
}

void xhci_endpoint_doorbell(struct xhci *xhci, unsigned number, uint32_t value)
{
    struct xhci_slot *slot = xhci_slot(xhci, number);
    unsigned id = value & 0xff;
    struct xhci_endpoint *endpoint =
        slot != NULL && id >= 1 && id < XHCI_ENDPOINTS ? slot->endpoints[id] : NULL;
    struct xhci_stream *stream;

    if (endpoint == NULL) {
        log_guest("xhci", "a doorbell rings for endpoint %u of slot %u, which is not enabled", id,
                  number);
        return;
    }
    if (endpoint->state != ENDPOINT_RUNNING && endpoint->state != ENDPOINT_STOPPED)
        return;
    /* The command that stops it has not completed yet. */
    if (xhci->command.waiting && xhci->command.slot == slot && (xhci->command.wait_for & 1u << id))
        return;
    if (endpoint->streams == NULL) {
        endpoint->rung = true;
    } else if (xhci_stream_find(endpoint, value >> 16, &stream) == CODE_SUCCESS) {
        stream->rung = true;
    } else {
        log_guest("xhci", "slot %u, endpoint %u: there is no stream %u", number, id, value >> 16);
        return;
    }
    endpoint->underrun = false;
    if (endpoint->state == ENDPOINT_STOPPED)
        set_state(endpoint, ENDPOINT_RUNNING);
    xhci_endpoint_run(endpoint);
}

/*
 * Commands.
 */

static struct xhci_endpoint *command_endpoint(const struct xhci_command *command)
{
    unsigned id = trb_endpoint(&command->trb);

    return id >= 1 ? command->slot->endpoints[id] : NULL;
}

/* The endpoint of a command that is good in one state only. */
static enum xhci_code check(struct xhci_command *command, enum endpoint_state state)
{
    const struct xhci_endpoint *endpoint = command_endpoint(command);

    if (endpoint == NULL)
        return CODE_ENDPOINT_NOT_ENABLED;
    if (endpoint->state != state)
        return CODE_CONTEXT_STATE_ERROR;
    command->wait_for = 1u << endpoint->id;
    return CODE_SUCCESS;
}

enum xhci_code xhci_begin_stop_endpoint(struct xhci *xhci, struct xhci_command *command)
{
    enum xhci_code code = check(command, ENDPOINT_RUNNING);
    struct xhci_endpoint *endpoint = command_endpoint(command);

    if (code != CODE_SUCCESS)
        return code;
    endpoint->state = ENDPOINT_STOPPED;
    xhci_endpoint_stop(endpoint, true);
    return CODE_SUCCESS;
}

enum xhci_code xhci_finish_stop_endpoint(struct xhci *xhci, struct xhci_command *command)
{
    struct xhci_endpoint *endpoint = command_endpoint(command);

    if (endpoint->state != ENDPOINT_STOPPED)
        return CODE_CONTEXT_STATE_ERROR; /* the last request failed, and told so */
    set_state(endpoint, ENDPOINT_STOPPED);
    xhci_streams_write_back(endpoint);
    return CODE_SUCCESS;
}

enum xhci_code xhci_begin_reset_endpoint(struct xhci *xhci, struct xhci_command *command)
{
    return check(command, ENDPOINT_HALTED);
}

/* 4.6.8: the transfer's state is preserved for a retry, or begun anew. */
enum xhci_code xhci_finish_reset_endpoint(struct xhci *xhci, struct xhci_command *command)
{
    struct xhci_endpoint *endpoint = command_endpoint(command);

    if (!(command->trb.control & TRB_PRESERVE)) {
        endpoint->ring.skip = endpoint->ring.moved = 0;
        if (endpoint->id > 1 && endpoint->slot->device != NULL)
            usb_device_clear_halt(endpoint->slot->device, xhci_endpoint_address(endpoint->id));
    }
    set_state(endpoint, ENDPOINT_STOPPED);
    return CODE_SUCCESS;
}

enum xhci_code xhci_set_dequeue(struct xhci *xhci, struct xhci_command *command)
{
    struct xhci_endpoint *endpoint = command_endpoint(command);
    struct xhci_ring ring = {.dequeue = command->trb.parameter & POINTER_MASK,
                             .cycle = command->trb.parameter & DCS};
    struct xhci_stream *stream = NULL;
    enum xhci_code code;

    if (endpoint == NULL)
        return CODE_ENDPOINT_NOT_ENABLED;
    if (endpoint->state != ENDPOINT_STOPPED && endpoint->state != ENDPOINT_ERROR)
        return CODE_CONTEXT_STATE_ERROR;
    if (endpoint->streams == NULL) {
        endpoint->ring = ring;
    } else {
        code = xhci_stream_find(endpoint, trb_stream(&command->trb), &stream);
        if (code != CODE_SUCCESS)
            return code;
        stream->ring = ring;
        if (!xhci_stream_write_back(xhci, stream))
            return CODE_NONE;
    }
    set_state(endpoint, ENDPOINT_STOPPED);
    return CODE_SUCCESS;
}
