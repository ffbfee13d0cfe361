/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/paths.h"
#include "core/store.h"

#define LOCK_MAX_BYTES 4096

struct machine_lock {
    int fd;
};

/* An exclusive lock on the whole file. */
static struct flock whole_file(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

/* A new descriptor each time: closing it tells watchers that the contents changed, while the one
 * that holds the lock stays open. */
static bool write_holder(const char *path, const char *text, GError **err)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (!done)
        vmdesk_error_from_errno(err, errno, NULL, "Cannot write %s", path);
    if (fd >= 0)
        close(fd);
    return done;
}

/* Opens and locks; *ret_moved: the file was replaced meanwhile, try again. */
static int open_locked(const char *folder, const char *path, bool *ret_moved, GError **err)
{
    struct flock lock = whole_file();
    struct stat by_fd, by_path;
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    *ret_moved = false;
    if (fd < 0) {
        vmdesk_error_from_errno(err, errno, NULL, "Cannot open the lock %s", path);
        return -1;
    }
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        int errnum = errno;
        g_autofree char *name = g_path_get_basename(folder);
        pid_t pid;

        close(fd);
        if (errnum != EAGAIN && errnum != EACCES) {
            vmdesk_error_from_errno(err, errnum, "Keep machines on a local file system",
                                    "Cannot lock %s", path);
        } else if (machine_lock_query(folder, &pid, NULL) && pid > 0) {
            vmdesk_fail(err, VMDESK_ERROR_BUSY,
                        "The machine %s is running already (process %d): stop it first", name,
                        (int)pid);
        } else {
            vmdesk_fail(err, VMDESK_ERROR_BUSY, "The machine %s is in use already: stop it first",
                        name);
        }
        return -1;
    }
    if (fstat(fd, &by_fd) != 0 || stat(path, &by_path) != 0 || by_fd.st_ino != by_path.st_ino ||
        by_fd.st_dev != by_path.st_dev) {
        close(fd);
        *ret_moved = true;
        return -1;
    }
    return fd;
}

struct machine_lock *machine_lock_acquire(const char *folder, const char *runtime_folder,
                                          GError **err)
{
    g_autofree char *path = g_build_filename(folder, PATHS_LOCK, NULL);
    g_autofree char *text = g_strdup_printf("%d\n%s\n", (int)getpid(), runtime_folder);
    struct machine_lock *lock;
    bool moved;
    int fd;

    do {
        fd = open_locked(folder, path, &moved, err);
    } while (moved);
    if (fd < 0)
        return NULL;
    if (!write_holder(path, text, err)) {
        close(fd);
        return NULL;
    }
    lock = g_new(struct machine_lock, 1);
    lock->fd = fd;
    return lock;
}

void machine_lock_release(struct machine_lock *lock)
{
    if (lock == NULL)
        return;
    close(lock->fd);
    g_free(lock);
}

/* "PID\nRUNTIME-FOLDER\n"; a holder that has just begun may not have written it. */
static void parse_holder(const char *text, pid_t *ret_pid, char **ret_runtime_folder)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", 3);
    gint64 pid;

    if (g_strv_length(lines) != 3)
        return;
    if (ret_pid != NULL && g_ascii_string_to_signed(lines[0], 10, 1, G_MAXINT, &pid, NULL))
        *ret_pid = pid;
    if (ret_runtime_folder != NULL && g_path_is_absolute(lines[1]))
        *ret_runtime_folder = g_strdup(lines[1]);
}

bool machine_lock_query(const char *folder, pid_t *ret_pid, char **ret_runtime_folder)
{
    g_autofree char *path = g_build_filename(folder, PATHS_LOCK, NULL);
    struct flock lock = whole_file();
    char text[LOCK_MAX_BYTES + 1];
    ssize_t size;
    bool held;
    int fd;

    if (ret_pid != NULL)
        *ret_pid = 0;
    if (ret_runtime_folder != NULL)
        *ret_runtime_folder = NULL;
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (held && (size = read(fd, text, LOCK_MAX_BYTES)) > 0) {
        text[size] = '\0';
        parse_holder(text, ret_pid, ret_runtime_folder);
    }
    close(fd);
    return held;
}
