/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The LPC bridge of the ICH9 (Intel I/O Controller Hub 9 datasheet, chapters 10 and 13): routing of
 * PCI and ISA interrupts, and the place of the power management registers.
 */
#ifndef ENGINE_DEV_ICH9_LPC_H
#define ENGINE_DEV_ICH9_LPC_H

#include "engine/bus/board.h"

struct ich9_lpc;

/* set_gsi drives the inputs of the interrupt controllers, 0 to 23. The bridge takes over
 * board->isa_irq[] and the PCI bus's router. The device is the board's. */
struct ich9_lpc *ich9_lpc_new(struct board *board,
                              void (*set_gsi)(void *opaque, unsigned gsi, bool level),
                              void *opaque);

/* Presses the power button. Under the board's lock. */
void ich9_lpc_power_button(struct ich9_lpc *lpc);

#endif
