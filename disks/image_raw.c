/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The raw format: byte n of the disk is byte n of the file. ISO images are such. */
#include <inttypes.h>

#include "core/error.h"
#include "disks/image_format.h"
#include "disks/io_context.h"

G_STATIC_ASSERT(IMAGE_REQUEST_MAX_IOV <= FILE_MAX_IOV);

static bool raw_open(struct image *image, GError **err)
{
    struct file *file = image->file;
    uint64_t size;
    int result = file->ops->size(file, &size);

    if (result < 0)
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot tell the size of the image %s",
                                       file->path);
    if (size == 0)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The image %s is empty: give it a size, as in \"truncate -s 10G %s\", "
                           "or choose another.",
                           file->path, file->path);
    if (size % IMAGE_SECTOR_SIZE != 0)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The image %s has %" PRIu64 " bytes, which is not a multiple of the "
                           "sector size of %d: it may be cut short, so get it again, or round it "
                           "up by \"truncate -s %%%d %s\".",
                           file->path, size, IMAGE_SECTOR_SIZE, IMAGE_SECTOR_SIZE, file->path);
    image->size = size;
    return true;
}

static void raw_run(void *opaque)
{
    struct block_request *request = opaque;
    struct file *file = ((struct image *)request->image_private)->file;
    int result = 0;

    switch (request->op) {
    case BLOCK_READ:
        result = file_read_all(file, request->iov, request->iov_count, request->offset);
        break;
    case BLOCK_WRITE:
        result = file_write_all(file, request->iov, request->iov_count, request->offset);
        break;
    case BLOCK_FLUSH:
        result = file->ops->flush(file);
        break;
    case BLOCK_DISCARD:
        if (request->length > 0)
            result = file->ops->discard(file, request->offset, request->length);
        break;
    }
    image_complete(request, -result);
}

static void raw_submit(struct image *image, struct block_request *request)
{
    io_context_run(image->io, raw_run, request);
}

const struct image_ops image_raw = {
    .name = "raw",
    .open = raw_open,
    .submit = raw_submit,
};
