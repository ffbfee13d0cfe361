/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vterm.h>

#include "ui/tui/keymap.h"
#include "ui/tui/serial.h"

#define READ_MAX 16384
/* What the guest has not taken yet of what was typed; more is dropped. */
#define OUTPUT_MAX 65536

struct serial {
    int socket;
    guint input, output; /* sources */
    GByteArray *waiting;
    VTerm *vterm;
    VTermScreen *screen;
    int rows, columns;
    VTermPos cursor;
    bool cursor_shown;
    char *error;
    void (*changed)(void *opaque);
    void *opaque;
};

static void fail(struct serial *serial, const char *why)
{
    if (!serial->error)
        serial->error = g_strdup_printf("The serial line is not connected: %s.", why);
    g_clear_handle_id(&serial->input, g_source_remove);
    g_clear_handle_id(&serial->output, g_source_remove);
    serial->changed(serial->opaque);
}

static gboolean input_ready(int descriptor, GIOCondition condition, gpointer opaque)
{
    struct serial *serial = opaque;
    char bytes[READ_MAX];
    ssize_t size = recv(serial->socket, bytes, sizeof(bytes), 0);

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (size <= 0) {
        serial->input = 0;
        fail(serial, size < 0 ? g_strerror(errno) : "the engine closed it");
        return G_SOURCE_REMOVE;
    }
    vterm_input_write(serial->vterm, bytes, (size_t)size);
    serial->changed(serial->opaque);
    return G_SOURCE_CONTINUE;
}

/* False: everything is written, or the line is broken. */
static bool write_waiting(struct serial *serial)
{
    while (serial->waiting->len > 0) {
        ssize_t size = send(serial->socket, serial->waiting->data, serial->waiting->len,
                            MSG_NOSIGNAL | MSG_DONTWAIT);

        if (size < 0)
            return errno == EAGAIN || errno == EINTR;
        g_byte_array_remove_range(serial->waiting, 0, (guint)size);
    }
    return false;
}

static gboolean output_ready(int descriptor, GIOCondition condition, gpointer opaque)
{
    struct serial *serial = opaque;

    if (write_waiting(serial))
        return G_SOURCE_CONTINUE;
    serial->output = 0;
    return G_SOURCE_REMOVE;
}

/* The terminal's output: what was typed, and its answers to the guest's questions. */
static void send_bytes(const char *bytes, size_t size, void *opaque)
{
    struct serial *serial = opaque;

    if (serial->error || serial->waiting->len + size > OUTPUT_MAX)
        return;
    g_byte_array_append(serial->waiting, (const guint8 *)bytes, (guint)size);
    if (!serial->output && write_waiting(serial))
        serial->output =
            g_unix_fd_add(serial->socket, G_IO_OUT | G_IO_ERR | G_IO_HUP, output_ready, serial);
}

static int cursor_moved(VTermPos position, VTermPos old, int visible, void *opaque)
{
    struct serial *serial = opaque;

    serial->cursor = position;
    return 1;
}

static int property_set(VTermProp property, VTermValue *value, void *opaque)
{
    struct serial *serial = opaque;

    if (property == VTERM_PROP_CURSORVISIBLE)
        serial->cursor_shown = value->boolean;
    return 1;
}

static const VTermScreenCallbacks screen_callbacks = {
    .movecursor = cursor_moved,
    .settermprop = property_set,
};

static bool connect_to(struct serial *serial, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    strcpy(address.sun_path, path);
    serial->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* On a Unix socket this either succeeds at once, or says EAGAIN when nobody accepts. */
    return serial->socket >= 0 &&
           connect(serial->socket, (struct sockaddr *)&address, sizeof(address)) == 0;
}

struct serial *serial_new(const char *path, void (*changed)(void *opaque), void *opaque)
{
    struct serial *serial = g_new0(struct serial, 1);

    serial->changed = changed;
    serial->opaque = opaque;
    serial->waiting = g_byte_array_new();
    serial->rows = 24;
    serial->columns = 80;
    serial->vterm = vterm_new(serial->rows, serial->columns);
    vterm_set_utf8(serial->vterm, 1);
    vterm_output_set_callback(serial->vterm, send_bytes, serial);
    serial->screen = vterm_obtain_screen(serial->vterm);
    vterm_screen_set_callbacks(serial->screen, &screen_callbacks, serial);
    vterm_screen_enable_altscreen(serial->screen, 1);
    vterm_screen_reset(serial->screen, 1);
    serial->cursor_shown = true;
    if (connect_to(serial, path))
        serial->input =
            g_unix_fd_add(serial->socket, G_IO_IN | G_IO_HUP | G_IO_ERR, input_ready, serial);
    else
        fail(serial, g_strerror(errno));
    return serial;
}

void serial_free(struct serial *serial)
{
    if (!serial)
        return;
    g_clear_handle_id(&serial->input, g_source_remove);
    g_clear_handle_id(&serial->output, g_source_remove);
    if (serial->socket >= 0)
        close(serial->socket);
    vterm_free(serial->vterm);
    g_byte_array_unref(serial->waiting);
    g_free(serial->error);
    g_free(serial);
}

const char *serial_error(const struct serial *serial)
{
    return serial->error;
}

static VTermKey vterm_key_for(uint32_t code)
{
    static const VTermKey keys[] = {
        VTERM_KEY_UP,    VTERM_KEY_DOWN,   VTERM_KEY_LEFT,      VTERM_KEY_RIGHT,  VTERM_KEY_HOME,
        VTERM_KEY_END,   VTERM_KEY_PAGEUP, VTERM_KEY_PAGEDOWN,  VTERM_KEY_INS,    VTERM_KEY_DEL,
        VTERM_KEY_ENTER, VTERM_KEY_TAB,    VTERM_KEY_BACKSPACE, VTERM_KEY_ESCAPE,
    };
    G_STATIC_ASSERT(G_N_ELEMENTS(keys) == TUI_KEY_F1 - TUI_KEY_FIRST);

    if (code >= TUI_KEY_F1 && code <= TUI_KEY_F12)
        return VTERM_KEY_FUNCTION(code - TUI_KEY_F1 + 1);
    return keys[code - TUI_KEY_FIRST];
}

void serial_key(struct serial *serial, uint32_t key)
{
    uint32_t code = KEY_CODE(key);
    VTermModifier modifiers = (key & KEY_CTRL ? VTERM_MOD_CTRL : VTERM_MOD_NONE) |
                              (key & KEY_ALT ? VTERM_MOD_ALT : VTERM_MOD_NONE) |
                              (key & KEY_SHIFT ? VTERM_MOD_SHIFT : VTERM_MOD_NONE);

    if (code < TUI_KEY_FIRST)
        vterm_keyboard_unichar(serial->vterm, code, modifiers);
    else if (code <= TUI_KEY_LAST)
        vterm_keyboard_key(serial->vterm, vterm_key_for(code), modifiers);
}

static int color_of(const VTermColor *color)
{
    if (VTERM_COLOR_IS_DEFAULT_FG(color) || VTERM_COLOR_IS_DEFAULT_BG(color))
        return COLOR_DEFAULT;
    if (VTERM_COLOR_IS_INDEXED(color))
        return color->indexed.idx;
    return COLOR_RGB(color->rgb.red << 16 | color->rgb.green << 8 | color->rgb.blue);
}

static int draw_one(struct serial *serial, struct terminal *term, const struct rect *rect,
                    VTermPos at, bool cursor)
{
    VTermScreenCell cell;
    struct style style;

    if (!vterm_screen_get_cell(serial->screen, at, &cell))
        return 1;
    style.foreground = color_of(&cell.fg);
    style.background = color_of(&cell.bg);
    style.flags =
        (cell.attrs.bold ? STYLE_BOLD : 0) | (cell.attrs.underline ? STYLE_UNDERLINE : 0) |
        (cell.attrs.blink ? STYLE_BLINK : 0) | (!cell.attrs.reverse != !cursor ? STYLE_REVERSE : 0);
    if (at.col + cell.width <= serial->columns)
        draw_cell(term, rect->x + at.col, rect->y + at.row, cell.chars[0] ? cell.chars[0] : ' ',
                  &style);
    return MAX(cell.width, 1);
}

void serial_draw(struct serial *serial, struct terminal *term, const struct rect *rect,
                 bool focused)
{
    VTermPos at;

    if (rect->width < 1 || rect->height < 1)
        return;
    if (serial->rows != rect->height || serial->columns != rect->width) {
        serial->rows = rect->height;
        serial->columns = rect->width;
        vterm_set_size(serial->vterm, serial->rows, serial->columns);
    }
    for (at.row = 0; at.row < serial->rows; at.row++) {
        for (at.col = 0; at.col < serial->columns;) {
            bool cursor = serial->cursor_shown && !focused && at.row == serial->cursor.row &&
                          at.col == serial->cursor.col;

            at.col += draw_one(serial, term, rect, at, cursor);
        }
    }
    if (focused && serial->cursor_shown)
        draw_cursor(term, rect->x + serial->cursor.col, rect->y + serial->cursor.row);
}
