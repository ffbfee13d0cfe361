/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What only a CD drive is asked: MMC-6. The disc has one session with one data track. */
#include <string.h>

#include "usb/emulated/scsi_internal.h"

#define FRAMES_PER_SECOND 75
#define LEAD_IN_FRAMES 150
#define CD_MAX_BLOCKS (80 * 60 * FRAMES_PER_SECOND) /* what is larger is shown as a DVD */

enum { PROFILE_NONE = 0x0000, PROFILE_CD_ROM = 0x0008, PROFILE_DVD_ROM = 0x0010 };
enum { TRACK_DATA = 0x14, TRACK_LEAD_OUT = 0xaa };

static uint16_t profile(const struct scsi_disk *disk)
{
    if (disk->ejected)
        return PROFILE_NONE;
    return disk->blocks > CD_MAX_BLOCKS ? PROFILE_DVD_ROM : PROFILE_CD_ROM;
}

static void put_address(uint8_t *p, uint32_t block, bool msf)
{
    uint32_t frame = block + LEAD_IN_FRAMES, second = frame / FRAMES_PER_SECOND;

    if (!msf) {
        scsi_put32(p, block);
        return;
    }
    p[0] = 0;
    p[1] = second / 60;
    p[2] = second % 60;
    p[3] = frame % FRAMES_PER_SECOND;
}

static size_t put_track(uint8_t *p, uint8_t number, uint32_t block, bool msf)
{
    p[1] = TRACK_DATA;
    p[2] = number;
    put_address(p + 4, block, msf);
    return 8;
}

/* READ TOC/PMA/ATIP, format 0: tracks, and 1: sessions. */
void scsi_read_toc(struct scsi_command *c, const uint8_t *cdb)
{
    bool msf = cdb[1] & 0x02;
    unsigned format = cdb[2] & 0x0f, from = cdb[6];
    uint8_t *toc = c->buffer;
    size_t size = 4;

    if (format > 1 || (format == 0 && from > 1 && from != TRACK_LEAD_OUT)) {
        scsi_fail(c, SENSE_FIELD_IN_CDB);
        return;
    }
    toc[2] = toc[3] = 1;
    if (format == 1 || from <= 1)
        size += put_track(toc + size, 1, 0, msf);
    if (format == 0)
        size += put_track(toc + size, TRACK_LEAD_OUT, MIN(c->disk->blocks, UINT32_MAX), msf);
    scsi_put16(toc, size - 2);
    scsi_reply(c, size, scsi_get16(cdb + 7));
}

struct feature {
    uint16_t code;
    uint8_t version;
    uint16_t profile; /* 0: always current */
    uint8_t size;
    uint8_t body[8];
};

static const struct feature features[] = {
    {0x0000, 0, 0, 8, {0, PROFILE_DVD_ROM, 0, 0, 0, PROFILE_CD_ROM}},
    {0x0001, 1, 0, 8, {0, 0, 0, 8}},       /* core, over USB */
    {0x0002, 1, 0, 4, {0}},                /* morphing */
    {0x0003, 0, 0, 4, {0x29}},             /* a tray that ejects and locks */
    {0x0010, 0, 0, 8, {0, 0, 8, 0, 0, 1}}, /* random readable: blocks of 2048 bytes */
    {0x001e, 2, PROFILE_CD_ROM, 4, {0}},
    {0x001f, 0, PROFILE_DVD_ROM, 0, {0}},
};

static size_t put_feature(uint8_t *p, const struct feature *feature, uint16_t now)
{
    bool current = feature->profile == 0 || feature->profile == now;

    scsi_put16(p, feature->code);
    p[2] = feature->version << 2 | (feature->profile == 0) << 1 | current;
    p[3] = feature->size;
    memcpy(p + 4, feature->body, feature->size);
    if (feature->code == 0) { /* the profiles, with the current one marked */
        p[6] = now == PROFILE_DVD_ROM;
        p[10] = now == PROFILE_CD_ROM;
    }
    return 4 + feature->size;
}

void scsi_get_configuration(struct scsi_command *c, const uint8_t *cdb)
{
    uint16_t now = profile(c->disk), start = scsi_get16(cdb + 2);
    unsigned which = cdb[1] & 0x03; /* all; current ones; one */
    size_t size = 8;

    if (which == 3) {
        scsi_fail(c, SENSE_FIELD_IN_CDB);
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(features); i++) {
        const struct feature *feature = &features[i];
        bool current = feature->profile == 0 || feature->profile == now;

        if (which == 2 ? feature->code == start : feature->code >= start && (which == 0 || current))
            size += put_feature(c->buffer + size, feature, now);
    }
    scsi_put32(c->buffer, size - 4);
    scsi_put16(c->buffer + 6, now);
    scsi_reply(c, size, scsi_get16(cdb + 7));
}

/* GET EVENT STATUS NOTIFICATION. Only polled, only media events. */
void scsi_get_event_status(struct scsi_command *c, const uint8_t *cdb)
{
    uint8_t *data = c->buffer;
    size_t size = 4;

    if (!(cdb[1] & 0x01)) {
        scsi_fail(c, SENSE_FIELD_IN_CDB);
        return;
    }
    data[1] = 2;
    data[2] = 0x80; /* no event of what was asked for */
    data[3] = 0x10;
    if (cdb[4] & 0x10) {
        size = 8;
        data[1] = 6;
        data[2] = 4;
        data[4] = c->disk->media_event ? 2 : 0; /* new media */
        data[5] = c->disk->ejected ? 0x01 : 0x02;
        if (scsi_get16(cdb + 7) > 4)
            c->disk->media_event = false;
    }
    scsi_reply(c, size, scsi_get16(cdb + 7));
}

void scsi_read_disc_information(struct scsi_command *c, const uint8_t *cdb)
{
    static const uint8_t finalized[] = {0, 32, 0x0e, 1, 1, 1, 1, 0x20};

    if ((cdb[1] & 0x07) != 0) {
        scsi_fail(c, SENSE_FIELD_IN_CDB);
        return;
    }
    memcpy(c->buffer, finalized, sizeof(finalized));
    scsi_reply(c, 34, scsi_get16(cdb + 7));
}
