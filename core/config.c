/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/config.h"

#include <stddef.h>
#include <string.h>

#include "core/config_internal.h"
#include "core/error.h"
#include "core/text.h"
#include "core/usb_rules.h"

#define MEBIBYTE (UINT64_C(1) << 20)
#define VALUE_MAX_BYTES 4096

enum key_kind {
    KIND_NUMBER,  /* unsigned; values: "min-max" */
    KIND_PORT,    /* uint16_t; values: "min-max" */
    KIND_IO_PORT, /* uint16_t, shown in hexadecimal; values: "min-max" */
    KIND_MEMORY,  /* uint64_t, whole mebibytes; values: "min-max" */
    KIND_CHOICE,  /* an enum that counts from 0 in the order of values: "a|b" */
    KIND_FLAG,    /* bool; values: "yes|no" */
    KIND_NAME,    /* char *, one of values: "a|b" */
    KIND_LAYOUT,  /* char *, a lower-case word: the display knows which ones exist */
    KIND_TEXT,    /* char * */
    KIND_FILE,    /* char * */
    KIND_ORDER,   /* boot_order */
    KIND_RULES,   /* char *, rules for USB devices */
};

struct key_spec {
    struct config_key key;
    enum key_kind kind;
    size_t offset; /* of the field; for a disk, the one of disk0 */
};

#define FIELD(name) offsetof(struct machine_config, name)

static const struct key_spec specs[] = {
    {{"machine", "cpus", "1-8", "1", "Virtual CPUs."}, KIND_NUMBER, FIELD(cpus)},
    {{"machine", "memory", "1M-1T", "1G", "Memory of the guest, as in 512M or 2G."},
     KIND_MEMORY,
     FIELD(memory)},
    {{"machine", "accel", "auto|kvm|soft", "auto",
      "What runs the guest: kvm, soft (vmdesk itself), or kvm only where it is fast (auto)."},
     KIND_CHOICE,
     FIELD(accel)},
    {{"machine", "firmware", "seabios|ovmf", "seabios", "BIOS (seabios) or UEFI (ovmf)."},
     KIND_CHOICE,
     FIELD(firmware)},
    {{"machine", "rtc", "utc|local", "utc",
      "What the hardware clock shows; Windows and DOS expect local time."},
     KIND_CHOICE,
     FIELD(rtc)},
    {{"machine", "on-crash", "pause|stop|reset", "pause",
      "What to do when the guest crashes (triple fault or panic)."},
     KIND_CHOICE,
     FIELD(on_crash)},
    {{"machine", "description", "text", "", "A note for yourself."}, KIND_TEXT, FIELD(description)},

    {{"boot", "order", "disk,cdrom|cdrom,disk|disk|cdrom", "disk,cdrom",
      "What the firmware tries to boot from, first to last."},
     KIND_ORDER,
     FIELD(boot_order)},
    {{"boot", "menu", "yes|no", "no", "Whether the firmware offers its boot menu."},
     KIND_FLAG,
     FIELD(boot_menu)},
    {{"boot", "kernel", "file", "",
      "A Linux kernel or multiboot program to start directly, without a boot disc."},
     KIND_FILE,
     FIELD(kernel)},
    {{"boot", "initrd", "file", "", "The initial RAM disk of that kernel."},
     KIND_FILE,
     FIELD(initrd)},
    {{"boot", "cmdline", "text", "", "The command line of that kernel."},
     KIND_TEXT,
     FIELD(cmdline)},

    {{"disk", "file", "file", "",
      "The disk's image: absolute, or relative to the machine's folder."},
     KIND_FILE,
     FIELD(disks[0].file)},
    {{"disk", "format", "raw|qcow2|vmdk|vdi|vhd|vhdx", "raw",
      "The image's format. Only raw and qcow2 can be written to."},
     KIND_NAME,
     FIELD(disks[0].format)},
    {{"disk", "read-only", "yes|no", "no", "Whether the guest may not write to it."},
     KIND_FLAG,
     FIELD(disks[0].read_only)},
    {{"disk", "cache", "writeback|writethrough|direct", "writeback",
      "What a write that the guest is told of may still be in: writeback, the host's memory until "
      "the guest asks; writethrough, nothing; direct, as writeback but past the host's memory."},
     KIND_CHOICE,
     FIELD(disks[0].cache)},

    {{"cdrom", "drive", "yes|no", "yes", "Whether the machine has a CD drive."},
     KIND_FLAG,
     FIELD(cdrom_present)},
    {{"cdrom", "file", "file", "", "The disc in it, an ISO image; nothing: no disc."},
     KIND_FILE,
     FIELD(cdrom_file)},

    {{"usb", "controller", "yes|no", "yes", "Whether the machine has USB ports."},
     KIND_FLAG,
     FIELD(usb_controller)},
    {{"usb", "tablet", "yes|no", "yes",
      "A pointer that is where the viewer's is, for guests that know USB."},
     KIND_FLAG,
     FIELD(usb_tablet)},
    {{"usb", "storage", "file", "",
      "A USB stick: the image of what is on it, absolute or relative to the machine's folder."},
     KIND_FILE,
     FIELD(usb_storage)},
    {{"usb", "storage-format", "raw|qcow2", "raw", "That image's format."},
     KIND_NAME,
     FIELD(usb_storage_format)},
    {{"usb", "rules", "rules", "",
      "USB devices of the host that it gets, as in 0951:1666 always, 1-4.2 ask."},
     KIND_RULES,
     FIELD(usb_rules)},

    {{"display", "vnc", "unix|tcp|off", "unix",
      "Where VNC viewers connect: a socket of yours, a port of 127.0.0.1, or nowhere."},
     KIND_CHOICE,
     FIELD(vnc)},
    {{"display", "vnc-port", "0-65535", "0",
      "The TCP port for VNC; 0 takes the first free one from 5900."},
     KIND_PORT,
     FIELD(vnc_port)},
    {{"display", "vnc-password-file", "file", "",
      "A file whose first line is the VNC password; keep it at mode 0600."},
     KIND_FILE,
     FIELD(vnc_password_file)},
    {{"display", "keyboard", "layout", "us",
      "The keyboard layout of viewers that do not send key codes."},
     KIND_LAYOUT,
     FIELD(keyboard)},
    {{"display", "width", "320-2560", "1024", "The screen size that the monitor prefers."},
     KIND_NUMBER,
     FIELD(width)},
    {{"display", "height", "200-1600", "768", "The same, its height."}, KIND_NUMBER, FIELD(height)},

    {{"serial", "port", "socket|file|off", "socket",
      "The first serial port: a socket for \"vmdesk console --serial\", a file, or none."},
     KIND_CHOICE,
     FIELD(serial)},
    {{"serial", "file", "file", "",
      "Where all its output is written; with a socket too, as a copy."},
     KIND_FILE,
     FIELD(serial_file)},

    {{"debug", "exit-port", "0-65535", "0",
      "An I/O port that ends the machine when the guest writes to it, as in 0xf4; 0: none."},
     KIND_IO_PORT,
     FIELD(debug_exit_port)},
    {{"debug", "console-file", "file", "", "Where the firmware's messages are written."},
     KIND_FILE,
     FIELD(debug_console_file)},
};

const struct config_key *config_key(size_t index)
{
    return index < G_N_ELEMENTS(specs) ? &specs[index].key : NULL;
}

static bool is_disk(const struct key_spec *spec)
{
    return strcmp(spec->key.group, "disk") == 0;
}

static bool is_string(const struct key_spec *spec)
{
    return spec->kind == KIND_NAME || spec->kind == KIND_LAYOUT || spec->kind == KIND_TEXT ||
           spec->kind == KIND_FILE || spec->kind == KIND_RULES;
}

static unsigned spec_count(const struct key_spec *spec)
{
    return is_disk(spec) ? MACHINE_MAX_DISKS : 1;
}

static void *spec_field(const struct machine_config *config, const struct key_spec *spec,
                        unsigned index)
{
    return (char *)config + spec->offset + index * sizeof(struct config_disk);
}

/* The place of value in "a|b|c", counted from 0; -1: it is not there. */
static int choice_index(const char *values, const char *value)
{
    g_auto(GStrv) choices = g_strsplit(values, "|", -1);

    for (int i = 0; choices[i] != NULL; i++) {
        if (strcmp(choices[i], value) == 0)
            return i;
    }
    return -1;
}

static bool not_a_choice(const struct key_spec *spec, const char *value, GError **err)
{
    g_auto(GStrv) choices = g_strsplit(spec->key.values, "|", -1);
    g_autofree char *list = g_strjoinv(" or ", choices);

    return vmdesk_fail(err, VMDESK_ERROR_INVALID, "\"%s\" is not possible: use %s", value, list);
}

/* values: "min-max", each one a size. */
static bool parse_range(const struct key_spec *spec, const char *value, uint64_t *ret_number,
                        GError **err)
{
    g_auto(GStrv) ends = g_strsplit(spec->key.values, "-", 2);
    uint64_t min = 0, max = 0, number;

    text_parse_size(ends[0], &min, NULL);
    text_parse_size(ends[1], &max, NULL);
    if (spec->kind == KIND_MEMORY) {
        if (!text_parse_size(value, &number, err))
            return false;
        if (number < min || number > max || number % MEBIBYTE != 0)
            return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                               "\"%s\" is not possible: use whole mebibytes from %s to %s", value,
                               ends[0], ends[1]);
        *ret_number = number;
        return true;
    }
    if (spec->kind == KIND_IO_PORT && g_ascii_strncasecmp(value, "0x", 2) == 0) {
        if (!g_ascii_string_to_unsigned(value + 2, 16, min, max, &number, NULL))
            return vmdesk_fail(err, VMDESK_ERROR_INVALID, "\"%s\" is not a port from 0 to 0xffff",
                               value);
        *ret_number = number;
        return true;
    }
    return text_parse_number(value, min, max, ret_number, err);
}

static bool parse_order(const char *value, enum config_boot_device order[2])
{
    g_auto(GStrv) names = g_strsplit(value, ",", -1);
    enum config_boot_device parsed[2] = {BOOT_NONE, BOOT_NONE};
    unsigned count = 0;

    for (; names[count] != NULL; count++) {
        const char *name = g_strstrip(names[count]);
        enum config_boot_device device = strcmp(name, "disk") == 0    ? BOOT_DISK
                                         : strcmp(name, "cdrom") == 0 ? BOOT_CDROM
                                                                      : BOOT_NONE;
        if (count == 2 || device == BOOT_NONE || device == parsed[0])
            return false;
        parsed[count] = device;
    }
    memcpy(order, parsed, sizeof(parsed));
    return count > 0;
}

static void replace_string(char **field, const char *value)
{
    char *copy = value[0] != '\0' ? g_strdup(value) : NULL;

    g_free(*field);
    *field = copy;
}

/* value is plain: UTF-8 without control characters. */
static bool parse_value(const struct key_spec *spec, void *field, const char *value, GError **err)
{
    g_autoptr(GPtrArray) rules = NULL;
    uint64_t number;
    int index;

    switch (spec->kind) {
    case KIND_NUMBER:
    case KIND_PORT:
    case KIND_IO_PORT:
    case KIND_MEMORY:
        if (!parse_range(spec, value, &number, err))
            return false;
        if (spec->kind == KIND_NUMBER)
            *(unsigned *)field = number;
        else if (spec->kind == KIND_MEMORY)
            *(uint64_t *)field = number;
        else
            *(uint16_t *)field = number;
        return true;
    case KIND_CHOICE:
        index = choice_index(spec->key.values, value);
        if (index < 0)
            return not_a_choice(spec, value, err);
        *(unsigned *)field = index;
        return true;
    case KIND_FLAG:
        index = choice_index(spec->key.values, value);
        if (index < 0)
            return not_a_choice(spec, value, err);
        *(bool *)field = index == 0;
        return true;
    case KIND_ORDER:
        if (!parse_order(value, field))
            return not_a_choice(spec, value, err);
        return true;
    case KIND_NAME:
        if (choice_index(spec->key.values, value) < 0)
            return not_a_choice(spec, value, err);
        break;
    case KIND_LAYOUT:
        if (value[strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0')
            return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                               "\"%s\" is not a layout: use a name as us or de", value);
        break;
    case KIND_FILE:
        if (g_str_has_prefix(value, "~"))
            return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                               "\"%s\": \"~\" is not expanded here: write the whole path", value);
        break;
    case KIND_RULES:
        rules = usb_rules_parse(value, err);
        if (rules == NULL)
            return false;
        break;
    case KIND_TEXT:
        break;
    }
    replace_string(field, value);
    return true;
}

static void set_default(struct machine_config *config, const struct key_spec *spec, unsigned index)
{
    void *field = spec_field(config, spec, index);

    if (spec->key.default_text[0] == '\0')
        replace_string(field, "");
    else
        parse_value(spec, field, spec->key.default_text, NULL);
}

struct machine_config *machine_config_new(const char *name)
{
    struct machine_config *config = g_new0(struct machine_config, 1);

    config->name = g_strdup(name);
    for (size_t i = 0; i < G_N_ELEMENTS(specs); i++) {
        for (unsigned j = 0; j < spec_count(&specs[i]); j++)
            set_default(config, &specs[i], j);
    }
    return config;
}

void machine_config_free(struct machine_config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < G_N_ELEMENTS(specs); i++) {
        if (!is_string(&specs[i]))
            continue;
        for (unsigned j = 0; j < spec_count(&specs[i]); j++)
            g_free(*(char **)spec_field(config, &specs[i], j));
    }
    g_free(config->name);
    g_free(config);
}

static bool group_matches(const struct key_spec *spec, const char *group, unsigned *ret_index)
{
    size_t len = strlen(spec->key.group);

    *ret_index = 0;
    if (!is_disk(spec))
        return strcmp(spec->key.group, group) == 0;
    if (strncmp(group, spec->key.group, len) != 0 || group[len] < '0' ||
        group[len] >= '0' + MACHINE_MAX_DISKS || group[len + 1] != '\0')
        return false;
    *ret_index = group[len] - '0';
    return true;
}

/* Names the likely meaning of an unknown group. */
static bool unknown_group(const char *name, GError **err)
{
    g_autofree char *group = text_sanitize(name, -1, false);
    const char *names[G_N_ELEMENTS(specs)];
    const char *closest;

    for (size_t i = 0; i < G_N_ELEMENTS(specs); i++)
        names[i] = is_disk(&specs[i]) ? "disk0" : specs[i].key.group;
    closest = text_closest(group, names, G_N_ELEMENTS(specs));
    if (g_str_has_prefix(group, "disk"))
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "There is no group [%s]: the disks are disk0 to disk%d", group,
                           MACHINE_MAX_DISKS - 1);
    if (closest != NULL)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID, "There is no group [%s]: did you mean [%s]?",
                           group, closest);
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "There is no group [%s]: see machine.conf(5) for the groups", group);
}

bool config_check_group(const char *group, GError **err)
{
    unsigned index;

    for (size_t i = 0; i < G_N_ELEMENTS(specs); i++) {
        if (group_matches(&specs[i], group, &index))
            return true;
    }
    return unknown_group(group, err);
}

static bool unknown_key(const char *group, const char *key, GError **err)
{
    const char *names[G_N_ELEMENTS(specs)];
    const char *elsewhere = NULL;
    const char *closest;
    size_t count = 0;
    unsigned index;

    for (size_t i = 0; i < G_N_ELEMENTS(specs); i++) {
        if (group_matches(&specs[i], group, &index))
            names[count++] = specs[i].key.key;
        else if (strcmp(specs[i].key.key, key) == 0)
            elsewhere = is_disk(&specs[i]) ? "disk0" : specs[i].key.group;
    }
    if (elsewhere != NULL)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "There is no key \"%s\" in [%s]: it belongs to [%s]", key, group,
                           elsewhere);
    closest = text_closest(key, names, count);
    if (closest != NULL)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "There is no key \"%s\" in [%s]: did you mean \"%s\"?", key, group,
                           closest);
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "There is no key \"%s\" in [%s]: see machine.conf(5) for the keys", key,
                       group);
}

/* The row for "group.key"; NULL and *err when there is none. */
static const struct key_spec *find_spec(const char *path, unsigned *ret_index, GError **err)
{
    const char *dot = strchr(path, '.');
    g_autofree char *group = dot != NULL ? g_strndup(path, dot - path) : NULL;
    g_autofree char *shown = NULL;

    if (dot == NULL) {
        shown = text_sanitize(path, -1, false);
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "\"%s\" names no key: write group.key, as in machine.memory", shown);
        return NULL;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(specs); i++) {
        if (group_matches(&specs[i], group, ret_index) && strcmp(specs[i].key.key, dot + 1) == 0)
            return &specs[i];
    }
    if (config_check_group(group, err)) {
        shown = text_sanitize(dot + 1, -1, false);
        unknown_key(group, shown, err);
    }
    return NULL;
}

char *machine_config_get(const struct machine_config *config, const char *path, GError **err)
{
    static const char *const devices[] = {[BOOT_DISK] = "disk", [BOOT_CDROM] = "cdrom"};
    unsigned index;
    const struct key_spec *spec = find_spec(path, &index, err);
    g_auto(GStrv) choices = NULL;
    const void *field;

    if (spec == NULL)
        return NULL;
    field = spec_field(config, spec, index);
    switch (spec->kind) {
    case KIND_NUMBER:
        return g_strdup_printf("%u", *(const unsigned *)field);
    case KIND_PORT:
        return g_strdup_printf("%u", *(const uint16_t *)field);
    case KIND_IO_PORT:
        return g_strdup_printf(*(const uint16_t *)field != 0 ? "0x%x" : "%u",
                               *(const uint16_t *)field);
    case KIND_MEMORY:
        return text_format_size(*(const uint64_t *)field);
    case KIND_CHOICE:
        choices = g_strsplit(spec->key.values, "|", -1);
        return g_strdup(choices[*(const unsigned *)field]);
    case KIND_FLAG:
        return g_strdup(*(const bool *)field ? "yes" : "no");
    case KIND_ORDER:
        if (config->boot_order[1] == BOOT_NONE)
            return g_strdup(devices[config->boot_order[0]]);
        return g_strdup_printf("%s,%s", devices[config->boot_order[0]],
                               devices[config->boot_order[1]]);
    case KIND_NAME:
    case KIND_LAYOUT:
    case KIND_TEXT:
    case KIND_FILE:
    case KIND_RULES:
        break;
    }
    return g_strdup(*(char *const *)field != NULL ? *(char *const *)field : "");
}

static bool check_plain(const char *value, GError **err)
{
    size_t len = strlen(value);

    if (len > VALUE_MAX_BYTES)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID, "the value is longer than %d bytes",
                           VALUE_MAX_BYTES);
    if (!g_utf8_validate(value, len, NULL))
        return vmdesk_fail(err, VMDESK_ERROR_INVALID, "the value is not valid UTF-8");
    for (const char *p = value; *p != '\0'; p = g_utf8_next_char(p)) {
        if (g_unichar_iscntrl(g_utf8_get_char(p)))
            return vmdesk_fail(err, VMDESK_ERROR_INVALID, "the value has a control character");
    }
    if (len > 0 && (value[0] == ' ' || value[len - 1] == ' '))
        return vmdesk_fail(err, VMDESK_ERROR_INVALID, "the value starts or ends with a space");
    return true;
}

bool machine_config_set(struct machine_config *config, const char *path, const char *value,
                        GError **err)
{
    unsigned index;
    const struct key_spec *spec = find_spec(path, &index, err);

    if (spec == NULL)
        return false;
    if (value[0] == '\0') {
        set_default(config, spec, index);
        return true;
    }
    if (!check_plain(value, err) ||
        !parse_value(spec, spec_field(config, spec, index), value, err)) {
        g_prefix_error(err, "%s: ", path);
        return false;
    }
    return true;
}

bool machine_config_validate(const struct machine_config *config, GError **err)
{
    if (config->kernel == NULL && config->initrd != NULL)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "boot.initrd needs boot.kernel: set it, or unset boot.initrd");
    if (config->kernel == NULL && config->cmdline != NULL)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "boot.cmdline needs boot.kernel: set it, or unset boot.cmdline");
    if (config->serial == CONFIG_SERIAL_FILE && config->serial_file == NULL)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "serial.port is file, but serial.file is not set: set it");
    if (config->cdrom_file != NULL && !config->cdrom_present)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "cdrom.file needs a drive: set cdrom.drive to yes, or unset it");
    if (config->usb_storage != NULL && !config->usb_controller)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "usb.storage needs a port: set usb.controller to yes, or unset it");
    for (unsigned i = 0; i < MACHINE_MAX_DISKS; i++) {
        const char *file = config->disks[i].file;

        if (file != NULL && g_strcmp0(file, config->usb_storage) == 0)
            return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                               "disk%u and usb.storage are the same file %s: change one", i, file);
        for (unsigned j = i + 1; j < MACHINE_MAX_DISKS; j++) {
            const char *a = config->disks[i].file, *b = config->disks[j].file;

            if (a != NULL && b != NULL && strcmp(a, b) == 0)
                return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                                   "disk%u and disk%u are the same file %s: change one", i, j, a);
        }
    }
    return true;
}

char *machine_config_resolve(const char *folder, const char *file)
{
    if (file == NULL)
        return NULL;
    return g_path_is_absolute(file) ? g_strdup(file) : g_build_filename(folder, file, NULL);
}
