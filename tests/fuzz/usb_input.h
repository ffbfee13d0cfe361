/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the fuzzers of USB devices share: input as numbers, and requests in flight. */
#ifndef TESTS_FUZZ_USB_INPUT_H
#define TESTS_FUZZ_USB_INPUT_H

#include "tests/fakes/memory_file.h"
#include "tests/fakes/usb_harness.h"

#define FLIGHTS 24
#define FLIGHT_MAX (72 * 1024)

struct input {
    const uint8_t *data;
    size_t left;
};

/* A request and memory of just its size. */
struct flight {
    struct harness_request r;
    uint8_t *memory;
};

struct flights {
    struct usb_harness *h;
    struct memory_file *file; /* released before anybody waits for it; NULL: none */
    struct flight all[FLIGHTS];
    unsigned next;
};

/* The next bytes as a number; 0 past the end. */
uint64_t take(struct input *in, unsigned size);
void take_bytes(struct input *in, void *buffer, size_t size);

void flights_init(struct flights *f, struct usb_harness *h, struct memory_file *file);
/* Lands them all. */
void flights_finish(struct flights *f);
/* A request of at most FLIGHT_MAX bytes, whose memory has the bytes of data; the oldest one lands
 * first if there is no room. setup: NULL for what is no control request. */
void fly(struct flights *f, uint8_t endpoint, uint16_t stream, const struct usb_setup *setup,
         const void *data, size_t data_size, uint32_t size, unsigned parts);
/* Takes one back, if it is still in flight. */
void land(struct flights *f, unsigned n);
/* Gives the main loop its turns. */
void run_loop(struct usb_harness *h);

#endif
