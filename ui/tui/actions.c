/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be done to a machine, and the lists that offer it: menu, palette and help. */
#include <config.h>

#include <string.h>

#include "core/error.h"
#include "core/store.h"
#include "ui/tui/model.h"
#include "ui/tui/ui.h"

/* A machine may go while a dialog about it is open, so dialogs know it by name. */
static struct vm *find(struct tui *tui, const char *name)
{
    struct vm *vm = model_find(tui_model(tui), name);

    if (!vm)
        tui_say(tui, ROLE_WARNING, "The machine %s is no longer there.", name);
    return vm;
}

static void reset_confirmed(struct tui *tui, void *name)
{
    struct vm *vm = find(tui, name);

    if (vm)
        vm_command(vm, "system_reset", NULL);
}

static void force_off_confirmed(struct tui *tui, void *name)
{
    struct vm *vm = find(tui, name);

    if (vm)
        vm_force_off(vm);
}

static void ask_reset(struct tui *tui, struct vm *vm)
{
    g_autofree char *title = g_strdup_printf("Reset %s?", vm->name);

    confirm_open(tui, title, "The guest starts over at once. What it has not saved is lost.",
                 "Reset", reset_confirmed, g_strdup(vm->name), g_free);
}

static void ask_force_off(struct tui *tui, struct vm *vm)
{
    g_autofree char *title = g_strdup_printf("Force %s off?", vm->name);

    confirm_open(
        tui, title,
        vm_is_answering(vm)
            ? "Its power is cut. What the guest has not saved is lost; the power button (b) "
              "lets it shut down."
            : "The engine does not answer: its process is killed. What the guest has not "
              "saved is lost.",
        "Force off", force_off_confirmed, g_strdup(vm->name), g_free);
}

static bool delete_accepted(struct tui *tui, const char *value, void *name, GError **err)
{
    if (strcmp(value, name) != 0)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID, "That is not its name: type %s to delete it.",
                           (const char *)name);
    if (!store_delete(model_store(tui_model(tui)), name, err))
        return false;
    tui_say(tui, ROLE_GOOD, "Deleted %s.", (const char *)name);
    model_reload(tui_model(tui));
    return true;
}

static void ask_delete(struct tui *tui, struct vm *vm)
{
    g_autofree char *title = g_strdup_printf("Delete %s", vm->name);
    g_autofree char *text =
        g_strdup_printf("The machine and the disks in its folder are deleted for good. Disks and "
                        "discs elsewhere stay.\nType its name, %s, to confirm:",
                        vm->name);

    prompt_open(tui, &(struct prompt){
                         .title = title,
                         .text = text,
                         .yes = "delete it",
                         .accept = delete_accepted,
                         .opaque = g_strdup(vm->name),
                         .free_opaque = g_free,
                     });
}

/* The disc in the drive of a machine that is off: path NULL takes it out. */
static bool store_disc(struct tui *tui, const char *name, const char *path, GError **err)
{
    struct store *store = model_store(tui_model(tui));
    struct store_machine *machine = store_load_valid(store, name, err);
    bool done = machine &&
                machine_config_set(machine->config, "cdrom.file", path ? path : "", err) &&
                store_save(store, machine, err);

    store_machine_free(machine);
    return done;
}

static void change_disc(struct tui *tui, struct vm *vm, const char *path)
{
    g_autoptr(GError) error = NULL;

    if (vm_has_engine(vm))
        vm_change_disc(vm, path);
    else if (!store_disc(tui, vm->name, path, &error))
        tui_say(tui, ROLE_ERROR, "%s", error->message);
    else
        model_reload(tui_model(tui));
}

static void disc_chosen(struct tui *tui, const char *path, void *name)
{
    struct vm *vm = find(tui, name);

    if (vm)
        change_disc(tui, vm, path);
}

void machine_act(struct tui *tui, struct vm *vm, enum action action)
{
    switch (action) {
    case ACTION_START:
        vm_start(vm);
        break;
    case ACTION_PAUSE:
        vm_command(vm, vm->state == VM_RUNNING ? "stop" : "cont", NULL);
        break;
    case ACTION_POWER_BUTTON:
        vm_command(vm, "system_powerdown", NULL);
        tui_say(tui, ROLE_NOTICE, "Pressed the power button of %s; the guest decides.", vm->name);
        break;
    case ACTION_RESET:
        ask_reset(tui, vm);
        break;
    case ACTION_FORCE_OFF:
        ask_force_off(tui, vm);
        break;
    case ACTION_CHANGE_CD:
        disc_picker_open(tui, &(struct disc_choice){"Disc for the CD drive", disc_chosen,
                                                    g_strdup(vm->name), g_free});
        break;
    case ACTION_EJECT_CD:
        change_disc(tui, vm, NULL);
        break;
    case ACTION_DELETE:
        ask_delete(tui, vm);
        break;
    default:
        break;
    }
}

/*
 * Lists of actions.
 */

static void action_chosen(struct tui *tui, const struct picker_row *row, void *opaque)
{
    tui_act(tui, (enum action)row->id);
}

static const char *name_for(struct tui *tui, const struct action_info *info)
{
    struct vm *vm = tui_selected(tui);

    if (info->action == ACTION_PAUSE && vm)
        return vm->state == VM_PAUSED ? "Resume" : "Pause";
    return info->name;
}

static GPtrArray *new_rows(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)picker_row_free);
}

void menu_open(struct tui *tui)
{
    struct vm *vm = tui_selected(tui);
    GPtrArray *rows = new_rows();

    for (enum action action = ACTION_NONE + 1; action < ACTION_COUNT; action++) {
        const struct action_info *info = action_info(action);

        if (info->group == GROUP_MACHINE)
            g_ptr_array_add(rows, picker_row_new((int)action, name_for(tui, info), NULL,
                                                 tui_refuses(tui, action), info->key));
    }
    picker_open(tui, &(struct picker){
                         .title = vm ? vm->name : "No machine",
                         .rows = rows,
                         .chosen = action_chosen,
                     });
}

static void list_actions(struct tui *tui, const char *title, bool explain)
{
    GPtrArray *rows = new_rows();

    for (enum action action = ACTION_NONE + 1; action < ACTION_COUNT; action++) {
        const struct action_info *info = action_info(action);
        g_autofree char *key = key_label(info->key);
        g_autofree char *label =
            explain ? g_strdup_printf("%-10s %s", key, info->help) : g_strdup(name_for(tui, info));

        g_ptr_array_add(rows, picker_row_new((int)action, label, explain ? info->name : key,
                                             explain ? NULL : tui_refuses(tui, action), 0));
    }
    picker_open(tui, &(struct picker){
                         .title = title,
                         .rows = rows,
                         .filter = true,
                         .chosen = action_chosen,
                     });
}

void palette_open(struct tui *tui)
{
    list_actions(tui, "Commands", false);
}

void help_open(struct tui *tui)
{
    list_actions(tui, "Keys: type to search, Enter does it, Esc closes", true);
}
