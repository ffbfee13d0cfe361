/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ACPI tables (ACPI Specification 5.1, chapter 5) and the script by which the firmware places,
 * links and sums them (QEMU's bios-linker-loader format).
 *
 * They describe the q35 board after its firmware: PM block at ACPI_PM_BASE, MMCONFIG at
 * ACPI_MMCONFIG_BASE, PCI window from there to the I/O APIC. dsdt.asl has the devices.
 */
#ifndef ENGINE_MACHINE_ACPI_H
#define ENGINE_MACHINE_ACPI_H

#include <glib.h>

/* Where SeaBIOS and OVMF put what they can move. */
#define ACPI_PM_BASE 0x600
#define ACPI_MMCONFIG_BASE 0xb0000000u
#define ACPI_SCI_IRQ 9
/* What the SMI command port (0xb2) takes to switch SCI_EN on and off. */
#define ACPI_SMI_COMMAND_PORT 0xb2
#define ACPI_ENABLE_COMMAND 0x02
#define ACPI_DISABLE_COMMAND 0x03
/* SLP_TYP of PM1a control that means S5, soft off. */
#define ACPI_S5_SLEEP_TYPE 0

struct acpi_blobs {
    GBytes *tables; /* "etc/acpi/tables" */
    GBytes *rsdp;   /* "etc/acpi/rsdp" */
    GBytes *loader; /* "etc/table-loader" */
};

void acpi_build(struct acpi_blobs *ret_blobs, unsigned cpus);
void acpi_blobs_finish(struct acpi_blobs *blobs);

#endif
