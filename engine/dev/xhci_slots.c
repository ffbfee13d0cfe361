/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device slots: their states (4.5.3) and the commands that change them, with the contexts by which
 * guest and controller tell each other of devices and endpoints (6.2).
 */
#include <string.h>

#include "core/log.h"
#include "engine/dev/xhci_internal.h"

#define CONFIG_MAX_SLOTS 0xff
#define POINTER_MASK (~UINT64_C(0x3f))
#define INPUT_MASK (~UINT64_C(0xf))
#define ADD_SLOT 0x1u
#define ADD_CONTROL 0x2u
#define FIRST_OTHER 2u /* endpoints but the control endpoint */
#define OTHERS_MASK (~0x3u)
#define EVALUATED_MEL 0xffffu
#define EVALUATED_INTERRUPTER 0xffc00000u
#define MAX_PACKET_MASK 0xffff0000u
#define CONTROL_PACKET_MIN 8
#define CONTROL_PACKET_MAX 512

/* The input context is the input control context and, behind it, a device context: 6.2.5. */
#define INPUT_SLOT 1
#define INPUT_ENDPOINT(ID) ((ID) + 1)

struct xhci_slot *xhci_slot(struct xhci *xhci, unsigned id)
{
    if (id < 1 || id > XHCI_SLOTS || !xhci->slots[id - 1].enabled)
        return NULL;
    return &xhci->slots[id - 1];
}

static unsigned root_of(const uint32_t *context)
{
    return context[1] >> 16 & 0xff;
}

static bool write_slot_context(struct xhci_slot *slot, enum slot_state state)
{
    struct xhci *xhci = slot->xhci;

    slot->state = state;
    slot->context[3] = (slot->context[3] & 0xff) | (uint32_t)state << SLOT_STATE_SHIFT;
    if (slot->context_address == 0 ||
        xhci_write_words(xhci_memory(xhci), slot->context_address, slot->context, CONTEXT_WORDS))
        return true;
    xhci_host_error(xhci, "device context", slot->context_address);
    return false;
}

/* Copies the input context, as far as its flags say that it is used. */
static enum xhci_code read_input(struct xhci *xhci, struct xhci_command *command)
{
    uint64_t at = command->trb.parameter & INPUT_MASK;

    if (!xhci_read_words(xhci_memory(xhci), at, command->input[0],
                         CONTEXT_WORDS * (XHCI_ENDPOINTS + 1))) {
        xhci_host_error(xhci, "input context", at);
        return CODE_NONE;
    }
    command->drop = command->input[0][0];
    command->add = command->input[0][1];
    return CODE_SUCCESS;
}

static void free_endpoints(struct xhci_slot *slot, uint32_t which)
{
    for (unsigned id = 1; id < XHCI_ENDPOINTS; id++) {
        struct xhci_endpoint *endpoint = slot->endpoints[id];

        if (!(which & 1u << id) || endpoint == NULL)
            continue;
        endpoint->state = ENDPOINT_DISABLED;
        xhci_endpoint_write_context(endpoint);
        if (endpoint->streams != NULL && slot->device != NULL)
            usb_device_set_streams(slot->device, xhci_endpoint_address(id), 0);
        xhci_endpoint_free(endpoint);
        slot->endpoints[id] = NULL;
    }
}

/* Forgets the requests of some endpoints, and has the command wait for them. */
static void drop_requests(struct xhci_command *command, uint32_t which)
{
    for (unsigned id = 1; id < XHCI_ENDPOINTS; id++)
        if ((which & 1u << id) && command->slot->endpoints[id] != NULL)
            xhci_endpoint_drop(command->slot->endpoints[id]);
    command->wait_for = which;
}

/*
 * Enable and Disable Slot: 4.6.3, 4.6.4.
 */

enum xhci_code xhci_enable_slot(struct xhci *xhci, unsigned *ret_slot)
{
    unsigned max = MIN(xhci->config & CONFIG_MAX_SLOTS, XHCI_SLOTS);

    *ret_slot = 0;
    for (unsigned i = 0; i < max; i++) {
        struct xhci_slot *slot = &xhci->slots[i];

        if (slot->enabled)
            continue;
        slot->enabled = true;
        slot->state = SLOT_DISABLED;
        slot->context_address = 0;
        memset(slot->context, 0, sizeof(slot->context));
        *ret_slot = slot->id;
        return CODE_SUCCESS;
    }
    return CODE_NO_SLOTS;
}

enum xhci_code xhci_begin_disable_slot(struct xhci *xhci, struct xhci_command *command)
{
    drop_requests(command, UINT32_MAX);
    return CODE_SUCCESS;
}

static void free_slot(struct xhci_slot *slot)
{
    free_endpoints(slot, UINT32_MAX);
    xhci_unref_later(slot->xhci, g_steal_pointer(&slot->device));
    slot->enabled = false;
}

enum xhci_code xhci_finish_disable_slot(struct xhci *xhci, struct xhci_command *command)
{
    struct xhci_slot *slot = command->slot;

    free_endpoints(slot, UINT32_MAX);
    if (!write_slot_context(slot, SLOT_DISABLED))
        return CODE_NONE;
    free_slot(slot);
    return CODE_SUCCESS;
}

void xhci_slots_reset(struct xhci *xhci)
{
    for (unsigned i = 0; i < XHCI_SLOTS; i++) {
        for (unsigned id = 1; id < XHCI_ENDPOINTS; id++)
            if (xhci->slots[i].endpoints[id] != NULL)
                xhci_endpoint_drop(xhci->slots[i].endpoints[id]);
        /* The guest's memory is no longer the controller's to write. */
        xhci->slots[i].context_address = 0;
    }
}

void xhci_slots_free(struct xhci *xhci)
{
    for (unsigned i = 0; i < XHCI_SLOTS; i++)
        free_slot(&xhci->slots[i]);
}

void xhci_slots_fail(struct xhci *xhci, const struct usb_device *device, bool gone)
{
    for (unsigned i = 0; i < XHCI_SLOTS; i++) {
        struct xhci_slot *slot = &xhci->slots[i];

        if (slot->device != device)
            continue;
        for (unsigned id = 1; id < XHCI_ENDPOINTS; id++)
            if (slot->endpoints[id] != NULL)
                xhci_endpoint_fail(slot->endpoints[id]);
        if (gone)
            xhci_unref_later(xhci, g_steal_pointer(&slot->device));
    }
}

/*
 * Address Device: 4.6.5. There is no bus on which an address would matter: the slot's number is it.
 */

/* 6.2.3: endpoint 0 as an endpoint context describes it. */
static bool is_control_context(const uint32_t *context)
{
    unsigned packet = context[1] >> 16;

    return (context[1] >> 3 & 7) == ENDPOINT_CONTROL && packet >= CONTROL_PACKET_MIN &&
           packet <= CONTROL_PACKET_MAX;
}

enum xhci_code xhci_begin_address_device(struct xhci *xhci, struct xhci_command *command)
{
    struct xhci_slot *slot = command->slot;
    bool block = command->trb.control & TRB_BSR;
    enum xhci_code code = read_input(xhci, command);
    unsigned root;

    if (code != CODE_SUCCESS)
        return code;
    if (slot->state > SLOT_DEFAULT || (block && slot->state == SLOT_DEFAULT))
        return CODE_CONTEXT_STATE_ERROR;
    root = root_of(command->input[INPUT_SLOT]);
    if ((command->add & 0x3) != 0x3 || !is_control_context(command->input[INPUT_ENDPOINT(1)]) ||
        root < 1 || root > XHCI_ROOT_PORTS)
        return CODE_PARAMETER_ERROR;
    drop_requests(command, UINT32_MAX);
    return CODE_SUCCESS;
}

static bool read_context_address(struct xhci_slot *slot)
{
    struct xhci *xhci = slot->xhci;
    uint64_t at = (xhci->dcbaap & POINTER_MASK) + slot->id * 8;
    uint32_t words[2];

    if (!xhci_read_words(xhci_memory(xhci), at, words, 2)) {
        xhci_host_error(xhci, "device context base address array", at);
        return false;
    }
    slot->context_address = (words[0] | (uint64_t)words[1] << 32) & POINTER_MASK;
    return true;
}

enum xhci_code xhci_finish_address_device(struct xhci *xhci, struct xhci_command *command)
{
    struct xhci_slot *slot = command->slot;
    const uint32_t *input = command->input[INPUT_SLOT];
    bool block = command->trb.control & TRB_BSR;
    struct usb_device *device = xhci_ports_find(xhci, root_of(input), input[0] & SLOT_ROUTE_MASK);

    /* A port that is not enabled, or an empty one, does not answer SET_ADDRESS. */
    if (device == NULL && !block)
        return CODE_TRANSACTION_ERROR;
    if (!read_context_address(slot))
        return CODE_NONE;
    free_endpoints(slot, UINT32_MAX);
    xhci_unref_later(xhci, slot->device);
    slot->device = device != NULL ? usb_device_ref(device) : NULL;
    memcpy(slot->context, input, sizeof(slot->context));
    slot->context[3] = block ? 0 : slot->id;
    slot->endpoints[1] = xhci_endpoint_new(slot, 1, command->input[INPUT_ENDPOINT(1)]);
    xhci_endpoint_write_context(slot->endpoints[1]);
    if (!write_slot_context(slot, block ? SLOT_DEFAULT : SLOT_ADDRESSED))
        return CODE_NONE;
    return CODE_SUCCESS;
}

/*
 * Configure Endpoint: 4.6.6.
 */

/* The directions that a type and a place in the context have must be the same: 4.5.1. */
static bool is_endpoint_context(unsigned id, const uint32_t *context)
{
    enum endpoint_type type = context[1] >> 3 & 7;
    unsigned streams = context[0] >> 10 & 0x1f;

    if (type == ENDPOINT_INVALID || context[1] >> 16 == 0 || streams > XHCI_PSA_SHIFT)
        return false;
    if (streams > 0 && type != ENDPOINT_BULK_IN && type != ENDPOINT_BULK_OUT)
        return false;
    return type == ENDPOINT_CONTROL || (type > ENDPOINT_CONTROL) == (id % 2 != 0);
}

enum xhci_code xhci_begin_configure(struct xhci *xhci, struct xhci_command *command)
{
    struct xhci_slot *slot = command->slot;
    enum xhci_code code;

    if (slot->state < SLOT_ADDRESSED)
        return CODE_CONTEXT_STATE_ERROR;
    if (command->trb.control & TRB_DECONFIGURE) {
        command->drop = OTHERS_MASK;
        command->add = 0;
        drop_requests(command, OTHERS_MASK);
        return CODE_SUCCESS;
    }
    code = read_input(xhci, command);
    if (code != CODE_SUCCESS)
        return code;
    if ((command->drop & 0x3) || (command->add & ADD_CONTROL))
        return CODE_TRB_ERROR;
    for (unsigned id = FIRST_OTHER; id < XHCI_ENDPOINTS; id++) {
        uint32_t bit = 1u << id;

        if (!(command->add & bit))
            continue;
        if (!is_endpoint_context(id, command->input[INPUT_ENDPOINT(id)])) {
            log_guest("xhci", "slot %u: the context of endpoint %u makes no sense", slot->id, id);
            return CODE_PARAMETER_ERROR;
        }
        if (slot->endpoints[id] != NULL && !(command->drop & bit))
            return CODE_TRB_ERROR; /* it is in use: 4.6.6 */
    }
    drop_requests(command, command->drop);
    return CODE_SUCCESS;
}

static enum xhci_code add_endpoint(struct xhci_slot *slot, unsigned id, const uint32_t *context)
{
    unsigned shift = context[0] >> 10 & 0x1f;

    if (shift > 0 &&
        (slot->device == NULL ||
         !usb_device_set_streams(slot->device, xhci_endpoint_address(id), (1u << (shift + 1)) - 1)))
        return CODE_RESOURCE_ERROR;
    slot->endpoints[id] = xhci_endpoint_new(slot, id, context);
    xhci_endpoint_write_context(slot->endpoints[id]);
    return CODE_SUCCESS;
}

static unsigned last_endpoint(const struct xhci_slot *slot)
{
    for (unsigned id = XHCI_ENDPOINTS - 1; id > 1; id--)
        if (slot->endpoints[id] != NULL)
            return id;
    return 1;
}

enum xhci_code xhci_finish_configure(struct xhci *xhci, struct xhci_command *command)
{
    struct xhci_slot *slot = command->slot;
    enum xhci_code code = CODE_SUCCESS;
    uint32_t added = 0;

    free_endpoints(slot, command->drop);
    for (unsigned id = FIRST_OTHER; id < XHCI_ENDPOINTS && code == CODE_SUCCESS; id++) {
        if (!(command->add & 1u << id))
            continue;
        code = add_endpoint(slot, id, command->input[INPUT_ENDPOINT(id)]);
        added |= code == CODE_SUCCESS ? 1u << id : 0;
    }
    if (code != CODE_SUCCESS)
        free_endpoints(slot, added);
    if (code == CODE_SUCCESS && (command->add & ADD_SLOT)) {
        /* What a hub says of itself: hub, MTT, number of ports, TT think time (6.2.2.2). */
        slot->context[0] =
            (slot->context[0] & ~0x06000000u) | (command->input[INPUT_SLOT][0] & 0x06000000u);
        slot->context[1] =
            (slot->context[1] & ~0xff000000u) | (command->input[INPUT_SLOT][1] & 0xff000000u);
        slot->context[2] =
            (slot->context[2] & ~0x00030000u) | (command->input[INPUT_SLOT][2] & 0x00030000u);
    }
    slot->context[0] = (slot->context[0] & ~(0x1fu << SLOT_ENTRIES_SHIFT)) |
                       last_endpoint(slot) << SLOT_ENTRIES_SHIFT;
    if (!write_slot_context(slot, last_endpoint(slot) > 1 ? SLOT_CONFIGURED : SLOT_ADDRESSED))
        return CODE_NONE;
    return code;
}

/*
 * Evaluate Context and Reset Device: 4.6.7, 4.6.11.
 */

enum xhci_code xhci_evaluate_context(struct xhci *xhci, struct xhci_command *command)
{
    struct xhci_slot *slot = command->slot;
    const uint32_t *control = command->input[INPUT_ENDPOINT(1)];
    const uint32_t *input = command->input[INPUT_SLOT];
    struct xhci_endpoint *endpoint = slot->endpoints[1];
    enum xhci_code code = read_input(xhci, command);

    if (code != CODE_SUCCESS)
        return code;
    if (slot->state < SLOT_DEFAULT || endpoint == NULL)
        return CODE_CONTEXT_STATE_ERROR;
    if ((command->add & ADD_CONTROL) && !is_control_context(control))
        return CODE_PARAMETER_ERROR;
    if (command->add & ADD_CONTROL) {
        endpoint->context[1] =
            (endpoint->context[1] & ~MAX_PACKET_MASK) | (control[1] & MAX_PACKET_MASK);
        xhci_endpoint_write_context(endpoint);
    }
    if (command->add & ADD_SLOT) {
        slot->context[1] = (slot->context[1] & ~EVALUATED_MEL) | (input[1] & EVALUATED_MEL);
        slot->context[2] =
            (slot->context[2] & ~EVALUATED_INTERRUPTER) | (input[2] & EVALUATED_INTERRUPTER);
        if (!write_slot_context(slot, slot->state))
            return CODE_NONE;
    }
    return CODE_SUCCESS;
}

enum xhci_code xhci_begin_reset_device(struct xhci *xhci, struct xhci_command *command)
{
    if (command->slot->state < SLOT_ADDRESSED)
        return CODE_CONTEXT_STATE_ERROR;
    drop_requests(command, OTHERS_MASK);
    return CODE_SUCCESS;
}

enum xhci_code xhci_finish_reset_device(struct xhci *xhci, struct xhci_command *command)
{
    struct xhci_slot *slot = command->slot;

    free_endpoints(slot, OTHERS_MASK);
    slot->context[0] =
        (slot->context[0] & ~(0x1fu << SLOT_ENTRIES_SHIFT)) | 1u << SLOT_ENTRIES_SHIFT;
    slot->context[3] = 0;
    return write_slot_context(slot, SLOT_DEFAULT) ? CODE_SUCCESS : CODE_NONE;
}
