/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disks tab: what a machine's disks take, what they lie on, their snapshots; and work on them.
 */
#include <config.h>

#include <string.h>
#include <sys/stat.h>

#include "core/text.h"
#include "ui/remote.h"
#include "ui/tui/disk_actions.h"
#include "ui/tui/disk_work.h"
#include "ui/tui/list.h"
#include "ui/tui/tab.h"

#define NAME_COLUMNS 30
#define SIZE_COLUMNS 8
#define INDENT 2
#define INDENT_MAX 10
#define PROGRESS_MS 200
#define LOOK_AGAIN_USEC (5 * G_USEC_PER_SEC)
#define BAR_COLUMNS 30
#define LAST_LINES 2 /* a blank one, and what goes on or what Enter does */
#define MAX_REASON_LINES 8

enum row_kind { ROW_DISK, ROW_BELOW, ROW_SNAPSHOT };

struct row {
    enum row_kind kind;
    unsigned disk, index; /* of the machine's; of what is below it, or of its snapshots */
};

struct disks {
    struct tab tab;
    char *machine;             /* whose disks are shown */
    char *seen;                /* how they were at the last look; NULL: look again */
    struct disk_work *look;    /* has ended, and is shown; NULL: none has yet */
    struct disk_work *looking; /* goes on */
    struct disk_work *work;    /* NULL: nothing goes on */
    char *work_name;
    guint ticking;
    GArray *rows; /* struct row */
    struct list list;
};

static void stop_ticking(struct disks *disks)
{
    if (disks->ticking)
        g_source_remove(disks->ticking);
    disks->ticking = 0;
}

/*
 * Looking.
 */

static void look_ended(struct disk_work *work, const GError *error, void *opaque)
{
    struct disks *disks = opaque;

    disk_work_free(disks->look);
    disks->look = work;
    disks->looking = NULL;
    tui_redraw(disks->tab.tui);
}

/* All that decides what a look would see: files that change have another time. The images of a
 * running machine change all the time, and it is asked again after a while. */
static char *fingerprint(const struct vm *vm)
{
    GString *text = g_string_new(vm->name);

    if (vm_has_engine(vm)) {
        g_string_append_printf(text, " runs %d %" G_GINT64_FORMAT, vm_is_answering(vm),
                               g_get_monotonic_time() / LOOK_AGAIN_USEC);
        return g_string_free(text, FALSE);
    }
    for (unsigned i = 0; i < MACHINE_MAX_DISKS; i++) {
        const struct config_disk *disk = &vm->disk->config->disks[i];
        g_autofree char *path = machine_config_resolve(vm->disk->folder, disk->file);
        struct stat status;

        if (path == NULL)
            continue;
        g_string_append_printf(text, "\n%s %s", path, disk->format);
        if (stat(path, &status) == 0)
            g_string_append_printf(text, " %lld %lld.%ld", (long long)status.st_size,
                                   (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    }
    return g_string_free(text, FALSE);
}

static void name_disk(struct disk_name *name, const struct vm *vm, unsigned disk)
{
    const struct config_disk *config = &vm->disk->config->disks[disk];

    *name = (struct disk_name){g_strdup(vm->disk->folder), g_strdup(config->file),
                               g_strdup(config->format), config->read_only};
}

static bool can_ask(const struct vm *vm, const struct disk_task *task)
{
    return vm_is_answering(vm) && task->socket;
}

/* What is shown stays until the new look has ended, but not for another machine. */
static void look_if_changed(struct disks *disks, const struct vm *vm)
{
    g_autofree char *now = fingerprint(vm);
    struct disk_task task = {.kind = DISK_LOOK};

    if (disks->work || disks->looking)
        return;
    if (g_strcmp0(disks->machine, vm->name) != 0) {
        g_free(disks->machine);
        disks->machine = g_strdup(vm->name);
        g_clear_pointer(&disks->look, disk_work_free);
    }
    if (g_strcmp0(now, disks->seen) == 0 && disks->look)
        return;
    g_free(disks->seen);
    disks->seen = g_steal_pointer(&now);
    if (vm_has_engine(vm))
        task.socket = remote_socket(vm->disk, NULL);
    /* An engine that cannot be asked has its disks to itself. */
    for (unsigned i = 0; i < MACHINE_MAX_DISKS && (!vm_has_engine(vm) || can_ask(vm, &task)); i++)
        name_disk(&task.disks[i], vm, i);
    disks->looking = disk_work_new(&task, look_ended, disks, NULL);
}

static const struct disk_view *view_of(const struct disks *disks, const struct vm *vm,
                                       unsigned disk)
{
    bool own = g_strcmp0(disks->machine, vm->name) == 0;

    return own && disks->look ? disk_work_view(disks->look, disk) : NULL;
}

static void add_rows(struct disks *disks, enum row_kind kind, unsigned disk, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct row row = {kind, disk, i};

        g_array_append_val(disks->rows, row);
    }
}

static void list_rows(struct disks *disks, const struct vm *vm)
{
    g_array_set_size(disks->rows, 0);
    for (unsigned i = 0; i < MACHINE_MAX_DISKS; i++) {
        const struct disk_view *view = view_of(disks, vm, i);

        if (!vm->disk->config->disks[i].file)
            continue;
        add_rows(disks, ROW_DISK, i, 1);
        if (view) {
            add_rows(disks, ROW_BELOW, i, view->chain->len);
            add_rows(disks, ROW_SNAPSHOT, i, view->snapshots->len);
        }
    }
    list_set_count(&disks->list, (int)disks->rows->len);
}

/*
 * Work.
 */

static gboolean tick(void *opaque)
{
    tui_redraw(((struct disks *)opaque)->tab.tui);
    return G_SOURCE_CONTINUE;
}

static void work_ended(struct disk_work *work, const GError *error, void *opaque)
{
    struct disks *disks = opaque;

    stop_ticking(disks);
    if (error)
        tui_say(disks->tab.tui, ROLE_ERROR, "%s", error->message);
    else
        tui_say(disks->tab.tui, ROLE_GOOD, "%s: done.", disks->work_name);
    g_clear_pointer(&disks->work, disk_work_free);
    g_clear_pointer(&disks->seen, g_free);
    model_reload(tui_model(disks->tab.tui));
    tui_redraw(disks->tab.tui);
}

bool disks_work(struct tab *tab, const char *what, struct disk_task *task, GError **err)
{
    struct disks *disks = (struct disks *)tab;

    g_free(disks->work_name);
    disks->work_name = g_strdup(what);
    disks->work = disk_work_new(task, work_ended, disks, err);
    if (!disks->work)
        return false;
    disks->ticking = g_timeout_add(PROGRESS_MS, tick, disks);
    return true;
}

void disks_stop(struct tab *tab)
{
    struct disks *disks = (struct disks *)tab;

    if (disks->work)
        disk_work_cancel(disks->work);
}

/*
 * Drawing.
 */

static char *row_label(const struct disks *disks, const struct vm *vm, const struct row *row)
{
    const struct disk_view *view = view_of(disks, vm, row->disk);
    const struct disk_snapshot *snapshot;

    switch (row->kind) {
    case ROW_DISK:
        return g_strdup_printf("disk%u  %s", row->disk, vm->disk->config->disks[row->disk].file);
    case ROW_BELOW:
        return g_strdup_printf("  on %s", (char *)view->chain->pdata[row->index]);
    case ROW_SNAPSHOT:
        snapshot = view->snapshots->pdata[row->index];
        return g_strdup_printf("  %*s%s", (int)MIN(snapshot->depth * INDENT, INDENT_MAX), "",
                               snapshot->name);
    }
    return NULL;
}

static char *disk_note(const struct disks *disks, const struct vm *vm, unsigned disk)
{
    const struct config_disk *config = &vm->disk->config->disks[disk];
    const struct disk_view *view = view_of(disks, vm, disk);
    g_autofree char *path = machine_config_resolve(vm->disk->folder, config->file);
    g_autofree char *size = NULL, *used = NULL;
    struct stat status;

    if (view && view->error)
        return g_strdup(view->error);
    if (vm_has_engine(vm) && (!view || !view->virtual_size) && stat(path, &status) == 0) {
        used = g_format_size_full((uint64_t)status.st_blocks * 512, G_FORMAT_SIZE_IEC_UNITS);
        return g_strdup_printf("%s, %s used; the machine has it", config->format, used);
    }
    if (!view)
        return g_strdup(config->format);
    size = text_format_size(view->virtual_size);
    used = g_format_size_full(view->allocated, G_FORMAT_SIZE_IEC_UNITS);
    return g_strdup_printf("%-6s %*s, %s used%s", config->format, SIZE_COLUMNS, size, used,
                           config->read_only ? ", read-only" : "");
}

static char *snapshot_note(const struct disk_snapshot *snapshot)
{
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_local((gint64)snapshot->date_sec);
    g_autofree char *shown = date ? g_date_time_format(date, "%Y-%m-%d %H:%M") : g_strdup("");
    g_autofree char *size = text_format_size(snapshot->virtual_size);

    return g_strdup_printf("%-16s %*s%s%s", shown, SIZE_COLUMNS - 1, size,
                           snapshot->vm_state_size ? ", with memory" : "",
                           snapshot->current ? ", current" : "");
}

static void draw_row(struct disks *disks, const struct vm *vm, const struct rect *rect, int index,
                     bool focused)
{
    struct terminal *term = tui_term(disks->tab.tui);
    const struct row *row = &g_array_index(disks->rows, struct row, index);
    const struct disk_view *view = view_of(disks, vm, row->disk);
    bool selected = index == disks->list.selected;
    bool failed = row->kind == ROW_DISK && view && view->error;
    enum role role = selected                ? (focused ? ROLE_SELECTED : ROLE_MARKED)
                     : failed                ? ROLE_ERROR
                     : row->kind == ROW_DISK ? ROLE_STRONG
                                             : ROLE_NORMAL;
    struct rect line = {rect->x, rect->y + index - disks->list.first, rect->width, 1};
    g_autofree char *label = row_label(disks, vm, row), *note = NULL;
    int name = MIN(NAME_COLUMNS, line.width / 2);

    if (row->kind == ROW_DISK)
        note = disk_note(disks, vm, row->disk);
    else if (row->kind == ROW_SNAPSHOT)
        note = snapshot_note(view->snapshots->pdata[row->index]);
    if (selected) {
        draw_fill(term, &line, role);
        draw_glyph(term, line.x, line.y, role, GLYPH_POINTER);
    }
    draw_text(term, line.x + 2, line.y, note ? name - 1 : line.width - 2, role, label);
    if (note)
        draw_text(term, line.x + 2 + name, line.y, line.width - name - 2,
                  selected || failed ? role : ROLE_DIM, note);
    tui_hot(disks->tab.tui, &line, TUI_KEY_ROW + (uint32_t)index);
}

/* What goes on, or what can be done. */
static void draw_last(struct disks *disks, const struct rect *rect)
{
    struct tui *tui = disks->tab.tui;
    struct terminal *term = tui_term(tui);
    int y = rect->y + rect->height - 1, x = rect->x + 2, end = rect->x + rect->width;
    double part;
    int bar;

    if (!disks->work) {
        tui_hint(tui, x, y, end - x, TUI_KEY_ENTER, "resize, check, convert, snapshots");
        return;
    }
    part = disk_work_progress(disks->work);
    x += draw_format(term, x, y, end - x, ROLE_NOTICE, "%s ", disks->work_name);
    bar = CLAMP(end - x - 12, 0, BAR_COLUMNS);
    for (int i = 0; i < bar; i++)
        draw_text(term, x + i, y, 1, ROLE_NOTICE, i < part * bar ? "#" : "-");
    x += bar + 1;
    x += draw_format(term, x, y, end - x, ROLE_NOTICE, "%3.0f%%", part * 100) + 2;
    tui_hint(tui, x, y, end - x, TUI_KEY_ENTER, "stop");
}

/* Why the disk that is selected cannot be used; NULL: it can. Valid until rows are listed again. */
static const char *selected_error(const struct disks *disks, const struct vm *vm)
{
    const struct row *row = &g_array_index(disks->rows, struct row, disks->list.selected);
    const struct disk_view *view = view_of(disks, vm, row->disk);

    return row->kind == ROW_DISK && view ? view->error : NULL;
}

static void disks_draw(struct tab *tab, struct vm *vm, const struct rect *rect, bool focused)
{
    struct disks *disks = (struct disks *)tab;
    struct rect reason = {.x = rect->x + 2, .width = rect->width - 2};
    const char *error;

    if (!vm->disk->config) {
        draw_wrapped(tui_term(tab->tui), rect, ROLE_ERROR,
                     vm->disk->error ? vm->disk->error->message : "");
        return;
    }
    look_if_changed(disks, vm);
    list_rows(disks, vm);
    if (!disks->rows->len) {
        draw_wrapped(tui_term(tab->tui), rect, ROLE_DIM,
                     "The machine has no disks. The settings name their files: disk0.file.");
        return;
    }
    error = selected_error(disks, vm);
    reason.height = error ? MIN(MAX_REASON_LINES, (rect->height - LAST_LINES) / 2) : 0;
    list_show(&disks->list, rect->height - LAST_LINES - reason.height);
    for (int i = disks->list.first; i < list_last(&disks->list); i++)
        draw_row(disks, vm, rect, i, focused);
    reason.y = rect->y + MIN(list_last(&disks->list) - disks->list.first + 1,
                             rect->height - LAST_LINES - reason.height);
    if (error)
        draw_wrapped(tui_term(tab->tui), &reason, ROLE_ERROR, error);
    draw_last(disks, rect);
}

/*
 * Keys.
 */

static void act(struct disks *disks, struct vm *vm)
{
    const struct row *row = &g_array_index(disks->rows, struct row, disks->list.selected);
    const struct disk_view *view = view_of(disks, vm, row->disk);
    struct disk_choice choice = {.tab = &disks->tab, .vm = vm, .index = row->disk, .view = view};

    if (row->kind == ROW_SNAPSHOT)
        choice.snapshot = view->snapshots->pdata[row->index];
    name_disk(&choice.disk, vm, row->disk);
    if (vm_has_engine(vm))
        choice.socket = remote_socket(vm->disk, NULL);
    disk_actions_open(&choice);
}

static bool disks_key(struct tab *tab, struct vm *vm, uint32_t key)
{
    struct disks *disks = (struct disks *)tab;

    if (key != TUI_KEY_ENTER)
        return list_key(&disks->list, key);
    if (disks->work)
        confirm_stop(tab);
    else if (disks->list.selected < (int)disks->rows->len && vm->disk->config)
        act(disks, vm);
    return true;
}

static void disks_scroll(struct tab *tab, int lines)
{
    struct disks *disks = (struct disks *)tab;

    list_select(&disks->list, disks->list.selected + lines);
}

static void disks_free(struct tab *tab)
{
    struct disks *disks = (struct disks *)tab;

    stop_ticking(disks);
    disk_work_free(disks->look);
    disk_work_free(disks->looking);
    disk_work_free(disks->work);
    g_array_free(disks->rows, TRUE);
    g_free(disks->machine);
    g_free(disks->seen);
    g_free(disks->work_name);
    g_free(disks);
}

static const struct tab_ops disks_ops = {
    .title = "Disks",
    .draw = disks_draw,
    .key = disks_key,
    .scroll = disks_scroll,
    .free = disks_free,
};

struct tab *disks_new(struct tui *tui)
{
    struct disks *disks = g_new0(struct disks, 1);

    disks->tab = (struct tab){&disks_ops, tui};
    disks->rows = g_array_new(FALSE, FALSE, sizeof(struct row));
    return &disks->tab;
}
