/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which usage of the HID keyboard page a key has: HID Usage Tables 1.12, chapter 10. Keys are
 * numbered as an input sink has them ("qnum"): scancode set 1, with 0x80 for the prefix 0xe0.
 */
#ifndef USB_EMULATED_KEYBOARD_USAGES_H
#define USB_EMULATED_KEYBOARD_USAGES_H

#include <stdint.h>

#define KEYBOARD_USAGE_CONTROL_LEFT 0xe0 /* the first of eight modifiers */
#define KEYBOARD_USAGES 0xa0             /* the others are below it */

/* 0: no usage. */
uint8_t keyboard_usage(uint8_t qnum);

#endif
