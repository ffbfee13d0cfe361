/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A surface: the pixels that a display shows, 32 bits each, 0x00RRGGBB in host byte order.
 * Owned and touched by the display thread only.
 */
#ifndef DISPLAY_SURFACE_H
#define DISPLAY_SURFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SURFACE_MAX_WIDTH 2560
#define SURFACE_MAX_HEIGHT 1600

struct surface {
    unsigned width, height; /* pixels; 0 x 0 before the first resize */
    unsigned stride;        /* pixels from one row to the next */
    uint32_t *pixels;
};

void surface_init(struct surface *surface);
void surface_finish(struct surface *surface);
/* The contents become black. False: over the maximum, zero, or no memory; nothing changed. */
bool surface_resize(struct surface *surface, unsigned width, unsigned height);

static inline uint32_t *surface_row(const struct surface *surface, unsigned y)
{
    return surface->pixels + (size_t)y * surface->stride;
}

#endif
