/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The q35 board: which devices a machine has, at which addresses, wired to what.
 */
#ifndef ENGINE_MACHINE_Q35_H
#define ENGINE_MACHINE_Q35_H

#include "core/config.h"
#include "disks/io_context.h"
#include "display/display.h"
#include "engine/cpu/accel.h"
#include "engine/dev/ahci.h"
#include "engine/dev/i8042.h"
#include "engine/dev/ich9_lpc.h"
#include "engine/dev/serial_backend.h"
#include "engine/dev/xhci.h"
#include "engine/machine/ram.h"

#define Q35_CD_PORT 4    /* of the AHCI; disks 0 to 3 take the ports of their number */
#define Q35_STICK_PORT 4 /* of the xHCI: the stick of the definition */

struct q35 {
    /* What it is built with; none of it is owned. */
    const struct machine_config *config;
    const char *folder; /* of the machine */
    struct board *board;
    struct accel *accel;
    GMainContext *context;
    struct ram *ram;
    struct io_context *io;
    struct display *display;
    struct serial_backend *serial_backend; /* NULL: none */

    /* What the machine talks to later; the board owns the devices. */
    struct ahci *ahci;
    struct image *disks[MACHINE_MAX_DISKS]; /* the AHCI's; NULL: none */
    struct i8042 *i8042;
    struct ich9_lpc *lpc;
    struct xhci *xhci; /* NULL: the machine has no USB */

    /* Firmware that the guest reads straight from here. */
    GBytes *firmware;
    struct region firmware_region;
};

/* Fills the board; on failure what was made goes with board_finish() and q35_finish(). */
bool q35_build(struct q35 *q35, GError **err);
/* The board is finished. */
void q35_finish(struct q35 *q35);

#endif
