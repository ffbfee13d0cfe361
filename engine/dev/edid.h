/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block that describes the monitor to the guest: VESA Enhanced EDID Standard, release A rev. 2
 * (EDID 1.4). Its preferred timing is made by VESA CVT 1.1 with reduced blanking, at 60 Hz.
 */
#ifndef ENGINE_DEV_EDID_H
#define ENGINE_DEV_EDID_H

#include <stdint.h>

#define EDID_SIZE 128
#define EDID_MIN_WIDTH 640
#define EDID_MIN_HEIGHT 480
#define EDID_MAX_WIDTH 2560
#define EDID_MAX_HEIGHT 1600

/* The preferred size in pixels is moved into the limits above. */
void edid_fill(uint8_t edid[EDID_SIZE], unsigned width, unsigned height);

#endif
