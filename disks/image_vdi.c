/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VirtualBox's VDI, read-only: a header, a map with the place of each block, the blocks. Numbers
 * are little-endian; the layout is that of VDIHEADER1PLUS, version 1.1.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/error.h"
#include "disks/piece.h"
#include "disks/table_reader.h"

#define VDI_SIGNATURE 0xbeda107fu
#define VDI_VERSION 0x00010001u
#define VDI_MIN_BLOCK (4 * 1024)
#define VDI_MAX_BLOCK (256 * 1024 * 1024)
#define VDI_UNALLOCATED 0xffffffffu
#define VDI_ZERO 0xfffffffeu

enum vdi_type { VDI_DYNAMIC = 1, VDI_STATIC = 2, VDI_UNDO = 3, VDI_DIFFERENCING = 4 };

/* As it is stored. */
struct vdi_header {
    char text[64];
    uint32_t signature, version, header_size, type, flags;
    char description[256];
    uint32_t map_offset, data_offset, cylinders, heads, sectors, sector_size, unused;
    uint64_t disk_size;
    uint32_t block_size, block_extra, blocks, blocks_allocated;
    uint8_t id[16], snapshot_id[16], link_id[16], parent_id[16];
} __attribute__((packed));

struct vdi {
    struct table_reader *map;
    uint32_t map_offset, data_offset, block_size;
    enum vdi_type type;
};

static bool is_null(const uint8_t id[16])
{
    static const uint8_t null[16];

    return memcmp(id, null, sizeof(null)) == 0;
}

static bool check_kind(const char *path, const struct vdi_header *header, GError **err)
{
    uint32_t type = GUINT32_FROM_LE(header->type);

    if (GUINT32_FROM_LE(header->version) != VDI_VERSION)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The image %s has VDI's version %u.%u: only 1.1 is known. Copy it with "
                           "a newer VirtualBox first.",
                           path, GUINT32_FROM_LE(header->version) >> 16,
                           GUINT32_FROM_LE(header->version) & 0xffff);
    if (type == VDI_UNDO || type == VDI_DIFFERENCING || !is_null(header->link_id) ||
        !is_null(header->parent_id))
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The image %s is a differencing VDI, which holds only what differs from "
                           "another: clone it in VirtualBox to one that stands alone.",
                           path);
    if (type != VDI_DYNAMIC && type != VDI_STATIC)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The VDI image %s has an unknown type, %u: get it again.", path, type);
    return true;
}

static bool check_sizes(const char *path, const struct vdi_header *header, GError **err)
{
    uint32_t block = GUINT32_FROM_LE(header->block_size);
    uint64_t size = GUINT64_FROM_LE(header->disk_size);

    if (GUINT32_FROM_LE(header->sector_size) != IMAGE_SECTOR_SIZE ||
        GUINT32_FROM_LE(header->block_extra) != 0)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The VDI image %s has sectors of %u bytes and %u extra bytes in a block:"
                           " only 512 and 0 are known.",
                           path, GUINT32_FROM_LE(header->sector_size),
                           GUINT32_FROM_LE(header->block_extra));
    if (block < VDI_MIN_BLOCK || block > VDI_MAX_BLOCK || (block & (block - 1)) != 0 ||
        GUINT32_FROM_LE(header->data_offset) % IMAGE_SECTOR_SIZE != 0 || size == 0 ||
        size > (uint64_t)block * GUINT32_FROM_LE(header->blocks))
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The header of the VDI image %s is damaged: it says %" PRIu64
                           " bytes in %u blocks of %u. Get the image again.",
                           path, size, GUINT32_FROM_LE(header->blocks), block);
    return true;
}

static bool vdi_open(struct image *image, const struct image_options *options, GError **err)
{
    const char *path = image->file->path;
    struct vdi_header header;
    struct vdi *vdi;
    int result = file_read_buffer(image->file, &header, sizeof(header), 0);

    if (result < 0 && result != -EIO)
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot read the image %s", path);
    if (result < 0 || GUINT32_FROM_LE(header.signature) != VDI_SIGNATURE)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "%s is no VDI image: give its real format, or get it again.", path);
    if (!check_kind(path, &header, err) || !check_sizes(path, &header, err))
        return false;
    vdi = g_new(struct vdi, 1);
    *vdi = (struct vdi){
        .map = table_reader_new(image->file),
        .map_offset = GUINT32_FROM_LE(header.map_offset),
        .data_offset = GUINT32_FROM_LE(header.data_offset),
        .block_size = GUINT32_FROM_LE(header.block_size),
        .type = GUINT32_FROM_LE(header.type),
    };
    image->state = vdi;
    /* The last block is whole, so there is something to round up to. */
    image->size = GUINT64_FROM_LE(header.disk_size) + IMAGE_SECTOR_SIZE - 1;
    image->size -= image->size % IMAGE_SECTOR_SIZE;
    return true;
}

static void vdi_close(struct image *image)
{
    struct vdi *vdi = image->state;

    table_reader_free(vdi->map);
    g_free(vdi);
}

static int vdi_locate(struct image *image, uint64_t offset, uint64_t length, struct piece *piece)
{
    struct vdi *vdi = image->state;
    uint64_t index = offset / vdi->block_size, inside = offset % vdi->block_size;
    uint32_t entry;
    int result =
        table_reader_get(vdi->map, vdi->map_offset + index * sizeof(entry), &entry, sizeof(entry));

    if (result < 0)
        return result;
    entry = GUINT32_FROM_LE(entry);
    piece->length = MIN(length, vdi->block_size - inside);
    if (entry == VDI_UNALLOCATED || entry == VDI_ZERO) {
        piece->state = entry == VDI_ZERO ? BLOCK_ZERO : BLOCK_UNALLOCATED;
        return 0;
    }
    piece->state = BLOCK_DATA;
    piece->file = image->file;
    piece->offset = vdi->data_offset + (uint64_t)entry * vdi->block_size + inside;
    return 0;
}

static const struct piece_ops pieces = {.locate = vdi_locate};

static int vdi_read(struct image *image, const struct iovec *iov, unsigned count, uint64_t offset)
{
    return piece_read(image, &pieces, iov, count, offset);
}

static int vdi_status(struct image *image, uint64_t offset, uint64_t length,
                      struct block_status *status)
{
    return piece_status(image, &pieces, offset, length, status);
}

static bool vdi_get_info(struct image *image, struct image_info *info, GError **err)
{
    const struct vdi *vdi = image->state;

    info->cluster_size = vdi->block_size;
    image_info_add_detail(info, "subformat", "%s", vdi->type == VDI_STATIC ? "static" : "dynamic");
    return true;
}

const struct image_ops image_vdi = {
    .name = "vdi",
    .open = vdi_open,
    .close = vdi_close,
    .read = vdi_read,
    .status = vdi_status,
    .get_info = vdi_get_info,
};
