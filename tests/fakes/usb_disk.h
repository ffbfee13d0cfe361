/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A USB disk with an image in memory, and a host that speaks the bulk-only transport to it. */
#ifndef TESTS_FAKES_USB_DISK_H
#define TESTS_FAKES_USB_DISK_H

#include "tests/fakes/memory_file.h"
#include "tests/fakes/usb_harness.h"
#include "usb/emulated/storage.h"

#define DISK_IN 0x81
#define DISK_OUT 0x02

struct usb_disk {
    struct usb_harness h;
    struct memory_file *file;
    struct io_context *io;
    uint32_t tag;     /* of the last command */
    uint32_t residue; /* as its status told */
    unsigned parts;   /* into which memory is cut; 0: 1 */
    uint32_t piece;   /* bytes that a request moves at most; 0: all */
};

void usb_disk_init(struct usb_disk *disk, uint64_t size, unsigned speeds,
                   const struct usb_storage_options *options, bool read_only);
void usb_disk_finish(struct usb_disk *disk);

/* The wrapper alone. */
enum usb_status bot_wrapper(struct usb_disk *disk, const uint8_t *cdb, uint32_t length,
                            bool to_host);
/* The data alone, in requests of disk->piece bytes; returns the bytes moved. */
uint32_t bot_data(struct usb_disk *disk, void *data, uint32_t length, bool to_host);
/* The status alone: bCSWStatus, or -1 if there was none that is valid. */
int bot_status(struct usb_disk *disk);
/* All three. */
int bot_command(struct usb_disk *disk, const uint8_t *cdb, void *data, uint32_t length,
                bool to_host);
void bot_reset_recovery(struct usb_disk *disk);
/* Key, code and qualifier as REQUEST SENSE tells them. */
uint32_t bot_sense(struct usb_disk *disk);

#endif
