/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machines appear and vanish by one rename: a new one is made in ".new-NAME-XXXXXX", one that is
 * deleted is moved to ".old-NAME-XXXXXX" first. What a crash leaves under such a name is removed
 * when another machine is created, an hour later or more.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/paths.h"
#include "core/store.h"
#include "core/store_internal.h"
#include "core/text.h"

#define LEFTOVER_SECONDS 3600
#define SECTOR_BYTES 512

static bool sync_folder(const char *path, GError **err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;

    if (!done)
        vmdesk_error_from_errno(err, errno, NULL, "Cannot write the folder %s", path);
    if (fd >= 0)
        close(fd);
    return done;
}

/* Removes a folder that has only files in it. */
static bool remove_flat(const char *path, GError **err)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        unlink(file);
    }
    if (dir != NULL)
        g_dir_close(dir);
    if (rmdir(path) != 0)
        return vmdesk_error_from_errno(err, errno, "Remove it by hand", "Cannot remove %s", path);
    return true;
}

static void remove_leftovers(const char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        struct stat st;

        if ((g_str_has_prefix(name, ".new-") || g_str_has_prefix(name, ".old-")) &&
            lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
            st.st_mtime + LEFTOVER_SECONDS < time(NULL))
            remove_flat(path, NULL);
    }
    if (dir != NULL)
        g_dir_close(dir);
}

static char *make_temporary(const char *folder, const char *kind, const char *name, GError **err)
{
    g_autofree char *base = g_strdup_printf(".%s-%s-XXXXXX", kind, name);
    g_autofree char *path = g_build_filename(folder, base, NULL);

    if (g_mkdtemp(path) == NULL) {
        vmdesk_error_from_errno(err, errno, NULL, "Cannot create a folder in %s", folder);
        return NULL;
    }
    return g_steal_pointer(&path);
}

/* An empty disk: the file takes room as the guest writes to it. */
static bool create_disk(const struct store *store, const char *path, const char *name,
                        const char *format, uint64_t size, GError **err)
{
    bool done;
    int fd;

    if (size % SECTOR_BYTES != 0 || size > G_MAXINT64)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "A disk cannot have %" G_GUINT64_FORMAT " bytes: give a multiple of %d",
                           size, SECTOR_BYTES);
    if (strcmp(format, "raw") != 0) {
        if (store->make_disk != NULL)
            return store->make_disk(path, format, size, err);
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "A new disk cannot have the format %s here: use raw", format);
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    done = fd >= 0 && ftruncate(fd, size) == 0 && fsync(fd) == 0;
    if (!done)
        vmdesk_error_from_errno(err, errno, "Choose a smaller disk, or make room",
                                "Cannot create the disk %s of %" G_GUINT64_FORMAT " bytes", name,
                                size);
    if (fd >= 0)
        close(fd);
    return done;
}

static bool fill_folder(const struct store *store, const char *folder,
                        struct machine_config *config, const uint64_t *new_disk_sizes, GError **err)
{
    g_autofree char *text = NULL;

    for (unsigned i = 0; new_disk_sizes != NULL && i < MACHINE_MAX_DISKS; i++) {
        const char *format = config->disks[i].format;
        g_autofree char *name = g_strdup_printf("disk%u.%s", i, format);
        g_autofree char *path = g_build_filename(folder, name, NULL);

        if (new_disk_sizes[i] == 0)
            continue;
        if (!create_disk(store, path, name, format, new_disk_sizes[i], err))
            return false;
        g_free(config->disks[i].file);
        config->disks[i].file = g_steal_pointer(&name);
    }
    if (!machine_config_validate(config, err))
        return false;
    text = machine_config_format(config, NULL);
    return store_write_definition(folder, text, err) && sync_folder(folder, err);
}

static bool name_taken(const char *name, GError **err)
{
    return vmdesk_fail(err, VMDESK_ERROR_EXISTS,
                       "There is a machine \"%s\" already: choose another name", name);
}

bool store_create(struct store *store, struct machine_config *config,
                  const uint64_t *new_disk_sizes, GError **err)
{
    const char *folder = store_folder(store);
    g_autofree char *target = NULL;
    g_autofree char *temporary = NULL;

    if (!paths_check_name(config->name, err))
        return false;
    target = g_build_filename(folder, config->name, NULL);
    if (g_file_test(target, G_FILE_TEST_EXISTS))
        return name_taken(config->name, err);
    if (g_mkdir_with_parents(folder, 0700) != 0)
        return vmdesk_error_from_errno(err, errno, NULL, "Cannot create the folder %s", folder);
    remove_leftovers(folder);
    temporary = make_temporary(folder, "new", config->name, err);
    if (temporary == NULL)
        return false;
    if (!fill_folder(store, temporary, config, new_disk_sizes, err)) {
        remove_flat(temporary, NULL);
        return false;
    }
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, target, RENAME_NOREPLACE) != 0) {
        if (errno == EEXIST)
            name_taken(config->name, err);
        else
            vmdesk_error_from_errno(err, errno, NULL, "Cannot create the folder %s", target);
        remove_flat(temporary, NULL);
        return false;
    }
    return sync_folder(folder, err);
}

/* Whether a file in a machine's folder is the machine's own. config NULL: it is broken. */
static bool is_own_file(const struct machine_config *config, const char *name)
{
    static const char *const names[] = {PATHS_CONFIG, PATHS_LOCK, PATHS_LOG, PATHS_OLD_LOG,
                                        PATHS_FIRMWARE_VARIABLES};

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    /* What a write of the definition leaves when it is killed. */
    if (g_pattern_match_simple(PATHS_CONFIG ".??????", name))
        return true;
    for (unsigned i = 0; i < MACHINE_MAX_DISKS; i++) {
        g_autofree char *raw = g_strdup_printf("disk%u.raw", i);
        g_autofree char *qcow2 = g_strdup_printf("disk%u.qcow2", i);

        if (strcmp(name, raw) == 0 || strcmp(name, qcow2) == 0 ||
            (config != NULL && g_strcmp0(name, config->disks[i].file) == 0))
            return true;
    }
    return config != NULL && (g_strcmp0(name, config->serial_file) == 0 ||
                              g_strcmp0(name, config->debug_console_file) == 0);
}

static bool check_own_files(const struct store_machine *machine, GError **err)
{
    g_autoptr(GString) foreign = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    GDir *dir = g_dir_open(machine->folder, 0, &error);
    const char *name;

    if (dir == NULL)
        return store_fail(err, error, "Cannot read the machine's folder");
    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(machine->folder, name, NULL);
        g_autofree char *shown = text_sanitize(name, -1, false);
        struct stat st;

        if (lstat(path, &st) != 0 || S_ISDIR(st.st_mode) || !is_own_file(machine->config, name))
            g_string_append_printf(foreign, "%s%s", foreign->len > 0 ? ", " : "", shown);
    }
    g_dir_close(dir);
    if (foreign->len > 0)
        return vmdesk_fail(err, VMDESK_ERROR_EXISTS,
                           "The folder %s has files that are not the machine's (%s): move them "
                           "away first",
                           machine->folder, foreign->str);
    return true;
}

/* Under the machine's lock. */
static bool delete_locked(const char *store, const struct store_machine *machine, GError **err)
{
    g_autofree char *temporary = NULL;

    if (!check_own_files(machine, err))
        return false;
    temporary = make_temporary(store, "old", machine->name, err);
    if (temporary == NULL)
        return false;
    if (rename(machine->folder, temporary) != 0) {
        vmdesk_error_from_errno(err, errno, NULL, "Cannot remove %s", machine->folder);
        rmdir(temporary);
        return false;
    }
    return remove_flat(temporary, err) && sync_folder(store, err);
}

bool store_delete(struct store *store, const char *name, GError **err)
{
    struct store_machine *machine = store_load(store, name, err);
    struct machine_lock *lock = NULL;
    bool done = false;

    if (machine == NULL)
        return false;
    if (g_file_test(machine->folder, G_FILE_TEST_IS_SYMLINK))
        vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                    "%s is a symbolic link: delete the folder it points to by hand",
                    machine->folder);
    else
        lock = machine_lock_acquire(machine->folder, "", err);
    if (lock != NULL)
        done = delete_locked(store_folder(store), machine, err);
    machine_lock_release(lock);
    store_machine_free(machine);
    return done;
}
