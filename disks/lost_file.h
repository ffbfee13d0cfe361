/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands in for a file that is not to be had any longer: whatever is done to it fails with
 * EIO, while the image on it keeps its place in a chain. */
#ifndef DISKS_LOST_FILE_H
#define DISKS_LOST_FILE_H

#include "disks/file.h"

/* size, in bytes, is what it still says of itself. Any thread. */
struct file *lost_file_new(const char *path, uint64_t size);

#endif
