/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies of what the states of a disk read from its backing image; fill.h has the whole. */
#include <errno.h>

#include "disks/qcow2/fill.h"

#define COPY_BYTES (1024 * 1024) /* read and written at a time */
#define STEP_BYTES (16 * 1024 * 1024)
/* Copied before they are entered, for which requests wait. */
#define MAX_BYTES (64 * 1024 * 1024)
#define MAX_PIECES 8192

struct fill {
    struct qcow2 *q;
    struct image *target;
    const struct image_progress *progress;
    struct qcow2_states states;
    struct qcow2_group group;
    GArray *pieces;                   /* struct qcow2_fill_piece */
    uint8_t *buffers;                 /* two, of COPY_BYTES or a cluster */
    bool bare[QCOW2_SLICE_BYTES / 8]; /* clusters of which some state has nothing */
    GTree *partial;                   /* struct qcow2_fill_piece: those of which one has a part */
    int partial_result;
};

static int by_cluster(const void *a, const void *b, void *opaque)
{
    const struct qcow2_fill_piece *one = a, *two = b;
    const uint64_t keys[][2] = {
        {one->cluster, two->cluster},
        {one->old.word, two->old.word},
        {one->old.bitmap, two->old.bitmap},
    };

    (void)opaque;
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    return 0;
}

/* With the lock held. */
static int note(struct fill *fill, const struct qcow2_sharers *sharers, uint64_t first,
                uint64_t cluster, struct qcow2_entry entry)
{
    struct qcow2_fill_piece piece = {.cluster = cluster,
                                     .old = {entry.word & QCOW2_OFFSET_MASK, entry.bitmap}};

    if (qcow2_entry_missing(fill->q, entry) == 0)
        return 0;
    if (piece.old.word % fill->q->cluster_size != 0)
        return qcow2_corrupt(fill->q, "a cluster is not aligned", piece.old.word);
    if (piece.old.word == 0)
        fill->bare[cluster - first] = true;
    else if (!sharers->active || !(entry.word & QCOW2_COPIED))
        g_tree_replace(fill->partial, g_memdup2(&piece, sizeof(piece)), NULL);
    return 0;
}

/* What the states lack of some guest clusters, whose entries are in one slice of their table. */
static int look(struct fill *fill, uint64_t first, uint64_t count)
{
    struct qcow2 *q = fill->q;
    int result = 0;

    memset(fill->bare, 0, sizeof(fill->bare));
    g_mutex_lock(&q->lock);
    qcow2_group_load(&fill->group, &fill->states, first >> q->l2_bits);
    for (guint i = 0; i < fill->group.sharers->len && result == 0; i++) {
        const struct qcow2_sharers *sharers =
            &g_array_index(fill->group.sharers, struct qcow2_sharers, i);
        struct qcow2_slice *slice = NULL;
        unsigned index = 0;

        if (sharers->table != 0)
            result = qcow2_sharers_get(q, sharers, first, &slice, &index);
        if (result < 0)
            break;
        for (uint64_t n = 0; n < count && result == 0; n++) {
            struct qcow2_entry entry = {0, 0};

            if ((first + n) << q->cluster_bits >= sharers->reach)
                break;
            if (slice != NULL)
                entry = qcow2_entry_load(q, slice->data, index + n);
            result = note(fill, sharers, first, first + n, entry);
        }
        if (slice != NULL)
            qcow2_cache_put(q, slice);
    }
    g_mutex_unlock(&q->lock);
    return result;
}

static int must_copy(struct fill *fill, uint64_t cluster, bool *ret_copy)
{
    struct qcow2 *q = fill->q;

    return qcow2_must_copy(q, fill->target, cluster << q->cluster_bits, q->cluster_size,
                           fill->buffers, ret_copy);
}

/* Puts guest clusters in a row into new places. */
static int place(struct fill *fill, struct qcow2_fill_piece piece, const uint8_t *data,
                 uint64_t count)
{
    struct qcow2 *q = fill->q;
    int result = 0;

    for (uint64_t done = 0, got = 0; done < count && result == 0; done += got) {
        uint64_t host = 0;
        bool fresh;

        g_mutex_lock(&q->lock);
        result = qcow2_prepare_change(q);
        if (result == 0)
            result = qcow2_alloc(q, count - done, &host, &got, &fresh);
        g_mutex_unlock(&q->lock);
        if (result < 0)
            break;
        result = file_write_buffer(q->file, data + (done << q->cluster_bits),
                                   got << q->cluster_bits, host);
        if (result < 0) {
            g_mutex_lock(&q->lock);
            qcow2_unalloc(q, host, got);
            g_mutex_unlock(&q->lock);
            break;
        }
        for (uint64_t i = 0; i < got; i++, piece.cluster++) {
            piece.host = host + (i << q->cluster_bits);
            g_array_append_val(fill->pieces, piece);
        }
    }
    return result;
}

static int read_backing(struct fill *fill, uint64_t cluster, uint64_t count)
{
    struct qcow2 *q = fill->q;
    const struct iovec iov = {fill->buffers, count << q->cluster_bits};

    return image_read_backing(q->image, &iov, 1, cluster << q->cluster_bits);
}

static int copy_bare(struct fill *fill, uint64_t first, uint64_t count)
{
    uint64_t most = MAX(COPY_BYTES >> fill->q->cluster_bits, 1), run;
    int result = 0;

    for (uint64_t at = 0; at < count && result == 0; at += MAX(run, 1)) {
        for (run = 0; run < most && at + run < count && fill->bare[at + run]; run++) {
            result = must_copy(fill, first + at + run, &fill->bare[at + run]);
            if (result < 0 || !fill->bare[at + run])
                break;
        }
        if (result == 0 && run > 0)
            result = read_backing(fill, first + at, run);
        if (result == 0 && run > 0)
            result =
                place(fill, (struct qcow2_fill_piece){.cluster = first + at}, fill->buffers, run);
    }
    return result;
}

/* A cluster of which a part is there: that, and the rest from the backing image. Nobody writes to
 * it, since it is a snapshot's, or counted as one's. */
static int copy_partial(struct fill *fill, const struct qcow2_fill_piece *piece)
{
    struct qcow2 *q = fill->q;
    uint8_t *here = fill->buffers + q->cluster_size;
    const struct iovec iov = {here, q->cluster_size};
    bool copy;
    int result = must_copy(fill, piece->cluster, &copy);

    if (result < 0 || !copy)
        return result;
    result = read_backing(fill, piece->cluster, 1);
    if (result == 0)
        result = qcow2_read_place(q, &iov, 1, piece->old.word, q->cluster_size);
    for (unsigned i = 0; i < q->subclusters && result == 0; i++)
        if (qcow2_entry_kind(q, piece->old, i) == QCOW2_DATA)
            memcpy(fill->buffers + i * q->subcluster_size, here + i * q->subcluster_size,
                   q->subcluster_size);
    return result < 0 ? result : place(fill, *piece, fill->buffers, 1);
}

/* true: no further. */
static gboolean copy_next(void *key, void *value, void *opaque)
{
    struct fill *fill = opaque;

    (void)value;
    fill->partial_result = copy_partial(fill, key);
    return fill->partial_result < 0;
}

static int copy(struct fill *fill, uint64_t first, uint64_t count)
{
    struct qcow2 *q = fill->q;
    struct qcow2_user user;
    int result;

    /* What a request frees meanwhile stays as it is, for it is read here. */
    g_mutex_lock(&q->lock);
    qcow2_user_begin(q, &user);
    g_mutex_unlock(&q->lock);
    result = look(fill, first, count);
    if (result == 0)
        result = copy_bare(fill, first, count);
    fill->partial_result = result;
    if (result == 0)
        g_tree_foreach(fill->partial, copy_next, fill);
    g_tree_remove_all(fill->partial);
    qcow2_user_end(q, &user);
    return fill->partial_result;
}

static int by_key(const void *a, const void *b)
{
    return by_cluster(a, b, NULL);
}

static int enter(struct fill *fill)
{
    int result;

    g_array_sort(fill->pieces, by_key);
    result = qcow2_fill_enter(&fill->states, fill->pieces);
    g_array_set_size(fill->pieces, 0);
    return result;
}

/* What was copied and is not entered is nobody's. */
static void drop(struct fill *fill)
{
    struct qcow2 *q = fill->q;

    g_mutex_lock(&q->lock);
    for (guint i = 0; i < fill->pieces->len; i++)
        qcow2_unalloc(q, g_array_index(fill->pieces, struct qcow2_fill_piece, i).host, 1);
    g_mutex_unlock(&q->lock);
    g_array_set_size(fill->pieces, 0);
}

/* Past clusters of which there is nothing on either side. */
static int skip(struct fill *fill, uint64_t *cluster)
{
    struct qcow2 *q = fill->q;
    uint64_t offset = *cluster << q->cluster_bits, left = fill->states.size - offset, zeros;
    int result = qcow2_zeros_below(q, fill->target, offset, left, &zeros);

    if (result == 0)
        *cluster += zeros == left ? qcow2_clusters(q, left) : zeros >> q->cluster_bits;
    return result;
}

static int fill_all(struct fill *fill)
{
    struct qcow2 *q = fill->q;
    uint64_t end = qcow2_clusters(q, fill->states.size), entries = qcow2_slice_entries(q), count;
    uint64_t step = STEP_BYTES >> q->cluster_bits;
    guint most = MIN(MAX_PIECES, MAX_BYTES >> q->cluster_bits);
    int result = 0;

    for (uint64_t first = 0; first < end && result == 0; first += count) {
        if (!image_step(fill->progress, first << q->cluster_bits, fill->states.size, NULL))
            return -ECANCELED;
        result = skip(fill, &first);
        count = MIN(MIN(end - first, entries - first % entries), step);
        if (result == 0 && count > 0)
            result = copy(fill, first, count);
        if (result == 0 && fill->pieces->len >= most)
            result = enter(fill);
    }
    return result < 0 || fill->pieces->len == 0 ? result : enter(fill);
}

int qcow2_fill(struct qcow2 *q, struct image *target, const struct image_progress *progress)
{
    struct fill fill = {.q = q, .target = target, .progress = progress};
    int result = qcow2_states_load(q, &fill.states);

    G_STATIC_ASSERT(STEP_BYTES >> QCOW2_MAX_CLUSTER_BITS > 0);
    if (result < 0)
        return result;
    fill.buffers = g_try_malloc(2 * MAX(COPY_BYTES, q->cluster_size));
    fill.pieces = g_array_new(FALSE, FALSE, sizeof(struct qcow2_fill_piece));
    fill.partial = g_tree_new_full(by_cluster, NULL, g_free, NULL);
    qcow2_group_init(&fill.group);
    result = fill.buffers != NULL ? fill_all(&fill) : -ENOMEM;
    drop(&fill);
    qcow2_group_clear(&fill.group);
    g_tree_unref(fill.partial);
    g_array_unref(fill.pieces);
    g_free(fill.buffers);
    qcow2_states_clear(&fill.states);
    return result;
}
