/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done to images besides reading and writing: checks what the formats may count on, and
 * says what a format cannot do. */
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "core/error.h"
#include "disks/image_format.h"

#define STAT_BLOCK_SIZE 512 /* stat(2) */

static bool cannot(struct image *image, const char *what, GError **err)
{
    return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                       "The image %s has the format \"%s\", which cannot %s: convert it to qcow2.",
                       image->file->path, image->ops->name, what);
}

static bool needs_writing(struct image *image, GError **err)
{
    if (!image->read_only)
        return true;
    return vmdesk_fail(err, VMDESK_ERROR_PERMISSION,
                       "The image %s is open for reading only: it cannot be changed.",
                       image->file->path);
}

bool image_step(const struct image_progress *progress, uint64_t done, uint64_t total, GError **err)
{
    if (progress == NULL || progress->step == NULL ||
        progress->step(progress->opaque, MIN(done, total), total))
        return true;
    return vmdesk_fail(err, VMDESK_ERROR_CANCELLED, "Stopped as asked.");
}

bool image_status_here(struct image *image, uint64_t offset, uint64_t length,
                       struct block_status *ret_status, GError **err)
{
    struct block_status status = {.host_path = image->file->path};
    int result;

    if (length == 0 || offset >= image->size || length > image->size - offset)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The image %s has %" PRIu64 " bytes: there is nothing at %" PRIu64 ".",
                           image->file->path, image->size, offset);
    result = image->ops->status(image, offset, length, &status);
    if (result < 0)
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot read the tables of the image %s",
                                       image->file->path);
    status.length = CLAMP(status.length, 1, length);
    *ret_status = status;
    return true;
}

bool image_status(struct image *image, uint64_t offset, uint64_t length,
                  struct block_status *ret_status, GError **err)
{
    unsigned depth = 0;

    for (;; depth++) {
        if (!image_status_here(image, offset, length, ret_status, err))
            return false;
        ret_status->depth = depth;
        length = ret_status->length;
        if (ret_status->state != BLOCK_UNALLOCATED || image->backing == NULL)
            return true;
        image = image->backing;
        if (offset >= image->size) {
            *ret_status = (struct block_status){.length = length,
                                                .host_path = image->file->path,
                                                .depth = depth + 1};
            return true;
        }
        length = MIN(length, image->size - offset);
    }
}

bool image_get_info(struct image *image, struct image_info *ret_info, GError **err)
{
    struct image_info info = {
        .format = image->ops->name,
        .virtual_size = image_size(image),
        .details = g_ptr_array_new(),
    };
    struct stat st;
    int result = image->file->ops->size(image->file, &info.file_size);

    if (result < 0) {
        g_ptr_array_unref(info.details);
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot tell the size of the image %s",
                                       image->file->path);
    }
    info.allocated = info.file_size;
    if (stat(image->file->path, &st) == 0 && S_ISREG(st.st_mode))
        info.allocated = (uint64_t)st.st_blocks * STAT_BLOCK_SIZE;
    if (image->ops->get_info != NULL && !image->ops->get_info(image, &info, err)) {
        image_info_clear(&info);
        return false;
    }
    *ret_info = info;
    return true;
}

void image_info_clear(struct image_info *info)
{
    for (guint i = 0; info->details != NULL && i < info->details->len; i++) {
        struct image_detail *detail = info->details->pdata[i];

        g_free(detail->value);
        g_free(detail);
    }
    g_clear_pointer(&info->details, g_ptr_array_unref);
    g_clear_pointer(&info->backing_name, g_free);
    g_clear_pointer(&info->backing_path, g_free);
    g_clear_pointer(&info->backing_format, g_free);
}

void image_info_add_detail(struct image_info *info, const char *name, const char *value, ...)
{
    struct image_detail *detail = g_new(struct image_detail, 1);
    va_list ap;

    va_start(ap, value);
    *detail = (struct image_detail){name, g_strdup_vprintf(value, ap)};
    va_end(ap);
    g_ptr_array_add(info->details, detail);
}

bool image_resize(struct image *image, uint64_t size, unsigned flags,
                  enum image_preallocation preallocation, const struct image_progress *progress,
                  GError **err)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&image->manage);

    if (!needs_writing(image, err))
        return false;
    if (image->ops->resize == NULL)
        return cannot(image, "be given another size", err);
    if (size == 0 || size % IMAGE_SECTOR_SIZE != 0 || size > IMAGE_MAX_SIZE)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The image %s cannot have %" PRIu64 " bytes: give a multiple of %d, at "
                           "most %" PRIu64 ".",
                           image->file->path, size, IMAGE_SECTOR_SIZE, IMAGE_MAX_SIZE);
    if (size < image->size && !(flags & IMAGE_RESIZE_SHRINK))
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The image %s has %" PRIu64 " bytes: with %" PRIu64 " the guest would "
                           "lose what lies past that. Ask for shrinking if you mean it.",
                           image->file->path, image->size, size);
    return size == image->size ||
           image->ops->resize(image, size, flags, preallocation, progress, err);
}

static void free_snapshot(void *opaque)
{
    struct image_snapshot *snapshot = opaque;

    g_free(snapshot->id);
    g_free(snapshot->name);
    g_free(snapshot);
}

GPtrArray *image_snapshots(struct image *image, GError **err)
{
    GPtrArray *snapshots;

    if (image->ops->snapshots == NULL)
        return g_ptr_array_new_with_free_func(free_snapshot);
    snapshots = image->ops->snapshots(image, err);
    if (snapshots != NULL)
        g_ptr_array_set_free_func(snapshots, free_snapshot);
    return snapshots;
}

bool image_snapshot_create(struct image *image, const struct image_snapshot *description,
                           GError **err)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&image->manage);

    if (image->ops->snapshot_create == NULL)
        return cannot(image, "hold snapshots", err);
    return needs_writing(image, err) && image->ops->snapshot_create(image, description, err);
}

bool image_snapshot_apply(struct image *image, const char *snapshot, GError **err)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&image->manage);

    if (image->ops->snapshot_apply == NULL)
        return cannot(image, "hold snapshots", err);
    return needs_writing(image, err) && image->ops->snapshot_apply(image, snapshot, err);
}

bool image_snapshot_delete(struct image *image, const char *snapshot, GError **err)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&image->manage);

    if (image->ops->snapshot_delete == NULL)
        return cannot(image, "hold snapshots", err);
    return needs_writing(image, err) && image->ops->snapshot_delete(image, snapshot, err);
}

bool image_snapshot_rename(struct image *image, const char *snapshot, const char *name,
                           GError **err)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&image->manage);

    if (image->ops->snapshot_rename == NULL)
        return cannot(image, "hold snapshots", err);
    return needs_writing(image, err) && image->ops->snapshot_rename(image, snapshot, name, err);
}

bool image_check(struct image *image, unsigned flags, struct image_check_result *ret_result,
                 const struct image_progress *progress, GError **err)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&image->manage);
    struct image_check_result result = {.messages = NULL};

    if (image->ops->check == NULL)
        return cannot(image, "be checked", err);
    if (flags != 0 && !needs_writing(image, err))
        return false;
    result.messages = g_ptr_array_new_with_free_func(g_free);
    if (!image->ops->check(image, flags, &result, progress, err)) {
        image_check_result_clear(&result);
        return false;
    }
    *ret_result = result;
    return true;
}

void image_check_result_clear(struct image_check_result *result)
{
    g_clear_pointer(&result->messages, g_ptr_array_unref);
}

void image_check_add_message(struct image_check_result *result, const char *message, ...)
{
    va_list ap;

    if (result->messages->len >= IMAGE_CHECK_MAX_MESSAGES)
        return;
    va_start(ap, message);
    g_ptr_array_add(result->messages, g_strdup_vprintf(message, ap));
    va_end(ap);
}

static bool needs_backing(struct image *image, GError **err)
{
    if (image->backing != NULL)
        return true;
    return vmdesk_fail(err, VMDESK_ERROR_INVALID, "The image %s has no backing file.",
                       image->file->path);
}

bool image_commit(struct image *image, const struct image_progress *progress, GError **err)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&image->manage);

    if (image->ops->commit == NULL)
        return cannot(image, "lie on another image", err);
    return needs_writing(image, err) && needs_backing(image, err) &&
           image->ops->commit(image, progress, err);
}

bool image_flatten(struct image *image, const struct image_progress *progress, GError **err)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&image->manage);

    if (image->ops->flatten == NULL)
        return cannot(image, "lie on another image", err);
    return needs_writing(image, err) && needs_backing(image, err) &&
           image->ops->flatten(image, progress, err);
}

bool image_rebase(struct image *image, const char *backing, const char *backing_format, bool safe,
                  const struct image_progress *progress, GError **err)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&image->manage);

    if (image->ops->rebase == NULL)
        return cannot(image, "lie on another image", err);
    return needs_writing(image, err) &&
           image->ops->rebase(image, backing, backing_format, safe, progress, err);
}

bool image_write_compressed(struct image *image, const void *buffer, uint64_t offset,
                            uint64_t length, GError **err)
{
    if (image->ops->write_compressed == NULL)
        return cannot(image, "hold compressed data", err);
    if (offset >= image->size || length == 0 || length > image->size - offset)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID, "The image %s has no %" PRIu64 " bytes.",
                           image->file->path, offset);
    return needs_writing(image, err) &&
           image->ops->write_compressed(image, buffer, offset, length, err);
}

bool image_compact(struct image *image, const struct image_progress *progress, GError **err)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&image->manage);

    if (image->ops->compact == NULL)
        return cannot(image, "be compacted", err);
    return needs_writing(image, err) && image->ops->compact(image, progress, err);
}
