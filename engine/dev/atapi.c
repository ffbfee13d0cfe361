/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A CD-ROM or DVD-ROM drive with a tray: the PACKET feature set of ACS-3 (4.3), MMC-6. */
#include <string.h>

#include "config.h"
#include "engine/dev/ahci_internal.h"

#define BLOCK 2048
/* 80 minutes of 75 blocks a second: what is larger is shown as a DVD. */
#define CD_MAX_BLOCKS (80 * 60 * 75)
#define MAX_TRANSFER_BLOCKS 65535
#define SIGNATURE_LBA 0xeb1401
#define INTERRUPT_REASON_DONE 3 /* input/output and command/data: the command is over */

enum { PROFILE_NONE = 0x0000, PROFILE_CD_ROM = 0x0008, PROFILE_DVD_ROM = 0x0010 };

/* Media events of GET EVENT STATUS NOTIFICATION */
enum media_event { EVENT_NONE, EVENT_EJECT_REQUEST, EVENT_NEW_MEDIA, EVENT_REMOVAL };

/* Sense key, additional code and qualifier: MMC-6, annex F. */
struct sense {
    uint8_t key, code, qualifier;
};

static const struct sense NO_SENSE = {0x0, 0x00, 0x00};
static const struct sense MEDIUM_NOT_PRESENT = {0x2, 0x3a, 0x01};
static const struct sense MEDIUM_TRAY_OPEN = {0x2, 0x3a, 0x02};
static const struct sense READ_ERROR = {0x3, 0x11, 0x00};
static const struct sense INVALID_OPCODE = {0x5, 0x20, 0x00};
static const struct sense OUT_OF_RANGE = {0x5, 0x21, 0x00};
static const struct sense INVALID_FIELD = {0x5, 0x24, 0x00};
static const struct sense NO_SAVED_VALUES = {0x5, 0x39, 0x00};
static const struct sense REMOVAL_PREVENTED = {0x5, 0x53, 0x02};
static const struct sense ILLEGAL_MODE = {0x5, 0x64, 0x00};
static const struct sense MEDIUM_CHANGED = {0x6, 0x28, 0x00};
static const struct sense WAS_RESET = {0x6, 0x29, 0x00};

struct atapi {
    struct ata_device device;
    struct image *image; /* the disc; NULL: none */
    bool tray_open;      /* with or without a disc on it */
    bool locked;
    struct sense sense;     /* of the last command that failed */
    struct sense attention; /* to be reported to the next command */
    bool removal_unseen;    /* a disc has replaced another: drivers expect a gap between them */
    enum media_event event;
};

enum { NEEDS_DISC = 1, BEFORE_ATTENTION = 2 };

struct packet_row {
    uint8_t opcode;
    void (*run)(struct atapi *drive, struct ahci_command *command, const uint8_t *cdb);
    unsigned flags;
};

static struct atapi *to_atapi(struct ata_device *device)
{
    return (struct atapi *)device;
}

static uint16_t get_be16(const uint8_t *p)
{
    return p[0] << 8 | p[1];
}

static uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)get_be16(p) << 16 | get_be16(p + 2);
}

static void put_be16(uint8_t *p, uint16_t value)
{
    p[0] = value >> 8;
    p[1] = value;
}

static void put_be32(uint8_t *p, uint32_t value)
{
    put_be16(p, value >> 16);
    put_be16(p + 2, value);
}

static bool disc_present(const struct atapi *drive)
{
    return drive->image != NULL && !drive->tray_open;
}

static uint32_t blocks(const struct atapi *drive)
{
    return disc_present(drive) ? MIN(image_size(drive->image) / BLOCK, UINT32_MAX) : 0;
}

static uint16_t profile(const struct atapi *drive)
{
    if (!disc_present(drive))
        return PROFILE_NONE;
    return blocks(drive) > CD_MAX_BLOCKS ? PROFILE_DVD_ROM : PROFILE_CD_ROM;
}

static void succeed(struct ahci_command *command)
{
    command->result.count = INTERRUPT_REASON_DONE;
    ahci_command_end(command, ATA_STATUS_GOOD, 0);
}

static void check_condition(struct ahci_command *command, struct sense sense)
{
    to_atapi(command->port->device)->sense = sense;
    command->result.count = INTERRUPT_REASON_DONE;
    ahci_command_end(command, ATA_STATUS_GOOD | ATA_STATUS_ERR, sense.key << 4);
}

static void abort_command(struct ahci_command *command)
{
    ahci_command_end(command, ATA_STATUS_GOOD | ATA_STATUS_ERR, ATA_ERROR_ABRT);
}

/* PIO moves blocks of at most as many bytes as the command says. */
static void set_byte_count(struct ahci_command *command, size_t size)
{
    uint16_t limit = command->lba >> 8 & 0xfffe;

    command->drq_block = limit != 0 ? limit : 0xfffe;
    command->result.lba = (uint64_t)MIN(size, command->drq_block) << 8;
}

/* Answers with data, cut to what the packet allows. */
static void reply(struct ahci_command *command, const void *data, size_t size, size_t allowed)
{
    size = MIN(size, allowed);
    set_byte_count(command, size);
    if (size == 0 || ahci_command_reply(command, data, size))
        succeed(command);
}

/* Reading. */

static void blocks_read(struct ahci_command *command, int error)
{
    if (error != 0)
        check_condition(command, READ_ERROR);
    else
        succeed(command);
}

static void read_blocks(struct atapi *drive, struct ahci_command *command, uint32_t first,
                        uint32_t count)
{
    uint64_t length = (uint64_t)count * BLOCK;

    if (first > blocks(drive) || count > blocks(drive) - first) {
        check_condition(command, OUT_OF_RANGE);
    } else if (count > MAX_TRANSFER_BLOCKS) {
        check_condition(command, INVALID_FIELD);
    } else if (count == 0) {
        succeed(command);
    } else if (ahci_command_map(command, length, true)) {
        set_byte_count(command, length);
        ahci_command_io(command, drive->image, BLOCK_READ, (uint64_t)first * BLOCK, length,
                        blocks_read);
    }
}

static void read_10(struct atapi *drive, struct ahci_command *command, const uint8_t *cdb)
{
    read_blocks(drive, command, get_be32(cdb + 2), get_be16(cdb + 7));
}

static void read_12(struct atapi *drive, struct ahci_command *command, const uint8_t *cdb)
{
    read_blocks(drive, command, get_be32(cdb + 2), get_be32(cdb + 6));
}

/* READ CD. Of a data track's sectors only the user data is at hand. */
static void read_cd(struct atapi *drive, struct ahci_command *command, const uint8_t *cdb)
{
    unsigned sector_type = cdb[1] >> 2 & 7;
    uint32_t count = cdb[6] << 16 | get_be16(cdb + 7);

    if (sector_type != 0 && sector_type != 2)
        check_condition(command, ILLEGAL_MODE);
    else if ((cdb[10] & 7) != 0 || (cdb[9] != 0x10 && cdb[9] != 0))
        check_condition(command, INVALID_FIELD);
    else
        read_blocks(drive, command, get_be32(cdb + 2), cdb[9] != 0 ? count : 0);
}

static void seek_10(struct atapi *drive, struct ahci_command *command, const uint8_t *cdb)
{
    if (get_be32(cdb + 2) >= blocks(drive))
        check_condition(command, OUT_OF_RANGE);
    else
        succeed(command);
}

static void read_capacity(struct atapi *drive, struct ahci_command *command, const uint8_t *cdb)
{
    uint8_t data[8];

    put_be32(data, blocks(drive) - 1);
    put_be32(data + 4, BLOCK);
    reply(command, data, sizeof(data), sizeof(data));
}

/* About the disc. */

/* A block address, or with MSF set minute, second and frame, which count from the lead-in. */
static void put_address(uint8_t *p, uint32_t block, bool msf)
{
    uint32_t frame = block + 150;

    put_be32(p, msf ? (frame / 75 / 60) << 16 | frame / 75 % 60 << 8 | frame % 75 : block);
}

/* READ TOC/PMA/ATIP, formats 0 and 1. One session with one data track. */
static void read_toc(struct atapi *drive, struct ahci_command *command, const uint8_t *cdb)
{
    bool msf = cdb[1] & 2;
    unsigned format = cdb[2] & 0x0f, from = cdb[6];
    uint8_t toc[20] = {0, 0, 1, 1};
    size_t size = 4;

    if (format == 0)
        format = cdb[9] >> 6; /* where SFF-8020 has it */
    if (format > 1 || (format == 0 && from > 1 && from != 0xaa)) {
        check_condition(command, INVALID_FIELD);
        return;
    }
    if (format == 1 || from <= 1) {
        toc[size + 1] = 0x14; /* data track */
        toc[size + 2] = 1;
        put_address(toc + size + 4, 0, msf);
        size += 8;
    }
    if (format == 0) {
        toc[size + 1] = 0x14;
        toc[size + 2] = 0xaa; /* lead-out */
        put_address(toc + size + 4, blocks(drive), msf);
        size += 8;
    }
    put_be16(toc, size - 2);
    reply(command, toc, size, get_be16(cdb + 7));
}

/* READ DISC INFORMATION: finalized, one session. */
static void read_disc_information(struct atapi *drive, struct ahci_command *command,
                                  const uint8_t *cdb)
{
    uint8_t data[34] = {0, 32, 0x0e, 1, 1, 1, 1, 0x20};

    if ((cdb[1] & 7) != 0)
        check_condition(command, INVALID_FIELD);
    else
        reply(command, data, sizeof(data), get_be16(cdb + 7));
}

/* READ DISC STRUCTURE, format 0: physical format information. */
static void read_disc_structure(struct atapi *drive, struct ahci_command *command,
                                const uint8_t *cdb)
{
    uint8_t data[4 + BLOCK] = {0};

    if (profile(drive) != PROFILE_DVD_ROM || cdb[7] != 0 || cdb[6] != 0) {
        check_condition(command, INVALID_FIELD);
        return;
    }
    put_be16(data, sizeof(data) - 2);
    data[4] = 0x01; /* DVD-ROM, version 1 */
    data[5] = 0x0f; /* 120 mm, any rate */
    data[6] = 0x01; /* one embossed layer */
    put_be32(data + 8, 0x30000);
    put_be32(data + 12, 0x30000 + blocks(drive) - 1);
    reply(command, data, sizeof(data), get_be16(cdb + 8));
}

/* About the drive. */

static void inquiry(struct atapi *drive, struct ahci_command *command, const uint8_t *cdb)
{
    /* A removable CD/DVD device; no claim to a version; response format 2 */
    uint8_t data[36] = {0x05, 0x80, 0x00, 0x02, sizeof(data) - 5};

    if (cdb[1] & 1) { /* no vital product data */
        check_condition(command, INVALID_FIELD);
        return;
    }
    memcpy(data + 8, "vmdesk  DVD-ROM         ", 24);
    memset(data + 32, ' ', 4);
    memcpy(data + 32, PACKAGE_VERSION, MIN(strlen(PACKAGE_VERSION), 4));
    reply(command, data, sizeof(data), get_be16(cdb + 3));
}

static void request_sense(struct atapi *drive, struct ahci_command *command, const uint8_t *cdb)
{
    bool failed = drive->sense.key != 0;
    struct sense *sense = failed ? &drive->sense : &drive->attention;
    uint8_t data[18] = {0x70, 0, sense->key, 0, 0, 0, 0, 10};

    data[12] = sense->code;
    data[13] = sense->qualifier;
    *sense = NO_SENSE;
    reply(command, data, sizeof(data), cdb[4]);
}

static void test_unit_ready(struct atapi *drive, struct ahci_command *command, const uint8_t *cdb)
{
    succeed(command);
}

/* Appends a feature descriptor if GET CONFIGURATION asks for it: MMC-6, chapter 5. */
static void add_feature(uint8_t *data, size_t *size, const uint8_t *cdb, uint16_t code,
                        uint8_t version, bool persistent, bool current, const uint8_t *body,
                        uint8_t length)
{
    uint8_t *feature = data + *size;
    unsigned request = cdb[1] & 3;
    uint16_t start = get_be16(cdb + 2);

    if ((request == 1 && !current) || (request == 2 ? code != start : code < start))
        return;
    put_be16(feature, code);
    feature[2] = version << 2 | persistent << 1 | current;
    feature[3] = length;
    if (length > 0)
        memcpy(feature + 4, body, length);
    *size += 4 + length;
}

static void get_configuration(struct atapi *drive, struct ahci_command *command, const uint8_t *cdb)
{
    uint16_t now = profile(drive);
    bool present = disc_present(drive);
    const uint8_t profiles[8] = {0, PROFILE_DVD_ROM, now == PROFILE_DVD_ROM, 0,
                                 0, PROFILE_CD_ROM,  now == PROFILE_CD_ROM};
    static const uint8_t core[8] = {0, 0, 0, 2}; /* ATAPI */
    static const uint8_t morphing[4] = {0};
    static const uint8_t removable[4] = {0x29}; /* a tray that ejects and locks */
    static const uint8_t readable[8] = {0, 0, BLOCK >> 8, 0, 0, 1};
    static const uint8_t cd_read[4] = {0};
    uint8_t data[128] = {0};
    size_t size = 8;

    if ((cdb[1] & 3) == 3) {
        check_condition(command, INVALID_FIELD);
        return;
    }
    add_feature(data, &size, cdb, 0x0000, 0, true, true, profiles, sizeof(profiles));
    add_feature(data, &size, cdb, 0x0001, 1, true, true, core, sizeof(core));
    add_feature(data, &size, cdb, 0x0002, 1, true, true, morphing, sizeof(morphing));
    add_feature(data, &size, cdb, 0x0003, 0, true, true, removable, sizeof(removable));
    add_feature(data, &size, cdb, 0x0010, 0, false, present, readable, sizeof(readable));
    add_feature(data, &size, cdb, 0x001e, 2, false, now == PROFILE_CD_ROM, cd_read,
                sizeof(cd_read));
    add_feature(data, &size, cdb, 0x001f, 0, false, now == PROFILE_DVD_ROM, NULL, 0);
    put_be32(data, size - 4);
    put_be16(data + 6, now);
    reply(command, data, size, get_be16(cdb + 7));
}

/* GET EVENT STATUS NOTIFICATION. Only polled, only media events. */
static void get_event_status(struct atapi *drive, struct ahci_command *command, const uint8_t *cdb)
{
    uint8_t data[8] = {0, 2, 0x80, 0x10};
    size_t size = 4;

    if (!(cdb[1] & 1)) {
        check_condition(command, INVALID_FIELD);
        return;
    }
    if (cdb[4] & 0x10) {
        size = sizeof(data);
        data[1] = 6;
        data[2] = 4;
        data[4] = drive->event;
        data[5] = disc_present(drive) << 1 | drive->tray_open;
        if (get_be16(cdb + 7) > 4)
            drive->event = EVENT_NONE;
    }
    reply(command, data, size, get_be16(cdb + 7));
}

/* MODE SENSE (10): of SPC, with the pages 01h of MMC-6 and 2Ah of MMC-3. */
static void mode_sense_10(struct atapi *drive, struct ahci_command *command, const uint8_t *cdb)
{
    static const uint8_t error_recovery[12] = {0x01, 0x0a, 0x00, 0x05};
    /* Reads CD-R, CD-RW and DVD-ROM; a tray that ejects and locks; 50 x 176.4 kB/s */
    uint8_t capabilities[20] = {0x2a, 0x12, 0x0b, 0, 0x60, 0, 0x29, 0,
                                0x22, 0x75, 0,    2, 2,    0, 0x22, 0x75};
    unsigned page = cdb[2] & 0x3f, control = cdb[2] >> 6;
    uint8_t data[8 + sizeof(error_recovery) + sizeof(capabilities)] = {0};
    size_t size = 8;

    if (control == 3 || (page != 0x01 && page != 0x2a && page != 0x3f)) {
        check_condition(command, control == 3 ? NO_SAVED_VALUES : INVALID_FIELD);
        return;
    }
    capabilities[6] |= drive->locked << 1;
    if (page != 0x2a) {
        memcpy(data + size, error_recovery, control == 1 ? 2 : sizeof(error_recovery));
        size += sizeof(error_recovery);
    }
    if (page != 0x01) {
        memcpy(data + size, capabilities, control == 1 ? 2 : sizeof(capabilities));
        size += sizeof(capabilities);
    }
    put_be16(data, size - 2);
    data[2] = disc_present(drive) ? 0x01 : drive->tray_open ? 0x71 : 0x70;
    reply(command, data, size, get_be16(cdb + 7));
}

static void mechanism_status(struct atapi *drive, struct ahci_command *command, const uint8_t *cdb)
{
    uint8_t data[8] = {0, drive->tray_open << 4, 0, 0, 0, 1};

    reply(command, data, sizeof(data), get_be16(cdb + 8));
}

static void set_cd_speed(struct atapi *drive, struct ahci_command *command, const uint8_t *cdb)
{
    succeed(command);
}

/* The tray. */

static void disc_arrived(struct atapi *drive)
{
    drive->attention = MEDIUM_CHANGED;
    drive->event = EVENT_NEW_MEDIA;
}

static void start_stop_unit(struct atapi *drive, struct ahci_command *command, const uint8_t *cdb)
{
    bool load_eject = cdb[4] & 2, start = cdb[4] & 1;

    if (load_eject && !start && !drive->tray_open) {
        if (drive->locked) {
            check_condition(command, REMOVAL_PREVENTED);
            return;
        }
        drive->tray_open = true;
        drive->event = EVENT_REMOVAL;
    } else if (load_eject && start && drive->tray_open) {
        drive->tray_open = false;
        if (drive->image != NULL)
            disc_arrived(drive);
    }
    succeed(command);
}

static void prevent_allow(struct atapi *drive, struct ahci_command *command, const uint8_t *cdb)
{
    drive->locked = cdb[4] & 1;
    succeed(command);
}

bool atapi_change(struct ata_device *device, struct image *image, bool force,
                  struct image **ret_old)
{
    struct atapi *drive = to_atapi(device);

    if (drive->locked && !force) {
        drive->event = EVENT_EJECT_REQUEST;
        return false;
    }
    *ret_old = drive->image;
    drive->removal_unseen = disc_present(drive) && image != NULL;
    drive->image = image;
    drive->tray_open = false;
    drive->locked = false;
    drive->attention = NO_SENSE;
    drive->event = EVENT_REMOVAL;
    if (image != NULL)
        disc_arrived(drive);
    return true;
}

bool atapi_locked(const struct ata_device *device)
{
    return ((const struct atapi *)device)->locked;
}

bool atapi_present(const struct ata_device *device)
{
    return disc_present((const struct atapi *)device);
}

/* Commands. */

static const struct packet_row packet_rows[] = {
    {0x00, test_unit_ready, NEEDS_DISC},
    {0x03, request_sense, BEFORE_ATTENTION},
    {0x12, inquiry, BEFORE_ATTENTION},
    {0x1b, start_stop_unit, 0},
    {0x1e, prevent_allow, 0},
    {0x25, read_capacity, NEEDS_DISC},
    {0x28, read_10, NEEDS_DISC},
    {0x2b, seek_10, NEEDS_DISC},
    {0x43, read_toc, NEEDS_DISC},
    {0x46, get_configuration, BEFORE_ATTENTION},
    {0x4a, get_event_status, BEFORE_ATTENTION},
    {0x51, read_disc_information, NEEDS_DISC},
    {0x5a, mode_sense_10, 0},
    {0xa8, read_12, NEEDS_DISC},
    {0xad, read_disc_structure, NEEDS_DISC},
    {0xbb, set_cd_speed, 0},
    {0xbd, mechanism_status, 0},
    {0xbe, read_cd, NEEDS_DISC},
};

static const struct packet_row *find_row(uint8_t opcode)
{
    for (size_t i = 0; i < G_N_ELEMENTS(packet_rows); i++)
        if (packet_rows[i].opcode == opcode)
            return &packet_rows[i];
    return NULL;
}

/* What stands against running the command now: unit attentions come before a disc that is not
 * there. */
static struct sense obstacle(struct atapi *drive, const struct packet_row *row)
{
    struct sense attention = drive->attention;

    if (row->flags & BEFORE_ATTENTION)
        return NO_SENSE;
    if (drive->removal_unseen && (row->flags & NEEDS_DISC)) {
        drive->removal_unseen = false;
        return MEDIUM_NOT_PRESENT;
    }
    drive->attention = NO_SENSE;
    if (attention.key != 0)
        return attention;
    if ((row->flags & NEEDS_DISC) && blocks(drive) == 0)
        return drive->tray_open ? MEDIUM_TRAY_OPEN : MEDIUM_NOT_PRESENT;
    return NO_SENSE;
}

static void execute_packet(struct atapi *drive, struct ahci_command *command)
{
    const struct packet_row *row = find_row(command->packet[0]);
    struct sense sense;

    if (!command->has_packet) {
        abort_command(command);
        return;
    }
    command->protocol = command->features & 1 ? ATA_PACKET_DMA : ATA_PACKET_PIO;
    sense = row != NULL ? obstacle(drive, row) : INVALID_OPCODE;
    if (sense.key != 0) {
        check_condition(command, sense);
        return;
    }
    if (row->run != request_sense)
        drive->sense = NO_SENSE;
    row->run(drive, command, command->packet);
}

/* IDENTIFY PACKET DEVICE: ACS-3, chapter 7. */
static void identify_packet(struct ahci_command *command)
{
    uint16_t id[256] = {0};
    uint8_t data[512], sum = 0;

    id[0] = 0x85c0; /* ATAPI, CD-ROM, removable, packets of 12 bytes */
    ata_identify_text(id + 10, "", 20);
    ata_identify_text(id + 23, PACKAGE_VERSION, 8);
    ata_identify_text(id + 27, "vmdesk DVD-ROM", 40);
    id[49] = 1 << 11 | 1 << 9 | 1 << 8; /* IORDY, LBA, DMA */
    id[50] = 0x4000;
    id[53] = 0x0006;
    id[63] = 0x0007;
    id[64] = 0x0003;
    id[65] = id[66] = id[67] = id[68] = 120;
    id[76] = 1 << 2 | 1 << 1;
    id[80] = 0x07f0;
    id[82] = id[85] = 1 << 14 | 1 << 9 | 1 << 4 | 1 << 3; /* NOP, DEVICE RESET, PACKET, power */
    id[83] = id[84] = id[87] = 0x4000;
    id[88] = 0x203f;
    id[222] = 0x103f;
    id[255] = 0x00a5;
    for (unsigned i = 0; i < 256; i++)
        pci_set16(data + 2 * i, id[i]);
    for (unsigned i = 0; i < 511; i++)
        sum += data[i];
    data[511] = -sum;
    command->protocol = ATA_PIO_IN;
    if (ahci_command_reply(command, data, sizeof(data)))
        ahci_command_end(command, ATA_STATUS_GOOD, 0);
}

static void put_signature(struct ata_registers *regs)
{
    *regs = (struct ata_registers){.error = 1, .count = 1, .lba = SIGNATURE_LBA};
}

static void atapi_execute(struct ata_device *device, struct ahci_command *command)
{
    struct atapi *drive = to_atapi(device);

    switch (command->command) {
    case 0xa0: /* PACKET */
        execute_packet(drive, command);
        break;
    case 0xa1:
        identify_packet(command);
        break;
    case 0x08: /* DEVICE RESET */
    case 0x90: /* EXECUTE DEVICE DIAGNOSTIC */
        put_signature(&command->result);
        ahci_command_end(command, 0, 1);
        break;
    case 0xec: /* IDENTIFY DEVICE: refused in a way that tells what this is */
    case 0x20: /* READ SECTORS: the same */
        put_signature(&command->result);
        abort_command(command);
        break;
    case 0xe5: /* CHECK POWER MODE: active */
        command->result.count = 0xff;
        ahci_command_end(command, ATA_STATUS_GOOD, 0);
        break;
    case 0xe0: /* the other power commands */
    case 0xe1:
    case 0xe2:
    case 0xe3:
    case 0xe6:
        ahci_command_end(command, ATA_STATUS_GOOD, 0);
        break;
    case 0xef: /* SET FEATURES: the transfer mode means nothing to Serial ATA */
        if ((command->features & 0xff) == 0x03) {
            ahci_command_end(command, ATA_STATUS_GOOD, 0);
            break;
        }
        G_GNUC_FALLTHROUGH;
    default:
        abort_command(command);
    }
}

static void atapi_reset(struct ata_device *device, bool hard, struct ata_registers *ret_signature)
{
    struct atapi *drive = to_atapi(device);

    drive->sense = NO_SENSE;
    if (hard) {
        drive->attention = WAS_RESET;
        drive->locked = false;
    }
    put_signature(ret_signature);
}

static void atapi_destroy(struct ata_device *device)
{
    struct atapi *drive = to_atapi(device);

    image_close(drive->image);
    g_free(drive);
}

static const struct ata_device_ops atapi_ops = {atapi_execute, atapi_reset, atapi_destroy};

bool atapi_is(const struct ata_device *device)
{
    return device->ops == &atapi_ops;
}

struct ata_device *atapi_new(struct image *image)
{
    struct atapi *drive = g_new0(struct atapi, 1);

    drive->device.ops = &atapi_ops;
    drive->image = image;
    return &drive->device;
}
