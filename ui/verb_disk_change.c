/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs that change disk images. */
#include <inttypes.h>
#include <stdio.h>

#include "core/error.h"
#include "core/text.h"
#include "ui/disk_verbs.h"
#include "ui/output.h"

/* Whether anything but zeros lies past the size. */
static bool holds_data_past(struct image *image, uint64_t size, bool *ret_data, GError **err)
{
    struct block_status status;

    *ret_data = false;
    for (uint64_t at = size; at < image_size(image) && !*ret_data; at += status.length) {
        if (!image_status(image, at, image_size(image) - at, &status, err))
            return false;
        *ret_data = status.state == BLOCK_DATA || status.state == BLOCK_COMPRESSED;
    }
    return true;
}

static bool resize(const struct verb_call *call, struct image *image, uint64_t size, GError **err)
{
    enum image_preallocation preallocation;
    unsigned flags = verb_has(call, "shrink") ? IMAGE_RESIZE_SHRINK : 0;
    struct disk_progress *progress;
    bool data, done;

    if (!disk_preallocation(call, &preallocation, err))
        return false;
    if (size < image_size(image) && flags == 0) {
        g_autofree char *now = text_format_size(image_size(image));
        g_autofree char *then = text_format_size(size);

        if (!holds_data_past(image, size, &data, err))
            return false;
        if (data)
            return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                               "The image %s has %s, and data past %s, which would be lost: shrink "
                               "the file system in the guest first, then use --shrink.",
                               image_path(image), now, then);
        flags = IMAGE_RESIZE_SHRINK;
    }
    progress = disk_progress_new("Resizing");
    done = image_resize(image, size, flags, preallocation, disk_progress_of(progress), err);
    disk_progress_free(progress);
    return done;
}

bool verb_disk_resize(const struct verb_call *call, GError **err)
{
    const char *path = call->arguments[0], *text = call->arguments[1];
    bool add = text[0] == '+';
    struct disk_image disk;
    uint64_t size;

    if (!disk_parse_size(path, text + add, &size, err) ||
        !disk_open(&disk, call, path, DISK_WRITE, err))
        return false;
    if (add)
        size += image_size(disk.image); /* neither is more than half of what fits */
    return disk_close(&disk, resize(call, disk.image, size, err), err);
}

/* Opens the image for writing, and does long work on it. */
static bool work_on(const struct verb_call *call, const char *what,
                    bool (*work)(struct image *image, const struct image_progress *progress,
                                 GError **err),
                    GError **err)
{
    struct disk_progress *progress;
    struct disk_image disk;
    bool done;

    if (!disk_open(&disk, call, call->arguments[0], DISK_WRITE, err))
        return false;
    progress = disk_progress_new(what);
    done = work(disk.image, disk_progress_of(progress), err);
    disk_progress_free(progress);
    return disk_close(&disk, done, err);
}

bool verb_disk_commit(const struct verb_call *call, GError **err)
{
    return work_on(call, "Committing", image_commit, err);
}

bool verb_disk_flatten(const struct verb_call *call, GError **err)
{
    return work_on(call, "Flattening", image_flatten, err);
}

bool verb_disk_rebase(const struct verb_call *call, GError **err)
{
    const char *path = call->arguments[0], *backing = call->arguments[1];
    bool safe = !verb_has(call, "unsafe");
    const struct image_options options = {
        .format = disk_format(call, "format", path),
        .backing = safe ? IMAGE_BACKING_OPEN : IMAGE_BACKING_IGNORE,
    };
    g_autofree char *stored = disk_stored_name(path, backing);
    struct disk_progress *progress;
    struct disk_image disk;
    bool done;

    if (!disk_open_with(&disk, path, &options, err))
        return false;
    progress = disk_progress_new("Rebasing");
    done = image_rebase(disk.image, stored, disk_format(call, "backing-format", backing), safe,
                        disk_progress_of(progress), err);
    disk_progress_free(progress);
    return disk_close(&disk, done, err);
}

/* What the image takes on this computer. */
static bool allocated(const char *path, const char *format, uint64_t *ret_bytes, GError **err)
{
    const struct image_options options = {.format = format,
                                          .read_only = true,
                                          .backing = IMAGE_BACKING_IGNORE};
    struct image_info info;
    struct disk_image disk;

    if (!disk_open_with(&disk, path, &options, err))
        return false;
    if (!image_get_info(disk.image, &info, err))
        return disk_close(&disk, false, err);
    *ret_bytes = info.allocated;
    image_info_clear(&info);
    return disk_close(&disk, true, err);
}

bool verb_disk_compact(const struct verb_call *call, GError **err)
{
    const char *path = call->arguments[0], *format = disk_format(call, "format", path);
    uint64_t before, after;

    if (!allocated(path, format, &before, err) ||
        !work_on(call, "Compacting", image_compact, err) || !allocated(path, format, &after, err))
        return false;
    if (verb_has(call, "json")) {
        output_json(
            json_pack("{s:I, s:I}", "before", (json_int_t)before, "after", (json_int_t)after));
    } else {
        g_autofree char *was = output_bytes(before), *is = output_bytes(after);

        printf("%s, before %s\n", is, was);
    }
    return true;
}
