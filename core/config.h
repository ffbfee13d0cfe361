/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The definition of a machine: the typed form of the key file "machine.conf" in its folder.
 * doc/machine.conf.5 describes each key; the table in config.c is the one truth for names,
 * defaults, ranges and comments.
 */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define MACHINE_NAME_MAX 64
#define MACHINE_MAX_CPUS 8
#define MACHINE_MAX_DISKS 4
#define MACHINE_MIN_MEMORY (UINT64_C(1) << 20)
#define MACHINE_MAX_MEMORY (UINT64_C(1) << 40)

enum config_accel { ACCEL_AUTO, ACCEL_KVM, ACCEL_SOFT };
enum config_firmware { FIRMWARE_SEABIOS, FIRMWARE_OVMF };
enum config_crash_action { CRASH_PAUSE, CRASH_STOP, CRASH_RESET };
enum config_cache { CACHE_WRITE_BACK, CACHE_WRITE_THROUGH, CACHE_DIRECT };
enum config_rtc { RTC_UTC, RTC_LOCAL };
enum config_vnc { CONFIG_VNC_UNIX, CONFIG_VNC_TCP, CONFIG_VNC_OFF };
enum config_serial { CONFIG_SERIAL_SOCKET, CONFIG_SERIAL_FILE, CONFIG_SERIAL_OFF };
enum config_boot_device { BOOT_NONE, BOOT_DISK, BOOT_CDROM };

struct config_disk {
    char *file; /* absolute, or relative to the machine's folder; NULL: no such disk */
    char *format;
    bool read_only;
    enum config_cache cache;
};

/* All strings are owned by the struct, UTF-8 without control characters; NULL where unset. */
struct machine_config {
    char *name; /* the folder's name: not stored in the file */

    /* [machine] */
    unsigned cpus;
    uint64_t memory; /* bytes, a multiple of 1 MiB */
    enum config_accel accel;
    enum config_firmware firmware;
    enum config_rtc rtc;
    enum config_crash_action on_crash;
    char *description;

    /* [boot] */
    enum config_boot_device boot_order[2]; /* BOOT_NONE ends it */
    bool boot_menu;
    char *kernel; /* direct boot: a Linux kernel or a multiboot ELF */
    char *initrd;
    char *cmdline;

    /* [disk0] .. [disk3] */
    struct config_disk disks[MACHINE_MAX_DISKS];

    /* [cdrom] */
    bool cdrom_present;
    char *cdrom_file; /* NULL: empty drive */

    /* [usb] */
    bool usb_controller;
    bool usb_tablet;
    char *usb_storage; /* the image of a stick; NULL: none */
    char *usb_storage_format;
    char *usb_rules; /* core/usb_rules.h */

    /* [display] */
    enum config_vnc vnc;
    uint16_t vnc_port;       /* 0: the first free one from 5900 */
    char *vnc_password_file; /* first line: the password; mode 0600 is asked for */
    char *keyboard;          /* layout name */
    unsigned width, height;  /* preferred mode, in the EDID */

    /* [serial] */
    enum config_serial serial;
    char *serial_file; /* also with a socket: a copy of all output */

    /* [debug] */
    uint16_t debug_exit_port; /* 0: none */
    char *debug_console_file; /* what the firmware writes to port 0x402 */
};

/* One row of the table: a key as the user sees it. */
struct config_key {
    const char *group, *key; /* group "disk" stands for disk0 to disk3 */
    const char *values;      /* "1-8", "seabios|ovmf", "file", ... also for help and completion */
    const char *default_text;
    const char *comment;
};
const struct config_key *config_key(size_t index); /* NULL past the last */

struct machine_config *machine_config_new(const char *name); /* all defaults */
void machine_config_free(struct machine_config *config);     /* NULL is fine */

/* Parses text, at most CONFIG_MAX_BYTES. On failure *err lists every problem found (at most
 * CONFIG_MAX_PROBLEMS), one a line, "file:line: problem; what to do". file only names it. */
#define CONFIG_MAX_BYTES (256 * 1024)
#define CONFIG_MAX_PROBLEMS 20
struct machine_config *machine_config_parse(const char *name, const char *text, size_t size,
                                            const char *file, GError **err);

/* The text form of one key; caller frees. NULL and *err: no such key. "group.key". */
char *machine_config_get(const struct machine_config *config, const char *path, GError **err);
/* Parses and range-checks value; on failure config is unchanged. An empty value unsets. */
bool machine_config_set(struct machine_config *config, const char *path, const char *value,
                        GError **err);
/* What no single key shows: initrd without kernel, one file as two disks... A boot device that the
 * machine does not have is skipped, as firmware does. machine_config_parse() includes this. */
bool machine_config_validate(const struct machine_config *config, GError **err);

/* The file's text; caller frees. With old text given, its comments, order and blank lines are kept
 * and only changed keys differ; with NULL or an old text that does not parse, a fresh commented
 * file. */
char *machine_config_format(const struct machine_config *config, const char *old_text);

/* file resolved against the machine's folder; caller frees; NULL for NULL. */
char *machine_config_resolve(const char *folder, const char *file);

#endif
