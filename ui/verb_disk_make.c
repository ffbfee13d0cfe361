/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs that make disk images. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/error.h"
#include "disks/image_copy.h"
#include "ui/disk_verbs.h"
#include "ui/output.h"

/* qcow2 alone has these. */
static bool check_raw_options(const struct verb_call *call, const char *format, GError **err)
{
    static const char *const options[] = {"cluster-size", "refcount-bits",  "version",
                                          "extended-l2",  "lazy-refcounts", "compression",
                                          "data-file",    "compress"};

    for (size_t i = 0; i < G_N_ELEMENTS(options) && strcmp(format, "raw") == 0; i++)
        if (verb_has(call, options[i]))
            return verb_misused(err,
                                "--%s is for qcow2, and the image is raw: give --%s qcow2, or a "
                                "name that ends in .qcow2",
                                options[i],
                                strcmp(call->verb->name, "disk create") == 0 ? "format"
                                                                             : "target-format");
    return true;
}

bool verb_disk_create(const struct verb_call *call, GError **err)
{
    const char *path = call->arguments[0], *size = call->arguments[1];
    const char *backing = verb_value(call, "backing");
    g_autofree char *stored = backing != NULL ? disk_stored_name(path, backing) : NULL;
    struct image_create_options options = {
        .format = disk_format(call, "format", path),
        .backing = stored,
        .backing_format = backing != NULL ? disk_format(call, "backing-format", backing) : NULL,
        .data_file = verb_value(call, "data-file"),
        .data_file_raw = verb_has(call, "data-file-raw"),
    };
    struct disk_progress *progress;
    bool done;

    if (size == NULL && backing == NULL)
        return verb_misused(err, "Give %s a size, as in \"vmdesk disk create %s 10G\"", path, path);
    if (size != NULL && !disk_parse_size(path, size, &options.size, err))
        return false;
    if (backing == NULL && verb_has(call, "backing-format"))
        return verb_misused(err, "--backing-format says what --backing is: give both");
    if (options.data_file == NULL && options.data_file_raw)
        return verb_misused(err, "--data-file-raw says what --data-file is: give both");
    if (!check_raw_options(call, options.format, err) || !disk_create_options(call, &options, err))
        return false;
    progress = disk_progress_new("Creating");
    done = image_create(path, &options, disk_progress_of(progress), err);
    disk_progress_free(progress);
    return done;
}

static bool check_not_same(const char *source, const char *target, GError **err)
{
    struct stat one, other;

    if (stat(source, &one) < 0 || stat(target, &other) < 0 || one.st_dev != other.st_dev ||
        one.st_ino != other.st_ino)
        return true;
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "%s and %s are the same file: give the new image a name of its own.", source,
                       target);
}

bool verb_disk_convert(const struct verb_call *call, GError **err)
{
    const char *source = call->arguments[0], *target = call->arguments[1];
    struct image_create_options options = {.format = disk_format(call, "target-format", target)};
    struct disk_progress *progress;
    struct disk_image disk;
    bool done;

    if (!check_raw_options(call, options.format, err) ||
        !disk_create_options(call, &options, err) ||
        !disk_open(&disk, call, source, DISK_READ, err))
        return false;
    if (!check_not_same(image_path(disk.image), target, err))
        return disk_close(&disk, false, err);
    progress = disk_progress_new("Converting");
    done = image_convert(disk.image, target, &options, verb_has(call, "compress"), disk.io,
                         disk_progress_of(progress), err);
    disk_progress_free(progress);
    return disk_close(&disk, done, err);
}

bool verb_disk_measure(const struct verb_call *call, GError **err)
{
    const char *path = call->arguments[0], *size = verb_value(call, "size");
    const char *target = verb_value(call, "target-format");
    struct image_create_options options = {.format = target != NULL ? target : "qcow2"};
    struct image_measure measure;
    struct disk_image disk;
    bool done;

    if ((path == NULL) == (size == NULL))
        return verb_misused(err, "Give an IMAGE or a --size, and not both");
    if (size != NULL && !disk_parse_size("--size", size, &options.size, err))
        return false;
    if (!disk_create_options(call, &options, err))
        return false;
    if (path == NULL) {
        done = image_measure(NULL, &options, &measure, err);
    } else {
        if (!disk_open(&disk, call, path, DISK_READ, err))
            return false;
        done = disk_close(&disk, image_measure(disk.image, &options, &measure, err), err);
    }
    if (!done)
        return false;
    if (verb_has(call, "json"))
        output_json(json_pack("{s:I, s:I}", "required", (json_int_t)measure.required,
                              "fully-allocated", (json_int_t)measure.fully_allocated));
    else
        printf("required size: %" PRIu64 "\nfully allocated size: %" PRIu64 "\n", measure.required,
               measure.fully_allocated);
    return true;
}
