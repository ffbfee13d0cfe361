/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An ATA disk with 48-bit addresses and native command queuing: ACS-3. */
#include <string.h>

#include "config.h"
#include "core/log.h"
#include "engine/dev/ahci_internal.h"

#define SERIAL_SIZE 20
#define SECTOR IMAGE_SECTOR_SIZE
#define LBA28_MAX 0x0fffffff
#define MULTIPLE_MAX 16
#define UDMA_DEFAULT 5
#define TRIM_MAX_BLOCKS 8
#define TRIM_ENTRIES (SECTOR / 8)
#define NCQ_ERROR_LOG 0x10
#define DEVICE_LBA 0x40
#define DEVICE_FUA 0x80 /* queued commands */

struct trim_range {
    uint64_t lba;
    uint64_t count;
};

struct trim {
    unsigned next, count;
    struct trim_range ranges[TRIM_MAX_BLOCKS * TRIM_ENTRIES];
};

struct ata_disk {
    struct ata_device device;
    struct image *image;
    uint64_t sectors; /* as of the last hard reset */
    char serial[SERIAL_SIZE + 1];
    bool write_cache, look_ahead, standby;
    uint8_t multiple; /* sectors of a READ or WRITE MULTIPLE block; 0: not set */
    uint16_t udma, mdma;
    /* 4.14: after a queued command has failed, only its log may be read, or the disk reset. */
    bool queue_error;
    uint8_t queue_log[SECTOR];
};

enum row_flags {
    ROW_EXT = 1,
    ROW_WRITE = 2,
    ROW_FUA = 4,
    ROW_MULTIPLE = 8,
};

/* One command: how it is named by the guest and what it does. */
struct row {
    uint8_t opcode;
    void (*run)(struct ata_disk *disk, struct ahci_command *command, const struct row *row);
    enum ata_protocol protocol;
    unsigned flags;
};

static struct ata_disk *to_disk(struct ata_device *device)
{
    return (struct ata_disk *)device;
}

static struct ata_disk *disk_of(const struct ahci_command *command)
{
    return to_disk(command->port->device);
}

static void succeed(struct ahci_command *command)
{
    ahci_command_end(command, ATA_STATUS_GOOD, 0);
}

/* The log of a queued command's error: ACS-3, NCQ Command Error log. queued false: a command that
 * must not come among queued ones. */
static void keep_queue_error(struct ata_disk *disk, const struct ahci_command *command,
                             uint8_t error, bool queued)
{
    uint8_t *log = disk->queue_log, sum = 0;

    memset(log, 0, SECTOR);
    log[0] = queued ? command->slot : 0x80;
    log[2] = ATA_STATUS_GOOD | ATA_STATUS_ERR;
    log[3] = error;
    for (unsigned i = 0; i < 3; i++) {
        log[4 + i] = command->lba >> 8 * i;
        log[8 + i] = command->lba >> 8 * (i + 3);
    }
    log[7] = command->device;
    log[12] = command->count;
    log[13] = command->count >> 8;
    for (unsigned i = 0; i < SECTOR - 1; i++)
        sum += log[i];
    log[SECTOR - 1] = -sum;
    disk->queue_error = true;
}

static void fail(struct ahci_command *command, uint8_t error)
{
    if (command->protocol == ATA_QUEUED)
        keep_queue_error(disk_of(command), command, error, true);
    ahci_command_end(command, ATA_STATUS_GOOD | ATA_STATUS_ERR, error);
}

/* IDENTIFY DEVICE: ACS-3, chapter 7. */

void ata_identify_text(uint16_t *words, const char *text, size_t size)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < size; i += 2) {
        uint8_t first = i < length ? text[i] : ' ', second = i + 1 < length ? text[i + 1] : ' ';

        words[i / 2] = first << 8 | second;
    }
}

static void identify_features(const struct ata_disk *disk, uint16_t *id)
{
    id[75] = AHCI_SLOTS - 1;
    id[76] = 1 << 8 | 1 << 2 | 1 << 1;              /* queuing; generations 2 and 1 */
    id[80] = 0x07f0;                                /* ATA-4 to ACS-3 */
    id[82] = 1 << 14 | 1 << 6 | 1 << 5 | 1 << 3;    /* NOP, look-ahead, write cache, power */
    id[83] = 1 << 14 | 1 << 13 | 1 << 12 | 1 << 10; /* both FLUSH, 48-bit addresses */
    id[84] = 1 << 14 | 1 << 6 | 1 << 5; /* forced unit access, general purpose logging */
    id[85] = 1 << 14 | disk->look_ahead << 6 | disk->write_cache << 5 | 1 << 3;
    id[86] = 1 << 13 | 1 << 12 | 1 << 10;
    id[87] = id[84];
    id[105] = TRIM_MAX_BLOCKS;
    id[119] = id[120] = 1 << 14;
    id[169] = 1 << 0; /* TRIM */
    id[217] = 1;      /* does not rotate */
    id[222] = 0x103f; /* Serial ATA up to 3.0 */
}

static void identify(struct ata_disk *disk, struct ahci_command *command, const struct row *row)
{
    uint16_t id[SECTOR / 2] = {0};
    uint8_t data[SECTOR], sum = 0;
    uint64_t cylinders = MIN(disk->sectors / (16 * 63), 16383);
    uint32_t lba28 = MIN(disk->sectors, LBA28_MAX);

    id[0] = 0x0040; /* not removable */
    id[1] = id[54] = cylinders;
    id[3] = id[55] = 16;
    id[6] = id[56] = 63;
    id[57] = cylinders * 16 * 63;
    id[58] = cylinders * 16 * 63 >> 16;
    ata_identify_text(id + 10, disk->serial, SERIAL_SIZE);
    ata_identify_text(id + 23, PACKAGE_VERSION, 8);
    ata_identify_text(id + 27, "vmdesk disk", 40);
    id[47] = 0x8000 | MULTIPLE_MAX;
    id[48] = 0x4000;
    id[49] = 1 << 13 | 1 << 11 | 1 << 9 | 1 << 8; /* standby timer, IORDY, LBA, DMA */
    id[50] = 0x4000;
    id[53] = 0x0007;
    id[59] = disk->multiple != 0 ? 0x0100 | disk->multiple : 0;
    id[60] = lba28;
    id[61] = lba28 >> 16;
    id[63] = 0x0007 | disk->mdma;
    id[64] = 0x0003;
    id[65] = id[66] = id[67] = id[68] = 120; /* ns */
    identify_features(disk, id);
    id[88] = 0x007f | disk->udma;
    for (unsigned i = 0; i < 4; i++)
        id[100 + i] = disk->sectors >> 16 * i;
    id[106] = 0x4000;
    id[255] = 0x00a5;
    for (unsigned i = 0; i < SECTOR / 2; i++)
        pci_set16(data + 2 * i, id[i]);
    for (unsigned i = 0; i < SECTOR - 1; i++)
        sum += data[i];
    data[SECTOR - 1] = -sum;
    if (ahci_command_reply(command, data, SECTOR))
        succeed(command);
}

/* Reading and writing. */

static void flushed(struct ahci_command *command, int error)
{
    if (error != 0)
        fail(command, ATA_ERROR_ABRT);
    else
        succeed(command);
}

static void sectors_read(struct ahci_command *command, int error)
{
    if (error != 0)
        fail(command, ATA_ERROR_UNC);
    else
        succeed(command);
}

/* Forced to the medium: by a flush. */
static void written_through(struct ahci_command *command, int error)
{
    if (error != 0)
        fail(command, ATA_ERROR_ABRT);
    else
        ahci_command_io(command, command->image, BLOCK_FLUSH, 0, 0, flushed);
}

/* The sectors that a command names; false: it has failed since they are not on the disk. */
static bool decode_range(struct ata_disk *disk, struct ahci_command *command, unsigned flags,
                         uint64_t *ret_lba, uint32_t *ret_count)
{
    uint16_t count = command->protocol == ATA_QUEUED ? command->features : command->count;

    if (flags & ROW_EXT) {
        *ret_lba = command->lba;
        *ret_count = count != 0 ? count : 0x10000;
    } else {
        *ret_lba = (command->lba & 0xffffff) | (uint64_t)(command->device & 0x0f) << 24;
        *ret_count = (count & 0xff) != 0 ? count & 0xff : 0x100;
    }
    if (!(command->device & DEVICE_LBA)) {
        fail(command, ATA_ERROR_ABRT); /* cylinders and heads are obsolete */
        return false;
    }
    if (*ret_lba >= disk->sectors || *ret_count > disk->sectors - *ret_lba) {
        fail(command, ATA_ERROR_IDNF);
        return false;
    }
    return true;
}

static void move_sectors(struct ata_disk *disk, struct ahci_command *command, const struct row *row)
{
    bool write = row->flags & ROW_WRITE, through = (row->flags & ROW_FUA) || !disk->write_cache;
    uint64_t lba;
    uint32_t count;

    disk->standby = false;
    if (row->protocol == ATA_QUEUED && (command->device & DEVICE_FUA))
        through = true;
    if (!decode_range(disk, command, row->flags, &lba, &count))
        return;
    if ((write && image_read_only(disk->image)) ||
        ((row->flags & ROW_MULTIPLE) && disk->multiple == 0)) {
        fail(command, ATA_ERROR_ABRT);
        return;
    }
    if (!ahci_command_map(command, (uint64_t)count * SECTOR, !write))
        return;
    command->drq_block = (row->flags & ROW_MULTIPLE) ? disk->multiple * SECTOR : SECTOR;
    ahci_command_io(command, disk->image, write ? BLOCK_WRITE : BLOCK_READ, lba * SECTOR,
                    (uint64_t)count * SECTOR,
                    !write    ? sectors_read
                    : through ? written_through
                              : flushed);
}

static void move_queued(struct ata_disk *disk, struct ahci_command *command, const struct row *row)
{
    unsigned tag = (command->count & 0xff) >> 3;

    if (tag != command->slot) { /* AHCI 6.1.7: they are the same */
        fail(command, ATA_ERROR_ABRT);
        return;
    }
    ahci_command_accept(command);
    move_sectors(disk, command, row);
}

static void verify(struct ata_disk *disk, struct ahci_command *command, const struct row *row)
{
    uint64_t lba;
    uint32_t count;

    if (decode_range(disk, command, row->flags, &lba, &count))
        succeed(command);
}

static void flush(struct ata_disk *disk, struct ahci_command *command, const struct row *row)
{
    ahci_command_io(command, disk->image, BLOCK_FLUSH, 0, 0, flushed);
}

/* DATA SET MANAGEMENT with the TRIM bit. */

static void trim_next(struct ahci_command *command, int error)
{
    struct trim *trim = command->state;
    const struct trim_range *range = &trim->ranges[trim->next];

    if (error != 0) {
        fail(command, ATA_ERROR_ABRT);
    } else if (trim->next == trim->count) {
        succeed(command);
    } else {
        trim->next++;
        ahci_command_io(command, disk_of(command)->image, BLOCK_DISCARD, range->lba * SECTOR,
                        range->count * SECTOR, trim_next);
    }
}

/* All ranges are checked before the first is trimmed. */
static bool decode_trim(const struct ata_disk *disk, const uint8_t *data, size_t size,
                        struct trim *trim)
{
    for (size_t i = 0; i < size; i += 8) {
        uint64_t entry = pci_get32(data + i) | (uint64_t)pci_get32(data + i + 4) << 32;
        struct trim_range range = {entry & ((UINT64_C(1) << 48) - 1), entry >> 48};

        if (range.count == 0)
            continue;
        if (range.lba >= disk->sectors || range.count > disk->sectors - range.lba)
            return false;
        trim->ranges[trim->count++] = range;
    }
    return true;
}

static void data_set_management(struct ata_disk *disk, struct ahci_command *command,
                                const struct row *row)
{
    uint8_t data[TRIM_MAX_BLOCKS * SECTOR];
    size_t size = command->count * SECTOR;

    if ((command->features & 0xff) != 1 || size == 0 || size > sizeof(data) ||
        image_read_only(disk->image)) {
        fail(command, ATA_ERROR_ABRT);
        return;
    }
    if (!ahci_command_fetch(command, data, size))
        return;
    command->state = g_new0(struct trim, 1);
    if (decode_trim(disk, data, size, command->state))
        trim_next(command, 0);
    else
        fail(command, ATA_ERROR_IDNF);
}

/* READ LOG EXT of the General Purpose Log Directory and the NCQ Command Error log. */
static void read_log(struct ata_disk *disk, struct ahci_command *command, const struct row *row)
{
    uint8_t log = command->lba, page[SECTOR] = {0};
    unsigned first = (command->lba >> 8 & 0xff) | (command->lba >> 24 & 0xff00);

    if (first != 0 || command->count != 1 || (log != 0 && log != NCQ_ERROR_LOG)) {
        fail(command, ATA_ERROR_ABRT);
        return;
    }
    if (log == NCQ_ERROR_LOG) {
        memcpy(page, disk->queue_log, SECTOR);
        disk->queue_error = false;
    } else {
        page[0] = 1;                 /* version */
        page[2 * NCQ_ERROR_LOG] = 1; /* pages */
    }
    if (ahci_command_reply(command, page, SECTOR))
        succeed(command);
}

/* Settings. */

/* SET FEATURES, subcommand 03h: the mode is bits 7:3, its number bits 2:0. */
static bool set_transfer_mode(struct ata_disk *disk, uint8_t mode)
{
    unsigned number = mode & 7;

    switch (mode >> 3) {
    case 0: /* default PIO */
        return number <= 1;
    case 1: /* PIO with flow control */
        return number <= 4;
    case 4:
        disk->mdma = number <= 2 ? 0x100 << number : disk->mdma;
        disk->udma = number <= 2 ? 0 : disk->udma;
        return number <= 2;
    case 8:
        disk->udma = number <= 6 ? 0x100 << number : disk->udma;
        disk->mdma = number <= 6 ? 0 : disk->mdma;
        return number <= 6;
    default:
        return false;
    }
}

static void write_cache_off(struct ahci_command *command, int error)
{
    disk_of(command)->write_cache = error != 0;
    flushed(command, error);
}

static void set_features(struct ata_disk *disk, struct ahci_command *command, const struct row *row)
{
    switch (command->features & 0xff) {
    case 0x02:
        disk->write_cache = true;
        break;
    case 0x82: /* what is in the cache goes to the medium first */
        ahci_command_io(command, disk->image, BLOCK_FLUSH, 0, 0, write_cache_off);
        return;
    case 0x03:
        if (!set_transfer_mode(disk, command->count)) {
            fail(command, ATA_ERROR_ABRT);
            return;
        }
        break;
    case 0x55:
    case 0xaa:
        disk->look_ahead = (command->features & 0xff) == 0xaa;
        break;
    case 0x66: /* whether a soft reset brings the defaults back: it never does here */
        break;
    default:
        fail(command, ATA_ERROR_ABRT);
        return;
    }
    succeed(command);
}

static void set_multiple(struct ata_disk *disk, struct ahci_command *command, const struct row *row)
{
    uint8_t count = command->count;

    if (count > MULTIPLE_MAX || (count & (count - 1)) != 0) {
        fail(command, ATA_ERROR_ABRT);
        return;
    }
    disk->multiple = count;
    succeed(command);
}

/* READ NATIVE MAX ADDRESS is of ACS-2; there is no host protected area, so it is the last sector.
 */
static void read_native_max(struct ata_disk *disk, struct ahci_command *command,
                            const struct row *row)
{
    uint64_t last = disk->sectors - 1;

    if (!(row->flags & ROW_EXT)) {
        last = MIN(last, LBA28_MAX);
        command->result.device = DEVICE_LBA | last >> 24;
        last &= 0xffffff;
    }
    command->result.lba = last;
    succeed(command);
}

/* The Power Management feature set. All states serve commands at once; only what is reported
 * differs. */

static void check_power_mode(struct ata_disk *disk, struct ahci_command *command,
                             const struct row *row)
{
    command->result.count = disk->standby ? 0x00 : 0xff;
    succeed(command);
}

static void stand_by(struct ata_disk *disk, struct ahci_command *command, const struct row *row)
{
    disk->standby = true;
    ahci_command_io(command, disk->image, BLOCK_FLUSH, 0, 0, flushed);
}

static void idle(struct ata_disk *disk, struct ahci_command *command, const struct row *row)
{
    disk->standby = false;
    succeed(command);
}

static void do_nothing(struct ata_disk *disk, struct ahci_command *command, const struct row *row)
{
    succeed(command);
}

static void signature(struct ata_registers *regs)
{
    *regs = (struct ata_registers){.status = ATA_STATUS_GOOD, .error = 1, .count = 1, .lba = 1};
}

/* EXECUTE DEVICE DIAGNOSTIC: its 1, "passed", is in the error register without being an error. */
static void diagnose(struct ata_disk *disk, struct ahci_command *command, const struct row *row)
{
    signature(&command->result);
    ahci_command_end(command, ATA_STATUS_GOOD, 1);
}

static const struct row rows[] = {
    {0x06, data_set_management, ATA_DMA, ROW_EXT},
    {0x20, move_sectors, ATA_PIO_IN, 0},
    {0x21, move_sectors, ATA_PIO_IN, 0},
    {0x24, move_sectors, ATA_PIO_IN, ROW_EXT},
    {0x25, move_sectors, ATA_DMA, ROW_EXT},
    {0x27, read_native_max, ATA_NON_DATA, ROW_EXT},
    {0x29, move_sectors, ATA_PIO_IN, ROW_EXT | ROW_MULTIPLE},
    {0x2f, read_log, ATA_PIO_IN, ROW_EXT},
    {0x30, move_sectors, ATA_PIO_OUT, ROW_WRITE},
    {0x31, move_sectors, ATA_PIO_OUT, ROW_WRITE},
    {0x34, move_sectors, ATA_PIO_OUT, ROW_WRITE | ROW_EXT},
    {0x35, move_sectors, ATA_DMA, ROW_WRITE | ROW_EXT},
    {0x39, move_sectors, ATA_PIO_OUT, ROW_WRITE | ROW_EXT | ROW_MULTIPLE},
    {0x3d, move_sectors, ATA_DMA, ROW_WRITE | ROW_EXT | ROW_FUA},
    {0x40, verify, ATA_NON_DATA, 0},
    {0x41, verify, ATA_NON_DATA, 0},
    {0x42, verify, ATA_NON_DATA, ROW_EXT},
    {0x60, move_queued, ATA_QUEUED, ROW_EXT},
    {0x61, move_queued, ATA_QUEUED, ROW_EXT | ROW_WRITE},
    {0x70, do_nothing, ATA_NON_DATA, 0}, /* SEEK */
    {0x90, diagnose, ATA_NON_DATA, 0},
    {0x91, do_nothing, ATA_NON_DATA, 0}, /* INITIALIZE DEVICE PARAMETERS */
    {0xc4, move_sectors, ATA_PIO_IN, ROW_MULTIPLE},
    {0xc5, move_sectors, ATA_PIO_OUT, ROW_WRITE | ROW_MULTIPLE},
    {0xc6, set_multiple, ATA_NON_DATA, 0},
    {0xc8, move_sectors, ATA_DMA, 0},
    {0xc9, move_sectors, ATA_DMA, 0},
    {0xca, move_sectors, ATA_DMA, ROW_WRITE},
    {0xcb, move_sectors, ATA_DMA, ROW_WRITE},
    {0xce, move_sectors, ATA_PIO_OUT, ROW_WRITE | ROW_EXT | ROW_MULTIPLE | ROW_FUA},
    {0xe0, stand_by, ATA_NON_DATA, 0},
    {0xe1, idle, ATA_NON_DATA, 0},
    {0xe2, stand_by, ATA_NON_DATA, 0},
    {0xe3, idle, ATA_NON_DATA, 0},
    {0xe5, check_power_mode, ATA_NON_DATA, 0},
    {0xe6, stand_by, ATA_NON_DATA, 0}, /* SLEEP */
    {0xe7, flush, ATA_NON_DATA, 0},
    {0xea, flush, ATA_NON_DATA, ROW_EXT},
    {0xec, identify, ATA_PIO_IN, 0},
    {0xef, set_features, ATA_NON_DATA, 0},
    {0xf8, read_native_max, ATA_NON_DATA, 0},
};

static const struct row *find_row(uint8_t opcode)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        if (rows[i].opcode == opcode)
            return &rows[i];
    return NULL;
}

/* The NCQ feature set: what must not come among queued commands, or after one has failed. */
static bool breaks_queue(struct ata_disk *disk, struct ahci_command *command, const struct row *row)
{
    bool reads_log = row != NULL && row->run == read_log;

    if (disk->queue_error && !reads_log)
        return true;
    if (!ahci_port_has_queued(command->port) || (row != NULL && row->protocol == ATA_QUEUED))
        return false;
    keep_queue_error(disk, command, ATA_ERROR_ABRT, false);
    return true;
}

static void disk_execute(struct ata_device *device, struct ahci_command *command)
{
    struct ata_disk *disk = to_disk(device);
    const struct row *row = find_row(command->command);

    if (breaks_queue(disk, command, row) || row == NULL) {
        log_debug("ahci", "port %u: command %#x is refused", command->port->number,
                  command->command);
        ahci_command_end(command, ATA_STATUS_GOOD | ATA_STATUS_ERR, ATA_ERROR_ABRT);
        return;
    }
    if (row->protocol != ATA_QUEUED) /* set by ahci_command_accept() */
        command->protocol = row->protocol;
    row->run(disk, command, row);
}

/* The image may have become larger. Who identifies the disk again with its link up must find it as
 * it was: Linux lets go of one that has another size, with all that is mounted. */
static void take_size(struct ata_disk *disk)
{
    disk->sectors = MIN(image_size(disk->image) / SECTOR, (UINT64_C(1) << 48) - 1);
}

static void disk_reset(struct ata_device *device, bool hard, struct ata_registers *ret_signature)
{
    struct ata_disk *disk = to_disk(device);

    disk->queue_error = false;
    disk->standby = false;
    if (hard) {
        take_size(disk);
        disk->multiple = 0;
        disk->write_cache = disk->look_ahead = true;
        disk->udma = 0x100 << UDMA_DEFAULT;
        disk->mdma = 0;
    }
    signature(ret_signature);
}

static void disk_destroy(struct ata_device *device)
{
    struct ata_disk *disk = to_disk(device);

    image_close(disk->image);
    g_free(disk);
}

struct ata_device *ata_disk_new(struct image *image, const char *serial)
{
    static const struct ata_device_ops ops = {disk_execute, disk_reset, disk_destroy};
    struct ata_disk *disk = g_new0(struct ata_disk, 1);

    disk->device.ops = &ops;
    disk->image = image;
    take_size(disk);
    g_strlcpy(disk->serial, serial, sizeof(disk->serial));
    return &disk->device;
}
