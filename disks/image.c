/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/image.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/log.h"
#include "disks/image_format.h"
#include "disks/io_context.h"

static const struct image_ops *const formats[] = {&image_raw, &image_qcow2, &image_vmdk,
                                                  &image_vdi, &image_vhd,   &image_vhdx};

const struct image_ops *image_find_format(const char *name, const char *path, GError **err)
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

static void image_free(struct image *image)
{
    image_close(image->backing);
    file_close(image->file);
    g_mutex_clear(&image->manage);
    g_free(image);
}

struct image *image_open_above(struct file *file, const struct image_options *options,
                               struct io_context *io, struct image *above, GError **err)
{
    const struct image_ops *ops = image_find_format(options->format, file->path, err);
    struct image *image;

    if (ops == NULL) {
        file_close(file);
        return NULL;
    }
    image = g_new0(struct image, 1);
    *image = (struct image){
        .ops = ops,
        .file = file,
        .io = io,
        .above = above,
        .depth = above != NULL ? above->depth + 1 : 0,
        .read_only = options->read_only,
        .cache = options->cache,
        .refs = 1,
    };
    g_mutex_init(&image->manage);
    if (!options->read_only && ops->submit == NULL) {
        vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                    "The image %s has the format \"%s\", which can only be read: attach it "
                    "read-only, or convert it.",
                    file->path, ops->name);
        image_free(image);
        return NULL;
    }
    if (!ops->open(image, options, err)) {
        image_free(image);
        return NULL;
    }
    return image;
}

struct image *image_open_file(struct file *file, const struct image_options *options,
                              struct io_context *io, GError **err)
{
    return image_open_above(file, options, io, NULL, err);
}

struct image *image_open(const char *path, const struct image_options *options,
                         struct io_context *io, GError **err)
{
    const struct file_options file_options = {
        .read_only = options->read_only,
        .direct = options->cache == IMAGE_CACHE_DIRECT,
    };
    struct file *file;

    if (image_find_format(options->format, path, err) == NULL)
        return NULL;
    file = file_open(path, &file_options, err);
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
    image_free(image);
}

void image_close(struct image *image)
{
    if (image != NULL)
        image_unref(image);
}

uint64_t image_size(const struct image *image)
{
    return __atomic_load_n(&image->size, __ATOMIC_RELAXED);
}

void image_set_size(struct image *image, uint64_t size)
{
    __atomic_store_n(&image->size, size, __ATOMIC_RELAXED);
}

bool image_read_only(const struct image *image)
{
    return image->read_only;
}

const char *image_path(const struct image *image)
{
    return image->file->path;
}

const char *image_format(const struct image *image)
{
    return image->ops->name;
}

struct image *image_backing(const struct image *image)
{
    return image->backing;
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
    uint64_t size = image_size(image);

    if (request->op == BLOCK_FLUSH)
        return 0;
    if (!moves && request->op != BLOCK_DISCARD && request->op != BLOCK_WRITE_ZEROES)
        return EINVAL;
    if (request->offset % IMAGE_SECTOR_SIZE != 0 || request->length % IMAGE_SECTOR_SIZE != 0)
        return EINVAL;
    if (request->offset > size || request->length > size - request->offset)
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

static void run_read(void *opaque)
{
    struct block_request *request = opaque;
    struct image *image = request->image_private;
    int result = 0;

    if (request->op == BLOCK_READ)
        result = image->ops->read(image, request->iov, request->iov_count, request->offset);
    image_complete(request, -result);
}

void image_submit(struct image *image, struct block_request *request)
{
    g_atomic_int_inc(&image->refs);
    request->image_private = image;
    if (check_request(image, request) != 0)
        io_context_run(image->io, complete_refused, request);
    else if (image->ops->submit != NULL)
        image->ops->submit(image, request);
    else
        io_context_run(image->io, run_read, request);
}

void image_complete(struct block_request *request, int error)
{
    /* First, so that who has seen all requests done may count on image_close() to be immediate. */
    image_unref(request->image_private);
    request->done(request, error);
}

/* A request that is waited for. */
struct waiting {
    GMutex lock;
    GCond changed;
    bool done;
    int error;
};

static void wake(struct block_request *request, int error)
{
    struct waiting *waiting = request->opaque;

    g_mutex_lock(&waiting->lock);
    waiting->done = true;
    waiting->error = error;
    g_cond_signal(&waiting->changed);
    g_mutex_unlock(&waiting->lock);
}

int image_run(struct image *image, struct block_request *request)
{
    struct waiting waiting = {.done = false};

    g_mutex_init(&waiting.lock);
    g_cond_init(&waiting.changed);
    request->done = wake;
    request->opaque = &waiting;
    image_submit(image, request);
    g_mutex_lock(&waiting.lock);
    while (!waiting.done)
        g_cond_wait(&waiting.changed, &waiting.lock);
    g_mutex_unlock(&waiting.lock);
    g_cond_clear(&waiting.changed);
    g_mutex_clear(&waiting.lock);
    return waiting.error;
}

static int run_buffer(struct image *image, enum block_op op, void *buffer, uint64_t offset,
                      uint64_t length)
{
    const struct iovec iov = {buffer, length};
    struct block_request request = {
        .op = op,
        .offset = offset,
        .length = length,
        .iov = &iov,
        .iov_count = buffer != NULL ? 1 : 0,
    };

    return image_run(image, &request);
}

int image_read(struct image *image, void *buffer, uint64_t offset, uint64_t length)
{
    return run_buffer(image, BLOCK_READ, buffer, offset, length);
}

int image_write(struct image *image, const void *buffer, uint64_t offset, uint64_t length)
{
    return run_buffer(image, BLOCK_WRITE, (void *)buffer, offset, length);
}

int image_flush(struct image *image)
{
    return run_buffer(image, BLOCK_FLUSH, NULL, 0, 0);
}
