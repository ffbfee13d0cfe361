/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * USB as a host controller and a device see each other: requests to endpoints, devices that answer
 * them, ports that devices are plugged into. Nothing here knows a guest, a controller's rings or
 * the host's USB; those stand at the two ends.
 * USB 2.0, chapters 5, 8 and 9; USB 3.2, chapters 8 and 9.
 *
 * Thread: a device has a lock of its own, or one thread, behind its ops. A controller may call
 * submit, cancel and the other ops from any thread, holding its own lock; so a device never calls
 * out (usb_request_complete, usb_port_*) while it holds its lock, nor from inside an op: what it
 * has to say there it says by the op's result.
 */
#ifndef USB_USB_H
#define USB_USB_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define USB_DIR_IN 0x80      /* in endpoint addresses and bmRequestType */
#define USB_MAX_DEPTH 5      /* hubs between a root port and a device: USB 2.0, 4.1.1 */
#define USB_HUB_MAX_PORTS 15 /* what a route string can name: USB 3.2, 8.9 */
/* Bytes of one request: the most that drivers send at once, Windows' for bulk endpoints of an xHCI;
 * Linux's usb-storage sends 1 MiB, or what max_sectors says. A controller refuses more. */
#define USB_REQUEST_MAX (32u << 20)
#define USB_MAX_STREAMS 65533 /* USB 3.2, 8.12.1.4 */

struct usb_device;
struct usb_port;
struct usb_request;

enum usb_speed {
    USB_SPEED_LOW,        /* 1.5 Mbit/s */
    USB_SPEED_FULL,       /* 12 Mbit/s */
    USB_SPEED_HIGH,       /* 480 Mbit/s */
    USB_SPEED_SUPER,      /* 5 Gbit/s */
    USB_SPEED_SUPER_PLUS, /* 10 Gbit/s and more */
};
#define USB_SPEED_BIT(SPEED) (1u << (SPEED))

/* How a request ended. */
enum usb_status {
    USB_OK,        /* also with less data than asked: request->actual */
    USB_STALL,     /* the endpoint is halted; a control endpoint only for this request */
    USB_BABBLE,    /* the device sent more than asked; actual bytes are there */
    USB_ERROR,     /* the bus or the device failed */
    USB_NO_DEVICE, /* it is gone */
    USB_CANCELLED,
};

/* The eight bytes that begin a control transfer, in host byte order: USB 2.0, 9.3. */
struct usb_setup {
    uint8_t request_type, request;
    uint16_t value, index, length;
};

/* One transfer. The submitter owns it and its memory until it has completed or been cancelled. */
struct usb_request {
    /* The submitter's: */
    uint8_t endpoint;       /* number, and USB_DIR_IN; 0 for control in both directions */
    uint16_t stream;        /* 1 and up; 0: the endpoint has none */
    struct usb_setup setup; /* control */
    struct iovec *iov;      /* the data stage; lies in memory until done */
    unsigned iov_count;
    uint32_t length; /* bytes, the sum of iov; at most USB_REQUEST_MAX; control: setup.length */
    bool isochronous;
    bool short_is_error; /* what follows cannot be used after less than length bytes */
    /* Called once, on a thread of the device's, if submit() said that it is pending. */
    void (*done)(struct usb_request *request);
    void *opaque;
    /* The result: */
    enum usb_status status;
    uint32_t actual; /* bytes moved */
    /* The device's while pending: */
    struct usb_device *device;
    GList link; /* in a queue of it; link.data is the request */
    void *device_private;
};

/* Copies between the data stage at an offset and a buffer; as many bytes as are there. */
uint32_t usb_request_copy_out(const struct usb_request *request, uint32_t offset, void *buffer,
                              uint32_t size); /* from the request's memory */
uint32_t usb_request_copy_in(struct usb_request *request, uint32_t offset, const void *buffer,
                             uint32_t size); /* into it */
/* Sets the result, and calls done: for a request that is pending, exactly once. */
void usb_request_complete(struct usb_request *request, enum usb_status status, uint32_t actual);

enum usb_submitted { USB_SUBMIT_DONE, USB_SUBMIT_PENDING };

struct usb_device_ops {
    const char *name; /* "tablet", "host": also in messages */
    /* Starts the request. DONE: status and actual are set, and done is not called. PENDING: done
     * comes later, from another call. Control requests all come here but SET_ADDRESS, which a
     * controller keeps to itself. The order of requests to one endpoint and stream is kept. */
    enum usb_submitted (*submit)(struct usb_device *device, struct usb_request *request);
    /* Takes back a pending request. True: it is out, done is not called, status is USB_CANCELLED,
     * and actual says what had moved; a request that had ended, and only waited for the device's
     * thread to say so, keeps its result. False: done comes soon, with whatever result, and not
     * from a thread that the controller may hold up: the main loop's. */
    bool (*cancel)(struct usb_device *device, struct usb_request *request);
    /* The port's reset signal: unaddressed, unconfigured, endpoints not halted. Requests of its
     * own may still be pending; the controller cancels them first. May be NULL. */
    void (*reset)(struct usb_device *device);
    /* An endpoint is no longer halted (the host controller's part of CLEAR_FEATURE(ENDPOINT_HALT);
     * the request itself comes too). May be NULL. */
    void (*clear_halt)(struct usb_device *device, uint8_t endpoint);
    /* Streams of a bulk endpoint: the host has room for count of them, from 1 on, and will use as
     * many as the device says it has; 0: none. False: cannot. May be NULL: never. */
    bool (*set_streams)(struct usb_device *device, uint8_t endpoint, unsigned count);
    /* A hub's port, 1 and up; NULL: no such. NULL for what is no hub. */
    struct usb_port *(*port)(struct usb_device *device, unsigned number);
    /* The last reference is gone; it is in no port, and nothing is pending. Main loop: what else
     * drops a reference, like a request's done(), must not drop the last one. */
    void (*free)(struct usb_device *device);
};

/* Embed it as the first member. */
struct usb_device {
    const struct usb_device_ops *ops;
    char *id;              /* names it on this machine: "tablet", "usb-1-4.2" */
    unsigned speeds;       /* USB_SPEED_BITs at which it can run */
    enum usb_speed speed;  /* at which it runs, set by usb_port_attach() */
    struct usb_port *port; /* where it is plugged in, or NULL */
    int refs;              /* atomic */
};

void usb_device_init(struct usb_device *device, const struct usb_device_ops *ops, const char *id,
                     unsigned speeds);
struct usb_device *usb_device_ref(struct usb_device *device);
void usb_device_unref(struct usb_device *device); /* NULL is fine */

/* The calls of a controller. They only check what every device would have to check. */
enum usb_submitted usb_device_submit(struct usb_device *device, struct usb_request *request);
bool usb_device_cancel(struct usb_device *device, struct usb_request *request);
void usb_device_reset(struct usb_device *device);
void usb_device_clear_halt(struct usb_device *device, uint8_t endpoint);
bool usb_device_set_streams(struct usb_device *device, uint8_t endpoint, unsigned count);

/* Where a device is plugged in: a root port of a controller or a port of a hub. */
struct usb_port_ops {
    /* port->device has just come, or is about to go: the port shows it to its host. It is the
     * detached op that cancels what is pending there. The calls come from usb_port_attach() and
     * _detach(), with no lock held. */
    void (*attached)(struct usb_port *port);
    void (*detached)(struct usb_port *port);
    /* The device asks to leave suspend: USB 2.0, 7.1.7.7. Any thread, no lock of a device held. */
    void (*wakeup)(struct usb_port *port);
    /* A controller's root ports only: the same at a port of a hub somewhere behind root, so that
     * the controller, not the hub, drops its requests and references. attached_behind comes before
     * the hub's own attached, detached_behind after its detached. */
    void (*attached_behind)(struct usb_port *root, struct usb_port *port);
    void (*detached_behind)(struct usb_port *root, struct usb_port *port);
};

/* Embed it, or keep it where it does not move. */
struct usb_port {
    const struct usb_port_ops *ops;
    void *opaque;
    struct usb_device *hub;    /* whose port it is; NULL: a root port */
    char path[32];             /* "1", "3.2": as sysfs writes it */
    unsigned speeds;           /* USB_SPEED_BITs that it serves */
    struct usb_device *device; /* referenced; NULL: free. Read by others only on its thread */
};

/* Plugs device in, at the highest speed that both know. Fails if the port is taken, if they have no
 * speed in common, or if it would make the chain of hubs too long. Takes a reference. Main loop. */
bool usb_port_attach(struct usb_port *port, struct usb_device *device, GError **err);
/* Pulls the device out, if there is one, and drops the port's reference. Main loop. */
void usb_port_detach(struct usb_port *port);

/* The way from the root port through hubs to port: a hub's port number in each four bits, the first
 * hub's lowest: USB 3.2, 8.9. 0: a root port. Any thread. */
uint32_t usb_port_route(const struct usb_port *port);
/* The port at the end of such a way. NULL: no such. Main loop. */
struct usb_port *usb_port_find(struct usb_port *root, uint32_t route);

#endif
