/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A USB device that plays a script, for tests: a bulk-only disk (interface 0: 0x81, 0x02), an
 * interrupt endpoint (interface 1: 0x83), an isochronous one (interface 2, setting 1: 0x84); a
 * second configuration has the disk's interface alone, whose endpoints have streams there: what is
 * read from a stream is the last byte that was written to it, over and over. It knows nothing of
 * how its host reaches it.
 *
 * One thread at a time.
 */
#ifndef TESTS_USB_SCRIPTED_DEVICE_H
#define TESTS_USB_SCRIPTED_DEVICE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/usb/scripted_disk.h"

#define SCRIPTED_VENDOR 0x1234
#define SCRIPTED_PRODUCT 0x0001
#define SCRIPTED_SERIAL "SN 001"
#define SCRIPTED_KEY_BYTES 8
#define SCRIPTED_STREAMS 16

struct scripted_packet {
    uint32_t length, actual;
    int status;
};

/* One transfer. */
struct scripted_urb {
    uint8_t endpoint; /* 0: control; data begins with its setup packet */
    uint16_t stream;  /* 0: none */
    uint8_t *data;
    uint32_t length, actual;
    struct scripted_packet *packets; /* isochronous; NULL otherwise */
    unsigned packet_count;
    int status; /* 0 or a negative errno value */
    gint64 due; /* when it ends; monotonic */
    void *opaque;
};

struct scripted_device {
    struct scripted_disk *disk;
    bool simple;   /* it has its first configuration alone */
    GQueue flying; /* struct scripted_urb, in the order they came */
    uint8_t configuration;
    uint8_t iso_setting;
    unsigned streams[2];                   /* of the bulk endpoints; [1] is IN; 0: none */
    uint8_t written[SCRIPTED_STREAMS + 1]; /* to each stream; 0: nothing */
    uint8_t halted[2];                     /* a bit for each endpoint number; [1] is IN */
    /* The script. */
    bool mute;         /* bulk endpoints do not answer */
    bool babble;       /* the next bulk IN has more than asked */
    unsigned delay_ms; /* of each bulk transfer */
    GQueue keys;       /* GUINT_TO_POINTER: reports for the interrupt endpoint */
    uint8_t iso_counter;
    unsigned resets;
    gint64 ran; /* the last time that it looked at its transfers */
};

void scripted_device_init(struct scripted_device *device, struct scripted_disk *disk);
/* As when it is plugged in, or reset. */
void scripted_device_reset(struct scripted_device *device);
const uint8_t *scripted_device_descriptors(const struct scripted_device *device, size_t *ret_size);

/* Streams of a bulk endpoint, from 1 on; 0: none. False: it cannot have so many. */
bool scripted_device_set_streams(struct scripted_device *device, uint8_t endpoint, unsigned count);

/* Takes the transfer; it ends in some scripted_device_run(). */
void scripted_device_submit(struct scripted_device *device, struct scripted_urb *urb);
/* The next transfer that has ended by now; NULL: none. It is the caller's again. */
struct scripted_urb *scripted_device_run(struct scripted_device *device);
/* When scripted_device_run() may have more; -1: not by itself. */
gint64 scripted_device_due(const struct scripted_device *device);

#endif
