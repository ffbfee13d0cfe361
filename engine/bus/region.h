/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A region: a range of guest memory or of I/O ports, and what answers there.
 *
 * The owner (a device, the board) holds the struct; it must outlive its mapping. All callbacks run
 * under the board's lock, on the thread of the vCPU that made the access.
 */
#ifndef ENGINE_BUS_REGION_H
#define ENGINE_BUS_REGION_H

#include <stdbool.h>
#include <stdint.h>

/* offset counts from the start of the region. size is 1, 2, 4 or 8, at most max_access, and
 * offset + size never passes the region's end. Accesses need not be aligned. Values are
 * little-endian numbers; a read's bits above size are ignored. */
struct region_ops {
    uint64_t (*read)(void *opaque, uint64_t offset, unsigned size);
    void (*write)(void *opaque, uint64_t offset, uint64_t value, unsigned size);
    /* The widest access the callbacks take: a wider one arrives as several, lowest first. */
    unsigned max_access;
};

struct region {
    const char *name; /* for logs and tests; static */
    uint64_t size;    /* bytes or ports */
    const struct region_ops *ops;
    void *opaque;

    /* Memory only. With host set, the guest reads it (and, unless readonly, writes it) directly;
     * host is page-aligned and lives as long as the machine. Guest writes to a readonly region go
     * to ops->write when there is one, and vanish otherwise. */
    uint8_t *host;
    bool readonly;
    bool log_dirty; /* remember which pages are written: memory_map_fetch_dirty() */

    /* Kept by memory_map and pio_bus: leave alone. */
    bool mapped;
    uint64_t base;
    int priority;
    bool all_dirty; /* the next fetch of dirty pages reports every page */
};

#endif
