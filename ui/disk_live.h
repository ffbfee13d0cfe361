/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk of a running machine, which only its engine reaches. Calls wait for the engine's answer.
 *
 * Thread: any, one at a time.
 */
#ifndef UI_DISK_LIVE_H
#define UI_DISK_LIVE_H

#include <jansson.h>

#include "disks/image.h"

struct disk_live;

/* socket: the engine's control socket; device: "disk0"... */
struct disk_live *disk_live_open(const char *socket, const char *device, GError **err);
void disk_live_free(struct disk_live *live); /* NULL is fine */

/* What the command, a query, answers: a new reference. */
json_t *disk_live_query(struct disk_live *live, const char *command, GError **err);

/* Runs the command to its end; the device is added to arguments, which are stolen and may be NULL.
 * When the progress's step returns false, block-stream and block-commit are cancelled, which leaves
 * a good image; others go on, but are not waited for. */
bool disk_live_run(struct disk_live *live, const char *command, json_t *arguments,
                   const struct image_progress *progress, GError **err);

#endif
