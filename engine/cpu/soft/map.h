/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory as the software CPU sees it: the sections of the memory map that are host memory,
 * and what is remembered of each page of that memory, under whatever address it appears.
 */
#ifndef ENGINE_CPU_SOFT_MAP_H
#define ENGINE_CPU_SOFT_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/bus/memory_map.h"

/* The memory of a region. Lives as long as the accelerator. */
struct soft_ram {
    uint8_t *host;
    uint64_t size;
    uint64_t *code;  /* for each page, which 64-byte pieces some vCPU has translated; atomic */
    uint64_t *dirty; /* a bit for each page written; atomic */
    bool logged;     /* somebody reads dirty; atomic */
};

#define SOFT_CODE_PIECE 64

struct soft_section {
    uint64_t base, size;
    uint8_t *host;
    struct soft_ram *ram;
    bool readonly, log_dirty;
};

/* Constant once made, but for its references. */
struct soft_map {
    unsigned references; /* atomic, by the compiler: GLib's are not seen by the thread sanitizer */
    unsigned count;
    struct soft_section sections[];
};

/* The section that covers gpa; NULL: device memory, or nothing. */
const struct soft_section *soft_map_find(const struct soft_map *map, uint64_t gpa);

/* A section that shows the memory at host; NULL: none does any more. */
const struct soft_section *soft_map_find_host(const struct soft_map *map, const uint8_t *host);

struct soft_maps; /* the accelerator's side */

struct soft_accel;

struct soft_maps *soft_maps_new(struct soft_accel *accel);
void soft_maps_free(struct soft_maps *maps);           /* NULL is fine */
extern const struct memory_listener soft_map_listener; /* opaque: struct soft_maps */

/* The map of now, with a reference for the caller. Any thread. */
struct soft_map *soft_maps_get(struct soft_maps *maps);
void soft_map_unref(struct soft_map *map); /* NULL is fine */

static inline uint64_t *soft_ram_code(const struct soft_ram *ram, const uint8_t *host)
{
    return &ram->code[(host - ram->host) / 4096];
}

/* Pieces of a page that [host, host + size) touches; it stays in the page. */
static inline uint64_t soft_code_pieces(const uint8_t *host, unsigned size)
{
    unsigned first = (uintptr_t)host % 4096 / SOFT_CODE_PIECE;
    unsigned last = ((uintptr_t)host % 4096 + size - 1) / SOFT_CODE_PIECE;

    return UINT64_MAX << first & UINT64_MAX >> (63 - last);
}

static inline void soft_ram_mark_dirty(struct soft_ram *ram, const uint8_t *host)
{
    uint64_t page = (host - ram->host) / 4096;

    __atomic_fetch_or(&ram->dirty[page / 64], UINT64_C(1) << page % 64, __ATOMIC_RELAXED);
}

#endif
