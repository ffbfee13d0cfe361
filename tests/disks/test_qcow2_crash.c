/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a crash leaves of a qcow2 image. Random operations are recorded; then, for every moment of
 * the record and for each kind of loss that the flushes permit, the image must open, have leaks at
 * worst, and have what was flushed. And each call of the file fails once: the guest may see an
 * error, but the image stays good.
 *
 * Each sector holds one number, eight bytes long and repeated, which says which write it is of.
 *
 * ORACLE_SEED repeats a run; CRASH_SECONDS is how long it goes on (default 15).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "disks/image_format.h"
#include "tests/disks/oracle.h"
#include "tests/fakes/recording_file.h"

#define SECTOR IMAGE_SECTOR_SIZE
#define MAX_SECTORS 512
#define OPERATIONS 24
#define DEFAULT_SECONDS 15
#define BACKING_NUMBER 1000000 /* of the backing image's first sector */
#define NAME "image"

enum op_kind {
    OP_WRITE,
    OP_ZERO,
    OP_DISCARD,
    OP_FLUSH,
    OP_CREATE,
    OP_APPLY,
    OP_DELETE,
    OP_RESIZE,
    OP_FLATTEN
};

/* All that may have happened to the disk after an operation. */
struct state {
    uint64_t sectors[MAX_SECTORS]; /* the number in each */
    uint64_t count;                /* sectors of the disk */
};

struct done_op {
    enum op_kind kind;
    uint64_t first, count; /* sectors */
    uint64_t number;
    bool failed;
    size_t end;         /* events of the journal when it was done */
    struct state after; /* if it succeeded */
    char *name;         /* of a snapshot */
};

struct saved {
    char *name;
    struct state state;
};

struct trial {
    struct oracle *oracle;
    struct image_create_options create;
    char *backing; /* a raw file; NULL: none */
    struct recording *recording;
    struct image *image;
    struct state first, state; /* at the start, and now */
    GArray *ops;               /* struct done_op */
    GArray *beside;            /* the same, done while another was */
    GPtrArray *saved;          /* struct saved: all snapshots there ever were */
    uint64_t next;
    size_t start; /* events before the first operation */
};

static uint32_t rnd(struct trial *trial, uint32_t below)
{
    return oracle_random(trial->oracle, below);
}

static void fill(uint8_t *buffer, uint64_t sectors, uint64_t number)
{
    for (uint64_t i = 0; i < sectors * SECTOR; i += 8)
        memcpy(buffer + i, &number, 8);
}

static struct image *open_recorded(struct trial *trial, struct recording *recording, bool read_only,
                                   GError **err)
{
    const struct image_options options = {.format = "qcow2",
                                          .read_only = read_only,
                                          .table_cache_size = 1};

    return image_open_file(recording_open(recording, NAME, read_only), &options, trial->oracle->io,
                           err);
}

static void create_image(struct trial *trial)
{
    struct file *file;
    g_autoptr(GError) error = NULL;

    trial->recording = recording_new();
    recording_add(trial->recording, NAME, NULL, 0);
    file = recording_open(trial->recording, NAME, false);
    if (!image_qcow2.create(file, NAME, &trial->create, NULL, &error) ||
        file->ops->flush(file) != 0)
        oracle_fail(trial->oracle, "creating: %s", error != NULL ? error->message : "?");
    file_close(file);
    trial->image = open_recorded(trial, trial->recording, false, &error);
    if (trial->image == NULL)
        oracle_fail(trial->oracle, "opening: %s", error->message);
    trial->start = recording_count(trial->recording);
    trial->first.count = trial->create.size / SECTOR;
    memset(&trial->first.sectors[trial->first.count], 0,
           (MAX_SECTORS - trial->first.count) * sizeof(trial->first.sectors[0]));
    trial->state = trial->first;
}

static int request(struct trial *trial, enum block_op op, struct done_op *done)
{
    struct block_request request = {.op = op,
                                    .offset = done->first * SECTOR,
                                    .length = done->count * SECTOR};

    return image_run(trial->image, &request);
}

static int do_write(struct trial *trial, struct done_op *op)
{
    g_autofree uint8_t *buffer = g_malloc(op->count * SECTOR);

    fill(buffer, op->count, op->number);
    return image_write(trial->image, buffer, op->first * SECTOR, op->count * SECTOR);
}

static void set_range(struct done_op *op, uint64_t number)
{
    for (uint64_t i = 0; i < op->count; i++)
        op->after.sectors[op->first + i] = number;
}

static struct saved *pick_saved(struct trial *trial)
{
    GPtrArray *list = image_snapshots(trial->image, NULL);
    struct saved *found = NULL;

    if (list->len > 0) {
        const struct image_snapshot *snapshot = list->pdata[rnd(trial, list->len)];

        for (guint i = 0; i < trial->saved->len && found == NULL; i++) {
            struct saved *saved = trial->saved->pdata[i];

            if (strcmp(saved->name, snapshot->name) == 0)
                found = saved;
        }
    }
    g_ptr_array_unref(list);
    return found;
}

struct deletion {
    struct image *image;
    const char *name;
    bool failed;
};

static void *delete_now(void *opaque)
{
    struct deletion *deletion = opaque;

    deletion->failed = !image_snapshot_delete(deletion->image, deletion->name, NULL);
    return NULL;
}

static void pick_sectors(struct trial *trial, struct done_op *op)
{
    op->number = ++trial->next;
    op->first = rnd(trial, trial->state.count);
    op->count = 1 + rnd(trial, 40);
    op->count = MIN(op->count, trial->state.count - op->first);
}

/* Requests run while its clusters are freed. */
static bool delete_beside_writes(struct trial *trial, const char *name)
{
    struct deletion deletion = {.image = trial->image, .name = name};
    GThread *thread = g_thread_new("deletion", delete_now, &deletion);

    for (unsigned n = rnd(trial, 4); n > 0; n--) {
        struct done_op op = {.kind = OP_WRITE};

        pick_sectors(trial, &op);
        op.failed = do_write(trial, &op) != 0;
        g_array_append_val(trial->beside, op);
    }
    g_thread_join(thread);
    return !deletion.failed;
}

static bool do_snapshot(struct trial *trial, struct done_op *op, bool *ret_failed)
{
    struct image_snapshot description = {.name = NULL};
    struct saved *saved;

    if (op->kind == OP_CREATE) {
        saved = g_new0(struct saved, 1);
        saved->name = g_strdup_printf("s%u", trial->saved->len);
        saved->state = trial->state;
        g_ptr_array_add(trial->saved, saved);
        description.name = saved->name;
        *ret_failed = !image_snapshot_create(trial->image, &description, NULL);
        op->name = g_strdup(saved->name);
        return true;
    }
    saved = pick_saved(trial);
    if (saved == NULL)
        return false;
    op->name = g_strdup(saved->name);
    if (op->kind == OP_APPLY) {
        op->after = saved->state;
        *ret_failed = !image_snapshot_apply(trial->image, saved->name, NULL);
    } else
        *ret_failed = !delete_beside_writes(trial, saved->name);
    return true;
}

/* false: there is nothing to do it to. */
static bool run_op(struct trial *trial, struct done_op *op)
{
    int error = 0;
    bool failed = false;

    op->after = trial->state;
    switch (op->kind) {
    case OP_WRITE:
        set_range(op, op->number);
        error = do_write(trial, op);
        break;
    case OP_ZERO:
        set_range(op, 0);
        error = request(trial, BLOCK_WRITE_ZEROES, op);
        break;
    case OP_DISCARD:
        error = request(trial, BLOCK_DISCARD, op);
        break;
    case OP_FLUSH:
        error = image_flush(trial->image);
        break;
    case OP_RESIZE:
        op->after.count = 1 + rnd(trial, MAX_SECTORS);
        if (op->after.count == trial->state.count)
            return false; /* which brings nothing to the disk */
        for (uint64_t i = op->after.count; i < MAX_SECTORS; i++)
            op->after.sectors[i] = 0;
        failed = !image_resize(trial->image, op->after.count * SECTOR, IMAGE_RESIZE_SHRINK,
                               IMAGE_PREALLOCATION_OFF, NULL, NULL);
        break;
    case OP_FLATTEN:
        if (image_backing(trial->image) == NULL)
            return false;
        failed = !image_flatten(trial->image, NULL, NULL);
        break;
    default:
        if (!do_snapshot(trial, op, &failed))
            return false;
    }
    op->failed = failed || error != 0;
    return true;
}

/* What the disk holds now where the outcome is not known: after failures and discards. */
static void learn(struct trial *trial, struct done_op *op)
{
    uint64_t count = image_size(trial->image) / SECTOR;
    g_autofree uint8_t *buffer = g_malloc(MAX_SECTORS * SECTOR);

    if (op->kind != OP_DISCARD && !op->failed)
        return;
    op->after.count = count;
    /* It may be this that is to fail, once. */
    if (image_read(trial->image, buffer, 0, count * SECTOR) != 0 &&
        image_read(trial->image, buffer, 0, count * SECTOR) != 0)
        return;
    for (uint64_t i = 0; i < count; i++)
        memcpy(&op->after.sectors[i], buffer + i * SECTOR, 8);
}

/* The operation is over. */
static void note(struct trial *trial, struct done_op *op)
{
    learn(trial, op);
    op->end = recording_count(trial->recording);
    trial->state = op->after;
    g_array_append_val(trial->ops, *op);
}

/* They come after what they were done beside, which flushed none of them for certain. */
static void note_beside(struct trial *trial)
{
    for (guint i = 0; i < trial->beside->len; i++) {
        struct done_op *op = &g_array_index(trial->beside, struct done_op, i);

        op->after = trial->state;
        set_range(op, op->number);
        note(trial, op);
    }
    g_array_set_size(trial->beside, 0);
}

static void operate(struct trial *trial, unsigned operations)
{
    static const enum op_kind kinds[] = {OP_WRITE, OP_WRITE, OP_WRITE,   OP_WRITE,  OP_ZERO,
                                         OP_FLUSH, OP_FLUSH, OP_CREATE,  OP_DELETE, OP_APPLY,
                                         OP_WRITE, OP_ZERO,  OP_DISCARD, OP_RESIZE};

    for (unsigned i = 0; i < operations; i++) {
        struct done_op op = {.kind = kinds[rnd(trial, G_N_ELEMENTS(kinds))]};

        /* Among its snapshots is one that has nothing itself. */
        if (i == 0 && trial->backing != NULL)
            op.kind = OP_CREATE;
        if (i + 1 == operations)
            op.kind = OP_FLATTEN;
        pick_sectors(trial, &op);
        if (!run_op(trial, &op))
            continue;
        note(trial, &op);
        note_beside(trial);
    }
}

/* Whether the sector may hold the number when the operations before `from` are safe. */
static bool may_be(struct trial *trial, guint from, uint64_t sector, uint64_t number,
                   const struct state *safe)
{
    if (number == safe->sectors[sector])
        return true;
    for (guint i = from; i < trial->ops->len; i++) {
        struct done_op *op = &g_array_index(trial->ops, struct done_op, i);
        bool inside = sector >= op->first && sector < op->first + op->count;

        if (op->after.sectors[sector] == number)
            return true;
        if (op->kind == OP_WRITE && number == op->number && inside)
            return true;
        if (number == 0 && (op->kind == OP_ZERO || op->kind == OP_DISCARD) && inside)
            return true;
        if (number == 0 && op->kind == OP_RESIZE)
            return true;
    }
    return false;
}

/* A write that failed may have stopped anywhere. */
static bool torn(struct trial *trial, uint64_t sector)
{
    for (guint i = 0; i < trial->ops->len; i++) {
        struct done_op *op = &g_array_index(trial->ops, struct done_op, i);

        if (op->failed && (op->kind == OP_WRITE || op->kind == OP_ZERO) && sector >= op->first &&
            sector < op->first + op->count)
            return true;
    }
    return false;
}

/* The first operation that may be lost at the moment: all before it were flushed. */
static guint first_unsafe(struct trial *trial, size_t events, struct state *ret_safe)
{
    guint unsafe = 0;

    *ret_safe = trial->first;
    for (guint i = 0; i < trial->ops->len; i++) {
        struct done_op *op = &g_array_index(trial->ops, struct done_op, i);

        if (op->end > events)
            break;
        if (!op->failed && (op->kind == OP_FLUSH || op->kind >= OP_CREATE)) {
            unsafe = i + 1;
            *ret_safe = op->after;
        }
    }
    return unsafe;
}

static void check_good(struct trial *trial, struct image *image, const char *when)
{
    struct image_check_result result;
    g_autoptr(GError) error = NULL;

    if (!image_check(image, 0, &result, NULL, &error))
        oracle_fail(trial->oracle, "%s: checking: %s", when, error->message);
    if (result.corruptions + result.errors > 0) {
        for (guint i = 0; i < result.messages->len; i++)
            fprintf(stderr, "%s\n", (char *)result.messages->pdata[i]);
        oracle_fail(trial->oracle, "%s: corrupt", when);
    }
    image_check_result_clear(&result);
}

static void check_sectors(struct trial *trial, struct image *image, guint unsafe,
                          const struct state *safe, const char *when)
{
    uint64_t count = image_size(image) / SECTOR;
    g_autofree uint8_t *buffer = g_malloc(count * SECTOR);
    int error = image_read(image, buffer, 0, count * SECTOR);

    if (error != 0)
        oracle_fail(trial->oracle, "%s: reading: %s", when, g_strerror(error));
    for (uint64_t i = 0; i < count; i++) {
        uint64_t number;

        if (torn(trial, i))
            continue;
        memcpy(&number, buffer + i * SECTOR, 8);
        for (unsigned n = 8; n < SECTOR; n += 8)
            if (memcmp(buffer + i * SECTOR + n, &number, 8) != 0)
                oracle_fail(trial->oracle, "%s: sector %" G_GUINT64_FORMAT " is mixed", when, i);
        if (!may_be(trial, unsafe, i, number, safe))
            oracle_fail(trial->oracle,
                        "%s: sector %" G_GUINT64_FORMAT " has the number %" G_GUINT64_FORMAT
                        " and not %" G_GUINT64_FORMAT,
                        when, i, number, safe->sectors[i]);
    }
}

/* A snapshot that is there has exactly what it was made of. */
static void check_snapshots(struct trial *trial, struct image *image, const char *when)
{
    GPtrArray *list = image_snapshots(image, NULL);
    g_autoptr(GError) error = NULL;
    struct saved *saved = NULL;
    const struct image_snapshot *snapshot;

    if (list->len == 0) {
        g_ptr_array_unref(list);
        return;
    }
    snapshot = list->pdata[rnd(trial, list->len)];
    for (guint i = 0; i < trial->saved->len; i++)
        if (strcmp(((struct saved *)trial->saved->pdata[i])->name, snapshot->name) == 0)
            saved = trial->saved->pdata[i];
    if (saved == NULL)
        oracle_fail(trial->oracle, "%s: a snapshot \"%s\" came up", when, snapshot->name);
    if (!image_snapshot_apply(image, snapshot->name, &error))
        oracle_fail(trial->oracle, "%s: applying: %s", when, error->message);
    if (image_size(image) != saved->state.count * SECTOR)
        oracle_fail(trial->oracle, "%s: a snapshot has another size", when);
    check_sectors(trial, image, trial->ops->len, &saved->state, when);
    check_good(trial, image, when);
    g_ptr_array_unref(list);
}

/* For a look at it. */
static void save(struct trial *trial, struct recording *recording)
{
    GBytes *bytes = recording_contents(recording, NAME);
    g_autofree char *path = oracle_path(trial->oracle, "crashed.qcow2");

    g_file_set_contents(path, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), NULL);
    g_bytes_unref(bytes);
}

static void check_crash(struct trial *trial, size_t events, enum recording_loss loss)
{
    struct recording *left = recording_crash(trial->recording, events, loss, trial->oracle->rand);
    g_autofree char *when = g_strdup_printf("after %zu events with loss %d", events, loss);
    g_autoptr(GError) error = NULL;
    struct state safe;
    guint unsafe = first_unsafe(trial, events, &safe);
    struct image *image = open_recorded(trial, left, false, &error);

    if (image == NULL) {
        save(trial, left);
        oracle_fail(trial->oracle, "%s: opening: %s", when, error->message);
    }
    check_good(trial, image, when);
    check_sectors(trial, image, unsafe, &safe, when);
    check_snapshots(trial, image, when);
    image_close(image);
    recording_free(left);
}

static void free_saved(void *opaque)
{
    struct saved *saved = opaque;

    g_free(saved->name);
    g_free(saved);
}

static void clear_op(void *opaque)
{
    g_free(((struct done_op *)opaque)->name);
}

/* Another number in each sector, but for those that are zeros. */
static void make_backing(struct trial *trial)
{
    g_autofree uint8_t *buffer = g_malloc0(MAX_SECTORS * SECTOR);
    uint64_t count = 1 + rnd(trial, MAX_SECTORS);

    for (uint64_t i = 0; i < count; i++)
        trial->first.sectors[i] = rnd(trial, 8) == 0 ? 0 : BACKING_NUMBER + i;
    for (uint64_t i = 0; i < count; i++)
        fill(buffer + i * SECTOR, 1, trial->first.sectors[i]);
    trial->backing = oracle_path(trial->oracle, "backing.raw");
    if (!g_file_set_contents(trial->backing, (char *)buffer, count * SECTOR, NULL))
        oracle_fail(trial->oracle, "cannot write %s", trial->backing);
    trial->create.backing = trial->backing;
    trial->create.backing_format = "raw";
}

static void begin(struct trial *trial)
{
    static const unsigned bits[] = {16, 16, 8, 64, 4};
    struct image_create_options *create = &trial->create;

    *create = (struct image_create_options){
        .format = "qcow2",
        .size = (1 + rnd(trial, MAX_SECTORS)) * (uint64_t)SECTOR,
        .cluster_size = 512U << rnd(trial, 4),
        .refcount_bits = bits[rnd(trial, G_N_ELEMENTS(bits))],
        .lazy_refcounts = rnd(trial, 3) == 0,
    };
    if (rnd(trial, 4) == 0) {
        create->extended_l2 = true;
        create->cluster_size = 16384;
    }
    if (rnd(trial, 2) == 0)
        make_backing(trial);
    trial->ops = g_array_new(FALSE, FALSE, sizeof(struct done_op));
    g_array_set_clear_func(trial->ops, clear_op);
    trial->beside = g_array_new(FALSE, FALSE, sizeof(struct done_op));
    trial->saved = g_ptr_array_new_with_free_func(free_saved);
    trial->next = 0;
    create_image(trial);
}

static void end(struct trial *trial)
{
    recording_free(trial->recording);
    g_array_unref(trial->ops);
    if (trial->beside != NULL)
        g_array_unref(trial->beside);
    g_ptr_array_unref(trial->saved);
    g_free(trial->backing);
}

static size_t try_crashes(struct oracle *oracle)
{
    struct trial trial = {.oracle = oracle};
    size_t events;

    begin(&trial);
    operate(&trial, OPERATIONS);
    image_close(trial.image);
    events = recording_count(trial.recording);
    for (size_t at = trial.start; at <= events; at++) {
        check_crash(&trial, at, RECORDING_LOSE_NOTHING);
        check_crash(&trial, at, RECORDING_LOSE_ALL);
        check_crash(&trial, at, RECORDING_LOSE_CALLS);
        check_crash(&trial, at, RECORDING_LOSE_SECTORS);
    }
    end(&trial);
    return events;
}

/* One failing call in the middle of the same operations. false: there are no more calls. */
static bool try_failure(struct oracle *oracle, uint32_t seed, unsigned nth, int errnum,
                        bool for_good)
{
    struct trial trial = {.oracle = oracle};
    struct image *image;
    struct state safe;
    g_autofree char *when = g_strdup_printf("when call %u fails", nth);
    g_autoptr(GError) error = NULL;
    bool happened;

    g_rand_set_seed(oracle->rand, seed);
    begin(&trial);
    recording_fail(trial.recording, RECORDING_CHANGES | RECORDING_READS, nth, errnum, for_good);
    operate(&trial, OPERATIONS / 2);
    image_close(trial.image);
    happened = recording_calls(trial.recording) >= nth;
    recording_fail(trial.recording, 0, 0, 0, false);
    image = open_recorded(&trial, trial.recording, false, &error);
    if (image == NULL)
        oracle_fail(oracle, "%s: opening: %s", when, error->message);
    check_good(&trial, image, when);
    check_sectors(&trial, image, first_unsafe(&trial, SIZE_MAX, &safe), &safe, when);
    check_snapshots(&trial, image, when);
    image_close(image);
    end(&trial);
    return happened;
}

static unsigned try_failures(struct oracle *oracle, uint32_t seed)
{
    static const int errors[] = {EIO, ENOSPC};
    unsigned tried = 0;

    for (unsigned for_good = 0; for_good < 2; for_good++)
        for (unsigned nth = 1;
             try_failure(oracle, seed, nth, errors[nth % G_N_ELEMENTS(errors)], for_good); nth++)
            tried++;
    return tried;
}

/* A disk that could not become smaller is none the worse, and larger again shows nothing old. */
static bool try_shrinking(struct oracle *oracle, unsigned nth)
{
    struct trial trial = {.oracle = oracle,
                          .create = {.format = "qcow2",
                                     .size = MAX_SECTORS * SECTOR,
                                     .cluster_size = SECTOR,
                                     .refcount_bits = 16}};
    struct state safe = {.count = MAX_SECTORS};
    g_autofree char *when = g_strdup_printf("when call %u of shrinking fails", nth);
    struct done_op all = {.count = MAX_SECTORS, .number = 1};
    uint64_t keep = MAX_SECTORS / 3;
    bool happened;

    trial.ops = g_array_new(FALSE, FALSE, sizeof(struct done_op));
    trial.saved = g_ptr_array_new();
    create_image(&trial);
    if (do_write(&trial, &all) != 0 || image_flush(trial.image) != 0)
        oracle_fail(oracle, "%s: the disk cannot be filled", when);
    recording_fail(trial.recording, RECORDING_CHANGES | RECORDING_READS, nth, EIO, false);
    image_resize(trial.image, keep * SECTOR, IMAGE_RESIZE_SHRINK, IMAGE_PREALLOCATION_OFF, NULL,
                 NULL);
    happened = recording_calls(trial.recording) >= nth;
    recording_fail(trial.recording, 0, 0, 0, false);
    check_good(&trial, trial.image, when);
    for (uint64_t i = 0; i < MAX_SECTORS; i++)
        safe.sectors[i] = i < image_size(trial.image) / SECTOR;
    if (!image_resize(trial.image, MAX_SECTORS * SECTOR, 0, IMAGE_PREALLOCATION_OFF, NULL, NULL))
        oracle_fail(oracle, "%s: the disk cannot be larger again", when);
    check_sectors(&trial, trial.image, 0, &safe, when);
    check_good(&trial, trial.image, when);
    image_close(trial.image);
    end(&trial);
    return happened;
}

static void check_backing(struct trial *trial, size_t events, enum recording_loss loss,
                          const char *before, const char *after)
{
    const struct image_options options = {.format = "qcow2",
                                          .read_only = true,
                                          .backing = IMAGE_BACKING_IGNORE};
    struct recording *left = recording_crash(trial->recording, events, loss, trial->oracle->rand);
    g_autoptr(GError) error = NULL;
    struct image_info info;
    struct image *image =
        image_open_file(recording_open(left, NAME, true), &options, trial->oracle->io, &error);

    if (image == NULL || !image_get_info(image, &info, &error))
        oracle_fail(trial->oracle, "after %zu events of rebasing: %s", events, error->message);
    if (g_strcmp0(info.backing_name, before) != 0 && g_strcmp0(info.backing_name, after) != 0)
        oracle_fail(trial->oracle, "after %zu events of rebasing it lies on %s", events,
                    info.backing_name);
    image_info_clear(&info);
    image_close(image);
    recording_free(left);
}

/* After a crash an image lies on what it lay on, or on the next one: names that do not fit into the
 * first sector, each longer or shorter than the one before. */
static void try_rebasing(struct oracle *oracle)
{
    struct trial trial = {.oracle = oracle,
                          .create = {.format = "qcow2",
                                     .size = MAX_SECTORS * SECTOR,
                                     .cluster_size = 4096,
                                     .refcount_bits = 16}};
    g_autofree char *a = g_strnfill(300, 'a'), *b = g_strnfill(900, 'b'), *c = g_strnfill(200, 'c');
    const char *const names[] = {NULL, a, b, c, a};
    const struct image_options options = {.format = "qcow2", .backing = IMAGE_BACKING_IGNORE};
    g_autoptr(GError) error = NULL;

    create_image(&trial);
    image_close(trial.image);
    for (size_t i = 1; i < G_N_ELEMENTS(names); i++) {
        size_t from = recording_count(trial.recording);

        trial.image = image_open_file(recording_open(trial.recording, NAME, false), &options,
                                      oracle->io, &error);
        if (trial.image == NULL ||
            !image_rebase(trial.image, names[i], "qcow2", false, NULL, &error))
            oracle_fail(oracle, "rebasing: %s", error->message);
        image_close(trial.image);
        for (size_t at = from; at <= recording_count(trial.recording); at++)
            for (enum recording_loss loss = RECORDING_LOSE_NOTHING; loss <= RECORDING_LOSE_SECTORS;
                 loss++)
                check_backing(&trial, at, loss, names[i - 1], names[i]);
    }
    recording_free(trial.recording);
}

int main(void)
{
    const char *seconds = g_getenv("CRASH_SECONDS");
    struct oracle oracle;
    gint64 stop;
    size_t events = 0;
    unsigned failures = 0, images = 0;

    oracle_init(&oracle);
    stop = g_get_monotonic_time() +
           (seconds != NULL ? atoi(seconds) : DEFAULT_SECONDS) * G_USEC_PER_SEC;
    for (unsigned nth = 1; try_shrinking(&oracle, nth); nth++)
        failures++;
    try_rebasing(&oracle);
    do {
        printf("image %u has the seed %u\n", images++, oracle.seed);
        fflush(stdout);
        g_rand_set_seed(oracle.rand, oracle.seed);
        events += try_crashes(&oracle);
        failures += try_failures(&oracle, oracle.seed);
        oracle.seed++;
    } while (g_get_monotonic_time() < stop);
    printf("%u images, %zu moments, %u failures\n", images, events, failures);
    oracle_finish(&oracle);
    return 0;
}
