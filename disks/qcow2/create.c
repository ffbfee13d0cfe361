/* SPDX-License-Identifier: GPL-2.0-or-later */
/* New images: the least that is one is written by hand, the rest is done to it as to any other. */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "core/error.h"
#include "disks/bytes.h"
#include "disks/qcow2/qcow2.h"

#define DEFAULT_CLUSTER_BITS 16
#define DEFAULT_REFCOUNT_BITS 16
#define FEATURE_ENTRY 48
#define EXTENSION_HEADING 8
#define EXTENDED_L2_MIN_CLUSTER_BITS 14

enum { CLUSTER_HEADER, CLUSTER_REFTABLE, CLUSTER_BLOCK, FIRST_CLUSTERS };

static unsigned log2_of(uint64_t value)
{
    return g_bit_nth_msf(value, -1);
}

static bool refuse(const char *path, GError **err, const char *why)
{
    return vmdesk_fail(err, VMDESK_ERROR_INVALID, "The image %s cannot be made: %s.", path, why);
}

static bool is_power(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static bool check_options(const char *path, const struct image_create_options *options,
                          GError **err)
{
    g_autofree char *own_name = g_path_get_basename(path);
    uint64_t cluster = options->cluster_size;
    unsigned bits = options->refcount_bits;
    bool v2 = options->version == 2;

    if (options->version != 0 && options->version != 2 && options->version != 3)
        return refuse(path, err, "qcow2 has the versions 2 and 3");
    if (cluster != 0 && (!is_power(cluster) || cluster < 1U << QCOW2_MIN_CLUSTER_BITS ||
                         cluster > 1U << QCOW2_MAX_CLUSTER_BITS))
        return refuse(path, err, "clusters have a power of two from 512 bytes to 2 MiB");
    if (bits != 0 && (!is_power(bits) || bits > 1U << QCOW2_MAX_REFCOUNT_ORDER))
        return refuse(path, err, "refcounts have 1, 2, 4, 8, 16, 32 or 64 bits");
    if (v2 && ((bits != 0 && bits != DEFAULT_REFCOUNT_BITS) || options->extended_l2 ||
               options->lazy_refcounts || options->zstd || options->data_file != NULL))
        return refuse(path, err,
                      "other refcounts than of 16 bits, lazy refcounts, extended L2 entries, zstd "
                      "and data files need version 3");
    if (options->extended_l2 && cluster != 0 && cluster < 1U << EXTENDED_L2_MIN_CLUSTER_BITS)
        return refuse(path, err, "extended L2 entries need clusters of 16 KiB or more");
    if (options->data_file == NULL && options->data_file_raw)
        return refuse(path, err, "only a data file can be kept raw");
    if (options->data_file_raw && options->backing != NULL)
        return refuse(path, err, "a raw data file cannot lie on another image");
    if (options->data_file != NULL &&
        (options->data_file[0] == '\0' || strchr(options->data_file, '/') != NULL ||
         image_name_is_protocol(options->data_file) || options->data_file[0] == '{' ||
         strlen(options->data_file) > IMAGE_MAX_BACKING_NAME))
        return refuse(path, err, "its data file lies beside it and has a plain name");
    if (g_strcmp0(options->data_file, own_name) == 0)
        return refuse(path, err, "its data file needs another name than its own");
    if (options->preallocation != IMAGE_PREALLOCATION_OFF && options->backing != NULL &&
        !options->extended_l2)
        return refuse(path, err,
                      "room set aside would hide the backing file, but for extended L2 entries");
    return true;
}

static void add_feature(GByteArray *out, uint8_t kind, uint8_t bit, const char *name)
{
    uint8_t entry[FEATURE_ENTRY] = {kind, bit};

    memcpy(entry + 2, name, strlen(name));
    g_byte_array_append(out, entry, sizeof(entry));
}

/* The names that programs show which do not know the feature. */
static GByteArray *feature_table(void)
{
    enum { INCOMPATIBLE, COMPATIBLE, AUTOCLEAR };
    GByteArray *out = g_byte_array_new();
    uint8_t heading[EXTENSION_HEADING] = {0};

    g_byte_array_append(out, heading, sizeof(heading));
    add_feature(out, INCOMPATIBLE, 0, "dirty bit");
    add_feature(out, INCOMPATIBLE, 1, "corrupt bit");
    add_feature(out, INCOMPATIBLE, 2, "external data file");
    add_feature(out, INCOMPATIBLE, 3, "compression type");
    add_feature(out, INCOMPATIBLE, 4, "extended L2 entries");
    add_feature(out, COMPATIBLE, 0, "lazy refcounts");
    add_feature(out, AUTOCLEAR, 0, "bitmaps");
    add_feature(out, AUTOCLEAR, 1, "raw external data");
    put_be32(out->data, QCOW2_EXTENSION_FEATURES);
    put_be32(out->data + 4, out->len - EXTENSION_HEADING);
    return out;
}

static struct qcow2_header first_header(const struct image_create_options *options)
{
    struct qcow2_header header = {
        .version = options->version != 0 ? options->version : 3,
        .cluster_bits =
            options->cluster_size != 0 ? log2_of(options->cluster_size) : DEFAULT_CLUSTER_BITS,
        .reftable_clusters = 1,
        .refcount_order =
            log2_of(options->refcount_bits != 0 ? options->refcount_bits : DEFAULT_REFCOUNT_BITS),
        .header_length = QCOW2_HEADER_WRITTEN,
        .compression = options->zstd ? QCOW2_ZSTD : QCOW2_ZLIB,
        .backing_name = g_strdup(options->backing),
        .backing_format = g_strdup(options->backing != NULL ? options->backing_format : NULL),
        .data_file_name = g_strdup(options->data_file),
    };

    header.reftable_offset = (uint64_t)CLUSTER_REFTABLE << header.cluster_bits;
    if (header.version < 3)
        return header;
    if (options->zstd)
        header.incompatible |= QCOW2_INCOMPATIBLE_COMPRESSION;
    if (options->extended_l2)
        header.incompatible |= QCOW2_INCOMPATIBLE_EXTENDED_L2;
    if (options->data_file != NULL)
        header.incompatible |= QCOW2_INCOMPATIBLE_DATA_FILE;
    if (options->data_file_raw)
        header.autoclear |= QCOW2_AUTOCLEAR_RAW_DATA;
    if (options->lazy_refcounts)
        header.compatible |= QCOW2_COMPATIBLE_LAZY_REFCOUNTS;
    header.extensions = feature_table();
    return header;
}

/* Header, refcount table, and a refcount block which counts these three. */
static int write_first(struct file *file, struct qcow2_header *header)
{
    const struct qcow2 q = {.refcount_order = header->refcount_order};
    uint64_t cluster_size = 1ULL << header->cluster_bits;
    g_autofree uint8_t *cluster = g_malloc0(cluster_size);
    int result = file->ops->truncate(file, FIRST_CLUSTERS * cluster_size);

    for (unsigned i = 0; i < FIRST_CLUSTERS; i++)
        qcow2_refcount_store(&q, cluster, i, 1);
    if (result == 0)
        result = file_write_buffer(file, cluster, cluster_size, CLUSTER_BLOCK * cluster_size);
    memset(cluster, 0, cluster_size);
    put_be64(cluster, CLUSTER_BLOCK * cluster_size);
    if (result == 0)
        result = file_write_buffer(file, cluster, cluster_size, CLUSTER_REFTABLE * cluster_size);
    if (result == 0)
        result = qcow2_header_write(file, header);
    if (result == -ENAMETOOLONG && header->extensions != NULL) {
        /* Small clusters hold a long name, or the names of features. */
        g_clear_pointer(&header->extensions, g_byte_array_unref);
        result = qcow2_header_write(file, header);
    }
    return result;
}

static bool create_data_file(const char *path, const char *name, GError **err)
{
    g_autofree char *data_path = image_resolve_name(path, name);
    struct file *file = file_create(data_path, NULL, err);

    file_close(file);
    return file != NULL;
}

/* The size of what it lies on, which must be there and good. */
static bool backing_size(const char *path, const struct image_create_options *options,
                         uint64_t *ret_size, GError **err)
{
    const struct image_options open_options = {.format = "qcow2", .read_only = true};
    struct file named = {.path = (char *)path};
    struct image above = {.file = &named}, *backing;

    backing =
        image_open_backing(&above, options->backing, options->backing_format, &open_options, err);
    if (backing == NULL)
        return false;
    *ret_size = backing->size;
    image_close(backing);
    return true;
}

/* The image as it is so far gets its size. */
static bool complete(struct file *file, const char *path, uint64_t size,
                     const struct image_create_options *options,
                     const struct image_progress *progress, GError **err)
{
    const struct image_options open_options = {.format = "qcow2"};
    struct image image = {.file = file};
    enum image_preallocation preallocation = options->preallocation;
    struct qcow2 *q;
    bool done = qcow2_open_core(&image, &open_options, err);
    int result = 0;

    q = image.state;
    if (done) {
        if (options->data_file != NULL) {
            g_autofree char *data_path = image_resolve_name(path, options->data_file);
            const struct file_options file_options = {.read_only = false};
            struct file *data_file = file_open(data_path, &file_options, err);

            done = data_file != NULL;
            if (done)
                q->data_file = data_file;
            /* What is raw has everything in its place. */
            if (options->data_file_raw)
                preallocation = MAX(preallocation, IMAGE_PREALLOCATION_METADATA);
        }
        q->lazy = false;
    }
    if (done) {
        q->changed_header = true;
        result = qcow2_set_size(q, size);
        if (result == -EFBIG)
            done = vmdesk_fail(err, VMDESK_ERROR_INVALID,
                               "The image %s cannot have %" PRIu64 " bytes with clusters of "
                               "%" PRIu64 " bytes: choose larger clusters.",
                               path, size, q->cluster_size);
        else if (result < 0)
            done = vmdesk_error_from_errno(err, -result, NULL, "Cannot write the image %s", path);
    }
    if (done && preallocation != IMAGE_PREALLOCATION_OFF)
        done = qcow2_preallocate(&image, 0, size, preallocation, progress, err);
    if (done) {
        result = qcow2_finish(&image);
        if (result < 0)
            done = vmdesk_error_from_errno(err, -result, NULL, "Cannot write the image %s", path);
    }
    qcow2_close_core(&image);
    return done;
}

bool qcow2_create(struct file *file, const char *final_path,
                  const struct image_create_options *options, const struct image_progress *progress,
                  GError **err)
{
    struct qcow2_header header;
    uint64_t size = options->size, below = 0;
    bool done;
    int result;

    if (!check_options(final_path, options, err))
        return false;
    if (options->backing != NULL && !backing_size(final_path, options, &below, err))
        return false;
    header = first_header(options);
    result = write_first(file, &header);
    qcow2_header_clear(&header);
    if (result == -ENAMETOOLONG)
        return refuse(final_path, err,
                      "its clusters are too small for the name of what it lies on");
    if (result < 0)
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot write the image %s", final_path);
    if (options->data_file != NULL && !create_data_file(final_path, options->data_file, err))
        return false;
    done = complete(file, final_path, size != 0 ? size : below, options, progress, err);
    if (!done && options->data_file != NULL) {
        g_autofree char *data_path = image_resolve_name(final_path, options->data_file);

        unlink(data_path);
    }
    return done;
}
