/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/disk_place.h"

#include <string.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/paths.h"
#include "ui/remote.h"

/* The machine's name of "MACHINE:DISK"; NULL: a file. Caller frees. */
static char *machine_of(const char *argument)
{
    const char *colon = strchr(argument, ':');
    g_autofree char *name = colon != NULL ? g_strndup(argument, colon - argument) : NULL;

    if (name == NULL || strchr(argument, '/') != NULL || !paths_check_name(name, NULL) ||
        g_file_test(argument, G_FILE_TEST_EXISTS))
        return NULL;
    return g_steal_pointer(&name);
}

static bool find_disk(const struct store_machine *machine, const char *disk, unsigned *ret_index,
                      GError **err)
{
    g_autoptr(GString) known = g_string_new(NULL);

    for (unsigned i = 0; i < MACHINE_MAX_DISKS; i++) {
        const char *file = machine->config->disks[i].file;
        g_autofree char *device = g_strdup_printf("disk%u", i);

        if (file == NULL)
            continue;
        *ret_index = i;
        if (strcmp(disk, device) == 0 || strcmp(disk, file) == 0)
            return true;
        g_string_append_printf(known, "%s%s", known->len > 0 ? ", " : "", device);
    }
    return vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                       "The machine %s has no disk \"%s\": it has %s. A file of that name would be "
                       "\"./%s:%s\".",
                       machine->name, disk, known->len > 0 ? known->str : "none", machine->name,
                       disk);
}

bool disk_place_find(struct store *store, const char *argument, struct disk_place *ret_place,
                     GError **err)
{
    g_autofree char *name = machine_of(argument);
    struct disk_place place = {.machine = NULL};
    struct store_machine *machine;
    unsigned index = 0;
    bool found;

    if (name == NULL) {
        *ret_place = (struct disk_place){.path = g_strdup(argument)};
        return true;
    }
    machine = store_load_valid(store, name, err);
    if (machine == NULL)
        return false;
    found = find_disk(machine, argument + strlen(name) + 1, &index, err);
    if (found && machine->running) {
        place.socket = remote_socket(machine, err);
        found = place.socket != NULL;
    }
    if (found) {
        const struct config_disk *disk = &machine->config->disks[index];

        place.path = machine_config_resolve(machine->folder, disk->file);
        place.format = g_strdup(disk->format != NULL ? disk->format : "raw");
        place.machine = g_steal_pointer(&name);
        place.device = g_strdup_printf("disk%u", index);
        *ret_place = place;
    }
    store_machine_free(machine);
    return found;
}

void disk_place_clear(struct disk_place *place)
{
    g_free(place->path);
    g_free(place->format);
    g_free(place->machine);
    g_free(place->device);
    g_free(place->socket);
    *place = (struct disk_place){.path = NULL};
}

/* Which of a disk's chain of images the file is; -1: none. */
static int place_in_chain(const json_t *images, const struct stat *file)
{
    json_t *image;
    size_t i;

    json_array_foreach((json_t *)images, i, image)
    {
        struct stat other;

        if (stat(remote_string(image, "filename"), &other) == 0 && other.st_dev == file->st_dev &&
            other.st_ino == file->st_ino)
            return (int)i;
    }
    return -1;
}

/* Whether the machine has the file; then *error tells so. */
static bool explain(const struct store_machine *machine, const char *path, const struct stat *file,
                    GError **error)
{
    g_autofree char *socket = machine->running ? remote_socket(machine, NULL) : NULL;
    struct client *client =
        socket != NULL ? client_connect(socket, CLIENT_TIMEOUT_MS, NULL, NULL, NULL) : NULL;
    bool found = false;

    for (unsigned i = 0; i < MACHINE_MAX_DISKS && client != NULL && !found; i++) {
        g_autofree char *device = g_strdup_printf("disk%u", i);
        json_t *images = client_call(client, "query-block-image",
                                     json_pack("{s:s}", "device", device), CLIENT_TIMEOUT_MS, NULL);
        int at = place_in_chain(images, file);

        json_decref(images);
        found = at >= 0;
        if (found)
            g_clear_error(error);
        if (at == 0)
            vmdesk_fail(error, VMDESK_ERROR_BUSY,
                        "The image %s is in use: the machine %s is running and has it as its %s. "
                        "Use \"%s:%s\" in its place, or stop the machine first.",
                        path, machine->name, device, machine->name, device);
        else if (at > 0)
            vmdesk_fail(error, VMDESK_ERROR_BUSY,
                        "The image %s is in use: the machine %s is running, and its %s (\"%s:%s\") "
                        "lies on it. Stop the machine first.",
                        path, machine->name, device, machine->name, device);
    }
    client_free(client);
    return found;
}

void disk_place_explain(struct store *store, const char *path, GError **error)
{
    g_autoptr(GPtrArray) machines = store_list(store, NULL);
    struct stat file;

    if (machines == NULL || stat(path, &file) < 0)
        return;
    for (guint i = 0; i < machines->len; i++)
        if (explain(machines->pdata[i], path, &file, error))
            return;
}
