/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Disks and the CD drive. */
#include <string.h>

#include "core/error.h"
#include "engine/control/control_internal.h"

#define CD_DEVICE "cd0"

static json_t *describe_medium(const char *file, const char *format, bool read_only)
{
    g_autofree char *text = g_utf8_make_valid(file, -1);

    return json_pack("{s:s,s:s,s:b}", "file", text, "drv", format, "ro", read_only);
}

static void query_block(struct control_request *request, const json_t *arguments)
{
    const struct machine_config *config = request->server->config;
    json_t *list = json_array();
    bool drive, locked;
    const char *disc = machine_cd(request->server->machine, &drive, &locked);

    for (unsigned i = 0; i < MACHINE_MAX_DISKS; i++) {
        const struct config_disk *disk = &config->disks[i];
        g_autofree char *name = g_strdup_printf("disk%u", i);
        g_autofree char *file = machine_config_resolve(request->server->folder, disk->file);

        if (file != NULL)
            json_array_append_new(
                list, json_pack("{s:s,s:b,s:b,s:o}", "device", name, "removable", false, "locked",
                                false, "inserted",
                                describe_medium(file, disk->format != NULL ? disk->format : "raw",
                                                disk->read_only)));
    }
    if (drive)
        json_array_append_new(list,
                              json_pack("{s:s,s:b,s:b,s:o*}", "device", CD_DEVICE, "removable",
                                        true, "locked", locked, "inserted",
                                        disc != NULL ? describe_medium(disc, "raw", true) : NULL));
    control_return(request, list);
}

/* path NULL: out. */
static void change_disc(struct control_request *request, const json_t *arguments, const char *path)
{
    struct machine *machine = request->server->machine;
    const char *device = json_string_value(json_object_get(arguments, "device"));
    bool force = json_is_true(json_object_get(arguments, "force")), drive, locked;
    GError *error = NULL;

    machine_cd(machine, &drive, &locked);
    if (!drive || strcmp(device, CD_DEVICE) != 0) {
        vmdesk_fail(&error, VMDESK_ERROR_NOT_FOUND,
                    drive ? "There is no drive '%s': the CD drive is " CD_DEVICE "."
                          : "There is no drive '%s': the machine has no CD drive.",
                    device);
        control_fail(request, error);
    } else if (!machine_change_cd(machine, path, force, &error)) {
        control_fail(request, error);
    } else {
        control_server_event(request->server, "DEVICE_TRAY_MOVED",
                             json_pack("{s:s,s:b}", "device", CD_DEVICE, "tray-open",
                                       path == NULL));
        control_return(request, NULL);
    }
}

static void eject(struct control_request *request, const json_t *arguments)
{
    change_disc(request, arguments, NULL);
}

static void change_medium(struct control_request *request, const json_t *arguments)
{
    const char *path = json_string_value(json_object_get(arguments, "filename"));
    GError *error = NULL;

    if (g_path_is_absolute(path)) {
        change_disc(request, arguments, path);
        return;
    }
    vmdesk_fail(&error, VMDESK_ERROR_INVALID, "'%s' is not an absolute path: give one.", path);
    control_fail(request, error);
}

const struct control_handler control_block_handlers[] = {
    {"query-block", query_block},
    {"eject", eject},
    {"blockdev-change-medium", change_medium},
    {NULL},
};
