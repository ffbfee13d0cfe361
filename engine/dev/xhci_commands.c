/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command ring: 4.6. One command at a time, which may wait for requests to come back. */
#include <string.h>

#include "core/log.h"
#include "engine/dev/xhci_internal.h"

#define CRCR_RCS 0x1
#define CRCR_CS 0x2
#define CRCR_CA 0x4
#define CRCR_FLAGS 0x3f

#define PORT_BANDWIDTH_FREE 80 /* percent: nothing is reserved here (4.14.2) */

static void complete(struct xhci *xhci, enum xhci_code code, unsigned slot)
{
    const struct trb event = {.parameter = xhci->command.address,
                              .status = (uint32_t)code << 24,
                              .control = TRB_COMMAND_EVENT << 10 | slot << 24};

    xhci->command.waiting = false;
    xhci_event(xhci, 0, &event, false);
}

static enum xhci_code no_op(struct xhci *xhci, struct xhci_command *command)
{
    return CODE_SUCCESS;
}

/* 4.6.15: what is free of each root port, from byte 1 on. */
static enum xhci_code get_port_bandwidth(struct xhci *xhci, struct xhci_command *command)
{
    uint8_t context[(XHCI_ROOT_PORTS + 8) & ~7] = {0};
    uint64_t at = command->trb.parameter & ~UINT64_C(0xf);

    memset(context + 1, PORT_BANDWIDTH_FREE, XHCI_ROOT_PORTS);
    if (guest_memory_write(xhci_memory(xhci), at, context, sizeof(context)))
        return CODE_SUCCESS;
    xhci_host_error(xhci, "port bandwidth context", at);
    return CODE_NONE;
}

/* 4.6.16: a packet for the link of a USB 3 port. The link's other end acknowledges each header that
 * it receives (USB 3.2, 7.2.4.1), whatever it makes of it; devices here make nothing of them. */
static enum xhci_code force_header(struct xhci *xhci, struct xhci_command *command)
{
    unsigned number = command->trb.control >> 24; /* of a root port, where others have a slot's */
    uint32_t portsc;

    if (number <= XHCI_PORTS || number > XHCI_ROOT_PORTS)
        return CODE_TRB_ERROR;
    portsc = xhci->roots[number - 1].portsc;
    if (!(portsc & PORT_PED) || (portsc & PORT_PLS_MASK) >> PORT_PLS_SHIFT != LINK_U0)
        return CODE_TRANSACTION_ERROR;
    return CODE_SUCCESS;
}

/* What there is besides Enable Slot. A command has a second half if its first may have to wait. Not
 * there, and not said to be in HCCPARAMS1: bandwidth negotiation (BNC), latency tolerance (LTC),
 * virtual functions' events, extended properties (GSC): such a command is a TRB error. */
static const struct {
    enum trb_type type;
    bool needs_slot;
    enum xhci_code (*begin)(struct xhci *xhci, struct xhci_command *command);
    enum xhci_code (*finish)(struct xhci *xhci, struct xhci_command *command);
} kinds[] = {
    {TRB_NO_OP_COMMAND, false, no_op, NULL},
    {TRB_DISABLE_SLOT, true, xhci_begin_disable_slot, xhci_finish_disable_slot},
    {TRB_ADDRESS_DEVICE, true, xhci_begin_address_device, xhci_finish_address_device},
    {TRB_CONFIGURE_ENDPOINT, true, xhci_begin_configure, xhci_finish_configure},
    {TRB_EVALUATE_CONTEXT, true, xhci_evaluate_context, NULL},
    {TRB_RESET_ENDPOINT, true, xhci_begin_reset_endpoint, xhci_finish_reset_endpoint},
    {TRB_STOP_ENDPOINT, true, xhci_begin_stop_endpoint, xhci_finish_stop_endpoint},
    {TRB_SET_DEQUEUE, true, xhci_set_dequeue, NULL},
    {TRB_RESET_DEVICE, true, xhci_begin_reset_device, xhci_finish_reset_device},
    {TRB_GET_PORT_BANDWIDTH, false, get_port_bandwidth, NULL},
    {TRB_FORCE_HEADER, false, force_header, NULL},
};

static bool must_wait(const struct xhci_command *command)
{
    for (unsigned id = 1; id < XHCI_ENDPOINTS; id++) {
        const struct xhci_endpoint *endpoint = command->slot->endpoints[id];

        if ((command->wait_for & 1u << id) && endpoint != NULL && endpoint->in_flight > 0)
            return true;
    }
    return false;
}

/* The second half, once what the first half stopped is back. */
static void try_finish(struct xhci *xhci)
{
    struct xhci_command *command = &xhci->command;
    enum xhci_code code = CODE_TRB_ERROR;

    if (must_wait(command))
        return;
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (kinds[i].type == trb_type(&command->trb) && kinds[i].finish != NULL)
            code = kinds[i].finish(xhci, command);
    if (code != CODE_NONE)
        complete(xhci, code, trb_slot(&command->trb));
}

static void execute(struct xhci *xhci)
{
    struct xhci_command *command = &xhci->command;
    enum trb_type type = trb_type(&command->trb);
    unsigned slot = trb_slot(&command->trb);
    enum xhci_code code;

    command->wait_for = 0;
    command->slot = xhci_slot(xhci, slot);
    if (type == TRB_ENABLE_SLOT) {
        code = xhci_enable_slot(xhci, &slot);
        complete(xhci, code, slot);
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (kinds[i].type != type)
            continue;
        code = kinds[i].needs_slot && command->slot == NULL ? CODE_SLOT_NOT_ENABLED
                                                            : kinds[i].begin(xhci, command);
        if (code == CODE_SUCCESS && kinds[i].finish != NULL) {
            command->waiting = true;
            try_finish(xhci);
        } else if (code != CODE_NONE) {
            complete(xhci, code, slot);
        }
        return;
    }
    log_guest("xhci", "there is no command of type %u", type);
    complete(xhci, CODE_TRB_ERROR, slot);
}

void xhci_commands_run(struct xhci *xhci)
{
    if (!xhci->command_rung || !xhci_is_running(xhci))
        return;
    xhci->command_running = true;
    for (unsigned budget = XHCI_BATCH_TRBS; budget > 0; budget--) {
        struct xhci_ring ring = xhci->command_ring;
        enum xhci_fetched fetched;

        if (xhci->command.waiting || !xhci->command_running || xhci_events_blocked(xhci))
            return;
        fetched =
            xhci_ring_fetch(xhci_memory(xhci), &ring, &xhci->command.trb, &xhci->command.address);
        if (fetched == FETCHED_FAULT || fetched == FETCHED_LOOP) {
            xhci_host_error(xhci, "command ring", ring.dequeue);
            return;
        }
        xhci->command_ring = ring;
        if (fetched == FETCHED_EMPTY) {
            xhci->command_rung = false;
            return;
        }
        if (fetched == FETCHED_LINK)
            complete(xhci, CODE_SUCCESS, 0);
        else
            execute(xhci);
    }
    xhci_kick_later(xhci);
}

void xhci_command_continue(struct xhci *xhci)
{
    if (!xhci->command.waiting || !xhci_is_running(xhci))
        return;
    try_finish(xhci);
    if (!xhci->command.waiting)
        xhci_commands_run(xhci);
}

static void stop_ring(struct xhci *xhci)
{
    const struct trb event = {.parameter = xhci->command_ring.dequeue,
                              .status = (uint32_t)CODE_COMMAND_RING_STOPPED << 24,
                              .control = TRB_COMMAND_EVENT << 10};

    xhci->command_running = xhci->command_rung = false;
    xhci_event(xhci, 0, &event, false);
}

/* 4.6.1.1, 4.6.1.2: stop after, or abort, the command under way; when the ring stands, set it. What
 * an aborted command has begun goes on, but nothing is reported of it. */
void xhci_command_write(struct xhci *xhci, uint64_t value)
{
    xhci->crcr = value & ~(uint64_t)(CRCR_FLAGS & ~CRCR_RCS);
    if (!xhci->command_running) {
        xhci->command_ring.dequeue = value & ~(uint64_t)CRCR_FLAGS;
        xhci->command_ring.cycle = value & CRCR_RCS;
        return;
    }
    if (!(value & (CRCR_CS | CRCR_CA)))
        return;
    if (xhci->command.waiting)
        complete(xhci, CODE_COMMAND_ABORTED, trb_slot(&xhci->command.trb));
    stop_ring(xhci);
}

void xhci_commands_stop(struct xhci *xhci)
{
    xhci->command_running = xhci->command_rung = false;
    xhci->command.waiting = false;
}
