/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI: bus 0 with its functions, configuration space by ports 0xcf8/0xcfc and by MMCONFIG (ECAM).
 * PCI Local Bus Specification 3.0, chapter 6; PCI Express Base Specification, 7.2.2 for ECAM.
 *
 * Thread: under the board's lock.
 */
#ifndef ENGINE_BUS_PCI_H
#define ENGINE_BUS_PCI_H

#include "engine/bus/device.h"
#include "engine/bus/irq.h"
#include "engine/bus/region.h"

struct board;
struct pci_bus;
struct pci_device;
struct pci_msix;

#define PCI_CONFIG_SIZE 4096 /* ECAM; the first 256 bytes by port */
#define PCI_MSIX_MAX_VECTORS 128
#define PCI_DEVFN(slot, function) (((slot) << 3) | (function))

/* Registers of the type 0 header. */
enum {
    PCI_VENDOR_ID = 0x00,
    PCI_DEVICE_ID = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION_ID = 0x08,
    PCI_CLASS_PROG = 0x09,
    PCI_CLASS_DEVICE = 0x0a,
    PCI_HEADER_TYPE = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
    PCI_SUBSYSTEM_ID = 0x2e,
    PCI_ROM_ADDRESS = 0x30,
    PCI_CAPABILITY_LIST = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
};

enum {
    PCI_COMMAND_IO = 0x0001,
    PCI_COMMAND_MEMORY = 0x0002,
    PCI_COMMAND_MASTER = 0x0004,
    PCI_COMMAND_INTX_DISABLE = 0x0400,
    PCI_STATUS_INTERRUPT = 0x0008,
    PCI_STATUS_CAP_LIST = 0x0010,
};

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MEM32, PCI_BAR_MEM64 };
#define PCI_ROM_BAR 6 /* index of the expansion ROM among bars[] */

struct pci_ids {
    uint16_t vendor, device;
    uint16_t subsystem_vendor, subsystem;
    uint8_t revision;
    uint16_t class_device; /* base class << 8 | subclass */
    uint8_t class_prog;
};

/* What a function adds to the standard header; each may be NULL. */
struct pci_device_ops {
    /* After the write has been taken into config[] (through write_mask) and BARs have moved. */
    void (*config_written)(struct pci_device *pci, unsigned offset, unsigned size);
};

/* Embed it as the first member; `device` is its reset/destroy face. */
struct pci_device {
    struct device device;
    const struct pci_device_ops *ops;
    struct board *board;
    uint8_t devfn;
    uint8_t config[PCI_CONFIG_SIZE];
    uint8_t write_mask[PCI_CONFIG_SIZE];    /* bits that the guest may write */
    uint8_t write_1_clear[PCI_CONFIG_SIZE]; /* bits that a written 1 clears */
    uint8_t reset_config[PCI_CONFIG_SIZE];  /* config[] after reset, taken at pci_bus_plug() */
    struct {
        enum pci_bar_kind kind;
        struct region *region;
    } bars[7];
    unsigned next_capability; /* where the next one goes */
    unsigned msi_offset;      /* of the MSI capability; 0: none */
    struct pci_msix *msix;    /* owned; NULL: none */
    bool irq_level;           /* as the device last asked */
    bool intx_level;          /* what its pin shows */
};

struct pci_bus *pci_bus_new(struct board *board);
void pci_bus_free(struct pci_bus *bus);

/* Fills in the header. Then register BARs and capabilities, set further registers, and plug. */
void pci_device_init(struct pci_device *pci, struct board *board, const struct device_class *class,
                     const char *id, const struct pci_ids *ids);
/* region->size must be a power of two, at least 16 (memory: 4096). A MEM64 BAR takes index and
 * index + 1. The bus maps region as the guest programs the BAR and the command register. */
void pci_device_add_bar(struct pci_device *pci, unsigned index, enum pci_bar_kind kind,
                        struct region *region, bool prefetchable);
/* Adds a capability of size bytes to the list; returns its offset. */
unsigned pci_device_add_capability(struct pci_device *pci, uint8_t id, unsigned size);
void pci_device_add_msi(struct pci_device *pci); /* one 64-bit vector */
/* Vectors, at most PCI_MSIX_MAX_VECTORS, with their table in a 32-bit BAR that nothing else uses.
 */
void pci_device_add_msix(struct pci_device *pci, unsigned bar, unsigned vectors);
void pci_device_set_pin(struct pci_device *pci, uint8_t pin); /* 1 = INTA ... 4 = INTD */
/* The function appears on bus 0. False: devfn is taken. */
bool pci_bus_plug(struct pci_bus *bus, struct pci_device *pci, uint8_t devfn);
/* Standard part of reset: config back to its start, BARs unmapped, INTx low. A device's reset calls
 * it first. */
void pci_device_reset(struct pci_device *pci);
/* Unmaps the BARs and leaves the bus; a device's destroy calls it first. */
void pci_device_finish(struct pci_device *pci);

/* Raises or lowers the function's interrupt: by MSI when enabled (a rising level sends it),
 * otherwise its INTx pin. */
void pci_device_set_irq(struct pci_device *pci, bool level);
bool pci_device_msi_enabled(const struct pci_device *pci);
bool pci_device_msix_enabled(const struct pci_device *pci);
/* Sends the vector's message, or remembers it while the vector is masked; nothing unless enabled. A
 * function whose MSI-X is enabled uses this and leaves pci_device_set_irq() alone. */
void pci_device_send_msix(struct pci_device *pci, unsigned vector);
/* Whether the guest lets it be a bus master: without, it must not touch guest memory. */
bool pci_device_is_master(const struct pci_device *pci);

/* Where INTx goes: pin 0..3 of function devfn changed level. Set by the board's router (LPC). */
void pci_bus_set_router(struct pci_bus *bus,
                        void (*route)(void *opaque, uint8_t devfn, unsigned pin, bool level),
                        void *opaque);

/* Configuration accesses, as the ports and ECAM make them; bus 0 only, others read as ones. */
uint32_t pci_bus_config_read(struct pci_bus *bus, unsigned bus_number, uint8_t devfn,
                             unsigned offset, unsigned size);
void pci_bus_config_write(struct pci_bus *bus, unsigned bus_number, uint8_t devfn, unsigned offset,
                          uint32_t value, unsigned size);
/* The region that serves ECAM: the host bridge maps it where PCIEXBAR says. */
struct region *pci_bus_ecam(struct pci_bus *bus);

static inline uint16_t pci_get16(const uint8_t *p)
{
    return p[0] | p[1] << 8;
}

static inline uint32_t pci_get32(const uint8_t *p)
{
    return pci_get16(p) | (uint32_t)pci_get16(p + 2) << 16;
}

static inline void pci_set16(uint8_t *p, uint16_t v)
{
    p[0] = v;
    p[1] = v >> 8;
}

static inline void pci_set32(uint8_t *p, uint32_t v)
{
    pci_set16(p, v);
    pci_set16(p + 2, v >> 16);
}

#endif
