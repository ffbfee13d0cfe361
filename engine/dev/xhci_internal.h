/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the xHCI: registers (xhci.c), root ports (xhci_ports.c), interrupters (xhci_events.c),
 * commands (xhci_commands.c, xhci_slots.c), rings (xhci_rings.c), the TDs on them (xhci_td.c),
 * endpoints (xhci_endpoint.c), streams (xhci_streams.c) and what is reported of a transfer
 * (xhci_transfer.c). All of it runs under the board's lock but what says otherwise.
 *
 * A TD becomes one request to the device. Until it has completed or been taken back it stands in
 * its endpoint's queue, in the order of the ring. A request that a device does not give back at
 * once is waited for, if the guest only stops the endpoint, or "dropped": its result goes nowhere.
 * Either way the command that asked for it completes after it, so that no memory is written behind
 * the guest's back.
 */
#ifndef ENGINE_DEV_XHCI_INTERNAL_H
#define ENGINE_DEV_XHCI_INTERNAL_H

#include "engine/bus/board.h"
#include "engine/dev/xhci.h"
#include "engine/dev/xhci_trb.h"

#define XHCI_SLOTS 64
#define XHCI_ROOT_PORTS (2 * XHCI_PORTS) /* first those of USB 2, then those of USB 3 */
#define XHCI_INTERRUPTERS 8
#define XHCI_ENDPOINTS 32             /* by device context index; 0 is the slot's own */
#define XHCI_MAX_LINKS 16             /* in a row without another TRB */
#define XHCI_TD_MAX_TRBS 8448         /* USB_REQUEST_MAX in pages, with some for event data */
#define XHCI_MAX_HELD_TRBS (1u << 18) /* of all TDs that have begun; the next wait */
#define XHCI_MAX_IN_FLIGHT 64         /* TDs of an endpoint */
#define XHCI_MAX_ISOCH_IN_FLIGHT 256
#define XHCI_BATCH_TRBS 1024       /* in one turn of an endpoint or the command ring */
#define XHCI_MAX_HELD_EVENTS 16384 /* of an interrupter whose ring is full */
#define XHCI_ERST_MAX_SHIFT 4      /* segments of an event ring, as a power of two */
#define XHCI_SEGMENT_MAX_TRBS 4096 /* 6.5 */
#define XHCI_PSA_SHIFT 7           /* primary streams: 2^(n + 1) */
#define XHCI_MAX_CACHED_STREAMS 256

#define XHCI_MICROFRAME_NS 125000
#define XHCI_MFINDEX_MASK 0x3fff

/* USBCMD and USBSTS: 5.4.1, 5.4.2 */
enum {
    CMD_RUN = 1u << 0,
    CMD_HCRST = 1u << 1,
    CMD_INTE = 1u << 2,
    CMD_HSEE = 1u << 3,
    CMD_CSS = 1u << 8,
    CMD_CRS = 1u << 9,
    CMD_EWE = 1u << 10,
};
enum {
    STS_HCH = 1u << 0,
    STS_HSE = 1u << 2,
    STS_EINT = 1u << 3,
    STS_PCD = 1u << 4,
    STS_SRE = 1u << 10,
    STS_CNR = 1u << 11,
};

/*
 * Rings: 4.9.
 */

struct xhci_ring {
    uint64_t dequeue;
    bool cycle;
    uint32_t skip;  /* bytes of the TRB at dequeue that have been moved already */
    uint32_t moved; /* of the TD before that TRB: what event data counts on from */
};

enum xhci_fetched {
    FETCHED_TRB,
    FETCHED_LINK,  /* one that wants an event; the ring goes on behind it */
    FETCHED_EMPTY, /* the next TRB is not the controller's yet */
    FETCHED_FAULT, /* the ring is not in memory */
    FETCHED_LOOP,  /* nothing but links */
};

/* Between accesses that the guest must see, or has made, in this order. The processor keeps it (x86
 * does, with loads and with stores); the compiler has to be told. */
static inline void xhci_keep_order(void)
{
    __asm__ volatile("" ::: "memory");
}

/* The next TRB and where it lies; the ring moves on past it, and past links in any case. */
enum xhci_fetched xhci_ring_fetch(struct memory_map *memory, struct xhci_ring *ring,
                                  struct trb *ret_trb, uint64_t *ret_address);
bool xhci_read_words(struct memory_map *memory, uint64_t gpa, uint32_t *words, unsigned count);
bool xhci_write_words(struct memory_map *memory, uint64_t gpa, const uint32_t *words,
                      unsigned count);

/*
 * Transfers.
 */

struct xhci_td_trb {
    uint64_t address;
    struct trb trb;
};

#define XHCI_INLINE_TRBS 4
#define XHCI_INLINE_IOV 8

struct xhci_transfer {
    struct usb_request request; /* first: a request is its transfer */
    struct xhci *xhci;
    struct xhci_endpoint *endpoint;
    struct xhci_stream *stream; /* NULL: the endpoint has none */
    GList link;                 /* in the endpoint's queue */
    bool pending;               /* at the device */
    bool dropped;
    bool completed; /* stands only to be reported */
    bool moves_data;
    enum xhci_code failed;  /* found out before the device was asked; CODE_NONE */
    uint64_t due;           /* isochronous: guest time of the report */
    struct xhci_ring start; /* the ring before and behind it */
    struct xhci_ring end;
    struct xhci_td_trb *trbs;
    unsigned trb_count, trb_capacity;
    unsigned iov_capacity;
    struct xhci_td_trb inline_trbs[XHCI_INLINE_TRBS];
    struct iovec inline_iov[XHCI_INLINE_IOV];
};

struct xhci_stream {
    struct xhci_ring ring;
    uint64_t context; /* guest address of the stream context */
    uint16_t id;
    bool secondary; /* which array that is in */
    bool rung;      /* there may be something on the ring that was not begun yet */
};

struct xhci_endpoint {
    struct xhci_slot *slot;
    uint8_t id; /* device context index: 4.5.1 */
    enum endpoint_state state;
    enum endpoint_type type;
    uint32_t context[CONTEXT_WORDS]; /* as the guest has it */
    struct xhci_ring ring;
    bool rung;
    bool running;          /* inside xhci_endpoint_run() */
    bool underrun;         /* isochronous: told of it, and not rung since */
    uint64_t next_frame;   /* isochronous: guest time of the next service interval; 0: not begun */
    GHashTable *streams;   /* those that are known, by id; NULL: it has none */
    GQueue transfers;      /* struct xhci_transfer, in the ring's order */
    unsigned in_flight;    /* requests at the device, dropped ones too */
    struct vm_timer timer; /* isochronous: the next report */
};

struct xhci_slot {
    struct xhci *xhci;
    uint8_t id;
    bool enabled;
    enum slot_state state;
    uint64_t context_address;
    uint32_t context[CONTEXT_WORDS];
    struct usb_device *device; /* referenced; NULL: gone */
    struct xhci_endpoint *endpoints[XHCI_ENDPOINTS];
};

/*
 * Interrupters: 4.17, 5.5.2.
 */

struct event_position {
    unsigned segment, index;
    bool cycle;
};

struct xhci_interrupter {
    struct xhci *xhci;
    unsigned number;
    uint32_t iman, imod, erstsz;
    uint64_t erstba, erdp;
    bool loaded; /* the segment table */
    struct {
        uint64_t base;
        uint32_t size;
    } segments[1 << XHCI_ERST_MAX_SHIFT];
    unsigned segment_count;
    struct event_position position, saved;
    bool wanted;   /* an event waits for an interrupt: IPE in 4.17.2 */
    uint64_t rest; /* guest time until which there is none: IMOD */
    struct vm_timer timer;
    GArray *held; /* struct trb, until the ring has room and memory can be reached */
};

/*
 * Root ports: 4.19, 5.4.8.
 */

struct xhci_root {
    struct xhci *xhci;
    unsigned number; /* 1 and up */
    uint32_t portsc, portpmsc;
    struct usb_device *device; /* that the port shows; in its physical port's table */
};

/* Bits of PORTSC. */
enum {
    PORT_CCS = 1u << 0,
    PORT_PED = 1u << 1,
    PORT_PR = 1u << 4,
    PORT_PLS_SHIFT = 5,
    PORT_PLS_MASK = 0xfu << 5,
    PORT_PP = 1u << 9,
    PORT_SPEED_SHIFT = 10,
    PORT_SPEED_MASK = 0xfu << 10,
    PORT_PIC_MASK = 3u << 14,
    PORT_LWS = 1u << 16,
    PORT_CSC = 1u << 17,
    PORT_PEC = 1u << 18,
    PORT_WRC = 1u << 19,
    PORT_OCC = 1u << 20,
    PORT_PRC = 1u << 21,
    PORT_PLC = 1u << 22,
    PORT_CEC = 1u << 23,
    PORT_WAKE_MASK = 7u << 25,
    PORT_WPR = 1u << 31,
    PORT_CHANGES = PORT_CSC | PORT_PEC | PORT_WRC | PORT_OCC | PORT_PRC | PORT_PLC | PORT_CEC,
};

enum link_state {
    LINK_U0 = 0,
    LINK_U2 = 2,
    LINK_U3 = 3,
    LINK_DISABLED = 4,
    LINK_RX_DETECT = 5,
    LINK_POLLING = 7,
    LINK_RESUME = 15,
};

/* A physical port: what is plugged in there and behind it. */
struct xhci_socket {
    struct usb_port port; /* first */
    struct xhci *xhci;
    GHashTable *devices; /* referenced, by route; the hub's port number 0 is the device itself */
};

/*
 * Commands: 4.6.
 */

struct xhci_command {
    struct trb trb;
    uint64_t address;
    bool waiting;      /* for requests of the endpoints in wait_for */
    uint32_t wait_for; /* a bit a device context index, of the slot */
    struct xhci_slot *slot;
    uint32_t drop, add; /* input control context: endpoints, a bit each */
    uint32_t input[XHCI_ENDPOINTS + 1][CONTEXT_WORDS];
};

struct xhci {
    struct pci_device pci;
    struct region region;
    GMainContext *context;

    uint32_t usbcmd, usbsts, dnctrl, config;
    uint64_t crcr, dcbaap;
    uint32_t legacy_support, legacy_control;
    bool resetting;      /* HCRST waits for dropped requests */
    bool saved;          /* the state that CRS asks for is there */
    bool paused;         /* by xhci_pause(): nothing new begins */
    uint64_t started_at; /* guest time of microframe 0 */

    struct xhci_ring command_ring;
    bool command_running; /* CRR */
    bool command_rung;
    struct xhci_command command;

    struct xhci_root roots[XHCI_ROOT_PORTS];
    struct xhci_socket sockets[XHCI_PORTS];
    struct xhci_interrupter interrupters[XHCI_INTERRUPTERS];
    struct xhci_slot slots[XHCI_SLOTS]; /* slot n is the one before */

    unsigned held_trbs;   /* memory for TRBs of transfers, beyond what each has inside */
    bool starved;         /* something waits for fewer of them */
    struct vm_timer kick; /* goes on with rings that a turn did not empty */
    struct vm_timer wrap; /* of MFINDEX */
    unsigned in_flight;   /* requests at devices */
    GCond drained;
    GQueue unwanted; /* devices to unref without the lock */
    GSource *unref_source;
};

static inline struct memory_map *xhci_memory(const struct xhci *xhci)
{
    return xhci->pci.board->memory;
}

static inline bool xhci_is_running(const struct xhci *xhci)
{
    return !(xhci->usbsts & STS_HCH) && !xhci->paused && pci_device_is_master(&xhci->pci);
}

/* xhci.c */
void xhci_host_error(struct xhci *xhci, const char *what, uint64_t gpa); /* stops it: 4.10.2.6 */
void xhci_request_gone(struct xhci *xhci); /* a request at a device less */
void xhci_kick_later(struct xhci *xhci);
uint64_t xhci_microframe(const struct xhci *xhci);                   /* not wrapped */
void xhci_unref_later(struct xhci *xhci, struct usb_device *device); /* NULL is fine */
void xhci_unref_unwanted(struct xhci *xhci); /* now: main loop, without the lock */

/* xhci_events.c */
void xhci_events_init(struct xhci *xhci);
void xhci_events_finish(struct xhci *xhci);
void xhci_events_reset(struct xhci *xhci);
void xhci_events_save(struct xhci *xhci);
void xhci_events_restore(struct xhci *xhci);
/* quiet: without an interrupt (BEI). */
void xhci_event(struct xhci *xhci, unsigned interrupter, const struct trb *event, bool quiet);
bool xhci_events_blocked(const struct xhci *xhci); /* some are held: begin nothing new */
void xhci_events_release(struct xhci *xhci);       /* memory can be reached again */
void xhci_update_interrupts(struct xhci *xhci);
uint32_t xhci_runtime_read(struct xhci *xhci, unsigned offset);
void xhci_runtime_write(struct xhci *xhci, unsigned offset, uint32_t value);

/* xhci_ports.c */
void xhci_ports_init(struct xhci *xhci);
void xhci_ports_finish(struct xhci *xhci); /* without the lock */
void xhci_ports_reset(struct xhci *xhci);
void xhci_ports_started(struct xhci *xhci);
uint32_t xhci_port_read(struct xhci *xhci, unsigned offset);
void xhci_port_write(struct xhci *xhci, unsigned offset, uint32_t value);
/* The device at a way from a root port; NULL: none, or the port does not let it be reached. */
struct usb_device *xhci_ports_find(struct xhci *xhci, unsigned root, uint32_t route);

/* xhci_commands.c */
void xhci_commands_run(struct xhci *xhci);
void xhci_command_continue(struct xhci *xhci); /* requests have come back */
void xhci_command_write(struct xhci *xhci, uint64_t crcr);
void xhci_commands_stop(struct xhci *xhci); /* the controller has stopped */

/* xhci_slots.c: commands in two halves. The first may fail, and says what to wait for. */
enum xhci_code xhci_enable_slot(struct xhci *xhci, unsigned *ret_slot);
enum xhci_code xhci_begin_disable_slot(struct xhci *xhci, struct xhci_command *command);
enum xhci_code xhci_finish_disable_slot(struct xhci *xhci, struct xhci_command *command);
enum xhci_code xhci_begin_address_device(struct xhci *xhci, struct xhci_command *command);
enum xhci_code xhci_finish_address_device(struct xhci *xhci, struct xhci_command *command);
enum xhci_code xhci_begin_configure(struct xhci *xhci, struct xhci_command *command);
enum xhci_code xhci_finish_configure(struct xhci *xhci, struct xhci_command *command);
enum xhci_code xhci_evaluate_context(struct xhci *xhci, struct xhci_command *command);
enum xhci_code xhci_begin_reset_device(struct xhci *xhci, struct xhci_command *command);
enum xhci_code xhci_finish_reset_device(struct xhci *xhci, struct xhci_command *command);
struct xhci_slot *xhci_slot(struct xhci *xhci, unsigned id); /* NULL: not enabled */
void xhci_slots_reset(struct xhci *xhci);                    /* drops all */
void xhci_slots_free(struct xhci *xhci);                     /* when nothing is in flight */
/* Each slot whose device is this one: its requests fail. gone: it has no device any more. */
void xhci_slots_fail(struct xhci *xhci, const struct usb_device *device, bool gone);

/* xhci_endpoint.c */
struct xhci_endpoint *xhci_endpoint_new(struct xhci_slot *slot, unsigned id,
                                        const uint32_t *context);
void xhci_endpoint_free(struct xhci_endpoint *endpoint); /* nothing in flight */
void xhci_endpoint_write_context(struct xhci_endpoint *endpoint);
void xhci_endpoint_doorbell(struct xhci *xhci, unsigned slot, uint32_t value);
/* Begins what is on its rings. */
void xhci_endpoint_run(struct xhci_endpoint *endpoint);
void xhci_endpoints_run(struct xhci *xhci); /* all that were rung */
/* Takes back its requests, to be made again; tell: with an event for the one begun. */
void xhci_endpoint_stop(struct xhci_endpoint *endpoint, bool tell);
/* Forgets its requests. */
void xhci_endpoint_drop(struct xhci_endpoint *endpoint);
/* What came first fails with a transaction error; the endpoint halts. */
void xhci_endpoint_fail(struct xhci_endpoint *endpoint);
enum xhci_code xhci_begin_stop_endpoint(struct xhci *xhci, struct xhci_command *command);
enum xhci_code xhci_finish_stop_endpoint(struct xhci *xhci, struct xhci_command *command);
enum xhci_code xhci_begin_reset_endpoint(struct xhci *xhci, struct xhci_command *command);
enum xhci_code xhci_finish_reset_endpoint(struct xhci *xhci, struct xhci_command *command);
enum xhci_code xhci_set_dequeue(struct xhci *xhci, struct xhci_command *command);
static inline bool xhci_endpoint_is_in(const struct xhci_endpoint *endpoint)
{
    return endpoint->type >= ENDPOINT_ISOCH_IN;
}
static inline bool xhci_endpoint_is_isoch(const struct xhci_endpoint *endpoint)
{
    return endpoint->type == ENDPOINT_ISOCH_IN || endpoint->type == ENDPOINT_ISOCH_OUT;
}
/* Its address as USB has it. */
static inline uint8_t xhci_endpoint_address(unsigned id)
{
    return id / 2 | (id > 1 && id % 2 != 0 ? USB_DIR_IN : 0);
}

/* xhci_streams.c */
/* CODE_SUCCESS, or why the stream cannot be had. */
enum xhci_code xhci_stream_find(struct xhci_endpoint *endpoint, unsigned id,
                                struct xhci_stream **ret_stream);
void xhci_streams_write_back(struct xhci_endpoint *endpoint);
bool xhci_stream_write_back(struct xhci *xhci, const struct xhci_stream *stream);

/* xhci_td.c */
/* The next TD of the ring, which stays where it is until xhci_endpoint_run() moves it on. NULL:
 * *ret_code says why: SUCCESS: there is none yet; NONE: the ring is not in memory. */
struct xhci_transfer *xhci_td_gather(struct xhci_endpoint *endpoint, struct xhci_stream *stream,
                                     struct xhci_ring *ring, enum xhci_code *ret_code);
void xhci_transfer_free(struct xhci_transfer *transfer);
/* The ring, standing so many bytes further on than the transfer's start. */
struct xhci_ring xhci_td_position(const struct xhci_transfer *transfer, uint32_t moved);

/* xhci_transfer.c */
/* The events of a transfer that is through. */
void xhci_transfer_report(struct xhci_transfer *transfer, enum xhci_code code, uint32_t actual);
void xhci_transfer_event(struct xhci_endpoint *endpoint, const struct xhci_td_trb *at,
                         enum xhci_code code, uint32_t length);
/* Tells the map what a device has written. */
void xhci_transfer_written(struct xhci_transfer *transfer, uint32_t actual);

#endif
