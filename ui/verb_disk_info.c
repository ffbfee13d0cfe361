/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs that show what is in a disk image. */
#include <inttypes.h>
#include <stdio.h>

#include "disks/image_json.h"
#include "ui/disk_snapshots.h"
#include "ui/disk_verbs.h"
#include "ui/output.h"
#include "ui/remote.h"

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

static void print_info(const json_t *info)
{
    const json_t *snapshots = json_object_get(info, "snapshots"), *value;
    const char *format = remote_string(info, "backing-filename-format"), *name;

    print_line("image", remote_string(info, "filename"));
    print_line("format", remote_string(info, "format"));
    print_bytes("size of the disk", remote_integer(info, "virtual-size"));
    print_bytes("on this computer", remote_integer(info, "actual-size"));
    if (remote_integer(info, "cluster-size") > 0)
        print_bytes("cluster", remote_integer(info, "cluster-size"));
    if (json_object_get(info, "backing-filename") != NULL) {
        print_line("lies on", remote_string(info, "full-backing-filename"));
        print_line("its format", format[0] != '\0' ? format : "not told");
    }
    json_object_foreach(json_object_get(info, "details"), name, value)
        print_line(name, json_string_value(value) != NULL ? json_string_value(value) : "");
    if (json_is_true(json_object_get(info, "dirty-flag")))
        print_line("state", "was not closed well");
    if (json_is_true(json_object_get(info, "corrupt")))
        print_line("state", "marked as corrupt: run \"vmdesk disk check --repair\"");
    if (json_array_size(snapshots) > 0)
        disk_snapshots_print(snapshots, false);
}

bool verb_disk_info(const struct verb_call *call, GError **err)
{
    bool chain = verb_has(call, "chain");
    const struct image_options options = {
        .format = verb_value(call, "format"),
        .backing = chain ? IMAGE_BACKING_OPEN : IMAGE_BACKING_IGNORE,
    };
    struct disk_image disk;
    json_t *images, *info;
    bool done;
    size_t i;

    if (!disk_open_with(&disk, call, call->arguments[0], DISK_READ | DISK_LIVE, &options, err))
        return false;
    images = disk.live != NULL ? disk_live_query(disk.live, "query-block-image", err)
                               : image_chain_json(disk.image, !chain, err);
    done = disk_close(&disk, images != NULL, err);
    if (done && verb_has(call, "json")) {
        output_json(json_incref(chain ? images : json_array_get(images, 0)));
    } else if (done) {
        json_array_foreach(images, i, info)
        {
            if (i > 0 && !chain)
                break;
            if (i > 0)
                putchar('\n');
            print_info(info);
        }
    }
    json_decref(images);
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
