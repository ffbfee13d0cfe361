/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/console.h"

#include "core/error.h"
#include "ui/remote.h"
#include "ui/verbs.h"

static bool run_serial(const struct verb_call *call, GError **err)
{
    const char *name = call->arguments[0];
    json_t *serial = remote_call(call->store, name, "query-serial", NULL, err);
    g_autofree char *path = NULL;

    if (serial == NULL)
        return false;
    path = g_strdup(remote_string(serial, "path"));
    json_decref(serial);
    if (path[0] == '\0')
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The serial port of %s has no socket: \"vmdesk set %s "
                           "serial.port=socket\", then restart it",
                           name, name);
    return console_serial_run(name, path, err);
}

bool verb_console(const struct verb_call *call, GError **err)
{
    struct store_machine *machine;
    g_autofree char *path = NULL;

    if (verb_has(call, "serial"))
        return run_serial(call, err);
    machine = store_load(call->store, call->arguments[0], err);
    path = machine != NULL ? remote_socket(machine, err) : NULL;
    store_machine_free(machine);
    return path != NULL && console_text_run(call->arguments[0], path, err);
}
