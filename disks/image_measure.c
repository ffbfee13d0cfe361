/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How large an image becomes, before it is made. */
#include <inttypes.h>
#include <string.h>

#include "core/error.h"
#include "disks/image_copy.h"
#include "disks/image_format.h"

#define QCOW2_DEFAULT_CLUSTER (64 * 1024)
#define QCOW2_MIN_CLUSTER 512
#define QCOW2_MAX_CLUSTER (2 * 1024 * 1024)
#define QCOW2_DEFAULT_REFCOUNT_BITS 16
#define QCOW2_L1_ENTRY 8

static uint64_t divide_up(uint64_t value, uint64_t by)
{
    return value / by + (value % by != 0);
}

/* Bytes of the refcount blocks and of their table for so many clusters, which count themselves,
 * too. */
static uint64_t refcount_size(uint64_t clusters, uint64_t cluster_size, unsigned refcount_bits)
{
    uint64_t in_block = cluster_size * 8 / refcount_bits, in_table = cluster_size / QCOW2_L1_ENTRY;
    uint64_t blocks = 0, tables = 0, before;

    do {
        before = blocks + tables;
        blocks = divide_up(clusters + before, in_block);
        tables = divide_up(blocks, in_table);
    } while (blocks + tables != before);
    return (blocks + tables) * cluster_size;
}

/* Bytes of a qcow2 image with all of its clusters. */
static uint64_t qcow2_size(uint64_t size, uint64_t cluster_size, unsigned refcount_bits,
                           bool extended_l2)
{
    uint64_t entry = extended_l2 ? 16 : 8, clusters = divide_up(size, cluster_size);
    uint64_t l2_tables = divide_up(clusters * entry, cluster_size);
    uint64_t l1_clusters = divide_up(l2_tables * QCOW2_L1_ENTRY, cluster_size);
    uint64_t all = clusters + l2_tables + l1_clusters + 1; /* the header's */

    return all * cluster_size + refcount_size(all, cluster_size, refcount_bits);
}

/* Bytes of all clusters in which the source has anything. */
static bool used_clusters(struct image *source, uint64_t cluster_size, uint64_t *ret_used,
                          GError **err)
{
    uint64_t at = 0, end = 0; /* end: of the last cluster that was counted */

    *ret_used = 0;
    while (at < source->size) {
        struct block_status status;

        if (!image_status(source, at, source->size - at, &status, err))
            return false;
        if (status.state == BLOCK_DATA || status.state == BLOCK_COMPRESSED) {
            uint64_t start = MAX(at / cluster_size * cluster_size, end);

            end = MAX(end, divide_up(at + status.length, cluster_size) * cluster_size);
            *ret_used += end - start;
        }
        at += status.length;
    }
    return true;
}

static bool measure_qcow2(struct image *source, uint64_t size,
                          const struct image_create_options *options, struct image_measure *measure,
                          GError **err)
{
    uint64_t cluster = options->cluster_size != 0 ? options->cluster_size : QCOW2_DEFAULT_CLUSTER;
    unsigned bits =
        options->refcount_bits != 0 ? options->refcount_bits : QCOW2_DEFAULT_REFCOUNT_BITS;
    uint64_t used = 0;

    if (cluster < QCOW2_MIN_CLUSTER || cluster > QCOW2_MAX_CLUSTER ||
        (cluster & (cluster - 1)) != 0 || bits > 64 || (bits & (bits - 1)) != 0)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "qcow2 has no clusters of %" PRIu64 " bytes with refcounts of %u bits: "
                           "give powers of two from %d to %d and from 1 to 64.",
                           cluster, bits, QCOW2_MIN_CLUSTER, QCOW2_MAX_CLUSTER);
    if (source != NULL && !used_clusters(source, cluster, &used, err))
        return false;
    measure->fully_allocated = qcow2_size(size, cluster, bits, options->extended_l2);
    measure->required = measure->fully_allocated - divide_up(size, cluster) * cluster + used;
    return true;
}

bool image_measure(struct image *source, const struct image_create_options *options,
                   struct image_measure *ret_measure, GError **err)
{
    uint64_t size = source != NULL ? source->size : options->size;

    if (size == 0 || size > IMAGE_MAX_SIZE)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "There are no images of %" PRIu64 " bytes: give 1 to %" PRIu64 ".", size,
                           IMAGE_MAX_SIZE);
    if (strcmp(options->format, image_raw.name) == 0) {
        ret_measure->required = ret_measure->fully_allocated = size;
        return true;
    }
    if (strcmp(options->format, "qcow2") == 0)
        return measure_qcow2(source, size, options, ret_measure, err);
    return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                       "Images of the format \"%s\" are not made: use qcow2 or raw.",
                       options->format);
}
