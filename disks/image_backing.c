/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images that lie on others. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "core/error.h"
#include "disks/image_format.h"

static bool refuse_name(struct image *image, const char *name, const char *reason, GError **err)
{
    return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                       "The image %s names \"%s\" as its backing file, %s. If you trust the image, "
                       "give it the file that it needs by rebasing it.",
                       image->file->path, name, reason);
}

bool image_name_is_protocol(const char *name)
{
    const char *colon = strchr(name, ':'), *slash = strchr(name, '/');

    return colon != NULL && (slash == NULL || colon < slash);
}

/* An image comes from anywhere; what it names is opened only if that is plainly a file. */
static bool check_name(struct image *image, const char *name, GError **err)
{
    if (name[0] == '\0')
        return refuse_name(image, name, "which is no name", err);
    if (name[0] == '{' || g_str_has_prefix(name, "json:"))
        return refuse_name(image, name, "which is a description in JSON and not a file", err);
    if (image_name_is_protocol(name))
        return refuse_name(image, name, "which is a protocol and not a file", err);
    return true;
}

char *image_resolve_name(const char *path, const char *name)
{
    g_autofree char *folder = g_path_get_dirname(path);

    if (g_path_is_absolute(name) || strcmp(folder, ".") == 0)
        return g_strdup(name);
    return g_build_filename(folder, name, NULL);
}

/* What is no regular file is not even opened, since that may have effects. */
static bool check_kind(struct image *image, const char *name, const char *path, struct stat *st,
                       GError **err)
{
    if (stat(path, st) < 0)
        return vmdesk_error_from_errno(err, errno, "Put it back, or rebase the image on another",
                                       "The image %s needs its backing file %s", image->file->path,
                                       path);
    if (!S_ISREG(st->st_mode))
        return refuse_name(image, name, "which is not a regular file", err);
    return true;
}

static bool check_loop(struct image *image, const char *path, const struct stat *st, GError **err)
{
    for (struct image *above = image; above != NULL; above = above->above) {
        struct stat other;

        if (above->depth + 1 >= IMAGE_MAX_DEPTH)
            return vmdesk_fail(
                err, VMDESK_ERROR_INVALID,
                "The image %s is the %u. of a chain: flatten one of the chain first.",
                image->file->path, above->depth + 1);
        if (stat(above->file->path, &other) == 0 && other.st_dev == st->st_dev &&
            other.st_ino == st->st_ino)
            return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                               "The image %s has the backing file %s, which lies on that image "
                               "itself: rebase one of them.",
                               image->file->path, path);
    }
    return true;
}

struct image *image_open_backing(struct image *image, const char *name, const char *format,
                                 const struct image_options *options, GError **err)
{
    struct image_options below = {
        .format = format,
        .read_only = true,
        .cache = options->cache,
        .data_file_anywhere = options->data_file_anywhere,
    };
    const struct file_options file_options = {
        .read_only = true,
        .direct = options->cache == IMAGE_CACHE_DIRECT,
    };
    g_autofree char *path = NULL;
    struct file *file;
    struct stat st;

    if (!check_name(image, name, err))
        return NULL;
    path = image_resolve_name(image->file->path, name);
    if (!check_kind(image, name, path, &st, err) || !check_loop(image, path, &st, err))
        return NULL;
    if (format == NULL) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "The image %s does not say which format its backing file %s has, and guessing "
                    "is not safe: rebase it without copying, and give the format.",
                    image->file->path, path);
        return NULL;
    }
    if (image_find_format(format, path, err) == NULL)
        return NULL;
    file = file_open(path, &file_options, err);
    return file != NULL ? image_open_above(file, &below, image->io, image, err) : NULL;
}

/* Zeros into iov, from byte `skip` on. */
static void zero_iov(const struct iovec *iov, unsigned count, uint64_t skip)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t start = MIN(skip, iov[i].iov_len);

        if (iov[i].iov_len > start)
            memset((char *)iov[i].iov_base + start, 0, iov[i].iov_len - start);
        skip -= start;
    }
}

int image_read_backing(struct image *image, const struct iovec *iov, unsigned count,
                       uint64_t offset)
{
    struct image *backing = image->backing;
    g_autofree struct iovec *part = NULL;
    uint64_t length = 0, inside;

    for (unsigned i = 0; i < count; i++)
        length += iov[i].iov_len;
    inside = backing == NULL || offset >= backing->size ? 0 : MIN(length, backing->size - offset);
    if (inside == length && backing != NULL)
        return backing->ops->read(backing, iov, count, offset);
    zero_iov(iov, count, inside);
    if (inside == 0)
        return 0;
    length = 0;
    part = g_new(struct iovec, count);
    for (unsigned i = 0; i < count; i++) {
        part[i] = iov[i];
        part[i].iov_len = MIN(iov[i].iov_len, inside - length);
        length += part[i].iov_len;
    }
    return backing->ops->read(backing, part, count, offset);
}

int image_backing_status(struct image *image, uint64_t offset, uint64_t length, bool *ret_data,
                         uint64_t *ret_length)
{
    struct image *backing = image->backing;
    struct block_status status = {.length = length};

    for (; backing != NULL && offset < backing->size; backing = backing->backing) {
        int result;

        length = MIN(length, backing->size - offset);
        status = (struct block_status){.host_path = backing->file->path};
        result = backing->ops->status(backing, offset, length, &status);
        if (result < 0)
            return result;
        length = CLAMP(status.length, 1, length);
        if (status.state != BLOCK_UNALLOCATED)
            break;
    }
    *ret_data = status.state == BLOCK_DATA || status.state == BLOCK_COMPRESSED;
    *ret_length = length;
    return 0;
}
