/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ui/disk_verbs.h"

#define DRAW_USEC (100 * 1000)
#define DEFAULT_COLUMNS 80
#define BAR_COLUMNS 40
#define AROUND_BAR 12 /* " [", "] 100 %" and a free column */

static const int stopping[] = {SIGINT, SIGTERM, SIGHUP};

struct disk_progress {
    struct image_progress progress;
    const char *what;
    bool terminal, drawn;
    gint64 drawn_at;
    struct sigaction before[G_N_ELEMENTS(stopping)];
};

/* Signals have no other way in. */
static volatile sig_atomic_t stopped;

static void stop(int number)
{
    stopped = 1;
}

static void draw(struct disk_progress *progress, uint64_t done, uint64_t total)
{
    double part = total > 0 ? (double)done / total : 0;
    struct winsize size = {.ws_col = 0};
    int columns, bar;

    ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
    columns = size.ws_col > 0 ? size.ws_col : DEFAULT_COLUMNS;
    bar = CLAMP(columns - (int)g_utf8_strlen(progress->what, -1) - AROUND_BAR, 0, BAR_COLUMNS);
    fprintf(stderr, "\r%s [", progress->what);
    for (int i = 0; i < bar; i++)
        fputc(i < part * bar ? '#' : ' ', stderr);
    fprintf(stderr, "] %3.0f %%", part * 100);
    fflush(stderr);
    progress->drawn = true;
}

static bool step(void *opaque, uint64_t done, uint64_t total)
{
    struct disk_progress *progress = opaque;
    gint64 now = g_get_monotonic_time();

    if (progress->terminal && now - progress->drawn_at >= DRAW_USEC) {
        draw(progress, done, total);
        progress->drawn_at = now;
    }
    return !stopped;
}

struct disk_progress *disk_progress_new(const char *what)
{
    struct disk_progress *progress = g_new0(struct disk_progress, 1);
    /* The second one kills, should the work not come to look. */
    struct sigaction action = {.sa_handler = stop, .sa_flags = (int)SA_RESETHAND};

    progress->progress = (struct image_progress){step, progress};
    progress->what = what;
    progress->terminal = isatty(STDERR_FILENO);
    /* Work that ends at once shows nothing. */
    progress->drawn_at = g_get_monotonic_time();
    stopped = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(stopping); i++)
        sigaction(stopping[i], &action, &progress->before[i]);
    return progress;
}

const struct image_progress *disk_progress_of(struct disk_progress *progress)
{
    return &progress->progress;
}

void disk_progress_free(struct disk_progress *progress)
{
    for (size_t i = 0; i < G_N_ELEMENTS(stopping); i++)
        sigaction(stopping[i], &progress->before[i], NULL);
    if (progress->drawn)
        fputs("\r\033[K", stderr);
    g_free(progress);
}
