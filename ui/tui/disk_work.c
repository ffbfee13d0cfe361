/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "ui/tui/disk_work.h"

#include <string.h>

#include "core/error.h"
#include "disks/image_copy.h"
#include "disks/image_json.h"
#include "disks/image_tree.h"
#include "disks/io_context.h"
#include "ui/disk_live.h"
#include "ui/remote.h"

#define WORK_THREADS 4
#define PROGRESS_SCALE 1000000

struct disk_work {
    struct disk_task task;
    struct disk_view views[MACHINE_MAX_DISKS];
    void (*done)(struct disk_work *work, const GError *error, void *opaque);
    void *opaque;
    GThread *thread;
    GSource *ended;        /* attached by the thread as its last act */
    int cancelled;         /* atomic */
    int progress;          /* atomic; of PROGRESS_SCALE */
    struct io_context *io; /* the thread's */
    GError *error;         /* the thread's until it has ended */
};

void disk_task_clear(struct disk_task *task)
{
    for (unsigned i = 0; i < MACHINE_MAX_DISKS; i++) {
        g_free(task->disks[i].folder);
        g_free(task->disks[i].file);
        g_free(task->disks[i].format);
    }
    g_free(task->socket);
    g_free(task->argument);
    g_free(task->new_name);
    memset(task, 0, sizeof(*task));
}

static bool step(void *opaque, uint64_t done, uint64_t total)
{
    struct disk_work *work = opaque;

    if (total > 0)
        g_atomic_int_set(&work->progress, (int)((double)done / total * PROGRESS_SCALE));
    return g_atomic_int_get(&work->cancelled) == 0;
}

static struct image *open_image(struct disk_work *work, const struct disk_name *disk, bool write,
                                GError **err)
{
    const struct image_options options = {.format = disk->format, .read_only = !write};
    g_autofree char *path = machine_config_resolve(disk->folder, disk->file);

    return image_open(path, &options, work->io, err);
}

/* Files of the machine's own folder without it. */
static char *name_below(const struct disk_name *disk, const json_t *image)
{
    const char *path = remote_string(image, "filename");
    size_t length = strlen(disk->folder);

    if (strncmp(path, disk->folder, length) == 0 && path[length] == '/')
        path += length + 1;
    return g_strdup_printf("%s (%s)", path, remote_string(image, "format"));
}

/* What image_chain_json() tells, here or in the engine. */
static void take_images(const json_t *images, const struct disk_name *disk, struct disk_view *view)
{
    const json_t *image = json_array_get(images, 0);

    view->virtual_size = remote_integer(image, "virtual-size");
    view->file_size = remote_integer(image, "file-size");
    view->allocated = remote_integer(image, "actual-size");
    for (size_t i = 1; i < json_array_size(images) && i <= DISK_CHAIN_SHOWN; i++)
        g_ptr_array_add(view->chain, name_below(disk, json_array_get(images, i)));
    g_ptr_array_unref(view->snapshots);
    view->snapshots = disk_snapshots_tree(json_object_get(image, "snapshots"));
}

static json_t *ask_file(struct disk_work *work, const struct disk_name *disk, GError **err)
{
    struct image *image = open_image(work, disk, false, err);
    json_t *images = image != NULL ? image_chain_json(image, false, err) : NULL;

    image_close(image);
    return images;
}

static struct disk_live *open_live(const struct disk_work *work, unsigned disk, GError **err)
{
    g_autofree char *device = g_strdup_printf("disk%u", disk);

    return disk_live_open(work->task.socket, device, err);
}

static json_t *ask_engine(const struct disk_work *work, unsigned disk, GError **err)
{
    struct disk_live *live = open_live(work, disk, err);
    json_t *images = live != NULL ? disk_live_query(live, "query-block-image", err) : NULL;

    disk_live_free(live);
    return images;
}

static void look(struct disk_work *work)
{
    for (unsigned i = 0; i < MACHINE_MAX_DISKS && step(work, i, MACHINE_MAX_DISKS); i++) {
        const struct disk_name *disk = &work->task.disks[i];
        g_autoptr(GError) error = NULL;
        json_t *images;

        if (disk->file == NULL)
            continue;
        images =
            work->task.socket != NULL ? ask_engine(work, i, &error) : ask_file(work, disk, &error);
        if (images != NULL)
            take_images(images, disk, &work->views[i]);
        else
            work->views[i].error = g_strdup(error->message);
        json_decref(images);
    }
}

static bool check(struct image *image, const struct image_progress *progress, GError **err)
{
    struct image_check_result result;
    bool good;

    if (!image_check(image, 0, &result, progress, err))
        return false;
    good = result.corruptions + result.errors + result.leaks == 0;
    if (!good)
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "%s: %" G_GUINT64_FORMAT " damages, %" G_GUINT64_FORMAT
                    " clusters that nothing uses. \"vmdesk disk check --repair\" puts it right.",
                    image_path(image), result.corruptions + result.errors, result.leaks);
    image_check_result_clear(&result);
    return good;
}

static bool convert(struct disk_work *work, struct image *image,
                    const struct image_progress *progress, GError **err)
{
    const struct image_create_options options = {.format = "qcow2"};
    g_autofree char *path = machine_config_resolve(work->task.disks[0].folder, work->task.argument);

    return image_convert(image, path, &options, false, work->io, progress, err);
}

/* By the engine of a running machine. */
static bool change_live(struct disk_work *work, GError **err)
{
    static const char *const commands[] = {
        [DISK_RESIZE] = "block_resize",
        [DISK_SNAPSHOT_CREATE] = "blockdev-snapshot-internal-sync",
        [DISK_SNAPSHOT_RENAME] = "blockdev-snapshot-rename-internal-sync",
        [DISK_SNAPSHOT_DELETE] = "blockdev-snapshot-delete-internal-sync",
        [DISK_FLATTEN] = "block-stream",
        [DISK_COMMIT] = "block-commit",
    };
    const struct disk_task *task = &work->task;
    const struct image_progress progress = {step, work};
    struct disk_live *live = open_live(work, task->index, err);
    json_t *arguments =
        task->kind == DISK_RESIZE
            ? json_pack("{s:I}", "size", (json_int_t)task->size)
            : json_pack("{s:s*, s:s*}", "name", task->argument, "new-name", task->new_name);
    bool done;

    if (live == NULL) {
        json_decref(arguments);
        return false;
    }
    done = disk_live_run(live, commands[task->kind], arguments, &progress, err);
    disk_live_free(live);
    return done;
}

static bool change(struct disk_work *work, GError **err)
{
    const struct disk_task *task = &work->task;
    const struct image_snapshot description = {.name = task->argument, .icount = UINT64_MAX};
    const struct image_progress progress = {step, work};
    bool write = task->kind != DISK_CHECK && task->kind != DISK_CONVERT, done = false;
    struct image *image = open_image(work, &task->disks[0], write, err);
    int error;

    if (image == NULL)
        return false;
    switch (task->kind) {
    case DISK_RESIZE:
        done = image_resize_keeping(image, task->size, IMAGE_PREALLOCATION_OFF, &progress, err);
        break;
    case DISK_CHECK:
        done = check(image, &progress, err);
        break;
    case DISK_CONVERT:
        done = convert(work, image, &progress, err);
        break;
    case DISK_SNAPSHOT_CREATE:
        done = image_tree_create(image, &description, err);
        break;
    case DISK_SNAPSHOT_APPLY:
        done = image_tree_apply(image, task->argument, err);
        break;
    case DISK_SNAPSHOT_RENAME:
        done = image_snapshot_rename(image, task->argument, task->new_name, err);
        break;
    case DISK_SNAPSHOT_DELETE:
        done = image_tree_delete(image, task->argument, err);
        break;
    case DISK_FLATTEN:
        done = image_flatten(image, &progress, err);
        break;
    case DISK_COMMIT:
        done = image_commit(image, &progress, err);
        break;
    case DISK_LOOK:
        break;
    }
    error = write ? image_flush(image) : 0;
    if (done && error != 0)
        done = vmdesk_error_from_errno(err, error, NULL, "Cannot write to the image %s",
                                       image_path(image));
    image_close(image);
    return done;
}

static gboolean ended(void *opaque)
{
    struct disk_work *work = opaque;

    work->done(work, work->error, work->opaque);
    return G_SOURCE_REMOVE;
}

static void *run(void *opaque)
{
    struct disk_work *work = opaque;

    work->io = io_context_new(WORK_THREADS);
    if (work->task.kind == DISK_LOOK)
        look(work);
    else if (work->task.socket != NULL)
        change_live(work, &work->error);
    else
        change(work, &work->error);
    io_context_free(work->io);
    g_source_attach(work->ended, NULL);
    return NULL;
}

struct disk_work *disk_work_new(struct disk_task *task,
                                void (*done)(struct disk_work *work, const GError *error,
                                             void *opaque),
                                void *opaque, GError **err)
{
    struct disk_work *work = g_new0(struct disk_work, 1);

    work->task = *task;
    memset(task, 0, sizeof(*task));
    work->done = done;
    work->opaque = opaque;
    for (unsigned i = 0; i < MACHINE_MAX_DISKS; i++) {
        work->views[i].chain = g_ptr_array_new_with_free_func(g_free);
        work->views[i].snapshots = g_ptr_array_new();
    }
    work->ended = g_idle_source_new();
    g_source_set_priority(work->ended, G_PRIORITY_DEFAULT);
    g_source_set_callback(work->ended, ended, work, NULL);
    work->thread = g_thread_try_new("disk work", run, work, err);
    if (work->thread != NULL)
        return work;
    disk_work_free(work);
    return NULL;
}

void disk_work_free(struct disk_work *work)
{
    if (work == NULL)
        return;
    disk_work_cancel(work);
    if (work->thread != NULL)
        g_thread_join(work->thread);
    g_source_destroy(work->ended);
    g_source_unref(work->ended);
    for (unsigned i = 0; i < MACHINE_MAX_DISKS; i++) {
        g_free(work->views[i].error);
        g_ptr_array_unref(work->views[i].chain);
        g_ptr_array_unref(work->views[i].snapshots);
    }
    g_clear_error(&work->error);
    disk_task_clear(&work->task);
    g_free(work);
}

void disk_work_cancel(struct disk_work *work)
{
    g_atomic_int_set(&work->cancelled, 1);
}

const struct disk_task *disk_work_task(const struct disk_work *work)
{
    return &work->task;
}

double disk_work_progress(struct disk_work *work)
{
    return (double)g_atomic_int_get(&work->progress) / PROGRESS_SCALE;
}

const struct disk_view *disk_work_view(const struct disk_work *work, unsigned disk)
{
    return &work->views[disk];
}
