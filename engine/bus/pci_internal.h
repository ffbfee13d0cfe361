/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between pci.c (the bus), pci_device.c (a function) and pci_msix.c. */
#ifndef ENGINE_BUS_PCI_INTERNAL_H
#define ENGINE_BUS_PCI_INTERNAL_H

#include "engine/bus/pci.h"

#include <string.h>

/* offset + size lies within the function's configuration space. */
void pci_device_config_write(struct pci_device *pci, unsigned offset, uint32_t value,
                             unsigned size);
void pci_bus_route(struct pci_bus *bus, uint8_t devfn, unsigned pin, bool level);
void pci_bus_unplug(struct pci_bus *bus, struct pci_device *pci);

/* pci_msix.c; without MSI-X they do nothing. */
void pci_msix_unmasked(struct pci_device *pci); /* the control register may have been written */
void pci_msix_reset(struct pci_device *pci);
void pci_msix_free(struct pci_device *pci);

#endif
