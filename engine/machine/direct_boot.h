/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct boot: a Linux kernel (bzImage) or a multiboot kernel starts without a boot disk. The files
 * go into fw_cfg under QEMU's keys, which OVMF reads itself; for SeaBIOS an option ROM of our own
 * loads them and enters the kernel.
 *
 * Linux: Documentation/x86/boot.rst, protocol 2.02 or later. Multiboot Specification 0.6.96.
 */
#ifndef ENGINE_MACHINE_DIRECT_BOOT_H
#define ENGINE_MACHINE_DIRECT_BOOT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct fw_cfg;

/* The option ROM's line of the "bootorder" file. */
#define DIRECT_BOOT_ROM_FILE "genroms/vmdesk-boot.bin"
#define DIRECT_BOOT_ORDER "/rom@" DIRECT_BOOT_ROM_FILE

#define DIRECT_BOOT_MAX_KERNEL (UINT64_C(256) << 20)
#define DIRECT_BOOT_MAX_MODULES 32

struct direct_boot {
    const char *folder;  /* what relative files are relative to */
    const char *kernel;  /* file */
    const char *initrd;  /* Linux: file. Multiboot: "file arguments, file ...". NULL: none */
    const char *cmdline; /* NULL: empty */
    uint64_t low_ram;    /* bytes of RAM from address 0 */
    bool uefi;           /* the firmware is OVMF: it starts Linux only */
};

/* Reads and checks the files and adds them to fw. On failure *err names the file. */
bool direct_boot_prepare(struct fw_cfg *fw, const struct direct_boot *boot, GError **err);

#endif
