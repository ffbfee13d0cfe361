/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VGA's picture: each mode against pixels computed the long way, and damage against redraws. */
#include <check.h>
#include <string.h>

#include "tests/fakes/vga_machine.h"
#include "tests/suite.h"

#define CURSOR_PHASE_NS (16 * NSEC_PER_SEC / 70)

static struct vga_machine m;
static struct surface surface, anew;
static uint32_t *before;
static struct damage damage;
static GRand *rand_;
static uint8_t fonts[2][256][32];

/* Colour i of the palette that the tests load: 6 bits of each component. */
static void palette_entry(unsigned i, uint8_t rgb[3])
{
    rgb[0] = (i * 7 + 1) & 0x3f;
    rgb[1] = (i * 11 + 2) & 0x3f;
    rgb[2] = (i * 29 + 3) & 0x3f;
}

static uint32_t palette_color(unsigned i)
{
    uint8_t rgb[3];
    uint32_t color = 0;

    palette_entry(i, rgb);
    for (unsigned c = 0; c < 3; c++)
        color = color << 8 | (rgb[c] * 4 + rgb[c] / 16);
    return color;
}

static void load_palette(void)
{
    uint8_t rgb[3];

    for (unsigned i = 0; i < 256; i++) {
        palette_entry(i, rgb);
        guest_set_color(&m, i, rgb[0], rgb[1], rgb[2]);
    }
}

static void setup(void)
{
    vga_machine_init(&m, NULL);
    surface_init(&surface);
    surface_init(&anew);
    before = g_new(uint32_t, SURFACE_MAX_WIDTH * SURFACE_MAX_HEIGHT);
    rand_ = g_rand_new_with_seed(7);
    load_palette();
    for (unsigned i = 0; i < sizeof(fonts); i++)
        ((uint8_t *)fonts)[i] = g_rand_int(rand_);
}

static void teardown(void)
{
    vga_machine_finish(&m);
    surface_finish(&surface);
    surface_finish(&anew);
    g_free(before);
    g_rand_free(rand_);
}

static unsigned any(unsigned below)
{
    return g_rand_int_range(rand_, 0, below);
}

static enum display_mode refresh(bool full)
{
    damage_clear(&damage);
    return vga_display_ops.refresh(m.vga, &surface, &damage, full);
}

static uint32_t pixel(unsigned x, unsigned y)
{
    return surface_row(&surface, y)[x];
}

/* Check writes a record for each assertion that it is asked: too slow for each pixel. */
static void expect_pixel(const char *what, unsigned x, unsigned y, uint32_t expected)
{
    if (pixel(x, y) != expected)
        ck_abort_msg("%s: pixel %u, %u is %06x, not %06x", what, x, y, pixel(x, y), expected);
}

static const struct vga_mode_table *table_of(const char *name)
{
    const struct vga_mode_table *t = vga_mode_tables;

    while (strcmp(t->name, name) != 0)
        t++;
    return t;
}

/* Text */

struct text_mode {
    const char *name;
    unsigned columns, rows, cell_width, cell_height, scale;
    uint32_t base;
};

static const struct text_mode text_modes[] = {
    {"text 80x25", 80, 25, 9, 16, 1, 0xb8000}, {"text 80x50, 8 dots", 80, 50, 8, 8, 1, 0xb8000},
    {"text 40x25", 40, 25, 9, 16, 2, 0xb8000}, {"text 132x43", 132, 43, 8, 8, 1, 0xb8000},
    {"mono 80x25", 80, 25, 9, 16, 1, 0xb0000},
};

static void put_cell(const struct text_mode *t, unsigned column, unsigned row, uint8_t code,
                     uint8_t attribute)
{
    guest_write(&m, t->base + (row * t->columns + column) * 2, code | attribute << 8, 2);
}

static void set_crtc(const struct text_mode *t, unsigned index, uint8_t value)
{
    guest_set(&m, t->base == 0xb0000 ? 0x3b4 : 0x3d4, index, value);
}

static void set_cursor(const struct text_mode *t, unsigned place, unsigned first, unsigned last)
{
    set_crtc(t, CRTC_CURSOR_HIGH, place >> 8);
    set_crtc(t, CRTC_CURSOR_LOW, place & 0xff);
    set_crtc(t, CRTC_CURSOR_START, first);
    set_crtc(t, CRTC_CURSOR_END, last);
}

static void start_text(const struct text_mode *t)
{
    guest_set_mode(&m, t->name);
    guest_load_font(&m, 0, fonts[0]);
    guest_load_font(&m, 5, fonts[1]);
    /* Attribute bit 3 clear: font at 0; set: the one at 40 KiB. */
    guest_set(&m, 0x3c4, SEQ_CHARACTER_MAP, 0x20 | 2 << 2);
    for (unsigned i = 0; i < t->columns * t->rows; i++)
        put_cell(t, i % t->columns, i / t->columns, any(256), any(256));
    set_cursor(t, 3 * t->columns + 5, 13, 14);
}

struct text_expectation {
    bool blink_on, cursor_on;
    unsigned cursor, cursor_first, cursor_last;
};

/* What the pixel at x, y should be, worked out from the guest's side. */
static uint32_t text_pixel(const struct text_mode *t, const struct text_expectation *e, unsigned x,
                           unsigned y)
{
    const uint8_t *attr = table_of(t->name)->attr, *crtc = table_of(t->name)->crtc;
    unsigned column = x / t->scale / t->cell_width, dot = x / t->scale % t->cell_width;
    unsigned row = y / t->cell_height, line = y % t->cell_height;
    unsigned place = row * t->columns + column;
    uint16_t cell = guest_read(&m, t->base + place * 2, 2);
    uint8_t code = cell & 0xff, attribute = cell >> 8;
    bool blinking = (attr[0x10] & 8) != 0, on;

    if (dot < 8)
        on = fonts[attribute >> 3 & 1][code][line] >> (7 - dot) & 1;
    else if ((attr[0x10] & 4) && code >= 0xc0 && code <= 0xdf)
        on = fonts[attribute >> 3 & 1][code][line] & 1;
    else
        on = false;
    if ((attribute & 0x77) == 1 && line == (crtc[CRTC_UNDERLINE] & 0x1f))
        on = true;
    if (blinking && (attribute & 0x80) && !e->blink_on)
        on = false;
    if (e->cursor_on && place == e->cursor && line >= e->cursor_first && line <= e->cursor_last)
        on = true;
    return palette_color(attr[on ? attribute & 15 : attribute >> 4 & (blinking ? 7 : 15)]);
}

static void check_text(const struct text_mode *t, const struct text_expectation *e)
{
    for (unsigned y = 0; y < surface.height; y++) {
        for (unsigned x = 0; x < surface.width; x++)
            expect_pixel(t->name, x, y, text_pixel(t, e, x, y));
    }
}

START_TEST(text_modes_show_their_cells)
{
    const struct text_mode *t = &text_modes[_i];
    struct text_expectation e = {.blink_on = true, .cursor_on = true};

    start_text(t);
    e.cursor = 3 * t->columns + 5;
    e.cursor_first = 13;
    e.cursor_last = 14;
    ck_assert_int_eq(refresh(false), DISPLAY_TEXT);
    ck_assert_uint_eq(surface.width, t->columns * t->cell_width * t->scale);
    ck_assert_uint_eq(surface.height, t->rows * t->cell_height);
    check_text(t, &e);

    /* Another shape and, by its skew, place; then both phases of blinking. */
    set_cursor(t, 7, 2, 5 | 2 << 5);
    e.cursor = 9;
    e.cursor_first = 2;
    e.cursor_last = 5;
    refresh(false);
    check_text(t, &e);
    clock_advance(m.board.clock, CURSOR_PHASE_NS);
    e.cursor_on = false;
    refresh(false);
    check_text(t, &e);
    clock_advance(m.board.clock, CURSOR_PHASE_NS);
    e.blink_on = false;
    e.cursor_on = true;
    refresh(false);
    check_text(t, &e);

    /* Two phases at once: the cursor is as before. */
    clock_advance(m.board.clock, 2 * CURSOR_PHASE_NS);
    e.blink_on = true;
    refresh(false);
    check_text(t, &e);

    /* Off; and upside down, which is off too. */
    e.cursor_on = false;
    set_cursor(t, 7, 0x20 | 2, 5);
    refresh(false);
    check_text(t, &e);
    set_cursor(t, 7, 6, 5);
    refresh(false);
    check_text(t, &e);

    /* A changed glyph. */
    memset(fonts[0][0x41], 0x3c, 32);
    guest_load_font(&m, 0, fonts[0]);
    refresh(false);
    check_text(t, &e);
}
END_TEST

START_TEST(changed_cells_only_are_damage)
{
    const struct text_mode *t = &text_modes[0];

    start_text(t);
    refresh(false);
    ck_assert(!damage_is_empty(&damage));
    refresh(false);
    ck_assert(damage_is_empty(&damage));
    put_cell(t, 10, 7, 0x41, 0x1e);
    put_cell(t, 10, 7, 0x42, 0x1e);
    refresh(false);
    ck_assert_uint_eq(damage.count, 1);
    ck_assert_uint_eq(damage.rects[0].x, 10 * 9);
    ck_assert_uint_eq(damage.rects[0].y, 7 * 16);
    ck_assert_uint_eq(damage.rects[0].width, 9);
    ck_assert_uint_eq(damage.rects[0].height, 16);
    /* Written, but with what was there. */
    put_cell(t, 10, 7, 0x42, 0x1e);
    refresh(false);
    ck_assert(damage_is_empty(&damage));
    /* Off screen. */
    guest_write(&m, 0xb8000 + 80 * 25 * 2 + 100, 0x1234, 2);
    refresh(false);
    ck_assert(damage_is_empty(&damage));
    refresh(true);
    ck_assert_uint_eq(damage.rects[0].width, 720);
    ck_assert_uint_eq(damage.rects[0].height, 400);
}
END_TEST

START_TEST(text_can_be_read)
{
    const struct text_mode *t = &text_modes[_i];
    g_autofree struct text_screen *screen = g_new(struct text_screen, 1);

    start_text(t);
    set_cursor(t, 3 * t->columns + 5, 6, 7);
    ck_assert(vga_display_ops.text(m.vga, screen));
    ck_assert_uint_eq(screen->columns, t->columns);
    ck_assert_uint_eq(screen->rows, t->rows);
    ck_assert_uint_eq(screen->cursor_x, 5);
    ck_assert_uint_eq(screen->cursor_y, 3);
    ck_assert(screen->cursor_visible);
    for (unsigned i = 0; i < t->columns * t->rows; i++) {
        uint16_t cell = guest_read(&m, t->base + i * 2, 2);

        ck_assert_uint_eq(screen->cells[i].code, cell & 0xff);
        ck_assert_uint_eq(screen->cells[i].attribute, cell >> 8);
    }
    guest_set_mode(&m, "640x480x16");
    ck_assert(!vga_display_ops.text(m.vga, screen));
}
END_TEST

START_TEST(text_scrolls_by_dots_and_lines)
{
    const struct text_mode *t = &text_modes[1];
    const unsigned pan = 3, preset = 2, split = 8 * 20 - 1;
    struct text_expectation e = {.blink_on = true};

    start_text(t);
    set_cursor(t, 0, 0x20, 0);
    guest_set(&m, 0x3d4, CRTC_START_HIGH, 0);
    guest_set(&m, 0x3d4, CRTC_START_LOW, 80);
    guest_set(&m, 0x3d4, CRTC_PRESET_ROW, preset);
    guest_set(&m, 0x3d4, CRTC_LINE_COMPARE, split & 0xff);
    guest_set(&m, 0x3d4, CRTC_V_RETRACE_END, 0);
    guest_set(&m, 0x3d4, CRTC_OVERFLOW, 0x0f);
    guest_set(&m, 0x3d4, CRTC_MAX_SCAN, 0x07);
    guest_in(&m, 0x3da);
    guest_out(&m, 0x3c0, 0x20 | ATTR_MODE);
    guest_out(&m, 0x3c0, 0x24); /* the part below does not pan */
    guest_out(&m, 0x3c0, 0x20 | ATTR_PANNING);
    guest_out(&m, 0x3c0, pan);
    refresh(false);
    for (unsigned y = 0; y < 400; y++) {
        for (unsigned x = 0; x < 640 - 8; x++) {
            uint32_t expected = y <= split ? text_pixel(t, &e, x + pan, y + preset + t->cell_height)
                                           : text_pixel(t, &e, x, y - split - 1);

            expect_pixel("text", x, y, expected);
        }
    }
}
END_TEST

/* Graphics: each mode's way to a pixel, as programs do it. */

static void plot_planar(unsigned pitch, unsigned x, unsigned y, unsigned color)
{
    uint32_t at = 0xa0000 + y * pitch + x / 8;

    guest_set(&m, 0x3ce, GFX_MODE, 2);
    guest_set(&m, 0x3ce, GFX_BIT_MASK, 0x80 >> x % 8);
    guest_read(&m, at, 1);
    guest_write(&m, at, color, 1);
    guest_set(&m, 0x3ce, GFX_BIT_MASK, 0xff);
    guest_set(&m, 0x3ce, GFX_MODE, 0);
}

static void plot_cga(unsigned bits, unsigned x, unsigned y, unsigned color)
{
    unsigned per_byte = 8 / bits, shift = 8 - bits - x % per_byte * bits, mask = (1 << bits) - 1;
    uint32_t at = 0xb8000 + y % 2 * 0x2000 + y / 2 * 80 + x / per_byte;

    guest_write(&m, at, (guest_read(&m, at, 1) & ~(mask << shift)) | (color & mask) << shift, 1);
}

static void plot_packed(unsigned x, unsigned y, unsigned color)
{
    guest_write(&m, 0xa0000 + y * 320 + x, color, 1);
}

static void plot_mode_x(unsigned x, unsigned y, unsigned color)
{
    guest_set(&m, 0x3c4, SEQ_MAP_MASK, 1 << x % 4);
    guest_write(&m, 0xa0000 + y * 80 + x / 4, color, 1);
}

struct graphics_mode {
    const char *name;
    unsigned width, height, colors, scale_x, scale_y;
};

static const struct graphics_mode graphics_modes[] = {
    {"320x200x4", 320, 200, 4, 2, 2},     {"640x200x2", 640, 200, 2, 1, 2},
    {"320x200x16", 320, 200, 16, 2, 2},   {"640x200x16", 640, 200, 16, 1, 2},
    {"640x350x16", 640, 350, 16, 1, 1},   {"640x480x16", 640, 480, 16, 1, 1},
    {"320x200x256", 320, 200, 256, 2, 2}, {"mode X 320x240", 320, 240, 256, 2, 2},
};

static void plot(const struct graphics_mode *g, unsigned x, unsigned y, unsigned color)
{
    if (g->colors == 16)
        plot_planar(g->width / 8, x, y, color);
    else if (g->colors < 16)
        plot_cga(g->colors / 2, x, y, color);
    else if (g->height == 200)
        plot_packed(x, y, color);
    else
        plot_mode_x(x, y, color);
}

START_TEST(graphics_modes_show_their_pixels)
{
    const struct graphics_mode *g = &graphics_modes[_i];
    const uint8_t *attr = table_of(g->name)->attr;
    g_autofree uint8_t *picture = g_malloc0((size_t)g->width * g->height);

    guest_set_mode(&m, g->name);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned n = 0; n < 20000; n++) {
            unsigned x = any(g->width), y = any(g->height), color = any(g->colors);

            plot(g, x, y, color);
            picture[y * g->width + x] = color;
        }
        ck_assert_int_eq(refresh(false), DISPLAY_GRAPHICS);
        ck_assert_uint_eq(surface.width, g->width * g->scale_x);
        ck_assert_uint_eq(surface.height, g->height * g->scale_y);
        for (unsigned y = 0; y < surface.height; y++) {
            for (unsigned x = 0; x < surface.width; x++) {
                unsigned color = picture[y / g->scale_y * g->width + x / g->scale_x];
                unsigned index = g->colors == 256 ? color : attr[color];

                expect_pixel(g->name, x, y, palette_color(index));
            }
        }
    }
    refresh(false);
    ck_assert(damage_is_empty(&damage));
}
END_TEST

START_TEST(mode_x_pages_pans_and_splits)
{
    const unsigned start = 0xfff0, offset = 50, split = 299, pan = 3;

    guest_set_mode(&m, "mode X 320x240");
    for (unsigned i = 0; i < 65536 * 4; i++)
        guest_write(&m, VGA_TEST_VRAM + i, i * 2654435761u >> 24, 1);
    guest_set(&m, 0x3d4, CRTC_V_RETRACE_END, 0);
    guest_set(&m, 0x3d4, CRTC_START_HIGH, start >> 8);
    guest_set(&m, 0x3d4, CRTC_START_LOW, start & 0xff);
    guest_set(&m, 0x3d4, CRTC_OFFSET, offset);
    guest_set(&m, 0x3d4, CRTC_LINE_COMPARE, split & 0xff);
    guest_set(&m, 0x3d4, CRTC_OVERFLOW, 0x3e); /* line compare bit 8 */
    guest_set(&m, 0x3d4, CRTC_MAX_SCAN, 0x01);
    guest_in(&m, 0x3da);
    guest_out(&m, 0x3c0, 0x20 | ATTR_PANNING);
    guest_out(&m, 0x3c0, pan * 2);
    refresh(false);
    for (unsigned y = 0; y < 480; y++) {
        for (unsigned x = 0; x < 640; x++) {
            unsigned line = y <= split ? y / 2 : (y - split - 1) / 2, dot = x / 2 + pan;
            unsigned at = (y <= split ? start : 0) + line * offset * 2 + dot / 4;
            unsigned i = at % 65536 * 4 + dot % 4;

            expect_pixel("mode X", x, y, palette_color(i * 2654435761u >> 24));
        }
    }
}
END_TEST

START_TEST(panning_may_stop_at_the_split)
{
    const unsigned pan = 3, split = 99;

    guest_set_mode(&m, "mode X 320x240");
    for (unsigned i = 0; i < 4 * 100; i++)
        guest_write(&m, VGA_TEST_VRAM + i, i, 1);
    /* The same memory in every line. */
    guest_set(&m, 0x3d4, CRTC_V_RETRACE_END, 0);
    guest_set(&m, 0x3d4, CRTC_OFFSET, 0);
    guest_set(&m, 0x3d4, CRTC_LINE_COMPARE, split);
    guest_set(&m, 0x3d4, CRTC_OVERFLOW, 0x2e);
    guest_set(&m, 0x3d4, CRTC_MAX_SCAN, 0x01);
    guest_in(&m, 0x3da);
    guest_out(&m, 0x3c0, 0x20 | ATTR_PANNING);
    guest_out(&m, 0x3c0, pan * 2);
    guest_out(&m, 0x3c0, 0x20 | ATTR_MODE);
    guest_out(&m, 0x3c0, 0x61);
    refresh(false);
    for (unsigned y = 0; y < 480; y++) {
        for (unsigned x = 0; x < 640; x++)
            expect_pixel("mode X", x, y, palette_color((x / 2 + (y <= split ? pan : 0)) & 0xff));
    }
}
END_TEST

static const unsigned dispi_bpp[] = {4, 8, 15, 16, 24, 32};

static uint32_t dispi_pixel(unsigned bpp, uint64_t at)
{
    uint64_t value = guest_read(&m, VGA_TEST_VRAM + at, 4);
    unsigned r, g, b;

    switch (bpp) {
    case 8:
        return palette_color(value & 0xff);
    case 15:
        r = value >> 10 & 31, g = value >> 5 & 31, b = value & 31;
        return (r * 8 + r / 4) << 16 | (g * 8 + g / 4) << 8 | (b * 8 + b / 4);
    case 16:
        r = value >> 11 & 31, g = value >> 5 & 63, b = value & 31;
        return (r * 8 + r / 4) << 16 | (g * 4 + g / 16) << 8 | (b * 8 + b / 4);
    default:
        return value & 0xffffff;
    }
}

START_TEST(dispi_modes_show_their_pixels)
{
    const unsigned bpp = dispi_bpp[_i], bytes = (bpp + 7) / 8, x0 = bpp == 4 ? 16 : 13, y0 = 5;
    unsigned planes[8];

    guest_set_mode(&m, "640x480x16"); /* for the attribute controller */
    guest_set_dispi_mode(&m, 200, 100, bpp);
    guest_set_dispi(&m, DISPI_VIRT_WIDTH, 304);
    guest_set_dispi(&m, DISPI_X_OFFSET, x0);
    guest_set_dispi(&m, DISPI_Y_OFFSET, y0);
    for (unsigned i = 0; i < 304 * 110 * MAX(bytes, 1); i++)
        guest_write(&m, VGA_TEST_VRAM + i, any(256), 1);
    ck_assert_int_eq(refresh(false), DISPLAY_GRAPHICS);
    ck_assert_uint_eq(surface.width, 200);
    ck_assert_uint_eq(surface.height, 100);
    for (unsigned y = 0; y < 100; y++) {
        for (unsigned x = 0; x < 200; x++) {
            unsigned column = x + x0, row = y + y0;

            if (bpp != 4) {
                expect_pixel("dispi", x, y, dispi_pixel(bpp, (row * 304 + column) * bytes));
                continue;
            }
            unsigned color = 0;

            for (unsigned p = 0; p < 4; p++) {
                planes[p] = guest_read(&m, VGA_TEST_VRAM + row * 152 + column / 8 * 4 + p, 1);
                color |= (planes[p] >> (7 - column % 8) & 1) << p;
            }
            expect_pixel("dispi", x, y, palette_color(table_of("640x480x16")->attr[color]));
        }
    }
}
END_TEST

START_TEST(written_lines_only_are_damage)
{
    guest_set_dispi_mode(&m, 1024, 768, 32);
    refresh(false);
    guest_write(&m, VGA_TEST_VRAM + (500 * 1024 + 300) * 4, 0xffffff, 4);
    guest_write(&m, VGA_TEST_VRAM + (501 * 1024 + 310) * 4, 0xffffff, 4);
    guest_write(&m, VGA_TEST_VRAM + (20 * 1024 + 10) * 4, 0, 4);
    refresh(false);
    ck_assert_uint_le(damage.count, 2);
    for (unsigned i = 0; i < damage.count; i++) {
        ck_assert_uint_ge(damage.rects[i].x, 300);
        ck_assert_uint_le(damage.rects[i].x + damage.rects[i].width, 311);
        ck_assert_uint_ge(damage.rects[i].y, 500);
        ck_assert_uint_le(damage.rects[i].y + damage.rects[i].height, 502);
    }
    ck_assert_uint_eq(pixel(300, 500), 0xffffff);
    ck_assert_uint_eq(pixel(310, 501), 0xffffff);
    refresh(false);
    ck_assert(damage_is_empty(&damage));
}
END_TEST

START_TEST(largest_mode)
{
    guest_set_dispi_mode(&m, 2560, 1600, 32);
    guest_write(&m, VGA_TEST_VRAM + 2560 * 1600 * 4 - 4, 0x123456, 4);
    ck_assert_int_eq(refresh(false), DISPLAY_GRAPHICS);
    ck_assert_uint_eq(surface.width, 2560);
    ck_assert_uint_eq(surface.height, 1600);
    ck_assert_uint_eq(pixel(2559, 1599), 0x123456);
}
END_TEST

START_TEST(off_is_blank)
{
    ck_assert_int_eq(refresh(false), DISPLAY_BLANK);
    ck_assert_uint_eq(surface.width, 0);
    start_text(&text_modes[0]);
    ck_assert_int_eq(refresh(false), DISPLAY_TEXT);
    guest_set(&m, 0x3c4, SEQ_CLOCKING, SEQ_CLOCKING_OFF);
    ck_assert_int_eq(refresh(false), DISPLAY_BLANK);
    ck_assert_uint_eq(pixel(45, 67), 0);
    ck_assert_uint_eq(damage.rects[0].width, 720);
    ck_assert_int_eq(refresh(false), DISPLAY_BLANK);
    ck_assert(damage_is_empty(&damage));
    guest_set(&m, 0x3c4, SEQ_CLOCKING, 0);
    ck_assert_int_eq(refresh(false), DISPLAY_TEXT);
    check_text(&text_modes[0], &(struct text_expectation){true, true, 3 * 80 + 5, 13, 14});
    guest_in(&m, 0x3da);
    guest_out(&m, 0x3c0, 0x00); /* the palette belongs to the processor */
    ck_assert_int_eq(refresh(false), DISPLAY_BLANK);
}
END_TEST

START_TEST(suggested_size_reaches_the_guest)
{
    vga_display_ops.suggest_size(m.vga, 1600, 900);
    ck_assert_uint_eq(guest_read(&m, VGA_TEST_MMIO + 54 + 2, 1), 1600 & 0xff);
    ck_assert_uint_eq(guest_read(&m, VGA_TEST_MMIO + 54 + 4, 1) >> 4, 1600 >> 8);
    ck_assert_uint_eq(guest_read(&m, VGA_TEST_MMIO + 54 + 5, 1), 900 & 0xff);
}
END_TEST

/* Damage: whatever the guest does, keeping the picture up to date gives the same as drawing it
 * anew, and nothing outside the damage changes. */

static void write_somewhere(void)
{
    static const uint32_t bases[] = {0xa0000, 0xb0000, 0xb8000, VGA_TEST_VRAM};
    uint32_t base = bases[any(4)], at = base + any(any(4) == 0 ? 65536 : 6000);

    for (unsigned n = any(40); n > 0; n--)
        guest_write(&m, at + n, g_rand_int(rand_), 1 << any(3));
}

static void touch_register(void)
{
    unsigned crtc = guest_in(&m, 0x3cc) & 1 ? 0x3d4 : 0x3b4;

    switch (any(8)) {
    case 0:
        guest_set_color(&m, any(256), any(64), any(64), any(64));
        break;
    case 1:
        guest_set(&m, crtc, CRTC_START_HIGH + any(2), g_rand_int(rand_));
        break;
    case 2:
        guest_set(&m, crtc, CRTC_CURSOR_START + any(2), g_rand_int(rand_));
        break;
    case 3:
        guest_set(&m, crtc, CRTC_CURSOR_HIGH + any(2), any(8));
        break;
    case 4:
        guest_set(&m, 0x3c4, SEQ_CHARACTER_MAP, g_rand_int(rand_));
        break;
    case 5:
        guest_set_dispi(&m, any(2) ? DISPI_X_OFFSET : DISPI_Y_OFFSET, any(100));
        break;
    case 6:
        guest_set_dispi(&m, DISPI_BANK, any(4));
        break;
    default:
        clock_advance(m.board.clock, any(500) * 1000000);
    }
}

/* Any register at all, as nobody sane sets it. */
static void break_register(void)
{
    static const uint16_t ports[] = {0x3c4, 0x3ce, 0x3d4};

    /* Seldom the width, as huge pictures take long. */
    if (any(8) == 0)
        guest_set(&m, 0x3d4, CRTC_H_DISPLAY_END, any(8) == 0 ? g_rand_int(rand_) : 0x4f);
    if (any(6) == 0) {
        guest_in(&m, 0x3da);
        guest_out(&m, 0x3c0, 0x20 | any(0x15));
        guest_out(&m, 0x3c0, g_rand_int(rand_));
    } else {
        guest_set(&m, 0x3d4, CRTC_V_RETRACE_END, 0);
        guest_set(&m, ports[any(3)], any(0x19), g_rand_int(rand_));
    }
}

static void check_outside_damage(const struct surface *now)
{
    for (unsigned y = 0; y < now->height; y++) {
        for (unsigned x = 0; x < now->width; x++) {
            bool damaged = before[(size_t)y * now->width + x] == surface_row(now, y)[x];

            for (unsigned i = 0; i < damage.count && !damaged; i++) {
                const struct damage_rect *r = &damage.rects[i];

                damaged = x >= r->x && x - r->x < r->width && y >= r->y && y - r->y < r->height;
            }
            if (!damaged)
                ck_abort_msg("pixel %u, %u changed outside the damage", x, y);
        }
    }
}

static void check_incremental(const char *name)
{
    struct vga_renderer *kept = m.vga->renderer;
    unsigned width = surface.width, height = surface.height;
    enum display_mode mode;

    for (unsigned y = 0; y < height; y++)
        memcpy(before + (size_t)y * width, surface_row(&surface, y), width * sizeof(*before));
    mode = refresh(false);
    for (unsigned i = 0; i < damage.count; i++) {
        ck_assert_uint_le(damage.rects[i].x + damage.rects[i].width, surface.width);
        ck_assert_uint_le(damage.rects[i].y + damage.rects[i].height, surface.height);
    }
    if (surface.width == width && surface.height == height)
        check_outside_damage(&surface);

    struct damage ignored = {0};
    m.vga->renderer = vga_renderer_new();
    ck_assert_int_eq(vga_display_ops.refresh(m.vga, &anew, &ignored, true), mode);
    vga_renderer_free(m.vga->renderer);
    m.vga->renderer = kept;
    for (unsigned y = 0; y < anew.height; y++)
        if (memcmp(surface_row(&anew, y), surface_row(&surface, y), anew.width * 4) != 0)
            ck_abort_msg("%s: line %u is stale", name, y);
}

START_TEST(damage_is_complete_in_vga_modes)
{
    const char *name = vga_mode_tables[_i].name;

    guest_set_mode(&m, name);
    guest_load_font(&m, 0, fonts[0]);
    for (unsigned n = 0; n < 60; n++) {
        for (unsigned i = any(6); i > 0; i--)
            write_somewhere();
        if (any(3) == 0)
            touch_register();
        check_incremental(name);
    }
}
END_TEST

START_TEST(damage_is_complete_in_dispi_modes)
{
    guest_set_mode(&m, "640x480x16");
    guest_set_dispi_mode(&m, 320, 200, dispi_bpp[_i]);
    for (unsigned n = 0; n < 100; n++) {
        for (unsigned i = any(6); i > 0; i--)
            write_somewhere();
        if (any(3) == 0)
            touch_register();
        check_incremental("dispi");
    }
}
END_TEST

START_TEST(any_registers_draw_something)
{
    for (unsigned n = 0; n < 400; n++) {
        if (any(20) == 0)
            guest_set_mode(&m, vga_mode_tables[any(vga_mode_table_count)].name);
        guest_out(&m, 0x3c2, 0x67);
        break_register();
        write_somewhere();
        check_incremental("any");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vga_render");
    TCase *tc = tcase_create("vga_render");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, text_modes_show_their_cells, 0, G_N_ELEMENTS(text_modes));
    tcase_add_test(tc, changed_cells_only_are_damage);
    tcase_add_loop_test(tc, text_can_be_read, 0, G_N_ELEMENTS(text_modes));
    tcase_add_test(tc, text_scrolls_by_dots_and_lines);
    tcase_add_loop_test(tc, graphics_modes_show_their_pixels, 0, G_N_ELEMENTS(graphics_modes));
    tcase_add_test(tc, mode_x_pages_pans_and_splits);
    tcase_add_test(tc, panning_may_stop_at_the_split);
    tcase_add_loop_test(tc, dispi_modes_show_their_pixels, 0, G_N_ELEMENTS(dispi_bpp));
    tcase_add_test(tc, written_lines_only_are_damage);
    tcase_add_test(tc, largest_mode);
    tcase_add_test(tc, off_is_blank);
    tcase_add_test(tc, suggested_size_reaches_the_guest);
    tcase_add_loop_test(tc, damage_is_complete_in_vga_modes, 0, vga_mode_table_count);
    tcase_add_loop_test(tc, damage_is_complete_in_dispi_modes, 0, G_N_ELEMENTS(dispi_bpp));
    tcase_add_test(tc, any_registers_draw_something);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
