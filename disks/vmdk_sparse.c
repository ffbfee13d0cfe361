/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/vmdk_sparse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#include "core/error.h"
#include "disks/table_reader.h"
#include "disks/vmdk_descriptor.h"

#define VMDK_MAX_VERSION 3
#define VMDK_FLAG_ZERO_GRAINS (1 << 2)
#define VMDK_FLAG_COMPRESSED (1 << 16)
#define VMDK_DEFLATE 1
#define VMDK_DIRECTORY_AT_END UINT64_MAX
/* The footer, a header that knows where the directory is, is the last sector but one. */
#define VMDK_FOOTER_FROM_END (2 * IMAGE_SECTOR_SIZE)
#define VMDK_ZERO_GRAIN 1

struct vmdk_header {
    char magic[4];
    uint32_t version, flags;
    uint64_t capacity, grain_size, descriptor_offset, descriptor_size;
    uint32_t table_entries;
    uint64_t redundant_directory, directory, overhead;
    uint8_t unclean;
    char line_ends[4];
    uint16_t compression;
    uint8_t reserved[433];
} __attribute__((packed));
G_STATIC_ASSERT(sizeof(struct vmdk_header) == IMAGE_SECTOR_SIZE);

/* Before each compressed grain. */
struct vmdk_grain_marker {
    uint64_t sector;
    uint32_t size;
} __attribute__((packed));

struct vmdk_sparse {
    struct file *file;
    struct table_reader *tables;
    uint64_t sectors, directory; /* the latter in bytes */
    uint64_t descriptor_offset, descriptor_size;
    uint64_t grain_size, table_span; /* bytes of the disk: of a grain, of a grain table */
    unsigned table_entries;
    bool zero_grains, compressed;

    GMutex lock;       /* guards what follows */
    uint64_t unpacked; /* where the grain below is in the file; 0: there is none */
    uint8_t *grain;    /* the last one that was unpacked */
};

static bool fail_damaged(const struct file *file, GError **err)
{
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "The header of the VMDK image %s is damaged, or its end is missing: get it "
                       "again.",
                       file->path);
}

static bool read_header(struct file *file, uint64_t offset, struct vmdk_header *header,
                        GError **err)
{
    int result = file_read_buffer(file, header, sizeof(*header), offset);

    if (result < 0 && result != -EIO)
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot read the image %s", file->path);
    if (result < 0 || memcmp(header->magic, VMDK_MAGIC, sizeof(header->magic)) != 0)
        return fail_damaged(file, err);
    return true;
}

/* The header that counts: the last one, if it is there. */
static bool find_header(struct file *file, struct vmdk_header *header, GError **err)
{
    uint64_t size;
    int result;

    if (!read_header(file, 0, header, err))
        return false;
    if (GUINT64_FROM_LE(header->directory) != VMDK_DIRECTORY_AT_END)
        return true;
    result = file->ops->size(file, &size);
    if (result < 0)
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot read the image %s", file->path);
    if (size < VMDK_FOOTER_FROM_END ||
        !read_header(file, size / IMAGE_SECTOR_SIZE * IMAGE_SECTOR_SIZE - VMDK_FOOTER_FROM_END,
                     header, err))
        return size >= VMDK_FOOTER_FROM_END ? false : fail_damaged(file, err);
    return GUINT64_FROM_LE(header->directory) != VMDK_DIRECTORY_AT_END || fail_damaged(file, err);
}

static bool check_header(struct file *file, const struct vmdk_header *header, GError **err)
{
    uint64_t grain = GUINT64_FROM_LE(header->grain_size);
    uint32_t entries = GUINT32_FROM_LE(header->table_entries);
    bool compressed = GUINT32_FROM_LE(header->flags) & VMDK_FLAG_COMPRESSED;

    if (GUINT32_FROM_LE(header->version) > VMDK_MAX_VERSION ||
        (compressed && GUINT16_FROM_LE(header->compression) != VMDK_DEFLATE))
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The VMDK image %s has the version %u and the compression %u: only "
                           "versions up to %d with deflate are known.",
                           file->path, GUINT32_FROM_LE(header->version),
                           GUINT16_FROM_LE(header->compression), VMDK_MAX_VERSION);
    if (GUINT64_FROM_LE(header->capacity) == 0 ||
        GUINT64_FROM_LE(header->capacity) > VMDK_MAX_SECTORS || grain == 0 ||
        grain > VMDK_MAX_GRAIN_SECTORS || (grain & (grain - 1)) != 0 || entries == 0 ||
        entries > VMDK_MAX_TABLE_ENTRIES ||
        GUINT64_FROM_LE(header->directory) > INT64_MAX / IMAGE_SECTOR_SIZE ||
        GUINT64_FROM_LE(header->descriptor_offset) > INT64_MAX / IMAGE_SECTOR_SIZE ||
        GUINT64_FROM_LE(header->descriptor_size) > VMDK_MAX_DESCRIPTOR / IMAGE_SECTOR_SIZE)
        return fail_damaged(file, err);
    return true;
}

struct vmdk_sparse *vmdk_sparse_open(struct file *file, GError **err)
{
    struct vmdk_header header;
    struct vmdk_sparse *sparse;

    if (!find_header(file, &header, err) || !check_header(file, &header, err))
        return NULL;
    sparse = g_new0(struct vmdk_sparse, 1);
    *sparse = (struct vmdk_sparse){
        .file = file,
        .tables = table_reader_new(file),
        .sectors = GUINT64_FROM_LE(header.capacity),
        .directory = GUINT64_FROM_LE(header.directory) * IMAGE_SECTOR_SIZE,
        .descriptor_offset = GUINT64_FROM_LE(header.descriptor_offset) * IMAGE_SECTOR_SIZE,
        .descriptor_size = GUINT64_FROM_LE(header.descriptor_size) * IMAGE_SECTOR_SIZE,
        .grain_size = GUINT64_FROM_LE(header.grain_size) * IMAGE_SECTOR_SIZE,
        .table_entries = GUINT32_FROM_LE(header.table_entries),
        .zero_grains = GUINT32_FROM_LE(header.flags) & VMDK_FLAG_ZERO_GRAINS,
        .compressed = GUINT32_FROM_LE(header.flags) & VMDK_FLAG_COMPRESSED,
    };
    sparse->table_span = sparse->grain_size * sparse->table_entries;
    g_mutex_init(&sparse->lock);
    return sparse;
}

void vmdk_sparse_free(struct vmdk_sparse *sparse)
{
    if (sparse == NULL)
        return;
    table_reader_free(sparse->tables);
    g_mutex_clear(&sparse->lock);
    g_free(sparse->grain);
    g_free(sparse);
}

uint64_t vmdk_sparse_sectors(const struct vmdk_sparse *sparse)
{
    return sparse->sectors;
}

uint64_t vmdk_sparse_grain_size(const struct vmdk_sparse *sparse)
{
    return sparse->grain_size;
}

bool vmdk_sparse_descriptor(const struct vmdk_sparse *sparse, uint64_t *ret_offset,
                            uint64_t *ret_size)
{
    *ret_offset = sparse->descriptor_offset;
    *ret_size = sparse->descriptor_size;
    return sparse->descriptor_offset > 0 && sparse->descriptor_size > 0;
}

static int get_entry(struct vmdk_sparse *sparse, uint64_t table, uint64_t index,
                     uint32_t *ret_entry)
{
    uint32_t entry;
    int result =
        table_reader_get(sparse->tables, table + index * sizeof(entry), &entry, sizeof(entry));

    *ret_entry = GUINT32_FROM_LE(entry);
    return result;
}

int vmdk_sparse_locate(struct vmdk_sparse *sparse, uint64_t offset, uint64_t length,
                       struct piece *piece)
{
    uint64_t inside = offset % sparse->grain_size;
    uint32_t table, grain;
    int result = get_entry(sparse, sparse->directory, offset / sparse->table_span, &table);

    if (result < 0)
        return result;
    *piece = (struct piece){.state = BLOCK_UNALLOCATED};
    if (table == 0) {
        piece->length = MIN(length, sparse->table_span - offset % sparse->table_span);
        return 0;
    }
    piece->length = MIN(length, sparse->grain_size - inside);
    result = get_entry(sparse, (uint64_t)table * IMAGE_SECTOR_SIZE,
                       offset / sparse->grain_size % sparse->table_entries, &grain);
    if (result < 0 || grain == 0)
        return result;
    if (grain == VMDK_ZERO_GRAIN && sparse->zero_grains) {
        piece->state = BLOCK_ZERO;
        return 0;
    }
    piece->state = sparse->compressed ? BLOCK_COMPRESSED : BLOCK_DATA;
    piece->file = sparse->file;
    piece->offset = (uint64_t)grain * IMAGE_SECTOR_SIZE;
    if (sparse->compressed)
        piece->skip = inside;
    else
        piece->offset += inside;
    return 0;
}

/* Reads and unpacks the grain at offset of the file; what it lacks is zeros. */
static int inflate_grain(struct vmdk_sparse *sparse, uint64_t offset, uint8_t *grain)
{
    struct vmdk_grain_marker marker;
    g_autofree uint8_t *packed = NULL;
    uLongf unpacked = sparse->grain_size;
    uint32_t size;
    int result = file_read_buffer(sparse->file, &marker, sizeof(marker), offset);

    if (result < 0)
        return result;
    size = GUINT32_FROM_LE(marker.size);
    /* Deflate makes nothing that much longer. */
    if (size == 0 || size > 2 * sparse->grain_size)
        return -EIO;
    packed = g_malloc(size);
    result = file_read_buffer(sparse->file, packed, size, offset + sizeof(marker));
    if (result < 0)
        return result;
    if (uncompress(grain, &unpacked, packed, size) != Z_OK)
        return -EIO;
    memset(grain + unpacked, 0, sparse->grain_size - unpacked);
    return 0;
}

int vmdk_sparse_unpack(struct vmdk_sparse *sparse, const struct piece *piece, void *buffer)
{
    uint8_t *grain;
    bool known;
    int result;

    g_mutex_lock(&sparse->lock);
    known = sparse->unpacked == piece->offset && sparse->grain != NULL;
    if (known)
        memcpy(buffer, sparse->grain + piece->skip, piece->length);
    g_mutex_unlock(&sparse->lock);
    if (known)
        return 0;

    grain = g_malloc(sparse->grain_size);
    result = inflate_grain(sparse, piece->offset, grain);
    if (result == 0) {
        uint8_t *before;

        memcpy(buffer, grain + piece->skip, piece->length);
        g_mutex_lock(&sparse->lock);
        before = sparse->grain;
        sparse->grain = grain;
        sparse->unpacked = piece->offset;
        g_mutex_unlock(&sparse->lock);
        grain = before;
    }
    g_free(grain);
    return result;
}
