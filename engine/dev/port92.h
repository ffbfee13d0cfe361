/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System control port A, 0x92: fast reset (bit 0) and the fast A20 gate (bit 1), which can be read
 * back but changes nothing: the address line is always open.
 */
#ifndef ENGINE_DEV_PORT92_H
#define ENGINE_DEV_PORT92_H

#include "engine/bus/board.h"

struct port92;

/* The device is the board's and valid until board_finish(). */
struct port92 *port92_new(struct board *board);

#endif
