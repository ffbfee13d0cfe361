/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/image.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/log.h"
#include "disks/image_format.h"
#include "disks/io_context.h"

static const struct image_ops *const formats[] = {&image_raw};

static const struct image_ops *find_format(const char *name, const char *path, GError **err)
{
    g_autoptr(GString) known = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (g_strcmp0(name, formats[i]->name) == 0)
            return formats[i];
        g_string_append_printf(known, "%s%s", i > 0 ? ", " : "", formats[i]->name);
    }
    vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                "The image %s is said to have the format \"%s\": use one of: %s.", path,
                name != NULL ? name : "", known->str);
    return NULL;
}

struct image *image_open_file(struct file *file, const struct image_options *options,
                              struct io_context *io, GError **err)
{
    const struct image_ops *ops = find_format(options->format, file->path, err);
    struct image *image;

    if (ops == NULL) {
        file_close(file);
        return NULL;
    }
    image = g_new0(struct image, 1);
    *image = (struct image){
        .ops = ops, .file = file, .io = io, .read_only = options->read_only, .refs = 1};
    if (!ops->open(image, err)) {
        file_close(file);
        g_free(image);
        return NULL;
    }
    return image;
}

struct image *image_open(const char *path, const struct image_options *options,
                         struct io_context *io, GError **err)
{
    struct file *file;

    if (find_format(options->format, path, err) == NULL)
        return NULL;
    file = file_open(path, options->read_only, err);
    return file != NULL ? image_open_file(file, options, io, err) : NULL;
}

static void image_unref(struct image *image)
{
    int result;

    if (!g_atomic_int_dec_and_test(&image->refs))
        return;
    if (image->ops->close != NULL)
        image->ops->close(image);
    result = image->read_only ? 0 : image->file->ops->flush(image->file);
    if (result < 0)
        log_error("disks", "Cannot bring the last writes of %s to the disk: %s", image->file->path,
                  g_strerror(-result));
    file_close(image->file);
    g_free(image);
}

void image_close(struct image *image)
{
    if (image != NULL)
        image_unref(image);
}

uint64_t image_size(const struct image *image)
{
    return image->size;
}

bool image_read_only(const struct image *image)
{
    return image->read_only;
}

const char *image_path(const struct image *image)
{
    return image->file->path;
}

static bool iov_has_length(const struct block_request *request)
{
    uint64_t sum = 0;

    if (request->iov_count > IMAGE_REQUEST_MAX_IOV)
        return false;
    for (unsigned i = 0; i < request->iov_count; i++) {
        if (request->iov[i].iov_len > request->length - sum)
            return false;
        sum += request->iov[i].iov_len;
    }
    return sum == request->length;
}

/* 0, or the positive errno of a request that must not reach the format. */
static int check_request(const struct image *image, const struct block_request *request)
{
    bool moves = request->op == BLOCK_READ || request->op == BLOCK_WRITE;

    if (request->op == BLOCK_FLUSH)
        return 0;
    if (!moves && request->op != BLOCK_DISCARD)
        return EINVAL;
    if (request->offset % IMAGE_SECTOR_SIZE != 0 || request->length % IMAGE_SECTOR_SIZE != 0)
        return EINVAL;
    if (request->offset > image->size || request->length > image->size - request->offset)
        return EINVAL;
    if (moves && !iov_has_length(request))
        return EINVAL;
    return request->op != BLOCK_READ && image->read_only ? EROFS : 0;
}

static void complete_refused(void *opaque)
{
    struct block_request *request = opaque;

    image_complete(request, check_request(request->image_private, request));
}

void image_submit(struct image *image, struct block_request *request)
{
    g_atomic_int_inc(&image->refs);
    request->image_private = image;
    if (check_request(image, request) != 0)
        io_context_run(image->io, complete_refused, request);
    else
        image->ops->submit(image, request);
}

void image_complete(struct block_request *request, int error)
{
    /* First, so that who has seen all requests done may count on image_close() to be immediate. */
    image_unref(request->image_private);
    request->done(request, error);
}
