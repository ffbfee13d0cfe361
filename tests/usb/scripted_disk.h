/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk of USB mass storage, bulk-only transport, transparent SCSI commands: for tests. */
#ifndef TESTS_USB_SCRIPTED_DISK_H
#define TESTS_USB_SCRIPTED_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISK_SECTOR 512

struct scripted_disk;

/* file: its contents, read and written in place; NULL: size bytes that nobody keeps. NULL: the file
 * cannot be used. */
struct scripted_disk *scripted_disk_new(const char *file, size_t size);
void scripted_disk_free(struct scripted_disk *disk);
/* Forgets the command under way: after a reset or when it was plugged in. */
void scripted_disk_reset(struct scripted_disk *disk);

/* A bulk OUT transfer. False: stalled. */
bool scripted_disk_out(struct scripted_disk *disk, const uint8_t *data, uint32_t size);
/* A bulk IN transfer: whether there is something to send now. *ret_stall: it stalls. */
bool scripted_disk_in(struct scripted_disk *disk, uint8_t *data, uint32_t size,
                      uint32_t *ret_actual, bool *ret_stall);

#endif
