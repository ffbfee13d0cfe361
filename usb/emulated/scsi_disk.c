/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usb/emulated/scsi_disk.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "usb/emulated/scsi_internal.h"

#define CD_BLOCK_SIZE 2048
#define SERVICE_READ_CAPACITY_16 0x10

/* Ends. */

enum scsi_progress scsi_fail(struct scsi_command *c, struct scsi_sense sense)
{
    c->status = SCSI_CHECK_CONDITION;
    c->sense = sense;
    if (c->keep_sense)
        c->disk->sense = sense;
    return SCSI_DONE;
}

enum scsi_progress scsi_fail_io(struct scsi_command *c, int error)
{
    bool reads = c->direction == SCSI_TO_HOST;

    switch (error) {
    case ENOSPC:
        return scsi_fail(c, SENSE_NO_SPACE);
    case EROFS:
        return scsi_fail(c, SENSE_WRITE_PROTECTED);
    default:
        return scsi_fail(c, reads ? SENSE_READ_ERROR : SENSE_WRITE_ERROR);
    }
}

void scsi_reply(struct scsi_command *c, size_t size, size_t allowed)
{
    c->direction = SCSI_TO_HOST;
    c->length = MIN(size, allowed);
}

void scsi_expect(struct scsi_command *c, size_t size)
{
    c->direction = SCSI_FROM_HOST;
    c->length = size;
}

bool scsi_check_range(struct scsi_command *c, uint64_t first, uint64_t count)
{
    if (first <= c->disk->blocks && count <= c->disk->blocks - first)
        return true;
    scsi_fail(c, SENSE_OUT_OF_RANGE);
    return false;
}

void scsi_blocks(struct scsi_command *c, bool write, uint64_t first, uint64_t count)
{
    if (!scsi_check_range(c, first, count))
        return;
    if (count > SCSI_MAX_BLOCKS) {
        scsi_fail(c, SENSE_FIELD_IN_CDB);
        return;
    }
    c->in_blocks = true;
    c->direction = write ? SCSI_FROM_HOST : SCSI_TO_HOST;
    c->offset = first * c->disk->block_size;
    c->length = count * c->disk->block_size;
}

static void on_io_done(struct block_request *request, int error)
{
    struct scsi_command *c = request->opaque;

    c->error = error;
    c->io_done(c);
}

enum scsi_progress scsi_io(struct scsi_command *c, enum block_op op, uint64_t offset,
                           uint64_t length, const struct iovec *iov, unsigned iov_count,
                           enum scsi_progress (*resume)(struct scsi_command *command, int error))
{
    c->resume = resume;
    c->request = (struct block_request){
        .op = op,
        .offset = offset,
        .length = length,
        .iov = iov,
        .iov_count = iov_count,
        .done = on_io_done,
        .opaque = c,
    };
    image_submit(c->disk->image, &c->request);
    return SCSI_PENDING;
}

static enum scsi_progress flushed(struct scsi_command *c, int error)
{
    return error != 0 ? scsi_fail_io(c, error) : SCSI_DONE;
}

enum scsi_progress scsi_flush(struct scsi_command *c)
{
    if (image_read_only(c->disk->image))
        return SCSI_DONE;
    return scsi_io(c, BLOCK_FLUSH, 0, 0, NULL, 0, flushed);
}

void scsi_put_sense(uint8_t data[static SCSI_SENSE_SIZE], struct scsi_sense sense)
{
    memset(data, 0, SCSI_SENSE_SIZE);
    data[0] = 0x70; /* current, fixed format */
    data[2] = sense.key;
    data[7] = SCSI_SENSE_SIZE - 8;
    data[12] = sense.code;
    data[13] = sense.qualifier;
}

/* The commands. */

static void nothing(struct scsi_command *c, const uint8_t *cdb)
{
}

static void request_sense(struct scsi_command *c, const uint8_t *cdb)
{
    struct scsi_disk *disk = c->disk;
    struct scsi_sense *source = disk->sense.key != 0 ? &disk->sense : &disk->attention;
    struct scsi_sense sense = *source;

    if (c->wrong_unit)
        sense = SENSE_UNIT;
    else
        *source = SENSE_NONE;
    if (sense.key == 0 && disk->ejected)
        sense = SENSE_NO_MEDIUM;
    scsi_put_sense(c->buffer, sense);
    scsi_reply(c, SCSI_SENSE_SIZE, cdb[4]);
}

static void report_luns(struct scsi_command *c, const uint8_t *cdb)
{
    if (cdb[2] > 2) {
        scsi_fail(c, SENSE_FIELD_IN_CDB);
        return;
    }
    /* SELECT REPORT 1 asks for well known units only, of which there are none. */
    scsi_put32(c->buffer, cdb[2] == 1 ? 0 : 8);
    scsi_reply(c, cdb[2] == 1 ? 8 : 16, scsi_get32(cdb + 6));
}

static void read_capacity_10(struct scsi_command *c, const uint8_t *cdb)
{
    scsi_put32(c->buffer, MIN(c->disk->blocks - 1, UINT32_MAX));
    scsi_put32(c->buffer + 4, c->disk->block_size);
    scsi_reply(c, 8, 8);
}

static void read_capacity_16(struct scsi_command *c, const uint8_t *cdb)
{
    if ((cdb[1] & 0x1f) != SERVICE_READ_CAPACITY_16) {
        scsi_fail(c, SENSE_FIELD_IN_CDB);
        return;
    }
    scsi_put64(c->buffer, c->disk->blocks - 1);
    scsi_put32(c->buffer + 8, c->disk->block_size);
    if (!image_read_only(c->disk->image))
        c->buffer[14] = 0x80; /* LBPME: UNMAP counts */
    scsi_reply(c, 32, scsi_get32(cdb + 10));
}

/* READ FORMAT CAPACITIES, of MMC: Windows asks it of USB disks. */
static void read_format_capacities(struct scsi_command *c, const uint8_t *cdb)
{
    c->buffer[3] = 8;
    scsi_put32(c->buffer + 4, MIN(c->disk->blocks, UINT32_MAX));
    scsi_put32(c->buffer + 8, c->disk->block_size);
    c->buffer[8] = c->disk->ejected ? 3 : 2; /* no medium; formatted */
    scsi_reply(c, 12, scsi_get16(cdb + 7));
}

/* First block and count, where the length of the CDB puts them. */
static uint64_t decode_blocks(const uint8_t *cdb, uint64_t *ret_count)
{
    switch (cdb[0] >> 5) {
    case 0:
        *ret_count = cdb[4] != 0 ? cdb[4] : 256;
        return (cdb[1] & 0x1f) << 16 | scsi_get16(cdb + 2);
    case 5:
        *ret_count = scsi_get32(cdb + 6);
        return scsi_get32(cdb + 2);
    case 4:
        *ret_count = scsi_get32(cdb + 10);
        return scsi_get64(cdb + 2);
    default:
        *ret_count = scsi_get16(cdb + 7);
        return scsi_get32(cdb + 2);
    }
}

static void read_blocks(struct scsi_command *c, const uint8_t *cdb)
{
    uint64_t count, first = decode_blocks(cdb, &count);

    scsi_blocks(c, false, first, count);
}

static void write_blocks(struct scsi_command *c, const uint8_t *cdb)
{
    uint64_t count, first = decode_blocks(cdb, &count);

    scsi_blocks(c, true, first, count);
}

/* FUA, in all but the six-byte command. */
static enum scsi_progress written(struct scsi_command *c)
{
    bool through = c->cdb[0] != SCSI_WRITE_6 && (c->cdb[1] & 0x08);

    return through || !c->disk->write_cache ? scsi_flush(c) : SCSI_DONE;
}

/* To verify is to have it on the medium. */
static enum scsi_progress written_and_verified(struct scsi_command *c)
{
    return scsi_flush(c);
}

/* VERIFY without comparing: BYTCHK 0. */
static void verify(struct scsi_command *c, const uint8_t *cdb)
{
    uint64_t count, first = decode_blocks(cdb, &count);

    if (cdb[1] & 0x06)
        scsi_fail(c, SENSE_FIELD_IN_CDB);
    else
        scsi_check_range(c, first, count);
}

static void seek(struct scsi_command *c, const uint8_t *cdb)
{
    scsi_check_range(c, scsi_get32(cdb + 2), 1);
}

/* Whatever the range: a flush is of everything. */
static void synchronize_cache(struct scsi_command *c, const uint8_t *cdb)
{
    uint64_t count, first = decode_blocks(cdb, &count);

    scsi_check_range(c, first, count);
}

static void start_stop_unit(struct scsi_command *c, const uint8_t *cdb)
{
    struct scsi_disk *disk = c->disk;
    bool load_eject = cdb[4] & 0x02, start = cdb[4] & 0x01, power_condition = cdb[4] >> 4;

    if (power_condition || !load_eject || !disk->removable)
        return;
    if (!start && disk->locked) {
        scsi_fail(c, SENSE_REMOVAL_PREVENTED);
        return;
    }
    if (start && disk->ejected) {
        disk->attention = SENSE_MEDIUM_CHANGED;
        disk->media_event = true;
    }
    disk->ejected = !start;
}

static void prevent_allow(struct scsi_command *c, const uint8_t *cdb)
{
    if (!c->disk->removable)
        scsi_fail(c, SENSE_FIELD_IN_CDB);
    else
        c->disk->locked = cdb[4] & 1;
}

/* Before the medium may be pulled out or the power cut, all is on it. */
static enum scsi_progress settle(struct scsi_command *c)
{
    return c->cdb[0] == SCSI_START_STOP_UNIT || !(c->cdb[4] & 1) ? scsi_flush(c) : SCSI_DONE;
}

/* The default self-test: passed. */
static void send_diagnostic(struct scsi_command *c, const uint8_t *cdb)
{
    if (!(cdb[1] & 0x04) || scsi_get16(cdb + 3) != 0)
        scsi_fail(c, SENSE_FIELD_IN_CDB);
}

#define ON_MEDIUM SCSI_NEEDS_MEDIUM
#define ON_DISK (SCSI_NEEDS_MEDIUM | SCSI_WRITES | SCSI_DISK_ONLY)

static const struct scsi_row rows[] = {
    {SCSI_TEST_UNIT_READY, ON_MEDIUM, nothing, NULL},
    {SCSI_REQUEST_SENSE, SCSI_ANY_UNIT | SCSI_BEFORE_ATTENTION, request_sense, NULL},
    {SCSI_READ_6, ON_MEDIUM, read_blocks, NULL},
    {SCSI_WRITE_6, ON_DISK, write_blocks, written},
    {SCSI_INQUIRY, SCSI_ANY_UNIT | SCSI_BEFORE_ATTENTION, scsi_inquiry, NULL},
    {SCSI_MODE_SELECT_6, SCSI_DISK_ONLY, scsi_mode_select_6, scsi_mode_select_finish},
    {SCSI_MODE_SENSE_6, 0, scsi_mode_sense_6, NULL},
    {SCSI_START_STOP_UNIT, 0, start_stop_unit, settle},
    {SCSI_SEND_DIAGNOSTIC, 0, send_diagnostic, NULL},
    {SCSI_PREVENT_ALLOW, 0, prevent_allow, settle},
    {SCSI_READ_FORMAT_CAPACITIES, 0, read_format_capacities, NULL},
    {SCSI_READ_CAPACITY_10, ON_MEDIUM, read_capacity_10, NULL},
    {SCSI_READ_10, ON_MEDIUM, read_blocks, NULL},
    {SCSI_WRITE_10, ON_DISK, write_blocks, written},
    {SCSI_SEEK_10, ON_MEDIUM, seek, NULL},
    {SCSI_WRITE_AND_VERIFY_10, ON_DISK, write_blocks, written_and_verified},
    {SCSI_VERIFY_10, ON_MEDIUM, verify, NULL},
    {SCSI_SYNCHRONIZE_CACHE_10, ON_MEDIUM, synchronize_cache, scsi_flush},
    {SCSI_WRITE_SAME_10, ON_DISK, scsi_write_same, scsi_write_same_finish},
    {SCSI_UNMAP, ON_DISK, scsi_unmap, scsi_unmap_finish},
    {SCSI_READ_TOC, ON_MEDIUM | SCSI_CD_ONLY, scsi_read_toc, NULL},
    {SCSI_GET_CONFIGURATION, SCSI_BEFORE_ATTENTION | SCSI_CD_ONLY, scsi_get_configuration, NULL},
    {SCSI_GET_EVENT_STATUS, SCSI_BEFORE_ATTENTION | SCSI_CD_ONLY, scsi_get_event_status, NULL},
    {SCSI_READ_DISC_INFORMATION, ON_MEDIUM | SCSI_CD_ONLY, scsi_read_disc_information, NULL},
    {SCSI_MODE_SELECT_10, SCSI_DISK_ONLY, scsi_mode_select_10, scsi_mode_select_finish},
    {SCSI_MODE_SENSE_10, 0, scsi_mode_sense_10, NULL},
    {SCSI_READ_16, ON_MEDIUM, read_blocks, NULL},
    {SCSI_WRITE_16, ON_DISK, write_blocks, written},
    {SCSI_WRITE_AND_VERIFY_16, ON_DISK, write_blocks, written_and_verified},
    {SCSI_VERIFY_16, ON_MEDIUM, verify, NULL},
    {SCSI_SYNCHRONIZE_CACHE_16, ON_MEDIUM, synchronize_cache, scsi_flush},
    {SCSI_WRITE_SAME_16, ON_DISK, scsi_write_same, scsi_write_same_finish},
    {SCSI_SERVICE_ACTION_IN_16, ON_MEDIUM, read_capacity_16, NULL},
    {SCSI_REPORT_LUNS, SCSI_ANY_UNIT | SCSI_BEFORE_ATTENTION, report_luns, NULL},
    {SCSI_READ_12, ON_MEDIUM, read_blocks, NULL},
    {SCSI_WRITE_12, ON_DISK, write_blocks, written},
};

static const struct scsi_row *find_row(const struct scsi_disk *disk, uint8_t opcode)
{
    unsigned wrong_kind = disk->cd ? SCSI_DISK_ONLY : SCSI_CD_ONLY;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        if (rows[i].opcode == opcode)
            return rows[i].flags & wrong_kind ? NULL : &rows[i];
    return NULL;
}

/* Whether the command may begin: SAM-5, 5.14 has the order. */
static bool check_state(struct scsi_command *c)
{
    struct scsi_disk *disk = c->disk;
    const struct scsi_row *row = c->row;

    if (c->wrong_unit && (row == NULL || !(row->flags & SCSI_ANY_UNIT))) {
        scsi_fail(c, SENSE_UNIT);
    } else if (disk->attention.key != 0 && (row == NULL || !(row->flags & SCSI_BEFORE_ATTENTION))) {
        scsi_fail(c, disk->attention);
        disk->attention = SENSE_NONE;
    } else if (row == NULL) {
        scsi_fail(c, SENSE_OPCODE);
    } else if ((row->flags & SCSI_NEEDS_MEDIUM) && disk->ejected) {
        scsi_fail(c, SENSE_NO_MEDIUM);
    } else if ((row->flags & SCSI_WRITES) && image_read_only(disk->image)) {
        scsi_fail(c, SENSE_WRITE_PROTECTED);
    } else {
        return true;
    }
    return false;
}

void scsi_command_start(struct scsi_command *c)
{
    c->status = SCSI_GOOD;
    c->row = find_row(c->disk, c->cdb[0]);
    /* Sense is kept for just the next command. */
    if (c->keep_sense && c->cdb[0] != SCSI_REQUEST_SENSE)
        c->disk->sense = SENSE_NONE;
    if (check_state(c))
        c->row->start(c, c->cdb);
    if (c->status != SCSI_GOOD) {
        c->direction = SCSI_NO_DATA;
        c->length = 0;
    }
}

/* Data in command->buffer. */
static void move_buffer(struct scsi_command *c)
{
    uint64_t size = c->left;

    for (unsigned i = 0; i < c->iov_count && size > 0; i++) {
        size_t now = MIN(size, c->iov[i].iov_len);

        if (c->direction == SCSI_TO_HOST)
            memcpy(c->iov[i].iov_base, c->buffer + c->moved, now);
        else
            memcpy(c->buffer + c->moved, c->iov[i].iov_base, now);
        c->moved += now;
        size -= now;
    }
}

enum scsi_progress scsi_command_move(struct scsi_command *c, const struct iovec *iov,
                                     unsigned iov_count, uint64_t length)
{
    c->iov = iov;
    c->iov_count = iov_count;
    c->iov_offset = 0;
    c->left = MIN(length, c->length - c->moved);
    if (c->in_blocks)
        return scsi_move_blocks(c);
    move_buffer(c);
    return SCSI_DONE;
}

enum scsi_progress scsi_command_finish(struct scsi_command *c)
{
    if (c->status != SCSI_GOOD || c->row->finish == NULL)
        return SCSI_DONE;
    return c->row->finish(c);
}

enum scsi_progress scsi_command_continue(struct scsi_command *c)
{
    return c->resume(c, c->error);
}

void scsi_command_clear(struct scsi_command *c)
{
    g_free(c->cut);
    g_free(c->bounce);
    c->cut = NULL;
    c->bounce = NULL;
}

/* The disk. */

bool scsi_disk_init(struct scsi_disk *disk, struct image *image, bool cd, bool removable,
                    const char *serial, GError **err)
{
    uint32_t block_size = cd ? CD_BLOCK_SIZE : IMAGE_SECTOR_SIZE;

    *disk = (struct scsi_disk){
        .image = image,
        .cd = cd,
        .removable = removable || cd,
        .block_size = block_size,
        .blocks = image_size(image) / block_size,
        .write_cache = true,
    };
    g_strlcpy(disk->serial, serial, sizeof(disk->serial));
    scsi_disk_reset(disk);
    if (disk->blocks > 0)
        return true;
    vmdesk_fail(err, VMDESK_ERROR_INVALID,
                "The disc %s is smaller than a block of %u bytes: choose another image.",
                image_path(image), block_size);
    scsi_disk_finish(disk);
    return false;
}

void scsi_disk_finish(struct scsi_disk *disk)
{
    image_close(disk->image);
    disk->image = NULL;
}

void scsi_disk_reset(struct scsi_disk *disk)
{
    disk->locked = disk->ejected = disk->media_event = false;
    disk->write_cache = true;
    disk->sense = SENSE_NONE;
    disk->attention = SENSE_RESET;
}
