/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/new_disk.h"

#include "disks/image.h"

bool new_disk_make(const char *path, const char *format, uint64_t size, GError **err)
{
    const struct image_create_options options = {.format = format, .size = size};

    return image_create(path, &options, NULL, err);
}
