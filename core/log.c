/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define GUEST_LINES_PER_SECOND 10
#define GUEST_SUBSYSTEMS 32

static const char *const level_names[] = {"error", "warning", "info", "debug"};

/* The budget of one subsystem's guest-triggered lines. */
struct guest_budget {
    char subsystem[16];
    gint64 window_start_us;
    unsigned written, dropped;
};

static GMutex guest_lock;
static struct guest_budget guest_budgets[GUEST_SUBSYSTEMS];

bool log_debug_enabled(const char *subsystem)
{
    static const char *setting;
    static gsize once;
    size_t len = strlen(subsystem);

    if (g_once_init_enter(&once)) {
        setting = g_getenv("VMDESK_DEBUG");
        g_once_init_leave(&once, 1);
    }
    if (setting == NULL)
        return false;
    for (const char *p = setting; *p != '\0';) {
        size_t n = strcspn(p, ",");
        if ((n == 3 && strncmp(p, "all", 3) == 0) || (n == len && strncmp(p, subsystem, len) == 0))
            return true;
        p += n + (p[n] == ',');
    }
    return false;
}

static void write_line(enum log_level level, const char *subsystem, const char *format, va_list ap)
{
    char line[LINE_MAX_BYTES];
    struct timespec now;
    struct tm tm;
    size_t len;

    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &tm);
    len = strftime(line, sizeof(line), "%Y-%m-%d %H:%M:%S", &tm);
    len += snprintf(line + len, sizeof(line) - len, ".%03ld %s %.15s: ", now.tv_nsec / 1000000,
                    level_names[level], subsystem);
    vsnprintf(line + len, sizeof(line) - len - 1, format, ap);
    /* A peer's text must not forge a line of its own, nor reach a terminal as an escape. */
    for (char *p = line + len; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    }
    len = strlen(line);
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0) {
        /* Nowhere is left to say it. */
    }
}

void log_line(enum log_level level, const char *subsystem, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    write_line(level, subsystem, format, ap);
    va_end(ap);
}

/* Whether one more line may be written now; *ret_dropped counts those left out before it. */
static bool guest_line_allowed(const char *subsystem, unsigned *ret_dropped)
{
    struct guest_budget *b = NULL;
    gint64 now = g_get_monotonic_time();
    bool allowed;

    *ret_dropped = 0;
    g_mutex_lock(&guest_lock);
    for (unsigned i = 0; i < GUEST_SUBSYSTEMS && b == NULL; i++) {
        struct guest_budget *slot = &guest_budgets[i];

        if (slot->subsystem[0] == '\0')
            g_strlcpy(slot->subsystem, subsystem, sizeof(slot->subsystem));
        if (strncmp(slot->subsystem, subsystem, sizeof(slot->subsystem) - 1) == 0)
            b = slot;
    }
    if (b == NULL)
        b = &guest_budgets[GUEST_SUBSYSTEMS - 1];
    if (now - b->window_start_us >= G_USEC_PER_SEC) {
        *ret_dropped = b->dropped;
        b->window_start_us = now;
        b->written = b->dropped = 0;
    }
    allowed = b->written < GUEST_LINES_PER_SECOND;
    if (allowed)
        b->written++;
    else
        b->dropped++;
    g_mutex_unlock(&guest_lock);
    return allowed;
}

void log_guest(const char *subsystem, const char *format, ...)
{
    unsigned dropped;
    va_list ap;

    if (!guest_line_allowed(subsystem, &dropped))
        return;
    if (dropped > 0)
        log_line(LOG_LEVEL_INFO, subsystem, "%u similar lines left out", dropped);
    va_start(ap, format);
    write_line(LOG_LEVEL_INFO, subsystem, format, ap);
    va_end(ap);
}
