/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/remote.h"

#include "core/error.h"
#include "core/paths.h"

char *remote_socket(const struct store_machine *machine, GError **err)
{
    g_autofree char *runtime = NULL;

    if (!machine->running) {
        vmdesk_fail(err, VMDESK_ERROR_BUSY,
                    "The machine %s is not running: \"vmdesk start %s\" starts it", machine->name,
                    machine->name);
        return NULL;
    }
    /* An engine that has just begun may not have said where its sockets are. */
    runtime = machine->runtime_folder != NULL ? g_strdup(machine->runtime_folder)
                                              : paths_runtime(machine->name, err);
    return runtime != NULL ? paths_socket(runtime, PATHS_CONTROL_SOCKET, err) : NULL;
}

struct client *remote_connect(struct store *store, const char *name, GError **err)
{
    struct store_machine *machine = store_load(store, name, err);
    g_autofree char *path = machine != NULL ? remote_socket(machine, err) : NULL;

    store_machine_free(machine);
    return path != NULL ? client_connect(path, CLIENT_TIMEOUT_MS, NULL, NULL, err) : NULL;
}

json_t *remote_call(struct store *store, const char *name, const char *command, json_t *arguments,
                    GError **err)
{
    struct client *client = remote_connect(store, name, err);
    json_t *result = NULL;

    if (client != NULL)
        result = client_call(client, command, arguments, CLIENT_TIMEOUT_MS, err);
    else
        json_decref(arguments);
    client_free(client);
    return result;
}

const char *remote_string(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

json_int_t remote_integer(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}
