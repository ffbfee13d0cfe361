/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dev/mch.h"

#include <glib.h>
#include <string.h>

#define PCIEXBAR 0x60 /* 64 bits; 5.1.16 */
#define PCIEXBAR_ENABLE 0x1
#define PAM0 0x90 /* PAM0 to PAM6; 5.1.20 */
#define PAM6 0x96
#define PAM_READ 0x1  /* reads go to RAM */
#define PAM_WRITE 0x2 /* writes go to RAM */
#define SMRAM 0x9d    /* 5.1.29 */

#define SEGMENTS 13
#define BIOS_BASE 0xe0000
#define SEGMENT_PRIORITY 1
#define ECAM_PRIORITY 1

/* A part of the area that has an attribute of its own. */
struct segment {
    struct region ram;   /* the RAM, for reads */
    struct region other; /* what reads show otherwise: the firmware, or nothing */
    uint8_t *memory;
    uint64_t base;
};

struct mch {
    struct pci_device pci;
    struct segment segments[SEGMENTS];
};

/* PAM_WRITE without PAM_READ: writes land in the RAM that reads do not show. */
static void shadow_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct segment *segment = opaque;

    memcpy(segment->memory + offset, &value, size);
}

static const struct region_ops shadow_ops = {.write = shadow_write, .max_access = 8};

/* Two bits of PAM0's high half for 0xf0000, then from PAM1 on low and high for 16 KiB each. */
static unsigned segment_attribute(const struct mch *mch, unsigned i)
{
    const uint8_t *config = mch->pci.config;

    if (i == SEGMENTS - 1)
        return config[PAM0] >> 4 & 3;
    return config[PAM0 + 1 + i / 2] >> (i % 2 * 4) & 3;
}

static void show_segment(struct mch *mch, unsigned i)
{
    struct memory_map *map = mch->pci.board->memory;
    struct segment *segment = &mch->segments[i];
    unsigned attribute = segment_attribute(mch, i);
    bool readonly = !(attribute & PAM_WRITE);

    if (attribute & PAM_READ) {
        memory_map_remove(map, &segment->other);
        if (segment->ram.mapped && segment->ram.readonly == readonly)
            return;
        segment->ram.readonly = readonly;
        memory_map_add(map, &segment->ram, segment->base, SEGMENT_PRIORITY);
    } else {
        memory_map_remove(map, &segment->ram);
        segment->other.ops = attribute & PAM_WRITE ? &shadow_ops : NULL;
        if (!segment->other.mapped)
            memory_map_add(map, &segment->other, segment->base, SEGMENT_PRIORITY);
    }
}

static void show_segments(struct mch *mch)
{
    memory_map_begin(mch->pci.board->memory);
    for (unsigned i = 0; i < SEGMENTS; i++)
        show_segment(mch, i);
    memory_map_commit(mch->pci.board->memory);
}

/* The window has the size of all 256 buses or less; the bus answers only for bus 0 anyway. */
static void show_ecam(struct mch *mch)
{
    struct memory_map *map = mch->pci.board->memory;
    struct region *ecam = pci_bus_ecam(mch->pci.board->pci);
    uint64_t bar = pci_get32(mch->pci.config + PCIEXBAR) |
                   (uint64_t)pci_get32(mch->pci.config + PCIEXBAR + 4) << 32;
    unsigned length = bar >> 1 & 3;
    uint64_t size = length < 3 ? (UINT64_C(256) << 20) >> length : 0;
    uint64_t base = size > 0 ? bar & 0xfffffffffULL & ~(size - 1) : 0;

    if (!(bar & PCIEXBAR_ENABLE) || base == 0) {
        memory_map_remove(map, ecam);
        return;
    }
    if (ecam->mapped && ecam->base == base && ecam->size == size)
        return;
    memory_map_remove(map, ecam);
    ecam->size = size;
    memory_map_add(map, ecam, base, ECAM_PRIORITY);
}

static void config_written(struct pci_device *pci, unsigned offset, unsigned size)
{
    struct mch *mch = (struct mch *)pci;

    if (offset <= PAM6 && offset + size > PAM0)
        show_segments(mch);
    if (offset < PCIEXBAR + 8 && offset + size > PCIEXBAR)
        show_ecam(mch);
}

static void reset(struct device *device)
{
    struct mch *mch = (struct mch *)device;

    pci_device_reset(&mch->pci);
    show_segments(mch);
    show_ecam(mch);
}

static void destroy(struct device *device)
{
    struct mch *mch = (struct mch *)device;

    for (unsigned i = 0; i < SEGMENTS; i++) {
        memory_map_remove(mch->pci.board->memory, &mch->segments[i].ram);
        memory_map_remove(mch->pci.board->memory, &mch->segments[i].other);
    }
    memory_map_remove(mch->pci.board->memory, pci_bus_ecam(mch->pci.board->pci));
    pci_device_finish(&mch->pci);
    g_free(mch);
}

static void init_segment(struct segment *segment, unsigned i, uint8_t *ram, const uint8_t *bios)
{
    uint64_t base = MCH_PAM_BASE + i * 0x4000;
    uint64_t size = i == SEGMENTS - 1 ? 0x10000 : 0x4000;

    segment->base = base;
    segment->memory = ram + (base - MCH_PAM_BASE);
    segment->ram = (struct region){.name = "pam-ram", .size = size, .host = segment->memory};
    segment->other = (struct region){.name = "pam-rom", .size = size, .opaque = segment};
    if (base >= BIOS_BASE) {
        segment->other.host = (uint8_t *)bios + (base - BIOS_BASE);
        segment->other.readonly = true;
    }
}

struct mch *mch_new(struct board *board, uint8_t *ram, const uint8_t *bios)
{
    static const struct device_class class = {.name = "mch", .reset = reset, .destroy = destroy};
    static const struct pci_device_ops ops = {.config_written = config_written};
    /* SeaBIOS looks for fw_cfg only behind this subsystem. */
    static const struct pci_ids ids = {.vendor = 0x8086,
                                       .device = 0x29c0,
                                       .subsystem_vendor = 0x1af4,
                                       .subsystem = 0x1100,
                                       .class_device = 0x0600};
    struct mch *mch = g_new0(struct mch, 1);
    struct pci_device *pci = &mch->pci;

    pci_device_init(pci, board, &class, "mch", &ids);
    pci->ops = &ops;
    pci_set32(pci->write_mask + PCIEXBAR, 0xfc000007);
    pci_set32(pci->write_mask + PCIEXBAR + 4, 0x0000000f);
    pci->write_mask[PAM0] = 0x30;
    memset(pci->write_mask + PAM0 + 1, 0x33, PAM6 - PAM0);
    pci->config[SMRAM] = 0x02;
    pci_bus_plug(board->pci, pci, PCI_DEVFN(0, 0));
    for (unsigned i = 0; i < SEGMENTS; i++)
        init_segment(&mch->segments[i], i, ram, bios);
    show_segments(mch);
    board_add_device(board, &pci->device);
    return mch;
}
