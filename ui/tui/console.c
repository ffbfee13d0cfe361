/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The console tab: the guest's screen or serial line, and who has the keyboard. */
#include <config.h>

#include "core/keys.h"
#include "core/protocol.h"
#include "ui/tui/feed.h"
#include "ui/tui/picture.h"
#include "ui/tui/serial.h"
#include "ui/tui/tab.h"

#define PREFIX (KEY_CTRL | ']')
#define SCREEN_INTERVAL_MS 33
#define INPUT_MS 3000
/* Typed ahead of an engine that is slow; more is dropped. */
#define TYPED_MAX 4096
/* Each key is pressed and released, with its modifiers. */
G_STATIC_ASSERT(2 * KEY_CHORD_SIZE <= PROTOCOL_MAX_INPUT_EVENTS);

struct console {
    struct tab tab;
    struct feed *feed; /* NULL while hidden */
    struct serial *serial;
    unsigned serial_connection;
    bool show_serial;

    char *name; /* of the machine that is shown */
    bool grabbed, prefix;
    int left, top; /* of the guest's text, where it is larger than the pane */
    unsigned seen_cursor_x, seen_cursor_y;
    int seen_width, seen_height;

    /* Keys that wait for the engine to take the ones before them. */
    GArray *typed;    /* uint32_t */
    unsigned sending; /* the connection that has not answered yet; 0: none */
    uint64_t request;
};

static void screen_changed(void *opaque)
{
    tui_redraw(((struct console *)opaque)->tab.tui);
}

/*
 * Keys to the guest.
 */

static void add_key_event(json_t *events, uint8_t qnum, bool down)
{
    json_array_append_new(events,
                          json_pack("{s:s,s:{s:b,s:{s:s,s:i}}}", "type", "key", "data", "down",
                                    (int)down, "key", "type", "number", "data", (int)qnum));
}

static void add_chord(json_t *events, const uint8_t *qnums, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        add_key_event(events, qnums[i], true);
    for (unsigned i = count; i-- > 0;)
        add_key_event(events, qnums[i], false);
}

static void send_typed(struct console *console);

static void input_taken(const json_t *result, const GError *error, void *opaque)
{
    struct console *console = opaque;

    console->sending = 0;
    if (error) {
        g_array_set_size(console->typed, 0);
        tui_say(console->tab.tui, ROLE_WARNING, "The guest did not get the keys: %s",
                error->message);
    }
    send_typed(console);
}

static void send_events(struct console *console, struct vm *vm, json_t *events)
{
    json_t *arguments = json_pack("{s:o}", "events", events);

    console->sending = vm->connection;
    console->request =
        client_execute(vm->client, "input-send-event", arguments, INPUT_MS, input_taken, console);
}

static void send_typed(struct console *console)
{
    struct vm *vm = model_find(tui_model(console->tab.tui), console->name);
    json_t *events;
    guint taken = 0;

    if (!vm || !vm->client || !console->typed->len || console->sending == vm->connection)
        return;
    events = json_array();
    while (taken < console->typed->len &&
           json_array_size(events) + 2 * KEY_CHORD_SIZE <= PROTOCOL_MAX_INPUT_EVENTS) {
        uint8_t qnums[KEY_CHORD_SIZE];
        uint32_t key = g_array_index(console->typed, uint32_t, taken++);

        add_chord(events, qnums, key_to_guest(key, qnums));
    }
    g_array_remove_range(console->typed, 0, taken);
    if (json_array_size(events))
        send_events(console, vm, events);
    else
        json_decref(events);
}

static void type_key(struct console *console, uint32_t key)
{
    if (console->show_serial) {
        if (console->serial)
            serial_key(console->serial, key);
        return;
    }
    if (console->typed->len < TYPED_MAX)
        g_array_append_val(console->typed, key);
    send_typed(console);
}

static void release(struct console *console)
{
    console->grabbed = console->prefix = false;
}

static void prefix_key(struct console *console, uint32_t key)
{
    console->prefix = false;
    switch (key) {
    case 'a':
        type_key(console, TUI_KEY_DELETE | KEY_CTRL | KEY_ALT);
        break;
    case 'f':
        tui_act(console->tab.tui, ACTION_FULL_SCREEN);
        break;
    case 's':
        console_switch(&console->tab);
        break;
    case ']':
        type_key(console, PREFIX);
        break;
    case 'd':
    case TUI_KEY_ESCAPE:
    case TUI_KEY_ENTER:
    case PREFIX:
        release(console);
        break;
    default:
        tui_say(console->tab.tui, ROLE_WARNING, "After Ctrl-]: d, a, f, s or ].");
    }
}

static void grabbed_key(struct console *console, uint32_t key)
{
    if (key == TUI_KEY_RELEASE)
        release(console);
    else if (console->prefix)
        prefix_key(console, key);
    else if (key == PREFIX)
        console->prefix = true;
    else
        type_key(console, key);
}

static bool console_key(struct tab *tab, struct vm *vm, uint32_t key)
{
    struct console *console = (struct console *)tab;

    if (console->grabbed) {
        grabbed_key(console, key);
        return true;
    }
    switch (key) {
    case TUI_KEY_ENTER:
    case 'i':
        console_grab(tab);
        return true;
    case TUI_KEY_UP:
        console->top--;
        return true;
    case TUI_KEY_DOWN:
        console->top++;
        return true;
    case TUI_KEY_LEFT:
        console->left--;
        return true;
    case TUI_KEY_RIGHT:
        console->left++;
        return true;
    default:
        return false;
    }
}

static void console_scroll(struct tab *tab, int lines)
{
    ((struct console *)tab)->top += lines;
}

/*
 * Drawing.
 */

/* Brings the cursor into view when it moved or the pane has another size; keeps the view inside the
 * screen. */
static void pan(struct console *console, const struct guest_screen *screen, const struct rect *rect)
{
    int x = (int)screen->cursor_x, y = (int)screen->cursor_y;
    bool moved = screen->cursor_x != console->seen_cursor_x ||
                 screen->cursor_y != console->seen_cursor_y || rect->width != console->seen_width ||
                 rect->height != console->seen_height;

    if (screen->cursor_shown && moved) {
        console->left = CLAMP(console->left, x - rect->width + 1, x);
        console->top = CLAMP(console->top, y - rect->height + 1, y);
        console->seen_cursor_x = screen->cursor_x;
        console->seen_cursor_y = screen->cursor_y;
        console->seen_width = rect->width;
        console->seen_height = rect->height;
    }
    console->left = CLAMP(console->left, 0, MAX((int)screen->columns - rect->width, 0));
    console->top = CLAMP(console->top, 0, MAX((int)screen->rows - rect->height, 0));
}

static void draw_guest_text(struct console *console, const struct guest_screen *screen,
                            const struct rect *rect)
{
    struct terminal *term = tui_term(console->tab.tui);
    int x, y;

    pan(console, screen, rect);
    picture_draw_text(term, screen, rect, (unsigned)console->left, (unsigned)console->top);
    x = rect->x + (int)screen->cursor_x - console->left;
    y = rect->y + (int)screen->cursor_y - console->top;
    if (!screen->cursor_shown || !rect_contains(rect, x, y))
        return;
    if (console->grabbed) {
        draw_cursor(term, x, y);
    } else {
        size_t at = (size_t)screen->cursor_y * screen->columns + screen->cursor_x;
        struct style style = theme_style(term_theme(term), ROLE_CURSOR);

        draw_cell(term, x, y, screen->text[at], &style);
    }
}

static char *describe(struct console *console, const struct guest_screen *screen)
{
    if (console->show_serial)
        return g_strdup("serial line");
    if (!screen || screen->mode == GUEST_SCREEN_BLANK)
        return g_strdup("blank");
    if (screen->mode == GUEST_SCREEN_TEXT)
        return g_strdup_printf("%ux%u text", screen->columns, screen->rows);
    return g_strdup_printf("%ux%u", screen->guest_width, screen->guest_height);
}

static void draw_status(struct console *console, const struct rect *line,
                        const struct guest_screen *screen)
{
    struct tui *tui = console->tab.tui;
    struct terminal *term = tui_term(tui);
    g_autofree char *what = describe(console, screen);
    int x = line->x, end = line->x + line->width;

    if (console->prefix) {
        draw_fill(term, line, ROLE_GRAB);
        draw_text(
            term, x, line->y, line->width, ROLE_GRAB,
            " Ctrl-] then: d return, a Ctrl-Alt-Del, f full screen, s serial or screen, ] itself");
        tui_hot(tui, line, TUI_KEY_RELEASE);
    } else if (console->grabbed) {
        draw_fill(term, line, ROLE_GRAB);
        draw_format(term, x, line->y, line->width, ROLE_GRAB,
                    " keys go to: %s %s Ctrl-] d returns %s %s", console->name,
                    theme_glyph(term_theme(term), GLYPH_DOT),
                    theme_glyph(term_theme(term), GLYPH_DOT), what);
        tui_hot(tui, line, TUI_KEY_RELEASE);
    } else {
        x += tui_hint(tui, x, line->y, end - x, 'i', "give it the keyboard") + 2;
        x +=
            tui_hint(tui, x, line->y, end - x, 'S', console->show_serial ? "screen" : "serial") + 2;
        x += tui_hint(tui, x, line->y, end - x, 'f', "full screen") + 2;
        draw_text(term, MAX(x, end - text_columns(what)), line->y, end - x, ROLE_DIM, what);
    }
}

static void draw_message(struct console *console, const struct rect *rect, const char *text)
{
    struct rect middle = *rect;
    int width = text_columns(text);

    if (width < rect->width)
        middle.x += (rect->width - width) / 2;
    middle.width -= middle.x - rect->x;
    middle.y += rect->height / 3;
    middle.height -= rect->height / 3;
    draw_wrapped(tui_term(console->tab.tui), &middle, ROLE_DIM, text);
}

static const struct guest_screen *draw_screen(struct console *console, struct vm *vm,
                                              const struct rect *rect)
{
    const struct guest_screen *screen;

    if (!console->feed)
        console->feed =
            feed_new(tui_model(console->tab.tui), SCREEN_INTERVAL_MS, screen_changed, console);
    feed_update(console->feed, vm, (unsigned)MAX(rect->width, 1),
                (unsigned)MAX(rect->height, 1) * 2);
    screen = feed_screen(console->feed);
    if (feed_problem(console->feed))
        draw_message(console, rect, feed_problem(console->feed));
    else if (!screen)
        draw_message(console, rect, "Waiting for the screen.");
    else if (screen->mode == GUEST_SCREEN_TEXT)
        draw_guest_text(console, screen, rect);
    else if (screen->mode == GUEST_SCREEN_GRAPHICS)
        picture_draw(tui_term(console->tab.tui), screen, rect);
    else
        draw_message(console, rect, "The guest shows nothing yet.");
    return screen;
}

static void draw_serial(struct console *console, struct vm *vm, const struct rect *rect)
{
    if (!vm->serial) {
        draw_message(console, rect,
                     "The serial line has no socket: set serial.port to socket in the settings.");
        return;
    }
    if (!console->serial || console->serial_connection != vm->connection) {
        serial_free(console->serial);
        console->serial = serial_new(vm->serial, screen_changed, console);
        console->serial_connection = vm->connection;
    }
    if (serial_error(console->serial))
        draw_message(console, rect, serial_error(console->serial));
    else
        serial_draw(console->serial, tui_term(console->tab.tui), rect, console->grabbed);
}

static void follow(struct console *console, struct vm *vm)
{
    if (g_strcmp0(console->name, vm->name) == 0)
        return;
    release(console);
    g_free(console->name);
    console->name = g_strdup(vm->name);
    console->left = console->top = 0;
    g_array_set_size(console->typed, 0);
    g_clear_pointer(&console->serial, serial_free);
}

static void console_draw(struct tab *tab, struct vm *vm, const struct rect *rect, bool focused)
{
    struct console *console = (struct console *)tab;
    struct rect screen = {rect->x, rect->y, rect->width, rect->height - 1};
    struct rect status = {rect->x, rect->y + rect->height - 1, rect->width, 1};
    const struct guest_screen *shown = NULL;

    follow(console, vm);
    model_show(vm);
    if (!vm_has_engine(vm)) {
        release(console);
        g_clear_pointer(&console->serial, serial_free);
        draw_message(console, &screen, vm->detail ? vm->detail : "It is off. Press s to start it.");
        return;
    }
    if (!vm_is_answering(vm))
        draw_message(console, &screen, vm->detail ? vm->detail : "Starting.");
    else if (console->show_serial)
        draw_serial(console, vm, &screen);
    else
        shown = draw_screen(console, vm, &screen);
    draw_status(console, &status, shown);
}

static void console_hide(struct tab *tab)
{
    struct console *console = (struct console *)tab;

    release(console);
    g_clear_pointer(&console->feed, feed_free);
    g_clear_pointer(&console->serial, serial_free);
}

static void console_free(struct tab *tab)
{
    struct console *console = (struct console *)tab;
    struct vm *vm = model_find(tui_model(tab->tui), console->name);

    if (vm && vm->client && console->sending == vm->connection)
        client_cancel(vm->client, console->request);
    console_hide(tab);
    g_array_free(console->typed, TRUE);
    g_free(console->name);
    g_free(console);
}

bool console_is_grabbed(const struct tab *tab)
{
    return ((const struct console *)tab)->grabbed;
}

void console_grab(struct tab *tab)
{
    struct console *console = (struct console *)tab;
    struct vm *vm = tui_selected(tab->tui);

    if (!vm || !vm_has_engine(vm))
        return;
    follow(console, vm);
    console->grabbed = true;
}

void console_switch(struct tab *tab)
{
    struct console *console = (struct console *)tab;

    console->show_serial = !console->show_serial;
}

static const struct tab_ops console_ops = {
    .title = "Console",
    .draw = console_draw,
    .key = console_key,
    .scroll = console_scroll,
    .hide = console_hide,
    .free = console_free,
};

struct tab *console_new(struct tui *tui)
{
    struct console *console = g_new0(struct console, 1);

    console->tab = (struct tab){&console_ops, tui};
    console->typed = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    return &console->tab;
}
