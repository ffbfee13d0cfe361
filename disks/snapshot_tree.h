/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which snapshot of a disk descends from which, and from which one the disk's present state does.
 * Images store their snapshots as a flat list; this is kept beside them, in SNAPSHOT_TREE_FILE of
 * their folder (of a machine's own disks the machine's), a group an image. A snapshot is known by
 * its id in the image and its date, since other programs may delete one and give its id to the
 * next.
 *
 * A tree is one image's. Any thread, one at a time.
 */
#ifndef DISKS_SNAPSHOT_TREE_H
#define DISKS_SNAPSHOT_TREE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define SNAPSHOT_TREE_FILE "snapshots.conf"
#define SNAPSHOT_TREE_MAX_FILE (16 << 20) /* bytes */

struct snapshot_tree;

/* A snapshot as the image lists it. */
struct snapshot_key {
    const char *id;
    uint64_t date_sec;
};

/* disk: the image's name in the folder. What the file tells of snapshots that are not among those
 * that the image has is forgotten; a missing file is an empty one. */
struct snapshot_tree *snapshot_tree_load(const char *folder, const char *disk,
                                         const struct snapshot_key *present, size_t count,
                                         GError **err);
void snapshot_tree_free(struct snapshot_tree *tree); /* NULL is fine */

/* NULL: none, or not known. Valid until the next change. Walking up from any snapshot ends. */
const char *snapshot_tree_parent(const struct snapshot_tree *tree, const char *id);
const char *snapshot_tree_current(const struct snapshot_tree *tree);

void snapshot_tree_created(struct snapshot_tree *tree, const struct snapshot_key *key);
void snapshot_tree_applied(struct snapshot_tree *tree, const struct snapshot_key *key);
/* Its children become its parent's. */
void snapshot_tree_deleted(struct snapshot_tree *tree, const char *id);

/* Writes the image's group, atomically; the other groups stay, but for what another image's writer
 * does in the same moment. */
bool snapshot_tree_save(const struct snapshot_tree *tree, GError **err);

#endif
