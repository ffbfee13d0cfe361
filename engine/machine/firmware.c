/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/machine/firmware.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "engine/machine/read_file.h"

#define VARS_COPY "ovmf-vars.fd"

static const struct {
    const char *name;
    const char *package;
    const char *folder;
    gsize min_size, max_size;
} files[] = {
    [FIRMWARE_FILE_BIOS] = {"bios-256k.bin", "seabios", "/usr/share/seabios", FIRMWARE_BIOS_SIZE,
                            FIRMWARE_BIOS_SIZE},
    [FIRMWARE_FILE_VGABIOS] = {"vgabios-stdvga.bin", "seabios", "/usr/share/seabios", 512,
                               FIRMWARE_VGABIOS_MAX_SIZE},
    [FIRMWARE_FILE_OVMF_CODE] = {"OVMF_CODE_4M.fd", "ovmf", "/usr/share/OVMF",
                                 FIRMWARE_OVMF_CODE_SIZE, FIRMWARE_OVMF_CODE_SIZE},
    [FIRMWARE_FILE_OVMF_VARS] = {"OVMF_VARS_4M.fd", "ovmf", "/usr/share/OVMF",
                                 FIRMWARE_OVMF_VARS_SIZE, FIRMWARE_OVMF_VARS_SIZE},
};

/* The first place that has the file; NULL: none. */
static char *find_file(enum firmware_file file)
{
    const char *path = g_getenv("VMDESK_FIRMWARE_PATH");
    g_auto(GStrv) folders = g_strsplit(path != NULL ? path : files[file].folder, ":", -1);

    for (unsigned i = 0; folders[i] != NULL; i++) {
        g_autofree char *candidate = g_build_filename(folders[i], files[file].name, NULL);

        if (*folders[i] != '\0' && g_file_test(candidate, G_FILE_TEST_EXISTS))
            return g_steal_pointer(&candidate);
    }
    return NULL;
}

GBytes *firmware_load(enum firmware_file file, GError **err)
{
    g_autofree char *path = find_file(file);

    if (path == NULL) {
        vmdesk_fail(err, VMDESK_ERROR_MISSING,
                    "The firmware file %s/%s is missing. Install the package %s: "
                    "sudo apt-get install %s",
                    files[file].folder, files[file].name, files[file].package, files[file].package);
        return NULL;
    }
    return map_file(path, files[file].min_size, files[file].max_size, "The firmware file", NULL,
                    err);
}

/* True when path is a file that can hold the variables. */
static bool check_vars(const char *path, GError **err)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        return vmdesk_error_from_errno(err, errno, NULL, "The firmware's variables %s", path);
    bool failed = fstat(fd, &st) < 0;
    close(fd);
    if (failed || !S_ISREG(st.st_mode) || st.st_size != FIRMWARE_OVMF_VARS_SIZE)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The firmware's variables %s must be a file of %d bytes. Delete it: the "
                           "next start makes a new one, with default settings.",
                           path, FIRMWARE_OVMF_VARS_SIZE);
    return true;
}

char *firmware_ovmf_vars(const char *folder, GError **err)
{
    g_autofree char *path = g_build_filename(folder, VARS_COPY, NULL);
    GError *write_error = NULL;

    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_autoptr(GBytes) shipped = firmware_load(FIRMWARE_FILE_OVMF_VARS, err);

        if (shipped == NULL)
            return NULL;
        if (!g_file_set_contents_full(path, g_bytes_get_data(shipped, NULL),
                                      g_bytes_get_size(shipped),
                                      G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                      0600, &write_error)) {
            vmdesk_fail(err, VMDESK_ERROR_IO,
                        "The firmware's variables cannot be written: %s. Check the machine's "
                        "folder and the space on its disk.",
                        write_error->message);
            g_error_free(write_error);
            return NULL;
        }
    }
    return check_vars(path, err) ? g_steal_pointer(&path) : NULL;
}
