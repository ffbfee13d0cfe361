/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scan codes: the three sets of the PC's keyboards and the keyboard controller's translation from
 * set 2 to set 1 (IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)").
 */
#ifndef ENGINE_DEV_PS2_SCANCODES_H
#define ENGINE_DEV_PS2_SCANCODES_H

#include <stdbool.h>
#include <stdint.h>

#define PS2_MAX_SEQUENCE 8 /* Pause in set 2 */

enum { PS2_CTRL = 1, PS2_SHIFT = 2, PS2_ALT = 4 };

/* A byte of set 2 as the controller translates it; 0xf0 is the controller's to handle. */
uint8_t ps2_translate(uint8_t byte);
/* The make code of a key in set 3; 0: the key has none. Keys as in display/input.h. */
uint8_t ps2_set3_code(uint8_t qnum);
/* What a key sends when it goes down or up while the modifiers are down, in set 1, 2 or 3.
 * Returns the number of bytes, possibly 0. */
unsigned ps2_key_sequence(unsigned set, uint8_t qnum, bool down, unsigned modifiers,
                          uint8_t bytes[PS2_MAX_SEQUENCE]);

#endif
