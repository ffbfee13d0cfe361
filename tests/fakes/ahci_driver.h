/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's AHCI driver, as far as tests script it, over a board without a processor. */
#ifndef TESTS_FAKES_AHCI_DRIVER_H
#define TESTS_FAKES_AHCI_DRIVER_H

#include "disks/image.h"
#include "engine/dev/ahci.h"
#include "tests/fakes/fake_board.h"
#include "tests/fakes/memory_file.h"

#define DRIVER_RAM (8 * 1024 * 1024)
#define DRIVER_ABAR 0xe0000000
#define DRIVER_DEVFN PCI_DEVFN(0x1f, 2)
#define DRIVER_DATA 0x400000 /* free memory, up to the end of RAM */

/* Registers of the controller and of port p. */
enum { HBA_CAP = 0x00, HBA_GHC = 0x04, HBA_IS = 0x08, HBA_PI = 0x0c, HBA_VS = 0x10 };
enum {
    PX_CLB = 0x00,
    PX_FB = 0x08,
    PX_IS = 0x10,
    PX_IE = 0x14,
    PX_CMD = 0x18,
    PX_TFD = 0x20,
    PX_SIG = 0x24,
    PX_SSTS = 0x28,
    PX_SCTL = 0x2c,
    PX_SERR = 0x30,
    PX_SACT = 0x34,
    PX_CI = 0x38,
};
enum { CMD_ST = 1, CMD_CLO = 8, CMD_FRE = 0x10, CMD_FR = 0x4000, CMD_CR = 0x8000 };
enum {
    IS_DHRS = 1u << 0,
    IS_PSS = 1u << 1,
    IS_SDBS = 1u << 3,
    IS_DPS = 1u << 5,
    IS_PCS = 1u << 6,
    IS_OFS = 1u << 24,
    IS_IFS = 1u << 27,
    IS_HBFS = 1u << 29,
    IS_TFES = 1u << 30,
};

struct ahci_driver {
    struct fake_board fake;
    struct ahci *ahci;
    struct io_context *io;
    bool intx;
    unsigned intx_rises, msis;
};

/* A command to put into a slot; unset fields are what most commands want. */
struct driver_command {
    uint8_t command, device;
    uint16_t features, count;
    uint64_t lba;
    const uint8_t *packet; /* 12 bytes */
    uint64_t data;         /* guest address; default DRIVER_DATA */
    uint32_t size;         /* of the data: one PRD; 0: none */
    uint16_t prds;         /* that the test has written itself with driver_prd() */
};

void driver_init(struct ahci_driver *d);
/* Places the registers and allows DMA, as init does: again after a reset of the board. */
void driver_enable(struct ahci_driver *d);
void driver_finish(struct ahci_driver *d);
/* Attaches a disk or disc in memory; the caller frees it after driver_finish(). */
struct memory_file *driver_add_disk(struct ahci_driver *d, unsigned port, uint64_t size,
                                    bool read_only);
struct memory_file *driver_add_cd(struct ahci_driver *d, unsigned port, uint64_t size);
struct image *driver_image(struct ahci_driver *d, struct memory_file *file, bool read_only);

uint32_t driver_read(struct ahci_driver *d, unsigned reg);
void driver_write(struct ahci_driver *d, unsigned reg, uint32_t value);
uint32_t port_read(struct ahci_driver *d, unsigned port, unsigned reg);
void port_write(struct ahci_driver *d, unsigned port, unsigned reg, uint32_t value);

/* Gives the port its lists and starts it. */
void driver_start(struct ahci_driver *d, unsigned port);
/* Clears ST, the errors and the interrupts, and sets ST. */
void driver_restart(struct ahci_driver *d, unsigned port);
uint64_t driver_list(unsigned port);
uint64_t driver_fis(unsigned port);
uint64_t driver_table(unsigned port, unsigned slot);
void driver_prd(struct ahci_driver *d, unsigned port, unsigned slot, unsigned index,
                uint64_t address, uint32_t size);
/* Writes the header and the table of a slot. */
void driver_prepare(struct ahci_driver *d, unsigned port, unsigned slot,
                    const struct driver_command *command);
/* Prepares and issues; queued also sets the bit in PxSACT. */
void driver_issue(struct ahci_driver *d, unsigned port, unsigned slot,
                  const struct driver_command *command);
/* Waits until (read(reg) & mask) == value; false: not within some seconds. */
bool driver_wait(struct ahci_driver *d, unsigned port, unsigned reg, uint32_t mask, uint32_t value);
/* Issues in slot 0 and waits for the end or an error; PxTFD. */
uint32_t driver_run(struct ahci_driver *d, unsigned port, const struct driver_command *command);
/* A PACKET command by DMA, the answer at DRIVER_DATA. */
uint32_t driver_packet(struct ahci_driver *d, unsigned port, const uint8_t *cdb, uint32_t size);

static inline uint8_t *driver_ram(struct ahci_driver *d, uint64_t gpa)
{
    return d->fake.ram.host + gpa;
}

#endif
