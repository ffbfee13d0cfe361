/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "ui/tui/disk_work.h"

#include <string.h>

#include "core/error.h"
#include "disks/image_copy.h"
#include "disks/image_tree.h"
#include "disks/io_context.h"

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

static void free_snapshot(void *opaque)
{
    struct disk_snapshot *snapshot = opaque;

    g_free(snapshot->id);
    g_free(snapshot->name);
    g_free(snapshot);
}

void disk_task_clear(struct disk_task *task)
{
    for (unsigned i = 0; i < MACHINE_MAX_DISKS; i++) {
        g_free(task->disks[i].folder);
        g_free(task->disks[i].file);
        g_free(task->disks[i].format);
    }
    g_free(task->argument);
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

static struct disk_snapshot *snapshot_new(const struct image_snapshot *from,
                                          const struct snapshot_tree *tree, unsigned depth)
{
    struct disk_snapshot *to = g_new(struct disk_snapshot, 1);

    *to = (struct disk_snapshot){
        .id = g_strdup(from->id),
        .name = g_strdup(from->name),
        .virtual_size = from->virtual_size,
        .vm_state_size = from->vm_state_size,
        .date_sec = from->date_sec,
        .depth = depth,
        .current = tree != NULL && g_strcmp0(snapshot_tree_current(tree), from->id) == 0,
    };
    return to;
}

/* A snapshot whose children are to be listed next. */
struct visit {
    const GPtrArray *children; /* of struct image_snapshot */
    guint next;
};

/* Lists parents before their children. An image may have thousands of snapshots. */
static void list_tree(struct disk_view *view, const GPtrArray *snapshots,
                      const struct snapshot_tree *tree)
{
    g_autoptr(GHashTable) children =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref);
    g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(struct visit));
    struct visit top = {NULL, 0};

    for (guint i = 0; i < snapshots->len; i++) {
        struct image_snapshot *snapshot = snapshots->pdata[i];
        const char *parent = tree != NULL ? snapshot_tree_parent(tree, snapshot->id) : NULL;
        GPtrArray *list = g_hash_table_lookup(children, parent != NULL ? parent : "");

        if (list == NULL) {
            list = g_ptr_array_new();
            g_hash_table_insert(children, (char *)(parent != NULL ? parent : ""), list);
        }
        g_ptr_array_add(list, snapshot);
    }
    top.children = g_hash_table_lookup(children, "");
    if (top.children != NULL)
        g_array_append_val(stack, top);
    while (stack->len > 0) {
        struct visit *visit = &g_array_index(stack, struct visit, stack->len - 1);
        const struct image_snapshot *snapshot;

        if (visit->next == visit->children->len) {
            g_array_set_size(stack, stack->len - 1);
            continue;
        }
        snapshot = visit->children->pdata[visit->next++];
        g_ptr_array_add(view->snapshots, snapshot_new(snapshot, tree, stack->len - 1));
        top = (struct visit){g_hash_table_lookup(children, snapshot->id), 0};
        if (top.children != NULL)
            g_array_append_val(stack, top);
    }
}

static bool view_snapshots(struct image *image, struct disk_view *view, GError **err)
{
    g_autoptr(GPtrArray) snapshots = image_snapshots(image, err);
    struct snapshot_tree *tree;

    if (snapshots == NULL)
        return false;
    /* Without the file they are a flat list. */
    tree = image_tree_load(image, snapshots, NULL);
    list_tree(view, snapshots, tree);
    snapshot_tree_free(tree);
    return true;
}

/* Files of the machine's own folder without it. */
static char *name_below(const struct disk_name *disk, const struct image *image)
{
    const char *path = image_path(image);
    size_t length = strlen(disk->folder);

    if (strncmp(path, disk->folder, length) == 0 && path[length] == '/')
        path += length + 1;
    return g_strdup_printf("%s (%s)", path, image_format(image));
}

static bool view_image(struct image *image, const struct disk_name *disk, struct disk_view *view,
                       GError **err)
{
    struct image_info info;

    if (!image_get_info(image, &info, err))
        return false;
    view->virtual_size = info.virtual_size;
    view->file_size = info.file_size;
    view->allocated = info.allocated;
    image_info_clear(&info);
    for (struct image *below = image_backing(image);
         below != NULL && view->chain->len < DISK_CHAIN_SHOWN; below = image_backing(below))
        g_ptr_array_add(view->chain, name_below(disk, below));
    return view_snapshots(image, view, err);
}

static void look(struct disk_work *work)
{
    for (unsigned i = 0; i < MACHINE_MAX_DISKS; i++) {
        const struct disk_name *disk = &work->task.disks[i];
        struct disk_view *view = &work->views[i];
        g_autoptr(GError) error = NULL;
        struct image *image;

        if (disk->file == NULL)
            continue;
        image = open_image(work, disk, false, &error);
        if (image != NULL)
            view_image(image, disk, view, &error);
        image_close(image);
        if (error != NULL)
            view->error = g_strdup(error->message);
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
    case DISK_SNAPSHOT_DELETE:
        done = image_tree_delete(image, task->argument, err);
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
        work->views[i].snapshots = g_ptr_array_new_with_free_func(free_snapshot);
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
