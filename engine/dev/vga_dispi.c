/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Bochs display interface, an index and a data register of 16 bits each. A value out of range
 * is moved into it, as the video BIOS and drivers probe the limits by writing and reading back.
 */
#include <string.h>

#include "engine/dev/vga_internal.h"

#define DISPI_ID_0 0xb0c0
#define DISPI_ID_5 0xb0c5
#define DISPI_MAX_BPP 32

/* Offsets from 0x1ce. PCs have the data register at 0x1cf; some guests use the aligned 0x1d0. */
enum { PORT_INDEX = 0, PORT_DATA = 1, PORT_DATA_ALIGNED = 2 };

unsigned vga_dispi_pitch(const struct vga_regs *r)
{
    return r->dispi[DISPI_VIRT_WIDTH] * vga_dispi_bits(r) / 8;
}

static bool valid_bpp(unsigned bpp)
{
    return bpp == 4 || bpp == 8 || bpp == 15 || bpp == 16 || bpp == 24 || bpp == 32;
}

/* Brings what the guest wrote into the limits, so that the picture lies within video memory. */
static void fix_up(struct vga_regs *r)
{
    uint16_t *d = r->dispi;
    unsigned bits, lines, max_width, step;

    if (!valid_bpp(d[DISPI_BPP]))
        d[DISPI_BPP] = DISPI_MAX_BPP;
    bits = vga_dispi_bits(r);
    step = bits == 4 ? 8 : 1; /* planar: whole bytes of eight pixels */
    d[DISPI_XRES] = CLAMP(d[DISPI_XRES], step, SURFACE_MAX_WIDTH) / step * step;
    d[DISPI_YRES] = CLAMP(d[DISPI_YRES], 1, SURFACE_MAX_HEIGHT);

    max_width = MIN(VGA_VRAM_SIZE / d[DISPI_YRES] * 8 / bits, UINT16_MAX);
    d[DISPI_VIRT_WIDTH] = CLAMP(d[DISPI_VIRT_WIDTH], d[DISPI_XRES], max_width) / step * step;
    lines = VGA_VRAM_SIZE / vga_dispi_pitch(r);
    d[DISPI_VIRT_HEIGHT] = MIN(lines, UINT16_MAX);

    d[DISPI_X_OFFSET] = MIN(d[DISPI_X_OFFSET], d[DISPI_VIRT_WIDTH] - d[DISPI_XRES]) / step * step;
    d[DISPI_Y_OFFSET] = MIN(d[DISPI_Y_OFFSET], d[DISPI_VIRT_HEIGHT] - d[DISPI_YRES]);
}

void vga_dispi_reset(struct vga *vga)
{
    memset(vga->regs.dispi, 0, sizeof(vga->regs.dispi));
    vga->regs.dispi_index = 0;
    vga->regs.dispi[DISPI_ID] = DISPI_ID_5;
    vga->regs.dispi[DISPI_MEMORY_64K] = VGA_VRAM_SIZE / VGA_BANK_SIZE;
}

uint16_t vga_dispi_read(const struct vga *vga, unsigned index)
{
    const uint16_t *d = vga->regs.dispi;

    if (index >= DISPI_COUNT)
        return 0;
    if (d[DISPI_ENABLE] & DISPI_GET_CAPS) {
        switch (index) {
        case DISPI_XRES:
            return SURFACE_MAX_WIDTH;
        case DISPI_YRES:
            return SURFACE_MAX_HEIGHT;
        case DISPI_BPP:
            return DISPI_MAX_BPP;
        default:
            break;
        }
    }
    return d[index];
}

static void enable(struct vga *vga, uint16_t value)
{
    struct vga_regs *r = &vga->regs;
    bool was_enabled = vga_dispi_enabled(r);

    r->dispi[DISPI_ENABLE] = value;
    if (!vga_dispi_enabled(r)) {
        r->dispi[DISPI_BANK] = 0;
        return;
    }
    if (was_enabled)
        return;
    r->dispi[DISPI_VIRT_WIDTH] = 0;
    r->dispi[DISPI_X_OFFSET] = 0;
    r->dispi[DISPI_Y_OFFSET] = 0;
    fix_up(r);
    if (!(value & DISPI_NO_CLEAR))
        vga_vram_clear(vga, vga_dispi_pitch(r) * r->dispi[DISPI_YRES]);
}

void vga_dispi_write(struct vga *vga, unsigned index, uint16_t value)
{
    struct vga_regs *r = &vga->regs;

    switch (index) {
    case DISPI_ID:
        if (value >= DISPI_ID_0 && value <= DISPI_ID_5)
            r->dispi[DISPI_ID] = value;
        return;
    case DISPI_ENABLE:
        enable(vga, value);
        break;
    case DISPI_BANK:
        r->dispi[DISPI_BANK] = value % (VGA_VRAM_SIZE / VGA_BANK_SIZE);
        break;
    case DISPI_XRES:
    case DISPI_YRES:
    case DISPI_BPP:
    case DISPI_VIRT_WIDTH:
    case DISPI_X_OFFSET:
    case DISPI_Y_OFFSET:
        r->dispi[index] = value;
        if (vga_dispi_enabled(r))
            fix_up(r);
        break;
    default:
        return;
    }
    vga_window_update(vga);
}

static uint64_t ports_read(void *opaque, uint64_t offset, unsigned size)
{
    struct vga *vga = opaque;

    if (size != 2)
        return UINT64_MAX;
    switch (offset) {
    case PORT_INDEX:
        return vga->regs.dispi_index;
    case PORT_DATA:
    case PORT_DATA_ALIGNED:
        return vga_dispi_read(vga, vga->regs.dispi_index);
    default:
        return UINT64_MAX;
    }
}

static void ports_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct vga *vga = opaque;

    if (size != 2)
        return;
    if (offset == PORT_INDEX)
        vga->regs.dispi_index = value;
    else if (offset == PORT_DATA || offset == PORT_DATA_ALIGNED)
        vga_dispi_write(vga, vga->regs.dispi_index, value);
}

const struct region_ops vga_dispi_ops = {ports_read, ports_write, .max_access = 2};
