/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log: one line an event, "TIME LEVEL subsystem: text", to stderr (the engine's stderr is the
 * machine's log file). Any thread may call; a line is written by one write(2).
 *
 * Debug lines appear for the subsystems that VMDESK_DEBUG names ("ahci,vnc" or "all").
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <glib.h>
#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_line(enum log_level level, const char *subsystem, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
bool log_debug_enabled(const char *subsystem);

#define log_error(subsystem, ...) log_line(LOG_LEVEL_ERROR, subsystem, __VA_ARGS__)
#define log_warning(subsystem, ...) log_line(LOG_LEVEL_WARNING, subsystem, __VA_ARGS__)
#define log_info(subsystem, ...) log_line(LOG_LEVEL_INFO, subsystem, __VA_ARGS__)
#define log_debug(subsystem, ...)                              \
    do {                                                       \
        if (log_debug_enabled(subsystem))                      \
            log_line(LOG_LEVEL_DEBUG, subsystem, __VA_ARGS__); \
    } while (0)

/* For what a guest, a viewer or a peer can trigger at will: at most ten lines a second of each
 * subsystem reach the log, as info; the first line after a gap says how many were left out. */
void log_guest(const char *subsystem, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
