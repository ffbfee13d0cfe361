/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk image as the guest's disk sees it: sectors of 512 bytes, read and written by requests
 * that complete later. Formats turn guest offsets into offsets of files; files are reached through
 * struct file_ops only.
 *
 * Thread: image_submit() from any thread. Completions run on a thread of the image's I/O context
 * or of its file with no lock held; they must not wait. All else on the owner's thread, which it
 * may keep waiting; it may be called while requests are in flight, which wait where they must.
 * Never from a completion.
 */
#ifndef DISKS_IMAGE_H
#define DISKS_IMAGE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define IMAGE_SECTOR_SIZE 512
#define IMAGE_REQUEST_MAX_IOV 1024
#define IMAGE_MAX_SIZE ((uint64_t)INT64_MAX / 2) /* bytes; formats have limits below it */
#define IMAGE_MAX_DEPTH 200                      /* images in a chain */
#define IMAGE_MAX_BACKING_NAME 1023              /* bytes; qcow2's limit */

struct image;
struct io_context; /* the worker threads; see io_context.h */

enum block_op {
    BLOCK_READ,
    BLOCK_WRITE,
    BLOCK_FLUSH,
    BLOCK_DISCARD,      /* need not be stored any longer; reads as zeros or as before */
    BLOCK_WRITE_ZEROES, /* reads as zeros afterwards, stored as briefly as the format can */
};

/* Owned by the submitter, which keeps it and the memory alive until done is called. */
struct block_request {
    enum block_op op;
    uint64_t offset;         /* bytes, a multiple of 512; flush: 0 */
    uint64_t length;         /* bytes, a multiple of 512; the sum of iov for read and write */
    const struct iovec *iov; /* read and write */
    unsigned iov_count;
    /* error: 0, or a positive errno (EIO, ENOSPC, EROFS, EINVAL for a range past the end). A write
     * is stable once a flush submitted after its completion has completed. */
    void (*done)(struct block_request *request, int error);
    void *opaque;
    void *image_private; /* the image's while in flight */
};

enum image_cache {
    IMAGE_CACHE_WRITE_BACK,    /* a write is stable after a flush */
    IMAGE_CACHE_WRITE_THROUGH, /* a write is stable when it completes */
    IMAGE_CACHE_DIRECT,        /* write-back, past the host's cache */
};

enum image_backing_policy {
    IMAGE_BACKING_OPEN,   /* the whole chain */
    IMAGE_BACKING_IGNORE, /* the image alone: what it lacks reads as zeros */
};

struct image_options {
    const char *format; /* "raw", "qcow2"...; never guessed from the contents */
    bool read_only;
    enum image_backing_policy backing;
    enum image_cache cache;
    uint64_t table_cache_size; /* bytes for the format's tables; 0: by the image's size */
    bool data_file_anywhere;   /* an external data file may lie outside of the image's folder */
    bool as_it_is; /* for check: opens for writing what was not closed well, or is marked as
                    * corrupt, and leaves it so */
};

/* Fails with a reason that names the file: missing, empty, malformed, no permission, in use by
 * another writer, unknown format, a backing file that is missing or has no stored format. */
struct image *image_open(const char *path, const struct image_options *options,
                         struct io_context *io, GError **err);
/* Flushes. With requests in flight the image is closed on an I/O thread with the last of them;
 * otherwise on return. NULL is fine. */
void image_close(struct image *image);

uint64_t image_size(const struct image *image); /* bytes */
bool image_read_only(const struct image *image);
const char *image_path(const struct image *image);
const char *image_format(const struct image *image);
/* What it lies on, of which the image is the owner; NULL: nothing. */
struct image *image_backing(const struct image *image);

/* Never blocks on the disk; a refused request completes with an error like any other. */
void image_submit(struct image *image, struct block_request *request);

/* The same for who can wait: the request needs no done and opaque. Returns 0 or a positive errno.
 * Not on a thread of the I/O context. */
int image_run(struct image *image, struct block_request *request);
int image_read(struct image *image, void *buffer, uint64_t offset, uint64_t length);
int image_write(struct image *image, const void *buffer, uint64_t offset, uint64_t length);
int image_flush(struct image *image);

/* Long work tells how far it is. step returns false to cancel, which leaves a good image and fails
 * with VMDESK_ERROR_CANCELLED. A NULL progress is fine. */
struct image_progress {
    bool (*step)(void *opaque, uint64_t done, uint64_t total);
    void *opaque;
};

enum block_state {
    BLOCK_UNALLOCATED, /* by no image of the chain; reads as zeros */
    BLOCK_ZERO,        /* reads as zeros because an image says so */
    BLOCK_DATA,
    BLOCK_COMPRESSED,
};

struct block_status {
    enum block_state state;
    uint64_t length; /* bytes from the offset asked for, at least 512 */
    bool has_host_offset;
    uint64_t host_offset;  /* of data, as it is stored; also of zeros that keep their place */
    const char *host_path; /* the file with the host offset; the image's */
    unsigned depth;        /* which image of the chain decides, 0: this one */
};

/* What a range starts with: offset inside the image, length not 0. */
bool image_status(struct image *image, uint64_t offset, uint64_t length,
                  struct block_status *ret_status, GError **err);
/* The same for this image alone: UNALLOCATED is what its backing image decides. */
bool image_status_here(struct image *image, uint64_t offset, uint64_t length,
                       struct block_status *ret_status, GError **err);

struct image_info {
    const char *format;    /* static */
    uint64_t virtual_size; /* bytes */
    uint64_t file_size;    /* bytes: how long the file is */
    uint64_t allocated;    /* bytes that it takes on the host */
    uint64_t cluster_size; /* bytes; 0: the format has none */
    char *backing_name;    /* as it is stored; NULL: none */
    char *backing_path;    /* resolved against the image's folder */
    char *backing_format;  /* NULL: not stored */
    bool dirty;            /* was not closed well */
    bool corrupt;          /* marked so */
    bool encrypted;
    unsigned snapshots;
    GPtrArray *details; /* of struct image_detail: what the format has besides, to be shown */
};

struct image_detail {
    const char *name; /* static, like "refcount-bits" */
    char *value;
};

bool image_get_info(struct image *image, struct image_info *ret_info, GError **err);
void image_info_clear(struct image_info *info);
void image_info_add_detail(struct image_info *info, const char *name, const char *value, ...)
    G_GNUC_PRINTF(3, 4);

enum image_resize_flags {
    IMAGE_RESIZE_SHRINK = 1 << 0, /* may take away what lies past the new size */
};

/* size: a multiple of 512. The preallocation is of what it adds. */
enum image_preallocation {
    IMAGE_PREALLOCATION_OFF,
    IMAGE_PREALLOCATION_METADATA,
    IMAGE_PREALLOCATION_FALLOC,
    IMAGE_PREALLOCATION_FULL,
};
bool image_resize(struct image *image, uint64_t size, unsigned flags,
                  enum image_preallocation preallocation, const struct image_progress *progress,
                  GError **err);

/* Snapshots inside an image. */
struct image_snapshot {
    char *id;               /* unique in the image; the format's choice */
    char *name;             /* unique in the image when made here */
    uint64_t virtual_size;  /* of the disk then */
    uint64_t vm_state_size; /* bytes */
    uint64_t date_sec;      /* since the epoch */
    uint32_t date_nsec;
    uint64_t vm_clock_nsec; /* guest time since its start */
    uint64_t icount;        /* instructions; UINT64_MAX: not counted */
};

/* In stored order; of struct image_snapshot, to be freed with g_ptr_array_unref(). NULL on
 * failure; a format without snapshots has none. */
GPtrArray *image_snapshots(struct image *image, GError **err);
/* The disk as all completed requests made it. Of the description the name, dates, clocks and the
 * VM state's size are used; a date of 0 is now. */
bool image_snapshot_create(struct image *image, const struct image_snapshot *description,
                           GError **err);
/* The others name a snapshot by its id or its name; an id goes first. */
bool image_snapshot_apply(struct image *image, const char *snapshot, GError **err);
bool image_snapshot_delete(struct image *image, const char *snapshot, GError **err);
bool image_snapshot_rename(struct image *image, const char *snapshot, const char *name,
                           GError **err);

enum image_check_flags {
    IMAGE_REPAIR_LEAKS = 1 << 0,
    IMAGE_REPAIR_ERRORS = 1 << 1,
};

struct image_check_result {
    uint64_t leaks;       /* clusters that nothing uses */
    uint64_t corruptions; /* what may lose data */
    uint64_t errors;      /* of reading, which leave the check incomplete */
    uint64_t leaks_fixed, corruptions_fixed;
    uint64_t total_clusters, allocated_clusters, compressed_clusters, fragmented_clusters;
    uint64_t image_end;  /* bytes: where the last cluster in use ends */
    GPtrArray *messages; /* of char *: the first IMAGE_CHECK_MAX_MESSAGES findings */
};
#define IMAGE_CHECK_MAX_MESSAGES 1000

/* false: it could not be done; what was found is no failure. */
bool image_check(struct image *image, unsigned flags, struct image_check_result *ret_result,
                 const struct image_progress *progress, GError **err);
void image_check_result_clear(struct image_check_result *result);

/* Chains. Their work may run beside requests. */
/* Brings all that this image has into its backing image, on which it then lies without data.
 * Refuses an image with snapshots, which would change; those of the backing image stay. */
bool image_commit(struct image *image, const struct image_progress *progress, GError **err);
/* Makes the image, with its snapshots, independent of its backing image. */
bool image_flatten(struct image *image, const struct image_progress *progress, GError **err);
/* Puts the image on another backing file; NULL: on none. Safe: what differs, for it or a snapshot,
 * is copied first; not: just the name is changed. */
bool image_rebase(struct image *image, const char *backing, const char *backing_format, bool safe,
                  const struct image_progress *progress, GError **err);

struct image_create_options {
    const char *format;
    uint64_t size;       /* bytes, a multiple of 512; 0 with a backing file: as large as that */
    const char *backing; /* as it is to be stored: absolute, or relative to the new image */
    const char *backing_format;
    enum image_preallocation preallocation;
    /* qcow2; 0 is the default */
    unsigned version;       /* 2 or 3; 3 */
    uint64_t cluster_size;  /* 512 to 2 MiB; 64 KiB */
    unsigned refcount_bits; /* 1 to 64; 16 */
    bool extended_l2;
    bool lazy_refcounts;
    bool zstd;             /* what compressed clusters will be compressed with; else zlib */
    const char *data_file; /* external, relative to the image; must not exist; NULL: none */
    bool data_file_raw;    /* which is kept readable as a raw image */
};

/* A new image at path, which must not exist: it gets that name when it is complete. */
bool image_create(const char *path, const struct image_create_options *options,
                  const struct image_progress *progress, GError **err);

/* Stores a cluster compressed, if that is shorter: offset a multiple of the cluster size, length
 * one cluster or up to the image's end. For an image that nobody else writes to; several threads
 * may call it at once. VMDESK_ERROR_UNSUPPORTED: the format cannot. */
bool image_write_compressed(struct image *image, const void *buffer, uint64_t offset,
                            uint64_t length, GError **err);

/* Gives clusters at the end of the file that nothing uses, and space of clusters that are free,
 * back to the host. */
bool image_compact(struct image *image, const struct image_progress *progress, GError **err);

#endif
