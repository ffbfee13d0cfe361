/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/surface.h"

#include <glib.h>
#include <string.h>

void surface_init(struct surface *surface)
{
    memset(surface, 0, sizeof(*surface));
}

void surface_finish(struct surface *surface)
{
    g_free(surface->pixels);
    surface_init(surface);
}

bool surface_resize(struct surface *surface, unsigned width, unsigned height)
{
    uint32_t *pixels;

    if (width == 0 || height == 0 || width > SURFACE_MAX_WIDTH || height > SURFACE_MAX_HEIGHT)
        return false;
    if (width == surface->width && height == surface->height) {
        memset(surface->pixels, 0, (size_t)surface->stride * height * sizeof(*pixels));
        return true;
    }
    pixels = g_try_new0(uint32_t, (size_t)width * height);
    if (pixels == NULL)
        return false;
    g_free(surface->pixels);
    surface->pixels = pixels;
    surface->width = width;
    surface->height = height;
    surface->stride = width;
    return true;
}
