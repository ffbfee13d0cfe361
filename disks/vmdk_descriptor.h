/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text that describes a VMDK image: which extents make up the disk (VMware's "Virtual Disk
 * Format 5.0", "The Descriptor File").
 */
#ifndef DISKS_VMDK_DESCRIPTOR_H
#define DISKS_VMDK_DESCRIPTOR_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define VMDK_MAX_DESCRIPTOR (1024 * 1024)    /* bytes */
#define VMDK_MAX_EXTENTS 1024                /* 2 TiB in pieces of 2 GB */
#define VMDK_MAX_SECTORS (UINT64_C(1) << 37) /* 64 TiB */

enum vmdk_extent_kind { VMDK_FLAT, VMDK_SPARSE, VMDK_ZERO };

struct vmdk_extent_line {
    enum vmdk_extent_kind kind;
    uint64_t sectors;
    char *file;            /* a name without a folder; NULL for zeros */
    uint64_t start_sector; /* flat: where in the file it starts */
};

struct vmdk_descriptor {
    char *create_type;
    GArray *extents;  /* struct vmdk_extent_line */
    uint64_t sectors; /* of all */
};

/* Takes text apart that may hold anything; size bytes, with or without a NUL. path names the image
 * in messages. */
struct vmdk_descriptor *vmdk_descriptor_parse(const char *text, size_t size, const char *path,
                                              GError **err);
void vmdk_descriptor_free(struct vmdk_descriptor *descriptor); /* NULL is fine */

#endif
