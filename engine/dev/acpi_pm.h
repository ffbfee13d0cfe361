/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ACPI power management registers of the ICH9 (datasheet 13.8.3), a block of ACPI_PM_SIZE
 * ports: power button, sleep, PM timer, general purpose events; and the APM ports 0xb2/0xb3 by
 * which an operating system switches them on. Part of the LPC bridge, which places the block.
 */
#ifndef ENGINE_DEV_ACPI_PM_H
#define ENGINE_DEV_ACPI_PM_H

#include "engine/bus/board.h"

#define ACPI_PM_SIZE 128

struct acpi_pm {
    struct board *board;
    struct region block, apm;
    struct irq_line sci;
    struct vm_timer overflow; /* armed only while the guest wants the interrupt */

    uint16_t pm1_status, pm1_enable;
    uint32_t pm1_control;
    uint64_t gpe0_status, gpe0_enable;
    uint32_t smi_enable;
    uint8_t apm_command, apm_status;
    uint64_t overflow_seen; /* how often the timer's top bit had toggled when status was cleared */
};

/* sci: where the interrupt goes. Maps the APM ports. */
void acpi_pm_init(struct acpi_pm *pm, struct board *board, const struct irq_line *sci);
void acpi_pm_finish(struct acpi_pm *pm);
void acpi_pm_reset(struct acpi_pm *pm);
/* Puts the block at base; 0: nowhere. */
void acpi_pm_place(struct acpi_pm *pm, uint16_t base);
void acpi_pm_power_button(struct acpi_pm *pm);

#endif
