/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keyboard controller at ports 0x60 and 0x64 with a PS/2 keyboard and a PS/2 mouse behind it
 * (IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller").
 *
 * The A20 gate can be read back but the address line is always open, as on current PCs.
 */
#ifndef ENGINE_DEV_I8042_H
#define ENGINE_DEV_I8042_H

#include "display/input.h"
#include "engine/bus/board.h"

struct i8042;

/* The device is the board's and valid until board_finish(). */
struct i8042 *i8042_new(struct board *board, struct irq_line *keyboard_irq,
                        struct irq_line *mouse_irq);

/* Where keys and the pointer go in; its callbacks take the board's lock. Valid as the device is. */
const struct input_sink *i8042_input(struct i8042 *i8042);

#endif
