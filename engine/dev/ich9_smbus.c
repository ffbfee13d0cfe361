/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dev/ich9_smbus.h"

#include <glib.h>
#include <string.h>

#define HOSTC 0x40 /* configuration: 18.1.16 */
#define HOSTC_ENABLE 0x01

#define BAR_SIZE 32
enum { HST_STS = 0x00, HST_CNT = 0x02 };
#define HST_STS_DEV_ERR 0x04
#define HST_STS_WRITE_1_CLEAR 0xfe
#define HST_CNT_START 0x40

struct ich9_smbus {
    struct pci_device pci;
    struct region ports;
    uint8_t registers[BAR_SIZE];
};

static uint64_t ports_read(void *opaque, uint64_t offset, unsigned size)
{
    struct ich9_smbus *smbus = opaque;

    return smbus->registers[offset];
}

static void ports_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct ich9_smbus *smbus = opaque;

    if (offset == HST_STS) {
        smbus->registers[HST_STS] &= ~(value & HST_STS_WRITE_1_CLEAR);
        return;
    }
    smbus->registers[offset] = value;
    if (offset == HST_CNT && (value & HST_CNT_START)) {
        smbus->registers[HST_CNT] &= ~HST_CNT_START;
        smbus->registers[HST_STS] |= HST_STS_DEV_ERR;
    }
}

static void reset(struct device *device)
{
    struct ich9_smbus *smbus = (struct ich9_smbus *)device;

    pci_device_reset(&smbus->pci);
    memset(smbus->registers, 0, sizeof(smbus->registers));
}

static void destroy(struct device *device)
{
    struct ich9_smbus *smbus = (struct ich9_smbus *)device;

    pci_device_finish(&smbus->pci);
    g_free(smbus);
}

struct ich9_smbus *ich9_smbus_new(struct board *board)
{
    static const struct device_class class = {.name = "ich9-smbus",
                                              .reset = reset,
                                              .destroy = destroy};
    static const struct region_ops ports_ops = {ports_read, ports_write, .max_access = 1};
    static const struct pci_ids ids = {.vendor = 0x8086,
                                       .device = 0x2930,
                                       .subsystem_vendor = 0x1af4,
                                       .subsystem = 0x1100,
                                       .revision = 2,
                                       .class_device = 0x0c05};
    struct ich9_smbus *smbus = g_new0(struct ich9_smbus, 1);

    smbus->ports =
        (struct region){.name = "smbus", .size = BAR_SIZE, .ops = &ports_ops, .opaque = smbus};
    pci_device_init(&smbus->pci, board, &class, "smbus", &ids);
    pci_device_add_bar(&smbus->pci, 4, PCI_BAR_IO, &smbus->ports, false);
    pci_device_set_pin(&smbus->pci, 2);
    smbus->pci.write_mask[HOSTC] = HOSTC_ENABLE;
    pci_bus_plug(board->pci, &smbus->pci, PCI_DEVFN(31, 3));
    board_add_device(board, &smbus->pci.device);
    return smbus;
}
