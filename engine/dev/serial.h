/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A 16550A serial port with the wiring of a PC (National Semiconductor PC16550D data sheet).
 *
 * Bytes leave at once, whatever the divisor says; bytes come in as the guest makes room. The other
 * end of the cable is always there: CTS, DSR and DCD are on.
 */
#ifndef ENGINE_DEV_SERIAL_H
#define ENGINE_DEV_SERIAL_H

#include <stdint.h>

#include "engine/bus/board.h"
#include "engine/dev/serial_backend.h"

struct serial;

/* Takes the ports [port, port + 8). backend NULL: nobody listens; otherwise it is the caller's,
 * outlives the device, and passes on no input while the board is being finished. The device is the
 * board's and valid until board_finish(). */
struct serial *serial_new(struct board *board, const char *id, uint16_t port, struct irq_line *irq,
                          struct serial_backend *backend);

#endif
