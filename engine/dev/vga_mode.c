/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the registers say about the picture. Any values are fine: sizes end at the surface's
 * maximum, and addresses wrap as the address counter does.
 */
#include <string.h>

#include "engine/dev/vga_internal.h"

/* The CRTC counts 64 K addresses; each is 4 bytes of video memory. */
#define CRTC_WRAP (0x10000u * 4 - 1)
#define NO_LINE UINT_MAX

#define CRTC_MODE_NO_LINE_BIT0 0x01u
#define CRTC_MODE_NO_LINE_BIT1 0x02u
#define CRTC_MODE_BYTE 0x40u
#define CRTC_UNDERLINE_DWORD 0x40u
#define CRTC_DOUBLE_SCAN 0x80u
#define CURSOR_OFF 0x20u
#define ATTR_MODE_LINE_GRAPHICS 0x04u
#define ATTR_MODE_BLINK 0x08u
#define ATTR_MODE_PAN_ABOVE_SPLIT 0x20u
#define ATTR_MODE_COLOR_SELECT 0x80u

/* Plane 2 in steps of 8 KiB of the plane; the three bits of a selector are not neighbours. */
static uint32_t font_offset(unsigned low, unsigned high)
{
    return ((low & 3) << 1 | (high & 1)) * 8192 * 4;
}

static void decode_text(const struct vga_regs *r, struct vga_mode *mode)
{
    uint8_t map = r->seq[SEQ_CHARACTER_MAP], attr = r->attr[ATTR_MODE], pan = r->attr[ATTR_PANNING];

    mode->kind = VGA_TEXT;
    mode->cell_width = r->seq[SEQ_CLOCKING] & SEQ_CLOCKING_8_DOTS ? 8 : 9;
    mode->width = mode->columns * mode->cell_width << mode->double_dots;
    mode->fonts[0] = font_offset(map, map >> 4);
    mode->fonts[1] = font_offset(map >> 2, map >> 5);
    mode->blink = (attr & ATTR_MODE_BLINK) != 0;
    mode->line_graphics = (attr & ATTR_MODE_LINE_GRAPHICS) != 0;
    mode->underline = r->crtc[CRTC_UNDERLINE] & 0x1f;
    if (mode->cell_width == 8)
        mode->pan = pan & 7;
    else
        mode->pan = pan >= 8 ? 0 : pan + 1; /* nine positions, the first being 8 */
}

static void decode_graphics(const struct vga_regs *r, struct vga_mode *mode)
{
    uint8_t control = r->crtc[CRTC_MODE];
    unsigned shift = r->gfx[GFX_MODE] >> 5 & 3, address_shift;

    mode->kind = shift == 0 ? VGA_PLANAR : shift == 1 ? VGA_INTERLEAVED : VGA_PACKED;
    mode->width = mode->columns * 8 << mode->double_dots;
    mode->pan = r->attr[ATTR_PANNING] & 7;

    /* Address lines 13 and 14 can show the row's line instead. The counter reaches them shifted in
     * word and doubleword mode, and video memory has 4 bytes for each address. */
    if (r->crtc[CRTC_UNDERLINE] & CRTC_UNDERLINE_DWORD)
        address_shift = 2;
    else
        address_shift = control & CRTC_MODE_BYTE ? 0 : 1;
    if (!(control & CRTC_MODE_NO_LINE_BIT0))
        mode->line_bit0 = 4u << (13 - address_shift);
    if (!(control & CRTC_MODE_NO_LINE_BIT1))
        mode->line_bit1 = 4u << (14 - address_shift);
}

static void decode_vga(const struct vga_regs *r, struct vga_mode *mode)
{
    const uint8_t *crtc = r->crtc;
    unsigned first = crtc[CRTC_START_HIGH] << 8 | crtc[CRTC_START_LOW];

    mode->columns = crtc[CRTC_H_DISPLAY_END] + 1;
    mode->height = vga_vertical_display_end(r) + 1;
    mode->start = (first + (crtc[CRTC_PRESET_ROW] >> 5)) * 4;
    mode->pitch = crtc[CRTC_OFFSET] * 8;
    mode->wrap = CRTC_WRAP;
    mode->line_compare = crtc[CRTC_LINE_COMPARE] | (crtc[CRTC_OVERFLOW] & 0x10) << 4 |
                         (crtc[CRTC_MAX_SCAN] & 0x40) << 3;
    mode->row_lines = (crtc[CRTC_MAX_SCAN] & 0x1f) + 1;
    mode->preset_line = crtc[CRTC_PRESET_ROW] & 0x1f;
    mode->double_scan = (crtc[CRTC_MAX_SCAN] & CRTC_DOUBLE_SCAN) != 0;
    mode->double_dots = (r->seq[SEQ_CLOCKING] & SEQ_CLOCKING_HALF) != 0;
    if (r->gfx[GFX_MISC] & GFX_MISC_GRAPHICS)
        decode_graphics(r, mode);
    else
        decode_text(r, mode);
    mode->pan_split = r->attr[ATTR_MODE] & ATTR_MODE_PAN_ABOVE_SPLIT ? 0 : mode->pan;
    mode->width = MIN(mode->width, SURFACE_MAX_WIDTH);
}

static void decode_dispi(const struct vga_regs *r, struct vga_mode *mode)
{
    const uint16_t *d = r->dispi;
    unsigned bits = vga_dispi_bits(r);

    mode->kind = d[DISPI_BPP] == 4 ? VGA_PLANAR : VGA_LINEAR;
    mode->width = d[DISPI_XRES];
    mode->height = d[DISPI_YRES];
    mode->bpp = d[DISPI_BPP];
    mode->pitch = vga_dispi_pitch(r);
    mode->start = d[DISPI_Y_OFFSET] * mode->pitch + d[DISPI_X_OFFSET] * bits / 8;
    mode->columns = (mode->width * bits + 31) / 32;
    mode->wrap = VGA_VRAM_SIZE - 1;
    mode->line_compare = NO_LINE;
    mode->row_lines = 1;
}

void vga_mode_decode(const struct vga_regs *r, struct vga_mode *mode)
{
    memset(mode, 0, sizeof(*mode));
    if (!(r->attr_index & ATTR_INDEX_PAS) || (r->seq[SEQ_CLOCKING] & SEQ_CLOCKING_OFF))
        mode->kind = VGA_BLANK;
    else if (vga_dispi_enabled(r))
        decode_dispi(r, mode);
    else
        decode_vga(r, mode);
}

void vga_cursor_decode(const struct vga_regs *r, const struct vga_mode *mode,
                       struct vga_cursor *cursor)
{
    const uint8_t *crtc = r->crtc;
    unsigned place = crtc[CRTC_CURSOR_HIGH] << 8 | crtc[CRTC_CURSOR_LOW];
    unsigned skew = crtc[CRTC_CURSOR_END] >> 5 & 3;

    cursor->address = (place + skew) * 4 & mode->wrap;
    cursor->first_line = crtc[CRTC_CURSOR_START] & 0x1f;
    cursor->last_line = crtc[CRTC_CURSOR_END] & 0x1f;
    cursor->enabled = !(crtc[CRTC_CURSOR_START] & CURSOR_OFF) &&
                      cursor->first_line <= cursor->last_line &&
                      cursor->first_line < mode->row_lines;
}

static uint32_t dac_color(const struct vga_regs *r, unsigned index)
{
    const uint8_t *entry = r->dac[index & r->dac_mask];
    uint32_t color = 0;

    for (unsigned i = 0; i < 3; i++) {
        uint8_t v = entry[i];

        if (!(r->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC))
            v = (v & 0x3f) << 2 | (v & 0x3f) >> 4;
        color = color << 8 | v;
    }
    return color;
}

/* The attribute controller's way from 4 bits to the DAC's 8. */
static unsigned attribute_color(const struct vga_regs *r, unsigned index)
{
    uint8_t color = r->attr[index & r->attr[ATTR_PLANE_ENABLE] & 0x0f];
    uint8_t select = r->attr[ATTR_COLOR_SELECT];

    if (r->attr[ATTR_MODE] & ATTR_MODE_COLOR_SELECT)
        return (color & 0x0f) | (select & 0x0f) << 4;
    return (color & 0x3f) | (select & 0x0c) << 4;
}

void vga_colors_decode(const struct vga_regs *r, const struct vga_mode *mode, uint32_t colors[256])
{
    memset(colors, 0, 256 * sizeof(colors[0]));
    switch (mode->kind) {
    case VGA_TEXT:
    case VGA_PLANAR:
    case VGA_INTERLEAVED:
        for (unsigned i = 0; i < 16; i++)
            colors[i] = dac_color(r, attribute_color(r, i));
        break;
    case VGA_LINEAR:
        if (mode->bpp != 8)
            break;
        /* fall through */
    case VGA_PACKED:
        for (unsigned i = 0; i < 256; i++)
            colors[i] = dac_color(r, i);
        break;
    case VGA_BLANK:
        break;
    }
}

void vga_scan_start(const struct vga_mode *mode, struct vga_scan *scan)
{
    *scan = (struct vga_scan){
        .address = mode->start,
        .line = MIN(mode->preset_line, mode->row_lines - 1),
        .new_row = true,
    };
}

void vga_scan_next(const struct vga_mode *mode, struct vga_scan *scan)
{
    bool split = scan->y++ == mode->line_compare;

    scan->new_row = false;
    if (!split && mode->double_scan && !scan->repeated) {
        scan->repeated = true;
        return;
    }
    scan->repeated = false;
    if (split) {
        scan->address = 0;
        scan->line = 0;
        scan->split = true;
        scan->new_row = true;
    } else if (++scan->line == mode->row_lines) {
        scan->address += mode->pitch;
        scan->line = 0;
        scan->new_row = true;
    }
}
