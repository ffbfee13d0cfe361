/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the qcow2 format (docs/interop/qcow2.txt of QEMU is its specification; "section"
 * below is one of its headings).
 *
 * Locks: qcow2.lock guards all of struct qcow2 but what is marked as constant. It is held for
 * look-ups and changes of tables in memory, and let go for everything that waits for the disk.
 *
 * Tables in memory run ahead of those in the file. A cluster's refcount is raised before anything
 * refers to it, and lowered after nothing on the disk does; qcow2_sync() brings the tables to the
 * disk in the order that makes every moment of it a good image:
 *
 *   refcount blocks, and the data that was written -- flush -- refcount table -- flush -- L2 tables
 *   -- flush -- L1 table -- flush -- what was freed meanwhile may be used again
 */
#ifndef DISKS_QCOW2_QCOW2_H
#define DISKS_QCOW2_QCOW2_H

#include <glib.h>

#include "disks/image_format.h"

#define QCOW2_MAGIC 0x514649fb /* "QFI\xfb" */
#define QCOW2_MIN_CLUSTER_BITS 9
#define QCOW2_MAX_CLUSTER_BITS 21
#define QCOW2_HEADER_V2 72
#define QCOW2_HEADER_V3 104
#define QCOW2_HEADER_WRITTEN 112 /* with the compression type, padded */
#define QCOW2_MAX_L1_BYTES (32 * 1024 * 1024)
#define QCOW2_MAX_REFTABLE_BYTES (8 * 1024 * 1024)
#define QCOW2_MAX_REFCOUNT_ORDER 6
#define QCOW2_MAX_SNAPSHOTS 65536
#define QCOW2_MAX_SNAPSHOT_BYTES (64 * 1024 * 1024) /* the table */
#define QCOW2_MAX_SNAPSHOT_EXTRA 1024
#define QCOW2_MAX_BITMAPS 65535
#define QCOW2_MAX_BITMAP_DIRECTORY (64 * 1024 * 1024)
#define QCOW2_SLICE_BYTES 4096 /* the piece in which tables are read, cached and written */

#define QCOW2_OFFSET_MASK 0x00fffffffffffe00ULL
#define QCOW2_COPIED (1ULL << 63)
#define QCOW2_COMPRESSED (1ULL << 62)
#define QCOW2_ZERO 1ULL /* not with extended L2 entries */
#define QCOW2_REFTABLE_MASK 0xfffffffffffffe00ULL
#define QCOW2_SUBCLUSTERS 32
#define QCOW2_ALL_ZERO 0xffffffff00000000ULL /* bitmap of an extended L2 entry */
#define QCOW2_ALL_DATA 0x00000000ffffffffULL

#define QCOW2_INCOMPATIBLE_DIRTY (1ULL << 0)
#define QCOW2_INCOMPATIBLE_CORRUPT (1ULL << 1)
#define QCOW2_INCOMPATIBLE_DATA_FILE (1ULL << 2)
#define QCOW2_INCOMPATIBLE_COMPRESSION (1ULL << 3)
#define QCOW2_INCOMPATIBLE_EXTENDED_L2 (1ULL << 4)
#define QCOW2_INCOMPATIBLE_KNOWN 0x1fULL
#define QCOW2_COMPATIBLE_LAZY_REFCOUNTS (1ULL << 0)
#define QCOW2_AUTOCLEAR_BITMAPS (1ULL << 0)
#define QCOW2_AUTOCLEAR_RAW_DATA (1ULL << 1)

#define QCOW2_EXTENSION_END 0x00000000
#define QCOW2_EXTENSION_BACKING_FORMAT 0xe2792aca
#define QCOW2_EXTENSION_FEATURES 0x6803f857
#define QCOW2_EXTENSION_BITMAPS 0x23852875
#define QCOW2_EXTENSION_DATA_FILE 0x44415441

enum qcow2_compression { QCOW2_ZLIB = 0, QCOW2_ZSTD = 1 };

/* Section "Header", in host order, and what follows it in the first cluster. */
struct qcow2_header {
    unsigned version;
    uint64_t backing_offset;
    uint32_t backing_size;
    uint32_t cluster_bits;
    uint64_t size;
    uint32_t crypt_method;
    uint32_t l1_size; /* entries */
    uint64_t l1_offset;
    uint64_t reftable_offset;
    uint32_t reftable_clusters;
    uint32_t snapshot_count;
    uint64_t snapshots_offset;
    uint64_t incompatible, compatible, autoclear;
    uint32_t refcount_order;
    uint32_t header_length;
    uint8_t compression;

    char *backing_name;
    char *backing_format;
    char *data_file_name;
    bool has_bitmaps;
    uint32_t bitmap_count;
    uint64_t bitmap_directory_size, bitmap_directory_offset;
    GByteArray *extensions; /* those that are kept as they are, with their headings */
    GByteArray *more;       /* of the header, past what is known here */
};

void qcow2_header_clear(struct qcow2_header *header);
bool qcow2_header_read(struct file *file, struct qcow2_header *ret_header, GError **err);
/* The fixed part: a single sector, so it changes at once. 0 or a negative errno. */
int qcow2_header_write_fields(struct file *file, const struct qcow2_header *header);
/* All of the first cluster. -ENAMETOOLONG: it does not fit. */
int qcow2_header_write(struct file *file, struct qcow2_header *header);
/* The name of an incompatible feature, as the image tells it; else its number. */
char *qcow2_header_feature_name(const struct qcow2_header *header, unsigned bit);

enum qcow2_table { QCOW2_REFCOUNTS, QCOW2_L2, QCOW2_TABLES };

/* A piece of a refcount block or L2 table in memory. */
struct qcow2_slice {
    uint64_t offset; /* in the file */
    uint8_t *data;   /* slice_size bytes in the file's order */
    enum qcow2_table table;
    bool loading, dirty;
    bool awaited;  /* somebody waits for it to be loaded */
    bool used;     /* since it was last looked at to make room */
    unsigned pins; /* it stays while there are any */
    GList clock_link, dirty_link;
};

struct qcow2_cache {
    GHashTable *slices; /* by offset / 512 */
    GQueue clock;       /* its tail is looked at first to make room */
    GQueue dirty[QCOW2_TABLES];
    unsigned max_slices;
};

/* A request that reads or writes clusters: what it may be using is not given away. */
struct qcow2_user {
    uint64_t epoch; /* in which it began */
};

/* A range of guest clusters that gets new clusters now. */
struct qcow2_change {
    uint64_t first, count; /* guest clusters */
    GQueue waiting;        /* struct block_request: to be run again when it is over */
    GList link;
};

struct qcow2_free_run {
    uint64_t offset, count; /* clusters in the file */
    uint64_t epoch;         /* users of this one and before may still be reading */
    bool discard;           /* the host gets the space back */
};

struct qcow2_snapshot {
    uint64_t l1_offset;
    uint32_t l1_size;
    char *id, *name;
    uint32_t date_sec, date_nsec;
    uint64_t vm_clock_nsec, vm_state_size, disk_size, icount;
    uint32_t extra_size;
    GByteArray *extra; /* past what is known here */
};

struct qcow2 {
    /* Constant while open. */
    struct image *image;
    struct file *file, *data_file; /* the same without an external data file */
    unsigned cluster_bits, l2_bits, slice_size;
    unsigned l2_entry_size, subclusters;
    uint64_t cluster_size, subcluster_size;
    unsigned refcount_order, block_bits; /* 2^block_bits refcounts in a block */
    uint64_t max_refcount;
    bool lazy; /* refcounts go to the disk when the image is closed */
    bool raw_data;

    GMutex lock;
    GCond changed;

    struct qcow2_header header;
    uint64_t *l1;         /* in host order; header.l1_size entries */
    GHashTable *l1_dirty; /* numbers of sectors of the L1 table */
    uint64_t *reftable;
    uint64_t reftable_entries; /* in memory, which may be more than in the file */
    GHashTable *reftable_dirty;
    bool reftable_move;        /* it has outgrown its place */
    bool reftable_placing;     /* it gets what was kept for it */
    GPtrArray *snapshots;      /* struct qcow2_snapshot */
    uint64_t snapshots_stored; /* bytes of their table in the file */

    struct qcow2_cache cache;

    uint64_t free_hint;      /* no cluster before it is free */
    uint64_t high_water;     /* clusters from here on were never used, and read as zeros */
    uint64_t file_length;    /* bytes */
    uint64_t compressed_end; /* where the next compressed cluster may follow; 0: nowhere */
    bool changed_header;     /* autoclear bits are gone, and the dirty bit is set if it must be */

    uint64_t epoch;     /* a new one begins when the users of the one before have ended */
    int users[2];       /* atomic; of even and odd epochs */
    GQueue changes;     /* struct qcow2_change */
    GQueue frees;       /* struct qcow2_free_run */
    GQueue ready_frees; /* which nothing on the disk refers to any longer */

    bool syncing;
    uint64_t syncs_begun, syncs_done;
    int sync_error;
    int paused;                /* atomic; changed with the lock held */
    GQueue held;               /* struct block_request: for when the pause is over */
    struct qcow2_dirty *dirty; /* what changes during a commit; NULL: none goes on */

    GMutex inflated_lock; /* guards what follows: the last compressed cluster that was read */
    uint64_t inflated_entry;
    uint8_t *inflated;
};

static inline uint64_t qcow2_clusters(const struct qcow2 *q, uint64_t bytes)
{
    return (bytes >> q->cluster_bits) + ((bytes & (q->cluster_size - 1)) != 0);
}

/* cache.c. With the lock held. */
void qcow2_cache_init(struct qcow2 *q, uint64_t bytes);
void qcow2_cache_finish(struct qcow2 *q);
/* A slice, pinned. -EAGAIN: it is there now, but the lock was let go meanwhile, so begin again. */
int qcow2_cache_get(struct qcow2 *q, enum qcow2_table table, uint64_t offset,
                    struct qcow2_slice **ret_slice);
/* The same without waiting for the disk. -EBUSY: that cannot be. */
int qcow2_cache_get_now(struct qcow2 *q, enum qcow2_table table, uint64_t offset,
                        struct qcow2_slice **ret_slice);
/* The same without reading: a new table, all zeros. */
struct qcow2_slice *qcow2_cache_new(struct qcow2 *q, enum qcow2_table table, uint64_t offset);
void qcow2_cache_put(struct qcow2 *q, struct qcow2_slice *slice);
void qcow2_cache_dirty(struct qcow2 *q, struct qcow2_slice *slice);
void qcow2_cache_clean(struct qcow2 *q, struct qcow2_slice *slice);
/* What a table was in memory is forgotten: its clusters are no longer used. */
void qcow2_cache_forget(struct qcow2 *q, uint64_t offset, uint64_t length);
/* Slices that are as they are on the disk; of L2 tables alone. */
void qcow2_cache_drop_clean(struct qcow2 *q);
void qcow2_cache_drop_tables(struct qcow2 *q);

/* refcount.c. With the lock held, which they let go while they read; 0 or a negative errno.
 */
int qcow2_refcount_get(struct qcow2 *q, uint64_t cluster, uint64_t *ret_refcount);
/* The first free cluster from this one on in the same slice, or the one behind the slice. */
int qcow2_refcount_find_free(struct qcow2 *q, uint64_t cluster, uint64_t *ret_free);
int qcow2_refcount_set(struct qcow2 *q, uint64_t cluster, uint64_t refcount);
int qcow2_refcount_add(struct qcow2 *q, uint64_t cluster, uint64_t count, int64_t delta);
/* Whether it is 1, for many: *slice is what the last call left, at first NULL, and to be put back
 * in the end. */
int qcow2_refcount_is_one(struct qcow2 *q, uint64_t cluster, struct qcow2_slice **slice,
                          bool *ret_one);
uint64_t qcow2_refcount_load(const struct qcow2 *q, const uint8_t *table, uint64_t index);
void qcow2_refcount_store(const struct qcow2 *q, uint8_t *table, uint64_t index, uint64_t value);
/* Clusters that are kept at the end of a file that cannot grow, for a refcount table of so many
 * entries to have its new place: without it nothing could be brought to the disk any more. */
uint64_t qcow2_reftable_room(const struct qcow2 *q, uint64_t entries);
/* Makes sure that there is a refcount block for the cluster. */
int qcow2_refcount_cover(struct qcow2 *q, uint64_t cluster);

/* alloc.c. As above. */
/* Whether a range of the file meets its header, L1 or refcount table. */
bool qcow2_is_main_table(const struct qcow2 *q, uint64_t offset, uint64_t length);
/* 1 to `wanted` clusters in a row; fresh: they read as zeros. Where a table lies in what is counted
 * as free the image is corrupt. */
int qcow2_alloc(struct qcow2 *q, uint64_t wanted, uint64_t *ret_offset, uint64_t *ret_count,
                bool *ret_fresh);
/* Exactly so many in a row. */
int qcow2_alloc_table(struct qcow2 *q, uint64_t count, uint64_t *ret_offset);
/* They may be used again as soon as nothing on the disk refers to them. */
void qcow2_free(struct qcow2 *q, uint64_t offset, uint64_t count, bool discard);
/* Those of a compressed cluster. */
void qcow2_free_compressed(struct qcow2 *q, uint64_t entry);
/* The same for what nothing on the disk refers to any longer and no request uses by this reference:
 * gives its space back to the host, for which the lock is let go. 0 or a negative errno. */
int qcow2_free_now(struct qcow2 *q, uint64_t offset, uint64_t count);
/* They were never referred to. */
int qcow2_unalloc(struct qcow2 *q, uint64_t offset, uint64_t count);
int qcow2_frees_apply(struct qcow2 *q);
/* The file reaches at least to the end of the cluster before `cluster`. */
int qcow2_extend_file(struct qcow2 *q, uint64_t cluster);

/* sync.c */
enum qcow2_sync { QCOW2_SYNC_NORMAL, QCOW2_SYNC_REFCOUNTS /* also when they are lazy */ };
/* Without the lock. All requests that have completed are on the disk. */
int qcow2_sync(struct qcow2 *q, enum qcow2_sync how);
/* With the lock held, which it lets go. */
int qcow2_sync_locked(struct qcow2 *q, enum qcow2_sync how);
/* Until nothing waits to be freed: no request runs. */
int qcow2_settle(struct qcow2 *q);
/* Before the first change: with the lock held, which it lets go. */
int qcow2_prepare_change(struct qcow2 *q);
void qcow2_l1_set(struct qcow2 *q, uint64_t index, uint64_t entry);
void qcow2_reftable_set(struct qcow2 *q, uint64_t index, uint64_t entry);
/* The header's fixed part changes on the disk, and q->header with it. On failure the old one is put
 * back; *ret_unknown: that failed too, so that either may be there, and what both lead to must stay
 * as it is. No request runs, or syncing is set. Without the lock. */
int qcow2_header_switch(struct qcow2 *q, const struct qcow2_header *header, bool *ret_unknown);
/* Marks the image as corrupt, on the disk too, and returns -EIO. With the lock held. */
int qcow2_corrupt(struct qcow2 *q, const char *what, uint64_t offset);
/* Waits until no request runs and there is no other user, and keeps new requests waiting. */
void qcow2_pause(struct qcow2 *q);
/* Before a change of much at once: no request runs, and everything is on the disk. It is paused
 * also on failure, which is a negative errno. */
int qcow2_pause_for_change(struct qcow2 *q);
/* The same while it is paused. */
int qcow2_settle_for_change(struct qcow2 *q);
void qcow2_resume(struct qcow2 *q);

/* l2.c */
enum qcow2_kind {
    QCOW2_UNALLOCATED, /* by this image */
    QCOW2_ZEROS,       /* without a place in the file */
    QCOW2_ZEROS_KEPT,  /* with one */
    QCOW2_DATA,
    QCOW2_DEFLATED,
};

/* What a guest range begins with. */
struct qcow2_extent {
    enum qcow2_kind kind;
    uint64_t length;       /* bytes, of the same kind and in a row in the file */
    uint64_t host;         /* offset in the file; deflated: the entry */
    bool copied;           /* nobody else refers to it, so it may be written to in place */
    bool has_host;         /* the cluster has a place, though perhaps not for this part of it */
    uint64_t cluster_host; /* which is this */
};

/* An L2 entry. */
struct qcow2_entry {
    uint64_t word, bitmap;
};

/* With the lock held. -EAGAIN as qcow2_cache_get(). length is not 0. */
int qcow2_lookup(struct qcow2 *q, uint64_t offset, uint64_t length,
                 struct qcow2_extent *ret_extent);
/* The same without waiting for the disk, though it may let the lock go. Never -EAGAIN, but -EBUSY:
 * that cannot be. */
int qcow2_lookup_now(struct qcow2 *q, uint64_t offset, uint64_t length,
                     struct qcow2_extent *ret_extent);
/* The slice with a guest cluster's L2 entry, pinned; NULL: there is no table. */
int qcow2_l2_get(struct qcow2 *q, uint64_t guest_cluster, struct qcow2_slice **ret_slice,
                 unsigned *ret_index);
/* The same for changing it: the table is made, or copied if others refer to it. Never -EAGAIN, but
 * lets the lock go. */
int qcow2_l2_get_for_change(struct qcow2 *q, uint64_t guest_cluster, struct qcow2_slice **ret_slice,
                            unsigned *ret_index);
struct qcow2_entry qcow2_entry_load(const struct qcow2 *q, const uint8_t *table, unsigned index);
void qcow2_entry_store(const struct qcow2 *q, uint8_t *table, unsigned index,
                       struct qcow2_entry entry);
enum qcow2_kind qcow2_entry_kind(const struct qcow2 *q, struct qcow2_entry entry,
                                 unsigned subcluster);
/* Frees what the entry referred to. */
void qcow2_entry_release(struct qcow2 *q, struct qcow2_entry entry, bool discard);
/* The clusters of the file that a compressed cluster lies in. */
void qcow2_compressed_place(const struct qcow2 *q, uint64_t entry, uint64_t *ret_offset,
                            uint64_t *ret_size);
/* Entries of an L2 slice. */
static inline unsigned qcow2_slice_entries(const struct qcow2 *q)
{
    return q->slice_size / q->l2_entry_size;
}

/* io.c, submit.c. Without the lock; 0 or a negative errno. */
int qcow2_read(struct image *image, const struct iovec *iov, unsigned count, uint64_t offset);
void qcow2_submit(struct image *image, struct block_request *request);
/* A request runs, as a user, until the end: false: it is one of those that wait while there is a
 * pause. With the lock held. */
bool qcow2_request_begin(struct qcow2 *q, struct block_request *request, struct qcow2_user *user);
/* Without the lock. */
void qcow2_request_end(struct qcow2 *q, const struct block_request *request,
                       const struct qcow2_user *user);
/* The disk may have become smaller while the request waited. With the lock held. */
bool qcow2_request_fits(const struct qcow2 *q, const struct block_request *request);
/* Part of an array of buffers. Returns how many it has. */
unsigned qcow2_iov_part(const struct iovec *iov, unsigned count, uint64_t skip, uint64_t length,
                        struct iovec *ret_part);
/* Runs the request on a thread of the I/O context. */
void qcow2_run_again(struct qcow2 *q, struct block_request *request);
/* Reads a guest range on this thread, as a request would. */
int qcow2_read_range(struct qcow2 *q, const struct iovec *iov, unsigned count, uint64_t offset);
/* The same of where guest data lies in the file. */
int qcow2_read_place(struct qcow2 *q, const struct iovec *iov, unsigned count, uint64_t host,
                     uint64_t length);

/* write.c, zero.c: a run of a request, with the lock held, which they let go meanwhile. false: it
 * waits for a change, which will run it again. */
bool qcow2_write(struct qcow2 *q, struct block_request *request, int *ret_result);
bool qcow2_zero(struct qcow2 *q, struct block_request *request, int *ret_result);

/* user.c. With the lock held, but for the end. */
/* Clusters that are freed meanwhile stay as they are. */
void qcow2_user_begin(struct qcow2 *q, struct qcow2_user *user);
/* Without the lock. */
void qcow2_user_end(struct qcow2 *q, const struct qcow2_user *user);
bool qcow2_has_users(struct qcow2 *q);
/* Whether all that began up to an epoch have ended. */
bool qcow2_users_ended(struct qcow2 *q, uint64_t epoch);

/* change.c: with the lock held. */
/* The change that overlaps the guest clusters; NULL: none. */
struct qcow2_change *qcow2_change_find(struct qcow2 *q, uint64_t first, uint64_t count);
void qcow2_change_begin(struct qcow2 *q, struct qcow2_change *change, uint64_t first,
                        uint64_t count);
void qcow2_change_end(struct qcow2 *q, struct qcow2_change *change);

/* compressed.c. Without the lock. */
int qcow2_inflate(struct qcow2 *q, uint64_t entry, uint64_t skip, const struct iovec *iov,
                  unsigned count);
bool qcow2_write_compressed(struct image *image, const void *buffer, uint64_t offset,
                            uint64_t length, GError **err);

/* snapshot_table.c */
void qcow2_snapshot_free(void *snapshot);
bool qcow2_snapshots_read(struct qcow2 *q, GError **err);
/* Writes the table to a new place and points the header there; the old place is freed.
 * Paused. unknown: as qcow2_header_switch(). */
int qcow2_snapshots_write(struct qcow2 *q, bool *ret_unknown);
/* What the table takes when it is written. */
uint64_t qcow2_snapshots_size(const GPtrArray *snapshots);

/* snapshot.c */
GPtrArray *qcow2_snapshots(struct image *image, GError **err);
bool qcow2_snapshot_create(struct image *image, const struct image_snapshot *description,
                           GError **err);
bool qcow2_snapshot_apply(struct image *image, const char *snapshot, GError **err);
bool qcow2_snapshot_delete(struct image *image, const char *snapshot, GError **err);
bool qcow2_snapshot_rename(struct image *image, const char *snapshot, const char *name,
                           GError **err);

/* tree.c: an L1 table and all that it leads to. Paused, synced, without the lock. */
/* +1: counts the clusters once more; -1: frees them. On failure nothing has changed. */
int qcow2_tree_add(struct qcow2 *q, const uint64_t *l1, uint32_t l1_size, int delta);
/* The same to free what nothing on the disk leads to any longer, in steps between which requests
 * run. On failure the rest leaks. */
int qcow2_tree_free(struct qcow2 *q, const uint64_t *l1, uint32_t l1_size);
/* Sets the copied flags of the active tables by what the refcounts are; or shared: all are. */
int qcow2_tree_set_copied(struct qcow2 *q, bool shared);
int qcow2_table_read(struct qcow2 *q, uint64_t offset, uint64_t *ret_table, uint64_t entries);
int qcow2_table_write(struct qcow2 *q, uint64_t offset, const uint64_t *table, uint64_t entries);

/* claim.c: sets the copied flags of what a snapshot that is gone shared with the active tables,
 * while requests run. 0 or a negative errno, with which some are not set: that costs copying alone.
 */
int qcow2_claim(struct qcow2 *q);

/* check.c */
bool qcow2_check(struct image *image, unsigned flags, struct image_check_result *result,
                 const struct image_progress *progress, GError **err);

/* open.c */
bool qcow2_open(struct image *image, const struct image_options *options, GError **err);
void qcow2_close(struct image *image);
/* What an open image has besides its data file and backing image; and away with it. */
bool qcow2_open_core(struct image *image, const struct image_options *options, GError **err);
void qcow2_close_core(struct image *image);
/* Brings everything to the disk; no request runs. */
int qcow2_finish(struct image *image);

/* commit.c: notes what a request may have changed, at its end and without the lock. */
void qcow2_dirty_mark(struct qcow2 *q, const struct block_request *request);

/* resize.c, chain.c, commit.c, create.c, info.c */
bool qcow2_resize(struct image *image, uint64_t size, unsigned flags,
                  enum image_preallocation preallocation, const struct image_progress *progress,
                  GError **err);
uint64_t qcow2_l1_entries(const struct qcow2 *q, uint64_t size);
/* The L1 table gets a new place, contents and disk size, at once. Takes l1. The old place is freed,
 * but not what the old table led to. Paused and settled, with or without the lock never. */
int qcow2_switch_l1(struct qcow2 *q, uint64_t *l1, uint32_t entries, uint64_t size,
                    bool *ret_unknown);
/* The disk gets a new size, with the L1 table that it needs. */
int qcow2_set_size(struct qcow2 *q, uint64_t size);
bool qcow2_preallocate(struct image *image, uint64_t offset, uint64_t length,
                       enum image_preallocation preallocation,
                       const struct image_progress *progress, GError **err);
bool qcow2_commit(struct image *image, const struct image_progress *progress, GError **err);
bool qcow2_flatten(struct image *image, const struct image_progress *progress, GError **err);
bool qcow2_rebase(struct image *image, const char *backing, const char *backing_format, bool safe,
                  const struct image_progress *progress, GError **err);
bool qcow2_compact(struct image *image, const struct image_progress *progress, GError **err);
bool qcow2_create(struct file *file, const char *final_path,
                  const struct image_create_options *options, const struct image_progress *progress,
                  GError **err);
bool qcow2_get_info(struct image *image, struct image_info *info, GError **err);
int qcow2_status(struct image *image, uint64_t offset, uint64_t length,
                 struct block_status *status);

#endif
