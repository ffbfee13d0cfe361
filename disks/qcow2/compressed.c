/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Section "Compressed Clusters Descriptor". A cluster is inflated into a buffer of its size and no
 * further, whatever it claims to be. */
#include <errno.h>
#include <zlib.h>
#include <zstd.h>

#include "core/error.h"
#include "disks/bytes.h"
#include "disks/qcow2/qcow2.h"

#define DEFLATE_WINDOW (-12) /* raw, 4 KiB: what all readers can do */
#define INFLATE_WINDOW (-15)
#define DEFLATE_MEMORY 8

static int inflate_zlib(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size)
{
    z_stream stream = {.next_in = (uint8_t *)in,
                       .avail_in = in_size,
                       .next_out = out,
                       .avail_out = out_size};
    int result;

    if (inflateInit2(&stream, INFLATE_WINDOW) != Z_OK)
        return -ENOMEM;
    result = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    /* The size counts in sectors, so that there may be input left. */
    if ((result == Z_STREAM_END || result == Z_BUF_ERROR) && stream.avail_out == 0)
        return 0;
    return -EIO;
}

static int inflate_zstd(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer input = {in, in_size, 0};
    ZSTD_outBuffer output = {out, out_size, 0};
    int result = 0;

    if (stream == NULL)
        return -ENOMEM;
    while (output.pos < out_size && result == 0) {
        size_t in_before = input.pos, out_before = output.pos;
        size_t hint = ZSTD_decompressStream(stream, &output, &input);

        if (ZSTD_isError(hint) || (input.pos == in_before && output.pos == out_before))
            result = -EIO;
    }
    ZSTD_freeDStream(stream);
    return result;
}

/* The compressed bytes; the file may end inside the last sector. */
static int read_compressed(struct qcow2 *q, uint64_t entry, uint8_t **ret_data, size_t *ret_size)
{
    uint64_t offset, size, file_size;
    int result = q->file->ops->size(q->file, &file_size);

    qcow2_compressed_place(q, entry, &offset, &size);
    if (result < 0 || offset >= file_size)
        return result < 0 ? result : -EIO;
    size = MIN(size, file_size - offset);
    *ret_data = g_try_malloc(size);
    if (*ret_data == NULL)
        return -ENOMEM;
    result = file_read_buffer(q->file, *ret_data, size, offset);
    if (result < 0)
        g_clear_pointer(ret_data, g_free);
    *ret_size = size;
    return result;
}

/* With inflated_lock held. */
static int inflate_entry(struct qcow2 *q, uint64_t entry)
{
    uint8_t *data;
    size_t size;
    int result;

    if (q->inflated_entry == entry)
        return 0;
    if (q->inflated == NULL)
        q->inflated = g_try_malloc(q->cluster_size);
    q->inflated_entry = 0;
    if (q->inflated == NULL)
        return -ENOMEM;
    result = read_compressed(q, entry, &data, &size);
    if (result < 0)
        return result;
    if (q->header.compression == QCOW2_ZSTD)
        result = inflate_zstd(data, size, q->inflated, q->cluster_size);
    else
        result = inflate_zlib(data, size, q->inflated, q->cluster_size);
    g_free(data);
    if (result == 0)
        q->inflated_entry = entry;
    return result;
}

int qcow2_inflate(struct qcow2 *q, uint64_t entry, uint64_t skip, const struct iovec *iov,
                  unsigned count)
{
    int result;

    g_mutex_lock(&q->inflated_lock);
    result = inflate_entry(q, entry);
    for (unsigned i = 0; i < count && result == 0; i++) {
        memcpy(iov[i].iov_base, q->inflated + skip, iov[i].iov_len);
        skip += iov[i].iov_len;
    }
    g_mutex_unlock(&q->inflated_lock);
    return result;
}

/* Returns how long it became; 0: no shorter. */
static size_t deflate_zlib(const uint8_t *in, uint8_t *out, size_t size)
{
    z_stream stream = {.next_in = (uint8_t *)in,
                       .avail_in = size,
                       .next_out = out,
                       .avail_out = size - 1};
    bool done;

    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, DEFLATE_WINDOW, DEFLATE_MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return 0;
    done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    deflateEnd(&stream);
    return done ? size - 1 - stream.avail_out : 0;
}

static size_t deflate_zstd(const uint8_t *in, uint8_t *out, size_t size)
{
    size_t made = ZSTD_compress(out, size - 1, in, size, ZSTD_CLEVEL_DEFAULT);

    return ZSTD_isError(made) ? 0 : made;
}

/* Whether the rest of the cluster of the file in which the last compressed one ends can be used; it
 * is counted once more then. */
static int take_rest(struct qcow2 *q, uint64_t at, bool *ret_taken)
{
    uint64_t cluster = at >> q->cluster_bits, refcount;
    int result;

    *ret_taken = false;
    if (at == 0 || (at & (q->cluster_size - 1)) == 0)
        return 0;
    result = qcow2_refcount_get(q, cluster, &refcount);
    if (result < 0 || refcount == 0 || refcount >= q->max_refcount)
        return result;
    result = qcow2_refcount_add(q, cluster, 1, 1);
    *ret_taken = result == 0 && q->compressed_end == at;
    /* It became free meanwhile. */
    return result == 0 && !*ret_taken ? qcow2_refcount_add(q, cluster, 1, -1) : result;
}

/* A place for so many bytes, less than a cluster: after the last compressed cluster, and on into
 * the next one of the file where that is free. With the lock held. */
static int place(struct qcow2 *q, uint64_t size, uint64_t *ret_offset)
{
    uint64_t at = q->compressed_end, left = -at & (q->cluster_size - 1), next = 0;
    bool rest;
    int result = take_rest(q, at, &rest);

    if (result == 0 && (!rest || size > left))
        result = qcow2_alloc_table(q, 1, &next);
    if (rest && (result < 0 || (next != 0 && next != at + left))) {
        qcow2_refcount_add(q, at >> q->cluster_bits, 1, -1);
        rest = false;
    }
    *ret_offset = rest ? at : next;
    q->compressed_end = result == 0 ? *ret_offset + size : 0;
    return result;
}

static int store(struct qcow2 *q, const uint8_t *data, size_t size, uint64_t guest_cluster)
{
    unsigned shift = 62 - (q->cluster_bits - 8), index;
    struct qcow2_change change;
    struct qcow2_slice *slice;
    struct qcow2_entry entry = {0, 0}, old;
    uint64_t offset, first, sectors;
    int result;

    g_mutex_lock(&q->lock);
    while (qcow2_change_find(q, guest_cluster, 1) != NULL)
        g_cond_wait(&q->changed, &q->lock);
    qcow2_change_begin(q, &change, guest_cluster, 1);
    result = qcow2_prepare_change(q);
    if (result == 0)
        result = place(q, size, &offset);
    if (result == 0) {
        first = offset & ~(q->cluster_size - 1);
        sectors = (offset + size - 1) / IMAGE_SECTOR_SIZE - offset / IMAGE_SECTOR_SIZE;
        entry.word = QCOW2_COMPRESSED | sectors << shift | offset;
        g_mutex_unlock(&q->lock);
        g_mutex_lock(&q->inflated_lock);
        q->inflated_entry = 0;
        g_mutex_unlock(&q->inflated_lock);
        result = file_write_buffer(q->file, data, size, offset);
        g_mutex_lock(&q->lock);
        if (result == 0)
            result = qcow2_l2_get_for_change(q, guest_cluster, &slice, &index);
        if (result < 0) {
            qcow2_unalloc(q, first, qcow2_clusters(q, offset + size - first));
        } else {
            old = qcow2_entry_load(q, slice->data, index);
            qcow2_entry_store(q, slice->data, index, entry);
            qcow2_cache_dirty(q, slice);
            qcow2_cache_put(q, slice);
            qcow2_entry_release(q, old, false);
        }
    }
    qcow2_change_end(q, &change);
    g_mutex_unlock(&q->lock);
    return result;
}

bool qcow2_write_compressed(struct image *image, const void *buffer, uint64_t offset,
                            uint64_t length, GError **err)
{
    struct qcow2 *q = image->state;
    g_autofree uint8_t *full = NULL, *out = NULL;
    g_autoptr(GMutexLocker) locker = NULL;
    size_t size;
    int result;

    if (q->data_file != q->file)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The image %s has an external data file, which cannot be compressed.",
                           image->file->path);
    if (offset % q->cluster_size != 0 || length > q->cluster_size ||
        (length < q->cluster_size && offset + length != image->size))
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The image %s is compressed by clusters of %" G_GUINT64_FORMAT
                           " bytes and nothing else.",
                           image->file->path, q->cluster_size);
    full = g_malloc0(q->cluster_size);
    out = g_malloc(q->cluster_size);
    memcpy(full, buffer, length);
    size = q->header.compression == QCOW2_ZSTD ? deflate_zstd(full, out, q->cluster_size)
                                               : deflate_zlib(full, out, q->cluster_size);
    locker = g_mutex_locker_new(&image->manage);
    if (size == 0)
        result = -image_write(image, buffer, offset, length);
    else
        result = store(q, out, size, offset >> q->cluster_bits);
    if (result < 0)
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot write to the image %s",
                                       image->file->path);
    return true;
}
