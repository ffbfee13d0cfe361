/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device: PCI function, ports and windows. The registers themselves are in the other parts. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "core/error.h"
#include "engine/dev/vga_internal.h"

#define ROM_MAX_SIZE (256u << 10)
#define DEFAULT_WIDTH 1280
#define DEFAULT_HEIGHT 800

#define PORTS_MONO_BASE 0x3b0
#define PORTS_MONO_COUNT 12 /* 0x3bc and on are a printer's */
#define PORTS_COLOR_BASE 0x3c0
#define PORTS_COLOR_COUNT 32
#define PORTS_DISPI_BASE 0x1ce
#define PORTS_DISPI_COUNT 4

/* BAR 2. */
#define MMIO_SIZE 0x1000
#define MMIO_PORTS 0x400
#define MMIO_DISPI 0x500
#define MMIO_EXTENDED_SIZE 0x600
#define MMIO_BYTE_ORDER 0x604
#define EXTENDED_SIZE 8
#define BYTE_ORDER_LITTLE 0x1e /* in each byte */

static bool is_dispi(uint64_t offset)
{
    return offset >= MMIO_DISPI && offset < MMIO_DISPI + 2 * DISPI_COUNT;
}

static uint8_t mmio_read_byte(struct vga *vga, uint64_t offset)
{
    if (offset < EDID_SIZE)
        return vga->edid[offset];
    if (offset < MMIO_PORTS)
        return 0;
    if (offset < MMIO_PORTS + PORTS_COLOR_COUNT)
        return vga_port_read(vga, offset - MMIO_PORTS);
    if (is_dispi(offset))
        return vga_dispi_read(vga, (offset - MMIO_DISPI) / 2) >> offset % 2 * 8;
    if (offset >= MMIO_EXTENDED_SIZE && offset < MMIO_BYTE_ORDER)
        return offset == MMIO_EXTENDED_SIZE ? EXTENDED_SIZE : 0;
    if (offset >= MMIO_BYTE_ORDER && offset < MMIO_BYTE_ORDER + 4)
        return BYTE_ORDER_LITTLE;
    return 0xff;
}

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned size)
{
    uint64_t value = mmio_read_byte(opaque, offset);

    return size == 1 ? value : value | (uint64_t)mmio_read_byte(opaque, offset + 1) << 8;
}

/* The byte order is always little-endian: writing it has no effect. */
static void mmio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct vga *vga = opaque;

    if (is_dispi(offset) && offset % 2 == 0 && size == 2) {
        vga_dispi_write(vga, (offset - MMIO_DISPI) / 2, value);
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        uint64_t port = offset + i - MMIO_PORTS;

        if (port < PORTS_COLOR_COUNT)
            vga_port_write(vga, port, value >> i * 8);
    }
}

static const struct region_ops mmio_ops = {mmio_read, mmio_write, .max_access = 2};

static void reset_state(struct vga *vga)
{
    vga_regs_reset(vga);
    vga_dispi_reset(vga);
    vga_window_update(vga);
}

static void vga_reset(struct device *device)
{
    struct vga *vga = (struct vga *)device;

    pci_device_reset(&vga->pci);
    reset_state(vga);
    vga_vram_clear(vga, VGA_VRAM_SIZE);
}

static void vga_free(struct vga *vga)
{
    vga_renderer_free(vga->renderer);
    if (vga->vram != NULL)
        munmap(vga->vram, VGA_VRAM_SIZE);
    if (vga->rom != NULL)
        munmap(vga->rom, vga->rom_bar.size);
    g_free(vga);
}

static void vga_destroy(struct device *device)
{
    struct vga *vga = (struct vga *)device;

    pio_bus_remove(vga->board->pio, &vga->ports_mono);
    pio_bus_remove(vga->board->pio, &vga->ports_color);
    pio_bus_remove(vga->board->pio, &vga->ports_dispi);
    memory_map_remove(vga->board->memory, &vga->window_ram);
    memory_map_remove(vga->board->memory, &vga->window);
    pci_device_finish(&vga->pci);
    vga_free(vga);
}

static const struct device_class vga_class = {"vga", vga_reset, vga_destroy};

/* Memory that takes up none until it is used; NULL: none left. */
static uint8_t *map_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

static bool load_rom(struct vga *vga, GBytes *rom, GError **err)
{
    gsize size, bar_size = VGA_PAGE_SIZE;
    const void *data = g_bytes_get_data(rom, &size);

    if (size > ROM_MAX_SIZE)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The video BIOS has %zu bytes, more than the %u that are possible: "
                           "use the vgabios-stdvga.bin of the package seabios.",
                           size, ROM_MAX_SIZE);
    while (bar_size < size)
        bar_size *= 2;
    vga->rom = map_memory(bar_size);
    if (vga->rom == NULL)
        return vmdesk_error_from_errno(err, errno, NULL, "No memory for the video BIOS");
    memcpy(vga->rom, data, size);
    vga->rom_bar =
        (struct region){.name = "vga-rom", .size = bar_size, .host = vga->rom, .readonly = true};
    pci_device_add_bar(&vga->pci, PCI_ROM_BAR, PCI_BAR_MEM32, &vga->rom_bar, false);
    return true;
}

static void init_regions(struct vga *vga)
{
    vga->vram_bar = (struct region){.name = "vga-vram",
                                    .size = VGA_VRAM_SIZE,
                                    .host = vga->vram,
                                    .log_dirty = true};
    vga->mmio_bar =
        (struct region){.name = "vga-mmio", .size = MMIO_SIZE, .ops = &mmio_ops, .opaque = vga};
    vga->window = (struct region){.name = "vga-window",
                                  .size = 0x20000,
                                  .ops = &vga_window_ops,
                                  .opaque = vga};
    vga->window_ram = (struct region){.name = "vga-window-ram",
                                      .size = VGA_BANK_SIZE,
                                      .host = vga->vram,
                                      .log_dirty = true};
    vga->ports_mono = (struct region){.name = "vga-mono",
                                      .size = PORTS_MONO_COUNT,
                                      .ops = &vga_mono_ops,
                                      .opaque = vga};
    vga->ports_color = (struct region){.name = "vga-color",
                                       .size = PORTS_COLOR_COUNT,
                                       .ops = &vga_color_ops,
                                       .opaque = vga};
    vga->ports_dispi = (struct region){.name = "vga-dispi",
                                       .size = PORTS_DISPI_COUNT,
                                       .ops = &vga_dispi_ops,
                                       .opaque = vga};
    pci_device_add_bar(&vga->pci, 0, PCI_BAR_MEM32, &vga->vram_bar, true);
    pci_device_add_bar(&vga->pci, 2, PCI_BAR_MEM32, &vga->mmio_bar, false);
}

static bool map_ports(struct vga *vga, GError **err)
{
    struct pio_bus *pio = vga->board->pio;

    if (pio_bus_add(pio, &vga->ports_mono, PORTS_MONO_BASE) &&
        pio_bus_add(pio, &vga->ports_color, PORTS_COLOR_BASE) &&
        pio_bus_add(pio, &vga->ports_dispi, PORTS_DISPI_BASE))
        return true;
    return vmdesk_fail(err, VMDESK_ERROR_EXISTS,
                       "The VGA's ports are taken: a machine can have one VGA.");
}

struct vga *vga_new(struct board *board, const struct vga_options *options, GError **err)
{
    static const struct pci_ids ids = {
        .vendor = 0x1234,
        .device = 0x1111,
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
        .revision = 2,
        .class_device = 0x0300,
    };
    struct vga *vga = g_new0(struct vga, 1);

    vga->board = board;
    vga->renderer = vga_renderer_new();
    vga->vram = map_memory(VGA_VRAM_SIZE);
    if (vga->vram == NULL) {
        vmdesk_error_from_errno(err, errno, NULL, "No memory for the VGA");
        vga_free(vga);
        return NULL;
    }
    edid_fill(vga->edid, options->width != 0 ? options->width : DEFAULT_WIDTH,
              options->height != 0 ? options->height : DEFAULT_HEIGHT);
    pci_device_init(&vga->pci, board, &vga_class, "vga", &ids);
    init_regions(vga);
    if (options->rom != NULL && !load_rom(vga, options->rom, err)) {
        vga_free(vga);
        return NULL;
    }
    if (!pci_bus_plug(board->pci, &vga->pci, options->devfn)) {
        vmdesk_fail(err, VMDESK_ERROR_EXISTS,
                    "The VGA's place on the PCI bus, %02x.%x, is taken: choose another.",
                    options->devfn >> 3u, options->devfn & 7u);
        vga_free(vga);
        return NULL;
    }
    if (!map_ports(vga, err)) {
        vga_destroy(&vga->pci.device);
        return NULL;
    }
    vga_window_map(vga);
    reset_state(vga);
    board_add_device(board, &vga->pci.device);
    return vga;
}

void vga_connect(struct vga *vga, struct display *display)
{
    display_set_source(display, &vga_display_ops, vga);
}
