/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hyper-V's VHDX, read-only: fixed and dynamic images. Numbers are little-endian; sections are
 * those of Microsoft's [MS-VHDX].
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/error.h"
#include "disks/crc32c.h"
#include "disks/piece.h"
#include "disks/table_reader.h"
#include "disks/vhdx_log.h"

#define MIB (1024 * 1024)
#define VHDX_HEADER_SIZE 4096
#define VHDX_TABLE_SIZE (64 * 1024) /* of the region table and of the metadata table */
#define VHDX_MAX_ENTRIES 2047       /* in either of them */
#define VHDX_MAX_SIZE (UINT64_C(64) * 1024 * 1024 * MIB)
#define VHDX_MIN_BLOCK MIB
#define VHDX_MAX_BLOCK (256 * MIB)
#define VHDX_CHUNK_SECTORS (1 << 23) /* 2.5.1.1: sectors that one sector bitmap block describes */

#define GUID_SIZE VHDX_GUID_SIZE

/* 2.2.2 */
struct vhdx_header {
    char signature[4];
    uint32_t checksum;
    uint64_t sequence;
    uint8_t file_write_id[GUID_SIZE], data_write_id[GUID_SIZE], log_id[GUID_SIZE];
    uint16_t log_version, version;
    uint32_t log_length;
    uint64_t log_offset;
} __attribute__((packed));

/* 2.2.3 */
struct vhdx_region_header {
    char signature[4];
    uint32_t checksum, entries, reserved;
} __attribute__((packed));

struct vhdx_region_entry {
    uint8_t id[GUID_SIZE];
    uint64_t offset;
    uint32_t length, required;
} __attribute__((packed));

/* 2.6.1 */
struct vhdx_metadata_header {
    char signature[8];
    uint16_t reserved, entries;
    uint32_t reserved2[5];
} __attribute__((packed));

struct vhdx_metadata_entry {
    uint8_t id[GUID_SIZE];
    uint32_t offset, length, flags, reserved;
} __attribute__((packed));

#define METADATA_REQUIRED (1 << 2)
#define PARAMETER_HAS_PARENT (1 << 1)

enum vhdx_state { /* 2.5.1.1 */
                  PAYLOAD_NOT_PRESENT = 0,
                  PAYLOAD_UNDEFINED = 1,
                  PAYLOAD_ZERO = 2,
                  PAYLOAD_UNMAPPED = 3,
                  PAYLOAD_FULLY_PRESENT = 6,
};

/* GUIDs as they are stored: the first three fields are little-endian. */
static const uint8_t region_bat[GUID_SIZE] = {0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0x00, 0x42,
                                              0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08};
static const uint8_t region_metadata[GUID_SIZE] = {0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b,
                                                   0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e};
static const uint8_t item_parameters[GUID_SIZE] = {0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d,
                                                   0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b};
static const uint8_t item_size[GUID_SIZE] = {0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48,
                                             0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8};
static const uint8_t item_sector[GUID_SIZE] = {0x1d, 0xbf, 0x41, 0x81, 0x6f, 0xa9, 0x09, 0x47,
                                               0xba, 0x47, 0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f};
static const uint8_t item_physical[GUID_SIZE] = {0xc7, 0x48, 0xa3, 0xcd, 0x5d, 0x44, 0x71, 0x44,
                                                 0x9c, 0xc9, 0xe9, 0x88, 0x52, 0x51, 0xc5, 0x56};
static const uint8_t item_disk_id[GUID_SIZE] = {0xab, 0x12, 0xca, 0xbe, 0xe6, 0xb2, 0x23, 0x45,
                                                0x93, 0xef, 0xc3, 0x09, 0xe0, 0x00, 0xc7, 0x46};
static const uint8_t item_parent[GUID_SIZE] = {0x2d, 0x5f, 0xd3, 0xa8, 0x0b, 0xb3, 0x4d, 0x45,
                                               0xab, 0xf7, 0xd3, 0xd8, 0x48, 0x34, 0xab, 0x0c};

struct vhdx {
    struct file *replayed; /* NULL: the image was closed well */
    struct file *file;     /* this, or the image's */
    struct table_reader *tables;
    uint64_t bat_offset;
    uint32_t block_size, sector_size;
    uint64_t chunk_ratio; /* payload blocks before each sector bitmap block */
};

/* An open in progress. */
struct vhdx_opening {
    struct image *image;
    struct file *replayed, *file; /* as of struct vhdx */
    uint64_t file_size;
    uint64_t bat_offset, metadata_offset;
    uint32_t bat_length, metadata_length;
    uint32_t block_size, parameters, sector_size;
    uint64_t size;
};

static bool fail_damaged(const struct image *image, const char *what, GError **err)
{
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "The %s of the VHDX image %s is damaged: get the image again, or repair a "
                       "copy of it with Hyper-V.",
                       what, image->file->path);
}

/* False with *err set where the system fails; *ret_short where the file ends. */
static bool read_part(struct file *file, void *buffer, size_t size, uint64_t offset,
                      bool *ret_short, GError **err)
{
    int result = offset > INT64_MAX - size ? -EIO : file_read_buffer(file, buffer, size, offset);

    *ret_short = result == -EIO;
    if (result == 0 || result == -EIO)
        return true;
    return vmdesk_error_from_errno(err, -result, NULL, "Cannot read the image %s", file->path);
}

/* The checksum is that of the bytes with zeros in its place; it is always the second field. */
static bool checksum_fits(uint8_t *bytes, size_t size)
{
    uint32_t stored;

    memcpy(&stored, bytes + 4, sizeof(stored));
    memset(bytes + 4, 0, sizeof(stored));
    return crc32c(0, bytes, size) == GUINT32_FROM_LE(stored);
}

/* What the log holds is read from there on, and the file is as long as it says. */
static bool replay_log(struct vhdx_opening *opening, const struct vhdx_header *header, GError **err)
{
    if (GUINT16_FROM_LE(header->log_version) != 0)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The VHDX image %s was not closed well, and its log has the version %u: "
                           "only 0 is known. Let Hyper-V open it once.",
                           opening->image->file->path, GUINT16_FROM_LE(header->log_version));
    opening->replayed = vhdx_log_replay(opening->image->file, GUINT64_FROM_LE(header->log_offset),
                                        GUINT32_FROM_LE(header->log_length), header->log_id, err);
    if (opening->replayed == NULL)
        return false;
    opening->file = opening->replayed;
    return opening->file->ops->size(opening->file, &opening->file_size) == 0;
}

/* 2.2.2: of the two headers that with the larger sequence number counts. */
static bool read_header(struct vhdx_opening *opening, GError **err)
{
    static const uint64_t offsets[] = {64 * 1024, 128 * 1024};
    static const uint8_t no_log[GUID_SIZE];
    const char *path = opening->image->file->path;
    struct vhdx_header current;
    bool found = false;

    for (size_t i = 0; i < G_N_ELEMENTS(offsets); i++) {
        uint8_t bytes[VHDX_HEADER_SIZE];
        struct vhdx_header header;
        bool is_short;

        if (!read_part(opening->file, bytes, sizeof(bytes), offsets[i], &is_short, err))
            return false;
        if (is_short || memcmp(bytes, "head", 4) != 0 || !checksum_fits(bytes, sizeof(bytes)))
            continue;
        memcpy(&header, bytes, sizeof(header));
        if (!found || GUINT64_FROM_LE(header.sequence) > GUINT64_FROM_LE(current.sequence))
            current = header;
        found = true;
    }
    if (!found)
        return fail_damaged(opening->image, "header", err);
    if (GUINT16_FROM_LE(current.version) != 1)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The VHDX image %s has the version %u: only 1 is known.", path,
                           GUINT16_FROM_LE(current.version));
    return memcmp(current.log_id, no_log, sizeof(no_log)) == 0 ||
           replay_log(opening, &current, err);
}

static bool take_region(struct vhdx_opening *opening, const struct vhdx_region_entry *entry,
                        GError **err)
{
    uint64_t offset = GUINT64_FROM_LE(entry->offset);
    uint32_t length = GUINT32_FROM_LE(entry->length);

    if (offset < MIB || offset % MIB != 0 || length % MIB != 0 || length == 0 ||
        offset > opening->file_size || length > opening->file_size - offset)
        return fail_damaged(opening->image, "region table", err);
    if (memcmp(entry->id, region_bat, GUID_SIZE) == 0) {
        opening->bat_offset = offset;
        opening->bat_length = length;
    } else if (memcmp(entry->id, region_metadata, GUID_SIZE) == 0) {
        opening->metadata_offset = offset;
        opening->metadata_length = length;
    } else if (GUINT32_FROM_LE(entry->required) & 1) {
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The VHDX image %s has a region that is required and not known: convert "
                           "it with a newer Hyper-V first.",
                           opening->image->file->path);
    }
    return true;
}

/* 2.2.3: either copy of the table. */
static bool read_regions(struct vhdx_opening *opening, GError **err)
{
    static const uint64_t offsets[] = {192 * 1024, 256 * 1024};
    g_autofree uint8_t *bytes = g_malloc(VHDX_TABLE_SIZE);
    struct vhdx_region_header header;
    bool found = false;

    for (size_t i = 0; i < G_N_ELEMENTS(offsets) && !found; i++) {
        bool is_short;

        if (!read_part(opening->file, bytes, VHDX_TABLE_SIZE, offsets[i], &is_short, err))
            return false;
        found = !is_short && memcmp(bytes, "regi", 4) == 0 && checksum_fits(bytes, VHDX_TABLE_SIZE);
    }
    memcpy(&header, bytes, sizeof(header));
    if (!found || GUINT32_FROM_LE(header.entries) > VHDX_MAX_ENTRIES)
        return fail_damaged(opening->image, "region table", err);
    for (uint32_t i = 0; i < GUINT32_FROM_LE(header.entries); i++) {
        struct vhdx_region_entry entry;

        memcpy(&entry, bytes + sizeof(header) + i * sizeof(entry), sizeof(entry));
        if (!take_region(opening, &entry, err))
            return false;
    }
    if (opening->bat_offset == 0 || opening->metadata_offset == 0)
        return fail_damaged(opening->image, "region table", err);
    return true;
}

/* 2.6.2: one item of the metadata. */
static bool take_item(struct vhdx_opening *opening, const struct vhdx_metadata_entry *entry,
                      GError **err)
{
    uint32_t offset = GUINT32_FROM_LE(entry->offset), length = GUINT32_FROM_LE(entry->length);
    uint32_t words[2] = {0};
    bool is_short;

    if (offset > opening->metadata_length || length > opening->metadata_length - offset)
        return fail_damaged(opening->image, "metadata", err);
    if (!read_part(opening->file, words, MIN(length, sizeof(words)),
                   opening->metadata_offset + offset, &is_short, err))
        return false;
    if (is_short)
        return fail_damaged(opening->image, "metadata", err);
    if (memcmp(entry->id, item_parameters, GUID_SIZE) == 0) {
        opening->block_size = GUINT32_FROM_LE(words[0]);
        opening->parameters = GUINT32_FROM_LE(words[1]);
    } else if (memcmp(entry->id, item_size, GUID_SIZE) == 0) {
        opening->size = (uint64_t)GUINT32_FROM_LE(words[1]) << 32 | GUINT32_FROM_LE(words[0]);
    } else if (memcmp(entry->id, item_sector, GUID_SIZE) == 0) {
        opening->sector_size = GUINT32_FROM_LE(words[0]);
    } else if (memcmp(entry->id, item_physical, GUID_SIZE) != 0 &&
               memcmp(entry->id, item_disk_id, GUID_SIZE) != 0 &&
               memcmp(entry->id, item_parent, GUID_SIZE) != 0 &&
               (GUINT32_FROM_LE(entry->flags) & METADATA_REQUIRED) != 0) {
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The VHDX image %s has metadata that is required and not known: convert "
                           "it with a newer Hyper-V first.",
                           opening->image->file->path);
    }
    return true;
}

static bool read_metadata(struct vhdx_opening *opening, GError **err)
{
    g_autofree uint8_t *bytes = g_malloc(VHDX_TABLE_SIZE);
    struct vhdx_metadata_header header;
    unsigned entries;
    bool is_short;

    if (!read_part(opening->file, bytes, VHDX_TABLE_SIZE, opening->metadata_offset, &is_short, err))
        return false;
    memcpy(&header, bytes, sizeof(header));
    entries = GUINT16_FROM_LE(header.entries);
    if (is_short || memcmp(header.signature, "metadata", 8) != 0 || entries > VHDX_MAX_ENTRIES)
        return fail_damaged(opening->image, "metadata", err);
    for (unsigned i = 0; i < entries; i++) {
        struct vhdx_metadata_entry entry;

        memcpy(&entry, bytes + sizeof(header) + i * sizeof(entry), sizeof(entry));
        if (!take_item(opening, &entry, err))
            return false;
    }
    return true;
}

static bool check_metadata(struct vhdx_opening *opening, GError **err)
{
    uint32_t block = opening->block_size, sector = opening->sector_size;
    uint64_t blocks, ratio;

    if (opening->parameters & PARAMETER_HAS_PARENT)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The image %s is a differencing VHDX, which holds only what differs "
                           "from another: merge it into its parent, or copy it to one that stands "
                           "alone.",
                           opening->image->file->path);
    if (block < VHDX_MIN_BLOCK || block > VHDX_MAX_BLOCK || (block & (block - 1)) != 0 ||
        (sector != 512 && sector != 4096) || opening->size == 0 || opening->size > VHDX_MAX_SIZE ||
        opening->size % sector != 0)
        return fail_damaged(opening->image, "metadata", err);
    blocks = (opening->size + block - 1) / block;
    ratio = (uint64_t)VHDX_CHUNK_SECTORS * sector / block;
    if ((blocks + (blocks - 1) / ratio) * sizeof(uint64_t) > opening->bat_length)
        return fail_damaged(opening->image, "block allocation table", err);
    return true;
}

static bool vhdx_open(struct image *image, const struct image_options *options, GError **err)
{
    struct vhdx_opening opening = {.image = image, .file = image->file};
    char signature[8];
    struct vhdx *vhdx;
    bool is_short;
    int result = image->file->ops->size(image->file, &opening.file_size);

    if (result < 0)
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot tell the size of the image %s",
                                       image->file->path);
    if (!read_part(image->file, signature, sizeof(signature), 0, &is_short, err))
        return false;
    if (is_short || memcmp(signature, "vhdxfile", sizeof(signature)) != 0)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "%s is no VHDX image: give its real format, or get it again.",
                           image->file->path);
    if (!read_header(&opening, err) || !read_regions(&opening, err) ||
        !read_metadata(&opening, err) || !check_metadata(&opening, err)) {
        file_close(opening.replayed);
        return false;
    }
    vhdx = g_new(struct vhdx, 1);
    *vhdx = (struct vhdx){
        .replayed = opening.replayed,
        .file = opening.file,
        .tables = table_reader_new(opening.file),
        .bat_offset = opening.bat_offset,
        .block_size = opening.block_size,
        .sector_size = opening.sector_size,
        .chunk_ratio = (uint64_t)VHDX_CHUNK_SECTORS * opening.sector_size / opening.block_size,
    };
    image->state = vhdx;
    image->size = opening.size;
    return true;
}

static void vhdx_close(struct image *image)
{
    struct vhdx *vhdx = image->state;

    table_reader_free(vhdx->tables);
    file_close(vhdx->replayed);
    g_free(vhdx);
}

/* 2.5: after each chunk_ratio payload blocks the table has an entry that is not one of them. */
static int vhdx_locate(struct image *image, uint64_t offset, uint64_t length, struct piece *piece)
{
    struct vhdx *vhdx = image->state;
    uint64_t index = offset / vhdx->block_size, inside = offset % vhdx->block_size, entry;
    int result;

    index += index / vhdx->chunk_ratio;
    result = table_reader_get(vhdx->tables, vhdx->bat_offset + index * sizeof(entry), &entry,
                              sizeof(entry));
    if (result < 0)
        return result;
    entry = GUINT64_FROM_LE(entry);
    piece->length = MIN(length, vhdx->block_size - inside);
    switch ((enum vhdx_state)(entry & 7)) {
    case PAYLOAD_NOT_PRESENT:
    case PAYLOAD_UNDEFINED:
        piece->state = BLOCK_UNALLOCATED;
        return 0;
    case PAYLOAD_ZERO:
    case PAYLOAD_UNMAPPED:
        piece->state = BLOCK_ZERO;
        return 0;
    case PAYLOAD_FULLY_PRESENT:
        piece->state = BLOCK_DATA;
        piece->file = vhdx->file;
        piece->offset = (entry >> 20) * MIB + inside;
        return piece->offset > INT64_MAX - length ? -EIO : 0;
    }
    return -EIO;
}

static const struct piece_ops pieces = {.locate = vhdx_locate};

static int vhdx_read(struct image *image, const struct iovec *iov, unsigned count, uint64_t offset)
{
    return piece_read(image, &pieces, iov, count, offset);
}

static int vhdx_status(struct image *image, uint64_t offset, uint64_t length,
                       struct block_status *status)
{
    return piece_status(image, &pieces, offset, length, status);
}

static bool vhdx_get_info(struct image *image, struct image_info *info, GError **err)
{
    const struct vhdx *vhdx = image->state;

    info->cluster_size = vhdx->block_size;
    image_info_add_detail(info, "sector-size", "%u", vhdx->sector_size);
    return true;
}

const struct image_ops image_vhdx = {
    .name = "vhdx",
    .open = vhdx_open,
    .close = vhdx_close,
    .read = vhdx_read,
    .status = vhdx_status,
    .get_info = vhdx_get_info,
};
