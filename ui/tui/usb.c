/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The USB tab: this computer's devices, who uses each, and what the machine is to have. */
#include <config.h>

#include <string.h>

#include "core/paths.h"
#include "core/text.h"
#include "core/usb_rules.h"
#include "ui/tui/list.h"
#include "ui/tui/tab.h"
#include "usb/host/list.h"

#define LOOK_SECONDS 1
#define PORT_COLUMNS 8
#define ID_COLUMNS 10
#define USE_COLUMNS 26
#define POLICY_COLUMNS 7
#define ROOMY 60 /* columns of a row with all of them */

struct usb_tab {
    struct tab tab;
    struct list list;
    GPtrArray *devices; /* struct usb_host_device *; NULL: not looked yet, or none can be */
    char *error;
    guint look; /* source, while it is on the screen */
};

/* What a dialog is about: the device may go while it is open. */
struct usb_choice {
    char *machine, *port, *by_id;
};

static void choice_free(void *data)
{
    struct usb_choice *choice = data;

    g_free(choice->machine);
    g_free(choice->port);
    g_free(choice->by_id);
    g_free(choice);
}

/* Hubs stay the host's, and so nobody needs to see them. */
static void look(struct usb_tab *usb)
{
    g_autofree char *claims = paths_shared_runtime();
    g_autoptr(GError) error = NULL;

    g_clear_pointer(&usb->devices, g_ptr_array_unref);
    g_clear_pointer(&usb->error, g_free);
    usb->devices = usb_host_list(&(struct usb_host_paths){.claims = claims}, &error);
    if (!usb->devices)
        usb->error = g_strdup(error->message);
    for (guint i = usb->devices ? usb->devices->len : 0; i-- > 0;) {
        if (((struct usb_host_device *)usb->devices->pdata[i])->hub)
            g_ptr_array_remove_index(usb->devices, i);
    }
    list_set_count(&usb->list, usb->devices ? (int)usb->devices->len : 0);
}

static gboolean look_again(gpointer opaque)
{
    struct usb_tab *usb = opaque;

    look(usb);
    tui_redraw(usb->tab.tui);
    return G_SOURCE_CONTINUE;
}

static struct usb_host_device *selected(const struct usb_tab *usb)
{
    return usb->devices && usb->devices->len ? usb->devices->pdata[usb->list.selected] : NULL;
}

static bool is_ours(const struct vm *vm, const struct usb_host_device *device)
{
    return device->user && strcmp(device->user, vm->name) == 0;
}

static const char *policy_of(const struct vm *vm, const struct usb_host_device *device)
{
    g_autoptr(GPtrArray) rules =
        usb_rules_parse(vm->disk->config ? vm->disk->config->usb_rules : NULL, NULL);
    const struct usb_rule *rule = rules
                                      ? usb_rules_find(rules, device->vendor_id, device->product_id,
                                                       device->serial, device->port)
                                      : NULL;

    return rule ? usb_policy_name(rule->policy) : "";
}

static char *use_of(const struct vm *vm, const struct usb_host_device *device, enum role *ret_role)
{
    *ret_role = ROLE_DIM;
    if (is_ours(vm, device)) {
        *ret_role = ROLE_GOOD;
        return g_strdup("this machine");
    }
    if (device->user)
        return g_strdup_printf("machine %s", device->user);
    if (device->mounted) {
        *ret_role = ROLE_WARNING;
        return g_strdup_printf("mounted at %s", device->mounted);
    }
    return g_strdup(device->driver ? device->driver : "nobody");
}

static char *name_of(const struct usb_host_device *device)
{
    g_autofree char *name = g_strdup_printf("%s%s%s", device->vendor ? device->vendor : "",
                                            device->vendor && device->product ? " " : "",
                                            device->product ? device->product : "");

    return text_sanitize(*name ? name : "(it has no name)", -1, false);
}

static void draw_device(struct usb_tab *usb, const struct vm *vm, const struct rect *area,
                        int index, bool focused)
{
    struct terminal *term = tui_term(usb->tab.tui);
    const struct usb_host_device *device = usb->devices->pdata[index];
    struct rect line = {area->x, area->y + index - usb->list.first, area->width, 1};
    bool marked = index == usb->list.selected;
    enum role row = focused ? ROLE_SELECTED : ROLE_MARKED, use_role;
    g_autofree char *name = name_of(device);
    g_autofree char *use = use_of(vm, device, &use_role);
    g_autofree char *clean = text_sanitize(use, -1, false);
    int use_width = MIN(USE_COLUMNS, MAX(area->width / 3, 12));
    int x = line.x + 2, end = line.x + line.width - use_width - POLICY_COLUMNS - 1;

    if (marked) {
        draw_fill(term, &line, row);
        draw_glyph(term, line.x, line.y, row, GLYPH_POINTER);
    }
    draw_text(term, x, line.y, PORT_COLUMNS, marked ? row : ROLE_STRONG, device->port);
    x += PORT_COLUMNS;
    if (area->width >= ROOMY) {
        draw_format(term, x, line.y, ID_COLUMNS, marked ? row : ROLE_DIM, "%04x:%04x",
                    device->vendor_id, device->product_id);
        x += ID_COLUMNS;
    }
    draw_text(term, x, line.y, end - x - 1, marked ? row : ROLE_NORMAL, name);
    draw_text(term, end, line.y, use_width - 1, marked ? row : use_role, clean);
    draw_text(term, end + use_width, line.y, POLICY_COLUMNS, marked ? row : ROLE_NOTICE,
              policy_of(vm, device));
    tui_hot(usb->tab.tui, &line, TUI_KEY_ROW + (uint32_t)index);
}

static void draw_details(struct usb_tab *usb, const struct vm *vm, const struct rect *line)
{
    struct tui *tui = usb->tab.tui;
    const struct usb_host_device *device = selected(usb);
    g_autofree char *serial =
        device->serial ? text_sanitize(device->serial, -1, false) : g_strdup("none");
    int x = line->x;

    draw_format(tui_term(tui), x, line->y, line->width, ROLE_DIM, "%s%sserial number %s",
                device->speed, *device->speed ? ", " : "", serial);
    x += tui_hint(tui, x, line->y + 1, line->width, TUI_KEY_ENTER,
                  is_ours(vm, device) ? "detach" : "attach") +
         2;
    tui_hint(tui, x, line->y + 1, line->width - (x - line->x), 'o', "policy");
}

static void usb_draw(struct tab *tab, struct vm *vm, const struct rect *rect, bool focused)
{
    struct usb_tab *usb = (struct usb_tab *)tab;
    struct terminal *term = tui_term(tab->tui);
    struct rect area = *rect;

    if (!usb->look) {
        look(usb);
        usb->look = g_timeout_add_seconds(LOOK_SECONDS, look_again, usb);
    }
    if (usb->error || !usb->devices->len) {
        draw_wrapped(term, rect, ROLE_DIM,
                     usb->error ? usb->error
                                : "No USB device is plugged into this computer. One that is shows "
                                  "up here.");
        return;
    }
    area.height = MAX(rect->height - 3, 1);
    list_show(&usb->list, area.height);
    for (int i = usb->list.first; i < list_last(&usb->list); i++)
        draw_device(usb, vm, &area, i, focused);
    if (rect->height > 3)
        draw_details(usb, vm, &(struct rect){rect->x, rect->y + rect->height - 2, rect->width, 2});
}

/*
 * Attaching and detaching.
 */

static void attach_now(struct vm *vm, const char *port)
{
    vm_usb(vm, "usb-attach", json_pack("{s:s}", "device", port));
}

static void attach_confirmed(struct tui *tui, void *opaque)
{
    const struct usb_choice *choice = opaque;
    struct vm *vm = model_find(tui_model(tui), choice->machine);

    if (vm && vm_is_answering(vm))
        attach_now(vm, choice->port);
    else
        tui_say(tui, ROLE_WARNING, "%s does not run any more.", choice->machine);
}

static struct usb_choice *choice_new(const struct vm *vm, const struct usb_host_device *device)
{
    struct usb_choice *choice = g_new0(struct usb_choice, 1);
    const struct usb_match match = {.vendor = device->vendor_id,
                                    .product = device->product_id,
                                    .serial = device->serial};

    choice->machine = g_strdup(vm->name);
    choice->port = g_strdup(device->port);
    choice->by_id = usb_match_format(&match);
    return choice;
}

static void ask_attach(struct usb_tab *usb, struct vm *vm, const struct usb_host_device *device)
{
    g_autofree char *name = name_of(device);
    g_autofree char *title = g_strdup_printf("Attach %s?", name);
    g_autofree char *text = NULL;

    if (device->mounted) {
        g_autofree char *where = text_sanitize(device->mounted, -1, false);

        text = g_strdup_printf("It is mounted at %s. What is not written yet is lost, and this "
                               "computer loses the disk: unmount it first.",
                               where);
    } else {
        text = g_strdup_printf("It is a %s, and this computer loses it. Be sure that you have "
                               "another one.",
                               device->keyboard ? "keyboard" : "mouse");
    }
    confirm_open(usb->tab.tui, title, text, "Attach", attach_confirmed, choice_new(vm, device),
                 choice_free);
}

static void attach_or_detach(struct usb_tab *usb, struct vm *vm)
{
    const struct usb_host_device *device = selected(usb);

    if (!device)
        return;
    if (!vm_is_answering(vm))
        tui_say(usb->tab.tui, ROLE_WARNING,
                "%s does not run: choose a policy (o) to have the device attached when it does.",
                vm->name);
    else if (is_ours(vm, device))
        vm_usb(vm, "usb-detach", json_pack("{s:s}", "device", device->port));
    else if (device->user)
        tui_say(usb->tab.tui, ROLE_WARNING, "The machine %s has it: detach it there first.",
                device->user);
    else if (device->mounted || device->keyboard || device->mouse)
        ask_attach(usb, vm, device);
    else
        attach_now(vm, device->port);
}

/*
 * Policies.
 */

enum { CHOICE_NONE, CHOICE_ALWAYS, CHOICE_ONCE, CHOICE_ASK, CHOICE_PORT };

static bool change_rules(GPtrArray *rules, const struct usb_choice *choice, int id, GError **err)
{
    static const enum usb_policy policies[] = {
        [CHOICE_ALWAYS] = USB_POLICY_ALWAYS,
        [CHOICE_ONCE] = USB_POLICY_ONCE,
        [CHOICE_ASK] = USB_POLICY_ASK,
        [CHOICE_PORT] = USB_POLICY_ALWAYS,
    };
    const char *const matches[] = {choice->by_id, choice->port};
    bool done = true;

    /* One rule for a device: the other would decide as well. */
    for (unsigned i = 0; i < G_N_ELEMENTS(matches) && done; i++) {
        struct usb_match match;

        if (!usb_match_parse(matches[i], &match, err))
            return false;
        usb_rules_remove(rules, &match);
        if (id != CHOICE_NONE && (id == CHOICE_PORT) == (i == 1))
            done = usb_rules_set(rules, &match, policies[id], err);
        usb_match_finish(&match);
    }
    return done;
}

static bool store_rules(struct tui *tui, const struct usb_choice *choice, int id, char **ret_rules,
                        GError **err)
{
    struct store *store = model_store(tui_model(tui));
    struct store_machine *machine = store_load_valid(store, choice->machine, err);
    g_autoptr(GPtrArray) rules = machine ? usb_rules_parse(machine->config->usb_rules, err) : NULL;
    bool done = rules && change_rules(rules, choice, id, err);

    *ret_rules = done ? usb_rules_format(rules) : NULL;
    done = done && machine_config_set(machine->config, "usb.rules", *ret_rules, err) &&
           store_save(store, machine, err);
    store_machine_free(machine);
    return done;
}

static void policy_chosen(struct tui *tui, const struct picker_row *row, void *opaque)
{
    const struct usb_choice *choice = opaque;
    struct vm *vm = model_find(tui_model(tui), choice->machine);
    g_autoptr(GError) error = NULL;
    g_autofree char *rules = NULL;

    if (!store_rules(tui, choice, row->id, &rules, &error)) {
        tui_say(tui, ROLE_ERROR, "%s", error->message);
        return;
    }
    if (vm && vm_is_answering(vm))
        vm_usb(vm, "usb-rules", json_pack("{s:s}", "rules", rules));
    model_reload(tui_model(tui));
}

static void choose_policy(struct usb_tab *usb, struct vm *vm)
{
    const struct usb_host_device *device = selected(usb);
    GPtrArray *rows;

    if (!device)
        return;
    rows = g_ptr_array_new_with_free_func((GDestroyNotify)picker_row_free);
    g_ptr_array_add(rows, picker_row_new(CHOICE_NONE, "No rule", "attached by hand", NULL, 'n'));
    g_ptr_array_add(rows, picker_row_new(CHOICE_ALWAYS, "Always", "whenever it is plugged in", NULL,
                                         'a'));
    g_ptr_array_add(rows, picker_row_new(CHOICE_PORT, "Always, this port",
                                         "whatever is plugged in there", NULL, 'p'));
    g_ptr_array_add(rows, picker_row_new(CHOICE_ONCE, "Once", "once in each run", NULL, 'o'));
    g_ptr_array_add(rows, picker_row_new(CHOICE_ASK, "Ask", "say that it is there", NULL, 'k'));
    picker_open(usb->tab.tui, &(struct picker){
                                  .title = "Policy for this device",
                                  .rows = rows,
                                  .chosen = policy_chosen,
                                  .opaque = choice_new(vm, device),
                                  .free_opaque = choice_free,
                              });
}

static bool usb_key(struct tab *tab, struct vm *vm, uint32_t key)
{
    struct usb_tab *usb = (struct usb_tab *)tab;

    if (key == TUI_KEY_ENTER)
        attach_or_detach(usb, vm);
    else if (key == 'o')
        choose_policy(usb, vm);
    else
        return list_key(&usb->list, key);
    return true;
}

static void usb_scroll(struct tab *tab, int lines)
{
    struct usb_tab *usb = (struct usb_tab *)tab;

    list_select(&usb->list, usb->list.selected + (lines < 0 ? -1 : 1));
}

static void usb_hide(struct tab *tab)
{
    struct usb_tab *usb = (struct usb_tab *)tab;

    g_clear_handle_id(&usb->look, g_source_remove);
    g_clear_pointer(&usb->devices, g_ptr_array_unref);
    g_clear_pointer(&usb->error, g_free);
}

static void usb_free(struct tab *tab)
{
    usb_hide(tab);
    g_free(tab);
}

static const struct tab_ops usb_ops = {
    .title = "USB",
    .draw = usb_draw,
    .key = usb_key,
    .scroll = usb_scroll,
    .hide = usb_hide,
    .free = usb_free,
};

struct tab *usb_tab_new(struct tui *tui)
{
    struct usb_tab *usb = g_new0(struct usb_tab, 1);

    usb->tab = (struct tab){&usb_ops, tui};
    return &usb->tab;
}
