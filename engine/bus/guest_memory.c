/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DMA: how devices reach guest RAM through the memory map. */
#include "engine/bus/memory_map.h"

#include <glib.h>
#include <string.h>

/* The host memory at gpa, and how much of the wanted size lies together there. */
static uint8_t *ram_at(struct memory_map *map, uint64_t gpa, uint64_t size, bool for_write,
                       uint64_t *ret_size)
{
    const struct memory_section *s = memory_map_find(map, gpa);
    uint64_t into;

    if (s == NULL || s->region->host == NULL || (for_write && s->region->readonly))
        return NULL;
    into = gpa - s->base;
    *ret_size = MIN(size, s->size - into);
    return s->region->host + s->offset + into;
}

/* Whether all of the range is RAM, so that a transfer moves all or nothing. */
static bool all_ram(struct memory_map *map, uint64_t gpa, uint64_t size, bool for_write)
{
    uint64_t part;

    if (gpa + size < gpa)
        return false;
    for (; size > 0; gpa += part, size -= part) {
        if (ram_at(map, gpa, size, for_write, &part) == NULL)
            return false;
    }
    return true;
}

bool guest_memory_read(struct memory_map *map, uint64_t gpa, void *buffer, size_t size)
{
    uint8_t *to = buffer;
    uint64_t part;

    if (!all_ram(map, gpa, size, false))
        return false;
    for (; size > 0; gpa += part, to += part, size -= part) {
        const uint8_t *host = ram_at(map, gpa, size, false, &part);

        memcpy(to, host, part);
    }
    return true;
}

bool guest_memory_write(struct memory_map *map, uint64_t gpa, const void *buffer, size_t size)
{
    const uint8_t *from = buffer;
    uint64_t start = gpa, total = size, part;

    if (!all_ram(map, gpa, size, true))
        return false;
    for (; size > 0; gpa += part, from += part, size -= part) {
        uint8_t *host = ram_at(map, gpa, size, true, &part);

        memcpy(host, from, part);
    }
    guest_memory_written(map, start, total);
    return true;
}

bool guest_memory_iov(struct memory_map *map, uint64_t gpa, uint64_t size, bool for_write,
                      struct iovec *iov, unsigned *count, unsigned max)
{
    unsigned n = *count;
    uint64_t part;

    if (gpa + size < gpa)
        return false;
    for (; size > 0; gpa += part, size -= part) {
        uint8_t *host = ram_at(map, gpa, size, for_write, &part);

        if (host == NULL)
            return false;
        if (n > *count && (uint8_t *)iov[n - 1].iov_base + iov[n - 1].iov_len == host) {
            iov[n - 1].iov_len += part;
            continue;
        }
        if (n == max)
            return false;
        iov[n].iov_base = host;
        iov[n].iov_len = part;
        n++;
    }
    *count = n;
    return true;
}
