/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One function: its header, base address registers, capabilities and interrupt. */
#include "engine/bus/pci_internal.h"

#include <glib.h>

#include "core/log.h"
#include "engine/bus/board.h"

/* Below RAM: a guest that programs a BAR over its memory does not lose it. */
#define BAR_PRIORITY (-1)

#define CAP_ID_MSI 0x05
#define MSI_SIZE 14
#define MSI_CONTROL 2
#define MSI_ADDRESS 4
#define MSI_DATA 12
#define MSI_ENABLE 0x0001
#define MSI_64BIT 0x0080

#define FIRST_CAPABILITY 0x40

void pci_device_init(struct pci_device *pci, struct board *board, const struct device_class *class,
                     const char *id, const struct pci_ids *ids)
{
    uint8_t *config = pci->config;

    pci->device.class = class;
    pci->device.id = id;
    pci->board = board;
    pci_set16(config + PCI_VENDOR_ID, ids->vendor);
    pci_set16(config + PCI_DEVICE_ID, ids->device);
    pci_set16(config + PCI_SUBSYSTEM_VENDOR_ID, ids->subsystem_vendor);
    pci_set16(config + PCI_SUBSYSTEM_ID, ids->subsystem);
    config[PCI_REVISION_ID] = ids->revision;
    config[PCI_CLASS_PROG] = ids->class_prog;
    pci_set16(config + PCI_CLASS_DEVICE, ids->class_device);
    pci_set16(pci->write_mask + PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
                                                 PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE |
                                                 0x0140 /* parity, SERR# enable */);
    pci->write_mask[PCI_INTERRUPT_LINE] = 0xff;
}

static unsigned bar_offset(unsigned index)
{
    return index == PCI_ROM_BAR ? PCI_ROM_ADDRESS : PCI_BAR0 + index * 4;
}

void pci_device_add_bar(struct pci_device *pci, unsigned index, enum pci_bar_kind kind,
                        struct region *region, bool prefetchable)
{
    unsigned offset = bar_offset(index);
    uint64_t mask = ~(region->size - 1);
    uint32_t flags = 0;

    if (index == PCI_ROM_BAR) {
        mask |= 1; /* the enable bit */
    } else if (kind == PCI_BAR_IO) {
        flags = 0x1;
    } else {
        flags = (kind == PCI_BAR_MEM64 ? 0x4 : 0) | (prefetchable ? 0x8 : 0);
    }
    pci->bars[index].kind = kind;
    pci->bars[index].region = region;
    pci_set32(pci->config + offset, flags);
    pci_set32(pci->write_mask + offset, mask);
    if (kind == PCI_BAR_MEM64)
        pci_set32(pci->write_mask + offset + 4, mask >> 32);
}

unsigned pci_device_add_capability(struct pci_device *pci, uint8_t id, unsigned size)
{
    unsigned offset = FIRST_CAPABILITY;

    /* The list runs from the newest to the oldest, so its head is the last one placed. */
    if (pci->config[PCI_CAPABILITY_LIST] != 0)
        offset = pci->next_capability;
    pci->config[offset] = id;
    pci->config[offset + 1] = pci->config[PCI_CAPABILITY_LIST];
    pci->config[PCI_CAPABILITY_LIST] = offset;
    pci->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
    pci->next_capability = (offset + size + 3) & ~3u;
    return offset;
}

void pci_device_add_msi(struct pci_device *pci)
{
    unsigned offset = pci_device_add_capability(pci, CAP_ID_MSI, MSI_SIZE);

    pci->msi_offset = offset;
    pci_set16(pci->config + offset + MSI_CONTROL, MSI_64BIT);
    pci_set16(pci->write_mask + offset + MSI_CONTROL, MSI_ENABLE);
    pci_set32(pci->write_mask + offset + MSI_ADDRESS, 0xfffffffc);
    pci_set32(pci->write_mask + offset + MSI_ADDRESS + 4, 0xffffffff);
    pci_set16(pci->write_mask + offset + MSI_DATA, 0xffff);
}

void pci_device_set_pin(struct pci_device *pci, uint8_t pin)
{
    pci->config[PCI_INTERRUPT_PIN] = pin;
}

/* Where the guest put the BAR; false: nowhere. */
static bool bar_address(const struct pci_device *pci, unsigned index, uint64_t *ret_address)
{
    const uint8_t *bar = pci->config + bar_offset(index);
    uint16_t command = pci_get16(pci->config + PCI_COMMAND);
    enum pci_bar_kind kind = pci->bars[index].kind;
    uint64_t size = pci->bars[index].region->size;
    uint64_t address = pci_get32(bar) & ~(size - 1);
    uint64_t limit = UINT32_MAX;

    if (!(command & (kind == PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)))
        return false;
    if (index == PCI_ROM_BAR && !(bar[0] & 1))
        return false;
    if (kind == PCI_BAR_IO)
        limit = 0xffff;
    if (kind == PCI_BAR_MEM64) {
        address = (address & UINT32_MAX) | (uint64_t)pci_get32(bar + 4) << 32;
        limit = (UINT64_C(1) << 46) - 1;
    }
    *ret_address = address;
    /* 0 is "not assigned", and the very top is what sizing a BAR leaves for a moment. */
    return address != 0 && address < limit && address + size - 1 < limit;
}

static void update_bar(struct pci_device *pci, unsigned index)
{
    struct region *region = pci->bars[index].region;
    bool io = pci->bars[index].kind == PCI_BAR_IO;
    uint64_t address;
    bool map;

    if (region == NULL)
        return;
    map = bar_address(pci, index, &address);
    if (map && region->mapped && region->base == address)
        return;
    if (io)
        pio_bus_remove(pci->board->pio, region);
    else if (!map)
        memory_map_remove(pci->board->memory, region);
    if (!map)
        return;
    if (!io)
        memory_map_add(pci->board->memory, region, address, BAR_PRIORITY);
    else if (!pio_bus_add(pci->board->pio, region, address))
        log_guest("pci", "%s: ports at %#x are taken: the range stays unmapped", pci->device.id,
                  (unsigned)address);
}

static void update_bars(struct pci_device *pci)
{
    memory_map_begin(pci->board->memory);
    for (unsigned i = 0; i < G_N_ELEMENTS(pci->bars); i++)
        update_bar(pci, i);
    memory_map_commit(pci->board->memory);
}

bool pci_device_msi_enabled(const struct pci_device *pci)
{
    return pci->msi_offset != 0 && (pci->config[pci->msi_offset + MSI_CONTROL] & MSI_ENABLE) != 0;
}

bool pci_device_is_master(const struct pci_device *pci)
{
    return (pci->config[PCI_COMMAND] & PCI_COMMAND_MASTER) != 0;
}

/* Brings the pin in line with what the device asks and the registers allow. */
static void update_pin(struct pci_device *pci)
{
    uint16_t command = pci_get16(pci->config + PCI_COMMAND);
    bool level = pci->irq_level && !(command & PCI_COMMAND_INTX_DISABLE) &&
                 !pci_device_msi_enabled(pci) && !pci_device_msix_enabled(pci) &&
                 pci->config[PCI_INTERRUPT_PIN] != 0;

    if (level == pci->intx_level)
        return;
    pci->intx_level = level;
    pci_bus_route(pci->board->pci, pci->devfn, pci->config[PCI_INTERRUPT_PIN] - 1, level);
}

static void send_msi(struct pci_device *pci)
{
    const uint8_t *msi = pci->config + pci->msi_offset;
    uint64_t address = pci_get32(msi + MSI_ADDRESS) | (uint64_t)pci_get32(msi + MSI_ADDRESS + 4)
                                                          << 32;

    if (pci_device_is_master(pci) && pci->board->send_msi != NULL)
        pci->board->send_msi(pci->board->send_msi_opaque, address, pci_get16(msi + MSI_DATA));
}

void pci_device_set_irq(struct pci_device *pci, bool level)
{
    bool rising = level && !pci->irq_level;

    pci->irq_level = level;
    if (level)
        pci->config[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
    else
        pci->config[PCI_STATUS] &= ~PCI_STATUS_INTERRUPT;
    if (rising && pci_device_msi_enabled(pci))
        send_msi(pci);
    update_pin(pci);
}

void pci_device_config_write(struct pci_device *pci, unsigned offset, uint32_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = value >> i * 8, mask = pci->write_mask[offset + i];
        uint8_t *config = &pci->config[offset + i];

        *config = (*config & ~mask) | (byte & mask);
        *config &= ~(byte & pci->write_1_clear[offset + i]);
    }
    /* Command register, BARs and expansion ROM all lie in the header. */
    if (offset < PCI_CAPABILITY_LIST)
        update_bars(pci);
    update_pin(pci);
    pci_msix_unmasked(pci);
    if (pci->ops != NULL && pci->ops->config_written != NULL)
        pci->ops->config_written(pci, offset, size);
}

void pci_device_reset(struct pci_device *pci)
{
    pci->irq_level = false;
    update_pin(pci);
    memcpy(pci->config, pci->reset_config, PCI_CONFIG_SIZE);
    pci_msix_reset(pci);
    update_bars(pci);
}

void pci_device_finish(struct pci_device *pci)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(pci->bars); i++) {
        struct region *region = pci->bars[i].region;

        if (region != NULL && pci->bars[i].kind == PCI_BAR_IO)
            pio_bus_remove(pci->board->pio, region);
        else if (region != NULL)
            memory_map_remove(pci->board->memory, region);
    }
    pci_msix_free(pci);
    pci_bus_unplug(pci->board->pci, pci);
}
