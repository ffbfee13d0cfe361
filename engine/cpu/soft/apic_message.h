/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What travels to local APICs: from the I/O APIC, as an MSI, or from another local APIC.
 * Intel SDM volume 3, 10.6 and 10.11. */
#ifndef ENGINE_CPU_SOFT_APIC_MESSAGE_H
#define ENGINE_CPU_SOFT_APIC_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

/* Delivery modes, as redirection entries, LVT entries, ICR and MSI data encode them. */
enum {
    APIC_FIXED = 0,
    APIC_LOWEST_PRIORITY = 1,
    APIC_SMI = 2,
    APIC_NMI = 4,
    APIC_INIT = 5,
    APIC_START_UP = 6, /* ICR only */
    APIC_EXTINT = 7,
};

struct soft_apic_message {
    uint32_t destination;
    bool logical; /* destination mode */
    bool wide;    /* the destination is 32 bits: x2APIC's, else 8 */
    bool level;   /* trigger mode */
    uint8_t mode; /* APIC_* */
    uint8_t vector;
};

#endif
