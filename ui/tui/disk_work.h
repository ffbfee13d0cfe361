/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work on the disk images of a machine, on a thread, as it waits for the disk, or while the machine
 * runs for its engine: looking at them, and changing one. Errors and results come on the default
 * main context, on which all calls are made.
 */
#ifndef UI_TUI_DISK_WORK_H
#define UI_TUI_DISK_WORK_H

#include "core/config.h"
#include "disks/image.h"
#include "ui/disk_snapshots.h"

#define DISK_CHAIN_SHOWN 8 /* images of a chain that are looked at */

enum disk_task_kind {
    DISK_LOOK, /* at all */
    DISK_RESIZE,
    DISK_CHECK,
    DISK_CONVERT,
    DISK_SNAPSHOT_CREATE,
    DISK_SNAPSHOT_APPLY,
    DISK_SNAPSHOT_RENAME,
    DISK_SNAPSHOT_DELETE,
    DISK_FLATTEN,
    DISK_COMMIT,
};

/* Which image a task is about: as the machine's definition has it. */
struct disk_name {
    char *folder; /* the machine's */
    char *file;   /* NULL: there is no such disk */
    char *format;
    bool read_only;
};

struct disk_task {
    enum disk_task_kind kind;
    struct disk_name disks[MACHINE_MAX_DISKS]; /* look: all; else the first */
    unsigned index; /* of the first in the machine, unless it is a look */
    char *socket;   /* of the engine that has them; NULL: the machine is off */
    char *argument; /* convert: the new image; snapshots: its name, or else its id */
    char *new_name; /* rename */
    uint64_t size;  /* resize */
};
void disk_task_clear(struct disk_task *task);

/* What was seen of one disk. */
struct disk_view {
    char *error; /* NULL: none; else what is below may be missing */
    uint64_t virtual_size, file_size, allocated;
    GPtrArray *chain;     /* of char *: what it lies on, from the nearest */
    GPtrArray *snapshots; /* of struct disk_snapshot; parents before children */
};

struct disk_work;
/* done: the work has ended; error is the work's, NULL for success. It may free the work. */
struct disk_work *disk_work_new(struct disk_task *task, /* its contents are taken over */
                                void (*done)(struct disk_work *work, const GError *error,
                                             void *opaque),
                                void *opaque, GError **err);
/* Cancels and waits for the end, which leaves good images; done is not called. NULL is fine. */
void disk_work_free(struct disk_work *work);
void disk_work_cancel(struct disk_work *work);
const struct disk_task *disk_work_task(const struct disk_work *work);
double disk_work_progress(struct disk_work *work); /* 0 to 1 */
/* After a look: what it saw of a disk, which stays the work's. */
const struct disk_view *disk_work_view(const struct disk_work *work, unsigned disk);

#endif
