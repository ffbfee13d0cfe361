/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stock firmware that a machine starts from: files of the distribution's packages seabios and
 * ovmf, found at run time. The folders of VMDESK_FIRMWARE_PATH (colon-separated), when set, stand
 * for those of the packages.
 *
 * An error names the package that has the file and the command that installs it.
 */
#ifndef ENGINE_MACHINE_FIRMWARE_H
#define ENGINE_MACHINE_FIRMWARE_H

#include <glib.h>
#include <stdbool.h>

enum firmware_file {
    FIRMWARE_FILE_BIOS,      /* SeaBIOS for PCs, FIRMWARE_BIOS_SIZE */
    FIRMWARE_FILE_VGABIOS,   /* the option ROM of the standard VGA */
    FIRMWARE_FILE_OVMF_CODE, /* FIRMWARE_OVMF_CODE_SIZE, ends at 4 GiB */
    FIRMWARE_FILE_OVMF_VARS, /* the variables as shipped, FIRMWARE_OVMF_VARS_SIZE */
};

#define FIRMWARE_BIOS_SIZE (256 * 1024)
#define FIRMWARE_VGABIOS_MAX_SIZE (64 * 1024)
#define FIRMWARE_OVMF_CODE_SIZE 0x37c000
#define FIRMWARE_OVMF_VARS_SIZE 0x84000
#define FIRMWARE_OVMF_VARS_BASE 0xffc00000u
#define FIRMWARE_OVMF_CODE_BASE (FIRMWARE_OVMF_VARS_BASE + FIRMWARE_OVMF_VARS_SIZE)

/* The file's content, its size checked, as page-aligned memory. NULL and *err on failure. */
GBytes *firmware_load(enum firmware_file file, GError **err);

/* The machine's own copy of OVMF's variables, "ovmf-vars.fd" in folder: made from the shipped file
 * when it does not exist yet, all or nothing. The path is the caller's to free; the file is
 * FIRMWARE_OVMF_VARS_SIZE bytes and writable. */
char *firmware_ovmf_vars(const char *folder, GError **err);

#endif
