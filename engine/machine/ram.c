/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/machine/ram.h"

#include <errno.h>
#include <sys/mman.h>

#include "core/error.h"

#define CONVENTIONAL_END 0xa0000
#define EXTENDED_BASE 0x100000

static void map_piece(struct ram *ram, struct memory_map *map, struct region *region,
                      const char *name, uint64_t base, uint64_t offset, uint64_t size)
{
    *region = (struct region){.name = name, .size = size, .host = ram->host + offset};
    if (size > 0)
        memory_map_add(map, region, base, 0);
}

bool ram_init(struct ram *ram, struct memory_map *map, uint64_t size, GError **err)
{
    void *host = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (host == MAP_FAILED)
        return vmdesk_error_from_errno(err, errno, "Give the machine less memory",
                                       "Reserving %" G_GUINT64_FORMAT " MiB of guest memory",
                                       size >> 20);
    /* Best effort: fewer, larger pages; and no copy of the guest's memory in a core dump. */
    madvise(host, size, MADV_HUGEPAGE);
    madvise(host, size, MADV_DONTDUMP);
    *ram = (struct ram){.host = host, .size = size, .low = MIN(size, RAM_LOW_LIMIT)};
    ram->high = size - ram->low;
    map_piece(ram, map, &ram->conventional, "ram-conventional", 0, 0, CONVENTIONAL_END);
    map_piece(ram, map, &ram->extended, "ram-extended", EXTENDED_BASE, EXTENDED_BASE,
              ram->low - EXTENDED_BASE);
    map_piece(ram, map, &ram->above_4g, "ram-above-4g", RAM_HIGH_BASE, ram->low, ram->high);
    return true;
}

void ram_finish(struct ram *ram)
{
    if (ram->host != NULL)
        munmap(ram->host, ram->size);
    ram->host = NULL;
}
