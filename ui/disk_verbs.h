/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the verbs for disk images share: opening images by their names, and long work that shows how
 * far it is and can be stopped. */
#ifndef UI_DISK_VERBS_H
#define UI_DISK_VERBS_H

#include "disks/image.h"
#include "disks/io_context.h"
#include "ui/disk_live.h"
#include "ui/verbs.h"

/* An image that a verb works on: a file, with the threads for it; or else the disk of a machine
 * that runs. */
struct disk_image {
    struct io_context *io;
    struct image *image;
    struct disk_live *live;
};

enum disk_access {
    DISK_READ = 0,
    DISK_WRITE = 1 << 0,
    DISK_LIVE = 1 << 1, /* of a running machine too; otherwise that is refused */
};

/* The format of the image file at path: the option's value, or what its name ends in. Static, or
 * the option's. */
const char *disk_format(const struct verb_call *call, const char *option, const char *path);

/* Opens what an argument IMAGE names: ui/disk_place.h. */
bool disk_open(struct disk_image *disk, const struct verb_call *call, const char *name,
               unsigned access, GError **err);
/* The same with options; whether it is read-only is what the access says. The format is, if NULL,
 * what the machine's definition says, or the name's end. */
bool disk_open_with(struct disk_image *disk, const struct verb_call *call, const char *name,
                    unsigned access, const struct image_options *options, GError **err);
/* Flushes what was written; fails as the work before it did: pass its success. */
bool disk_close(struct disk_image *disk, bool done, GError **err);

/* The name by which the image at path is to store that it lies on another file: beside it a plain
 * name, so that they can be moved together, or else an absolute one. Caller frees. */
char *disk_stored_name(const char *path, const char *backing);

/* A size as an argument or the value of an option (named in messages by what): more than 0, at most
 * IMAGE_MAX_SIZE, a multiple of 512. */
bool disk_parse_size(const char *what, const char *text, uint64_t *ret_size, GError **err);

/* "off", "metadata"... of the option --preallocation; off without it. */
bool disk_preallocation(const struct verb_call *call, enum image_preallocation *ret_kind,
                        GError **err);
/* The options that say how a new image is made, in the table's NEW_IMAGE. Strings are the call's.
 */
bool disk_create_options(const struct verb_call *call, struct image_create_options *options,
                         GError **err);

/* A bar on the terminal, if standard error is one, while there is one; and SIGINT, SIGTERM and
 * SIGHUP stop the work. One at a time. */
struct disk_progress;
struct disk_progress *disk_progress_new(const char *what);
const struct image_progress *disk_progress_of(struct disk_progress *progress);
void disk_progress_free(struct disk_progress *progress);

#endif
