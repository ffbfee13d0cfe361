/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Graphics modes, line by line: fetch the line's video memory, make pixels of it, and put those
 * that differ on the surface. Nothing is fetched of a line whose pages were not written.
 */
#include <string.h>

#include "engine/dev/vga_internal.h"

/* The legacy modes' widest line: 256 units of 8 dots, drawn twice, and one more for panning. */
#define MAX_DOTS (257 * 16)
#define MAX_UNITS (SURFACE_MAX_WIDTH + 1)

struct vga_line_buffer {
    uint32_t units[MAX_UNITS];
    uint32_t pixels[MAX_DOTS];
};

G_STATIC_ASSERT(MAX_DOTS >= SURFACE_MAX_WIDTH);
G_STATIC_ASSERT(MAX_UNITS >= 257);

struct vga_line_buffer *vga_line_buffer_new(void)
{
    return g_new(struct vga_line_buffer, 1);
}

void vga_line_buffer_free(struct vga_line_buffer *buffer)
{
    g_free(buffer);
}

/* Units fetched for a line: one more where the first or last shows only in part. */
static unsigned line_units(const struct vga_mode *mode)
{
    return mode->columns + 1;
}

static bool is_page_dirty(const struct vga_frame *frame, uint32_t page)
{
    return frame->dirty[page / 8] >> page % 8 & 1;
}

static bool is_line_dirty(const struct vga_frame *frame, const struct vga_scan *scan)
{
    const struct vga_mode *mode = &frame->mode;
    uint32_t end = scan->address + line_units(mode) * 4;

    if (frame->redraw || mode->line_bit0 != 0 || mode->line_bit1 != 0)
        return true;
    for (uint32_t at = scan->address & ~(VGA_PAGE_SIZE - 1); at < end; at += VGA_PAGE_SIZE) {
        if (is_page_dirty(frame, (at & mode->wrap) / VGA_PAGE_SIZE))
            return true;
    }
    return false;
}

static void fetch_line(const struct vga_frame *frame, const struct vga_scan *scan, uint32_t *units)
{
    const struct vga_mode *mode = &frame->mode;
    uint32_t taken = mode->line_bit0 | mode->line_bit1;
    uint32_t given =
        (scan->line & 1 ? mode->line_bit0 : 0) | (scan->line & 2 ? mode->line_bit1 : 0);

    for (unsigned i = 0; i < line_units(mode); i++) {
        uint32_t address = scan->address + i * 4;

        units[i] = vga_vram_load(frame->vga, ((address & ~taken) | given) & mode->wrap);
    }
}

/* Bit i of byte goes to bit 4 * i. */
static uint32_t spread(uint8_t byte)
{
    uint32_t v = byte;

    v = (v | v << 12) & 0x000f000f;
    v = (v | v << 6) & 0x03030303;
    return (v | v << 3) & 0x11111111;
}

static uint32_t *draw_planar(const uint32_t *colors, uint32_t unit, uint32_t *out)
{
    uint32_t dots =
        spread(unit) | spread(unit >> 8) << 1 | spread(unit >> 16) << 2 | spread(unit >> 24) << 3;

    for (int shift = 28; shift >= 0; shift -= 4)
        *out++ = colors[dots >> shift & 15];
    return out;
}

static uint32_t *draw_interleaved(const uint32_t *colors, uint32_t unit, uint32_t *out)
{
    for (unsigned half = 0; half < 16; half += 8) {
        uint8_t low = unit >> half, high = unit >> (16 + half);

        for (int shift = 6; shift >= 0; shift -= 2)
            *out++ = colors[(low >> shift & 3) | (high >> shift & 3) << 2];
    }
    return out;
}

static uint32_t *draw_packed(const uint32_t *colors, uint32_t unit, uint32_t *out)
{
    for (unsigned shift = 0; shift < 32; shift += 8) {
        uint32_t color = colors[unit >> shift & 0xff];

        *out++ = color;
        *out++ = color;
    }
    return out;
}

/* Makes every dot two, from the end so that none is overwritten before it was read. */
static void double_dots(uint32_t *pixels, size_t count)
{
    while (count-- > 0) {
        pixels[2 * count] = pixels[count];
        pixels[2 * count + 1] = pixels[count];
    }
}

static void draw_legacy(const struct vga_frame *frame, const uint32_t *units, uint32_t *pixels)
{
    const struct vga_mode *mode = &frame->mode;
    uint32_t *out = pixels;

    for (unsigned i = 0; i < line_units(mode); i++) {
        if (mode->kind == VGA_PLANAR)
            out = draw_planar(frame->colors, units[i], out);
        else if (mode->kind == VGA_INTERLEAVED)
            out = draw_interleaved(frame->colors, units[i], out);
        else
            out = draw_packed(frame->colors, units[i], out);
    }
    if (mode->double_dots)
        double_dots(pixels, out - pixels);
}

static uint32_t expand(unsigned value, unsigned bits)
{
    return value << (8 - bits) | value >> (2 * bits - 8);
}

static uint32_t pixel_15(uint16_t v)
{
    return expand(v >> 10 & 31, 5) << 16 | expand(v >> 5 & 31, 5) << 8 | expand(v & 31, 5);
}

static uint32_t pixel_16(uint16_t v)
{
    return expand(v >> 11, 5) << 16 | expand(v >> 5 & 63, 6) << 8 | expand(v & 31, 5);
}

static void draw_linear(const struct vga_frame *frame, const uint8_t *from, uint32_t *pixels)
{
    unsigned width = frame->mode.width;

    switch (frame->mode.bpp) {
    case 8:
        for (unsigned x = 0; x < width; x++)
            pixels[x] = frame->colors[from[x]];
        break;
    case 15:
        for (unsigned x = 0; x < width; x++)
            pixels[x] = pixel_15(pci_get16(from + 2 * x));
        break;
    case 16:
        for (unsigned x = 0; x < width; x++)
            pixels[x] = pixel_16(pci_get16(from + 2 * x));
        break;
    case 24:
        for (unsigned x = 0; x < width; x++)
            pixels[x] = pci_get16(from + 3 * x) | from[3 * x + 2] << 16;
        break;
    default:
        for (unsigned x = 0; x < width; x++)
            pixels[x] = pci_get32(from + 4 * x) & 0xffffff;
        break;
    }
}

/* Returns where in the buffer the line's first visible pixel is. */
static const uint32_t *draw_line(const struct vga_frame *frame, const struct vga_scan *scan,
                                 struct vga_line_buffer *buffer)
{
    const struct vga_mode *mode = &frame->mode;

    fetch_line(frame, scan, buffer->units);
    if (mode->kind == VGA_LINEAR) {
        draw_linear(frame, (const uint8_t *)buffer->units + (scan->address & 3), buffer->pixels);
        return buffer->pixels;
    }
    draw_legacy(frame, buffer->units, buffer->pixels);
    return buffer->pixels + (vga_scan_pan(mode, scan) << mode->double_dots);
}

static void put_line(struct surface *surface, unsigned y, const uint32_t *pixels,
                     struct vga_damage *damage)
{
    uint32_t *row = surface_row(surface, y);
    unsigned first = 0, end = surface->width;

    if (memcmp(row, pixels, end * sizeof(*row)) == 0)
        return;
    while (row[first] == pixels[first])
        first++;
    while (row[end - 1] == pixels[end - 1])
        end--;
    memcpy(row + first, pixels + first, (end - first) * sizeof(*row));
    vga_damage_span(damage, first, y, end - first, 1);
}

/* Doubled lines, and those that a low resolution repeats, are made once. */
static bool is_same_line(const struct vga_mode *mode, const struct vga_scan *a,
                         const struct vga_scan *b)
{
    unsigned used = (mode->line_bit0 != 0 ? 1 : 0) | (mode->line_bit1 != 0 ? 2 : 0);

    return a->address == b->address && a->split == b->split && ((a->line ^ b->line) & used) == 0;
}

void vga_graphics_draw(const struct vga_frame *frame, struct vga_line_buffer *buffer,
                       struct surface *surface, struct vga_damage *damage)
{
    const struct vga_mode *mode = &frame->mode;
    const uint32_t *pixels = NULL;
    struct vga_scan scan, drawn = {0};

    for (vga_scan_start(mode, &scan); scan.y < mode->height; vga_scan_next(mode, &scan)) {
        if (pixels == NULL || !is_same_line(mode, &scan, &drawn)) {
            pixels = NULL;
            if (!is_line_dirty(frame, &scan))
                continue;
            pixels = draw_line(frame, &scan, buffer);
            drawn = scan;
        }
        put_line(surface, scan.y, pixels, damage);
    }
}
