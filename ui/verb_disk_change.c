/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs that change disk images. */
#include <inttypes.h>
#include <stdio.h>

#include "core/error.h"
#include "disks/image_copy.h"
#include "ui/disk_verbs.h"
#include "ui/output.h"
#include "ui/remote.h"

static bool resize(const struct verb_call *call, struct image *image, uint64_t size, GError **err)
{
    enum image_preallocation preallocation;
    struct disk_progress *progress;
    bool done;

    if (!disk_preallocation(call, &preallocation, err))
        return false;
    progress = disk_progress_new("Resizing");
    if (verb_has(call, "shrink"))
        done = image_resize(image, size, IMAGE_RESIZE_SHRINK, preallocation,
                            disk_progress_of(progress), err);
    else
        done = image_resize_keeping(image, size, preallocation, disk_progress_of(progress), err);
    disk_progress_free(progress);
    return done;
}

/* The disk of a running machine: its engine makes it larger. */
static bool resize_live(const struct verb_call *call, struct disk_live *live, uint64_t size,
                        bool add, GError **err)
{
    struct disk_progress *progress;
    json_t *images;
    bool done;

    if (verb_has(call, "shrink") || verb_value(call, "preallocation") != NULL)
        return vmdesk_fail(err, VMDESK_ERROR_BUSY,
                           "The machine of %s is running: --shrink and --preallocation are for "
                           "disks of machines that are off.",
                           call->arguments[0]);
    images = disk_live_query(live, "query-block-image", err);
    if (images == NULL)
        return false;
    if (add)
        size += remote_integer(json_array_get(images, 0), "virtual-size");
    json_decref(images);
    progress = disk_progress_new("Resizing");
    done = disk_live_run(live, "block_resize", json_pack("{s:I}", "size", (json_int_t)size),
                         disk_progress_of(progress), err);
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
        !disk_open(&disk, call, path, DISK_WRITE | DISK_LIVE, err))
        return false;
    if (disk.live != NULL)
        return disk_close(&disk, resize_live(call, disk.live, size, add, err), err);
    if (add)
        size += image_size(disk.image); /* neither is more than half of what fits */
    return disk_close(&disk, resize(call, disk.image, size, err), err);
}

/* Opens the image for writing, and does long work on it; command does it for the disk of a running
 * machine, and is NULL where that cannot be. */
static bool work_on(const struct verb_call *call, const char *what,
                    bool (*work)(struct image *image, const struct image_progress *progress,
                                 GError **err),
                    const char *command, GError **err)
{
    struct disk_progress *progress;
    struct disk_image disk;
    bool done;

    if (!disk_open(&disk, call, call->arguments[0],
                   command != NULL ? DISK_WRITE | DISK_LIVE : DISK_WRITE, err))
        return false;
    progress = disk_progress_new(what);
    done = disk.live != NULL
               ? disk_live_run(disk.live, command, NULL, disk_progress_of(progress), err)
               : work(disk.image, disk_progress_of(progress), err);
    disk_progress_free(progress);
    return disk_close(&disk, done, err);
}

bool verb_disk_commit(const struct verb_call *call, GError **err)
{
    return work_on(call, "Committing", image_commit, "block-commit", err);
}

bool verb_disk_flatten(const struct verb_call *call, GError **err)
{
    return work_on(call, "Flattening", image_flatten, "block-stream", err);
}

bool verb_disk_rebase(const struct verb_call *call, GError **err)
{
    const char *backing = call->arguments[1];
    bool safe = !verb_has(call, "unsafe");
    const struct image_options options = {
        .format = verb_value(call, "format"),
        .backing = safe ? IMAGE_BACKING_OPEN : IMAGE_BACKING_IGNORE,
    };
    g_autofree char *stored = NULL;
    struct disk_progress *progress;
    struct disk_image disk;
    bool done;

    if (!disk_open_with(&disk, call, call->arguments[0], DISK_WRITE, &options, err))
        return false;
    stored = disk_stored_name(image_path(disk.image), backing);
    progress = disk_progress_new("Rebasing");
    done = image_rebase(disk.image, stored, disk_format(call, "backing-format", backing), safe,
                        disk_progress_of(progress), err);
    disk_progress_free(progress);
    return disk_close(&disk, done, err);
}

/* What the image takes on this computer. */
static bool allocated(const struct verb_call *call, uint64_t *ret_bytes, GError **err)
{
    const struct image_options options = {.format = verb_value(call, "format"),
                                          .backing = IMAGE_BACKING_IGNORE};
    struct image_info info;
    struct disk_image disk;

    if (!disk_open_with(&disk, call, call->arguments[0], DISK_READ, &options, err))
        return false;
    if (!image_get_info(disk.image, &info, err))
        return disk_close(&disk, false, err);
    *ret_bytes = info.allocated;
    image_info_clear(&info);
    return disk_close(&disk, true, err);
}

bool verb_disk_compact(const struct verb_call *call, GError **err)
{
    uint64_t before, after;

    if (!allocated(call, &before, err) || !work_on(call, "Compacting", image_compact, NULL, err) ||
        !allocated(call, &after, err))
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
