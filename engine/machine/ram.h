/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest RAM and where it lies: from 0, with a gap for PCI below 4 GiB, and the rest above.
 */
#ifndef ENGINE_MACHINE_RAM_H
#define ENGINE_MACHINE_RAM_H

#include <glib.h>

#include "engine/bus/memory_map.h"

/* RAM below 4 GiB ends here at the latest: what lies above is MMCONFIG, PCI, chipset, firmware. */
#define RAM_LOW_LIMIT (UINT64_C(2) << 30)
#define RAM_HIGH_BASE (UINT64_C(4) << 30)

struct ram {
    uint8_t *host;
    uint64_t size;      /* bytes: low + high */
    uint64_t low, high; /* bytes from address 0 and from RAM_HIGH_BASE */
    /* The legacy window and the area that the host bridge switches divide the first MiB. */
    struct region conventional, extended, above_4g;
};

/* Reserves size bytes (the host gives pages as the guest touches them) and maps them, but for
 * 0xa0000 to 0xfffff. */
bool ram_init(struct ram *ram, struct memory_map *map, uint64_t size, GError **err);
/* The map is gone. */
void ram_finish(struct ram *ram);

#endif
