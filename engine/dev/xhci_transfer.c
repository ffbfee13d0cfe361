/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest is told of a transfer: events for its TRBs, with what was moved. 4.10, 4.11.3. */
#include "engine/dev/xhci_internal.h"

#define EVENT_LENGTH_MASK 0xffffff

void xhci_transfer_event(struct xhci_endpoint *endpoint, const struct xhci_td_trb *at,
                         enum xhci_code code, uint32_t length)
{
    bool data = trb_type(&at->trb) == TRB_EVENT_DATA;
    const struct trb event = {
        .parameter = data ? at->trb.parameter : at->address,
        .status = (uint32_t)code << 24 | (length & EVENT_LENGTH_MASK),
        .control = TRB_TRANSFER_EVENT << 10 | (data ? TRB_EVENT_IS_DATA : 0) |
                   (uint32_t)endpoint->id << 16 | (uint32_t)endpoint->slot->id << 24,
    };
    bool failed = code != CODE_SUCCESS && code != CODE_SHORT_PACKET;

    xhci_event(endpoint->slot->xhci, trb_interrupter(&at->trb), &event,
               !failed && (at->trb.control & TRB_BEI));
}

static bool moves_data(const struct xhci_td_trb *at)
{
    unsigned type = trb_type(&at->trb);

    return type == TRB_NORMAL || type == TRB_DATA || type == TRB_ISOCH;
}

/* Bytes of a TRB that the transfer had to move. */
static uint32_t size_of(const struct xhci_transfer *t, unsigned index)
{
    if (!moves_data(&t->trbs[index]))
        return 0;
    return trb_length(&t->trbs[index].trb) - (index == 0 ? t->start.skip : 0);
}

/* The TRB at which it failed after so many bytes: the one not done, or else the last that does
 * anything. */
static unsigned failed_at(const struct xhci_transfer *t, uint32_t actual)
{
    unsigned last = 0;

    for (unsigned i = 0; i < t->trb_count; i++) {
        uint32_t size = size_of(t, i);

        if (actual < size)
            return i;
        actual -= size;
        if (trb_type(&t->trbs[i].trb) != TRB_EVENT_DATA && trb_type(&t->trbs[i].trb) != TRB_LINK)
            last = i;
    }
    return last;
}

/* 4.10.1: a short packet is told at its TRB, if that wants it; the rest of its TD is passed over
 * but for event data, which tell it too. */
void xhci_transfer_report(struct xhci_transfer *t, enum xhci_code code, uint32_t actual)
{
    unsigned end = code != CODE_SUCCESS ? failed_at(t, actual) : t->trb_count;
    uint32_t left = actual, event_length = t->start.moved + t->start.skip;
    bool is_short = false, told = false;

    for (unsigned i = 0; i < t->trb_count; i++) {
        const struct xhci_td_trb *at = &t->trbs[i];
        uint32_t size = size_of(t, i), moved = MIN(left, size);
        bool ioc = at->trb.control & TRB_IOC;

        if (trb_type(&at->trb) == TRB_STATUS)
            is_short = told = false;
        left -= moved;
        event_length += moved;
        if (i == end) {
            xhci_transfer_event(t->endpoint, at, code, size - moved);
            return;
        }
        if (trb_type(&at->trb) == TRB_EVENT_DATA) {
            if (ioc)
                xhci_transfer_event(t->endpoint, at, is_short ? CODE_SHORT_PACKET : CODE_SUCCESS,
                                    event_length);
            event_length = 0;
        } else if (moved < size) {
            is_short = true;
            if (!told && (ioc || (at->trb.control & TRB_ISP)))
                xhci_transfer_event(t->endpoint, at, CODE_SHORT_PACKET, size - moved);
            told |= ioc || (at->trb.control & TRB_ISP);
        } else if (ioc && !is_short) {
            xhci_transfer_event(t->endpoint, at, CODE_SUCCESS, 0);
        }
    }
}

void xhci_transfer_written(struct xhci_transfer *t, uint32_t actual)
{
    bool in = t->endpoint->type == ENDPOINT_CONTROL ? t->request.setup.request_type & USB_DIR_IN
                                                    : xhci_endpoint_is_in(t->endpoint);

    for (unsigned i = 0; in && i < t->trb_count && actual > 0; i++) {
        uint32_t moved = MIN(actual, size_of(t, i));

        if (moved > 0)
            guest_memory_written(xhci_memory(t->xhci),
                                 t->trbs[i].trb.parameter + (i == 0 ? t->start.skip : 0), moved);
        actual -= moved;
    }
}
