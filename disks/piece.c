/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/piece.h"

#include <errno.h>
#include <string.h>

/* Where in a list of memory the next piece goes. */
struct cursor {
    const struct iovec *iov;
    unsigned count;
    size_t used; /* of *iov */
};

/* The next `length` bytes of the list, which has them. Returns the number of elements. */
static unsigned cursor_take(struct cursor *cursor, uint64_t length, struct iovec *ret_iov)
{
    unsigned count = 0;

    while (length > 0 && cursor->count > 0) {
        size_t size = MIN(cursor->iov->iov_len - cursor->used, length);

        if (size > 0)
            ret_iov[count++] = (struct iovec){(char *)cursor->iov->iov_base + cursor->used, size};
        length -= size;
        cursor->used += size;
        if (cursor->used == cursor->iov->iov_len) {
            cursor->iov++;
            cursor->count--;
            cursor->used = 0;
        }
    }
    return count;
}

static bool continues(const struct piece *piece, const struct piece *next)
{
    if (piece->state != next->state || piece->state == BLOCK_COMPRESSED)
        return false;
    return piece->state != BLOCK_DATA ||
           (piece->file == next->file && piece->offset + piece->length == next->offset);
}

/* The piece at offset with those that continue it. */
static int locate_run(struct image *image, const struct piece_ops *ops, uint64_t offset,
                      uint64_t length, struct piece *piece)
{
    int result = ops->locate(image, offset, length, piece);

    for (unsigned steps = 1; result == 0 && piece->length < length && steps < PIECE_MAX_STEPS;
         steps++) {
        struct piece next = {0};

        /* What fails here fails again when it is the first. */
        if (ops->locate(image, offset + piece->length, length - piece->length, &next) < 0 ||
            !continues(piece, &next))
            break;
        piece->length += next.length;
    }
    return result;
}

static int read_packed(struct image *image, const struct piece_ops *ops, const struct piece *piece,
                       const struct iovec *iov, unsigned count)
{
    g_autofree uint8_t *buffer = NULL;
    uint8_t *from;
    int result;

    if (piece->length > PIECE_MAX_PACKED)
        return -EIO;
    from = buffer = g_malloc(piece->length);
    result = ops->unpack(image, piece, buffer);
    for (unsigned i = 0; i < count && result == 0; i++) {
        memcpy(iov[i].iov_base, from, iov[i].iov_len);
        from += iov[i].iov_len;
    }
    return result;
}

static int read_piece(struct image *image, const struct piece_ops *ops, const struct piece *piece,
                      const struct iovec *iov, unsigned count)
{
    switch (piece->state) {
    case BLOCK_UNALLOCATED:
    case BLOCK_ZERO:
        for (unsigned i = 0; i < count; i++)
            memset(iov[i].iov_base, 0, iov[i].iov_len);
        return 0;
    case BLOCK_DATA:
        return file_read_all(piece->file, iov, count, piece->offset);
    case BLOCK_COMPRESSED:
        return read_packed(image, ops, piece, iov, count);
    }
    return -EIO;
}

int piece_read(struct image *image, const struct piece_ops *ops, const struct iovec *iov,
               unsigned count, uint64_t offset)
{
    struct cursor cursor = {iov, count, 0};
    uint64_t length = 0;
    int result = 0;

    G_STATIC_ASSERT(IMAGE_REQUEST_MAX_IOV <= FILE_MAX_IOV);
    for (unsigned i = 0; i < count; i++)
        length += iov[i].iov_len;
    while (length > 0 && result == 0) {
        struct iovec part[FILE_MAX_IOV];
        struct piece piece = {0};

        result = locate_run(image, ops, offset, length, &piece);
        if (result < 0)
            break;
        result = read_piece(image, ops, &piece, part, cursor_take(&cursor, piece.length, part));
        offset += piece.length;
        length -= piece.length;
    }
    return result;
}

int piece_status(struct image *image, const struct piece_ops *ops, uint64_t offset, uint64_t length,
                 struct block_status *status)
{
    struct piece piece = {0};
    int result = locate_run(image, ops, offset, length, &piece);

    if (result < 0)
        return result;
    status->state = piece.state;
    status->length = piece.length;
    if (piece.state == BLOCK_DATA) {
        status->has_host_offset = true;
        status->host_offset = piece.offset;
        status->host_path = piece.file->path;
    }
    return 0;
}
