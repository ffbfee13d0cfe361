/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI-X: a table of messages, each with a mask, in a memory BAR of its own, and the array of those
 * that wait for their mask to go. PCI Local Bus Specification 3.0, 6.8.2.
 */
#include "engine/bus/pci_internal.h"

#include <glib.h>

#include "engine/bus/board.h"

#define CAP_ID_MSIX 0x11
#define MSIX_SIZE 12
#define MSIX_CONTROL 2
#define MSIX_TABLE 4
#define MSIX_PBA 8
#define MSIX_ENABLE 0x8000
#define MSIX_MASK_ALL 0x4000

#define BAR_SIZE 4096
#define PBA_OFFSET 0x800
#define ENTRY_SIZE 16
G_STATIC_ASSERT(PCI_MSIX_MAX_VECTORS *ENTRY_SIZE <= PBA_OFFSET);

/* An entry of the table, in words. */
enum { ENTRY_ADDRESS = 0, ENTRY_ADDRESS_HIGH = 1, ENTRY_DATA = 2, ENTRY_CONTROL = 3 };
#define ENTRY_MASKED 0x1

struct pci_msix {
    struct pci_device *pci;
    struct region region;
    unsigned offset; /* of the capability */
    unsigned vectors;
    uint32_t table[PCI_MSIX_MAX_VECTORS][4];
    uint64_t pending[PCI_MSIX_MAX_VECTORS / 64]; /* a bit a vector */
};

static uint16_t control_of(const struct pci_msix *msix)
{
    return pci_get16(msix->pci->config + msix->offset + MSIX_CONTROL);
}

bool pci_device_msix_enabled(const struct pci_device *pci)
{
    return pci->msix != NULL && (control_of(pci->msix) & MSIX_ENABLE) != 0;
}

static bool is_masked(const struct pci_msix *msix, unsigned vector)
{
    return (control_of(msix) & MSIX_MASK_ALL) != 0 ||
           (msix->table[vector][ENTRY_CONTROL] & ENTRY_MASKED) != 0;
}

static void send(struct pci_msix *msix, unsigned vector)
{
    const uint32_t *entry = msix->table[vector];
    struct board *board = msix->pci->board;

    if (pci_device_is_master(msix->pci) && board->send_msi != NULL)
        board->send_msi(board->send_msi_opaque,
                        (entry[ENTRY_ADDRESS] & ~3u) | (uint64_t)entry[ENTRY_ADDRESS_HIGH] << 32,
                        entry[ENTRY_DATA]);
}

void pci_device_send_msix(struct pci_device *pci, unsigned vector)
{
    struct pci_msix *msix = pci->msix;

    if (!pci_device_msix_enabled(pci) || vector >= msix->vectors)
        return;
    if (is_masked(msix, vector))
        msix->pending[vector / 64] |= UINT64_C(1) << vector % 64;
    else
        send(msix, vector);
}

void pci_msix_unmasked(struct pci_device *pci)
{
    struct pci_msix *msix = pci->msix;

    if (!pci_device_msix_enabled(pci))
        return;
    for (unsigned i = 0; i < msix->vectors; i++) {
        uint64_t bit = UINT64_C(1) << i % 64;

        if ((msix->pending[i / 64] & bit) == 0 || is_masked(msix, i))
            continue;
        msix->pending[i / 64] &= ~bit;
        send(msix, i);
    }
}

static uint32_t read_word(const struct pci_msix *msix, unsigned offset)
{
    unsigned word = offset / 4;

    if (offset < msix->vectors * ENTRY_SIZE)
        return msix->table[word / 4][word % 4];
    if (offset >= PBA_OFFSET && offset < PBA_OFFSET + sizeof(msix->pending))
        return msix->pending[(offset - PBA_OFFSET) / 8] >> (word % 2) * 32;
    return 0;
}

static uint64_t table_read(void *opaque, uint64_t offset, unsigned size)
{
    return (uint64_t)read_word(opaque, offset & ~3u) >> (offset & 3) * 8;
}

/* Only whole words may be written (6.8.2); others have no effect, as the array of pending ones. */
static void table_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct pci_msix *msix = opaque;
    unsigned word = offset / 4;

    if (offset % 4 != 0 || size != 4 || offset >= msix->vectors * ENTRY_SIZE)
        return;
    if (word % 4 == ENTRY_CONTROL)
        value &= ENTRY_MASKED;
    msix->table[word / 4][word % 4] = value;
    pci_msix_unmasked(msix->pci);
}

static const struct region_ops table_ops = {table_read, table_write, .max_access = 4};

void pci_msix_reset(struct pci_device *pci)
{
    struct pci_msix *msix = pci->msix;

    if (msix == NULL)
        return;
    memset(msix->table, 0, sizeof(msix->table));
    memset(msix->pending, 0, sizeof(msix->pending));
    for (unsigned i = 0; i < msix->vectors; i++)
        msix->table[i][ENTRY_CONTROL] = ENTRY_MASKED;
}

void pci_msix_free(struct pci_device *pci)
{
    g_clear_pointer(&pci->msix, g_free);
}

void pci_device_add_msix(struct pci_device *pci, unsigned bar, unsigned vectors)
{
    unsigned offset = pci_device_add_capability(pci, CAP_ID_MSIX, MSIX_SIZE);
    struct pci_msix *msix = g_new0(struct pci_msix, 1);

    msix->pci = pci;
    msix->offset = offset;
    msix->vectors = MIN(vectors, PCI_MSIX_MAX_VECTORS);
    msix->region =
        (struct region){.name = "msix", .size = BAR_SIZE, .ops = &table_ops, .opaque = msix};
    pci->msix = msix;
    pci_set16(pci->config + offset + MSIX_CONTROL, msix->vectors - 1);
    pci_set16(pci->write_mask + offset + MSIX_CONTROL, MSIX_ENABLE | MSIX_MASK_ALL);
    pci_set32(pci->config + offset + MSIX_TABLE, bar);
    pci_set32(pci->config + offset + MSIX_PBA, PBA_OFFSET | bar);
    pci_device_add_bar(pci, bar, PCI_BAR_MEM32, &msix->region, false);
    pci_msix_reset(pci);
}
