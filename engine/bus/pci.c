/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bus: who is there, configuration accesses by port and by ECAM, interrupt pins. */
#include "engine/bus/pci.h"

#include "engine/bus/board.h"
#include "engine/bus/pci_internal.h"

#define ECAM_SIZE (UINT64_C(256) << 20)

/* Port 0xcf9, the ICH9's reset control register (datasheet 13.7.5). */
#define RESET_SYSTEM 0x02
#define RESET_CPU 0x04
#define RESET_FULL 0x08

struct pci_bus {
    struct board *board;
    struct pci_device *functions[256]; /* by devfn */
    uint32_t address;                  /* the latch at 0xcf8 */
    uint8_t reset_control;
    struct region ports, ecam;
    void (*route)(void *opaque, uint8_t devfn, unsigned pin, bool level);
    void *route_opaque;
};

static uint32_t all_ones(unsigned size)
{
    return size == 4 ? UINT32_MAX : (1u << size * 8) - 1;
}

uint32_t pci_bus_config_read(struct pci_bus *bus, unsigned bus_number, uint8_t devfn,
                             unsigned offset, unsigned size)
{
    struct pci_device *pci = bus_number == 0 ? bus->functions[devfn] : NULL;
    uint32_t value = 0;

    if (pci == NULL || offset + size > PCI_CONFIG_SIZE)
        return all_ones(size);
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)pci->config[offset + i] << i * 8;
    return value;
}

void pci_bus_config_write(struct pci_bus *bus, unsigned bus_number, uint8_t devfn, unsigned offset,
                          uint32_t value, unsigned size)
{
    struct pci_device *pci = bus_number == 0 ? bus->functions[devfn] : NULL;

    if (pci != NULL && offset + size <= PCI_CONFIG_SIZE)
        pci_device_config_write(pci, offset, value, size);
}

/* The eight ports from 0xcf8: address latch, reset control in its second byte, data. */
static uint64_t ports_read(void *opaque, uint64_t offset, unsigned size)
{
    struct pci_bus *bus = opaque;

    if (offset == 0 && size == 4)
        return bus->address;
    if (offset == 1 && size == 1)
        return bus->reset_control;
    if (offset < 4 || !(bus->address & 0x80000000))
        return all_ones(size);
    return pci_bus_config_read(bus, bus->address >> 16 & 0xff, bus->address >> 8 & 0xff,
                               (bus->address & 0xfc) + (offset & 3), size);
}

static void ports_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct pci_bus *bus = opaque;

    if (offset == 0 && size == 4) {
        bus->address = value & 0x80fffffc;
    } else if (offset == 1 && size == 1) {
        bus->reset_control = value & (RESET_SYSTEM | RESET_FULL);
        if ((value & RESET_CPU) && bus->board->events != NULL)
            bus->board->events->reset(bus->board->events_opaque, "reset control register");
    } else if (offset >= 4 && (bus->address & 0x80000000)) {
        pci_bus_config_write(bus, bus->address >> 16 & 0xff, bus->address >> 8 & 0xff,
                             (bus->address & 0xfc) + (offset & 3), value, size);
    }
}

static uint64_t ecam_read(void *opaque, uint64_t offset, unsigned size)
{
    return pci_bus_config_read(opaque, offset >> 20, offset >> 12 & 0xff, offset & 0xfff, size);
}

static void ecam_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    pci_bus_config_write(opaque, offset >> 20, offset >> 12 & 0xff, offset & 0xfff, value, size);
}

static const struct region_ops ports_ops = {ports_read, ports_write, .max_access = 4};
static const struct region_ops ecam_ops = {ecam_read, ecam_write, .max_access = 4};

struct pci_bus *pci_bus_new(struct board *board)
{
    struct pci_bus *bus = g_new0(struct pci_bus, 1);

    bus->board = board;
    bus->ports = (struct region){.name = "pci-config", .size = 8, .ops = &ports_ops, .opaque = bus};
    bus->ecam = (struct region){.name = "ecam", .size = ECAM_SIZE, .ops = &ecam_ops, .opaque = bus};
    pio_bus_add(board->pio, &bus->ports, 0xcf8);
    return bus;
}

void pci_bus_free(struct pci_bus *bus)
{
    if (bus == NULL)
        return;
    memory_map_remove(bus->board->memory, &bus->ecam);
    pio_bus_remove(bus->board->pio, &bus->ports);
    g_free(bus);
}

struct region *pci_bus_ecam(struct pci_bus *bus)
{
    return &bus->ecam;
}

void pci_bus_set_router(struct pci_bus *bus,
                        void (*route)(void *opaque, uint8_t devfn, unsigned pin, bool level),
                        void *opaque)
{
    bus->route = route;
    bus->route_opaque = opaque;
}

void pci_bus_route(struct pci_bus *bus, uint8_t devfn, unsigned pin, bool level)
{
    if (bus->route != NULL)
        bus->route(bus->route_opaque, devfn, pin, level);
}

/* Function 0 must say that its slot has more than one (PCI 3.0, 6.2.1). */
static void mark_multifunction(struct pci_bus *bus, unsigned slot)
{
    struct pci_device *first = bus->functions[PCI_DEVFN(slot, 0)];

    for (unsigned f = 1; f < 8 && first != NULL; f++) {
        if (bus->functions[PCI_DEVFN(slot, f)] != NULL) {
            first->config[PCI_HEADER_TYPE] |= 0x80;
            first->reset_config[PCI_HEADER_TYPE] |= 0x80;
        }
    }
}

bool pci_bus_plug(struct pci_bus *bus, struct pci_device *pci, uint8_t devfn)
{
    if (bus->functions[devfn] != NULL)
        return false;
    bus->functions[devfn] = pci;
    pci->devfn = devfn;
    memcpy(pci->reset_config, pci->config, PCI_CONFIG_SIZE);
    mark_multifunction(bus, devfn >> 3);
    return true;
}

void pci_bus_unplug(struct pci_bus *bus, struct pci_device *pci)
{
    if (bus->functions[pci->devfn] == pci)
        bus->functions[pci->devfn] = NULL;
}
