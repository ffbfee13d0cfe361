/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual PC's VHD, read-only: fixed and dynamic images. Numbers are big-endian; sections are those
 * of Microsoft's "Virtual Hard Disk Image Format Specification", version 1.0.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/error.h"
#include "disks/piece.h"
#include "disks/table_reader.h"

#define VHD_COOKIE "conectix"
#define VHD_DYNAMIC_COOKIE "cxsparse"
#define VHD_MAX_SIZE (UINT64_C(2040) * 1024 * 1024 * 1024)
#define VHD_MIN_BLOCK IMAGE_SECTOR_SIZE
#define VHD_MAX_BLOCK (256 * 1024 * 1024)
#define VHD_UNALLOCATED 0xffffffffu

enum vhd_type { VHD_FIXED = 2, VHD_DYNAMIC = 3, VHD_DIFFERENCING = 4 };

/* "Hard Disk Footer Format": the last sector of the file; dynamic images have a copy in front. */
struct vhd_footer {
    char cookie[8];
    uint32_t features, version;
    uint64_t data_offset;
    uint32_t time;
    char creator[4];
    uint32_t creator_version, creator_host;
    uint64_t original_size, current_size;
    uint32_t geometry, type, checksum;
    uint8_t id[16];
    uint8_t saved_state, reserved[427];
} __attribute__((packed));
G_STATIC_ASSERT(sizeof(struct vhd_footer) == IMAGE_SECTOR_SIZE);

/* "Dynamic Disk Header Format" */
struct vhd_dynamic {
    char cookie[8];
    uint64_t data_offset, table_offset;
    uint32_t version, table_entries, block_size, checksum;
    uint8_t parent[728], reserved[256];
} __attribute__((packed));
G_STATIC_ASSERT(sizeof(struct vhd_dynamic) == 1024);

struct vhd {
    struct table_reader *table; /* NULL: fixed */
    uint64_t table_offset;
    uint32_t block_size, bitmap_size;
};

/* The ones' complement of the sum of all bytes but those of the checksum. */
static bool checksum_fits(const void *bytes, size_t size, size_t checksum_at)
{
    uint32_t sum = 0, stored;

    memcpy(&stored, (const uint8_t *)bytes + checksum_at, sizeof(stored));
    for (size_t i = 0; i < size; i++)
        if (i < checksum_at || i >= checksum_at + sizeof(stored))
            sum += ((const uint8_t *)bytes)[i];
    return ~sum == GUINT32_FROM_BE(stored);
}

static bool footer_fits(const struct vhd_footer *footer)
{
    return memcmp(footer->cookie, VHD_COOKIE, sizeof(footer->cookie)) == 0 &&
           checksum_fits(footer, sizeof(*footer), offsetof(struct vhd_footer, checksum));
}

/* The footer, or else the copy in front of a dynamic image. */
static bool read_footer(struct file *file, struct vhd_footer *footer, uint64_t *ret_file_size,
                        GError **err)
{
    int result = file->ops->size(file, ret_file_size);

    if (result == 0 && *ret_file_size >= sizeof(*footer)) {
        result = file_read_buffer(file, footer, sizeof(*footer), *ret_file_size - sizeof(*footer));
        if (result == 0 && footer_fits(footer))
            return true;
        if (result == 0)
            result = file_read_buffer(file, footer, sizeof(*footer), 0);
        if (result == 0 && footer_fits(footer) && GUINT32_FROM_BE(footer->type) != VHD_FIXED)
            return true;
    }
    if (result < 0)
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot read the image %s", file->path);
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "%s is no VHD image, or the end of it is missing: give its real format, or "
                       "get it again.",
                       file->path);
}

static bool check_footer(const char *path, const struct vhd_footer *footer, uint64_t file_size,
                         GError **err)
{
    uint32_t type = GUINT32_FROM_BE(footer->type);
    uint64_t size = GUINT64_FROM_BE(footer->current_size);

    if (type == VHD_DIFFERENCING)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The image %s is a differencing VHD, which holds only what differs from "
                           "another: merge it into its parent, or copy it to one that stands "
                           "alone.",
                           path);
    if (type != VHD_FIXED && type != VHD_DYNAMIC)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The VHD image %s has an unknown type, %u: get it again.", path, type);
    if (GUINT32_FROM_BE(footer->version) >> 16 != 1)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The VHD image %s has the version %u: only 1 is known.", path,
                           GUINT32_FROM_BE(footer->version) >> 16);
    if (size == 0 || size > VHD_MAX_SIZE || size % IMAGE_SECTOR_SIZE != 0)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The VHD image %s is damaged: it says that its disk has %" PRIu64
                           " bytes. Get it again.",
                           path, size);
    if (type == VHD_FIXED && size > file_size - sizeof(*footer))
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The VHD image %s is cut short: it holds %" PRIu64 " of %" PRIu64
                           " bytes. Get it again.",
                           path, file_size - sizeof(*footer), size);
    return true;
}

static bool read_dynamic(struct image *image, struct vhd *vhd, uint64_t offset, GError **err)
{
    const char *path = image->file->path;
    struct vhd_dynamic header;
    int result = offset > INT64_MAX - sizeof(header)
                     ? -EIO
                     : file_read_buffer(image->file, &header, sizeof(header), offset);
    uint64_t bits, block;

    if (result < 0 && result != -EIO)
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot read the image %s", path);
    if (result < 0 || memcmp(header.cookie, VHD_DYNAMIC_COOKIE, sizeof(header.cookie)) != 0 ||
        !checksum_fits(&header, sizeof(header), offsetof(struct vhd_dynamic, checksum)))
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The header of the dynamic VHD image %s is damaged: get it again.",
                           path);
    block = GUINT32_FROM_BE(header.block_size);
    vhd->table_offset = GUINT64_FROM_BE(header.table_offset);
    if (block < VHD_MIN_BLOCK || block > VHD_MAX_BLOCK || (block & (block - 1)) != 0 ||
        vhd->table_offset > INT64_MAX ||
        image->size > block * GUINT32_FROM_BE(header.table_entries))
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The header of the dynamic VHD image %s is damaged: %u blocks of %u "
                           "bytes are no disk of %" PRIu64 " bytes. Get it again.",
                           path, GUINT32_FROM_BE(header.table_entries), (unsigned)block,
                           image->size);
    vhd->block_size = block;
    /* A bit a sector, in whole sectors. */
    bits = block / IMAGE_SECTOR_SIZE;
    vhd->bitmap_size = (bits / 8 + IMAGE_SECTOR_SIZE - 1) / IMAGE_SECTOR_SIZE * IMAGE_SECTOR_SIZE;
    if (vhd->bitmap_size == 0)
        vhd->bitmap_size = IMAGE_SECTOR_SIZE;
    vhd->table = table_reader_new(image->file);
    return true;
}

static bool vhd_open(struct image *image, const struct image_options *options, GError **err)
{
    struct vhd_footer footer;
    struct vhd *vhd;
    uint64_t file_size;

    if (!read_footer(image->file, &footer, &file_size, err) ||
        !check_footer(image->file->path, &footer, file_size, err))
        return false;
    image->size = GUINT64_FROM_BE(footer.current_size);
    vhd = g_new0(struct vhd, 1);
    if (GUINT32_FROM_BE(footer.type) == VHD_DYNAMIC &&
        !read_dynamic(image, vhd, GUINT64_FROM_BE(footer.data_offset), err)) {
        g_free(vhd);
        return false;
    }
    image->state = vhd;
    return true;
}

static void vhd_close(struct image *image)
{
    struct vhd *vhd = image->state;

    table_reader_free(vhd->table);
    g_free(vhd);
}

/* "Block Allocation Table and Data Blocks". The bitmap before a block tells which of its sectors
 * were ever written; the others are zeros in the file, too. */
static int vhd_locate(struct image *image, uint64_t offset, uint64_t length, struct piece *piece)
{
    struct vhd *vhd = image->state;
    uint64_t index, inside;
    uint32_t entry;
    int result;

    piece->file = image->file;
    if (vhd->table == NULL) {
        *piece = (struct piece){.state = BLOCK_DATA,
                                .length = length,
                                .file = image->file,
                                .offset = offset};
        return 0;
    }
    index = offset / vhd->block_size;
    inside = offset % vhd->block_size;
    result = table_reader_get(vhd->table, vhd->table_offset + index * sizeof(entry), &entry,
                              sizeof(entry));
    if (result < 0)
        return result;
    entry = GUINT32_FROM_BE(entry);
    piece->length = MIN(length, vhd->block_size - inside);
    piece->state = entry == VHD_UNALLOCATED ? BLOCK_UNALLOCATED : BLOCK_DATA;
    piece->offset = (uint64_t)entry * IMAGE_SECTOR_SIZE + vhd->bitmap_size + inside;
    return 0;
}

static const struct piece_ops pieces = {.locate = vhd_locate};

static int vhd_read(struct image *image, const struct iovec *iov, unsigned count, uint64_t offset)
{
    return piece_read(image, &pieces, iov, count, offset);
}

static int vhd_status(struct image *image, uint64_t offset, uint64_t length,
                      struct block_status *status)
{
    return piece_status(image, &pieces, offset, length, status);
}

static bool vhd_get_info(struct image *image, struct image_info *info, GError **err)
{
    const struct vhd *vhd = image->state;

    info->cluster_size = vhd->block_size;
    image_info_add_detail(info, "subformat", "%s", vhd->table == NULL ? "fixed" : "dynamic");
    return true;
}

const struct image_ops image_vhd = {
    .name = "vhd",
    .open = vhd_open,
    .close = vhd_close,
    .read = vhd_read,
    .status = vhd_status,
    .get_info = vhd_get_info,
};
