/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/scale.h"

#include <glib.h>

void scale_fit(const struct surface *surface, unsigned max_width, unsigned max_height,
               unsigned *ret_width, unsigned *ret_height)
{
    unsigned width = MIN(max_width, surface->width);
    unsigned height = width * surface->height / surface->width;

    if (height > max_height) {
        height = max_height;
        width = height * surface->width / surface->height;
    }
    *ret_width = MAX(width, 1);
    *ret_height = MAX(height, 1);
}

static void mean_of_box(const struct surface *surface, unsigned x0, unsigned x1, unsigned y0,
                        unsigned y1, uint8_t *rgb)
{
    /* A box is at most the largest surface: 4 Mi pixels of 255 fit in 32 bits. */
    uint32_t red = 0, green = 0, blue = 0, count = (x1 - x0) * (y1 - y0);

    for (unsigned y = y0; y < y1; y++) {
        const uint32_t *row = surface_row(surface, y);

        for (unsigned x = x0; x < x1; x++) {
            red += row[x] >> 16 & 0xff;
            green += row[x] >> 8 & 0xff;
            blue += row[x] & 0xff;
        }
    }
    rgb[0] = red / count;
    rgb[1] = green / count;
    rgb[2] = blue / count;
}

void scale_to_rgb(const struct surface *surface, unsigned width, unsigned height, uint8_t *rgb)
{
    for (unsigned y = 0; y < height; y++) {
        unsigned y0 = y * surface->height / height, y1 = (y + 1) * surface->height / height;

        for (unsigned x = 0; x < width; x++, rgb += 3) {
            unsigned x0 = x * surface->width / width, x1 = (x + 1) * surface->width / width;

            mean_of_box(surface, x0, x1, y0, y1, rgb);
        }
    }
}
