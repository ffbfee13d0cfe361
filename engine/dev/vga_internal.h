/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the VGA among themselves.
 *   vga.c           the device: BARs, ports, windows
 *   vga_regs.c      the IBM VGA's registers
 *   vga_dispi.c     the Bochs display interface
 *   vga_memory.c    what the guest sees at 0xa0000, and which pages it wrote
 *   vga_mode.c      registers -> geometry and colours of the picture
 *   vga_display.c   the display's source
 *   vga_text.c, vga_graphics.c   drawing
 */
#ifndef ENGINE_DEV_VGA_INTERNAL_H
#define ENGINE_DEV_VGA_INTERNAL_H

#include "engine/bus/pci.h"
#include "engine/dev/edid.h"
#include "engine/dev/vga.h"

#define VGA_VRAM_SIZE (16u << 20)
#define VGA_PAGE_SIZE 4096u
#define VGA_VRAM_PAGES (VGA_VRAM_SIZE / VGA_PAGE_SIZE)
#define VGA_BANK_SIZE 0x10000u

/* Indices of the registers that more than one part looks at. */
enum {
    SEQ_CLOCKING = 1,
    SEQ_MAP_MASK = 2,
    SEQ_CHARACTER_MAP = 3,
    SEQ_MEMORY_MODE = 4,
    SEQ_COUNT,
};

enum {
    GFX_SET_RESET = 0,
    GFX_ENABLE_SET_RESET = 1,
    GFX_COLOR_COMPARE = 2,
    GFX_ROTATE = 3,
    GFX_READ_MAP = 4,
    GFX_MODE = 5,
    GFX_MISC = 6,
    GFX_COLOR_DONT_CARE = 7,
    GFX_BIT_MASK = 8,
    GFX_COUNT,
};

enum {
    CRTC_H_TOTAL = 0x00,
    CRTC_H_DISPLAY_END = 0x01,
    CRTC_V_TOTAL = 0x06,
    CRTC_OVERFLOW = 0x07,
    CRTC_PRESET_ROW = 0x08,
    CRTC_MAX_SCAN = 0x09,
    CRTC_CURSOR_START = 0x0a,
    CRTC_CURSOR_END = 0x0b,
    CRTC_START_HIGH = 0x0c,
    CRTC_START_LOW = 0x0d,
    CRTC_CURSOR_HIGH = 0x0e,
    CRTC_CURSOR_LOW = 0x0f,
    CRTC_V_RETRACE_START = 0x10,
    CRTC_V_RETRACE_END = 0x11,
    CRTC_V_DISPLAY_END = 0x12,
    CRTC_OFFSET = 0x13,
    CRTC_UNDERLINE = 0x14,
    CRTC_MODE = 0x17,
    CRTC_LINE_COMPARE = 0x18,
    CRTC_COUNT,
};

enum {
    ATTR_MODE = 0x10,
    ATTR_PLANE_ENABLE = 0x12,
    ATTR_PANNING = 0x13,
    ATTR_COLOR_SELECT = 0x14,
    ATTR_COUNT,
};

#define MISC_COLOR 0x01u /* CRTC at 0x3dx rather than 0x3bx */
#define SEQ_CLOCKING_8_DOTS 0x01u
#define SEQ_CLOCKING_HALF 0x08u /* dots twice as wide */
#define SEQ_CLOCKING_OFF 0x20u
#define SEQ_MEMORY_CHAIN_4 0x08u
#define GFX_MODE_WRITE 0x03u
#define GFX_MODE_READ_1 0x08u
#define GFX_MODE_ODD_EVEN 0x10u
#define GFX_MISC_GRAPHICS 0x01u
#define ATTR_INDEX_PAS 0x20u /* palette address source: the display shows the palette */

enum dispi_register {
    DISPI_ID,
    DISPI_XRES,
    DISPI_YRES,
    DISPI_BPP,
    DISPI_ENABLE,
    DISPI_BANK,
    DISPI_VIRT_WIDTH,
    DISPI_VIRT_HEIGHT,
    DISPI_X_OFFSET,
    DISPI_Y_OFFSET,
    DISPI_MEMORY_64K,
    DISPI_COUNT,
};

#define DISPI_ENABLED 0x01u
#define DISPI_GET_CAPS 0x02u
#define DISPI_8BIT_DAC 0x20u
#define DISPI_NO_CLEAR 0x80u

/* All registers: a refresh works from one copy of them. */
struct vga_regs {
    uint8_t misc, feature;
    uint8_t seq_index, seq[SEQ_COUNT];
    uint8_t gfx_index, gfx[GFX_COUNT];
    uint8_t crtc_index, crtc[CRTC_COUNT];
    uint8_t attr_index, attr[ATTR_COUNT];
    bool attr_data; /* the flip-flop: the next write to 0x3c0 is data */
    uint8_t dac_mask, dac_read_index, dac_write_index, dac_component, dac_latch[3];
    bool dac_reading;
    uint8_t dac[256][3];
    uint16_t dispi_index, dispi[DISPI_COUNT];
};

struct vga_renderer;

struct vga {
    struct pci_device pci;
    struct board *board;
    struct region vram_bar, mmio_bar, rom_bar;
    struct region window;     /* 0xa0000-0xbffff, trapped */
    struct region window_ram; /* over its first 64 KiB while they behave as memory */
    struct region ports_mono, ports_color, ports_dispi;
    uint8_t *vram, *rom;

    struct vga_regs regs;
    uint32_t latch;                    /* one byte of each plane, as read last */
    uint8_t dirty[VGA_VRAM_PAGES / 8]; /* pages written, but not by the guest directly */
    uint8_t edid[EDID_SIZE];

    struct vga_renderer *renderer; /* the display thread's */
};

/* vga_regs.c. offset counts from 0x3c0; vga_mono_* from 0x3b0. */
void vga_regs_reset(struct vga *vga);
uint8_t vga_port_read(struct vga *vga, unsigned offset);
void vga_port_write(struct vga *vga, unsigned offset, uint8_t value);
extern const struct region_ops vga_mono_ops, vga_color_ops;

static inline unsigned vga_vertical_display_end(const struct vga_regs *r)
{
    return r->crtc[CRTC_V_DISPLAY_END] | (r->crtc[CRTC_OVERFLOW] & 0x02) << 7 |
           (r->crtc[CRTC_OVERFLOW] & 0x40) << 3;
}

/* vga_dispi.c */
void vga_dispi_reset(struct vga *vga);
uint16_t vga_dispi_read(const struct vga *vga, unsigned index);
void vga_dispi_write(struct vga *vga, unsigned index, uint16_t value);
unsigned vga_dispi_pitch(const struct vga_regs *r); /* bytes of video memory from line to line */
extern const struct region_ops vga_dispi_ops;

static inline bool vga_dispi_enabled(const struct vga_regs *r)
{
    return (r->dispi[DISPI_ENABLE] & DISPI_ENABLED) != 0;
}

/* Bits of video memory that a pixel takes. */
static inline unsigned vga_dispi_bits(const struct vga_regs *r)
{
    return r->dispi[DISPI_BPP] == 15 ? 16 : r->dispi[DISPI_BPP];
}

/* vga_memory.c */
extern const struct region_ops vga_window_ops;
/* Maps or unmaps window_ram after a register changed that decides how the window behaves. */
void vga_window_update(struct vga *vga);
void vga_window_map(struct vga *vga); /* once, for the device's life */
void vga_mark_dirty(struct vga *vga, uint32_t offset, uint32_t size);
void vga_vram_clear(struct vga *vga, uint32_t size); /* the first bytes */
/* ORs the pages written since the last call into bitmap, by whatever way. */
void vga_fetch_dirty(struct vga *vga, uint8_t bitmap[VGA_VRAM_PAGES / 8]);

/* Video memory is shared with running vCPUs: each side moves whole 32-bit units. What a refresh
 * reads half-written is written again in its page's next dirty bit. A vCPU's own accesses are no
 * atomic ones that ThreadSanitizer knows, so it must not look at these either. */
__attribute__((no_sanitize("thread"))) static inline uint32_t vga_vram_load(const struct vga *vga,
                                                                            uint32_t offset)
{
    const uint8_t *at = vga->vram + (offset & (VGA_VRAM_SIZE - 1) & ~3u);

    return __atomic_load_n((const uint32_t *)(const void *)at, __ATOMIC_RELAXED);
}

static inline void vga_vram_store(struct vga *vga, uint32_t offset, uint32_t value)
{
    uint32_t *unit = (uint32_t *)(void *)(vga->vram + (offset & (VGA_VRAM_SIZE - 1) & ~3u));

    __atomic_store_n(unit, value, __ATOMIC_RELAXED);
}

/* vga_mode.c */

enum vga_kind {
    VGA_BLANK,
    VGA_TEXT,
    VGA_PLANAR,      /* 4 planes, one bit each */
    VGA_INTERLEAVED, /* the CGA's way: 2 bits of a byte, planes 0/1 (low) and 2/3 (high) */
    VGA_PACKED,      /* 256 colours, dots twice as wide */
    VGA_LINEAR,      /* dispi: 8 to 32 bits a pixel */
};

/* How the picture lies in video memory. Two equal ones (memcmp) draw the same memory alike. */
struct vga_mode {
    enum vga_kind kind;
    unsigned width, height; /* of the surface */
    unsigned columns;       /* 32-bit units (text: cells) fetched for a line */
    uint32_t start, pitch;  /* bytes of video memory */
    uint32_t wrap;          /* mask of the address counter, in bytes */
    unsigned line_compare;  /* the scan line after which the address is 0 again */
    unsigned row_lines;     /* scan lines of one row of addresses */
    unsigned preset_line;   /* the first row's first */
    bool double_scan, double_dots;
    unsigned pan, pan_split;       /* dots, above and below line_compare */
    uint32_t line_bit0, line_bit1; /* address bits taken from the row's line, as the CGA does */
    unsigned bpp;                  /* VGA_LINEAR */
    /* VGA_TEXT */
    unsigned cell_width;
    uint32_t fonts[2]; /* where; [1] is for attributes with bit 3 */
    bool blink, line_graphics;
    unsigned underline;
};

struct vga_cursor {
    bool enabled;
    uint32_t address; /* in video memory */
    unsigned first_line, last_line;
};

void vga_mode_decode(const struct vga_regs *r, struct vga_mode *mode);
void vga_cursor_decode(const struct vga_regs *r, const struct vga_mode *mode,
                       struct vga_cursor *cursor);
/* The colours of mode's pixel values, 0 for those it does not have. */
void vga_colors_decode(const struct vga_regs *r, const struct vga_mode *mode, uint32_t colors[256]);

/* Walks down the scan lines as the CRT controller does. */
struct vga_scan {
    unsigned y;
    uint32_t address; /* of the line, in bytes */
    unsigned line;    /* of the row */
    bool new_row;
    bool split; /* past line_compare */
    bool repeated;
};

void vga_scan_start(const struct vga_mode *mode, struct vga_scan *scan);
void vga_scan_next(const struct vga_mode *mode, struct vga_scan *scan);

static inline unsigned vga_scan_pan(const struct vga_mode *mode, const struct vga_scan *scan)
{
    return scan->split ? mode->pan_split : mode->pan;
}

/* vga_display.c */

extern const struct display_source_ops vga_display_ops;
void vga_renderer_free(struct vga_renderer *renderer);
struct vga_renderer *vga_renderer_new(void);

/* Joins changed spans of neighbouring lines to rectangles. */
struct vga_damage {
    struct damage *damage;
    struct damage_rect rect; /* height 0: none */
};

void vga_damage_span(struct vga_damage *d, unsigned x, unsigned y, unsigned width, unsigned height);
void vga_damage_flush(struct vga_damage *d);

/* What one refresh draws from. */
struct vga_frame {
    const struct vga *vga;
    struct vga_mode mode;
    struct vga_cursor cursor;
    uint32_t colors[256];
    bool cursor_on, blink_on; /* phases */
    uint8_t dirty[VGA_VRAM_PAGES / 8];
    bool any_dirty;
    bool redraw; /* whatever the dirty bits say */
};

/* vga_text.c */
struct vga_text_shadow;
/* Draws the cells that differ from the shadow. */
void vga_text_draw(const struct vga_frame *frame, struct vga_text_shadow *shadow,
                   struct surface *surface, struct vga_damage *damage);
void vga_text_read(const struct vga *vga, const struct vga_mode *mode,
                   const struct vga_cursor *cursor, struct text_screen *screen);
struct vga_text_shadow *vga_text_shadow_new(void);
void vga_text_shadow_free(struct vga_text_shadow *shadow);

/* vga_graphics.c */
struct vga_line_buffer;
/* Draws the pixels of written lines that differ from the surface's. */
void vga_graphics_draw(const struct vga_frame *frame, struct vga_line_buffer *buffer,
                       struct surface *surface, struct vga_damage *damage);
struct vga_line_buffer *vga_line_buffer_new(void);
void vga_line_buffer_free(struct vga_line_buffer *buffer);

#endif
