/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images that lie on others: made independent, or put on another; and room given back. */
#include <errno.h>
#include <inttypes.h>

#include "core/error.h"
#include "disks/qcow2/fill.h"
#include "disks/qcow2/write.h"

static bool failed(struct image *image, int result, const char *what, GError **err)
{
    if (result == -ECANCELED)
        return vmdesk_fail(err, VMDESK_ERROR_CANCELLED, "Stopped as asked.");
    return result == 0 || vmdesk_error_from_errno(err, -result, NULL, "Cannot %s the image %s",
                                                  what, image->file->path);
}

/* Gives what begins the range, and is unallocated, its own place. With the lock held. */
static int copy_up(struct qcow2 *q, uint64_t offset, uint64_t length)
{
    struct qcow2_piece piece = {.offset = offset, .fill_end = offset + length};
    uint64_t done;

    while (qcow2_change_find(q, offset >> q->cluster_bits, 1) != NULL)
        g_cond_wait(&q->changed, &q->lock);
    return qcow2_write_new(q, &piece, &done);
}

/* Whether two images, of which one may be missing, read differently. */
static int differ(struct image *one, struct image *two, uint64_t offset, uint64_t length,
                  uint8_t *buffers, bool *ret_differ)
{
    struct image *images[] = {one, two};

    for (unsigned i = 0; i < 2; i++) {
        struct image above = {.backing = images[i]};
        const struct iovec iov = {buffers + i * length, length};
        int result = image_read_backing(&above, &iov, 1, offset);

        if (result < 0)
            return result;
    }
    *ret_differ = memcmp(buffers, buffers + length, length) != 0;
    return 0;
}

int qcow2_zeros_below(struct qcow2 *q, struct image *target, uint64_t offset, uint64_t length,
                      uint64_t *ret_zeros)
{
    struct image above = {.backing = target};
    bool data = true;
    int result = image_backing_status(q->image, offset, length, &data, &length);

    if (result == 0 && !data && target != NULL)
        result = image_backing_status(&above, offset, length, &data, &length);
    *ret_zeros = data ? 0 : length;
    return result;
}

int qcow2_must_copy(struct qcow2 *q, struct image *target, uint64_t offset, uint64_t length,
                    uint8_t *buffers, bool *ret_copy)
{
    uint64_t done = 0, zeros = 1;
    int result = 0;

    for (; done < length && result == 0 && zeros > 0; done += zeros)
        result = qcow2_zeros_below(q, target, offset + done, length - done, &zeros);
    *ret_copy = done < length;
    if (result < 0 || !*ret_copy || target == NULL)
        return result;
    return differ(q->image->backing, target, offset, length, buffers, ret_copy);
}

/* One step: *length becomes what was looked at. target: what the image shall lie on. */
static int move_step(struct qcow2 *q, struct image *target, uint64_t offset, uint64_t *length,
                     uint8_t *buffers)
{
    struct qcow2_extent extent;
    struct qcow2_user user;
    uint64_t zeros, cluster;
    bool copy;
    int result;

    g_mutex_lock(&q->lock);
    do
        result = qcow2_lookup(q, offset, *length, &extent);
    while (result == -EAGAIN);
    g_mutex_unlock(&q->lock);
    *length = extent.length;
    if (result < 0 || extent.kind != QCOW2_UNALLOCATED)
        return result;
    cluster = MIN(*length, q->cluster_size - (offset & (q->cluster_size - 1)));
    /* Where there is nothing on either side long ranges go at once. */
    result = qcow2_zeros_below(q, target, offset, *length, &zeros);
    *length = MAX(zeros, cluster);
    if (result < 0 || zeros >= cluster)
        return result;
    result = qcow2_must_copy(q, target, offset, *length, buffers, &copy);
    if (result < 0 || !copy)
        return result;
    g_mutex_lock(&q->lock);
    qcow2_user_begin(q, &user);
    do {
        result = qcow2_prepare_change(q);
        if (result == 0)
            result = qcow2_lookup(q, offset, *length, &extent);
        if (result == 0 && extent.kind == QCOW2_UNALLOCATED)
            result = copy_up(q, offset, extent.length);
    } while (result == -EAGAIN);
    *length = extent.length;
    g_mutex_unlock(&q->lock);
    qcow2_user_end(q, &user);
    return result;
}

/* Until the active state reads the same on `target`. */
static int move_active(struct qcow2 *q, struct image *target, const struct image_progress *progress)
{
    uint64_t size = q->image->size;
    g_autofree uint8_t *buffers = g_try_malloc(q->cluster_size * 2);
    int result = buffers != NULL ? 0 : -ENOMEM;

    for (uint64_t done = 0; done < size && result == 0;) {
        uint64_t length = size - done;

        if (!image_step(progress, done, size, NULL))
            return -ECANCELED;
        result = move_step(q, target, done, &length, buffers);
        done += length;
    }
    return result;
}

static bool step_at_end(void *opaque, uint64_t done, uint64_t total)
{
    (void)done;
    return image_step(opaque, total, total, NULL);
}

/* Until the image reads the same on `target`, and its snapshots do. */
static int move_all(struct qcow2 *q, struct image *target, const struct image_progress *progress)
{
    const struct image_progress rest = {.step = step_at_end, .opaque = (void *)progress};
    int result;

    if (q->snapshots->len == 0)
        return move_active(q, target, progress);
    result = qcow2_fill(q, target, progress);
    return result < 0 ? result : move_active(q, target, &rest);
}

static void set_names(struct qcow2 *q, char *name, char *format)
{
    g_mutex_lock(&q->lock);
    q->header.backing_name = name;
    q->header.backing_format = format;
    g_mutex_unlock(&q->lock);
}

/* The header with other names, and the image on another backing image. Takes the names and the
 * image. */
static int change_backing(struct qcow2 *q, char *name, char *format, struct image *backing)
{
    struct image *old = q->image->backing;
    char *old_name = q->header.backing_name, *old_format = q->header.backing_format;
    bool written = false;
    int result;

    result = qcow2_pause_for_change(q);
    set_names(q, name, format);
    if (result == 0) {
        result = qcow2_header_write(q->file, &q->header);
        written = result == 0;
    }
    if (result == 0)
        result = q->file->ops->flush(q->file);
    if (result == 0)
        q->image->backing = backing;
    else
        set_names(q, old_name, old_format);
    /* What cannot be flushed is not written to once more: either header is a good one. */
    if (result < 0 && !written)
        qcow2_header_write(q->file, &q->header);
    qcow2_resume(q);
    if (result == 0) {
        g_free(old_name);
        g_free(old_format);
        image_close(old);
    } else {
        g_free(name);
        g_free(format);
        image_close(backing);
    }
    return result;
}

bool qcow2_flatten(struct image *image, const struct image_progress *progress, GError **err)
{
    struct qcow2 *q = image->state;
    int result;

    if (q->snapshots->len > 0 && !qcow2_states_check(q, err))
        return false;
    result = move_all(q, NULL, progress);
    if (result == 0)
        result = change_backing(q, NULL, NULL, NULL);
    return failed(image, result, "flatten", err);
}

bool qcow2_rebase(struct image *image, const char *backing, const char *backing_format, bool safe,
                  const struct image_progress *progress, GError **err)
{
    struct qcow2 *q = image->state;
    const struct image_options options = {.cache = image->cache};
    struct image *target = NULL;
    int result = 0;

    if (safe && q->header.backing_name != NULL && image->backing == NULL)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The image %s was opened without its backing file: nothing can be "
                           "copied from that.",
                           image->file->path);
    if (safe && q->snapshots->len > 0 && !qcow2_states_check(q, err))
        return false;
    if (backing != NULL && (safe || image->backing != NULL)) {
        target = image_open_backing(image, backing, backing_format, &options, err);
        if (target == NULL)
            return false;
    }
    if (safe)
        result = move_all(q, target, progress);
    if (result < 0)
        image_close(target);
    else
        result = change_backing(q, g_strdup(backing),
                                g_strdup(backing != NULL ? backing_format : NULL), target);
    if (result == -ENAMETOOLONG)
        return vmdesk_fail(
            err, VMDESK_ERROR_INVALID,
            "The name %s does not fit the header of the image %s: use a shorter one.", backing,
            image->file->path);
    return failed(image, result, "rebase", err);
}

/* Free clusters between others become holes; those at the end go. */
static int punch(struct qcow2 *q, const struct image_progress *progress)
{
    uint64_t end = q->high_water, run = 0, last = 0;
    int result = 0;

    for (uint64_t cluster = 0; cluster < end && result == 0; cluster++) {
        uint64_t refcount;

        if (cluster % 65536 == 0 && !image_step(progress, cluster, end, NULL))
            return -ECANCELED;
        g_mutex_lock(&q->lock);
        result = qcow2_refcount_get(q, cluster, &refcount);
        g_mutex_unlock(&q->lock);
        if (result < 0)
            break;
        if (refcount == 0) {
            run++;
            continue;
        }
        if (run > 0)
            result = q->file->ops->discard(q->file, (cluster - run) << q->cluster_bits,
                                           run << q->cluster_bits);
        run = 0;
        last = cluster + 1;
    }
    if (result < 0 || q->file->fixed_size)
        return result;
    result = q->file->ops->truncate(q->file, last << q->cluster_bits);
    if (result == 0) {
        q->high_water = last;
        q->file_length = last << q->cluster_bits;
    }
    return result;
}

/* What is counted as free will be gone: it has to be. */
static bool check_counts(struct image *image, const struct image_progress *progress, GError **err)
{
    struct image_check_result found = {.messages = g_ptr_array_new_with_free_func(g_free)};
    bool done = qcow2_check(image, 0, &found, progress, err);

    if (done && found.corruptions + found.errors > 0)
        done = vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The image %s is damaged in %" PRIu64 " places, so that it is not sure "
                           "what it does not use: repair it by a check first.",
                           image->file->path, found.corruptions + found.errors);
    image_check_result_clear(&found);
    return done;
}

bool qcow2_compact(struct image *image, const struct image_progress *progress, GError **err)
{
    struct qcow2 *q = image->state;
    int result;

    result = qcow2_pause_for_change(q);
    if (result == 0 && !check_counts(image, progress, err)) {
        qcow2_resume(q);
        return false;
    }
    if (result == 0)
        result = punch(q, progress);
    qcow2_resume(q);
    return failed(image, result, "compact", err);
}
