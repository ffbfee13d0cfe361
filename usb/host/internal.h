/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of a passed-through device share: its life and queue (device.c), its
 * transfers (transfer.c), what is done on the USB thread (setup.c). */
#ifndef USB_HOST_INTERNAL_H
#define USB_HOST_INTERNAL_H

#include "usb/host/device_info.h"
#include "usb/host/device.h"

#define HOST_CONTROL_MAX 4096 /* bytes that libusb takes in one control transfer */
/* Pieces of a bulk transfer for which the kernel has no room at once: multiples of this, and so of
 * every packet size. */
#define HOST_PIECE_UNIT (64 * 1024)
#define HOST_NO_TRANSFER 0xff /* in transfers: no such endpoint now */

struct host_transfer;

struct host_device {
    struct usb_device device; /* must be first */
    struct usb_host_context *context;
    char *port;
    int fd;
    struct usb_host_claim *claim;

    /* The USB thread's, once it is open; transfers only look at handle. */
    libusb_device_handle *handle;
    struct usb_device_info *info;
    uint8_t *descriptors;    /* what info was made of */
    int first_configuration; /* what the host had chosen; 0: none */
    uint8_t configuration;   /* 0: none */
    uint32_t claimed, taken; /* interfaces: ours now; a kernel driver had it */
    uint8_t alternate[USB_INFO_MAX_INTERFACES];

    GMutex lock; /* of the rest; never held while calling out */
    bool open, gone;
    bool untouched; /* nothing was sent to it since its reset */
    bool scheduled; /* host_device_work() is queued or runs */
    GQueue waiting; /* struct host_work: what is not started */
    GQueue behind;  /* struct host_work: what waits for the end of a transfer in pieces */
    struct host_transfer *pieces[2][16]; /* that transfer of each endpoint, [1] is IN; NULL: none */
    unsigned in_flight, stalled;         /* stalled: of these, between two pieces, in waiting */
    size_t bounced;
    uint8_t transfers[2][16]; /* enum usb_transfer of each endpoint, [1] is IN */

    /* The main loop's. */
    GSource *source; /* NULL once released */
    bool told_ready, told_gone;
    GError *open_error; /* under the lock until ready has told it */
    void (*ready)(void *opaque, const GError *error);
    void (*when_gone)(void *opaque);
    void *opaque;
};

/* Something that waits: a request, or a call that the USB thread makes. */
struct host_work {
    enum {
        WORK_REQUEST, /* a transfer that found no room */
        WORK_SETUP,   /* a control request that is not simply sent */
        WORK_RESET,
        WORK_STREAMS,
    } kind;
    struct usb_request *request; /* of the first two */
    uint32_t actual;             /* of a setup: bytes for it */
    uint8_t endpoint;            /* of streams */
    unsigned count;
    bool running;
};

/* device.c */
void host_device_set_gone(struct host_device *host); /* under the lock */
void host_device_schedule(struct host_device *host); /* under the lock */
/* At the end of what waits; under the lock. */
void host_device_wait(struct host_device *host, struct usb_request *request);

/* transfer.c; under the lock */
enum host_started {
    HOST_STARTED,
    HOST_NO_ROOM, /* others are under way: try again when one has ended */
    HOST_BEHIND,  /* its endpoint has a transfer in pieces */
    HOST_FAILED,  /* request->status says why */
};
/* Also goes on with what was stalled. */
enum host_started host_transfer_start(struct host_device *host, struct usb_request *request);
void host_transfer_cancel(struct usb_request *request);
/* Of what is stalled: nothing of it is under way any more. Returns the bytes that it moved. */
uint32_t host_transfer_abandon(struct host_device *host, struct usb_request *request);

/* setup.c; on the USB thread, without the lock */
bool host_setup_open(struct host_device *host, GError **err);
void host_setup_close(struct host_device *host);
/* Whether a control request must not simply be sent. Any thread. */
bool host_setup_intercepts(const struct usb_request *request);
/* *ret_actual: bytes that the request has now. */
enum usb_status host_setup_run(struct host_device *host, struct usb_request *request,
                               uint32_t *ret_actual);
void host_setup_reset(struct host_device *host);
void host_setup_streams(struct host_device *host, uint8_t endpoint, unsigned count);
enum usb_status host_status_from_libusb(int code);

#endif
