/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The IBM VGA's registers (IBM PS/2 Hardware Interface Technical Reference, Video Subsystem). */
#include <string.h>

#include "engine/dev/vga_internal.h"

/* Offsets from 0x3c0. The CRTC's pair, input status 1 and feature control are at 0x3d4 or 0x3b4. */
enum {
    PORT_ATTR_INDEX = 0x00,
    PORT_ATTR_DATA_READ = 0x01,
    PORT_MISC_WRITE = 0x02,
    PORT_SEQ_INDEX = 0x04,
    PORT_SEQ_DATA = 0x05,
    PORT_DAC_MASK = 0x06,
    PORT_DAC_READ_INDEX = 0x07,
    PORT_DAC_WRITE_INDEX = 0x08,
    PORT_DAC_DATA = 0x09,
    PORT_FEATURE_READ = 0x0a,
    PORT_MISC_READ = 0x0c,
    PORT_GFX_INDEX = 0x0e,
    PORT_GFX_DATA = 0x0f,
    PORT_CRTC_INDEX = 0x14,
    PORT_CRTC_DATA = 0x15,
    PORT_STATUS_1 = 0x1a, /* written: feature control */
};

#define MONO_BASE 0x3b0
#define COLOR_BASE 0x3c0
#define CRTC_PORTS_AT 0x10u /* of those at 0x3c0, the ones that move with MISC_COLOR */

#define STATUS_0_SWITCH 0x10
#define STATUS_1_NOT_DISPLAYING 0x01
#define STATUS_1_RETRACE 0x08
#define CRTC_PROTECT 0x80
#define NO_PORT 0xff

static const uint8_t seq_mask[SEQ_COUNT] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e};
static const uint8_t gfx_mask[GFX_COUNT] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};
static const uint8_t attr_mask[ATTR_COUNT] = {
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f,
};
static const uint8_t crtc_mask[CRTC_COUNT] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0x3f, 0x7f, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xef, 0xff,
};

void vga_regs_reset(struct vga *vga)
{
    memset(&vga->regs, 0, sizeof(vga->regs));
    vga->regs.dac_mask = 0xff;
    vga->latch = 0;
}

static void attr_write(struct vga_regs *r, uint8_t value)
{
    unsigned index = r->attr_index & 0x1f;

    if (!r->attr_data)
        r->attr_index = value & 0x3f;
    else if (index < ATTR_COUNT)
        r->attr[index] = value & attr_mask[index];
    r->attr_data = !r->attr_data;
}

static void crtc_write(struct vga_regs *r, uint8_t value)
{
    unsigned index = r->crtc_index;

    if (index >= CRTC_COUNT)
        return;
    if (index <= CRTC_OVERFLOW && (r->crtc[CRTC_V_RETRACE_END] & CRTC_PROTECT)) {
        /* Only bit 8 of line compare escapes the protection. */
        if (index == CRTC_OVERFLOW)
            r->crtc[index] = (r->crtc[index] & ~0x10) | (value & 0x10);
        return;
    }
    r->crtc[index] = value & crtc_mask[index];
}

static void dac_write(struct vga_regs *r, uint8_t value)
{
    uint8_t mask = r->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC ? 0xff : 0x3f;

    r->dac_latch[r->dac_component++] = value & mask;
    if (r->dac_component < 3)
        return;
    memcpy(r->dac[r->dac_write_index++], r->dac_latch, 3);
    r->dac_component = 0;
}

static uint8_t dac_read(struct vga_regs *r)
{
    uint8_t value = r->dac[r->dac_read_index][r->dac_component++];

    if (r->dac_component == 3) {
        r->dac_component = 0;
        r->dac_read_index++;
    }
    return value;
}

/* Where in a frame the beam is. The timing is the CRTC's as long as it makes a frame that a
 * monitor could show; a guest may well wait for one while it sets the mode. */
static uint8_t beam_status(const struct vga *vga)
{
    static const unsigned clock_hz[4] = {25175000, 28322000, 25175000, 25175000};
    const struct vga_regs *r = &vga->regs;
    unsigned cell = (r->seq[SEQ_CLOCKING] & SEQ_CLOCKING_8_DOTS ? 8 : 9)
                    << ((r->seq[SEQ_CLOCKING] & SEQ_CLOCKING_HALF) != 0);
    unsigned total = r->crtc[CRTC_H_TOTAL] + 5, lines = 2 + r->crtc[CRTC_V_TOTAL];
    unsigned shown = r->crtc[CRTC_H_DISPLAY_END] + 1, shown_lines = vga_vertical_display_end(r) + 1;
    unsigned retrace = r->crtc[CRTC_V_RETRACE_START];
    uint64_t line_ns = (uint64_t)total * cell * NSEC_PER_SEC / clock_hz[r->misc >> 2 & 3];
    uint64_t now = clock_now(vga->board->clock);

    lines += (r->crtc[CRTC_OVERFLOW] & 0x01) << 8 | (r->crtc[CRTC_OVERFLOW] & 0x20) << 4;
    retrace += (r->crtc[CRTC_OVERFLOW] & 0x04) << 6 | (r->crtc[CRTC_OVERFLOW] & 0x80) << 2;
    if (vga_dispi_enabled(r) || line_ns * lines < NSEC_PER_SEC / 200 ||
        line_ns * lines > NSEC_PER_SEC / 20 || shown >= total || shown_lines >= lines ||
        retrace < shown_lines || retrace >= lines) {
        line_ns = NSEC_PER_SEC / 60 / 525;
        lines = 525;
        shown_lines = 480;
        retrace = 490;
        total = 100;
        shown = 80;
    }

    unsigned y = now / line_ns % lines;
    bool blank = y >= shown_lines || now % line_ns * total / line_ns >= shown;

    /* The pulse itself is two lines long: too short for a guest that polls it by VM exits. */
    return (blank ? STATUS_1_NOT_DISPLAYING : 0) | (y >= retrace ? STATUS_1_RETRACE : 0);
}

static bool port_answers(const struct vga_regs *r, unsigned offset)
{
    return offset < CRTC_PORTS_AT || (r->misc & MISC_COLOR);
}

static uint8_t read_register(struct vga *vga, unsigned offset)
{
    struct vga_regs *r = &vga->regs;

    switch (offset) {
    case PORT_ATTR_INDEX:
        return r->attr_index;
    case PORT_ATTR_DATA_READ:
        return (r->attr_index & 0x1f) < ATTR_COUNT ? r->attr[r->attr_index & 0x1f] : 0;
    case PORT_MISC_WRITE:
        return STATUS_0_SWITCH;
    case PORT_SEQ_INDEX:
        return r->seq_index;
    case PORT_SEQ_DATA:
        return r->seq_index < SEQ_COUNT ? r->seq[r->seq_index] : 0;
    case PORT_DAC_MASK:
        return r->dac_mask;
    case PORT_DAC_READ_INDEX:
        return r->dac_reading ? 3 : 0;
    case PORT_DAC_WRITE_INDEX:
        return r->dac_write_index;
    case PORT_DAC_DATA:
        return dac_read(r);
    case PORT_FEATURE_READ:
        return r->feature;
    case PORT_MISC_READ:
        return r->misc;
    case PORT_GFX_INDEX:
        return r->gfx_index;
    case PORT_GFX_DATA:
        return r->gfx_index < GFX_COUNT ? r->gfx[r->gfx_index] : 0;
    case PORT_CRTC_INDEX:
        return r->crtc_index;
    case PORT_CRTC_DATA:
        return r->crtc_index < CRTC_COUNT ? r->crtc[r->crtc_index] : 0;
    case PORT_STATUS_1:
        r->attr_data = false;
        return beam_status(vga);
    default:
        return NO_PORT;
    }
}

static void write_register(struct vga *vga, unsigned offset, uint8_t value)
{
    struct vga_regs *r = &vga->regs;

    switch (offset) {
    case PORT_ATTR_INDEX:
        attr_write(r, value);
        break;
    case PORT_MISC_WRITE:
        r->misc = value & ~0x10;
        break;
    case PORT_SEQ_INDEX:
        r->seq_index = value & 0x07;
        break;
    case PORT_SEQ_DATA:
        if (r->seq_index < SEQ_COUNT)
            r->seq[r->seq_index] = value & seq_mask[r->seq_index];
        vga_window_update(vga);
        break;
    case PORT_DAC_MASK:
        r->dac_mask = value;
        break;
    case PORT_DAC_READ_INDEX:
        r->dac_read_index = value;
        r->dac_component = 0;
        r->dac_reading = true;
        break;
    case PORT_DAC_WRITE_INDEX:
        r->dac_write_index = value;
        r->dac_component = 0;
        r->dac_reading = false;
        break;
    case PORT_DAC_DATA:
        dac_write(r, value);
        break;
    case PORT_GFX_INDEX:
        r->gfx_index = value & 0x0f;
        break;
    case PORT_GFX_DATA:
        if (r->gfx_index < GFX_COUNT)
            r->gfx[r->gfx_index] = value & gfx_mask[r->gfx_index];
        vga_window_update(vga);
        break;
    case PORT_CRTC_INDEX:
        r->crtc_index = value;
        break;
    case PORT_CRTC_DATA:
        crtc_write(r, value);
        break;
    case PORT_STATUS_1:
        r->feature = value & 0x03;
        break;
    default:
        break;
    }
}

uint8_t vga_port_read(struct vga *vga, unsigned offset)
{
    return port_answers(&vga->regs, offset) ? read_register(vga, offset) : NO_PORT;
}

void vga_port_write(struct vga *vga, unsigned offset, uint8_t value)
{
    if (port_answers(&vga->regs, offset))
        write_register(vga, offset, value);
}

static uint64_t color_read(void *opaque, uint64_t offset, unsigned size)
{
    return vga_port_read(opaque, offset);
}

static void color_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    vga_port_write(opaque, offset, value);
}

const struct region_ops vga_color_ops = {color_read, color_write, .max_access = 1};

/* 0x3b0-0x3bb: the movable ports, while they are here. */
static uint64_t mono_read(void *opaque, uint64_t offset, unsigned size)
{
    struct vga *vga = opaque;

    return vga->regs.misc & MISC_COLOR ? NO_PORT : read_register(vga, CRTC_PORTS_AT + offset);
}

static void mono_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct vga *vga = opaque;

    if (!(vga->regs.misc & MISC_COLOR))
        write_register(vga, CRTC_PORTS_AT + offset, value);
}

const struct region_ops vga_mono_ops = {mono_read, mono_write, .max_access = 1};
