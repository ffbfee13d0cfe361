/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/vga_machine.h"

#include <stdlib.h>
#include <string.h>

struct direct_section {
    struct memory_section section;
    uint8_t *host;
    uint8_t dirty[VGA_VRAM_PAGES / 8];
};

static void on_add(void *opaque, const struct memory_section *section)
{
    struct vga_machine *m = opaque;
    struct direct_section direct = {.section = *section,
                                    .host = section->region->host + section->offset};

    g_array_append_val(m->sections, direct);
}

static struct direct_section *find(const struct vga_machine *m, uint64_t gpa)
{
    for (unsigned i = 0; i < m->sections->len; i++) {
        struct direct_section *d = &g_array_index(m->sections, struct direct_section, i);

        if (gpa >= d->section.base && gpa - d->section.base < d->section.size)
            return d;
    }
    return NULL;
}

static void on_remove(void *opaque, const struct memory_section *section)
{
    struct vga_machine *m = opaque;

    for (unsigned i = 0; i < m->sections->len; i++) {
        if (g_array_index(m->sections, struct direct_section, i).section.base == section->base) {
            g_array_remove_index(m->sections, i);
            return;
        }
    }
    abort();
}

static void on_fetch_dirty(void *opaque, const struct memory_section *section, uint8_t *bitmap)
{
    struct direct_section *d = find(opaque, section->base);

    for (unsigned i = 0; i < section->size / VGA_PAGE_SIZE; i++) {
        if (d->dirty[i / 8] >> i % 8 & 1)
            bitmap[i / 8] |= 1 << i % 8;
    }
    memset(d->dirty, 0, sizeof(d->dirty));
}

static const struct memory_listener listener = {on_add, on_remove, on_fetch_dirty, NULL};

void vga_machine_init(struct vga_machine *m, GBytes *rom)
{
    struct vga_options options = {.devfn = VGA_TEST_DEVFN, .rom = rom};
    GError *error = NULL;

    board_init(&m->board, NULL);
    m->sections = g_array_new(FALSE, FALSE, sizeof(struct direct_section));
    memory_map_set_listener(m->board.memory, &listener, m);
    m->vga = vga_new(&m->board, &options, &error);
    if (m->vga == NULL)
        g_error("%s", error->message);
    pci_bus_config_write(m->board.pci, 0, VGA_TEST_DEVFN, PCI_BAR0, VGA_TEST_VRAM, 4);
    pci_bus_config_write(m->board.pci, 0, VGA_TEST_DEVFN, PCI_BAR0 + 8, VGA_TEST_MMIO, 4);
    pci_bus_config_write(m->board.pci, 0, VGA_TEST_DEVFN, PCI_COMMAND,
                         PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
}

void vga_machine_finish(struct vga_machine *m)
{
    board_finish(&m->board);
    g_array_free(m->sections, TRUE);
}

uint8_t guest_in(struct vga_machine *m, unsigned port)
{
    return pio_bus_read(m->board.pio, port, 1);
}

void guest_out(struct vga_machine *m, unsigned port, uint8_t value)
{
    pio_bus_write(m->board.pio, port, value, 1);
}

uint16_t guest_in16(struct vga_machine *m, unsigned port)
{
    return pio_bus_read(m->board.pio, port, 2);
}

void guest_out16(struct vga_machine *m, unsigned port, uint16_t value)
{
    pio_bus_write(m->board.pio, port, value, 2);
}

void guest_set(struct vga_machine *m, unsigned port, uint8_t index, uint8_t value)
{
    guest_out16(m, port, index | value << 8);
}

uint8_t guest_get(struct vga_machine *m, unsigned port, uint8_t index)
{
    guest_out(m, port, index);
    return guest_in(m, port + 1);
}

uint16_t guest_get_dispi(struct vga_machine *m, unsigned index)
{
    guest_out16(m, 0x1ce, index);
    return guest_in16(m, 0x1cf);
}

void guest_set_dispi(struct vga_machine *m, unsigned index, uint16_t value)
{
    guest_out16(m, 0x1ce, index);
    guest_out16(m, 0x1cf, value);
}

uint64_t guest_read(struct vga_machine *m, uint64_t gpa, unsigned size)
{
    return memory_map_read(m->board.memory, gpa, size);
}

bool guest_traps(const struct vga_machine *m, uint64_t gpa)
{
    return find(m, gpa) == NULL;
}

void guest_write(struct vga_machine *m, uint64_t gpa, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        struct direct_section *d = find(m, gpa + i);
        uint64_t offset = d != NULL ? gpa + i - d->section.base : 0;

        if (d == NULL) {
            memory_map_write(m->board.memory, gpa + i, value >> i * 8 & 0xff, 1);
        } else if (!d->section.region->readonly) {
            d->host[offset] = value >> i * 8;
            d->dirty[offset / VGA_PAGE_SIZE / 8] |= 1 << offset / VGA_PAGE_SIZE % 8;
        }
    }
}

#define EGA_PALETTE \
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f
#define CGA_PALETTE \
    0x00, 0x13, 0x15, 0x17, 0x02, 0x04, 0x06, 0x07, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17
#define PLAIN_PALETTE \
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f
#define MONO_PALETTE \
    0x00, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x10, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18
#define TEXT_GFX                              \
    {                                         \
        0, 0, 0, 0, 0, 0x10, 0x0e, 0x0f, 0xff \
    }
#define PLANAR_GFX                            \
    {                                         \
        0, 0, 0, 0, 0, 0x00, 0x05, 0x0f, 0xff \
    }
#define PACKED_GFX                            \
    {                                         \
        0, 0, 0, 0, 0, 0x40, 0x05, 0x0f, 0xff \
    }

/* clang-format off */
const struct vga_mode_table vga_mode_tables[] = {
    {"text 80x25", 0x67, {3, 0x00, 0x03, 0, 0x02},
     {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0,
      0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
     TEXT_GFX, {EGA_PALETTE, 0x0c, 0, 0x0f, 0x08, 0}},
    {"text 80x50, 8 dots", 0x63, {3, 0x01, 0x03, 0, 0x02},
     {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0, 0x47, 0x06, 0x07, 0, 0, 0, 0,
      0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
     TEXT_GFX, {EGA_PALETTE, 0x04, 0, 0x0f, 0x00, 0}},
    {"text 40x25", 0x67, {3, 0x08, 0x03, 0, 0x02},
     {0x2d, 0x27, 0x28, 0x90, 0x2b, 0xa0, 0xbf, 0x1f, 0, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0,
      0x9c, 0x8e, 0x8f, 0x14, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
     TEXT_GFX, {EGA_PALETTE, 0x0c, 0, 0x0f, 0x08, 0}},
    {"text 132x43", 0x67, {3, 0x01, 0x03, 0, 0x02},
     {0xa0, 0x83, 0x84, 0x82, 0x8a, 0x9e, 0xbf, 0x1f, 0, 0x47, 0x06, 0x07, 0, 0, 0, 0,
      0x9c, 0x8e, 0x57, 0x42, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
     TEXT_GFX, {EGA_PALETTE, 0x08, 0, 0x0f, 0x00, 0}},
    {"mono 80x25", 0x66, {3, 0x00, 0x03, 0, 0x02},
     {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0,
      0x9c, 0x8e, 0x8f, 0x28, 0x0d, 0x96, 0xb9, 0xa3, 0xff},
     {0, 0, 0, 0, 0, 0x10, 0x0a, 0x0f, 0xff}, {MONO_PALETTE, 0x0e, 0, 0x0f, 0x08, 0}},
    {"320x200x4", 0x63, {3, 0x09, 0x03, 0, 0x02},
     {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0, 0xc1, 0, 0, 0, 0, 0, 0,
      0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xa2, 0xff},
     {0, 0, 0, 0, 0, 0x30, 0x0f, 0x0f, 0xff}, {CGA_PALETTE, 0x01, 0, 0x03, 0, 0}},
    {"640x200x2", 0x63, {3, 0x01, 0x01, 0, 0x06},
     {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0, 0xc1, 0, 0, 0, 0, 0, 0,
      0x9c, 0x8e, 0x8f, 0x28, 0x00, 0x96, 0xb9, 0xc2, 0xff},
     {0, 0, 0, 0, 0, 0x00, 0x0d, 0x0f, 0xff},
     {0, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17,
      0x01, 0, 0x01, 0, 0}},
    {"320x200x16", 0x63, {3, 0x09, 0x0f, 0, 0x06},
     {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0, 0xc0, 0, 0, 0, 0, 0, 0,
      0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xe3, 0xff},
     PLANAR_GFX, {CGA_PALETTE, 0x01, 0, 0x0f, 0, 0}},
    {"640x200x16", 0x63, {3, 0x01, 0x0f, 0, 0x06},
     {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0, 0xc0, 0, 0, 0, 0, 0, 0,
      0x9c, 0x8e, 0x8f, 0x28, 0x00, 0x96, 0xb9, 0xe3, 0xff},
     PLANAR_GFX, {CGA_PALETTE, 0x01, 0, 0x0f, 0, 0}},
    {"640x350x16", 0xa3, {3, 0x01, 0x0f, 0, 0x06},
     {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0, 0x40, 0, 0, 0, 0, 0, 0,
      0x83, 0x85, 0x5d, 0x28, 0x0f, 0x63, 0xba, 0xe3, 0xff},
     PLANAR_GFX, {EGA_PALETTE, 0x01, 0, 0x0f, 0, 0}},
    {"640x480x16", 0xe3, {3, 0x01, 0x0f, 0, 0x06},
     {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0, 0x40, 0, 0, 0, 0, 0, 0,
      0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff},
     PLANAR_GFX, {EGA_PALETTE, 0x01, 0, 0x0f, 0, 0}},
    {"320x200x256", 0x63, {3, 0x01, 0x0f, 0, 0x0e},
     {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0, 0x41, 0, 0, 0, 0, 0, 0,
      0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff},
     PACKED_GFX, {PLAIN_PALETTE, 0x41, 0, 0x0f, 0, 0}},
    {"mode X 320x240", 0xe3, {3, 0x01, 0x0f, 0, 0x06},
     {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0d, 0x3e, 0, 0x41, 0, 0, 0, 0, 0, 0,
      0xea, 0xac, 0xdf, 0x28, 0x00, 0xe7, 0x06, 0xe3, 0xff},
     PACKED_GFX, {PLAIN_PALETTE, 0x41, 0, 0x0f, 0, 0}},
};
/* clang-format on */

const size_t vga_mode_table_count = G_N_ELEMENTS(vga_mode_tables);

void guest_set_mode(struct vga_machine *m, const char *name)
{
    const struct vga_mode_table *t = vga_mode_tables;
    unsigned crtc;

    while (strcmp(t->name, name) != 0)
        t++;
    crtc = t->misc & MISC_COLOR ? 0x3d4 : 0x3b4;
    guest_set_dispi(m, DISPI_ENABLE, 0);
    guest_out(m, 0x3c2, t->misc);
    for (unsigned i = 0; i < SEQ_COUNT; i++)
        guest_set(m, 0x3c4, i, t->seq[i]);
    guest_set(m, crtc, CRTC_V_RETRACE_END, 0);
    for (unsigned i = 0; i < CRTC_COUNT; i++)
        guest_set(m, crtc, i, t->crtc[i]);
    for (unsigned i = 0; i < GFX_COUNT; i++)
        guest_set(m, 0x3ce, i, t->gfx[i]);
    guest_in(m, crtc + 6);
    for (unsigned i = 0; i < ATTR_COUNT; i++) {
        guest_out(m, 0x3c0, i);
        guest_out(m, 0x3c0, t->attr[i]);
    }
    guest_out(m, 0x3c0, 0x20);
}

void guest_set_dispi_mode(struct vga_machine *m, unsigned width, unsigned height, unsigned bpp)
{
    guest_set_dispi(m, DISPI_ENABLE, 0);
    guest_set_dispi(m, DISPI_XRES, width);
    guest_set_dispi(m, DISPI_YRES, height);
    guest_set_dispi(m, DISPI_BPP, bpp);
    guest_set_dispi(m, DISPI_ENABLE, DISPI_ENABLED | 0x40);
    guest_out(m, 0x3c2, 0xe3);
    guest_in(m, 0x3da);
    guest_out(m, 0x3c0, 0x20);
}

void guest_set_color(struct vga_machine *m, uint8_t index, uint8_t r, uint8_t g, uint8_t b)
{
    guest_out(m, 0x3c8, index);
    guest_out(m, 0x3c9, r);
    guest_out(m, 0x3c9, g);
    guest_out(m, 0x3c9, b);
}

void guest_load_font(struct vga_machine *m, unsigned slot, const uint8_t font[256][32])
{
    static const struct {
        uint16_t port;
        uint8_t index, value;
    } access[] = {{0x3c4, SEQ_MAP_MASK, 4},
                  {0x3c4, SEQ_MEMORY_MODE, 7},
                  {0x3ce, GFX_READ_MAP, 2},
                  {0x3ce, GFX_MODE, 0},
                  {0x3ce, GFX_MISC, 4}};
    uint8_t saved[G_N_ELEMENTS(access)];

    for (unsigned i = 0; i < G_N_ELEMENTS(access); i++) {
        saved[i] = guest_get(m, access[i].port, access[i].index);
        guest_set(m, access[i].port, access[i].index, access[i].value);
    }
    for (unsigned i = 0; i < 256 * 32; i++)
        guest_write(m, 0xa0000 + slot * 8192 + i, font[i / 32][i % 32], 1);
    for (unsigned i = 0; i < G_N_ELEMENTS(access); i++)
        guest_set(m, access[i].port, access[i].index, saved[i]);
}
