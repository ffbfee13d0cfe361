/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changing the disc in the CD drive. */
#include "engine/machine/machine_internal.h"

#include "core/error.h"
#include "disks/image.h"

bool machine_change_cd(struct machine *machine, const char *path, bool force, GError **err)
{
    const struct image_options options = {.format = "raw", .read_only = true};
    struct image *image = NULL;

    if (!machine->q35.config->cdrom_present)
        return vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                           "The machine has no CD drive: add a [cdrom] group to its definition "
                           "while it is off.");
    if (path != NULL) {
        g_autofree char *file = machine_config_resolve(machine->q35.folder, path);

        image = image_open(file, &options, machine->io, err);
        if (image == NULL)
            return false;
    }
    if (!ahci_change_cd(machine->q35.ahci, Q35_CD_PORT, image, force, err)) {
        image_close(image);
        return false;
    }
    g_free(machine->cd_path);
    machine->cd_path = g_strdup(path);
    return true;
}

const char *machine_cd(struct machine *machine, bool *ret_drive, bool *ret_locked)
{
    bool drive = machine->q35.config->cdrom_present;

    if (ret_drive != NULL)
        *ret_drive = drive;
    if (ret_locked != NULL)
        *ret_locked = drive && ahci_cd_locked(machine->q35.ahci, Q35_CD_PORT);
    /* The guest may have ejected it. */
    return drive && ahci_cd_present(machine->q35.ahci, Q35_CD_PORT) ? machine->cd_path : NULL;
}
