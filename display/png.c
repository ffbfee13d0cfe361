/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/png.h"

#include <png.h>
#include <string.h>

#include "core/error.h"

#define PNG_GROWTH (64 * 1024)

/* Everything that must outlive a longjmp() out of libpng. */
struct encoder {
    png_structp png;
    png_infop info;
    uint8_t *row;
    uint8_t *file;
    size_t length, allocated;
};

static void on_error(png_structp png, png_const_charp message)
{
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
}

static void on_write(png_structp png, png_bytep data, size_t length)
{
    struct encoder *e = png_get_io_ptr(png);

    if (length > e->allocated - e->length) {
        size_t wanted = e->length + length + MAX(e->length / 2, PNG_GROWTH);
        uint8_t *file = g_try_realloc(e->file, wanted);

        if (file == NULL)
            png_error(png, "no memory");
        e->file = file;
        e->allocated = wanted;
    }
    memcpy(e->file + e->length, data, length);
    e->length += length;
}

static void on_flush(png_structp png)
{
}

static void fill_row(uint8_t *rgb, const uint32_t *pixels, unsigned width)
{
    for (unsigned x = 0; x < width; x++, rgb += 3) {
        rgb[0] = pixels[x] >> 16;
        rgb[1] = pixels[x] >> 8;
        rgb[2] = pixels[x];
    }
}

static bool encode(struct encoder *e, const struct surface *surface)
{
    e->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    if (e->png == NULL)
        return false;
    e->info = png_create_info_struct(e->png);
    e->row = g_try_malloc((size_t)surface->width * 3);
    if (e->info == NULL || e->row == NULL)
        return false;
    if (setjmp(png_jmpbuf(e->png)) != 0)
        return false;
    png_set_write_fn(e->png, e, on_write, on_flush);
    png_set_IHDR(e->png, e->info, surface->width, surface->height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    /* Screens are flat areas and repeated glyphs: filters cost time and gain nothing. */
    png_set_filter(e->png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
    png_write_info(e->png, e->info);
    for (unsigned y = 0; y < surface->height; y++) {
        fill_row(e->row, surface_row(surface, y), surface->width);
        png_write_row(e->png, e->row);
    }
    png_write_end(e->png, e->info);
    return true;
}

GBytes *png_encode(const struct surface *surface, GError **err)
{
    struct encoder e = {0};
    bool ok = encode(&e, surface);

    png_destroy_write_struct(&e.png, &e.info);
    g_free(e.row);
    if (!ok) {
        g_free(e.file);
        vmdesk_fail(err, VMDESK_ERROR_NO_SPACE,
                    "There is not enough memory to encode the picture of the screen: "
                    "free some and try again");
        return NULL;
    }
    return g_bytes_new_take(e.file, e.length);
}
