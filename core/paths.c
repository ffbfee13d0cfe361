/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/config.h"
#include "core/error.h"
#include "core/text.h"

bool paths_check_name(const char *name, GError **err)
{
    size_t len = strlen(name);

    if (len == 0)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID, "A machine needs a name: give one");
    if (len > MACHINE_NAME_MAX)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The machine's name is %zu bytes long: use at most %d", len,
                           MACHINE_NAME_MAX);
    if (!g_ascii_isalnum(name[0])) {
        g_autofree char *shown = text_sanitize(name, -1, false);
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "\"%s\" cannot name a machine: start with a letter or a digit", shown);
    }
    for (const char *p = name; *p != '\0'; p++) {
        if (!g_ascii_isalnum(*p) && strchr("._-", *p) == NULL) {
            g_autofree char *shown = text_sanitize(name, -1, false);
            return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                               "\"%s\" cannot name a machine: use only the letters a to z, digits, "
                               "\".\", \"_\" and \"-\"",
                               shown);
        }
    }
    return true;
}

char *paths_machines(void)
{
    const char *data = g_getenv("XDG_DATA_HOME");
    const char *home = g_getenv("HOME");

    /* The XDG specification has relative paths ignored. */
    if (data != NULL && g_path_is_absolute(data))
        return g_build_filename(data, "vmdesk", "machines", NULL);
    if (home == NULL || !g_path_is_absolute(home))
        home = g_get_home_dir();
    return g_build_filename(home, ".local", "share", "vmdesk", "machines", NULL);
}

char *paths_socket(const char *runtime_folder, const char *socket, GError **err)
{
    struct sockaddr_un address;
    g_autofree char *path = g_build_filename(runtime_folder, socket, NULL);

    if (strlen(path) >= sizeof(address.sun_path)) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "The path of the socket %s is too long, %zu bytes of at most %zu: set "
                    "XDG_RUNTIME_DIR to a shorter folder, or give the machine a shorter name",
                    path, strlen(path), sizeof(address.sun_path) - 1);
        return NULL;
    }
    return g_steal_pointer(&path);
}

char *paths_shared_runtime(void)
{
    const char *runtime = g_getenv("XDG_RUNTIME_DIR");

    if (runtime != NULL && g_path_is_absolute(runtime))
        return g_build_filename(runtime, "vmdesk", NULL);
    return g_strdup_printf("/tmp/vmdesk-%u", (unsigned)geteuid());
}

char *paths_runtime(const char *name, GError **err)
{
    g_autofree char *base = paths_shared_runtime();
    g_autofree char *folder = NULL;
    g_autofree char *longest = NULL;

    if (!paths_check_name(name, err))
        return NULL;
    folder = g_build_filename(base, name, NULL);
    longest = paths_socket(folder, PATHS_CONTROL_SOCKET, err);
    return longest != NULL ? g_steal_pointer(&folder) : NULL;
}

/* Opens a folder that must be ours alone, relative to parent_fd, making it when it is missing. */
static int open_private_folder(int parent_fd, const char *name, const char *path, GError **err)
{
    struct stat st;
    int fd;

    if (mkdirat(parent_fd, name, 0700) != 0 && errno != EEXIST) {
        vmdesk_error_from_errno(err, errno, "Set XDG_RUNTIME_DIR to a folder of yours",
                                "Cannot create the folder %s", path);
        return -1;
    }
    fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        vmdesk_error_from_errno(err, errno, "Something else is in its place: remove it",
                                "Cannot open the folder %s", path);
        return -1;
    }
    if (fstat(fd, &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
        vmdesk_fail(err, VMDESK_ERROR_PERMISSION,
                    "The folder %s is not yours alone (owner %u, mode %03o): remove it, or set "
                    "XDG_RUNTIME_DIR to a folder of yours",
                    path, (unsigned)st.st_uid, (unsigned)st.st_mode & 0777);
        close(fd);
        return -1;
    }
    return fd;
}

bool paths_create_runtime(const char *runtime_folder, GError **err)
{
    g_autofree char *parent = g_path_get_dirname(runtime_folder);
    g_autofree char *name = g_path_get_basename(runtime_folder);
    int parent_fd, fd;

    /* The second is opened relative to the first, so nobody can swap the parent between them. */
    parent_fd = open_private_folder(AT_FDCWD, parent, parent, err);
    if (parent_fd < 0)
        return false;
    fd = open_private_folder(parent_fd, name, runtime_folder, err);
    close(parent_fd);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static char *find_program(const char *variable, const char *what, const char *name, GError **err)
{
    const char *override = g_getenv(variable);
    g_autofree char *self = NULL;
    g_autofree char *folder = NULL;
    g_autofree char *program = NULL;

    if (override != NULL && override[0] != '\0') {
        program = g_strdup(override);
    } else {
        self = g_file_read_link("/proc/self/exe", NULL);
        folder = self != NULL ? g_path_get_dirname(self) : g_strdup("/");
        program = g_build_filename(folder, name, NULL);
        if (access(program, X_OK) != 0) {
            g_free(program);
            program = g_build_filename(VMDESK_LIBEXECDIR, name, NULL);
        }
    }
    if (access(program, X_OK) != 0) {
        g_autofree char *hint =
            g_strdup_printf("Reinstall vmdesk, or set %s to the program", variable);

        vmdesk_error_from_errno(err, errno, hint, "Cannot run the %s %s", what, program);
        return NULL;
    }
    return g_steal_pointer(&program);
}

char *paths_engine(GError **err)
{
    return find_program("VMDESK_ENGINE", "engine", "vmdesk-engine", err);
}

char *paths_usb_broker(GError **err)
{
    return find_program("VMDESK_USB_BROKER", "USB broker", "vmdesk-usb-broker", err);
}
