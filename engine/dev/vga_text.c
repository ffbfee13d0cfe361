/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text modes. A shadow remembers for each cell what was drawn, so that only cells are drawn whose
 * character, attribute, cursor, blinking or glyph changed.
 */
#include <limits.h>
#include <string.h>

#include "core/log.h"
#include "engine/dev/vga_internal.h"

#define FONT_GLYPHS 256
#define FONT_LINES 32

/* What a drawn cell depends on, besides mode, colours and fonts. All ones: not drawn yet. */
#define CELL_CODE(cell) ((cell)&0xff)
#define CELL_ATTRIBUTE(cell) ((cell) >> 8 & 0xff)
#define CELL_CURSOR (1u << 16) /* with its first and last line */
#define CELL_CURSOR_FIRST(cell) ((cell) >> 17 & 31)
#define CELL_CURSOR_LAST(cell) ((cell) >> 22 & 31)
#define CELL_HIDDEN (1u << 27) /* blinking, and in its dark phase */

struct vga_text_shadow {
    uint32_t *cells;
    size_t cell_count;
    uint8_t fonts[2][FONT_GLYPHS][FONT_LINES];
    bool glyph_changed[2][FONT_GLYPHS];
    bool cursor_on, blink_on;
    struct vga_cursor cursor;
};

/* The scan lines of one row of cells. */
struct text_row {
    struct vga_scan first;
    unsigned height;
    uint32_t *cells;
};

struct vga_text_shadow *vga_text_shadow_new(void)
{
    return g_new0(struct vga_text_shadow, 1);
}

void vga_text_shadow_free(struct vga_text_shadow *shadow)
{
    if (shadow == NULL)
        return;
    g_free(shadow->cells);
    g_free(shadow);
}

/* Cells of a row: panning shows a part of one more. */
static unsigned row_cells(const struct vga_mode *mode)
{
    return mode->columns + 1;
}

static bool next_row(const struct vga_mode *mode, struct vga_scan *scan, struct text_row *row)
{
    if (scan->y >= mode->height)
        return false;
    row->first = *scan;
    do
        vga_scan_next(mode, scan);
    while (!scan->new_row && scan->y < mode->height);
    row->height = scan->y - row->first.y;
    return true;
}

static bool forget_cells(struct vga_text_shadow *shadow, const struct vga_mode *mode)
{
    struct vga_scan scan;
    struct text_row row;
    size_t count = 0;

    vga_scan_start(mode, &scan);
    while (next_row(mode, &scan, &row))
        count += row_cells(mode);
    if (count != shadow->cell_count) {
        g_free(shadow->cells);
        shadow->cells = g_try_new(uint32_t, count);
        shadow->cell_count = shadow->cells != NULL ? count : 0;
    }
    memset(shadow->cells, 0xff, shadow->cell_count * sizeof(uint32_t));
    return shadow->cells != NULL;
}

static void update_font(const struct vga_frame *frame, struct vga_text_shadow *shadow, unsigned f)
{
    uint32_t at = frame->mode.fonts[f];

    for (unsigned glyph = 0; glyph < FONT_GLYPHS; glyph++) {
        for (unsigned line = 0; line < FONT_LINES; line++, at += 4) {
            uint8_t dots = vga_vram_load(frame->vga, at) >> 16;

            shadow->glyph_changed[f][glyph] |= shadow->fonts[f][glyph][line] != dots;
            shadow->fonts[f][glyph][line] = dots;
        }
    }
}

static void update_fonts(const struct vga_frame *frame, struct vga_text_shadow *shadow)
{
    memset(shadow->glyph_changed, 0, sizeof(shadow->glyph_changed));
    for (unsigned f = 0; f < 2; f++) {
        /* A font's 32 KiB of video memory are just one byte of the bitmap. */
        if (frame->redraw || frame->dirty[frame->mode.fonts[f] / VGA_PAGE_SIZE / 8] != 0)
            update_font(frame, shadow, f);
    }
}

static uint32_t cell_key(const struct vga_frame *frame, uint32_t address)
{
    const struct vga_mode *mode = &frame->mode;
    const struct vga_cursor *cursor = &frame->cursor;
    uint32_t key;

    address &= mode->wrap;
    key = vga_vram_load(frame->vga, address) & 0xffff;
    if (mode->blink && CELL_ATTRIBUTE(key) & 0x80 && !frame->blink_on)
        key |= CELL_HIDDEN;
    if (cursor->enabled && frame->cursor_on && address == cursor->address)
        key |= CELL_CURSOR | cursor->first_line << 17 | cursor->last_line << 22;
    return key;
}

static bool is_glyph_changed(const struct vga_text_shadow *shadow, uint32_t cell)
{
    return shadow->glyph_changed[CELL_ATTRIBUTE(cell) >> 3 & 1][CELL_CODE(cell)];
}

/* The dots of one scan line of a cell, the leftmost in the highest of cell_width bits. */
static unsigned cell_dots(const struct vga_mode *mode, const struct vga_text_shadow *shadow,
                          uint32_t cell, unsigned line)
{
    unsigned code = CELL_CODE(cell), attribute = CELL_ATTRIBUTE(cell);
    unsigned dots = shadow->fonts[attribute >> 3 & 1][code][line];

    if (mode->cell_width == 9) {
        bool joined = mode->line_graphics && code >= 0xc0 && code <= 0xdf;

        dots = dots << 1 | (joined ? dots & 1 : 0);
    }
    if (line == mode->underline && (attribute & 0x77) == 0x01)
        dots = 0x1ff;
    if (cell & CELL_HIDDEN)
        dots = 0;
    if ((cell & CELL_CURSOR) && line >= CELL_CURSOR_FIRST(cell) && line <= CELL_CURSOR_LAST(cell))
        dots = 0x1ff;
    return dots;
}

/* Where columns [first, end) of a row are on the surface. */
static void find_pixels(const struct vga_mode *mode, const struct text_row *row, unsigned first,
                        unsigned end, unsigned *ret_left, unsigned *ret_right)
{
    unsigned pan = vga_scan_pan(mode, &row->first);
    unsigned left = MAX(first * mode->cell_width, pan) - pan;
    unsigned right = end * mode->cell_width - pan;

    *ret_left = MIN(left << mode->double_dots, mode->width);
    *ret_right = MIN(right << mode->double_dots, mode->width);
}

static void draw_cell(const struct vga_frame *frame, const struct vga_text_shadow *shadow,
                      struct surface *surface, const struct text_row *row, unsigned column,
                      uint32_t cell)
{
    const struct vga_mode *mode = &frame->mode;
    unsigned attribute = CELL_ATTRIBUTE(cell), pan = vga_scan_pan(mode, &row->first);
    uint32_t back = frame->colors[attribute >> 4 & (mode->blink ? 7 : 15)];
    uint32_t fore = frame->colors[attribute & 15];
    unsigned left, right;

    find_pixels(mode, row, column, column + 1, &left, &right);
    for (unsigned y = 0; y < row->height; y++) {
        unsigned line = row->first.line + (mode->double_scan ? y / 2 : y);
        unsigned dots = cell_dots(mode, shadow, cell, line);
        uint32_t *out = surface_row(surface, row->first.y + y);

        for (unsigned x = left; x < right; x++) {
            unsigned dot = (x >> mode->double_dots) + pan - column * mode->cell_width;

            out[x] = dots >> (mode->cell_width - 1 - dot) & 1 ? fore : back;
        }
    }
}

static void draw_row(const struct vga_frame *frame, struct vga_text_shadow *shadow,
                     struct surface *surface, const struct text_row *row, struct vga_damage *damage)
{
    unsigned first = UINT_MAX, end = 0, left, right;

    for (unsigned i = 0; i < row_cells(&frame->mode); i++) {
        uint32_t cell = cell_key(frame, row->first.address + i * 4);

        if (cell == row->cells[i] && !is_glyph_changed(shadow, cell))
            continue;
        row->cells[i] = cell;
        draw_cell(frame, shadow, surface, row, i, cell);
        first = MIN(first, i);
        end = i + 1;
    }
    if (first >= end)
        return;
    find_pixels(&frame->mode, row, first, end, &left, &right);
    if (left < right)
        vga_damage_span(damage, left, row->first.y, right - left, row->height);
}

static bool is_current(const struct vga_frame *frame, const struct vga_text_shadow *shadow)
{
    return !frame->redraw && !frame->any_dirty && frame->cursor_on == shadow->cursor_on &&
           frame->blink_on == shadow->blink_on &&
           memcmp(&frame->cursor, &shadow->cursor, sizeof(frame->cursor)) == 0;
}

void vga_text_draw(const struct vga_frame *frame, struct vga_text_shadow *shadow,
                   struct surface *surface, struct vga_damage *damage)
{
    const struct vga_mode *mode = &frame->mode;
    struct vga_scan scan;
    struct text_row row;

    if (is_current(frame, shadow))
        return;
    shadow->cursor_on = frame->cursor_on;
    shadow->blink_on = frame->blink_on;
    shadow->cursor = frame->cursor;
    if (frame->redraw && !forget_cells(shadow, mode))
        log_guest("vga", "no memory for a text screen of %u columns", mode->columns);
    if (shadow->cells == NULL)
        return;
    update_fonts(frame, shadow);
    row.cells = shadow->cells;
    vga_scan_start(mode, &scan);
    while (next_row(mode, &scan, &row)) {
        draw_row(frame, shadow, surface, &row, damage);
        row.cells += row_cells(mode);
    }
}

void vga_text_read(const struct vga *vga, const struct vga_mode *mode,
                   const struct vga_cursor *cursor, struct text_screen *screen)
{
    struct text_cell *cell = screen->cells;
    struct vga_scan scan;
    struct text_row row;

    screen->columns = MIN(mode->columns, TEXT_MAX_COLUMNS);
    screen->rows = 0;
    screen->cursor_visible = false;
    screen->cursor_x = 0;
    screen->cursor_y = 0;
    vga_scan_start(mode, &scan);
    while (screen->rows < TEXT_MAX_ROWS && next_row(mode, &scan, &row)) {
        for (unsigned x = 0; x < screen->columns; x++, cell++) {
            uint32_t address = (row.first.address + x * 4) & mode->wrap;
            uint32_t unit = vga_vram_load(vga, address);

            *cell = (struct text_cell){.code = unit, .attribute = unit >> 8};
            if (cursor->enabled && address == cursor->address) {
                screen->cursor_visible = true;
                screen->cursor_x = x;
                screen->cursor_y = screen->rows;
            }
        }
        screen->rows++;
    }
}
