/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile guest of the VGA, with a viewer watching. Five bytes an operation: what, where (16
 * bits), value (16 bits).
 */
#include "tests/fakes/vga_machine.h"
#include "tests/fuzz/fuzz.h"

/* A refresh of the largest mode takes milliseconds: so many bound the time of one input. */
#define MAX_REFRESHES 12

struct viewer {
    struct surface surface;
    struct text_screen screen;
    unsigned refreshes;
};

static void check_damage(const struct surface *surface, const struct damage *damage)
{
    for (unsigned i = 0; i < damage->count; i++) {
        const struct damage_rect *r = &damage->rects[i];

        if (r->x + r->width > surface->width || r->y + r->height > surface->height)
            g_error("damage outside the surface");
    }
}

static void look(struct vga_machine *m, struct viewer *viewer, bool full)
{
    struct damage damage = {0};

    if (viewer->refreshes++ >= MAX_REFRESHES)
        return;
    vga_display_ops.refresh(m->vga, &viewer->surface, &damage, full);
    check_damage(&viewer->surface, &damage);
    vga_display_ops.text(m->vga, &viewer->screen);
}

static void run_operation(struct vga_machine *m, struct viewer *viewer, const uint8_t *op)
{
    unsigned where = pci_get16(op + 1), value = pci_get16(op + 3), size = 1 << (op[0] >> 4 & 3);

    switch (op[0] & 0x0f) {
    case 0:
    case 1:
        pio_bus_write(m->board.pio, 0x3b0 + where % 0x30, value, 1 + (op[0] >> 4 & 1));
        break;
    case 2:
        pio_bus_read(m->board.pio, 0x3b0 + where % 0x30, 1 + (op[0] >> 4 & 1));
        break;
    case 3:
        guest_set(m, 0x3c4, where, value);
        break;
    case 4:
        guest_set(m, 0x3ce, where, value);
        break;
    case 5:
        guest_set(m, where & 0x100 ? 0x3b4 : 0x3d4, where, value);
        break;
    case 6:
        guest_set_dispi(m, where % 12, value);
        break;
    case 7:
        memory_map_write(m->board.memory, 0xa0000 + where * 2, value * 0x10001u, size);
        break;
    case 8:
        memory_map_read(m->board.memory, 0xa0000 + where * 2, size);
        break;
    case 9:
        guest_write(m, VGA_TEST_VRAM + where * 256u, value, 2);
        break;
    case 10:
        memory_map_write(m->board.memory, VGA_TEST_MMIO + where % 4096, value * 0x10001u, size);
        break;
    case 11:
        memory_map_read(m->board.memory, VGA_TEST_MMIO + where % 4096, size);
        break;
    case 12:
        guest_set_mode(m, vga_mode_tables[where % vga_mode_table_count].name);
        break;
    case 13:
        vga_display_ops.suggest_size(m->vga, where, value);
        clock_advance(m->board.clock, value * UINT64_C(10000));
        break;
    case 14:
        if (where % 16 == 0)
            board_reset_devices(&m->board);
        else
            pci_bus_config_write(m->board.pci, 0, VGA_TEST_DEVFN, where % 64 & ~3u,
                                 value * 0x10001u, 4);
        break;
    default:
        look(m, viewer, where & 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct viewer *viewer = g_new0(struct viewer, 1);
    struct vga_machine m;

    vga_machine_init(&m, NULL);
    surface_init(&viewer->surface);
    for (; size >= 5; data += 5, size -= 5)
        run_operation(&m, viewer, data);
    viewer->refreshes = 0;
    look(&m, viewer, false);
    surface_finish(&viewer->surface);
    vga_machine_finish(&m);
    g_free(viewer);
    return 0;
}
