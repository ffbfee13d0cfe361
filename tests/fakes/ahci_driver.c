/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/ahci_driver.h"

#include <string.h>

#include "disks/image_format.h"
#include "disks/io_context.h"

static void on_intx(void *opaque, uint8_t devfn, unsigned pin, bool level)
{
    struct ahci_driver *d = opaque;

    d->intx = level;
    d->intx_rises += level;
}

static void on_msi(void *opaque, uint64_t address, uint32_t data)
{
    ((struct ahci_driver *)opaque)->msis++;
}

void driver_enable(struct ahci_driver *d)
{
    struct pci_bus *pci = d->fake.board.pci;

    g_mutex_lock(&d->fake.board.lock);
    pci_bus_config_write(pci, 0, DRIVER_DEVFN, PCI_BAR0 + 4 * 5, DRIVER_ABAR, 4);
    pci_bus_config_write(pci, 0, DRIVER_DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
                         2);
    g_mutex_unlock(&d->fake.board.lock);
}

void driver_init(struct ahci_driver *d)
{
    *d = (struct ahci_driver){.io = io_context_new(4)};
    fake_board_init(&d->fake, DRIVER_RAM);
    d->fake.board.send_msi = on_msi;
    d->fake.board.send_msi_opaque = d;
    pci_bus_set_router(d->fake.board.pci, on_intx, d);
    d->ahci = ahci_new(&d->fake.board, DRIVER_DEVFN);
    driver_enable(d);
}

void driver_finish(struct ahci_driver *d)
{
    fake_board_finish(&d->fake);
    io_context_free(d->io);
}

struct image *driver_image(struct ahci_driver *d, struct memory_file *file, bool read_only)
{
    const struct image_options options = {.format = "raw", .read_only = read_only};

    return image_open_file(&file->file, &options, d->io, NULL);
}

struct memory_file *driver_add_disk(struct ahci_driver *d, unsigned port, uint64_t size,
                                    bool read_only)
{
    struct memory_file *file = memory_file_new(size);

    ahci_attach_disk(d->ahci, port, driver_image(d, file, read_only), "VMD0000001");
    return file;
}

struct memory_file *driver_add_cd(struct ahci_driver *d, unsigned port, uint64_t size)
{
    struct memory_file *file = size > 0 ? memory_file_new(size) : NULL;

    ahci_attach_cd(d->ahci, port, file != NULL ? driver_image(d, file, true) : NULL);
    return file;
}

uint32_t driver_read(struct ahci_driver *d, unsigned reg)
{
    return fake_load(&d->fake, DRIVER_ABAR + reg, 4);
}

void driver_write(struct ahci_driver *d, unsigned reg, uint32_t value)
{
    fake_store(&d->fake, DRIVER_ABAR + reg, value, 4);
}

uint32_t port_read(struct ahci_driver *d, unsigned port, unsigned reg)
{
    return driver_read(d, 0x100 + port * 0x80 + reg);
}

void port_write(struct ahci_driver *d, unsigned port, unsigned reg, uint32_t value)
{
    driver_write(d, 0x100 + port * 0x80 + reg, value);
}

uint64_t driver_list(unsigned port)
{
    return 0x10000 + port * 0x1000;
}

uint64_t driver_fis(unsigned port)
{
    return driver_list(port) + 0x400;
}

uint64_t driver_table(unsigned port, unsigned slot)
{
    return 0x20000 + (port * 32 + slot) * 0x2000;
}

void driver_start(struct ahci_driver *d, unsigned port)
{
    port_write(d, port, PX_CLB, driver_list(port));
    port_write(d, port, PX_FB, driver_fis(port));
    port_write(d, port, PX_SERR, 0xffffffff);
    port_write(d, port, PX_IS, 0xffffffff);
    port_write(d, port, PX_CMD, CMD_FRE);
    port_write(d, port, PX_CMD, CMD_FRE | CMD_ST);
}

void driver_restart(struct ahci_driver *d, unsigned port)
{
    port_write(d, port, PX_CMD, CMD_FRE);
    driver_wait(d, port, PX_CMD, CMD_CR, 0);
    port_write(d, port, PX_SERR, 0xffffffff);
    port_write(d, port, PX_IS, 0xffffffff);
    port_write(d, port, PX_CMD, CMD_FRE | CMD_CLO);
    port_write(d, port, PX_CMD, CMD_FRE | CMD_ST);
}

void driver_prd(struct ahci_driver *d, unsigned port, unsigned slot, unsigned index,
                uint64_t address, uint32_t size)
{
    uint8_t *prd = driver_ram(d, driver_table(port, slot) + 0x80 + index * 16);

    pci_set32(prd, address);
    pci_set32(prd + 4, address >> 32);
    pci_set32(prd + 12, size - 1);
}

void driver_prepare(struct ahci_driver *d, unsigned port, unsigned slot,
                    const struct driver_command *c)
{
    uint8_t *header = driver_ram(d, driver_list(port) + slot * 32);
    uint8_t *table = driver_ram(d, driver_table(port, slot));
    unsigned prds = c->prds > 0 ? c->prds : c->size > 0;
    uint8_t fis[20] = {0x27, 0x80, c->command, c->features};

    memset(header, 0, 32);
    pci_set32(header, 5 | (c->packet != NULL) << 5 | (uint32_t)prds << 16);
    pci_set32(header + 8, driver_table(port, slot));
    for (unsigned i = 0; i < 3; i++) {
        fis[4 + i] = c->lba >> 8 * i;
        fis[8 + i] = c->lba >> 8 * (i + 3);
    }
    fis[7] = c->device != 0 ? c->device : 0x40;
    fis[11] = c->features >> 8;
    fis[12] = c->count;
    fis[13] = c->count >> 8;
    memcpy(table, fis, sizeof(fis));
    if (c->packet != NULL)
        memcpy(table + 0x40, c->packet, 12);
    if (c->prds == 0 && c->size > 0)
        driver_prd(d, port, slot, 0, c->data != 0 ? c->data : DRIVER_DATA, c->size);
}

void driver_issue(struct ahci_driver *d, unsigned port, unsigned slot,
                  const struct driver_command *command)
{
    driver_prepare(d, port, slot, command);
    if (command->command == 0x60 || command->command == 0x61)
        port_write(d, port, PX_SACT, 1u << slot);
    port_write(d, port, PX_CI, 1u << slot);
}

bool driver_wait(struct ahci_driver *d, unsigned port, unsigned reg, uint32_t mask, uint32_t value)
{
    for (int i = 0; i < 100000; i++) {
        if ((port_read(d, port, reg) & mask) == value)
            return true;
        g_usleep(i < 1000 ? 10 : 100);
    }
    return false;
}

uint32_t driver_run(struct ahci_driver *d, unsigned port, const struct driver_command *command)
{
    driver_issue(d, port, 0, command);
    for (int i = 0; i < 100000; i++) {
        if ((port_read(d, port, PX_CI) & 1) == 0 || (port_read(d, port, PX_IS) & 0x68000000))
            break;
        g_usleep(10);
    }
    return port_read(d, port, PX_TFD);
}

uint32_t driver_packet(struct ahci_driver *d, unsigned port, const uint8_t *cdb, uint32_t size)
{
    const struct driver_command command = {.command = 0xa0,
                                           .features = 1,
                                           .packet = cdb,
                                           .size = size};
    uint32_t tfd = driver_run(d, port, &command);

    if (tfd & 1)
        driver_restart(d, port);
    return tfd;
}
