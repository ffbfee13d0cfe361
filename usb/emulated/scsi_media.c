/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks between the transport's memory and the image. Pieces of whole sectors go straight there.
 * Others, as a host that cuts a command at any byte makes them, go through a buffer: a read fetches
 * all sectors that the bytes touch, a write collects bytes until they fill sectors.
 */
#include <string.h>

#include "usb/emulated/scsi_internal.h"

#define SECTOR IMAGE_SECTOR_SIZE
#define BOUNCE_SIZE (64 * 1024)

static enum scsi_progress moved(struct scsi_command *c, int error);

/* Goes on in the piece by so many bytes. */
static void skip(struct scsi_command *c, uint64_t size)
{
    c->moved += size;
    c->left -= size;
    while (size > 0) {
        size_t here = c->iov->iov_len - c->iov_offset;

        if (size < here) {
            c->iov_offset += size;
            return;
        }
        size -= here;
        c->iov++;
        c->iov_count--;
        c->iov_offset = 0;
    }
}

/* Copies between the bounce buffer and the piece, without going on in it. */
static void copy(const struct scsi_command *c, uint8_t *buffer, size_t size, bool in)
{
    const struct iovec *iov = c->iov;
    size_t offset = c->iov_offset;

    for (; size > 0; iov++, offset = 0) {
        uint8_t *part = (uint8_t *)iov->iov_base + offset;
        size_t now = MIN(size, iov->iov_len - offset);

        if (now == 0)
            continue;
        memcpy(in ? part : buffer, in ? buffer : part, now);
        buffer += now;
        size -= now;
    }
}

/* The longest run of whole sectors at the beginning of the piece that one request can take; its
 * length, 0: there is none. */
static uint64_t cut(struct scsi_command *c, const struct iovec **ret_iov, unsigned *ret_count)
{
    uint64_t size = 0, excess;
    unsigned count = 0;

    if (c->cut == NULL)
        c->cut = g_try_new(struct iovec, IMAGE_REQUEST_MAX_IOV);
    if (c->cut == NULL)
        return 0;
    for (unsigned i = 0; i < c->iov_count && count < IMAGE_REQUEST_MAX_IOV && size < c->left; i++) {
        size_t offset = i == 0 ? c->iov_offset : 0;
        size_t part = MIN(c->iov[i].iov_len - offset, c->left - size);

        c->cut[count++] = (struct iovec){(uint8_t *)c->iov[i].iov_base + offset, part};
        size += part;
    }
    excess = size % SECTOR;
    size -= excess;
    while (excess > 0) {
        struct iovec *last = &c->cut[count - 1];
        size_t part = MIN(last->iov_len, excess);

        last->iov_len -= part;
        excess -= part;
        count -= last->iov_len == 0;
    }
    *ret_iov = c->cut;
    *ret_count = count;
    return size;
}

/* The same, with the piece as it is if that does: the usual case. */
static uint64_t whole_sectors(struct scsi_command *c, const struct iovec **ret_iov,
                              unsigned *ret_count)
{
    uint64_t size = 0;

    if (c->iov_offset == 0 && c->left % SECTOR == 0 && c->iov_count <= IMAGE_REQUEST_MAX_IOV) {
        for (unsigned i = 0; i < c->iov_count; i++)
            size += c->iov[i].iov_len;
        if (size == c->left) {
            *ret_iov = c->iov;
            *ret_count = c->iov_count;
            return size;
        }
    }
    return cut(c, ret_iov, ret_count);
}

static enum scsi_progress read_through_buffer(struct scsi_command *c)
{
    uint64_t at = c->offset + c->moved, begin = at - at % SECTOR;
    uint64_t size = MIN(at % SECTOR + c->left, BOUNCE_SIZE);

    c->step = size - at % SECTOR;
    size += (SECTOR - size % SECTOR) % SECTOR;
    c->bounce_iov = (struct iovec){c->bounce, size};
    return scsi_io(c, BLOCK_READ, begin, size, &c->bounce_iov, 1, moved);
}

static enum scsi_progress write_through_buffer(struct scsi_command *c)
{
    uint64_t begin = c->offset + c->moved - c->bounced;
    size_t now = MIN(c->left, BOUNCE_SIZE - c->bounced), size;

    copy(c, c->bounce + c->bounced, now, false);
    c->bounced += now;
    skip(c, now);
    size = c->bounced - c->bounced % SECTOR;
    if (size == 0)
        return SCSI_DONE;
    c->step = 0;
    c->bounce_iov = (struct iovec){c->bounce, size};
    return scsi_io(c, BLOCK_WRITE, begin, size, &c->bounce_iov, 1, moved);
}

static void end_bounced_write(struct scsi_command *c)
{
    size_t written = c->bounced - c->bounced % SECTOR;

    c->bounced -= written;
    memmove(c->bounce, c->bounce + written, c->bounced);
}

enum scsi_progress scsi_move_blocks(struct scsi_command *c)
{
    bool write = c->direction == SCSI_FROM_HOST;
    const struct iovec *iov;
    unsigned count;
    uint64_t size = 0;

    if (c->left == 0)
        return SCSI_DONE;
    if ((c->offset + c->moved) % SECTOR == 0)
        size = whole_sectors(c, &iov, &count);
    if (size > 0) {
        c->step = size;
        return scsi_io(c, write ? BLOCK_WRITE : BLOCK_READ, c->offset + c->moved, size, iov, count,
                       moved);
    }
    if (c->bounce == NULL)
        c->bounce = g_try_malloc(BOUNCE_SIZE);
    if (c->bounce == NULL)
        return scsi_fail(c, SENSE_INTERNAL);
    return write ? write_through_buffer(c) : read_through_buffer(c);
}

static enum scsi_progress moved(struct scsi_command *c, int error)
{
    bool bounced = c->request.iov == &c->bounce_iov;

    if (error != 0)
        return scsi_fail_io(c, error);
    if (bounced && c->direction == SCSI_TO_HOST)
        copy(c, c->bounce + (c->offset + c->moved) % SECTOR, c->step, true);
    else if (bounced)
        end_bounced_write(c);
    skip(c, c->step);
    return scsi_move_blocks(c);
}
