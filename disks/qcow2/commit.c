/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Brings what an image has into the image that it lies on.
 *
 * The guest goes on meanwhile. What it writes stays in the image, where it is read from whatever
 * the backing image holds by then: only ranges that this image has are written there, and there is
 * no way for one to fall back to the backing image. What changes after it was copied is marked as
 * dirty and copied again, until so little is dirty that requests can be held for it: then the rest
 * is copied, and the image becomes empty. What it held is freed while requests run again.
 */
#include <errno.h>

#include "core/error.h"
#include "core/log.h"
#include "disks/lost_file.h"
#include "disks/qcow2/qcow2.h"

#define COPY_BYTES (1024 * 1024) /* copied at a time */
#define DIRTY_MIN_BITS 16
#define DIRTY_MAX_GRANULES (1 << 20)
#define LAST_GRANULES 64 /* at most so many are left for the end */
#define MAX_ROUNDS 16
/* A guest that writes faster than that is slowed down: held so long, and let go so long. */
#define HOLD_USEC (50 * 1000)
#define RUN_USEC (5 * 1000)
#define MAX_HOLDS 1000

struct qcow2_dirty {
    unsigned bits; /* a granule has 2^bits bytes of the disk */
    uint64_t granules, marked;
    uint8_t *map; /* a byte a granule */
};

struct commit {
    struct image *image;
    const struct image_progress *progress;
    uint8_t *buffer;
    uint64_t next; /* granule to look at */
    uint64_t *old; /* the L1 table that the image had before it became empty; NULL: it has not */
    uint32_t old_entries;
};

static struct qcow2_dirty *dirty_new(uint64_t size)
{
    struct qcow2_dirty *dirty = g_new0(struct qcow2_dirty, 1);

    dirty->bits = DIRTY_MIN_BITS;
    while (size >> dirty->bits >= DIRTY_MAX_GRANULES)
        dirty->bits++;
    dirty->granules = (size >> dirty->bits) + 1;
    dirty->map = g_malloc0(dirty->granules);
    return dirty;
}

static void dirty_free(struct qcow2_dirty *dirty)
{
    if (dirty == NULL)
        return;
    g_free(dirty->map);
    g_free(dirty);
}

void qcow2_dirty_mark(struct qcow2 *q, const struct block_request *request)
{
    struct qcow2_dirty *dirty = q->dirty;

    /* It comes and goes while no request runs. */
    if (dirty == NULL || request->op == BLOCK_READ || request->op == BLOCK_FLUSH ||
        request->length == 0)
        return;
    g_mutex_lock(&q->lock);
    for (uint64_t i = request->offset >> dirty->bits;
         i <= (request->offset + request->length - 1) >> dirty->bits && i < dirty->granules; i++) {
        dirty->marked += !dirty->map[i];
        dirty->map[i] = 1;
    }
    g_mutex_unlock(&q->lock);
}

static uint64_t count_dirty(struct qcow2 *q)
{
    uint64_t marked;

    g_mutex_lock(&q->lock);
    marked = q->dirty->marked;
    g_mutex_unlock(&q->lock);
    return marked;
}

/* Takes the mark off a granule, the next one from commit->next on; false: none has one. */
static bool take_dirty(struct commit *commit, uint64_t *ret_granule)
{
    struct qcow2 *q = commit->image->state;
    struct qcow2_dirty *dirty = q->dirty;
    const uint8_t *found = NULL;

    g_mutex_lock(&q->lock);
    if (dirty->marked > 0) {
        found = memchr(dirty->map + commit->next, 1, dirty->granules - commit->next);
        if (found == NULL)
            found = memchr(dirty->map, 1, commit->next);
    }
    if (found != NULL) {
        *ret_granule = found - dirty->map;
        dirty->map[*ret_granule] = 0;
        dirty->marked--;
        commit->next = (*ret_granule + 1) % dirty->granules;
    }
    g_mutex_unlock(&q->lock);
    return found != NULL;
}

/* The backing image, opened for reading or writing. Paused. */
static bool reopen_backing(struct image *image, bool read_only, GError **err)
{
    struct qcow2 *q = image->state;
    const struct image_options options = {.format = q->header.backing_format,
                                          .read_only = read_only,
                                          .cache = image->cache};
    const struct file_options file_options = {.read_only = read_only,
                                              .direct = image->cache == IMAGE_CACHE_DIRECT};
    g_autofree char *path = image_resolve_name(image->file->path, q->header.backing_name);
    struct file *file;

    image_close(image->backing);
    image->backing = NULL;
    file = file_open(path, &file_options, err);
    if (file != NULL)
        image->backing = image_open_above(file, &options, image->io, image, err);
    return image->backing != NULL;
}

/* The backing image for reading, as it was before. The file may have gone meanwhile: what the guest
 * reads of it then fails, and is not zeros. */
static bool restore_backing(struct image *image, uint64_t size, GError **err)
{
    const struct image_options options = {.format = image_raw.name, .read_only = true};
    struct qcow2 *q = image->state;
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;

    if (reopen_backing(image, true, &error))
        return true;
    log_error("disks", "%s is without its backing file until it is opened anew: %s",
              image->file->path, error->message);
    path = image_resolve_name(image->file->path, q->header.backing_name);
    image->backing = image_open_above(lost_file_new(path, size), &options, image->io, image, NULL);
    g_propagate_error(err, g_steal_pointer(&error));
    return false;
}

/* Brings what begins the range down; *length becomes what was looked at. */
static int copy_step(struct commit *commit, uint64_t offset, uint64_t *length)
{
    struct image *image = commit->image;
    struct qcow2 *q = image->state;
    struct block_request zeroes = {.op = BLOCK_WRITE_ZEROES, .offset = offset};
    struct qcow2_extent extent;
    struct iovec iov;
    int result;

    g_mutex_lock(&q->lock);
    do
        result = qcow2_lookup(q, offset, *length, &extent);
    while (result == -EAGAIN);
    g_mutex_unlock(&q->lock);
    *length = extent.length;
    if (result < 0 || extent.kind == QCOW2_UNALLOCATED)
        return result;
    if (extent.kind == QCOW2_ZEROS || extent.kind == QCOW2_ZEROS_KEPT) {
        zeroes.length = *length;
        return -image_run(image->backing, &zeroes);
    }
    *length = MIN(*length, COPY_BYTES);
    iov = (struct iovec){commit->buffer, *length};
    result = qcow2_read_range(q, &iov, 1, offset);
    return result < 0 ? result : -image_write(image->backing, commit->buffer, offset, *length);
}

static int copy_range(struct commit *commit, uint64_t offset, uint64_t end)
{
    int result = 0;

    for (uint64_t length; offset < end && result == 0; offset += length) {
        length = end - offset;
        result = copy_step(commit, offset, &length);
    }
    return result;
}

/* Everything once. */
static int copy_all(struct commit *commit)
{
    uint64_t size = commit->image->size;
    int result = 0;

    for (uint64_t done = 0, length; done < size && result == 0; done += length) {
        if (!image_step(commit->progress, done, size, NULL))
            return -ECANCELED;
        length = size - done;
        result = copy_step(commit, done, &length);
    }
    return result;
}

/* What is dirty, until a time, with requests held; 0: all of it. */
static int copy_dirty(struct commit *commit, gint64 until)
{
    struct qcow2 *q = commit->image->state;
    uint64_t size = commit->image->size, granule;
    int result = 0;

    /* Not those that are marked meanwhile. */
    for (uint64_t left = count_dirty(q); left > 0 && result == 0 && take_dirty(commit, &granule);
         left--) {
        uint64_t offset = granule << q->dirty->bits;

        if (until == 0 && !image_step(commit->progress, size, size, NULL))
            return -ECANCELED;
        result = copy_range(commit, offset, MIN(size, offset + (1ULL << q->dirty->bits)));
        if (until > 0 && g_get_monotonic_time() >= until)
            break;
    }
    return result;
}

/* Until little is dirty, and requests are held: pauses, whatever happens. */
static int catch_up(struct commit *commit)
{
    struct qcow2 *q = commit->image->state;
    uint64_t size = commit->image->size, left = count_dirty(q), before = G_MAXUINT64;
    int result = 0;

    for (unsigned i = 0; i < MAX_ROUNDS && left > LAST_GRANULES && left < before && result == 0;
         i++) {
        before = left;
        result = copy_dirty(commit, 0);
        left = count_dirty(q);
    }
    if (result == 0)
        result = -image_flush(commit->image->backing);
    qcow2_pause(q);
    for (unsigned i = 0; i < MAX_HOLDS && result == 0; i++) {
        result = copy_dirty(commit, g_get_monotonic_time() + HOLD_USEC);
        if (result < 0 || count_dirty(q) <= LAST_GRANULES)
            break;
        qcow2_resume(q);
        if (image_step(commit->progress, size, size, NULL))
            g_usleep(RUN_USEC);
        else
            result = -ECANCELED;
        qcow2_pause(q);
    }
    return result;
}

/* The image without data: an empty L1 table. */
static int make_empty(struct commit *commit)
{
    struct qcow2 *q = commit->image->state;
    uint32_t entries = q->header.l1_size;
    uint64_t *old = g_memdup2(q->l1, (gsize)entries * 8);
    uint64_t *l1 = g_try_new0(uint64_t, MAX(entries, 1));
    int result = l1 != NULL ? qcow2_settle(q) : -ENOMEM;
    bool unknown;

    if (result == 0)
        result = qcow2_switch_l1(q, l1, entries, q->header.size, &unknown);
    if (result < 0) {
        g_free(l1);
        g_free(old);
        return result;
    }
    commit->old = old;
    commit->old_entries = entries;
    return 0;
}

/* Paused, as finish() is. */
static bool begin(struct commit *commit, GError **err)
{
    struct image *image = commit->image;
    struct qcow2 *q = image->state;
    int result = qcow2_settle_for_change(q);

    if (result < 0)
        return vmdesk_error_from_errno(err, -result, NULL, "Cannot commit the image %s",
                                       image->file->path);
    return reopen_backing(image, false, err) &&
           (image->backing->size >= image->size ||
            image_resize(image->backing, image->size, 0, IMAGE_PREALLOCATION_OFF, NULL, err));
}

static int finish(struct commit *commit)
{
    int result;

    commit->progress = NULL;
    result = copy_dirty(commit, 0);
    if (result == 0)
        result = -image_flush(commit->image->backing);
    return result == 0 ? make_empty(commit) : result;
}

static bool refuse(struct image *image, GError **err)
{
    struct qcow2 *q = image->state;

    if (q->snapshots->len > 0)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The image %s has snapshots, which read its backing file and would "
                           "change with it: flatten the image, so that it and they need no other, "
                           "or delete them first.",
                           image->file->path);
    if (q->data_file != q->file)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The image %s has an external data file: convert it instead.",
                           image->file->path);
    return true;
}

static bool failed(struct image *image, int result, GError **err)
{
    if (result == -ECANCELED)
        return vmdesk_fail(err, VMDESK_ERROR_CANCELLED, "Stopped as asked.");
    return result == 0 || vmdesk_error_from_errno(err, -result, NULL, "Cannot commit the image %s",
                                                  image->file->path);
}

bool qcow2_commit(struct image *image, const struct image_progress *progress, GError **err)
{
    struct qcow2 *q = image->state;
    struct commit commit = {.image = image, .progress = progress};
    uint64_t backing_size = image->backing->size;
    int result = 0;
    bool done;

    if (!refuse(image, err))
        return false;
    commit.buffer = g_malloc(COPY_BYTES);
    qcow2_pause(q);
    done = begin(&commit, err);
    if (done) {
        q->dirty = dirty_new(image->size);
        qcow2_resume(q);
        result = copy_all(&commit);
        if (result == 0)
            result = catch_up(&commit);
        else
            qcow2_pause(q);
        if (result == 0)
            result = finish(&commit);
        done = failed(image, result, err);
    }
    g_clear_pointer(&q->dirty, dirty_free);
    if (!restore_backing(image, backing_size, done ? err : NULL))
        done = false;
    qcow2_resume(q);
    if (commit.old != NULL)
        result = qcow2_tree_free(q, commit.old, commit.old_entries);
    if (done)
        done = failed(image, result, err);
    g_free(commit.old);
    g_free(commit.buffer);
    return done;
}
