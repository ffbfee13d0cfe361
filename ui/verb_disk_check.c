/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs that examine disk images. */
#include <inttypes.h>
#include <stdio.h>

#include "core/error.h"
#include "disks/image_copy.h"
#include "ui/disk_verbs.h"
#include "ui/output.h"

bool verb_disk_compare(const struct verb_call *call, GError **err)
{
    const char *path = call->arguments[0], *other_path = call->arguments[1];
    const struct image_options options = {.format = verb_value(call, "other-format")};
    struct disk_image disk, other;
    struct disk_progress *progress;
    uint64_t offset;
    bool done, same;

    if (!disk_open(&disk, call, path, DISK_READ, err))
        return false;
    if (!disk_open_with(&other, call, other_path, DISK_READ, &options, err))
        return disk_close(&disk, false, err);
    progress = disk_progress_new("Comparing");
    done = image_compare(disk.image, other.image, &same, &offset, disk_progress_of(progress), err);
    disk_progress_free(progress);
    done = disk_close(&other, disk_close(&disk, done, err), err);
    if (done && verb_has(call, "json"))
        output_json(same ? json_pack("{s:b}", "same", 1)
                         : json_pack("{s:b, s:I}", "same", 0, "offset", (json_int_t)offset));
    if (!done || same)
        return done;
    return vmdesk_fail(err, VMDESK_ERROR_INVALID, "%s and %s differ at byte %" PRIu64 ".", path,
                       other_path, offset);
}

static json_t *result_json(const struct image_check_result *result)
{
    json_t *messages = json_array();

    for (guint i = 0; i < result->messages->len; i++)
        json_array_append_new(messages, output_string(result->messages->pdata[i]));
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "leaks",
                     (json_int_t)result->leaks, "corruptions", (json_int_t)result->corruptions,
                     "check-errors", (json_int_t)result->errors, "leaks-fixed",
                     (json_int_t)result->leaks_fixed, "corruptions-fixed",
                     (json_int_t)result->corruptions_fixed, "total-clusters",
                     (json_int_t)result->total_clusters, "allocated-clusters",
                     (json_int_t)result->allocated_clusters, "compressed-clusters",
                     (json_int_t)result->compressed_clusters, "fragmented-clusters",
                     (json_int_t)result->fragmented_clusters, "image-end-offset",
                     (json_int_t)result->image_end, "messages", messages);
}

static void print_result(const struct image_check_result *result)
{
    for (guint i = 0; i < result->messages->len; i++) {
        output_text(result->messages->pdata[i]);
        putchar('\n');
    }
    if (result->leaks_fixed > 0 || result->corruptions_fixed > 0)
        printf("put right: %" PRIu64 " leaked clusters, %" PRIu64 " corruptions\n",
               result->leaks_fixed, result->corruptions_fixed);
    printf("%" PRIu64 " of %" PRIu64 " clusters are in use, %" PRIu64 " of them compressed\n",
           result->allocated_clusters, result->total_clusters, result->compressed_clusters);
}

/* What is left wrong is a failure. */
static bool judge(const char *path, const struct image_check_result *result, GError **err)
{
    if (result->errors > 0)
        return vmdesk_fail(err, VMDESK_ERROR_IO,
                           "The check of %s is not complete: %" PRIu64 " places could not be read.",
                           path, result->errors);
    if (result->corruptions > 0)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The image %s is damaged in %" PRIu64 " places: make a copy of the "
                           "file, then use --repair.",
                           path, result->corruptions);
    if (result->leaks > 0)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The image %s has %" PRIu64 " clusters that nothing uses, which only "
                           "cost room: --leaks gives them back.",
                           path, result->leaks);
    return true;
}

bool verb_disk_check(const struct verb_call *call, GError **err)
{
    const char *path = call->arguments[0];
    unsigned flags = verb_has(call, "repair")  ? IMAGE_REPAIR_LEAKS | IMAGE_REPAIR_ERRORS
                     : verb_has(call, "leaks") ? IMAGE_REPAIR_LEAKS
                                               : 0;
    const struct image_options options = {
        .format = verb_value(call, "format"),
        .backing = IMAGE_BACKING_IGNORE,
        .as_it_is = true,
    };
    struct image_check_result result;
    struct disk_progress *progress;
    struct disk_image disk;
    bool done;

    if (!disk_open_with(&disk, call, path, flags != 0 ? DISK_WRITE : DISK_READ, &options, err))
        return false;
    progress = disk_progress_new("Checking");
    done = image_check(disk.image, flags, &result, disk_progress_of(progress), err);
    disk_progress_free(progress);
    if (!done)
        return disk_close(&disk, false, err);
    if (verb_has(call, "json"))
        output_json(result_json(&result));
    else
        print_result(&result);
    done = disk_close(&disk, judge(path, &result, err), err);
    image_check_result_clear(&result);
    return done;
}
