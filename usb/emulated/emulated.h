/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all emulated devices share: the lock, the queues of requests that wait at their endpoints,
 * the one way a request ends, and the standard requests. A device adds what its class says.
 *
 * Thread: the ops of usb_device on any, as usb/usb.h says. Everything that is said to need the lock
 * is called between usb_emulated_lock() and _unlock(); the ops below have it. Requests that were
 * finished are handed back by _unlock(), in their order, on that thread, or on the main loop if it
 * was an op of usb_device that finished them.
 */
#ifndef USB_EMULATED_EMULATED_H
#define USB_EMULATED_EMULATED_H

#include "usb/emulated/standard.h"

struct usb_emulated;
struct usb_wake;

struct usb_emulated_ops {
    /* A request that is not a standard one to the device: sets its result, by usb_answer() or
     * usb_stall(), or leaves the stall that is there. May be NULL. */
    void (*control)(struct usb_emulated *usb, struct usb_request *request);
    /* Requests wait at the endpoint: finish or take what can be. A request that waits on with some
     * bytes moved has them in its actual. May be NULL: they wait. */
    void (*work)(struct usb_emulated *usb, uint8_t endpoint);
    /* Something of usb->standard has changed, as the host asked: index is an interface's number or
     * an endpoint's address. Also after a reset, as USB_CHANGE_CONFIGURATION. May be NULL. */
    void (*changed)(struct usb_emulated *usb, enum usb_change change, uint8_t index);
    /* A request that waited was taken back. May be NULL. */
    void (*cancelled)(struct usb_emulated *usb, uint8_t endpoint);
    /* As in struct usb_device_ops. */
    bool (*set_streams)(struct usb_emulated *usb, uint8_t endpoint, unsigned count);
    /* The time of usb_emulated_set_timer() has come. On the main loop. */
    void (*timer)(struct usb_emulated *usb);
    /* After usb_emulated_call_out(): on the main loop, without the lock. */
    void (*call_out)(struct usb_emulated *usb);
};

/* Embed it as the first member. */
struct usb_emulated {
    struct usb_device device;
    const struct usb_emulated_ops *ops;
    GMutex lock;
    struct usb_standard standard;
    GQueue waiting[USB_ENDPOINTS];
    /* The rest is emulated.c's. */
    unsigned users;  /* threads inside, and work that will come back: before none is left */
    GCond left;      /* the device is not freed */
    GQueue finished; /* not yet handed back */
    bool delivering; /* a thread is handing back, and will take what comes in */
    uint8_t delivering_endpoint;
    uint16_t delivering_stream;
    struct usb_wake *wake;
    gint64 timer; /* -1: none */
    bool wake_asked, host_wanted, call_out;
};

/* context: the main loop's. serial may be NULL. Devices put these into their usb_device_ops. */
void usb_emulated_init(struct usb_emulated *usb, const struct usb_device_ops *device_ops,
                       const struct usb_emulated_ops *ops,
                       const struct usb_description *description, GMainContext *context,
                       const char *id, const char *serial, unsigned speeds);
/* At the beginning of the device's free: waits for what usb_emulated_hold() has announced. */
void usb_emulated_finish(struct usb_emulated *usb);
enum usb_submitted usb_emulated_submit(struct usb_device *device, struct usb_request *request);
bool usb_emulated_cancel(struct usb_device *device, struct usb_request *request);
void usb_emulated_reset(struct usb_device *device);
bool usb_emulated_set_streams(struct usb_device *device, uint8_t endpoint, unsigned count);
#define USB_EMULATED_OPS                                                                       \
    .submit = usb_emulated_submit, .cancel = usb_emulated_cancel, .reset = usb_emulated_reset, \
    .set_streams = usb_emulated_set_streams

/* For threads of the device's own: not from inside an op. */
void usb_emulated_lock(struct usb_emulated *usb);
void usb_emulated_unlock(struct usb_emulated *usb);

/* The rest needs the lock. */

/* Work of the device's begins that ends on another thread, which locks, and says _release(). */
void usb_emulated_hold(struct usb_emulated *usb);
void usb_emulated_release(struct usb_emulated *usb);

/* The first that waits; of one stream, where the endpoint has streams. NULL: none. */
struct usb_request *usb_emulated_first(struct usb_emulated *usb, uint8_t endpoint);
struct usb_request *usb_emulated_first_of(struct usb_emulated *usb, uint8_t endpoint,
                                          uint16_t stream);
/* Takes a waiting request out of its queue: the device keeps it until it ends it. */
void usb_emulated_take(struct usb_emulated *usb, struct usb_request *request);
/* Ends a request that waits or was taken. */
void usb_emulated_end(struct usb_emulated *usb, struct usb_request *request, enum usb_status status,
                      uint32_t actual);
/* Halts the endpoint, and ends the first request that waits there, if one does, with a stall. */
void usb_emulated_halt(struct usb_emulated *usb, uint8_t endpoint);
/* Lets ops->work see to the requests that wait. */
void usb_emulated_work(struct usb_emulated *usb, uint8_t endpoint);
bool usb_emulated_configured(const struct usb_emulated *usb);

/* when: as g_get_monotonic_time() counts; -1: never. */
void usb_emulated_set_timer(struct usb_emulated *usb, gint64 when);
/* The host has asked to be woken, as it does before it suspends the device. */
bool usb_emulated_may_wake(const struct usb_emulated *usb);
/* The device has something to tell: wakes the port, if the host has asked for that. */
void usb_emulated_wake_host(struct usb_emulated *usb);
void usb_emulated_call_out(struct usb_emulated *usb);

#endif
