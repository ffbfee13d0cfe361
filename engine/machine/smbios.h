/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SMBIOS tables (System Management BIOS Reference Specification 2.8) and their 32-bit entry
 * point. Type 0, the BIOS, is left to the firmware: it describes itself.
 */
#ifndef ENGINE_MACHINE_SMBIOS_H
#define ENGINE_MACHINE_SMBIOS_H

#include <glib.h>
#include <stdint.h>

struct smbios_blobs {
    GBytes *anchor; /* "etc/smbios/smbios-anchor"; the firmware sets address and checksums */
    GBytes *tables; /* "etc/smbios/smbios-tables" */
};

/* RAM in bytes, as in struct firmware_facts. uuid: 16 bytes in the order of its text form. */
void smbios_build(struct smbios_blobs *ret_blobs, unsigned cpus, uint64_t low_ram,
                  uint64_t high_ram, const uint8_t *uuid);
void smbios_blobs_finish(struct smbios_blobs *blobs);

#endif
