/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots inside an image, as image.h has them, noted in the image's tree: disks/snapshot_tree.h.
 * The tree is a convenience: a snapshot that cannot be noted there is made all the same, and the
 * log says so.
 *
 * Thread: as image.h says.
 */
#ifndef DISKS_IMAGE_TREE_H
#define DISKS_IMAGE_TREE_H

#include "disks/image.h"
#include "disks/snapshot_tree.h"

bool image_tree_create(struct image *image, const struct image_snapshot *description, GError **err);
bool image_tree_apply(struct image *image, const char *snapshot, GError **err);
bool image_tree_delete(struct image *image, const char *snapshot, GError **err);

/* snapshots: as image_snapshots() listed them. */
struct snapshot_tree *image_tree_load(struct image *image, const GPtrArray *snapshots,
                                      GError **err);

#endif
