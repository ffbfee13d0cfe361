/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <fcntl.h>
#include <glib-unix.h>
#include <langinfo.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "ui/tui/curses.h"
#include <term.h>

#include "core/error.h"
#include "ui/tui/keymap.h"
#include "ui/tui/term.h"

/* Reads that bring nothing although the terminal is readable, before it counts as gone. */
#define EMPTY_READS_MAX 50
/* An escape character starts a key's sequence for this long. */
#define ESCAPE_DELAY_MS 25

/* Mode 2026: the terminal shows everything between these two at once. */
static const char sync_begin[] = "\033[?2026h";
static const char sync_end[] = "\033[?2026l";

struct terminal {
    SCREEN *screen;
    struct theme theme;
    const struct term_handlers *handlers;
    void *opaque;
    GArray *sources; /* guint */
    int cursor_x, cursor_y;
    bool cursor_shown, cursor_wanted;
    bool gone;
    unsigned empty_reads;
};

/* For the handler of a crash, which may only use what is async-signal-safe. */
static struct {
    struct termios settings;
    int errors; /* where standard error led to before the screen was there; -1: it still does */
    char text[256];
    size_t size;
} crash;

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

/* What is logged would be written over the screen. */
static void divert_errors(void)
{
    int null = isatty(STDERR_FILENO) ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;

    crash.errors = null >= 0 ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;
    if (crash.errors >= 0)
        dup2(null, STDERR_FILENO);
    if (null >= 0)
        close(null);
}

static void restore_errors(void)
{
    if (crash.errors >= 0)
        dup2(crash.errors, STDERR_FILENO);
}

static void restore_and_die(int number)
{
    ssize_t written = write(STDOUT_FILENO, crash.text, crash.size);

    (void)written;
    tcsetattr(STDIN_FILENO, TCSANOW, &crash.settings);
    restore_errors();
    raise(number); /* SA_RESETHAND: the default action */
}

static void add_restore(const char *text)
{
    size_t length = text && text != (char *)-1 ? strlen(text) : 0;

    if (crash.size + length <= sizeof(crash.text)) {
        memcpy(crash.text + crash.size, text, length);
        crash.size += length;
    }
}

static void watch_crashes(void)
{
    struct sigaction action = {.sa_handler = restore_and_die, .sa_flags = (int)SA_RESETHAND};

    crash.size = 0;
    add_restore(sync_end);
    add_restore("\033[?1000l\033[?1006l");
    add_restore(tigetstr("sgr0"));
    add_restore(tigetstr("cnorm"));
    add_restore(tigetstr("rmcup"));
    for (size_t i = 0; i < G_N_ELEMENTS(crash_signals); i++)
        sigaction(crash_signals[i], &action, NULL);
}

static void forget_crashes(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(crash_signals); i++)
        signal(crash_signals[i], SIG_DFL);
}

static void end(struct terminal *term)
{
    if (!term->gone) {
        term->gone = true;
        term->handlers->gone(term->opaque);
    }
}

/*
 * Keys.
 */

static uint32_t key_from_curses(wint_t code)
{
    static const struct {
        int code;
        uint32_t key;
    } keys[] = {
        {KEY_UP, TUI_KEY_UP},
        {KEY_DOWN, TUI_KEY_DOWN},
        {KEY_LEFT, TUI_KEY_LEFT},
        {KEY_RIGHT, TUI_KEY_RIGHT},
        {KEY_HOME, TUI_KEY_HOME},
        {KEY_FIND, TUI_KEY_HOME},
        {KEY_END, TUI_KEY_END},
        {KEY_SELECT, TUI_KEY_END},
        {KEY_PPAGE, TUI_KEY_PAGE_UP},
        {KEY_NPAGE, TUI_KEY_PAGE_DOWN},
        {KEY_IC, TUI_KEY_INSERT},
        {KEY_DC, TUI_KEY_DELETE},
        {KEY_ENTER, TUI_KEY_ENTER},
        {KEY_BACKSPACE, TUI_KEY_BACKSPACE},
        {KEY_BTAB, TUI_KEY_TAB | KEY_SHIFT},
        {KEY_SR, TUI_KEY_UP | KEY_SHIFT},
        {KEY_SF, TUI_KEY_DOWN | KEY_SHIFT},
        {KEY_SLEFT, TUI_KEY_LEFT | KEY_SHIFT},
        {KEY_SRIGHT, TUI_KEY_RIGHT | KEY_SHIFT},
        {KEY_SHOME, TUI_KEY_HOME | KEY_SHIFT},
        {KEY_SEND, TUI_KEY_END | KEY_SHIFT},
        {KEY_SPREVIOUS, TUI_KEY_PAGE_UP | KEY_SHIFT},
        {KEY_SNEXT, TUI_KEY_PAGE_DOWN | KEY_SHIFT},
        {KEY_SIC, TUI_KEY_INSERT | KEY_SHIFT},
        {KEY_SDC, TUI_KEY_DELETE | KEY_SHIFT},
    };
    const char *name;

    if (code > KEY_F0 && code <= KEY_F(63))
        return key_from_function(code - KEY_F0);
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (keys[i].code == (int)code)
            return keys[i].key;
    }
    name = keyname((int)code);
    return name ? key_from_capability(name) : 0;
}

static uint32_t key_from_character(wint_t character)
{
    return character < 0x20 || character == 0x7f ? key_from_control((unsigned char)character)
                                                 : (uint32_t)character;
}

static void read_mouse(struct terminal *term)
{
    MEVENT event;
    enum mouse_button button;

    if (getmouse(&event) != OK)
        return;
    if (event.bstate & BUTTON4_PRESSED)
        button = MOUSE_WHEEL_UP;
    else if (event.bstate & BUTTON5_PRESSED)
        button = MOUSE_WHEEL_DOWN;
    else if (event.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED))
        button = MOUSE_LEFT;
    else
        return;
    term->handlers->mouse(event.x, event.y, button, term->opaque);
}

/* One event of the queue; false: there is none. */
static bool read_event(struct terminal *term)
{
    wint_t code;
    int kind = get_wch(&code);
    uint32_t key, alt = 0;

    if (kind == ERR)
        return false;
    if (kind == OK && code == 0x1b) {
        kind = get_wch(&code);
        if (kind == ERR) {
            kind = OK;
            code = 0x1b;
        } else {
            alt = KEY_ALT;
        }
    }
    if (kind == KEY_CODE_YES && code == KEY_MOUSE) {
        read_mouse(term);
        return true;
    }
    key = kind == KEY_CODE_YES ? key_from_curses(code) : key_from_character(code);
    if (key)
        term->handlers->key(key | alt, term->opaque);
    return true;
}

static gboolean input_ready(int descriptor, GIOCondition condition, gpointer opaque)
{
    struct terminal *term = opaque;
    bool any = false;

    while (!term->gone && read_event(term))
        any = true;
    term->empty_reads = any ? 0 : term->empty_reads + 1;
    if (condition & (G_IO_HUP | G_IO_ERR) || term->empty_reads > EMPTY_READS_MAX) {
        end(term);
        return G_SOURCE_REMOVE;
    }
    return G_SOURCE_CONTINUE;
}

static gboolean signal_ended_us(gpointer opaque)
{
    end(opaque);
    return G_SOURCE_CONTINUE;
}

static void take_size(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
        resize_term(size.ws_row, size.ws_col);
}

static gboolean size_changed(gpointer opaque)
{
    struct terminal *term = opaque;

    take_size();
    term_repaint(term);
    term->handlers->resized(term->opaque);
    return G_SOURCE_CONTINUE;
}

/*
 * Life.
 */

static void set_up_colors(struct terminal *term, const struct term_options *options)
{
    bool utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    const char *no_color = getenv("NO_COLOR");
    bool plain = options->no_color || (no_color && *no_color);
    int colors = 0;

    if (!plain && has_colors()) {
        start_color();
        if (use_default_colors() == OK)
            colors = COLORS;
    }
    theme_init(&term->theme, colors, plain, options->ascii || !utf8);
}

static void add_source(struct terminal *term, guint source)
{
    g_array_append_val(term->sources, source);
}

/* newterm() would end the program for one that is not. ret_colors may be NULL. */
static bool terminal_type_is_known(const char *type, int *ret_colors)
{
    int status = 0;
    const char *move;

    if (setupterm(type, STDOUT_FILENO, &status) != OK)
        return false;
    move = tigetstr("cup");
    status = move && move != (char *)-1;
    if (ret_colors)
        *ret_colors = tigetnum("colors");
    del_curterm(cur_term);
    return status;
}

/* The variant of a type that takes 24-bit colours, where the terminal says that it does and the
 * system knows one: "xterm-direct" for "xterm-256color". NULL: none. Caller frees. */
static char *direct_color_type(const char *type)
{
    const char *says = getenv("COLORTERM");
    g_autofree char *direct = NULL;
    int colors = 0;

    if (!says || (strcmp(says, "truecolor") != 0 && strcmp(says, "24bit") != 0) ||
        !g_str_has_suffix(type, "-256color"))
        return NULL;
    direct = g_strdup_printf("%.*s-direct", (int)(strlen(type) - strlen("-256color")), type);
    return terminal_type_is_known(direct, &colors) && colors >= 1 << 24 ? g_steal_pointer(&direct)
                                                                        : NULL;
}

struct terminal *term_new(const struct term_options *options, const struct term_handlers *handlers,
                          void *opaque, GError **err)
{
    const char *type = getenv("TERM");
    g_autofree char *direct = NULL;
    struct terminal *term;

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                    "The interface needs a terminal as its input and output. Run vmdesk in a "
                    "terminal, or give it a command: vmdesk help names them.");
        return NULL;
    }
    if (!type || !terminal_type_is_known(type, NULL)) {
        vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                    "The terminal type \"%s\" (TERM) is not known, or too simple for the "
                    "interface. Set TERM to what you use, for example xterm-256color.",
                    type ? type : "");
        return NULL;
    }

    term = g_new0(struct terminal, 1);
    term->handlers = handlers;
    term->opaque = opaque;
    term->sources = g_array_new(FALSE, FALSE, sizeof(guint));
    tcgetattr(STDIN_FILENO, &crash.settings);
    use_env(FALSE);
    use_tioctl(TRUE);
    direct = direct_color_type(type);
    term->screen = newterm(direct ? direct : type, stdout, stdin);
    if (!term->screen) {
        vmdesk_fail(err, VMDESK_ERROR_INTERNAL, "The terminal could not be set up.");
        term_free(term);
        return NULL;
    }
    divert_errors();
    watch_crashes();
    set_escdelay(ESCAPE_DELAY_MS);
    raw();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    typeahead(-1); /* a frame is sent whole even when a key has come */
    curs_set(0);
    set_up_colors(term, options);
    if (!options->no_mouse) {
        mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
        mouseinterval(0);
    }

    add_source(term, g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP | G_IO_ERR, input_ready, term));
    add_source(term, g_unix_signal_add(SIGWINCH, size_changed, term));
    add_source(term, g_unix_signal_add(SIGHUP, signal_ended_us, term));
    add_source(term, g_unix_signal_add(SIGTERM, signal_ended_us, term));
    add_source(term, g_unix_signal_add(SIGINT, signal_ended_us, term));
    return term;
}

void term_free(struct terminal *term)
{
    if (!term)
        return;
    for (guint i = 0; i < term->sources->len; i++)
        g_source_remove(g_array_index(term->sources, guint, i));
    g_array_free(term->sources, TRUE);
    if (term->screen) {
        endwin();
        delscreen(term->screen);
        forget_crashes();
        restore_errors();
        if (crash.errors >= 0)
            close(crash.errors);
    }
    g_free(term);
}

void term_suspend(struct terminal *term)
{
    def_prog_mode();
    endwin();
    signal(SIGTSTP, SIG_DFL);
    kill(0, SIGTSTP); /* the whole job, as the terminal's own suspend key would */
    reset_prog_mode();
    take_size();
    term->cursor_shown = false;
    curs_set(0);
    term_repaint(term);
    term->handlers->resized(term->opaque);
}

int term_width(const struct terminal *term)
{
    return COLS;
}

int term_height(const struct terminal *term)
{
    return LINES;
}

const struct theme *term_theme(const struct terminal *term)
{
    return &term->theme;
}

void term_repaint(struct terminal *term)
{
    clearok(curscr, TRUE);
}

void term_begin(struct terminal *term)
{
    term->cursor_wanted = false;
    erase();
}

void term_want_cursor(struct terminal *term, int x, int y)
{
    term->cursor_wanted = true;
    term->cursor_x = x;
    term->cursor_y = y;
}

static void put_raw(const char *text)
{
    ssize_t written = write(STDOUT_FILENO, text, strlen(text));

    (void)written; /* a terminal that is gone is noticed at its input */
}

void term_end(struct terminal *term)
{
    if (term->gone)
        return;
    if (term->cursor_wanted)
        move(term->cursor_y, term->cursor_x);
    leaveok(stdscr, !term->cursor_wanted);
    wnoutrefresh(stdscr);
    put_raw(sync_begin);
    if (term->cursor_wanted != term->cursor_shown) {
        curs_set(term->cursor_wanted);
        term->cursor_shown = term->cursor_wanted;
    }
    doupdate();
    put_raw(sync_end);
}
