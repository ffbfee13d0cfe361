/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The debug console of firmware: a port that takes characters, 0x402 on PCs with SeaBIOS or OVMF.
 * Reading it gives 0xe9, by which firmware finds it.
 *
 * A thread of the device's own writes the file, a line at a time: the guest never waits for the
 * disk. What comes faster than the disk takes it, and what goes past DEBUGCON_MAX_FILE, is left
 * out with a notice in the file.
 */
#ifndef ENGINE_DEV_DEBUGCON_H
#define ENGINE_DEV_DEBUGCON_H

#include <glib.h>
#include <stdint.h>

#include "engine/bus/board.h"

#define DEBUGCON_PORT 0x402
#define DEBUGCON_MAX_FILE (16 * 1024 * 1024)
#define DEBUGCON_MAX_PENDING (256 * 1024)

struct debugcon;

/* file is emptied first; NULL: characters go nowhere. Fails when the file cannot be opened or the
 * port is taken. The device is the board's and valid until board_finish(). */
struct debugcon *debugcon_new(struct board *board, uint16_t port, const char *file, GError **err);

#endif
