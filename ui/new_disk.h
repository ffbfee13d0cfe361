/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disks that come with new machines. */
#ifndef UI_NEW_DISK_H
#define UI_NEW_DISK_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define NEW_DISK_FORMAT "qcow2" /* unless the user wants another */

/* For store_set_disk_maker(). */
bool new_disk_make(const char *path, const char *format, uint64_t size, GError **err);

#endif
