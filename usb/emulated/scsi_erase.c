/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UNMAP and WRITE SAME: SBC-3, 5.28, 5.46 and 5.47. */
#include <string.h>

#include "usb/emulated/scsi_internal.h"

#define UNMAP_HEADER 8
#define UNMAP_RANGE 16
#define PATTERN_SIZE (64 * 1024)

G_STATIC_ASSERT(UNMAP_HEADER + SCSI_MAX_UNMAP_RANGES * UNMAP_RANGE <= SCSI_BUFFER_SIZE);

void scsi_unmap(struct scsi_command *c, const uint8_t *cdb)
{
    size_t size = scsi_get16(cdb + 7);

    if (cdb[1] & 0x01) /* ANCHOR */
        scsi_fail(c, SENSE_FIELD_IN_CDB);
    else if (size > SCSI_BUFFER_SIZE || (size > 0 && size < UNMAP_HEADER))
        scsi_fail(c, SENSE_PARAMETER_LENGTH);
    else
        scsi_expect(c, size);
}

static enum scsi_progress unmap_next(struct scsi_command *c, int error)
{
    unsigned count = scsi_get16(c->buffer + 2) / UNMAP_RANGE;

    if (error != 0)
        return scsi_fail_io(c, error);
    while (c->step < count) {
        const uint8_t *range = c->buffer + UNMAP_HEADER + UNMAP_RANGE * c->step++;
        uint64_t blocks = scsi_get32(range + 8);

        if (blocks > 0)
            return scsi_io(c, BLOCK_DISCARD, scsi_get64(range) * c->disk->block_size,
                           blocks * c->disk->block_size, NULL, 0, unmap_next);
    }
    return SCSI_DONE;
}

/* All ranges are checked before the first is unmapped. */
enum scsi_progress scsi_unmap_finish(struct scsi_command *c)
{
    size_t size = c->length, ranges;

    if (size == 0)
        return SCSI_DONE;
    ranges = scsi_get16(c->buffer + 2);
    if (ranges > size - UNMAP_HEADER)
        return scsi_fail(c, SENSE_PARAMETER_LENGTH);
    if (ranges / UNMAP_RANGE > SCSI_MAX_UNMAP_RANGES)
        return scsi_fail(c, SENSE_FIELD_IN_PARAMETERS);
    for (size_t at = UNMAP_HEADER; at + UNMAP_RANGE <= UNMAP_HEADER + ranges; at += UNMAP_RANGE)
        if (!scsi_check_range(c, scsi_get64(c->buffer + at), scsi_get32(c->buffer + at + 8)))
            return SCSI_DONE;
    c->step = 0;
    return unmap_next(c, 0);
}

/* WRITE SAME. To write zeros is not to unmap, since unmapped blocks may read as anything. */

static uint64_t same_range(const uint8_t *cdb, uint64_t *ret_count)
{
    bool sixteen = cdb[0] == SCSI_WRITE_SAME_16;

    *ret_count = sixteen ? scsi_get32(cdb + 10) : scsi_get16(cdb + 7);
    return sixteen ? scsi_get64(cdb + 2) : scsi_get32(cdb + 2);
}

void scsi_write_same(struct scsi_command *c, const uint8_t *cdb)
{
    bool no_data = cdb[0] == SCSI_WRITE_SAME_16 && (cdb[1] & 0x01); /* NDOB */
    uint64_t count, first = same_range(cdb, &count);

    if (!scsi_check_range(c, first, count))
        return;
    if ((cdb[1] & 0xfe) != 0 || count == 0 || count > SCSI_MAX_BLOCKS)
        scsi_fail(c, SENSE_FIELD_IN_CDB);
    else if (!no_data)
        scsi_expect(c, c->disk->block_size);
}

static enum scsi_progress same_done(struct scsi_command *c, int error)
{
    if (error != 0)
        return scsi_fail_io(c, error);
    return c->disk->write_cache ? SCSI_DONE : scsi_flush(c);
}

static enum scsi_progress same_next(struct scsi_command *c, int error)
{
    uint64_t count, first = same_range(c->cdb, &count), size = count * c->disk->block_size;
    uint64_t done = c->step, now = MIN(size - done, PATTERN_SIZE);

    if (error != 0 || done == size)
        return same_done(c, error);
    c->step += now;
    c->bounce_iov = (struct iovec){c->bounce, now};
    return scsi_io(c, BLOCK_WRITE, first * c->disk->block_size + done, now, &c->bounce_iov, 1,
                   same_next);
}

static bool is_zero(const uint8_t *data, size_t size)
{
    return data[0] == 0 && memcmp(data, data + 1, size - 1) == 0;
}

enum scsi_progress scsi_write_same_finish(struct scsi_command *c)
{
    uint64_t count, first = same_range(c->cdb, &count);

    if (is_zero(c->buffer, c->disk->block_size))
        return scsi_io(c, BLOCK_WRITE_ZEROES, first * c->disk->block_size,
                       count * c->disk->block_size, NULL, 0, same_done);
    if (c->bounce == NULL)
        c->bounce = g_try_malloc(PATTERN_SIZE);
    if (c->bounce == NULL)
        return scsi_fail(c, SENSE_INTERNAL);
    for (size_t at = 0; at < PATTERN_SIZE; at += c->disk->block_size)
        memcpy(c->bounce + at, c->buffer, c->disk->block_size);
    c->step = 0;
    return same_next(c, 0);
}
