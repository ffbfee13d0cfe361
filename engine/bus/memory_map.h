/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest-physical address space.
 *
 * Regions overlap by priority: where two cover an address, the higher priority answers (of equals,
 * the one mapped last). The map flattens them into sorted, disjoint sections, tells the accelerator
 * which host memory stands where, and dispatches every other access to the region's ops.
 * Unclaimed reads give all ones; unclaimed writes vanish.
 *
 * Thread: every call is made under the board's lock, except memory_map_new/free.
 */
#ifndef ENGINE_BUS_MEMORY_MAP_H
#define ENGINE_BUS_MEMORY_MAP_H

#include <stddef.h>
#include <sys/uio.h>

#include "engine/bus/region.h"

struct memory_map;

/* A piece of the flat view: [base, base + size) shows region from offset. */
struct memory_section {
    uint64_t base, size;
    struct region *region;
    uint64_t offset;
};

/* The accelerator's side. A section is announced only when region->host is set and the section is
 * page-aligned; an announced section is removed exactly as it was added. */
struct memory_listener {
    void (*add)(void *opaque, const struct memory_section *section);
    void (*remove)(void *opaque, const struct memory_section *section);
    /* ORs the pages written since the last call into bitmap, bit 0 being the section's first page
     * of 4 KiB. Only for sections whose region has log_dirty. */
    void (*fetch_dirty)(void *opaque, const struct memory_section *section, uint8_t *bitmap);
    /* A device wrote guest memory by DMA: translated code of it is stale. May be NULL. */
    void (*written)(void *opaque, uint64_t gpa, uint64_t size);
};

struct memory_map *memory_map_new(void);
void memory_map_free(struct memory_map *map); /* NULL is fine; regions stay their owners' */

/* One listener at a time; setting one announces what is mapped, NULL withdraws it all. */
void memory_map_set_listener(struct memory_map *map, const struct memory_listener *listener,
                             void *opaque);

/* Maps region at base. base + size must not wrap. A mapped region is moved. */
void memory_map_add(struct memory_map *map, struct region *region, uint64_t base, int priority);
void memory_map_remove(struct memory_map *map, struct region *region); /* unmapped: no effect */
/* Changes between begin and commit take effect at commit, as one. They nest. */
void memory_map_begin(struct memory_map *map);
void memory_map_commit(struct memory_map *map);
/* Tells the map that region->host, readonly or log_dirty changed. */
void memory_map_update(struct memory_map *map, struct region *region);

/* One access of a vCPU that the accelerator could not serve from host memory; size 1 to 8. */
uint64_t memory_map_read(struct memory_map *map, uint64_t gpa, unsigned size);
void memory_map_write(struct memory_map *map, uint64_t gpa, uint64_t value, unsigned size);

/* ORs the pages of region written since the last call into bitmap, one bit for 4 KiB. bitmap has
 * (region->size / 4096 + 7) / 8 bytes. */
void memory_map_fetch_dirty(struct memory_map *map, struct region *region, uint8_t *bitmap);

/* The flat view by ascending address; NULL past the last. Valid until the next change. */
const struct memory_section *memory_map_section(const struct memory_map *map, size_t index);
/* The section that covers gpa; NULL: none. */
const struct memory_section *memory_map_find(const struct memory_map *map, uint64_t gpa);

/*
 * DMA: the only way of a device to guest memory. Only RAM (host set; for writing, not readonly)
 * counts; anything else, or a wrapping range, fails and moves nothing.
 */
bool guest_memory_read(struct memory_map *map, uint64_t gpa, void *buffer, size_t size);
bool guest_memory_write(struct memory_map *map, uint64_t gpa, const void *buffer, size_t size);

/* Appends the host memory of [gpa, gpa + size) to iov[*count..max), merging neighbours. false: not
 * all RAM, or no room; *count is then as before. The memory may be used without the lock for as
 * long as the machine lives; after writing to it call guest_memory_written(). */
bool guest_memory_iov(struct memory_map *map, uint64_t gpa, uint64_t size, bool for_write,
                      struct iovec *iov, unsigned *count, unsigned max);
void guest_memory_written(struct memory_map *map, uint64_t gpa, uint64_t size);

#endif
