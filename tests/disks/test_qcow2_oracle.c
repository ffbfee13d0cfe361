/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random operations on qcow2 images, beside a model in memory. After each batch the image is
 * closed, "qemu-img check" must be content, and qemu-img and we must read it as the model is.
 *
 * ORACLE_SEED repeats a run; ORACLE_SECONDS is how long it goes on (default 25).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "tests/disks/oracle.h"

#define SECTOR IMAGE_SECTOR_SIZE
#define MAX_SIZE (12 * 1024 * 1024)
#define DEFAULT_SECONDS 25
#define MAX_SNAPSHOTS 6
#define IN_FLIGHT 8
#define FLIGHTS_BESIDE 4
#define BUFFER_ALIGNMENT 4096

struct model_snapshot {
    char *name;
    uint8_t *data;
    uint64_t size;
};

struct run {
    struct oracle *oracle;
    struct image_create_options create;
    struct image_options options;
    char *path, *backing;
    struct image *image;
    uint8_t *data; /* MAX_SIZE bytes */
    uint64_t size;
    uint8_t *backing_data; /* NULL: none */
    uint64_t backing_size;
    GPtrArray *snapshots; /* struct model_snapshot */
    unsigned names;
};

static uint32_t rnd(struct run *run, uint32_t below)
{
    return oracle_random(run->oracle, below);
}

static uint64_t pick_size(struct run *run)
{
    return (1 + rnd(run, MAX_SIZE / SECTOR)) * (uint64_t)SECTOR;
}

/* A range of sectors, mostly short, often at the bounds of clusters. */
static void pick_range(struct run *run, uint64_t *ret_offset, uint64_t *ret_length)
{
    uint64_t sectors = run->size / SECTOR, cluster = run->create.cluster_size / SECTOR;
    uint64_t first = rnd(run, sectors), count = 1 + rnd(run, rnd(run, 4) == 0 ? 600 : 16);

    if (rnd(run, 3) == 0)
        first -= first % cluster;
    if (rnd(run, 4) == 0)
        count = cluster * (1 + rnd(run, 3));
    /* A region that is hit again and again. */
    if (rnd(run, 2) == 0)
        first %= MIN(sectors, 4 * cluster);
    count = MIN(count, sectors - first);
    *ret_offset = first * SECTOR;
    *ret_length = count * SECTOR;
}

struct flight {
    struct block_request request;
    struct iovec iov[3];
    uint8_t *buffer;
    GMutex *lock;
    GCond *done;
    unsigned *left;
    int error;
};

static void landed(struct block_request *request, int error)
{
    struct flight *flight = request->opaque;

    g_mutex_lock(flight->lock);
    flight->error = error;
    (*flight->left)--;
    g_cond_signal(flight->done);
    g_mutex_unlock(flight->lock);
}

static bool overlaps(const struct flight *flights, unsigned count, uint64_t offset, uint64_t length)
{
    for (unsigned i = 0; i < count; i++)
        if (offset < flights[i].request.offset + flights[i].request.length &&
            flights[i].request.offset < offset + length)
            return true;
    return false;
}

static void prepare(struct run *run, struct flight *flight, uint64_t offset, uint64_t length)
{
    static const enum block_op ops[] = {BLOCK_WRITE,   BLOCK_WRITE,        BLOCK_WRITE, BLOCK_READ,
                                        BLOCK_DISCARD, BLOCK_WRITE_ZEROES, BLOCK_FLUSH};
    enum block_op op = ops[rnd(run, G_N_ELEMENTS(ops))];
    uint64_t cut = rnd(run, length + 1), second;
    unsigned grain = rnd(run, 2) == 0 ? 1 : SECTOR; /* what direct I/O takes as it is */

    flight->buffer = g_aligned_alloc(1, MAX(length, 1), BUFFER_ALIGNMENT);
    for (uint64_t i = 0; i < length; i += 8) {
        uint64_t value =
            (uint64_t)g_rand_int(run->oracle->rand) << 32 | g_rand_int(run->oracle->rand);

        memcpy(flight->buffer + i, &value, MIN(8, length - i));
    }
    cut -= cut % grain;
    second = rnd(run, length - cut + 1);
    second -= second % grain;
    flight->iov[0] = (struct iovec){flight->buffer, cut};
    flight->iov[1] = (struct iovec){flight->buffer + cut, second};
    flight->iov[2] = (struct iovec){flight->buffer + cut + second, length - cut - second};
    flight->request = (struct block_request){
        .op = op,
        .offset = op == BLOCK_FLUSH ? 0 : offset,
        .length = op == BLOCK_FLUSH ? 0 : length,
        .done = landed,
        .opaque = flight,
    };
    if (op == BLOCK_WRITE || op == BLOCK_READ) {
        flight->request.iov = flight->iov;
        flight->request.iov_count = 3;
    }
}

/* What a discard leaves may be zeros or as before; whichever it is, it stays. */
static void learn_discard(struct run *run, uint64_t offset, uint64_t length)
{
    g_autofree uint8_t *seen = g_malloc(length);

    if (image_read(run->image, seen, offset, length) != 0)
        oracle_fail(run->oracle, "reading what was discarded failed");
    for (uint64_t i = 0; i < length; i++)
        if (seen[i] != 0 && seen[i] != run->data[offset + i])
            oracle_fail(run->oracle, "byte %" G_GUINT64_FORMAT " was discarded and is 0x%02x",
                        offset + i, seen[i]);
    memcpy(run->data + offset, seen, length);
}

static void settle(struct run *run, struct flight *flight)
{
    struct block_request *request = &flight->request;

    if (flight->error != 0)
        oracle_fail(run->oracle, "operation %d at %" G_GUINT64_FORMAT " failed: %s", request->op,
                    request->offset, g_strerror(flight->error));
    switch (request->op) {
    case BLOCK_WRITE:
        memcpy(run->data + request->offset, flight->buffer, request->length);
        break;
    case BLOCK_WRITE_ZEROES:
        memset(run->data + request->offset, 0, request->length);
        break;
    case BLOCK_READ:
        if (memcmp(run->data + request->offset, flight->buffer, request->length) != 0)
            oracle_fail(run->oracle, "a read at %" G_GUINT64_FORMAT " differs", request->offset);
        break;
    default:
        break;
    }
    g_aligned_free(flight->buffer);
}

struct squadron {
    struct flight flights[IN_FLIGHT];
    unsigned count, left;
    GMutex lock;
    GCond done;
};

/* Several requests at once that do not overlap, though they share clusters. */
static void take_off(struct run *run, struct squadron *squadron)
{
    struct flight *flights = squadron->flights;
    unsigned count = 0, wanted = 1 + rnd(run, IN_FLIGHT);

    g_mutex_init(&squadron->lock);
    g_cond_init(&squadron->done);
    for (unsigned tries = 0; tries < wanted; tries++) {
        uint64_t offset, length;

        pick_range(run, &offset, &length);
        if (overlaps(flights, count, offset, length))
            continue;
        prepare(run, &flights[count], offset, length);
        flights[count].lock = &squadron->lock;
        flights[count].done = &squadron->done;
        flights[count].left = &squadron->left;
        count++;
    }
    squadron->left = squadron->count = count;
    for (unsigned i = 0; i < count; i++)
        image_submit(run->image, &flights[i].request);
}

static void land(struct run *run, struct squadron *squadron)
{
    struct flight *flights = squadron->flights;

    g_mutex_lock(&squadron->lock);
    while (squadron->left > 0)
        g_cond_wait(&squadron->done, &squadron->lock);
    g_mutex_unlock(&squadron->lock);
    for (unsigned i = 0; i < squadron->count; i++)
        settle(run, &flights[i]);
    for (unsigned i = 0; i < squadron->count; i++)
        if (flights[i].request.op == BLOCK_DISCARD)
            learn_discard(run, flights[i].request.offset, flights[i].request.length);
    g_mutex_clear(&squadron->lock);
    g_cond_clear(&squadron->done);
}

static void fly(struct run *run)
{
    struct squadron squadron;

    take_off(run, &squadron);
    land(run, &squadron);
}

static void free_snapshot(void *opaque)
{
    struct model_snapshot *snapshot = opaque;

    g_free(snapshot->name);
    g_free(snapshot->data);
    g_free(snapshot);
}

static struct model_snapshot *any_snapshot(struct run *run)
{
    return run->snapshots->len > 0 ? run->snapshots->pdata[rnd(run, run->snapshots->len)] : NULL;
}

/* error is what `done` sets; arguments are evaluated in any order. */
static void must(struct run *run, bool done, GError **error, const char *what)
{
    if (!done)
        oracle_fail(run->oracle, "%s: %s", what, (*error)->message);
}

static void snapshot_create(struct run *run)
{
    g_autoptr(GError) error = NULL;
    struct model_snapshot *model;
    struct image_snapshot description = {.vm_state_size = rnd(run, 2) ? 0 : rnd(run, 100000)};
    bool done;

    if (run->snapshots->len >= MAX_SNAPSHOTS || run->create.data_file != NULL)
        return;
    model = g_new0(struct model_snapshot, 1);
    model->name = g_strdup_printf("snapshot %u", run->names++);
    model->size = run->size;
    model->data = g_memdup2(run->data, run->size);
    description.name = model->name;
    done = image_snapshot_create(run->image, &description, &error);
    if (!done && run->create.refcount_bits <= 2 &&
        g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_UNSUPPORTED)) {
        free_snapshot(model); /* it counts to 1 or 3 */
        return;
    }
    must(run, done, &error, "making a snapshot");
    g_ptr_array_add(run->snapshots, model);
}

static void snapshot_apply(struct run *run)
{
    g_autoptr(GError) error = NULL;
    struct model_snapshot *model = any_snapshot(run);
    bool done;

    if (model == NULL)
        return;
    done = image_snapshot_apply(run->image, model->name, &error);
    if (!done && run->create.refcount_bits <= 2 &&
        g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_UNSUPPORTED))
        return;
    must(run, done, &error, "applying a snapshot");
    memset(run->data, 0, MAX_SIZE);
    memcpy(run->data, model->data, model->size);
    run->size = model->size;
}

static void snapshot_delete(struct run *run)
{
    g_autoptr(GError) error = NULL;
    struct model_snapshot *model = any_snapshot(run);

    if (model == NULL)
        return;
    must(run, image_snapshot_delete(run->image, model->name, &error), &error,
         "deleting a snapshot");
    g_ptr_array_remove(run->snapshots, model);
}

static void snapshot_rename(struct run *run)
{
    g_autoptr(GError) error = NULL;
    struct model_snapshot *model = any_snapshot(run);
    char *name;

    if (model == NULL)
        return;
    name = g_strdup_printf("renamed %u", run->names++);
    must(run, image_snapshot_rename(run->image, model->name, name, &error), &error,
         "renaming a snapshot");
    g_free(model->name);
    model->name = name;
}

static void resize(struct run *run)
{
    g_autoptr(GError) error = NULL;
    uint64_t size = pick_size(run);
    enum image_preallocation preallocation = rnd(run, 3) == 0 ? rnd(run, 4) : 0;

    if (run->backing_data != NULL && !run->create.extended_l2)
        preallocation = IMAGE_PREALLOCATION_OFF;
    must(run, image_resize(run->image, size, IMAGE_RESIZE_SHRINK, preallocation, NULL, &error),
         &error, "resizing");
    if (size < run->size)
        memset(run->data + size, 0, run->size - size);
    run->size = size;
}

static void compress_cluster(struct run *run)
{
    g_autoptr(GError) error = NULL;
    uint64_t cluster = run->create.cluster_size;
    uint64_t offset = rnd(run, (run->size + cluster - 1) / cluster) * cluster;
    uint64_t length = MIN(cluster, run->size - offset);

    if (run->create.data_file != NULL)
        return;
    memset(run->data + offset, rnd(run, 256), length);
    run->data[offset + rnd(run, length)] = rnd(run, 256);
    must(run, image_write_compressed(run->image, run->data + offset, offset, length, &error),
         &error, "compressing");
}

static void compact(struct run *run)
{
    g_autoptr(GError) error = NULL;

    must(run, image_compact(run->image, NULL, &error), &error, "compacting");
}

static void commit(struct run *run)
{
    g_autoptr(GError) error = NULL;

    if (run->backing_data == NULL || run->snapshots->len > 0 || run->create.data_file != NULL)
        return;
    must(run, image_commit(run->image, NULL, &error), &error, "committing");
    run->backing_size = MAX(run->backing_size, run->size);
    memcpy(run->backing_data, run->data, run->size);
}

static void write_model(struct run *run, const char *name, const uint8_t *data, uint64_t size)
{
    g_autofree char *path = oracle_path(run->oracle, name);

    if (!g_file_set_contents(path, (const char *)data, size, NULL))
        oracle_fail(run->oracle, "cannot write %s", path);
}

/* qemu-img sees in the snapshot what the model has; it knows just the disk's present size. */
static void compare_snapshot(struct run *run, const struct model_snapshot *model)
{
    write_model(run, "snapshot.raw", model->data, model->size);
    oracle_run(run->oracle,
               "qemu-img convert -f qcow2 -l snapshot.name='%s' -O raw '%s' seen.raw && "
               "cmp -n %" G_GUINT64_FORMAT " seen.raw snapshot.raw",
               model->name, run->path, MIN(model->size, run->size));
}

/* A copy of the image on which the snapshot is applied, by us and by qemu-img. */
static void apply_to_copy(struct run *run, const struct model_snapshot *model)
{
    g_autofree char *path = oracle_path(run->oracle, "copy.qcow2");
    const struct image_options options = {.format = "qcow2"};
    g_autoptr(GError) error = NULL;
    struct image *image;

    /* It cannot resize an image of version 2. */
    if (run->create.version == 3 || model->size == run->size) {
        write_model(run, "snapshot.raw", model->data, model->size);
        oracle_run(run->oracle, "cp '%s' copy.qcow2 && qemu-img snapshot -q -a '%s' copy.qcow2",
                   run->path, model->name);
        oracle_qemu_check(run->oracle, path);
        oracle_run(run->oracle, "qemu-img compare -q -f qcow2 -F raw copy.qcow2 snapshot.raw");
    }
    oracle_run(run->oracle, "cp '%s' copy.qcow2", run->path);
    image = oracle_open(run->oracle, path, &options);
    must(run, image_snapshot_apply(image, model->name, &error), &error, "applying a snapshot");
    oracle_compare(run->oracle, image, model->data, model->size);
    image_close(image);
    oracle_check(run->oracle, path, "qcow2");
    oracle_qemu_check(run->oracle, path);
}

/* The image no longer lies on what it lay on: not one of its states has changed. */
static void verify_states(struct run *run)
{
    image_close(run->image);
    oracle_check(run->oracle, run->path, "qcow2");
    oracle_qemu_check(run->oracle, run->path);
    for (guint i = 0; i < run->snapshots->len; i++) {
        compare_snapshot(run, run->snapshots->pdata[i]);
        if (run->create.refcount_bits > 2 || run->create.refcount_bits == 0)
            apply_to_copy(run, run->snapshots->pdata[i]);
    }
    run->image = oracle_open(run->oracle, run->path, &run->options);
}

static void flatten(struct run *run)
{
    g_autoptr(GError) error = NULL;

    if (run->backing_data == NULL)
        return;
    must(run, image_flatten(run->image, NULL, &error), &error, "flattening");
    g_clear_pointer(&run->backing_data, g_free);
    run->create.backing = NULL;
}

static void flatten_alone(struct run *run)
{
    if (run->backing_data == NULL || rnd(run, 3) != 0)
        return;
    flatten(run);
    verify_states(run);
}

static void fill_backing(struct run *run);

/* To another image, which reads differently. */
static void rebase(struct run *run)
{
    g_autofree char *name = NULL;
    g_autoptr(GError) error = NULL;

    if (run->create.data_file_raw || rnd(run, 3) != 0)
        return;
    g_free(run->backing_data);
    g_free(run->backing);
    name = g_strdup_printf("backing%u.qcow2", run->names++);
    run->backing = oracle_path(run->oracle, name);
    fill_backing(run);
    must(run, image_rebase(run->image, name, "qcow2", true, NULL, &error), &error, "rebasing");
    run->create.backing = "";
    verify_states(run);
}

/* Work beside requests. What a snapshot holds of those is not known, so that it goes again. */
static void busy(struct run *run)
{
    const struct image_snapshot description = {.name = (char *)"busy"};
    struct squadron squadron;
    bool made;

    take_off(run, &squadron);
    if (rnd(run, 3) == 0)
        flatten(run);
    made = image_snapshot_create(run->image, &description, NULL);
    compact(run);
    if (made && !image_snapshot_delete(run->image, "busy", NULL))
        oracle_fail(run->oracle, "the snapshot made beside requests cannot be deleted");
    land(run, &squadron);
}

struct deletion {
    struct run *run;
    struct model_snapshot *model;
};

static void *delete_now(void *opaque)
{
    struct deletion *deletion = opaque;
    g_autoptr(GError) error = NULL;

    must(deletion->run, image_snapshot_delete(deletion->run->image, deletion->model->name, &error),
         &error, "deleting a snapshot beside requests");
    return NULL;
}

/* What it held is freed while requests run. */
static void delete_beside(struct run *run)
{
    struct deletion deletion = {run, any_snapshot(run)};
    GThread *thread;

    if (deletion.model == NULL)
        return;
    thread = g_thread_new("deletion", delete_now, &deletion);
    for (unsigned i = 0; i < FLIGHTS_BESIDE; i++)
        fly(run);
    g_thread_join(thread);
    g_ptr_array_remove(run->snapshots, deletion.model);
}

/* The disk becomes larger while requests run. */
static void grow_beside(struct run *run)
{
    uint64_t wanted = pick_size(run), size = MAX(run->size, wanted);
    g_autoptr(GError) error = NULL;
    struct squadron squadron;

    take_off(run, &squadron);
    must(run, image_resize(run->image, size, 0, IMAGE_PREALLOCATION_OFF, NULL, &error), &error,
         "growing beside requests");
    land(run, &squadron);
    run->size = size;
}

static bool has_direct(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void open_image(struct run *run)
{
    static const enum image_cache caches[] = {IMAGE_CACHE_WRITE_BACK, IMAGE_CACHE_WRITE_BACK,
                                              IMAGE_CACHE_WRITE_THROUGH, IMAGE_CACHE_DIRECT};

    run->options.cache = caches[rnd(run, G_N_ELEMENTS(caches))];
    if (run->options.cache == IMAGE_CACHE_DIRECT && !has_direct(run->path))
        run->options.cache = IMAGE_CACHE_WRITE_BACK;
    /* A small cache drops and writes tables all the time. */
    run->options.table_cache_size = rnd(run, 2) == 0 ? 1 : 0;
    run->image = oracle_open(run->oracle, run->path, &run->options);
}

static void verify(struct run *run)
{
    const struct image_options below = {.format = "qcow2", .read_only = true};

    oracle_compare(run->oracle, run->image, run->data, run->size);
    image_close(run->image);
    oracle_check(run->oracle, run->path, "qcow2");
    oracle_qemu_check(run->oracle, run->path);
    oracle_qemu_compare(run->oracle, run->path, run->data, run->size);
    if (run->backing_data != NULL) {
        struct image *backing = oracle_open(run->oracle, run->backing, &below);

        oracle_compare(run->oracle, backing, run->backing_data, run->backing_size);
        image_close(backing);
        oracle_qemu_check(run->oracle, run->backing);
    }
    if (run->snapshots->len > 0)
        compare_snapshot(run, any_snapshot(run));
    open_image(run);
}

static void batch(struct run *run)
{
    static void (*const rare[])(struct run * run) = {
        snapshot_create,
        snapshot_create,
        snapshot_apply,
        snapshot_delete,
        snapshot_rename,
        resize,
        commit,
        compress_cluster,
        compress_cluster,
        compact,
        flatten_alone,
        rebase,
        busy,
        busy,
        delete_beside,
        delete_beside,
        grow_beside,
    };

    for (unsigned n = 4 + rnd(run, 12); n > 0; n--)
        fly(run);
    for (unsigned n = rnd(run, 4); n > 0; n--) {
        rare[rnd(run, G_N_ELEMENTS(rare))](run);
        fly(run);
    }
    verify(run);
}

static void fill_backing(struct run *run)
{
    const struct image_options options = {.format = "qcow2"};
    struct image *image;

    run->backing_data = g_malloc0(MAX_SIZE);
    run->backing_size = pick_size(run);
    oracle_create(run->oracle, run->backing,
                  &(struct image_create_options){.format = "qcow2",
                                                 .size = run->backing_size,
                                                 .cluster_size = 512U << rnd(run, 8)});
    image = oracle_open(run->oracle, run->backing, &options);
    for (unsigned i = 0; i < 20; i++) {
        uint64_t offset = rnd(run, run->backing_size / SECTOR) * (uint64_t)SECTOR;
        uint64_t length = (1 + rnd(run, 200)) * (uint64_t)SECTOR;

        length = MIN(run->backing_size - offset, length);
        memset(run->backing_data + offset, 1 + rnd(run, 255), length);
        if (image_write(image, run->backing_data + offset, offset, length) != 0)
            oracle_fail(run->oracle, "cannot write the backing image");
    }
    image_close(image);
}

static void choose(struct run *run)
{
    struct image_create_options *create = &run->create;

    *create = (struct image_create_options){
        .format = "qcow2",
        .size = pick_size(run),
        .cluster_size = 512ULL << rnd(run, 13),
        .version = rnd(run, 4) == 0 ? 2 : 3,
    };
    if (create->version == 3) {
        create->refcount_bits = 1 << rnd(run, 7);
        create->lazy_refcounts = rnd(run, 3) == 0;
        create->zstd = rnd(run, 2);
        create->extended_l2 = create->cluster_size >= 16384 && rnd(run, 2);
        if (rnd(run, 6) == 0) {
            create->data_file = "data";
            create->data_file_raw = rnd(run, 2);
        }
    }
    if (rnd(run, 2) == 0 && !create->data_file_raw) {
        fill_backing(run);
        create->backing = "backing.qcow2";
        create->backing_format = "qcow2";
        if (rnd(run, 3) == 0) {
            create->size = run->backing_size;
        }
    } else if (rnd(run, 3) == 0)
        create->preallocation = rnd(run, 4);
}

static void run_image(struct oracle *oracle, unsigned batches)
{
    struct run run = {.oracle = oracle, .options = {.format = "qcow2"}};

    run.path = oracle_path(oracle, "image.qcow2");
    run.backing = oracle_path(oracle, "backing.qcow2");
    run.snapshots = g_ptr_array_new_with_free_func(free_snapshot);
    choose(&run);
    run.size = run.create.size;
    run.data = g_malloc0(MAX_SIZE);
    if (run.backing_data != NULL)
        memcpy(run.data, run.backing_data, MIN(run.size, run.backing_size));
    oracle_create(oracle, run.path, &run.create);
    open_image(&run);
    verify(&run);
    /* Of a disk of which the image has nothing yet. */
    if (rnd(&run, 3) == 0)
        snapshot_create(&run);
    for (unsigned i = 0; i < batches; i++)
        batch(&run);
    image_close(run.image);
    oracle_remove_files(oracle);
    g_ptr_array_unref(run.snapshots);
    g_free(run.data);
    g_free(run.backing_data);
    g_free(run.path);
    g_free(run.backing);
}

int main(void)
{
    const char *seconds = g_getenv("ORACLE_SECONDS");
    struct oracle oracle;
    gint64 end;
    unsigned images = 0;

    if (!oracle_has_qemu_img()) {
        printf("qemu-img is missing\n");
        return 77;
    }
    oracle_init(&oracle);
    end = g_get_monotonic_time() +
          (seconds != NULL ? atoi(seconds) : DEFAULT_SECONDS) * G_USEC_PER_SEC;
    do {
        /* Each image has a seed of its own, so that it can be repeated alone. */
        printf("image %u has the seed %u\n", images, oracle.seed);
        fflush(stdout);
        g_rand_set_seed(oracle.rand, oracle.seed);
        run_image(&oracle, 6);
        images++;
        oracle.seed++;
    } while (g_get_monotonic_time() < end);
    printf("%u images\n", images);
    oracle_finish(&oracle);
    return 0;
}
