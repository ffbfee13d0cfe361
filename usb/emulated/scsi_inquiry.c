/* SPDX-License-Identifier: GPL-2.0-or-later */
/* INQUIRY: SPC-4, 6.6; vital product data: SPC-4, 7.8, and SBC-3, 6.6. */
#include <string.h>

#include "config.h"
#include "usb/emulated/scsi_internal.h"

#define UNIT_NOT_THERE 0x7f
#define STANDARD_SIZE 96
#define OPTIMAL_BLOCKS 2048 /* 1 MiB */

enum {
    PAGE_SUPPORTED = 0x00,
    PAGE_SERIAL = 0x80,
    PAGE_IDENTIFICATION = 0x83,
    PAGE_BLOCK_LIMITS = 0xb0,
    PAGE_CHARACTERISTICS = 0xb1,
    PAGE_PROVISIONING = 0xb2,
};

/* Text in a field that spaces fill up. */
static void put_text(uint8_t *field, size_t size, const char *text)
{
    memset(field, ' ', size);
    memcpy(field, text, MIN(strlen(text), size));
}

static uint8_t device_type(const struct scsi_command *c)
{
    return c->wrong_unit ? UNIT_NOT_THERE : c->disk->cd ? SCSI_TYPE_CD : SCSI_TYPE_DISK;
}

static size_t standard(struct scsi_command *c)
{
    static const uint16_t versions[] = {0x00a0, 0x0460, 0x04c0}; /* SAM-5, SPC-4, SBC-3 */
    uint8_t *data = c->buffer;

    data[0] = device_type(c);
    data[1] = c->disk->removable ? 0x80 : 0;
    data[2] = 0x06; /* SPC-4 */
    data[3] = 0x02; /* response data format */
    data[4] = STANDARD_SIZE - 5;
    data[7] = 0x02; /* command queuing */
    put_text(data + 8, 8, "vmdesk");
    put_text(data + 16, 16, c->disk->cd ? "USB CD-ROM" : "USB Disk");
    put_text(data + 32, 4, PACKAGE_VERSION);
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++)
        scsi_put16(data + 58 + 2 * i, versions[i]);
    return STANDARD_SIZE;
}

static const uint8_t disk_pages[] = {PAGE_SUPPORTED,    PAGE_SERIAL,          PAGE_IDENTIFICATION,
                                     PAGE_BLOCK_LIMITS, PAGE_CHARACTERISTICS, PAGE_PROVISIONING};
static const uint8_t cd_pages[] = {PAGE_SUPPORTED, PAGE_SERIAL, PAGE_IDENTIFICATION};

static size_t supported(struct scsi_command *c, uint8_t *page)
{
    size_t count = c->disk->cd ? sizeof(cd_pages) : sizeof(disk_pages);

    memcpy(page, c->disk->cd ? cd_pages : disk_pages, count);
    return count;
}

/* One designator: ASCII, the vendor and the serial number. */
static size_t identification(struct scsi_command *c, uint8_t *page)
{
    size_t size = strlen(c->disk->serial);

    page[0] = 0x02; /* ASCII */
    page[1] = 0x01; /* T10 vendor, of the logical unit */
    page[3] = 8 + size;
    put_text(page + 4, 8, "vmdesk");
    memcpy(page + 12, c->disk->serial, size);
    return 12 + size;
}

static size_t block_limits(uint8_t *page)
{
    page[0] = 0x01; /* WRITE SAME of no blocks is refused */
    scsi_put32(page + 4, SCSI_MAX_BLOCKS);
    scsi_put32(page + 8, OPTIMAL_BLOCKS);
    scsi_put32(page + 16, UINT32_MAX); /* blocks to unmap */
    scsi_put32(page + 20, SCSI_MAX_UNMAP_RANGES);
    scsi_put32(page + 24, 1);
    scsi_put64(page + 32, SCSI_MAX_BLOCKS); /* WRITE SAME */
    return 60;
}

/* The page's size behind its header of four bytes; 0: there is no such page. */
static size_t vital_page(struct scsi_command *c, uint8_t code, uint8_t *page)
{
    bool known = c->disk->cd ? memchr(cd_pages, code, sizeof(cd_pages)) != NULL
                             : memchr(disk_pages, code, sizeof(disk_pages)) != NULL;

    if (!known)
        return 0;
    switch (code) {
    case PAGE_SUPPORTED:
        return supported(c, page);
    case PAGE_SERIAL:
        memcpy(page, c->disk->serial, strlen(c->disk->serial));
        return strlen(c->disk->serial);
    case PAGE_IDENTIFICATION:
        return identification(c, page);
    case PAGE_BLOCK_LIMITS:
        return block_limits(page);
    case PAGE_CHARACTERISTICS:
        page[1] = 1; /* does not rotate */
        return 60;
    default:            /* PAGE_PROVISIONING */
        page[1] = 0x80; /* UNMAP; what is unmapped reads as anything */
        page[2] = 0x02; /* thin */
        return 4;
    }
}

void scsi_inquiry(struct scsi_command *c, const uint8_t *cdb)
{
    size_t size;

    if ((cdb[1] & 0x03) > 1 || (!(cdb[1] & 1) && cdb[2] != 0)) {
        scsi_fail(c, SENSE_FIELD_IN_CDB);
        return;
    }
    if (!(cdb[1] & 1)) {
        size = standard(c);
    } else {
        size = vital_page(c, cdb[2], c->buffer + 4);
        if (size == 0 && cdb[2] != PAGE_SERIAL) {
            scsi_fail(c, SENSE_FIELD_IN_CDB);
            return;
        }
        c->buffer[0] = device_type(c);
        c->buffer[1] = cdb[2];
        scsi_put16(c->buffer + 2, size);
        size += 4;
    }
    scsi_reply(c, size, scsi_get16(cdb + 3));
}
