/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The I/O port space: 65,536 ports. Regions do not overlap. An access wider than a region, or that
 * crosses its end, arrives byte by byte. Unclaimed ports read as ones.
 *
 * Thread: under the board's lock.
 */
#ifndef ENGINE_BUS_PIO_H
#define ENGINE_BUS_PIO_H

#include "engine/bus/region.h"

struct pio_bus;

struct pio_bus *pio_bus_new(void);
void pio_bus_free(struct pio_bus *bus);

/* false: it would overlap another region or pass port 0xffff; nothing changed. */
bool pio_bus_add(struct pio_bus *bus, struct region *region, uint16_t port);
void pio_bus_remove(struct pio_bus *bus, struct region *region);

uint32_t pio_bus_read(struct pio_bus *bus, uint16_t port, unsigned size); /* size 1, 2 or 4 */
void pio_bus_write(struct pio_bus *bus, uint16_t port, uint32_t value, unsigned size);

#endif
