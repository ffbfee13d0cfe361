/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs that show what is in a disk image. */
#include <inttypes.h>
#include <stdio.h>

#include "ui/disk_snapshots.h"
#include "ui/disk_verbs.h"
#include "ui/output.h"

static json_t *info_json(struct image *image, const struct image_info *info, GError **err)
{
    g_autoptr(GPtrArray) snapshots = image_snapshots(image, err);
    json_t *details, *object;

    if (snapshots == NULL)
        return NULL;
    details = json_object();
    for (guint i = 0; i < info->details->len; i++) {
        const struct image_detail *detail = info->details->pdata[i];

        json_object_set_new(details, detail->name, output_string(detail->value));
    }
    object = json_pack("{s:o, s:s, s:I, s:I, s:I}", "filename", output_string(image_path(image)),
                       "format", info->format, "virtual-size", (json_int_t)info->virtual_size,
                       "file-size", (json_int_t)info->file_size, "actual-size",
                       (json_int_t)info->allocated);
    if (info->cluster_size > 0)
        json_object_set_new(object, "cluster-size", json_integer(info->cluster_size));
    if (info->backing_name != NULL) {
        json_object_set_new(object, "backing-filename", output_string(info->backing_name));
        json_object_set_new(object, "full-backing-filename", output_string(info->backing_path));
        json_object_set_new(object, "backing-filename-format", output_string(info->backing_format));
    }
    json_object_set_new(object, "dirty-flag", json_boolean(info->dirty));
    json_object_set_new(object, "corrupt", json_boolean(info->corrupt));
    json_object_set_new(object, "details", details);
    json_object_set_new(object, "snapshots", disk_snapshots_json(snapshots));
    return object;
}

static void print_line(const char *label, const char *value)
{
    printf("%-16s ", label);
    output_text(value);
    putchar('\n');
}

static void print_bytes(const char *label, uint64_t bytes)
{
    g_autofree char *shown = output_bytes(bytes);

    printf("%-16s %s (%" PRIu64 " bytes)\n", label, shown, bytes);
}

static bool print_info(struct image *image, const struct image_info *info, GError **err)
{
    g_autoptr(GPtrArray) snapshots = image_snapshots(image, err);

    if (snapshots == NULL)
        return false;
    print_line("image", image_path(image));
    print_line("format", info->format);
    print_bytes("size of the disk", info->virtual_size);
    print_bytes("on this computer", info->allocated);
    if (info->cluster_size > 0)
        print_bytes("cluster", info->cluster_size);
    if (info->backing_name != NULL) {
        print_line("lies on", info->backing_path);
        print_line("its format", info->backing_format != NULL ? info->backing_format : "not told");
    }
    for (guint i = 0; i < info->details->len; i++) {
        const struct image_detail *detail = info->details->pdata[i];

        print_line(detail->name, detail->value);
    }
    if (info->dirty)
        print_line("state", "was not closed well");
    if (info->corrupt)
        print_line("state", "marked as corrupt: run \"vmdesk disk check --repair\"");
    if (snapshots->len > 0)
        disk_snapshots_print(snapshots);
    return true;
}

static bool show(struct image *image, json_t *array, GError **err)
{
    struct image_info info;
    json_t *object;
    bool done;

    if (!image_get_info(image, &info, err))
        return false;
    if (array == NULL) {
        done = print_info(image, &info, err);
    } else {
        object = info_json(image, &info, err);
        done = object != NULL;
        if (done)
            json_array_append_new(array, object);
    }
    image_info_clear(&info);
    return done;
}

bool verb_disk_info(const struct verb_call *call, GError **err)
{
    bool chain = verb_has(call, "chain");
    const struct image_options options = {
        .format = disk_format(call, "format", call->arguments[0]),
        .read_only = true,
        .backing = chain ? IMAGE_BACKING_OPEN : IMAGE_BACKING_IGNORE,
    };
    json_t *array = verb_has(call, "json") ? json_array() : NULL;
    struct disk_image disk;
    bool done = disk_open_with(&disk, call->arguments[0], &options, err);

    if (done) {
        struct image *image = disk.image;

        for (; done && image != NULL; image = chain ? image_backing(image) : NULL) {
            if (array == NULL && image != disk.image)
                putchar('\n');
            done = show(image, array, err);
        }
        done = disk_close(&disk, done, err);
    }
    if (done && array != NULL)
        output_json(chain ? json_incref(array) : json_incref(json_array_get(array, 0)));
    json_decref(array);
    return done;
}

static const char *state_name(enum block_state state)
{
    static const char *const names[] = {"unallocated", "zero", "data", "compressed"};

    return names[state];
}

static json_t *status_json(uint64_t at, const struct block_status *status)
{
    json_t *object =
        json_pack("{s:I, s:I, s:s, s:i, s:o}", "start", (json_int_t)at, "length",
                  (json_int_t)status->length, "state", state_name(status->state), "depth",
                  (int)status->depth, "filename", output_string(status->host_path));

    if (status->has_host_offset)
        json_object_set_new(object, "offset", json_integer(status->host_offset));
    return object;
}

static void print_status(uint64_t at, const struct block_status *status)
{
    printf("%#-16" PRIx64 " %#-16" PRIx64 " %-12s ", at, status->length, state_name(status->state));
    if (status->has_host_offset && status->state == BLOCK_DATA)
        printf("%#-16" PRIx64 " ", status->host_offset);
    else
        printf("%-16s ", "");
    output_text(status->state == BLOCK_UNALLOCATED ? "" : status->host_path);
    putchar('\n');
}

/* Whether two that follow each other are shown as one. */
static bool continues(const struct block_status *one, const struct block_status *next)
{
    if (one->state != next->state || one->depth != next->depth ||
        one->host_path != next->host_path || one->has_host_offset != next->has_host_offset)
        return false;
    return !one->has_host_offset || one->state == BLOCK_COMPRESSED ||
           one->host_offset + one->length == next->host_offset;
}

static void show_status(uint64_t at, const struct block_status *status, json_t *array)
{
    if (array != NULL)
        json_array_append_new(array, status_json(at, status));
    else
        print_status(at, status);
}

static bool map(struct image *image, json_t *array, GError **err)
{
    uint64_t size = image_size(image), start = 0, at = 0;
    struct block_status row = {.length = 0}, next;

    if (array == NULL)
        printf("%-16s %-16s %-12s %-16s %s\n", "start", "length", "state", "offset", "file");
    for (; at < size; at += next.length) {
        if (!image_status(image, at, size - at, &next, err))
            return false;
        if (row.length > 0 && continues(&row, &next)) {
            row.length += next.length;
            continue;
        }
        if (row.length > 0)
            show_status(start, &row, array);
        start = at;
        row = next;
    }
    if (row.length > 0)
        show_status(start, &row, array);
    return true;
}

bool verb_disk_map(const struct verb_call *call, GError **err)
{
    json_t *array = verb_has(call, "json") ? json_array() : NULL;
    struct disk_image disk;
    bool done = disk_open(&disk, call, call->arguments[0], DISK_READ, err);

    if (done)
        done = disk_close(&disk, map(disk.image, array, err), err);
    if (done && array != NULL)
        output_json(json_incref(array));
    json_decref(array);
    return done;
}
