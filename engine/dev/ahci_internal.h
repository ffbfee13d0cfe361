/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the AHCI controller: the ports (ahci.c), the commands (ahci_command.c) and the devices
 * behind them (ata_disk.c, atapi.c). All of it runs under the board's lock.
 *
 * A command that waits for the disk belongs to its port until the guest stops or resets the port;
 * from then on it is "dropped": its result goes nowhere. The port shows itself as running or
 * resetting until the last dropped command is through, so that no memory is written behind the
 * guest's back.
 */
#ifndef ENGINE_DEV_AHCI_INTERNAL_H
#define ENGINE_DEV_AHCI_INTERNAL_H

#include "disks/image.h"
#include "engine/bus/board.h"
#include "engine/dev/ahci.h"

#define AHCI_SLOTS 32
#define AHCI_PACKET_SIZE 16

/* ATA status and error registers: ACS-3, chapter 6. */
enum {
    ATA_STATUS_ERR = 0x01,
    ATA_STATUS_DRQ = 0x08,
    ATA_STATUS_DSC = 0x10,
    ATA_STATUS_DRDY = 0x40,
    ATA_STATUS_BSY = 0x80,
    ATA_STATUS_GOOD = ATA_STATUS_DRDY | ATA_STATUS_DSC,
    ATA_ERROR_ABRT = 0x04,
    ATA_ERROR_IDNF = 0x10,
    ATA_ERROR_UNC = 0x40,
};

/* PxIS: AHCI 3.3.5 */
enum {
    PORT_IS_DHRS = 1u << 0,
    PORT_IS_PSS = 1u << 1,
    PORT_IS_SDBS = 1u << 3,
    PORT_IS_DPS = 1u << 5,
    PORT_IS_PCS = 1u << 6,
    PORT_IS_PRCS = 1u << 22,
    PORT_IS_OFS = 1u << 24,
    PORT_IS_IFS = 1u << 27,
    PORT_IS_HBFS = 1u << 29,
    PORT_IS_TFES = 1u << 30,
};

/* PxCMD: AHCI 3.3.7 */
enum {
    PORT_CMD_ST = 1u << 0,
    PORT_CMD_SUD = 1u << 1,
    PORT_CMD_POD = 1u << 2,
    PORT_CMD_CLO = 1u << 3,
    PORT_CMD_FRE = 1u << 4,
    PORT_CMD_CCS_SHIFT = 8,
    PORT_CMD_FR = 1u << 14,
    PORT_CMD_CR = 1u << 15,
    PORT_CMD_ATAPI = 1u << 24,
    PORT_CMD_DLAE = 1u << 25,
};

struct ahci_port;
struct ahci_command;

/* How data and the end of a command travel: the FIS of Serial ATA. */
enum ata_protocol {
    ATA_NON_DATA,
    ATA_PIO_IN,
    ATA_PIO_OUT,
    ATA_DMA,
    ATA_QUEUED,
    ATA_PACKET_PIO,
    ATA_PACKET_DMA,
};

/* What a device reports at the end of a command or after a reset. */
struct ata_registers {
    uint8_t status, error, device;
    uint16_t count;
    uint64_t lba;
};

struct ata_device {
    const struct ata_device_ops *ops;
};

struct ata_device_ops {
    /* Starts a command, which ends, at once or later, in ahci_command_end(). */
    void (*execute)(struct ata_device *device, struct ahci_command *command);
    /* After power-on, COMRESET and (hard false) software reset; gives the signature. */
    void (*reset)(struct ata_device *device, bool hard, struct ata_registers *ret_signature);
    void (*destroy)(struct ata_device *device); /* closes the image */
};

struct guest_range {
    uint64_t address;
    uint32_t size;
};

struct ahci_command {
    struct ahci_port *port;
    unsigned slot;
    bool dropped;

    /* Copied from the guest once. */
    uint8_t command, device;
    uint16_t features, count;
    uint64_t lba;
    bool has_packet;
    uint8_t packet[AHCI_PACKET_SIZE];
    uint64_t header; /* guest address of the command header */
    uint64_t table;  /* of the command table */
    uint16_t prdtl;

    /* The device's. */
    enum ata_protocol protocol;
    uint16_t drq_block; /* PIO: bytes of a DRQ data block */
    struct ata_registers result;
    void *state; /* freed with the command by g_free() */

    /* The data: guest memory, and what of it a device has moved. */
    struct guest_range *ranges;
    unsigned range_count;
    struct iovec *iov;
    unsigned iov_count;
    bool to_guest;
    bool prd_interrupt;
    uint32_t moved; /* bytes */

    /* The disk request under way. */
    struct image *image;
    struct block_request request;
    uint64_t left;      /* bytes of the transfer after this request */
    unsigned iov_index; /* of the request's first element */
    size_t iov_cut;     /* bytes of its last element that belong to the next request */
    void (*then)(struct ahci_command *command, int error);
};

struct ahci_port {
    struct ahci *ahci;
    unsigned number;
    struct ata_device *device; /* NULL: none */

    uint64_t clb, fb;
    uint32_t is, ie, cmd, tfd, sig, ssts, sctl, serr, sact, ci;

    struct ahci_command *commands[AHCI_SLOTS];
    unsigned last_slot;
    bool busy;         /* a command that is not queued waits for the disk */
    bool halted;       /* an error has stopped the port until ST is cleared */
    bool soft_reset;   /* SRST is set */
    bool link_pending; /* the link comes up when nothing is dropped any more */
    unsigned dropped;  /* dropped commands still in flight */
};

struct ahci {
    struct pci_device pci;
    struct region abar;
    uint32_t ghc, is;
    bool resetting; /* GHC.HR waits for dropped commands */
    struct ahci_port ports[AHCI_PORTS];
    unsigned in_flight;
    GCond drained;
};

/* ahci.c */
void ahci_update_irq(struct ahci *ahci);
/* To be called when a dropped command is through. */
void ahci_port_drained(struct ahci_port *port);

/* ahci_command.c: for the ports */
void ahci_port_run(struct ahci_port *port);
void ahci_port_drop_commands(struct ahci_port *port);
void ahci_port_signature(struct ahci_port *port, bool hard);

/* ahci_command.c: for the devices. Where one returns false it has ended the command. */

/* Finds the guest's memory for length bytes of data. */
bool ahci_command_map(struct ahci_command *command, uint64_t length, bool to_guest);
/* Hands data to the guest: as much of it as the guest has room for. */
bool ahci_command_reply(struct ahci_command *command, const void *data, size_t size);
/* Takes data from the guest. */
bool ahci_command_fetch(struct ahci_command *command, void *data, size_t size);
/* Reads or writes the mapped memory, flushes, or discards; then() is called under the lock unless
 * the command has been dropped. error is a positive errno. */
void ahci_command_io(struct ahci_command *command, struct image *image, enum block_op op,
                     uint64_t offset, uint64_t length,
                     void (*then)(struct ahci_command *command, int error));
/* Queued commands only: the device has taken it and is ready for the next. */
void ahci_command_accept(struct ahci_command *command);
/* Reports command->result and frees the command. */
void ahci_command_end(struct ahci_command *command, uint8_t status, uint8_t error);
bool ahci_port_has_queued(const struct ahci_port *port);

/* The devices. */
struct ata_device *ata_disk_new(struct image *image, const char *serial);
struct ata_device *atapi_new(struct image *image);
bool atapi_is(const struct ata_device *device);
/* false: the guest holds the tray. Gives back the disc that was in it, NULL: none. */
bool atapi_change(struct ata_device *device, struct image *image, bool force,
                  struct image **ret_old);
bool atapi_locked(const struct ata_device *device);
bool atapi_present(const struct ata_device *device);

/* Text in an IDENTIFY block: size bytes, padded with spaces, the bytes of each word swapped. */
void ata_identify_text(uint16_t *words, const char *text, size_t size);

#endif
