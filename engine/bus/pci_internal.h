/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between pci.c (the bus) and pci_device.c (a function). */
#ifndef ENGINE_BUS_PCI_INTERNAL_H
#define ENGINE_BUS_PCI_INTERNAL_H

#include "engine/bus/pci.h"

#include <string.h>

/* offset + size lies within the function's configuration space. */
void pci_device_config_write(struct pci_device *pci, unsigned offset, uint32_t value,
                             unsigned size);
void pci_bus_route(struct pci_bus *bus, uint8_t devfn, unsigned pin, bool level);
void pci_bus_unplug(struct pci_bus *bus, struct pci_device *pci);

#endif
