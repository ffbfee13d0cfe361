/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log tab: the end of engine.log, which it follows. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/paths.h"
#include "core/text.h"
#include "ui/tui/file_watch.h"
#include "ui/tui/tab.h"

#define LOG_MAX_BYTES (256 * 1024) /* of the file's end that can be scrolled through */
#define LOG_CHANGES_MS 100

struct log_view {
    struct tab tab;
    char *path; /* NULL: nothing is open */
    struct file_watch *watch;
    GPtrArray *lines; /* char *, fit for the terminal */
    char *error;
    int first, height;
    bool follow;
};

static void log_close(struct log_view *log)
{
    g_clear_pointer(&log->watch, file_watch_free);
    g_clear_pointer(&log->path, g_free);
    g_clear_pointer(&log->lines, g_ptr_array_unref);
    g_clear_pointer(&log->error, g_free);
}

/* The end of the file; NULL with errno. */
static char *read_end(const char *path, bool *ret_cut, gsize *ret_size)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat status;
    char *bytes = NULL;
    ssize_t size = -1;

    if (descriptor < 0)
        return NULL;
    if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
        *ret_cut = status.st_size > LOG_MAX_BYTES;
        bytes = g_malloc(LOG_MAX_BYTES);
        size =
            pread(descriptor, bytes, LOG_MAX_BYTES, *ret_cut ? status.st_size - LOG_MAX_BYTES : 0);
    }
    close(descriptor);
    if (size < 0)
        g_clear_pointer(&bytes, g_free);
    *ret_size = (gsize)MAX(size, 0);
    return bytes;
}

static void log_read(struct log_view *log)
{
    bool cut = false;
    gsize size = 0;
    g_autofree char *bytes = read_end(log->path, &cut, &size);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    g_clear_pointer(&log->lines, g_ptr_array_unref);
    g_clear_pointer(&log->error, g_free);
    log->lines = g_ptr_array_new_with_free_func(g_free);
    if (!bytes) {
        if (errno == ENOENT)
            log->error = g_strdup("The engine has written no log yet: start the machine.");
        else
            log->error = g_strdup_printf("The log cannot be read: %s.", g_strerror(errno));
        return;
    }
    text = text_sanitize(bytes, (gssize)size, true);
    lines = g_strsplit(g_strdelimit(text, "\t", ' '), "\n", -1);
    for (unsigned i = cut ? 1 : 0; lines[i]; i++) {
        if (lines[i + 1] || *lines[i])
            g_ptr_array_add(log->lines, g_strdup(lines[i]));
    }
}

static void file_changed(void *opaque)
{
    struct log_view *log = opaque;

    log_read(log);
    tui_redraw(log->tab.tui);
}

static void log_open(struct log_view *log, char *path)
{
    log_close(log);
    log->path = path;
    log->follow = true;
    log->watch = file_watch_new(path, LOG_CHANGES_MS, file_changed, log);
    log_read(log);
}

/* By the level, the third word: "DATE TIME LEVEL subsystem: text". */
static enum role line_role(const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 4);

    if (g_strv_length(words) < 4)
        return ROLE_NORMAL;
    if (strcmp(words[2], "error") == 0)
        return ROLE_ERROR;
    return strcmp(words[2], "warning") == 0 ? ROLE_WARNING : ROLE_NORMAL;
}

static void log_draw(struct tab *tab, struct vm *vm, const struct rect *rect, bool focused)
{
    struct log_view *log = (struct log_view *)tab;
    struct terminal *term = tui_term(tab->tui);
    char *path = g_build_filename(vm->disk->folder, PATHS_LOG, NULL);
    int count, last;

    if (g_strcmp0(path, log->path) != 0)
        log_open(log, path);
    else
        g_free(path);
    if (log->error) {
        draw_wrapped(term, rect, ROLE_DIM, log->error);
        return;
    }
    count = (int)log->lines->len;
    log->height = MAX(rect->height - 1, 1);
    last = MAX(count - log->height, 0);
    if (log->follow || log->first > last)
        log->first = last;
    for (int i = 0; i < log->height && log->first + i < count; i++) {
        const char *line = log->lines->pdata[log->first + i];

        draw_text(term, rect->x, rect->y + i, rect->width, line_role(line), line);
    }
    draw_format(term, rect->x, rect->y + rect->height - 1, rect->width, ROLE_DIM,
                "lines %d-%d of %d %s %s", MIN(log->first + 1, count),
                MIN(log->first + log->height, count), count,
                theme_glyph(term_theme(term), GLYPH_DOT), log->follow ? "following" : "G follows");
}

static void log_scroll(struct tab *tab, int lines)
{
    struct log_view *log = (struct log_view *)tab;
    int last = log->lines ? MAX((int)log->lines->len - log->height, 0) : 0;

    log->first = CLAMP(log->first + lines, 0, last);
    log->follow = log->first == last;
}

static bool log_key(struct tab *tab, struct vm *vm, uint32_t key)
{
    struct log_view *log = (struct log_view *)tab;

    switch (key) {
    case TUI_KEY_UP:
    case 'k':
        log_scroll(tab, -1);
        return true;
    case TUI_KEY_DOWN:
    case 'j':
        log_scroll(tab, 1);
        return true;
    case TUI_KEY_PAGE_UP:
        log_scroll(tab, -log->height);
        return true;
    case TUI_KEY_PAGE_DOWN:
    case ' ':
        log_scroll(tab, log->height);
        return true;
    case TUI_KEY_HOME:
    case 'g':
        log_scroll(tab, -log->first);
        return true;
    case TUI_KEY_END:
    case 'G':
        log->follow = true;
        return true;
    default:
        return false;
    }
}

static void log_hide(struct tab *tab)
{
    log_close((struct log_view *)tab);
}

static void log_free(struct tab *tab)
{
    log_hide(tab);
    g_free(tab);
}

static const struct tab_ops log_ops = {
    .title = "Log",
    .draw = log_draw,
    .key = log_key,
    .scroll = log_scroll,
    .hide = log_hide,
    .free = log_free,
};

struct tab *log_view_new(struct tui *tui)
{
    struct log_view *log = g_new0(struct log_view, 1);

    log->tab = (struct tab){&log_ops, tui};
    return &log->tab;
}
