/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The snapshots inside an image, as image_snapshots_json() lists them, here or in an engine. */
#ifndef UI_DISK_SNAPSHOTS_H
#define UI_DISK_SNAPSHOTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

/* A snapshot and its place among the others. */
struct disk_snapshot {
    char *id, *name;
    uint64_t virtual_size, vm_state_size, date_sec;
    unsigned depth; /* how many it descends from */
    bool current;   /* the disk as it is descends from it */
};

/* Of struct disk_snapshot, freed with the array; parents before their children. */
GPtrArray *disk_snapshots_tree(const json_t *list);

/* A table; tree: in the order above, with names that are indented. */
void disk_snapshots_print(const json_t *list, bool tree);

#endif
