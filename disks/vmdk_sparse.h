/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One sparse extent of a VMDK image, with its grains as they are or compressed ("Hosted Sparse
 * Extents" and "Stream-Optimized Compressed Sparse Extents" in VMware's "Virtual Disk Format 5.0").
 */
#ifndef DISKS_VMDK_SPARSE_H
#define DISKS_VMDK_SPARSE_H

#include "disks/piece.h"

#define VMDK_MAX_GRAIN_SECTORS (PIECE_MAX_PACKED / IMAGE_SECTOR_SIZE)
#define VMDK_MAX_TABLE_ENTRIES 512
#define VMDK_MAGIC "KDMV"

struct vmdk_sparse;

/* The file stays the caller's, and outlives the extent. */
struct vmdk_sparse *vmdk_sparse_open(struct file *file, GError **err);
void vmdk_sparse_free(struct vmdk_sparse *sparse); /* NULL is fine */

uint64_t vmdk_sparse_sectors(const struct vmdk_sparse *sparse);
uint64_t vmdk_sparse_grain_size(const struct vmdk_sparse *sparse); /* bytes */
/* Where the extent has a description of the image inside; false: it has none. Bytes. */
bool vmdk_sparse_descriptor(const struct vmdk_sparse *sparse, uint64_t *ret_offset,
                            uint64_t *ret_size);

/* As in struct piece_ops, within the extent. Any thread. */
int vmdk_sparse_locate(struct vmdk_sparse *sparse, uint64_t offset, uint64_t length,
                       struct piece *piece);
int vmdk_sparse_unpack(struct vmdk_sparse *sparse, const struct piece *piece, void *buffer);

#endif
