/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The window at 0xa0000-0xbffff: where an access lands in the four planes, and what the graphics
 * controller does to it on the way.
 */
#include <sys/mman.h>

#include "engine/dev/vga_internal.h"

#define WINDOW_PRIORITY 1
#define WINDOW_BASE 0xa0000

/* One byte for each plane whose bit is set. */
static uint32_t plane_mask(unsigned planes)
{
    uint32_t bits = (planes & 1) | (planes & 2) << 7 | (planes & 4) << 14 | (planes & 8) << 21;

    return bits * 0xff;
}

static uint32_t bank_base(const struct vga_regs *r)
{
    return r->dispi[DISPI_BANK] * VGA_BANK_SIZE;
}

static bool is_linear_dispi(const struct vga_regs *r)
{
    return vga_dispi_enabled(r) && r->dispi[DISPI_BPP] != 4;
}

/* Whether the first 64 KiB of the window are plain memory, and from where. */
static bool window_is_memory(const struct vga_regs *r, uint32_t *ret_base)
{
    *ret_base = bank_base(r);
    if (is_linear_dispi(r))
        return true;
    return (r->seq[SEQ_MEMORY_MODE] & SEQ_MEMORY_CHAIN_4) && r->seq[SEQ_MAP_MASK] == 0x0f &&
           r->gfx[GFX_ENABLE_SET_RESET] == 0 && r->gfx[GFX_ROTATE] == 0 &&
           (r->gfx[GFX_MODE] & (GFX_MODE_WRITE | GFX_MODE_READ_1)) == 0 &&
           (r->gfx[GFX_MISC] & 0x0c) == 0x04 && r->gfx[GFX_BIT_MASK] == 0xff;
}

void vga_window_update(struct vga *vga)
{
    struct region *ram = &vga->window_ram;
    struct memory_map *map = vga->board->memory;
    uint32_t base;
    bool wanted = window_is_memory(&vga->regs, &base);

    if (wanted == ram->mapped && (!wanted || ram->host == vga->vram + base))
        return;
    /* The accelerator forgets what the guest wrote to a mapping that goes away. */
    if (ram->mapped)
        vga_mark_dirty(vga, ram->host - vga->vram, VGA_BANK_SIZE);
    ram->host = vga->vram + base;
    if (!wanted)
        memory_map_remove(map, ram);
    else if (ram->mapped)
        memory_map_update(map, ram);
    else
        memory_map_add(map, ram, WINDOW_BASE, WINDOW_PRIORITY + 1);
}

void vga_window_map(struct vga *vga)
{
    memory_map_add(vga->board->memory, &vga->window, WINDOW_BASE, WINDOW_PRIORITY);
}

/* Which bytes an access reaches. */
struct target {
    uint32_t unit;   /* offset in video memory of the four planes' bytes */
    unsigned planes; /* that may be written */
    unsigned plane;  /* that is read */
};

static bool find_address(const struct vga_regs *r, uint64_t offset, uint32_t *ret_address)
{
    unsigned map = is_linear_dispi(r) ? 1 : r->gfx[GFX_MISC] >> 2 & 3;

    switch (map) {
    case 0:
        *ret_address = offset;
        return true;
    case 1:
        *ret_address = offset + bank_base(r);
        return offset < VGA_BANK_SIZE;
    case 2:
        *ret_address = offset - 0x10000;
        return offset >= 0x10000 && offset < 0x18000;
    default:
        *ret_address = offset - 0x18000;
        return offset >= 0x18000;
    }
}

static bool find_target(const struct vga_regs *r, uint64_t offset, struct target *ret_target)
{
    uint32_t address;

    if (!find_address(r, offset, &address))
        return false;
    if (is_linear_dispi(r) || (r->seq[SEQ_MEMORY_MODE] & SEQ_MEMORY_CHAIN_4)) {
        ret_target->unit = address & ~3u;
        ret_target->plane = address & 3;
        ret_target->planes = 1u << ret_target->plane;
    } else if (r->gfx[GFX_MODE] & GFX_MODE_ODD_EVEN) {
        ret_target->unit = (address & ~1u) << 1;
        ret_target->plane = (r->gfx[GFX_READ_MAP] & 2) | (address & 1);
        ret_target->planes = address & 1 ? 0x0a : 0x05;
    } else {
        ret_target->unit = address << 2;
        ret_target->plane = r->gfx[GFX_READ_MAP];
        ret_target->planes = 0x0f;
    }
    return true;
}

static uint64_t window_read(void *opaque, uint64_t offset, unsigned size)
{
    struct vga *vga = opaque;
    const struct vga_regs *r = &vga->regs;
    struct target target;

    if (!find_target(r, offset, &target))
        return 0xff;
    vga->latch = vga_vram_load(vga, target.unit);
    if (!(r->gfx[GFX_MODE] & GFX_MODE_READ_1) || is_linear_dispi(r))
        return vga->latch >> target.plane * 8 & 0xff;

    /* Read mode 1: a bit for each pixel whose colour matches in the planes that count. */
    uint32_t different = (vga->latch ^ plane_mask(r->gfx[GFX_COLOR_COMPARE])) &
                         plane_mask(r->gfx[GFX_COLOR_DONT_CARE]);

    different |= different >> 16;
    different |= different >> 8;
    return ~different & 0xff;
}

static uint8_t rotate_right(uint8_t value, unsigned count)
{
    return value >> count | value << (8 - count);
}

/* What the graphics controller makes of a byte from the processor: the four planes' bytes. */
static uint32_t write_value(const struct vga *vga, uint8_t byte)
{
    const uint8_t *gfx = vga->regs.gfx;
    uint32_t mask = gfx[GFX_BIT_MASK], set_reset = plane_mask(gfx[GFX_SET_RESET]), value;
    uint32_t enabled = plane_mask(gfx[GFX_ENABLE_SET_RESET]);
    uint8_t rotated = rotate_right(byte, gfx[GFX_ROTATE] & 7);

    switch (gfx[GFX_MODE] & GFX_MODE_WRITE) {
    case 0:
        value = (rotated * 0x01010101u & ~enabled) | (set_reset & enabled);
        break;
    case 1:
        return vga->latch;
    case 2:
        value = plane_mask(byte & 0x0f);
        break;
    default:
        value = set_reset;
        mask &= rotated;
        break;
    }
    switch (gfx[GFX_ROTATE] >> 3) {
    case 1:
        value &= vga->latch;
        break;
    case 2:
        value |= vga->latch;
        break;
    case 3:
        value ^= vga->latch;
        break;
    default:
        break;
    }
    mask *= 0x01010101u;
    return (value & mask) | (vga->latch & ~mask);
}

static void window_write(void *opaque, uint64_t offset, uint64_t byte, unsigned size)
{
    struct vga *vga = opaque;
    struct target target;
    uint32_t mask, value, old;

    if (!find_target(&vga->regs, offset, &target))
        return;
    if (is_linear_dispi(&vga->regs)) {
        mask = plane_mask(target.planes);
        value = (uint8_t)byte * 0x01010101u;
    } else {
        mask = plane_mask(target.planes & vga->regs.seq[SEQ_MAP_MASK]);
        value = write_value(vga, byte);
    }
    old = vga_vram_load(vga, target.unit);
    value = (old & ~mask) | (value & mask);
    if (value == old)
        return;
    vga_vram_store(vga, target.unit, value);
    vga_mark_dirty(vga, target.unit, sizeof(value));
}

const struct region_ops vga_window_ops = {window_read, window_write, .max_access = 1};

void vga_mark_dirty(struct vga *vga, uint32_t offset, uint32_t size)
{
    for (uint32_t page = offset / VGA_PAGE_SIZE; page <= (offset + size - 1) / VGA_PAGE_SIZE;
         page++)
        vga->dirty[page % VGA_VRAM_PAGES / 8] |= 1u << page % 8;
}

void vga_vram_clear(struct vga *vga, uint32_t size)
{
    uint32_t whole = size & ~(VGA_PAGE_SIZE - 1);

    if (size == 0)
        return;
    /* Whole pages go back to the host, and come again as zeros when they are next used. */
    if (madvise(vga->vram, whole, MADV_DONTNEED) != 0)
        whole = 0;
    for (uint32_t offset = whole; offset < size; offset += 4)
        vga_vram_store(vga, offset, 0);
    vga_mark_dirty(vga, 0, size);
}

void vga_fetch_dirty(struct vga *vga, uint8_t bitmap[VGA_VRAM_PAGES / 8])
{
    uint8_t window[VGA_BANK_SIZE / VGA_PAGE_SIZE / 8] = {0};
    uint32_t bank = (vga->window_ram.host - vga->vram) / VGA_PAGE_SIZE / 8;

    memory_map_fetch_dirty(vga->board->memory, &vga->window_ram, window);
    for (unsigned i = 0; i < sizeof(window); i++)
        bitmap[bank + i] |= window[i];
    memory_map_fetch_dirty(vga->board->memory, &vga->vram_bar, bitmap);
    for (unsigned i = 0; i < sizeof(vga->dirty); i++) {
        bitmap[i] |= vga->dirty[i];
        vga->dirty[i] = 0;
    }
}
