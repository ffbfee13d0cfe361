/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main screen: the machines, and the selected one's tabs.
 *
 * From WIDE columns on both are side by side; below, one at a time. Below SMALL_WIDTH columns or
 * SMALL_HEIGHT rows, headings and frames give way to the rows.
 */
#include <config.h>

#include <string.h>

#include "core/text.h"
#include "ui/tui/field.h"
#include "ui/tui/list.h"
#include "ui/tui/tab.h"
#include "ui/tui/ui.h"

#define WIDE 90
#define SMALL_WIDTH 60
#define SMALL_HEIGHT 16
#define LIST_WIDTH 38 /* beside the tabs */
#define NAME_COLUMN 4
#define NAME_MIN 8
#define STATE_COLUMNS 9
#define CPU_COLUMNS 6
#define MEMORY_COLUMNS 5
#define ROOMY 50 /* columns of a row with all of them */
#define MESSAGE_LINES 5
/* Rows of the machine list as keys; rows of tabs are below. */
#define MACHINE_ROW (TUI_KEY_ROW + 0x80000u)

struct main_screen {
    struct screen screen;
    struct tab *tabs[TAB_COUNT];
    unsigned tab;
    char *selected;
    GPtrArray *shown; /* struct vm *: those that match the filter; valid until the model changes */
    struct list list;
    struct field filter;
    bool filtering;   /* the filter has the keyboard */
    bool in_detail;   /* the tab has the focus; below WIDE columns, it is what is shown */
    bool full_screen; /* the tab has the whole terminal */
};

struct layout {
    bool small, wide;
    struct rect list, detail; /* width 0: not shown */
    int header, hints;        /* lines; -1: none */
};

static struct main_screen *from(struct screen *screen)
{
    return (struct main_screen *)screen;
}

static struct tab *current_tab(struct main_screen *main)
{
    return main->tabs[main->tab];
}

static bool is_grabbed(struct main_screen *main)
{
    return main->tab == TAB_CONSOLE && console_is_grabbed(current_tab(main));
}

/*
 * Which machines are shown, and which one is selected.
 */

static void show_machines(struct main_screen *main)
{
    struct model *model = tui_model(main->screen.tui);
    g_autofree char *part = g_utf8_casefold(field_text(&main->filter), -1);
    int selected = main->list.selected;

    g_ptr_array_set_size(main->shown, 0);
    for (unsigned i = 0; i < model_count(model); i++) {
        struct vm *vm = model_at(model, i);
        g_autofree char *name = g_utf8_casefold(vm->name, -1);

        if (!strstr(name, part))
            continue;
        if (g_strcmp0(vm->name, main->selected) == 0)
            selected = (int)main->shown->len;
        g_ptr_array_add(main->shown, vm);
    }
    list_set_count(&main->list, (int)main->shown->len);
    list_select(&main->list, selected);
}

static struct vm *selected_vm(struct main_screen *main)
{
    return main->shown->len ? main->shown->pdata[main->list.selected] : NULL;
}

static void remember_selected(struct main_screen *main)
{
    struct vm *vm = selected_vm(main);

    g_free(main->selected);
    main->selected = vm ? g_strdup(vm->name) : NULL;
    if (!vm)
        main->in_detail = main->full_screen = false;
}

static void main_changed(struct screen *screen)
{
    show_machines(from(screen));
    remember_selected(from(screen));
}

struct vm *tui_selected(struct tui *tui)
{
    return selected_vm(from(tui_bottom(tui)));
}

void tui_select(struct tui *tui, const char *name)
{
    struct main_screen *main = from(tui_bottom(tui));

    field_set(&main->filter, "");
    g_free(main->selected);
    main->selected = g_strdup(name);
    main_changed(&main->screen);
}

/*
 * Actions.
 */

static void hide_tab(struct main_screen *main)
{
    if (current_tab(main)->ops->hide)
        current_tab(main)->ops->hide(current_tab(main));
}

static void show_tab(struct main_screen *main, unsigned tab)
{
    if (tab != main->tab)
        hide_tab(main);
    main->tab = tab;
    main->in_detail = true;
}

static void leave_detail(struct main_screen *main)
{
    if (main->full_screen)
        main->full_screen = false;
    else
        main->in_detail = false;
}

static bool needs_machine(enum action action)
{
    switch (action) {
    case ACTION_NEW:
    case ACTION_FILTER:
    case ACTION_PALETTE:
    case ACTION_HELP:
    case ACTION_REDRAW:
    case ACTION_SUSPEND:
    case ACTION_QUIT:
        return false;
    default:
        return true;
    }
}

const char *tui_refuses(struct tui *tui, enum action action)
{
    struct vm *vm = tui_selected(tui);

    if (!vm)
        return needs_machine(action) ? "there is no machine selected" : NULL;
    return vm_refuses(vm, action);
}

static void act_on_view(struct main_screen *main, enum action action)
{
    switch (action) {
    case ACTION_OPEN:
        main->in_detail = true;
        break;
    case ACTION_CONSOLE:
        show_tab(main, TAB_CONSOLE);
        console_grab(current_tab(main));
        break;
    case ACTION_SETTINGS:
        show_tab(main, TAB_SETTINGS);
        break;
    case ACTION_TAB_OVERVIEW:
    case ACTION_TAB_CONSOLE:
    case ACTION_TAB_DISKS:
    case ACTION_TAB_SETTINGS:
    case ACTION_TAB_LOG:
    case ACTION_TAB_USB:
        show_tab(main, action - ACTION_TAB_OVERVIEW);
        break;
    case ACTION_NEXT_TAB:
    case ACTION_PREVIOUS_TAB:
        show_tab(main,
                 main->in_detail
                     ? (main->tab + (action == ACTION_NEXT_TAB ? 1 : TAB_COUNT - 1)) % TAB_COUNT
                     : main->tab);
        break;
    case ACTION_FULL_SCREEN:
        main->full_screen = !main->full_screen;
        main->in_detail = true;
        break;
    case ACTION_SERIAL:
        show_tab(main, TAB_CONSOLE);
        console_switch(current_tab(main));
        break;
    default:
        machine_act(main->screen.tui, selected_vm(main), action);
    }
}

void tui_act(struct tui *tui, enum action action)
{
    struct main_screen *main = from(tui_bottom(tui));
    const char *refusal = tui_refuses(tui, action);

    if (refusal) {
        tui_say(tui, ROLE_WARNING, "%s: %s.", action_info(action)->name, refusal);
        return;
    }
    switch (action) {
    case ACTION_NEW:
        form_open(tui);
        break;
    case ACTION_FILTER:
        main->filtering = true;
        main->in_detail = main->full_screen = false;
        break;
    case ACTION_MENU:
        menu_open(tui);
        break;
    case ACTION_PALETTE:
        palette_open(tui);
        break;
    case ACTION_HELP:
        help_open(tui);
        break;
    case ACTION_REDRAW:
        term_repaint(tui_term(tui));
        break;
    case ACTION_SUSPEND:
        tui_suspend(tui);
        break;
    case ACTION_QUIT:
        tui_quit(tui);
        break;
    case ACTION_NONE:
        break;
    default:
        act_on_view(main, action);
    }
}

/*
 * Keys.
 */

static void filter_key(struct main_screen *main, uint32_t key)
{
    if (key == TUI_KEY_ESCAPE || key == (KEY_CTRL | 'c')) {
        field_set(&main->filter, "");
        main->filtering = false;
    } else if (key == TUI_KEY_ENTER) {
        main->filtering = false;
    } else if (key == TUI_KEY_UP || key == TUI_KEY_DOWN) {
        list_key(&main->list, key);
        remember_selected(main);
        return;
    } else {
        field_key(&main->filter, key);
    }
    main_changed(&main->screen);
}

static void escape(struct main_screen *main)
{
    if (main->in_detail || main->full_screen) {
        leave_detail(main);
    } else if (*field_text(&main->filter)) {
        field_set(&main->filter, "");
        main_changed(&main->screen);
    }
}

static bool machine_row_key(struct main_screen *main, uint32_t key)
{
    if (key < MACHINE_ROW || key > TUI_KEY_ROW_LAST)
        return false;
    main->filtering = main->in_detail = false;
    list_select(&main->list, (int)(key - MACHINE_ROW));
    remember_selected(main);
    return true;
}

static bool main_key(struct screen *screen, uint32_t key)
{
    struct main_screen *main = from(screen);
    struct tab *tab = current_tab(main);
    struct vm *vm = selected_vm(main);

    if (vm && is_grabbed(main))
        return tab->ops->key(tab, vm, key);
    if (machine_row_key(main, key))
        return true;
    if (main->filtering) {
        filter_key(main, key);
        return true;
    }
    if (key >= TUI_KEY_ROW && key <= TUI_KEY_ROW_LAST)
        main->in_detail = true;
    if (main->in_detail && vm && tab->ops->key && tab->ops->key(tab, vm, key))
        return true;
    if (key == TUI_KEY_ESCAPE || (key == TUI_KEY_LEFT && main->in_detail)) {
        escape(main);
    } else if (!main->in_detail && list_key(&main->list, key)) {
        remember_selected(main);
    } else if (key == TUI_KEY_RIGHT || (key == TUI_KEY_ENTER && !main->in_detail)) {
        tui_act(screen->tui, ACTION_OPEN);
    } else if (key != TUI_KEY_ENTER) {
        tui_act(screen->tui, action_for_key(key));
    }
    return true;
}

/*
 * Layout.
 */

static struct layout lay_out(struct main_screen *main)
{
    struct terminal *term = tui_term(main->screen.tui);
    int width = term_width(term), height = term_height(term);
    struct layout layout = {
        .small = width < SMALL_WIDTH || height < SMALL_HEIGHT,
        .wide = width >= WIDE && height >= SMALL_HEIGHT,
        .header = -1,
        .hints = -1,
    };
    struct rect body = {0, 0, width, height};

    if (main->full_screen) {
        layout.detail = body;
        return layout;
    }
    if (!layout.small) {
        layout.header = 0;
        body.y++;
        body.height--;
    }
    if (body.height > 2) {
        body.height--;
        layout.hints = height - 1;
    }
    if (layout.wide) {
        layout.list = (struct rect){0, body.y, LIST_WIDTH, body.height};
        layout.detail = (struct rect){LIST_WIDTH, body.y, width - LIST_WIDTH, body.height};
    } else if (main->in_detail) {
        layout.detail = body;
    } else {
        layout.list = body;
    }
    return layout;
}

/*
 * Drawing.
 */

/* What the machines do, in a few words; returns where it ends. */
static int draw_summary(struct main_screen *main, int x)
{
    struct terminal *term = tui_term(main->screen.tui);
    struct model *model = tui_model(main->screen.tui);
    int running = 0, paused = 0, trouble = 0, width = term_width(term);

    for (unsigned i = 0; i < model_count(model); i++) {
        struct vm *vm = model_at(model, i);

        running += vm->state == VM_RUNNING;
        paused += vm->state == VM_PAUSED;
        trouble += vm_state_role(vm) == ROLE_ERROR || vm->state == VM_UNANSWERED;
    }
    x += draw_format(term, x, 0, width - x, running ? ROLE_GOOD : ROLE_DIM, "%d running", running) +
         2;
    if (paused)
        x += draw_format(term, x, 0, width - x, ROLE_WARNING, "%d paused", paused) + 2;
    if (trouble)
        x += draw_format(term, x, 0, width - x, ROLE_ERROR, "%d in trouble", trouble) + 2;
    return x;
}

static void draw_header(struct main_screen *main, const struct layout *layout)
{
    struct tui *tui = main->screen.tui;
    struct terminal *term = tui_term(tui);
    struct vm *vm = selected_vm(main);
    int width = term_width(term), x = 1;

    x += draw_text(term, x, 0, width - x, ROLE_TITLE, "vmdesk") + 2;
    if (layout->list.width || !vm) {
        draw_summary(main, x);
    } else {
        x += draw_text(term, x, 0, width - x - 34, ROLE_STRONG, vm->name) + 2;
        draw_glyph(term, x, 0, vm_state_role(vm), vm_state_glyph(vm));
        draw_text(term, x + 2, 0, STATE_COLUMNS, vm_state_role(vm), vm_state_word(vm));
    }
    tui_hint(tui, width - 19, 0, 10, ':', "commands");
    tui_hint(tui, width - 7, 0, 6, '?', "help");
}

static void draw_cpu(struct terminal *term, const struct vm *vm, int x, int y, enum role role)
{
    draw_glyph(term, x, y, role == ROLE_DIM ? ROLE_NOTICE : role, theme_bar(vm->cpu));
    draw_format(term, x + 1, y, CPU_COLUMNS - 1, role, "%4.0f%%", vm->cpu * 100);
}

/* Columns of a row: pointer, glyph, name, state, load, memory, description. Where there is little
 * room, the load takes the place of the state "running". */
static int name_columns(struct main_screen *main, int width)
{
    int longest = NAME_MIN;

    for (guint i = 0; i < main->shown->len; i++)
        longest = MAX(longest, text_columns(((struct vm *)main->shown->pdata[i])->name));
    return MIN(longest, width - NAME_COLUMN - 2 - STATE_COLUMNS - 1 - MEMORY_COLUMNS - 1);
}

static void draw_columns(struct main_screen *main, const struct vm *vm, const struct rect *line,
                         int name, bool selected)
{
    struct terminal *term = tui_term(main->screen.tui);
    enum role row = main->in_detail ? ROLE_MARKED : ROLE_SELECTED;
    enum role quiet = selected ? row : ROLE_DIM;
    bool busy = vm->cpu >= 0 && vm->state == VM_RUNNING, roomy = line->width >= ROOMY;
    int x = line->x + NAME_COLUMN, end = line->x + line->width - 1;

    draw_text(term, x, line->y, name, selected ? row : ROLE_STRONG, vm->name);
    x += name + 2;
    if (busy && !roomy)
        draw_cpu(term, vm, x, line->y, quiet);
    else
        draw_text(term, x, line->y, STATE_COLUMNS, selected ? row : vm_state_role(vm),
                  vm_state_word(vm));
    x += STATE_COLUMNS + 1;
    if (busy && roomy)
        draw_cpu(term, vm, x, line->y, quiet);
    x += roomy ? CPU_COLUMNS + 1 : 0;
    if (vm->disk->config) {
        g_autofree char *memory = text_format_size(vm->disk->config->memory);

        draw_format(term, x, line->y, MIN(MEMORY_COLUMNS, end - x), quiet, "%5s", memory);
        x += MEMORY_COLUMNS + 2;
        if (roomy && vm->disk->config->description)
            draw_text(term, x, line->y, end - x, quiet, vm->disk->config->description);
    }
}

static void draw_machine(struct main_screen *main, const struct rect *area, int index, int name)
{
    struct terminal *term = tui_term(main->screen.tui);
    struct vm *vm = main->shown->pdata[index];
    struct rect line = {area->x, area->y + index - main->list.first, area->width, 1};
    bool selected = index == main->list.selected;
    enum role row = main->in_detail ? ROLE_MARKED : ROLE_SELECTED;

    model_show(vm);
    if (selected) {
        draw_fill(term, &line, row);
        draw_glyph(term, line.x, line.y, row, GLYPH_POINTER);
    }
    draw_glyph(term, line.x + 2, line.y, selected ? row : vm_state_role(vm), vm_state_glyph(vm));
    draw_columns(main, vm, &line, name, selected);
    tui_hot(main->screen.tui, &line, MACHINE_ROW + (uint32_t)index);
}

static void draw_no_machines(struct main_screen *main, const struct rect *area)
{
    struct tui *tui = main->screen.tui;
    struct terminal *term = tui_term(tui);
    struct rect text = {area->x + 2, area->y + area->height / 4, area->width - 4,
                        area->height - area->height / 4};

    if (model_count(tui_model(tui))) {
        draw_wrapped(term, &text, ROLE_DIM, "No machine matches the filter. Esc shows all.");
        return;
    }
    text.y += draw_wrapped(term, &text, ROLE_NORMAL, "There are no machines yet.") + 1;
    tui_hint(tui, text.x, text.y, text.width, 'n', "makes one from a disc");
}

static void draw_filter(struct main_screen *main, const struct rect *line)
{
    struct terminal *term = tui_term(main->screen.tui);
    int used = draw_text(term, line->x, line->y, line->width, ROLE_KEY, "/");

    field_draw(&main->filter, term, line->x + used, line->y, line->width - used, main->filtering);
}

static void draw_list(struct main_screen *main, const struct layout *layout)
{
    struct terminal *term = tui_term(main->screen.tui);
    struct rect area = layout->list;
    int name;

    if (!layout->small) {
        draw_frame(term, &area, main->in_detail ? ROLE_FRAME : ROLE_FOCUS, "Machines");
        area = (struct rect){area.x + 1, area.y + 1, area.width - 2, area.height - 2};
    }
    if (main->filtering || *field_text(&main->filter)) {
        area.height--;
        draw_filter(main, &(struct rect){area.x + 1, area.y + area.height, area.width - 2, 1});
    }
    if (!main->shown->len)
        draw_no_machines(main, &area);
    list_show(&main->list, area.height);
    name = name_columns(main, area.width);
    for (int i = main->list.first; i < list_last(&main->list); i++)
        draw_machine(main, &area, i, name);
}

/* Without room for all titles, the others are only numbers. */
static bool tab_titles_fit(struct main_screen *main, int width)
{
    int needed = 0;

    for (unsigned i = 0; i < TAB_COUNT; i++)
        needed += text_columns(main->tabs[i]->ops->title) + 5;
    return needed - 1 <= width;
}

static void draw_tabs(struct main_screen *main, const struct rect *line)
{
    struct tui *tui = main->screen.tui;
    struct terminal *term = tui_term(tui);
    bool titles = tab_titles_fit(main, line->width);
    int x = line->x, end = line->x + line->width;

    for (unsigned i = 0; i < TAB_COUNT; i++) {
        bool current = i == main->tab;
        const char *title = titles || current ? main->tabs[i]->ops->title : "";
        g_autofree char *text = g_strdup_printf(" %u%s%s ", i + 1, *title ? " " : "", title);
        struct rect rect = {x, line->y, MIN(text_columns(text), end - x), 1};

        draw_text(term, x, line->y, rect.width, current ? ROLE_TAB : ROLE_DIM, text);
        if (!current && rect.width > 1)
            draw_text(term, x + 1, line->y, 1, ROLE_KEY, (char[]){(char)('1' + i), 0});
        if (!is_grabbed(main))
            tui_hot(tui, &rect, '1' + i);
        x += rect.width + 1;
    }
}

static void draw_detail(struct main_screen *main, const struct layout *layout)
{
    struct terminal *term = tui_term(main->screen.tui);
    struct rect area = layout->detail;
    struct vm *vm = selected_vm(main);

    if (layout->wide && !main->full_screen) {
        g_autofree char *title =
            g_strdup_printf("%s %s %s", vm->name, theme_glyph(term_theme(term), vm_state_glyph(vm)),
                            vm_state_word(vm));

        draw_frame(term, &area, main->in_detail ? ROLE_FOCUS : ROLE_FRAME, title);
        area = (struct rect){area.x + 1, area.y + 1, area.width - 2, area.height - 2};
    }
    if (!main->full_screen) {
        draw_tabs(main, &(struct rect){area.x, area.y, area.width, 1});
        area.y++;
        area.height--;
        if (main->tab != TAB_CONSOLE && !layout->small)
            area = (struct rect){area.x + 1, area.y + 1, area.width - 2, area.height - 1};
    }
    if (area.height > 0 && area.width > 0)
        current_tab(main)->ops->draw(current_tab(main), vm, &area, main->in_detail);
}

static void draw_hints(struct main_screen *main, int y)
{
    static const enum action in_list[] = {
        ACTION_OPEN, ACTION_CONSOLE, ACTION_START,  ACTION_PAUSE, ACTION_FORCE_OFF,
        ACTION_NEW,  ACTION_MENU,    ACTION_FILTER, ACTION_HELP,  ACTION_QUIT,
    };
    static const enum action in_detail[] = {
        ACTION_CONSOLE, ACTION_START, ACTION_PAUSE, ACTION_FORCE_OFF, ACTION_MENU, ACTION_HELP,
    };
    struct tui *tui = main->screen.tui;
    const enum action *actions = main->in_detail ? in_detail : in_list;
    size_t count = main->in_detail ? G_N_ELEMENTS(in_detail) : G_N_ELEMENTS(in_list);
    int x = 1, width = term_width(tui_term(tui));

    if (is_grabbed(main)) /* its keys are the guest's; the console says how to get them back */
        return;
    if (main->in_detail)
        x += tui_hint(tui, x, y, width - x, TUI_KEY_ESCAPE, "back") + 2;
    for (size_t i = 0; i < count; i++) {
        const struct action_info *info = action_info(actions[i]);
        int used;

        if (tui_refuses(tui, actions[i]))
            continue;
        used = tui_hint(tui, x, y, width - x, info->key, info->short_name);
        if (!used)
            break;
        x += used + 2;
    }
}

/* Takes the place of the hints, or of what is on the last lines. */
static bool draw_message(struct main_screen *main)
{
    struct terminal *term = tui_term(main->screen.tui);
    struct rect lines = {1, 0, term_width(term) - 2, MIN(MESSAGE_LINES, term_height(term))};
    enum role role;
    const char *message = tui_message(main->screen.tui, &role);

    if (!message)
        return false;
    lines.height = MAX(draw_wrapped(NULL, &lines, role, message), 1);
    lines.y = term_height(term) - lines.height;
    draw_fill(term, &(struct rect){0, lines.y, term_width(term), lines.height}, ROLE_NORMAL);
    draw_wrapped(term, &lines, role, message);
    return true;
}

static void draw_grab_cover(struct main_screen *main)
{
    struct terminal *term = tui_term(main->screen.tui);

    /* A click anywhere but on the screen's own line would be a key for the guest. */
    tui_cover(main->screen.tui, &(struct rect){0, 0, term_width(term), term_height(term)});
}

static void main_draw(struct screen *screen)
{
    struct main_screen *main = from(screen);
    struct layout layout;

    show_machines(main);
    layout = lay_out(main);
    if (layout.header >= 0)
        draw_header(main, &layout);
    if (layout.list.width)
        draw_list(main, &layout);
    if (is_grabbed(main))
        draw_grab_cover(main);
    if (layout.detail.width && main->shown->len)
        draw_detail(main, &layout);
    else
        hide_tab(main);
    if (!draw_message(main) && layout.hints >= 0)
        draw_hints(main, layout.hints);
}

static void main_mouse(struct screen *screen, int x, int y, enum mouse_button button)
{
    struct main_screen *main = from(screen);
    struct layout layout = lay_out(main);
    struct tab *tab = current_tab(main);
    int lines = button == MOUSE_WHEEL_UP ? -3 : 3;

    if (is_grabbed(main))
        return;
    if (rect_contains(&layout.detail, x, y)) {
        if (button == MOUSE_LEFT)
            main->in_detail = selected_vm(main) != NULL;
        else if (tab->ops->scroll && selected_vm(main))
            tab->ops->scroll(tab, lines);
    } else if (rect_contains(&layout.list, x, y) && button != MOUSE_LEFT) {
        list_select(&main->list, main->list.selected + (lines < 0 ? -1 : 1));
        remember_selected(main);
    }
}

static void main_free(struct screen *screen)
{
    struct main_screen *main = from(screen);

    for (unsigned i = 0; i < TAB_COUNT; i++)
        main->tabs[i]->ops->free(main->tabs[i]);
    g_ptr_array_free(main->shown, TRUE);
    field_finish(&main->filter);
    g_free(main->selected);
    g_free(main);
}

static const struct screen_ops main_ops = {
    .key = main_key,
    .mouse = main_mouse,
    .draw = main_draw,
    .changed = main_changed,
    .free = main_free,
};

struct screen *main_screen_new(struct tui *tui, const char *machine)
{
    struct main_screen *main = g_new0(struct main_screen, 1);

    main->screen = (struct screen){&main_ops, tui};
    main->tabs[TAB_OVERVIEW] = overview_new(tui);
    main->tabs[TAB_CONSOLE] = console_new(tui);
    main->tabs[TAB_DISKS] = disks_new(tui);
    main->tabs[TAB_SETTINGS] = settings_new(tui);
    main->tabs[TAB_LOG] = log_view_new(tui);
    main->tabs[TAB_USB] = usb_tab_new(tui);
    main->shown = g_ptr_array_new();
    main->selected = g_strdup(machine);
    main->in_detail = machine != NULL;
    field_init(&main->filter, "");
    main_changed(&main->screen);
    if (machine && g_strcmp0(machine, main->selected) != 0) {
        main->in_detail = false;
        tui_say(tui, ROLE_WARNING, "There is no machine named %s.", machine);
    }
    return &main->screen;
}
