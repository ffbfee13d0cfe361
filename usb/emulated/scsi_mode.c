/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MODE SENSE and MODE SELECT: SPC-4, 6.11 to 6.14 and 7.5; the pages of SBC-3, 6.5, and MMC-6, 7.
 */
#include <string.h>

#include "usb/emulated/scsi_internal.h"

#define BLOCK_DESCRIPTOR_SIZE 8
#define CACHING_WCE 0x04

enum { CONTROL_CURRENT, CONTROL_CHANGEABLE, CONTROL_DEFAULT, CONTROL_SAVED };

struct page {
    uint8_t code, size; /* with its header of two bytes */
    bool disk, cd;      /* what has it */
    void (*fill)(const struct scsi_disk *disk, unsigned control, uint8_t *page);
};

static void error_recovery(const struct scsi_disk *disk, unsigned control, uint8_t *page)
{
    if (control != CONTROL_CHANGEABLE)
        page[3] = 5; /* read retries */
}

static void caching(const struct scsi_disk *disk, unsigned control, uint8_t *page)
{
    if (control != CONTROL_CURRENT || disk->write_cache)
        page[2] = CACHING_WCE;
}

static void control_page(const struct scsi_disk *disk, unsigned control, uint8_t *page)
{
    if (control != CONTROL_CHANGEABLE)
        page[3] = 0x10; /* the order of commands is free */
}

/* CD capabilities: reads CD-R, CD-RW and DVD-ROM; a tray that ejects and locks; 50 x 176.4 kB/s. */
static void capabilities(const struct scsi_disk *disk, unsigned control, uint8_t *page)
{
    static const uint8_t values[] = {0x0b, 0, 0x60, 0,    0x29, 0,    0x22,
                                     0x75, 0, 2,    0x02, 0,    0x22, 0x75};

    if (control == CONTROL_CHANGEABLE)
        return;
    memcpy(page + 2, values, sizeof(values));
    page[6] |= disk->locked << 1;
}

static const struct page pages[] = {
    {0x01, 12, true, true, error_recovery},
    {0x08, 20, true, false, caching},
    {0x0a, 12, true, false, control_page},
    {0x2a, 20, false, true, capabilities},
};

static bool has_page(const struct scsi_disk *disk, const struct page *page)
{
    return disk->cd ? page->cd : page->disk;
}

/* Appends the pages that are asked for; their size, 0: there is none such. */
static size_t put_pages(const struct scsi_disk *disk, uint8_t code, unsigned control, uint8_t *data)
{
    size_t size = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(pages); i++) {
        const struct page *page = &pages[i];

        if (!has_page(disk, page) || (code != 0x3f && code != page->code))
            continue;
        data[size] = page->code;
        data[size + 1] = page->size - 2;
        page->fill(disk, control, data + size);
        size += page->size;
    }
    return size;
}

static size_t put_block_descriptor(const struct scsi_disk *disk, uint8_t *data)
{
    scsi_put32(data, MIN(disk->blocks, UINT32_MAX));
    scsi_put32(data + 4, disk->block_size);
    return BLOCK_DESCRIPTOR_SIZE;
}

/* header: its size, which says which command it is. */
static void mode_sense(struct scsi_command *c, const uint8_t *cdb, size_t header, size_t allowed)
{
    const struct scsi_disk *disk = c->disk;
    unsigned control = cdb[2] >> 6;
    bool descriptor = !(cdb[1] & 0x08) && !disk->cd; /* DBD */
    size_t size = header, page_size;
    uint8_t flags = image_read_only(disk->image) && !disk->cd ? 0x80 : 0; /* WP */

    if (control == CONTROL_SAVED) {
        scsi_fail(c, SENSE_NO_SAVED_VALUES);
        return;
    }
    if (descriptor)
        size += put_block_descriptor(disk, c->buffer + size);
    page_size = cdb[3] == 0 || cdb[3] == 0xff
                    ? put_pages(disk, cdb[2] & 0x3f, control, c->buffer + size)
                    : 0; /* no subpages */
    if (page_size == 0) {
        scsi_fail(c, SENSE_FIELD_IN_CDB);
        return;
    }
    size += page_size;
    if (header == 4) {
        c->buffer[0] = size - 1;
        c->buffer[2] = flags;
        c->buffer[3] = descriptor ? BLOCK_DESCRIPTOR_SIZE : 0;
    } else {
        scsi_put16(c->buffer, size - 2);
        c->buffer[3] = flags;
        scsi_put16(c->buffer + 6, descriptor ? BLOCK_DESCRIPTOR_SIZE : 0);
    }
    scsi_reply(c, size, allowed);
}

void scsi_mode_sense_6(struct scsi_command *c, const uint8_t *cdb)
{
    mode_sense(c, cdb, 4, cdb[4]);
}

void scsi_mode_sense_10(struct scsi_command *c, const uint8_t *cdb)
{
    mode_sense(c, cdb, 8, scsi_get16(cdb + 7));
}

/* MODE SELECT. Only the write cache can be changed; pages must be as they are but for it. */

static void mode_select(struct scsi_command *c, const uint8_t *cdb, size_t size)
{
    if (!(cdb[1] & 0x10) || (cdb[1] & 0x01)) /* PF must be set; nothing is saved */
        scsi_fail(c, SENSE_FIELD_IN_CDB);
    else if (size > SCSI_BUFFER_SIZE)
        scsi_fail(c, SENSE_PARAMETER_LENGTH);
    else
        scsi_expect(c, size);
}

void scsi_mode_select_6(struct scsi_command *c, const uint8_t *cdb)
{
    mode_select(c, cdb, cdb[4]);
}

void scsi_mode_select_10(struct scsi_command *c, const uint8_t *cdb)
{
    mode_select(c, cdb, scsi_get16(cdb + 7));
}

/* Whether data is a whole page that may be set. */
static bool check_page(const struct scsi_disk *disk, const uint8_t *data, size_t size)
{
    uint8_t now[32] = {0}, wanted[32];
    size_t page_size;

    if (size < 2 || (data[0] & 0x40))
        return false;
    page_size = put_pages(disk, data[0] & 0x3f, CONTROL_CURRENT, now);
    if (page_size == 0 || (data[0] & 0x3f) == 0x3f || page_size != data[1] + 2u || page_size > size)
        return false;
    memcpy(wanted, data, page_size);
    wanted[0] &= 0x3f;
    if (wanted[0] == 0x08)
        wanted[2] = (wanted[2] & ~CACHING_WCE) | (now[2] & CACHING_WCE);
    return memcmp(wanted, now, page_size) == 0;
}

enum scsi_progress scsi_mode_select_finish(struct scsi_command *c)
{
    bool ten = c->cdb[0] == SCSI_MODE_SELECT_10, write_cache = c->disk->write_cache, was;
    size_t size = c->length, at = ten ? 8 : 4;

    if (size == 0)
        return SCSI_DONE;
    if (size < at)
        return scsi_fail(c, SENSE_PARAMETER_LENGTH);
    at += ten ? scsi_get16(c->buffer + 6) : c->buffer[3];
    while (at < size) {
        const uint8_t *page = c->buffer + at;

        if (!check_page(c->disk, page, size - at))
            return scsi_fail(c, SENSE_FIELD_IN_PARAMETERS);
        if ((page[0] & 0x3f) == 0x08)
            write_cache = page[2] & CACHING_WCE;
        at += page[1] + 2;
    }
    if (at != size)
        return scsi_fail(c, SENSE_PARAMETER_LENGTH);
    was = c->disk->write_cache;
    c->disk->write_cache = write_cache;
    /* What is in the cache goes to the medium when there is no cache any more. */
    return was && !write_cache ? scsi_flush(c) : SCSI_DONE;
}
