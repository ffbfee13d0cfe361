/* SPDX-License-Identifier: GPL-2.0-or-later */
/* USB devices: plugging in, pulling out. */
#include "core/error.h"
#include "engine/control/control_internal.h"
#include "engine/machine/machine_usb.h"
#include "usb/host/hosts.h"

static void query_usb(struct control_request *request, const json_t *arguments)
{
    const struct machine_usb *usb = machine_usb(request->server->machine);
    json_t *list = json_array();

    for (guint i = 0; i < usb->devices->len; i++) {
        const struct usb_plugged *plugged = g_ptr_array_index(usb->devices, i);
        const char *socket = usb_plugged_socket(plugged);
        g_autofree char *path = socket != NULL ? g_utf8_make_valid(socket, -1) : NULL;

        json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s,s:s*}", "id", plugged->id, "driver",
                                              plugged->driver, "port", plugged->port->path, "speed",
                                              machine_usb_speed_name(plugged->device->speed),
                                              "path", path));
    }
    control_return(request, list);
}

static void tell(struct control_request *request, const char *event, const char *id)
{
    control_server_event(request->server, event, json_pack("{s:s}", "device", id));
    control_return(request, NULL);
}

static void device_add(struct control_request *request, const json_t *arguments)
{
    const struct machine_usb_options options = {
        .driver = json_string_value(json_object_get(arguments, "driver")),
        .id = json_string_value(json_object_get(arguments, "id")),
        .port = json_string_value(json_object_get(arguments, "port")),
        .file = json_string_value(json_object_get(arguments, "file")),
        .format = json_string_value(json_object_get(arguments, "format")),
        .read_only = json_is_true(json_object_get(arguments, "read-only")),
    };
    GError *error = NULL;

    if (options.file != NULL && !g_path_is_absolute(options.file))
        vmdesk_fail(&error, VMDESK_ERROR_INVALID, "'%s' is not an absolute path: give one.",
                    options.file);
    if (error != NULL || !machine_usb_add(machine_usb(request->server->machine), &options, &error))
        control_fail(request, error);
    else
        tell(request, "DEVICE_ADDED", options.id);
}

static void device_del(struct control_request *request, const json_t *arguments)
{
    const char *id = json_string_value(json_object_get(arguments, "id"));
    const struct usb_plugged *plugged = machine_usb_find(machine_usb(request->server->machine), id);
    GError *error = NULL;

    if (plugged != NULL)
        usb_hosts_pull_behind(machine_usb_hosts(request->server->machine), plugged->device);
    if (machine_usb_remove(machine_usb(request->server->machine), id, &error))
        tell(request, "DEVICE_DELETED", id);
    else
        control_fail(request, error);
}

const struct control_handler control_usb_handlers[] = {
    {"query-usb", query_usb},
    {"device_add", device_add},
    {"device_del", device_del},
    {NULL},
};
