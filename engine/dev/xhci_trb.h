/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transfer Request Blocks: 6.4; completion codes: 6.4.5; contexts: 6.2. */
#ifndef ENGINE_DEV_XHCI_TRB_H
#define ENGINE_DEV_XHCI_TRB_H

#include <stdint.h>

#define TRB_SIZE 16

/* As it lies in memory, in host byte order. */
struct trb {
    uint64_t parameter;
    uint32_t status;
    uint32_t control;
};

enum trb_type { /* 6.4.6 */
                TRB_NORMAL = 1,
                TRB_SETUP = 2,
                TRB_DATA = 3,
                TRB_STATUS = 4,
                TRB_ISOCH = 5,
                TRB_LINK = 6,
                TRB_EVENT_DATA = 7,
                TRB_NO_OP = 8,
                TRB_ENABLE_SLOT = 9,
                TRB_DISABLE_SLOT = 10,
                TRB_ADDRESS_DEVICE = 11,
                TRB_CONFIGURE_ENDPOINT = 12,
                TRB_EVALUATE_CONTEXT = 13,
                TRB_RESET_ENDPOINT = 14,
                TRB_STOP_ENDPOINT = 15,
                TRB_SET_DEQUEUE = 16,
                TRB_RESET_DEVICE = 17,
                TRB_GET_PORT_BANDWIDTH = 21,
                TRB_FORCE_HEADER = 22,
                TRB_NO_OP_COMMAND = 23,
                TRB_TRANSFER_EVENT = 32,
                TRB_COMMAND_EVENT = 33,
                TRB_PORT_EVENT = 34,
                TRB_CONTROLLER_EVENT = 37,
                TRB_WRAP_EVENT = 39,
};

/* Control words. */
#define TRB_CYCLE (1u << 0)
#define TRB_TOGGLE_CYCLE (1u << 1)  /* link */
#define TRB_EVALUATE_NEXT (1u << 1) /* transfer */
#define TRB_EVENT_IS_DATA (1u << 2) /* transfer event */
#define TRB_ISP (1u << 2)           /* interrupt on short packet */
#define TRB_CHAIN (1u << 4)
#define TRB_IOC (1u << 5)         /* interrupt on completion */
#define TRB_IDT (1u << 6)         /* immediate data */
#define TRB_BEI (1u << 9)         /* block event interrupt */
#define TRB_BSR (1u << 9)         /* block set address request */
#define TRB_DECONFIGURE (1u << 9) /* configure endpoint */
#define TRB_PRESERVE (1u << 9)    /* reset endpoint: transfer state */
#define TRB_SUSPEND (1u << 23)    /* stop endpoint */
#define TRB_DIR_IN (1u << 16)     /* data, status */
#define TRB_SIA (1u << 31)        /* isoch: start as soon as possible */

static inline unsigned trb_type(const struct trb *trb)
{
    return trb->control >> 10 & 0x3f;
}

static inline uint32_t trb_length(const struct trb *trb)
{
    return trb->status & 0x1ffff;
}

static inline unsigned trb_interrupter(const struct trb *trb)
{
    return trb->status >> 22;
}

static inline unsigned trb_slot(const struct trb *trb)
{
    return trb->control >> 24;
}

static inline unsigned trb_endpoint(const struct trb *trb)
{
    return trb->control >> 16 & 0x1f;
}

static inline unsigned trb_stream(const struct trb *trb)
{
    return trb->status >> 16;
}

enum xhci_code { /* 6.4.5 */
                 CODE_NONE = 0,
                 CODE_SUCCESS = 1,
                 CODE_DATA_BUFFER_ERROR = 2,
                 CODE_BABBLE = 3,
                 CODE_TRANSACTION_ERROR = 4,
                 CODE_TRB_ERROR = 5,
                 CODE_STALL = 6,
                 CODE_RESOURCE_ERROR = 7,
                 CODE_NO_SLOTS = 9,
                 CODE_INVALID_STREAM_TYPE = 10,
                 CODE_SLOT_NOT_ENABLED = 11,
                 CODE_ENDPOINT_NOT_ENABLED = 12,
                 CODE_SHORT_PACKET = 13,
                 CODE_RING_UNDERRUN = 14,
                 CODE_RING_OVERRUN = 15,
                 CODE_PARAMETER_ERROR = 17,
                 CODE_CONTEXT_STATE_ERROR = 19,
                 CODE_EVENT_RING_FULL = 21,
                 CODE_MISSED_SERVICE = 23,
                 CODE_COMMAND_RING_STOPPED = 24,
                 CODE_COMMAND_ABORTED = 25,
                 CODE_STOPPED = 26,
                 CODE_STOPPED_LENGTH_INVALID = 27,
                 CODE_STOPPED_SHORT_PACKET = 28,
                 CODE_INVALID_STREAM_ID = 34,
};

/* Slot contexts: 6.2.2. */
#define CONTEXT_SIZE 32
#define CONTEXT_WORDS 8
enum slot_state { SLOT_DISABLED = 0, SLOT_DEFAULT = 1, SLOT_ADDRESSED = 2, SLOT_CONFIGURED = 3 };
#define SLOT_ROUTE_MASK 0xfffff
#define SLOT_ENTRIES_SHIFT 27
#define SLOT_STATE_SHIFT 27 /* word 3 */

/* Endpoint contexts: 6.2.3. */
enum endpoint_state {
    ENDPOINT_DISABLED = 0,
    ENDPOINT_RUNNING = 1,
    ENDPOINT_HALTED = 2,
    ENDPOINT_STOPPED = 3,
    ENDPOINT_ERROR = 4,
};
enum endpoint_type {
    ENDPOINT_INVALID = 0,
    ENDPOINT_ISOCH_OUT = 1,
    ENDPOINT_BULK_OUT = 2,
    ENDPOINT_INTERRUPT_OUT = 3,
    ENDPOINT_CONTROL = 4,
    ENDPOINT_ISOCH_IN = 5,
    ENDPOINT_BULK_IN = 6,
    ENDPOINT_INTERRUPT_IN = 7,
};

#endif
