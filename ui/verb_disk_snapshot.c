/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs for the snapshots inside disk images. */
#include "core/error.h"
#include "disks/image_json.h"
#include "disks/image_tree.h"
#include "ui/disk_snapshots.h"
#include "ui/disk_verbs.h"
#include "ui/output.h"

bool verb_disk_snapshot_list(const struct verb_call *call, GError **err)
{
    const struct image_options options = {
        .format = verb_value(call, "format"),
        .backing = IMAGE_BACKING_IGNORE,
    };
    struct disk_image disk;
    json_t *list;
    bool done;

    if (!disk_open_with(&disk, call, call->arguments[0], DISK_READ | DISK_LIVE, &options, err))
        return false;
    list = disk.live != NULL ? disk_live_query(disk.live, "query-snapshots", err)
                             : image_snapshots_json(disk.image, err);
    done = disk_close(&disk, list != NULL, err);
    if (done && verb_has(call, "json"))
        output_json(json_incref(list));
    else if (done && json_array_size(list) > 0)
        disk_snapshots_print(list, verb_has(call, "tree"));
    json_decref(list);
    return done;
}

/* For the disk of a running machine; new_name may be NULL. */
static bool run_live(struct disk_live *live, const char *command, const char *name,
                     const char *new_name, GError **err)
{
    return disk_live_run(live, command,
                         json_pack("{s:s, s:s*}", "name", name, "new-name", new_name), NULL, err);
}

bool verb_disk_snapshot_create(const struct verb_call *call, GError **err)
{
    const struct image_snapshot description = {
        .name = call->arguments[1],
        .icount = UINT64_MAX,
    };
    struct disk_image disk;
    bool done;

    if (call->arguments[1][0] == '\0')
        return verb_misused(err, "Give the snapshot a name");
    if (!disk_open(&disk, call, call->arguments[0], DISK_WRITE | DISK_LIVE, err))
        return false;
    done = disk.live != NULL ? run_live(disk.live, "blockdev-snapshot-internal-sync",
                                        call->arguments[1], NULL, err)
                             : image_tree_create(disk.image, &description, err);
    return disk_close(&disk, done, err);
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
    bool done;

    if (!disk_open(&disk, call, call->arguments[0], DISK_WRITE | DISK_LIVE, err))
        return false;
    done = disk.live != NULL ? run_live(disk.live, "blockdev-snapshot-delete-internal-sync",
                                        call->arguments[1], NULL, err)
                             : image_tree_delete(disk.image, call->arguments[1], err);
    return disk_close(&disk, done, err);
}

bool verb_disk_snapshot_rename(const struct verb_call *call, GError **err)
{
    const char *snapshot = call->arguments[1], *name = call->arguments[2];
    struct disk_image disk;
    bool done;

    if (name[0] == '\0')
        return verb_misused(err, "Give the snapshot a name");
    if (!disk_open(&disk, call, call->arguments[0], DISK_WRITE | DISK_LIVE, err))
        return false;
    done = disk.live != NULL
               ? run_live(disk.live, "blockdev-snapshot-rename-internal-sync", snapshot, name, err)
               : image_snapshot_rename(disk.image, snapshot, name, err);
    return disk_close(&disk, done, err);
}
