/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "core/error.h"
#include "ui/output.h"
#include "ui/remote.h"
#include "ui/verbs.h"

#define CD_DEVICE "cd0"

/* Changes the disc of a running machine; file NULL takes it out. */
static bool change_now(const struct verb_call *call, const char *file, GError **err)
{
    json_t *arguments =
        json_pack("{s:s, s:b}", "device", CD_DEVICE, "force", verb_has(call, "force"));
    json_t *result;
    bool done;

    if (file != NULL)
        json_object_set_new(arguments, "filename", json_string(file));
    result = remote_call(call->store, call->arguments[0],
                         file != NULL ? "blockdev-change-medium" : "eject", arguments, err);
    done = result != NULL;
    json_decref(result);
    return done;
}

static bool change_disc(const struct verb_call *call, struct store_machine *machine,
                        const char *file, GError **err)
{
    if (!machine_config_set(machine->config, "cdrom.file", file != NULL ? file : "", err) ||
        !machine_config_validate(machine->config, err))
        return false;
    return (!machine->running || change_now(call, file, err)) &&
           store_save(call->store, machine, err);
}

/* The disc that a running machine has now: a new string, "" for none. NULL and *err: no drive. */
static char *disc_now(const struct verb_call *call, GError **err)
{
    json_t *drives = remote_call(call->store, call->arguments[0], "query-block", NULL, err);
    char *file = NULL;
    json_t *drive;
    size_t i;

    if (drives == NULL)
        return NULL;
    json_array_foreach(drives, i, drive)
    {
        if (g_strcmp0(remote_string(drive, "device"), CD_DEVICE) == 0 && file == NULL)
            file = g_strdup(remote_string(json_object_get(drive, "inserted"), "file"));
    }
    json_decref(drives);
    if (file == NULL)
        vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                    "%s has no CD drive: set cdrom.drive to yes and restart it",
                    call->arguments[0]);
    return file;
}

static bool print_disc(const struct verb_call *call, const struct store_machine *machine,
                       GError **err)
{
    const char *configured = machine->config->cdrom_file;
    g_autofree char *file =
        machine->running ? disc_now(call, err) : g_strdup(configured != NULL ? configured : "");

    if (file == NULL)
        return false;
    if (verb_has(call, "json")) {
        output_json(json_pack("{s:o}", "file", output_string(file[0] != '\0' ? file : NULL)));
    } else {
        output_text(file[0] != '\0' ? file : "empty");
        putchar('\n');
    }
    return true;
}

bool verb_cd(const struct verb_call *call, GError **err)
{
    const char *file = call->arguments[1];
    bool eject = verb_has(call, "eject");
    g_autofree char *absolute = NULL;
    struct store_machine *machine;
    bool done;

    if (file != NULL && eject)
        return verb_misused(err, "Give a disc or --eject, not both");
    if (file != NULL) {
        absolute = g_canonicalize_filename(file, NULL);
        if (!g_file_test(absolute, G_FILE_TEST_EXISTS))
            return vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                               "There is no disc \"%s\": look at its path", file);
    }
    machine = store_load_valid(call->store, call->arguments[0], err);
    if (machine == NULL)
        return false;
    done = file != NULL || eject ? change_disc(call, machine, absolute, err)
                                 : print_disc(call, machine, err);
    store_machine_free(machine);
    return done;
}
