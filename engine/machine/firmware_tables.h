/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the firmware asks fw_cfg about the machine: processors, memory, boot order, and the ACPI and
 * SMBIOS tables that it hands on to the operating system. QEMU's docs/specs/fw_cfg.txt has the
 * keys; SeaBIOS's Runtime_config page has the files.
 */
#ifndef ENGINE_MACHINE_FIRMWARE_TABLES_H
#define ENGINE_MACHINE_FIRMWARE_TABLES_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct fw_cfg;

#define FIRMWARE_BOOT_PORTS 6
#define FIRMWARE_BOOT_USB 0x80 /* a USB port, not one of the AHCI */

struct firmware_facts {
    unsigned cpus;     /* all present from the start; local APIC ids 0 .. cpus - 1 */
    uint64_t low_ram;  /* bytes of RAM from address 0 */
    uint64_t high_ram; /* bytes of RAM from 4 GiB */
    uint8_t uuid[16];  /* in the order of its text form */
    bool boot_menu;    /* wait for a key that opens the firmware's boot menu */
    bool direct_boot;  /* direct_boot_prepare() was called: start that kernel first */
    uint8_t boot_ports[FIRMWARE_BOOT_PORTS]; /* in boot order: AHCI ports, FIRMWARE_BOOT_USB */
    unsigned boot_port_count;
};

/* Adds all of it to fw. False: one of its files was already there. */
bool firmware_tables_add(struct fw_cfg *fw, const struct firmware_facts *facts, GError **err);

#endif
