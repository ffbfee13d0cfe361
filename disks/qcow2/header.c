/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first cluster of a qcow2 image: the header, its extensions, the name of the backing file. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/error.h"
#include "disks/bytes.h"
#include "disks/qcow2/qcow2.h"

#define EXTENSION_HEADING 8
#define FEATURE_ENTRY 48 /* kind, bit, name */
#define FEATURE_NAME 46
#define BITMAPS_EXTENSION 24

void qcow2_header_clear(struct qcow2_header *header)
{
    g_clear_pointer(&header->backing_name, g_free);
    g_clear_pointer(&header->backing_format, g_free);
    g_clear_pointer(&header->data_file_name, g_free);
    g_clear_pointer(&header->extensions, g_byte_array_unref);
    g_clear_pointer(&header->more, g_byte_array_unref);
}

static bool malformed(struct file *file, GError **err, const char *what)
{
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "The image %s is no good qcow2 image: %s. Get it again, or restore it from "
                       "a copy.",
                       file->path, what);
}

static void decode(const uint8_t *raw, struct qcow2_header *header)
{
    *header = (struct qcow2_header){
        .version = get_be32(raw + 4),
        .backing_offset = get_be64(raw + 8),
        .backing_size = get_be32(raw + 16),
        .cluster_bits = get_be32(raw + 20),
        .size = get_be64(raw + 24),
        .crypt_method = get_be32(raw + 32),
        .l1_size = get_be32(raw + 36),
        .l1_offset = get_be64(raw + 40),
        .reftable_offset = get_be64(raw + 48),
        .reftable_clusters = get_be32(raw + 56),
        .snapshot_count = get_be32(raw + 60),
        .snapshots_offset = get_be64(raw + 64),
        .refcount_order = 4,
        .header_length = QCOW2_HEADER_V2,
    };
    if (header->version < 3)
        return;
    header->incompatible = get_be64(raw + 72);
    header->compatible = get_be64(raw + 80);
    header->autoclear = get_be64(raw + 88);
    header->refcount_order = get_be32(raw + 96);
    header->header_length = get_be32(raw + 100);
    if (header->header_length > QCOW2_HEADER_V3)
        header->compression = raw[104];
}

static size_t encode(const struct qcow2_header *header, uint8_t *raw)
{
    put_be32(raw, QCOW2_MAGIC);
    put_be32(raw + 4, header->version);
    put_be64(raw + 8, header->backing_offset);
    put_be32(raw + 16, header->backing_size);
    put_be32(raw + 20, header->cluster_bits);
    put_be64(raw + 24, header->size);
    put_be32(raw + 32, header->crypt_method);
    put_be32(raw + 36, header->l1_size);
    put_be64(raw + 40, header->l1_offset);
    put_be64(raw + 48, header->reftable_offset);
    put_be32(raw + 56, header->reftable_clusters);
    put_be32(raw + 60, header->snapshot_count);
    put_be64(raw + 64, header->snapshots_offset);
    if (header->version < 3)
        return QCOW2_HEADER_V2;
    put_be64(raw + 72, header->incompatible);
    put_be64(raw + 80, header->compatible);
    put_be64(raw + 88, header->autoclear);
    put_be32(raw + 96, header->refcount_order);
    put_be32(raw + 100, header->header_length);
    if (header->header_length == QCOW2_HEADER_V3)
        return QCOW2_HEADER_V3;
    memset(raw + 104, 0, QCOW2_HEADER_WRITTEN - QCOW2_HEADER_V3);
    raw[104] = header->compression;
    return QCOW2_HEADER_WRITTEN;
}

/* Before anything else of the file is looked at. */
static bool check_fixed(struct file *file, const struct qcow2_header *header, GError **err)
{
    if (header->version != 2 && header->version != 3)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The image %s has version %u of qcow2: versions 2 and 3 can be used. "
                           "Convert it by \"qemu-img convert\".",
                           file->path, header->version);
    if (header->cluster_bits < QCOW2_MIN_CLUSTER_BITS ||
        header->cluster_bits > QCOW2_MAX_CLUSTER_BITS)
        return malformed(file, err, "its clusters are not between 512 bytes and 2 MiB");
    if (header->refcount_order > QCOW2_MAX_REFCOUNT_ORDER)
        return malformed(file, err, "its refcounts have more than 64 bits");
    if (header->version >= 3 &&
        (header->header_length < QCOW2_HEADER_V3 || header->header_length % 8 != 0 ||
         header->header_length > 1U << header->cluster_bits))
        return malformed(file, err, "its header has no valid length");
    if (header->header_length > QCOW2_HEADER_V3 && header->header_length < QCOW2_HEADER_WRITTEN)
        return malformed(file, err, "its header has no valid length");
    if (header->crypt_method > 2)
        return malformed(file, err, "its encryption is of no known kind");
    return true;
}

static bool add_extension(struct file *file, struct qcow2_header *header, uint32_t type,
                          const uint8_t *data, uint32_t size, GError **err)
{
    uint8_t heading[EXTENSION_HEADING];
    static const uint8_t padding[8];

    switch (type) {
    case QCOW2_EXTENSION_BACKING_FORMAT:
        if (header->backing_format != NULL || size == 0 || memchr(data, 0, size) != NULL)
            return malformed(file, err, "the format of its backing file is no name");
        header->backing_format = g_strndup((const char *)data, size);
        return true;
    case QCOW2_EXTENSION_DATA_FILE:
        if (header->data_file_name != NULL || size == 0 || size > IMAGE_MAX_BACKING_NAME ||
            memchr(data, 0, size) != NULL)
            return malformed(file, err, "the name of its data file is no name");
        header->data_file_name = g_strndup((const char *)data, size);
        return true;
    case QCOW2_EXTENSION_BITMAPS:
        if (header->has_bitmaps || size != BITMAPS_EXTENSION)
            return malformed(file, err, "its bitmap extension has no valid size");
        header->has_bitmaps = true;
        header->bitmap_count = get_be32(data);
        header->bitmap_directory_size = get_be64(data + 8);
        header->bitmap_directory_offset = get_be64(data + 16);
        break;
    }
    put_be32(heading, type);
    put_be32(heading + 4, size);
    g_byte_array_append(header->extensions, heading, sizeof(heading));
    g_byte_array_append(header->extensions, data, size);
    g_byte_array_append(header->extensions, padding, -size & 7);
    return true;
}

/* Section "Header extensions". */
static bool read_extensions(struct file *file, struct qcow2_header *header, const uint8_t *cluster,
                            uint64_t end, GError **err)
{
    uint64_t at = header->header_length;

    header->extensions = g_byte_array_new();
    while (at + EXTENSION_HEADING <= end) {
        uint32_t type = get_be32(cluster + at), size = get_be32(cluster + at + 4);

        at += EXTENSION_HEADING;
        if (type == QCOW2_EXTENSION_END)
            return true;
        if (size > end - at)
            return malformed(file, err, "an extension of its header is longer than the header");
        if (!add_extension(file, header, type, cluster + at, size, err))
            return false;
        at += ((uint64_t)size + 7) & ~7ULL;
    }
    return true;
}

static bool read_backing_name(struct file *file, struct qcow2_header *header,
                              const uint8_t *cluster, uint64_t cluster_size, GError **err)
{
    if (header->backing_offset == 0)
        return true;
    if (header->backing_size == 0)
        return true; /* as QEMU has it: there is none */
    if (header->backing_offset < header->header_length || header->backing_offset > cluster_size ||
        header->backing_size > cluster_size - header->backing_offset)
        return malformed(file, err, "the name of its backing file lies outside of the header");
    if (header->backing_size > IMAGE_MAX_BACKING_NAME ||
        memchr(cluster + header->backing_offset, 0, header->backing_size) != NULL)
        return malformed(file, err, "the name of its backing file is too long, or no name");
    header->backing_name =
        g_strndup((const char *)cluster + header->backing_offset, header->backing_size);
    return true;
}

static bool read_rest(struct file *file, struct qcow2_header *header, uint8_t *cluster,
                      uint64_t cluster_size, GError **err)
{
    uint64_t end = cluster_size, size;
    uint64_t known = header->version < 3 || header->header_length < QCOW2_HEADER_WRITTEN
                         ? header->header_length
                         : QCOW2_HEADER_WRITTEN;
    int result = file->ops->size(file, &size);

    if (result == 0)
        result = file_read_buffer(file, cluster, MIN(cluster_size, size), 0);
    if (result < 0)
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot read the header of the image %s",
                                       file->path);
    if (header->backing_offset != 0)
        end = MIN(end, header->backing_offset);
    header->more = g_byte_array_new();
    g_byte_array_append(header->more, cluster + known, header->header_length - known);
    return read_backing_name(file, header, cluster, cluster_size, err) &&
           read_extensions(file, header, cluster, end, err);
}

bool qcow2_header_read(struct file *file, struct qcow2_header *ret_header, GError **err)
{
    uint8_t raw[QCOW2_HEADER_WRITTEN] = {0};
    struct qcow2_header header;
    uint64_t size, cluster_size;
    uint8_t *cluster;
    int result = file->ops->size(file, &size);
    bool done;

    if (result == 0 && size >= QCOW2_HEADER_V2)
        result = file_read_buffer(file, raw, MIN(size, sizeof(raw)), 0);
    if (result < 0)
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot read the header of the image %s",
                                       file->path);
    if (get_be32(raw) != QCOW2_MAGIC)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The image %s is no qcow2 image: it does not begin as one. Give the "
                           "format that it has.",
                           file->path);
    decode(raw, &header);
    if (!check_fixed(file, &header, err))
        return false;
    cluster_size = 1ULL << header.cluster_bits;
    cluster = g_malloc0(cluster_size); /* at most 2 MiB */
    done = read_rest(file, &header, cluster, cluster_size, err);
    g_free(cluster);
    if (!done) {
        qcow2_header_clear(&header);
        return false;
    }
    *ret_header = header;
    return true;
}

int qcow2_header_write_fields(struct file *file, const struct qcow2_header *header)
{
    uint8_t raw[QCOW2_HEADER_WRITTEN];

    return file_write_buffer(file, raw, encode(header, raw), 0);
}

static void append_extension(GByteArray *out, uint32_t type, const void *data, uint32_t size)
{
    uint8_t heading[EXTENSION_HEADING];
    static const uint8_t padding[8];

    put_be32(heading, type);
    put_be32(heading + 4, size);
    g_byte_array_append(out, heading, sizeof(heading));
    if (size > 0)
        g_byte_array_append(out, data, size);
    g_byte_array_append(out, padding, -size & 7);
}

/* The first sector, which a crash leaves old or new, last: it leads to the others. */
static int write_sectors(struct file *file, const uint8_t *data, size_t size)
{
    size_t first = MIN(size, IMAGE_SECTOR_SIZE);
    int result = 0;

    if (size > first) {
        result = file_write_buffer(file, data + first, size - first, first);
        if (result == 0)
            result = file->ops->flush(file);
    }
    return result < 0 ? result : file_write_buffer(file, data, first, 0);
}

/* The name goes behind the rest; and, as long as there is room, behind the present one, which
 * counts until the first sector is written and stays as it is where it reaches beyond that. */
static int append_backing_name(struct file *file, struct qcow2_header *header, GByteArray *out)
{
    uint64_t size = strlen(header->backing_name), rest = out->len, offset = rest;
    uint64_t old_end = header->backing_offset + header->backing_size;
    int result = 0;

    if (old_end > MAX(rest, IMAGE_SECTOR_SIZE) && header->backing_offset < rest + size &&
        old_end + size <= 1ULL << header->cluster_bits) {
        offset = old_end;
        g_byte_array_set_size(out, offset);
        result = file_read_buffer(file, out->data + rest, offset - rest, rest);
    }
    g_byte_array_append(out, (const uint8_t *)header->backing_name, size);
    header->backing_offset = offset;
    header->backing_size = size;
    return result;
}

int qcow2_header_write(struct file *file, struct qcow2_header *header)
{
    uint64_t cluster_size = 1ULL << header->cluster_bits;
    uint8_t raw[QCOW2_HEADER_WRITTEN];
    GByteArray *out = g_byte_array_new();
    struct qcow2_header changed = *header;
    int result = 0;

    g_byte_array_append(out, raw, encode(header, raw));
    if (header->more != NULL)
        g_byte_array_append(out, header->more->data, header->more->len);
    if (header->backing_name != NULL && header->backing_format != NULL)
        append_extension(out, QCOW2_EXTENSION_BACKING_FORMAT, header->backing_format,
                         strlen(header->backing_format));
    if (header->data_file_name != NULL)
        append_extension(out, QCOW2_EXTENSION_DATA_FILE, header->data_file_name,
                         strlen(header->data_file_name));
    if (header->extensions != NULL)
        g_byte_array_append(out, header->extensions->data, header->extensions->len);
    append_extension(out, QCOW2_EXTENSION_END, NULL, 0);
    if (header->backing_name != NULL)
        result = append_backing_name(file, &changed, out);
    else
        changed.backing_offset = changed.backing_size = 0;
    if (result == 0 && out->len > cluster_size)
        result = -ENAMETOOLONG;
    if (result == 0) {
        encode(&changed, out->data);
        result = write_sectors(file, out->data, out->len);
    }
    if (result == 0)
        *header = changed;
    g_byte_array_unref(out);
    return result;
}

char *qcow2_header_feature_name(const struct qcow2_header *header, unsigned bit)
{
    const GByteArray *all = header->extensions;

    for (guint at = 0; all != NULL && at + EXTENSION_HEADING <= all->len;) {
        uint32_t type = get_be32(all->data + at), size = get_be32(all->data + at + 4);
        const uint8_t *entry = all->data + at + EXTENSION_HEADING;

        if (type == QCOW2_EXTENSION_FEATURES)
            for (uint32_t n = 0; n + FEATURE_ENTRY <= size; n += FEATURE_ENTRY)
                if (entry[n] == 0 && entry[n + 1] == bit)
                    return g_strndup((const char *)entry + n + 2, FEATURE_NAME);
        at += EXTENSION_HEADING + ((size + 7) & ~7U);
    }
    return g_strdup_printf("incompatible feature %u", bit);
}
