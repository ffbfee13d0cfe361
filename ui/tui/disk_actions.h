/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be done with a disk or with one of its snapshots: a menu, and the dialogs behind it. */
#ifndef UI_TUI_DISK_ACTIONS_H
#define UI_TUI_DISK_ACTIONS_H

#include "ui/tui/disk_work.h"
#include "ui/tui/tab.h"

struct disk_choice {
    struct tab *tab; /* the disks tab, which does the work */
    const struct vm *vm;
    unsigned index;                       /* of the disk in the machine */
    struct disk_name disk;                /* taken over */
    char *socket;                         /* taken over; NULL: the machine is off */
    const struct disk_view *view;         /* NULL: not looked at yet */
    const struct disk_snapshot *snapshot; /* NULL: the disk itself */
};

void disk_actions_open(struct disk_choice *choice);
/* Asks before it stops what goes on. */
void confirm_stop(struct tab *tab);

/* The tab's side: starts work, whose contents are taken over, and stops it. */
bool disks_work(struct tab *tab, const char *what, struct disk_task *task, GError **err);
void disks_stop(struct tab *tab);

#endif
