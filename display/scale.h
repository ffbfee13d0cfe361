/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small pictures of a surface: each pixel is the mean of the box that it covers. */
#ifndef DISPLAY_SCALE_H
#define DISPLAY_SCALE_H

#include "display/surface.h"

/* The largest size within max_width x max_height that keeps the surface's shape and does not
 * enlarge it; each side is at least 1. */
void scale_fit(const struct surface *surface, unsigned max_width, unsigned max_height,
               unsigned *ret_width, unsigned *ret_height);

/* width and height: at least 1 and at most the surface's. rgb: width * height * 3 bytes. */
void scale_to_rgb(const struct surface *surface, unsigned width, unsigned height, uint8_t *rgb);

#endif
