/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "core/discs.h"
#include "core/error.h"
#include "core/text.h"
#include "ui/new_disk.h"
#include "ui/verbs.h"

#define DEMO_NAME "demo"
#define DEMO_MEMORY "128M"

/* Sets a key to a file that exists, made absolute. */
static bool set_file(struct machine_config *config, const char *key, const char *file, GError **err)
{
    g_autofree char *absolute = NULL;

    if (!g_file_test(file, G_FILE_TEST_EXISTS))
        return vmdesk_fail(err, VMDESK_ERROR_NOT_FOUND,
                           "There is no file \"%s\": look at the path given for %s", file, key);
    absolute = g_canonicalize_filename(file, NULL);
    return machine_config_set(config, key, absolute, err);
}

/* Of a new disk. */
static bool set_format(const struct verb_call *call, struct machine_config *config, unsigned disk,
                       GError **err)
{
    const char *format = verb_value(call, "disk-format");
    g_autofree char *key = g_strdup_printf("disk%u.format", disk);

    if (format == NULL)
        format = NEW_DISK_FORMAT;
    if (strcmp(format, NEW_DISK_FORMAT) != 0 && strcmp(format, "raw") != 0)
        return verb_misused(err, "A new disk is %s or raw, and not \"%s\"", NEW_DISK_FORMAT,
                            format);
    return machine_config_set(config, key, format, err);
}

/* Each --disk is a size or a file. */
static bool add_disks(const struct verb_call *call, struct machine_config *config,
                      uint64_t sizes[MACHINE_MAX_DISKS], GError **err)
{
    unsigned count = verb_count(call, "disk");

    if (count > MACHINE_MAX_DISKS)
        return verb_misused(err, "A machine has at most %d disks", MACHINE_MAX_DISKS);
    for (unsigned i = 0; i < count; i++) {
        const char *disk = verb_value_at(call, "disk", i);
        g_autofree char *key = g_strdup_printf("disk%u.file", i);

        if (!text_parse_size(disk, &sizes[i], NULL)) {
            if (!set_file(config, key, disk, err))
                return false;
        } else if (sizes[i] == 0) {
            return verb_misused(err, "A disk of size 0 is none: give a size as 10G");
        } else if (!set_format(call, config, i, err)) {
            return false;
        }
    }
    return true;
}

static bool add_options(const struct verb_call *call, struct machine_config *config, GError **err)
{
    static const struct {
        const char *option, *key;
        bool file;
    } rows[] = {
        {"iso", "cdrom.file", true},        {"memory", "machine.memory", false},
        {"cpus", "machine.cpus", false},    {"firmware", "machine.firmware", false},
        {"kernel", "boot.kernel", true},    {"initrd", "boot.initrd", true},
        {"cmdline", "boot.cmdline", false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *value = verb_value(call, rows[i].option);

        if (value != NULL && !(rows[i].file ? set_file(config, rows[i].key, value, err)
                                            : machine_config_set(config, rows[i].key, value, err)))
            return false;
    }
    for (unsigned i = 0; i < verb_count(call, "set"); i++) {
        if (!verb_set_pair(config, verb_value_at(call, "set", i), err))
            return false;
    }
    return true;
}

static bool make_demo(struct machine_config *config, GError **err)
{
    g_autofree char *disc = discs_demo(err);

    return disc != NULL && machine_config_set(config, "cdrom.file", disc, err) &&
           machine_config_set(config, "machine.memory", DEMO_MEMORY, err) &&
           machine_config_set(config, "machine.description", "The GRUB rescue disc", err);
}

bool verb_create(const struct verb_call *call, GError **err)
{
    bool demo = verb_has(call, "demo");
    const char *name = call->arguments[0] != NULL ? call->arguments[0] : demo ? DEMO_NAME : NULL;
    uint64_t sizes[MACHINE_MAX_DISKS] = {0};
    struct machine_config *config;
    bool done;

    if (name == NULL)
        return verb_misused(err, "Give the new machine a name, or use --demo");
    config = machine_config_new(name);
    done = (!demo || make_demo(config, err)) && add_options(call, config, err) &&
           add_disks(call, config, sizes, err) && store_create(call->store, config, sizes, err);
    machine_config_free(config);
    return done;
}
