/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A parallel NOR flash chip with the Intel command set (Intel StrataFlash P30 data sheet; CFI:
 * JEDEC JESD68), 4 KiB blocks, one byte wide, which holds firmware and its variables.
 *
 * In read-array mode the guest reads host memory directly; any other mode is served access by
 * access. Before the first command of a guest and after reset it is in read-array mode.
 *
 * Changes reach the file from a thread of the device's own, FLASH_WRITE_DELAY_MS after the first of
 * them, and when the board is finished. The file is replaced as a whole (written beside, synced,
 * renamed), so that whenever engine or host die it holds the chip as it was at one moment, as a
 * power cut leaves a real one: what firmware's fault-tolerant writes are made for.
 */
#ifndef ENGINE_DEV_FLASH_H
#define ENGINE_DEV_FLASH_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/bus/board.h"

#define FLASH_BLOCK_SIZE 4096
#define FLASH_MAX_SIZE (64 * 1024 * 1024)
#define FLASH_WRITE_DELAY_MS 100

struct flash;

/* Maps file, which must be exactly size bytes (a multiple of FLASH_BLOCK_SIZE, at most
 * FLASH_MAX_SIZE), at base. read_only: programming and erasing fail as in locked blocks, and the
 * file's pages are shared with other engines: it must not be cut short while in use, as a package's
 * files never are. The device is the board's and valid until board_finish(). */
struct flash *flash_new(struct board *board, const char *id, uint64_t base, const char *file,
                        uint64_t size, bool read_only, GError **err);

#endif
