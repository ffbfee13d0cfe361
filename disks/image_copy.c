/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/image_copy.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/text.h"
#include "disks/image_format.h"
#include "disks/image_walk.h"

#define COPY_STEP (2 * 1024 * 1024)

struct copying {
    struct image *source, *target;
    uint64_t cluster; /* compressed clusters of so many bytes; 0: as they are */
};

static bool fail_io(const struct image *image, const char *what, uint64_t offset, int error,
                    GError **err)
{
    return vmdesk_error_from_errno(err, error, NULL, "Cannot %s the image %s at byte %" PRIu64,
                                   what, image->file->path, offset);
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* What reads as zeros and is at least a grain long. */
static bool skip_zeros(struct image *image, uint64_t offset, uint64_t length, uint64_t *ret_skip,
                       GError **err)
{
    struct block_status status;
    uint64_t odd;

    if (!image_status(image, offset, length, &status, err))
        return false;
    odd = status.length < length ? (offset + status.length) % IMAGE_SECTOR_SIZE : 0;
    *ret_skip = 0;
    if ((status.state == BLOCK_UNALLOCATED || status.state == BLOCK_ZERO) && status.length > odd)
        *ret_skip = status.length - odd;
    return true;
}

static bool skip_source(void *opaque, uint64_t offset, uint64_t length, uint64_t *ret_skip,
                        GError **err)
{
    const struct copying *copying = opaque;

    if (!skip_zeros(copying->source, offset, length, ret_skip, err))
        return false;
    /* A piece starts with a cluster. */
    if (copying->cluster > 0 && *ret_skip < length)
        *ret_skip -= MIN(*ret_skip, (offset + *ret_skip) % copying->cluster);
    return true;
}

/* Writes those grains that are not zeros, in as long rows as there are. */
static bool write_grains(struct copying *copying, const uint8_t *buffer, uint64_t offset,
                         uint64_t length, GError **err)
{
    uint64_t start = 0;
    int error = 0;

    for (uint64_t at = 0; at < length && error == 0; at += IMAGE_COPY_GRAIN) {
        uint64_t size = MIN(length - at, IMAGE_COPY_GRAIN);

        if (!is_zero(buffer + at, size))
            continue;
        if (at > start)
            error = image_write(copying->target, buffer + start, offset + start, at - start);
        start = at + size;
    }
    if (error == 0 && start < length)
        error = image_write(copying->target, buffer + start, offset + start, length - start);
    return error == 0 || fail_io(copying->target, "write to", offset, error, err);
}

static bool write_packed(struct copying *copying, const uint8_t *buffer, uint64_t offset,
                         uint64_t length, GError **err)
{
    for (uint64_t at = 0; at < length; at += copying->cluster) {
        uint64_t size = MIN(length - at, copying->cluster);

        if (!is_zero(buffer + at, size) &&
            !image_write_compressed(copying->target, buffer + at, offset + at, size, err))
            return false;
    }
    return true;
}

static bool copy_piece(void *opaque, uint64_t offset, uint64_t length, void *buffer, GError **err)
{
    struct copying *copying = opaque;
    int error = image_read(copying->source, buffer, offset, length);

    if (error != 0)
        return fail_io(copying->source, "read", offset, error, err);
    return copying->cluster > 0 ? write_packed(copying, buffer, offset, length, err)
                                : write_grains(copying, buffer, offset, length, err);
}

/* The clusters that the target is packed by; 0: it is not. */
static bool packed_cluster(struct image *target, bool compress, uint64_t *ret_cluster, GError **err)
{
    struct image_info info;

    *ret_cluster = 0;
    if (!compress)
        return true;
    if (target->ops->write_compressed == NULL)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The format \"%s\" cannot hold compressed data: use qcow2, or do "
                           "without.",
                           target->ops->name);
    if (!image_get_info(target, &info, err))
        return false;
    *ret_cluster = info.cluster_size;
    image_info_clear(&info);
    return true;
}

static bool fill(struct image *source, struct image *target, bool compress,
                 const struct image_progress *progress, GError **err)
{
    struct copying copying = {.source = source, .target = target};
    const struct image_walk walk = {
        .size = source->size,
        .step = COPY_STEP,
        .skip = skip_source,
        .work = copy_piece,
        .buffer_size = COPY_STEP,
        .opaque = &copying,
    };
    int error;

    if (!packed_cluster(target, compress, &copying.cluster, err) ||
        !image_walk(&walk, progress, err))
        return false;
    error = image_flush(target);
    return error == 0 || fail_io(target, "write to", 0, error, err);
}

bool image_convert(struct image *source, const char *path,
                   const struct image_create_options *options, bool compress, struct io_context *io,
                   const struct image_progress *progress, GError **err)
{
    g_autofree char *temporary = g_strdup_printf("%s.%08x.part", path, g_random_int());
    const struct image_options open = {.format = options->format};
    struct image_create_options create = *options;
    struct image *target = NULL;
    struct file *file;
    bool done;

    create.size = source->size;
    create.backing = create.backing_format = NULL;
    if (!image_make(temporary, path, &create, progress, err))
        return false;
    file = file_open(temporary, &(struct file_options){.name = path}, err);
    if (file != NULL)
        target = image_open_file(file, &open, io, err);
    done = target != NULL && fill(source, target, compress, progress, err);
    image_close(target);
    if (done && image_give_name(temporary, path, err))
        return true;
    image_unmake(temporary, path, &create);
    return false;
}

struct comparing {
    struct image *images[2];
    GMutex lock;
    uint64_t first; /* under the lock: where they differ; UINT64_MAX: not yet */
};

/* Both sides' bytes; what lies past the end are zeros. */
static bool read_side(struct image *image, uint64_t offset, uint64_t length, uint8_t *buffer,
                      GError **err)
{
    uint64_t inside = offset < image->size ? MIN(length, image->size - offset) : 0;
    int error = inside > 0 ? image_read(image, buffer, offset, inside) : 0;

    memset(buffer + inside, 0, length - inside);
    return error == 0 || fail_io(image, "read", offset, error, err);
}

/* What both know to be zeros, and everything once they have differed before. */
static bool skip_both(void *opaque, uint64_t offset, uint64_t length, uint64_t *ret_skip,
                      GError **err)
{
    struct comparing *comparing = opaque;
    bool decided;

    g_mutex_lock(&comparing->lock);
    decided = comparing->first < offset;
    g_mutex_unlock(&comparing->lock);
    *ret_skip = length;
    for (int i = 0; i < 2 && *ret_skip > 0 && !decided; i++) {
        struct image *image = comparing->images[i];
        uint64_t inside = offset < image->size ? MIN(length, image->size - offset) : 0, skip = 0;

        if (inside > 0 && !skip_zeros(image, offset, inside, &skip, err))
            return false;
        *ret_skip = MIN(*ret_skip, skip == inside ? length : skip);
    }
    return true;
}

static bool compare_piece(void *opaque, uint64_t offset, uint64_t length, void *buffer,
                          GError **err)
{
    struct comparing *comparing = opaque;
    uint8_t *one = buffer, *other = one + COPY_STEP;
    uint64_t at = 0;

    if (!read_side(comparing->images[0], offset, length, one, err) ||
        !read_side(comparing->images[1], offset, length, other, err))
        return false;
    if (memcmp(one, other, length) == 0)
        return true;
    while (memcmp(one + at, other + at, IMAGE_SECTOR_SIZE) == 0)
        at += IMAGE_SECTOR_SIZE;
    g_mutex_lock(&comparing->lock);
    comparing->first = MIN(comparing->first, offset + at);
    g_mutex_unlock(&comparing->lock);
    return true;
}

bool image_compare(struct image *image, struct image *other, bool *ret_same, uint64_t *ret_offset,
                   const struct image_progress *progress, GError **err)
{
    struct comparing comparing = {.images = {image, other}, .first = UINT64_MAX};
    const struct image_walk walk = {
        .size = MAX(image->size, other->size),
        .step = COPY_STEP,
        .skip = skip_both,
        .work = compare_piece,
        .buffer_size = 2 * COPY_STEP,
        .opaque = &comparing,
    };
    bool done;

    g_mutex_init(&comparing.lock);
    done = image_walk(&walk, progress, err);
    g_mutex_clear(&comparing.lock);
    *ret_same = comparing.first == UINT64_MAX;
    *ret_offset = comparing.first;
    return done;
}

/* Whether anything but zeros lies past the size. */
static bool has_data_past(struct image *image, uint64_t size, bool *ret_data,
                          const struct image_progress *progress, GError **err)
{
    struct block_status status;

    *ret_data = false;
    for (uint64_t at = size; at < image->size && !*ret_data; at += status.length) {
        if (!image_step(progress, at - size, image->size - size, err) ||
            !image_status(image, at, image->size - at, &status, err))
            return false;
        *ret_data = status.state == BLOCK_DATA || status.state == BLOCK_COMPRESSED;
    }
    return true;
}

bool image_resize_keeping(struct image *image, uint64_t size,
                          enum image_preallocation preallocation,
                          const struct image_progress *progress, GError **err)
{
    unsigned flags = 0;
    bool data;

    if (size < image->size) {
        g_autofree char *now = text_format_size(image->size), *then = text_format_size(size);

        if (!has_data_past(image, size, &data, progress, err))
            return false;
        if (data)
            return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                               "The image %s has %s, and data past %s, which would be lost: shrink "
                               "the file system in the guest first, then use \"vmdesk disk resize "
                               "--shrink\".",
                               image->file->path, now, then);
        flags = IMAGE_RESIZE_SHRINK;
    }
    return image_resize(image, size, flags, preallocation, progress, err);
}
