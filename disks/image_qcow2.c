/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/qcow2/qcow2.h"

const struct image_ops image_qcow2 = {
    .name = "qcow2",
    .open = qcow2_open,
    .close = qcow2_close,
    .read = qcow2_read,
    .submit = qcow2_submit,
    .status = qcow2_status,
    .get_info = qcow2_get_info,
    .resize = qcow2_resize,
    .snapshots = qcow2_snapshots,
    .snapshot_create = qcow2_snapshot_create,
    .snapshot_apply = qcow2_snapshot_apply,
    .snapshot_delete = qcow2_snapshot_delete,
    .snapshot_rename = qcow2_snapshot_rename,
    .check = qcow2_check,
    .commit = qcow2_commit,
    .flatten = qcow2_flatten,
    .rebase = qcow2_rebase,
    .write_compressed = qcow2_write_compressed,
    .compact = qcow2_compact,
    .create = qcow2_create,
};
