/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The standard VGA: PCI 1234:1111 with the IBM VGA's registers at ports 0x3b0-0x3df and its window
 * at 0xa0000-0xbffff, the Bochs display interface ("dispi") at 0x1ce-0x1d1, and
 *   BAR 0    16 MiB of video memory
 *   BAR 2    0x000 EDID, 0x400 ports 0x3c0-0x3df, 0x500 dispi registers, 0x600 extended registers
 *   ROM      the video BIOS
 *
 * Video memory holds the four planes interleaved: byte 4 * n + p is address n of plane p. So the
 * planar modes, chain 4 and the linear frame buffer look at the same bytes.
 *
 * Registers and window: under the board's lock. The display's thread takes that lock only to copy
 * the registers and to fetch which pages were written, and draws without it.
 */
#ifndef ENGINE_DEV_VGA_H
#define ENGINE_DEV_VGA_H

#include <glib.h>
#include <stdint.h>

#include "display/display.h"
#include "engine/bus/board.h"

struct vga_options {
    uint8_t devfn;
    GBytes *rom;            /* the video BIOS, at most 256 KiB; NULL: none. Copied */
    unsigned width, height; /* the size that the EDID prefers; 0: 1280 x 800 */
};

struct vga;

/* The device is the board's and valid until board_finish(). Fails when devfn is taken, the ROM is
 * too large, or the host has no memory. */
struct vga *vga_new(struct board *board, const struct vga_options *options, GError **err);

/* Becomes the source of display, which must be freed before board_finish(). */
void vga_connect(struct vga *vga, struct display *display);

#endif
