/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "ui/tui/disk_actions.h"

#include <string.h>

#include "core/error.h"
#include "core/text.h"

/* A task that a dialog completes. */
struct plan {
    struct tab *tab;
    struct disk_task task;
    char *what; /* what goes on, for the progress line */
};

static void plan_free(void *opaque)
{
    struct plan *plan = opaque;

    disk_task_clear(&plan->task);
    g_free(plan->what);
    g_free(plan);
}

/* Dialogs free their plan, so the work gets a copy. */
static bool plan_start(struct plan *plan, GError **err)
{
    const struct disk_name *disk = &plan->task.disks[0];
    struct disk_task task = {
        .kind = plan->task.kind,
        .disks = {{g_strdup(disk->folder), g_strdup(disk->file), g_strdup(disk->format),
                   disk->read_only}},
        .index = plan->task.index,
        .socket = g_strdup(plan->task.socket),
        .argument = g_strdup(plan->task.argument),
        .new_name = g_strdup(plan->task.new_name),
        .size = plan->task.size,
    };

    return disks_work(plan->tab, plan->what, &task, err);
}

static void plan_confirmed(struct tui *tui, void *opaque)
{
    g_autoptr(GError) error = NULL;

    if (!plan_start(opaque, &error))
        tui_say(tui, ROLE_ERROR, "%s", error->message);
}

static bool size_accepted(struct tui *tui, const char *value, void *opaque, GError **err)
{
    struct plan *plan = opaque;
    uint64_t size;

    if (!text_parse_size(value, &size, err))
        return false;
    if (size == 0 || size % IMAGE_SECTOR_SIZE != 0 || size > IMAGE_MAX_SIZE)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID, "A disk has no such size: use one as 20G.");
    plan->task.size = size;
    return plan_start(plan, err);
}

static bool start_with_name(struct plan *plan, char **name, const char *value, GError **err)
{
    if (!*value)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID, "Type a name.");
    g_free(*name);
    *name = g_strdup(value);
    return plan_start(plan, err);
}

static bool name_accepted(struct tui *tui, const char *value, void *opaque, GError **err)
{
    struct plan *plan = opaque;

    return start_with_name(plan, &plan->task.argument, value, err);
}

static bool new_name_accepted(struct tui *tui, const char *value, void *opaque, GError **err)
{
    struct plan *plan = opaque;

    return start_with_name(plan, &plan->task.new_name, value, err);
}

/* What is in the menu. */
enum entry {
    ENTRY_RESIZE,
    ENTRY_CHECK,
    ENTRY_CONVERT,
    ENTRY_SNAPSHOT_CREATE,
    ENTRY_FLATTEN,
    ENTRY_COMMIT,
    ENTRY_SNAPSHOT_APPLY,
    ENTRY_SNAPSHOT_RENAME,
    ENTRY_SNAPSHOT_DELETE,
};

enum {
    WRITES = 1 << 0,
    LIVE = 1 << 1, /* while the machine runs, too */
    OF_SNAPSHOT = 1 << 2,
    NEEDS_QCOW2 = 1 << 3,
    NEEDS_BACKING = 1 << 4,
    NO_SNAPSHOTS = 1 << 5,
};

static const struct {
    const char *label;
    uint32_t key;
    enum disk_task_kind kind;
    const char *what;
    unsigned flags;
} entries[] = {
    [ENTRY_RESIZE] = {"Resize...", 'r', DISK_RESIZE, "Resizing", WRITES | LIVE},
    [ENTRY_CHECK] = {"Check", 'c', DISK_CHECK, "Checking", NEEDS_QCOW2},
    [ENTRY_CONVERT] = {"Convert to qcow2...", 'v', DISK_CONVERT, "Converting", 0},
    [ENTRY_SNAPSHOT_CREATE] = {"Take a snapshot...", 's', DISK_SNAPSHOT_CREATE, "Taking a snapshot",
                               WRITES | LIVE | NEEDS_QCOW2},
    [ENTRY_FLATTEN] = {"Flatten...", 'f', DISK_FLATTEN, "Flattening",
                       WRITES | LIVE | NEEDS_QCOW2 | NEEDS_BACKING},
    [ENTRY_COMMIT] = {"Commit...", 'o', DISK_COMMIT, "Committing",
                      WRITES | LIVE | NEEDS_QCOW2 | NEEDS_BACKING | NO_SNAPSHOTS},
    [ENTRY_SNAPSHOT_APPLY] = {"Go back to it...", 'b', DISK_SNAPSHOT_APPLY, "Going back",
                              WRITES | OF_SNAPSHOT | NEEDS_QCOW2},
    [ENTRY_SNAPSHOT_RENAME] = {"Rename it...", 'n', DISK_SNAPSHOT_RENAME, "Renaming a snapshot",
                               WRITES | LIVE | OF_SNAPSHOT | NEEDS_QCOW2},
    [ENTRY_SNAPSHOT_DELETE] = {"Delete it...", 'x', DISK_SNAPSHOT_DELETE, "Deleting a snapshot",
                               WRITES | LIVE | OF_SNAPSHOT | NEEDS_QCOW2},
};

/* Why it cannot be done; NULL: it can. */
static const char *refusal(const struct disk_choice *choice, enum entry entry)
{
    unsigned flags = entries[entry].flags;

    if (vm_has_engine(choice->vm) && !(flags & LIVE))
        return "the machine runs: stop it first";
    if (vm_has_engine(choice->vm) && !vm_is_answering(choice->vm))
        return "the engine does not answer";
    if (!choice->view)
        return "still looking";
    if (choice->view->error)
        return "the image cannot be used";
    if ((flags & WRITES) && choice->disk.read_only)
        return "the disk is read-only";
    if ((flags & NEEDS_QCOW2) && strcmp(choice->disk.format, "qcow2") != 0)
        return "for qcow2; convert it first";
    if ((flags & NEEDS_BACKING) && choice->view->chain->len == 0)
        return "it lies on no other image";
    if ((flags & NO_SNAPSHOTS) && choice->view->snapshots->len > 0)
        return "it has snapshots: flatten it";
    return NULL;
}

/* "disk0.qcow2" for "disk0.raw". */
static char *converted_name(const char *file)
{
    const char *dot = strrchr(file, '.'), *slash = strrchr(file, '/');
    size_t stem =
        dot && dot != file && (!slash || dot > slash + 1) ? (size_t)(dot - file) : strlen(file);
    bool same = dot && strcmp(dot, ".qcow2") == 0;

    return g_strdup_printf("%.*s%s.qcow2", (int)stem, file, same ? "-copy" : "");
}

/* The menu's own memory: what the plans are made of. */
struct menu {
    struct tab *tab;
    struct disk_name disk;
    unsigned index;
    char *socket; /* NULL: the machine is off */
    char *title;
    char *below; /* what the disk lies on; NULL: nothing */
    uint64_t size;
    char *snapshot_id, *snapshot_name; /* NULL: the disk itself */
};

static void menu_free(void *opaque)
{
    struct menu *menu = opaque;

    g_free(menu->disk.folder);
    g_free(menu->disk.file);
    g_free(menu->disk.format);
    g_free(menu->socket);
    g_free(menu->title);
    g_free(menu->below);
    g_free(menu->snapshot_id);
    g_free(menu->snapshot_name);
    g_free(menu);
}

static struct plan *plan_new(const struct menu *menu, enum entry entry)
{
    struct plan *plan = g_new0(struct plan, 1);

    plan->tab = menu->tab;
    plan->what = g_strdup_printf("%s: %s", menu->title, entries[entry].what);
    plan->task.kind = entries[entry].kind;
    plan->task.disks[0] = (struct disk_name){g_strdup(menu->disk.folder), g_strdup(menu->disk.file),
                                             g_strdup(menu->disk.format), menu->disk.read_only};
    plan->task.index = menu->index;
    plan->task.socket = g_strdup(menu->socket);
    plan->task.argument = g_strdup(menu->snapshot_id);
    return plan;
}

static void ask(struct tui *tui, struct plan *plan, const char *title, const char *text,
                const char *initial, const char *yes,
                bool (*accept)(struct tui *tui, const char *value, void *opaque, GError **err))
{
    prompt_open(tui, &(struct prompt){
                         .title = title,
                         .text = text,
                         .initial = initial,
                         .yes = yes,
                         .accept = accept,
                         .opaque = plan,
                         .free_opaque = plan_free,
                     });
}

static void confirm_snapshot(struct tui *tui, const struct menu *menu, enum entry entry,
                             struct plan *plan)
{
    bool apply = entry == ENTRY_SNAPSHOT_APPLY;
    g_autofree char *text =
        apply ? g_strdup_printf("What %s holds now is lost, and it is again as it was at the "
                                "snapshot \"%s\". Take a snapshot first to be able to return.",
                                menu->title, menu->snapshot_name)
              : g_strdup_printf("The snapshot \"%s\" of %s is deleted for good. What the disk "
                                "holds now stays.",
                                menu->snapshot_name, menu->title);

    confirm_open(tui, apply ? "Go back to a snapshot" : "Delete a snapshot", text,
                 apply ? "Go back" : "Delete", plan_confirmed, plan, plan_free);
}

static void confirm_chain(struct tui *tui, const struct menu *menu, enum entry entry,
                          struct plan *plan)
{
    bool flatten = entry == ENTRY_FLATTEN;
    g_autofree char *text =
        flatten ? g_strdup_printf("All that %s takes from %s is copied into it, and it stands "
                                  "alone from then on.",
                                  menu->title, menu->below)
                : g_strdup_printf("All that %s holds is brought into %s. Any other disk that lies "
                                  "on that image is damaged by it.",
                                  menu->title, menu->below);

    confirm_open(tui, flatten ? "Flatten" : "Commit", text, flatten ? "Flatten" : "Commit",
                 plan_confirmed, plan, plan_free);
}

static void entry_chosen(struct tui *tui, const struct picker_row *row, void *opaque)
{
    const struct menu *menu = opaque;
    enum entry entry = (enum entry)row->id;
    struct plan *plan = plan_new(menu, entry);
    g_autofree char *size = text_format_size(menu->size);
    g_autofree char *converted = converted_name(menu->disk.file);

    switch (entry) {
    case ENTRY_RESIZE:
        ask(tui, plan, "Resize",
            menu->socket
                ? "The new size; only larger while the machine runs. The guest sees it after a "
                  "restart. Partitions and file systems stay as they are: grow them there."
                : "The new size. Partitions and file systems stay as they are: grow them in the "
                  "guest, and shrink them there first.",
            size, "resize", size_accepted);
        break;
    case ENTRY_CHECK:
        plan_confirmed(tui, plan);
        plan_free(plan);
        break;
    case ENTRY_CONVERT:
        ask(tui, plan, "Convert",
            "A new qcow2 image with the same contents. The machine goes on with the old one until "
            "its settings name the new.",
            converted, "convert", name_accepted);
        break;
    case ENTRY_SNAPSHOT_CREATE:
        ask(tui, plan, "Take a snapshot", "A name for what the disk holds now.", "", "take",
            name_accepted);
        break;
    case ENTRY_FLATTEN:
    case ENTRY_COMMIT:
        confirm_chain(tui, menu, entry, plan);
        break;
    case ENTRY_SNAPSHOT_RENAME:
        ask(tui, plan, "Rename a snapshot", "Its name from now on.", menu->snapshot_name, "rename",
            new_name_accepted);
        break;
    case ENTRY_SNAPSHOT_APPLY:
    case ENTRY_SNAPSHOT_DELETE:
        confirm_snapshot(tui, menu, entry, plan);
        break;
    }
}

void disk_actions_open(struct disk_choice *choice)
{
    GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)picker_row_free);
    struct menu *menu = g_new0(struct menu, 1);
    g_autofree char *title = NULL;

    menu->tab = choice->tab;
    menu->disk = choice->disk;
    menu->index = choice->index;
    menu->socket = choice->socket;
    if (choice->view && choice->view->chain->len > 0)
        menu->below = g_strdup(choice->view->chain->pdata[0]);
    menu->title = g_strdup_printf("disk%u of %s", choice->index, choice->vm->name);
    menu->size = choice->view ? choice->view->virtual_size : 0;
    if (choice->snapshot) {
        menu->snapshot_id = g_strdup(choice->snapshot->id);
        menu->snapshot_name = g_strdup(choice->snapshot->name);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(entries); i++) {
        if (((entries[i].flags & OF_SNAPSHOT) != 0) == (choice->snapshot != NULL))
            g_ptr_array_add(rows, picker_row_new((int)i, entries[i].label, NULL, refusal(choice, i),
                                                 entries[i].key));
    }
    title = g_strdup(choice->snapshot ? menu->snapshot_name : menu->title);
    picker_open(choice->tab->tui, &(struct picker){
                                      .title = title,
                                      .rows = rows,
                                      .selected = ((struct picker_row *)rows->pdata[0])->id,
                                      .chosen = entry_chosen,
                                      .opaque = menu,
                                      .free_opaque = menu_free,
                                  });
}

static void stop_confirmed(struct tui *tui, void *opaque)
{
    disks_stop(opaque);
}

void confirm_stop(struct tab *tab)
{
    confirm_open(tab->tui, "Stop the work",
                 "What was done so far is taken back or stays as a good image; a new image is not "
                 "made.",
                 "Stop it", stop_confirmed, tab, NULL);
}
