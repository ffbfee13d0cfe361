/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The form for a new machine. A machine that cannot be made leaves the form as it is. */
#include <config.h>

#include <string.h>

#include "core/config.h"
#include "core/error.h"
#include "core/paths.h"
#include "core/store.h"
#include "core/text.h"
#include "ui/new_disk.h"
#include "ui/tui/field.h"
#include "ui/tui/model.h"
#include "ui/tui/ui.h"

#define FORM_WIDTH 74
#define LABEL_COLUMNS 12

enum form_field {
    FORM_NAME,
    FORM_DISC,
    FORM_MEMORY,
    FORM_CPUS,
    FORM_DISK,
    FORM_FORMAT,
    FORM_FIRMWARE,
    FORM_START
};
#define FORM_FIELDS 8

static const struct {
    const char *label, *initial, *help;
    const char *choices[3]; /* NULL: free text */
} fields[FORM_FIELDS] = {
    [FORM_NAME] = {"Name", "", "Letters, digits, '.', '_' and '-'.", {NULL}},
    [FORM_DISC] = {"Boot disc",
                   "",
                   "Enter lists the discs found; or type a path. Empty: none.",
                   {NULL}},
    [FORM_MEMORY] = {"Memory", "1G", "For example 512M or 2G.", {NULL}},
    [FORM_CPUS] = {"CPUs", "1", "1 to 8.", {NULL}},
    [FORM_DISK] = {"Disk", "none", "Size of a new empty disk, for example 20G; or none.", {NULL}},
    [FORM_FORMAT] =
        {"Format",
         NEW_DISK_FORMAT,
         "Of that disk: qcow2 has snapshots, raw is the bare disk. Left and right change "
         "it.",
         {"qcow2", "raw"}},
    [FORM_FIRMWARE] = {"Firmware", "BIOS", "Left and right change it.", {"BIOS", "UEFI"}},
    [FORM_START] = {"Start it", "yes", "Left and right change it.", {"yes", "no"}},
};

struct form {
    struct screen screen;
    struct field fields[FORM_FIELDS];
    int focus;       /* FORM_FIELDS: the button */
    int error_field; /* -1: none, or not of one field */
    char *error;
};

static const char *value(const struct form *form, enum form_field field)
{
    return field_text(&form->fields[field]);
}

static bool is_choice(int field)
{
    return field < FORM_FIELDS && fields[field].choices[0];
}

/*
 * Making it.
 */

/* Which field an error is about, for errors of keys of the definition. */
static bool set_key(struct form *form, struct machine_config *config, enum form_field field,
                    const char *path, const char *text, GError **err)
{
    form->error_field = (int)field;
    return machine_config_set(config, path, text, err);
}

static bool take_disk_size(struct form *form, uint64_t *ret_size, GError **err)
{
    const char *text = value(form, FORM_DISK);

    form->error_field = FORM_DISK;
    if (!*text || g_ascii_strcasecmp(text, "none") == 0)
        return true;
    if (!text_parse_size(text, ret_size, err))
        return false;
    if (*ret_size == 0 || *ret_size % 512 != 0)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "A disk is a multiple of 512 bytes: type a size like 20G, or none.");
    return true;
}

static bool take_disc(struct form *form, struct machine_config *config, GError **err)
{
    const char *text = value(form, FORM_DISC);
    g_autofree char *path = NULL;

    form->error_field = FORM_DISC;
    if (!*text)
        return true;
    if (text[0] == '~' && text[1] == '/')
        path = g_build_filename(g_get_home_dir(), text + 2, NULL);
    else
        path = g_canonicalize_filename(text, NULL);
    if (!g_file_test(path, G_FILE_TEST_IS_REGULAR))
        return vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                           "There is no file %s: choose a disc from the list, or leave it empty.",
                           path);
    config->cdrom_present = true;
    return machine_config_set(config, "cdrom.file", path, err);
}

static bool take_fields(struct form *form, struct machine_config *config, uint64_t *sizes,
                        GError **err)
{
    bool uefi = strcmp(value(form, FORM_FIRMWARE), "UEFI") == 0;

    if (!take_disc(form, config, err) ||
        !set_key(form, config, FORM_MEMORY, "machine.memory", value(form, FORM_MEMORY), err) ||
        !set_key(form, config, FORM_CPUS, "machine.cpus", value(form, FORM_CPUS), err) ||
        !take_disk_size(form, &sizes[0], err) ||
        !set_key(form, config, FORM_FORMAT, "disk0.format", value(form, FORM_FORMAT), err) ||
        !set_key(form, config, FORM_FIRMWARE, "machine.firmware", uefi ? "ovmf" : "seabios", err))
        return false;
    form->error_field = -1;
    /* a disc first, while the disk is empty: the guest's installer restarts into it */
    config->boot_order[0] = config->cdrom_present ? BOOT_CDROM : BOOT_DISK;
    config->boot_order[1] = config->cdrom_present && sizes[0] ? BOOT_DISK : BOOT_NONE;
    if (!config->cdrom_present && !sizes[0]) {
        form->error_field = FORM_DISC;
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "It would have nothing to boot from: choose a disc, or give it a disk.");
    }
    return true;
}

static bool make(struct form *form, GError **err)
{
    struct tui *tui = form->screen.tui;
    struct store *store = model_store(tui_model(tui));
    uint64_t sizes[MACHINE_MAX_DISKS] = {0};
    struct machine_config *config;
    bool made;

    form->error_field = FORM_NAME;
    if (!paths_check_name(value(form, FORM_NAME), err))
        return false;
    config = machine_config_new(value(form, FORM_NAME));
    made = take_fields(form, config, sizes, err) && store_create(store, config, sizes, err);
    if (!made && err && g_error_matches(*err, VMDESK_ERROR, VMDESK_ERROR_EXISTS))
        form->error_field = FORM_NAME;
    machine_config_free(config);
    return made;
}

static void create(struct form *form)
{
    struct tui *tui = form->screen.tui;
    bool start = strcmp(value(form, FORM_START), "yes") == 0;
    g_autofree char *name = g_strdup(value(form, FORM_NAME));
    g_autoptr(GError) error = NULL;
    struct vm *vm;

    g_clear_pointer(&form->error, g_free);
    if (!make(form, &error)) {
        form->error = g_strdup(error->message);
        if (form->error_field >= 0)
            form->focus = form->error_field;
        return;
    }
    tui_pop(tui, &form->screen);
    model_reload(tui_model(tui));
    tui_select(tui, name);
    tui_say(tui, ROLE_GOOD, "Made %s.", name);
    vm = model_find(tui_model(tui), name);
    if (start && vm)
        vm_start(vm);
}

/*
 * Keys.
 */

static void change_choice(struct form *form)
{
    struct field *field = &form->fields[form->focus];
    const char *const *choices = fields[form->focus].choices;

    field_set(field, choices[strcmp(field_text(field), choices[0]) == 0]);
}

/* "Debian 12.iso" makes "debian-12". */
static char *name_from_disc(const char *path)
{
    g_autofree char *base = g_path_get_basename(path);
    g_autofree char *lower = g_ascii_strdown(base, -1);
    char *dot = strrchr(lower, '.');
    GString *name = g_string_new(NULL);

    if (dot)
        *dot = 0;
    for (const char *c = lower; *c && name->len < MACHINE_NAME_MAX / 2; c++) {
        if (g_ascii_isalnum(*c))
            g_string_append_c(name, *c);
        else if (name->len && name->str[name->len - 1] != '-')
            g_string_append_c(name, '-');
    }
    while (name->len && name->str[name->len - 1] == '-')
        g_string_truncate(name, name->len - 1);
    return g_string_free(name, FALSE);
}

static void disc_chosen(struct tui *tui, const char *path, void *opaque)
{
    struct form *form = opaque;

    field_set(&form->fields[FORM_DISC], path);
    if (!*value(form, FORM_NAME)) {
        g_autofree char *name = name_from_disc(path);

        field_set(&form->fields[FORM_NAME], name);
    }
    form->focus = FORM_MEMORY;
}

static void enter(struct form *form)
{
    if (form->focus == FORM_FIELDS)
        create(form);
    else if (form->focus == FORM_DISC && !*value(form, FORM_DISC))
        disc_picker_open(form->screen.tui,
                         &(struct disc_choice){"Boot disc", disc_chosen, form, NULL});
    else
        form->focus++;
}

static bool form_key(struct screen *screen, uint32_t key)
{
    struct form *form = (struct form *)screen;

    switch (key) {
    case TUI_KEY_ESCAPE:
    case KEY_CTRL | 'c':
        tui_pop(screen->tui, screen);
        return true;
    case KEY_CTRL | 's':
        create(form);
        return true;
    case TUI_KEY_ENTER:
        enter(form);
        return true;
    case TUI_KEY_TAB:
    case TUI_KEY_DOWN:
        form->focus = (form->focus + 1) % (FORM_FIELDS + 1);
        return true;
    case TUI_KEY_TAB | KEY_SHIFT:
    case TUI_KEY_UP:
        form->focus = (form->focus + FORM_FIELDS) % (FORM_FIELDS + 1);
        return true;
    }
    if (key >= TUI_KEY_ROW && key <= TUI_KEY_ROW + FORM_FIELDS)
        form->focus = (int)(key - TUI_KEY_ROW);
    else if (is_choice(form->focus) && (key == TUI_KEY_LEFT || key == TUI_KEY_RIGHT || key == ' '))
        change_choice(form);
    else if (form->focus < FORM_FIELDS && !is_choice(form->focus))
        field_key(&form->fields[form->focus], key);
    return true;
}

/*
 * Drawing.
 */

static void draw_field(struct form *form, const struct rect *inside, int index)
{
    struct terminal *term = tui_term(form->screen.tui);
    struct rect line = {inside->x, inside->y + 1 + index, inside->width, 1};
    bool focused = form->focus == index, wrong = form->error && form->error_field == index;
    int x = line.x + LABEL_COLUMNS, width = line.width - LABEL_COLUMNS;

    if (wrong)
        draw_glyph(term, line.x - 1, line.y, ROLE_ERROR, GLYPH_FAILED);
    draw_text(term, line.x + 1, line.y, LABEL_COLUMNS - 2,
              wrong     ? ROLE_ERROR
              : focused ? ROLE_STRONG
                        : ROLE_DIM,
              fields[index].label);
    if (is_choice(index))
        draw_format(term, x, line.y, width, focused ? ROLE_SELECTED : ROLE_NORMAL,
                    focused ? "< %s >" : "%s", value(form, (enum form_field)index));
    else
        field_draw(&form->fields[index], term, x, line.y, width, focused);
    tui_hot(form->screen.tui, &line, TUI_KEY_ROW + (uint32_t)index);
}

static void form_draw(struct screen *screen)
{
    struct form *form = (struct form *)screen;
    struct tui *tui = screen->tui;
    struct terminal *term = tui_term(tui);
    struct rect inside, text;
    int x, bottom;

    tui_dialog_box(tui, FORM_WIDTH, FORM_FIELDS + 8, "New machine",
                   form->error ? ROLE_ERROR : ROLE_FOCUS, &inside);
    bottom = inside.y + inside.height - 1;
    for (int i = 0; i < FORM_FIELDS; i++)
        draw_field(form, &inside, i);
    text = (struct rect){inside.x + 1, inside.y + FORM_FIELDS + 2, inside.width - 2, 3};
    text.height = MIN(text.height, bottom - text.y);
    if (form->error)
        draw_wrapped(term, &text, ROLE_ERROR, form->error);
    else if (form->focus < FORM_FIELDS)
        draw_wrapped(term, &text, ROLE_DIM, fields[form->focus].help);
    x = inside.x + 1;
    draw_text(term, x, bottom, 10, form->focus == FORM_FIELDS ? ROLE_SELECTED : ROLE_STRONG,
              "[ Create ]");
    tui_hot(tui, &(struct rect){x, bottom, 10, 1}, KEY_CTRL | 's');
    x += 12;
    x += tui_hint(tui, x, bottom, inside.x + inside.width - x, KEY_CTRL | 's', "create") + 2;
    x += tui_hint(tui, x, bottom, inside.x + inside.width - x, TUI_KEY_TAB, "next field") + 2;
    tui_hint(tui, x, bottom, inside.x + inside.width - x, TUI_KEY_ESCAPE, "cancel");
}

static void form_free(struct screen *screen)
{
    struct form *form = (struct form *)screen;

    for (int i = 0; i < FORM_FIELDS; i++)
        field_finish(&form->fields[i]);
    g_free(form->error);
    g_free(form);
}

static const struct screen_ops form_ops = {
    .key = form_key,
    .draw = form_draw,
    .free = form_free,
};

void form_open(struct tui *tui)
{
    struct form *form = g_new0(struct form, 1);

    form->screen = (struct screen){&form_ops, tui};
    form->error_field = -1;
    for (int i = 0; i < FORM_FIELDS; i++)
        field_init(&form->fields[i], fields[i].initial);
    tui_push(tui, &form->screen);
}
