/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "core/paths.h"
#include "core/store.h"
#include "core/text.h"

#define LOG_TAIL_BYTES 4096

struct launch {
    char *folder;
    int fd; /* where the engine reports */
    GString *report;
    GSource *source;
    launch_done_fn done;
    void *opaque;
};

char *launch_last_log_line(const char *folder)
{
    g_autofree char *path = g_build_filename(folder, PATHS_LOG, NULL);
    char tail[LOG_TAIL_BYTES + 1];
    struct stat st;
    ssize_t size = -1;
    char *line;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0)
        size = pread(fd, tail, LOG_TAIL_BYTES, MAX(0, st.st_size - LOG_TAIL_BYTES));
    close(fd);
    while (size > 0 && tail[size - 1] == '\n')
        size--;
    if (size <= 0)
        return NULL;
    tail[size] = '\0';
    line = memrchr(tail, '\n', size);
    line = line != NULL ? line + 1 : tail;
    return text_sanitize(line, tail + size - line, false);
}

static int open_log(const char *folder, GError **err)
{
    g_autofree char *path = g_build_filename(folder, PATHS_LOG, NULL);
    g_autofree char *old = g_build_filename(folder, PATHS_OLD_LOG, NULL);
    struct stat st;
    int fd;

    if (lstat(path, &st) == 0 && st.st_size > LAUNCH_MAX_LOG && rename(path, old) != 0) {
        vmdesk_error_from_errno(err, errno, NULL, "Cannot rename %s", path);
        return -1;
    }
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        vmdesk_error_from_errno(err, errno, NULL, "Cannot open the log %s", path);
    return fd;
}

/* What the new process needs, made before fork(): after it, only async-signal-safe calls. */
struct spawn {
    char *const *argv;
    int null_fd, log_fd, ready_fd;
    char exec_failed[256]; /* what to report then */
};

static void reset_signals(void)
{
    struct sigaction fallback = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        sigaction(i, &fallback, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the grandchild. Descriptors 0 to 2 may be among ours if the caller runs without them. */
static void become_engine(const struct spawn *spawn)
{
    int ready = fcntl(spawn->ready_fd, F_DUPFD, 3);
    int log = fcntl(spawn->log_fd, F_DUPFD, 3);
    int null = fcntl(spawn->null_fd, F_DUPFD, 3);

    if (ready >= 0 && log >= 0 && null >= 0 && dup2(ready, 3) == 3 && dup2(null, 0) == 0 &&
        dup2(log, 1) == 1 && dup2(log, 2) == 2 && chdir("/") == 0) {
        close_range(4, ~0U, 0);
        execv(spawn->argv[0], spawn->argv);
    }
    if (write(3, spawn->exec_failed, strlen(spawn->exec_failed)) < 0)
        _exit(126);
    _exit(127);
}

/* Forks twice, so that nobody has to wait for the engine. False with errno set. */
static bool spawn_detached(const struct spawn *spawn)
{
    sigset_t all, before;
    int status, errnum;
    pid_t pid;

    /* A handler of ours must not run in the child. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = fork();
    errnum = errno;
    if (pid == 0) {
        setsid();
        pid = fork();
        if (pid == 0) {
            reset_signals();
            become_engine(spawn);
        }
        _exit(pid < 0 ? errno & 0xff : 0);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0) {
        errno = errnum;
        return false;
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return true; /* somebody reaps all children: the pipe tells */
    }
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
    return errno == 0;
}

/* Starts the engine; the read end of its pipe, or -1. */
static int start_engine(const char *folder, GError **err)
{
    g_autofree char *engine = paths_engine(err);
    g_autofree char *absolute = g_canonicalize_filename(folder, NULL);
    g_autofree char *name = g_path_get_basename(absolute);
    char *argv[] = {engine, (char *)"--ready-fd=3", absolute, NULL};
    struct spawn spawn = {.argv = argv, .null_fd = -1, .log_fd = -1};
    int ends[2] = {-1, -1};
    bool done = false;
    pid_t pid;

    if (engine == NULL)
        return -1;
    if (machine_lock_query(folder, &pid, NULL)) {
        vmdesk_fail(err, VMDESK_ERROR_BUSY, "The machine %s is running already (process %d)", name,
                    (int)pid);
        return -1;
    }
    spawn.log_fd = open_log(folder, err);
    if (spawn.log_fd < 0)
        return -1;
    spawn.null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (spawn.null_fd >= 0 && pipe2(ends, O_CLOEXEC) == 0) {
        spawn.ready_fd = ends[1];
        snprintf(spawn.exec_failed, sizeof(spawn.exec_failed),
                 "ERROR The engine %.200s could not be executed\n", engine);
        done = spawn_detached(&spawn);
    }
    if (!done)
        vmdesk_error_from_errno(err, errno, "Close other programs and try again",
                                "Cannot start the engine of %s", name);
    close(spawn.log_fd);
    if (spawn.null_fd >= 0)
        close(spawn.null_fd);
    if (ends[1] >= 0)
        close(ends[1]);
    if (!done && ends[0] >= 0)
        close(ends[0]);
    return done ? ends[0] : -1;
}

static bool is_error(const struct launch *launch)
{
    return g_str_has_prefix(launch->report->str, "ERROR ");
}

/* Reads what is there. True when the report is complete. */
static bool read_report(struct launch *launch)
{
    char buffer[1024];
    ssize_t size = read(launch->fd, buffer, sizeof(buffer));

    if (size < 0)
        return errno != EAGAIN && errno != EINTR;
    g_string_append_len(launch->report, buffer, size);
    return size == 0 || launch->report->len > LAUNCH_MAX_REPORT ||
           (memchr(buffer, '\n', size) != NULL && !is_error(launch));
}

static bool judge_report(const struct launch *launch, GError **err)
{
    g_autofree char *name = g_path_get_basename(launch->folder);
    g_autofree char *text = NULL;

    if (g_str_has_prefix(launch->report->str, "READY\n"))
        return true;
    if (is_error(launch)) {
        text = text_sanitize(launch->report->str + strlen("ERROR "), -1, true);
        return vmdesk_fail(err, VMDESK_ERROR_INVALID, "%s", g_strchomp(text));
    }
    text = launch_last_log_line(launch->folder);
    return vmdesk_fail(err, VMDESK_ERROR_GONE,
                       "The engine of %s ended before the machine was ready; the last line of its "
                       "log (\"vmdesk log %s\"): %s",
                       name, name, text != NULL ? text : "(empty)");
}

static void stop_watching(struct launch *launch)
{
    if (launch->source == NULL)
        return;
    g_source_destroy(launch->source);
    g_source_unref(launch->source);
    launch->source = NULL;
}

static gboolean report_ready(gint fd, GIOCondition condition, gpointer opaque)
{
    struct launch *launch = opaque;
    g_autoptr(GError) error = NULL;

    if (!read_report(launch))
        return G_SOURCE_CONTINUE;
    stop_watching(launch);
    judge_report(launch, &error);
    launch->done(launch->opaque, error); /* may free launch */
    return G_SOURCE_REMOVE;
}

static struct launch *launch_new(const char *folder, GError **err)
{
    struct launch *launch;
    int fd = start_engine(folder, err);

    if (fd < 0)
        return NULL;
    g_unix_set_fd_nonblocking(fd, TRUE, NULL);
    launch = g_new0(struct launch, 1);
    launch->folder = g_strdup(folder);
    launch->fd = fd;
    launch->report = g_string_new(NULL);
    return launch;
}

struct launch *launch_start(const char *folder, GMainContext *context, launch_done_fn done,
                            void *opaque, GError **err)
{
    struct launch *launch = launch_new(folder, err);

    if (launch == NULL)
        return NULL;
    launch->done = done;
    launch->opaque = opaque;
    launch->source = g_unix_fd_source_new(launch->fd, G_IO_IN | G_IO_HUP);
    g_source_set_callback(launch->source, G_SOURCE_FUNC(report_ready), launch, NULL);
    g_source_attach(launch->source, context);
    return launch;
}

void launch_free(struct launch *launch)
{
    if (launch == NULL)
        return;
    stop_watching(launch);
    close(launch->fd);
    g_string_free(launch->report, TRUE);
    g_free(launch->folder);
    g_free(launch);
}

bool launch_and_wait(const char *folder, int timeout_ms, GError **err)
{
    struct launch *launch = launch_new(folder, err);
    gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    bool done = false;

    if (launch == NULL)
        return false;
    for (;;) {
        gint64 left = deadline - g_get_monotonic_time();
        GPollFD poll = {.fd = launch->fd, .events = G_IO_IN};

        if (left <= 0) {
            g_autofree char *name = g_path_get_basename(folder);
            vmdesk_fail(err, VMDESK_ERROR_TIMEOUT,
                        "The engine of %s is not ready after %d s: look at \"vmdesk log %s\"", name,
                        timeout_ms / 1000, name);
            break;
        }
        if (g_poll(&poll, 1, left / 1000 + 1) > 0 && read_report(launch)) {
            done = judge_report(launch, err);
            break;
        }
    }
    launch_free(launch);
    return done;
}
