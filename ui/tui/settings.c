/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The settings tab: every key of the definition, edited one at a time. */
#include <config.h>

#include <string.h>

#include "core/config.h"
#include "core/store.h"
#include "ui/tui/list.h"
#include "ui/tui/tab.h"

#define PATH_COLUMNS 24
#define HELP_LINES 4 /* a blank one, and what explains the selected key */

/* One key; "disk" rows of the table stand for each disk. */
struct setting {
    const struct config_key *key;
    char *path; /* "group.key" */
};

struct settings {
    struct tab tab;
    GArray *rows; /* struct setting */
    struct list list;
};

static void setting_clear(void *data)
{
    g_free(((struct setting *)data)->path);
}

static void add_row(struct settings *settings, const struct config_key *key, const char *group)
{
    struct setting setting = {key, g_strdup_printf("%s.%s", group, key->key)};

    g_array_append_val(settings->rows, setting);
}

static void add_disk_rows(struct settings *settings, unsigned disk)
{
    g_autofree char *group = g_strdup_printf("disk%u", disk);
    const struct config_key *key;

    for (size_t i = 0; (key = config_key(i)); i++) {
        if (strcmp(key->group, "disk") == 0)
            add_row(settings, key, group);
    }
}

/* Disks that are there, and one more. */
static unsigned disks_shown(const struct machine_config *config)
{
    unsigned last = 0;

    for (unsigned i = 0; i < MACHINE_MAX_DISKS; i++) {
        if (config->disks[i].file)
            last = i + 1;
    }
    return MIN(last + 1, MACHINE_MAX_DISKS);
}

static void list_settings(struct settings *settings, const struct machine_config *config)
{
    const struct config_key *key;
    bool disks_done = false;

    g_array_set_size(settings->rows, 0);
    for (size_t i = 0; (key = config_key(i)); i++) {
        if (strcmp(key->group, "disk") != 0) {
            add_row(settings, key, key->group);
            continue;
        }
        for (unsigned disk = 0; !disks_done && disk < disks_shown(config); disk++)
            add_disk_rows(settings, disk);
        disks_done = true;
    }
    list_set_count(&settings->list, (int)settings->rows->len);
}

/*
 * Editing.
 */

struct edit {
    char *name, *path;
};

static struct edit *edit_new(const char *name, const char *path)
{
    struct edit *edit = g_new0(struct edit, 1);

    edit->name = g_strdup(name);
    edit->path = g_strdup(path);
    return edit;
}

static void edit_free(void *opaque)
{
    struct edit *edit = opaque;

    g_free(edit->name);
    g_free(edit->path);
    g_free(edit);
}

static bool value_accepted(struct tui *tui, const char *value, void *opaque, GError **err)
{
    const struct edit *edit = opaque;
    struct store *store = model_store(tui_model(tui));
    struct store_machine *machine = store_load_valid(store, edit->name, err);
    bool done = machine && machine_config_set(machine->config, edit->path, value, err) &&
                machine_config_validate(machine->config, err) && store_save(store, machine, err);

    if (done && machine->running)
        tui_say(tui, ROLE_NOTICE, "Saved. %s takes it at its next start.", edit->name);
    store_machine_free(machine);
    if (done)
        model_reload(tui_model(tui));
    return done;
}

static void value_chosen(struct tui *tui, const struct picker_row *row, void *opaque)
{
    g_autoptr(GError) error = NULL;

    if (!value_accepted(tui, row->label, opaque, &error))
        tui_say(tui, ROLE_ERROR, "%s", error->message);
}

static void choose_value(struct tui *tui, const struct vm *vm, const struct setting *setting,
                         const char *value)
{
    g_auto(GStrv) values = g_strsplit(setting->key->values, "|", -1);
    GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)picker_row_free);
    int selected = 0;

    for (int i = 0; values[i]; i++) {
        g_ptr_array_add(rows, picker_row_new(i, values[i], NULL, NULL, 0));
        if (strcmp(values[i], value) == 0)
            selected = i;
    }
    picker_open(tui, &(struct picker){
                         .title = setting->path,
                         .rows = rows,
                         .selected = selected,
                         .chosen = value_chosen,
                         .opaque = edit_new(vm->name, setting->path),
                         .free_opaque = edit_free,
                     });
}

static void edit_value(struct tui *tui, const struct vm *vm, const struct setting *setting,
                       const char *value)
{
    g_autofree char *text =
        g_strdup_printf("%s\nValues: %s. Empty: the default, %s.", setting->key->comment,
                        setting->key->values,
                        setting->key->default_text && *setting->key->default_text
                            ? setting->key->default_text
                            : "nothing");

    prompt_open(tui, &(struct prompt){
                         .title = setting->path,
                         .text = text,
                         .initial = value,
                         .yes = "save",
                         .accept = value_accepted,
                         .opaque = edit_new(vm->name, setting->path),
                         .free_opaque = edit_free,
                     });
}

static void edit_selected(struct settings *settings, const struct vm *vm)
{
    const struct setting *setting;
    g_autofree char *value = NULL;

    if (!vm->disk->config || settings->list.selected >= (int)settings->rows->len)
        return;
    setting = &g_array_index(settings->rows, struct setting, settings->list.selected);
    value = machine_config_get(vm->disk->config, setting->path, NULL);
    if (strchr(setting->key->values, '|'))
        choose_value(settings->tab.tui, vm, setting, value ? value : "");
    else
        edit_value(settings->tab.tui, vm, setting, value ? value : "");
}

/*
 * The tab.
 */

static void draw_row(struct settings *settings, const struct vm *vm, const struct rect *rect,
                     int index, bool focused)
{
    struct terminal *term = tui_term(settings->tab.tui);
    const struct setting *setting = &g_array_index(settings->rows, struct setting, index);
    g_autofree char *value = machine_config_get(vm->disk->config, setting->path, NULL);
    const char *usual = setting->key->default_text ? setting->key->default_text : "";
    bool selected = index == settings->list.selected;
    bool is_default = g_strcmp0(value ? value : "", usual) == 0;
    enum role role = selected     ? (focused ? ROLE_SELECTED : ROLE_MARKED)
                     : is_default ? ROLE_DIM
                                  : ROLE_NORMAL;
    struct rect line = {rect->x, rect->y + index - settings->list.first, rect->width, 1};

    if (selected) {
        draw_fill(term, &line, role);
        draw_glyph(term, line.x, line.y, role, GLYPH_POINTER);
    }
    draw_text(term, line.x + 2, line.y, PATH_COLUMNS - 1, role, setting->path);
    draw_text(term, line.x + 2 + PATH_COLUMNS, line.y, line.width - PATH_COLUMNS - 2, role,
              value && *value ? value : "-");
    tui_hot(settings->tab.tui, &line, TUI_KEY_ROW + (uint32_t)index);
}

static void draw_help(struct settings *settings, const struct vm *vm, const struct rect *rect)
{
    const struct setting *setting =
        &g_array_index(settings->rows, struct setting, settings->list.selected);
    struct rect help = {rect->x + 2, rect->y + rect->height - HELP_LINES + 1, rect->width - 2,
                        HELP_LINES - 1};
    g_autofree char *text =
        g_strdup_printf("%s\n%s%s", setting->key->comment, setting->key->values,
                        vm_has_engine(vm) ? "; a change is taken at the next start" : "");

    draw_wrapped(tui_term(settings->tab.tui), &help, ROLE_DIM, text);
}

static void settings_draw(struct tab *tab, struct vm *vm, const struct rect *rect, bool focused)
{
    struct settings *settings = (struct settings *)tab;
    bool help = rect->height > HELP_LINES + 3;

    if (!vm->disk->config) {
        draw_wrapped(tui_term(tab->tui), rect, ROLE_ERROR,
                     vm->disk->error ? vm->disk->error->message : "");
        return;
    }
    list_settings(settings, vm->disk->config);
    list_show(&settings->list, rect->height - (help ? HELP_LINES : 0));
    for (int i = settings->list.first; i < list_last(&settings->list); i++)
        draw_row(settings, vm, rect, i, focused);
    if (help)
        draw_help(settings, vm, rect);
}

static bool settings_key(struct tab *tab, struct vm *vm, uint32_t key)
{
    struct settings *settings = (struct settings *)tab;

    if (key == TUI_KEY_ENTER || key == 'e') {
        edit_selected(settings, vm);
        return true;
    }
    return list_key(&settings->list, key);
}

static void settings_scroll(struct tab *tab, int lines)
{
    struct settings *settings = (struct settings *)tab;

    list_select(&settings->list, settings->list.selected + lines);
}

static void settings_free(struct tab *tab)
{
    g_array_free(((struct settings *)tab)->rows, TRUE);
    g_free(tab);
}

static const struct tab_ops settings_ops = {
    .title = "Settings",
    .draw = settings_draw,
    .key = settings_key,
    .scroll = settings_scroll,
    .free = settings_free,
};

struct tab *settings_new(struct tui *tui)
{
    struct settings *settings = g_new0(struct settings, 1);

    settings->tab = (struct tab){&settings_ops, tui};
    settings->rows = g_array_new(FALSE, FALSE, sizeof(struct setting));
    g_array_set_clear_func(settings->rows, setting_clear);
    return &settings->tab;
}
