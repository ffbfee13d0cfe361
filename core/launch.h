/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting the engine of a machine.
 *
 * What the engine gets:
 *
 *   vmdesk-engine --ready-fd=N MACHINE-FOLDER
 *
 * It runs in a session of its own, in "/", as nobody's child but init's, with stdin from /dev/null,
 * stdout and stderr appended to the machine's engine.log, default signal dispositions, no blocked
 * signals, the caller's environment, and no other descriptor than N, the write end of a pipe. On N
 * it writes one of these and closes it:
 *
 *   READY\n        the control socket takes connections; the guest is running or paused as told
 *   ERROR text\n   it cannot run the machine: text, up to the end of file, is what the user is
 * told; it has freed the machine's lock and exits
 *
 * End of file without either means that it died. The engine takes the machine's lock itself
 * (machine_lock_acquire()) before it touches anything else in the folder.
 */
#ifndef CORE_LAUNCH_H
#define CORE_LAUNCH_H

#include <glib.h>
#include <stdbool.h>

#define LAUNCH_MAX_LOG (4 * 1024 * 1024) /* a longer engine.log becomes engine.log.1 first */
#define LAUNCH_MAX_REPORT 8192           /* bytes of what the engine reports */

/* error NULL: the engine is ready. Called once, never from inside launch_start(). error belongs
 * to the caller of the callback. */
typedef void (*launch_done_fn)(void *opaque, const GError *error);

struct launch;

/* Starts the engine and watches it on context (NULL: the default one). Fails at once, without a
 * callback, when the machine runs already (VMDESK_ERROR_BUSY), when there is no engine to run, or
 * when the system has no process or descriptor left. There is no time limit here: use
 * launch_free() when you stop waiting. */
struct launch *launch_start(const char *folder, GMainContext *context, launch_done_fn done,
                            void *opaque, GError **err);
/* Stops watching: no callback comes any more, the engine goes on. Must be called once, in the
 * callback or later or instead. NULL is fine. */
void launch_free(struct launch *launch);

/* Starts the engine and waits until it is ready, at most timeout_ms (VMDESK_ERROR_TIMEOUT: it may
 * still come up). */
bool launch_and_wait(const char *folder, int timeout_ms, GError **err);

/* The last line of the machine's engine.log, sanitized; NULL when there is none. Caller frees. */
char *launch_last_log_line(const char *folder);

#endif
