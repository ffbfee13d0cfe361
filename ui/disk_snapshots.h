/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of the snapshots inside images, for people and for programs. */
#ifndef UI_DISK_SNAPSHOTS_H
#define UI_DISK_SNAPSHOTS_H

#include <jansson.h>

#include "disks/image.h"

json_t *disk_snapshots_json(const GPtrArray *snapshots); /* a new reference */
void disk_snapshots_print(const GPtrArray *snapshots);

#endif
