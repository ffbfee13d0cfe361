/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A port by which a guest under development ends the engine: what it writes, 1, 2 or 4 bytes wide,
 * becomes board_events.debug_exit's code.
 */
#ifndef ENGINE_DEV_DEBUG_EXIT_H
#define ENGINE_DEV_DEBUG_EXIT_H

#include <glib.h>
#include <stdint.h>

#include "engine/bus/board.h"

struct debug_exit;

/* Takes the ports [port, port + 4). The user chooses the port, so make it after all devices with
 * fixed ports: it fails when one of the four is taken. The device is the board's and valid until
 * board_finish(). */
struct debug_exit *debug_exit_new(struct board *board, uint16_t port, GError **err);

#endif
