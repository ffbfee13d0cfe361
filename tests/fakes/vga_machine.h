/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A board with nothing but a VGA, and a "processor" that reaches memory as KVM does: where host
 * memory is mapped it writes that and logs the page, elsewhere the access is trapped.
 */
#ifndef TESTS_FAKES_VGA_MACHINE_H
#define TESTS_FAKES_VGA_MACHINE_H

#include "engine/dev/vga_internal.h"

#define VGA_TEST_DEVFN PCI_DEVFN(2, 0)
#define VGA_TEST_VRAM 0xe0000000u
#define VGA_TEST_MMIO 0xf0000000u

struct vga_machine {
    struct board board;
    struct vga *vga;
    GArray *sections; /* what the processor may reach directly */
};

void vga_machine_init(struct vga_machine *m, GBytes *rom);
void vga_machine_finish(struct vga_machine *m);

uint8_t guest_in(struct vga_machine *m, unsigned port);
void guest_out(struct vga_machine *m, unsigned port, uint8_t value);
uint16_t guest_in16(struct vga_machine *m, unsigned port);
void guest_out16(struct vga_machine *m, unsigned port, uint16_t value);
/* An indexed register: index to port, value to port + 1. */
void guest_set(struct vga_machine *m, unsigned port, uint8_t index, uint8_t value);
uint8_t guest_get(struct vga_machine *m, unsigned port, uint8_t index);
uint16_t guest_get_dispi(struct vga_machine *m, unsigned index);
void guest_set_dispi(struct vga_machine *m, unsigned index, uint16_t value);

uint64_t guest_read(struct vga_machine *m, uint64_t gpa, unsigned size);
void guest_write(struct vga_machine *m, uint64_t gpa, uint64_t value, unsigned size);
/* Whether an access to gpa would be trapped. */
bool guest_traps(const struct vga_machine *m, uint64_t gpa);

/* Registers of a mode, as a video BIOS programs them. */
struct vga_mode_table {
    const char *name;
    uint8_t misc, seq[SEQ_COUNT], crtc[CRTC_COUNT], gfx[GFX_COUNT], attr[ATTR_COUNT];
};

extern const struct vga_mode_table vga_mode_tables[];
extern const size_t vga_mode_table_count;

/* The mode must be in the table. Turns the display on. */
void guest_set_mode(struct vga_machine *m, const char *name);
void guest_set_dispi_mode(struct vga_machine *m, unsigned width, unsigned height, unsigned bpp);
void guest_set_color(struct vga_machine *m, uint8_t index, uint8_t r, uint8_t g, uint8_t b);
/* Loads a font of 256 glyphs of 32 lines into one of the eight slots, and restores registers. */
void guest_load_font(struct vga_machine *m, unsigned slot, const uint8_t font[256][32]);

#endif
