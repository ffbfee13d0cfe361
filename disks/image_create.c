/* SPDX-License-Identifier: GPL-2.0-or-later */
/* New images appear under their name when they are complete. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "disks/image_format.h"

bool image_name_is_free(const char *path, GError **err)
{
    g_autofree char *folder = g_path_get_dirname(path);
    struct stat st;

    if (lstat(path, &st) < 0 && errno != ENOENT)
        return vmdesk_error_from_errno(err, errno, NULL, "Cannot create the image %s", path);
    if (lstat(path, &st) < 0)
        return g_file_test(folder, G_FILE_TEST_IS_DIR) ||
               vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                           "Cannot create the image %s: there is no folder %s. Make it first, or "
                           "choose another.",
                           path, folder);
    return vmdesk_fail(err, VMDESK_ERROR_EXISTS,
                       "There is a file %s already: choose another name, or remove it first.",
                       path);
}

static bool sync_folder_of(const char *path, GError **err)
{
    g_autofree char *folder = g_path_get_dirname(path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;

    if (!done)
        vmdesk_error_from_errno(err, errno, NULL, "Cannot write the folder %s", folder);
    if (fd >= 0)
        close(fd);
    return done;
}

bool image_give_name(const char *temporary, const char *path, GError **err)
{
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return sync_folder_of(path, err);
    /* A file system without the flag: a link does not replace either. */
    if (errno == EINVAL && link(temporary, path) == 0) {
        unlink(temporary);
        return sync_folder_of(path, err);
    }
    return vmdesk_error_from_errno(err, errno,
                                   errno == EEXIST ? "Choose another name, or remove it first"
                                                   : NULL,
                                   "Cannot create the image %s", path);
}

static bool check_size(const char *path, const struct image_create_options *options, GError **err)
{
    if (options->size % IMAGE_SECTOR_SIZE == 0 && options->size <= IMAGE_MAX_SIZE &&
        (options->size > 0 || options->backing != NULL))
        return true;
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "The image %s cannot have %" PRIu64 " bytes: give a multiple of %d, at "
                       "most %" PRIu64 ".",
                       path, options->size, IMAGE_SECTOR_SIZE, IMAGE_MAX_SIZE);
}

bool image_make(const char *temporary, const char *path, const struct image_create_options *options,
                const struct image_progress *progress, GError **err)
{
    const struct image_ops *ops = image_find_format(options->format, path, err);
    struct file *file;
    bool done;
    int result;

    if (ops == NULL || !check_size(path, options, err) || !image_name_is_free(path, err))
        return false;
    if (ops->create == NULL)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The image %s cannot be made: the format \"%s\" can only be read. Use "
                           "qcow2 or raw.",
                           path, ops->name);
    file = file_create(temporary, path, err);
    if (file == NULL)
        return false;
    done = ops->create(file, path, options, progress, err);
    result = done ? file->ops->flush(file) : 0;
    file_close(file);
    if (result < 0)
        done = vmdesk_error_from_errno(err, -result, NULL, "Cannot write the image %s", path);
    if (result < 0)
        image_unmake(temporary, path, options);
    else if (!done)
        unlink(temporary);
    return done;
}

void image_unmake(const char *temporary, const char *path,
                  const struct image_create_options *options)
{
    unlink(temporary);
    if (options->data_file != NULL) {
        g_autofree char *data_path = image_resolve_name(path, options->data_file);

        unlink(data_path);
    }
}

bool image_create(const char *path, const struct image_create_options *options,
                  const struct image_progress *progress, GError **err)
{
    g_autofree char *temporary = g_strdup_printf("%s.%08x.new", path, g_random_int());

    if (!image_make(temporary, path, options, progress, err))
        return false;
    if (image_give_name(temporary, path, err))
        return true;
    image_unmake(temporary, path, options);
    return false;
}
