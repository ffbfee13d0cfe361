/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text screen of a guest in a plain terminal. One question about the screen is always with the
 * engine, which answers when it changes; only rows that differ are drawn. One message with keys is
 * on its way at a time, and the terminal waits meanwhile.
 */
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "ui/console.h"
#include "ui/console_keys.h"
#include "ui/raw_terminal.h"
#include "ui/screen_text.h"

#define SCREEN_WAIT_MS 10000
#define ESCAPE_MS 50 /* how long the rest of a key's sequence may take */
#define HINT_MS 3000
#define MAX_EVENTS 128 /* in one message, of the 256 that the protocol takes */

struct console {
    GMainLoop *loop;
    struct client *client;
    struct screen_text screen;
    int64_t seen;     /* the screen's generation; -1: none yet */
    GPtrArray *drawn; /* the rows on the terminal, as escape sequences and text */
    bool utf8, color;
    bool hint; /* the last row says how to leave */
    const char *name;
    GString *typed; /* not sent yet */
    GSource *input; /* NULL while keys are on their way */
    guint escape_timer;
    GError *error;
};

/* A character for a terminal that has ASCII only. */
static char plain_character(gunichar c)
{
    if (c < 0x80)
        return c;
    if (c >= 0x2500 && c < 0x2580)
        return c == 0x2500 || c == 0x2550 ? '-' : c == 0x2502 || c == 0x2551 ? '|' : '+';
    return c >= 0x2580 && c < 0x25a0 ? '#' : '?';
}

static void append_color(GString *out, uint8_t attribute)
{
    /* VGA counts blue, green, red; ANSI red, green, blue. */
    static const uint8_t ansi[8] = {0, 4, 2, 6, 1, 5, 3, 7};
    unsigned foreground = ansi[attribute & 7] + (attribute & 8 ? 90 : 30);

    g_string_append_printf(out, "\033[0;%u;%um", foreground, 40 + ansi[attribute >> 4 & 7]);
}

static char *render_row(const struct console *console, unsigned row, unsigned columns)
{
    const struct screen_text *screen = &console->screen;
    GString *out = g_string_new(NULL);
    int attribute = -1;

    for (unsigned x = 0; x < MIN(columns, screen->columns); x++) {
        size_t i = (size_t)row * screen->columns + x;

        if (console->color && screen->attributes[i] != attribute) {
            attribute = screen->attributes[i];
            append_color(out, attribute);
        }
        if (console->utf8)
            g_string_append_unichar(out, screen->text[i]);
        else
            g_string_append_c(out, plain_character(screen->text[i]));
    }
    return g_string_free(out, FALSE);
}

/* What row y of the terminal shows. top: the guest's row that is drawn first. */
static char *terminal_row(const struct console *console, unsigned y, unsigned rows,
                          unsigned columns, unsigned top)
{
    g_autofree char *text = NULL;

    if (y + 1 == rows && console->hint)
        text = g_strdup_printf(" %s: Ctrl-] leaves, the machine goes on", console->name);
    else if (top + y < console->screen.rows)
        return render_row(console, top + y, columns);
    else if (y == 0 && console->screen.rows == 0)
        text = g_strdup_printf("The screen has no text now (%s, %ux%u): see it with \"vmdesk\", a "
                               "VNC viewer or \"vmdesk screenshot\".",
                               console->screen.mode, console->screen.guest_width,
                               console->screen.guest_height);
    return text != NULL ? g_strndup(text, columns) : g_strdup("");
}

static void draw(struct console *console)
{
    const struct screen_text *screen = &console->screen;
    g_autoptr(GString) out = g_string_new("\033[?25l");
    unsigned rows, columns, top = 0;

    if (screen->mode == NULL) /* not seen yet */
        return;
    raw_terminal_size(&rows, &columns);
    if (screen->rows > rows && screen->cursor && screen->cursor_y >= rows)
        top = screen->cursor_y - rows + 1;
    if (console->drawn->len != rows) {
        g_ptr_array_set_size(console->drawn, 0);
        g_ptr_array_set_size(console->drawn, rows);
        g_string_append(out, "\033[0m\033[2J");
    }
    for (unsigned y = 0; y < rows; y++) {
        g_autofree char *row = terminal_row(console, y, rows, columns, top);

        if (g_strcmp0(row, console->drawn->pdata[y]) == 0)
            continue;
        g_string_append_printf(out, "\033[%u;1H\033[0m\033[K%s", y + 1, row);
        g_free(console->drawn->pdata[y]);
        console->drawn->pdata[y] = g_steal_pointer(&row);
    }
    if (screen->rows > 0 && screen->cursor && screen->cursor_y - top < rows &&
        screen->cursor_x < columns)
        g_string_append_printf(out, "\033[%u;%uH\033[?25h", screen->cursor_y - top + 1,
                               screen->cursor_x + 1);
    if (!write_all(STDOUT_FILENO, out->str, out->len))
        g_main_loop_quit(console->loop);
}

static void leave(struct console *console, const GError *error)
{
    if (error != NULL && console->error == NULL)
        console->error = g_error_copy(error);
    g_main_loop_quit(console->loop);
}

static void ask_screen(struct console *console);

static void took_screen(const json_t *answer, const GError *error, void *opaque)
{
    struct console *console = opaque;
    g_autoptr(GError) problem = NULL;
    struct screen_text screen;

    if (error != NULL) {
        leave(console, error);
        return;
    }
    if (!screen_text_init(&screen, answer, &problem)) {
        leave(console, problem);
        return;
    }
    console->seen = screen.generation;
    if (screen.unchanged) {
        screen_text_finish(&screen);
    } else {
        screen_text_finish(&console->screen);
        console->screen = screen;
        draw(console);
    }
    ask_screen(console);
}

static void ask_screen(struct console *console)
{
    client_execute(console->client, "query-screen",
                   screen_text_question(console->seen, SCREEN_WAIT_MS),
                   SCREEN_WAIT_MS + CLIENT_TIMEOUT_MS, took_screen, console);
}

static void client_closed(const GError *error, void *opaque)
{
    leave(opaque, error);
}

static void send_typed(struct console *console, bool whole);

static gboolean escape_over(gpointer opaque)
{
    struct console *console = opaque;

    console->escape_timer = 0;
    send_typed(console, true);
    return G_SOURCE_REMOVE;
}

static void watch_input(struct console *console);

static void keys_sent(const json_t *answer, const GError *error, void *opaque)
{
    struct console *console = opaque;

    if (error != NULL) {
        leave(console, error);
        return;
    }
    watch_input(console);
    send_typed(console, false);
}

static void stop_input(struct console *console)
{
    if (console->input == NULL)
        return;
    g_source_destroy(console->input);
    g_source_unref(console->input);
    console->input = NULL;
}

/* Moves strokes from the typed bytes to one message; NULL when there is none to send. */
static json_t *take_strokes(struct console *console, bool whole)
{
    json_t *events = json_array();
    size_t at = 0;

    while (at < console->typed->len && json_array_size(events) < MAX_EVENTS) {
        json_t *stroke;
        size_t used =
            console_keys_take(console->typed->str + at, console->typed->len - at, whole, &stroke);

        if (used == 0)
            break;
        json_array_extend(events, json_object_get(stroke, "events"));
        json_decref(stroke);
        at += used;
    }
    g_string_erase(console->typed, 0, at);
    if (json_array_size(events) > 0)
        return json_pack("{s:o}", "events", events);
    json_decref(events);
    return NULL;
}

static void send_typed(struct console *console, bool whole)
{
    json_t *strokes = take_strokes(console, whole);

    g_clear_handle_id(&console->escape_timer, g_source_remove);
    if (strokes != NULL) {
        stop_input(console);
        client_execute(console->client, "input-send-event", strokes, CLIENT_TIMEOUT_MS, keys_sent,
                       console);
    } else if (console->typed->len > 0) {
        console->escape_timer = g_timeout_add(ESCAPE_MS, escape_over, console);
    }
}

static gboolean input_ready(gint fd, GIOCondition condition, gpointer opaque)
{
    struct console *console = opaque;
    char bytes[64];
    ssize_t size = read(fd, bytes, sizeof(bytes));
    const char *escape = size > 0 ? memchr(bytes, CONSOLE_ESCAPE, size) : NULL;

    if (size <= 0 || escape != NULL) {
        leave(console, NULL);
        return G_SOURCE_CONTINUE;
    }
    g_string_append_len(console->typed, bytes, size);
    send_typed(console, false);
    return G_SOURCE_CONTINUE;
}

static void watch_input(struct console *console)
{
    console->input = g_unix_fd_source_new(STDIN_FILENO, G_IO_IN | G_IO_HUP);
    g_source_set_callback(console->input, G_SOURCE_FUNC(input_ready), console, NULL);
    g_source_attach(console->input, NULL);
}

static gboolean resized(gpointer opaque)
{
    struct console *console = opaque;

    g_ptr_array_set_size(console->drawn, 0);
    draw(console);
    return G_SOURCE_CONTINUE;
}

static gboolean told_to_end(gpointer opaque)
{
    leave(opaque, NULL);
    return G_SOURCE_CONTINUE;
}

static gboolean hint_over(gpointer opaque)
{
    struct console *console = opaque;

    console->hint = false;
    draw(console);
    return G_SOURCE_REMOVE;
}

static void attach(struct console *console, const char *path)
{
    static const struct client_handlers handlers = {.closed = client_closed};
    const guint sources[] = {
        g_unix_signal_add(SIGWINCH, resized, console),
        g_unix_signal_add(SIGTERM, told_to_end, console),
        g_unix_signal_add(SIGHUP, told_to_end, console),
    };
    guint hint = g_timeout_add(HINT_MS, hint_over, console);

    write_all(STDOUT_FILENO, "\033[?1049h", 8);
    console->client = client_new(NULL, path, &handlers, console);
    ask_screen(console);
    watch_input(console);
    g_main_loop_run(console->loop);
    write_all(STDOUT_FILENO, "\033[0m\033[?25h\033[?1049l", 18);
    stop_input(console);
    g_clear_handle_id(&console->escape_timer, g_source_remove);
    if (console->hint)
        g_source_remove(hint);
    for (size_t i = 0; i < G_N_ELEMENTS(sources); i++)
        g_source_remove(sources[i]);
    client_free(console->client);
}

bool console_text_run(const char *name, const char *path, GError **err)
{
    struct raw_terminal *terminal = raw_terminal_new(err);
    struct console console = {
        .name = name,
        .seen = -1,
        .hint = true,
        .utf8 = g_get_charset(NULL),
        .color = g_getenv("NO_COLOR") == NULL || g_getenv("NO_COLOR")[0] == '\0',
    };

    if (terminal == NULL)
        return false;
    console.loop = g_main_loop_new(NULL, FALSE);
    console.drawn = g_ptr_array_new_with_free_func(g_free);
    console.typed = g_string_new(NULL);
    attach(&console, path);
    raw_terminal_free(terminal);
    screen_text_finish(&console.screen);
    g_string_free(console.typed, TRUE);
    g_ptr_array_unref(console.drawn);
    g_main_loop_unref(console.loop);
    if (console.error != NULL)
        g_propagate_error(err, console.error);
    return console.error == NULL;
}
