/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The raw format: byte n of the disk is byte n of the file. ISO images are such. */
#include <inttypes.h>

#include "core/error.h"
#include "disks/image_format.h"
#include "disks/io_context.h"

G_STATIC_ASSERT(IMAGE_REQUEST_MAX_IOV <= FILE_MAX_IOV);

#define ROUND_UP_SECTOR(n) (((n) + IMAGE_SECTOR_SIZE - 1) / IMAGE_SECTOR_SIZE * IMAGE_SECTOR_SIZE)
#define ALLOCATE_STEP (64 * 1024 * 1024)

static bool raw_open(struct image *image, const struct image_options *options, GError **err)
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
    struct image *image = request->image_private;
    struct file *file = image->file;
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
    case BLOCK_WRITE_ZEROES:
        result = file_write_zeroes(file, request->offset, request->length);
        break;
    }
    if (result == 0 && image->cache == IMAGE_CACHE_WRITE_THROUGH && request->op != BLOCK_READ &&
        request->op != BLOCK_FLUSH)
        result = file->ops->flush(file);
    image_complete(request, -result);
}

static void file_done(struct file_request *file_request, int error)
{
    struct block_request *request = file_request->opaque;

    g_free(file_request);
    image_complete(request, -error);
}

/* Hands a read or a write to the file. */
static bool submit_to_file(struct image *image, struct block_request *request)
{
    struct file_request *file_request;

    if (image->file->ops->submit == NULL || request->op > BLOCK_WRITE || request->length == 0 ||
        (request->op == BLOCK_WRITE && image->cache == IMAGE_CACHE_WRITE_THROUGH))
        return false;
    file_request = g_new(struct file_request, 1);
    *file_request = (struct file_request){
        .op = request->op == BLOCK_READ ? FILE_OP_READ : FILE_OP_WRITE,
        .iov = request->iov,
        .iov_count = request->iov_count,
        .offset = request->offset,
        .done = file_done,
        .opaque = request,
    };
    if (image->file->ops->submit(image->file, file_request))
        return true;
    g_free(file_request);
    return false;
}

static void raw_submit(struct image *image, struct block_request *request)
{
    if (!submit_to_file(image, request))
        io_context_run(image->io, raw_run, request);
}

static int raw_read(struct image *image, const struct iovec *iov, unsigned count, uint64_t offset)
{
    return file_read_all(image->file, iov, count, offset);
}

static int raw_status(struct image *image, uint64_t offset, uint64_t length,
                      struct block_status *status)
{
    bool data;
    int result = file_extent(image->file, offset, &data, &status->length);

    status->state = data ? BLOCK_DATA : BLOCK_ZERO;
    status->has_host_offset = true;
    status->host_offset = offset;
    /* A hole that starts inside a sector is no matter for requests. */
    if (status->length < length)
        status->length = ROUND_UP_SECTOR(status->length);
    return result;
}

/* Makes the file longer, in the way that was asked for. */
static bool extend(struct file *file, const char *path, uint64_t from, uint64_t to,
                   enum image_preallocation preallocation, const struct image_progress *progress,
                   GError **err)
{
    int result = file->ops->truncate(file, to);

    for (uint64_t at = from; result == 0 && at < to && preallocation >= IMAGE_PREALLOCATION_FALLOC;
         at += ALLOCATE_STEP) {
        uint64_t length = MIN(to - at, ALLOCATE_STEP);

        if (!image_step(progress, at - from, to - from, err))
            return false;
        if (preallocation == IMAGE_PREALLOCATION_FALLOC)
            result = file_allocate(file, at, length);
        else
            result = file_write_zero_bytes(file, at, length);
    }
    if (result == 0)
        return true;
    return vmdesk_error_from_errno(err, -result, "Choose a smaller size, or make room",
                                   "Cannot give the image %s %" PRIu64 " bytes", path, to);
}

static bool raw_resize(struct image *image, uint64_t size, unsigned flags,
                       enum image_preallocation preallocation,
                       const struct image_progress *progress, GError **err)
{
    struct file *file = image->file;

    if (!extend(file, file->path, image->size, size, preallocation, progress, err)) {
        if (size > image->size)
            file->ops->truncate(file, image->size);
        return false;
    }
    image_set_size(image, size);
    return true;
}

static bool raw_create(struct file *file, const char *final_path,
                       const struct image_create_options *options,
                       const struct image_progress *progress, GError **err)
{
    if (options->backing != NULL)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The image %s cannot lie on %s, as raw images lie on nothing: use "
                           "qcow2.",
                           final_path, options->backing);
    return extend(file, final_path, 0, options->size, options->preallocation, progress, err);
}

const struct image_ops image_raw = {
    .name = "raw",
    .open = raw_open,
    .read = raw_read,
    .submit = raw_submit,
    .status = raw_status,
    .resize = raw_resize,
    .create = raw_create,
};
