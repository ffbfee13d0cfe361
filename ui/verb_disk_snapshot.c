/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs for the snapshots inside disk images. */
#include <stdio.h>

#include "core/error.h"
#include "disks/image_tree.h"
#include "ui/disk_snapshots.h"
#include "ui/disk_verbs.h"
#include "ui/output.h"

static char *date_text(const struct image_snapshot *snapshot)
{
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_local(snapshot->date_sec);

    return date != NULL ? g_date_time_format(date, "%Y-%m-%d %H:%M:%S") : g_strdup("?");
}

json_t *disk_snapshots_json(const GPtrArray *snapshots)
{
    json_t *array = json_array();

    for (guint i = 0; i < snapshots->len; i++) {
        const struct image_snapshot *snapshot = snapshots->pdata[i];

        json_array_append_new(array, json_pack("{s:o, s:o, s:I, s:I, s:I, s:i, s:I}", "id",
                                               output_string(snapshot->id), "name",
                                               output_string(snapshot->name), "virtual-size",
                                               (json_int_t)snapshot->virtual_size, "vm-state-size",
                                               (json_int_t)snapshot->vm_state_size, "date-sec",
                                               (json_int_t)snapshot->date_sec, "date-nsec",
                                               (int)snapshot->date_nsec, "vm-clock-nsec",
                                               (json_int_t)snapshot->vm_clock_nsec));
    }
    return array;
}

void disk_snapshots_print(const GPtrArray *snapshots)
{
    printf("%-4s %-24s %-19s %-10s %s\n", "id", "snapshot", "made", "disk", "memory");
    for (guint i = 0; i < snapshots->len; i++) {
        const struct image_snapshot *snapshot = snapshots->pdata[i];
        g_autofree char *date = date_text(snapshot);
        g_autofree char *size = output_bytes(snapshot->virtual_size);
        g_autofree char *state = output_bytes(snapshot->vm_state_size);
        g_autofree char *row =
            g_strdup_printf("%-4s %-24s %-19s %-10s %s\n", snapshot->id, snapshot->name, date, size,
                            snapshot->vm_state_size > 0 ? state : "none");

        output_text(row);
    }
}

bool verb_disk_snapshot_list(const struct verb_call *call, GError **err)
{
    const struct image_options options = {
        .format = disk_format(call, "format", call->arguments[0]),
        .read_only = true,
        .backing = IMAGE_BACKING_IGNORE,
    };
    g_autoptr(GPtrArray) snapshots = NULL;
    struct disk_image disk;

    if (!disk_open_with(&disk, call->arguments[0], &options, err))
        return false;
    snapshots = image_snapshots(disk.image, err);
    if (!disk_close(&disk, snapshots != NULL, err))
        return false;
    if (verb_has(call, "json"))
        output_json(disk_snapshots_json(snapshots));
    else if (snapshots->len > 0)
        disk_snapshots_print(snapshots);
    return true;
}

bool verb_disk_snapshot_create(const struct verb_call *call, GError **err)
{
    const struct image_snapshot description = {
        .name = call->arguments[1],
        .icount = UINT64_MAX,
    };
    struct disk_image disk;

    if (call->arguments[1][0] == '\0')
        return verb_misused(err, "Give the snapshot a name");
    return disk_open(&disk, call, call->arguments[0], DISK_WRITE, err) &&
           disk_close(&disk, image_tree_create(disk.image, &description, err), err);
}

bool verb_disk_snapshot_apply(const struct verb_call *call, GError **err)
{
    struct disk_image disk;

    return disk_open(&disk, call, call->arguments[0], DISK_WRITE, err) &&
           disk_close(&disk, image_tree_apply(disk.image, call->arguments[1], err), err);
}

bool verb_disk_snapshot_delete(const struct verb_call *call, GError **err)
{
    struct disk_image disk;

    return disk_open(&disk, call, call->arguments[0], DISK_WRITE, err) &&
           disk_close(&disk, image_tree_delete(disk.image, call->arguments[1], err), err);
}

bool verb_disk_snapshot_rename(const struct verb_call *call, GError **err)
{
    struct disk_image disk;

    if (call->arguments[2][0] == '\0')
        return verb_misused(err, "Give the snapshot a name");
    return disk_open(&disk, call, call->arguments[0], DISK_WRITE, err) &&
           disk_close(&disk,
                      image_snapshot_rename(disk.image, call->arguments[1], call->arguments[2],
                                            err),
                      err);
}
