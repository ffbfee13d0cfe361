/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between image.c and the formats.
 *
 * A format turns requests into reads and writes of image->file. One that only reads has open, read
 * and status and is done; image.c puts its reads on threads of image->io. One that does more has
 * submit: it may split a request, and finish the parts in any order on several threads; it calls
 * image_complete() once, when all is done.
 *
 * What reads as zeros in an image with image->backing because nothing is stored there is read from
 * the backing image, by the format, with image_read_backing().
 */
#ifndef DISKS_IMAGE_FORMAT_H
#define DISKS_IMAGE_FORMAT_H

#include "disks/file.h"
#include "disks/image.h"

struct image_ops {
    const char *name; /* in struct image_options */
    /* Reads what it needs of image->file; sets size and state, and backing if there is one. */
    bool (*open)(struct image *image, const struct image_options *options, GError **err);
    /* Brings its own data to image->file, which is then flushed, and frees state. May be NULL. */
    void (*close)(struct image *image);
    /* Reads on the calling thread, which waits; a range inside the image that keeps all limits of
     * image.h. 0 or a negative errno. */
    int (*read)(struct image *image, const struct iovec *iov, unsigned count, uint64_t offset);
    /* Takes a request that lies inside the image and keeps all limits of image.h. Does not wait.
     * NULL: the format only reads. */
    void (*submit)(struct image *image, struct block_request *request);
    /* As image_status_here(), with depth and host_path set already; a negative errno. */
    int (*status)(struct image *image, uint64_t offset, uint64_t length,
                  struct block_status *status);

    /* The rest may be NULL, which image.c reports as unsupported. */

    /* Adds to what image.c knows: all but format, sizes and allocated. */
    bool (*get_info)(struct image *image, struct image_info *info, GError **err);
    bool (*resize)(struct image *image, uint64_t size, unsigned flags,
                   enum image_preallocation preallocation, const struct image_progress *progress,
                   GError **err);
    GPtrArray *(*snapshots)(struct image *image, GError **err);
    bool (*snapshot_create)(struct image *image, const struct image_snapshot *description,
                            GError **err);
    bool (*snapshot_apply)(struct image *image, const char *snapshot, GError **err);
    bool (*snapshot_delete)(struct image *image, const char *snapshot, GError **err);
    bool (*snapshot_rename)(struct image *image, const char *snapshot, const char *name,
                            GError **err);
    bool (*check)(struct image *image, unsigned flags, struct image_check_result *result,
                  const struct image_progress *progress, GError **err);
    bool (*commit)(struct image *image, const struct image_progress *progress, GError **err);
    bool (*flatten)(struct image *image, const struct image_progress *progress, GError **err);
    bool (*rebase)(struct image *image, const char *backing, const char *backing_format, bool safe,
                   const struct image_progress *progress, GError **err);
    /* Without image->manage held, so that several threads compress at once. */
    bool (*write_compressed)(struct image *image, const void *buffer, uint64_t offset,
                             uint64_t length, GError **err);
    bool (*compact)(struct image *image, const struct image_progress *progress, GError **err);
    /* Makes the empty file an image. The caller flushes, closes and names it: final_path is what
     * names in the image are relative to. */
    bool (*create)(struct file *file, const char *final_path,
                   const struct image_create_options *options,
                   const struct image_progress *progress, GError **err);
};

struct image {
    const struct image_ops *ops;
    struct file *file;
    struct io_context *io;
    struct image *backing; /* opened by the format with image_open_backing(); closed by image.c */
    struct image *above;   /* what lies on it and owns it */
    unsigned depth;        /* images above it in the chain */
    uint64_t size;         /* bytes, as the guest sees it; beside requests: image_size() */
    bool read_only;
    enum image_cache cache;
    void *state;   /* the format's */
    GMutex manage; /* held by what changes the image besides requests; one at a time */
    int refs;      /* atomic: the owner, and each request in flight */
};

extern const struct image_ops image_qcow2;
extern const struct image_ops image_raw;
extern const struct image_ops image_vdi;
extern const struct image_ops image_vhd;
extern const struct image_ops image_vhdx;
extern const struct image_ops image_vmdk;

/* What its size becomes. Requests see it from then on. */
void image_set_size(struct image *image, uint64_t size);

/* The end of a request, which may be any thread that its file or the I/O context has. error: a
 * positive errno. */
void image_complete(struct block_request *request, int error);

/* As image_open(), on a file that is open already. Takes the file, also when it fails. */
struct image *image_open_file(struct file *file, const struct image_options *options,
                              struct io_context *io, GError **err);

/* The same for a backing image of `above`, which may be NULL. */
struct image *image_open_above(struct file *file, const struct image_options *options,
                               struct io_context *io, struct image *above, GError **err);
/* NULL: no such format; *err says so and names the image at path. */
const struct image_ops *image_find_format(const char *name, const char *path, GError **err);

/* Opens what the image lies on, read-only. name is as stored in the image, format as well, which
 * is NULL when it is not. Refuses protocols, JSON and devices, a missing format, and loops. Sets
 * nothing. */
struct image *image_open_backing(struct image *image, const char *name, const char *format,
                                 const struct image_options *options, GError **err);
/* name, relative to the folder of the file at path. */
char *image_resolve_name(const char *path, const char *name);
/* Whether QEMU's programs would take it for a protocol, as in "nbd:host". */
bool image_name_is_protocol(const char *name);
/* Whether nothing has the name, so that a new image can get it. */
bool image_name_is_free(const char *path, GError **err);
/* A new image that is to get the name `path`, which must not exist, as the file `temporary`. What
 * fails leaves nothing. */
bool image_make(const char *temporary, const char *path, const struct image_create_options *options,
                const struct image_progress *progress, GError **err);
/* Away with one that does not get its name. */
void image_unmake(const char *temporary, const char *path,
                  const struct image_create_options *options);
/* Moves a complete file to its name, which must not exist. */
bool image_give_name(const char *temporary, const char *path, GError **err);

/* Reads on the calling thread: what lies past the backing image's end, or has no backing image,
 * reads as zeros. 0 or a negative errno. */
int image_read_backing(struct image *image, const struct iovec *iov, unsigned count,
                       uint64_t offset);
/* Whether the backing chain has anything but zeros there; and for how long it is so. */
int image_backing_status(struct image *image, uint64_t offset, uint64_t length, bool *ret_data,
                         uint64_t *ret_length);

/* One finding, of which the first IMAGE_CHECK_MAX_MESSAGES are kept. */
void image_check_add_message(struct image_check_result *result, const char *message, ...)
    G_GNUC_PRINTF(2, 3);

/* Tells how far the work is; false: it was cancelled, and *err says so. */
bool image_step(const struct image_progress *progress, uint64_t done, uint64_t total, GError **err);

#endif
