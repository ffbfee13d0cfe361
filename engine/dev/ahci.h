/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SATA controller of the ICH9 in AHCI mode: six ports, each with nothing, a disk or a CD-ROM
 * drive. Serial ATA AHCI 1.3.1; the devices: ACS-3 and MMC-6.
 *
 * Thread: new and attach while the machine is wired, without the lock; the rest as said.
 */
#ifndef ENGINE_DEV_AHCI_H
#define ENGINE_DEV_AHCI_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct ahci;
struct board;
struct image;

#define AHCI_PORTS 6

/* Adds itself to the board, which owns it. Destruction waits for the requests in flight. Before the
 * board's reset, and before memory is saved, call ahci_drain(): a reset forgets requests, but the
 * disk may still move data to where they said. */
struct ahci *ahci_new(struct board *board, uint8_t devfn);

/* Fills a free port; ahci owns the image from now on. serial: up to 20 printable characters. */
void ahci_attach_disk(struct ahci *ahci, unsigned port, struct image *image, const char *serial);
/* image NULL: an empty drive. Blocks are of 2048 bytes: a remainder is out of the guest's reach. */
void ahci_attach_cd(struct ahci *ahci, unsigned port, struct image *image);

/* What follows takes the board's lock itself. */

/* Puts another disc in, or none: the old image is closed as soon as its requests are done. The
 * guest sees the tray open and close. false: the port has no drive, or the guest has locked the
 * tray and force is not set: then the guest is told that somebody wants the disc. Takes new_image
 * on success only. */
bool ahci_change_cd(struct ahci *ahci, unsigned port, struct image *new_image, bool force,
                    GError **err);
bool ahci_cd_locked(struct ahci *ahci, unsigned port);
/* Whether a disc can be read: there is one, and the guest has not ejected it. */
bool ahci_cd_present(struct ahci *ahci, unsigned port);

/* Waits, the vCPUs standing still, until no request is in flight. false: some still are. */
bool ahci_drain(struct ahci *ahci, unsigned timeout_ms);

#endif
