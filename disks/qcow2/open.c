/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening and closing. All of the header is checked before anything that it says is used. */
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/log.h"
#include "disks/qcow2/qcow2.h"

#define MIN_CACHE_BYTES (1024 * 1024)
#define MAX_CACHE_BYTES (32 * 1024 * 1024)
#define EXTENDED_L2_MIN_CLUSTER_BITS 14 /* subclusters of a sector */

static bool malformed(struct qcow2 *q, GError **err, const char *what)
{
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "The image %s is no good qcow2 image: %s. Get it again, or restore it from "
                       "a copy.",
                       q->file->path, what);
}

static bool check_features(struct qcow2 *q, const struct image_options *options, GError **err)
{
    const struct qcow2_header *header = &q->header;
    uint64_t unknown = header->incompatible & ~QCOW2_INCOMPATIBLE_KNOWN;
    bool named = header->incompatible & QCOW2_INCOMPATIBLE_COMPRESSION;

    if (header->crypt_method != 0)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The image %s is encrypted with %s, which vmdesk cannot read: decrypt "
                           "it by \"qemu-img convert\".",
                           q->file->path, header->crypt_method == 2 ? "LUKS" : "AES");
    if (unknown != 0) {
        g_autoptr(GString) names = g_string_new(NULL);

        for (unsigned bit = 0; bit < 64; bit++) {
            g_autofree char *name = NULL;

            if (!(unknown >> bit & 1))
                continue;
            name = qcow2_header_feature_name(header, bit);
            g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "", name);
        }
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The image %s uses what vmdesk does not know: %s. Convert it by a newer "
                           "\"qemu-img convert\".",
                           q->file->path, names->str);
    }
    if ((header->incompatible & QCOW2_INCOMPATIBLE_CORRUPT) && !q->image->read_only &&
        !options->as_it_is)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The image %s is marked as corrupt, so it cannot be written to: repair "
                           "it by a check, or open it for reading.",
                           q->file->path);
    if (header->compression > QCOW2_ZSTD || named != (header->compression != QCOW2_ZLIB))
        return malformed(q, err, "its compression is of no known kind");
    if ((header->incompatible & QCOW2_INCOMPATIBLE_EXTENDED_L2) &&
        header->cluster_bits < EXTENDED_L2_MIN_CLUSTER_BITS)
        return malformed(q, err, "its clusters are too small for extended L2 entries");
    return true;
}

uint64_t qcow2_l1_entries(const struct qcow2 *q, uint64_t size)
{
    uint64_t clusters = qcow2_clusters(q, size);

    return (clusters + (1ULL << q->l2_bits) - 1) >> q->l2_bits;
}

static void set_geometry(struct qcow2 *q)
{
    const struct qcow2_header *header = &q->header;
    bool extended = header->incompatible & QCOW2_INCOMPATIBLE_EXTENDED_L2;

    q->cluster_bits = header->cluster_bits;
    q->cluster_size = 1ULL << q->cluster_bits;
    q->slice_size = MIN(q->cluster_size, QCOW2_SLICE_BYTES);
    q->l2_entry_size = extended ? 16 : 8;
    q->l2_bits = q->cluster_bits - (extended ? 4 : 3);
    q->subclusters = extended ? QCOW2_SUBCLUSTERS : 1;
    q->subcluster_size = q->cluster_size / q->subclusters;
    q->refcount_order = header->refcount_order;
    q->block_bits = q->cluster_bits + 3 - q->refcount_order;
    q->max_refcount = q->refcount_order == 6 ? UINT64_MAX : (1ULL << (1U << q->refcount_order)) - 1;
    q->lazy = (header->compatible & QCOW2_COMPATIBLE_LAZY_REFCOUNTS) && header->version >= 3;
    q->raw_data = header->autoclear & QCOW2_AUTOCLEAR_RAW_DATA;
}

static bool check_tables(struct qcow2 *q, GError **err)
{
    const struct qcow2_header *header = &q->header;
    uint64_t reftable = (uint64_t)header->reftable_clusters << q->cluster_bits;
    uint64_t l1 = (uint64_t)header->l1_size * 8;
    const struct {
        uint64_t offset, length;
    } ranges[] = {
        {0, q->cluster_size},
        {header->l1_offset, l1},
        {header->reftable_offset, reftable},
    };

    if (header->size > IMAGE_MAX_SIZE || header->size % IMAGE_SECTOR_SIZE != 0)
        return malformed(q, err, "its size is not one that a disk can have");
    if (reftable == 0 || reftable > QCOW2_MAX_REFTABLE_BYTES)
        return malformed(q, err, "its refcount table is missing, or larger than can be");
    if (l1 > QCOW2_MAX_L1_BYTES)
        return malformed(q, err, "its L1 table is larger than can be");
    if (header->l1_size < qcow2_l1_entries(q, header->size))
        return malformed(q, err, "its L1 table is too small for its size");
    for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++) {
        if (ranges[i].length == 0)
            continue;
        if (ranges[i].offset % q->cluster_size != 0 || ranges[i].offset > IMAGE_MAX_SIZE)
            return malformed(q, err, "a table is misplaced");
        for (size_t n = 0; n < i; n++)
            if (ranges[n].length > 0 && ranges[i].offset < ranges[n].offset + ranges[n].length &&
                ranges[n].offset < ranges[i].offset + ranges[i].length)
                return malformed(q, err, "two of its tables lie in the same place");
    }
    return true;
}

static bool read_tables(struct qcow2 *q, GError **err)
{
    const struct qcow2_header *header = &q->header;
    int result;

    q->reftable_entries = ((uint64_t)header->reftable_clusters << q->cluster_bits) / 8;
    q->reftable = g_try_new(uint64_t, q->reftable_entries);
    q->l1 = g_try_new(uint64_t, MAX(header->l1_size, 1));
    result = q->reftable == NULL || q->l1 == NULL
                 ? -ENOMEM
                 : qcow2_table_read(q, header->reftable_offset, q->reftable, q->reftable_entries);
    if (result == 0)
        result = qcow2_table_read(q, header->l1_offset, q->l1, header->l1_size);
    if (result == 0)
        result = q->file->ops->size(q->file, &q->file_length);
    if (result < 0)
        return vmdesk_error_from_errno(err, -result, "It may be cut short: get it again",
                                       "Cannot read the tables of the image %s", q->file->path);
    return true;
}

/* A device has no end behind which nothing was written: what follows the last cluster in use is
 * free, though not zeros. */
static int find_end_on_device(struct qcow2 *q)
{
    uint64_t block = q->reftable_entries;

    while (block > 0 && q->reftable[block - 1] == 0)
        block--;
    q->high_water = block << q->block_bits;
    while (q->high_water > 0) {
        uint64_t refcount;
        int result = qcow2_refcount_get(q, q->high_water - 1, &refcount);

        if (result < 0 || refcount > 0)
            return result;
        q->high_water--;
    }
    return 0;
}

bool qcow2_open_core(struct image *image, const struct image_options *options, GError **err)
{
    struct qcow2 *q = g_new0(struct qcow2, 1);
    uint64_t cache;
    int result = 0;

    *q = (struct qcow2){.image = image, .file = image->file, .data_file = image->file};
    g_mutex_init(&q->lock);
    g_mutex_init(&q->inflated_lock);
    g_cond_init(&q->changed);
    q->l1_dirty = g_hash_table_new(NULL, NULL);
    q->reftable_dirty = g_hash_table_new(NULL, NULL);
    image->state = q;
    if (!qcow2_header_read(q->file, &q->header, err) || !check_features(q, options, err))
        return false;
    set_geometry(q);
    cache = options->table_cache_size;
    if (cache == 0)
        cache = CLAMP((q->header.size >> q->cluster_bits) * q->l2_entry_size, MIN_CACHE_BYTES,
                      MAX_CACHE_BYTES);
    qcow2_cache_init(q, cache);
    if (!check_tables(q, err) || !read_tables(q, err) || !qcow2_snapshots_read(q, err))
        return false;
    q->high_water = qcow2_clusters(q, q->file_length);
    g_mutex_lock(&q->lock);
    if (q->file->fixed_size)
        result = find_end_on_device(q);
    g_mutex_unlock(&q->lock);
    if (result < 0)
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot read the tables of the image %s",
                                       q->file->path);
    image->size = q->header.size;
    return true;
}

/* The name comes with the image, from anywhere: only a file beside it is opened, unless the user
 * said otherwise. */
static bool check_data_file(struct qcow2 *q, const char *name, const char *path,
                            const struct image_options *options, GError **err)
{
    struct stat st, own;

    if (name[0] == '{' || image_name_is_protocol(name))
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The image %s names \"%s\" as its data file, which is not a file. If "
                           "you trust the image, convert it by \"qemu-img convert\".",
                           q->file->path, name);
    if (strchr(name, '/') != NULL && !options->data_file_anywhere)
        return vmdesk_fail(err, VMDESK_ERROR_PERMISSION,
                           "The image %s has its data in %s, which is not in its own folder. If "
                           "you trust the image, convert it by \"qemu-img convert\".",
                           q->file->path, name);
    if ((options->data_file_anywhere ? stat(path, &st) : lstat(path, &st)) < 0)
        return vmdesk_error_from_errno(err, errno, "Put it back beside the image",
                                       "The image %s needs its data file %s", q->file->path, path);
    if (!S_ISREG(st.st_mode))
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The image %s names \"%s\" as its data file, which is not a regular "
                           "file: put the file itself there.",
                           q->file->path, name);
    if (stat(q->file->path, &own) == 0 && own.st_dev == st.st_dev && own.st_ino == st.st_ino)
        return malformed(q, err, "it is its own data file");
    return true;
}

static bool open_data_file(struct qcow2 *q, const struct image_options *options, GError **err)
{
    const char *name = q->header.data_file_name;
    const struct file_options file_options = {
        .read_only = q->image->read_only,
        .direct = options->cache == IMAGE_CACHE_DIRECT,
    };
    g_autofree char *path = NULL;
    struct file *file;

    if (!(q->header.incompatible & QCOW2_INCOMPATIBLE_DATA_FILE))
        return true;
    if (name == NULL)
        return malformed(q, err, "it does not say where its data file is");
    path = image_resolve_name(q->file->path, name);
    if (!check_data_file(q, name, path, options, err))
        return false;
    file = file_open(path, &file_options, err);
    if (file != NULL)
        q->data_file = file;
    return file != NULL;
}

static bool open_backing(struct qcow2 *q, const struct image_options *options, GError **err)
{
    if (q->header.backing_name == NULL || options->backing == IMAGE_BACKING_IGNORE)
        return true;
    q->image->backing = image_open_backing(q->image, q->header.backing_name,
                                           q->header.backing_format, options, err);
    return q->image->backing != NULL;
}

/* It was not closed: its refcounts may be too low. */
static bool repair_dirty(struct qcow2 *q, GError **err)
{
    struct image_check_result result;

    log_info("disks", "%s was not closed well: its refcounts are made anew", q->file->path);
    if (!image_check(q->image, IMAGE_REPAIR_LEAKS | IMAGE_REPAIR_ERRORS, &result, NULL, err))
        return false;
    image_check_result_clear(&result);
    return true;
}

bool qcow2_open(struct image *image, const struct image_options *options, GError **err)
{
    struct qcow2 *q;

    if (!qcow2_open_core(image, options, err) || !open_data_file(image->state, options, err) ||
        !open_backing(image->state, options, err)) {
        qcow2_close_core(image);
        return false;
    }
    q = image->state;
    if ((q->header.incompatible & QCOW2_INCOMPATIBLE_DIRTY) && !image->read_only &&
        !options->as_it_is && !repair_dirty(q, err)) {
        qcow2_close_core(image);
        return false;
    }
    return true;
}

/* Everything is on the disk; what was room for more is cut off. */
static int finish(struct qcow2 *q)
{
    struct qcow2_header header = q->header;
    int result = qcow2_settle(q);
    uint64_t end = q->high_water << q->cluster_bits;

    if (result == 0 && q->changed_header && q->lazy &&
        (header.incompatible & QCOW2_INCOMPATIBLE_DIRTY)) {
        header = q->header;
        header.incompatible &= ~QCOW2_INCOMPATIBLE_DIRTY;
        result = q->file->ops->flush(q->file);
        if (result == 0)
            result = qcow2_header_write_fields(q->file, &header);
    }
    if (result == 0 && q->file_length > end && !q->file->fixed_size)
        result = q->file->ops->truncate(q->file, end);
    return result;
}

void qcow2_close_core(struct image *image)
{
    struct qcow2 *q = image->state;

    if (q->cache.slices != NULL)
        qcow2_cache_finish(q);
    if (q->data_file != q->file)
        file_close(q->data_file);
    if (q->snapshots != NULL)
        g_ptr_array_unref(q->snapshots);
    qcow2_header_clear(&q->header);
    g_hash_table_unref(q->l1_dirty);
    g_hash_table_unref(q->reftable_dirty);
    while (q->frees.head != NULL)
        g_free(g_queue_pop_head(&q->frees));
    while (q->ready_frees.head != NULL)
        g_free(g_queue_pop_head(&q->ready_frees));
    g_free(q->l1);
    g_free(q->reftable);
    g_free(q->inflated);
    g_mutex_clear(&q->lock);
    g_mutex_clear(&q->inflated_lock);
    g_cond_clear(&q->changed);
    g_free(q);
    image->state = NULL;
}

int qcow2_finish(struct image *image)
{
    struct qcow2 *q = image->state;

    return q->changed_header ? finish(q) : 0;
}

void qcow2_close(struct image *image)
{
    int result = image->read_only ? 0 : qcow2_finish(image);

    if (result < 0)
        log_error("disks", "Cannot bring the tables of %s to the disk: %s", image->file->path,
                  g_strerror(-result));
    qcow2_close_core(image);
}
