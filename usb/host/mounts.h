/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a disk of the host is mounted. Any thread. */
#ifndef USB_HOST_MOUNTS_H
#define USB_HOST_MOUNTS_H

#include <glib.h>

#define HOST_MOUNTS_MAX 4096 /* mounts and block devices that are looked at, each */

/* The mounted devices: "8:1" and "/dev/sda1" to the mount point. file NULL: this process's
 * /proc/self/mountinfo. Empty when it cannot be read. */
GHashTable *host_mounts_read(const char *file);
/* Where the first block device below device, a folder of sysfs, is mounted, itself or what is built
 * on it (an encrypted or logical volume). NULL: nowhere. Caller frees. */
char *host_mounts_of(const char *sysfs, const char *device, GHashTable *mounts);

#endif
