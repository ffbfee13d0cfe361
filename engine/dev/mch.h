/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host bridge of the q35 board (Intel 3 Series Express Chipset Family datasheet, chapter 5):
 * where MMCONFIG lies, and what the guest sees between 0xc0000 and 1 MiB.
 */
#ifndef ENGINE_DEV_MCH_H
#define ENGINE_DEV_MCH_H

#include <stdint.h>

#include "engine/bus/board.h"

#define MCH_PAM_BASE 0xc0000
#define MCH_PAM_SIZE 0x40000

struct mch;

/* ram: the host memory of guest addresses 0xc0000 to 0xfffff, MCH_PAM_SIZE bytes. bios: the last
 * 128 KiB of the firmware, which show at 0xe0000 until the guest switches to RAM. Both page-aligned
 * and longer-lived than the board. The device is the board's. */
struct mch *mch_new(struct board *board, uint8_t *ram, const uint8_t *bios);

#endif
