/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dev/ich9_lpc.h"

#include <glib.h>
#include <string.h>

#include "engine/dev/acpi_pm.h"

/* Configuration registers (13.1). */
#define PMBASE 0x40
#define ACPI_CNTL 0x44
#define ACPI_CNTL_ENABLE 0x80
#define PIRQA_ROUT 0x60 /* to PIRQD */
#define PIRQE_ROUT 0x68 /* to PIRQH */
#define PIRQ_ROUT_DISABLED 0x80
#define RCBA 0xf0
#define RCBA_ENABLE 0x1

#define RCBA_SIZE 0x4000
#define RCBA_PRIORITY 1

#define ISA_IRQS 16
#define PIRQS 8
#define FIRST_PIRQ_GSI 16
#define SCI_GSI 9

struct ich9_lpc {
    struct pci_device pci;
    struct acpi_pm pm;
    void (*set_gsi)(void *opaque, unsigned gsi, bool level);
    void *opaque;

    struct region chipset; /* behind RCBA: 16 KiB of chip configuration */
    uint8_t chipset_registers[RCBA_SIZE];

    bool isa_level[ISA_IRQS]; /* as ISA devices drive them */
    bool sci_level;
    bool pin_level[32][4];                  /* as PCI functions drive them, by slot and pin */
    bool gsi_level[FIRST_PIRQ_GSI + PIRQS]; /* as driven into the controllers */
};

/* Where the route register of slot 25 to 31 lies in the chipset configuration (10.1.43 to 49). */
static const uint16_t route_register[] = {
    0x3150, 0x314c, 0x3148, 0x3146, 0x3144, 0x3142, 0x3140,
};
#define FIRST_ROUTED_SLOT 25
#define ROUTE_IDENTITY 0x3210 /* INTA to PIRQA ... INTD to PIRQD */

/* Slots of the chip choose a PIRQ for each pin by register; the others are wired on the board,
 * rotating over PIRQE to PIRQH. */
static unsigned pin_to_pirq(const struct ich9_lpc *lpc, unsigned slot, unsigned pin)
{
    if (slot < FIRST_ROUTED_SLOT)
        return 4 + (slot + pin) % 4;
    return pci_get16(lpc->chipset_registers + route_register[slot - FIRST_ROUTED_SLOT]) >> pin * 4 &
           7;
}

static uint8_t pirq_route(const struct ich9_lpc *lpc, unsigned pirq)
{
    return lpc->pci.config[pirq < 4 ? PIRQA_ROUT + pirq : PIRQE_ROUT + pirq - 4];
}

/* Computes the level of every controller input and drives those that changed. */
static void update_levels(struct ich9_lpc *lpc)
{
    bool level[FIRST_PIRQ_GSI + PIRQS] = {false};

    memcpy(level, lpc->isa_level, sizeof(lpc->isa_level));
    level[SCI_GSI] |= lpc->sci_level;
    for (unsigned slot = 0; slot < 32; slot++) {
        for (unsigned pin = 0; pin < 4; pin++) {
            if (lpc->pin_level[slot][pin])
                level[FIRST_PIRQ_GSI + pin_to_pirq(lpc, slot, pin)] = true;
        }
    }
    for (unsigned pirq = 0; pirq < PIRQS; pirq++) {
        uint8_t route = pirq_route(lpc, pirq);

        if (level[FIRST_PIRQ_GSI + pirq] && !(route & PIRQ_ROUT_DISABLED))
            level[route & 0xf] = true;
    }
    for (unsigned gsi = 0; gsi < G_N_ELEMENTS(level); gsi++) {
        if (level[gsi] == lpc->gsi_level[gsi])
            continue;
        lpc->gsi_level[gsi] = level[gsi];
        lpc->set_gsi(lpc->opaque, gsi, level[gsi]);
    }
}

static void on_isa_irq(void *opaque, unsigned number, bool level)
{
    struct ich9_lpc *lpc = opaque;

    lpc->isa_level[number] = level;
    update_levels(lpc);
}

static void on_sci(void *opaque, unsigned number, bool level)
{
    struct ich9_lpc *lpc = opaque;

    lpc->sci_level = level;
    update_levels(lpc);
}

static void on_pci_pin(void *opaque, uint8_t devfn, unsigned pin, bool level)
{
    struct ich9_lpc *lpc = opaque;

    /* Functions of one slot use different pins on this board, so a pin has one driver. */
    lpc->pin_level[devfn >> 3][pin] = level;
    update_levels(lpc);
}

static void place_registers(struct ich9_lpc *lpc)
{
    const uint8_t *config = lpc->pci.config;
    uint32_t rcba = pci_get32(config + RCBA);
    struct memory_map *map = lpc->pci.board->memory;

    acpi_pm_place(&lpc->pm,
                  config[ACPI_CNTL] & ACPI_CNTL_ENABLE ? pci_get16(config + PMBASE) & 0xff80 : 0);
    if (!(rcba & RCBA_ENABLE))
        memory_map_remove(map, &lpc->chipset);
    else if (!lpc->chipset.mapped || lpc->chipset.base != (rcba & 0xffffc000))
        memory_map_add(map, &lpc->chipset, rcba & 0xffffc000, RCBA_PRIORITY);
}

static void config_written(struct pci_device *pci, unsigned offset, unsigned size)
{
    struct ich9_lpc *lpc = (struct ich9_lpc *)pci;

    place_registers(lpc);
    update_levels(lpc);
}

static uint64_t chipset_read(void *opaque, uint64_t offset, unsigned size)
{
    struct ich9_lpc *lpc = opaque;
    uint32_t value = 0;

    memcpy(&value, lpc->chipset_registers + offset, size);
    return value;
}

static void chipset_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct ich9_lpc *lpc = opaque;

    memcpy(lpc->chipset_registers + offset, &value, size);
    update_levels(lpc);
}

static void reset_registers(struct ich9_lpc *lpc)
{
    memset(lpc->chipset_registers, 0, sizeof(lpc->chipset_registers));
    for (unsigned i = 0; i < G_N_ELEMENTS(route_register); i++)
        pci_set16(lpc->chipset_registers + route_register[i], ROUTE_IDENTITY);
}

static void reset(struct device *device)
{
    struct ich9_lpc *lpc = (struct ich9_lpc *)device;

    pci_device_reset(&lpc->pci);
    reset_registers(lpc);
    acpi_pm_reset(&lpc->pm);
    place_registers(lpc);
    update_levels(lpc);
}

static void destroy(struct device *device)
{
    struct ich9_lpc *lpc = (struct ich9_lpc *)device;

    acpi_pm_finish(&lpc->pm);
    memory_map_remove(lpc->pci.board->memory, &lpc->chipset);
    pci_bus_set_router(lpc->pci.board->pci, NULL, NULL);
    for (unsigned i = 0; i < ISA_IRQS; i++)
        lpc->pci.board->isa_irq[i].set = NULL;
    pci_device_finish(&lpc->pci);
    g_free(lpc);
}

static void init_config(struct pci_device *pci)
{
    pci_set16(pci->config + PMBASE, 1);
    pci_set16(pci->write_mask + PMBASE, 0xff80);
    pci->write_mask[ACPI_CNTL] = ACPI_CNTL_ENABLE;
    for (unsigned i = 0; i < 4; i++) {
        pci->config[PIRQA_ROUT + i] = pci->config[PIRQE_ROUT + i] = PIRQ_ROUT_DISABLED;
        pci->write_mask[PIRQA_ROUT + i] = pci->write_mask[PIRQE_ROUT + i] = 0x8f;
    }
    pci_set32(pci->write_mask + RCBA, 0xffffc000 | RCBA_ENABLE);
    /* General PM, GPIO, decode ranges: nothing here depends on them; they keep what is written. */
    memset(pci->write_mask + 0x80, 0xff, 0x30);
}

struct ich9_lpc *ich9_lpc_new(struct board *board,
                              void (*set_gsi)(void *opaque, unsigned gsi, bool level), void *opaque)
{
    static const struct device_class class = {.name = "ich9-lpc",
                                              .reset = reset,
                                              .destroy = destroy};
    static const struct pci_device_ops ops = {.config_written = config_written};
    static const struct region_ops chipset_ops = {chipset_read, chipset_write, .max_access = 4};
    static const struct pci_ids ids = {.vendor = 0x8086,
                                       .device = 0x2918,
                                       .subsystem_vendor = 0x1af4,
                                       .subsystem = 0x1100,
                                       .revision = 2,
                                       .class_device = 0x0601};
    struct ich9_lpc *lpc = g_new0(struct ich9_lpc, 1);
    const struct irq_line sci = {.set = on_sci, .opaque = lpc};

    lpc->set_gsi = set_gsi;
    lpc->opaque = opaque;
    lpc->chipset =
        (struct region){.name = "rcba", .size = RCBA_SIZE, .ops = &chipset_ops, .opaque = lpc};
    reset_registers(lpc);
    pci_device_init(&lpc->pci, board, &class, "lpc", &ids);
    lpc->pci.ops = &ops;
    init_config(&lpc->pci);
    acpi_pm_init(&lpc->pm, board, &sci);
    for (unsigned i = 0; i < ISA_IRQS; i++)
        board->isa_irq[i] = (struct irq_line){.set = on_isa_irq, .opaque = lpc, .number = i};
    pci_bus_set_router(board->pci, on_pci_pin, lpc);
    pci_bus_plug(board->pci, &lpc->pci, PCI_DEVFN(31, 0));
    board_add_device(board, &lpc->pci.device);
    return lpc;
}

void ich9_lpc_power_button(struct ich9_lpc *lpc)
{
    acpi_pm_power_button(&lpc->pm);
}
